"""Who does the tasks of a manifest on this machine."""

from __future__ import annotations

from functools import cached_property

from orchestra.agents.registry import default_agent
from orchestra.model.freshness import agent_spec
from orchestra.model.tasks import AgentSpec, Manifest, Task


class Doers:
    """Who does each task; which agent serves where none is named is looked up once."""

    def __init__(self, manifest: Manifest) -> None:
        self._manifest = manifest

    @cached_property
    def _default(self) -> AgentSpec | None:
        return default_agent()

    def of(self, task: Task) -> AgentSpec | None:
        """The agent that does a task; None where it is a command, or where no agent is installed that could."""
        return None if task.run is not None else agent_spec(task, self._manifest) or self._default

    def reviewer(self, task: Task) -> AgentSpec | None:
        """The agent that reviews what was made of a task, where one is asked to."""
        return self._manifest.agents[task.review] if task.review is not None else None

    def name(self, task: Task) -> str:
        """Who does a task, as events and the history name it: an agent, `run`, or `none`."""
        if task.run is not None:
            return "run"
        found = self.of(task)
        return found.name if found else "none"
