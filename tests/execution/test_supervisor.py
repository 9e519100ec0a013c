"""The supervisor's own contract: arguments, report, and that nothing is left when orchestra is gone."""

from __future__ import annotations

import json
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from orchestra.execution.process import SUPERVISOR
from orchestra.execution.supervisor import Table, Walk, descendants, processes

LIMIT = 30.0  # seconds after which a test gives up
LINUX = sys.platform == "linux"
PORTABLE = ("portable", str(Path(psutil.__file__).parents[1]))
MEANS = pytest.mark.parametrize("words", [(), PORTABLE] if LINUX else [PORTABLE], ids=len)

# Starts a daemon in a session of its own and another one in the command's group; all say who they are.
FAMILY = """
import os, sys, time
def say():
    os.write(1, b"%d\\n" % os.getpid())
    while True:
        time.sleep(60)
if os.fork() == 0:
    os.setsid()
    say()
if os.fork() == 0:
    if os.fork() == 0:
        say()
    os._exit(0)
say()
"""


class Raw:
    """A supervisor started by hand, as `ManagedProcess` starts it."""

    def __init__(self, *argv: str, grace: str = "5", words: tuple[str, ...] = ()) -> None:
        self.report, report = os.pipe()
        alive, self.alive = os.pipe()
        self.supervisor = subprocess.Popen(
            [sys.executable, "-I", "-S", SUPERVISOR, str(report), str(alive), grace, *words, "--", *argv],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            pass_fds=(report, alive),
            start_new_session=True,
        )
        os.close(report)
        os.close(alive)
        assert self.supervisor.stdout is not None
        self.stdout = self.supervisor.stdout

    def pids(self, count: int) -> list[int]:
        """The processes that the family says it has."""
        return [int(line(self.stdout.fileno())) for _ in range(count)]

    def end(self) -> list[dict[str, object]]:
        """Its report, once it has ended."""
        lines = []
        while text := line(self.report):
            lines.append(json.loads(text))
        assert self.supervisor.wait(LIMIT) == 0
        os.close(self.report)
        self.stdout.close()
        return lines


def line(fd: int) -> str:
    """The next line of a pipe, "" at its end; fails after a while."""
    text = b""
    end = time.monotonic() + LIMIT
    with selectors.DefaultSelector() as selector:
        selector.register(fd, selectors.EVENT_READ)
        while not text.endswith(b"\n"):
            assert selector.select(end - time.monotonic()), f"only {text!r} came"
            byte = os.read(fd, 1)
            if not byte:
                break
            text += byte
    return text.decode().strip()


def alive(pid: int) -> bool:
    """Whether a process runs (and is not only waited for)."""
    return processes().get(pid, (0, 0, "Z"))[2] not in "ZX"


def eventually(met: Callable[[], bool]) -> None:
    """Looks again and again until it is so."""
    end = time.monotonic() + LIMIT
    while not met():
        assert time.monotonic() < end, "it did not come to that"
        time.sleep(0.01)


def test_report() -> None:
    raw = Raw("sh", "-c", "exit 4")
    started, ended = raw.end()
    os.close(raw.alive)
    assert isinstance(started["pid"], int)
    cpu, peak = ended.pop("cpu_s"), ended.pop("peak_bytes")
    assert isinstance(cpu, float) and isinstance(peak, int) and peak > 0
    assert ended == {
        "status": 4,
        "signal": None,
        "error": None,
        "errno": 0,
        "survivors": 0,
        "left": 0,
        "stopped": False,
    }


def test_a_program_that_is_not_there() -> None:
    raw = Raw("no-such-program")
    ended = raw.end()[-1]
    os.close(raw.alive)
    assert (ended["status"], ended["signal"]) == (None, None)
    assert ended["error"] == "not-found: No such file or directory"


@pytest.mark.parametrize("word", [b"T", b"K", b""])
@MEANS
def test_every_stop_leaves_nothing(word: bytes, words: tuple[str, ...]) -> None:
    raw = Raw(sys.executable, "-c", FAMILY, words=words)
    pids = raw.pids(3)
    if word:
        os.write(raw.alive, word)
    else:
        os.close(raw.alive)  # as when orchestra is gone
    ended = raw.end()[-1]
    if word:
        os.close(raw.alive)
    assert not [pid for pid in pids if alive(pid)]
    assert ended["stopped"] is True
    assert ended["signal"] == (signal.SIGKILL if word == b"K" else signal.SIGTERM)


@MEANS
def test_what_the_command_leaves_behind_in_its_group_is_ended(words: tuple[str, ...]) -> None:
    raw = Raw("sh", "-c", "sleep 60 & echo $!", words=words)
    pids = raw.pids(1)
    ended = raw.end()[-1]
    os.close(raw.alive)
    assert (ended["status"], ended["survivors"], ended["stopped"]) == (0, 1, False)
    assert not alive(pids[0])


def test_nobody_to_report_to() -> None:
    raw = Raw("sh", "-c", "echo $$; exec sleep 60")
    (pid,) = raw.pids(1)
    os.close(raw.report)
    os.close(raw.alive)
    assert raw.supervisor.wait(LIMIT) == 0
    raw.stdout.close()
    assert not alive(pid)


# Stands for orchestra: starts the family, tells its processes on, and then waits to be killed.
PARENT = """
import os, select, sys
sys.path.insert(0, sys.argv[1])
from orchestra.execution.process import ManagedProcess
process = ManagedProcess([sys.executable, "-c", sys.argv[2]], cwd="/", env=dict(os.environ), grace=0.2)
print(process.supervisor_pid, flush=True)
while select.select([process.stdout], [], []):
    for line in process.take(process.stdout):
        print(line, flush=True)
"""


@pytest.mark.skipif(not LINUX, reason="orphans come back only on Linux")
def test_nothing_is_left_when_orchestra_is_killed() -> None:
    stubborn = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + FAMILY
    root = str(Path(__file__).parents[2])
    parent = subprocess.Popen([sys.executable, "-c", PARENT, root, stubborn], stdout=subprocess.PIPE)
    assert parent.stdout is not None
    try:
        pids = [int(line(parent.stdout.fileno())) for _ in range(4)]
        assert all(map(alive, pids))
    finally:
        parent.kill()
        parent.wait(LIMIT)
        parent.stdout.close()
    eventually(lambda: not any(map(alive, pids)))


def test_descendants() -> None:
    table: Table = {
        2: (1, 2, "S"),
        3: (2, 2, "S"),
        4: (3, 4, "Z"),
        5: (1, 5, "S"),
        6: (4, 6, "R"),
        1: (0, 0, "S"),
    }
    assert descendants(table, 2) == {3, 4, 6}
    assert descendants(table, 1) == {2, 3, 4, 5, 6}
    assert descendants(table, 9) == set()
    assert descendants({1: (2, 1, "S"), 2: (1, 1, "S")}, 1) == {
        1,
        2,
    }  # torn by a process that came in between


def test_the_table_tells_of_us() -> None:
    me = os.getpid()
    assert processes()[me] == (os.getppid(), os.getpgrp(), "R")
    assert me in descendants(processes(), os.getppid())


# --- the walk of those platforms that have nothing better --------------------------------------------------------

WAIT = "import sys; print('up', flush=True); sys.stdin.read()"


@pytest.fixture
def people() -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """Starts processes that say so and live until the end of the test."""
    started: list[subprocess.Popen[bytes]] = []

    def begin(*argv: str, env: dict[str, str] | None = None) -> subprocess.Popen[bytes]:
        argv = argv or (sys.executable, "-c", WAIT)
        pipe = subprocess.PIPE
        started.append(subprocess.Popen(argv, stdin=pipe, stdout=pipe, env=env, start_new_session=True))
        assert started[-1].stdout is not None
        assert line(started[-1].stdout.fileno())
        return started[-1]

    yield begin
    for process in started:
        process.kill()
        process.communicate()


People = Callable[..., subprocess.Popen[bytes]]


def test_a_mark_tells_its_bearers_from_all_others(people: People) -> None:
    mark = {"ORCHESTRA_ROOT": "/a b=c", "ORCHESTRA_ATTEMPT": "x-1"}
    bearers = {people(env={**os.environ, **mark, "MORE": "1"}).pid for _ in range(2)}
    people(env={**os.environ, **mark, "ORCHESTRA_ATTEMPT": "x-10"})
    people(env={**os.environ, "ORCHESTRA_ATTEMPT": "x-1"})
    people(env={})
    walk = Walk(list(mark.items()))
    for _ in range(2):
        assert set(walk.look(0, 0)) == bearers
    late = people(env={**os.environ, **mark})
    assert set(walk.look(0, 0)) == bearers | {late.pid}
    assert Walk([]).look(0, 0) == {}


def test_who_was_seen_below_the_command_belongs_to_it_wherever_it_goes(people: People) -> None:
    """A daemon that cleans its environment, and what that starts: neither tree nor group nor mark tells."""
    daemon = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {WAIT!r}], env={{}})"
    begins = 'import subprocess, sys; subprocess.Popen([sys.executable, "-c", sys.argv[1]], env={},'
    begins += "start_new_session=True); sys.stdin.read()"
    command = people(sys.executable, "-c", begins, daemon)
    walk = Walk([("ORCHESTRA_ATTEMPT", "x-1")])
    first = set(walk.look(command.pid, 0))
    assert first == descendants(processes(), command.pid) and len(first) == 2
    command.kill()
    command.wait()
    assert set(walk.look(command.pid, command.pid)) == first
    elder, younger = sorted(first, key=lambda pid: psutil.Process(pid).create_time())
    # One that takes the number of an earlier one is another.
    walk.ours[elder] -= 5
    walk.ours[younger] -= 5
    assert walk.look(0, 0) == {}
    os.kill(elder, signal.SIGKILL)
    os.kill(younger, signal.SIGKILL)
    eventually(lambda: not alive(elder) and not alive(younger))


def test_a_walk_never_finds_who_walks(people: People) -> None:
    below = people().pid
    walk = Walk([(name, os.environ[name]) for name in ("PATH",)])
    found = walk.look(os.getpid(), os.getpgrp())
    assert below in found and os.getpid() not in found
    assert walk.rest >= 1 and walk.pause > 0


# --- what it costs the machine -----------------------------------------------------------------------------------


@pytest.mark.skipif(not LINUX, reason="/proc")
def test_the_command_goes_first_where_memory_runs_out() -> None:
    own = Path("/proc/self/oom_score_adj").read_text()
    raw = Raw("sh", "-c", "cat /proc/self/oom_score_adj /proc/$PPID/oom_score_adj")
    text = [line(raw.stdout.fileno()), line(raw.stdout.fileno())]
    assert raw.end()[-1]["status"] == 0
    os.close(raw.alive)
    assert text == [str(max(500, int(own))), own.strip()]


@pytest.mark.skipif(not LINUX, reason="/proc")
def test_waiting_wakes_it_for_nothing() -> None:
    raw = Raw("sh", "-c", "echo ready; exec sleep 60")
    started = json.loads(line(raw.report))
    assert line(raw.stdout.fileno()) == "ready"
    status = Path(f"/proc/{raw.supervisor.pid}/status")

    def switches() -> int:
        rows = status.read_text().splitlines()
        return next(int(row.split()[1]) for row in rows if row.startswith("voluntary_ctxt_switches"))

    eventually(lambda: "S" in next(r for r in status.read_text().splitlines() if r.startswith("State")))
    before = switches()
    with pytest.raises(subprocess.TimeoutExpired):
        raw.supervisor.wait(0.3)
    assert switches() - before <= 3  # polling every 20 ms would make it 15
    os.kill(started["pid"], signal.SIGTERM)
    assert raw.end()[-1]["signal"] == signal.SIGTERM
    os.close(raw.alive)
