"""A machine that is odd: a clock that is set back and forth, a disk that is slow, memory that runs out."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.scratch import Called, Scratch

pytestmark = pytest.mark.slow

BENT = """\
import itertools, sys, time
real, jumps = time.time, itertools.cycle([0, 86400, -86400, 18000])
time.time = lambda: real() + next(jumps) + {days} * 86400
from orchestra.cli.main import main
main(sys.argv[1:])
"""
"""Orchestra on a machine whose clock jumps by a day, back by two, and so on, each time that it is read."""


def under_bent_clock(scratch: Scratch, days: int, *argv: str) -> Called:
    done = subprocess.run(
        [sys.executable, "-c", BENT.format(days=days), *argv],
        cwd=scratch.root,
        env=scratch.env,
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    return Called(done.returncode, done.stdout, done.stderr)


def test_durations_are_right_though_the_clock_is_set_back_and_forth(scratch: Scratch) -> None:
    scratch.write("orchestra.yaml", "version: 1\nintegrate: {verify: test ! -e red}\n")
    scratch.prompt("one", "echo x > x.txt", timeout="60s", stall="60s")
    scratch.prompt("two", "cp x.txt y.txt", needs=["one"])
    scratch.commit()
    began = time.monotonic()
    called = under_bent_clock(scratch, 0, "build", "--json")
    took = time.monotonic() - began
    assert called.finished["tasks"] == {"one": "landed", "two": "landed"}, called
    ended = called.named("attempt_finished") + called.named("verify_finished")
    assert len(ended) == 5
    for event in ended:
        assert 0 <= event["seconds"] <= took
    for event in called.named("attempt_finished"):
        lengths = [phase["ended"] - phase["started"] for phase in event["phases"]]
        assert len(lengths) >= 3 and all(0 <= each <= took for each in lengths)
        assert sum(lengths) == pytest.approx(event["seconds"], abs=1.0)
    assert 0 < called.finished["wall_s"] <= took
    (recorded,) = json.loads(scratch.orchestra("history", "--json").stdout)["builds"]
    assert 0 < recorded["wall_s"] <= took
    # An hour or a year earlier nothing is stale, and nothing waits.
    again = under_bent_clock(scratch, -365, "build", "--json")
    assert (again.status, again.finished["ran"], again.finished["fresh"]) == (0, 0, 2)


def test_what_was_left_last_is_taken_up_though_the_clock_was_set_back(scratch: Scratch) -> None:
    # The names of builds tell when they began; which of them goes on from the other, only git knows.
    scratch.prompt("one", "echo x > x.txt")
    scratch.prompt("two", "cp x.txt y.txt", needs=["one"])
    scratch.commit()
    assert scratch.orchestra("build", "--no-advance", "one").status == 0
    assert under_bent_clock(scratch, -30, "build", "--no-advance").status == 0
    # As a crash between two steps would leave it: the older tip is kept, too.
    (tip,) = scratch.lineage() - {"refs/heads/main"}
    stale = "refs/heads/orchestra/build-99991231-235959-ffff"
    scratch.git("update-ref", stale, f"{tip}~1")
    scratch.git("update-ref", "refs/orchestra/parked/99991231-235959-ffff/heads/main", f"{tip}~1")
    called = scratch.orchestra("build", "--json")
    assert (called.status, called.finished["ran"], called.finished["fresh"]) == (0, 0, 2), called
    assert not called.named("notice")
    assert scratch.lineage() == {"refs/heads/main"}


def test_a_disk_that_is_slow_changes_nothing(scratch: Scratch) -> None:
    # As where every file that is opened is looked at first: each call of git takes a while more.
    scratch.write("orchestra.yaml", "version: 1\nintegrate: {verify: test -e README.md}\n")
    scratch.prompt("one", "echo x > x.txt", timeout="3s", stall="3s")
    scratch.prompt("two", "cp x.txt y.txt", needs=["one"], timeout="3s", stall="3s")
    scratch.commit()
    folder, real = scratch.home / "bin", shutil.which("git")
    folder.mkdir()
    (folder / "git").write_text(f'#!/bin/sh\necho >> {scratch.home}/calls\nsleep 0.1\nexec {real} "$@"\n')
    (folder / "git").chmod(0o755)
    slow = {"PATH": f"{folder}:{os.environ['PATH']}"}
    called = scratch.orchestra("build", "--json", env=slow)
    calls = len((scratch.home / "calls").read_text())
    assert called.finished["tasks"] == {"one": "landed", "two": "landed"}
    assert called.finished["ran"] == 2 and called.finished["advanced"]
    # What git takes is not the agent's time: all of it together is more than any of them may take.
    assert calls * 0.1 > 3.0
    assert scratch.read("y.txt") == "x\n"
    assert scratch.orchestra("build", "--json", env=slow).finished["fresh"] == 2


@pytest.fixture
def scarce() -> Iterator[Path]:
    """A control group with 300 MiB: processes whose ids are written into the file get no more."""
    found = _control_group()
    if found is None:
        pytest.skip("no control group with a bound on memory can be made here")
    yield found / "cgroup.procs"
    found.rmdir()


def _control_group() -> Path | None:
    own = Path("/proc/self/cgroup")
    for line in own.read_text().splitlines() if own.exists() else ():
        _, controllers, path = line.split(":", 2)
        if controllers == "memory":
            folder, bounds = (
                Path(f"/sys/fs/cgroup/memory{path}"),
                ("memory.limit_in_bytes", "memory.memsw.limit_in_bytes"),
            )
        elif not controllers:
            folder, bounds = Path(f"/sys/fs/cgroup{path}"), ("memory.max", "memory.swap.max")
        else:
            continue
        group = folder / f"orchestra-test-{os.getpid()}"
        try:
            group.mkdir()
        except OSError:
            continue
        try:
            (group / bounds[0]).write_text("300M")
        except OSError:
            group.rmdir()
            continue
        if (group / bounds[1]).exists():
            (group / bounds[1]).write_text("0" if bounds[1].endswith("max") else "300M")
        return group
    return None


def test_the_kernel_ends_an_agent_for_want_of_memory_and_nobody_else(scratch: Scratch, scarce: Path) -> None:
    eats = f"{sys.executable} -c 'held = []\nwhile True: held.append(bytearray(10**7))'"
    scratch.prompt("eater", f"echo x > eater.txt\n[ -e {scratch.home}/enough ] || {eats}", retries=0)
    scratch.prompt("other", "echo x > other.txt")
    scratch.commit()
    done = subprocess.run(
        ["sh", "-c", f'echo $$ > {scarce}; exec "$0" -m orchestra build --json', sys.executable],
        cwd=scratch.root,
        env=scratch.env,
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    called = Called(done.returncode, done.stdout, done.stderr)
    assert called.status == 1, called
    assert called.finished["tasks"] == {"eater": "failed", "other": "landed"}
    (eater,) = (event for event in called.named("attempt_finished") if event["task"] == "eater")
    assert (eater["outcome"], eater["fault"]) == ("failed", "environment")
    assert eater["detail"] == "killed for want of memory"
    # What it did so far is kept.
    assert scratch.git("show", f"{eater['result']}:eater.txt") == "x"
    (scratch.home / "enough").touch()
    again = scratch.orchestra("build", "--json")
    assert again.finished["tasks"] == {"eater": "landed", "other": "fresh"}
