"""`orchestra logs`: what an attempt printed, which attempt, and following one that is under way."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestra.reporting.logs import follow_log, read_log

from .scratch import Scratch

pytestmark = pytest.mark.slow


def test_the_log_of_the_last_attempt_and_what_judged_it(scratch: Scratch) -> None:
    scratch.write("orchestra.yaml", "version: 1\nintegrate: {verify: 'echo so it fails; test ! -e bad'}\n")
    scratch.prompt("break", "echo I break it; touch bad")
    scratch.commit()
    assert scratch.orchestra("build").status == 1
    called = scratch.orchestra("logs", "break")
    assert called.status == 0, called.stderr
    order = [
        "I break it",
        "== success",
        "== rejected: `echo so it fails; test ! -e bad` fails with it",
        "so it fails",
    ]
    places = [called.stdout.index(words) for words in order[:3]]
    assert places == sorted(places) and called.stdout.rstrip().endswith(order[3])


def test_earlier_attempts_are_chosen_by_number_or_by_name(scratch: Scratch) -> None:
    scratch.prompt("a", "echo first words; false")
    scratch.commit()
    first = scratch.orchestra("build", "--json").named("attempt_started")[0]["attempt"]
    scratch.prompt("a", "echo second words; false")
    scratch.orchestra("build")
    assert "second words" in scratch.orchestra("logs", "a").stdout
    assert "second words" in scratch.orchestra("logs", "a", "--attempt", "1").stdout
    assert "first words" in scratch.orchestra("logs", "a", "--attempt", first).stdout
    wrong = scratch.orchestra("logs", "a", "--attempt", "7")
    assert wrong.status == 2 and "there is no attempt `7` of a" in wrong.stderr
    assert "its last build made 1;" in wrong.stderr


def test_where_there_is_nothing_to_show_it_says_so(scratch: Scratch) -> None:
    called = scratch.orchestra("logs", "a")
    assert called.status == 2 and "nothing was built here yet" in called.stderr
    scratch.prompt("fix-parser", "true")
    scratch.commit()
    started = scratch.orchestra("build", "--json").named("attempt_slot")[0]
    called = scratch.orchestra("logs", "fix-parse")
    assert called.status == 2 and "did you mean fix-parser?" in called.stderr
    Path(started["log"]).unlink()
    called = scratch.orchestra("logs", "fix-parser")
    assert called.status == 2 and "is gone" in called.stderr


def test_control_characters_stay_out_unless_asked_for(scratch: Scratch) -> None:
    scratch.write(
        "orchestra.yaml", "version: 1\ntasks: {a: {run: \"printf 'x\\\\033[31mred\\\\033]0;t\\\\007'\"}}\n"
    )
    scratch.commit()
    scratch.orchestra("build")
    assert "\x1b" not in scratch.orchestra("logs", "a").stdout
    assert "xred" in scratch.orchestra("logs", "a").stdout


def test_following_ends_with_the_attempt(scratch: Scratch) -> None:
    """The agent waits until its words were read: they come while it is under way."""
    os.mkfifo(scratch.home / "go")
    scratch.prompt("a", f"echo before; cat {scratch.home}/go; echo after; false")
    scratch.commit()
    build = scratch.popen("build", "--ui", "none")
    seen: list[str] = []
    with (scratch.home / "go").open("w") as go:
        # Open: the agent is there, so its attempt is recorded and its log has the first words.
        following = scratch.popen("logs", "a", "--follow")
        assert following.stdout is not None
        for line in following.stdout:
            seen.append(line.strip())
            if line.strip() == "before":
                break
        go.write("said through the pipe\n")
    rest, _ = following.communicate(timeout=60)
    build.communicate(timeout=60)
    assert "before" in seen
    assert "said through the pipe\nafter\n" in rest and "== failed" in rest
    assert following.returncode == 0


def test_following_one_that_nobody_makes_any_more_ends(scratch: Scratch) -> None:
    scratch.prompt(
        "a", 'kill -9 $(cut -d: -f2 "$(git rev-parse --git-common-dir)/orchestra/building.json" | tr -dc 0-9)'
    )
    scratch.write("orchestra.yaml", "version: 1\n")
    scratch.commit()
    assert scratch.orchestra("build", "--ui", "none").status < 0
    called = scratch.orchestra("logs", "a", "--follow")
    assert called.status == 0 and "cut off" in called.stdout


@given(st.lists(st.binary(max_size=40), max_size=6))
def test_following_shows_each_whole_line_once(pieces: list[bytes]) -> None:
    """Whatever pieces a log grows by, what is shown is what it holds in the end."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "log"
        path.write_bytes(b"")
        left = list(pieces)

        def more() -> bool:
            if not left:
                return False
            with path.open("ab") as file:
                file.write(left.pop(0))
            return True

        shown = b"".join(follow_log(path, more, raw=True))
        whole = b"".join(pieces)
        assert shown == whole + (b"" if whole.endswith(b"\n") or not whole else b"\n")
        assert shown == b"".join(read_log(path, raw=True))


def test_a_log_that_loses_its_middle_is_followed_to_its_end(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"a\n" * 100)
    steps = iter([b"== left out\nlast\n", b"== left out\nlast\nmore\n"])

    def more() -> bool:
        text = next(steps, None)
        if text is None:
            return False
        with path.open("r+b") as file:
            file.truncate(0)
            file.write(text)
        return True

    shown = b"".join(follow_log(path, more)).split(b"\n")
    assert shown[:100] == [b"a"] * 100
    assert b"== the log was shortened meanwhile: see its file for the beginning" in shown
