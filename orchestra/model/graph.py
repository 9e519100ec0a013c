"""The graph: tasks and what they wait for, by needs and by claims, and the order that follows.

Edges are added as the design's section 6 says: needs first, then writers before readers in manifest order of
the writer (one that would close a circle is dropped, and remembered), then overlapping writers in manifest
order where nothing orders them yet, those that share what they write last. The result is a total order of
overlapping writers that no priority can change.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from heapq import heapify, heappop, heappush

from orchestra.model.errors import usage_error
from orchestra.model.overlap import ClaimIndex
from orchestra.model.tasks import Task


class EdgeKind(StrEnum):
    """Why one task goes before another: it is needed, writes what the other reads, or writes the same.

    Tasks that share what they write may run side by side; only their landings are ordered.
    """

    NEED = "needs"
    READ = "write-read"
    WRITE = "write-write"
    SHARE = "shared"


@dataclass(frozen=True, slots=True)
class Edge:
    """`first` goes before `then`."""

    first: str
    then: str
    kind: EdgeKind


@dataclass(frozen=True, slots=True)
class Graph:
    """Tasks with their edges. `order` is one order that keeps all edges, nearest to manifest order.

    `dropped` are write–read edges left out because they would have closed a circle. What comes after and before
    a task is kept as bit masks by place in manifest order: as sets it would be a million names for 1,000 tasks.
    """

    tasks: Mapping[str, Task]
    edges: tuple[Edge, ...]
    dropped: tuple[Edge, ...]
    order: tuple[str, ...]
    _after: tuple[int, ...]
    _before: tuple[int, ...]
    _ranks: Mapping[str, int]
    _tail: Mapping[str, int]
    _incoming: Mapping[str, tuple[Edge, ...]]

    def task(self, name: str) -> Task:
        """The task of that name."""
        return self.tasks[name]

    def after(self, name: str) -> frozenset[str]:
        """The tasks ordered after this one, directly or not."""
        return self._named(self._after[self._ranks[name]])

    def before(self, name: str) -> frozenset[str]:
        """The tasks ordered before this one, directly or not."""
        return self._named(self._before[self._ranks[name]])

    def incoming(self, name: str) -> tuple[Edge, ...]:
        """The edges that end at the task."""
        return self._incoming[name]

    def direct(self, name: str) -> tuple[Edge, ...]:
        """The edges that end at the task and follow from no others; all of its needs."""
        before, needs = self._before[self._ranks[name]], self.tasks[name].needs
        return tuple(
            edge
            for edge in self._incoming[name]
            if edge.kind is EdgeKind.NEED
            or (edge.first not in needs and not self._after[self._ranks[edge.first]] & before)
        )

    def tail(self, name: str) -> int:
        """The number of tasks on the longest path that begins with this one: its critical path, equal weights."""
        return self._tail[name]

    def with_needs(self, names: Iterable[str]) -> frozenset[str]:
        """The named tasks with all that they need, directly or not."""
        found: set[str] = set()
        todo = list(names)
        while todo:
            name = todo.pop()
            if name not in found:
                found.add(name)
                todo += self.tasks[name].needs
        return frozenset(found)

    def _named(self, mask: int) -> frozenset[str]:
        names = tuple(self._ranks)
        return frozenset(names[rank] for rank in _bits(mask))


def build_graph(tasks: tuple[Task, ...]) -> Graph:
    """The graph of tasks in manifest order; raises OrchestraError where needs form a circle."""
    ranks = {task.name: rank for rank, task in enumerate(tasks)}
    edges: list[Edge] = []
    dropped: list[Edge] = []
    reach = _Reach(len(tasks))
    for task in tasks:
        for need in task.needs:
            edges.append(Edge(need, task.name, EdgeKind.NEED))
            reach.add(ranks[need], ranks[task.name])
    if any(reach.orders(rank, rank) for rank in range(len(tasks))):
        raise _circle(tasks)
    index = ClaimIndex(tasks)
    for writer, reader in index.writers_and_readers():
        edge = Edge(tasks[writer].name, tasks[reader].name, EdgeKind.READ)
        if reach.orders(reader, writer):
            dropped.append(edge)
        else:
            edges.append(edge)
            reach.add(writer, reader)
    for kind, pairs in (
        (EdgeKind.WRITE, index.writers_and_writers()),
        (EdgeKind.SHARE, index.sharers()),
    ):
        for one, other in pairs:
            if not reach.orders(one, other) and not reach.orders(other, one):
                edges.append(Edge(tasks[one].name, tasks[other].name, kind))
                reach.add(one, other)
    names = [task.name for task in tasks]
    order = _order(names, edges)
    incoming: dict[str, list[Edge]] = {name: [] for name in names}
    for edge in edges:
        incoming[edge.then].append(edge)
    return Graph(
        {task.name: task for task in tasks},
        tuple(edges),
        tuple(dropped),
        order,
        tuple(reach.after),
        tuple(reach.before),
        ranks,
        _tails(order, edges),
        {name: tuple(found) for name, found in incoming.items()},
    )


class _Reach:
    """Which task is ordered before which, as one bit mask a task: edges are added one by one."""

    def __init__(self, count: int) -> None:
        self.after = [0] * count
        self.before = [0] * count

    def orders(self, first: int, then: int) -> bool:
        return bool(self.after[first] >> then & 1)

    def add(self, first: int, then: int) -> None:
        if self.orders(first, then):
            return
        later = self.after[then] | 1 << then
        earlier = self.before[first] | 1 << first
        for rank in _bits(earlier):
            self.after[rank] |= later
        for rank in _bits(later):
            self.before[rank] |= earlier


def _bits(mask: int) -> Iterator[int]:
    while mask:
        low = mask & -mask
        yield low.bit_length() - 1
        mask ^= low


def _order(names: list[str], edges: list[Edge]) -> tuple[str, ...]:
    """Kahn's method, always taking the earliest in manifest order that is free."""
    rank = {name: number for number, name in enumerate(names)}
    waits = dict.fromkeys(names, 0)
    following: dict[str, list[str]] = {name: [] for name in names}
    for edge in edges:
        waits[edge.then] += 1
        following[edge.first].append(edge.then)
    free = [rank[name] for name in names if waits[name] == 0]
    heapify(free)
    order: list[str] = []
    while free:
        name = names[heappop(free)]
        order.append(name)
        for then in following[name]:
            waits[then] -= 1
            if waits[then] == 0:
                heappush(free, rank[then])
    return tuple(order)


def _tails(order: tuple[str, ...], edges: list[Edge]) -> Mapping[str, int]:
    tails = dict.fromkeys(order, 1)
    following: dict[str, list[str]] = {name: [] for name in order}
    for edge in edges:
        following[edge.first].append(edge.then)
    for name in reversed(order):
        tails[name] = 1 + max((tails[then] for then in following[name]), default=0)
    return tails


def _circle(tasks: tuple[Task, ...]) -> Exception:
    """The error that shows one circle of needs."""
    by_name = {task.name: task for task in tasks}
    done: set[str] = set()
    for start in by_name:
        path: list[str] = []
        todo = [(start, 0)]
        while todo:
            name, depth = todo.pop()
            del path[depth:]
            if name in path:
                circle = [*path[path.index(name) :], name]
                return usage_error(
                    f"tasks need each other in a circle: {' → '.join(circle)}",
                    place=by_name[name].place,
                    hint=f"take `{circle[1]}` out of the needs of `{name}`, or another one of the circle",
                )
            if name in done:
                continue
            path.append(name)
            if all(need in done for need in by_name[name].needs):
                done.add(name)
            todo += [(need, depth + 1) for need in by_name[name].needs]
    raise AssertionError("no circle")
