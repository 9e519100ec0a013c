"""When to look, build, interrupt and leave: what a watch does about what it is told. Pure.

What happens on the disk is a hint, never a fact: after a moment of quiet a look says which version a build would
see, and only a version that no build has had is built. So nothing that a storm of events swallows is lost, and what
a build itself wrote starts none. Times are those of a monotonic clock, in seconds.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from enum import Enum, StrEnum
from typing import Literal

OnBusy = Literal["queue", "restart", "ignore"]

PATIENCE = 10.0
"""For how long changes that never pause may put a look off, in seconds."""

FIRST_RETRY, LAST_RETRY = 0.05, 1.0
"""Seconds after which it looks again whether git has ended what it was in the middle of: at first, and at most."""


class Action(Enum):
    """What the machine asks for. A look is answered by `looked`, a build and an interrupt by `ended`."""

    LOOK = "look"
    BUILD = "build"
    INTERRUPT = "interrupt"
    LEAVE = "leave"


class Effect(StrEnum):
    """What follows from a change that was found."""

    BUILD = "build"
    QUEUED = "queued"
    RESTART = "restart"
    IGNORED = "ignored"
    HELD = "held"


@dataclass(frozen=True, slots=True)
class Version:
    """A look: `seen` stands for all that a build would see, None where nothing can be built.

    `own`: all that differs from what was built last is what the watch's own builds landed.
    """

    seen: Hashable
    own: bool = False


@dataclass(frozen=True, slots=True)
class Busy:
    """A look that found git in the middle of something."""


@dataclass(frozen=True, slots=True)
class Step:
    """What to do, in this order; `effect` is what follows from a change that is new, None where none is."""

    actions: tuple[Action, ...] = ()
    effect: Effect | None = None


_NOTHING = Step()
_LOOK = Step((Action.LOOK,))


class Machine:
    """The state of one watch; made for its start, when nothing has been built."""

    def __init__(self, *, debounce: float, on_busy: OnBusy, now: float) -> None:
        """`debounce` is how long it must have been quiet, in seconds; `now` the time at which it starts."""
        self._debounce = debounce
        self._on_busy = on_busy
        # The first look need not wait for quiet.
        self._first: float | None = now - debounce
        self._last = now - debounce
        self._retry_at: float | None = None
        self._retry = FIRST_RETRY
        self._built: Hashable = None
        self._told: Hashable = None
        self._absorb = False
        self._asked = False
        self._restarting = False
        self.building = False
        self.paused = False
        self.leaving = False

    # --- what happens ----------------------------------------------------------------------------------------

    def disturbed(self, now: float) -> Step:
        """Something changed on the disk that may matter, at `now` or not long before."""
        if self.building and self._on_busy == "ignore":
            return _NOTHING  # the look at the end of the build takes it in
        self._first = now if self._first is None else self._first
        self._last = max(self._last, now)
        return _NOTHING

    @property
    def wakes_at(self) -> float | None:
        """When `awake` is to be called; None: when something happens."""
        if self.leaving:
            return None
        moments = [] if self._retry_at is None else [self._retry_at]
        if self._first is not None:
            moments.append(min(self._last + self._debounce, self._first + max(PATIENCE, self._debounce)))
        return min(moments, default=None)

    def awake(self, now: float) -> Step:
        """The clock has come to `wakes_at`."""
        due = self.wakes_at
        if due is None or now < due:
            return _NOTHING
        # Before the look: what happens from here on calls for another.
        self._first = self._retry_at = None
        return _LOOK

    def looked(self, found: Version | Busy, now: float) -> Step:
        """The answer to a look."""
        if self.leaving:
            return _NOTHING
        if isinstance(found, Busy):
            self._retry_at = now + self._retry
            self._retry = min(2 * self._retry, LAST_RETRY)
            # What is looked at later is no longer only what came during the build.
            self._absorb = False
            return _NOTHING
        self._retry = FIRST_RETRY
        absorb, self._absorb = self._absorb and not self._asked, False
        if found.seen is None:
            self._asked = False
            return _NOTHING
        if found.own or absorb:
            new = not found.own and found.seen != self._built
            self._built = self._told = found.seen
            if not self._asked or self.building:
                return Step(effect=Effect.IGNORED if new else None)
        if found.seen == self._built and not self._asked:
            self._told = found.seen
            return _NOTHING
        return self._changed(found.seen)

    def ended(self, now: float) -> Step:
        """The build is over, whatever came of it."""
        self.building = self._restarting = False
        if self.leaving:
            return Step((Action.LEAVE,))
        if self._on_busy == "ignore":
            # At once, so that nothing of what comes later is taken for what came meanwhile.
            self._absorb = True
            self._first = self._retry_at = None
            return _LOOK
        return self.disturbed(now)

    # --- what the person asks for ----------------------------------------------------------------------------

    def build_now(self, now: float) -> Step:
        """Build, whether or not something changed; after the build that is under way, where one is."""
        self._asked = True
        if self.building:
            return _NOTHING
        self._first = self._retry_at = None
        return _LOOK

    def pause(self, now: float) -> Step:
        """Start no more builds, or do so again: what changed meanwhile is looked at at once."""
        self.paused = not self.paused
        if self.paused or self.building:
            return _NOTHING
        self._first = self._retry_at = None
        return _LOOK

    def leave(self) -> Step:
        """Leave, once the build that is under way has been ended; the second time without giving it time."""
        self.leaving = True
        if not self.building:
            return Step((Action.LEAVE,))
        return Step((Action.INTERRUPT,))

    # --- within ----------------------------------------------------------------------------------------------

    def _changed(self, seen: Hashable) -> Step:
        """What follows from a version that no build has had, or from being asked."""
        new = seen not in (self._told, self._built)
        self._told = seen
        if self.building:
            if self._on_busy == "queue" or not new:
                return Step(effect=Effect.QUEUED if new else None)
            # What is cut off has not been built, whatever the disk goes back to.
            self._built = None
            first, self._restarting = not self._restarting, True
            return Step((Action.INTERRUPT,) if first else (), Effect.RESTART)
        if self.paused and not self._asked:
            return Step(effect=Effect.HELD if new else None)
        effect = Effect.BUILD if seen != self._built else None
        self._built = seen
        self._asked = False
        self.building = True
        return Step((Action.BUILD,), effect)
