"""What a story comes to in numbers, against sums that are made the slow way."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from orchestra.model.events import AttemptFinished, AttemptSlot, AttemptStarted, BuildStarted, Event, Notice
from orchestra.model.outcomes import Outcome, Wait
from orchestra.reporting.report.charts import clock, levels
from orchestra.reporting.report.numbers import (
    compare,
    critical_path,
    loads,
    mean_running,
    waited,
)
from orchestra.reporting.report.rows import lanes, rows_of
from orchestra.reporting.story import Stretch
from tests.reporting.stories import STORY

from .kit import SOME, builds, told


def attempt(
    task: str, start: float, end: float, *waits: Wait, slot: int = 1, number: int = 1
) -> tuple[Event, ...]:
    """An attempt from its start to its end, in seconds since the build began."""
    name = f"b-{task}-{number}"
    return (
        AttemptStarted(100 + start, "b", task, name, number, "s", "c", "k1:0", (), waits),
        AttemptSlot(100 + start, "b", task, name, slot, "log"),
        AttemptFinished(100 + end, "b", task, name, Outcome.SUCCESS, None, "", end - start),
    )


def build(*attempts: tuple[Event, ...]) -> list[Event]:
    """A build of these attempts."""
    return [
        BuildStarted(100.0, "b", ("a", "b", "c", "d"), "c", None, 2),
        *(e for each in attempts for e in each),
    ]


PARALLEL = build(
    attempt("a", 0, 4),
    attempt("b", 0, 1, slot=2),
    attempt("c", 2, 5, Wait("slot", 1.0), slot=2),
    attempt("d", 5, 9, Wait("needs", 5.0, "a"), Wait("write-write", 1.0, "c")),
)


def test_what_runs_and_waits_at_each_moment() -> None:
    found = [(load.time - 100, load.running, load.queued) for load in loads(told(PARALLEL))]
    assert found == [(0, 2, 0), (1, 1, 1), (2, 2, 0), (4, 1, 0), (5, 1, 0), (9, 0, 0)]
    assert mean_running(told(PARALLEL)) == 12 / 9
    assert mean_running(told(build())) is None
    # What the build did before and after is no part of it.
    assert mean_running(told([*build(attempt("a", 2, 4)), Notice(110.0, "b", "done")])) == 1.0


@SOME
@given(builds())
def test_in_any_story_as_many_run_as_have_begun_and_not_ended(events: list[Event]) -> None:
    story = told(events)
    found = loads(story)
    assert [load.time for load in found] == sorted({load.time for load in found})
    for load in found:
        running = sum(each.start <= load.time < each.end for each in story.attempts)
        assert load.running == running
        queued = sum(max(story.start, each.queued_at) <= load.time < each.start for each in story.attempts)
        assert load.queued == queued
    assert not found or (found[-1].running, found[-1].queued) == (0, 0)


def test_waiting_is_summed_by_cause_the_longest_first() -> None:
    assert list(waited(told(PARALLEL)).items()) == [("needs", 5.0), ("slot", 1.0), ("write-write", 1.0)]
    often = build(
        attempt("a", 4, 5, Wait("slot", 1.0), Wait("API", 1.5)), attempt("b", 1, 5, Wait("slot", 1.0))
    )
    assert list(waited(told(often)).items()) == [("slot", 2.0), ("API", 1.5)]


def test_the_critical_path_goes_back_from_the_end_to_what_let_each_start() -> None:
    assert [each.task for each in critical_path(told(PARALLEL))] == ["b", "c", "d"]
    retried = build(
        attempt("a", 0, 2), attempt("a", 3, 8, Wait("slot", 1.0), number=2), attempt("b", 0, 2.5, slot=2)
    )
    assert [(each.task, each.number) for each in critical_path(told(retried))] == [("a", 1), ("a", 2)]
    # Another ended at the same moment; it is not what this one waited for.
    needing = build(
        attempt("a", 0, 4), attempt("b", 0, 4.005, slot=2), attempt("c", 4, 6, Wait("needs", 4.0, "a"))
    )
    assert [each.task for each in critical_path(told(needing))] == ["a", "c"]
    alone = build(attempt("a", 1, 2, Wait("verify", 1.0)))
    assert [each.task for each in critical_path(told(alone))] == ["a"]
    assert critical_path(told(build())) == ()


def test_what_ended_before_a_wait_for_a_slot_began_did_not_let_it_end() -> None:
    """`b` needs `a`, whose landing took a while; then it took a moment to start, in a slot that `c` had left before."""
    late = attempt("b", 4.3, 6, Wait("needs", 4.0, "a"), Wait("slot", 0.3), slot=2)
    story = told(build(attempt("a", 0, 2), attempt("c", 0, 3, slot=2), late))
    assert [each.task for each in critical_path(story)] == ["a", "b"]
    full = attempt("b", 4.3, 6, Wait("needs", 3.0, "a"), Wait("slot", 1.3), slot=2)
    story = told(build(attempt("a", 0, 2), attempt("c", 0, 4.2, slot=2), full))
    assert [each.task for each in critical_path(story)] == ["c", "b"]


@SOME
@given(builds())
def test_a_critical_path_ends_with_the_last_and_holds_none_twice(events: list[Event]) -> None:
    story = told(events)
    path = critical_path(story)
    assert len({each.attempt for each in path}) == len(path)
    assert bool(path) == bool(story.attempts)
    if path:
        assert path[-1].end == max(each.end for each in story.attempts)


@given(st.lists(st.tuples(st.integers(0, 20), st.integers(0, 5))))
def test_lanes_hold_everything_and_nothing_in_them_overlaps(found: list[tuple[int, int]]) -> None:
    things = [Stretch(str(number), start, start + length) for number, (start, length) in enumerate(found)]
    placed = lanes(things)
    assert sorted(each.name for lane in placed for each in lane) == sorted(each.name for each in things)
    assert all(one.end <= other.start for lane in placed for one, other in pairwise(lane))
    # No more lanes than there ever is at once; what takes no time may stand between two.
    long = [each for each in things if each.seconds]
    most = max((sum(other.start <= each.start < other.end for other in long) for each in long), default=0)
    assert len(placed) <= most + 1 if len(long) < len(things) else len(placed) == most


def test_slots_are_rows_by_number_and_verifications_the_last() -> None:
    assert [row.name for row in rows_of(told())] == [
        "slot 1",
        "slot 2",
        "no slot",
        "no slot (2)",
        "no slot (3)",
        "verify",
    ]
    # One that was remembered took no time: it is no part of the chart.
    (verified,) = rows_of(told())[-1].verifications
    assert verified.task == "breaker" and verified.end - verified.start == 1.0


def test_two_builds_beside_each_other() -> None:
    before = told(build(attempt("a", 0, 4), attempt("b", 0, 1, slot=2)))
    now = told(build(attempt("a", 0, 2), attempt("b", 0, 3, slot=2), attempt("c", 2, 6)))
    found = compare(now, before)
    figures = {figure.name: (figure.now, figure.before) for figure in found.figures}
    assert figures["wall clock"] == (6.0, 4.0) and figures["attempts"] == (3.0, 2.0)
    assert figures["sum of attempts"] == (9.0, 5.0) and figures["USD"] == (None, None)
    assert found.slower == (("b", 3.0, 1.0), ("a", 2.0, 4.0))
    turned = compare(told(), told(STORY[:40])).turned
    assert ("hang", "failed", None) in {(task.task, task.now, task.before) for task in turned}
    assert "alpha" not in {task.task for task in turned}
    smaller = replace(before, tasks=tuple(task for task in before.tasks if task.name != "b"))
    assert [(task.task, task.before) for task in compare(now, smaller).turned] == [("b", None)]


@given(st.floats(0, 1e12).map(lambda value: value if value >= 1e-9 else 0.0))
def test_an_axis_reaches_as_far_as_it_must_with_few_lines(most: float) -> None:
    found = levels(most)
    assert found[0] == 0 and 2 <= len(found) <= 6
    assert found[-1] >= most * (1 - 1e-9)


def test_moments_on_an_axis_read_as_time() -> None:
    seconds = (0, 0.5, 45, 60, 150, 3600, 3725, 86400 * 3)
    words = ["0 s", "0.5 s", "45 s", "1:00", "2:30", "1:00:00", "1:02:05", "3 d"]
    assert [clock(value) for value in seconds] == words
