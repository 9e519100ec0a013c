"""Twin worlds: what is the same in both but for the one thing that must not matter."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from orchestra.model.ports import AttemptOrder
from orchestra.model.trees import Tree
from orchestra.planning.simulate import Script
from tests.engine.doings import act
from tests.engine.world import World
from tests.model.kit import numbered

from .person import Person


def hurry(person: Person, seconds: Mapping[str, float], priorities: Mapping[str, int]) -> None:
    """Let tasks take other times, by what marks their work, and have other priorities."""
    world, doing = person.world, person.doing
    act(world, doing)
    behave = world.behave
    assert behave is not None

    def timed(order: AttemptOrder, tree: Tree) -> Script:
        return replace(behave(order, tree), seconds=seconds.get(doing[order.task.name].mark, 1.0))

    world.behave = timed
    tasks = (
        replace(each, priority=priorities.get(doing[each.name].mark, each.priority))
        for each in world.manifest.tasks
    )
    world.manifest = replace(world.manifest, tasks=numbered(*tasks))


def difference(one: World, other: World) -> dict[str, tuple[str | None, str | None]]:
    """The paths in which the branches of two worlds differ, lock entries included."""
    left, right = one.all_files(), other.all_files()
    return {
        path: (left.get(path), right.get(path))
        for path in sorted({*left, *right})
        if left.get(path) != right.get(path)
    }
