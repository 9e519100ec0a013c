"""What is installed of all kinds of agents, for those who list it; nothing is started."""

from __future__ import annotations

from dataclasses import dataclass

from orchestra.agents.plugins import plugin_kinds
from orchestra.agents.registry import ADAPTERS, make_agent
from orchestra.model.errors import OrchestraError
from orchestra.model.tasks import AgentSpec


@dataclass(frozen=True, slots=True)
class Installed:
    """A kind of agent: `missing` says what is not installed and how to get it (None: it is there), `version` is the
    command that prints its program's version (() where it has no program of its own).
    """

    kind: str
    missing: str | None
    version: tuple[str, ...] = ()


def all_kinds() -> tuple[Installed, ...]:
    """All kinds but `command`, which is whatever a manifest says: ours in their order, then those that packages add."""
    ours = tuple(kind for kind in ADAPTERS if kind != "command")
    return tuple(map(_installed, (*ours, *(kind for kind in plugin_kinds() if kind not in ADAPTERS))))


def _installed(kind: str) -> Installed:
    try:
        agent = make_agent(AgentSpec(kind, kind))
        return Installed(kind, agent.missing(), agent.traits.version)
    except OrchestraError as error:
        return Installed(kind, "; ".join((str(error), *error.causes)))
