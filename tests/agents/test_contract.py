"""What holds of every kind of agent: the protocol, and that no program's output makes an adapter raise or lie."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestra.agents.registry import ADAPTERS, DEFAULTS, make_agent
from orchestra.manifest.rules import KINDS
from orchestra.manifest.shape import BUILT_IN_AGENTS
from orchestra.manifest.values import is_refused_variable
from orchestra.model.agents import Agent, Judgement, Resume, Session
from orchestra.model.outcomes import Exit, Outcome, Usage
from orchestra.model.patterns import compile_pattern
from orchestra.model.tasks import AgentSpec
from tests.agents.streams import ORDER

PROMPT = "Fix the parser; `rm -rf x` is not meant.\n" * 10_000
CODING = tuple(kind for kind in ADAPTERS if kind not in ("command", "script"))
ORDERS = {
    "new": replace(ORDER, prompt=PROMPT),
    "judge": replace(ORDER, prompt=PROMPT, readonly=True),
    "resumed": replace(ORDER, prompt=PROMPT, resume=Resume("session-7", Usage(1, 2, 3))),
    "bounded": replace(ORDER, prompt=PROMPT, usd=0.5, check=None),
}
NAME = re.compile(r"[A-Z][A-Z0-9_]*")


def agent(kind: str, **spec: object) -> Agent:
    command = {"command": ("tool", "{prompt_file}")} if kind == "command" else {}
    return make_agent(AgentSpec("it", kind, **{**command, **spec}))  # type: ignore[arg-type]


def test_the_same_kinds_are_known_to_the_manifest() -> None:
    assert set(KINDS) == set(ADAPTERS)
    assert set(BUILT_IN_AGENTS) == set(ADAPTERS) - {"command"}
    assert [spec.kind for spec in DEFAULTS] == ["claude-code", "codex"]


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("kind", ADAPTERS)
def test_how_it_is_called(kind: str, order: str) -> None:
    made = agent(kind)
    invocation = made.open(ORDERS[order]).invocation
    assert all(isinstance(word, str) and "\0" not in word for word in invocation.argv)
    # No shell that reads a text as a program, no prompt where everyone sees it and where 128 KiB are the end.
    assert Path(invocation.argv[0]).name not in ("sh", "bash", "env")
    assert sum(map(len, invocation.argv)) < 4_000
    assert not [
        word for word in (*invocation.argv, *dict(invocation.env).values()) if "Fix the parser" in word
    ]
    # It ends: a file or nothing. And the prompt gets there.
    assert invocation.stdin_file in (None, ORDER.prompt_file)
    assert (invocation.stdin_file is None) == (ORDER.prompt_file in invocation.argv)
    for name, value in invocation.env:
        assert NAME.fullmatch(name) and not is_refused_variable(name) and "\0" not in value
    named = [word for word in invocation.argv if "session-7" in word]
    assert bool(named) == (order == "resumed" and made.traits.resumes)


@pytest.mark.parametrize("kind", ADAPTERS)
def test_what_is_known_of_it_beforehand(kind: str) -> None:
    traits = agent(kind).traits
    assert traits.told == (kind != "script")
    assert traits.told or not traits.resumes
    assert 0 <= traits.memory_bytes < 2 * 2**30
    assert all(NAME.fullmatch(name) for name in traits.account)
    assert all(compile_pattern(pattern) and pattern.strip("*/") for pattern in traits.leftovers)
    if kind in CODING:
        assert traits.provider and traits.memory_bytes > 100 * 2**20
        assert (
            traits.version[-1] == "--version"
            and traits.version[0] == agent(kind).open(ORDER).invocation.argv[0]
        )


@pytest.mark.parametrize("kind", CODING)
def test_where_its_program_is_not_there(kind: str, tmp_path: Path) -> None:
    path = (("PATH", str(tmp_path)),)
    words = agent(kind, env=path).missing()
    assert words is not None and "\n" not in words
    assert words.startswith("agent it needs ") and "install" in words
    program = agent(kind).open(ORDER).invocation.argv[0]
    (tmp_path / program).touch(mode=0o755)
    assert agent(kind, env=path).missing() is None


@pytest.mark.parametrize("kind", CODING)
def test_another_program_can_stand_for_it(kind: str) -> None:
    pinned = agent(kind, command=("/opt/pinned", "--fast"))
    assert pinned.open(ORDER).invocation.argv[:2] == ("/opt/pinned", "--fast")
    assert pinned.traits.version == ("/opt/pinned", "--fast", "--version")
    assert "see its `command`" in str(pinned.missing())


@pytest.mark.parametrize("kind", CODING)
def test_who_judges_may_do_less_than_who_works(kind: str) -> None:
    def call(order: str, **spec: object) -> object:
        invocation = agent(kind, **spec).open(ORDERS[order]).invocation
        return invocation.argv, invocation.env

    assert call("judge") != call("new")
    # Also where the agent may do all else.
    assert call("judge", permissions="full") == call("judge")
    assert kind == "aider" or call("new", permissions="full") != call("new")


@pytest.mark.parametrize("kind", CODING)
def test_each_session_knows_only_its_own_run(kind: str) -> None:
    made = agent(kind)
    one, other = made.open(ORDER), made.open(ORDER)
    for line in (*SAMPLES, "anything"):
        one.read(line)
    assert other.judge(Exit(0)) == made.open(ORDER).judge(Exit(0))


@pytest.mark.parametrize("kind", CODING)
def test_silence_is_no_success(kind: str) -> None:
    judged = agent(kind).open(ORDER).judge(Exit(0))
    assert judged.outcome is Outcome.FAILED and judged.detail
    assert not judged.transient and judged.usage == Usage()


def example() -> Session:
    """A session of the adapter that the README shows."""
    text = (Path(__file__).parents[2] / "README.md").read_text()
    section = text.split("### Your own kind of agent")[1]
    space: dict[str, object] = {}
    exec(section.split("```python\n")[1].split("```")[0], space)
    made: Agent = space["MyAgent"](AgentSpec("it", "my-agent"))  # type: ignore[operator]
    return made.open(ORDER)


SAMPLES = (
    '{"type":"turn.completed","usage":{"input_tokens":9,"output_tokens":2}}',
    '{"type":"result","subtype":"success","is_error":false,"status":"success","exitCode":0}',
    '{"type":"step_finish","sessionID":"s","part":{"reason":"stop","tokens":{"input":4},"cost":1}}',
    "Tokens: 2.1k sent, 22 received.",
    '{"type": "done"}',
)
"""Lines by which one program or another says that all went well."""

WORDS = (
    "type", "subtype", "result", "is_error", "status", "exitCode", "stats", "error", "message", "data", "part", "id",
    "reason", "tokens", "cost", "cache", "usage", "item", "text", "content", "role", "delta", "changes", "path", "kind",
    "command", "aggregated_output", "state", "input", "parameters", "tool_name", "tool_id", "toolName", "toolCallId",
    "arguments", "code", "permission_denials", "tool_input", "name", "session_id", "thread_id", "sessionID", "model",
    "sessionId", "statusCode", "responseHeaders",
)  # fmt: skip
VALUES = (
    "turn.completed", "turn.failed", "item.completed", "item.started", "agent_message", "command_execution", "init",
    "file_change", "message", "assistant", "user", "tool_use", "tool_result", "step_start", "step_finish", "stop",
    "tool-calls", "success", "system", "session.error", "denied", "assistant.message", "tool.execution_start",
    "tool.execution_complete", "model.call_failure", "assistant.turn_retry", "policy_violation", "thread.started",
    "Reconnecting",
)  # fmt: skip
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.sampled_from(VALUES),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(WORDS) | st.text(max_size=3), inner, max_size=6)
    ),
    max_leaves=20,
)
EVENT = st.builds(
    lambda kind, more: json.dumps({**more, "type": kind}),
    st.sampled_from([*VALUES, "result", "error"]),
    st.dictionaries(st.sampled_from(WORDS), JSON, max_size=5),
)
ODD = (*SAMPLES, "litellm.RateLimitError: x", "Applied edit to \x1b[1m")
LINES = st.lists(st.text() | JSON.map(json.dumps) | EVENT | st.sampled_from(ODD), max_size=8)
ENDINGS = st.builds(
    Exit,
    st.just(0) | st.none() | st.integers(0, 255),
    st.none() | st.just(9),
    st.none() | st.sampled_from(["timeout", "stall", "interrupt"]),
)


@pytest.mark.parametrize("kind", [*CODING, "README"])
@settings(max_examples=60, deadline=None)
@given(lines=LINES, ended=ENDINGS)
def test_no_output_makes_it_raise_and_none_makes_a_bad_ending_good(
    kind: str, lines: list[str], ended: Exit
) -> None:
    opened = example() if kind == "README" else agent(kind).open(ORDER)
    for line in lines:
        for event in opened.read(line):
            if kind != "README":
                for text in (event.text, event.name, *event.paths):
                    text.encode()
                    assert len(text) <= 4_096 and text.replace("\n", "").replace("\t", "").isprintable()
    judged = opened.judge(ended)
    check(judged, ended, lines)


def check(judged: Judgement, ended: Exit, lines: list[str]) -> None:
    if judged.outcome is Outcome.SUCCESS:
        assert ended.ok and lines
    else:
        assert judged.outcome is Outcome.FAILED and judged.detail
    if ended.stopped is not None:
        assert not judged.transient and not judged.throttled
    assert judged.transient or not judged.throttled
    assert "\n" not in judged.detail
    for count in (judged.usage.input_tokens, judged.usage.output_tokens, judged.usage.usd):
        assert count is None or count >= 0


@pytest.mark.parametrize("kind", CODING)
def test_what_is_no_line_of_its_stream_is_borne(kind: str) -> None:
    opened = agent(kind).open(ORDER)
    huge = json.dumps({"type": "text", "part": {"text": "x" * 2_000_000}})
    for line in ("[" * 100_000, '{"a":' * 100_000, "9" * 10_000, huge):
        for event in opened.read(line):
            assert len(event.text) <= 4_000
    assert opened.judge(Exit(0)).outcome is Outcome.FAILED
