"""Events as JSON Lines, one a line, for `--json` and for `builds/ID/events.jsonl`: the same bytes in both.

What is written is plain ASCII, so that every encoding and every odd path survives; each line is flushed.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TextIO

from orchestra.model.events import (
    BuildFinished,
    BuildStarted,
    Event,
    Notice,
    TaskDecided,
    to_json,
)
from orchestra.reporting.output import Output

_IDLE = (BuildStarted, TaskDecided, Notice, BuildFinished)
"""What also a null build emits: none of it is worth a folder."""


def line(event: Event) -> str:
    """One event as a line of JSON in ASCII, its newline included; lone surrogates stand as escapes."""
    return json.dumps(to_json(event), ensure_ascii=True, separators=(",", ":")) + "\n"


class JsonLines:
    """A listener that writes every event to a text stream as it happens.

    A closed reader makes it quiet; any other error of writing is told once through `failed`, then quiet.
    """

    def __init__(self, stream: TextIO, failed: Callable[[OSError], None] | None = None) -> None:
        self._output = Output(stream, failed)

    @property
    def closed(self) -> bool:
        """Whether writing has ended, because the reader went away or writing failed."""
        return self._output.closed

    def notify(self, event: Event) -> None:
        """Write one event."""
        if not self._output.closed:
            self._output.write(line(event))


class EventsFile:
    """A listener that writes every event to a file, made with its folder when something really happens.

    Until the first event that a null build does not have, events wait in memory; a null build leaves no
    folder. The file is new or emptied, its folder the owner's only; it is closed at `build_finished`. The first error
    is told through `failed` and ends the writing, not the build.
    """

    def __init__(self, path: Path, failed: Callable[[OSError], None]) -> None:
        self._path = path
        self._failed = failed
        self._waiting: list[str] = []
        self._stream: TextIO | None = None
        self._over = False

    def notify(self, event: Event) -> None:
        """Take one event; it stands in the file when this returns, or waits for the first that counts."""
        if self._over:
            return
        try:
            self._take(line(event), idle=isinstance(event, _IDLE))
            if isinstance(event, BuildFinished):
                self._end()
        except OSError as error:
            self._fail(error)

    def close(self) -> None:
        """Close the file, for a build that ended without `build_finished`; what waits is dropped."""
        try:
            self._end()
        except OSError as error:
            self._fail(error)

    def _take(self, text: str, *, idle: bool) -> None:
        if self._stream is None:
            self._waiting.append(text)
            if idle:
                return
            # The state folder is 0700 already; this one need not wait for that.
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._stream = self._path.open("w", encoding="ascii", newline="\n")
            text = "".join(self._waiting)
            self._waiting.clear()
        self._stream.write(text)
        self._stream.flush()

    def _end(self) -> None:
        self._over = True
        self._waiting.clear()
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.close()

    def _fail(self, error: OSError) -> None:
        with suppress(OSError):  # the first error is the one to tell
            self._end()
        self._failed(error)
