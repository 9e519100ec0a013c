"""Gemini CLI's adapter: command line, stream, and its false successes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from orchestra.agents.gemini import check_rule
from orchestra.model.agents import AgentEvent, Judgement, Resume
from orchestra.model.outcomes import Exit, Fault, Outcome, Usage
from tests.agents.streams import ORDER, needs_transcripts, opened, play, recorded

# The shapes are those of the real stream; the content is made up.
INIT = {"type": "init", "session_id": "s-1", "model": "gem-1"}
ASKED = {"type": "message", "role": "user", "content": "Fix it."}
STATS = {"total_tokens": 1060, "input_tokens": 1000, "output_tokens": 50, "cached": 700}
DONE = {"type": "result", "status": "success", "stats": STATS}


def said(text: str, **more: object) -> dict[str, object]:
    return {"type": "message", "role": "assistant", "content": text, "delta": True, **more}


def used(name: str, identity: str = "c-1", **given: object) -> dict[str, object]:
    return {"type": "tool_use", "tool_name": name, "tool_id": identity, "parameters": given}


def failed(message: str) -> dict[str, object]:
    return {
        "type": "result",
        "status": "error",
        "error": {"type": "unknown", "message": message},
        "stats": {},
    }


def test_command_line() -> None:
    invocation = opened("gemini", model="gem-1", args=("--debug",)).invocation
    assert invocation.argv == (
        "gemini", "--output-format", "stream-json", "--approval-mode", "auto_edit",
        "--allowed-tools=run_shell_command(pytest -q tests/test_a.py)", "--model", "gem-1", "--debug",
    )  # fmt: skip
    assert invocation.stdin_file == "/state/prompt.md"
    assert invocation.env == (("GEMINI_CLI_TRUST_WORKSPACE", "true"),)
    assert opened("gemini", env=(("GEMINI_CLI_TRUST_WORKSPACE", "false"),)).invocation.env == ()


def test_what_it_may_do() -> None:
    def mode(*, readonly: bool = False, **spec: object) -> str:
        argv = opened("gemini", replace(ORDER, readonly=readonly), **spec).invocation.argv
        assert argv[4] == "auto_edit" or not [word for word in argv if "allowed" in word]
        return argv[4]

    assert mode() == "auto_edit"
    assert mode(permissions="full") == "yolo"
    assert mode(permissions="full", readonly=True) == "plan"


@pytest.mark.parametrize(
    ("check", "rule"),
    [
        (None, None),
        (" ", None),
        ("make test\n", "run_shell_command(make test)"),
        ("f(a, b)", None),  # rules are split at commas: `b)` would be one
        ("make a\nmake b", None),
    ],
)
def test_check_rule(check: str | None, rule: str | None) -> None:
    assert check_rule(check) == rule


def test_stream_of_a_success() -> None:
    order = replace(ORDER, resume=Resume("s-1", Usage(5000, 9, 9)))
    session = opened("gemini", order)
    assert session.invocation.argv[-2:] == ("--resume", "s-1")
    events, judged = play(
        session,
        INIT,
        ASKED,
        said("I will "),
        said("look."),
        used("read_file", file_path="a.py"),
        {"type": "tool_result", "tool_id": "c-1", "status": "success"},
        used("grep_search", pattern="def f", dir_path="src"),
        used("replace", file_path="/slots/1/a.py", old_string="x"),
        used("run_shell_command", command="pytest -q\n tests"),
        {"type": "loop_detected"},
        said("Fixed."),
        DONE,
    )
    assert events == [
        AgentEvent("started", "gemini gem-1"),
        AgentEvent("text", "I will look."),
        AgentEvent("tool", "", "read_file", ("a.py",), "read"),
        AgentEvent("tool", "def f", "grep_search", ("src",), "read"),
        AgentEvent("tool", "", "replace", ("/slots/1/a.py",), "write"),
        AgentEvent("tool", "pytest -q tests", "run_shell_command"),
        AgentEvent("text", "Fixed."),
        AgentEvent("usage", "1000 tokens in, 60 out"),
        AgentEvent("finished", "Fixed."),
    ]
    # What it thought (10 tokens that are neither input nor output) is paid as output; the session's past is not in it.
    usage = Usage(input_tokens=300, output_tokens=60, cache_read_tokens=700)
    assert judged == Judgement(Outcome.SUCCESS, summary="Fixed.", usage=usage, session="s-1", model="gem-1")


FALSE: dict[str, tuple[list[object], Exit, Fault | None, str]] = {
    "ended by a signal to its group": ([INIT, said("I am")], Exit(0), Fault.AGENT, "before its work was done"),
    "stopped by us": ([INIT, DONE], Exit(0, stopped="stall"), None, "stopped: stall"),
    "success, then killed": ([INIT, DONE], Exit(None, signal=9), Fault.ENVIRONMENT, "killed by signal 9"),
    "error with status 0": ([INIT, failed("No.")], Exit(0), Fault.AGENT, "No."),
    "no status": ([INIT, {"type": "result"}], Exit(0), Fault.AGENT, "ended with no status"),
    "success, then an error": ([INIT, DONE, failed("No.")], Exit(0), Fault.AGENT, "No."),
    "nothing": ([], Exit(0), Fault.AGENT, "exit status 0"),
}  # fmt: skip


@pytest.mark.parametrize("name", FALSE)
def test_false_success(name: str) -> None:
    events, ended, fault, detail = FALSE[name]
    _, judged = play(opened("gemini"), *events, ended=ended)
    assert (judged.outcome, judged.fault) == (Outcome.FAILED, fault)
    assert detail in judged.detail
    assert not judged.transient


@pytest.mark.parametrize(
    ("message", "transient", "throttled", "wait"),
    [
        ('[API Error: {"error":{"code":401,"message":"bad key","status":"INTERNAL"}}]', False, False, None),
        ('[API Error: {"error":{"code":503,"message":"The model is overloaded."}}]', True, True, None),
        (
            "You exceeded your current quota, check your plan and billing. Please retry in 34.5s.",
            True,
            True,
            34.5,
        ),
        ("[API Error: fetch failed]", True, False, None),
    ],
)
def test_what_may_pass(message: str, transient: bool, throttled: bool, wait: float | None) -> None:
    _, judged = play(opened("gemini"), INIT, failed(message), ended=Exit(145))
    assert (judged.outcome, judged.fault) == (Outcome.FAILED, Fault.ENVIRONMENT)
    assert (judged.transient, judged.throttled, judged.retry_after) == (transient, throttled, wait)


def test_everything_denied_yet_status_0() -> None:
    error = {"type": "policy_violation", "message": "Tool execution denied by policy."}
    denied = {"type": "tool_result", "tool_id": "c-1", "status": "error", "error": error}
    _, judged = play(opened("gemini"), INIT, used("run_shell_command", command="rm x"), denied, DONE)
    assert (judged.outcome, judged.blocked) == (Outcome.SUCCESS, True)
    assert judged.detail == "denied: run_shell_command (rm x)"


def test_the_last_word_of_a_cut_stream_is_kept() -> None:
    assert play(opened("gemini"), INIT, said("I am a"), ended=Exit(None, signal=9))[1].summary == "I am a"


RECORDED = [
    ("gemini-success", Exit(0), Outcome.SUCCESS),
    ("gemini-edit-read", Exit(0), Outcome.SUCCESS),
    ("gemini-parallel", Exit(0), Outcome.SUCCESS),
    ("gemini-api-429-then-ok", Exit(0), Outcome.SUCCESS),
    ("gemini-denied", Exit(0), Outcome.SUCCESS),  # tools that are not offered are no denial; the empty diff tells
    ("gemini-api-401", Exit(145), Outcome.FAILED),
    ("gemini-sigint", Exit(None, signal=9), Outcome.FAILED),
    ("gemini-sigkill", Exit(None, signal=9), Outcome.FAILED),
    ("gemini-sigterm", Exit(None, signal=9), Outcome.FAILED),
    ("gemini-sigterm-pg", Exit(0), Outcome.FAILED),
    ("gemini-sigterm-mid-stream", Exit(None, signal=9), Outcome.FAILED),
    ("gemini-stdin-pipe-open", Exit(0), Outcome.SUCCESS),
]  # fmt: skip


@needs_transcripts
@pytest.mark.parametrize(("name", "ended", "outcome"), RECORDED)
def test_recorded_runs(name: str, ended: Exit, outcome: Outcome) -> None:
    events, judged = play(opened("gemini"), *recorded(f"{name}.jsonl"), ended=ended)
    assert events[0].kind == "started"
    assert judged.outcome is outcome, judged
    assert judged.session and not judged.transient
    if outcome is Outcome.SUCCESS:
        assert judged.usage.tokens and judged.summary
