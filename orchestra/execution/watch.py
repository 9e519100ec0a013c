"""Watches the running commands: which of them do nothing any more, what they hold, whom want of memory has ended.

Promises: a command that prints, computes or changes a file of its worktree is never called stalled; one that does none
of it is, once a tenth of its time more is over at most; and looking at processes costs at most a hundredth of one core,
however many there are. Files are looked at only where all else is quiet.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from math import inf
from pathlib import Path

from orchestra.execution.gauges import Gauges, Load
from orchestra.model.outcomes import Exit
from orchestra.model.ports import Clock

EVERY = 2.0
"""Seconds between two looks at what the commands hold."""

FIRST = 0.2
"""Seconds after a start until the first look: most commands are short."""

PARTS = 10
"""Looks in the time after which a command counts as stalled."""

IDLE = 0.01
"""The share of one core that is nothing: who waits in a loop, or for timers, needs less."""

TICKS = 0.02
"""Seconds of CPU that come from how the kernel counts them, in steps of 0.01."""

SHARE = 100
"""A look is followed by a rest of so many times the CPU time that it took: on a busy machine a look may wait for long
for its turn, and must not make the next one wait a hundred times as long.
"""

LITTLE = 0.05
"""The share of free memory below which a killed command was killed for want of it."""

LATELY = 10.0
"""Seconds for which a moment of little memory explains what follows."""

JUMP = 1.0
"""Seconds by which two clocks may differ in a stretch of time without one of them having been set."""


@dataclass(slots=True, eq=False)
class Watched:
    """A command that runs: what it was last seen to do, by both clocks, and the most memory it was seen to hold.

    `stall`: after how many seconds of nothing it counts as stalled; `measured`: when its CPU time was last compared,
    and what it was; `kills`: how many processes had been killed for want of memory when it began.
    """

    supervisor: int
    folder: Path
    stall: float
    active: float
    active_at: float
    measured: tuple[float, float]
    kills: int
    peak: int = 0


class Watch:
    """All commands that run now. Call `look` by `due`."""

    def __init__(
        self,
        clock: Clock,
        gauges: Gauges,
        changed: Callable[[Path], float] | None = None,
        cpu: Callable[[], float] = time.process_time,
    ) -> None:
        """`changed` tells when something in a folder was last changed, in seconds since the epoch; `cpu` how many
        seconds of it this process has used.
        """
        self._clock = clock
        self._gauges = gauges
        self._changed = changed or newest_change
        self._cpu = cpu
        self._all: list[Watched] = []
        self._scarce = -inf  # when memory was last seen to be little
        self.due = inf
        """When, by the monotonic clock, to look next; infinite where nothing runs."""
        self.held = 0
        """The bytes that all commands held together at the last look."""

    def __len__(self) -> int:
        """How many commands run."""
        return len(self._all)

    @property
    def kills(self) -> int:
        """How many processes have been killed for want of memory so far: to be noted before a command is started."""
        return self._gauges.memory_kills()

    def begin(self, supervisor: int, folder: Path, stall: float = inf, *, kills: int) -> Watched:
        """Watch the command below a supervisor, which works in a folder; `kills` as it was before that started."""
        now = self._clock.monotonic()
        watched = Watched(supervisor, folder, stall, now, self._clock.now(), (now, 0.0), kills)
        self._all.append(watched)
        self.due = min(self.due, now + min(FIRST, stall / PARTS))
        return watched

    def heard(self, watched: Watched) -> None:
        """It has printed something."""
        watched.active, watched.active_at = self._clock.monotonic(), self._clock.now()

    def look(self) -> tuple[Watched, ...]:
        """Look at all of them; those that have stalled, each told once."""
        began, used = self._clock.monotonic(), self._cpu()
        loads = self._gauges.loads(watched.supervisor for watched in self._all)
        self.held = sum(load.memory for load in loads.values())
        if self._gauges.memory_available() < LITTLE:
            self._scarce = began
        rest = SHARE * (self._cpu() - used)
        stalled = tuple(each for each in self._all if self._has_stalled(each, loads[each.supervisor], began))
        for each in stalled:
            each.stall = inf
        soonest = min((each.stall / PARTS for each in self._all), default=EVERY)
        self.due = self._clock.monotonic() + max(min(EVERY, soonest), rest) if self._all else inf
        return stalled

    def end(self, watched: Watched, ended: Exit) -> Exit:
        """It has ended so: what was seen beside that is added."""
        self._all.remove(watched)
        if not self._all:
            self.due, self.held = inf, 0
        return replace(
            ended,
            peak_bytes=max(ended.peak_bytes, watched.peak),
            starved=self._was_starved(watched, ended),
        )

    # --- within ----------------------------------------------------------------------------------------------

    def _has_stalled(self, watched: Watched, load: Load, now: float) -> bool:
        watched.peak = max(watched.peak, load.memory)
        if watched.stall == inf:
            return False
        at, cpu_s = watched.measured
        if now - at >= watched.stall / PARTS:
            if load.cpu_s - cpu_s > IDLE * (now - at) + TICKS:
                self.heard(watched)
            watched.measured = now, load.cpu_s
        if now - watched.active >= watched.stall:
            self._note_change(watched)
        return now - watched.active >= watched.stall

    def _note_change(self, watched: Watched) -> None:
        """Take a change in its folder since it was last seen active for a sign of life, at the change's time."""
        # Both clocks at one moment: some time may have passed since the look began.
        now, wall = self._clock.monotonic(), self._clock.now()
        quiet = now - watched.active
        if abs(wall - watched.active_at - quiet) > JUMP:
            # The clock was set, or the machine slept: what files say cannot be compared. It gets its time again.
            self.heard(watched)
        elif (changed := self._changed(watched.folder)) > watched.active_at:
            ago = min(max(0.0, wall - changed), quiet)
            watched.active, watched.active_at = now - ago, wall - ago

    def _was_starved(self, watched: Watched, ended: Exit) -> bool:
        killed = ended.signal == signal.SIGKILL or ended.status == 128 + signal.SIGKILL
        if not killed or ended.stopped is not None:
            return False
        scarce = self._clock.monotonic() - self._scarce <= LATELY
        return scarce or self._gauges.memory_kills() > watched.kills


def newest_change(folder: Path) -> float:
    """When the last change was made in a folder or below it, in seconds since the epoch; 0.0 where it is gone.

    By what the file system notes (ctime), which no program can set. Links are not followed.
    """
    newest = 0.0
    todo = [os.fspath(folder)]
    while todo:
        place = todo.pop()
        try:
            newest = max(newest, os.lstat(place).st_ctime)
            with os.scandir(place) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        todo.append(entry.path)
                        continue
                    with suppress(FileNotFoundError):
                        newest = max(newest, entry.stat(follow_symlinks=False).st_ctime)
        except OSError:
            continue  # it went away meanwhile, or may not be looked at
    return newest
