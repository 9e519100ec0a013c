"""Killed with -9 at any moment, a build loses nothing: the next one ends as if nothing had been.

50 moments at random; `ORCHESTRA_TEST_KILLS=200 pytest tests/cli/test_kill.py` tries more.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.cli.scratch import Scratch

pytestmark = pytest.mark.slow

KILLS = int(os.environ.get("ORCHESTRA_TEST_KILLS", "50"))
EACH = 5
"""How many moments one test tries: so that they spread over the cores."""
LONGEST = 1.6
"""About how long a build takes that is not disturbed, in seconds."""
LIMIT = 60.0

TASKS: dict[str, tuple[str, dict[str, Any]]] = {
    "first": ("echo 1 > first.txt", {"claims": {"write": ["first.txt"]}}),
    "second": ("echo 2 > second.txt; git add -A; git commit -qm mine", {"claims": {"write": ["second.txt"]}}),
    "reader": (
        "cat first.txt > reader.txt",
        {"claims": {"write": ["reader.txt"], "read": ["first.txt"]}, "needs": ["first"]},
    ),
    "nothing": ("true", {"claims": {"write": ["nothing.txt"]}}),
}
FILES = {"first.txt": "1\n", "second.txt": "2\n", "reader.txt": "1\n"}


def project(home: Path) -> Scratch:
    """A repository whose tasks note outside of it that they ran."""
    scratch = Scratch(home)
    scratch.write("orchestra.yaml", "version: 1\nintegrate: {verify: test ! -e red}\n")
    for name, (script, front) in TASKS.items():
        scratch.prompt(name, f"echo x >> {home}/ran-{name}\n{script}", **front)
    scratch.commit()
    return scratch


def runs(scratch: Scratch, name: str) -> int:
    """How often a task ran."""
    noted = scratch.home / f"ran-{name}"
    return len(noted.read_text().split()) if noted.exists() else 0


def captured(scratch: Scratch) -> set[str]:
    """The tasks whose results wait for their landing."""
    refs = scratch.git("for-each-ref", "--format=%(refname)", "refs/orchestra/captured/").split()
    return {
        scratch.git("log", "-1", "--format=%(trailers:key=Orchestra-Task,valueonly)", ref).strip()
        for ref in refs
    }


def processes_in(folder: Path) -> list[str]:
    """Processes that work below the folder."""
    found = []
    for process in Path("/proc").iterdir():
        try:
            if (process / "cwd").readlink().is_relative_to(folder):
                found.append(process.name)
        except OSError:
            continue
    return found


@pytest.mark.parametrize("seed", range(0, KILLS, EACH))
def test_killed_at_any_moment(seed: int, tmp_path: Path) -> None:
    moments = random.Random(seed)
    for number in range(seed, min(seed + EACH, KILLS)):
        home = tmp_path / str(number)
        home.mkdir()
        scratch = project(home)
        head = scratch.head()
        # The first few as early as it gets, the others anywhere.
        moment = moments.uniform(0, LONGEST)
        build = subprocess.Popen(
            [sys.executable, "-m", "orchestra", "build", "-j", "3"],
            cwd=scratch.root,
            env=scratch.env,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            stdin=subprocess.DEVNULL,
        )
        try:
            build.wait(moment)
        except subprocess.TimeoutExpired:
            build.send_signal(signal.SIGKILL)
            build.wait()
        # Its supervisors end what ran; nobody of ours is left.
        end = time.monotonic() + LIMIT
        while left := processes_in(home):
            assert time.monotonic() < end, left
            time.sleep(0.02)
        waiting = captured(scratch)
        before = {name: runs(scratch, name) for name in TASKS}
        if number % 3 == 0:
            damage(scratch, moments.choice(["delete", "garbage"]))
        again = scratch.orchestra("build", "-j", "3", "--json")
        assert again.status == 0, (moment, again.stdout, again.stderr)
        assert {path: scratch.read(path) for path in FILES} == FILES
        landed = scratch.git(
            "log",
            "--format=%(trailers:key=Orchestra-Task,valueonly)",
            "--grep=Orchestra-Attempt:",
            f"{head}..",
        ).split()
        assert sorted(landed) == ["first", "reader", "second"], moment
        for name in waiting:
            assert runs(scratch, name) == before[name], f"{name} was captured and ran again, {moment}"
        assert all(runs(scratch, name) <= 2 for name in TASKS)
        assert scratch.orchestra("build", "--json").finished["fresh"] == len(TASKS)
        nothing_left(scratch)
        shutil.rmtree(home)


def damage(scratch: Scratch, how: str) -> None:
    """Do something to the history."""
    state = scratch.root / ".git/orchestra"
    for file in state.glob("history.db*"):
        file.unlink()
    if how == "garbage" and state.exists():
        (state / "history.db").write_bytes(b"SQLite format 3\0" + b"\xff" * 4096)


def nothing_left(scratch: Scratch) -> None:
    """No branch, worktree, lock or ref but what is kept on purpose."""
    assert scratch.lineage() == {"refs/heads/main"}
    pooled = str(scratch.home / ".cache" / "orchestra")
    listed = scratch.git("worktree", "list", "--porcelain").splitlines()
    worktrees = [line.removeprefix("worktree ") for line in listed if line.startswith("worktree ")]
    assert [path for path in worktrees if not path.startswith(pooled)] == [str(scratch.root)]
    assert not list((scratch.root / ".git").rglob("*.lock"))
    assert captured(scratch) == set()
    assert (
        scratch.git("for-each-ref", *(f"refs/orchestra/{kind}/" for kind in ("tips", "parked", "stood")))
        == ""
    )
    assert scratch.git("status", "--porcelain") == ""
