"""How an attempt or a task ended, whose fault it was, and what it used."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal


class Outcome(StrEnum):
    """How one attempt ended."""

    SUCCESS = "success"
    NO_CHANGE = "no-change"
    FAILED = "failed"
    DENIED = "denied"
    CHECK_FAILED = "check-failed"
    REVIEW_FAILED = "review-failed"
    TIMED_OUT = "timed-out"
    STALLED = "stalled"
    INTERRUPTED = "interrupted"
    NOT_STARTED = "not-started"
    CAPTURE_FAILED = "capture-failed"

    @property
    def good(self) -> bool:
        """Whether the attempt did what it was asked."""
        return self in (Outcome.SUCCESS, Outcome.NO_CHANGE)


class Fault(StrEnum):
    """Whose fault it is that an attempt did not succeed."""

    AGENT = "agent"
    PROJECT = "project"
    ENVIRONMENT = "environment"
    PERSON = "person"


class Final(StrEnum):
    """How a selected task ended in one build: each has exactly one of these."""

    LANDED = "landed"
    NO_CHANGE = "no-change"
    PASSED = "passed"
    FRESH = "fresh"
    REPLAYED = "replayed"
    ADOPTED = "adopted"
    REVERTED = "reverted"
    FAILED = "failed"
    REJECTED = "rejected"
    SKIPPED = "skipped"
    INTERRUPTED = "interrupted"

    @property
    def settled_well(self) -> bool:
        """Whether tasks that need this one may go on."""
        return self not in (Final.FAILED, Final.REJECTED, Final.SKIPPED, Final.INTERRUPTED)


@dataclass(frozen=True, slots=True)
class Usage:
    """What an attempt used at its model: tokens, and USD; None is unknown, never invented."""

    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_read_tokens: int | None = None
    cache_write_tokens: int | None = None
    usd: float | None = None

    @property
    def tokens(self) -> int | None:
        """All tokens together, or None where none is known."""
        known = [
            n
            for n in (self.input_tokens, self.output_tokens, self.cache_read_tokens, self.cache_write_tokens)
            if n is not None
        ]
        return sum(known) if known else None


@dataclass(frozen=True, slots=True)
class Asked:
    """What an attempt was asked to do, for the record.

    `prompt` is the text of its task's prompt and `path` that prompt's file, or `command` what it runs; `check` the
    task's acceptance command, `reviewer` the agent that judges its result. None: there is none.
    """

    prompt: str | None = None
    path: str | None = None
    command: str | None = None
    check: str | None = None
    reviewer: str | None = None


@dataclass(frozen=True, slots=True)
class Judged:
    """One judgement of an attempt's work, for the record.

    `kind`: check or review. `by` is the command, or the agent that reviewed; `passed` is None where it gave no
    verdict; `status` its exit status (None: a signal ended it, or it did not run); `seconds` how long it took; `tail`
    its last lines, of a review what it found.
    """

    kind: Literal["check", "review"]
    by: str
    passed: bool | None
    status: int | None
    seconds: float
    tail: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Exit:
    """How a process ended.

    `status` is its exit status, None where a signal ended it; `signal` that signal's number. `stopped` says
    why we ended it ("timeout", "stall", "interrupt"), None where it ended by itself. `cpu_s` is user plus
    system time of it and all its descendants in seconds; `peak_bytes` the most memory that they were seen to
    hold at once, and at least the largest resident size of any one of them; `survivors` how many descendants
    were still alive when it ended and had to be killed. `starved`: the kernel killed it for want of memory.
    `problem` says why it could not be carried out, where that is so: the program is not there or is none;
    `transient` whether that may be over soon.
    """

    status: int | None
    signal: int | None = None
    stopped: str | None = None
    cpu_s: float = 0.0
    peak_bytes: int = 0
    survivors: int = 0
    starved: bool = False
    problem: str = ""
    transient: bool = False

    @property
    def ok(self) -> bool:
        """Whether it ended by itself with status 0."""
        return self.status == 0 and self.stopped is None

    @property
    def interrupted(self) -> bool:
        """Whether we ended it for another reason than a limit of its own."""
        return self.stopped not in (None, "timeout", "stall")

    def describe(self) -> str:
        """The ending in words: `exit status 1`, `killed by signal 9`, `killed for want of memory`."""
        if self.starved:
            return "killed for want of memory"
        if self.signal is not None:
            return f"killed by signal {self.signal}"
        return f"exit status {self.status}"


@dataclass(frozen=True, slots=True)
class Phase:
    """One phase of an attempt: start and end, seconds since the epoch.

    They are prepare, setup, agent, check, capture, and where the agent went on or was judged `repair 1`, `repair 2`
    and so on, and review.
    """

    name: str
    started: float
    ended: float


@dataclass(frozen=True, slots=True)
class Wait:
    """Why a task did not start earlier: the cause, seconds, and the task waited for where it is one.

    `cause`: needs, write-read, write-write (another task goes before it), verify (the base was being verified),
    slot (as many ran as may), retry (the last attempt failed for a reason that may pass), alone (it runs by itself),
    rate (its agent's service limits requests), budget (what is left of one is reserved), machine (it is busy).
    """

    cause: str
    seconds: float
    task: str | None = None


Held = Literal["rate", "budget", "machine"]
"""Why a task does not start though it is its turn, and as many may run: causes of `Wait`."""


@dataclass(frozen=True, slots=True)
class Artifact:
    """A file that a task's `artifacts` named: its path in the worktree, its size, and why no copy of it was kept
    (empty: one was).
    """

    path: str
    bytes: int
    problem: str = ""
