"""Claude Code's adapter and the service behind it: waiting for it, its limits and faults, sessions that go on."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pytest

from orchestra.agents.claude_code import ClaudeCodeAgent
from orchestra.model.agents import AgentEvent, Judgement, Order, Resume, Session
from orchestra.model.outcomes import Exit, Fault, Outcome, Usage
from orchestra.model.tasks import AgentSpec
from tests.agents.test_claude_code import INIT, ORDER, USAGE, play, result, said

NOW = 1_000_000.0
FAILED = Exit(1)


def opened(order: Order = ORDER, **spec: object) -> Session:
    """A session by a clock that stands still."""
    agent = ClaudeCodeAgent(AgentSpec("claude", "claude-code", **spec), lambda: NOW)  # type: ignore[arg-type]
    return agent.open(order)


def judged(session: Session, *events: Mapping[str, object], ended: Exit = FAILED) -> Judgement:
    """What it makes of these events."""
    for event in events:
        session.read(json.dumps(event))
    return session.judge(ended)


def gave_up(error: str, **fields: object) -> list[Mapping[str, object]]:
    """How it ends when its API has failed: a message that it made up itself, and a result."""
    message = {"id": "x", "model": "<synthetic>", "usage": USAGE, "content": []}
    made_up: dict[str, object] = {"type": "assistant", "message": message, "error": error}
    return [INIT, made_up, result(is_error=True, terminal_reason="api_error", **fields)]


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (
            {
                "attempt": 2,
                "max_retries": 10,
                "retry_delay_ms": 4930.5,
                "error": "rate_limit",
                "error_status": 429,
            },
            AgentEvent("waiting", "retry 2/10 in 4.9 s: rate_limit (429)", throttled=True, wait_s=4.9305),
        ),
        (
            {"attempt": 1, "retry_delay_ms": 500, "error": "overloaded", "error_status": 529},
            AgentEvent("waiting", "retry 1 in 0.5 s: overloaded (529)", throttled=True, wait_s=0.5),
        ),
        (
            {"attempt": 1, "error": None, "error_status": None, "retry_delay_ms": 500},
            AgentEvent("waiting", "retry 1 in 0.5 s", wait_s=0.5),
        ),
        (
            {"retry_delay_ms": 1000, "error": "authentication_failed", "error_status": 401},
            AgentEvent("waiting", "retry in 1.0 s: authentication_failed (401)", wait_s=1.0),
        ),
        ({"retry_delay_ms": "soon", "attempt": True, "error_status": []}, AgentEvent("waiting", "retry")),
    ],
)
def test_waiting_for_the_api(event: dict[str, object], expected: AgentEvent) -> None:
    events, _ = play({"type": "system", "subtype": "api_retry", **event})
    assert events == [expected]


@pytest.mark.parametrize(
    ("error", "status", "transient", "throttled"),
    [
        ("rate_limit", 429, True, True),
        ("overloaded", 529, True, True),
        ("server_error", 500, True, False),
        ("server_error", 503, True, False),
        ("server_error", 408, True, False),
        ("server_error", None, True, False),  # nothing answered: refused, reset, timed out
        ("rate_limit", None, True, True),
        ("authentication_failed", 401, False, False),
        ("authentication_failed", None, False, False),  # no key at all
        ("invalid_request", 400, False, False),
        ("unknown", None, False, False),  # what answers is no API
    ],
)
def test_what_the_service_may_get_over(
    error: str, status: int | None, transient: bool, throttled: bool
) -> None:
    events = gave_up(error, api_error_status=status, result="No")
    found = judged(opened(), *events)
    assert (found.outcome, found.fault) == (Outcome.FAILED, Fault.ENVIRONMENT)
    assert (found.transient, found.throttled, found.retry_after) == (transient, throttled, None)
    # Where we ended it, or where it came to a good end after all, nothing is to be repeated.
    stopped = judged(opened(), *events, ended=Exit(None, signal=15, stopped="timeout"))
    good = judged(opened(), *events[:2], said("Better."), result(), ended=Exit(0))
    assert not (stopped.transient or stopped.throttled or good.transient or good.throttled)


@pytest.mark.parametrize(
    ("changes", "detail"),
    [
        (
            {"subtype": "error_max_turns", "errors": ["Reached maximum number of turns (2)"]},
            "error_max_turns: Reached maximum number of turns (2)",
        ),
        (
            {"subtype": "error_max_budget_usd", "errors": ["Reached maximum budget ($0.01)"]},
            "error_max_budget_usd: Reached maximum budget ($0.01)",
        ),
        (
            {"terminal_reason": "prompt_too_long", "api_error_status": 400, "result": "Prompt is\ntoo long"},
            "API error 400: Prompt is too long",
        ),
    ],
)
def test_what_another_attempt_would_not_mend(changes: dict[str, object], detail: str) -> None:
    event = {**result(is_error=True), "result": None, **changes}
    found = judged(opened(), INIT, said("I try."), event)
    assert (found.outcome, found.fault, found.transient) == (Outcome.FAILED, Fault.AGENT, False)
    assert found.detail == detail


def test_a_used_up_limit_says_until_when() -> None:
    info = {"status": "rejected", "resetsAt": NOW + 3600, "rateLimitType": "five_hour"}
    session = opened()
    events = session.read(json.dumps({"type": "rate_limit_event", "rate_limit_info": info}))
    assert events == (AgentEvent("waiting", "five-hour limit reached", throttled=True, wait_s=3600.0),)
    found = judged(session, *gave_up("rate_limit", api_error_status=429))
    assert (found.transient, found.throttled, found.retry_after) == (True, True, 3600.0)


@pytest.mark.parametrize(
    ("info", "expected"),
    [
        ({"status": "allowed_warning", "resetsAt": NOW + 9}, ()),
        ("foreign", ()),
        ({"status": "rejected", "resetsAt": NOW - 9}, (("usage limit reached", 0.0),)),
        ({"status": "rejected", "rateLimitType": "seven_day"}, (("seven-day limit reached", None),)),
    ],
)
def test_what_else_is_said_of_limits(info: object, expected: tuple[tuple[str, float | None], ...]) -> None:
    event = {"type": "rate_limit_event", "rate_limit_info": info}
    assert tuple((e.text, e.wait_s) for e in opened().read(json.dumps(event))) == expected


def test_a_limit_that_did_not_stop_it_says_nothing_about_a_later_failure() -> None:
    info = {"status": "rejected", "resetsAt": NOW + 3600}
    limit: dict[str, object] = {"type": "rate_limit_event", "rate_limit_info": info}
    found = judged(opened(), INIT, limit, said("Going on."), result(subtype="error_max_turns", is_error=True))
    assert (found.transient, found.throttled, found.retry_after) == (False, False, None)


def test_the_model_that_served_is_told() -> None:
    def by(model: str, **more: object) -> dict[str, object]:
        return {"type": "assistant", "message": {"id": model, "model": model, "content": []}, **more}

    assert judged(opened(), INIT).model == "m-1"
    assert (
        judged(opened(), INIT, by("m-2"), by("small", parent_tool_use_id="t"), by("<synthetic>")).model
        == "m-2"
    )
    assert judged(opened()).model is None


RESUMED = Order("fix", "Mend it.", "/p.md", "/w", resume=Resume("s-1", Usage(200, 20, 0, 0, 0.5)), usd=1.5)


def test_a_session_goes_on() -> None:
    argv = opened(RESUMED).invocation.argv
    assert argv[argv.index("--resume") + 1] == "s-1"
    # Its own count of what was spent begins anew, so that nothing is to be added here.
    assert argv[argv.index("--max-budget-usd") + 1] == "1.5000"


def test_what_a_session_had_used_before_is_not_counted_again() -> None:
    """Measured: after `--resume` the result counts the whole session."""
    used = {"inputTokens": 500, "outputTokens": 50, "cacheReadInputTokens": 7, "cacheCreationInputTokens": 0}
    found = judged(opened(RESUMED), result(modelUsage={"m": used}, total_cost_usd=0.75), ended=Exit(0))
    assert found.usage == Usage(300, 30, 7, 0, 0.25)
    # A version that begins to count anew says less than was used before.
    anew = {**used, "inputTokens": 100}
    found = judged(opened(RESUMED), result(modelUsage={"m": anew}, total_cost_usd=0.75), ended=Exit(0))
    assert found.usage == Usage(100, 50, 7, 0, 0.75)
    # What was seen of a run that was killed is of this run alone.
    found = judged(opened(RESUMED), said("a"), ended=Exit(143))
    assert found.usage == Usage(input_tokens=100, cache_read_tokens=300, cache_write_tokens=20)


@pytest.mark.parametrize("permissions", ["edit", "full"])
def test_who_judges_may_change_nothing(permissions: str) -> None:
    order = Order("fix", "Judge it.", "/p.md", "/w", check="pytest", readonly=True)
    argv = opened(order, permissions=permissions).invocation.argv
    assert argv[argv.index("--permission-mode") + 1] == "dontAsk"
    assert "--disallowedTools=Edit,Write,NotebookEdit" in argv
    assert not [word for word in argv if "allowedTools" in word and "dis" not in word]
    assert not [word for word in argv if "skip-permissions" in word]
