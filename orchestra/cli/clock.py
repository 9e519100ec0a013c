"""The clock of the machine, for the commands."""

from __future__ import annotations

import time


class SystemClock:
    """The machine's clock. Implements Clock."""

    def now(self) -> float:
        """See `orchestra.model.ports.Clock`."""
        return time.time()

    def monotonic(self) -> float:
        """See `orchestra.model.ports.Clock`."""
        return time.monotonic()
