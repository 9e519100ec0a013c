"""Aider's adapter: command line, text, and its false successes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from orchestra.model.agents import AgentEvent, Judgement
from orchestra.model.outcomes import Exit, Fault, Outcome, Usage
from tests.agents.streams import ORDER, needs_transcripts, opened, play, recorded

REPLY = "Tokens: 2.1k sent, 22 received."
TROUBLE = "litellm.RateLimitError: RateLimitError: OpenAIException - slow down, try again in 8 s"
REFUSED = "litellm.AuthenticationError: AuthenticationError: OpenAIException - Incorrect API key provided"


def test_command_line() -> None:
    invocation = opened("aider", model="openai/m-1", args=("--map-tokens", "0")).invocation
    assert invocation.argv[0] == "aider"
    assert invocation.argv[-6:] == (
        "--message-file", "/state/prompt.md", "--model", "openai/m-1", "--map-tokens", "0",
    )  # fmt: skip
    assert {"--no-auto-commits", "--no-suggest-shell-commands", "--no-gitignore"} <= set(invocation.argv)
    assert invocation.stdin_file is None
    assert "--dry-run" in opened("aider", replace(ORDER, readonly=True)).invocation.argv


def test_text_of_a_success() -> None:
    events, judged = play(
        opened("aider"),
        "Aider v9.9.9",
        "",
        TROUBLE,
        "Retrying in 0.2 seconds...",
        "src/a.py",
        "Fixed it.",
        "Tokens: 5.9k sent, 2.1k cache write, 1.2k cache hit, 22 received. Cost: $0.25 message, $0.50 session.",
        "Applied edit to src/a.py",
        "One more.",
        "Tokens: 1,234 sent, 8 received. Cost: $0.25 message, $0.75 session.",
    )
    assert events == [
        AgentEvent("started", "aider 9.9.9"),
        AgentEvent("waiting", TROUBLE, throttled=True, wait_s=8.0),
        AgentEvent("text", "Retrying in 0.2 seconds..."),
        AgentEvent("text", "src/a.py"),
        AgentEvent("text", "Fixed it."),
        AgentEvent("usage", "9200 tokens in, 22 out, 0.2500 USD"),
        AgentEvent("tool", "", "edit", ("src/a.py",), "write"),
        AgentEvent("text", "One more."),
        AgentEvent("usage", "10434 tokens in, 30 out, 0.5000 USD"),
    ]
    usage = Usage(7134, 30, 1200, 2100, 0.5)
    assert judged == Judgement(Outcome.SUCCESS, summary="One more.", usage=usage)


FALSE: dict[str, tuple[list[object], Exit, Fault | None, bool, str]] = {
    "no answer, status 0": (["Aider v9", REFUSED], Exit(0), Fault.ENVIRONMENT, False, "Incorrect API key"),
    "too many requests, status 0": (["Aider v9", TROUBLE], Exit(0), Fault.ENVIRONMENT, True, "slow down"),
    "an answer, then none": ([REPLY, TROUBLE], Exit(0), Fault.ENVIRONMENT, True, "slow down"),
    "edits that do not fit": (
        [REPLY, "Only 3 reflections allowed, stopping."], Exit(0), Fault.AGENT, False, "reflections",
    ),
    "nothing said": ([], Exit(0), Fault.AGENT, False, "before its work was done"),
    "stopped by us": ([REPLY], Exit(0, stopped="timeout"), None, False, "stopped: timeout"),
    "killed": ([REPLY], Exit(None, signal=9), Fault.ENVIRONMENT, False, "killed by signal 9"),
}  # fmt: skip


@pytest.mark.parametrize("name", FALSE)
def test_false_success(name: str) -> None:
    lines, ended, fault, transient, detail = FALSE[name]
    _, judged = play(opened("aider"), *lines, ended=ended)
    assert (judged.outcome, judged.fault, judged.transient) == (Outcome.FAILED, fault, transient)
    assert detail in judged.detail


def test_an_answer_that_fits_after_one_that_did_not() -> None:
    lines = [REPLY, "The LLM did not conform to the edit format.", REPLY, "Applied edit to a.py"]
    assert play(opened("aider"), *lines)[1].outcome is Outcome.SUCCESS


@pytest.mark.parametrize("tokens", ["Tokens: ... sent, . received.", "Tokens: 9.9.9k sent, x received."])
def test_odd_counts_are_not_counted(tokens: str) -> None:
    assert play(opened("aider"), tokens)[1].usage.tokens is None


RECORDED = [
    ("aider-success", Exit(0), Outcome.SUCCESS),
    ("aider-edit-read", Exit(0), Outcome.SUCCESS),
    ("aider-api-429-then-ok", Exit(0), Outcome.SUCCESS),
    ("aider-sigterm-mid-stream", Exit(None, signal=15), Outcome.FAILED),
]


@needs_transcripts
@pytest.mark.parametrize(("name", "ended", "outcome"), RECORDED)
def test_recorded_runs(name: str, ended: Exit, outcome: Outcome) -> None:
    events, judged = play(opened("aider"), *recorded(f"{name}.txt"), ended=ended)
    assert judged.outcome is outcome, judged
    assert judged.usage.tokens and judged.usage.usd is None
    assert [event.paths for event in events if event.access == "write"]
