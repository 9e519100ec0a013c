"""All that attempts work with: the repository, the slots, the agents, the clock, the person's environment."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from orchestra.execution.environment import attempt_environment, place_variables
from orchestra.model.agents import Agent, Judgement
from orchestra.model.masking import Mask
from orchestra.model.outcomes import Usage
from orchestra.model.ports import Clock
from orchestra.model.tasks import AgentSpec, Price, Task
from orchestra.planning.budget import priced
from orchestra.vcs.repository import Repository
from orchestra.vcs.slots import SlotPool


@dataclass(frozen=True, slots=True)
class Workshop:
    """What every attempt of a build shares.

    `setup` is the command that sets a slot up ("" for none); `agent_of` the description of a task's agent
    (None for `run`), `adapter_of` the adapter to it. `context` are the files that precede every prompt, `mask` takes
    secrets out of all that is printed; `prices` are what models cost by their names.
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
    prices: Mapping[str, Price] = field(default_factory=dict)

    def used(self, judged: Judgement, spec: AgentSpec | None) -> Usage:
        """What a run of an agent used, with its cost: as it said, else by the price of the model that served it, or of
        the one that it was told to use. Each run by itself, since a review may be another model's.
        """
        models = (judged.model, spec.model if spec is not None else None)
        return priced(judged.usage, models, self.prices)

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
