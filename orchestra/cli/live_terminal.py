"""A terminal on whose last lines a command draws while it works. Loads next to nothing, since it shows the first words.

Promises: whatever becomes of the terminal, nothing is raised; what others print meanwhile goes above what is drawn; and
once it is closed, nothing of the drawing is left and nothing is to be put right.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Sequence
from io import TextIOBase
from types import FrameType
from typing import Any, TextIO, cast

from orchestra.reporting.live_screen import Screen
from orchestra.reporting.output import Output


def is_capable(stream: TextIO) -> bool:
    """Whether a stream goes to a terminal on which lines can be drawn over."""
    return stream.isatty() and os.environ.get("TERM", "") not in ("", "dumb", "unknown")


class LiveTerminal:
    """The terminal behind a stream, open from `open` to `close`, as often as is wanted.

    While it is open, the standard streams that are terminals go through it, and its size and the person's coming back
    (`fg`) are noticed.
    """

    def __init__(self, stream: TextIO, failed: Callable[[OSError], None] | None = None) -> None:
        """`failed` gets the error that ended all writing, if one did."""
        self._stream = stream
        self._output = Output(stream, failed)
        self._screen = Screen(self._output.write)
        self._guards: list[tuple[str, Any]] = []
        self._handlers: dict[int, Any] = {}
        self._resumed = False
        self.is_open = False
        self.disturbed = False
        """Whether what is drawn no longer fits the terminal: to be set back by whoever draws it anew."""

    @property
    def encoding(self) -> str:
        """The encoding of the stream."""
        return self._stream.encoding or "utf-8"

    @property
    def gone(self) -> bool:
        """Whether nothing can be written any more."""
        return self._output.closed

    def open(self, words: str = "") -> None:
        """Begin, with a few words (in ASCII) to stand there until more is known."""
        if not self.is_open:
            self.is_open = True
            for name in ("stdout", "stderr"):
                stream = getattr(sys, name)
                if stream.isatty():
                    self._guards.append((name, stream))
                    setattr(sys, name, cast(TextIO, _Guard(stream, self.above)))
            for number in (signal.SIGWINCH, signal.SIGCONT):
                self._handlers[number] = signal.signal(number, self._signalled)
        if words and self.is_ours():
            self.draw((words[: self.size()[0] - 1],))

    def close(self) -> None:
        """Take away what is drawn, and give back what was taken; a second time does nothing."""
        if not self.is_open:
            return
        self.is_open = False
        if self.is_ours():
            self._screen.clear(self.size()[0])
        self._screen.forget()
        while self._guards:
            name, stream = self._guards.pop()
            guard, rest = getattr(sys, name), ""
            setattr(sys, name, stream)
            if isinstance(guard, _Guard):
                rest = guard.rest
            if rest:
                self._output.write(rest)
        while self._handlers:
            signal.signal(*self._handlers.popitem())

    def draw(self, lines: Sequence[str]) -> None:
        """Let these lines stand at the end, none of them as wide as the terminal; not where it is not ours now."""
        if self._resumed:
            # Somebody else wrote meanwhile.
            self._resumed = False
            self._screen.forget()
        if self.is_ours():
            self._screen.draw(lines, self.size()[0])
        else:
            self._screen.forget()

    def above(self, text: str) -> None:
        """Let whole lines, with their newlines, scroll by above what is drawn."""
        if self.is_ours():
            self._screen.above(text, self.size()[0])
        else:
            self._screen.forget()
            self._output.write(text)

    def size(self) -> tuple[int, int]:
        """Its columns and rows."""
        try:
            found = os.get_terminal_size(self._stream.fileno())
        except (OSError, ValueError):
            return 80, 24
        # Some pseudo-terminals say 0.
        return found.columns or 80, found.lines or 24

    def is_ours(self) -> bool:
        """Whether this process is in the foreground there: else somebody else is at work, such as the shell."""
        try:
            return os.tcgetpgrp(self._stream.fileno()) == os.getpgrp()
        except (OSError, ValueError):
            # It is not the terminal that this process belongs to, if any: nobody shares it.
            return True

    def _signalled(self, number: int, frame: FrameType | None) -> None:
        # Nothing is drawn here: a drawing may be under way. Whoever waits is woken by the signal.
        self._resumed = self._resumed or number == signal.SIGCONT
        self.disturbed = True


class _Guard(TextIOBase):
    """A standard stream while something is drawn: what is printed goes above it, line by line."""

    def __init__(self, stream: TextIO, above: Callable[[str], None]) -> None:
        self._stream = stream
        self._above = above
        self.rest = ""
        """What no newline has followed yet."""

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return self._stream.encoding

    @property
    def errors(self) -> str | None:  # type: ignore[override]
        return self._stream.errors

    def isatty(self) -> bool:
        return self._stream.isatty()

    def fileno(self) -> int:
        return self._stream.fileno()

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        whole, newline, self.rest = (self.rest + text).rpartition("\n")
        if newline:
            self._above(whole + newline)
        return len(text)
