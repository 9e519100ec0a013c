"""What counts as a sign of life, and who was killed for want of memory: a made-up machine and a clock set by hand."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from dataclasses import dataclass
from math import inf
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestra.execution.gauges import Gauges
from orchestra.execution.watch import EVERY, PARTS, Watch, Watched, newest_change
from orchestra.model.outcomes import Exit

SUPERVISOR, COMMAND = 50, 51
TICK = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")
KILLED = Exit(None, signal.SIGKILL)


class Machine:
    """Files as a kernel would show them, with one command below a supervisor; and a clock of its own."""

    def __init__(self, proc: Path) -> None:
        self.proc = proc
        self.at, self.ahead = 1_000.0, 1_700_000_000.0
        self.changed = 0.0
        self.used = 0.0
        (proc / "self").mkdir(parents=True)
        (proc / "self/stat").touch()
        self.process(SUPERVISOR, 1)
        self.process(COMMAND, SUPERVISOR)
        self.memory(free=50)
        self.kills(7)
        self.watch = Watch(
            self, Gauges(proc, proc / "cgroup"), lambda folder: self.changed, lambda: self.used
        )

    def now(self) -> float:
        return self.at + self.ahead

    def monotonic(self) -> float:
        return self.at

    def process(self, pid: int, parent: int, cpu_s: float = 0.0, memory: int = 0) -> None:
        folder = self.proc / str(pid)
        folder.mkdir(exist_ok=True)
        times = f"{round(cpu_s * TICK)} 0 0 0"
        # The name is one that would lead a careless reader astray.
        stat = f"{pid} (a) S 1 (b) S {parent} {'0 ' * 9}{times} {'0 ' * 6}{memory // PAGE} {'0 ' * 20}\n"
        (folder / "stat").write_text(stat)
        (folder / "statm").write_text(f"9 {memory // PAGE} 0 0 0 0 0\n")

    def memory(self, free: int) -> None:
        (self.proc / "meminfo").write_text(f"MemTotal: 100 kB\nMemAvailable: {free} kB\n")

    def kills(self, number: int) -> None:
        (self.proc / "vmstat").write_text(f"oom_kill {number}\n")

    def go_on(self, seconds: float) -> bool:
        """Let time pass, looking when it is due; whether the command was found to have stalled."""
        end, stalled = self.at + seconds, False
        while self.watch.due <= end:
            assert self.watch.due > self.at, "a loop without a pause"
            self.at = self.watch.due
            stalled = bool(self.watch.look()) or stalled
        self.at = end
        return stalled


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path / "proc")


def begin(machine: Machine, stall: float = inf) -> Watched:
    return machine.watch.begin(SUPERVISOR, Path("/worktree"), stall, kills=machine.watch.kills)


# --- stalling ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Sign:
    """A sign of life some time after the one before."""

    kind: str
    after: float


SIGNS = st.builds(
    Sign,
    st.sampled_from(["output", "cpu", "change"]),
    st.floats(0.1, 0.89) | st.floats(0.85, 0.89) | st.sampled_from([0.01, 0.89]),
)


@settings(deadline=None, max_examples=100)
@given(st.sampled_from([0.5, 8.0, 60.0]), st.lists(SIGNS, max_size=12))
def test_who_gives_signs_of_life_is_left_alone_and_who_gives_none_is_not(
    tmp_path_factory: pytest.TempPathFactory, stall: float, signs: list[Sign]
) -> None:
    """Gaps of up to nine tenths: CPU time is compared ten times in the time of a stall."""
    machine = Machine(tmp_path_factory.mktemp("m") / "proc")
    watched = begin(machine, stall)
    cpu_s = 0.0
    for sign in signs:
        assert not machine.go_on(sign.after * stall)
        if sign.kind == "output":
            machine.watch.heard(watched)
        elif sign.kind == "change":
            machine.changed = machine.now()
        else:
            # As much as a hundredth of a core in the longest time between two comparisons.
            cpu_s += 0.01 * (stall / PARTS + EVERY) + 0.05
            machine.process(COMMAND, SUPERVISOR, cpu_s)
    assert not machine.go_on(0.89 * stall)
    assert machine.go_on(0.32 * stall + 2 * EVERY)
    # It is told once, and not again.
    assert not machine.go_on(2 * stall)
    assert machine.watch.end(watched, Exit(None, signal.SIGTERM, stopped="stall")).stopped == "stall"


def test_a_little_cpu_time_is_no_work(machine: Machine) -> None:
    """Who waits in a loop, or for timers."""
    begin(machine, 60.0)
    for second in range(59):
        machine.process(COMMAND, SUPERVISOR, second * 0.009)
        assert not machine.go_on(1.0)
    assert machine.go_on(8.0)


def test_a_process_that_ends_takes_its_cpu_time_along_and_that_is_no_work(machine: Machine) -> None:
    """Where the platform does not tell what ended processes used, the sum falls."""
    machine.process(COMMAND, SUPERVISOR, 500.0)
    begin(machine, 600.0)
    machine.go_on(100.0)
    machine.process(COMMAND, SUPERVISOR, 2.0)
    assert not machine.go_on(400.0)
    assert machine.go_on(262.0)


def test_a_change_counts_from_when_it_was_made(machine: Machine) -> None:
    begin(machine, 600.0)
    machine.go_on(400.0)
    machine.changed = machine.now()
    assert not machine.go_on(599.0)
    assert machine.go_on(3.0)


def test_what_was_changed_before_it_began_is_no_sign_of_it(machine: Machine) -> None:
    machine.changed = machine.now() - 1
    begin(machine, 600.0)
    assert machine.go_on(601.0)


@pytest.mark.parametrize("by", [-86_400.0, 86_400.0])
@pytest.mark.parametrize("changes", [False, True])
def test_where_the_clock_is_set_it_gets_its_time_again_and_no_more(
    machine: Machine, by: float, changes: bool
) -> None:
    begin(machine, 600.0)
    if changes:
        machine.go_on(100.0)
        machine.changed = machine.now()
    machine.go_on(100.0)
    machine.ahead += by
    if changes:
        machine.go_on(100.0)
        machine.changed = machine.now()
    rest = 600.0 - machine.at + 1_000.0
    assert not machine.go_on(rest + 1.0)
    assert not machine.go_on(598.0)
    assert machine.go_on(4.0)


def test_nothing_is_looked_at_where_nothing_runs(machine: Machine) -> None:
    assert machine.watch.due == inf
    first, second = begin(machine), begin(machine, 60.0)
    assert machine.watch.due < machine.at + 1
    machine.go_on(1.0)
    machine.watch.end(second, Exit(0))
    assert machine.watch.due < machine.at + EVERY
    machine.watch.end(first, Exit(0))
    assert machine.watch.due == inf


def test_looking_rests_for_long_where_it_takes_long(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin(machine, 10.0)

    def slow(own: Gauges) -> float:
        machine.at += 0.7
        machine.used += 0.5
        return 1.0

    monkeypatch.setattr(Gauges, "memory_available", slow)
    machine.watch.look()
    assert machine.watch.due == machine.at + 50.0


def test_looking_does_not_rest_for_long_where_it_only_waited_for_its_turn(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a busy machine; and that the clocks go on meanwhile is not taken for a clock that was set."""
    begin(machine, 10.0)

    def delayed(own: Gauges) -> float:
        machine.at += 3.0
        return 1.0

    monkeypatch.setattr(Gauges, "memory_available", delayed)
    assert machine.go_on(20.0)


# --- memory ------------------------------------------------------------------------------------------------------


def test_the_peak_is_the_most_that_all_held_at_once(machine: Machine) -> None:
    watched = begin(machine)
    mib = 2**20
    for ours, child in ((100, 0), (60, 70), (10, 120), (0, 1)):
        machine.process(COMMAND, SUPERVISOR, memory=ours * mib)
        machine.process(52, COMMAND, memory=child * mib)
        machine.process(SUPERVISOR, 1, memory=900 * mib)
        machine.process(53, 1, memory=900 * mib)
        machine.go_on(EVERY)
    assert machine.watch.end(watched, Exit(0, peak_bytes=5)).peak_bytes == 130 * mib
    # Who was never looked at has at least the peak of its largest process.
    assert machine.watch.end(begin(machine), Exit(0, peak_bytes=5)).peak_bytes == 5


@pytest.mark.parametrize(
    ("ended", "starved"),
    [
        (KILLED, True),
        (Exit(137), True),  # as a shell tells it
        (Exit(None, signal.SIGKILL, stopped="timeout"), False),
        (Exit(None, signal.SIGTERM), False),
        (Exit(1), False),
        (Exit(0), False),
    ],
)
@pytest.mark.parametrize("sign", ["counter", "little memory"])
def test_who_is_killed_while_memory_runs_out_was_killed_for_want_of_it(
    machine: Machine, ended: Exit, starved: bool, sign: str
) -> None:
    watched = begin(machine)
    if sign == "counter":
        machine.kills(8)
    else:
        machine.memory(free=4)
        machine.go_on(EVERY)
        machine.memory(free=90)  # its own is free again
        machine.go_on(EVERY)
    assert machine.watch.end(watched, ended).starved is starved
    assert ended.describe() != Exit(None, 9, starved=True).describe() == "killed for want of memory"


def test_who_is_killed_before_it_is_watched_was_killed_for_want_of_memory_too(machine: Machine) -> None:
    """On a busy machine a short command is gone before anybody looks."""
    before = machine.watch.kills
    machine.kills(8)
    watched = machine.watch.begin(SUPERVISOR, Path("/worktree"), kills=before)
    assert machine.watch.end(watched, KILLED).starved


def test_who_is_killed_otherwise_was_killed_by_somebody(machine: Machine) -> None:
    machine.memory(free=4)
    watched = begin(machine)
    machine.go_on(EVERY)
    machine.memory(free=6)
    machine.go_on(60.0)
    machine.kills(7)
    assert not machine.watch.end(watched, KILLED).starved
    # What was killed before it began explains nothing.
    machine.kills(8)
    assert not machine.watch.end(begin(machine), KILLED).starved


# --- changes in a folder -----------------------------------------------------------------------------------------


def test_every_change_in_a_folder_is_noticed(tmp_path: Path) -> None:
    root = tmp_path / "worktree"
    deep = root / "a/b"
    deep.mkdir(parents=True)
    file = deep / "file"
    file.write_text("x")
    (root / "loop").symlink_to(".")
    (root / "out").symlink_to(tmp_path)
    os.mkfifo(root / "pipe")

    def put_back() -> None:
        os.utime(file, (1, 1))

    changes: list[Callable[[], object]] = [
        lambda: file.write_text("y"),
        lambda: file.chmod(0o600),
        put_back,
        (deep / "new").touch,
        lambda: (deep / "new").rename(root / "new"),
        (root / "new").unlink,
        lambda: (root / "link").symlink_to("nowhere"),
        (root / ".git").mkdir,
    ]
    for change in changes:
        before = newest_change(root)
        while newest_change(root) == before:
            # The kernel's clock of files has steps: until it shows one, the same change is made again.
            (tmp_path / "step").write_text("x")
            if newest_change(tmp_path) > before:
                change()
                break
        assert newest_change(root) > before
    before = newest_change(root)
    while newest_change(tmp_path) <= before:
        (tmp_path / "beside").write_text("x")
    assert newest_change(root) == before, "a link was followed"
    assert newest_change(tmp_path / "nowhere") == 0.0
