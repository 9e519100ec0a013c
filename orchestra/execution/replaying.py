"""Replaying: a kept result of the same key stands for an attempt, and goes to the landing or is recorded at once."""

from __future__ import annotations

from collections.abc import Callable, Set

from orchestra.execution.settling import Settler
from orchestra.integration.integrator import Integrator
from orchestra.integration.landing import Candidate
from orchestra.integration.line import Line
from orchestra.integration.replay import Replay, Replays, Restore
from orchestra.model.events import Event, TaskReplayed
from orchestra.model.freshness import Decision
from orchestra.model.graph import Graph
from orchestra.model.outcomes import Outcome
from orchestra.model.ports import AttemptEnded, Clock
from orchestra.planning.board import Board, Card, Stage


class Replayer:
    """Finds kept results and lets them stand for attempts."""

    def __init__(
        self,
        replays: Replays,
        forced: Set[str],
        graph: Graph,
        board: Board,
        line: Line,
        integrator: Integrator,
        settler: Settler,
        clock: Clock,
        build: str,
        emit: Callable[[Event], None],
    ) -> None:
        """`forced` are the tasks that run in any case, as they stand whenever one is looked at."""
        self._replays = replays
        self._forced = forced
        self._graph = graph
        self._board = board
        self._line = line
        self._integrator = integrator
        self._settler = settler
        self._clock = clock
        self._build = build
        self._emit = emit

    def replay(self, card: Card, decision: Decision) -> bool:
        """Let a kept result of the same key stand for an attempt; True where there is one."""
        if card.name in self._forced or card.attempts or card.replayed:
            return False
        task = self._graph.task(card.name)
        match self._replays.find(task, decision):
            case Restore() as found:
                self._settler.restore(card, task, decision, found)
            case Replay() as kept:
                card.replayed = True
                why = "cut off before it landed" if kept.cut_off else "attempted in this very state before"
                now = self._clock.now()
                self._emit(TaskReplayed(now, self._build, card.name, kept.attempt, kept.result, why))
                self._board.move(card, Stage.LANDING, at=self._clock.monotonic())
                ended = AttemptEnded(
                    kept.attempt,
                    Outcome.SUCCESS,
                    result=kept.result,
                    summary=kept.summary,
                    told=True,
                    reads=kept.reads,
                )
                tip = self._line.tip
                self._integrator.submit(Candidate(task, decision, kept.base, ended, tip, replayed=True))
            case None:
                return False
        return True
