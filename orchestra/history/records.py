"""What the history answers with: frozen values. Unknown is None, never 0.

Words that come from the database stay text here: one that a later orchestra wrote must not stop this one.
Times are seconds since the epoch.
"""

from __future__ import annotations

from dataclasses import dataclass

from orchestra.model.outcomes import Phase, Usage, Wait


@dataclass(frozen=True, slots=True)
class BuildRecord:
    """One build. What `finished` and the counts say is None where it never told its end.

    `closed` is when orchestra closed it unfinished; `pid` is the process that recorded it; `selected` how many
    tasks were. `usd` and `tokens` are what is known: they lack `unpriced` and `uncounted` attempts.
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

    @property
    def state(self) -> str:
        """`finished`; `broken-off`: orchestra ended without finishing it; `unfinished`: under way, or killed."""
        if self.finished is not None:
            return "finished"
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
    read.
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
    """One task over all builds: how many attempts there are, and the newest of them, newest first."""

    task: str
    total: int
    attempts: tuple[AttemptRecord, ...]
