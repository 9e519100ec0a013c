"""`orchestra doctor`: every thing that is wrong is found, with what to do; nothing changes."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from orchestra.manifest.schema import schema_text

from .scratch import Scratch

pytestmark = pytest.mark.slow

SCHEMA = Draft202012Validator(json.loads(schema_text("doctor.schema.json")))


def findings(scratch: Scratch, **env: str) -> dict[tuple[str, str], list[dict[str, Any]]]:
    """What was found, by area and level."""
    called = scratch.orchestra("doctor", "--json", env=env)
    said = json.loads(called.stdout)
    SCHEMA.validate(said)
    found: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for each in said["findings"]:
        found.setdefault((each["area"], each["level"]), []).append(each)
    wrong = any(level == "problem" for _, level in found)
    assert called.status == (1 if wrong else 0)
    assert said["ok"] is not wrong
    return found


def ready(scratch: Scratch) -> None:
    """Two prompts that need no model."""
    scratch.prompt("a", "echo a > a", claims={"write": ["a"]})
    scratch.prompt("b", "echo b > b", claims={"write": ["b"]})
    scratch.commit()


def state(scratch: Scratch) -> list[str]:
    """All that a checkup could change."""
    refs = scratch.git("for-each-ref")
    return [refs, scratch.git("status", "--porcelain"), *sorted(map(str, scratch.home.rglob("slot-*")))]


def test_where_all_is_well_it_says_so_and_changes_nothing(scratch: Scratch) -> None:
    ready(scratch)
    before = state(scratch)
    called = scratch.orchestra("doctor")
    assert called.status == 0, called.stdout
    assert "nothing is in the way of a build" in called.stdout
    assert "orchestra.yaml" not in called.stderr
    assert state(scratch) == before
    found = findings(scratch)
    assert not [level for _, level in found if level == "problem"]
    (parallel,) = found["parallel", "ok"]
    assert parallel["message"] == "up to 2 of 2 tasks run at once"


def no_identity(scratch: Scratch) -> None:
    for key in ("user.name", "user.email"):
        scratch.git("config", "--unset", key)
    scratch.git("config", "user.useConfigOnly", "true")


def amid_merge(scratch: Scratch) -> None:
    (scratch.root / ".git" / "MERGE_HEAD").write_text(scratch.git("rev-parse", "HEAD") + "\n")


def broken_manifest(scratch: Scratch) -> None:
    scratch.write("orchestra.yaml", "version: 1\ntaks: {}\n")


def missing_agent(scratch: Scratch) -> None:
    scratch.write("orchestra.yaml", "version: 1\nagents: {mine: {kind: command, command: [no-such-agent]}}\n")
    scratch.prompt("a", "true", agent="mine")


def no_agent_at_all(scratch: Scratch) -> None:
    scratch.write("prompts/c.md", "# Do it\n")


def no_room(scratch: Scratch) -> None:
    scratch.write("orchestra.yaml", "version: 1\nlimits: {disk: 900000TiB}\n")


def damaged_history(scratch: Scratch) -> None:
    folder = scratch.root / ".git" / "orchestra"
    folder.mkdir()
    (folder / "history.db").symlink_to(scratch.home / "elsewhere")


PROBLEMS: dict[str, tuple[Callable[[Scratch], None], str, str, str]] = {
    "identity": (no_identity, "git", "in whose name to commit", "git config --global user.name"),
    "merge": (amid_merge, "git", "a merge is under way", "git merge --continue"),
    "manifest": (
        broken_manifest,
        "manifest",
        "orchestra.yaml:2:1: unknown key `taks`",
        "did you mean `tasks`?",
    ),
    "agent": (missing_agent, "agents", "no-such-agent, which is not on PATH", "name another agent"),
    "no agent": (
        no_agent_at_all,
        "agents",
        "no coding agent is installed, and no agent is named by 1 task",
        "defaults",
    ),
    "disk": (no_room, "disk", "are free at", "make room"),
    "history": (damaged_history, "history", "history.db", ""),
}


@pytest.mark.parametrize("name", PROBLEMS)
def test_what_is_in_the_way_is_found_with_its_remedy(scratch: Scratch, name: str) -> None:
    breaks, area, message, hint = PROBLEMS[name]
    ready(scratch)
    breaks(scratch)
    # No coding agent of this machine's: only git and the like.
    found = findings(scratch, PATH="/usr/bin:/bin")
    problems = found[area, "problem"]
    assert any(message in each["message"] and hint in (each["hint"] or "") for each in problems), problems
    # All else was looked at, too.
    assert {"git", "disk", "slots", "agents"} <= {seen for seen, _ in found}


def test_installed_agents_tell_their_versions(scratch: Scratch) -> None:
    ready(scratch)
    folder = scratch.home / "bin"
    folder.mkdir()
    (folder / "claude").write_text("#!/bin/sh\necho '2.9.9 (Claude Code)'\n")
    (folder / "claude").chmod(0o755)
    (folder / "codex").write_text("#!/bin/sh\nexit 3\n")
    (folder / "codex").chmod(0o755)
    scratch.write("prompts/c.md", "# Do it\n")
    said = [each["message"] for each in findings(scratch, PATH=f"{folder}:/usr/bin:/bin")["agents", "ok"]]
    assert "claude-code: 2.9.9 (Claude Code)" in said
    assert "codex" in said
    assert "claude-code does what names no agent: 1 task" in said


def test_what_earlier_builds_left_is_told(scratch: Scratch) -> None:
    ready(scratch)
    built = scratch.orchestra("build", "--no-advance", "--json").finished
    found = findings(scratch)
    notes = [each["message"] for each in found["builds", "note"]]
    assert notes == [f"landed, but not on your branch yet: orchestra/build-{built['build']}"]
    assert any("kept under refs/orchestra: " in each["message"] for each in found["builds", "ok"])
    assert any("worktrees in " in each["message"] for each in found["slots", "ok"])
    assert "the last build" in found["history", "ok"][0]["message"]
    lock = scratch.root / ".git" / "orchestra" / "building.json"
    lock.write_text(json.dumps({"pid": 2**22 + 1, "since": 1.0}))
    notes = [each["message"] for each in findings(scratch)["builds", "note"]]
    assert "the last build was killed; what it left is taken up by the next" in notes


def test_slots_whose_folder_is_gone_and_strangers_are_told(scratch: Scratch) -> None:
    ready(scratch)
    scratch.orchestra("build")
    place = next(scratch.home.rglob("slot-1")).parent
    (place / "slot-1").rename(place / "slot-9")
    notes = [each["message"] for each in findings(scratch)["slots", "note"]]
    assert any(note.startswith("slot-1: the folder is gone") for note in notes)
    assert "slot-9: no worktree of this repository" in notes


def test_what_keeps_tasks_from_running_side_by_side_is_told(scratch: Scratch) -> None:
    for name in "abc":
        scratch.prompt(name, "true", claims={"write": ["same"]})
    scratch.commit()
    (note,) = findings(scratch)["parallel", "note"]
    assert note["message"] == "nothing can run beside anything else: the 3 tasks go one after another"
    for name in "abc":
        scratch.prompt(name, "true", claims={"write": [name]})
    scratch.write("orchestra.yaml", "version: 1\nlimits: {jobs: 2}\n")
    (note,) = findings(scratch)["parallel", "note"]
    assert note["message"].startswith("3 of 3 tasks could run at once, 2 may (")
