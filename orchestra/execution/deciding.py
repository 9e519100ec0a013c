"""Deciding: what a build knows about the freshness of its tasks, on the tip as it stands at the moment.

The rules are in `orchestra.model.freshness`; here is what they are given, and what is said about it.
"""

from __future__ import annotations

from collections.abc import Callable

from orchestra.integration.line import Line
from orchestra.integration.refs import check_ref
from orchestra.model.entries import LockEntry
from orchestra.model.events import BuildPlanned, Event, TaskDecided
from orchestra.model.freshness import Decision, Situation, State, decide
from orchestra.model.graph import Graph
from orchestra.model.planned import planned
from orchestra.model.ports import Clock, Git
from orchestra.model.tasks import Manifest


class Decider:
    """Decides tasks, those that others need first. `forced` run in any case, `wanted` also where reverted."""

    def __init__(
        self,
        manifest: Manifest,
        graph: Graph,
        git: Git,
        line: Line,
        clock: Clock,
        build: str,
        emit: Callable[[Event], None],
        *,
        forced: frozenset[str],
        wanted: frozenset[str],
    ) -> None:
        self._manifest = manifest
        self._graph = graph
        self._git = git
        self._line = line
        self._clock = clock
        self._build = build
        self._emit = emit
        self._wanted = wanted
        self._reverted: dict[str, LockEntry] = {}
        self._decided_on: dict[str, str] = {}
        self._announced: dict[str, Decision] = {}
        self.forced = set(forced)

    def decide(self, name: str) -> Decision:
        """Decide a task on the tip."""
        self._reverted.pop(name, None)
        at = Situation(
            self._manifest,
            self._graph,
            self._line.tree,
            self._line.entries,
            self._has_passed,
            self._line.undone,
            self._reverted,
        )
        self._decided_on[name] = self._line.tip
        task = self._graph.task(name)
        decision = decide(task, at, forced=name in self.forced, wanted=name in self._wanted)
        if decision.reverted is not None:
            self._reverted[name] = decision.reverted.entry
        return decision

    def is_decided_on_tip(self, name: str) -> bool:
        """Whether the last decision about the task was taken on the tip as it is."""
        return self._decided_on.get(name) == self._line.tip

    def announce(self, decision: Decision) -> None:
        """Tell a decision, unless it is the one that was told last."""
        if self._announced.get(decision.task) == decision:
            return
        self._announced[decision.task] = decision
        state = decision.state if decision.settled else State.STALE
        now, key, tip = self._clock.now(), decision.key, self._line.tip
        reasons, notes = decision.reasons, decision.notes
        self._emit(TaskDecided(now, self._build, decision.task, state, key, tip, reasons, notes))

    def tell_plan(self, selected: frozenset[str]) -> None:
        """Tell what the selected tasks wait for and claim."""
        self._emit(BuildPlanned(self._clock.now(), self._build, planned(self._graph, selected)))

    def _has_passed(self, key: str) -> bool:
        return self._git.resolve(check_ref(key)) is not None
