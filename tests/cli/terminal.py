"""A pseudo-terminal at which orchestra is called, read and typed at as a person would."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys
import time
from types import TracebackType

from tests.cli.scratch import Scratch

PATIENCE = 60.0
"""Seconds after which what does not come will not come."""


class Terminal:
    """One call of orchestra at a terminal of its own; to be used as a context manager."""

    def __init__(self, scratch: Scratch, *argv: str, program: tuple[str, ...] | None = None) -> None:
        """`program` is what runs instead of orchestra."""
        self.fd, slave = pty.openpty()
        name = os.ttyname(slave)
        # The first terminal that the leader of a session opens is the one whose Ctrl-C it gets.
        opening = ["sh", "-c", 'exec "$@" <"$0" >"$0" 2>&1', name]
        called = program or (sys.executable, "-m", "orchestra")
        env = {**scratch.env, "COLUMNS": "100", "TERM": "xterm"}
        self.process = subprocess.Popen(
            [*opening, *called, *argv], cwd=scratch.root, env=env, start_new_session=True
        )
        # Held open: else what is shown would be gone with its last writer.
        self._slave = slave
        self.shown = ""

    def __enter__(self) -> Terminal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        for fd in (self.fd, self._slave):
            os.close(fd)

    def until(self, text: str) -> str:
        """Wait until the text is shown; gives all that was shown so far."""
        end = time.monotonic() + PATIENCE
        while text not in self.shown:
            assert self._read(end), f"{text!r} was not shown: {self.shown}"
        return self.shown

    def type(self, text: str) -> None:
        """Type something; `\\x03` is Ctrl-C, `\\x04` Ctrl-D."""
        os.write(self.fd, text.encode())

    def ended(self) -> int:
        """Wait for the end; gives the exit status."""
        end = time.monotonic() + PATIENCE
        while self.process.poll() is None:
            self._read(min(end, time.monotonic() + 0.05))
            assert time.monotonic() < end, f"it does not end: {self.shown}"
        while self._read(time.monotonic()):
            pass
        return self.process.returncode

    def _read(self, until: float) -> bool:
        """Read what comes until then; False where nothing did."""
        ready, _, _ = select.select([self.fd], [], [], max(0.0, until - time.monotonic()))
        if not ready:
            return False
        self.shown += os.read(self.fd, 65536).decode("utf-8", "replace").replace("\r\n", "\n")
        return True


def said(scratch: Scratch, *argv: str, answer: str) -> tuple[int, str]:
    """Call orchestra at a terminal and answer its question; gives exit status and all that was shown."""
    with Terminal(scratch, *argv) as terminal:
        terminal.until("[Y/n]")
        terminal.type(answer)
        return terminal.ended(), terminal.shown


def unasked(scratch: Scratch, *argv: str) -> tuple[int, str]:
    """Call orchestra at a terminal that must not ask anything; gives exit status and all that was shown."""
    with Terminal(scratch, *argv) as terminal:
        status = terminal.ended()
        assert "[Y/n]" not in terminal.shown
        return status, terminal.shown
