"""A build that is only simulated: the real engine on an in-memory copy of the tree, with nothing real behind it.

`build --dry-run` and `plan` both come from here, so that neither can disagree with a build. It changes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

from orchestra.cli.options import Project
from orchestra.execution.engine import BuildOrder, Engine
from orchestra.integration.branch import FOLLOWED
from orchestra.integration.reconcile import take_up
from orchestra.model.entries import lock_paths
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
    into: str | None = None,
) -> BuildFinished:
    """Drive the engine as a build of the same tasks would, and tell the listeners; gives its last event.

    Every attempt succeeds after one second and changes all that it may. `build` is the name that the events
    carry, `into` the branch that it would be for (None: the manifest's, or what is checked out).
    """
    repository = project.repository
    head = project.head(into)
    begin = take_up(repository, repository.refs_below(*FOLLOWED), head.branch, head.commit, advance=True)
    tree = repository.tree(begin.tip)
    git = MemoryGit()
    ids = [tree.files[path].split(" ")[1] for path in lock_paths(tree)]
    git.seed(tree, dict(zip(ids, repository.read(ids), strict=True)))
    git.refs.update(repository.refs_below("refs/orchestra/checks/"))
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
