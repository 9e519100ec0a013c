"""What limits hold for attempts: doing nothing, flooding us, the memory of all their processes, and the machine's."""

from __future__ import annotations

import sys
import tracemalloc
from pathlib import Path

import pytest

from orchestra.execution.attempt import FAILED
from orchestra.execution.gauges import Gauges
from orchestra.execution.local import EACH_BYTES, TOLD_BYTES, LocalExecutor
from orchestra.execution.log import HEAD_BYTES, TAIL_BYTES
from orchestra.execution.process import PORTABLE
from orchestra.model.outcomes import Fault, Outcome
from orchestra.model.ports import AgentSaid, AttemptEnded, PhaseBegan, VerifyEnded, VerifyOrder
from tests.execution.shop import Shop, SkippingClock, is_ready, run
from tests.vcs.kit import Person

MIB = 2**20

# --- nothing at all ----------------------------------------------------------------------------------------------


def test_who_does_nothing_any_more_is_stopped_and_its_work_is_kept(shop: Shop, person: Person) -> None:
    ended = shop.attempt(run("echo x > new; sleep 600 & sleep 600", stall=0.5))
    assert (ended.outcome, ended.fault) == (Outcome.STALLED, Fault.AGENT)
    assert ended.detail == "no output, no work and no change in its worktree for 0.5 s (stall)"
    assert person.committed(f"{FAILED}build-1-1")["new"] == ("100644", b"x\n")


def test_a_check_that_does_nothing_any_more_is_a_check_that_failed(shop: Shop) -> None:
    ended = shop.attempt(run("echo x > new", check="echo looking; sleep 600", stall=0.5))
    assert (ended.outcome, ended.fault) == (Outcome.CHECK_FAILED, Fault.AGENT)
    assert ended.detail == "check `echo looking; sleep 600`: did nothing any more and was stopped"


SIGNS = {
    "output": "sys.stdout.write('.'); sys.stdout.flush(); time.sleep(0.1)",
    "errors": "sys.stderr.write('.'); sys.stderr.flush(); time.sleep(0.1)",
    "change": "open('new', 'a').write('x'); time.sleep(0.1)",
    "child": "subprocess.run([sys.executable, '-c', 'sum(range(3_000_000))'])",
}


def test_every_sign_of_life_counts(shop: Shop) -> None:
    """Each gives one of them only, for longer than the time of a stall: dots without a newline, among others."""
    with LocalExecutor(shop.workshop, shop.logs) as executor:
        for name, sign in SIGNS.items():
            script = f"import subprocess, sys, time\nend = time.time() + 5\nwhile time.time() < end: {sign}"
            task = run(f'exec {sys.executable} -c "{script}"', name=name, stall=2.5)
            executor.start(shop.order(task, f"build-1-{name}"))
        told = shop.drain(executor)
    ended = {h.attempt.removeprefix("build-1-"): h.outcome for h in told if isinstance(h, AttemptEnded)}
    changes = {"change": Outcome.SUCCESS}
    assert ended == {name: changes.get(name, Outcome.NO_CHANGE) for name in SIGNS}


def test_a_setup_and_a_verification_may_wait_in_silence(person: Person) -> None:
    clock = SkippingClock()
    shop = Shop(
        person, clock=clock, worktrees={"setup": "[ -e go ] || while [ ! -e go ]; do sleep 0.05; done"}
    )
    with LocalExecutor(shop.workshop, shop.logs) as executor:
        executor.start(shop.order(run("echo done")))
        shop.drain(executor, lambda h: isinstance(h, PhaseBegan) and h.phase == "setup")
        clock.ahead = 30 * 60
        executor.verify(VerifyOrder("verify-1", person.head(), "true"))
        (shop.bench.folder / "slot-1/go").touch()
        (shop.bench.folder / "slot-2/go").touch()
        told = shop.drain(executor)
    assert {h.outcome for h in told if isinstance(h, AttemptEnded)} == {Outcome.NO_CHANGE}
    assert [h.passed for h in told if isinstance(h, VerifyEnded)] == [True]


# --- floods ------------------------------------------------------------------------------------------------------


def test_a_flood_is_drained_into_bounds(shop: Shop) -> None:
    """Some 20 MB: of them the log keeps both ends, listeners get the beginning, and memory next to nothing."""
    flood = "import sys\nprint('first')\nfor n in range(6_000): print('%06d' % n * 600)\nprint('last')"
    tracemalloc.start()
    try:
        with LocalExecutor(shop.workshop, shop.logs) as executor:
            executor.start(shop.order(run(f'exec {sys.executable} -c "{flood}"')))
            said = 0
            last = ""
            ended = None
            while told := executor.poll():
                for happening in told:
                    if isinstance(happening, AgentSaid):
                        said, last = said + len(happening.event.text), happening.event.text
                    elif isinstance(happening, AttemptEnded):
                        ended = happening
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert ended is not None and (ended.outcome, ended.summary) == (Outcome.NO_CHANGE, "last")
    assert ended.tail[-1] == "last" and len(ended.tail) == 20
    log = Path(ended.log).read_bytes()
    assert HEAD_BYTES + TAIL_BYTES < len(log) < HEAD_BYTES + 2 * TAIL_BYTES + 10_000
    assert b"first\n000000000000" in log and log.endswith(b"005999\nlast\n")
    assert log.count(b" bytes of output are left out here\n") == 1
    assert TOLD_BYTES * 0.9 < said <= TOLD_BYTES
    assert last == "(it says a great deal: from here on see the log)"
    assert peak < 12 * MIB


def test_of_many_short_lines_few_are_told(shop: Shop) -> None:
    """Each is an event, which costs more than its text."""
    with LocalExecutor(shop.workshop, shop.logs) as executor:
        executor.start(shop.order(run("yes | head -n 60000; echo last")))
        told = shop.drain(executor)
    said = [h.event.text for h in told if isinstance(h, AgentSaid)]
    assert TOLD_BYTES / EACH_BYTES * 0.9 < len(said) <= TOLD_BYTES / EACH_BYTES
    assert said[-1] == "(it says a great deal: from here on see the log)"
    ended = told[-1]
    assert isinstance(ended, AttemptEnded)
    assert Path(ended.log).read_text().count("\ny") == 60_000 and ended.tail[-1] == "last"


# --- memory ------------------------------------------------------------------------------------------------------

# Two children hold 60 MiB each, side by side, until they are told to go on.
HOLD = """
import os, sys, time
for _ in range(2):
    if os.fork() == 0:
        held = bytearray(os.urandom(1)) * (60 * 2**20)
        open(f'held-{os.getpid()}', 'x').close()
        while not os.path.exists('go'):
            time.sleep(0.05)
        os._exit(0)
while sum(name.startswith('held') for name in os.listdir()) < 2:
    assert os.waitpid(-1, os.WNOHANG) == (0, 0), 'there is too little memory for this test'
    time.sleep(0.05)
print('ready', flush=True)
while not os.path.exists('go'):
    time.sleep(0.2)
    print('tick', flush=True)
os.wait(), os.wait()
"""


def test_the_peak_of_memory_is_that_of_the_whole_tree(person: Person) -> None:
    clock = SkippingClock()
    shop = Shop(person, clock=clock)
    with LocalExecutor(shop.workshop, shop.logs) as executor:
        executor.start(shop.order(run(f'exec {sys.executable} -c "{HOLD}"')))
        shop.drain(executor, is_ready)
        clock.ahead = 60.0
        # The look that is due now comes before the word that is next.
        shop.drain(executor, lambda h: isinstance(h, AgentSaid) and h.event.text == "tick")
        (shop.bench.folder / "slot-1/go").touch()
        (ended,) = (h for h in shop.drain(executor) if isinstance(h, AttemptEnded))
    assert ended.outcome is Outcome.SUCCESS
    assert 120 * MIB < ended.peak_bytes < 200 * MIB


@pytest.mark.skipif(PORTABLE, reason="the kernel's counter is Linux's")
@pytest.mark.parametrize("stage", ["agent", "check", "setup", "verify"])
def test_what_the_kernel_kills_for_want_of_memory_is_the_environments_fault(
    person: Person, stage: str, tmp_path: Path
) -> None:
    """The command plays the kernel: it counts itself in a file that stands for the kernel's, and ends by its signal."""
    counter = tmp_path / "proc/vmstat"
    counter.parent.mkdir()
    counter.write_text("oom_kill 4\n")
    dies = f"echo oom_kill 5 > {counter}; kill -9 $$"
    shop = Shop(person, worktrees={"setup": dies} if stage == "setup" else {})
    with LocalExecutor(shop.workshop, shop.logs, gauges=Gauges(counter.parent)) as executor:
        if stage == "verify":
            executor.verify(VerifyOrder("verify-1", person.head(), dies))
        else:
            task = run(dies) if stage == "agent" else run("true", check=dies if stage == "check" else None)
            executor.start(shop.order(task))
        ended = shop.drain(executor)[-1]
    want = "killed for want of memory"
    if isinstance(ended, VerifyEnded):
        assert (stage, ended.passed, ended.detail) == ("verify", None, want)
        return
    assert isinstance(ended, AttemptEnded)
    outcome, detail = {
        "agent": (Outcome.FAILED, want),
        "check": (Outcome.CHECK_FAILED, f"check `{dies}`: {want}"),
        "setup": (Outcome.NOT_STARTED, f"`{dies}` (worktrees.setup): {want}"),
    }[stage]
    assert (ended.outcome, ended.fault, ended.detail) == (outcome, Fault.ENVIRONMENT, detail)
    # There may be more of it in a while.
    assert ended.transient


def test_what_somebody_kills_was_not_killed_for_want_of_memory(shop: Shop) -> None:
    ended = shop.attempt(run("kill -9 $$"))
    assert (ended.outcome, ended.fault, ended.detail) == (
        Outcome.FAILED,
        Fault.ENVIRONMENT,
        "killed by signal 9",
    )
    assert not ended.transient
