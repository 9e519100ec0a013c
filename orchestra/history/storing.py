"""Values into SQLite and back: whatever foreign text or number an event carries can be stored, or is unknown."""

from __future__ import annotations

import json
import math
import sqlite3
from collections.abc import Iterator, Sequence
from typing import Any

_LARGEST = 2**63 - 1


def storable(value: object) -> str | bytes | int | float | None:
    """A value as SQLite takes it.

    Text with halves of surrogate pairs (a path whose bytes are no UTF-8) becomes a blob, which `loaded`
    turns back; an integer beyond 64 bits or a number that is not finite is no measurement: NULL.
    """
    if isinstance(value, str):
        text = str(value)
        try:
            text.encode()
        except UnicodeEncodeError:
            return text.encode("utf-8", "surrogatepass")
        return text
    if isinstance(value, int):
        return int(value) if -_LARGEST <= value <= _LARGEST else None
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None:
        return None
    raise sqlite3.ProgrammingError(f"cannot store a {type(value).__name__}")


def loaded(value: Any) -> Any:
    """What `storable` was given."""
    return value.decode("utf-8", "surrogatepass") if isinstance(value, bytes) else value


def listed(texts: Sequence[str]) -> str:
    """Texts as a JSON array: strings, and `{"hex": ...}` for what is no Unicode.

    JSON could escape halves of surrogate pairs, but two of them that meet would come back as one character.
    """
    stored = [storable(text) for text in texts]
    return json.dumps([{"hex": item.hex()} if isinstance(item, bytes) else item for item in stored])


def unlisted(text: str) -> tuple[str, ...]:
    """What `listed` was given."""
    return tuple(
        loaded(bytes.fromhex(item["hex"])) if isinstance(item, dict) else item for item in json.loads(text)
    )


def execute(connection: sqlite3.Connection, sql: str, *values: object) -> sqlite3.Cursor:
    """Execute one statement with values of any kind that events carry. Raises sqlite3.Error."""
    return connection.execute(sql, [storable(value) for value in values])


def rows(connection: sqlite3.Connection, sql: str, *values: object) -> Iterator[dict[str, Any]]:
    """The rows of a query by column name. Raises sqlite3.Error."""
    cursor = execute(connection, sql, *values)
    names = [column[0] for column in cursor.description]
    for row in cursor:
        yield {name: loaded(value) for name, value in zip(names, row, strict=True)}
