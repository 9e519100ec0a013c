"""The statistics: what is read from the sums is what anybody would add up from the attempts and builds themselves."""

from __future__ import annotations

import itertools
import math
import sqlite3
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestra.history.database import History, open_history
from orchestra.history.figures import wilson
from orchestra.history.render import render_task
from orchestra.history.render_stats import render_stats
from orchestra.history.statistics import EVERYTHING, Builds, Loss, Stats, Tally, Wanted
from orchestra.history.stats import read_stats, read_task
from orchestra.history.storing import rows
from orchestra.history.sums import DAY, FILLED
from orchestra.model.events import AttemptFinished, AttemptStarted, Event, TaskAgain, TaskRejected
from orchestra.model.outcomes import Fault, Final, Outcome, Usage, Wait
from orchestra.model.spread import Spread, spread

from .streams import attempt, builds, emptied, finished, landed, null_build, real_build, record, started

GOOD = ("success", "no-change")


# --- the naive oracle ------------------------------------------------------------------------------------------


def milli(seconds: float | None) -> int:
    return int(min(max(seconds or 0.0, 0.0), 1e9) * 1000 + 0.5)


def micro(usd: float | None) -> int:
    return int(min(max(usd or 0.0, 0.0), 1e6) * 1_000_000 + 0.5)


def ended(history: History, wanted: Wanted = EVERYTHING) -> list[dict[str, Any]]:
    """The attempts that count, one by one."""
    return [
        row
        for row in rows(history.connection, "SELECT * FROM attempts ORDER BY id")
        if row["outcome"] is not None
        and row["rebuilt"] is None
        and (wanted.since is None or row["started"] >= wanted.since)
        and all(getattr(wanted, name) in (None, row[name]) for name in ("task", "agent", "outcome"))
    ]


def tokens_of(row: dict[str, Any]) -> int:
    names = ("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens")
    return int(min(max(sum(row[name] or 0 for name in names), 0), 10**12))


def tally_of(found: Iterable[dict[str, Any]]) -> Tally:
    told = list(found)
    priced = [row for row in told if row["usd"] is not None]
    return Tally(
        attempts=len(told),
        good=sum(row["outcome"] in GOOD for row in told),
        interrupted=sum(row["outcome"] == "interrupted" for row in told),
        seconds=sum(milli(row["seconds"]) for row in told) / 1000,
        usd=sum(micro(row["usd"]) for row in priced) / 1e6 if priced else None,
        tokens=sum(map(tokens_of, told)),
    )


def builds_of(history: History, wanted: Wanted) -> Builds:
    told = [
        row
        for row in rows(history.connection, "SELECT * FROM builds")
        if row["finished"] is not None
        and row["rebuilt"] is None
        and (wanted.since is None or row["started"] >= wanted.since)
    ]
    busy = [row for row in told if row["ran"]]
    return Builds(
        builds=len(told),
        ok=sum(bool(row["ok"]) for row in told),
        busy=len(busy),
        wall_s=sum(milli(row["wall_s"]) for row in busy) / 1000,
        sequential_s=sum(milli(row["sequential_s"]) for row in busy) / 1000,
        slot_s=sum(milli(row["wall_s"]) * max(1, min(row["jobs"], row["ran"], 10_000)) for row in busy)
        / 1000,
    )


def agree(history: History, wanted: Wanted) -> Stats:
    """The statistics, which agree with the oracle."""
    stats, found = read_stats(history, wanted), ended(history, wanted)
    assert stats.tally == tally_of(found)
    for loss in stats.losses:
        lost = [row for row in found if row["lost"] == loss.cause]
        assert loss == Loss(loss.cause, len(lost), tally_of(lost).seconds, tally_of(lost).usd)
    assert stats.claims_s == sum(milli(row["claims_s"]) for row in found) / 1000
    told = [
        row
        for row in found
        if row["estimate_s"] is not None and row["seconds"] is not None and row["outcome"] in GOOD
    ]
    assert stats.estimates.attempts == len(told)
    assert stats.estimates.estimated_s == sum(milli(row["estimate_s"]) for row in told) / 1000
    assert stats.estimates.real_s == sum(milli(row["seconds"]) for row in told) / 1000
    assert stats.estimates.within_p50 == sum(row["seconds"] <= row["estimate_s"] for row in told)
    assert stats.estimates.within_p90 == sum(row["seconds"] <= row["estimate_high_s"] for row in told)
    for groups, name in ((stats.agents, "agent"), ((*stats.slowest, *stats.failing), "task")):
        for group in groups:
            assert group.tally == tally_of(row for row in found if row[name] == group.name)
    assert {group.name for group in stats.agents} == {row["agent"] for row in found}
    for period in stats.periods:
        until = period.start + period.days * DAY
        assert period.tally == tally_of(row for row in found if period.start <= row["started"] < until)
    assert sum(period.tally.attempts for period in stats.periods) == len(found)
    if wanted.narrow:
        assert stats.builds is None and stats.savings is None
    else:
        assert stats.builds == builds_of(history, wanted)
        assert sum(period.builds.builds for period in stats.periods if period.builds) == stats.builds.builds
    return stats


def sums_are_right(connection: sqlite3.Connection) -> None:
    """What the triggers have kept is what would be filled in anew, row by row."""
    for filled in FILLED:
        table = filled.split()[2]
        query = filled.removeprefix(f"INSERT INTO {table} ")
        assert set(connection.execute(f"SELECT * FROM {table}")) == set(connection.execute(query)), table


@st.composite
def several(draw: st.DrawFn) -> list[list[Event]]:
    """A few builds on different days."""
    told = []
    for number in range(draw(st.integers(1, 3))):
        shift = draw(st.integers(0, 40)) * DAY / 2
        events = draw(builds(f"b{number}"))
        told.append([replace(event, time=event.time + shift) for event in events])
    return told


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    deadline=None,
    max_examples=30,
)
@given(st.data())
def test_the_sums_are_what_the_attempts_add_up_to(tmp_path: Path, data: st.DataObject) -> None:
    path = emptied(tmp_path)
    for events in data.draw(several()):
        record(path, events)
    with open_history(path) as history:
        sums_are_right(history.connection)
        found = ended(history)
        names = {name: sorted({row[name] for row in found}) or ["x"] for name in ("task", "agent", "outcome")}
        some = [st.none() | st.sampled_from(names[name]) for name in ("task", "agent", "outcome")]
        since = data.draw(st.none() | st.floats(0, 22 * DAY))
        agree(history, EVERYTHING)
        agree(history, Wanted(since))
        agree(history, Wanted(since, *(data.draw(one) for one in some)))
        # Whoever drops a build drops it from the sums.
        history.connection.execute("DELETE FROM builds WHERE build = 'b0'")
        sums_are_right(history.connection)
        history.connection.execute("UPDATE attempts SET task = 'other', seconds = 7 WHERE id % 2 = 0")
        history.connection.execute("UPDATE builds SET wall_s = 3")
        sums_are_right(history.connection)
        history.connection.execute("DELETE FROM builds")
        for table in ("attempt_sums", "attempt_totals", "attempt_days", "build_sums"):
            assert history.connection.execute(f"SELECT count(*) FROM {table}").fetchone() == (0,)
        assert read_stats(history, EVERYTHING).rate is None


# --- what is recorded for them ---------------------------------------------------------------------------------


def again(number: int, paths: tuple[str, ...] = ()) -> TaskAgain:
    return TaskAgain(1000.0 + number * 4, "b1", "alpha", f"b1-alpha-{number}", "once more", paths)


def test_what_was_lost_has_its_cause(path: Path, history: History) -> None:
    *before, end = attempt(number=3)
    assert isinstance(end, AttemptFinished)
    failed = replace(end, outcome=Outcome.FAILED, fault=Fault.ENVIRONMENT)
    record(
        path,
        (
            started(),
            *(*attempt(), again(1, ("src/a.py",))),
            *(*attempt(number=2), again(2)),
            *(*before, failed, again(3)),
            *attempt(number=4),
            TaskRejected(1016.0, "b1", "alpha", "b1-alpha-4", "outside its claims", None, ("x",)),
            finished(ran=4, alpha=Final.REJECTED),
        ),
    )
    stats = agree(history, EVERYTHING)
    assert stats.losses == tuple(
        Loss(cause, 1, 2.0, 0.25) for cause in ("conflict", "verification", "retry", "rejected")
    )
    assert (stats.tally.good, stats.tally.attempts) == (3, 4)


@pytest.mark.parametrize(
    ("cause", "counts"),
    [("write-read", True), ("write-write", True), ("alone", True), ("needs", False), ("slot", False)],
)
def test_waiting_on_claims_is_told_apart(path: Path, history: History, cause: str, counts: bool) -> None:
    decided, begun, *rest = attempt()
    assert isinstance(begun, AttemptStarted)
    begun = replace(begun, waits=(Wait(cause, 2.5, "beta"), Wait("slot", 1.0)))
    record(path, (started(), decided, begun, *rest, landed(), finished(alpha=Final.LANDED)))
    assert agree(history, EVERYTHING).claims_s == (2.5 if counts else 0.0)


def took(build: str, seconds: float, outcome: Outcome = Outcome.SUCCESS) -> tuple[Event, ...]:
    *before, end = attempt(build=build)
    assert isinstance(end, AttemptFinished)
    ended = replace(end, seconds=seconds, outcome=outcome)
    return (started(build), *before, ended, landed(build=build), finished(build, alpha=Final.LANDED))


def test_an_estimate_is_made_of_what_went_well_before(path: Path, history: History) -> None:
    times = (1.0, 3.0, 8.0, 4.0)
    for place, seconds in enumerate(times):
        record(path, took(f"b{place}", seconds))
    record(path, took("bad", 99.0, Outcome.FAILED))
    record(path, took("last", 5.0))
    found = read_task(history, "alpha", limit=None).attempts[::-1]
    assert (found[0].estimate_s, found[0].estimate_high_s) == (None, None)
    for place, one in enumerate(found[1:4], start=1):
        assert Spread(one.estimate_s or 0.0, one.estimate_high_s or 0.0) == spread(times[:place])
    assert (found[-1].estimate_s, found[-1].estimate_high_s) == (3.0, 8.0)
    estimates = agree(history, EVERYTHING).estimates
    assert (estimates.attempts, estimates.real_s) == (4, 3.0 + 8.0 + 4.0 + 5.0)


def test_what_is_fresh_saves_what_it_took_when_it_last_ran(path: Path, history: History) -> None:
    record(path, took("b1", 4.0))
    record(path, took("b2", 6.0))
    record(path, took("b3", 50.0, Outcome.FAILED))
    record(path, null_build("b4", ("alpha", "beta")))
    record(path, (started("b5"), replace(finished("b5", ran=0, alpha=Final.REPLAYED), replayed=1)))
    fresh, replayed = agree(history, EVERYTHING).savings or ()
    assert (fresh.how, fresh.times, fresh.seconds, fresh.usd) == ("fresh", 2, 6.0, 0.25)
    assert (replayed.how, replayed.times, replayed.seconds, replayed.usd) == ("replayed", 1, 6.0, 0.25)


def test_speedup_and_efficiency_are_of_builds_that_ran_something(path: Path, history: History) -> None:
    record(path, real_build())
    for number in range(3):
        record(path, null_build(f"null-{number}", ("alpha",)))
    whole = agree(history, EVERYTHING).builds
    assert whole is not None
    assert (whole.builds, whole.busy, whole.speedup, whole.efficiency) == (4, 1, 2.5, 2.5)
    # Where more could run side by side, there was more time to use.
    record(path, (started("wide"), finished("wide", ran=3, alpha=Final.LANDED)))
    whole = agree(history, EVERYTHING).builds
    assert whole is not None and (whole.speedup, whole.efficiency) == (10 / 4, 10 / (2 + 3 * 2))


def test_nothing_recorded_is_no_figure(history: History) -> None:
    stats = agree(history, EVERYTHING)
    assert (stats.rate, stats.periods, stats.slowest, stats.agents) == (None, (), (), ())
    assert stats.builds is not None and stats.builds.speedup is stats.builds.efficiency is None


@given(st.lists(st.integers(0, 3000), min_size=1, max_size=5))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=10)
def test_periods_cover_all_days_and_are_few(tmp_path: Path, days: list[int]) -> None:
    path = emptied(tmp_path)
    for number, day in enumerate(days):
        record(path, real_build(f"b{number}", time=1000.0 + day * DAY))
    with open_history(path) as history:
        periods = agree(history, EVERYTHING).periods
    assert 1 <= len(periods) <= 12
    assert {period.days for period in periods} == {periods[0].days}
    assert all(
        math.isclose(later.start - one.start, one.days * DAY) for one, later in itertools.pairwise(periods)
    )
    assert periods[0].start <= min(days) * DAY
    assert periods[-1].start + periods[-1].days * DAY == (max(days) + 1) * DAY


def test_of_a_day_that_is_wanted_in_part_that_part_counts(path: Path, history: History) -> None:
    for number, hour in enumerate((1, 10, 20, 24, 30)):
        record(path, real_build(f"b{number}", time=hour * 3600.0))
    for since, left in ((0, 5), (5, 4), (12, 3), (24, 2), (25, 1), (40, 0)):
        found = agree(history, Wanted(since * 3600.0))
        assert found.builds is not None and (found.tally.attempts, found.builds.builds) == (left, left)
        assert agree(history, Wanted(since * 3600.0, task="alpha")).tally.attempts == left


def test_what_an_agent_boasts_of_does_not_overflow_the_sums(path: Path, history: History) -> None:
    for number in range(12):
        *before, end = attempt(build=f"b{number}")
        assert isinstance(end, AttemptFinished)
        absurd = replace(end, seconds=1e300, usage=Usage(2**62, 2**62, usd=1e300))
        record(path, (started(f"b{number}"), *before, absurd))
    tally = agree(history, EVERYTHING).tally
    assert (tally.seconds, tally.usd, tally.tokens) == (12e9, 12e6, 12 * 10**12)


def test_the_slowest_are_those_whose_attempts_take_longest(path: Path, history: History) -> None:
    for task, times in {"often": (4.0,) * 5, "long": (9.0,), "short": (1.0, 3.0)}.items():
        for number, seconds in enumerate(times):
            *before, end = attempt(task, f"{task}{number}")
            assert isinstance(end, AttemptFinished)
            record(path, (started(f"{task}{number}", (task,)), *before, replace(end, seconds=seconds)))
    *before, end = attempt("short", "short9")
    assert isinstance(end, AttemptFinished)
    failed = replace(end, seconds=2.0, outcome=Outcome.FAILED)
    record(path, (started("short9", ("short",)), *before, failed))
    found = agree(history, EVERYTHING).slowest
    assert [group.name for group in found] == ["long", "often", "short"]
    # How long it takes is a matter of those that went well.
    assert (found[-1].p50_s, found[-1].p90_s) == (1.0, 3.0)


def test_the_most_failing_are_those_that_surely_fail(path: Path, history: History) -> None:
    outcomes = {"once": [False], "often": [False] * 9 + [True], "never": [True] * 5}
    for task, ended in outcomes.items():
        for number, good in enumerate(ended):
            *before, end = attempt(task, f"{task}{number}")
            assert isinstance(end, AttemptFinished)
            outcome = Outcome.SUCCESS if good else Outcome.FAILED
            record(path, (started(f"{task}{number}", (task,)), *before, replace(end, outcome=outcome)))
    assert [group.name for group in agree(history, EVERYTHING).failing] == ["often", "once"]


def test_what_was_interrupted_says_nothing_of_success(path: Path, history: History) -> None:
    ends = {
        "mixed": ["success", "interrupted", "failed"],
        "cut": ["interrupted"],
        "good": ["success", "interrupted"],
    }
    for task, outcomes in ends.items():
        for number, outcome in enumerate(outcomes):
            *before, end = attempt(task, f"{task}{number}")
            assert isinstance(end, AttemptFinished)
            ended = replace(end, outcome=Outcome(outcome))
            record(path, (started(f"{task}{number}", (task,)), *before, ended))
    stats = agree(history, EVERYTHING)
    assert (stats.tally.attempts, stats.tally.interrupted, stats.tally.judged) == (6, 3, 3)
    assert stats.rate == wilson(2, 3)
    assert {group.name: group.rate for group in stats.slowest} == {
        "mixed": wilson(1, 2),
        "cut": None,
        "good": wilson(1, 1),
    }
    # Who was only ever interrupted did not fail.
    assert [group.name for group in stats.failing] == ["mixed"]
    assert "67 % (21–94 %), 2 of 3 attempts, 3 more interrupted" in render_stats(stats)
    assert "100 % (21–100 %), 1 of 1 attempt, 1 more interrupted" in render_task(
        read_task(history, "good"), now=0.0
    )
    assert read_task(history, "cut").rate is None
    agree(history, Wanted(outcome="interrupted"))
    assert read_stats(history, Wanted(outcome="interrupted")).rate is None
