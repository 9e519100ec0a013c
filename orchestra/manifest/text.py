"""Files of text: read with a bound and without ever blocking, decoded as UTF-8 or refused with the place."""

from __future__ import annotations

import errno
import os
import stat
from typing import overload

from orchestra.model.errors import Place, usage_error

MAX_DOCUMENT = 5 * 1024**2
"""The largest manifest, in bytes."""

BOM = b"\xef\xbb\xbf"


@overload
def read_bytes(path: str, shown: str, *, limit: int) -> bytes: ...


@overload
def read_bytes(path: str, shown: str, *, limit: int, follow: bool) -> bytes | None: ...


def read_bytes(path: str, shown: str, *, limit: int, follow: bool = True) -> bytes | None:
    """The content of a regular file of at most `limit` bytes; `shown` is its name in errors.

    None where it is a symbolic link that is not to be followed. Raises OrchestraError (without a place) where
    it is missing, unreadable, no regular file or larger.
    """
    # Without O_NONBLOCK, opening a named pipe would wait for a writer for ever.
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | (0 if follow else os.O_NOFOLLOW)
    try:
        descriptor = os.open(path, flags)
    except FileNotFoundError:
        raise usage_error(f"there is no file `{shown}`") from None
    except OSError as error:
        if error.errno == errno.ELOOP and not follow:
            return None
        raise usage_error(f"`{shown}` cannot be read: {error.strerror}") from error
    try:
        return _read(descriptor, shown, limit)
    except OSError as error:
        raise usage_error(f"`{shown}` cannot be read: {error.strerror}") from error
    finally:
        os.close(descriptor)


def _read(descriptor: int, shown: str, limit: int) -> bytes:
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        kind = "a folder" if stat.S_ISDIR(status.st_mode) else "not a regular file"
        raise usage_error(f"`{shown}` is {kind}")
    # The size is a guess only: the file may grow while it is read.
    data = os.read(descriptor, min(status.st_size, limit) + 1)
    while len(data) <= limit:
        more = os.read(descriptor, limit + 1 - len(data))
        if not more:
            return data
        data += more
    raise usage_error(
        f"`{shown}` is larger than {limit // 1024**2} MiB",
        hint="is it the right file? otherwise make it shorter",
    )


def decode(data: bytes, file: str) -> str:
    """The text of a file: UTF-8, with or without a byte order mark, without NUL.

    Raises OrchestraError with the place of what is not.
    """
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise usage_error("the file is UTF-16", place=Place(file, 1, 1), hint="save it as UTF-8")
    if data.startswith(BOM):
        data = data[len(BOM) :]
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise usage_error(
            f"the byte 0x{data[error.start]:02x} is not UTF-8",
            place=_place(data, error.start, file),
            hint="save the file as UTF-8",
        ) from None
    nul = data.find(b"\0")
    if nul >= 0:
        raise usage_error(
            "a NUL byte: this is not a text file",
            place=_place(data, nul, file),
            hint="remove it, or save the file as UTF-8 if it is in another encoding",
        )
    return text


def _place(data: bytes, offset: int, file: str) -> Place:
    """The place of a byte; what stands before it is valid UTF-8."""
    start = data.rfind(b"\n", 0, offset) + 1
    return Place(file, data.count(b"\n", 0, offset) + 1, len(data[start:offset].decode()) + 1)
