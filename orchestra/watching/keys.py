"""Keys on a terminal: read one by one while the watch is in the foreground; the terminal is given back in any case."""

from __future__ import annotations

import os
import termios
import tty
from contextlib import suppress


class Keys:
    """The keys of a terminal, by its descriptor; takes none until `take`.

    Signals of the terminal (Ctrl-C, Ctrl-Z) stay what they are.
    """

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self._before: list[int | list[bytes | int]] | None = None

    @property
    def taken(self) -> bool:
        """Whether keys come one by one now."""
        return self._before is not None

    def take(self) -> bool:
        """Have keys one by one from now on, where this process is in the foreground; tells whether it is."""
        if not self._in_foreground():
            return False
        try:
            if self._before is None:
                self._before = termios.tcgetattr(self.fd)
            # Also where it was done before: while this process was stopped, the shell may have set it otherwise.
            tty.setcbreak(self.fd, termios.TCSANOW)
        except (OSError, termios.error):
            self._before = None
            return False
        return True

    def read(self) -> str | None:
        """The keys that were pressed; None where there will be no more."""
        # In the background, reading would stop this process.
        if not self._in_foreground():
            return ""
        try:
            pressed = os.read(self.fd, 64)
        except OSError:
            return None
        return pressed.decode("ascii", "replace") if pressed else None

    def give_back(self) -> None:
        """Put the terminal into the state in which it was."""
        before, self._before = self._before, None
        if before is not None and self._in_foreground():
            with suppress(OSError, termios.error):
                termios.tcsetattr(self.fd, termios.TCSANOW, before)

    def _in_foreground(self) -> bool:
        try:
            return os.tcgetpgrp(self.fd) == os.getpgrp()
        except OSError:
            return False
