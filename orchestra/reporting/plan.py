"""A plan: what a build would do, and what lies behind its order: overlaps, dropped edges, the critical path.

Pure: what was foreseen from a simulated build in, text or JSON data (`schema/plan.schema.json`) out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from orchestra.model.graph import Edge, EdgeKind, Graph
from orchestra.model.meetings import Meeting, implied, longest_chain, meetings
from orchestra.reporting.claims import meetings_json
from orchestra.reporting.dry_run import outlook_lines
from orchestra.reporting.outlook import Action, Outlook
from orchestra.reporting.status import reasons_json
from orchestra.reporting.words import (
    NAME_WIDTH,
    Style,
    count,
    cut,
    labelled,
    listing,
    meeting_words,
    one_line,
    paint,
    path_words,
)

VERSION = 1
"""The version of the JSON form."""
PAIRS = 12
"""So many pairs of tasks have a line each; more are counted by what they have in common."""
_LABEL_WIDTH = 15
_ENDS = 4
"""How many tasks of a long chain are named at its beginning and at its end."""


@dataclass(frozen=True, slots=True)
class Overlap:
    """Why one task goes before another: an edge, the patterns by which they meet, and whether others imply it."""

    edge: Edge
    through: tuple[Meeting, ...]
    implied: bool = False


def overlaps(outlook: Outlook, graph: Graph) -> tuple[Overlap, ...]:
    """The edges between the tasks of a build, in the graph's order of edges."""
    edges = _among(graph.edges, outlook)
    known = implied(edges, graph.order)
    return tuple(Overlap(edge, meetings(edge, graph), edge in known) for edge in edges)


def dropped(outlook: Outlook, graph: Graph) -> tuple[Overlap, ...]:
    """The edges between the tasks of a build that were dropped, since they would have closed a circle."""
    return tuple(Overlap(edge, meetings(edge, graph)) for edge in _among(graph.dropped, outlook))


def plan_text(outlook: Outlook, graph: Graph, *, color: bool = False, width: int | None = None) -> str:
    """What would run, in which order and rows, and what is behind it, without a newline at the end.

    `width` is that of the terminal, None where there is none.
    """
    behind = _fresh_lines(outlook)
    behind += labelled("overlaps", _overlap_rows(outlook, graph), _LABEL_WIDTH)
    behind += labelled("dropped", _dropped_rows(outlook, graph), _LABEL_WIDTH)
    behind += labelled("critical path", _chain_rows(outlook, graph), _LABEL_WIDTH)
    behind = [_painted_label(cut(line, width), color) for line in behind]
    lines = outlook_lines(outlook, graph, color=color, width=width)
    return "\n".join([*lines, "", *behind] if behind else lines)


def plan_json(outlook: Outlook, graph: Graph) -> dict[str, Any]:
    """The same as JSON data, with every task and every edge."""
    foreseen = {prospect.task: prospect for prospect in outlook.prospects}
    return {
        "version": VERSION,
        "base": outlook.base,
        "branch": outlook.branch,
        "jobs": outlook.jobs,
        "tasks": [
            {
                "task": name,
                "action": foreseen[name].action.value,
                "row": foreseen[name].row,
                "reasons": reasons_json(foreseen[name].reasons),
                "depends": list(foreseen[name].depends),
            }
            for name in graph.order
            if name in foreseen
        ],
        "rows": [list(row) for row in outlook.rows],
        "edges": [
            {**edge_json(overlap.edge, overlap.through), "implied": overlap.implied}
            for overlap in overlaps(outlook, graph)
        ],
        "dropped": [edge_json(overlap.edge, overlap.through) for overlap in dropped(outlook, graph)],
        "critical_path": list(longest_chain(graph, outlook.running)),
        "notices": [{"message": notice.message, "hint": notice.hint} for notice in outlook.notices],
    }


def edge_json(edge: Edge, through: Iterable[Meeting]) -> dict[str, Any]:
    """An edge as JSON data."""
    return {
        "first": edge.first,
        "then": edge.then,
        "edge": edge.kind.value,
        "through": meetings_json(through),
    }


def edge_words(edge: Edge, through: Sequence[Meeting]) -> str:
    """Why one task goes before another, in a few words: `needs`, `src/a.py meets src/** (write-read)`."""
    if edge.kind is EdgeKind.NEED:
        return str(edge.kind)
    return f"{meeting_words(through) or 'one of them runs alone'} ({edge.kind})"


def _among(edges: Iterable[Edge], outlook: Outlook) -> tuple[Edge, ...]:
    selected = {prospect.task for prospect in outlook.prospects}
    return tuple(edge for edge in edges if edge.first in selected and edge.then in selected)


def _fresh_lines(outlook: Outlook) -> list[str]:
    lines: list[str] = []
    for action in (Action.FRESH, Action.REVERTED):
        words = listing(prospect.task for prospect in outlook.of(action))
        lines += labelled(str(action), [words] if words else [], _LABEL_WIDTH)
    return lines


def _overlap_rows(outlook: Outlook, graph: Graph) -> list[str]:
    """The pairs of tasks that are ordered, those that others imply left out; many counted by their words."""
    pairs: dict[tuple[str, str], list[str]] = {}
    for overlap in overlaps(outlook, graph):
        if not overlap.implied:
            pair = (overlap.edge.first, overlap.edge.then)
            pairs.setdefault(pair, []).append(edge_words(overlap.edge, overlap.through))
    words = {pair: ", ".join(why) for pair, why in pairs.items()}
    if len(words) <= PAIRS + 1:
        return _pair_rows(words)
    groups = Counter(words.values()).most_common()
    shown = groups if len(groups) <= PAIRS + 1 else groups[:PAIRS]
    single = {why for why, number in shown if number == 1}
    rows = [f"{count(number, 'pair')}: {why}" for why, number in shown if number > 1]
    rows += _pair_rows({pair: why for pair, why in words.items() if why in single})
    if more := groups[len(shown) :]:
        rows.append(f"… and {count(sum(number for _, number in more), 'pair')} more: orchestra plan --json")
    return rows


def _pair_rows(words: dict[tuple[str, str], str]) -> list[str]:
    named = {pair: f"{path_words(pair[0])} → {path_words(pair[1])}" for pair in words}
    width = min(NAME_WIDTH, max((len(names) for names in named.values()), default=0))
    return [f"{named[pair]:<{width}}  {why}" for pair, why in words.items()]


def _dropped_rows(outlook: Outlook, graph: Graph) -> list[str]:
    found = dropped(outlook, graph)
    shown = found if len(found) <= PAIRS + 1 else found[:PAIRS]
    rows = _pair_rows(
        {
            (one.edge.first, one.edge.then): f"{edge_words(one.edge, one.through)} would close a circle"
            for one in shown
        }
    )
    if more := len(found) - len(shown):
        rows.append(f"… and {more:,} more: orchestra plan --json")
    return rows


def _chain_rows(outlook: Outlook, graph: Graph) -> list[str]:
    """The critical path, where there is more than one task to wait for."""
    chain = longest_chain(graph, outlook.running)
    if len(chain) < 2:
        return []
    names = [one_line(name, NAME_WIDTH) for name in chain]
    # One more costs no more room than saying that there is one more.
    if len(names) > 2 * _ENDS + 1:
        names = [*names[:_ENDS], f"{len(names) - 2 * _ENDS:,} more", *names[-_ENDS:]]
    return [f"{len(chain):,} of {len(outlook.running):,}: {' → '.join(names)}"]


def _painted_label(line: str, color: bool) -> str:
    label = line[:_LABEL_WIDTH].rstrip()
    return paint(label, Style.DIM, color) + line[len(label) :]
