"""How the machine stands: its processors, memory and disk, and whether that leaves room for one more attempt."""

from __future__ import annotations

import shutil
from pathlib import Path

from orchestra.model.means import Reading
from orchestra.model.ports import Clock
from orchestra.vcs.folders import nearest

SPAN = 2.0
"""Seconds over which processors must have been watched to say how busy they are."""


class LocalMachine:
    """This machine. Implements Machine. psutil is loaded when it is first looked at."""

    def __init__(self, folder: Path, clock: Clock) -> None:
        """`folder` is where worktrees lie, or will."""
        self._folder = folder
        self._clock = clock
        self._sample: tuple[float, float, float] | None = None
        self._cpu: float | None = None

    def read(self) -> Reading:
        """See `orchestra.model.means.Machine`."""
        import psutil

        memory = psutil.virtual_memory()
        return Reading(
            self._busy(),
            1 - memory.available / memory.total,
            memory.total,
            shutil.disk_usage(nearest(self._folder)).free,
        )

    def _busy(self) -> float | None:
        """The share of all processors that was busy since the last look, over at least `SPAN`."""
        import psutil

        times = psutil.cpu_times()
        # What waits for the disk is no work; what guests take is counted as user time already.
        idle = times.idle + getattr(times, "iowait", 0.0)
        total = sum(times) - getattr(times, "guest", 0.0) - getattr(times, "guest_nice", 0.0)
        now = self._clock.monotonic()
        if self._sample is None:
            self._sample = now, idle, total
        elif now - self._sample[0] >= SPAN:
            spent = total - self._sample[2]
            if spent > 0:
                self._cpu = min(1.0, max(0.0, 1 - (idle - self._sample[1]) / spent))
            self._sample = now, idle, total
        return self._cpu
