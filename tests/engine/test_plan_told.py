"""What a build tells of its tasks: once, where something may run, and before anything does."""

from __future__ import annotations

from orchestra.model.events import AttemptStarted, BuildPlanned
from orchestra.model.graph import EdgeKind
from orchestra.model.planned import Before
from tests.model.kit import task

from .world import World


def test_the_plan_is_told_once_before_the_first_attempt_and_never_by_a_null_build() -> None:
    world = World.of(task("a", write=("a",)), task("b", write=("b",), needs=("a",)))
    built = world.build()
    kinds = [type(event) for event in built.events]
    (plan,) = built.of(BuildPlanned)
    assert kinds.index(BuildPlanned) < kinds.index(AttemptStarted)
    assert [(item.task, item.before) for item in plan.tasks] == [
        ("a", ()),
        ("b", (Before("a", EdgeKind.NEED),)),
    ]
    assert world.build().of(BuildPlanned) == []
