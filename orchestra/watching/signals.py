"""Signals as something that a loop reads: each handled where the loop stands, not where it happened to be."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import suppress
from types import FrameType, TracebackType
from typing import Any

ENDS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""What ends a watch."""


class Signals:
    """To be used as a context manager, which takes the signals and gives them back; `fd` is readable when one came."""

    def __init__(self) -> None:
        self.fd, self._other = os.pipe()
        os.set_blocking(self.fd, False)
        os.set_blocking(self._other, False)
        self._before: dict[int, Any] = {}
        self._wakeup = -1

    def __enter__(self) -> Signals:
        self._wakeup = signal.set_wakeup_fd(self._other, warn_on_full_buffer=False)
        for number in (*ENDS, signal.SIGTSTP, signal.SIGCONT):
            if number != signal.SIGINT and signal.getsignal(number) is signal.SIG_IGN:
                continue  # nohup: it is to outlive the terminal
            self._before[number] = signal.signal(number, _noted)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        signal.set_wakeup_fd(self._wakeup)
        for number, handler in self._before.items():
            signal.signal(number, handler)
        os.close(self.fd)
        os.close(self._other)

    def read(self) -> Iterator[int]:
        """The signals that came."""
        with suppress(BlockingIOError):
            yield from os.read(self.fd, 64)

    def stop_here(self) -> None:
        """Stop this process, as Ctrl-Z would have; returns when it goes on."""
        signal.signal(signal.SIGTSTP, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGTSTP)
        signal.signal(signal.SIGTSTP, _noted)


def _noted(number: int, frame: FrameType | None) -> None:
    """The wake-up descriptor carries the signal; nothing else is to be done where it arrives."""
