"""The log of one attempt or verification: readable text on disk, with its last lines at hand."""

from __future__ import annotations

from collections import deque
from pathlib import Path
from typing import IO

from orchestra.model.agents import AgentEvent

TAIL = 20
"""How many of the last lines are kept at hand."""


class AttemptLog:
    """Writes lines as they come; `tail` are the last ones since the current phase began.

    A disk that is full must not fail an attempt that goes well: what cannot be written is lost, and said once
    by `problem`.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.problem: str | None = None
        self._tail: deque[str] = deque(maxlen=TAIL)
        self._file: IO[str] | None = None
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._file = path.open("a", encoding="utf-8", errors="backslashreplace", buffering=1)
        except OSError as error:
            self.problem = f"cannot write {path}: {error.strerror}"

    @property
    def tail(self) -> tuple[str, ...]:
        """The last lines of the current phase."""
        return tuple(self._tail)

    def phase(self, name: str, command: str) -> None:
        """Begin a phase: a heading, and a tail of its own."""
        self._tail.clear()
        self._write(f"== {name}: {command}")

    def line(self, text: str) -> None:
        """Add a line."""
        self._tail.append(text)
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
        try:
            self._file.write(text + "\n")
        except OSError as error:
            self.problem = f"cannot write {self.path}: {error.strerror}"
            self._file = None
