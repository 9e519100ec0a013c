"""What `orchestra history --stats` answers with: frozen values. Unknown is None, never 0. Pure.

Seconds and US dollars throughout; costs are what is known.
"""

from __future__ import annotations

from dataclasses import dataclass

from orchestra.history.figures import Interval, wilson


@dataclass(frozen=True, slots=True)
class Wanted:
    """Of which records is asked. None: all.

    `since`: that began then or later (seconds since the epoch); `agent`: attempts of that one, `task`: at that one;
    `outcome`: attempts that ended so, or whose result did.
    """

    since: float | None = None
    task: str | None = None
    agent: str | None = None
    outcome: str | None = None

    @property
    def narrow(self) -> bool:
        """Whether not whole builds are asked for."""
        return not (self.task is None and self.agent is None and self.outcome is None)


EVERYTHING = Wanted()


@dataclass(frozen=True, slots=True)
class Tally:
    """Ended attempts added up: how many, how many of them did what was asked, their time, cost and tokens.

    `interrupted`: how many were cut off (Ctrl-C, `orchestra stop`, a watch that begins anew). They say nothing about
    the task or the agent.
    """

    attempts: int
    good: int
    interrupted: int
    seconds: float
    usd: float | None
    tokens: int

    @property
    def judged(self) -> int:
        """How many came to an end of their own: of these a rate of success is."""
        return self.attempts - self.interrupted

    @property
    def rate(self) -> Interval | None:
        """How many of those did what was asked; None where there are none."""
        return wilson(self.good, self.judged) if self.judged else None


@dataclass(frozen=True, slots=True)
class Group:
    """The attempts at one task, or of one agent; `rate` is of success, None where each was interrupted.

    `p50_s` and `p90_s` are of the newest that went well, None where none did or that was not looked up.
    """

    name: str
    tally: Tally
    rate: Interval | None
    p50_s: float | None = None
    p90_s: float | None = None


@dataclass(frozen=True, slots=True)
class Loss:
    """Attempts whose work was in vain, for one cause: conflict, verification, retry, rejected."""

    cause: str
    attempts: int
    seconds: float
    usd: float | None


@dataclass(frozen=True, slots=True)
class Saving:
    """What need not be run: `times` a task was settled without an attempt, and what those took when they last ran."""

    how: str
    times: int
    seconds: float
    usd: float


@dataclass(frozen=True, slots=True)
class Estimates:
    """Estimates against reality, over attempts that went well and had one.

    `estimated_s` is the sum of the medians that were expected, `real_s` what they took; `within_p50` and `within_p90`
    how many took no longer than that.
    """

    attempts: int
    estimated_s: float
    real_s: float
    within_p50: int
    within_p90: int


@dataclass(frozen=True, slots=True)
class Builds:
    """Finished builds added up: how many, in how many all went well, in how many something ran (`busy`).

    Times are of the latter: `wall_s` their own, `sequential_s` that of their attempts one after another, `slot_s` what
    their slots had: the build's own time, as often as its limit and its attempts allowed side by side.
    """

    builds: int
    ok: int
    busy: int
    wall_s: float
    sequential_s: float
    slot_s: float

    @property
    def speedup(self) -> float | None:
        """How many times faster than one attempt after another; None where nothing ran."""
        return self.sequential_s / self.wall_s if self.wall_s > 0 else None

    @property
    def efficiency(self) -> float | None:
        """The share of the slots' time in which an attempt was at work there; None where nothing ran."""
        return self.sequential_s / self.slot_s if self.slot_s > 0 else None


@dataclass(frozen=True, slots=True)
class Period:
    """A stretch of days (UTC), from `start` (seconds since the epoch), of `days` days.

    `builds` is None where not whole builds are asked for.
    """

    start: float
    days: int
    tally: Tally
    builds: Builds | None


@dataclass(frozen=True, slots=True)
class Stats:
    """All figures of what was asked for; `builds` and `savings` are None where not whole builds are.

    `rate` is None where no attempt came to an end of its own; `claims_s` was waited for what other tasks claim.
    """

    wanted: Wanted
    tally: Tally
    rate: Interval | None
    builds: Builds | None
    savings: tuple[Saving, ...] | None
    losses: tuple[Loss, ...]
    claims_s: float
    estimates: Estimates
    slowest: tuple[Group, ...]
    failing: tuple[Group, ...]
    agents: tuple[Group, ...]
    periods: tuple[Period, ...]
