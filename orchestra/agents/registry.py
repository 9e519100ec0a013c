"""Which adapter serves which kind of agent, and which agent serves where the manifest names none."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module

from orchestra.model.agents import Agent
from orchestra.model.tasks import AgentSpec

DEFAULTS = (AgentSpec("claude-code", "claude-code"), AgentSpec("codex", "codex"))
"""The agents that may serve unasked, best first. `command` and `script` never do: they run what they are given."""

ADAPTERS: Mapping[str, tuple[str, str]] = {
    "claude-code": ("claude_code", "ClaudeCodeAgent"),
    "codex": ("codex", "CodexAgent"),
    "gemini": ("gemini", "GeminiAgent"),
    "opencode": ("opencode", "OpenCodeAgent"),
    "qwen": ("qwen", "QwenAgent"),
    "copilot": ("copilot", "CopilotAgent"),
    "aider": ("aider", "AiderAgent"),
    "command": ("command", "CommandAgent"),
    "script": ("script", "ScriptAgent"),
}
"""The module and the class of the adapter of each kind that comes with orchestra, imported when it is asked for."""


def make_agent(spec: AgentSpec) -> Agent:
    """The adapter for an agent of the manifest.

    Raises OrchestraError, a fault of the environment, where its kind is not ours and no package makes it.
    """
    if spec.kind in ADAPTERS:
        module, name = ADAPTERS[spec.kind]
        agent: Agent = getattr(import_module(f"orchestra.agents.{module}"), name)(spec)
        return agent
    from orchestra.agents.plugins import plugin_agent

    return plugin_agent(spec)


def default_agent() -> AgentSpec | None:
    """The first of `DEFAULTS` that is installed; None where none is."""
    return next((spec for spec in DEFAULTS if make_agent(spec).missing() is None), None)
