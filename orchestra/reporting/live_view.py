"""A build's state as the lines that stand below what has scrolled by, for a terminal of any size. Pure.

Promises: never wider or higher than asked, never a control character but our own colours, and where room is short
what matters more is kept: the totals, then what runs, then what waits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo

from orchestra.model.means import Reading
from orchestra.model.outcomes import Final
from orchestra.model.text import clean, count, duration, money, size
from orchestra.reporting.cells import cell, cells
from orchestra.reporting.lines import elapsed
from orchestra.reporting.live_state import LANDING, Progress, Running, Used, Waiting
from orchestra.reporting.words import Style, held_words, outcome_words, paint

Piece = tuple[str, Style]

ENOUGH = 60
"""Columns from which on there is room for more than task, phase and time."""

WAITING_MOST = 5
"""How many waiting tasks are named at most; the others are counted."""

_GOOD = (Final.LANDED, Final.NO_CHANGE, Final.PASSED, Final.REPLAYED, Final.ADOPTED)
_ORDER = (
    *((final, Style.GOOD) for final in _GOOD),
    (Final.FRESH, Style.DIM),
    (Final.REVERTED, Style.DIM),
    (Final.FAILED, Style.BAD),
    (Final.REJECTED, Style.BAD),
    (Final.SKIPPED, Style.WARN),
    (Final.INTERRUPTED, Style.WARN),
)


@dataclass(frozen=True, slots=True)
class Look:
    """What a terminal can show: its size in columns and rows, whether it has colours, its encoding, and the zone for
    times of day (None: the local one).
    """

    width: int
    height: int
    color: bool = False
    encoding: str = "utf-8"
    zone: tzinfo | None = None

    @property
    def simple(self) -> bool:
        """Whether only ASCII may be used."""
        return not self.encoding.lower().replace("-", "").startswith("utf")


def view(progress: Progress, now: float, look: Look, reading: Reading | None = None) -> tuple[str, ...]:
    """The lines for a build at the moment `now` (seconds since the epoch); none where nothing is to be shown."""
    if not progress.begun or look.width < 1 or look.height < 1:
        return ()
    path = frozenset(progress.forecast(now).path)
    totals = _totals(progress, now, look, reading)[: look.height]
    room = look.height - len(totals)
    running = sorted(progress.running.values(), key=lambda each: each.since)
    waiting = progress.waiting(now, WAITING_MOST)
    shown = running if len(running) <= room else running[: max(room - 1, 0)]
    lines = _running(shown, path, progress, now, look)
    if len(shown) < len(running) and room > 0:
        lines.append(((f"  and {len(running) - len(shown):,} more under way", Style.DIM),))
    room -= len(lines)
    lines += _waiting(waiting, progress.left, room, path, look)
    return tuple(_fitted(line, look) for line in (*lines, *totals))


# --- what runs -----------------------------------------------------------------------------------------------


def _running(
    shown: Sequence[Running], path: frozenset[str], progress: Progress, now: float, look: Look
) -> list[tuple[Piece, ...]]:
    phases = [_phase(each, now, look) for each in shown]
    phase_width = max((cells(words) for words, _ in phases), default=0)
    times = [_time(each, progress, now, look) for each in shown]
    time_width = max((len(words) for words, _ in times), default=0)
    names = [_shown(each.task, look) for each in shown]
    name_width = _name_width(names, phase_width + time_width + 6, look)
    lines: list[tuple[Piece, ...]] = []
    for each, name, phase, time in zip(shown, names, phases, times, strict=True):
        line: list[Piece] = [
            _mark(each.task in path, look),
            (_padded(_middle_cut(name, name_width, look), name_width), Style.NONE),
        ]
        line += [("  ", Style.NONE), (_padded(phase[0], phase_width), phase[1])]
        line += [("  ", Style.NONE), (f"{time[0]:>{time_width}}", time[1])]
        cost = _used_words(each.total)
        action = _shown(each.action, look)
        if look.width >= ENOUGH:
            left = look.width - sum(cells(text) for text, _ in line) - (len(cost) + 2 if cost else 0) - 2
            if action and left >= 8:
                line.append(("  " + _padded(_cut(action, left, look), left if cost else 0), Style.DIM))
            if cost:
                line.append(("  " + cost, Style.DIM))
        lines.append(tuple(line))
    return lines


def _mark(critical: bool, look: Look) -> Piece:
    """What stands before a task: whether the build cannot end sooner than it."""
    if not critical:
        return "  ", Style.NONE
    return "* " if look.simple else "▸ ", Style.WARN


def _phase(running: Running, now: float, look: Look) -> Piece:
    if running.waiting:
        until = running.until
        return (
            f"API until {_moment(until, look)}" if until is not None and until > now else "waits for API"
        ), (Style.WARN)
    style = Style.GOOD if running.phase == LANDING else Style.NONE
    number = f" ({running.number})" if running.number > 1 else ""
    return _cut(clean(running.phase) + number, 16, look), style


def _time(running: Running, progress: Progress, now: float, look: Look) -> Piece:
    took = elapsed(now - running.since)
    known = progress.ahead.estimates.get(running.task)
    if known is None:
        return took, Style.NONE
    style = Style.WARN if now - running.since > known.p90 else Style.NONE
    if look.width < ENOUGH:
        return took, style
    return f"{took} of {elapsed(known.p50)}-{elapsed(known.p90)}", style


def _used_words(used: Used) -> str:
    tokens, usd = used
    words = [] if tokens is None else [f"{_short(tokens)} tokens"]
    return "  ".join(words + ([] if usd is None else [money(usd)]))


def _short(number: int) -> str:
    if number < 1000:
        return str(number)
    if number < 9_950:
        return f"{number / 1000:.1f}k"
    return f"{number / 1000:.0f}k" if number < 999_500 else f"{number / 1e6:.1f}M"


# --- what waits ----------------------------------------------------------------------------------------------


def _waiting(
    waiting: Sequence[Waiting], left: int, room: int, path: frozenset[str], look: Look
) -> list[tuple[Piece, ...]]:
    if room <= 0 or not waiting:
        return []
    shown = waiting[:room] if left <= room and left == len(waiting) else waiting[: room - 1]
    names = [_shown(each.task, look) for each in shown]
    width = _name_width(names, 26, look)
    lines: list[tuple[Piece, ...]] = []
    for each, name in zip(shown, names, strict=True):
        mark = ("* " if look.simple else "▸ ", Style.WARN) if each.task in path else ("  ", Style.NONE)
        lines.append(
            (
                mark,
                (_padded(_middle_cut(name, width, look), width), Style.DIM),
                ("  " + _cause(each, look), Style.DIM),
            )
        )
    if left > len(shown):
        rest = f"and {left - len(shown):,} more waiting" if shown else f"{count(left, 'task')} waiting"
        lines.append(((f"  {rest}", Style.DIM),))
    return lines


def _cause(waiting: Waiting, look: Look) -> str:
    edge = waiting.edge
    if edge is not None:
        first = _shown(edge.first, look)
        return f"waits for {first}" + ("" if edge.kind.value == "needs" else f" ({edge.kind.value})")
    match waiting.cause:
        case "retry" if waiting.until is not None:
            return f"again at {_moment(waiting.until, look)}"
        case "API" if waiting.until is not None:
            return f"waits for its API until {_moment(waiting.until, look)}"
        case "(base)":
            return "waits for the verification of the base"
        case "slot":
            return "waits for a slot"
        case "rate" | "budget" | "machine":
            return f"waits for {held_words(waiting.cause)}"
    return "queued"


# --- totals --------------------------------------------------------------------------------------------------


def _totals(progress: Progress, now: float, look: Look, reading: Reading | None) -> list[tuple[Piece, ...]]:
    """The last lines, the one that matters most first where only one has room."""
    ends = progress.counts()
    done = sum(ends.values())
    line: list[Piece] = [(f"{elapsed(now - progress.started.time)}  {done:,}/{progress.total:,}", Style.NONE)]
    for final, style in _ORDER:
        if ends[final]:
            line += [("  ", Style.NONE), (f"{ends[final]:,} {outcome_words(final.value)}", style)]
    if progress.running:
        line += [("  ", Style.NONE), (f"{len(progress.running):,} running", Style.NONE)]
    if progress.left:
        line += [("  ", Style.NONE), (f"{progress.left:,} waiting", Style.DIM)]
    if progress.stopping:
        words = "stopping at once" if progress.stopping == "now" else "stopping (Ctrl-C again: at once)"
        line.insert(0, (f"{words}  ", Style.BAD))
    left = progress.forecast(now).seconds
    extra: list[str] = []
    if left is not None and not progress.stopping:
        extra.append(f"about {duration(left)} left" if left >= 1 else "nearly done")
    if used := _used_words(progress.used):
        extra.append(used)
    if reading is not None:
        cpu = [] if reading.cpu is None else [f"cpu {reading.cpu:.0%}"]
        extra.append(
            "  ".join([*cpu, f"memory {reading.memory:.0%}", f"disk {size(reading.disk_free)} free"])
        )
    lines = [tuple(line)]
    if extra:
        lines.append((("  ".join(extra), Style.DIM),))
    return lines


# --- text ----------------------------------------------------------------------------------------------------


def _moment(moment: float, look: Look) -> str:
    try:
        return f"{datetime.fromtimestamp(moment, look.zone):%H:%M:%S}"
    except (OverflowError, ValueError, OSError):
        return "?"  # a clock gone astray


def _name_width(names: Sequence[str], others: int, look: Look) -> int:
    """How wide the column of names is, beside others that take so many columns."""
    most = max(8, min(32, look.width // 3 if look.width >= ENOUGH else look.width - others))
    return min(most, max((cells(name) for name in names), default=0))


def _shown(text: str, look: Look) -> str:
    """Foreign text made harmless and showable."""
    return _showable(clean(text), look)


def _showable(text: str, look: Look) -> str:
    if text.isascii():
        return text
    if look.simple:
        text = text.translate(_SIMPLE)
    try:
        text.encode(look.encoding)
    except UnicodeEncodeError:
        return text.encode(look.encoding, "backslashreplace").decode(look.encoding)
    return text


_SIMPLE = str.maketrans({"→": "->", "…": "...", "×": "x", "–": "-"})


def _cut(text: str, width: int, look: Look) -> str:
    if cells(text) <= width:
        return text
    end = "..." if look.simple else "…"
    if width <= len(end):
        return end[: max(width, 0)]
    return _taken(text, width - len(end)) + end


def _middle_cut(text: str, width: int, look: Look) -> str:
    """The text with its beginning and its end: names of tasks often begin alike."""
    end = "..." if look.simple else "…"
    if cells(text) <= width or width < len(end) + 2:
        return _cut(text, width, look)
    before, after = _taken(text, width - len(end) - width // 2), _taken(text[::-1], width // 2)
    return before + end + after[::-1]


def _taken(text: str, width: int) -> str:
    """As much of the beginning of a text as has room."""
    kept, used = [], 0
    for character in text:
        used += cell(character)
        if used > width:
            break
        kept.append(character)
    return "".join(kept)


def _padded(text: str, width: int) -> str:
    return text + " " * (width - cells(text))


def _fitted(line: Sequence[Piece], look: Look) -> str:
    """The line in its colours, cut where the terminal ends."""
    left, parts = look.width, []
    total = sum(cells(text) for text, _ in line)
    for text, style in line:
        own = cells(text)
        # Where it does not all fit, the last piece that has room is the one that is cut.
        kept = text if total <= look.width or own < left else _cut(text, left, look)
        parts.append(paint(kept, style, look.color))
        left -= cells(kept)
        if left <= 0 or kept != text:
            break
    return "".join(parts)
