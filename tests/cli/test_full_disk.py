"""A disk that fills up in the middle of a build, at every stage of it: nothing is lost, and the next build goes on.

The disk is a small file system in memory. At a moment that is chosen (by a command of the build itself) it shrinks to
what is in use and so many KiB more; how far the build comes with that is different for each size.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.scratch import Scratch

pytestmark = pytest.mark.slow

FILL = """\
[ "$1" = {stage} ] && mkdir "$HOME/once" 2>/dev/null || exit 0
used() {{ df -kP "$HOME" | tail -1 | awk '{{print $3}}'; }}
# Where more was written in between, once more.
until mount -o remount,size=$(($(used) + {room}))k "$HOME" 2>/dev/null; do :; done
"""
SAID = (
    "No space left",
    "write error",
    "Out of diskspace",
    "unable to write",
    "couldn't write",
    "full",
    "are free",
)
"""What is said of it, by the system, git, SQLite or orchestra."""

STAGES = ("base", "setup", "agent", "check", "verify")
ROOMS = (0, 16, 40, 64, 88, 112, 136, 160, 200, 260)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system that has room, until it is made smaller."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1g", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("no file system can be mounted here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def project(disk: Path, stage: str, room: int) -> Scratch:
    """Three tasks, and all that is written on the disk, the repository, worktrees and temporary files."""
    (disk / "tmp").mkdir()
    scratch = Scratch(disk, env={"TMPDIR": str(disk / "tmp")})
    fill = disk / "fill.sh"
    fill.write_text(FILL.format(stage=stage, room=room))
    scratch.write(
        "orchestra.yaml",
        f"version: 1\nlimits: {{disk: 1MiB}}\nworktrees: {{setup: sh {fill} setup}}\nintegrate:\n"
        f"  verify: if test -e one.txt; then sh {fill} verify; else sh {fill} base; fi\n"
        "tasks:\n  one:\n    prompt: prompts/one.md\n    agent: script\n"
        f"    check: sh {fill} check\n    claims: {{write: [one.txt, notes.txt]}}\n",
    )
    scratch.write("notes.txt", "notes\n" * 1000)
    scratch.prompt("one", f"sh {fill} agent; head -c 20000 /dev/urandom > one.txt; echo more >> notes.txt")
    scratch.prompt("two", "cp one.txt two.txt", needs=["one"], claims={"write": ["two.txt"]})
    scratch.prompt("three", "echo 3 > three.txt", claims={"write": ["three.txt"]})
    scratch.write("README.md", "A project\n")
    scratch.commit()
    scratch.write("README.md", "being edited\n")
    scratch.write("untracked.txt", "untracked\n")
    return scratch


@pytest.mark.parametrize("room", ROOMS)
@pytest.mark.parametrize("stage", STAGES)
def test_a_disk_that_fills_up_loses_nothing(disk: Path, stage: str, room: int) -> None:
    scratch = project(disk, stage, room)
    head, mine = scratch.head(), scratch.git("status", "--porcelain")
    called = scratch.orchestra("build", "-j2")
    assert (disk / "once").is_dir(), called
    subprocess.run(["mount", "-o", "remount,size=1g", str(disk)], check=True)
    told = called.stdout + called.stderr
    assert called.status in (0, 1, 3), called
    assert "Traceback" not in told and "mistake in orchestra" not in told
    # Nobody asked it to stop.
    assert "interrupted" not in told
    if called.status:
        assert any(words in told for words in SAID), told
    if called.status == 3:
        assert "hint: " in called.stderr
    assert scratch.git("status", "--porcelain") == mine
    assert scratch.read("README.md") == "being edited\n"
    assert scratch.git("merge-base", head, "main") == head
    scratch.git("fsck", "--connectivity-only")
    again = scratch.orchestra("build", "-j2", "--json")
    assert again.status == 0, again
    assert (scratch.root / "one.txt").stat().st_size == (scratch.root / "two.txt").stat().st_size == 20_000
    assert scratch.read("three.txt") == "3\n"
    assert scratch.git("status", "--porcelain") == mine
    assert scratch.orchestra("build", "--json").finished["fresh"] == 3
