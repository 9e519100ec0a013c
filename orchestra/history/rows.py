"""Rows for other programs and for a person's own questions: CSV, JSON data, or a table. Pure."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from math import isfinite
from typing import Any

from orchestra.history.tables import Column, table
from orchestra.model.text import clean


def to_csv(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Rows as CSV (RFC 4180, lines end with a newline), with a line of titles and without a final newline.

    Unknown is empty. Control characters of foreign text are shown as escapes, so that it may be looked at as well.
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([clean(column) for column in columns])
    writer.writerows([_cell(value) for value in row] for row in rows)
    return out.getvalue().rstrip("\n")


def records_to_csv(records: Sequence[object], names: Sequence[str]) -> str:
    """The named fields of values as CSV; a field of a field is named with a dot, which its title leaves out."""
    return to_csv(
        [name.rpartition(".")[2] for name in names],
        ([_field(one, name) for name in names] for one in records),
    )


def rows_to_table(columns: Sequence[str], rows: Sequence[Sequence[object]], width: int | None = None) -> str:
    """Rows as a table; numbers stand at the right, with no more digits than a person reads."""
    texts = [[_shown(value) for value in row] for row in rows]
    numeric = [
        all(isinstance(row[place], int | float) or row[place] is None for row in rows)
        for place in range(len(columns))
    ]
    titles = [
        Column(clean(name) or " ", right=bool(rows) and numeric[place], cut=not numeric[place])
        for place, name in enumerate(columns)
    ]
    return table(titles, texts, width)


def rows_to_json(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> list[dict[str, Any]]:
    """Rows as objects; of columns that have one name the last counts."""
    return [{name: _json(value) for name, value in zip(columns, row, strict=True)} for row in rows]


def _field(record: object, name: str) -> object:
    value: object = record
    for part in name.split("."):
        value = getattr(value, part)
    return value


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, tuple):
        return clean(", ".join(str(getattr(one, "kind", one)) for one in value))
    return clean(str(value))


def _shown(value: object) -> str:
    if not isinstance(value, float) or not isfinite(value):
        return _cell(value)
    return f"{value:.3g}" if abs(value) < 1 else f"{round(value, 3):.15g}"


def _json(value: object) -> Any:
    return value.hex() if isinstance(value, bytes) else value
