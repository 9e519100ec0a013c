"""What `orchestra clean` frees and leaves, as a table and as JSON (`schema/clean.schema.json`). Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from orchestra.model.text import UNKNOWN, clean, duration, size
from orchestra.reporting.words import Style, count, listing, one_line, paint

VERSION = 1
"""The version of the JSON form."""

DAY = 86_400.0
"""Seconds."""

IN_GIT = ("results", "rejected", "rescued", "verdicts", "tips")
"""Kinds whose bytes are git's to free."""

ASKED = {
    "entries": "of tasks that left the manifest",
    "orphans": "of repositories that are gone",
}
"""Kinds that go only when they are named, with what they are."""


@dataclass(frozen=True, slots=True)
class Row:
    """One thing: `used` is when it was last of use, in seconds since the epoch, `bytes` None where not known,
    `needed` why it stays in any case.
    """

    kind: str
    name: str
    used: float
    bytes: int | None
    needed: str
    goes: bool


@dataclass(frozen=True, slots=True)
class Cleaning:
    """All that was looked at, and what came of it: `named` are the kinds that were asked for by name, `done` is False
    where it was only shown.
    """

    rows: tuple[Row, ...]
    named: frozenset[str] = frozenset()
    done: bool = False
    rescued: tuple[str, ...] = ()
    problems: tuple[tuple[str, str], ...] = ()


def clean_text(cleaning: Cleaning, now: float, *, color: bool = False, verbose: bool = False) -> str:
    """The table by kind, without a newline at the end; `verbose`: each thing by itself, too."""
    asked = [row for row in cleaning.rows if row.kind in cleaning.named or row.kind not in ASKED]
    goes = [row for row in asked if row.goes]
    lines = _table(asked, now, color) if asked else []
    if verbose:
        width = max((len(row.kind) for row in cleaning.rows), default=0)
        lines += ["", *(_line(row, now, width, color) for row in cleaning.rows)]
    in_git = [row for row in goes if row.kind in IN_GIT]
    if goes:
        lines.append("")
    if in_git and (_bytes(in_git) or 0) > 0:
        lines.append(f"{size(_bytes(in_git) or 0)} of that are git's: its next `git gc` frees them.")
    old = [row for row in asked if row.needed and not row.goes]
    if old:
        reasons = dict.fromkeys(row.needed for row in old)
        lines.append(f"Needed, however old: {count(len(old), 'thing')} ({listing(reasons, 3)}).")
    for kind, what in ASKED.items():
        found = [row for row in cleaning.rows if row.kind == kind and not row.needed]
        if found and kind not in cleaning.named:
            noun = _NOUNS[kind][len(found) != 1]
            lines.append(
                f"{len(found):,} {noun} {what}, {_size(found)}; only when named: orchestra clean {kind}"
            )
    if not goes:
        lines.append("Nothing goes." if asked else "Nothing to clean.")
    return "\n".join(lines)


def done_text(cleaning: Cleaning, color: bool = False) -> str:
    """What was done, without a newline at the end."""
    gone = [row for row in cleaning.rows if row.goes]
    lines = [f"kept {clean(name)}, since nothing else holds it" for name in cleaning.rescued]
    lines += [
        f"{paint('left', Style.BAD, color)} {one_line(name)}: {one_line(why)}"
        for name, why in cleaning.problems
    ]
    lines.append(f"{count(len(gone), 'thing')} gone, {_size(gone)}.")
    return "\n".join(lines)


def clean_json(cleaning: Cleaning) -> dict[str, Any]:
    """The same as `schema/clean.schema.json` says."""
    kinds: dict[str, list[Row]] = {}
    for row in cleaning.rows:
        kinds.setdefault(row.kind, []).append(row)
    return {
        "version": VERSION,
        "done": cleaning.done,
        "ok": not cleaning.problems,
        "kinds": [
            {
                "kind": kind,
                "goes": _sum([row for row in rows if row.goes]),
                "stays": _sum([row for row in rows if not row.goes]),
            }
            for kind, rows in kinds.items()
        ],
        "items": [
            {
                "kind": row.kind,
                "name": row.name,
                "goes": row.goes,
                "bytes": row.bytes,
                "used": row.used,
                "needed": row.needed or None,
            }
            for row in cleaning.rows
        ],
        "rescued": list(cleaning.rescued),
        "problems": [{"name": name, "why": why} for name, why in cleaning.problems],
    }


_NOUNS: Mapping[str, tuple[str, str]] = {
    "entries": ("lock entry", "lock entries"),
    "orphans": ("folder of worktrees", "folders of worktrees"),
}


def _table(rows: Sequence[Row], now: float, color: bool) -> list[str]:
    cells = [("", "goes", "size", "oldest", "stays", "size")]
    for kind in dict.fromkeys(row.kind for row in rows):
        cells.append((kind, *_cells([row for row in rows if row.kind == kind], now)))
    cells.append(("in all", *_cells(rows, now)))
    widths = [max(len(row[column]) for row in cells) for column in range(6)]
    lines = []
    for number, row in enumerate(cells):
        padded = [row[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(row[1:], widths[1:], strict=True))]
        line = "  ".join((*padded[:4], " ", *padded[4:])).rstrip()
        lines.append(paint(line, Style.DIM, color) if number == 0 or row[1] == "-" else line)
    return lines


def _cells(rows: Sequence[Row], now: float) -> tuple[str, str, str, str, str]:
    goes = [row for row in rows if row.goes]
    stays = [row for row in rows if not row.goes]
    gone = (f"{len(goes):,}", _size(goes), _age(now - min(row.used for row in goes))) if goes else ("-",) * 3
    left = (f"{len(stays):,}", _size(stays)) if stays else ("-",) * 2
    return (*gone, *left)


def _line(row: Row, now: float, width: int, color: bool) -> str:
    mark = paint("goes ", Style.WARN, color) if row.goes else "stays"
    known = UNKNOWN if row.bytes is None else size(row.bytes)
    why = f": {one_line(row.needed)}" if row.needed else ""
    return f"{mark}  {row.kind.ljust(width)}  {clean(row.name)}  {known}, {_age(now - row.used)} old{why}"


def _bytes(rows: Sequence[Row]) -> int | None:
    known = [row.bytes for row in rows if row.bytes is not None]
    return sum(known) if known or not rows else None


def _size(rows: Sequence[Row]) -> str:
    found = _bytes(rows)
    return UNKNOWN if found is None else size(found)


def _sum(rows: Sequence[Row]) -> dict[str, Any]:
    return {
        "count": len(rows),
        "bytes": _bytes(rows),
        "oldest": min((row.used for row in rows), default=None),
    }


def _age(seconds: float) -> str:
    if seconds < 2 * DAY:
        return duration(seconds)
    return f"{seconds / DAY:,.0f} days"
