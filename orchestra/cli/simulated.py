"""A build that is only simulated: the real engine on an in-memory layer over the repository.

`build --dry-run` and `plan` both come from here, so that neither can disagree with a build. It changes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

from orchestra.cli.options import Project
from orchestra.execution.engine import BuildOrder, Engine
from orchestra.model.events import BuildFinished, Event
from orchestra.model.ports import Listener
from orchestra.planning.simulate import ManualClock, SimulatedExecutor
from orchestra.vcs.memory import MemoryGit


def simulate(
    project: Project,
    listeners: Sequence[Listener],
    *,
    build: str,
    selected: frozenset[str],
    forced: frozenset[str],
    jobs: int,
    named: frozenset[str] = frozenset(),
    adopt: bool = False,
) -> BuildFinished:
    """Drive the engine as a build of the same tasks would, and tell the listeners; gives its last event.

    Every attempt succeeds after one second and changes all that it may. `build` is the name that the events
    carry; `named` and `adopt` are as in BuildOrder.
    """
    begin = project.begin
    git = MemoryGit(behind=project.repository)
    clock = ManualClock()
    order = BuildOrder(
        build,
        project.manifest,
        project.graph,
        selected,
        begin.target,
        begin.tip,
        jobs,
        forced=forced,
        named=named,
        adopt=adopt,
        dry_run=True,
    )
    return Engine(order, git, SimulatedExecutor(git, clock), clock, listeners).run()


class Collected:
    """A listener that keeps what it hears."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def notify(self, event: Event) -> None:
        """Take one event."""
        self.events.append(event)
