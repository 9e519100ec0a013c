"""What was taken back, in the history: written after the branch has moved, read beside the builds."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from pathlib import Path

from orchestra.history.database import History, open_history
from orchestra.history.queries import ask
from orchestra.history.storing import execute, listed, unlisted
from orchestra.model.errors import OrchestraError


@dataclass(frozen=True, slots=True)
class RollbackRecord:
    """One rollback: when (seconds since the epoch), which branch moved from which commit to which new one, the tasks
    whose landings were taken back, the person's own commits that went too, and whether a verification passed.
    """

    time: float
    branch: str
    old: str
    new: str
    tasks: tuple[str, ...]
    commits: tuple[str, ...]
    verified: bool


def record_rollback(path: Path, record: RollbackRecord) -> str | None:
    """Write one into the history at `path`; gives what the person is to know where that could not be done."""
    try:
        with open_history(path) as history:
            execute(
                history.connection,
                "INSERT INTO rollbacks (time, branch, old, new, tasks, commits, verified) VALUES (?, ?, ?, ?, ?, ?, ?)",
                *(record.time, record.branch, record.old, record.new),
                *(listed(record.tasks), listed(record.commits), record.verified),
            )
            return history.message
    except (sqlite3.Error, OSError, OrchestraError) as error:
        return f"it is not recorded: the history cannot be written ({error})"


def read_rollbacks(history: History, *, limit: int | None = 20) -> tuple[RollbackRecord, ...]:
    """The newest rollbacks, newest first; all of them where `limit` is None.

    Raises OrchestraError (exit status 3) where the database cannot be read.
    """
    rows = ask(
        history,
        "SELECT * FROM rollbacks ORDER BY time DESC, id DESC LIMIT ?",
        -1 if limit is None else limit,
    )
    return tuple(
        RollbackRecord(
            row["time"],
            row["branch"],
            row["old"],
            row["new"],
            unlisted(row["tasks"]),
            unlisted(row["commits"]),
            bool(row["verified"]),
        )
        for row in rows
    )
