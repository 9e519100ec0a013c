"""All that attempts work with: the repository, the slots, the agents, the clock, the person's environment."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from orchestra.execution.environment import attempt_environment, place_variables
from orchestra.model.agents import Agent
from orchestra.model.masking import Mask
from orchestra.model.ports import Clock
from orchestra.model.tasks import AgentSpec, Task
from orchestra.vcs.repository import Repository
from orchestra.vcs.slots import SlotPool


@dataclass(frozen=True, slots=True)
class Workshop:
    """What every attempt of a build shares.

    `setup` is the command that sets a slot up ("" for none); `agent_of` the description of a task's agent
    (None for `run`), `adapter_of` the adapter to it. `context` are the files that precede every prompt, `mask` takes
    secrets out of all that is printed.
    """

    repository: Repository
    pool: SlotPool
    build: str
    clock: Clock
    environ: Mapping[str, str]
    setup: str
    agent_of: Callable[[Task], AgentSpec | None]
    adapter_of: Callable[[Task, AgentSpec | None], Agent]
    context: tuple[str, ...] = ()
    mask: Mask = field(default_factory=Mask)

    def environment(self, task: Task, attempt: str, spec: AgentSpec | None, slot: int) -> dict[str, str]:
        """The environment of an agent (None: a command) that works on a task in the slot of that number."""
        place = place_variables(
            task=task.name, build=self.build, attempt=attempt, root=self.repository.root, slot=slot
        )
        return attempt_environment(
            self.environ,
            self.repository.root,
            passes=(*(spec.passes if spec else ()), *task.passes),
            sets=(*(spec.env if spec else ()), *task.env, *place.items()),
        )
