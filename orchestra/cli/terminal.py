"""The terminal at which a command was called, where it was at one: how wide it is, whether somebody can answer."""

from __future__ import annotations

import shutil
import sys
from typing import TextIO


def width_of(stream: TextIO) -> int | None:
    """The columns of the terminal behind the stream (`COLUMNS` goes before); None where there is none.

    What goes to a file or a pipe is cut nowhere.
    """
    return shutil.get_terminal_size().columns if stream.isatty() else None


def can_ask() -> bool:
    """Whether there is a person to ask: what is shown goes to a terminal, and what is typed comes from one."""
    return sys.stdin is not None and sys.stdin.isatty() and sys.stdout.isatty()
