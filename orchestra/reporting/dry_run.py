"""What a build would do, in the text of `--dry-run`: read from the events of a simulated build, decided nowhere else.

Pure. A simulated attempt changes all that it may, so a task that runs there only because of that is said to run
`if` the other changes its output; the made-up paths of the simulation are never shown.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from orchestra.model.events import AttemptStarted, BuildStarted, Event, Notice, TaskLanded, TaskSkipped
from orchestra.model.freshness import Reason, ReasonKind
from orchestra.model.graph import EdgeKind, Graph
from orchestra.reporting.summary import null_words
from orchestra.reporting.words import Style, count, listing, one_line, paint, reasons_words

NAME_WIDTH = 40


@dataclass(slots=True)
class _Seen:
    """What the simulated build did: first starts by task, who landed which path, what was said beside it."""

    started: BuildStarted | None = None
    starts: dict[str, AttemptStarted] = field(default_factory=dict)
    makers: dict[str, str] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    notices: list[Notice] = field(default_factory=list)
    # As of each start: a path that lands later cannot have been its reason.
    own: dict[str, tuple[Reason, ...]] = field(default_factory=dict)
    causes: dict[str, tuple[str, ...]] = field(default_factory=dict)


def dry_run_text(events: Iterable[Event], graph: Graph, color: bool = False) -> str:
    """Which tasks would run, in order of their start and why, which may, and how many are fresh.

    `events` are those of one simulated build on `graph`. No newline at the end.
    """
    seen = _read(events)
    if seen.started is None:
        return ""
    selected = seen.started.tasks
    certain = [task for task in seen.starts if not seen.causes[task]]
    maybe = _maybe(seen, graph, selected)
    notes = [_note(notice, color) for notice in seen.notices]
    if not certain and not maybe:
        return "\n".join([*notes, null_words(len(selected))])
    fresh = max(len(selected) - len(certain) - len(maybe), 0)
    head = f"{len(certain):,} of {count(len(selected), 'task')} would run"
    jobs = seen.started.jobs
    head += ", one at a time" if jobs == 1 else f", up to {jobs} at once"
    head += f"; {len(maybe):,} more may" if maybe else ""
    head += f"; {fresh:,} {'is' if fresh == 1 else 'are'} fresh" if fresh else ""
    return "\n".join([*notes, head, *_rows(seen, graph, maybe, color)])


def _read(events: Iterable[Event]) -> _Seen:
    seen = _Seen()
    for event in events:
        match event:
            case BuildStarted():
                seen.started = event
            case Notice():
                seen.notices.append(event)
            case TaskLanded():
                seen.makers.update(dict.fromkeys(event.paths, event.task))
            case TaskSkipped(because=str(because)):
                seen.skipped[event.task] = because
            case AttemptStarted() if event.task not in seen.starts:
                makers = [_maker(reason, seen) for reason in event.reasons]
                paired = zip(event.reasons, makers, strict=True)
                own = tuple(reason for reason, maker in paired if maker is None)
                seen.starts[event.task] = event
                seen.own[event.task] = own
                found = dict.fromkeys(maker for maker in makers if maker is not None)
                seen.causes[event.task] = () if own else tuple(found)
            case _:
                pass  # how simulated attempts end is not news
    return seen


def _maker(reason: Reason, seen: _Seen) -> str | None:
    """The task of this dry run without which the reason would not be there; None: it stands by itself."""
    if reason.subject is None:
        return None
    if reason.kind is ReasonKind.NEED_CHANGED:
        return reason.subject if reason.subject in seen.starts else None
    if reason.kind is ReasonKind.INPUT_CHANGED:
        return seen.makers.get(reason.subject)
    return None


def _maybe(seen: _Seen, graph: Graph, selected: tuple[str, ...]) -> Mapping[str, tuple[str, ...]]:
    """The tasks that may run, each with those on whose output that depends, in the graph's order."""
    chosen = set(selected)
    maybe: dict[str, tuple[str, ...]] = {}
    for name in graph.order:
        if name not in chosen:
            continue
        if name in seen.starts:
            causes = seen.causes[name]
        elif name in seen.skipped:
            causes = (seen.skipped[name],)
        else:
            # Fresh in the simulation, which tries one file for a pattern of many.
            causes = tuple(
                edge.first
                for edge in graph.incoming(name)
                if edge.kind is not EdgeKind.WRITE
                and (edge.first in seen.starts or edge.first in maybe)
                and not graph.task(edge.first).claims.is_check
            )
        if causes:
            maybe[name] = tuple(dict.fromkeys(causes))
    return maybe


def _rows(seen: _Seen, graph: Graph, maybe: Mapping[str, tuple[str, ...]], color: bool) -> list[str]:
    """A line a task: its place in the order of starts (equal numbers start together), its name and why."""
    times = {time: n for n, time in enumerate(sorted({s.time for s in seen.starts.values()}), 1)}
    names = [*seen.starts, *(name for name in maybe if name not in seen.starts)]
    width = min(NAME_WIDTH, max(len(one_line(name)) for name in names))
    digits = len(str(len(times)))
    rows: list[str] = []
    for name in names:
        place = str(times[seen.starts[name].time]) if name in seen.starts else "-"
        if name in maybe:
            skipped = name in seen.skipped and name not in seen.starts
            words = f"{listing(maybe[name])} lands" if skipped else f"{_either(maybe[name])} its output"
            why = paint(f"only if {words}", Style.DIM, color)
        else:
            check = name in graph.tasks and graph.task(name).claims.is_check
            why = reasons_words(seen.own[name], check=check)
        rows.append(f"  {place:>{digits}}  {one_line(name, NAME_WIDTH):<{width}}  {why}".rstrip())
    return rows


def _either(names: tuple[str, ...]) -> str:
    if len(names) == 2:
        return f"{listing(names[:1])} or {listing(names[1:])} changes"
    return f"one of {listing(names, 3)} changes" if len(names) > 2 else f"{listing(names)} changes"


def _note(notice: Notice, color: bool) -> str:
    hint = f" (hint: {one_line(notice.hint)})" if notice.hint else ""
    return f"{paint('note:', Style.WARN, color)} {one_line(notice.message, 400)}{hint}"
