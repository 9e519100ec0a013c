"""Which files of a tree a task reads by declaration, and which of those it rewrites. Pure."""

from __future__ import annotations

from collections.abc import Container, Iterable

from orchestra.model.patterns import PatternSet
from orchestra.model.tasks import Task
from orchestra.model.trees import STATE_FOLDER, Tree


def read_set(task: Task, tree: Tree) -> tuple[str, ...]:
    """RO(t): the files that the task reads by declaration and does not write by declaration."""
    return split_reads(task, tree)[0]


def rewrite_set(task: Task, tree: Tree) -> tuple[str, ...]:
    """The files that match both the declared read and the declared write patterns (formatters)."""
    return split_reads(task, tree)[1]


def split_reads(task: Task, tree: Tree) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The read set and the rewrite set of a task, each sorted."""
    claims = task.claims
    if not claims.read:
        return (), ()
    read = tree.matching(PatternSet.of(claims.read))
    if claims.unread:
        unread = frozenset(tree.matching(PatternSet.of(claims.unread)))
        read = tuple(path for path in read if path not in unread)
    writable = claims.writable
    if not writable:
        return read, ()
    written = frozenset(tree.matching(PatternSet.of(writable)))
    if written.isdisjoint(read):
        return read, ()
    return (
        tuple(path for path in read if path not in written),
        tuple(path for path in read if path in written),
    )


def observed_inputs(task: Task, reads: Iterable[str], base: Tree, written: Container[str]) -> frozenset[str]:
    """The files of the base that an agent was seen to read and that are inputs by that alone.

    What the task declares to read is one anyway; what it declares to write, or what it has written, is its output.
    """
    return frozenset(
        path
        for path in undeclared(task, reads)
        if path not in written and path in base.files and not path.startswith(STATE_FOLDER)
    )


def undeclared(task: Task, paths: Iterable[str]) -> tuple[str, ...]:
    """Those of the paths that the task neither reads nor writes by declaration, in order."""
    writes = PatternSet.of(task.claims.writable or ())
    return tuple(path for path in paths if not reads_path(task, path) and not writes.matches(path))


def reads_path(task: Task, path: str) -> bool:
    """Whether the task declares to read the path."""
    claims = task.claims
    return PatternSet.of(claims.read).matches(path) and not PatternSet.of(claims.unread).matches(path)
