"""The log of an attempt for a reader: as it stands, or line by line while it grows; foreign text made harmless."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from orchestra.model.text import clean

CHUNK = 2**16
"""Bytes that are read at once."""


def read_log(path: Path, *, raw: bool = False) -> Iterator[bytes]:
    """What a log holds, in pieces; without `raw` no control character of an agent's reaches the reader.

    Raises OSError where it cannot be read.
    """
    return follow_log(path, lambda: False, raw=raw)


def follow_log(path: Path, more: Callable[[], bool], *, raw: bool = False) -> Iterator[bytes]:
    """What a log holds, and then what is added to it, as long as `more` says that something may be (it waits a while).

    A log that is over its bound loses its middle: what was not shown before that is left out here too. Raises
    OSError where it cannot be read.
    """
    rest = b""
    with path.open("rb") as file:
        ends = False
        while True:
            data = file.read(CHUNK)
            if data:
                ends = False
                lines = (rest + data).split(b"\n")
                rest = lines.pop()
                for line in lines:
                    yield _shown(line, raw) + b"\n"
                continue
            if ends:
                # Asked once more after the end was told: what was written before it is there now.
                break
            if path.stat().st_size < file.tell():
                rest = b""
                file.seek(0, 2)
                yield b"== the log was shortened meanwhile: see its file for the beginning\n"
            ends = not more()
    if rest:
        yield _shown(rest, raw) + b"\n"


def _shown(line: bytes, raw: bool) -> bytes:
    if raw:
        return line
    return clean(line.decode("utf-8", "surrogateescape")).encode("utf-8", "backslashreplace")
