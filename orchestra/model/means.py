"""What decides how much may run at once: who does a task, what the past cost, how the machine stands.

Two seams: `Ledger` (the real one is the history) and `Machine`. Their doubles are in `orchestra.planning.simulate`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from orchestra.model.outcomes import Usage
from orchestra.model.tasks import Task


@dataclass(frozen=True, slots=True)
class Worker:
    """Who does a task at whose cost: the agent's name, whose service it calls ("" where that is not known).

    `account` tells apart who pays; it comes from secrets and is never shown. `memory` is the bytes that one run of it
    usually holds.
    """

    agent: str
    provider: str
    account: str = field(repr=False)
    memory: int = 0


@dataclass(frozen=True, slots=True)
class Day:
    """What earlier builds cost since local midnight, in USD, by how many attempts more that told nothing.

    `until` is the next midnight, in seconds since the epoch.
    """

    until: float
    usd: float = 0.0
    unknown: int = 0


class Ledger(Protocol):
    """What attempts of this repository used in the past."""

    def usages(self, agent: str, task: str | None = None) -> tuple[Usage, ...]:
        """What the newest attempts of an agent used, at one task or at any; not those of this build."""
        ...

    def peak_bytes(self, task: str) -> int:
        """The most memory that the newest attempts of a task were seen to hold; 0 where that is not known."""
        ...

    def day(self, now: float) -> Day:
        """The day on which `now` (seconds since the epoch) falls, without what this build cost."""
        ...


@dataclass(frozen=True, slots=True)
class Reading:
    """How the machine stands: shares (0 to 1) of its processors and memory in use, its memory and free disk in bytes.

    `cpu` is None while nothing is known of it.
    """

    cpu: float | None
    memory: float
    memory_bytes: int
    disk_free: int


class Machine(Protocol):
    """The machine that attempts run on."""

    def read(self) -> Reading:
        """Look at it."""
        ...


def nobody(task: Task) -> Worker | None:
    """Nobody's service is asked."""
    return None


@dataclass(frozen=True, slots=True)
class Means:
    """What a build has to go by; without a ledger nothing is known of the past, without a machine nothing limits.

    `worker` tells who does a task, None where nobody's service is asked: a command, or a script.
    """

    worker: Callable[[Task], Worker | None] = nobody
    ledger: Ledger | None = None
    machine: Machine | None = None
