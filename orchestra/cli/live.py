"""Live progress: listens to a build and draws how it stands, whenever whoever waits for it has a moment."""

from __future__ import annotations

import time
from collections.abc import Callable
from math import inf

from orchestra.cli.live_terminal import LiveTerminal
from orchestra.model.events import BuildFinished, BuildStarted, Event, StopRequested
from orchestra.model.means import Machine, Reading
from orchestra.model.ports import Listener
from orchestra.reporting.live_state import Ahead, Progress
from orchestra.reporting.live_view import Look, view

GAP_S = 0.25
"""Seconds between two drawings at least."""

CLOCK_S = 1.0
"""Seconds after which the clocks have gone on."""

READ_S = 2.0
"""Seconds between two looks at the machine."""


class LiveProgress:
    """Draws one build after another. Implements Listener and Pulse.

    The terminal is opened where a build begins, unless it is open, and closed at its end; where a build breaks off
    without one, whoever runs it closes it.
    """

    def __init__(
        self,
        terminal: LiveTerminal,
        lines: Listener,
        *,
        color: bool,
        ahead: Callable[[BuildStarted], Ahead] = lambda started: Ahead(),
        machine: Machine | None = None,
        now: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`lines` writes what scrolls by, by `terminal.above`, and gets every event too; `ahead` is asked once a build,
        when there is something to draw; `machine` is looked at every now and then.
        """
        self._terminal = terminal
        self._lines = lines
        self._color = color
        self._ahead, self._machine = ahead, machine
        self._now, self._monotonic = now, monotonic
        self._progress = Progress()
        self._asks_ahead: BuildStarted | None = None
        self._reading: tuple[float, Reading] | None = None
        self._drawn = -inf
        self._due = inf

    @property
    def due(self) -> float:
        """See `orchestra.model.ports.Pulse`."""
        return -inf if self._terminal.disturbed and self._due < inf else self._due

    def notify(self, event: Event) -> None:
        """Take one event."""
        self._progress.take(event)
        if isinstance(event, BuildStarted):
            self._asks_ahead = event
            self._terminal.open()
        elif isinstance(event, BuildFinished):
            self._due = inf
            self._terminal.close()
        self._lines.notify(event)
        if self._progress.begun and self._terminal.is_open:
            now = self._monotonic()
            self._due = min(self._due, max(self._drawn + GAP_S, now))
            if self._due <= now or isinstance(event, StopRequested):
                # Whoever waits may have much to do before it waits again.
                self.beat()

    def beat(self) -> None:
        """See `orchestra.model.ports.Pulse`."""
        terminal, progress = self._terminal, self._progress
        terminal.disturbed = False
        self._drawn = self._monotonic()
        if not progress.begun or terminal.gone or not terminal.is_open:
            self._due = inf
            return
        self._due = self._drawn + CLOCK_S
        if not terminal.is_ours():
            terminal.draw(())
            return
        if self._asks_ahead is not None:
            # Not before: a build that finds all fresh need not read the past.
            progress.ahead, self._asks_ahead = self._ahead(self._asks_ahead), None
        width, height = terminal.size()
        # One column less, since some terminals wrap a line that is full; some rows less, for what scrolls by.
        look = Look(width - 1, max(1, height - max(1, height // 4)), self._color, terminal.encoding)
        terminal.draw(view(progress, self._now(), look, self._read()))

    def _read(self) -> Reading | None:
        if self._machine is None:
            return None
        if self._reading is None or self._drawn - self._reading[0] >= READ_S:
            self._reading = self._drawn, self._machine.read()
        return self._reading[1]
