"""The chart of attempts by slot: one row a slot, phases in colour, the critical path underlined. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from orchestra.model.text import count, duration
from orchestra.reporting.report.charts import BOTTOM, LEFT, TOP, Axis, figure
from orchestra.reporting.report.markup import Markup, element
from orchestra.reporting.report.numbers import critical_path
from orchestra.reporting.report.rows import Row, rows_of
from orchestra.reporting.story import AttemptStory, Story, Verification
from orchestra.reporting.words import one_line, outcome_words

ROW = 30.0
BAR = 18.0
LETTER = 6.6
"""The width of a letter, on average, in units of the chart."""

LEAST = 0.6
"""Units below which a phase is not drawn by itself: nobody could see it."""

PHASES = ("prepare", "setup", "agent", "check", "repair", "review", "capture", "verify")
"""The phases that have a colour, in the order of the legend; `repair 1` and so on are repairs."""


def gantt(story: Story) -> Markup:
    """The chart with its words."""
    rows = rows_of(story)
    axis = Axis(story.start, story.end)
    critical = critical_path(story)
    on_path = frozenset(attempt.attempt for attempt in critical)
    height = TOP + ROW * max(1, len(rows)) + BOTTOM
    bars = [list(_row(row, number, axis, on_path)) for number, row in enumerate(rows)]
    return figure(
        "gantt", "Attempts by slot over time", _words(story, critical), height, axis.lines(height), bars
    )


def legend(story: Story) -> Markup:
    """Which colour is which phase, for those that occur."""
    seen = {kind(phase.name) for attempt in story.attempts for phase in attempt.phases}
    if story.verifications:
        seen.add("verify")
    items = [element("li", element("span", class_=f"swatch {name}"), name) for name in PHASES if name in seen]
    items.append(element("li", element("span", class_="swatch critical"), "critical path"))
    items.append(element("li", element("span", class_="swatch ended-badly"), "ended badly"))
    return element("ul", *items, class_="legend")


def kind(phase: str) -> str:
    """The kind of a phase: its first word, if that has a colour."""
    word = phase.partition(" ")[0]
    return word if word in PHASES else "other"


def _words(story: Story, critical: tuple[AttemptStory, ...]) -> str:
    if not story.attempts:
        return "No attempt was made."
    told = f"{count(len(story.attempts), 'attempt')} in {duration(story.seconds)}. Critical path: "
    names = [one_line(attempt.task, 40) for attempt in critical]
    shown = names if len(names) <= 12 else [*names[:6], f"{len(names) - 11} more", *names[-5:]]
    total = duration(sum(attempt.seconds for attempt in critical))
    return f"{told}{' → '.join(shown)} ({total} of work)."


def _row(row: Row, number: int, axis: Axis, critical: frozenset[str]) -> Iterator[Markup]:
    top = TOP + ROW * number
    yield element("text", row.name, x=LEFT - 8, y=top + ROW / 2 + 4, class_="tick end")
    for attempt in row.attempts:
        yield _bar(attempt, axis, top + (ROW - BAR) / 2, on_path=attempt.attempt in critical)
    for verified in row.verifications:
        yield _verification(verified, axis, top + (ROW - BAR) / 2)


def _bar(attempt: AttemptStory, axis: Axis, y: float, *, on_path: bool) -> Markup:
    left, right = axis.x(attempt.start), axis.x(attempt.end)
    width = max(1.5, right - left)
    bad = attempt.outcome not in (None, "success", "no-change")
    parts = [element("rect", x=left, y=y, width=width, height=BAR, class_="attempt")]
    for phase in attempt.phases:
        begin = axis.x(phase.start)
        size = axis.x(phase.end) - begin
        if size >= LEAST:
            parts.append(
                element("rect", x=begin, y=y, width=size, height=BAR, class_=f"phase {kind(phase.name)}")
            )
    if bad:
        parts.append(element("rect", x=left, y=y, width=width, height=BAR, class_="bad-frame"))
    if on_path:
        parts.append(element("rect", x=left, y=y + BAR + 1.5, width=width, height=2.5, class_="critical"))
    room = int((width - 8) / LETTER)
    if room >= 4:
        words = one_line(attempt.task, room)
        parts.append(element("text", words, x=left + 4, y=y + BAR / 2 + 4, class_="label"))
    return element("g", element("title", _title(attempt)), *parts)


def _title(attempt: AttemptStory) -> str:
    again = f" (attempt {attempt.number})" if attempt.number > 1 else ""
    how = outcome_words(attempt.outcome or "end not told")
    phases = ", ".join(f"{phase.name} {duration(phase.seconds)}" for phase in attempt.phases)
    detail = f": {one_line(attempt.detail, 200)}" if attempt.detail else ""
    return f"{attempt.task}{again}: {duration(attempt.seconds)}, {how}{detail}" + (
        f"\n{phases}" if phases else ""
    )


def _verification(verified: Verification, axis: Axis, y: float) -> Markup:
    left = axis.x(verified.start)
    width = max(1.5, axis.x(verified.end) - left)
    words = {True: "green", False: "red", None: "no verdict"}[verified.passed]
    of = verified.task or "the base"
    parts = [element("rect", x=left, y=y, width=width, height=BAR, class_="phase verify")]
    if verified.passed is False:
        parts.append(element("rect", x=left, y=y, width=width, height=BAR, class_="bad-frame"))
    seconds = duration(verified.end - verified.start)
    return element("g", element("title", f"verification of {of}: {words}, {seconds}"), *parts)
