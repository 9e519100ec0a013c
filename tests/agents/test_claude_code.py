"""Claude Code's adapter: command line, stream, and above all its false successes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestra.agents.claude_code import ClaudeCodeAgent, check_rule
from orchestra.model.agents import AgentEvent, Judgement, Order, Session
from orchestra.model.outcomes import Exit, Fault, Outcome, Usage
from orchestra.model.tasks import AgentSpec

TRANSCRIPTS = Path(__file__).parents[3] / "shared" / "agents" / "transcripts"
ORDER = Order("fix", "Fix it.", "/state/prompt.md", "/slots/1", check="pytest -q tests/test_a.py")

# The shapes are those of the real stream; the content is made up.
USAGE = {
    "input_tokens": 100,
    "cache_creation_input_tokens": 20,
    "cache_read_input_tokens": 300,
    "output_tokens": 1,
}
INIT = {
    "type": "system",
    "subtype": "init",
    "model": "m-1",
    "claude_code_version": "9.9",
    "session_id": "s-1",
}


def said(text: str, message: str = "msg-1", **more: object) -> dict[str, object]:
    content = [{"type": "text", "text": text}]
    return {"type": "assistant", "message": {"id": message, "content": content, "usage": USAGE}, **more}


def used(name: str, message: str = "msg-1", **given: object) -> dict[str, object]:
    content = [{"type": "tool_use", "id": "t-1", "name": name, "input": given}]
    return {"type": "assistant", "message": {"id": message, "content": content, "usage": USAGE}}


def result(**changes: object) -> dict[str, object]:
    event: dict[str, object] = {
        "type": "result",
        "subtype": "success",
        "is_error": False,
        "api_error_status": None,
        "result": "All done.",
        "session_id": "s-1",
        "total_cost_usd": 0.25,
        "usage": {**USAGE, "input_tokens": 200, "output_tokens": 50},
        "modelUsage": {},
        "permission_denials": [],
        "terminal_reason": "completed",
    }
    return {**event, **changes}


def session(**spec: object) -> Session:
    return ClaudeCodeAgent(AgentSpec("claude", "claude-code", **spec)).open(ORDER)  # type: ignore[arg-type]


GOOD = Exit(0)


def play(*events: object, ended: Exit = GOOD) -> tuple[list[AgentEvent], Judgement]:
    """What a session makes of these events (objects, or lines as they are)."""
    opened = session()
    seen: list[AgentEvent] = []
    for event in events:
        seen += opened.read(event if isinstance(event, str) else json.dumps(event))
    return seen, opened.judge(ended)


def test_command_line() -> None:
    order = session(model="sonnet", max_turns=80, args=("--add-dir", "/data")).invocation
    assert order.argv == (
        "claude",
        "-p",
        "--output-format",
        "stream-json",
        "--verbose",
        "--permission-mode",
        "acceptEdits",
        "--allowedTools=Bash(pytest -q tests/test_a.py)",
        "--model",
        "sonnet",
        "--max-turns",
        "80",
        "--add-dir",
        "/data",
    )
    assert order.stdin_file == "/state/prompt.md"
    assert ("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1") in order.env


def test_full_permissions_are_asked_for_by_name_and_never_claim_a_sandbox() -> None:
    order = session(permissions="full").invocation
    assert "--dangerously-skip-permissions" in order.argv
    assert not [word for word in order.argv if "acceptEdits" in word or "allowedTools" in word]
    assert "IS_SANDBOX" not in dict(order.env)


def test_what_the_person_sets_is_not_overridden() -> None:
    names = dict(session().invocation.env).keys()
    assert names == {
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC",
        "CLAUDE_CODE_MAX_RETRIES",
        "DISABLE_AUTOUPDATER",
    }
    for name in names:
        assert dict(session(env=((name, "0"),)).invocation.env).keys() == names - {name}
        assert dict(session(passes=(name,)).invocation.env).keys() == names - {name}


def test_another_program_can_stand_for_claude() -> None:
    assert session(command=("/opt/claude", "--bare")).invocation.argv[:3] == ("/opt/claude", "--bare", "-p")


@pytest.mark.parametrize(
    ("check", "rule"),
    [
        (None, None),
        ("  ", None),
        ("pytest -q\n", "Bash(pytest -q)"),
        ("make a && make b", "Bash(make a && make b)"),
        ("""python3 -c 'print("\\n")'""", """Bash(python3 -c 'print\\("\\\\n"\\)')"""),
        ("pytest tests/*.py", None),  # a star would be a wildcard: more than the check
        ("pytest:*", None),
    ],
)
def test_check_rule(check: str | None, rule: str | None) -> None:
    assert check_rule(check) == rule


def test_stream_of_a_success() -> None:
    events, judged = play(
        INIT,
        said("I will look."),
        used("Read", file_path="src/a.py"),
        used("Grep", "msg-2", pattern="def f", path="src"),
        used("NotebookEdit", "msg-3", notebook_path="/slots/1/n.ipynb"),
        used("Bash", "msg-3", command="pytest -q\n  tests", description="Run the tests"),
        {"type": "user", "message": {"content": [{"type": "tool_result", "content": "1 passed"}]}},
        said("Fixed."),
        result(),
    )
    assert events == [
        AgentEvent("started", "claude 9.9 m-1"),
        AgentEvent("text", "I will look."),
        AgentEvent("tool", "", "Read", ("src/a.py",), "read"),
        AgentEvent("tool", "def f", "Grep", ("src",), "read"),
        AgentEvent("tool", "", "NotebookEdit", ("/slots/1/n.ipynb",), "write"),
        AgentEvent("tool", "pytest -q tests", "Bash"),
        AgentEvent("text", "Fixed."),
        AgentEvent("usage", "520 tokens in, 50 out, 0.2500 USD"),
        AgentEvent("finished", "All done."),
    ]
    assert judged == Judgement(
        Outcome.SUCCESS,
        summary="All done.",
        usage=Usage(200, 50, 300, 20, 0.25),
        session="s-1",
        model="m-1",
    )


# Each of these says success somewhere and is none.
FALSE: dict[str, tuple[list[object], Exit]] = {
    "status 0 with is_error": ([INIT, result(is_error=True, subtype="error_during_execution")], Exit(0)),
    "status 0 and success after our own SIGTERM": ([INIT, result()], Exit(0, stopped="timeout")),
    "success with is_error": ([INIT, result(is_error=True, api_error_status=401)], Exit(1)),
    "success with is_error and status 0": ([INIT, result(is_error=True)], Exit(0)),
    "success, then status 143": ([INIT, result()], Exit(143)),
    "success, then killed": ([INIT, result()], Exit(None, signal=9)),
    "hung before the first byte": ([], Exit(None, signal=15, stopped="timeout")),
    "nothing said at all": ([], Exit(0)),
    "cut stream": ([INIT, said("I will"), json.dumps(result())[:-20]], Exit(0)),
    "only what is no JSON": (["Warning: no stdin", "{not json}", ""], Exit(0)),
    "no subtype": ([{**result(), "subtype": None}], Exit(0)),
    "no is_error": ([{k: v for k, v in result().items() if k != "is_error"}], Exit(0)),
    "is_error is no boolean": ([result(is_error=0)], Exit(0)),
    "success, then an error": ([result(), result(is_error=True)], Exit(0)),
    "turn limit": ([result(subtype="error_max_turns", is_error=False)], Exit(0)),
    "success in a list": ([[result()]], Exit(0)),
    "success of something else": ([{"type": "system", "result": result()}], Exit(0)),
}


@pytest.mark.parametrize("name", FALSE)
def test_false_success(name: str) -> None:
    events, ended = FALSE[name]
    _, judged = play(*events, ended=ended)
    assert judged.outcome is Outcome.FAILED
    assert judged.detail and "\n" not in judged.detail


@pytest.mark.parametrize(
    ("event", "ended", "fault", "detail"),
    [
        (
            result(is_error=True, api_error_status=401, result="Invalid API key"),
            Exit(1),
            Fault.ENVIRONMENT,
            "API error 401: Invalid API key",
        ),
        (result(is_error=True, result="Not logged in"), Exit(1), Fault.ENVIRONMENT, "error: Not logged in"),
        (
            result(is_error=True, terminal_reason="prompt_too_long", api_error_status=400, result="Too long"),
            Exit(1),
            Fault.AGENT,
            "API error 400: Too long",
        ),
        (
            result(subtype="error_max_turns", is_error=True, result=None, errors=["Reached 2", 3, "turns"]),
            Exit(1),
            Fault.AGENT,
            "error_max_turns: Reached 2; ; turns",
        ),
        (result(), Exit(143), Fault.AGENT, "exit status 143 after a result without error"),
        (result(), Exit(0, stopped="interrupt"), None, "stopped: interrupt"),
        (INIT, Exit(1), Fault.AGENT, "ended without a result, exit status 1"),
        (
            said("One \x1b[31mmoment"),
            Exit(1),
            Fault.AGENT,
            "ended without a result, exit status 1: One moment",
        ),
        ("boom\x07", Exit(0), Fault.AGENT, "ended without a result, exit status 0: boom"),
        (INIT, Exit(None, signal=9), Fault.ENVIRONMENT, "ended without a result, killed by signal 9"),
        (INIT, Exit(127), Fault.ENVIRONMENT, "ended without a result, exit status 127"),
    ],
)
def test_detail_and_fault(event: object, ended: Exit, fault: Fault | None, detail: str) -> None:
    _, judged = play(event, ended=ended)
    assert (judged.outcome, judged.fault, judged.detail) == (Outcome.FAILED, fault, detail)


def test_everything_denied_yet_status_0() -> None:
    denials = [
        {"tool_name": "Bash", "tool_use_id": "t-1", "tool_input": {"command": "curl x | sh"}},
        {"tool_name": "Write", "tool_use_id": "t-2", "tool_input": {"file_path": "a.txt", "content": "x"}},
        "foreign",
    ]
    _, judged = play(result(permission_denials=denials), result(permission_denials=denials[:1]))
    assert judged.outcome is Outcome.SUCCESS  # whether it blocks, the result and the check tell
    assert judged.blocked
    assert judged.detail == "denied: Bash (curl x | sh), Write (a.txt), a tool"


def test_unknown_events_and_noise_between_do_no_harm() -> None:
    events, judged = play(
        "not json",
        INIT,
        INIT,
        {"type": "stream_event", "event": {}},
        {"type": "system", "subtype": "status"},
        {"type": "assistant", "message": "foreign"},
        {"type": "assistant", "message": {"content": [1, None, {"type": "text"}, {"type": "thinking"}]}},
        "[" * 100_000,
        '{"a":' * 100_000,
        "9" * 10_000,
        result(),
    )
    assert [event.kind for event in events] == ["started", "usage", "finished"]
    assert judged.outcome is Outcome.SUCCESS


def test_result_with_type_last_and_a_line_over_one_megabyte() -> None:
    ends = result()
    kind = ends.pop("type")
    events, judged = play(said("x" * 2_000_000), {**ends, "type": kind})
    assert judged.outcome is Outcome.SUCCESS
    assert max(len(event.text) for event in events) <= 4_000


def test_usage_of_a_killed_run_counts_each_message_once_and_invents_nothing() -> None:
    synthetic = {"type": "assistant", "message": {"id": "x", "model": "<synthetic>", "usage": USAGE}}
    _, judged = play(
        INIT, said("a"), used("Read", file_path="a"), said("b", "msg-2"), synthetic, ended=Exit(143)
    )
    assert judged.usage == Usage(input_tokens=200, cache_read_tokens=600, cache_write_tokens=40)
    assert play(INIT, synthetic, ended=Exit(1))[1].usage == Usage()


def test_what_was_used_so_far_is_told_as_it_goes() -> None:
    told, _ = play(INIT, said("a"), used("Read", file_path="a"), said("b", "msg-2"))
    assert [event.used and event.used.input_tokens for event in told] == [None, 100, 100, 200]
    told, judged = play(INIT, said("a"), result())
    assert told[-1].used == judged.usage


def test_usage_of_sub_agents_is_in_model_usage_only() -> None:
    one = {"inputTokens": 4, "outputTokens": 3, "cacheReadInputTokens": 2, "cacheCreationInputTokens": 1}
    _, judged = play(result(), result(modelUsage={"big": one, "small": one}))
    assert judged.usage == Usage(8, 6, 4, 2, 0.25)


@pytest.mark.parametrize("nonsense", [None, "1", -1, True, 1e300, [], {}])
def test_nonsense_is_not_counted(nonsense: object) -> None:
    _, judged = play(result(total_cost_usd=nonsense, usage={"input_tokens": nonsense}))
    assert judged.usage == Usage()
    assert play('{"type": "result", "total_cost_usd": NaN}')[1].usage.usd is None


def test_a_sub_agents_word_is_not_the_last_one() -> None:
    _, judged = play(said("Mine."), said("Its.", "msg-2", parent_tool_use_id="t-1"), ended=Exit(1))
    assert judged.summary == "Mine."


def test_control_characters_and_lone_surrogates_go_nowhere() -> None:
    dirty = "a\x1b]0;title\x07b\x9b1mc\u202ed\ud800e\r\n"
    events, judged = play(
        {**INIT, "session_id": dirty, "model": dirty},
        said(dirty),
        used("B" + dirty, file_path=dirty),
        result(result=dirty),
    )
    shown = [event.text + event.name + "".join(event.paths) for event in events]
    for text in [*shown, judged.summary, judged.detail, judged.session or ""]:
        text.encode()
        assert text.isprintable()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [*result(), *INIT, "message", "content", "id", "name", "input", "text", "tool_name"]
            )
            | st.text(max_size=3),
            inner
            | st.sampled_from(
                ["result", "system", "assistant", "init", "api_retry", "success", "text", "tool_use"]
            ),
            max_size=6,
        )
    ),
    max_leaves=20,
)


@settings(max_examples=300, deadline=None)
@given(
    lines=st.lists(st.text() | JSON.map(json.dumps), max_size=6),
    ended=st.builds(
        Exit, st.none() | st.integers(0, 255), st.none() | st.just(9), st.none() | st.just("timeout")
    ),
)
def test_no_stream_makes_it_raise_and_none_without_a_good_result_succeeds(
    lines: list[str], ended: Exit
) -> None:
    opened = session()
    for line in lines:
        for event in opened.read(line):
            event.text.encode()
    judged = opened.judge(ended)
    judged.detail.encode()
    if judged.outcome is Outcome.SUCCESS:
        assert ended.ok
        assert any('"success"' in line for line in lines)
    else:
        assert judged.detail


def test_missing_names_the_program_and_how_to_get_it(tmp_path: Path) -> None:
    spec = AgentSpec("claude", "claude-code", env=(("PATH", str(tmp_path)),))
    words = ClaudeCodeAgent(spec).missing()
    assert words is not None and "claude" in words and "npm install" in words
    program = tmp_path / "claude"
    program.touch(mode=0o755)
    assert ClaudeCodeAgent(spec).missing() is None


# How the recorded runs ended (results.json beside them): name, exit, and how that must be judged.
RECORDED = [
    ("claude-success", Exit(0), Outcome.SUCCESS),
    ("claude-edit-read", Exit(0), Outcome.SUCCESS),
    ("claude-parallel", Exit(0), Outcome.SUCCESS),
    ("claude-api-429-then-ok", Exit(0), Outcome.SUCCESS),
    ("claude-cut", Exit(0), Outcome.SUCCESS),
    ("claude-denied", Exit(0), Outcome.SUCCESS),
    ("claude-api-401", Exit(1), Outcome.FAILED),
    ("claude-api-500-forever", Exit(1), Outcome.FAILED),
    ("claude-bad-json", Exit(1), Outcome.FAILED),
    ("claude-hang", Exit(None, signal=9), Outcome.FAILED),
    ("claude-max-turns", Exit(1), Outcome.FAILED),
    ("claude-sigint", Exit(0), Outcome.FAILED),
    ("claude-sigkill", Exit(None, signal=9), Outcome.FAILED),
    ("claude-sigterm", Exit(0, stopped="timeout"), Outcome.FAILED),
    ("claudesdk-success", Exit(0), Outcome.SUCCESS),
    ("claudesdk-denied", Exit(0), Outcome.SUCCESS),
    ("claudesdk-sigint", Exit(0), Outcome.FAILED),
    ("claudesdk-max-turns", Exit(1), Outcome.FAILED),
]


@pytest.mark.skipif(not TRANSCRIPTS.is_dir(), reason="the transcripts of ../shared are not here")
@pytest.mark.parametrize(("name", "ended", "outcome"), RECORDED)
def test_recorded_runs(name: str, ended: Exit, outcome: Outcome) -> None:
    lines = (TRANSCRIPTS / f"{name}.jsonl").read_text().splitlines()
    events, judged = play(*lines, ended=ended)
    assert events[0].kind == "started"
    assert judged.outcome is outcome, judged
    assert judged.blocked == ("denied" in name)
    assert judged.session
    if outcome is Outcome.SUCCESS:
        assert judged.usage.tokens and judged.usage.usd
        assert [event.kind for event in events].count("finished") == 1
