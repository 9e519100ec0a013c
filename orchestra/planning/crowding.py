"""Whether the machine has room for one more attempt beside those that run: processors, memory, disk. Pure.

It is looked at only where something is to start. One attempt may always run, so that a build always goes on.
"""

from __future__ import annotations

from collections.abc import Collection

from orchestra.model.means import Machine, Reading
from orchestra.model.tasks import Limits

EVERY = 5.0
"""Seconds for which a look at the machine holds good."""


class Crowding:
    """What one build makes of looking at its machine; without one there is always room."""

    def __init__(self, limits: Limits, machine: Machine | None) -> None:
        self._limits = limits
        self._machine = machine
        self._reading: Reading | None = None
        self._read_at = 0.0
        self._others = 0.0

    @property
    def looks_again_at(self) -> float:
        """When the next look is due."""
        return self._read_at + EVERY

    def lacks(self, need: int, running: Collection[int], now: float) -> str | None:
        """What is short for an attempt that will hold `need` bytes beside those that hold, or will, as much as
        `running` says: in words, None where there is enough.

        An attempt takes its memory only little by little: what is in use now says too little while it begins. So what
        others hold (all that was in use when nothing of this build ran) and the needs of all attempts count at least.
        """
        if self._machine is None:
            return None
        if self._reading is None or not running or now - self._read_at >= EVERY:
            self._reading, self._read_at = self._machine.read(), now
        at, limits = self._reading, self._limits
        in_use = at.memory * at.memory_bytes
        if not running:
            self._others = in_use
            return None
        if at.cpu is not None and at.cpu > limits.cpu:
            return f"processors are {at.cpu:.0%} busy (`limits.cpu`: {limits.cpu:.0%})"
        wanted = max(in_use, self._others + sum(running)) + need
        if wanted > limits.memory * at.memory_bytes:
            share = wanted / at.memory_bytes if at.memory_bytes else 1.0
            return f"with one more, memory would be {share:.0%} in use (`limits.memory`: {limits.memory:.0%})"
        if at.disk_free < limits.disk:
            free, least = at.disk_free // 2**20, limits.disk // 2**20
            return f"{free:,} MiB are free where worktrees lie (`limits.disk`: {least:,} MiB)"
        return None
