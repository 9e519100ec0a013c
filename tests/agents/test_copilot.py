"""Copilot CLI's adapter: command line, stream, and its false successes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from orchestra.model.agents import AgentEvent, Judgement, Resume
from orchestra.model.outcomes import Exit, Fault, Outcome, Usage
from tests.agents.streams import ORDER, needs_transcripts, opened, play, recorded


# The shapes are those of the real stream; the content is made up.
def event(kind: str, **data: object) -> dict[str, object]:
    return {"type": kind, "data": data, "id": "e-1"}


BEGIN = event("session.tools_updated", model="m-1")
DONE = {"type": "result", "sessionId": "s-1", "exitCode": 0, "usage": {"premiumRequests": 1}}


def said(text: str) -> dict[str, object]:
    return event("assistant.message", content=text, toolRequests=[])


def used(name: str, identity: str = "c-1", **given: object) -> dict[str, object]:
    return event("tool.execution_start", toolCallId=identity, toolName=name, arguments=given)


def test_command_line() -> None:
    order = replace(ORDER, resume=Resume("s-1", Usage()))
    invocation = opened("copilot", order, model="m-1", args=("--banner",)).invocation
    assert invocation.argv == (
        "copilot", "--output-format", "json", "--no-color", "--allow-tool=write", "--model", "m-1",
        "--resume=s-1", "--banner",
    )  # fmt: skip
    assert invocation.stdin_file == "/state/prompt.md"
    assert invocation.env == (("COPILOT_AUTO_UPDATE", "false"),)


def test_what_it_may_do() -> None:
    assert opened("copilot", permissions="full").invocation.argv[4:] == ("--allow-all",)
    judge = opened("copilot", replace(ORDER, readonly=True), permissions="full").invocation.argv
    assert judge[4:] == ("--deny-tool=write", "--deny-tool=shell")


def test_stream_of_a_success() -> None:
    events, judged = play(
        opened("copilot"),
        event("session.skills_loaded", skills=[]),
        BEGIN,
        event("user.message", content="Fix it."),
        event("assistant.message_delta", deltaContent="I will"),
        said("I will look."),
        used("view", path="/slots/1/a.py"),
        event("tool.execution_complete", toolCallId="c-1", success=True),
        used("edit", path="/slots/1/a.py"),
        used("bash", command="pytest -q"),
        event("model.call_failure", statusCode=429, errorMessage="Slow down"),
        event("assistant.turn_retry", reason="rate_limit"),
        said(""),
        said("Fixed."),
        DONE,
    )
    assert events == [
        AgentEvent("started", "copilot m-1"),
        AgentEvent("text", "I will look."),
        AgentEvent("tool", "", "view", ("/slots/1/a.py",), "read"),
        AgentEvent("tool", "", "edit", ("/slots/1/a.py",), "write"),
        AgentEvent("tool", "pytest -q", "bash"),
        AgentEvent("waiting", "retry: API error 429: Slow down", throttled=True),
        AgentEvent("text", "Fixed."),
        AgentEvent("finished", "Fixed."),
    ]
    assert judged == Judgement(Outcome.SUCCESS, summary="Fixed.", session="s-1", model="m-1")


FALSE: dict[str, tuple[list[object], Exit, Fault | None, str]] = {
    "an error, then status 0": (
        [BEGIN, event("session.error", message="Authentication failed (HTTP 401)."), DONE],
        Exit(0), Fault.ENVIRONMENT, "Authentication failed (HTTP 401).",
    ),
    "another status in the stream": ([BEGIN, {**DONE, "exitCode": 1}], Exit(0), Fault.AGENT, "status 1"),
    "no status in the stream": ([BEGIN, {"type": "result"}], Exit(0), Fault.AGENT, "ended with no status"),
    "stopped by us": ([BEGIN, DONE], Exit(0, stopped="interrupt"), None, "stopped: interrupt"),
    "only the wrapper ended": ([BEGIN, DONE], Exit(None, signal=2), Fault.AGENT, "killed by signal 2"),
    "cut stream": ([BEGIN, said("I")], Exit(0), Fault.AGENT, "before its work was done"),
}  # fmt: skip


@pytest.mark.parametrize("name", FALSE)
def test_false_success(name: str) -> None:
    events, ended, fault, detail = FALSE[name]
    _, judged = play(opened("copilot"), *events, ended=ended)
    assert (judged.outcome, judged.fault) == (Outcome.FAILED, fault)
    assert detail in judged.detail
    assert not judged.transient


def test_what_may_pass() -> None:
    failure = event("model.call_failure", statusCode=503, errorMessage="busy")
    error = event("session.error", errorType="query", message="Failed after 5 retries (HTTP 503)")
    _, judged = play(opened("copilot"), BEGIN, failure, error, {**DONE, "exitCode": 1}, ended=Exit(1))
    assert judged.transient and not judged.throttled
    # An error that it got over is none.
    assert play(opened("copilot"), BEGIN, error, said("Fixed."), DONE)[1].outcome is Outcome.SUCCESS


def test_everything_denied_yet_status_0() -> None:
    refusal = {"message": "Permission denied", "code": "denied"}
    denied = event("tool.execution_complete", toolCallId="c-1", success=False, error=refusal)
    _, judged = play(opened("copilot"), BEGIN, used("bash", command="rm x"), denied, DONE)
    assert (judged.outcome, judged.blocked, judged.detail) == (Outcome.SUCCESS, True, "denied: bash (rm x)")


RECORDED = [
    ("copilot-success", Exit(0), Outcome.SUCCESS),
    ("copilot-edit-read", Exit(0), Outcome.SUCCESS),
    ("copilot-parallel", Exit(0), Outcome.SUCCESS),
    ("copilot-api-429-then-ok", Exit(0), Outcome.SUCCESS),
    ("copilot-denied", Exit(0), Outcome.SUCCESS),
    ("copilot-stdin-pipe-open", Exit(0), Outcome.SUCCESS),
    ("copilot-api-401", Exit(1), Outcome.FAILED),
    ("copilot-sigint", Exit(None, signal=2), Outcome.FAILED),
    ("copilot-sigterm", Exit(None, signal=15), Outcome.FAILED),
    ("copilot-sigterm-pg", Exit(None, signal=15), Outcome.FAILED),
    ("copilot-sigterm-mid-stream", Exit(None, signal=15), Outcome.FAILED),
]


@needs_transcripts
@pytest.mark.parametrize(("name", "ended", "outcome"), RECORDED)
def test_recorded_runs(name: str, ended: Exit, outcome: Outcome) -> None:
    events, judged = play(opened("copilot"), *recorded(f"{name}.jsonl"), ended=ended)
    assert events[0].kind == "started"
    assert judged.outcome is outcome, judged
    assert judged.blocked == ("denied" in name)
    assert not judged.transient
    if outcome is Outcome.SUCCESS:
        assert judged.session and judged.summary
        assert [event.throttled for event in events].count(True) == (2 if "429" in name else 0)
