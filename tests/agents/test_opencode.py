"""OpenCode's adapter: command line, stream, and its false successes."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from orchestra.model.agents import AgentEvent, Judgement, Resume
from orchestra.model.outcomes import Exit, Fault, Outcome, Usage
from tests.agents.streams import ORDER, needs_transcripts, opened, play, recorded

REFUSED = "The user rejected permission to use this specific tool call."


# The shapes are those of the real stream; the content is made up.
def event(kind: str, **part: object) -> dict[str, object]:
    return {"type": kind, "sessionID": "ses_1", "part": part}


BEGIN = event("step_start")


def finish(reason: str = "stop", cost: float = 0.25) -> dict[str, object]:
    tokens = {"total": 160, "input": 20, "output": 30, "reasoning": 5, "cache": {"read": 100, "write": 5}}
    return event("step_finish", reason=reason, tokens=tokens, cost=cost)


def used(name: str, error: str = "", **given: object) -> dict[str, object]:
    state = {"status": "error" if error else "completed", "input": given, "error": error}
    return event("tool_use", tool=name, state=state)


def failed(message: str, status: int | None = None, **headers: str) -> dict[str, object]:
    data = {"message": message, "statusCode": status, "responseHeaders": headers}
    return {"type": "error", "sessionID": "ses_1", "error": {"name": "APIError", "data": data}}


def rules(check: str | None = None, *, readonly: bool = False, **spec: object) -> object:
    order = replace(ORDER, readonly=readonly, check=check)
    found = dict(opened("opencode", order, **spec).invocation.env).get("OPENCODE_PERMISSION")
    return found and json.loads(found)


def test_command_line() -> None:
    order = replace(ORDER, resume=Resume("ses_1", Usage()))
    invocation = opened("opencode", order, model="some/m-1", args=("--pure",)).invocation
    assert invocation.argv == (
        "opencode", "run", "--format", "json", "--model", "some/m-1", "--session", "ses_1", "--pure",
    )  # fmt: skip
    assert invocation.stdin_file == "/state/prompt.md"
    assert ("OPENCODE_DISABLE_AUTOUPDATE", "1") in invocation.env


def test_what_it_may_do() -> None:
    only_edit = {"edit": "allow", "bash": {"*": "deny"}}
    assert rules(check="make test") == {"edit": "allow", "bash": {"*": "deny", "make test": "allow"}}
    assert rules(check=None) == rules(check="ls *.py") == rules(check="a?") == only_edit
    assert rules(permissions="full") is None
    assert rules(permissions="full", readonly=True) == {"edit": "deny", "bash": "deny"}
    assert "--auto" in opened("opencode", permissions="full").invocation.argv
    order = replace(ORDER, readonly=True)
    assert "--auto" not in opened("opencode", order, permissions="full").invocation.argv


def test_stream_of_a_success() -> None:
    events, judged = play(
        opened("opencode"),
        BEGIN,
        event("text", text="I will look."),
        used("read", filePath="/slots/1/a.py"),
        finish("tool-calls"),
        BEGIN,
        used("edit", filePath="/slots/1/a.py"),
        used("bash", command="pytest -q"),
        used("grep", pattern="def", path="src"),
        finish("tool-calls"),
        BEGIN,
        event("text", text="Fixed."),
        finish(),
    )
    assert events == [
        AgentEvent("started", "opencode ses_1"),
        AgentEvent("text", "I will look."),
        AgentEvent("tool", "", "read", ("/slots/1/a.py",), "read"),
        AgentEvent("tool", "", "edit", ("/slots/1/a.py",), "write"),
        AgentEvent("tool", "pytest -q", "bash"),
        AgentEvent("tool", "def", "grep", ("src",), "read"),
        AgentEvent("text", "Fixed."),
        AgentEvent("usage", "375 tokens in, 105 out, 0.7500 USD"),
        AgentEvent("finished", "Fixed."),
    ]
    assert judged == Judgement(
        Outcome.SUCCESS, summary="Fixed.", usage=Usage(60, 105, 300, 15, 0.75), session="ses_1"
    )


def test_a_cost_of_nothing_is_no_cost() -> None:
    assert play(opened("opencode"), BEGIN, finish(cost=0))[1].usage == Usage(20, 35, 100, 5)


FALSE: dict[str, tuple[list[object], Exit, Fault | None, str]] = {
    "stopped at a tool": ([BEGIN, used("read"), finish("tool-calls")], Exit(0), Fault.AGENT, "before its work"),
    "in the middle of a step": ([BEGIN, finish(), BEGIN], Exit(0), Fault.AGENT, "before its work"),
    "the model was cut": ([BEGIN, finish("length")], Exit(0), Fault.AGENT, "broke off: length"),
    "no reason": ([BEGIN, event("step_finish")], Exit(0), Fault.AGENT, "broke off: no reason"),
    "an error with status 0": ([failed("bad key", 401)], Exit(0), Fault.ENVIRONMENT, "APIError 401: bad key"),
    "an error of another shape": ([{"type": "error"}], Exit(0), Fault.AGENT, "error"),
    "stopped by us": ([BEGIN, finish()], Exit(0, stopped="timeout"), None, "stopped: timeout"),
    "done, then killed": ([BEGIN, finish()], Exit(None, signal=15), Fault.AGENT, "killed by signal 15"),
    "nothing": ([], Exit(0), Fault.AGENT, "exit status 0"),
}  # fmt: skip


@pytest.mark.parametrize("name", FALSE)
def test_false_success(name: str) -> None:
    events, ended, fault, detail = FALSE[name]
    _, judged = play(opened("opencode"), *events, ended=ended)
    assert (judged.outcome, judged.fault) == (Outcome.FAILED, fault)
    assert detail in judged.detail
    assert not judged.transient


@pytest.mark.parametrize(
    ("error", "throttled", "wait"),
    [
        (failed("slow down", 429, **{"retry-after": "7"}), True, 7.0),
        (failed("overloaded", 529), True, None),
        (failed("oops", 502), False, None),
        (failed("Unable to connect: connection refused"), False, None),
    ],
)
def test_what_may_pass(error: object, throttled: bool, wait: float | None) -> None:
    _, judged = play(opened("opencode"), BEGIN, error, ended=Exit(1))
    assert (judged.transient, judged.throttled, judged.retry_after) == (True, throttled, wait)


def test_what_could_not_begin_may_well_do_so_later() -> None:
    # Its database is locked while another one sets it up; that stands on standard error alone.
    _, judged = play(opened("opencode"), ended=Exit(1))
    assert (judged.outcome, judged.fault, judged.transient) == (Outcome.FAILED, Fault.ENVIRONMENT, True)
    assert not play(opened("opencode"), BEGIN, ended=Exit(1))[1].transient
    assert not play(opened("opencode"), ended=Exit(127))[1].transient


@pytest.mark.parametrize(
    "words", [REFUSED, "The user has specified a rule which prevents you from using this"]
)
def test_everything_denied_yet_status_0(words: str) -> None:
    events = [BEGIN, used("bash", words, command="rm x"), finish("tool-calls")]
    _, judged = play(opened("opencode"), *events)
    assert (judged.outcome, judged.blocked) == (Outcome.SUCCESS, True)
    assert judged.detail == "denied: bash (rm x)"
    # A tool that failed was not refused.
    assert not play(opened("opencode"), BEGIN, used("bash", "no such file", command="x"), finish())[1].blocked


RECORDED = [
    ("opencode-success", Exit(0), Outcome.SUCCESS),
    ("opencode-edit-read", Exit(0), Outcome.SUCCESS),
    ("opencode-api-429-then-ok", Exit(0), Outcome.SUCCESS),
    ("opencode-denied", Exit(0), Outcome.SUCCESS),
    ("opencode-api-401", Exit(1), Outcome.FAILED),
    ("opencode-sigkill", Exit(None, signal=9), Outcome.FAILED),
    ("opencode-sigterm", Exit(None, signal=15), Outcome.FAILED),
]


@needs_transcripts
@pytest.mark.parametrize(("name", "ended", "outcome"), RECORDED)
def test_recorded_runs(name: str, ended: Exit, outcome: Outcome) -> None:
    _, judged = play(opened("opencode"), *recorded(f"{name}.jsonl"), ended=ended)
    assert judged.outcome is outcome, judged
    assert judged.blocked == ("denied" in name)
    assert judged.session and not judged.transient
    if outcome is Outcome.SUCCESS:
        assert judged.usage.tokens and judged.usage.usd
