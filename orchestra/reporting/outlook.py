"""What a build would do with each task, read from the events of a simulated one; decided nowhere else.

Pure. A simulated attempt changes all that it may, so a task that runs there only because of that is one that may
run, `if` the other changes its output; the made-up paths of the simulation are never told.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from orchestra.model.events import (
    AttemptStarted,
    BuildStarted,
    Event,
    Notice,
    TaskDecided,
    TaskLanded,
    TaskRecorded,
    TaskReplayed,
    TaskSkipped,
)
from orchestra.model.freshness import Reason, ReasonKind, State
from orchestra.model.graph import EdgeKind, Graph


class Action(StrEnum):
    """What a build would do with a task.

    RUN an attempt; MAYBE run one, which depends on what others change; REPLAY a kept result; RECORD its entry and
    nothing else; leave it since it is FRESH or REVERTED.
    """

    RUN = "run"
    MAYBE = "maybe"
    REPLAY = "replay"
    RECORD = "record"
    FRESH = "fresh"
    REVERTED = "reverted"


@dataclass(frozen=True, slots=True)
class Prospect:
    """What would become of one task.

    `row`: those with the same number would start together, from 1; None where it is not known that it starts.
    `reasons` are those that do not depend on other tasks of the build. `depends` are the tasks on whose outputs
    (on whose landing, with `needs_landing`) it depends whether it runs. `why` says what is replayed or recorded.
    """

    task: str
    action: Action
    row: int | None = None
    reasons: tuple[Reason, ...] = ()
    depends: tuple[str, ...] = ()
    needs_landing: bool = False
    why: str = ""


@dataclass(frozen=True, slots=True)
class Outlook:
    """What a build would do: `prospects` in the order of starts, then those that may run, then the rest.

    `base` is the commit with which it would begin, `branch` what it is for (None: a detached HEAD), `jobs` how many
    attempts at most at once.
    """

    base: str
    branch: str | None
    jobs: int
    prospects: tuple[Prospect, ...]
    notices: tuple[Notice, ...] = ()

    def of(self, *actions: Action) -> tuple[Prospect, ...]:
        """The tasks with which one of these would be done."""
        return tuple(prospect for prospect in self.prospects if prospect.action in actions)

    @property
    def rows(self) -> tuple[tuple[str, ...], ...]:
        """The tasks that would start, row by row."""
        rows: dict[int, list[str]] = {}
        for prospect in self.prospects:
            if prospect.row is not None:
                rows.setdefault(prospect.row, []).append(prospect.task)
        return tuple(tuple(rows[number]) for number in sorted(rows))

    @property
    def running(self) -> frozenset[str]:
        """The tasks of which an attempt would start in the simulation."""
        would = self.of(Action.RUN, Action.MAYBE)
        return frozenset(prospect.task for prospect in would if prospect.row is not None)


@dataclass(slots=True)
class _Seen:
    """What the simulated build did: how each task came to start, attempts with their tasks, who landed which path,
    what was said beside it.
    """

    started: BuildStarted | None = None
    starts: dict[str, AttemptStarted | TaskReplayed | TaskRecorded] = field(default_factory=dict)
    attempts: dict[str, str] = field(default_factory=dict)
    makers: dict[str, str] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    notices: list[Notice] = field(default_factory=list)
    reverted: set[str] = field(default_factory=set)
    # As of each start: a path that lands later cannot have been its reason.
    own: dict[str, tuple[Reason, ...]] = field(default_factory=dict)
    causes: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def attempted(self, task: str) -> bool:
        return task in self.attempts.values()


def foresee(events: Iterable[Event], graph: Graph, quiet: frozenset[str] = frozenset()) -> Outlook | None:
    """Read the events of one simulated build on `graph`; None where it never started.

    `quiet` are the tasks that need not run as the tree is now: only what a simulation changes makes them run in it.
    No event tells that of a check task that has passed, or of one that was reverted.
    """
    seen = _read(events)
    if seen.started is None:
        return None
    selected = seen.started.tasks
    maybe = _maybe(seen, graph, selected, quiet)
    rows = {time: n for n, time in enumerate(sorted({start.time for start in seen.starts.values()}), 1)}
    names = dict.fromkeys((*seen.starts, *maybe, *selected))
    prospects = tuple(_prospect(name, seen, maybe, rows) for name in names)
    started = seen.started
    return Outlook(started.base, started.branch, started.jobs, prospects, tuple(seen.notices))


def _read(events: Iterable[Event]) -> _Seen:
    seen = _Seen()
    for event in events:
        match event:
            case BuildStarted():
                seen.started = event
            case Notice():
                seen.notices.append(event)
            case TaskLanded() if event.attempt in seen.attempts:
                # What is replayed has been made before: nothing about it is made up.
                seen.makers.update(dict.fromkeys(event.paths, event.task))
            case TaskSkipped(because=str(because)):
                seen.skipped[event.task] = because
            case TaskDecided():
                if event.state is State.REVERTED:
                    seen.reverted.add(event.task)
                else:
                    seen.reverted.discard(event.task)
            case TaskReplayed() | TaskRecorded():
                seen.starts.setdefault(event.task, event)
            case AttemptStarted():
                seen.attempts[event.attempt] = event.task
                if event.task not in seen.starts:
                    _start(event, seen)
            case _:
                pass  # how simulated attempts end is not news
    return seen


def _start(event: AttemptStarted, seen: _Seen) -> None:
    makers = [_maker(reason, seen) for reason in event.reasons]
    own = tuple(reason for reason, maker in zip(event.reasons, makers, strict=True) if maker is None)
    seen.starts[event.task] = event
    seen.own[event.task] = own
    found = dict.fromkeys(maker for maker in makers if maker is not None)
    seen.causes[event.task] = () if own else tuple(found)


def _maker(reason: Reason, seen: _Seen) -> str | None:
    """The task of this simulation without which the reason would not be there; None: it stands by itself."""
    if reason.subject is None:
        return None
    if reason.kind is ReasonKind.NEED_CHANGED:
        return reason.subject if seen.attempted(reason.subject) else None
    if reason.kind is ReasonKind.INPUT_CHANGED:
        return seen.makers.get(reason.subject)
    return None


def _maybe(
    seen: _Seen, graph: Graph, selected: tuple[str, ...], quiet: frozenset[str]
) -> Mapping[str, tuple[str, ...]]:
    """The tasks that may run, each with those on whose output that depends, in the graph's order."""
    chosen = set(selected)
    maybe: dict[str, tuple[str, ...]] = {}
    for name in graph.order:
        if name not in chosen:
            continue
        if name in quiet and seen.own.get(name):
            causes = _changing(name, seen, graph, maybe)
        elif name in seen.starts:
            causes = seen.causes.get(name, ())
        elif name in seen.skipped:
            causes = (seen.skipped[name],)
        else:
            # Fresh in the simulation, which tries one file for a pattern of many.
            causes = _changing(name, seen, graph, maybe)
        if causes:
            maybe[name] = tuple(dict.fromkeys(causes))
    return maybe


def _changing(name: str, seen: _Seen, graph: Graph, maybe: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    """The tasks that may run and change what this one reads or needs."""
    edges = graph.incoming(name)
    if graph.task(name).claims.is_check:
        # What changes after it passed is news to a check task, whatever the order.
        edges = (*edges, *(edge for edge in graph.dropped if edge.then == name))
    return tuple(
        edge.first
        for edge in edges
        if edge.kind in (EdgeKind.NEED, EdgeKind.READ)
        and (seen.attempted(edge.first) or edge.first in maybe)
        and not graph.task(edge.first).claims.is_check
    )


def _prospect(
    name: str, seen: _Seen, maybe: Mapping[str, tuple[str, ...]], rows: Mapping[float, int]
) -> Prospect:
    start = seen.starts.get(name)
    row = rows[start.time] if start is not None else None
    if name in maybe:
        skipped = start is None and name in seen.skipped
        return Prospect(name, Action.MAYBE, row, depends=maybe[name], needs_landing=skipped)
    match start:
        case AttemptStarted():
            return Prospect(name, Action.RUN, row, seen.own[name])
        case TaskReplayed():
            return Prospect(name, Action.REPLAY, row, why=start.why)
        case TaskRecorded():
            return Prospect(name, Action.RECORD, row, why=start.final.value)
        case None:
            return Prospect(name, Action.REVERTED if name in seen.reverted else Action.FRESH)
