"""The curves over time: what ran and waited, the machine's processors and memory. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from orchestra.model.text import size
from orchestra.reporting.report.charts import BOTTOM, LEFT, RIGHT, TOP, WIDTH, Axis, figure, levels
from orchestra.reporting.report.markup import Markup, element
from orchestra.reporting.report.numbers import loads, mean_running
from orchestra.reporting.story import Story

HEIGHT = 170.0
MOST = 1000
"""Points of a curve: more than one a unit of width nobody could see."""

Point = tuple[float, float]


def parallelism(story: Story) -> Markup:
    """How many attempts ran, and how many waited for their turn."""
    found = loads(story)
    most = max((load.running for load in found), default=0)
    waiting = max((load.queued for load in found), default=0)
    scale = _Scale(story, max(1, most, waiting))
    mean = mean_running(story)
    average = "" if mean is None else f", {mean:.1f} on average"
    ran = f"At most {most} ran at once{average} (the area; up to {story.jobs} may)"
    words = f"{ran}; at most {waiting} waited for their turn (the dashed line)."
    return figure(
        "parallelism",
        "Attempts at once over time",
        words,
        HEIGHT,
        scale.grid(str_of_count),
        scale.area([(load.time, float(load.running)) for load in found], "running"),
        scale.steps([(load.time, float(load.queued)) for load in found], "queued"),
    )


def processors(story: Story) -> Markup | None:
    """The share of all processors that worked; None where nothing is known of it."""
    points = [(sample.time, 100 * sample.cpu) for sample in story.samples if sample.cpu is not None]
    if not points:
        return None
    scale = _Scale(story, 100)
    mean = sum(value for _, value in points) / len(points)
    words = f"The machine's processors: {mean:.0f} % on average, {max(value for _, value in points):.0f} % at most."
    return figure(
        "cpu", "CPU of the machine over time", words, HEIGHT, scale.grid(percent), scale.line(points, "cpu")
    )


def memory(story: Story) -> Markup | None:
    """What the commands of the build held; None where nothing is known of it."""
    points = [(sample.time, float(sample.held_bytes)) for sample in story.samples]
    if not points:
        return None
    most = max(value for _, value in points)
    shares = [sample.memory for sample in story.samples if sample.memory is not None]
    whole = f" The whole machine: {100 * max(shares):.0f} % of its memory at most." if shares else ""
    words = f"The commands of this build held {size(round(most))} together at most.{whole}"
    unit = next((unit for unit in (2**30, 2**20) if most >= unit), 2**20)
    scale = _Scale(story, most / unit)
    name = "GiB" if unit == 2**30 else "MiB"
    return figure(
        "memory",
        "Memory of the commands over time",
        words,
        HEIGHT,
        scale.grid(lambda value: f"{value:g} {name}"),
        scale.line([(time, value / unit) for time, value in points], "memory"),
    )


def str_of_count(value: float) -> str:
    """A count at an axis; nothing between two whole numbers."""
    return f"{value:g}" if value == int(value) else ""


def percent(value: float) -> str:
    """A percentage at an axis."""
    return f"{value:g} %"


class _Scale:
    def __init__(self, story: Story, most: float) -> None:
        self._axis = Axis(story.start, story.end)
        self._levels = levels(most)

    def y(self, value: float) -> float:
        top = self._levels[-1]
        return HEIGHT - BOTTOM - min(1.0, value / top) * (HEIGHT - TOP - BOTTOM)

    def grid(self, words: Callable[[float], str]) -> list[Markup]:
        found = list(self._axis.lines(HEIGHT))
        for level in self._levels:
            y = self.y(level)
            found.append(element("line", x1=LEFT, x2=WIDTH - RIGHT, y1=y, y2=y, class_="grid"))
            found.append(element("text", words(level), x=LEFT - 8, y=y + 4, class_="tick end"))
        return found

    def line(self, points: Sequence[Point], name: str) -> Markup:
        kept = _thinned(points)
        if len(kept) == 1:
            return element(
                "circle", cx=self._axis.x(kept[0][0]), cy=self.y(kept[0][1]), r=3, class_=f"dot {name}"
            )
        words = " ".join(f"{self._axis.x(time):.1f},{self.y(value):.1f}" for time, value in kept)
        return element("polyline", points=words, class_=f"curve {name}")

    def steps(self, points: Sequence[Point], name: str) -> Markup:
        return element("path", d=self._stairs(points), class_=f"curve {name}")

    def area(self, points: Sequence[Point], name: str) -> Markup:
        path = self._stairs(points)
        return element("path", d=f"{path} V{self.y(0):.1f} Z" if path else "", class_=f"area {name}")

    def _stairs(self, points: Sequence[Point]) -> str:
        if not points:
            return ""
        found = [f"M{self._axis.x(points[0][0]):.1f} {self.y(0):.1f}"]
        for time, value in points:
            found.append(f"H{self._axis.x(time):.1f}V{self.y(value):.1f}")
        return "".join(found)


def _thinned(points: Sequence[Point]) -> Sequence[Point]:
    """The points, of many the highest of each few: peaks are what one looks for."""
    if len(points) <= MOST:
        return points
    each = -(-len(points) // MOST)
    return [max(points[at : at + each], key=lambda point: point[1]) for at in range(0, len(points), each)]
