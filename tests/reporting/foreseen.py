"""Simulated builds to foresee from: the real engine in the tests' world, with the executor that plans use."""

from __future__ import annotations

from orchestra.model.events import Event
from orchestra.model.graph import Graph, build_graph
from orchestra.model.tasks import Task
from orchestra.planning.simulate import pessimist
from orchestra.reporting.outlook import Outlook, foresee
from tests.engine.world import World

MANY = 1000
"""More attempts at once than any test has tasks."""


def simulated(
    *tasks: Task, jobs: int = MANY, built: tuple[str, ...] = (), targets: tuple[str, ...] = ()
) -> tuple[list[Event], Graph]:
    """The events of a build of these tasks in which every attempt takes a second and changes all that it may.

    `built` are tasks that an earlier build built.
    """
    world = World.of(*tasks)
    world.behave = pessimist
    if built:
        world.build(*built)
    return world.build(*targets, jobs=jobs).events, build_graph(world.manifest.tasks)


def outlook_of(
    *tasks: Task,
    jobs: int = MANY,
    built: tuple[str, ...] = (),
    targets: tuple[str, ...] = (),
    quiet: frozenset[str] = frozenset(),
) -> tuple[Outlook, Graph]:
    """What was foreseen from such a build, with its graph; `quiet` are tasks that need not run."""
    events, graph = simulated(*tasks, jobs=jobs, built=built, targets=targets)
    outlook = foresee(events, graph, quiet)
    assert outlook is not None
    return outlook, graph
