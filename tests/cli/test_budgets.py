"""Budgets and limits through the command line, with agents that are small programs."""

from __future__ import annotations

import json
import signal
import sys
from pathlib import Path

import pytest

from tests.cli.scratch import Called, Scratch
from tests.cli.watching import Watch

pytestmark = pytest.mark.slow

# Speaks as Claude Code does (field names are facts): writes the file that the prompt names, at the cost that it names.
PROGRAM = """\
#!{python}
import json, os, pathlib, sys

prompt = sys.stdin.read()
words = dict(zip(prompt.split(), prompt.split()[1:]))
home = pathlib.Path(os.environ["ORCHESTRA_ROOT"], "..")
with open(home / "argv.jsonl", "a") as file:
    file.write(json.dumps([os.environ["ORCHESTRA_TASK"], *sys.argv[1:]]) + "\\n")


def say(**event):
    print(json.dumps(event), flush=True)


say(type="system", subtype="init", model="scripted", session_id="s1", cwd=os.getcwd())
limited = home / "limited"
if limited.exists() and int(limited.read_text()) > 0:
    limited.write_text(str(int(limited.read_text()) - 1))
    say(type="result", subtype="success", is_error=True, api_error_status=429, result="Too many", total_cost_usd=0)
    sys.exit(1)
pathlib.Path(words["WRITE"]).write_text("done")
cost = {{"total_cost_usd": float(words["COST"])}} if "COST" in words else {{}}
usage = {{"input_tokens": 1_000_000, "output_tokens": 100_000}} if "TOKENS" in words else {{}}
say(type="result", subtype="success", is_error=False, num_turns=1, result="Done.", usage=usage, **cost)
"""


@pytest.fixture
def agent(scratch: Scratch) -> Scratch:
    """Claude Code as the program above."""
    program = scratch.home / "bin" / "claude"
    program.parent.mkdir()
    program.write_text(PROGRAM.format(python=sys.executable))
    program.chmod(0o755)
    scratch.env["PATH"] = f"{program.parent}:{scratch.env['PATH']}"
    return scratch


def prompts(scratch: Scratch, texts: dict[str, str], manifest: str = "") -> None:
    for name, text in texts.items():
        scratch.write(f"prompts/{name}.md", f"# Do {name}\n\nWRITE {name}.txt {text} .\n")
    # Whatever else this machine has to do must not decide who starts.
    scratch.write("orchestra.yaml", f"version: 1\n{manifest}")
    scratch.commit()


def told(scratch: Scratch, task: str) -> list[str]:
    """The arguments with which the agent was last called for a task."""
    lines = [json.loads(line) for line in Path(scratch.home / "argv.jsonl").read_text().splitlines()]
    found: list[str] = [argv for name, *argv in lines if name == task][-1]
    return found


def skipped(called: Called) -> dict[str, str]:
    return {event["task"]: event["why"] for event in called.named("task_skipped")}


def test_the_command_line_stands_before_the_manifest(agent: Scratch) -> None:
    prompts(agent, dict.fromkeys("abc", "COST 1"), "limits: {usd: 1, jobs: 1, memory: 100%}\n")
    called = agent.orchestra("build", "--budget", "2.50", "--json")
    assert called.status == 1
    assert called.finished["tasks"] == {"a": "landed", "b": "landed", "c": "skipped"}
    assert called.finished["usd"] == 2.0
    why = "the build's budget of 2.5 USD is too little for one more: 2.00 spent, and an attempt may cost 1.00"
    assert skipped(called) == {"c": why}
    assert "--max-budget-usd" in told(agent, "b")
    assert told(agent, "b")[told(agent, "b").index("--max-budget-usd") + 1] == "1.5000"
    # The next build knows from the history what one costs, and what is left of the task's own budget.
    again = agent.orchestra("build")
    assert again.status == 0 and "1 landed, 2 fresh" in again.stdout


def test_the_summary_says_what_was_left_out_and_what_to_type(agent: Scratch) -> None:
    prompts(agent, dict.fromkeys("abc", "COST 1"), "limits: {usd: 1, jobs: 1, memory: 100%}\n")
    called = agent.orchestra("build")
    assert called.status == 1
    lines = called.stdout.splitlines()
    at = lines.index("skipped       b, c (the build's budget of 1 USD is used up: 1.00 spent)")
    assert lines[at + 1].startswith("  next:  orchestra build (a new build has a budget of its own; --budget")
    assert any(line.startswith("used ") and line.endswith("$1.00") for line in lines)


def test_a_day_counts_what_earlier_builds_cost(agent: Scratch) -> None:
    prompts(agent, dict.fromkeys("abc", "COST 1"), "limits: {usd_per_day: 2, jobs: 1, memory: 100%}\n")
    assert agent.orchestra("build", "a").status == 0
    called = agent.orchestra("build", "--json")
    assert called.finished["tasks"] == {"a": "fresh", "b": "landed", "c": "skipped"}
    assert skipped(called) == {"c": "the day's budget of 2 USD is used up: 2.00 spent"}
    # Without its history nobody knows, and that is said.
    (agent.root / ".git/orchestra/history.db").unlink()
    lost = agent.orchestra("build", "--json")
    assert lost.status == 0
    assert [event["message"] for event in lost.named("notice")] == [
        "the history of earlier builds is gone: what they cost is taken as nothing"
    ]


def test_prices_make_costs_of_tokens_and_what_is_unknown_is_said(agent: Scratch) -> None:
    manifest = (
        "defaults: {agent: c}\n"
        "agents: {c: {kind: claude-code, model: sonnet}}\n"
        "prices: {sonnet: {input: 3, output: 15}}\n"
        "limits: {jobs: 1, memory: 100%}\n"
    )
    prompts(agent, {"a": "TOKENS yes", "b": "NOTHING told"}, manifest)
    called = agent.orchestra("build")
    assert called.status == 0
    (used,) = (line for line in called.stdout.splitlines() if line.startswith("used "))
    assert used == (
        "used          at least 1,100,000 tokens (1 attempt told none), at least $4.50 (1 attempt told no cost)"
    )
    assert "≥$4.50" in agent.orchestra("history").stdout


def test_who_is_rate_limited_waits_and_lands(agent: Scratch) -> None:
    manifest = "defaults: {retries: 0}\nlimits: {memory: 100%, cpu: 100%}\n"
    prompts(agent, dict.fromkeys("abcd", "COST 0.1"), manifest)
    (agent.home / "limited").write_text("1")
    called = agent.orchestra("build", "-j", "4", "--json")
    assert set(called.finished["tasks"].values()) == {"landed"}, called.stdout
    assert called.finished["failed"] == 0 and called.finished["ran"] >= 5
    (first, *_) = called.named("limit_changed")
    assert (first["agents"], first["provider"], first["window"]) == (["claude-code"], "anthropic", 2)
    assert first["until"] - first["time"] == pytest.approx(5.0, abs=0.1)
    assert "digest" not in called.stdout and "account" not in called.stdout


@pytest.mark.parametrize("amount", ["-1", "nan", "inf", "much", ""])
def test_what_is_no_amount_is_refused(scratch: Scratch, amount: str) -> None:
    called = scratch.orchestra("build", f"--budget={amount}")
    assert called.status == 2 and "an amount in USD" in called.stderr


def test_a_build_that_may_cost_nothing_starts_nothing_that_costs(agent: Scratch) -> None:
    prompts(agent, {"a": "COST 1"}, "tasks: {made: {run: echo x > made.txt, claims: {write: [made.txt]}}}\n")
    called = agent.orchestra("build", "--budget", "0", "--json")
    assert called.finished["tasks"] == {"a": "skipped", "made": "landed"}
    assert not (agent.home / "argv.jsonl").exists()


def test_a_build_with_nothing_to_do_looks_at_no_machine(scratch: Scratch) -> None:
    scratch.prompt("one", "echo x > x.txt")
    scratch.commit()
    assert scratch.orchestra("build").status == 0
    called = scratch.orchestra("build", env={"PYTHONPROFILEIMPORTTIME": "1"})
    assert "Nothing to do" in called.stdout
    imported = {line.rpartition("|")[2].strip() for line in called.stderr.splitlines()}
    assert "orchestra.execution.machine" in imported
    assert not imported & {"psutil", "orchestra.history.queries"}


def test_a_budget_is_that_of_the_whole_watch_and_each_build_has_no_more_than_the_manifest_gives(
    agent: Scratch,
) -> None:
    def again(name: str, cost: str) -> None:
        agent.write(f"prompts/{name}.md", f"# Do {name}\n\nWRITE {name}.txt COST {cost} .\n")

    prompts(agent, dict.fromkeys("ab", "COST 0.5"), "limits: {usd: 0.5, jobs: 1, memory: 100%}\n")
    with Watch(agent, "--budget", "1") as watch:
        first = watch.built()
        assert first["tasks"] == {"a": "landed", "b": "skipped"}
        again("b", "0.50")
        second = watch.built()
        assert second["tasks"] == {"a": "fresh", "b": "landed"}
        # Of the whole watch's budget nothing is left.
        again("a", "0.51")
        third = watch.built()
        assert (third["ran"], third["tasks"]) == (0, {"a": "skipped", "b": "fresh"})
        watch.signal(signal.SIGINT)
        watch.ends()
    assert watch.told[-1]["event"] == "watch_stopped" and watch.told[-1]["usd"] == 1.0
