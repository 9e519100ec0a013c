"""A person's own question: it reads, is bounded, and says clearly what is wrong with it."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestra.history.database import History, open_for_reading, open_history
from orchestra.history.forms import answer_to_json
from orchestra.history.rows import rows_to_table, to_csv
from orchestra.history.sql import MOST_BYTES, query
from orchestra.history.tables import cells
from orchestra.model.errors import ExitStatus, OrchestraError

from .streams import real_build, record, texts
from .test_render import VALIDATOR
from .test_text import RAW


@pytest.fixture
def history(tmp_path: Path) -> Iterator[History]:
    path = tmp_path / "history.db"
    record(path, real_build())
    opened = open_for_reading(path)
    assert opened is not None
    with opened:
        yield opened


@pytest.fixture
def writable(tmp_path: Path) -> Iterator[History]:
    """What refuses to write is the question itself, not how the database was opened."""
    path = tmp_path / "writable.db"
    record(path, real_build())
    with open_history(path) as opened:
        yield opened


def test_it_answers_with_names_and_values(history: History) -> None:
    answer = query(history, "SELECT task, usd, detail FROM attempt_view", limit=10)
    assert (answer.columns, answer.rows, answer.more) == (
        ("task", "usd", "detail"),
        (("alpha", 0.25, ""),),
        False,
    )
    assert VALIDATOR.is_valid(json.loads(json.dumps(answer_to_json(answer))))
    assert rows_to_table(answer.columns, answer.rows) == "task    usd  detail\nalpha  0.25"


def test_no_more_rows_are_read_than_asked_for(history: History) -> None:
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n"
    answer = query(history, endless, limit=3)
    assert (answer.rows, answer.more) == (((1,), (2,), (3,)), True)
    assert not query(history, f"{endless} LIMIT 3", limit=3).more


def test_a_question_without_end_is_broken_off(history: History) -> None:
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"
    with pytest.raises(OrchestraError, match="takes longer") as caught:
        query(history, endless, limit=3, seconds=0.05)
    assert caught.value.status is ExitStatus.USAGE
    # The connection is as good as before.
    assert query(history, "SELECT 1", limit=1).rows == ((1,),)


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM builds",
        "UPDATE builds SET ok = 0 RETURNING build",
        "INSERT INTO builds DEFAULT VALUES",
        "CREATE TABLE x (y)",
        "CREATE TEMP TABLE x (y)",
        "DROP VIEW build_view",
        "PRAGMA query_only = OFF",
        "PRAGMA writable_schema = ON",
        "ATTACH 'other.db' AS other",
        "VACUUM INTO 'copy.db'",
        "REINDEX",
        "ANALYZE",
        "BEGIN IMMEDIATE",
        "SELECT load_extension('x')",
        "WITH gone AS (SELECT 1) DELETE FROM builds",
    ],
)
def test_nothing_is_written_opened_or_loaded(
    writable: History, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, statement: str
) -> None:
    monkeypatch.chdir(tmp_path)
    before = list(writable.connection.iterdump())
    with pytest.raises(OrchestraError, match="only read") as caught:
        query(writable, statement, limit=10)
    assert caught.value.status is ExitStatus.USAGE
    assert "--sql" in (caught.value.hint or "")
    assert list(writable.connection.iterdump()) == before
    assert not {"other.db", "copy.db"} & {item.name for item in tmp_path.iterdir()}


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("SELEC 1", "syntax error"),
        ("SELECT absent FROM builds", "no such column: absent"),
        ("SELECT 1; SELECT 2", "one statement"),
        ("", "no question"),
        ("-- only a comment", "no question"),
        ("SELECT ?", "SQLite does not understand"),
        ("SELECT '\x00'", "SQLite does not understand"),
        ("SELECT '\udc80'", "SQLite does not understand"),
        (f"SELECT zeroblob({MOST_BYTES + 1})", "too big"),
    ],
)
def test_what_is_wrong_with_a_question_is_said(history: History, statement: str, message: str) -> None:
    with pytest.raises(OrchestraError, match=message) as caught:
        query(history, statement, limit=10)
    assert caught.value.status is ExitStatus.USAGE


def test_odd_values_have_a_form_everywhere(history: History) -> None:
    answer = query(
        history, "SELECT x'ff00' AS b, NULL AS n, 1e999 AS i, char(27) || '[31m' AS e, 7 AS b", limit=1
    )
    assert answer_to_json(answer)["rows"][0]["n"] is None
    assert to_csv(answer.columns, answer.rows) == "b,n,i,e,b\nff00,,inf,,7"
    assert RAW.findall(rows_to_table(answer.columns, answer.rows).replace("\n", "")) == []


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.0006238888888888889, "0.000624"),
        (2.1661234, "2.166"),
        (-2.0, "-2"),
        (0.0, "0"),
        (1795409492.3204887, "1795409492.32"),
        (1e22, "1e+22"),
        (float("inf"), "inf"),
        (12345678, "12345678"),
    ],
)
def test_a_table_has_no_more_digits_than_a_person_reads(value: float, shown: str) -> None:
    assert rows_to_table(("n",), [(value,)]).splitlines()[1].strip() == shown
    assert to_csv(("n",), [(value,)]) == f"n\n{value}"


CELLS = st.none() | st.integers(-(2**63), 2**63 - 1) | st.floats() | st.binary(max_size=4) | texts()
ROWS = st.integers(1, 4).flatmap(
    lambda width: st.tuples(
        st.lists(texts(), min_size=width, max_size=width),
        st.lists(st.lists(CELLS, min_size=width, max_size=width), max_size=4),
    )
)


@given(ROWS, st.none() | st.integers(10, 60))
def test_any_rows_are_harmless_and_whole_in_every_form(
    told: tuple[list[str], list[list[object]]], width: int | None
) -> None:
    names, found = told
    text = to_csv(names, found)
    assert RAW.findall(text.replace("\n", "")) == []
    read = list(csv.reader(io.StringIO(text)))
    assert len([row for row in read if row]) <= len(found) + 1 and all(len(row) <= len(names) for row in read)
    table = rows_to_table(names, found, width)
    assert RAW.findall(table.replace("\n", "")) == []
    assert len(table.split("\n")) == len(found) + 1
    text.encode()


@given(st.lists(st.lists(texts(), min_size=3, max_size=3), max_size=4), st.integers(30, 80))
def test_a_table_of_text_fits_the_width(found: list[list[str]], width: int) -> None:
    for line in rows_to_table(("a", "b", "c"), found, width).split("\n"):
        assert cells(line) <= width
