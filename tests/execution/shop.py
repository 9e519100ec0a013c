"""What tests of the executor share: a workshop on a person's tiny repository, and tasks for it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from orchestra.agents.registry import make_agent
from orchestra.agents.run import RunCommand
from orchestra.execution.local import LocalExecutor
from orchestra.execution.workshop import Workshop
from orchestra.model.agents import Agent
from orchestra.model.ports import (
    AgentSaid,
    AttemptEnded,
    AttemptOrder,
    Clock,
    Happening,
    VerifyEnded,
    VerifyOrder,
)
from orchestra.model.tasks import AgentSpec, Claims, Prompt, Task
from tests.vcs.kit import Bench, Person

LIMIT = 30.0  # seconds after which a test gives up
SCRIPT = AgentSpec("script", "script")


class SystemClock:
    """The machine's clock."""

    def now(self) -> float:
        return time.time()

    def monotonic(self) -> float:
        return time.monotonic()


class SkippingClock(SystemClock):
    """The machine's clock, which can be put forward."""

    ahead = 0.0

    def now(self) -> float:
        return super().now() + self.ahead

    def monotonic(self) -> float:
        return super().monotonic() + self.ahead


@dataclass
class Shop:
    """A workshop on a person's repository, and an executor in it."""

    person: Person
    worktrees: Mapping[str, object] = field(default_factory=dict)
    agents: Mapping[str, AgentSpec] = field(default_factory=dict)
    adapters: Mapping[str, Agent] = field(default_factory=dict)
    context: tuple[str, ...] = ()
    build: str = "build-1"
    clock: Clock = field(default_factory=SystemClock)

    def __post_init__(self) -> None:
        self.bench = Bench(self.person, **self.worktrees)
        setup = self.bench.worktrees.setup or ""
        self.workshop = Workshop(
            self.bench.repository,
            self.bench.pool,
            self.build,
            self.clock,
            self.person.env,
            setup,
            lambda task: None if task.run is not None else self.agents.get(task.agent or "", SCRIPT),
            self._adapter,
            self.context,
        )
        self.logs = self.person.home / "logs"
        self.told: list[Happening] = []

    def _adapter(self, task: Task, spec: AgentSpec | None) -> Agent:
        scripted = self.adapters.get(task.agent or "")
        if scripted is not None:
            return scripted
        return make_agent(spec) if spec is not None else RunCommand(task.run or "")

    def order(self, task: Task, attempt: str = "build-1-1", told: str = "") -> AttemptOrder:
        keep = f"refs/orchestra/results/key/{attempt}"
        return AttemptOrder(attempt, task, 1, self.person.head(), keep, told)

    def drain(
        self, executor: LocalExecutor, until: Callable[[Happening], bool] = lambda happening: False
    ) -> list[Happening]:
        """Poll until nothing is under way, or something that is awaited has happened."""
        while told := executor.poll():
            self.told += told
            if any(until(happening) for happening in told):
                break
        return self.told

    def attempt(self, task: Task, told: str = "", **more: object) -> AttemptEnded:
        """One attempt from its start to its end; `more` of its order."""
        with LocalExecutor(self.workshop, self.logs) as executor:
            executor.start(replace(self.order(task, told=told), **more))  # type: ignore[arg-type]
            self.drain(executor)
        (ended,) = (happening for happening in self.told if isinstance(happening, AttemptEnded))
        self.told.clear()
        return ended

    def verify(self, command: str, commit: str | None = None) -> VerifyEnded:
        """One verification from its start to its end."""
        with LocalExecutor(self.workshop, self.logs) as executor:
            executor.verify(VerifyOrder("verify-1", commit or self.person.head(), command, "task"))
            self.drain(executor)
        (ended,) = (happening for happening in self.told if isinstance(happening, VerifyEnded))
        self.told.clear()
        return ended


def run(command: str, **more: object) -> Task:
    """A task with a command of its own."""
    return replace(Task("task", 0, Claims(), run=command), **more)  # type: ignore[arg-type]


def prompted(text: str, agent: str = "script", **more: object) -> Task:
    """A task with a prompt."""
    task = Task("task", 0, Claims(), prompt=Prompt("prompts/task.md", text, "Title"), agent=agent)
    return replace(task, **more)  # type: ignore[arg-type]


def is_ready(happening: Happening) -> bool:
    """Whether an agent has said so."""
    return isinstance(happening, AgentSaid) and happening.event.text == "ready"
