"""Text out through a stream: flushed at once, never fatal.

A reader that went away (`orchestra build | head`) makes it quiet; so does any other failure to write, which is
told once. A character that the stream's encoding lacks is replaced, so that a poor locale ends no build.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TextIO

_PLAIN = str.maketrans({"→": "->", "…": "...", "×": "x", "–": "-"})


class Output:
    """Writes to a text stream; `failed` is called once with an error other than a closed pipe."""

    def __init__(self, stream: TextIO, failed: Callable[[OSError], None] | None = None) -> None:
        self._stream = stream
        self._failed = failed
        self.closed = False
        """Whether writing has ended, because the reader went away or writing failed."""

    def write(self, text: str) -> None:
        """Write and flush the text; nothing once writing has ended."""
        if self.closed:
            return
        try:
            self._stream.write(self._encodable(text))
            self._stream.flush()
        except BrokenPipeError:
            self.closed = True
        except OSError as error:
            self.closed = True
            if self._failed is not None:
                self._failed(error)

    def _encodable(self, text: str) -> str:
        encoding = self._stream.encoding or "utf-8"
        try:
            text.encode(encoding)
        except UnicodeEncodeError:
            return text.translate(_PLAIN).encode(encoding, "backslashreplace").decode(encoding)
        return text
