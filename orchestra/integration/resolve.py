"""Which kept results a person may take up by hand: of each task that is open the newest that came after its landing.

Pure. A result is kept below a ref that ends in the name of its attempt: rejected, failed, or rescued from a worktree.
What a person let go is kept below `DROPPED`, and no longer offered.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Mapping
from dataclasses import dataclass

from orchestra.model.trailers import read_result_message

DROPPED = "refs/orchestra/dropped/"
"""Results that a person let go: kept, and never offered again."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A commit that a ref keeps, with its message."""

    ref: str
    commit: str
    message: str


@dataclass(frozen=True, slots=True)
class Offer:
    """A result that can be resolved: its task, the attempt that made it, its ref and its commit."""

    task: str
    attempt: str
    ref: str
    commit: str


def offers(
    kept: Iterable[Kept],
    roots: tuple[str, ...],
    task_of: Callable[[str], str | None],
    landed: Callable[[str], str | None],
    open_tasks: Container[str],
) -> Mapping[str, Offer]:
    """By task, in the order of their attempts, what can be resolved among all that is `kept` below the `roots`.

    `task_of` tells whose an attempt was, where the commit's own message does not; `landed` which attempt a task's
    landing came from; `open_tasks` are those that something is to be done about.
    """
    found: dict[str, Offer] = {}
    for one in sorted(kept, key=lambda each: attempt_order(_attempt_of(each.ref, roots) or "")):
        attempt = _attempt_of(one.ref, roots)
        if attempt is None:
            continue
        task = read_result_message(one.message)[0] or task_of(attempt)
        if task is None or task not in open_tasks:
            continue
        last = landed(task)
        if last is None or attempt_order(last) < attempt_order(attempt):
            # In the order of attempts, also where there was one of the same task before.
            found.pop(task, None)
            found[task] = Offer(task, attempt, one.ref, one.commit)
    return found


def attempt_order(attempt: str) -> tuple[str, int]:
    """What attempts are ordered by: names of builds begin with their time, and each build counts its attempts."""
    build, _, number = attempt.rpartition("-")
    return (build, int(number)) if number.isdecimal() else (attempt, 0)


def _attempt_of(ref: str, roots: tuple[str, ...]) -> str | None:
    """The attempt that a ref names; None where it lies below none of the roots."""
    root = next((root for root in roots if ref.startswith(root)), None)
    return ref.removeprefix(root) if root is not None else None
