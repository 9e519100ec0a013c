"""One build as a picture in characters: its attempts as bars by slot, with their phases. Pure.

It fits any width, needs no colour, and where a terminal knows ASCII only, that is enough.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from orchestra.history.records import AttemptRecord, BuildDetail
from orchestra.history.tables import cells, cut, wrapped
from orchestra.model.outcomes import Final, Outcome
from orchestra.model.text import UNKNOWN, clean, duration

NARROWEST = 24
"""Columns that the picture takes at least."""

MOST_ROWS = 40
"""Attempts that get a row each; of more, those of one slot share one."""

_KINDS = ("prepare", "agent", "check", "capture", "landing", "unknown")
_SIGNS = dict(zip(_KINDS, "░█▓▒·─", strict=True))
_PLAIN_SIGNS = dict(zip(_KINDS, ".#=+:-", strict=True))
_MEANING = {
    "prepare": "prepare, setup",
    "agent": "agent",
    "check": "check, review",
    "capture": "capture",
    "landing": "until it landed",
    "unknown": "not known",
}
_GOOD = (Outcome.SUCCESS, Outcome.NO_CHANGE)
_LANDED = (Final.LANDED, Final.REPLAYED)


@dataclass(frozen=True, slots=True)
class _Bar:
    """What fills a stretch of time, in seconds since the build began."""

    kind: str
    start: float
    end: float


def timeline(detail: BuildDetail, width: int, *, now: float, plain: bool = False) -> str:
    """The picture; "" where nothing ran.

    `width` is that of the terminal, `now` seconds since the epoch (what is under way reaches until then).
    """
    attempts = [attempt for task in detail.tasks for attempt in task.attempts if attempt.rebuilt is None]
    if not attempts:
        return ""
    began = min(detail.build.started, *(attempt.started for attempt in attempts))
    bars = {attempt.attempt: _bars(attempt, began, _end_of(detail, attempt, now)) for attempt in attempts}
    length = max((bar.end for each in bars.values() for bar in each), default=0.0)
    if detail.build.finished is not None:
        length = max(length, detail.build.finished - began)
    signs = _PLAIN_SIGNS if plain else _SIGNS
    rows = _rows(attempts)
    labels = [label for label, _ in rows]
    room = max(NARROWEST, width)
    wide = min(max(cells(label) for label in labels), max(8, room // 3))
    # A sign at the end says what did not go well.
    space = max(8, room - wide - 4)
    lines = [_axis(wide, space, length)]
    for label, row in rows:
        text = _drawn([bar for each in row for bar in bars[each.attempt]], length, space, signs)
        label = cut(label, wide)
        mark = _mark(row[0], plain) if len(row) == 1 else ""
        lines.append(f"{label}{' ' * (wide - cells(label))} │{text}│{mark}".rstrip())
    if plain:
        lines = [line.replace("│", "|") for line in lines]
    used = [kind for kind in _KINDS if any(bar.kind == kind for each in bars.values() for bar in each)]
    legend = "  ".join(f"{signs[kind]} {_MEANING[kind]}" for kind in used)
    return "\n".join([*lines, wrapped(legend, room)])


def _rows(attempts: Sequence[AttemptRecord]) -> list[tuple[str, tuple[AttemptRecord, ...]]]:
    """Rows with their labels, by slot and start: one for each attempt, or where these are many, for each slot."""
    ordered = sorted(attempts, key=lambda one: (one.slot is None, one.slot or 0, one.started))
    slots: dict[str, list[AttemptRecord]] = {}
    for attempt in ordered:
        slots.setdefault(UNKNOWN if attempt.slot is None else str(attempt.slot), []).append(attempt)
    if len(ordered) > MOST_ROWS:
        return [(f"slot {slot}", tuple(row)) for slot, row in slots.items()]
    wide = max(len(slot) for slot in slots)
    return [
        # The number of the slot stands once, beside the first of its attempts.
        (f"{slot if place == 0 else '':>{wide}} {_name(attempt)}", (attempt,))
        for slot, row in slots.items()
        for place, attempt in enumerate(row)
    ]


def _name(attempt: AttemptRecord) -> str:
    return clean(attempt.task) + (f" #{attempt.number}" if attempt.number > 1 else "")


def _mark(attempt: AttemptRecord, plain: bool) -> str:
    if attempt.outcome is None:
        return UNKNOWN
    dropped = any(ending.kind in (Final.REJECTED, "again") for ending in attempt.endings)
    return "" if attempt.outcome in _GOOD and not dropped else "x" if plain else "✗"


def _end_of(detail: BuildDetail, attempt: AttemptRecord, now: float) -> float:
    """When an attempt ended, as far as that can be told."""
    if attempt.finished is not None:
        return attempt.finished
    build = detail.build
    known = [time for time in (build.finished, build.closed) if time is not None]
    return max(attempt.started, known[0] if known else now)


def _bars(attempt: AttemptRecord, began: float, end: float) -> tuple[_Bar, ...]:
    start = attempt.started - began
    bars = [_Bar("unknown", start, max(start, end - began))]
    bars += (
        _Bar(_kind(phase.name), phase.started - began, phase.ended - began)
        for phase in attempt.phases
        if phase.ended >= phase.started
    )
    landed = [ending.time for ending in attempt.endings if ending.kind in _LANDED]
    if landed and attempt.finished is not None and landed[0] > attempt.finished:
        bars.append(_Bar("landing", attempt.finished - began, landed[0] - began))
    return tuple(bars) if attempt.phases == () else tuple(bars[1:])


def _kind(phase: str) -> str:
    if phase in ("prepare", "setup"):
        return "prepare"
    if phase == "agent" or phase.startswith("repair "):
        return "agent"
    return phase if phase == "capture" else "check" if phase in ("check", "review") else "unknown"


def _drawn(bars: Sequence[_Bar], length: float, space: int, signs: dict[str, str]) -> str:
    """The bars in so many columns. Each column shows what most of it is; each bar's longest part is seen."""
    row = [" "] * space
    scale = space / length if length > 0 else 0.0
    # Later ones are drawn over earlier ones, so the longest goes last: no attempt vanishes behind its preparation.
    for bar in sorted(bars, key=lambda bar: bar.end - bar.start):
        low = min(space - 1, max(0, int(bar.start * scale + 0.5)))
        high = min(space, max(low + 1, int(bar.end * scale + 0.5)))
        if bar.end * scale - bar.start * scale < 0.5 and row[low] != " ":
            continue
        row[low:high] = signs[bar.kind] * (high - low)
    return "".join(row)


def _axis(wide: int, space: int, length: float) -> str:
    end = duration(length)
    return f"{' ' * wide}  0{' ' * max(1, space - 1 - len(end))}{end}"
