"""The trace that `orchestra build --trace FILE` asks for; who does not ask pays nothing for it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from orchestra.reporting.report.tracing import TraceFile


def trace_of(path: Path | None, failed: Callable[[str], None]) -> tuple[TraceFile, ...]:
    """Who listens to write it, nobody where none was asked for. Raises OrchestraError where it cannot be written."""
    if path is None:
        return ()
    from orchestra.reporting.report.tracing import TraceFile

    return (TraceFile(path, failed),)
