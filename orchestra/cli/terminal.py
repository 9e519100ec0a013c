"""How wide the terminal is to which a command writes, where it writes to one."""

from __future__ import annotations

import shutil
from typing import TextIO


def width_of(stream: TextIO) -> int | None:
    """The columns of the terminal behind the stream (`COLUMNS` goes before); None where there is none.

    What goes to a file or a pipe is cut nowhere.
    """
    return shutil.get_terminal_size().columns if stream.isatty() else None
