"""`integrate.on_conflict`: whether a second conflict goes to the agent with both sides, or is tried once more alone."""

from __future__ import annotations

from dataclasses import replace

import pytest

from orchestra.model.events import TaskAgain
from orchestra.model.outcomes import Outcome
from orchestra.model.ports import AttemptOrder
from orchestra.planning.simulate import Script
from tests.engine.test_endings import unknown
from tests.engine.world import World, script


def slow_among_quick(on_conflict: str, *, told: bool = True) -> tuple[World, list[AttemptOrder]]:
    """A world in which others keep landing what `slow` changes too, until it is alone."""
    world = World.of(unknown("slow"), *(unknown(f"quick{n}") for n in range(5)))
    integrate = replace(world.manifest.integrate, on_conflict=on_conflict)  # type: ignore[arg-type]
    world.manifest = replace(world.manifest, integrate=integrate)
    orders: list[AttemptOrder] = []

    def behave(order: AttemptOrder, tree: object) -> Script:
        if order.task.name == "slow":
            orders.append(order)
        return script({"x": order.attempt}, 1.5 if order.task.name == "slow" else 1.0, told=told)

    world.behave = behave
    return world, orders


def test_a_second_conflict_goes_to_the_agent_alone_with_both_sides() -> None:
    world, orders = slow_among_quick("agent")
    built = world.build(jobs=2)
    assert built.finals["slow"] == "landed" and len(orders) == 3
    first, second, third = orders
    assert first.unmerged is None and second.unmerged is None and third.unmerged is not None
    assert "both changed x" in second.told and third.told == ""
    # What could not be merged is the result of the second attempt, as it is kept.
    assert (third.unmerged.base, third.unmerged.paths) == (second.base, ("x",))
    assert world.git.refs[f"refs/orchestra/rejected/{second.attempt}"] == third.unmerged.result
    assert world.files(third.unmerged.result)["x"] == second.attempt
    assert [event.alone for event in built.of(TaskAgain) if event.task == "slow"] == [False, True]
    # It was for that conflict: whatever makes the task run again later starts afresh.
    assert world.last_engine is not None
    assert all(card.unmerged is None for card in world.last_engine._board)


@pytest.mark.parametrize(("on_conflict", "told"), [("retry", True), ("agent", False)])
def test_else_it_is_tried_once_more_alone(on_conflict: str, told: bool) -> None:
    world, orders = slow_among_quick(on_conflict, told=told)
    assert world.build(jobs=2).finals["slow"] == "landed"
    assert [order.unmerged for order in orders] == [None, None, None]
    assert "both changed x" in orders[2].told


def test_an_attempt_that_is_repeated_has_both_sides_again() -> None:
    world, orders = slow_among_quick("agent")
    behave = world.behave
    assert behave is not None

    def busy(order: AttemptOrder, tree: object) -> Script:
        done = behave(order, tree)  # type: ignore[arg-type]
        fails = order.task.name == "slow" and len(orders) == 3
        return Script(outcome=Outcome.FAILED, transient=True, told=True) if fails else done

    world.behave = busy
    assert world.build(jobs=2).finals["slow"] == "landed"
    assert len(orders) == 4 and orders[3].unmerged == orders[2].unmerged is not None
