"""The last lines of a terminal, drawn over again and again while other lines scroll by above them.

Promises: nothing about the terminal is changed that would have to be changed back (the cursor stays visible, lines
wrap as ever), so that it is left in order however the process ends. Each drawing is one write.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from orchestra.reporting.cells import columns

_BEGIN, _END = "\x1b[?2026h", "\x1b[?2026l"
"""Drawing between these two is shown at once by terminals that know them; others take no notice."""

_ERASE_LINE, _ERASE_BELOW = "\x1b[K", "\x1b[J"


class Screen:
    """The lines below. `write` takes text for the terminal."""

    def __init__(self, write: Callable[[str], None]) -> None:
        self._write = write
        self._lines: tuple[str, ...] = ()
        self._width = 0

    @property
    def lines(self) -> tuple[str, ...]:
        """What stands there now."""
        return self._lines

    def draw(self, lines: Sequence[str], width: int) -> None:
        """Replace what stands there by these lines, each at most as wide as a terminal of `width` columns."""
        new = tuple(lines)
        if new == self._lines and width == self._width:
            return
        if not self._lines or width != self._width:
            text = self._to_top(width) + _ERASE_BELOW + "\n".join(new) if self._lines else "\n".join(new)
        else:
            text = self._to_top(width) + self._difference(new)
        self._lines, self._width = new, width
        self._put(text)

    def above(self, text: str, width: int) -> None:
        """Let whole lines, with their newlines, scroll by above."""
        lines = self._lines
        if not lines:
            self._write(text)
            return
        self._put(self._to_top(width) + _ERASE_BELOW + text + "\n".join(lines))
        self._width = width

    def clear(self, width: int) -> None:
        """Take the lines away; the cursor stands where the first of them began."""
        if self._lines:
            self._put(self._to_top(width) + _ERASE_BELOW)
            self._lines = ()

    def forget(self) -> None:
        """Somebody else wrote meanwhile: what stood there stays where it is, and the next drawing begins anew."""
        self._lines = ()

    def _to_top(self, width: int) -> str:
        """To the first column of the first line, where a terminal that has become narrower has wrapped them."""
        rows = sum(max(1, -(-columns(line) // max(width, 1))) for line in self._lines)
        return "\r" + (f"\x1b[{rows - 1}A" if rows > 1 else "")

    def _difference(self, new: tuple[str, ...]) -> str:
        """What turns the old lines into the new ones, from the first column of the first."""
        old = self._lines
        parts: list[str] = []
        for number, line in enumerate(new):
            if number:
                parts.append("\r\n")
            if number >= len(old) or line != old[number] or number == len(new) - 1:
                parts.append(line + _ERASE_LINE)
        if len(old) > len(new):
            parts.append(_ERASE_BELOW)
        return "".join(parts)

    def _put(self, text: str) -> None:
        self._write(_BEGIN + text + _END)
