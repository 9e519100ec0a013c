"""What all charts of the page share: the axis of time, ticks, and how a chart stands among its words. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil, log10

from orchestra.reporting.report.markup import Content, Markup, element

WIDTH = 1000.0
"""The width of a chart in its own units; on a page it is as wide as there is room, and scrolls below 40 em."""

LEFT, RIGHT, TOP, BOTTOM = 90.0, 12.0, 8.0, 26.0

STEPS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200)
"""Seconds between two ticks of time."""

MOST_TICKS = 9


@dataclass(frozen=True, slots=True)
class Axis:
    """The axis of time: a build from `start` to `end`, in seconds since the epoch."""

    start: float
    end: float

    @property
    def span(self) -> float:
        """How much time it shows; never nothing."""
        return max(self.end - self.start, 0.1)

    def x(self, time: float) -> float:
        """Where a moment stands, within the chart."""
        share = min(1.0, max(0.0, (time - self.start) / self.span))
        return LEFT + share * (WIDTH - LEFT - RIGHT)

    def ticks(self) -> Iterator[tuple[float, str]]:
        """Moments worth a line, with their words."""
        step = next((step for step in STEPS if self.span / step <= MOST_TICKS), None)
        if step is None:
            # Days, in whole numbers of them.
            step = 86400.0 * ceil(self.span / 86400 / MOST_TICKS)
        for number in range(int(self.span / step + 1e-9) + 1):
            yield self.start + number * step, clock(number * step)

    def lines(self, height: float) -> Iterator[Markup]:
        """The ticks as lines over a chart of that height, with their words below."""
        for moment, words in self.ticks():
            x = self.x(moment)
            yield element("line", x1=x, x2=x, y1=TOP, y2=height - BOTTOM, class_="grid")
            yield element("text", words, x=x, y=height - BOTTOM + 16, class_="tick middle")


def clock(seconds: float) -> str:
    """Time since the start: `0.5 s`, `45 s`, `2:30`, `1:02:00`, `3 d`."""
    if seconds < 60:
        return f"{seconds:g} s"
    if seconds >= 86400 and seconds % 86400 == 0:
        return f"{seconds / 86400:g} d"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02d}" if minutes < 60 else f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}"


def levels(most: float) -> tuple[float, ...]:
    """Where to draw lines from 0 to at least `most`: at 1, 2 or 5 times a power of ten, at most five of them."""
    if most < 1e-9:
        return (0.0, 1.0)
    power = 10.0 ** int(log10(most) - 1)
    while True:
        for factor in (1, 2, 5):
            step = factor * power
            if most / step <= 4:
                return tuple(step * number for number in range(ceil(most / step - 1e-9) + 1))
        power *= 10


def figure(
    name: str, title: str, words: Content, height: float, *content: Content, width: float = WIDTH
) -> Markup:
    """A chart with its title and what it says in words: who cannot see it loses nothing that matters."""
    svg = element(
        "svg",
        element("title", title, id=f"{name}-title"),
        *content,
        viewBox=f"0 0 {width:g} {height:g}",
        role="img",
        aria_labelledby=f"{name}-title {name}-words",
        class_="chart",
    )
    # Reached by the keyboard, since it may have to be scrolled.
    box = element("div", svg, class_="scroll", tabindex="0", role="region", aria_label=title)
    return element("figure", element("h3", title), box, element("figcaption", words, id=f"{name}-words"))
