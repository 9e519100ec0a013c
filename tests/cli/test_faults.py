"""Builds around which things go wrong: a right result or a clear refusal, and nothing of the person's is lost."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.scratch import Called, Scratch

pytestmark = pytest.mark.slow

MISDEEDS = {
    "deletes-worktree": 'rm -rf "$PWD"',
    "deletes-pointer": "echo x > deleted.txt; rm .git",
    "commits": "echo 1 > c1.txt; git add c1.txt; git commit -qm mine; echo 2 > c2.txt",
    "switches": "git checkout -qb theirs; echo s > switched.txt; git add .; git commit -qm s",
    "stashes": "echo gone > README.md; git stash -q; echo k > stashed.txt",
    "nests": "git init -q inner; cd inner; echo x > x; git add x; git commit -qm x",
    "hides": "git update-index --skip-worktree hidden.txt; echo changed > hidden.txt",
    "pipes": "mkfifo pipe; echo p > piped.txt",
    "odd-names": "echo n > \"$(printf 'new\\nline')\"; echo b > \"$(printf 'b\\377')\"",
    "huge": "truncate -s 40M huge.bin",
    "hooks": "echo h > h.txt; git commit -q --allow-empty -m h",
}
"""What agents do, all in one build."""


def test_what_agents_do_is_their_own_affair(scratch: Scratch) -> None:
    scratch.write("hidden.txt", "as it was\n")
    for name, script in MISDEEDS.items():
        scratch.prompt(name, script)
    scratch.commit()
    scratch.write("README.md", "put away\n")
    scratch.git("stash")
    scratch.write("README.md", "being edited\n")
    scratch.git("branch", "other")
    stash = scratch.git("rev-parse", "stash@{0}")
    hook = scratch.write(
        ".git/hooks/reference-transaction",
        f"#!/bin/sh\n[ -z \"$ORCHESTRA_TASK\" ] && touch '{scratch.home}/ran'\nexit 0\n",
    )
    called = scratch.orchestra("build", "--json", "-j", "6")
    failed = {"deletes-worktree", "nests"}
    assert {name for name, final in called.finished["tasks"].items() if final != "landed"} == failed
    assert called.finished["advanced"]
    assert scratch.read("README.md") == "being edited\n"
    assert stash in scratch.git("stash", "list", "--format=%H").split()
    assert scratch.git("rev-parse", "other") == scratch.git("merge-base", "other", "main")
    assert scratch.git("symbolic-ref", "HEAD") == "refs/heads/main"
    assert scratch.read("hidden.txt") == "changed\n"
    assert scratch.read("new\nline") == "n\n"
    assert (scratch.root / os.fsdecode(b"b\xff")).read_text() == "b\n"
    for path in (
        "c1.txt",
        "c2.txt",
        "switched.txt",
        "stashed.txt",
        "piped.txt",
        "deleted.txt",
        "h.txt",
    ):
        assert scratch.git("ls-files", path) == path
    assert (scratch.root / "huge.bin").stat().st_size == 40 * 2**20
    scratch.git("fsck", "--connectivity-only")
    assert hook.exists()
    again = scratch.orchestra("build", "--json")
    assert {event["task"] for event in again.named("attempt_started")} == failed


def test_others_clean_up_during_a_build(scratch: Scratch) -> None:
    # In the middle of the first task somebody collects all that no ref names, then the second needs its result.
    root = '"$ORCHESTRA_ROOT"'
    scratch.prompt("one", "echo x > x.txt")
    scratch.prompt(
        "two",
        f"git -C {root} worktree prune; git -C {root} gc -q --prune=now; cat x.txt > y.txt",
        needs=["one"],
    )
    scratch.commit()
    called = scratch.orchestra("build", "--json")
    assert called.finished["tasks"] == {"one": "landed", "two": "landed"}
    assert scratch.read("y.txt") == "x\n"
    scratch.git("fsck", "--connectivity-only")


@pytest.mark.parametrize("command", ["write-tree", "commit-tree"])
def test_garbage_that_is_collected_in_the_middle_of_a_capture(scratch: Scratch, command: str) -> None:
    # Right after git made an object that no ref names yet, somebody drops all such objects.
    scratch.prompt("one", "echo x > x.txt")
    scratch.commit()
    folder, real = scratch.home / "bin", shutil.which("git")
    folder.mkdir()
    (folder / "git").write_text(
        f'#!/bin/sh\n{real} "$@"\nstatus=$?\nfor word; do\n'
        f'  if [ "$word" = {command} ] && mkdir "{scratch.home}/collected" 2>/dev/null; then\n'
        f"    {real} prune --expire=now\n  fi\ndone\nexit $status\n"
    )
    (folder / "git").chmod(0o755)
    called = scratch.orchestra("build", env={"PATH": f"{folder}:{os.environ['PATH']}"})
    assert (scratch.home / "collected").is_dir()
    assert called.status == 0, called
    assert scratch.read("x.txt") == "x\n"
    scratch.git("fsck", "--connectivity-only")


@pytest.mark.parametrize("command", ["update-index", "commit-tree", "write-tree", "update-ref", "read-tree"])
def test_git_that_is_killed_loses_nothing(scratch: Scratch, command: str) -> None:
    # A git that kills itself the first time it is asked for that command; `update-ref` leaves its lock, too.
    scratch.prompt("one", "echo x > x.txt")
    head = scratch.commit()
    folder, real = scratch.home / "bin", shutil.which("git")
    folder.mkdir()
    (folder / "git").write_text(
        f'#!/bin/sh\nfor word; do\n  if [ "$word" = {command} ] && mkdir "{scratch.home}/killed" 2>/dev/null; then\n'
        f'    kill -9 $$\n  fi\ndone\nexec {real} "$@"\n'
    )
    (folder / "git").chmod(0o755)
    called = scratch.orchestra("build", env={"PATH": f"{folder}:{os.environ['PATH']}"})
    assert (scratch.home / "killed").is_dir()
    assert called.status in (0, 1, 3)
    assert "Traceback" not in called.stderr
    if called.status:
        assert "killed by signal 9" in called.stdout + called.stderr
    assert scratch.git("merge-base", head, "main") == head
    assert scratch.orchestra("build").status == 0
    assert scratch.read("x.txt") == "x\n"
    assert scratch.git("status", "--porcelain") == ""


# Root may write everywhere: without these two capabilities it is held to the modes as everybody is.
AS_A_PERSON = () if os.geteuid() else ("setpriv", "--bounding-set=-dac_override,-dac_read_search,-fowner")
needs_modes = pytest.mark.skipif(
    bool(AS_A_PERSON) and shutil.which("setpriv") is None,
    reason="root may write everywhere, and setpriv is missing",
)


def as_a_person(scratch: Scratch, *argv: str) -> Called:
    """Call orchestra as one whom the modes of files bind."""
    done = subprocess.run(
        [*AS_A_PERSON, sys.executable, "-m", "orchestra", *argv],
        cwd=scratch.root,
        env=scratch.env,
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    return Called(done.returncode, done.stdout, done.stderr)


@needs_modes
@pytest.mark.parametrize(
    "what", [".git", ".git/orchestra", ".git/orchestra/history.db", ".git/objects", ".git/refs"]
)
def test_what_is_read_only_is_named_and_nothing_changes(scratch: Scratch, what: str) -> None:
    scratch.prompt("one", "echo x > x.txt")
    scratch.commit()
    if "orchestra" in what:
        assert scratch.orchestra("build").status == 0
        scratch.prompt("one", "echo y > x.txt")
        scratch.commit()
    before = scratch.everything()
    place = scratch.root / what
    folders = (
        [place, *(path for path in place.rglob("*") if path.is_dir())] if "orchestra" not in what else [place]
    )
    modes = {path: path.stat().st_mode for path in folders}
    for path in folders:
        path.chmod(path.stat().st_mode & ~0o222)
    try:
        called = as_a_person(scratch, "build")
        after = scratch.everything()
        asked = as_a_person(scratch, "status")
    finally:
        for path, mode in modes.items():
            path.chmod(mode)
    assert called.status == 3
    assert called.stderr.startswith("error: ")
    assert "hint: " in called.stderr
    assert "Traceback" not in called.stderr
    assert after == before
    assert asked.status == 0, asked
    assert scratch.orchestra("build").status == 0


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A file system of 24 MiB."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("no file system can be mounted here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_a_disk_that_is_nearly_full_is_told_before_anything_costs(small: Path) -> None:
    scratch = Scratch(small)
    scratch.prompt("one", "echo x > x.txt")
    scratch.commit()
    before = scratch.everything()
    called = scratch.orchestra("build")
    assert (called.status, scratch.everything()) == (3, before)
    assert "MiB are free" in called.stderr
    assert "hint: make room" in called.stderr
