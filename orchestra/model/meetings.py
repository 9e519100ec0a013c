"""What an edge of the graph stands on: the patterns by which two tasks meet, and which edges others imply.

The patterns are those that `overlap` compares when it finds the edge, so that what is said of an edge is why it
is there. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from orchestra.model.folding import fold_pattern
from orchestra.model.graph import Edge, EdgeKind, Graph
from orchestra.model.overlap import ordering_reads, ordering_writes
from orchestra.model.patterns import compile_pattern
from orchestra.model.tasks import EVERYTHING, Task

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Meeting:
    """A pattern of the task that goes first and one of the other by which some path, or a twin of it, matches both.

    `first` is None where nobody said what the first task writes, and the other reads everything.
    """

    first: str | None
    then: str


def meetings(edge: Edge, graph: Graph) -> tuple[Meeting, ...]:
    """The patterns by which the tasks of an edge meet, in the order in which they were written.

    None where the one is needed, and where one of the two runs alone whatever the other writes.
    """
    first, then = graph.task(edge.first), graph.task(edge.then)
    match edge.kind:
        case EdgeKind.NEED:
            return ()
        case EdgeKind.READ:
            found = _pairs(_every_write(first), ordering_reads(then))
            if not found and first.claims.write is None:
                return (Meeting(None, EVERYTHING),)
            return found
        case EdgeKind.WRITE:
            both = _pairs(ordering_writes(first), _every_write(then))
            return _each_once((*both, *_pairs(first.claims.shared, ordering_writes(then))))
        case EdgeKind.SHARE:
            return _pairs(first.claims.shared, then.claims.shared)


def implied(edges: Sequence[Edge], order: Sequence[str]) -> frozenset[Edge]:
    """Those of the edges that say nothing new, since a way along others leads from the one task to the other.

    `order` holds the tasks of all edges and keeps them. A need is never implied: it says more than an order. That
    one task starts after another follows from no landings that are only ordered (`shared`).
    """
    rank = {name: place for place, name in enumerate(order)}
    strong = _Ways(rank, (edge for edge in edges if edge.kind is not EdgeKind.SHARE))
    every = _Ways(rank, edges)
    return frozenset(
        edge
        for edge in edges
        if edge.kind is not EdgeKind.NEED
        and (every if edge.kind is EdgeKind.SHARE else strong).has_detour(edge.first, edge.then)
    )


def longest_chain(graph: Graph, counted: frozenset[str]) -> tuple[str, ...]:
    """The critical path by equal weights: a longest chain of tasks of which each waits for the one before.

    Only the tasks of `counted` take time; the others are passed through. Where two share what they write, the
    later lands no sooner than the earlier, but runs meanwhile.
    """
    ends: dict[str, int] = {}
    came: dict[str, tuple[str | None, bool]] = {}
    for name in graph.order:
        start, before = 0, None
        landed, behind = 0, None
        for edge in graph.incoming(name):
            if edge.kind is EdgeKind.SHARE:
                if ends[edge.first] > landed:
                    landed, behind = ends[edge.first], edge.first
            elif ends[edge.first] > start:
                start, before = ends[edge.first], edge.first
        own = start + (name in counted)
        ends[name] = max(own, landed)
        came[name] = (before, name in counted) if own >= landed else (behind, False)
    chain: list[str] = []
    at = max(graph.order, key=lambda name: ends[name], default=None)
    while at is not None:
        before, runs = came[at]
        if runs:
            chain.append(at)
        at = before
    return tuple(reversed(chain))


class _Ways:
    """What lies behind each task along some edges, as bit masks by place in the order."""

    def __init__(self, rank: dict[str, int], edges: Iterable[Edge]) -> None:
        self._rank = rank
        following: dict[int, set[int]] = {}
        for edge in edges:
            following.setdefault(rank[edge.first], set()).add(rank[edge.then])
        after: dict[int, int] = {}
        self._far: dict[int, int] = {}
        for first in sorted(following, reverse=True):
            # Behind at least one other task.
            far = 0
            near = 0
            for then in following[first]:
                near |= 1 << then
                far |= after.get(then, 0)
            self._far[first] = far
            after[first] = near | far

    def has_detour(self, first: str, then: str) -> bool:
        """Whether a way of at least two edges leads from one task to another."""
        return bool(self._far.get(self._rank[first], 0) >> self._rank[then] & 1)


def _every_write(task: Task) -> tuple[str, ...]:
    return _each_once((*ordering_writes(task), *task.claims.shared))


def _pairs(ones: tuple[str, ...], others: tuple[str, ...]) -> tuple[Meeting, ...]:
    found = (
        Meeting(one, other)
        for one in ones
        for other in others
        if fold_pattern(compile_pattern(one)).overlaps(fold_pattern(compile_pattern(other)))
    )
    return _each_once(tuple(found))


def _each_once(items: tuple[T, ...]) -> tuple[T, ...]:
    return tuple(dict.fromkeys(items))
