"""Messages between a watch and the process of a build: each a length and a pickled value, through a pipe.

Both ends are the same program, started by the same person.
"""

from __future__ import annotations

import os
import pickle
import struct
from collections.abc import Iterator
from typing import Any

_LENGTH = struct.Struct("!Q")


def packed(value: object) -> bytes:
    """A message that carries a value."""
    body = pickle.dumps(value, protocol=5)
    return _LENGTH.pack(len(body)) + body


def send(fd: int, value: object) -> None:
    """Write a message, all of it; raises BrokenPipeError where nobody reads any more."""
    rest = memoryview(packed(value))
    while rest:
        rest = rest[os.write(fd, rest) :]


def receive(fd: int) -> Any:
    """Wait for one message; raises EOFError where none comes any more."""
    (length,) = _LENGTH.unpack(_exactly(fd, _LENGTH.size))
    return pickle.loads(_exactly(fd, length))


class Messages:
    """Messages out of pieces, as they come from a pipe."""

    def __init__(self) -> None:
        self._rest = bytearray()

    def feed(self, piece: bytes) -> Iterator[Any]:
        """Take what was read; gives the values of the messages that are complete."""
        self._rest += piece
        while len(self._rest) >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(self._rest)
            end = _LENGTH.size + length
            if len(self._rest) < end:
                return
            value = pickle.loads(bytes(self._rest[_LENGTH.size : end]))
            del self._rest[:end]
            yield value


def _exactly(fd: int, size: int) -> bytes:
    found = bytearray()
    while len(found) < size:
        piece = os.read(fd, size - len(found))
        if not piece:
            raise EOFError
        found += piece
    return bytes(found)
