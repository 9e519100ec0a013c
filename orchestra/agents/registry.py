"""Which adapter serves which kind of agent, and which agent serves where the manifest names none."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from orchestra.agents.aider import AiderAgent
from orchestra.agents.claude_code import ClaudeCodeAgent
from orchestra.agents.codex import CodexAgent
from orchestra.agents.command import CommandAgent
from orchestra.agents.copilot import CopilotAgent
from orchestra.agents.gemini import GeminiAgent
from orchestra.agents.opencode import OpenCodeAgent
from orchestra.agents.qwen import QwenAgent
from orchestra.agents.script import ScriptAgent
from orchestra.model.agents import Agent
from orchestra.model.tasks import AgentSpec

DEFAULTS = (AgentSpec("claude-code", "claude-code"), AgentSpec("codex", "codex"))
"""The agents that may serve unasked, best first. `command` and `script` never do: they run what they are given."""

ADAPTERS: Mapping[str, Callable[[AgentSpec], Agent]] = {
    "claude-code": ClaudeCodeAgent,
    "codex": CodexAgent,
    "gemini": GeminiAgent,
    "opencode": OpenCodeAgent,
    "qwen": QwenAgent,
    "copilot": CopilotAgent,
    "aider": AiderAgent,
    "command": CommandAgent,
    "script": ScriptAgent,
}
"""What makes the adapter of each kind that comes with orchestra."""


def make_agent(spec: AgentSpec) -> Agent:
    """The adapter for an agent of the manifest.

    Raises OrchestraError, a fault of the environment, where its kind is not ours and no package makes it.
    """
    make = ADAPTERS.get(spec.kind)
    if make is not None:
        return make(spec)
    from orchestra.agents.plugins import plugin_agent

    return plugin_agent(spec)


def default_agent() -> AgentSpec | None:
    """The first of `DEFAULTS` that is installed; None where none is."""
    return next((spec for spec in DEFAULTS if make_agent(spec).missing() is None), None)
