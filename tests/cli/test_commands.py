"""The commands at their edges: what they print, with what they end, what they leave alone."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import jsonschema
import pytest

from orchestra.manifest.schema import schema_text
from tests.cli.scratch import Scratch


def validate(name: str, value: object) -> None:
    jsonschema.Draft202012Validator(json.loads(schema_text(name))).validate(value)


def test_events_of_a_build_are_those_of_the_schema_and_of_the_file(scratch: Scratch) -> None:
    scratch.prompt("good", "echo x > x.txt")
    scratch.prompt("bad", "echo no >&2; exit 4")
    scratch.prompt("after", "true", needs=["bad"])
    scratch.commit()
    called = scratch.orchestra("build", "--json")
    for event in called.events:
        validate("events.schema.json", event)
    (folder,) = (scratch.root / ".git" / "orchestra" / "builds").iterdir()
    assert (folder / "events.jsonl").read_text() == called.stdout
    assert called.finished["build"] == folder.name
    assert oct(folder.stat().st_mode & 0o777) == "0o700"


def test_status_explain_and_history_as_json(scratch: Scratch) -> None:
    scratch.prompt("one", "echo x > x.txt", claims={"write": ["x.txt"]})
    scratch.prompt("two", "true", needs=["one"])
    scratch.commit()
    status = scratch.orchestra("status", "--json")
    validate("status.schema.json", json.loads(status.stdout))
    assert {t["task"]: t["state"] for t in json.loads(status.stdout)["tasks"]} == {
        "one": "stale",
        "two": "stale",
    }
    assert scratch.orchestra("status", "--exit-code").status == 1
    assert scratch.orchestra("build").status == 0
    assert scratch.orchestra("status", "--exit-code").status == 0
    scratch.prompt("one", "echo y > x.txt", claims={"write": ["x.txt"]})
    states = json.loads(scratch.orchestra("status", "--json").stdout)["tasks"]
    assert {t["task"]: t["state"] for t in states} == {"one": "stale", "two": "blocked"}
    explained = json.loads(scratch.orchestra("explain", "one", "--json").stdout)
    validate("explain.schema.json", explained)
    for argv in (("history",), ("history", "last"), ("history", "--task", "one")):
        validate("history.schema.json", json.loads(scratch.orchestra(*argv, "--json").stdout))


def test_questions_change_nothing(scratch: Scratch) -> None:
    scratch.prompt("one", "echo x > x.txt")
    scratch.commit()
    before = scratch.everything()
    for argv in (("status",), ("explain", "one"), ("build", "-n"), ("build", "-n", "--json"), ("history",)):
        scratch.orchestra(*argv)
    assert scratch.everything() == before
    assert not (scratch.root / ".git" / "orchestra" / "history.db").exists()


def test_dry_run_tells_what_would_run_and_why(scratch: Scratch) -> None:
    scratch.prompt("one", "echo x > x.txt", claims={"write": ["x.txt"]})
    scratch.prompt("two", "true", needs=["one"], claims={"write": ["y.txt"]})
    scratch.prompt("other", "true")
    scratch.commit()
    assert scratch.orchestra("build", "other").status == 0
    called = scratch.orchestra("build", "-n")
    assert called.status == 0
    assert "2 of 3 tasks would run" in called.stdout
    assert called.stdout.index("one") < called.stdout.index("two")
    assert "never built" in called.stdout


def test_a_prompt_folder_is_enough_and_a_prompt_path_is_a_target(scratch: Scratch) -> None:
    scratch.prompt("one", "echo 1 > one.txt")
    scratch.prompt("two", "echo 2 > two.txt")
    scratch.write("prompts/README.md", "no task\n")
    scratch.write("prompts/_draft.md", "no task\n")
    scratch.commit()
    called = scratch.orchestra("build", "prompts/two.md", "--json", cwd=scratch.root)
    assert called.finished["tasks"] == {"two": "landed"}
    called = scratch.orchestra("build", "one.md", "--json", cwd=scratch.root / "prompts")
    assert called.finished["tasks"] == {"one": "landed"}
    called = scratch.orchestra("-C", str(scratch.root), "build", "--json", cwd=scratch.home)
    assert called.finished["tasks"] == {"one": "fresh", "two": "fresh"}


def test_run_tasks_and_check_tasks(scratch: Scratch) -> None:
    scratch.write("data.txt", "b\na\n")
    scratch.write(
        "orchestra.yaml",
        "version: 1\n"
        "tasks:\n"
        "  sorted: {run: sort data.txt > sorted.txt, claims: {write: [sorted.txt], read: [data.txt]}}\n"
        "  lint: {run: grep -q a sorted.txt, needs: [sorted], claims: {write: []}}\n"
        "  all: {run: ls > listing.txt}\n",
    )
    scratch.commit()
    called = scratch.orchestra("build", "--json")
    assert called.finished["tasks"] == {"sorted": "landed", "lint": "passed", "all": "landed"}, called.stdout
    assert scratch.read("sorted.txt") == "a\nb\n"
    again = scratch.orchestra("build", "--json")
    assert (again.status, again.finished["ran"]) == (0, 0), again.stdout
    assert not (scratch.root / ".orchestra" / "lock" / "lint.json").exists()
    # A person's edit of a `run` task's output is drift, and that runs it again.
    scratch.write("sorted.txt", "edited\n")
    scratch.commit()
    called = scratch.orchestra("build", "sorted", "--json")
    assert called.named("attempt_started")[0]["reasons"][0]["kind"] == "drifted"
    assert scratch.read("sorted.txt") == "a\nb\n"


def test_a_check_task_that_writes_is_rejected(scratch: Scratch) -> None:
    scratch.write(
        "orchestra.yaml", "version: 1\ntasks:\n  check: {run: echo x > oops.txt, claims: {write: []}}\n"
    )
    scratch.commit()
    called = scratch.orchestra("build", "--json")
    assert called.status == 1
    assert called.named("task_rejected")[0]["paths"] == ["oops.txt"]


def test_paths_outside_claims_and_protected_paths_are_rejected(scratch: Scratch) -> None:
    scratch.prompt("outside", "echo x > elsewhere.txt; echo y > here.txt", claims={"write": ["here.txt"]})
    scratch.prompt("protected", "mkdir -p .github; echo x > .github/workflow.yml")
    scratch.commit()
    called = scratch.orchestra("build", "--json")
    rejected = {event["task"]: event["paths"] for event in called.named("task_rejected")}
    assert rejected == {"outside": ["elsewhere.txt"], "protected": [".github/workflow.yml"]}
    assert not (scratch.root / "here.txt").exists()


def test_check_and_timeout(scratch: Scratch) -> None:
    scratch.write(
        "orchestra.yaml",
        "version: 1\n"
        "tasks:\n"
        "  checked: {run: echo x > x.txt, check: grep -q y x.txt}\n"
        "  slow: {run: sleep 60, timeout: 0.5s}\n",
    )
    scratch.commit()
    called = scratch.orchestra("build", "-j", "2", "--json")
    outcomes = {event["task"]: event["outcome"] for event in called.named("task_failed")}
    assert outcomes == {"checked": "check-failed", "slow": "timed-out"}
    assert called.finished["wall_s"] < 50


def test_a_red_base_stops_everything_before_it_costs(scratch: Scratch) -> None:
    scratch.write("orchestra.yaml", "version: 1\nintegrate: {verify: 'echo broken; false'}\n")
    scratch.prompt("one", "echo x > x.txt")
    scratch.commit()
    called = scratch.orchestra("build")
    assert called.status == 1
    assert "broken" in called.stdout
    assert "before anything was built" in called.stdout
    assert not (scratch.root / "x.txt").exists()


def test_verdicts_are_remembered(scratch: Scratch) -> None:
    scratch.write("orchestra.yaml", 'version: 1\nintegrate: {verify: "echo x >> $ORCHESTRA_ROOT/../count"}\n')
    scratch.prompt("one", "echo x > x.txt")
    scratch.commit()
    assert scratch.orchestra("build").status == 0
    assert (scratch.home / "count").read_text() == "x\nx\n"  # the base, and the base with the result
    scratch.prompt("two", "true")
    assert scratch.orchestra("build").status == 0
    assert (scratch.home / "count").read_text() == "x\nx\n"


def test_no_advance_and_detached_are_taken_up_by_the_next_build(scratch: Scratch) -> None:
    scratch.prompt("one", "echo x > x.txt")
    first = scratch.commit()
    called = scratch.orchestra("build", "--no-advance", "--json")
    assert (called.status, called.finished["advanced"]) == (0, False)
    assert scratch.head() == first
    (branch,) = scratch.lineage() - {"refs/heads/main"}
    again = scratch.orchestra("build", "--no-advance", "--json")
    assert (again.status, again.finished["ran"]) == (0, 0)
    assert scratch.lineage() == {"refs/heads/main", branch}
    called = scratch.orchestra("build", "--json")
    assert (called.status, called.finished["ran"], called.finished["advanced"]) == (0, 0, True)
    assert scratch.read("x.txt") == "x\n"
    assert scratch.lineage() == {"refs/heads/main"}

    scratch.git("checkout", "--quiet", "--detach")
    scratch.prompt("two", "echo y > y.txt")
    called = scratch.orchestra("build", "--json")
    assert called.status == 0
    assert not (scratch.root / "y.txt").exists()
    again = scratch.orchestra("build", "--json")
    assert (again.status, again.finished["ran"]) == (0, 0)


def test_into_another_branch(scratch: Scratch) -> None:
    scratch.prompt("one", "echo x > x.txt")
    first = scratch.commit()
    scratch.git("branch", "other")
    called = scratch.orchestra("build", "--into", "other", "--json")
    assert called.status == 0
    assert scratch.head() == first
    assert scratch.git("show", "other:x.txt") == "x"
    assert scratch.orchestra("build", "--into", "nowhere").status == 2


def test_commits_are_the_persons_and_carry_trailers(scratch: Scratch) -> None:
    scratch.prompt("one", "echo x > x.txt", "Write the letter x")
    scratch.commit()
    assert scratch.orchestra("build").status == 0
    assert scratch.git("log", "-1", "--format=%an|%ae|%cn|%s") == (
        "A Person|person@example.org|A Person|Write the letter x"
    )
    trailers = scratch.git("log", "-1", "--format=%(trailers:only,unfold)").splitlines()
    assert [line.split(":")[0] for line in trailers if line] == [
        "Orchestra-Task",
        "Orchestra-Key",
        "Orchestra-Attempt",
    ]


def test_interrupt_once_lands_what_is_done_and_leaves_nothing(scratch: Scratch) -> None:
    scratch.prompt("quick", "echo x > x.txt", claims={"write": ["x.txt"]})
    scratch.prompt("long", 'touch "$ORCHESTRA_ROOT/../begun"; sleep 300', claims={"write": ["y.txt"]})
    scratch.prompt("later", "true", needs=["long"])
    scratch.commit()
    process = scratch.popen("build", "-j", "2", "--json")
    assert process.stdout is not None
    landed = begun = False
    lines = []
    for line in process.stdout:
        lines.append(line)
        event = json.loads(line)
        landed |= event["event"] == "task_landed"
        begun |= event["event"] == "phase_started" and event["task"] == "long" and event["phase"] == "agent"
        if landed and begun:
            process.send_signal(signal.SIGINT)
            break
    lines += process.stdout.read().splitlines()
    assert process.wait(30) == 130
    process.communicate()
    finished = json.loads(lines[-1])
    assert finished["tasks"] == {"quick": "landed", "long": "interrupted", "later": "interrupted"}
    assert scratch.read("x.txt") == "x\n"
    assert not list((scratch.root / ".git").rglob("*.lock"))


def test_two_builds_at_once(scratch: Scratch) -> None:
    scratch.prompt("long", "sleep 300")
    scratch.commit()
    process = scratch.popen("build", "--json")
    assert process.stdout is not None
    process.stdout.readline()
    second = scratch.orchestra("build")
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
    assert second.status == 3
    assert f"process {process.pid}" in second.stderr


@pytest.mark.parametrize(
    ("argv", "status", "words"),
    [
        (("buidl",), 2, "did you mean `orchestra build`?"),
        (("build", "-j", "0"), 2, "a whole number from 1"),
        (("build", "nothing-like-it"), 2, "there is no task `nothing-like-it`"),
        (("build", "--frobnicate"), 2, "--frobnicate"),
        (("explain", "on"), 2, "did you mean `one`?"),
        (("history",), 2, "nothing was built here yet"),
        (("build", "--agent", "nobody"), 2, "nobody"),
    ],
)
def test_wrong_usage(scratch: Scratch, argv: tuple[str, ...], status: int, words: str) -> None:
    scratch.prompt("one", "true")
    scratch.commit()
    before = scratch.everything()
    called = scratch.orchestra(*argv)
    assert called.status == status
    assert called.stderr.startswith("error: ")
    assert words in called.stderr
    assert "Traceback" not in called.stderr
    assert scratch.everything() == before


def test_where_the_environment_does_not_allow_it(tmp_path: Path, scratch: Scratch) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    called = scratch.orchestra("build", cwd=outside)
    assert (called.status, "not in a git repository" in called.stderr) == (3, True)
    scratch.write("prompts/needs-an-agent.md", "# Do something\n")
    scratch.commit()
    path = os.pathsep.join(
        p for p in os.environ["PATH"].split(os.pathsep) if not (Path(p) / "claude").exists()
    )
    called = scratch.orchestra("build", env={"PATH": path})
    assert called.status == 3
    assert "hint:" in called.stderr
    scratch.git("config", "--unset", "user.email")
    scratch.git("config", "user.useConfigOnly", "true")
    called = scratch.orchestra("build", "--agent", "script")
    assert (called.status, "in whose name" in called.stderr) == (3, True)


def test_no_commit_yet(tmp_path: Path) -> None:
    scratch = Scratch(tmp_path, "empty")
    scratch.prompt("one", "true")
    called = scratch.orchestra("build")
    assert called.status == 3
    assert "no commit yet" in called.stderr


def test_a_build_outlives_its_reader(scratch: Scratch) -> None:
    scratch.prompt("one", "sleep 1; echo x > x.txt")
    scratch.commit()
    process = scratch.popen("build")
    assert process.stdout is not None
    process.stdout.close()
    assert process.wait(60) == 0
    assert process.stderr is not None
    assert process.stderr.read() == ""
    process.stderr.close()
    assert scratch.read("x.txt") == "x\n"


def test_interrupt_twice_stops_now(scratch: Scratch) -> None:
    # It ignores the polite signal, so that only the second interrupt ends it before its grace is over.
    scratch.prompt("stubborn", "trap '' TERM; echo begun; sleep 300 & wait; sleep 300")
    scratch.commit()
    process = scratch.popen("build", "--json")
    assert process.stdout is not None
    for line in process.stdout:
        event = json.loads(line)
        if event["event"] == "agent_event" and event["agent_event"]["text"] == "begun":
            process.send_signal(signal.SIGINT)
            process.send_signal(signal.SIGINT)
            break
    last = process.stdout.read().splitlines()[-1]
    assert process.wait(30) == 130
    process.communicate()
    assert json.loads(last)["tasks"] == {"stubborn": "interrupted"}
    # The next build goes on from there, in the same slot.
    scratch.prompt("stubborn", "echo done > done.txt")
    assert scratch.orchestra("build").status == 0


def test_a_missing_program_is_the_environment_s_fault(scratch: Scratch) -> None:
    scratch.write(
        "orchestra.yaml",
        "version: 1\nagents: {mine: {kind: command, command: [./no-such-agent]}}\n"
        "tasks: {one: {prompt: prompts/one.md, agent: mine}}\n",
    )
    scratch.write("prompts/one.md", "# Do it\n")
    scratch.commit()
    called = scratch.orchestra("build", "--json")
    (finished,) = called.named("attempt_finished")
    assert (finished["outcome"], finished["fault"]) == ("not-started", "environment")
    assert finished["detail"] == "./no-such-agent: not found"


def test_uncommitted_prompts_are_seen_and_other_changes_are_named(scratch: Scratch) -> None:
    scratch.prompt("one", "cat README.md > copy.txt")
    scratch.write("README.md", "being edited\n")
    # The manifest is read from the disk, too, and here no task has its place in it.
    scratch.write("orchestra.yaml", "version: 1\ndefaults: {agent: script}\n")
    called = scratch.orchestra("build")
    assert called.status == 0
    assert "not seen by tasks, because not committed: README.md (hint" in called.stdout
    assert scratch.read("copy.txt") == "A project\n"
