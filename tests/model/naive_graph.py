"""Section 6 of the design told once more, pair by pair and path by path: the tests' oracle of the graph."""

from __future__ import annotations

from functools import cache

from orchestra.model.tasks import Task

from .naive_patterns import all_paths, naive_match

Pair = tuple[str, str]

PATHS = (*all_paths("abc", 5), *all_paths("x", 3), *"pqr", *all_paths("d01", 3))
"""Paths by which any two patterns of the tests' meet that meet at all."""


@cache
def matched(pattern: str) -> frozenset[str]:
    """The paths that a pattern matches, twins by case told apart no more: some machines take them for one."""
    spellings = {each for path in PATHS for each in (path, path.upper(), path[0].upper() + path[1:])}
    return frozenset(path.lower() for path in spellings if naive_match(pattern, path))


def meet(ones: tuple[str, ...], others: tuple[str, ...]) -> bool:
    """Whether some path is matched by both sides, or by one side and its twin by the other."""
    return any(matched(one) & matched(other) for one in ones for other in others)


def writes(task: Task) -> tuple[str, ...]:
    """What counts as written when tasks are ordered, shared patterns aside."""
    if task.claims.exclusive or (task.claims.write is None and task.run is not None):
        return ("**",)
    if task.claims.write is not None:
        return task.claims.write
    return tuple(found.pattern for found in task.claims.inferred if found.access == "write")


def reads(task: Task) -> tuple[str, ...]:
    """What counts as read when tasks are ordered."""
    return (
        *task.claims.read,
        *(found.pattern for found in task.claims.inferred if found.access == "read"),
    )


def reads_after(reader: Task, writer: Task) -> bool:
    """Whether the one reads what the other writes, as far as is known before they run."""
    if meet((*writes(writer), *writer.claims.shared), reads(reader)):
        return True
    return writer.claims.write is None and "**" in reader.claims.read


def write_alike(one: Task, other: Task) -> bool:
    """Whether two tasks exclude each other: what both share aside, they write the same, or one runs alone."""
    return (
        one.claims.exclusive
        or other.claims.exclusive
        or meet(writes(one), (*writes(other), *other.claims.shared))
        or meet(one.claims.shared, writes(other))
    )


def share(one: Task, other: Task) -> bool:
    """Whether two tasks may write the same side by side."""
    return meet(one.claims.shared, other.claims.shared)


class NaiveGraph:
    """The edges of section 6 with their transitive closure, or `circle` where needs form one."""

    def __init__(self, tasks: tuple[Task, ...]) -> None:
        self.needs = {(need, task.name) for task in tasks for need in task.needs}
        self.reads: set[Pair] = set()
        self.dropped: set[Pair] = set()
        self.writes: set[Pair] = set()
        self.shares: set[Pair] = set()
        self.circle = any(self.leads(task.name, task.name) for task in tasks)
        if self.circle:
            return
        for writer in tasks:
            for reader in tasks:
                if writer is not reader and reads_after(reader, writer):
                    pair = (writer.name, reader.name)
                    (self.dropped if self.leads(reader.name, writer.name) else self.reads).add(pair)
        for alike, found in ((write_alike, self.writes), (share, self.shares)):
            for at, one in enumerate(tasks):
                for other in tasks[at + 1 :]:
                    known = self.leads(one.name, other.name) or self.leads(other.name, one.name)
                    if alike(one, other) and not known:
                        found.add((one.name, other.name))

    @property
    def edges(self) -> set[Pair]:
        """All edges."""
        return self.needs | self.reads | self.writes | self.shares

    def leads(self, start: str, end: str) -> bool:
        """Whether a path of at least one edge leads from one task to another."""
        seen: set[str] = set()
        todo = [start]
        while todo:
            name = todo.pop()
            following = {then for first, then in self.edges if first == name} - seen
            seen |= following
            todo += following
        return end in seen

    def order(self, names: list[str]) -> list[str]:
        """The order that keeps all edges and, wherever it is free to, the order of `names`."""
        left = list(names)
        found: list[str] = []
        while left:
            free = next(n for n in left if not any((other, n) in self.edges for other in left))
            found.append(free)
            left.remove(free)
        return found

    def longest(self, name: str) -> int:
        """The number of tasks on the longest path that begins with this one."""
        return 1 + max((self.longest(then) for first, then in self.edges if first == name), default=0)
