"""A person's own question to the history in SQL: it reads and nothing else, and ends in bounded time and space.

The database refuses at three places, any of which would do: the connection is opened for queries only, an authorizer
lets through nothing but reading, and what takes too long is broken off.
"""

from __future__ import annotations

import sqlite3
import time
from dataclasses import dataclass

from orchestra.history.database import History, is_damage
from orchestra.history.storing import loaded
from orchestra.model.errors import OrchestraError, environment_error, usage_error

SECONDS = 60.0
"""How long a question may take."""

MOST_BYTES = 64 * 2**20
"""Bytes of one value, or of one row, at most."""

_STEPS = 20_000
"""Instructions of SQLite's machine between two looks at the clock: some milliseconds."""

_READS = frozenset(
    (sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE)
)
# Reads files, or loads code, where SQLite was built so.
_FORBIDDEN = frozenset(("load_extension", "readfile", "writefile", "edit", "fts3_tokenizer"))

Value = str | bytes | int | float | None


@dataclass(frozen=True, slots=True)
class Answer:
    """The names of the columns and the rows; `more`: there are further rows, which were not read."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Value, ...], ...]
    more: bool


def query(history: History, sql: str, *, limit: int, seconds: float = SECONDS) -> Answer:
    """Ask one SELECT statement; at most `limit` rows are read, for at most so many seconds.

    Raises OrchestraError: exit status 2 where the statement is wrong, no question, or takes too long, 3 where the
    database cannot be read.
    """
    connection = history.connection
    ends = time.monotonic() + seconds
    denied: list[str] = []

    def authorize(action: int, first: str | None, second: str | None, *rest: object) -> int:
        if action in _READS and (second or "").lower() not in _FORBIDDEN:
            return sqlite3.SQLITE_OK
        denied.append(first or second or "")
        return sqlite3.SQLITE_DENY

    connection.execute("PRAGMA query_only = ON")
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MOST_BYTES)
    connection.set_authorizer(authorize)
    connection.set_progress_handler(lambda: time.monotonic() > ends, _STEPS)
    try:
        cursor = connection.execute(sql)
        if cursor.description is None:
            raise usage_error("that is no question", hint='ask with SELECT: --sql "SELECT * FROM build_view"')
        found = cursor.fetchmany(limit + 1)
    except (sqlite3.Error, sqlite3.Warning, ValueError, MemoryError) as error:
        raise _told(history, error, seconds, denied=bool(denied)) from error
    finally:
        connection.set_progress_handler(None, 0)
        connection.set_authorizer(None)
    columns = tuple(column[0] for column in cursor.description)
    return Answer(columns, tuple(tuple(map(_shown, row)) for row in found[:limit]), len(found) > limit)


def _shown(value: Value) -> Value:
    """A value as it was recorded: text that is no Unicode is stored as bytes."""
    try:
        known: Value = loaded(value)
    except UnicodeDecodeError:
        return value
    return known


def _told(history: History, error: Exception, seconds: float, *, denied: bool) -> OrchestraError:
    if isinstance(error, sqlite3.Error) and is_damage(error):
        return environment_error(
            f"the history cannot be read: {history.path}",
            causes=(str(error),),
            hint="orchestra history --rebuild",
        )
    if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_INTERRUPT:
        return usage_error(
            f"the question takes longer than {seconds:g} s", hint="narrow it with WHERE, or add up less"
        )
    if denied:
        return usage_error(
            f"the history is only read here: {error}",
            hint='ask with SELECT: --sql "SELECT * FROM build_view"',
        )
    hint = '--sql "SELECT name, sql FROM sqlite_master" shows tables, columns and views'
    return usage_error(f"SQLite does not understand the question: {error}", hint=hint)
