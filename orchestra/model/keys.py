"""Action keys: the digest of all that determines a task's result, over parts that are stored apart."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from orchestra.model.tasks import AgentSpec, Task
from orchestra.model.trees import FileState

KEY_VERSION = "k1"
"""Changes only when the meaning of a part changes: not with orchestra's own version (I10)."""

NO_OUTPUTS = "none"
"""What stands for the outputs of a check task: it has none."""


def digest(value: object) -> str:
    """The SHA-256 of a JSON value in canonical form, 64 hexadecimal digits."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts of an action key.

    `definition`: digests of prompt, command, agent, check and env, apart so that a change can be named.
    `inputs`: state of each file that the task reads and does not write. `needs`: digest of the recorded
    outputs of each needed task; those digests name paths and contents, so that what the tasks are called is
    no part of the key.
    """

    definition: Mapping[str, str]
    inputs: Mapping[str, FileState] = field(default_factory=dict)
    needs: Mapping[str, str] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """The action key, tagged with its version."""
        value = [dict(self.definition), dict(self.inputs), sorted(self.needs.values())]
        return f"{KEY_VERSION}:{digest(value)}"


def key_in_ref(key: str) -> str:
    """The key in the form that a ref's name allows."""
    return key.replace(":", "-")


def definition_of(task: Task, agent: AgentSpec | None) -> Mapping[str, str]:
    """The definition part of a task's key.

    `agent` is the named agent's description, None for a `run` task or where no agent is named: which one is
    installed is the machine's affair, and a key must be the same on every machine.
    """
    parts: dict[str, str] = {}
    if task.prompt is not None:
        parts["prompt"] = digest(task.prompt.text)
        parts["agent"] = "auto" if agent is None else digest(_shaping_options(agent))
    if task.run is not None:
        parts["command"] = digest(task.run)
    if task.check is not None:
        parts["check"] = digest(task.check)
    env = sorted({**(dict(agent.env) if agent else {}), **dict(task.env)}.items())
    if env:
        parts["env"] = digest(env)
    return parts


def _shaping_options(agent: AgentSpec) -> list[object]:
    """What of an agent shapes results: neither the variables it is passed nor versions."""
    return [
        agent.name,
        agent.kind,
        agent.model,
        list(agent.command),
        list(agent.args),
        agent.permissions,
        agent.max_turns,
    ]
