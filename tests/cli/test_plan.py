"""`orchestra plan`: what a build then does, told before, from a repository that stays as it is."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest

from orchestra.manifest.schema import schema_text
from tests.cli.scratch import Scratch

pytestmark = pytest.mark.slow


def planned(scratch: Scratch, *argv: str) -> dict[str, Any]:
    """The plan as JSON, which keeps to its schema."""
    called = scratch.orchestra("plan", "--json", *argv)
    assert called.status == 0, called.stderr
    value: dict[str, Any] = json.loads(called.stdout)
    jsonschema.Draft202012Validator(json.loads(schema_text("plan.schema.json"))).validate(value)
    return value


def actions(plan: dict[str, Any]) -> dict[str, str]:
    """What would be done with each task."""
    return {item["task"]: item["action"] for item in plan["tasks"]}


@pytest.fixture
def four(scratch: Scratch) -> Scratch:
    """Two writers of one file, one that needs the first, and a check of it all."""
    scratch.prompt("tokens", "mkdir -p src; echo 1 > src/tokens", claims={"write": ["src/tokens"]})
    scratch.prompt(
        "parser", "cat src/tokens > p", needs=["tokens"], claims={"write": ["p"], "read": ["src/*"]}
    )
    scratch.prompt("notes", "mkdir -p src; echo 2 >> src/tokens", claims={"write": ["src/tokens"]})
    scratch.prompt("suite", "test -d src", claims={"write": []})
    scratch.commit()
    return scratch


def test_a_build_does_what_was_planned(four: Scratch) -> None:
    plan = planned(four)
    assert set(actions(plan).values()) == {"run"}
    assert plan["rows"] == [["notes"], ["tokens"], ["parser"], ["suite"]]
    assert plan["critical_path"] == ["notes", "tokens", "parser", "suite"]
    called = four.orchestra("build", "--json")
    assert [event["task"] for event in called.named("attempt_started")] == [
        name for row in plan["rows"] for name in row
    ]
    assert set(actions(planned(four)).values()) == {"fresh"}
    again = four.orchestra("plan").stdout.splitlines()
    assert again[0] == "Nothing to do: 4 tasks are fresh."


def test_what_only_may_run_and_what_is_forced(four: Scratch) -> None:
    assert four.orchestra("build").status == 0
    four.prompt("tokens", "mkdir -p src; echo 3 > src/tokens", claims={"write": ["src/tokens"]})
    plan = planned(four)
    assert actions(plan) == {"notes": "fresh", "tokens": "run", "parser": "maybe", "suite": "maybe"}
    assert {item["task"]: item["depends"] for item in plan["tasks"]}["parser"] == ["tokens"]
    assert actions(planned(four, "notes")) == {"notes": "fresh"}
    forced = planned(four, "--force", "parser", "-j", "1")
    assert actions(forced) == {"tokens": "run", "parser": "run"}
    assert forced["jobs"] == 1
    parser = next(item for item in forced["tasks"] if item["task"] == "parser")
    assert [reason["kind"] for reason in parser["reasons"]] == ["forced"]
    text = four.orchestra("plan").stdout
    assert "  2  parser  only if tokens changes its output\n" in text
    assert "notes → tokens   src/tokens (write-write)\n" in text


def test_a_dry_run_is_the_beginning_of_a_plan(four: Scratch) -> None:
    for argv in ((), ("parser",), ("--force",), ("-j", "1")):
        dry, plan = four.orchestra("build", "-n", *argv), four.orchestra("plan", *argv)
        assert (dry.status, plan.status) == (0, 0)
        assert dry.stdout and plan.stdout.startswith(dry.stdout)


def test_a_picture_for_graphviz(four: Scratch) -> None:
    called = four.orchestra("plan", "--dot")
    assert called.stdout.startswith("digraph plan {\n")
    assert called.stdout.endswith("}\n")
    assert 'label="suite"' in called.stdout
    wrong = four.orchestra("plan", "--dot", "--json")
    assert (wrong.status, wrong.stdout) == (2, "")


def test_plans_change_nothing(four: Scratch) -> None:
    before = four.everything()
    for argv in ((), ("--json",), ("--dot",), ("parser", "--force")):
        assert four.orchestra("plan", *argv).status == 0
    assert four.everything() == before
    state = four.root / ".git" / "orchestra"
    assert not (state / "history.db").exists() and not (state / "builds").exists()


def test_a_wrong_target_is_refused(four: Scratch) -> None:
    called = four.orchestra("plan", "parse")
    assert called.status == 2
    assert "did you mean `parser`?" in called.stderr


def test_status_of_some_tasks_and_its_exit_status(four: Scratch) -> None:
    assert four.orchestra("build", "tokens").status == 0
    assert four.orchestra("status", "tokens", "--exit-code").status == 0
    called = four.orchestra("status", "parser", "prompts/tokens.md", "--exit-code")
    assert called.status == 1
    assert called.stdout.splitlines() == [
        "stale     parser  never built",
        "fresh     tokens",
        "2 tasks: 1 fresh, 1 stale",
    ]
    assert [
        item["task"] for item in json.loads(four.orchestra("status", "parser", "--json").stdout)["tasks"]
    ] == ["parser"]


def test_explain_says_through_what_a_task_waits(four: Scratch) -> None:
    text = four.orchestra("explain", "parser").stdout
    assert "it is needed, it writes what this one reads (src/tokens meets src/*)\n" in text
    assert "claims   declared, prompts/parser.md" in text


def test_tasks_that_share_a_file_are_planned_side_by_side(scratch: Scratch) -> None:
    scratch.write("LOG", "log\n")
    for name in ("one", "two", "three"):
        claims = {"write": [f"{name}.txt"], "shared": ["LOG"]}
        scratch.prompt(name, f"echo {name} > {name}.txt", claims=claims)
    scratch.prompt("reader", "cat LOG > copy", claims={"write": ["copy"], "read": ["LOG"]})
    scratch.commit()
    plan = planned(scratch, "-j", "8")
    assert plan["rows"] == [["one", "three", "two"], ["reader"]]
    assert plan["critical_path"] == ["one", "reader"]
    events = scratch.orchestra("build", "-n", "--json", "-j", "8").events
    assert not [event for event in events if event["event"] in ("task_again", "task_rejected")]


def test_what_was_taken_back_is_settled_and_named_as_reverted(four: Scratch) -> None:
    assert four.orchestra("build", "notes", "parser").status == 0
    landed = four.head()
    four.git("revert", "--no-edit", "HEAD")
    status = four.orchestra("status", "parser", "--exit-code")
    assert status.status == 0
    assert status.stdout.splitlines() == [
        f"reverted  parser  {landed[:7]} was taken back by {four.head()[:7]}",
        "1 task: 1 reverted",
    ]
    left_alone = {"notes": "fresh", "tokens": "fresh", "parser": "reverted", "suite": "run"}
    assert actions(planned(four)) == left_alone
    assert "reverted       parser\n" in four.orchestra("plan").stdout
    assert actions(planned(four, "parser"))["parser"] != "reverted"
    # What it reads may change: then it would run after all.
    four.prompt("notes", "mkdir -p src; echo 5 > src/tokens", claims={"write": ["src/tokens"]})
    assert actions(planned(four)) == {**left_alone, "notes": "run", "parser": "maybe"}
    text = four.orchestra("explain", "parser").stdout
    assert f"{landed[:7]} landed it and {four.head()[:7]} took it back" in text
    assert text.count("orchestra build") == 2


def test_a_folder_that_is_claimed_by_its_name_may_be_there_already(scratch: Scratch) -> None:
    scratch.write("docs/index.md", "hello\n")
    scratch.prompt("docs", "echo x > docs/more.md", claims={"write": ["docs"]})
    scratch.prompt("after", "true", needs=["docs"], claims={"write": ["x"]})
    scratch.commit()
    assert actions(planned(scratch)) == {"docs": "run", "after": "run"}
