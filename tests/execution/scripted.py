"""An agent whose every run is a script that a test wrote: what it does, what it tells of itself, how it ends."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from orchestra.agents.plain import PlainSession
from orchestra.model.agents import AgentEvent, Invocation, Judgement, Order, Session, Traits
from orchestra.model.outcomes import Exit, Usage


@dataclass(frozen=True)
class Run:
    """One run: a shell script, and what it is known to have used. `judged` are fields of its judgement to set.

    A line `@read PATH` or `@write PATH` of its output is the use of a tool.
    """

    script: str = "true"
    usage: Usage = field(default_factory=Usage)
    session: str | None = None
    judged: dict[str, object] = field(default_factory=dict)


class ScriptedSession(PlainSession):
    """One run."""

    def __init__(self, run: Run) -> None:
        super().__init__(Invocation(("sh", "-e", "-c", run.script)))
        self._run = run

    def read(self, line: str) -> tuple[AgentEvent, ...]:
        for access in ("read", "write"):
            if line.startswith(f"@{access} "):
                paths = tuple(line.split(" ")[1:])
                tool = AgentEvent("tool", name=access.title(), paths=paths)
                return (replace(tool, access="read" if access == "read" else "write"),)
        return super().read(line)

    def judge(self, ended: Exit) -> Judgement:
        judged = replace(super().judge(ended), usage=self._run.usage, session=self._run.session)
        return replace(judged, **self._run.judged)  # type: ignore[arg-type]


class ScriptedAgent:
    """Does the runs one after another; `orders` are what it was asked."""

    def __init__(self, *runs: Run | str, resumes: bool = False, told: bool = True) -> None:
        self._runs = [run if isinstance(run, Run) else Run(run) for run in runs]
        self._traits = Traits(told, resumes)
        self.orders: list[Order] = []

    @property
    def traits(self) -> Traits:
        return self._traits

    def missing(self) -> str | None:
        return None

    def open(self, order: Order) -> Session:
        self.orders.append(order)
        assert len(self.orders) <= len(self._runs), "it was run once more than the test foresaw"
        return ScriptedSession(self._runs[len(self.orders) - 1])
