"""Two builds in one repository, and one that is stopped from elsewhere."""

from __future__ import annotations

import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.cli.scratch import Scratch

pytestmark = pytest.mark.slow

LIMIT = 60.0


def slow(scratch: Scratch, script: str = "") -> None:
    """A task that says that it runs and then waits to be told to go on."""
    scratch.prompt(
        "slow",
        f"touch {scratch.home}/running\n{script}\n"
        f"while [ ! -e {scratch.home}/go ]; do sleep 0.05; done; echo 1 > out.txt",
        claims={"write": ["out.txt"]},
    )
    scratch.commit()


def runs(scratch: Scratch, process: subprocess.Popen[str]) -> None:
    """Wait until the task runs."""
    end = time.monotonic() + LIMIT
    while not (scratch.home / "running").exists():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end
        time.sleep(0.01)


def ended(process: subprocess.Popen[str], limit: float = LIMIT) -> int:
    """The exit status of a build, once it has ended."""
    process.communicate(timeout=limit)
    return process.returncode


def test_of_twenty_started_at_once_one_works_and_the_others_say_who(scratch: Scratch) -> None:
    slow(scratch)
    first = scratch.popen("build")
    runs(scratch, first)
    others = [scratch.popen("build") for _ in range(19)]
    for other in others:
        _, told = other.communicate(timeout=LIMIT)
        assert other.returncode == 3
        assert f"another build is at work in this repository: process {first.pid}, for" in told
        assert "orchestra stop" in told
    (scratch.home / "go").touch()
    assert ended(first) == 0
    assert scratch.orchestra("build", "--json").finished["ran"] == 0


def test_started_at_the_same_moment_exactly_one_works(scratch: Scratch) -> None:
    slow(scratch)
    builds = [scratch.popen("build") for _ in range(6)]
    end = time.monotonic() + LIMIT
    while sum(build.poll() is None for build in builds) > 1:
        assert time.monotonic() < end
        time.sleep(0.02)
    (scratch.home / "go").touch()
    assert sorted(ended(build) for build in builds) == [0, 3, 3, 3, 3, 3]
    assert scratch.git("rev-list", "--count", "--grep=Orchestra-Task: slow", "HEAD") == "1"


def test_who_waits_builds_afterwards_on_what_is_there_then(scratch: Scratch) -> None:
    slow(scratch)
    first = scratch.popen("build")
    runs(scratch, first)
    second = scratch.popen("build", "--wait", "--json")
    assert second.stderr is not None
    assert f"process {first.pid}" in second.stderr.readline()
    # What it reads, it reads when its turn has come.
    scratch.prompt("late", "echo 1 > late.txt", claims={"write": ["late.txt"]})
    (scratch.home / "go").touch()
    assert ended(first) == 0
    told, _ = second.communicate(timeout=LIMIT)
    assert second.returncode == 0
    assert '"tasks":{"slow":"fresh","late":"landed"}' in told or '"late":"landed"' in told


def test_who_waits_can_be_interrupted(scratch: Scratch) -> None:
    slow(scratch)
    first = scratch.popen("build")
    runs(scratch, first)
    second = scratch.popen("build", "--wait")
    assert second.stderr is not None and second.stderr.readline()
    second.send_signal(signal.SIGINT)
    second.communicate(timeout=LIMIT)
    assert second.returncode == 130
    (scratch.home / "go").touch()
    assert ended(first) == 0


def test_stop_ends_a_build_as_an_interrupt_would(scratch: Scratch) -> None:
    slow(scratch)
    build = scratch.popen("build")
    runs(scratch, build)
    stopped = scratch.orchestra("stop")
    assert stopped.status == 0 and f"The build of process {build.pid}" in stopped.stdout
    # It waited for the end.
    assert ended(build, 1.0) == 130
    again = scratch.orchestra("stop")
    assert again.status == 0 and again.stdout == "No build is at work here.\n"
    (scratch.home / "go").touch()
    assert scratch.orchestra("build").status == 0


def test_stop_now_does_not_wait_for_those_that_do_not_listen(scratch: Scratch) -> None:
    slow(scratch, "trap '' TERM INT")
    build = scratch.popen("build")
    runs(scratch, build)
    began = time.monotonic()
    assert scratch.orchestra("stop", "--now").status == 0
    assert ended(build, 1.0) == 130
    assert time.monotonic() - began < LIMIT / 2
    survivors = [process for process in Path("/proc").iterdir() if _in(process, scratch.home)]
    assert survivors == []


def test_stop_where_nothing_ever_was_built_and_where_somebody_lies(scratch: Scratch) -> None:
    assert scratch.orchestra("stop").stdout == "No build is at work here.\n"
    lock = scratch.root / ".git/orchestra/building.json"
    lock.parent.mkdir(exist_ok=True)
    lock.write_text('{"pid": 1, "since": 0}')
    # Nobody holds the lock: what is written there is nobody's name, and nobody is sent a signal.
    assert scratch.orchestra("stop").stdout == "No build is at work here.\n"


def _in(process: Path, folder: Path) -> bool:
    try:
        return (process / "cwd").readlink().is_relative_to(folder)
    except OSError:
        return False
