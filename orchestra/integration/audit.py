"""The audit: are the paths that an attempt touched those that it was allowed to touch? Pure."""

from __future__ import annotations

from dataclasses import dataclass

from orchestra.model.folding import twins
from orchestra.model.patterns import PatternSet
from orchestra.model.protected import protected
from orchestra.model.tasks import Manifest, Task
from orchestra.model.trees import Change, Tree


@dataclass(frozen=True, slots=True)
class Violation:
    """Why a result may not land: in words, the paths, and what to do about it."""

    why: str
    paths: tuple[str, ...]
    hint: str


def audit(task: Task, changes: tuple[Change, ...], manifest: Manifest, after: Tree) -> Violation | None:
    """Compare the touched paths with the task's claims; None where all is well. `after` is the tree of the result.

    Protected paths are refused to every task. Outside declared write claims nothing may be touched. A task with
    inferred claims may touch what else no other task claims to write, whether that one runs now or not; one of
    which nothing is known may touch the rest, and meets the others at the merge. No new path may be the twin of
    another: the person could not check both out on many machines.
    """
    return _guarded(changes, manifest) or _unclaimed(task, changes, manifest) or _twins(changes, after)


def _guarded(changes: tuple[Change, ...], manifest: Manifest) -> Violation | None:
    """What was touched that is protected."""
    guarded = tuple(c.path for c in changes if protected(c.path, manifest.allow_protected))
    if not guarded:
        return None
    return Violation(
        "changed protected paths",
        guarded,
        "if that is meant, name them under `allow_protected` in orchestra.yaml",
    )


def _unclaimed(task: Task, changes: tuple[Change, ...], manifest: Manifest) -> Violation | None:
    """What was touched outside the claims."""
    write = task.claims.writable
    if write is None:
        return _outside_inferred(task, changes, manifest)
    allowed = PatternSet.of(write)
    outside = tuple(c.path for c in changes if not allowed.matches(c.path))
    if not outside:
        return None
    if task.claims.is_check:
        return Violation(
            "changed files, though it declares that it writes nothing",
            outside,
            "let it write nothing, or name what it writes under `claims.write`",
        )
    return Violation(
        "changed paths outside its claims",
        outside,
        "add them to the task's `claims.write`, or narrow its prompt",
    )


def _outside_inferred(task: Task, changes: tuple[Change, ...], manifest: Manifest) -> Violation | None:
    """What a task with inferred claims touched outside them that another task claims to write."""
    inferred = task.claims.inferred_patterns("write")
    if not inferred:
        return None
    own = PatternSet.of(inferred)
    outside = [change.path for change in changes if not own.matches(change.path)]
    if not outside:
        return None
    owners: dict[str, str] = {}
    for other in manifest.tasks:
        if other.name != task.name:
            theirs = PatternSet.of(other.claims.writable or other.claims.inferred_patterns("write"))
            for path in outside:
                if theirs.matches(path):
                    owners.setdefault(path, other.name)
    if not owners:
        return None
    names = ", ".join(f"`{name}`" for name in dict.fromkeys(owners.values()))
    return Violation(
        f"changed paths that {names} {'claims' if len(set(owners.values())) == 1 else 'claim'}",
        tuple(owners),
        "declare `claims` for it, so that they go one after the other, or narrow its prompt",
    )


def _twins(changes: tuple[Change, ...], after: Tree) -> Violation | None:
    """What was added that some file systems take for another path of the result."""
    found = twins(added(changes), after.files)
    if not found:
        return None
    return Violation(
        "added paths that are one with others where case or Unicode form does not count",
        tuple(sorted({*found, *(other for others in found.values() for other in others)})),
        "rename one of each pair, so that both can be checked out on every machine",
    )


def added(changes: tuple[Change, ...]) -> tuple[str, ...]:
    """The paths that were absent before."""
    return tuple(change.path for change in changes if change.before is None)
