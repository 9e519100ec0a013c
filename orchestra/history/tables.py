"""Tables in plain text that fit a terminal: columns below one another, cut or left out where there is no room. Pure.

Texts have been through `clean`; a wide character counts for two columns.
"""

from __future__ import annotations

import textwrap
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

GAP = "  "
LEAST = 8
"""Columns that are left of a text at least, where it is cut."""

_CUT = "…"


@dataclass(frozen=True, slots=True)
class Column:
    """A column: `right` aligns it there; where there is no room, `cut` lets it be shortened, and those with a `drop`
    above 0 are left out, the highest first.
    """

    title: str
    right: bool = False
    cut: bool = False
    drop: int = 0


def table(columns: Sequence[Column], rows: Sequence[Sequence[str]], width: int | None = None) -> str:
    """A line of titles and one for each row; nothing is cut without a width.

    A column without a title and without a text in any row is left out.
    """
    shown = [place for place, column in enumerate(columns) if column.title or any(row[place] for row in rows)]
    lines = [[column.title for column in columns], *rows]
    widths = {place: max(cells(line[place]) for line in lines) for place in shown}
    if width is not None:
        shown = _chosen(columns, shown, widths, width)
        _shorten(columns, shown, widths, width)
    return "\n".join(_line(columns, shown, widths, line) for line in lines)


def _chosen(columns: Sequence[Column], shown: list[int], widths: dict[int, int], width: int) -> list[int]:
    """The columns for which there is room, if need be cut."""
    shown = list(shown)
    while _least(columns, shown, widths) > width:
        droppable = [place for place in shown if columns[place].drop]
        if not droppable:
            break
        shown.remove(max(droppable, key=lambda place: columns[place].drop))
    return shown


def _least(columns: Sequence[Column], shown: Sequence[int], widths: dict[int, int]) -> int:
    texts = (min(widths[place], LEAST) if columns[place].cut else widths[place] for place in shown)
    return sum(texts) + len(GAP) * (len(shown) - 1)


def _shorten(columns: Sequence[Column], shown: Sequence[int], widths: dict[int, int], width: int) -> None:
    """Take from the widest of what may be cut until all fits, or no more can be taken."""
    over = sum(widths[place] for place in shown) + len(GAP) * (len(shown) - 1) - width
    while over > 0:
        cuttable = [place for place in shown if columns[place].cut and widths[place] > LEAST]
        if not cuttable:
            return
        widths[max(cuttable, key=lambda place: widths[place])] -= 1
        over -= 1


def _line(
    columns: Sequence[Column], shown: Sequence[int], widths: dict[int, int], line: Sequence[str]
) -> str:
    texts = []
    for place in shown:
        text = cut(line[place], widths[place])
        space = " " * (widths[place] - cells(text))
        texts.append(space + text if columns[place].right else text + space)
    return GAP.join(texts).rstrip()


def cut(text: str, width: int) -> str:
    """The text, shortened to so many columns where it takes more, with a sign that it was."""
    if cells(text) <= width:
        return text
    kept, used = [], 0
    for char in text:
        used += cells(char)
        if used > width - 1:
            break
        kept.append(char)
    return "".join(kept) + _CUT if width > 0 else ""


def wrapped(text: str, width: int | None, indent: str = "  ") -> str:
    """One line as one or several of at most that width, the later ones indented; a long word stays whole."""
    if width is None or cells(text) <= width:
        return text
    lines = textwrap.wrap(
        text, max(width, 20), subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )
    return "\n".join(lines)


def cells(text: str) -> int:
    """How many columns of a terminal a clean text takes."""
    return (
        len(text)
        if text.isascii()
        else sum(
            0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1
            for char in text
        )
    )
