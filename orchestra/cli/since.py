"""Moments as a person writes them: a date, a date with a time, or how long ago."""

from __future__ import annotations

import re
from datetime import datetime

from orchestra.model.errors import usage_error

_AGO = re.compile(r"(\d{1,6})([smhdw])")
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 7 * 86_400}


def moment(text: str, now: float) -> float:
    """The moment in seconds since the epoch: `36h`, `7d` or `4w` before `now`, or a date and time as ISO 8601 writes
    it, in local time where it names no zone.

    Raises OrchestraError (exit status 2) for anything else.
    """
    ago = _AGO.fullmatch(text)
    if ago:
        return now - int(ago[1]) * _UNITS[ago[2]]
    try:
        return datetime.fromisoformat(text).timestamp()
    except (ValueError, OverflowError, OSError) as error:
        raise usage_error(
            f"`{text}` is no moment",
            hint="a date (2026-11-30, 2026-11-30T12:00), or how long ago: 90m, 36h, 7d, 4w",
        ) from error
