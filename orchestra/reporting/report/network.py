"""The graph of tasks: each right of what it waits for, with what became of it. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from orchestra.model.text import count
from orchestra.reporting.report.charts import WIDTH, figure
from orchestra.reporting.report.markup import Markup, element
from orchestra.reporting.story import Story, TaskStory
from orchestra.reporting.words import one_line

NAMED = 60
"""From so many tasks on they are dots that tell their names when pointed at."""

MOST = 400
"""Tasks that are drawn at most: the first of the build's order. The table has all."""

_LETTERS = 22


def network(story: Story) -> Markup:
    """The graph with its words; tasks without an edge are only counted."""
    if not story.planned:
        return element("p", "What the tasks wait for was not told in this build.", class_="quiet")
    joined = {edge.first for task in story.tasks for edge in task.before}
    known = {task.name for task in story.tasks}
    every = [task for task in story.tasks if task.name in joined or task.before]
    alone = len(story.tasks) - len(every)
    if not every:
        return element("p", "No task waits for another.", class_="quiet")
    drawn = every[:MOST]
    edges = sum(edge.first in known for task in every for edge in task.before)
    layers = layers_of(drawn)
    words = f"{count(len(every), 'task')} in {count(len(layers), 'layer')}, {count(edges, 'edge')}."
    if len(drawn) < len(every):
        words += f" The first {len(drawn)} are drawn."
    if alone:
        words += f" {count(alone, 'task')} beside them, which {'waits' if alone == 1 else 'wait'} for none."
    return _drawn(layers, drawn, words)


def layers_of(tasks: Sequence[TaskStory]) -> Sequence[Sequence[TaskStory]]:
    """The tasks by how many stand before them in a row; within a layer near to what they wait for."""
    depth: dict[str, int] = {}
    for task in tasks:
        # In the order of a build whatever goes before a task stands before it, too.
        depth[task.name] = max(
            (depth[edge.first] + 1 for edge in task.before if edge.first in depth), default=0
        )
    layers: list[list[TaskStory]] = [[] for _ in range(max(depth.values(), default=-1) + 1)]
    for task in tasks:
        layers[depth[task.name]].append(task)
    place: dict[str, float] = {}
    for layer in layers:
        rank = {task.name: number for number, task in enumerate(layer)}
        layer.sort(key=lambda task: (_middle(task, place), rank[task.name]))
        place |= {task.name: (number + 0.5) / len(layer) for number, task in enumerate(layer)}
    return layers


def _middle(task: TaskStory, place: Mapping[str, float]) -> float:
    found = [place[edge.first] for edge in task.before if edge.first in place]
    return sum(found) / len(found) if found else 1.0


def _drawn(layers: Sequence[Sequence[TaskStory]], tasks: Sequence[TaskStory], words: str) -> Markup:
    named = len(tasks) <= NAMED
    column, row, box_width, box_height = (210.0, 30.0, 156.0, 22.0) if named else (46.0, 12.0, 9.0, 9.0)
    tallest = max(map(len, layers))
    height = row * tallest + 16
    width = max(WIDTH, column * len(layers))
    at: dict[str, tuple[float, float]] = {}
    for number, layer in enumerate(layers):
        # Layers stand around one middle line, so that edges stay short.
        top = 8 + (tallest - len(layer)) * row / 2
        for place, task in enumerate(layer):
            at[task.name] = (8 + number * column, top + place * row + row / 2)
    edges = [
        _edge(at[edge.first], at[task.name], box_width, edge.kind)
        for task in tasks
        for edge in task.before
        if edge.first in at
    ]
    boxes = [_box(task, *at[task.name], box_width, box_height, named=named) for task in tasks]
    return figure("graph", "The graph of tasks", words, height, edges, boxes, width=width)


def _edge(first: tuple[float, float], then: tuple[float, float], box: float, kind: str) -> Markup:
    x, y, left, end = first[0] + box, first[1], then[0], then[1]
    bend = (left - x) / 2
    path = f"M{x:.1f} {y:.1f}C{x + bend:.1f} {y:.1f} {left - bend:.1f} {end:.1f} {left:.1f} {end:.1f}"
    name = kind if kind in ("needs", "write-read", "write-write", "shared") else "other"
    return element("path", d=path, class_=f"edge {name}")


def _box(task: TaskStory, x: float, y: float, width: float, height: float, *, named: bool) -> Markup:
    final = task.final or "not told"
    waits = ", ".join(f"{edge.first} ({edge.kind})" for edge in task.before)
    title = f"{task.name}: {final}" + (f"\nafter {waits}" if waits else "")
    parts = [
        element(
            "rect", x=x, y=y - height / 2, width=width, height=height, rx=3, class_=f"node {mood(task.final)}"
        )
    ]
    if named:
        parts.append(element("text", one_line(task.name, _LETTERS), x=x + 6, y=y + 4, class_="label"))
    return element("g", element("title", title), *parts)


def mood(final: str | None) -> str:
    """How a final outcome is coloured: well, idle (nothing was to be done), stopped, badly, or open."""
    match final:
        case "landed" | "passed" | "no-change" | "replayed" | "adopted":
            return "well"
        case "fresh" | "reverted":
            return "idle"
        case "failed" | "rejected":
            return "badly"
        case "skipped" | "interrupted":
            return "stopped"
    return "open"
