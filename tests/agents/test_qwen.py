"""Qwen Code's adapter: command line, stream, and its false successes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from orchestra.model.agents import AgentEvent, Judgement, Resume
from orchestra.model.outcomes import Exit, Fault, Outcome, Usage
from tests.agents.streams import ORDER, needs_transcripts, opened, play, recorded

# The shapes are those of the real stream; the content is made up.
INIT = {
    "type": "system",
    "subtype": "init",
    "session_id": "s-1",
    "model": "q-1",
    "qwen_code_version": "9.9",
}
USAGE = {"input_tokens": 1000, "output_tokens": 50, "cache_read_input_tokens": 700, "total_tokens": 1050}


def said(*content: object) -> dict[str, object]:
    blocks = [{"type": "text", "text": each} if isinstance(each, str) else each for each in content]
    return {"type": "assistant", "session_id": "s-1", "message": {"content": blocks}}


def used(name: str, **given: object) -> dict[str, object]:
    return {"type": "tool_use", "id": "c-1", "name": name, "input": given}


def result(**changes: object) -> dict[str, object]:
    event = {"type": "result", "subtype": "success", "is_error": False, "result": "Fixed.", "usage": USAGE}
    return {**event, "permission_denials": [], **changes}


def test_command_line() -> None:
    invocation = opened("qwen", model="q-1", max_turns=9, args=("--debug",)).invocation
    assert invocation.argv == (
        "qwen", "--output-format", "stream-json", "--approval-mode", "auto-edit",
        "--allowed-tools=run_shell_command(pytest -q tests/test_a.py)", "--model", "q-1",
        "--max-session-turns", "9", "--debug",
    )  # fmt: skip
    assert invocation.stdin_file == "/state/prompt.md"


def test_what_it_may_do() -> None:
    full = opened("qwen", permissions="full").invocation.argv
    judge = opened("qwen", replace(ORDER, readonly=True), permissions="full").invocation.argv
    assert (full[4], judge[4]) == ("yolo", "plan")
    assert not [word for word in (*full, *judge) if "allowed-tools" in word]


def test_stream_of_a_success() -> None:
    events, judged = play(
        opened("qwen"),
        INIT,
        said("I will look."),
        said(used("read_file", file_path="/slots/1/a.py")),
        {"type": "user", "message": {"content": [{"type": "tool_result", "content": "x"}]}},
        said(used("edit", file_path="/slots/1/a.py"), used("run_shell_command", command="pytest")),
        said("Fixed."),
        result(),
    )
    assert events == [
        AgentEvent("started", "qwen 9.9 q-1"),
        AgentEvent("text", "I will look."),
        AgentEvent("tool", "", "read_file", ("/slots/1/a.py",), "read"),
        AgentEvent("tool", "", "edit", ("/slots/1/a.py",), "write"),
        AgentEvent("tool", "pytest", "run_shell_command"),
        AgentEvent("text", "Fixed."),
        AgentEvent("usage", "1000 tokens in, 50 out"),
        AgentEvent("finished", "Fixed."),
    ]
    assert judged == Judgement(
        Outcome.SUCCESS, summary="Fixed.", usage=Usage(300, 50, 700), session="s-1", model="q-1"
    )


def test_usage_after_a_resume_is_that_of_the_run() -> None:
    session = opened("qwen", replace(ORDER, resume=Resume("s-1", Usage(200, 30, 500))))
    assert session.invocation.argv[-2:] == ("--resume", "s-1")
    assert play(session, INIT, result())[1].usage == Usage(100, 20, 200)


FALSE: dict[str, tuple[list[object], Exit, Fault | None, str]] = {
    "401 told as a success": (
        [INIT, said("[API Error: 401 bad key]"), result(result="[API Error: 401 bad key]")],
        Exit(0), Fault.ENVIRONMENT, "[API Error: 401 bad key]",
    ),
    "is_error": ([INIT, result(is_error=True)], Exit(0), Fault.AGENT, "error: Fixed."),
    "no is_error": ([INIT, result(is_error=None)], Exit(0), Fault.AGENT, "error: Fixed."),
    "turn limit": (
        [INIT, result(subtype="error_max_turns", is_error=True, error={"message": "9 turns"})],
        Exit(53), Fault.AGENT, "error_max_turns: 9 turns",
    ),
    "no subtype": ([INIT, result(subtype=None)], Exit(0), Fault.AGENT, "result without a subtype"),
    "stopped by us": ([INIT, result()], Exit(0, stopped="timeout"), None, "stopped: timeout"),
    "only the wrapper ended": ([INIT, result()], Exit(None, signal=15), Fault.AGENT, "killed by signal 15"),
    "cut stream": ([INIT, said("I")], Exit(0), Fault.AGENT, "before its work was done"),
}  # fmt: skip


@pytest.mark.parametrize("name", FALSE)
def test_false_success(name: str) -> None:
    events, ended, fault, detail = FALSE[name]
    _, judged = play(opened("qwen"), *events, ended=ended)
    assert (judged.outcome, judged.fault) == (Outcome.FAILED, fault)
    assert detail in judged.detail
    assert not judged.transient


@pytest.mark.parametrize(
    ("answer", "throttled"),
    [("[API Error: 429 Rate limit, try again in 8 s]", True), ("[API Error: Connection error.]", False)],
)
def test_what_may_pass(answer: str, throttled: bool) -> None:
    _, judged = play(opened("qwen"), INIT, result(result=answer))
    assert judged.transient and judged.throttled is throttled
    assert judged.retry_after == (8.0 if throttled else None)


def test_everything_denied_yet_status_0() -> None:
    denial = {"tool_name": "run_shell_command", "tool_use_id": "c-1", "tool_input": {"command": "rm x"}}
    _, judged = play(opened("qwen"), INIT, result(permission_denials=[denial, "odd"]))
    assert (judged.outcome, judged.blocked) == (Outcome.SUCCESS, True)
    assert judged.detail == "denied: run_shell_command (rm x), a tool"


RECORDED = [
    ("qwen-success", Exit(0), Outcome.SUCCESS),
    ("qwen-edit-read", Exit(0), Outcome.SUCCESS),
    ("qwen-parallel", Exit(0), Outcome.SUCCESS),
    ("qwen-api-429-then-ok", Exit(0), Outcome.SUCCESS),
    ("qwen-denied", Exit(0), Outcome.SUCCESS),
    (
        "qwen-sigint",
        Exit(0),
        Outcome.SUCCESS,
    ),  # its command had been refused: it was done before the signal came
    ("qwen-stdin-pipe-open", Exit(0), Outcome.SUCCESS),
    ("qwen-api-401", Exit(0), Outcome.FAILED),
    ("qwen-sigkill", Exit(None, signal=9), Outcome.FAILED),
    ("qwen-sigterm", Exit(None, signal=15), Outcome.FAILED),
    ("qwen-sigterm-pg", Exit(None, signal=15), Outcome.FAILED),
    ("qwen-sigterm-mid-stream", Exit(None, signal=15), Outcome.FAILED),
]


@needs_transcripts
@pytest.mark.parametrize(("name", "ended", "outcome"), RECORDED)
def test_recorded_runs(name: str, ended: Exit, outcome: Outcome) -> None:
    events, judged = play(opened("qwen"), *recorded(f"{name}.jsonl"), ended=ended)
    assert events[0].kind == "started"
    assert judged.outcome is outcome, judged
    assert judged.session and judged.model == "fake-model" and not judged.transient
    if outcome is Outcome.SUCCESS:
        assert judged.usage.tokens and judged.summary
