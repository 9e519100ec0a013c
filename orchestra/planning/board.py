"""The board: where each selected task of a build stands, and the one function that moves it.

It knows nothing of git, processes or time but the moments that it is told.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum

from orchestra.model.freshness import Decision
from orchestra.model.graph import Edge, EdgeKind, Graph
from orchestra.model.outcomes import Final, Wait
from orchestra.model.ports import Unmerged


class Stage(Enum):
    """Where a task stands: before its decision, waiting to start, under way, at the landing, or settled."""

    WAITING = "waiting"
    QUEUED = "queued"
    RUNNING = "running"
    LANDING = "landing"
    SETTLED = "settled"


ALLOWED = {
    Stage.WAITING: {Stage.QUEUED, Stage.SETTLED},
    # A kept result goes to the landing, and nothing runs.
    Stage.QUEUED: {Stage.RUNNING, Stage.LANDING, Stage.SETTLED},
    # A result goes to the landing, or the attempt failed: for good, or for now.
    Stage.RUNNING: {Stage.LANDING, Stage.QUEUED, Stage.SETTLED},
    # Landed or rejected, or once more on the new tip.
    Stage.LANDING: {Stage.QUEUED, Stage.SETTLED},
    # Found stale again at the end of the build.
    Stage.SETTLED: {Stage.WAITING},
}


@dataclass(slots=True)
class Card:
    """One task's place on the board, with what was decided and counted about it."""

    name: str
    stage: Stage = Stage.WAITING
    final: Final | None = None
    decision: Decision | None = None
    attempts: int = 0
    conflicts: int = 0
    reds: int = 0
    retries: int = 0
    not_before: float = 0.0
    throttled_s: float = 0.0
    alone: bool = False
    replayed: bool = False
    held: str = ""
    looked: bool = False
    told: str = ""
    unmerged: Unmerged | None = None
    queued_at: float = 0.0
    settled_at: float = 0.0
    waits: list[Wait] = field(default_factory=list)


class Board:
    """The tasks of one build."""

    def __init__(self, graph: Graph, selected: frozenset[str]) -> None:
        self._graph = graph
        self._cards = {name: Card(name) for name in graph.order if name in selected}
        self._incoming = {name: _edges_among(selected, graph, name) for name in self._cards}
        self._again = False

    def __iter__(self) -> Iterator[Card]:
        return iter(self._cards.values())

    def card(self, name: str) -> Card:
        """The card of a task."""
        return self._cards[name]

    def before(self, name: str) -> tuple[Edge, ...]:
        """The edges that end at a task, from selected tasks only."""
        return self._incoming[name]

    def move(self, card: Card, stage: Stage, *, at: float, final: Final | None = None) -> None:
        """The one function that changes where a task stands; a move that is not allowed is a bug."""
        if stage not in ALLOWED[card.stage]:
            raise AssertionError(f"{card.name}: {card.stage.value} → {stage.value}")
        if (final is None) == (stage is Stage.SETTLED):
            raise AssertionError(f"{card.name}: settled means with a final outcome")
        self._again = self._again or (card.stage is Stage.SETTLED)
        card.stage = stage
        card.final = final
        if stage is Stage.QUEUED:
            card.queued_at, card.held, card.looked = at, "", False
        elif stage is Stage.SETTLED:
            card.settled_at = at

    def count(self, stage: Stage) -> int:
        """How many tasks stand there."""
        return sum(card.stage is stage for card in self._cards.values())

    def decidable(self) -> tuple[Card, ...]:
        """Tasks whose every predecessor is settled, in order."""
        return tuple(
            card for card in self._cards.values() if card.stage is Stage.WAITING and not self._open(card.name)
        )

    def may_land(self, name: str) -> bool:
        """Whether all before it are settled, those that share what it writes too: only landings wait for these."""
        return not self._open(name, landing=True)

    def failed_need(self, name: str) -> Card | None:
        """A needed task that did not end well, None where all did."""
        for edge in self._incoming[name]:
            first = self._cards[edge.first]
            if edge.kind is EdgeKind.NEED and first.final is not None and not first.final.settled_well:
                return first
        return None

    def waited(self, cause: str, *, at: float) -> None:
        """Record what kept the queued tasks until now; from here on they wait for something else."""
        for card in self._cards.values():
            if card.stage is Stage.QUEUED and at > card.queued_at:
                card.waits.append(Wait(cause, at - card.queued_at))
                card.queued_at = at

    def hold(self, card: Card, cause: str, until: float | None, *, at: float) -> None:
        """Note that a queued task whose turn it is has to wait for another reason, until a moment if it is known."""
        if card.held != cause:
            card.waits = list(self.waits(card, at=at))
            card.held, card.queued_at = cause, at
        if until is not None:
            card.waits = list(self.waits(card, at=until))
            card.held, card.queued_at, card.not_before = "", until, until

    def waits(self, card: Card, *, at: float) -> tuple[Wait, ...]:
        """All that a queued task waited for until now, what follows upon the same as one wait."""
        seconds = at - card.queued_at
        if seconds <= 0:
            return tuple(card.waits)
        cause = card.held or ("alone" if card.alone else "slot")
        if card.waits and (card.waits[-1].cause, card.waits[-1].task) == (cause, None):
            return (*card.waits[:-1], Wait(cause, card.waits[-1].seconds + seconds))
        return (*card.waits, Wait(cause, seconds))

    def last_wait(self, name: str, since: float) -> Wait | None:
        """What a task that became free waited for longest: its predecessor that settled last.

        Of one that it needs and whose claims it meets, too, it is the need: without the claims it would have waited.
        """
        edges = [edge for edge in self._incoming[name] if self._cards[edge.first].settled_at > since]
        if not edges:
            return None
        last = max(edges, key=lambda edge: (self._cards[edge.first].settled_at, edge.kind is EdgeKind.NEED))
        return Wait(last.kind.value, self._cards[last.first].settled_at - since, last.first)

    def wakes_at(self, now: float) -> float | None:
        """The next moment at which a queued task may start that may not yet; None where there is none."""
        waiting = (card.not_before for card in self._cards.values() if card.stage is Stage.QUEUED)
        return min((moment for moment in waiting if moment > now), default=None)

    def startable(self, jobs: int, now: float = 0.0) -> tuple[Card, ...]:
        """The tasks of which the next may start, best first: by priority, critical path, manifest order.

        One that waits for its next attempt holds nobody up. A task that must run alone waits until nothing else is
        under way, and then nothing else starts.
        """
        # A result that waits for another's landing is not under way: that one may have to run alone.
        under_way = [
            card
            for card in self._cards.values()
            if card.stage is Stage.RUNNING or (card.stage is Stage.LANDING and self.may_land(card.name))
        ]
        running = sum(card.stage is Stage.RUNNING for card in under_way)
        if running >= jobs or any(card.alone for card in under_way):
            return ()
        queued = (c for c in self._cards.values() if c.stage is Stage.QUEUED and c.not_before <= now)
        ready = (card for card in queued if not card.alone or not under_way)
        return tuple(sorted(ready, key=lambda card: self._rank(card.name)))

    def settled(self) -> bool:
        """Whether every task is settled."""
        return all(card.stage is Stage.SETTLED for card in self._cards.values())

    def finals(self) -> dict[str, Final]:
        """Each task with its final outcome; in a build that breaks off, some were under way or never begun."""

        def left(card: Card) -> Final:
            return Final.INTERRUPTED if card.attempts else Final.SKIPPED

        return {card.name: card.final or left(card) for card in self._cards.values()}

    def _open(self, name: str, *, landing: bool = False) -> bool:
        """Whether one before it is not settled; for a start, those that only share what it writes do not count."""
        todo, seen = [name], {name}
        while todo:
            for edge in self._incoming[todo.pop()]:
                if edge.kind is EdgeKind.SHARE and not landing:
                    continue
                if self._cards[edge.first].stage is not Stage.SETTLED:
                    return True
                # In a later round the first and the last of a chain may run again, and none between them.
                if self._again and edge.first not in seen:
                    seen.add(edge.first)
                    todo.append(edge.first)
        return False

    def _rank(self, name: str) -> tuple[int, int, int]:
        task = self._graph.task(name)
        return (-task.priority, -self._graph.tail(name), task.index)


def _edges_among(selected: frozenset[str], graph: Graph, name: str) -> tuple[Edge, ...]:
    """The edges that end at a task, from selected tasks only.

    What a task that is not selected goes between stays ordered: two writers of one file may have no other edge
    than those through it. Only landings are ordered where one of the edges on the way says no more.
    """
    edges: list[Edge] = []
    passed: set[tuple[str, bool]] = set()
    todo = [(edge.first, edge.kind) for edge in graph.incoming(name)]
    while todo:
        first, kind = todo.pop()
        if first in selected:
            edges.append(Edge(first, name, kind))
        elif (first, kind is EdgeKind.SHARE) not in passed:
            passed.add((first, kind is EdgeKind.SHARE))
            todo += [
                (edge.first, EdgeKind.SHARE if edge.kind is EdgeKind.SHARE else kind)
                for edge in graph.incoming(first)
            ]
    return tuple(edges)
