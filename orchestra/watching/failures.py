"""What failed and need not fail again: tasks that are not tried once more before something has changed for them. Pure.

An attempt costs, and each saved prompt begins a build: what failed in a state fails in it again.
"""

from __future__ import annotations

from collections.abc import Mapping

from orchestra.model.events import (
    AttemptStarted,
    Event,
    TaskFailed,
    TaskLanded,
    TaskRecorded,
    TaskRejected,
    TaskUnchanged,
)
from orchestra.model.freshness import Decision
from orchestra.model.graph import Graph
from orchestra.model.outcomes import Outcome

NOBODYS = frozenset({Outcome.NOT_STARTED, Outcome.INTERRUPTED, Outcome.CAPTURE_FAILED})
"""Endings that say nothing about the task: the next build tries again."""


class Failures:
    """The tasks that failed in this watch, each with the key with which it did."""

    def __init__(self) -> None:
        self._tried: dict[str, str] = {}
        self._failed: dict[str, str] = {}

    def heard(self, event: Event) -> None:
        """Take an event of a build."""
        match event:
            case AttemptStarted(task=task, key=key):
                self._tried[task] = key
            case TaskFailed(task=task, outcome=outcome) if outcome not in NOBODYS and task in self._tried:
                self._failed[task] = self._tried[task]
            case TaskRejected(task=task) if task in self._tried:
                self._failed[task] = self._tried[task]
            case TaskLanded(task=task) | TaskUnchanged(task=task) | TaskRecorded(task=task):
                self._failed.pop(task, None)
            case _:
                pass  # says nothing of that

    def forget(self) -> None:
        """Try all of them again: the person asked, or changed what no key tells of (a file that a check reads)."""
        self._tried.clear()
        self._failed.clear()

    @property
    def keys(self) -> tuple[tuple[str, str], ...]:
        """The tasks, each with the key."""
        return tuple(sorted(self._failed.items()))


def not_again(failed: Mapping[str, str], decisions: Mapping[str, Decision], graph: Graph) -> frozenset[str]:
    """The tasks that a build need not select: they failed with the key that they have today, nothing that is ordered
    before them will run and change it; and those that need one of these.
    """
    found: set[str] = set()
    for name in graph.order:
        decision = decisions[name]
        before = graph.before(name)
        same = not decision.settled and failed.get(name) == decision.key
        stays = same and all(decisions[each].settled or each in found for each in before)
        if stays or not found.isdisjoint(graph.task(name).needs):
            found.add(name)
    return frozenset(found)
