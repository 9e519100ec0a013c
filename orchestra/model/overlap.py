"""Which tasks' claims overlap: pairs of writer and reader, and of writer and writer, in manifest order.

Candidates are found by literal folders first, so that a thousand tasks with claims of their own do not cost a
million comparisons; each candidate pair is then decided by the folded patterns: exactly but for twins, paths
that some machines take for one file, so that the order of tasks is the same on all of them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from orchestra.model.folding import FoldedPattern, fold_pattern
from orchestra.model.patterns import compile_pattern
from orchestra.model.tasks import EVERYTHING, Task


class ClaimIndex:
    """The claims of tasks in manifest order, ready to be asked for overlaps."""

    def __init__(self, tasks: tuple[Task, ...]) -> None:
        self._tasks = tasks
        self._writers = _PatternIndex()
        self._sharers = _PatternIndex()
        self._readers = _PatternIndex()
        for rank, task in enumerate(tasks):
            for text in ordering_writes(task):
                self._writers.add(rank, _folded(text))
            for text in task.claims.shared:
                self._sharers.add(rank, _folded(text))
            for text in ordering_reads(task):
                self._readers.add(rank, _folded(text))

    def writers_and_readers(self) -> Iterator[tuple[int, int]]:
        """(writer, reader) where a write pattern of one meets a read pattern of the other.

        In manifest order of the writer, then of the reader.
        """
        everything = [rank for rank, task in enumerate(self._tasks) if _reads_everything(task)]
        for rank, task in enumerate(self._tasks):
            readers: set[int] = set()
            for text in (*ordering_writes(task), *task.claims.shared):
                readers |= self._readers.overlapping(_folded(text))
            if task.claims.write is None:
                # Whatever a task with unknown claims writes, one that reads everything reads it.
                readers |= set(everything)
            yield from ((rank, reader) for reader in sorted(readers) if reader != rank)

    def writers_and_writers(self) -> Iterator[tuple[int, int]]:
        """(earlier, later) in manifest order where write patterns of both meet, or one runs alone.

        Patterns that both share do not count: those are `sharers`.
        """
        alone = {rank for rank, task in enumerate(self._tasks) if task.claims.exclusive}
        for rank, task in enumerate(self._tasks):
            others = set(range(len(self._tasks))) if rank in alone else set(alone)
            for text in ordering_writes(task):
                others |= self._writers.overlapping(_folded(text))
                others |= self._sharers.overlapping(_folded(text))
            for text in task.claims.shared:
                others |= self._writers.overlapping(_folded(text))
            yield from ((rank, other) for other in sorted(others) if other > rank)

    def sharers(self) -> Iterator[tuple[int, int]]:
        """(earlier, later) in manifest order where shared patterns of both meet."""
        for rank, task in enumerate(self._tasks):
            others: set[int] = set()
            for text in task.claims.shared:
                others |= self._sharers.overlapping(_folded(text))
            yield from ((rank, other) for other in sorted(others) if other > rank)


def ordering_writes(task: Task) -> tuple[str, ...]:
    """The write patterns that count when a task is ordered, shared ones aside.

    A `run` without claims writes everything; where nobody declared anything, what was inferred counts.
    """
    claims = task.claims
    if claims.write is not None:
        return claims.write
    if task.run is not None or claims.exclusive:
        return (EVERYTHING,)
    return claims.inferred_patterns("write")


def ordering_reads(task: Task) -> tuple[str, ...]:
    """The read patterns that count when a task is ordered: declared ones, and inferred ones."""
    return (*task.claims.read, *task.claims.inferred_patterns("read"))


def _reads_everything(task: Task) -> bool:
    return EVERYTHING in task.claims.read


def _folded(text: str) -> FoldedPattern:
    return fold_pattern(compile_pattern(text))


class _PatternIndex:
    """Patterns by the folders that they name before the first wildcard."""

    def __init__(self) -> None:
        self._at: dict[tuple[str, ...], list[tuple[int, FoldedPattern]]] = defaultdict(list)
        self._below: dict[tuple[str, ...], list[tuple[int, FoldedPattern]]] = defaultdict(list)

    def add(self, rank: int, pattern: FoldedPattern) -> None:
        folders = _folders(pattern)
        self._at[folders].append((rank, pattern))
        for depth in range(len(folders) + 1):
            self._below[folders[:depth]].append((rank, pattern))

    def overlapping(self, pattern: FoldedPattern) -> set[int]:
        """The tasks one of whose patterns meets this one."""
        folders = _folders(pattern)
        found: set[int] = set()
        candidates = list(self._below.get(folders, ()))
        for depth in range(len(folders)):
            candidates += self._at.get(folders[:depth], ())
        for rank, other in candidates:
            if rank not in found and pattern.overlaps(other):
                found.add(rank)
        return found


def _folders(pattern: FoldedPattern) -> tuple[str, ...]:
    """The whole segments before the first wildcard."""
    segments = pattern.literal_prefix.split("/")
    if pattern.is_literal:
        return tuple(segments)
    return tuple(segments[:-1])
