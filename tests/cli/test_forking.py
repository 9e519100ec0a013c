"""A forked call is what a process of its own is, and no call leaves anything behind for the next."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from tests.cli.forking import server
from tests.cli.scratch import Scratch


@pytest.mark.parametrize(
    "argv",
    [
        ("status",),
        ("status", "--exit-code"),
        ("status", "--json"),
        ("stauts",),
        ("build", "nobody"),
        ("--version",),
        ("-C", "nowhere", "status"),
        ("history",),
        ("plan", "--no-such-option"),
    ],
)
def test_it_says_the_same_and_ends_the_same(scratch: Scratch, argv: tuple[str, ...]) -> None:
    scratch.prompt("one", "true")
    assert scratch.orchestra(*argv) == scratch.orchestra(*argv, own=True)


def test_each_call_has_its_own_folder_and_environment(scratch: Scratch, tmp_path: Path) -> None:
    other = Scratch(tmp_path / "elsewhere")
    other.prompt("two", "env > env.txt; pwd >> env.txt")
    other.commit()
    scratch.prompt("one", "true")
    assert other.orchestra("build", env={"ONLY_THERE": "1"}).status == 0
    assert "ONLY_THERE=1" in other.read("env.txt") and f"HOME={other.home}" in other.read("env.txt")
    assert "ONLY_THERE" not in os.environ
    assert other.orchestra("build", "--force").status == 0
    assert "ONLY_THERE" not in other.read("env.txt")
    assert "two" not in scratch.orchestra("status").stdout


def test_only_what_python_reads_at_its_start_needs_a_process_of_its_own(scratch: Scratch) -> None:
    assert server().fits(scratch.env)
    for name in ("PYTHONIOENCODING", "LC_ALL", "TZ"):
        assert not server().fits({**scratch.env, name: "x"}), name
    assert server().fits({**scratch.env, "PATH": "x", "HOME": "x"})


def test_a_call_that_was_killed_is_told_as_such_and_the_next_one_goes_on(scratch: Scratch) -> None:
    # The script kills the build that it is part of.
    held = '"$ORCHESTRA_ROOT/.git/orchestra/building.json"'
    scratch.prompt("kill", f"kill -9 $(sed 's/.*\"pid\": \\([0-9]*\\).*/\\1/' {held}); sleep 60")
    scratch.commit()
    assert scratch.orchestra("build").status == -signal.SIGKILL
    assert scratch.orchestra("status").status == 0


def test_a_call_that_does_not_end_is_ended(scratch: Scratch) -> None:
    scratch.prompt("one", "sleep 60")
    scratch.commit()
    with pytest.raises(TimeoutError):
        server().call(("build",), scratch.root, scratch.env, 1.0)
    assert scratch.orchestra("status").status == 0


def test_it_leaves_no_descriptor_open(scratch: Scratch) -> None:
    def open_ones() -> set[str]:
        folder = Path("/dev/fd")
        return {path.name for path in folder.iterdir()}

    scratch.orchestra("--version")
    before = open_ones()
    for _ in range(5):
        scratch.orchestra("--version")
    assert len(open_ones()) == len(before)
