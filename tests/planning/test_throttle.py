"""Rate limits against a naive oracle that goes through everything that happened again."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestra.planning.throttle import FIRST_PAUSE, LONGEST_PAUSE, Throttle

A = "account"


@dataclass(frozen=True)
class Step:
    """Something that happens: the next start, a signal of a running attempt, or the end of one."""

    kind: str
    which: int
    after: float
    wait_s: float | None = None
    through: bool = True


STEPS = st.lists(
    st.builds(
        Step,
        st.sampled_from(["start", "start", "signal", "end", "end"]),
        st.integers(0, 9),
        st.sampled_from([0.0, 1.0, 7.0, 100.0]),
        st.none() | st.sampled_from([0.0, 3.0, 60.0]),
        st.booleans(),
    ),
    max_size=60,
)


def naive(jobs: int, log: list[tuple[float, str, str, float | None, bool]]) -> tuple[float, float]:
    """Window and reset from the whole log: each rule looks back at everything before it."""
    window, until = float(jobs), 0.0
    for at, (now, kind, attempt, wait_s, through) in enumerate(log):
        before = log[:at]
        if kind == "signal":
            decreases = [n for n, entry in enumerate(before) if entry[1] == "signal" and counts(log, n)]
            pause = wait_s
            if counts(log, at):
                window = max(1.0, window / 2)
                since = max((n for n, e in enumerate(before) if e[1] == "end" and e[4]), default=-1)
                streak = 1 + sum(n > since for n in decreases)
                pause = min(FIRST_PAUSE * 2 ** (streak - 1), LONGEST_PAUSE) if wait_s is None else wait_s
            until = max(until, now + (pause or 0.0))
        elif kind == "end" and through:
            met = any(e[1] == "signal" and e[2] == attempt for e in before)
            window = window if met else min(float(jobs), window + 1 / window)
    return window, until


def counts(log: list[tuple[float, str, str, float | None, bool]], at: int) -> bool:
    """Whether the signal there halves the window: no signal since its attempt began did so."""
    start = next(n for n, entry in enumerate(log) if entry[1:3] == ("start", log[at][2]))
    return not any(log[n][1] == "signal" and counts(log, n) for n in range(start, at))


@given(st.integers(1, 8), STEPS)
@settings(max_examples=200, deadline=None)
def test_it_does_as_the_oracle_says(jobs: int, steps: list[Step]) -> None:
    throttle = Throttle(jobs)
    log: list[tuple[float, str, str, float | None, bool]] = []
    running: list[str] = []
    now = 1.0
    for number, step in enumerate(steps):
        now += step.after
        limit = throttle.limit(A)
        if step.kind == "start":
            if limit.until > now or not throttle.room(A):
                continue
            running.append(f"a{number}")
            throttle.started(A, running[-1])
            log.append((now, "start", running[-1], None, False))
        elif running:
            attempt = running[step.which % len(running)]
            if step.kind == "signal":
                throttle.signal(A, attempt, now, step.wait_s)
            else:
                running.remove(attempt)
                throttle.ended(A, attempt, through=step.through)
            log.append((now, step.kind, attempt, step.wait_s, step.through))
        window, until = naive(jobs, log)
        limit = throttle.limit(A)
        assert (limit.window, limit.until) == (int(window), until)
        assert 1 <= limit.window <= jobs
        assert throttle.room(A) == (len(running) < limit.window)


def started(throttle: Throttle, *attempts: str, account: str = A) -> None:
    for attempt in attempts:
        throttle.started(account, attempt)


def test_many_signals_of_one_epoch_halve_once() -> None:
    throttle = Throttle(8)
    started(throttle, *"abcdefgh")
    for attempt in "abcdefgh":
        throttle.signal(A, attempt, 10.0)
        throttle.signal(A, attempt, 11.0)
        throttle.ended(A, attempt, through=False)
    assert throttle.limit(A).window == 4
    started(throttle, "i")
    throttle.signal(A, "i", 20.0)
    assert throttle.limit(A).window == 2


def test_a_whole_window_that_gets_through_lets_one_more_in() -> None:
    throttle = Throttle(4)
    started(throttle, "x")
    throttle.signal(A, "x", 0.0)
    throttle.ended(A, "x", through=False)
    assert throttle.limit(A).window == 2
    for number in range(2):
        started(throttle, f"{number}")
        throttle.ended(A, f"{number}", through=True)
    assert throttle.limit(A).window == 2, "2 + 1/2 + 1/2.5 is not 3 yet"
    started(throttle, "y")
    throttle.ended(A, "y", through=True)
    assert throttle.limit(A).window == 3


@pytest.mark.parametrize("number", range(1, 12))
def test_pauses_double_while_nothing_gets_through(number: int) -> None:
    throttle, now = Throttle(4), 0.0
    for turn in range(number):
        now = throttle.limit(A).until
        started(throttle, f"{turn}")
        throttle.signal(A, f"{turn}", now)
        throttle.ended(A, f"{turn}", through=False)
    assert throttle.limit(A).until - now == min(FIRST_PAUSE * 2 ** (number - 1), LONGEST_PAUSE)
    started(throttle, "through")
    throttle.ended(A, "through", through=True)
    now = throttle.limit(A).until
    started(throttle, "last")
    throttle.signal(A, "last", now)
    assert throttle.limit(A).until - now == FIRST_PAUSE


def test_what_the_service_says_counts_and_no_later_signal_takes_it_back() -> None:
    throttle = Throttle(4)
    started(throttle, "a", "b")
    throttle.signal(A, "a", 10.0, 3600.0)
    throttle.signal(A, "b", 11.0, 2.0)
    assert throttle.limit(A).until == 3610.0
    throttle.signal(A, "b", 12.0, -5.0)
    assert throttle.limit(A).until == 3610.0


def test_accounts_know_nothing_of_each_other() -> None:
    throttle = Throttle(4)
    started(throttle, "a", "b", "c", "d")
    throttle.signal(A, "a", 0.0)
    assert not throttle.room(A)
    assert (throttle.limit("other").window, throttle.limit("other").until) == (4, 0.0)
    assert throttle.room("other")


def test_since_when_nothing_got_through() -> None:
    throttle = Throttle(4)
    started(throttle, "a", "b")
    assert throttle.stuck_since(A) is None
    throttle.signal(A, "a", 5.0)
    throttle.signal(A, "b", 9.0)
    throttle.ended(A, "b", through=False)
    assert throttle.stuck_since(A) == 5.0
    # Late, but it got through.
    throttle.ended(A, "a", through=True)
    assert throttle.stuck_since(A) is None and throttle.limit(A).window == 2
