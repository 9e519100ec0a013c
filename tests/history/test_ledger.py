"""What the past cost: asked of the history, added up by the day, and taken as nothing where it cannot be read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestra.history.ledger import NEWEST, HistoryLedger
from orchestra.model.events import AttemptFinished, AttemptStarted, Event
from orchestra.model.outcomes import Final, Outcome, Usage

from .streams import attempt, emptied, finished, record, started

DAY = 86_400.0


class Told:
    """What was told to the person."""

    def __init__(self) -> None:
        self.messages: list[str] = []

    def __call__(self, message: str, hint: str | None) -> None:
        self.messages.append(message)


@contextmanager
def asked(path: Path, *, telling: int = 0, build: str = "now") -> Iterator[HistoryLedger]:
    """A ledger in UTC that tells so many things."""
    told = Told()
    yield HistoryLedger(path, build, told, UTC)
    assert len(told.messages) == telling, told.messages


def costing(
    task: str,
    usage: Usage,
    *,
    build: str,
    time: float,
    agent: str = "claude",
    outcome: Outcome = Outcome.SUCCESS,
    peak: int = 0,
) -> tuple[Event, ...]:
    """An attempt that ended two seconds after `time` and used so much."""
    events: list[Event] = []
    for event in attempt(task, build, time=time):
        if isinstance(event, AttemptStarted):
            event = replace(event, agent=agent)
        elif isinstance(event, AttemptFinished):
            event = replace(event, usage=usage, outcome=outcome, peak_bytes=peak)
        events.append(event)
    return tuple(events)


def one_build(
    path: Path, name: str, *attempts: tuple[Event, ...], at: float = 1000.0, unpriced: int = 0
) -> None:
    events = (event for each in attempts for event in each)
    end = replace(finished(name, time=at + 9, a=Final.LANDED), unpriced=unpriced)
    record(path, (started(name, ("a",), time=at), *events, end))


def usd(amount: float | None) -> Usage:
    return Usage(input_tokens=10, usd=amount)


def test_the_past_of_a_task_and_of_an_agent_newest_first(path: Path) -> None:
    one_build(
        path,
        "b1",
        costing("a", usd(1.0), build="b1", time=1.0),
        costing("b", usd(2.0), build="b1", time=2.0),
        costing("c", usd(3.0), build="b1", time=3.0, agent="codex"),
        costing("d", Usage(), build="b1", time=4.0, outcome=Outcome.NOT_STARTED),
    )
    one_build(path, "b2", costing("a", usd(None), build="b2", time=5.0))
    with asked(path) as ledger:
        assert ledger.usages("claude", "a") == (usd(None), usd(1.0))
        assert ledger.usages("claude") == (usd(None), usd(2.0), usd(1.0))
        assert ledger.usages("codex", "a") == () and ledger.usages("codex") == (usd(3.0),)
    # Its own attempts a build counts itself.
    with asked(path, build="b2") as ledger:
        assert ledger.usages("claude", "a") == (usd(1.0),)


def test_the_past_goes_back_only_so_far(path: Path) -> None:
    one_build(
        path,
        "b1",
        *(costing(f"t{n}", usd(float(n)), build="b1", time=float(n)) for n in range(NEWEST + 5)),
    )
    with asked(path) as ledger:
        assert [usage.usd for usage in ledger.usages("claude")] == [
            float(n) for n in range(NEWEST + 4, 4, -1)
        ]


def test_the_memory_of_a_task_is_the_most_of_its_newest_attempts(path: Path) -> None:
    peaks = [900, 100, 0, 300, 200, 100, 100]
    for number, peak in enumerate(peaks):
        name = f"b{number}"
        one_build(path, name, costing("a", Usage(), build=name, time=float(number), peak=peak))
    with asked(path) as ledger:
        assert ledger.peak_bytes("a") == 300 and ledger.peak_bytes("b") == 0


def test_a_day_is_the_sum_of_what_ended_on_it(path: Path) -> None:
    began = 10 * DAY
    one_build(path, "b1", costing("a", usd(1.0), build="b1", time=began - 2.1), at=began - 100)
    one_build(path, "b2", costing("a", usd(2.0), build="b2", time=began - 2.0), at=began - 50, unpriced=3)
    one_build(path, "b3", costing("a", usd(4.0), build="b3", time=began + 100), at=began + 90, unpriced=2)
    one_build(path, "b4", costing("a", usd(8.0), build="b4", time=began + DAY), at=began + DAY)
    with asked(path) as ledger:
        day = ledger.day(began + 1000)
        assert (day.until, day.usd, day.unknown) == (began + DAY, 6.0, 2)
        assert ledger.day(began + DAY - 0.001) == day
        assert ledger.day(began + DAY).usd == 8.0
    with asked(path, build="b3") as ledger:
        assert ledger.day(began + 1000).usd == 2.0


@pytest.mark.parametrize("zone", [UTC, timezone(timedelta(hours=-7)), ZoneInfo("Europe/Berlin")])
@given(now=st.floats(0, 2e9))
@settings(max_examples=50, deadline=None)
def test_a_day_ends_at_the_next_midnight_of_its_zone(zone: ZoneInfo, now: float) -> None:
    ledger = HistoryLedger(Path("/nonexistent/history.db"), "now", Told(), zone)
    until = ledger.day(now).until
    midnight = datetime.fromtimestamp(until, zone)
    assert (midnight.hour, midnight.minute, midnight.second) == (0, 0, 0)
    assert 0 < until - now <= 25 * 3600
    assert datetime.fromtimestamp(until - 0.01, zone).date() == datetime.fromtimestamp(now, zone).date()


@given(costs=st.lists(st.tuples(st.none() | st.floats(0, 100), st.floats(-DAY, 2 * DAY)), max_size=8))
@settings(max_examples=40, deadline=None)
def test_days_add_up_like_on_paper(
    tmp_path_factory: pytest.TempPathFactory, costs: list[tuple[float | None, float]]
) -> None:
    path = emptied(tmp_path_factory.getbasetemp())
    began = 20 * DAY
    expected = 0.0
    for number, (cost, at) in enumerate(costs):
        one_build(path, f"b{number}", costing("a", usd(cost), build=f"b{number}", time=began + at))
        if cost is not None and 0 <= at + 2 < DAY:
            expected += cost
    with asked(path) as ledger:
        assert ledger.day(began + 1).usd == pytest.approx(expected)


def test_nothing_is_known_where_there_is_no_history(path: Path) -> None:
    with asked(path) as ledger:
        assert ledger.usages("claude") == () and ledger.peak_bytes("a") == 0
        assert ledger.day(5.0).usd == 0.0
    assert not path.exists()


def test_what_cannot_be_read_counts_as_nothing_and_is_told_once(path: Path) -> None:
    path.write_bytes(b"no database at all, and long enough to be looked at" * 100)
    told = Told()
    ledger = HistoryLedger(path, "now", told, UTC)
    assert ledger.day(5.0).usd == 0.0 and ledger.usages("claude") == ()
    (message,) = told.messages
    assert message.startswith("what earlier builds cost is taken as nothing: the history cannot be read")


def test_a_history_that_is_gone_is_told(path: Path) -> None:
    (path.parent / "builds" / "b1").mkdir(parents=True)
    record(path, (started("now"),))
    with asked(path, telling=1) as ledger:
        assert ledger.day(5.0).usd == 0.0
    one_build(path, "b1", costing("a", usd(1.0), build="b1", time=1.0))
    with asked(path) as ledger:
        assert ledger.day(5.0).usd == 1.0


def test_a_first_build_has_lost_nothing(path: Path) -> None:
    (path.parent / "builds" / "now").mkdir(parents=True)
    record(path, (started("now"),))
    with asked(path) as ledger:
        assert ledger.day(5.0).usd == 0.0
