"""What is drawn on a terminal, read by a small terminal that knows no more than what is drawn with."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from orchestra.reporting.live_screen import Screen

from .samples import unhurried

_TOKEN = re.compile(
    r"\x1b\[\?2026[hl]|\x1b\[(?P<rows>\d+)A|\x1b\[(?P<what>[KJ])|\x1b\[\d*m|(?P<text>[^\x1b])"
)


@dataclass
class Paper:
    """A terminal of some width that is endlessly high, so that what scrolled by is still there."""

    width: int
    rows: list[str] = field(default_factory=lambda: [""])
    row: int = 0
    column: int = 0

    def write(self, text: str) -> None:
        """Take what is written to it, all of which it must know."""
        at = 0
        while at < len(text):
            match = _TOKEN.match(text, at)
            assert match is not None, repr(text[at : at + 20])
            at = match.end()
            if match["rows"]:
                self.row -= int(match["rows"])
                assert self.row >= 0, "above what was ever written"
            elif match["what"]:
                self.rows[self.row] = self.rows[self.row][: self.column]
                if match["what"] == "J":
                    del self.rows[self.row + 1 :]
            elif match["text"]:
                self._type(match["text"])

    def _type(self, character: str) -> None:
        if character == "\r":
            self.column = 0
        elif character == "\n":
            # As the terminal's driver has it: to the first column, too.
            self._next()
        else:
            if self.column == self.width:
                self._next()
            row = self.rows[self.row].ljust(self.column)
            self.rows[self.row] = row[: self.column] + character + row[self.column + 1 :]
            self.column += 1

    def _next(self) -> None:
        self.row, self.column = self.row + 1, 0
        if self.row == len(self.rows):
            self.rows.append("")

    def narrowed(self, width: int) -> None:
        """Make it narrower: as most terminals do, it wraps what no longer fits."""
        rows: list[str] = []
        for number, text in enumerate(self.rows):
            parts = [text[at : at + width] for at in range(0, len(text), width)] or [""]
            if number == self.row:
                self.row = len(rows) + len(parts) - 1
                self.column = len(parts[-1])
                self.rows[number:] = [text]
            rows += parts
        self.rows, self.width = rows, width


LINES = st.lists(st.text("abc", max_size=9), max_size=5)
DOINGS: st.SearchStrategy[tuple[str, list[str]]] = st.one_of(
    st.tuples(st.just("draw"), LINES),
    st.tuples(st.just("above"), LINES.filter(bool)),
    st.tuples(st.just("clear"), st.just(list[str]())),
)


@unhurried
@given(st.lists(DOINGS, max_size=12))
def test_what_was_said_stands_above_what_is_drawn(doings: list[tuple[str, list[str]]]) -> None:
    paper = Paper(10)
    screen = Screen(paper.write)
    above: list[str] = []
    drawn: list[str] = []
    for what, lines in doings:
        if what == "draw":
            screen.draw(lines, 10)
            drawn = lines
        elif what == "above":
            screen.above("".join(f"{line}\n" for line in lines), 10)
            above += lines
        else:
            screen.clear(10)
            drawn = []
        assert paper.rows == [*above, *(drawn or [""])], (what, lines)
        assert screen.lines == tuple(drawn)


@unhurried
@given(LINES, LINES, st.integers(1, 9))
def test_a_terminal_that_became_narrower_is_drawn_anew(old: list[str], new: list[str], width: int) -> None:
    paper = Paper(10)
    screen = Screen(paper.write)
    screen.above("said\n", 10)
    screen.draw(old, 10)
    paper.narrowed(width)
    screen.draw([line[:width] for line in new], width)
    said = ["said"[at : at + width] for at in range(0, 4, width)]
    assert paper.rows == [*said, *([line[:width] for line in new] or [""])]


def test_what_others_wrote_meanwhile_is_left_alone() -> None:
    paper = Paper(10)
    screen = Screen(paper.write)
    screen.draw(["one", "two"], 10)
    paper.write("\r\n$ fg\r\n")
    screen.forget()
    screen.draw(["three"], 10)
    assert paper.rows == ["one", "two", "$ fg", "three"]


def test_what_has_not_changed_is_not_written_again() -> None:
    written: list[str] = []
    screen = Screen(written.append)
    screen.draw(["one", "two", "three"], 10)
    screen.draw(["one", "two", "three"], 10)
    assert len(written) == 1
    screen.draw(["one", "TWO", "three"], 10)
    assert "TWO" in written[1] and "one" not in written[1]
