"""No process is left of any attempt: whatever agents do, however attempts end, by each of the two means."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from orchestra.execution.local import LocalExecutor
from orchestra.execution.process import PORTABLE
from orchestra.execution.supervisor import processes
from orchestra.model.outcomes import Outcome
from orchestra.model.ports import AttemptEnded
from tests.execution.shop import LIMIT, Shop, SkippingClock, is_ready, run
from tests.vcs.kit import Person

KINDS = ("session", "double-fork", "deaf", "flood", "closed", "daemon")
ENDINGS = {
    "success": Outcome.NO_CHANGE,
    "failure": Outcome.FAILED,
    "timeout": Outcome.TIMED_OUT,
    "stall": Outcome.STALLED,
    "interrupt": Outcome.INTERRUPTED,
}
GRACE = 0.3

# Two processes of each kind live: the command, unless it is to end by itself, and what it started. Each leaves a file
# with its number once it is what it is meant to be.
AGENT = """
import contextlib, os, signal, sys, time
kind, ending, notes = sys.argv[1:]

def live():
    if kind == "closed":
        os.close(1)
        os.close(2)
    open(f"{notes}/{kind}-{os.getpid()}", "x").close()
    flood = kind == "flood"
    while flood:
        with contextlib.suppress(OSError):
            os.write(1, b"x" * 60_000 + b"\\n")
            os.write(2, b"y" * 60_000 + b"\\n")
        flood = ending != "stall"
    while True:
        time.sleep(60)

def begin():
    if os.fork() == 0:
        if kind in ("session", "double-fork", "daemon"):
            os.setsid()
        if kind in ("double-fork", "daemon") and os.fork():
            os._exit(0)
        if kind == "daemon":
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            os.chdir("/")
            for fd in (0, 1, 2):
                os.dup2(os.open(os.devnull, os.O_RDWR), fd)
        live()

if kind == "deaf":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
begin()
if ending in ("success", "failure"):
    while not any(name.startswith(kind) for name in os.listdir(notes)):
        time.sleep(0.01)
    sys.exit(0 if ending == "success" else 3)
live()
"""

HERALD = "while [ $(ls {notes} | wc -l) -lt {count} ]; do sleep 0.05; done; echo ready; {then}"


def start_all(shop: Shop, executor: LocalExecutor, ending: str, notes: Path) -> None:
    """Starts an agent of each kind, and waits until all that they start has come to life."""
    ends = ending in ("success", "failure")
    notes.mkdir()
    (shop.person.home / "agent.py").write_text(AGENT)
    count = len(KINDS) * (1 if ends else 2)
    herald = HERALD.format(notes=notes, count=count, then="true" if ends else "sleep 600")
    executor.start(shop.order(run(herald, name="herald"), "build-1-herald"))
    for kind in KINDS:
        command = f"exec {sys.executable} {shop.person.home}/agent.py {kind} {ending} {notes}"
        executor.start(shop.order(run(command, name=kind), f"build-1-{kind}"))
    shop.drain(executor, is_ready)


def living(notes: Path) -> list[str]:
    """Those of the agents' processes that live still."""
    table = processes()
    names = [path.name for path in notes.iterdir()]
    return [name for name in names if table.get(int(name.rpartition("-")[2]), (0, 0, "Z"))[2] not in "ZX"]


MEANS = pytest.mark.parametrize(
    "portable", [True] if PORTABLE else [False, True], ids=lambda p: "portable" if p else "kernel"
)


@MEANS
@pytest.mark.parametrize("ending", ENDINGS)
def test_nothing_survives(ending: str, portable: bool, person: Person, tmp_path: Path) -> None:
    clock, notes = SkippingClock(), tmp_path / "notes"
    shop = Shop(person, clock=clock)
    with LocalExecutor(shop.workshop, shop.logs, grace=GRACE, portable=portable) as executor:
        start_all(shop, executor, ending, notes)
        if ending not in ("success", "failure"):
            assert len(living(notes)) == 2 * len(KINDS)
        if ending == "timeout":
            clock.ahead = 45 * 60 + 1
        elif ending == "stall":
            clock.ahead = 10 * 60 + 1
        elif ending == "interrupt":
            executor.stop(now=False)
        told = shop.drain(executor)
        # At once, not some time later: nobody is left when an attempt is told to have ended.
        assert living(notes) == []
    ended = {happening.attempt: happening for happening in told if isinstance(happening, AttemptEnded)}
    assert {ended[f"build-1-{kind}"].outcome for kind in KINDS} == {ENDINGS[ending]}


DRIVER = """
import os, sys
from pathlib import Path
from orchestra.execution.local import LocalExecutor
from tests.execution.shop import Shop
from tests.execution.test_survivors import GRACE, start_all
from tests.vcs.kit import Person
person = object.__new__(Person)
person.home, person.root = Path(sys.argv[1]), Path(sys.argv[1]) / "project"
person.env = {**os.environ}
shop = Shop(person)
with LocalExecutor(shop.workshop, shop.logs, grace=GRACE, portable=sys.argv[3] == "True") as executor:
    start_all(shop, executor, "killed", Path(sys.argv[2]))
    print("ready", flush=True)
    while executor.poll():
        pass
"""


@MEANS
def test_nothing_survives_where_orchestra_itself_is_killed(
    portable: bool, person: Person, tmp_path: Path
) -> None:
    notes = tmp_path / "notes"
    orchestra = subprocess.Popen(
        [sys.executable, "-c", DRIVER, str(person.home), str(notes), str(portable)],
        cwd=person.root,
        env={**person.env, "PYTHONPATH": str(Path(__file__).parents[2])},
        stdout=subprocess.PIPE,
    )
    assert orchestra.stdout is not None
    with orchestra.stdout:
        try:
            assert orchestra.stdout.readline() == b"ready\n"
            assert len(living(notes)) == 2 * len(KINDS)
        finally:
            orchestra.kill()
            orchestra.wait(LIMIT)
    end = time.monotonic() + LIMIT
    while left := living(notes):
        assert time.monotonic() < end, left
        time.sleep(0.02)
