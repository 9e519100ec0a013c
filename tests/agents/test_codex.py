"""Codex's adapter: command line, stream, and above all its false successes."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from orchestra.model.agents import AgentEvent, Judgement, Resume
from orchestra.model.outcomes import Exit, Fault, Outcome, Usage
from tests.agents.streams import ORDER, needs_transcripts, opened, play, recorded

# The shapes are those of the real stream; the content is made up.
BEGIN: tuple[object, ...] = ({"type": "thread.started", "thread_id": "t-1"}, {"type": "turn.started"})
DONE = {
    "type": "turn.completed",
    "usage": {"input_tokens": 900, "cached_input_tokens": 600, "output_tokens": 40},
}


def item(kind: str, *, done: bool = True, identity: str = "item_0", **more: object) -> dict[str, object]:
    what = {"id": identity, "type": kind, **more}
    return {"type": "item.completed" if done else "item.started", "item": what}


def said(text: str) -> dict[str, object]:
    return item("agent_message", identity="item_9", text=text)


def ran(command: str, output: str = "", *, done: bool = True, identity: str = "item_1") -> dict[str, object]:
    return item("command_execution", done=done, identity=identity, command=command, aggregated_output=output)


def error(message: str) -> dict[str, object]:
    return {"type": "error", "message": message}


def failed(message: str) -> dict[str, object]:
    return {"type": "turn.failed", "error": {"message": message}}


def test_command_line() -> None:
    invocation = opened("codex", model="gpt-x", args=("--add-dir", "/data")).invocation
    assert invocation.argv == (
        "codex", "exec", "--json", "--skip-git-repo-check",
        "-c", "check_for_update_on_startup=false", "-c", "analytics.enabled=false",
        "--sandbox", "workspace-write", "--model", "gpt-x", "--add-dir", "/data", "-",
    )  # fmt: skip
    assert invocation.stdin_file == "/state/prompt.md"


def test_a_session_goes_on_with_its_own_options() -> None:
    order = replace(ORDER, resume=Resume("t-1", Usage()))
    assert opened("codex", order, args=("-x",)).invocation.argv[-6:] == (
        "--sandbox", "workspace-write", "-x", "resume", "t-1", "-",
    )  # fmt: skip


@pytest.mark.parametrize("permissions", ["edit", "full"])
def test_who_judges_can_write_nothing(permissions: str) -> None:
    argv = opened("codex", replace(ORDER, readonly=True), permissions=permissions).invocation.argv
    assert argv[argv.index("--sandbox") + 1] == "read-only"
    assert not [word for word in argv if "dangerously" in word]


def test_full_permissions_are_without_a_sandbox() -> None:
    argv = opened("codex", permissions="full").invocation.argv
    assert "--dangerously-bypass-approvals-and-sandbox" in argv
    assert "--sandbox" not in argv


def test_stream_of_a_success() -> None:
    changes = [{"path": "/slots/1/a.py", "kind": "update"}, {"path": "/slots/1/b.py", "kind": "add"}, "odd"]
    events, judged = play(
        opened("codex"),
        *BEGIN,
        said("I will look."),
        ran("/bin/bash -lc 'cat a.py'", done=False),
        ran("/bin/bash -lc 'cat a.py'", "x = 1\n"),
        item("file_change", done=False, identity="item_2", changes=changes),
        item("file_change", identity="item_2", changes=changes),
        ran("ls", identity="item_3"),
        item("reasoning", identity="item_4", text="hm"),
        item("error", identity="item_5", message="Model metadata not found"),
        item("mcp_tool_call", identity="item_6", server="docs", tool="look_up"),
        item("web_search", identity="item_7", query="how to"),
        said("Fixed."),
        DONE,
    )
    assert events == [
        AgentEvent("started", "codex t-1"),
        AgentEvent("text", "I will look."),
        AgentEvent("tool", "/bin/bash -lc 'cat a.py'", "shell", ("a.py",), "read"),
        AgentEvent("tool", "update, add", "apply_patch", ("/slots/1/a.py", "/slots/1/b.py"), access="write"),
        AgentEvent("tool", "ls", "shell"),
        AgentEvent("tool", "", "look_up"),
        AgentEvent("tool", "how to", "web_search"),
        AgentEvent("text", "Fixed."),
        AgentEvent("usage", "900 tokens in, 40 out"),
        AgentEvent("finished", "Fixed."),
    ]
    usage = Usage(input_tokens=300, output_tokens=40, cache_read_tokens=600)
    assert judged == Judgement(Outcome.SUCCESS, summary="Fixed.", usage=usage, session="t-1")


# Each of these says success somewhere and is none: what came, how it ended, the fault, a part of the detail.
FALSE: dict[str, tuple[list[object], Exit, Fault | None, str]] = {
    "done after our own SIGTERM": ([*BEGIN, DONE], Exit(0, stopped="timeout"), None, "stopped: timeout"),
    "only the wrapper was killed": ([*BEGIN, DONE], Exit(None, signal=9), Fault.ENVIRONMENT, "signal 9"),
    "done, then status 1": ([*BEGIN, DONE], Exit(1), Fault.AGENT, "exit status 1 after an end"),
    "failed with status 0": ([*BEGIN, failed("No.")], Exit(0), Fault.AGENT, "No."),
    "done, then failed": ([*BEGIN, DONE, failed("No.")], Exit(0), Fault.AGENT, "No."),
    "failed without a word": ([*BEGIN, {"type": "turn.failed"}], Exit(0), Fault.AGENT, "the turn failed"),
    "hung before the first byte": ([*BEGIN], Exit(None, signal=15, stopped="stall"), None, "stopped: stall"),
    "cut off": ([*BEGIN, said("I"), json.dumps(DONE)[:-9]], Exit(0), Fault.AGENT, "before its work was done"),
    "nothing at all": ([], Exit(0), Fault.AGENT, "exit status 0"),
    "no JSON": (["Reading", "turn.completed"], Exit(0), Fault.AGENT, "exit status 0: turn.completed"),
    "an end in a list": ([[DONE]], Exit(0), Fault.AGENT, "before its work was done"),
    "no program": ([], Exit(127), Fault.ENVIRONMENT, "exit status 127"),
}  # fmt: skip


@pytest.mark.parametrize("name", FALSE)
def test_false_success(name: str) -> None:
    events, ended, fault, detail = FALSE[name]
    _, judged = play(opened("codex"), *events, ended=ended)
    assert (judged.outcome, judged.fault) == (Outcome.FAILED, fault)
    assert detail in judged.detail and "\n" not in judged.detail
    assert not judged.transient


@pytest.mark.parametrize(
    ("message", "transient", "throttled", "wait"),
    [
        ("exceeded retry limit, last status: 429 Too Many Requests", True, True, None),
        ("Rate limit reached. Please try again in 1m 2.5s.", True, True, 62.5),
        ("We are currently experiencing high demand, which may cause temporary errors.", True, False, None),
        ("stream disconnected before completion: network error", True, False, None),
        ("unexpected status 401 Unauthorized: wrong key, url: http://127.0.0.1:5000/v1", False, False, None),
        ("You exceeded your current quota, check your plan and billing details.", False, False, None),
    ],
)
def test_what_may_pass(message: str, transient: bool, throttled: bool, wait: float | None) -> None:
    _, judged = play(opened("codex"), *BEGIN, error(message), failed(message), ended=Exit(1))
    assert (judged.outcome, judged.fault) == (Outcome.FAILED, Fault.ENVIRONMENT)
    assert judged.detail == message
    assert (judged.transient, judged.throttled, judged.retry_after) == (transient, throttled, wait)


def test_waiting_for_the_service() -> None:
    first = "Reconnecting... 1/2 (exceeded retry limit, last status: 429 Too Many Requests)"
    second = "Reconnecting... 2/2 (stream disconnected before completion)"
    events, judged = play(opened("codex"), *BEGIN, error(first), error(second), DONE)
    assert events[1:3] == [
        AgentEvent("waiting", first, throttled=True),
        AgentEvent("waiting", second),
    ]
    assert judged.outcome is Outcome.SUCCESS
    # Without an end it is the last word that tells why.
    _, judged = play(opened("codex"), *BEGIN, error(first), ended=Exit(1))
    assert judged.transient and judged.throttled and first in judged.detail


def test_all_refused_yet_status_0() -> None:
    refused = "touch: cannot touch 'a.txt': Read-only file system\nran\n"
    _, judged = play(opened("codex"), *BEGIN, ran("touch a.txt; echo ran", refused), said("Done."), DONE)
    assert judged.outcome is Outcome.SUCCESS  # whether it blocks, the result and the check tell
    assert judged.blocked
    assert judged.detail == "denied: touch a.txt; echo ran"


def test_that_git_cannot_write_is_no_refusal() -> None:
    words = "fatal: Unable to create '/repo/.git/index.lock': Read-only file system"
    _, judged = play(opened("codex"), *BEGIN, ran("git add -A", words), DONE)
    assert not judged.blocked


@pytest.mark.parametrize(
    ("before", "used"),
    [
        (Usage(200, 30, 500), Usage(100, 10, 100)),
        (Usage(), Usage(300, 40, 600)),
        # Less than before: it does not count the whole session, then it counts this run.
        (Usage(5000, 30, 500), Usage(300, 40, 600)),
    ],
)
def test_usage_after_a_resume_is_that_of_the_run(before: Usage, used: Usage) -> None:
    session = opened("codex", replace(ORDER, resume=Resume("t-1", before)))
    events, judged = play(session, *BEGIN, DONE)
    assert judged.usage == used
    taken = (used.input_tokens or 0) + (used.cache_read_tokens or 0)
    assert AgentEvent("usage", f"{taken} tokens in, {used.output_tokens} out") in events


def test_a_killed_run_tells_no_usage() -> None:
    assert play(opened("codex"), *BEGIN, said("a"), ended=Exit(None, signal=9))[1].usage == Usage()


# How the recorded runs ended (results.json beside them): name, exit, and how that must be judged.
RECORDED = [
    ("codex-success", Exit(0), Outcome.SUCCESS),
    ("codex-edit-read", Exit(0), Outcome.SUCCESS),
    ("codex-parallel", Exit(0), Outcome.SUCCESS),
    ("codex-code-mode", Exit(0), Outcome.SUCCESS),
    ("codex-api-429-then-ok", Exit(0), Outcome.SUCCESS),
    ("codex-denied", Exit(0), Outcome.SUCCESS),
    ("codex-stdin-closed", Exit(0), Outcome.SUCCESS),
    ("codex-api-401", Exit(1), Outcome.FAILED),
    ("codex-api-500-forever", Exit(1), Outcome.FAILED),
    ("codex-bad-json", Exit(1), Outcome.FAILED),
    ("codex-cut", Exit(1), Outcome.FAILED),
    ("codex-hang", Exit(None, signal=9), Outcome.FAILED),
    ("codex-sigint", Exit(1), Outcome.FAILED),
    ("codex-sigkill", Exit(None, signal=9), Outcome.FAILED),
    ("codex-sigterm", Exit(None, signal=15), Outcome.FAILED),
    ("codex-sigterm-mid-stream", Exit(None, signal=15), Outcome.FAILED),
]


@needs_transcripts
@pytest.mark.parametrize(("name", "ended", "outcome"), RECORDED)
def test_recorded_runs(name: str, ended: Exit, outcome: Outcome) -> None:
    events, judged = play(opened("codex"), *recorded(f"{name}.jsonl"), ended=ended)
    assert events[0].kind == "started"
    assert judged.outcome is outcome, judged
    assert judged.blocked == ("denied" in name)
    assert judged.session
    assert judged.transient == any(word in name for word in ("500", "bad-json", "cut"))
    if outcome is Outcome.SUCCESS:
        assert judged.usage.tokens and judged.usage.usd is None
        assert [event.kind for event in events].count("finished") == 1
