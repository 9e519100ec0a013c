"""The gate before the first start of a build: preflight, and the project's verification on the base.

What it finds wrong halts the build: nothing starts, and what is fresh is still said to be.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum, auto

from orchestra.execution.settling import Settler
from orchestra.integration.integrator import Integrator
from orchestra.integration.line import Line
from orchestra.integration.verify import Verdict, Verifier
from orchestra.model.ports import Clock
from orchestra.planning.board import Board, Stage


class _State(Enum):
    CLOSED = auto()
    CHECKED = auto()
    VERIFYING = auto()
    OPEN = auto()


class Gate:
    """Opens once; see the module."""

    def __init__(
        self,
        board: Board,
        line: Line,
        integrator: Integrator,
        verifier: Verifier,
        settler: Settler,
        clock: Clock,
        preflight: Callable[[frozenset[str]], None],
        notice: Callable[[str, str | None], None],
    ) -> None:
        """`preflight` takes the tasks that may come to run and raises OrchestraError where nothing may start;
        `notice` tells the person something, with what to do.
        """
        self._board = board
        self._line = line
        self._integrator = integrator
        self._verifier = verifier
        self._settler = settler
        self._clock = clock
        self._preflight = preflight
        self._notice = notice
        self._state = _State.CLOSED

    def pass_preflight(self, tasks: frozenset[str]) -> None:
        """Let preflight look at these tasks, once in a build."""
        if self._state is _State.CLOSED:
            self._preflight(tasks)
            self._state = _State.CHECKED

    def open(self) -> bool:
        """Whether something may start; begins what has to be awaited first."""
        # Not settled yet: stale, or waiting for one that is.
        self.pass_preflight(frozenset(card.name for card in self._board if card.stage is not Stage.SETTLED))
        if self._integrator.unsound is not None:
            self._halt(
                self._integrator.unsound,
                f"`{self._verifier.command}` fails on your new commits together with what landed before",
                "make it pass on the branch, then build again",
            )
        elif self._state is _State.CHECKED:
            self._state = _State.VERIFYING
            verdict = self._verifier.begin(self._line.tip, None)
            if verdict is not None:
                self.judge(verdict)
        return self._state is _State.OPEN and self._settler.halted is None

    def judge(self, verdict: Verdict) -> None:
        """Take the verdict on the base."""
        self._state = _State.OPEN
        self._board.waited("verify", at=self._clock.monotonic())
        if verdict.passed is None and not self._settler.interrupted:
            why = f"the base could not be verified: {verdict.detail}"
            self._halt(why, why, "see its log, and build again")
        if verdict.passed is False:
            self._halt(
                "verify is red before anything was built",
                f"`{self._verifier.command}` fails on {self._line.tip[:7]}, before anything was built",
                self._way_back(),
            )

    def _way_back(self) -> str:
        """What to do about a base that is red: where a commit is known that passed, also how to get back to it."""
        green = self._verifier.last_green(self._line.tip)
        if green is None:
            return "make it pass on the branch first, or mend `integrate.verify` in orchestra.yaml"
        since = f"since {green.commit[:7]}, the last that passed"
        return f"make it pass on the branch, or: {green.typed} ({green.words} {since})"

    def _halt(self, why: str, message: str, hint: str) -> None:
        self._settler.halted = why
        self._notice(message, hint)
