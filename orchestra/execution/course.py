"""The course of one attempt: its commands, what adds up over them, and the one limit of time that bounds them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from math import inf
from typing import Literal

from orchestra.execution.commands import LONGEST, Command, shown, why
from orchestra.execution.log import AttemptLog
from orchestra.model.agents import Invocation, Session
from orchestra.model.errors import OrchestraError
from orchestra.model.outcomes import Exit, Fault, Judged, Outcome, Phase, Usage
from orchestra.model.ports import Clock
from orchestra.model.tasks import Task
from orchestra.vcs.command import may_pass
from orchestra.vcs.slots import Slot


@dataclass(frozen=True, slots=True)
class Failed:
    """How an attempt has failed, as far as it got; `told` is what its agent is told to go on with, "" where that
    would not help.
    """

    outcome: Outcome
    fault: Fault | None
    detail: str
    told: str = ""


INTERRUPTED = Failed(Outcome.INTERRUPTED, Fault.PERSON, "interrupted")


class Course:
    """Phases, endings of commands and usage of an attempt, in order.

    The attempt's timeout counts from `begin` on and bounds agent, checks, repairs and reviews together; what sets the
    worktree up does not count against it.
    """

    def __init__(self, clock: Clock, task: Task, log: AttemptLog, began: Callable[[str], None]) -> None:
        """`began` is told each phase."""
        self._clock = clock
        self._task = task
        self._log = log
        self._began = began
        # What makes seconds since the epoch of the monotonic clock's.
        self._epoch = clock.now() - clock.monotonic()
        self._phases: list[Phase] = []
        self._phase: tuple[str, float] | None = None
        self._usages: list[Usage] = []
        self._judgements: list[Judged] = []
        self._ends = inf
        self.may_pass = False  # what failed beside the commands may be over soon
        self.exits: list[Exit] = []

    def enter(self, phase: str | None) -> None:
        """Begin a phase, and end the one before; None: the attempt is over."""
        # Phases follow one another and last as long as they do, also where the clock is set meanwhile.
        now = self._epoch + self._clock.monotonic()
        if self._phase is not None:
            self._phases.append(Phase(self._phase[0], self._phase[1], now))
        self._phase = (phase, now) if phase is not None else None
        if phase is not None:
            self._began(phase)

    def begin(self) -> None:
        """From now on the task's timeout counts."""
        self._ends = self._clock.monotonic() + self._task.timeout

    def command(
        self,
        phase: str,
        invocation: Invocation,
        slot: Slot,
        env: dict[str, str],
        session: Session | None = None,
    ) -> Command:
        """Enter a phase that consists of a command."""
        self.enter(phase)
        self._log.phase(phase, shown(invocation))
        # A setup is the project's affair, and may well wait in silence for what it downloads.
        timeout, stall = (LONGEST, inf) if phase == "setup" else (self.left, self._task.stall)
        return Command(phase, invocation, slot.path, {**env, **dict(invocation.env)}, timeout, session, stall)

    def write(self, name: str, text: str) -> str:
        """Write a file beside the log, whose name says which it is; gives its path."""
        path = self._log.path.with_suffix(f".{name}")
        try:
            # What an agent is told may hold odd bytes of another one's output.
            path.write_text(text, "utf-8", "backslashreplace")
        except OSError as error:
            raise OrchestraError(f"cannot write {path}", causes=(str(error),)) from error
        return str(path)

    @property
    def left(self) -> float:
        """The seconds that are left."""
        return max(0.0, self._ends - self._clock.monotonic())

    def noted(self, error: OrchestraError) -> str:
        """An error in one line; whether it may be over soon is kept in mind."""
        self.may_pass = may_pass(error)
        return why(error)

    def ended(self, exited: Exit) -> None:
        """Note how a command ended."""
        self.exits.append(exited)

    def judged(
        self,
        kind: Literal["check", "review"],
        by: str,
        passed: bool | None,
        exited: Exit,
        tail: Iterable[str],
    ) -> None:
        """Note what the command of this phase, a check or review by `by`, said of the work."""
        began = self._phase[1] if self._phase is not None else self._epoch
        seconds = max(0.0, self._epoch + self._clock.monotonic() - began)
        self._judgements.append(Judged(kind, by, passed, exited.status, seconds, tuple(tail)))

    def used(self, usage: Usage) -> None:
        """Add what one run of an agent used."""
        self._usages.append(usage)

    def failed_by(self, exited: Exit) -> Failed | None:
        """How the attempt has failed where an agent was ended, or did not come to run; None where it ended itself."""
        if exited.stopped == "timeout":
            limit = self._task.timeout
            return Failed(Outcome.TIMED_OUT, Fault.AGENT, f"not done after {limit:g} s (timeout)")
        if exited.stopped == "stall":
            limit = self._task.stall
            detail = f"no output, no work and no change in its worktree for {limit:g} s (stall)"
            return Failed(Outcome.STALLED, Fault.AGENT, detail)
        if exited.stopped is not None:
            return INTERRUPTED
        if exited.starved:
            return Failed(Outcome.FAILED, Fault.ENVIRONMENT, exited.describe())
        if exited.problem:
            return Failed(Outcome.NOT_STARTED, Fault.ENVIRONMENT, exited.problem)
        return None

    @property
    def usage(self) -> Usage:
        """What all runs of agents used together."""
        return together(*self._usages)

    @property
    def phases(self) -> tuple[Phase, ...]:
        """The phases that are over."""
        return tuple(self._phases)

    @property
    def judgements(self) -> tuple[Judged, ...]:
        """All checks and reviews so far, in order."""
        return tuple(self._judgements)

    @property
    def last(self) -> Exit | None:
        """How the last command ended, None where there was none."""
        return self.exits[-1] if self.exits else None

    @property
    def cpu_s(self) -> float:
        """User and system time of all commands, in seconds."""
        return sum(exited.cpu_s for exited in self.exits)

    @property
    def peak_bytes(self) -> int:
        """The most memory that one of the commands held: they run one after another."""
        return max((exited.peak_bytes for exited in self.exits), default=0)


def together(*usages: Usage) -> Usage:
    """What several runs used in all: of each count the sum of what is known, None where nothing is.

    The cost is known only where it is of every run that used tokens: a part of it would pass for the whole.
    """
    unpriced = any(usage.usd is None and usage.tokens for usage in usages)
    known = [usage.usd for usage in usages if usage.usd is not None]
    return Usage(
        _sum(usage.input_tokens for usage in usages),
        _sum(usage.output_tokens for usage in usages),
        _sum(usage.cache_read_tokens for usage in usages),
        _sum(usage.cache_write_tokens for usage in usages),
        sum(known) if known and not unpriced else None,
    )


def _sum(values: Iterable[int | None]) -> int | None:
    known = [value for value in values if value is not None]
    return sum(known) if known else None
