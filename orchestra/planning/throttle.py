"""Rate limits: how many attempts may ask one account at once, and from when, by what its service answers. Pure.

Additive increase, multiplicative decrease (Chiu & Jain 1989, "Analysis of the Increase and Decrease Algorithms for
Congestion Avoidance in Computer Networks"), with one decrease a congestion epoch as TCP Reno's fast recovery has one a
window: what was under way before a decrease says nothing about what came of it. Moments are seconds of one clock.
"""

from __future__ import annotations

from dataclasses import dataclass, field

FIRST_PAUSE = 5.0
"""Seconds for which nothing of an account starts after a first signal that does not say for how long."""

LONGEST_PAUSE = 15 * 60.0
"""What such pauses double up to, in seconds, while no attempt gets through."""


@dataclass(frozen=True, slots=True)
class Limit:
    """What holds for an account: at most so many attempts at once, and none that starts before the moment `until`."""

    window: int
    until: float


@dataclass(slots=True)
class _State:
    """One account. `epoch` counts its decreases, `running` are its attempts, each with the epoch in which it began.

    `signalled` are those of them that met the limit; `streak` counts the decreases, and `since` is the first signal,
    since an attempt last got through.
    """

    window: float
    until: float = 0.0
    epoch: int = 0
    streak: int = 0
    since: float | None = None
    running: dict[str, int] = field(default_factory=dict)
    signalled: set[str] = field(default_factory=set)


class Throttle:
    """The limits of all accounts in one build, told apart by any text."""

    def __init__(self, jobs: int) -> None:
        """`jobs` (at least 1) is how many attempts the build may run at once: where windows start, and their most."""
        self._jobs = jobs
        self._states: dict[str, _State] = {}

    def limit(self, account: str) -> Limit:
        """What holds for the account now."""
        state = self._state(account)
        return Limit(int(state.window), state.until)

    def room(self, account: str) -> bool:
        """Whether its window has room for one more attempt, whatever the time."""
        state = self._state(account)
        return len(state.running) < int(state.window)

    def started(self, account: str, attempt: str) -> None:
        """An attempt asks the account from now on."""
        state = self._state(account)
        state.running[attempt] = state.epoch

    def signal(self, account: str, attempt: str, now: float, wait_s: float | None = None) -> None:
        """One of its running attempts met the limit; `wait_s`: the service says for how many seconds to wait.

        The window is halved, but for signals of attempts that began before the last decrease. Nothing starts before the
        latest moment that any signal gave; where none did, the pause doubles with each decrease.
        """
        state = self._state(account)
        state.signalled.add(attempt)
        if state.since is None:
            state.since = now
        pause = wait_s
        if state.running.get(attempt, -1) == state.epoch:
            state.epoch += 1
            state.streak += 1
            state.window = max(1.0, state.window / 2)
            if pause is None:
                pause = min(FIRST_PAUSE * 2.0 ** (state.streak - 1), LONGEST_PAUSE)
        state.until = max(state.until, now + max(pause or 0.0, 0.0))

    def ended(self, account: str, attempt: str, *, through: bool) -> None:
        """One of its running attempts has ended; `through`: the service did what it was asked, early or late.

        The window grows by one for as many attempts that got through without meeting the limit as it is wide.
        """
        state = self._state(account)
        state.running.pop(attempt, None)
        met = attempt in state.signalled
        state.signalled.discard(attempt)
        if through:
            state.streak, state.since = 0, None
            if not met:
                state.window = min(float(self._jobs), state.window + 1 / state.window)

    def stuck_since(self, account: str) -> float | None:
        """The first signal since which no attempt got through; None where the last one did."""
        return self._state(account).since

    def _state(self, account: str) -> _State:
        return self._states.setdefault(account, _State(float(self._jobs)))
