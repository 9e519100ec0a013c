"""Samples of the machine while commands run, for the curves of a report: often at first, more and more seldom later.

Promises: one sample costs a few reads of small files; a build of any length has a few thousand samples at most.
"""

from __future__ import annotations

from math import inf

from orchestra.execution.gauges import Gauges
from orchestra.model.ports import Clock, Sampled

FIRST = 1.0
"""Seconds from the first command to the first sample, and the least between two."""

SHARE = 200
"""The rest after a sample is that part of the time since the first command: a curve has so many points, and again for
each time that its length grows by e.
"""


class Sampler:
    """Call `take` by `due`."""

    def __init__(self, clock: Clock, gauges: Gauges) -> None:
        self._clock = clock
        self._gauges = gauges
        self._began: float | None = None
        self._last: tuple[float, float] | None = None
        self.due = inf
        """When, by the monotonic clock, to take the next sample; infinite before the first command."""

    def begin(self) -> None:
        """A command starts; only the first one counts."""
        if self._began is None:
            self._began = self._clock.monotonic()
            self._last = self._gauges.processors()
            self.due = self._began + FIRST

    def take(self, held_bytes: int, commands: int) -> Sampled:
        """A sample; `held_bytes` is what the running commands, so many, were last seen to hold."""
        assert self._began is not None
        now = self._clock.monotonic()
        self.due = now + max(FIRST, (now - self._began) / SHARE)
        last, reading = self._last, self._gauges.processors()
        self._last = reading
        free = self._gauges.memory_available()
        return Sampled(_share(last, reading), min(1.0, max(0.0, 1 - free)), held_bytes, commands)


def _share(last: tuple[float, float] | None, now: tuple[float, float]) -> float | None:
    """The share of all processor time between two readings that was spent working; None where that is not known."""
    if last is None or now[1] <= last[1]:
        return None
    return min(1.0, max(0.0, (now[0] - last[0]) / (now[1] - last[1])))
