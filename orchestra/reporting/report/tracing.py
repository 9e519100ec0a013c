"""A listener that writes a build's trace when the build is over."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from orchestra.model.errors import environment_error
from orchestra.model.events import AgentDid, BuildFinished, Event, to_json
from orchestra.reporting.report.trace import trace_text
from orchestra.reporting.telling import story_of


class TraceFile:
    """Writes the trace of one build to a file, whether the build went well or not.

    One that is killed leaves none: `orchestra report --format trace` makes it from what was written down. An error of
    writing is told once through `failed`.
    """

    def __init__(self, path: Path, failed: Callable[[str], None]) -> None:
        """Raises OrchestraError where the file cannot be written, before the build has cost anything."""
        self._path = path
        self._failed = failed
        self._events: list[dict[str, Any]] = []
        try:
            new = not os.path.lexists(path)
            with path.open("a"):
                pass
            if new:
                # Until there is a trace: an empty file in the checkout would be told as one that tasks do not see.
                path.unlink()
        except OSError as error:
            raise environment_error(f"cannot write {path}", causes=(str(error.strerror or error),)) from error

    def notify(self, event: Event) -> None:
        """Take one event."""
        if isinstance(event, AgentDid):
            return  # by far the most, and no part of a trace
        # As it is written down: so that a trace made later is the same.
        self._events.append(json.loads(json.dumps(to_json(event))))
        if isinstance(event, BuildFinished):
            self.close()

    def close(self) -> None:
        """Write what was told, also of a build that ends without its last event."""
        story = story_of(self._events)
        self._events = []
        if story is None:
            return
        try:
            self._path.write_text(trace_text(story), "ascii")
        except OSError as error:
            self._failed(f"{self._path}: {error.strerror or error}")
