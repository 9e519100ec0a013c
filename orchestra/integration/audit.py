"""The audit: are the paths that an attempt touched those that it was allowed to touch? Pure."""

from __future__ import annotations

from dataclasses import dataclass

from orchestra.model.patterns import PatternSet
from orchestra.model.protected import protected
from orchestra.model.tasks import Manifest, Task
from orchestra.model.trees import Change


@dataclass(frozen=True, slots=True)
class Violation:
    """Why a result may not land: in words, the paths, and what to do about it."""

    why: str
    paths: tuple[str, ...]
    hint: str


def audit(task: Task, changes: tuple[Change, ...], manifest: Manifest) -> Violation | None:
    """Compare the touched paths with the task's claims; None where all is well.

    Protected paths are refused to every task. Outside declared write claims nothing may be touched; a task
    with unknown claims may touch the rest, and meets the others at the merge.
    """
    guarded = tuple(c.path for c in changes if protected(c.path, manifest.allow_protected))
    if guarded:
        return Violation(
            "changed protected paths",
            guarded,
            "if that is meant, name them under `allow_protected` in orchestra.yaml",
        )
    write = task.claims.write
    if write is None:
        return None
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
