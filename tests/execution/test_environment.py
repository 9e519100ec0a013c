"""The environment of attempts: the person's, without what is not an agent's business."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from orchestra.execution.environment import attempt_environment, place_variables
from orchestra.vcs.command import LOCAL_VARIABLES

PERSON = {"PATH": "/bin", "HOME": "/home/a", "EDITOR": "vi", "GIT_AUTHOR_NAME": "A", "GIT_SSH_COMMAND": "ssh"}


def test_the_persons_environment_is_passed_on(tmp_path: Path) -> None:
    assert attempt_environment(PERSON, tmp_path) == PERSON


@pytest.mark.parametrize(
    "name", [*LOCAL_VARIABLES, "GIT_CONFIG_KEY_0", "CLAUDECODE", "CLAUDE_CODE_ENTRYPOINT"]
)
def test_what_would_lead_git_or_an_agent_astray_is_not(tmp_path: Path, name: str) -> None:
    assert attempt_environment({**PERSON, name: "x"}, tmp_path) == PERSON


@pytest.mark.parametrize(
    "line",
    ["SECRET=1", "export SECRET=1", "  SECRET = 'a b'", "SECRET=", 'SECRET="a=b"', "SECRET=1 # why",
     "\ufeffA=1\nSECRET=2", "# a\n\nSECRET=1\r\nB=2", "A='\nmany lines\n'\nSECRET=1"],
)  # fmt: skip
def test_what_a_dotenv_names_is_not_passed_on(tmp_path: Path, line: str) -> None:
    (tmp_path / ".env").write_text(line + "\n", "utf-8")
    assert attempt_environment({**PERSON, "SECRET": "by a tool"}, tmp_path) == PERSON


@pytest.mark.parametrize("line", ["# SECRET=1", "SECRET", "", "not a SECRET=1 name", "=1", "a-b=1"])
def test_what_a_dotenv_does_not_name_is(tmp_path: Path, line: str) -> None:
    (tmp_path / ".env").write_text(line)
    assert attempt_environment({**PERSON, "SECRET": "1"}, tmp_path)["SECRET"] == "1"


def test_no_dotenv_takes_away_without_what_nothing_works(tmp_path: Path) -> None:
    """`PATH=$PWD/bin:$PATH` is common in it."""
    (tmp_path / ".env").write_text("PATH=bin\nHOME=.\nTMPDIR=tmp\nLANG=C\nEDITOR=ed\n")
    person = {**PERSON, "TMPDIR": "/tmp", "LANG": "en"}
    found = attempt_environment(person, tmp_path)
    assert found == {name: value for name, value in person.items() if name != "EDITOR"}


def test_names_that_are_asked_for_are_passed_on_all_the_same(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("SECRET=1\nOTHER=2\n")
    person = {**PERSON, "SECRET": "mine", "OTHER": "mine"}
    assert attempt_environment(person, tmp_path, passes=("SECRET", "NONE")) == {**PERSON, "SECRET": "mine"}


def test_what_is_set_comes_last(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("MODE=1\n")
    found = attempt_environment({**PERSON, "MODE": "x"}, tmp_path, sets=(("MODE", "a"), ("MODE", "b")))
    assert found["MODE"] == "b"


@pytest.mark.parametrize("kind", ["folder", "pipe", "not text", "unreadable", "dangling link"])
def test_a_dotenv_that_is_none_stops_nobody(tmp_path: Path, kind: str) -> None:
    path = tmp_path / ".env"
    match kind:
        case "folder":
            path.mkdir()
        case "pipe":
            os.mkfifo(path)
        case "not text":
            path.write_bytes(b"\xff\xfe\x00S=1\n\x00=\n")
        case "unreadable":
            path.touch(0o000)
        case "dangling link":
            path.symlink_to("nowhere")
    assert attempt_environment(PERSON, tmp_path) == PERSON


def test_where_an_attempt_is_told_to_be(tmp_path: Path) -> None:
    place = place_variables(task="t", build="b", attempt="b-1", root=tmp_path, slot=3)
    assert place == {
        "ORCHESTRA_TASK": "t",
        "ORCHESTRA_BUILD": "b",
        "ORCHESTRA_ATTEMPT": "b-1",
        "ORCHESTRA_ROOT": str(tmp_path),
        "ORCHESTRA_SLOT": "3",
    }
