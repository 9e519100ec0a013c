"""Keeps an eye on the places that matter: by notices, by polling, and by a slow heartbeat beside the notices.

The heartbeat finds what no notice told: after a suspend, where notices were lost, where a folder was replaced.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from orchestra.model.errors import OrchestraError
from orchestra.watching.eyes import Doorbell, Eyes
from orchestra.watching.places import Places

HEART = 10.0
"""Seconds between two looks that nothing called for, at least."""

HEART_SHARE, POLL_SHARE = 0.0002, 0.02
"""The share of a core that such looks may take at most, and that polling may."""

POLL = 0.5
"""Seconds between two looks where it polls, at least."""


class Observer:
    """Watches places and rings the bell where one of them changed; with `polling` without the system's notices."""

    def __init__(self, *, polling: bool) -> None:
        self.polling = polling
        self.bell = Doorbell()
        self.beat_at = float("inf")
        """When `beat` is to be called, by the monotonic clock."""
        self._eyes: Eyes | None = None
        self._places: Places | None = None
        self._stamps: dict[str, tuple[int, ...]] = {}

    def stamps(self) -> dict[str, tuple[int, ...]]:
        """What changes when one of the places does; to be asked before they are read."""
        return self._places.stamps() if self._places is not None else {}

    def adopt(
        self, places: Places, before: dict[str, tuple[int, ...]], refused: Callable[[OrchestraError], None]
    ) -> None:
        """Watch what a look found worth watching; `before` are the stamps from before that look.

        The bell rings where something was written while it was read, or was not watched yet. `refused` is told why it
        polls from now on, where the system allows no more notices.
        """
        old, self._places = self._places, places
        new = old is None or old.folders != places.folders
        if self._eyes is not None and not new:
            self._eyes.matters = places.matters
        elif not self.polling:
            self._open(places, refused)
        self._count()
        written = any(before.get(path, now) != now for path, now in self._stamps.items())
        if written or (new and old is not None):
            self.bell.ring()

    def heard(self) -> float:
        """Make the bell silent; gives when what rang it was done, by the monotonic clock."""
        self.bell.heard()
        now = time.monotonic()
        return now if self._eyes is None else min(now, self._eyes.last)

    def beat(self) -> None:
        """Compare what matters with what it was."""
        old = self._stamps
        self._count()
        if old != self._stamps:
            self.bell.ring()

    def close(self) -> None:
        """End it."""
        if self._eyes is not None:
            self._eyes.close()
        self.bell.close()

    def _open(self, places: Places, refused: Callable[[OrchestraError], None]) -> None:
        if self._eyes is not None:
            self._eyes.close()
            self._eyes = None
        try:
            self._eyes = Eyes((path for path, _, _ in places.folders), places.matters, self.bell.ring)
        except OrchestraError as error:
            self.polling = True
            refused(error)

    def _count(self) -> None:
        assert self._places is not None
        began = time.thread_time()
        self._stamps = self._places.stamps()
        cost = time.thread_time() - began
        least, share = (POLL, POLL_SHARE) if self.polling else (HEART, HEART_SHARE)
        self.beat_at = time.monotonic() + max(least, cost / share)
