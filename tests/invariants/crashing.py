"""Seams that fail at a chosen call, as on a machine that loses its power, before or after the call took effect."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any


class Crash(BaseException):
    """The machine is gone: no code that handles errors has a say."""


class Fuse:
    """Counts the calls at every seam that it guards, and blows at one of them: before it, or `after` its effect."""

    def __init__(self, at: int | None = None, *, after: bool = False) -> None:
        self.at = at
        self.after = after
        self.calls = 0

    def guard(self, seam: Any) -> Any:
        """The seam, every method of which counts as a call."""
        return _Guarded(self, seam)

    def call(self, method: Callable[..., Any], *args: Any, **options: Any) -> Any:
        """Make a call, as long as the machine lives."""
        last = self.calls == self.at
        self.calls += 1
        if last and not self.after:
            raise Crash
        found = method(*args, **options)
        if last:
            raise Crash
        return found


class _Guarded:
    """Anything, seen through a fuse."""

    def __init__(self, fuse: Fuse, seam: Any) -> None:
        self._fuse = fuse
        self._seam = seam

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._seam, name)
        return partial(self._fuse.call, found) if callable(found) else found
