"""Attempts that fail for a reason that may pass are repeated after a while, and hold nobody up meanwhile."""

from __future__ import annotations

from dataclasses import replace

import pytest

from orchestra.execution.policy import LONGEST_DELAY, retry_delay
from orchestra.model.events import AttemptStarted, TaskAgain, TaskFailed
from orchestra.model.outcomes import Outcome
from orchestra.planning.simulate import Script
from tests.model.kit import task

from .world import Built, World, fails, script


def flaky(
    world: World,
    name: str,
    failures: int,
    retry_after: float | None = None,
    outcome: Outcome = Outcome.FAILED,
) -> None:
    """Let a task fail so often for a reason that may pass, and then succeed."""
    left = [failures]

    def does(files: dict[str, str]) -> Script:
        left[0] -= 1
        if left[0] >= 0:
            return Script(1.0, outcome=outcome, detail="overloaded", transient=True, retry_after=retry_after)
        return script({name: "done"})

    world.does[name] = does


def starts(built: Built, name: str) -> list[float]:
    return [event.time for event in built.of(AttemptStarted) if event.task == name]


def test_it_is_repeated_after_two_and_four_seconds_and_a_little_more_each() -> None:
    world = World.of(task("a", write=("a",)))
    flaky(world, "a", 2)
    built = world.build()
    assert built.finals == {"a": "landed"} and built.finished.ran == 3
    first, second, third = starts(built, "a")
    assert 2.0 <= second - first - 1.0 <= 2.5 and 4.0 <= third - second - 1.0 <= 5.0
    again = built.of(TaskAgain)
    assert [(event.why, event.task) for event in again] == [("overloaded", "a")] * 2
    assert [event.delay_s for event in again] == [second - first - 1.0, third - second - 1.0]
    # What it waited for is told, and is no wait for a slot.
    waits = [event.waits for event in built.of(AttemptStarted)]
    assert [[wait.cause for wait in each] for each in waits] == [[], ["retry"], ["retry"]]
    world.build_nothing()


@pytest.mark.parametrize(("retries", "ran", "final"), [(0, 1, "failed"), (2, 3, "failed"), (3, 4, "landed")])
def test_not_more_often_than_the_task_says(retries: int, ran: int, final: str) -> None:
    world = World.of(replace(task("a", write=("a",)), retries=retries))
    flaky(world, "a", 3)
    built = world.build()
    assert built.finals == {"a": final} and built.finished.ran == ran
    assert len(built.of(TaskFailed)) == (final == "failed")


ENDINGS = pytest.mark.parametrize("outcome", [outcome for outcome in Outcome if not outcome.good])


@ENDINGS
def test_a_failure_for_good_is_not_repeated(outcome: Outcome) -> None:
    world = World.of(task("a", write=("a",)))
    world.does["a"] = lambda files: Script(1.0, outcome=outcome, detail="no")
    assert world.build().finished.ran == 1


@ENDINGS
def test_one_that_may_pass_is_whatever_it_was(outcome: Outcome) -> None:
    world = World.of(task("a", write=("a",)))
    flaky(world, "a", 1, outcome=outcome)
    built = world.build()
    if outcome is Outcome.INTERRUPTED:
        assert built.finals == {"a": "interrupted"} and built.finished.ran == 1
    else:
        assert built.finals == {"a": "landed"} and built.finished.ran == 2


def test_who_waits_holds_no_slot() -> None:
    world = World.of(*(task(name, write=(name,)) for name in "abc"))
    flaky(world, "a", 1)
    built = world.build(jobs=1)
    assert [event.task for event in built.of(AttemptStarted)] == ["a", "b", "c", "a"]
    # b and c took the two seconds that a waited, and nobody waited for nothing.
    assert built.finished.wall_s < 5.0
    assert set(built.finals.values()) == {"landed"}


def test_who_waits_keeps_its_lease() -> None:
    world = World.of(task("a", write=("x",)), task("b", write=("x",)))
    flaky(world, "a", 1)
    built = world.build(jobs=2)
    assert [event.task for event in built.of(AttemptStarted)] == ["a", "a", "b"]


def test_what_the_other_side_asks_for_is_the_least() -> None:
    world = World.of(task("a", write=("a",)))
    flaky(world, "a", 1, retry_after=60.0)
    first, second = starts(world.build(), "a")
    assert second - first == 61.0


def test_an_interrupt_ends_the_wait_at_once() -> None:
    world = World.of(task("a", write=("a",)))
    flaky(world, "a", 1, retry_after=60.0)
    built = world.build(interrupts=[5.0])
    assert built.finals == {"a": "interrupted"} and built.finished.wall_s == 5.0


def test_after_fail_fast_nothing_is_repeated() -> None:
    world = World.of(task("a", write=("a",)), task("b", write=("b",)))
    world.does["a"] = lambda files: fails()
    flaky(world, "b", 1)
    built = world.build(jobs=2, fail_fast=True)
    assert built.finals == {"a": "failed", "b": "failed"}


def test_conflicts_and_retries_are_counted_apart() -> None:
    world = World.of(replace(task("a"), retries=1), task("b"), files={"f": "0"})
    tries = [0]

    def does(files: dict[str, str]) -> Script:
        tries[0] += 1
        if tries[0] == 2:
            return Script(1.0, outcome=Outcome.FAILED, detail="overloaded", transient=True)
        return script({"f": f"a after {files['f']}"}, 3.0)

    world.does["a"] = does
    world.does["b"] = lambda files: script({"f": "b"}, 1.0)
    built = world.build(jobs=2)
    assert built.finals == {"a": "landed", "b": "landed"} and world.files()["f"] == "a after b"


def test_delays_grow_to_a_bound_and_differ_between_attempts() -> None:
    delays = [retry_delay(number, "x") for number in range(1, 12)]
    assert delays == sorted(delays) and 2.0 <= delays[0] <= 2.5
    assert LONGEST_DELAY <= retry_delay(50, "x") <= LONGEST_DELAY * 1.25
    assert len({retry_delay(1, f"build-{number}") for number in range(100)}) == 100
    assert retry_delay(1, "x", 99.0) == 99.0 and retry_delay(1, "x", 0.5) == delays[0]
