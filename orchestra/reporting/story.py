"""The story of one build: what the pages of a report and the trace are made from. Pure.

Times are seconds since the epoch. Texts are as they were told: whoever shows them makes them harmless.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from orchestra.model.outcomes import Usage


@dataclass(frozen=True, slots=True)
class Stretch:
    """Something with a name that lasted from `start` to `end`; `detail` says more where there is more."""

    name: str
    start: float
    end: float
    detail: str = ""

    @property
    def seconds(self) -> float:
        """How long it lasted."""
        return max(0.0, self.end - self.start)


@dataclass(frozen=True, slots=True)
class KeptFile:
    """A file that a task's `artifacts` named: path, bytes, and why it was not kept (empty: it was)."""

    path: str
    bytes: int
    problem: str


@dataclass(frozen=True, slots=True)
class Waited:
    """What a start waited for: the cause, seconds, and the task, where it was one."""

    cause: str
    seconds: float
    task: str | None


@dataclass(frozen=True, slots=True)
class AttemptStory:
    """One attempt. `outcome` is None where its end was not told: then `end` is that of what was told."""

    task: str
    attempt: str
    number: int
    agent: str
    base: str
    start: float
    end: float
    slot: int | None
    outcome: str | None
    fault: str | None
    detail: str
    result: str | None
    log: str
    tail: tuple[str, ...]
    phases: tuple[Stretch, ...]
    waits: tuple[Waited, ...]
    usage: Usage
    cpu_s: float
    peak_bytes: int
    artifacts: tuple[KeptFile, ...]

    @property
    def seconds(self) -> float:
        """How long it took."""
        return max(0.0, self.end - self.start)

    @property
    def queued_at(self) -> float:
        """When it could have started, for all that other tasks and the build's own checks let it."""
        return self.start - sum(wait.seconds for wait in self.waits if wait.cause in QUEUE)


QUEUE = frozenset(("slot", "rate", "budget", "machine", "alone", "retry"))
"""The causes for which a task waits that could run."""


@dataclass(frozen=True, slots=True)
class Edge:
    """`first` goes before the task that tells it, for a reason: needs, write-read, write-write, shared."""

    first: str
    kind: str


@dataclass(frozen=True, slots=True)
class TaskStory:
    """One selected task: what it waits for and claims (as far as told), and what became of it.

    `final` is None where that was not told yet. `paths` are what it landed, or what stands in its way.
    """

    name: str
    title: str
    final: str | None
    why: str
    because: str | None
    hint: str | None
    reasons: tuple[Mapping[str, Any], ...]
    before: tuple[Edge, ...]
    write: tuple[str, ...] | None
    read: tuple[str, ...]
    shared: tuple[str, ...]
    exclusive: bool
    inferred: tuple[str, ...]
    attempts: tuple[AttemptStory, ...]
    landed_at: float | None
    commit: str | None
    verified: bool
    paths: tuple[str, ...]
    kept: str | None
    tail: tuple[str, ...]
    log: str

    @property
    def seconds(self) -> float:
        """The sum of its attempts."""
        return sum(attempt.seconds for attempt in self.attempts)

    @property
    def usd(self) -> float | None:
        """What its attempts cost, as far as it is known; None where nothing is."""
        known = [attempt.usage.usd for attempt in self.attempts if attempt.usage.usd is not None]
        return sum(known) if known else None

    @property
    def tokens(self) -> int | None:
        """What its attempts used, as far as it is known."""
        known = [attempt.usage.tokens for attempt in self.attempts if attempt.usage.tokens is not None]
        return sum(known) if known else None


@dataclass(frozen=True, slots=True)
class Verification:
    """One verification: of whose result (None: no task's), the verdict (None: none), and whether it was remembered."""

    commit: str
    task: str | None
    start: float
    end: float
    passed: bool | None
    remembered: bool
    tail: tuple[str, ...]
    log: str


@dataclass(frozen=True, slots=True)
class Sample:
    """How the machine stood: shares of processors and memory, the bytes that the build's commands held."""

    time: float
    cpu: float | None
    memory: float | None
    held_bytes: int
    commands: int


@dataclass(frozen=True, slots=True)
class Told:
    """A notice, or what became of the branch: the time, the words, and what to type."""

    time: float
    words: str
    hint: str | None


@dataclass(frozen=True, slots=True)
class Story:
    """One build. `state` is finished, running or broken off; `end` the last moment that was told.

    `summary` is the last event as it was told, empty where there was none. `unread` lines were no events.
    """

    build: str
    state: str
    start: float
    end: float
    base: str
    branch: str | None
    jobs: int
    tasks: tuple[TaskStory, ...]
    attempts: tuple[AttemptStory, ...]
    verifications: tuple[Verification, ...]
    samples: tuple[Sample, ...]
    notices: tuple[Told, ...]
    summary: Mapping[str, Any]
    planned: bool
    unread: int

    @property
    def seconds(self) -> float:
        """How long the build took, so far."""
        wall = self.summary.get("wall_s")
        return float(wall) if isinstance(wall, int | float) else max(0.0, self.end - self.start)

    def count(self, *finals: str) -> int:
        """How many tasks ended so."""
        return sum(task.final in finals for task in self.tasks)

    @property
    def usd(self) -> float | None:
        """What all attempts cost, as far as it is known; None where nothing is."""
        known = [task.usd for task in self.tasks if task.usd is not None]
        return sum(known) if known else None

    @property
    def tokens(self) -> int | None:
        """What all attempts used, as far as it is known."""
        known = [task.tokens for task in self.tasks if task.tokens is not None]
        return sum(known) if known else None


BAD = ("failed", "rejected", "interrupted", "skipped")
"""The finals that a person has to see to."""
