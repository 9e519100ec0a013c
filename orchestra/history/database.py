"""Opening the history: the newest schema, private, safe beside other processes, and never in a build's way.

A damaged file is set aside and a new one begun. Reading leaves nothing behind that was not there.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from orchestra.history.migrations import SCHEMA_VERSION, migrate, version_of
from orchestra.model.errors import OrchestraError, environment_error

BUSY_MS = 10_000
"""How long a statement waits for another process, in milliseconds."""

# Primary result codes; `sqlite3` names them from Python 3.11 on.
_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
_SIDE_FILES = ("-wal", "-shm")
_MOVE = "move it away: a new one begins, and freshness does not depend on it"


@dataclass(slots=True)
class History:
    """An open history. `message` is for the person, where opening it was not uneventful."""

    path: Path
    connection: sqlite3.Connection
    message: str | None = None

    def close(self) -> None:
        """Close it; a second time does nothing. What the disk says about it is too late to matter."""
        with suppress(sqlite3.Error):
            self.connection.close()

    def __enter__(self) -> History:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def open_history(path: Path, *, busy_ms: int = BUSY_MS) -> History:
    """Open the history to write to it; make file and folder where there are none.

    A file that is no database, or a broken one, is renamed to `NAME.damaged-N`, and `message` says so.
    Raises OrchestraError where a newer orchestra has written it, where it is a link or no file, or may not be
    written; sqlite3.Error or OSError where it cannot be opened
    (disk full, locked): a build goes on without.
    """
    _check_file(path)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        return History(path, _connect(path, busy_ms))
    except sqlite3.DatabaseError as error:
        if not is_damage(error):
            raise
        cause = str(error)
    kept = set_aside(path)
    message = f"the history was damaged ({cause}): it is kept as {kept}, and a new one begins"
    return History(path, _connect(path, busy_ms), message)


def open_for_reading(path: Path, *, busy_ms: int = BUSY_MS) -> History | None:
    """Open the history to ask it; None where there is none yet.

    Of a database of an older version a private copy is brought up to date and read. Raises OrchestraError
    where it is damaged, of a newer version, or cannot be read.
    """
    if not os.path.lexists(path):
        return None
    _check_kind(path)
    try:
        connection = _connect_to_read(path, busy_ms)
        try:
            version = _known_version(connection, path)
            connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
            if version < SCHEMA_VERSION:
                connection = _migrated_copy(connection)
        except BaseException:
            connection.close()
            raise
    except sqlite3.Error as error:
        aside = "orchestra history --rebuild sets it aside and begins a new one with what git tells"
        hint = aside if is_damage(error) else None
        raise environment_error(
            f"the history cannot be read: {path}", causes=(str(error),), hint=hint
        ) from error
    return History(path, connection)


def _check_file(path: Path) -> None:
    """Raise OrchestraError where something lies there that is no database of ours to write to."""
    _check_kind(path)
    if path.exists() and not (os.access(path.parent, os.W_OK) and os.access(path, os.W_OK)):
        raise environment_error(
            f"the history cannot be written: {path}",
            hint=f"make it and its folder writable (chmod u+w {path.parent} {path}), or {_MOVE}",
        )


def _check_kind(path: Path) -> None:
    # SQLite would follow a link, and make or change a file outside the state folder.
    if path.is_symlink():
        raise environment_error(f"the history is a symbolic link: {path}", hint=_MOVE)
    if path.exists() and not path.is_file():
        raise environment_error(f"the history is not a regular file: {path}", hint=_MOVE)


def set_aside(path: Path) -> Path:
    """Rename a damaged history and what belongs to it to the first free `NAME.damaged-N`; return that path.

    Raises OSError. Only for a build, of which there is one at a time in a repository.
    """
    number = 1
    while (kept := path.with_name(f"{path.name}.damaged-{number}")).exists():
        number += 1
    path.rename(kept)
    for end in _SIDE_FILES:
        with suppress(FileNotFoundError):
            Path(f"{path}{end}").rename(f"{kept}{end}")
    return kept


def is_damage(error: sqlite3.Error) -> bool:
    """Whether an error says that the file is broken, as against busy, full or forbidden."""
    code = getattr(error, "sqlite_errorcode", None)
    return code is not None and (code & 0xFF) in _DAMAGED


def _connect(path: Path, busy_ms: int) -> sqlite3.Connection:
    # Made here first, so that it is never readable to others, not even for a moment; SQLite gives its side
    # files the mode of the database.
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    connection = sqlite3.connect(path, timeout=busy_ms / 1000, isolation_level=None)
    try:
        connection.execute(f"PRAGMA busy_timeout = {busy_ms}")
        _known_version(connection, path)
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        connection.execute("PRAGMA journal_mode = WAL").fetchone()
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
        migrate(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _connect_to_read(path: Path, busy_ms: int) -> sqlite3.Connection:
    """A connection that changes nothing.

    With `mode=ro` SQLite makes `-wal` and `-shm` and leaves them there; as a writer it takes them away again
    when it closes, so a writer it is, which `query_only` keeps from writing. Where even that may not be (a
    folder of another person's), nobody of ours writes either, and the file can be read as it stands.
    """
    name = path.absolute().as_uri()
    connection = sqlite3.connect(f"{name}?mode=rw", uri=True, timeout=busy_ms / 1000, isolation_level=None)
    try:
        connection.execute("PRAGMA query_only = ON")
        version_of(connection)
        return connection
    except sqlite3.OperationalError as error:
        connection.close()
        if (error.sqlite_errorcode & 0xFF) not in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY):
            raise
    except BaseException:
        connection.close()
        raise
    return sqlite3.connect(f"{name}?mode=ro&immutable=1", uri=True, isolation_level=None)


def _known_version(connection: sqlite3.Connection, path: Path) -> int:
    version = version_of(connection)
    if version > SCHEMA_VERSION:
        raise _too_new(path, version)
    return version


def _too_new(path: Path, version: int) -> OrchestraError:
    return environment_error(
        f"the history was written by a newer orchestra (version {version} of its schema, "
        f"this one knows {SCHEMA_VERSION}): {path}",
        hint=f"upgrade orchestra, or {_MOVE}",
    )


def _migrated_copy(connection: sqlite3.Connection) -> sqlite3.Connection:
    """A copy in the newest schema, in a temporary file that goes when it is closed; closes the original."""
    copy = sqlite3.connect("", isolation_level=None)
    try:
        connection.backup(copy)
        migrate(copy)
    except BaseException:
        copy.close()
        raise
    connection.close()
    return copy
