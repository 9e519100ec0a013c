"""Who does a task and who pays for it: what attempts at it would find in their environment, told as one digest."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from orchestra.execution.environment import attempt_environment
from orchestra.execution.workshop import Workshop
from orchestra.model.agents import Traits
from orchestra.model.means import Worker
from orchestra.model.tasks import Task

FREE = ("script",)
"""Kinds of agents that call nobody: what they do costs nothing, and nobody limits it."""


def worker_of(workshop: Workshop, task: Task) -> Worker | None:
    """Who does the task; None where nobody's service is asked (a command, a script)."""
    spec = workshop.agent_of(task)
    if spec is None or spec.kind in FREE:
        return None
    traits = workshop.adapter_of(task, spec).traits
    env = attempt_environment(
        workshop.environ,
        workshop.repository.root,
        passes=(*spec.passes, *task.passes),
        sets=(*spec.env, *task.env),
    )
    account = account_of(traits, spec.name, env)
    return Worker(spec.name, traits.provider, account, traits.memory_bytes)


def account_of(traits: Traits, agent: str, env: Mapping[str, str]) -> str:
    """A text that is the same for attempts that share a provider and what tells who pays, and gives neither away.

    An agent whose provider is not known is an account of its own.
    """
    whose = ("provider", traits.provider) if traits.provider else ("agent", agent)
    values = tuple((name, env.get(name)) for name in traits.account)
    return hashlib.sha256(repr((whose, values)).encode("utf-8", "surrogatepass")).hexdigest()
