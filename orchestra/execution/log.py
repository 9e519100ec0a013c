"""The log of one attempt or verification: readable text on disk, with its last lines at hand.

However much a command prints: the file keeps its beginning and its end, and says where and how much it leaves out;
memory holds a few lines.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from orchestra.model.agents import AgentEvent

TAIL = 20
"""How many of the last lines are kept at hand."""

LINE = 2_000
"""Characters of such a line."""

HEAD_BYTES = 4 * 2**20
"""Bytes of the beginning that a file keeps in any case."""

TAIL_BYTES = 4 * 2**20
"""Bytes of the end that it keeps at least; it grows to twice that before it is cut again."""

LINE_BYTES = 256 * 2**10
"""Bytes of one line in the file."""


def make_logs(folder: Path) -> None:
    """Make the folder of a build's logs, `builds/ID` in the state folder, which a person may delete at any moment; but
    never git's folder above that.

    Where that is gone, the repository was moved or deleted, and the beginning of another one would only be in the way
    of its return. Raises OSError.
    """
    for each in (folder.parent.parent, folder.parent, folder):
        each.mkdir(exist_ok=True, mode=0o700)


class AttemptLog:
    """Writes lines as they come; `tail` are the last ones since the current phase began.

    A disk that is full must not fail an attempt that goes well: what cannot be written is lost, and said once
    by `problem`.
    """

    def __init__(
        self,
        path: Path,
        head: int = HEAD_BYTES,
        end: int = TAIL_BYTES,
        mask: Callable[[str], str] = lambda text: text,
    ) -> None:
        """`head` and `end`: the bytes that the file keeps of a beginning and of an end; `mask` takes out of every
        text what must not be written.
        """
        self.path = path
        self._mask = mask
        self.problem: str | None = None
        self._tail: deque[str] = deque(maxlen=TAIL)
        self._file: BinaryIO | None = None
        self._head, self._end = head, end
        self._size = 0  # of the file
        self._kept: int | None = None  # bytes of the beginning that stay; None: it has not got so far
        self._mark = b""  # the line behind them that says what is left out
        self._cut = 0  # bytes left out so far
        try:
            make_logs(path.parent)
            # Unbuffered: a person may be reading along, and after a crash all is there.
            self._file = path.open("a+b", buffering=0)
            self._size = self._file.seek(0, os.SEEK_END)
        except OSError as error:
            self.problem = f"cannot write {path}: {error.strerror}"

    @property
    def tail(self) -> tuple[str, ...]:
        """The last lines of the current phase, each cut at `LINE` characters."""
        return tuple(self._tail)

    def phase(self, name: str, command: str) -> None:
        """Begin a phase: a heading, and a tail of its own."""
        self._tail.clear()
        self._write(self._mask(f"== {name}: {command}"))

    def line(self, text: str) -> None:
        """Add a line."""
        text = self._mask(text)
        self._tail.append(text if len(text) <= LINE else text[: LINE - 1] + "…")
        self._write(text)

    def event(self, event: AgentEvent) -> None:
        """Add what an agent did, as a reader wants to see it."""
        if event.kind == "text":
            for line in event.text.split("\n"):
                self.line(line)
        elif event.kind == "tool":
            self.line(f"→ {event.name} {' '.join(event.paths) or event.text}".rstrip())
        elif event.kind == "waiting":
            self.line(f"… {event.text}")

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _write(self, text: str) -> None:
        if self._file is None:
            return
        data = text.encode("utf-8", "backslashreplace")
        if len(data) > LINE_BYTES:
            kept = data[:LINE_BYTES].decode("utf-8", "ignore").encode()
            data = kept + f"… ({len(data) - len(kept):,} bytes more)".encode()
        data += b"\n"
        try:
            _write_all(self._file, data)
            self._size += len(data)
            if self._kept is None and self._size > self._head:
                # The line that goes over the bound is the first that may be left out.
                self._kept = self._size - len(data)
            if self._kept is not None and self._size - self._kept > 2 * self._end:
                self._leave_out(self._file, self._kept)
        except OSError as error:
            self.problem = f"cannot write {self.path}: {error.strerror}"
            self._file.close()
            self._file = None

    def _leave_out(self, file: BinaryIO, kept: int) -> None:
        """Leave out whole lines between the beginning and the last `end` bytes. It stays the same file for readers."""
        file.seek(self._size - self._end)
        rest = file.read(self._end)
        rest = rest[rest.find(b"\n") + 1 :]
        self._cut += self._size - kept - len(self._mark) - len(rest)
        self._mark = f"== {self._cut:,} bytes of output are left out here\n".encode()
        file.truncate(kept)
        _write_all(file, self._mark + rest)
        self._size = kept + len(self._mark) + len(rest)


def _write_all(file: BinaryIO, data: bytes) -> None:
    """Write all of it: an unbuffered file may take less at once."""
    view = memoryview(data)
    while view:
        view = view[file.write(view) :]
