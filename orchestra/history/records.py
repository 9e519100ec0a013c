"""What the history answers with: frozen values. Unknown is None, never 0.

Words that come from the database stay text here: one that a later orchestra wrote must not stop this one.
Times are seconds since the epoch.
"""

from __future__ import annotations

from dataclasses import dataclass

from orchestra.history.figures import Interval
from orchestra.history.statistics import Tally
from orchestra.model.outcomes import Phase, Usage, Wait
from orchestra.model.spread import spread


@dataclass(frozen=True, slots=True)
class BuildRecord:
    """One build. What `finished` and the counts say is None where it never told its end.

    `closed` is when orchestra closed it unfinished; `pid` is the process that recorded it; `selected` how many
    tasks were. `usd` and `tokens` are what is known: they lack `unpriced` and `uncounted` attempts. `fresh_s`,
    `fresh_usd`, `replayed_s` and `replayed_usd` are what its fresh and replayed tasks took when they last ran, as far
    as that is known. `rebuilt`: it was not recorded, git told of it afterwards.
    """

    build: str
    started: float
    finished: float | None
    closed: float | None
    pid: int
    version: str
    base: str
    branch: str | None
    jobs: int
    selected: int
    ok: bool | None
    advanced: bool | None
    interrupted: bool | None
    ran: int | None
    replayed: int | None
    fresh: int | None
    landed: int | None
    no_change: int | None
    passed: int | None
    failed: int | None
    rejected: int | None
    skipped: int | None
    wall_s: float | None
    sequential_s: float | None
    speedup: float | None
    usd: float | None
    tokens: int | None
    tip: str | None
    adopted: int | None
    reverted: int | None
    unpriced: int | None
    uncounted: int | None
    fresh_s: float | None
    fresh_usd: float | None
    replayed_s: float | None
    replayed_usd: float | None
    rebuilt: bool | None

    @property
    def state(self) -> str:
        """`finished`; `broken-off`: orchestra ended without finishing it; `unfinished`: under way, or killed;
        `rebuilt`: only what git told afterwards is known of it.
        """
        if self.finished is not None:
            return "finished"
        if self.rebuilt:
            return "rebuilt"
        return "broken-off" if self.closed is not None else "unfinished"


@dataclass(frozen=True, slots=True)
class Why:
    """One recorded reason with its evidence, as `freshness.Reason`."""

    kind: str
    subject: str | None
    old: str | None
    new: str | None


@dataclass(frozen=True, slots=True)
class DecisionRecord:
    """A task was found stale or blocked on a commit; `reason_count` counts also reasons beyond those kept."""

    time: float
    state: str
    key: str
    commit: str
    reason_count: int
    reasons: tuple[Why, ...]


@dataclass(frozen=True, slots=True)
class EndingRecord:
    """What became of an attempt's result: landed, no-change, passed, again, rejected, failed, interrupted.

    `paths` are the first of those in the way; `path_count` counts all, or those that a landed result changed.
    """

    attempt: str
    time: float
    kind: str
    why: str | None
    commit: str | None
    verified: bool | None
    kept: str | None
    alone: bool | None
    path_count: int
    paths: tuple[str, ...]
    log: str | None
    hint: str | None


@dataclass(frozen=True, slots=True)
class AttemptRecord:
    """One attempt: why it ran, what it waited for, how it ended, what it used, what became of its result.

    `outcome` is None where it is under way or orchestra was killed. `reads` are the files that its agent was seen to
    read. `model` served it, or is the one that it was told to use; `said` is what its program said of itself.
    `estimate_s` is what was expected of it when it began, `estimate_high_s` what nine of ten earlier ones did not
    exceed. `lost`: what it did was in vain (conflict, verification, retry, rejected). `rebuilt`: as with builds.
    """

    build: str
    attempt: str
    task: str
    number: int
    agent: str
    base: str
    key: str
    started: float
    finished: float | None
    slot: int | None
    log: str | None
    outcome: str | None
    fault: str | None
    detail: str | None
    seconds: float | None
    result: str | None
    exit_status: int | None
    signal: int | None
    usage: Usage
    cpu_s: float | None
    peak_bytes: int | None
    changed_bytes: int | None
    model: str | None
    said: str | None
    estimate_s: float | None
    estimate_high_s: float | None
    lost: str | None
    rebuilt: bool | None
    reads: tuple[str, ...]
    reason_count: int
    reasons: tuple[Why, ...]
    waits: tuple[Wait, ...]
    phases: tuple[Phase, ...]
    endings: tuple[EndingRecord, ...]


@dataclass(frozen=True, slots=True)
class TaskRecord:
    """One task in one build: how it ended (None: not known), since when, why, and because of which task.

    `endings` are those of attempts of other builds (a result that was applied again); the others stand with
    their attempts.
    """

    task: str
    final: str | None
    finished: float | None
    why: str | None
    because: str | None
    decisions: tuple[DecisionRecord, ...]
    attempts: tuple[AttemptRecord, ...]
    endings: tuple[EndingRecord, ...]


@dataclass(frozen=True, slots=True)
class VerificationRecord:
    """A commit was verified: whose result it held (None: the base), the verdict (None: none yet, or none)."""

    commit: str
    task: str | None
    started: float | None
    finished: float | None
    passed: bool | None
    remembered: bool | None
    seconds: float | None
    log: str | None


@dataclass(frozen=True, slots=True)
class AdvanceRecord:
    """The person's branch moved (`done`), or its tip stayed on the branch `parked`, and why."""

    time: float
    done: bool
    branch: str | None
    old: str | None
    new: str
    parked: str | None
    why: str | None


@dataclass(frozen=True, slots=True)
class BuildDetail:
    """One build with its tasks (in the order of the build), verifications and advances (as they came)."""

    build: BuildRecord
    tasks: tuple[TaskRecord, ...]
    verifications: tuple[VerificationRecord, ...]
    advances: tuple[AdvanceRecord, ...]


@dataclass(frozen=True, slots=True)
class TaskHistory:
    """One task over all builds: how many attempts there are of those asked for, and the newest of them, newest first.

    `tally` and `rate` are of all that have ended (`rate` None: none has). `seconds` are those of the newest attempts at
    it that went well, oldest first; `p50_s` and `p90_s` their percentiles.
    """

    task: str
    total: int
    attempts: tuple[AttemptRecord, ...]
    tally: Tally
    rate: Interval | None
    seconds: tuple[float, ...]

    @property
    def p50_s(self) -> float | None:
        """What half of `seconds` do not exceed, None without any."""
        known = spread(self.seconds)
        return known.p50 if known else None

    @property
    def p90_s(self) -> float | None:
        """What nine of ten of `seconds` do not exceed, None without any."""
        known = spread(self.seconds)
        return known.p90 if known else None
