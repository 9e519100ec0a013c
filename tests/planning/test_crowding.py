"""Room on the machine: who may start beside whom, and how often it is looked at."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestra.model.means import Reading
from orchestra.model.tasks import Limits
from orchestra.planning.crowding import EVERY, Crowding
from orchestra.planning.simulate import ManualClock, ScriptedMachine

GIB = 2**30
IDLE = Reading(0.1, 0.25, 16 * GIB, 100 * GIB)
LIMITS = Limits(cpu=0.9, memory=0.75, disk=2 * GIB)


def crowding(script: Callable[[float], Reading]) -> tuple[Crowding, ScriptedMachine, ManualClock]:
    clock = ManualClock()
    machine = ScriptedMachine(clock, script)
    return Crowding(LIMITS, machine), machine, clock


@pytest.mark.parametrize(
    ("reading", "words"),
    [
        (IDLE, None),
        (replace(IDLE, cpu=0.95), "processors are 95% busy (`limits.cpu`: 90%)"),
        (replace(IDLE, cpu=0.9), None),
        (replace(IDLE, cpu=None), None),
        (replace(IDLE, memory=0.8), "with one more, memory would be 86% in use (`limits.memory`: 75%)"),
        (replace(IDLE, memory=0.7), "with one more, memory would be 76% in use (`limits.memory`: 75%)"),
        (
            replace(IDLE, disk_free=GIB),
            "1,024 MiB are free where worktrees lie (`limits.disk`: 2,048 MiB)",
        ),
    ],
)
def test_one_more_beside_another(reading: Reading, words: str | None) -> None:
    crowd, _, clock = crowding(lambda now: IDLE if now == 0 else reading)
    assert crowd.lacks(GIB, [], 0.0) is None
    clock.seconds = EVERY
    assert crowd.lacks(GIB, [GIB], EVERY) == words


def test_one_may_always_run() -> None:
    crowd, _, _ = crowding(lambda now: Reading(1.0, 1.0, GIB, 0))
    assert crowd.lacks(64 * GIB, [], 0.0) is None
    assert crowd.lacks(1, [1], 0.0) is not None


@given(st.lists(st.integers(0, 6 * GIB), max_size=6), st.integers(0, 6 * GIB), st.floats(0, 1))
def test_needs_count_though_nothing_of_them_is_in_use_yet(
    running: list[int], need: int, memory: float
) -> None:
    """They begin together: the machine shows nothing of what they will hold."""
    crowd, _, _ = crowding(lambda now: replace(IDLE, memory=memory))
    crowd.lacks(0, [], 0.0)
    fits = memory * 16 * GIB + sum(running) + need <= 0.75 * 16 * GIB
    assert (crowd.lacks(need, running, 0.0) is None) == (fits or not running)


def test_a_look_holds_good_for_a_while() -> None:
    crowd, machine, clock = crowding(lambda now: IDLE)
    for moment in (0.0, 1.0, 4.9, 5.0, 6.0, 11.0):
        clock.seconds = moment
        crowd.lacks(1, [1], moment)
    assert machine.looks == [0.0, 5.0, 11.0]
    assert crowd.looks_again_at == 16.0


def test_without_a_machine_there_is_always_room() -> None:
    assert Crowding(LIMITS, None).lacks(10**15, [10**15], 0.0) is None
