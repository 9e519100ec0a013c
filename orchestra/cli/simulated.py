"""A build that is only simulated: the real engine on an in-memory layer over the repository.

`build --dry-run` and `plan` both come from here, so that neither can disagree with a build. It changes nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from orchestra.cli.build import BuildRequest, build_name, chosen, jobs_of, named
from orchestra.cli.options import Project
from orchestra.execution.engine import BuildOrder, Engine
from orchestra.integration.line import Line
from orchestra.model.events import BuildFinished, Event, TaskDecided, TaskRecorded
from orchestra.model.freshness import Reason, State, decide_all
from orchestra.model.outcomes import Final
from orchestra.model.ports import AttemptOrder, CommitRequest, Listener, Merged
from orchestra.model.trees import FileState, Tree
from orchestra.planning.simulate import ManualClock, Script, SimulatedExecutor, pessimist
from orchestra.reporting.outlook import Outlook, foresee
from orchestra.reporting.question import Adopted
from orchestra.vcs.memory import MemoryGit


def simulate(project: Project, request: BuildRequest, listeners: Sequence[Listener]) -> BuildFinished:
    """Drive the engine as the build that is asked for would, and tell the listeners; gives its last event.

    Every attempt succeeds after one second and changes all that it may.
    """
    return _drive(project, request, listeners, _Agreeing(behind=project.repository), pessimist)


def _drive(
    project: Project,
    request: BuildRequest,
    listeners: Sequence[Listener],
    git: _Agreeing,
    behave: Callable[[AttemptOrder, Tree], Script],
) -> BuildFinished:
    begin = project.begin
    clock = ManualClock()
    selected, forced = chosen(project, request)
    order = BuildOrder(
        build_name(time.time()),
        project.manifest,
        project.graph,
        selected,
        begin.target,
        begin.tip,
        jobs_of(project, request),
        forced=forced,
        named=named(project, request),
        adopt=request.adopt,
        dry_run=True,
    )
    return Engine(order, git, SimulatedExecutor(git, clock, behave), clock, listeners).run()


def makespan(project: Project, request: BuildRequest, seconds: Mapping[str, float]) -> float:
    """How many seconds the build that is asked for would take if each task took as long as is given here.

    Those that only may run are taken to run, those of which nothing is known to take no time.
    """

    def behave(order: AttemptOrder, tree: Tree) -> Script:
        return replace(pessimist(order, tree), seconds=seconds.get(order.task.name, 0.0))

    return _drive(project, request, (), _Agreeing(behind=project.repository), behave).wall_s


def adopted(project: Project, request: BuildRequest) -> tuple[Adopted, ...]:
    """What the build that is asked for, and that adopts, would record as fresh."""
    heard, git = _Collected(), _Agreeing(behind=project.repository)
    finished = _drive(project, request, [heard], git, pessimist)
    entries = Line(git, finished.tip).entries
    reasons: dict[str, tuple[Reason, ...]] = {}
    found: list[Adopted] = []
    for event in heard.events:
        if isinstance(event, TaskDecided):
            reasons[event.task] = event.reasons
        elif isinstance(event, TaskRecorded) and event.final is Final.ADOPTED:
            check = project.graph.task(event.task).claims.is_check
            outputs = () if check else tuple(entries[event.task].outputs.items())
            there = tuple((path, state is not None) for path, state in outputs)
            found.append(Adopted(event.task, reasons.get(event.task, ()), there, check))
    return tuple(found)


def foreseen(project: Project, request: BuildRequest) -> Outlook:
    """What the build that is asked for would do with each of its tasks."""
    heard = _Collected()
    simulate(project, request, [heard])
    outlook = foresee(heard.events, project.graph, _quiet(project, request))
    assert outlook is not None, "a build that never started"
    return outlook


def _quiet(project: Project, request: BuildRequest) -> frozenset[str]:
    """The tasks that the build would leave alone on the very tree with which it would begin, but for what others do."""
    _, forced = chosen(project, request)
    wanted = named(project, request)
    return frozenset(
        name
        for name, decision in decide_all(project.situation()).items()
        if decision.state is not State.STALE
        and name not in forced
        and not (name in wanted and decision.state is State.REVERTED)
    )


class _Agreeing(MemoryGit):
    """A git for which no two changes conflict: where both changed a file, the later one counts.

    What simulated attempts write into a file that tasks share is made up. Real lines mostly merge, and a conflict
    that nobody can foresee would have tasks go twice or alone in what is foreseen.
    """

    __slots__ = ()

    def merge(self, base: str, ours: str, theirs: str) -> Merged:
        """See `orchestra.model.ports.Git`."""
        merged = MemoryGit.merge(self, base, ours, theirs)
        if merged.tree is not None:
            return merged
        files = self.tree(theirs).files
        edits = tuple((path, self._content(files.get(path))) for path in merged.conflicts)
        settled = self.commit(CommitRequest(ours, (ours,), "", edits))
        return MemoryGit.merge(self, base, settled, theirs)

    def _content(self, state: FileState | None) -> bytes | None:
        return None if state is None else self.read([state.split(" ")[1]])[0]


class _Collected:
    """A listener that keeps what it hears."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def notify(self, event: Event) -> None:
        """Take one event."""
        self.events.append(event)
