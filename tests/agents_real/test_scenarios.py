"""Whole builds with the real programs: every way in which an agent's part ends, side by side in one build."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from orchestra.model.masking import MASK
from tests.agents_real.project import KEY, Program, Project
from tests.agents_real.script import (
    Cut,
    Edit,
    Fail,
    Garbage,
    Hang,
    Read,
    Reply,
    Shell,
    Turn,
    Write,
    mark,
    say,
    use,
)
from tests.agents_real.server import ScriptedModel
from tests.cli.scratch import Called

pytestmark = [pytest.mark.real, pytest.mark.slow]


@dataclass(frozen=True, slots=True)
class Scenario:
    """A script, what the manifest says of its task, and how that is to end."""

    replies: tuple[Reply, ...]
    final: str
    outcomes: tuple[tuple[str, str | None], ...] = (("success", None),)
    detail: str = ""
    entry: dict[str, Any] = field(default_factory=dict)


GOOD = (("success", None),)
NOBODY = "http://127.0.0.1:9"
"""Where nobody listens."""
TOGETHER = tuple(f"together-{number}" for number in range(4))


def work(name: str, content: str = "done") -> tuple[Reply, ...]:
    """An agent that writes one file."""
    return use(Write(f"{name}.txt", f"{content}\n")), say(f"Wrote {name}.txt.")


def scenarios(program: Program) -> dict[str, Scenario]:
    """What both programs go through, and what only one of them has."""
    environment = ("failed", "environment")
    found = {
        **{
            name: Scenario((use(Write(f"{name}.txt", "done\n"), together=4), say("Done.")), "landed")
            for name in TOGETHER
        },
        "edit": Scenario(
            (
                use(Read("notes.txt"), text="I look."),
                use(Edit("notes.txt", "old line", "new line")),
                say(f"Edited; by the way, my key is {KEY}."),
            ),
            "landed",
        ),
        "empty": Scenario((say("All is well already."),), "no-change", (("no-change", None),)),
        "limited": Scenario((Fail(429, "Slowly.", (("retry-after", "1"),)), *work("limited")), "landed"),
        "cut": Scenario((Cut(), *work("cut")), "landed"),
        "broken": Scenario((Fail(500, "Oh."),), "failed", (environment, environment), entry={"retries": 1}),
        "recovers": Scenario(
            (*[Fail(500)] * program.calls, *work("recovers")), "landed", (environment, *GOOD)
        ),
        "forbidden": Scenario((Fail(401, "invalid x-api-key"),), "failed", (environment,)),
        "repaired": Scenario(
            (
                use(Write("repaired.txt", "wrong\n")),
                say("Done."),
                use(Edit("repaired.txt", "wrong", "done")),
                say("Mended."),
            ),
            "landed",
            entry={"check": "echo a helpful line; grep -q done repaired.txt"},
        ),
        "reviewed": Scenario(
            (
                *work("reviewed", "so so"),
                # Who judges looks, and may change nothing.
                use(Read("reviewed.txt"), Write("sneaked.txt", "x\n")),
                say(json.dumps({"verdict": "findings", "findings": [{"what": "It is only so so."}]})),
                use(Edit("reviewed.txt", "so so", "done")),
                say("Better."),
                say(json.dumps({"verdict": "pass"})),
            ),
            "landed",
            entry={"review": "real"},
        ),
        "hang": Scenario(
            (Hang(),), "failed", (("stalled", "agent"),), "(stall)", {"stall": "4s", "retries": 0}
        ),
    }
    if program.kind == "claude-code":
        look = Turn("I look again.", (Read("notes.txt"),), 10_000, 10_000)
        long = Fail(400, "prompt is too long: 300000 tokens > 200000 maximum")
        found |= {
            "denied": Scenario(
                (use(Shell("curl -s localhost:9 -o denied.txt")), say("I may not.")),
                "failed",
                (("denied", "agent"),),
                "denied, and nothing was changed: denied: Bash (curl -s localhost:9 -o denied.txt)",
            ),
            "turns": Scenario(
                (look,), "failed", (("failed", "agent"),), "maximum number of turns (2)", {"agent": "brief"}
            ),
            "poor": Scenario(
                (look,), "failed", (("failed", "agent"),), "Reached maximum budget ($0.01)", {"agent": "poor"}
            ),
            "long": Scenario((long,), "failed", (("failed", "agent"),), "API error 400: Prompt is too long"),
            "hotel": Scenario((Garbage(),), "failed", (environment,), "JSON"),
            "unplugged": Scenario(
                (say("Nobody asks."),),
                "failed",
                (environment, environment),
                "ECONNREFUSED",
                {"agent": "unplugged", "retries": 1},
            ),
        }
    else:
        # Of a command that is over at once it says nothing now and then.
        refused = Shell("sleep 1; touch /opt/denied-by-sandbox.txt")
        found |= {
            "denied": Scenario(
                (use(refused), say("I may not.")), "failed", (("denied", "agent"),), "denied, and nothing"
            ),
            # A stream that says nothing is one that was cut off for it: that may pass.
            "hotel": Scenario((Garbage(),), "failed", (environment,), entry={"retries": 0}),
            # It waits for a network for ever, and says so now and then.
            "unplugged": Scenario(
                (say("Nobody asks."),),
                "failed",
                (("timed-out", "agent"),),
                "(timeout)",
                {"agent": "unplugged", "timeout": "6s", "retries": 0},
            ),
        }
    return found


def attempts(called: Called, task: str) -> list[dict[str, Any]]:
    """How the attempts of a task ended."""
    return [event for event in called.named("attempt_finished") if event["task"] == task]


def said(called: Called, task: str) -> list[dict[str, Any]]:
    """What the agent of a task was seen to do."""
    return [event["agent_event"] for event in called.named("agent_event") if event["task"] == task]


def test_every_ending(program: Program, tmp_path: Path, subtests: pytest.Subtests) -> None:
    every = scenarios(program)
    with ScriptedModel({name: scenario.replies for name, scenario in every.items()}) as model:
        project = Project(tmp_path, program, model)
        if program.kind == "claude-code":
            agents = {
                "brief": project.agent(max_turns=2),
                "poor": project.agent(args=["--max-budget-usd", "0.01"]),
                "unplugged": project.agent(env={"ANTHROPIC_BASE_URL": NOBODY}),
            }
        else:
            elsewhere = f'model_providers.scripted.base_url="{NOBODY}"'
            agents = {"unplugged": project.agent(args=["-c", elsewhere])}
        project.tasks(
            {name: scenario.replies for name, scenario in every.items()},
            {name: scenario.entry for name, scenario in every.items()},
            agents=agents,
            integrate={"verify": "grep -q line notes.txt"},
        )
        called = project.build("-j", "6")
        scratch = project.scratch
    for name, scenario in every.items():
        with subtests.test(name):
            ended = attempts(called, name)
            shown = [(each["outcome"], each["fault"], each["detail"]) for each in ended]
            assert called.finished["tasks"][name] == scenario.final, shown
            assert tuple((each["outcome"], each["fault"]) for each in ended) == scenario.outcomes, shown
            assert scenario.detail in ended[-1]["detail"]
            assert "\n" not in ended[-1]["detail"]
            if scenario.final == "landed" and name != "edit":
                assert scratch.read(f"{name}.txt") == "done\n"
            else:
                assert not (scratch.root / f"{name}.txt").exists()
    with subtests.test("what it read and wrote"):
        assert scratch.read("notes.txt") == "first line\nnew line\n"
        tools = [event for event in said(called, "edit") if event["kind"] == "tool"]
        assert any("notes.txt" in " ".join([*tool["paths"], tool["text"]]) for tool in tools), tools
        assert [tool["access"] for tool in tools][-1] == "write"
        assert {event["kind"] for event in said(called, "edit")} >= {"started", "text", "tool", "finished"}
    with subtests.test("what it used"):
        usage = attempts(called, "edit")[0]["usage"]
        assert (usage["input_tokens"], usage["output_tokens"]) == (300, 30)
        assert (usage["usd"] or 0) > 0 or program.kind != "claude-code"
    with subtests.test("a repair goes on with the same session"):
        *_, asked, _ = model.asked("repaired")
        for words in ("a helpful line", "grep -q done repaired.txt", "wrong", mark("repaired")):
            assert words in asked.text, words
        usage = attempts(called, "repaired")[0]["usage"]
        assert (usage["input_tokens"], usage["output_tokens"]) == (400, 40)
    with subtests.test("a review is told to who did the work"):
        assert "It is only so so." in model.asked("reviewed")[4].text
        assert len(model.asked("reviewed")) == len(every["reviewed"].replies)
        assert not (scratch.root / "sneaked.txt").exists()
    with subtests.test("how often the model was asked"):
        counts = {name: len(model.asked(name)) for name in every}
        assert counts["broken"] == 2 * program.calls
        assert counts["recovers"] == program.calls + 2
        assert {each.key for each in model.asked()} == {KEY}
    with subtests.test("its key shows nowhere"):
        assert f"my key is {MASK}" in called.stdout and KEY not in called.stdout
        assert KEY not in scratch.git("log", "--all", "--format=%B")
        kept = [path for path in (scratch.root / ".git" / "orchestra").rglob("*") if path.is_file()]
        assert not [path for path in kept if KEY.encode() in path.read_bytes()]
    with subtests.test("nothing is done twice"):
        again = scratch.orchestra("build", "--json", *TOGETHER, "edit", "cut", "limited", "empty")
        assert (again.status, again.finished["ran"]) == (0, 0)
