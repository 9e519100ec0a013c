"""`orchestra history`: every question in every form, over builds that were really made; only --rebuild writes."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from .scratch import Scratch

pytestmark = pytest.mark.slow

SCHEMAS = Path(__file__).parents[2] / "schema"


def valid(name: str, text: str) -> dict[str, object]:
    value = json.loads(text)
    Draft202012Validator(json.loads((SCHEMAS / f"{name}.schema.json").read_text())).validate(value)
    assert isinstance(value, dict)
    return value


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Scratch:
    """A repository with three builds: one in which `good` landed and `bad` failed, a null one, and another landing."""
    scratch = Scratch(tmp_path_factory.mktemp("history"))
    scratch.write(
        "orchestra.yaml",
        "version: 1\nintegrate: {verify: 'cat good.txt'}\n"
        "tasks: {good: {prompt: prompts/good.md, check: cat good.txt}}\n",
    )
    scratch.write("good.txt", "first\n")
    scratch.prompt("good", "echo good > good.txt", claims={"write": ["good.txt"]})
    scratch.prompt("bad", "echo oh no; exit 3", claims={"write": ["bad.txt"]})
    scratch.commit()
    assert scratch.orchestra("build").status == 1
    (scratch.root / "prompts" / "bad.md").unlink()
    scratch.commit()
    assert scratch.orchestra("build").status == 0
    scratch.prompt("good", "echo better > good.txt", claims={"write": ["good.txt"]})
    assert scratch.orchestra("build").status == 0
    return scratch


def state(scratch: Scratch) -> dict[str, bytes]:
    folder = scratch.root / ".git" / "orchestra"
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_null_builds_are_counted_and_shown_on_demand(built: Scratch) -> None:
    called = built.orchestra("history")
    lines = called.stdout.splitlines()
    assert (called.status, len(lines)) == (0, 5)
    assert "1 landed" in lines[1] and "1 landed, 1 failed" in lines[2]
    assert lines[-1] == "1 build in which nothing had to be done: --all"
    assert "nothing to do, 1 fresh" in built.orchestra("history", "--all").stdout.splitlines()[2]
    assert "--all" not in built.orchestra("history", "--limit", "1").stdout


@pytest.mark.parametrize(
    "argv",
    [(), ("--all",), ("last",), ("--task", "good"), ("--stats",), ("--sql", "SELECT * FROM landing_view")],
    ids=" ".join,
)
def test_every_question_has_every_form_and_changes_nothing(built: Scratch, argv: tuple[str, ...]) -> None:
    before = state(built)
    text, data, rows = (built.orchestra("history", *argv, *form) for form in ((), ("--json",), ("--csv",)))
    assert [text.status, data.status, rows.status] == [0, 0, 0], text.stderr + data.stderr + rows.stderr
    assert (text.stdout and text.stdout.isprintable()) or "\n" in text.stdout
    valid("history", data.stdout)
    head, *told = csv.reader(io.StringIO(rows.stdout))
    assert told and all(len(row) == len(head) for row in told)
    assert len(set(head)) == len(head)
    assert state(built) == before


def test_the_audit_tells_what_stands_behind_each_change(built: Scratch) -> None:
    called = built.orchestra("history", "--audit")
    first, second = (valid("audit", line) for line in called.stdout.splitlines())
    assert (first["task"], first["agent"], first["reviewer"]) == ("good", "script", None)
    assert "echo good > good.txt" in str(first["prompt"]) and "echo better" in str(second["prompt"])
    assert first["commit"] == built.git("rev-parse", "HEAD~2") and second["commit"] == built.git(
        "rev-parse", "HEAD"
    )
    checks = first["checks"]
    assert isinstance(checks, list)
    assert [(one["kind"], one["by"], one["passed"]) for one in checks] == [
        ("check", "cat good.txt", True),
        ("verify", "cat good.txt", True),
    ]
    assert checks[0]["output"] == ["good"] and checks[1]["output"][-1] == "good"
    person = built.git("log", "-1", "--format=%cn <%ce>").strip()
    assert first["person"] == dict(zip(("name", "email"), person.rstrip(">").split(" <"), strict=True))


def test_filters_narrow_what_is_told(built: Scratch) -> None:
    assert len(built.orchestra("history", "--outcome", "failed").stdout.splitlines()) == 2
    assert "no such build" in built.orchestra("history", "--agent", "other").stdout
    assert "no such build" in built.orchestra("history", "--since", "2100-01-01").stdout
    stats = json.loads(built.orchestra("history", "--stats", "--since", "1h", "--json").stdout)["stats"]
    assert (stats["tally"]["attempts"], stats["tally"]["good"]) == (3, 2)
    assert stats["estimates"]["attempts"] == 1


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (("last", "--stats"), "two questions"),
        (("last", "--task", "good"), "two questions"),
        (("--sql", "SELECT 1", "--audit"), "two questions"),
        (("last", "--since", "1d"), "says nothing"),
        (("--stats", "--limit", "3"), "says nothing"),
        (("--rebuild", "--json"), "says nothing"),
        (("--json", "--csv"), "two forms"),
        (("--outcome", "great"), "no outcome"),
        (("--stats", "--outcome", "landed"), "no outcome"),
        (("--since", "yesterday"), "no moment"),
        (("--sql", "DROP TABLE builds"), "only read"),
        (("--task", "god"), "no attempt"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_what_is_wrong_is_said(built: Scratch, argv: tuple[str, ...], message: str) -> None:
    called = built.orchestra("history", *argv)
    assert (called.status, called.stdout) == (2, "")
    assert message in called.stderr and "hint: " in called.stderr and "Traceback" not in called.stderr


@pytest.mark.parametrize("how", ["lost", "damaged"])
def test_what_git_tells_comes_back(built: Scratch, tmp_path: Path, how: str) -> None:
    copy = Scratch(tmp_path)
    shutil.rmtree(copy.root)
    shutil.copytree(built.root, copy.root, symlinks=True)
    history = copy.root / ".git" / "orchestra" / "history.db"
    history.unlink()
    if how == "damaged":
        history.write_bytes(b"no database" * 1000)
    assert "orchestra history --rebuild" in copy.orchestra("history").stderr
    called = copy.orchestra("history", "--rebuild")
    assert (called.status, called.stdout) == (0, "put in what git tells: 2 builds, 2 attempts, 2 landings\n")
    assert ("is kept as" in called.stderr) == (how == "damaged")
    assert copy.orchestra("history").stdout.count("1 landed (rebuilt from git)") == 2
    assert copy.orchestra("history", "--rebuild").stdout == "the history knows all that git tells\n"
    shutil.rmtree(copy.root / ".git" / "orchestra" / "builds")
    told = copy.orchestra("report", "--format", "md").stdout
    assert "rebuilt from git: times, checks" in told and "broken off" not in told
    for line in copy.orchestra("history", "--audit").stdout.splitlines():
        assert valid("audit", line)["rebuilt"] is True
    assert copy.orchestra("build").status == 0


@pytest.mark.parametrize("where", ["unborn", "bare", "detached", "no builds"])
def test_odd_repositories_are_no_mistake(scratch: Scratch, where: str) -> None:
    if where == "unborn":
        shutil.rmtree(scratch.root / ".git")
        scratch.git("init", "-q")
    elif where == "bare":
        scratch.git("config", "core.bare", "true")
    elif where == "detached":
        scratch.git("checkout", "-q", "--detach")
    called = scratch.orchestra("history")
    assert called.status in (2, 3) and "Traceback" not in called.stderr
    called = scratch.orchestra("history", "--rebuild")
    assert "Traceback" not in called.stderr and "mistake" not in called.stderr
    assert (called.status, called.stdout) == (
        0,
        "the history knows all that git tells\n",
    ) or called.status == 3


def test_a_state_folder_that_may_not_be_written_is_still_read(built: Scratch) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may write everywhere")
    folder = built.root / ".git" / "orchestra"
    folder.chmod(0o500)
    try:
        assert built.orchestra("history", "--stats").status == 0
    finally:
        folder.chmod(0o700)
