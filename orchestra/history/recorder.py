"""The listener that keeps the history: durable at each change of state, one transaction for a null build.

It never stops a build: the first error of the database is told once, and nothing more is recorded.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from orchestra import __version__
from orchestra.history.database import BUSY_MS, History, is_damage, open_history, set_aside
from orchestra.history.writing import Writer
from orchestra.model.events import (
    AgentDid,
    AttemptFinished,
    AttemptStarted,
    BranchAdvanced,
    BuildFinished,
    BuildPlanned,
    BuildStarted,
    Event,
    LimitChanged,
    MachineSampled,
    Notice,
    PhaseStarted,
    TaskDecided,
    TaskHeld,
    TaskLanded,
    TaskRejected,
    TaskUnchanged,
    VerifyStarted,
)
from orchestra.model.freshness import State

_UNRECORDED = (BuildPlanned, LimitChanged, MachineSampled, Notice, PhaseStarted, TaskHeld)
# With these a build has begun to do something: until then it may turn out to have nothing to do.
_BEGIN = (AttemptStarted, VerifyStarted, TaskLanded, TaskUnchanged, BranchAdvanced)
# Nobody waits to read these: they go with what comes next.
_LATER = (TaskDecided, AgentDid)
# These reach the disk before the build goes on; the others are visible to readers at once, survive the death
# of the process, and reach the disk with the next of these.
_DURABLE = (
    *(BuildStarted, AttemptStarted, AttemptFinished, TaskLanded, TaskRejected),
    *(BranchAdvanced, BuildFinished),
)


class Recorder:
    """Writes what happens into a history. Builds may follow one another; dry runs are not recorded.

    `on_error` is called with one line for the person, by `notify` and `close` at most once. Events that
    belong to no build that it saw start are let pass.
    """

    def __init__(
        self, history: History | None, *, on_error: Callable[[str], None], pid: int | None = None
    ) -> None:
        """Record into `history`, which it closes in the end; None: record nothing."""
        self._history = history
        self._on_error = on_error
        self._pid = os.getpid() if pid is None else pid
        self._build: str | None = None
        self._begun = False
        self._waiting: list[Event] = []
        self._last = 0.0

    @classmethod
    def open(cls, path: Path, *, on_error: Callable[[str], None], busy_ms: int = BUSY_MS) -> Recorder:
        """A recorder for the history at `path`, which tells `on_error` if it cannot be opened or was damaged.

        Raises OrchestraError where a newer orchestra wrote it.
        """
        try:
            history = open_history(path, busy_ms=busy_ms)
        except (sqlite3.Error, OSError) as error:
            on_error(f"nothing will be recorded: the history cannot be opened ({error}): {path}")
            return cls(None, on_error=on_error)
        if history.message is not None:
            on_error(history.message)
        return cls(history, on_error=on_error)

    @property
    def recording(self) -> bool:
        """Whether it still writes: False after an error and after `close`."""
        return self._history is not None

    def notify(self, event: Event) -> None:
        """Take one event; raises nothing."""
        if isinstance(event, BuildStarted):
            self._leave_build()
            self._build = None if event.dry_run else event.build
        if self._history is None or event.build != self._build:
            return
        self._last = event.time
        if isinstance(event, _UNRECORDED) or _says_nothing(event):
            return
        self._waiting.append(event)
        self._begun = self._begun or isinstance(event, _BEGIN)
        if isinstance(event, BuildFinished):
            self._flush()
            self._forget_build()
        elif self._begun and not isinstance(event, _LATER):
            self._flush()

    def close(self) -> None:
        """Note a build that has not finished as broken off, and close the history; raises nothing."""
        self._leave_build()
        if self._history is not None:
            self._history.close()
            self._history = None

    def _leave_build(self) -> None:
        if self._build is not None and self._history is not None:
            self._flush(closing=self._build)
        self._forget_build()

    def _forget_build(self) -> None:
        self._build = None
        self._begun = False
        self._waiting = []

    def _flush(self, *, closing: str | None = None) -> None:
        """Write what waits in one transaction; `closing` names the build that ends here unfinished."""
        if self._history is None:
            return
        connection = self._history.connection
        writer = Writer(connection, self._pid, __version__)
        # That nothing ran may be lost with the power; it is not worth a wait for the disk.
        durable = self._begun and any(isinstance(event, _DURABLE) for event in self._waiting)
        try:
            connection.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
            connection.execute("BEGIN IMMEDIATE")
            for event in self._waiting:
                writer.write(event)
            if closing is not None:
                writer.close(closing, self._last)
            connection.execute("COMMIT")
        except sqlite3.Error as error:
            self._give_up(self._history, error)
        except BaseException:
            # An interrupt in between: what waits is written with what comes next.
            with suppress(sqlite3.Error):
                connection.execute("ROLLBACK")
            raise
        self._waiting = []

    def _give_up(self, history: History, error: sqlite3.Error) -> None:
        self._history = None
        with suppress(sqlite3.Error):
            history.connection.execute("ROLLBACK")
        history.close()
        message = f"nothing more is recorded of this build: the history cannot be written ({error})"
        if is_damage(error):
            with suppress(OSError):
                message += f"; it is kept as {set_aside(history.path)}, and the next build begins a new one"
        self._on_error(message)


def _says_nothing(event: Event) -> bool:
    """Whether an event is one of the many of its kind that leave no row."""
    match event:
        case TaskDecided():
            return event.state is State.FRESH
        case AgentDid():
            return event.agent_event.kind != "started" or not event.agent_event.text
    return False
