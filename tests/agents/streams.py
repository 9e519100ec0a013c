"""Help for the tests of adapters: play a scripted stream, and read the recorded ones of ../shared where they are."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from orchestra.agents.registry import make_agent
from orchestra.model.agents import AgentEvent, Judgement, Order, Session
from orchestra.model.outcomes import Exit
from orchestra.model.tasks import AgentSpec

TRANSCRIPTS = Path(__file__).parents[3] / "shared" / "agents" / "transcripts"
ORDER = Order("fix", "Fix it.", "/state/prompt.md", "/slots/1", check="pytest -q tests/test_a.py")
GOOD = Exit(0)

needs_transcripts = pytest.mark.skipif(
    not TRANSCRIPTS.is_dir(), reason="the transcripts of ../shared are not here"
)


def opened(kind: str, order: Order = ORDER, **spec: object) -> Session:
    """A session of an agent of that kind."""
    return make_agent(AgentSpec("it", kind, **spec)).open(order)  # type: ignore[arg-type]


def play(session: Session, *events: object, ended: Exit = GOOD) -> tuple[list[AgentEvent], Judgement]:
    """What a session makes of these events (objects, or lines as they are) and of this ending."""
    seen: list[AgentEvent] = []
    for event in events:
        seen += session.read(event if isinstance(event, str) else json.dumps(event))
    return seen, session.judge(ended)


def recorded(name: str) -> list[str]:
    """The lines of a recorded run, by the name of its file."""
    return (TRANSCRIPTS / name).read_text().splitlines()
