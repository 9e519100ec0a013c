"""The picture of a build: it fits, shows each attempt and what it went through, and needs no more than ASCII."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestra.history.database import History, open_history
from orchestra.history.queries import read_build
from orchestra.history.render import render_build, render_task
from orchestra.history.stats import read_task
from orchestra.history.tables import Column, cells, cut, table, wrapped
from orchestra.history.timeline import MOST_ROWS, timeline
from orchestra.model.events import AttemptFinished, AttemptSlot, Event
from orchestra.model.outcomes import Final, Phase

from .streams import attempt, builds, emptied, finished, landed, record, started
from .test_render import NOW, eventful
from .test_text import RAW


def test_each_attempt_is_a_bar_from_its_start_to_its_end(path: Path, history: History) -> None:
    *before, end = attempt(time=1000.0)
    assert isinstance(end, AttemptFinished)
    phases = (Phase("prepare", 1000, 1002), Phase("agent", 1002, 1010), Phase("check", 1010, 1014))
    end = replace(end, time=1016.0, phases=(*phases, Phase("capture", 1014, 1016)))
    record(path, (started(), *before, end, landed(time=1020.0), finished(time=1020.0, alpha=Final.LANDED)))
    detail = read_build(history, "b1")
    assert timeline(detail, 31, now=NOW) == (
        "         0               20 s\n"
        "0 alpha │░░████████▓▓▓▓▒▒····│\n"
        "░ prepare, setup  █ agent  ▓\n  check, review  ▒ capture  ·\n  until it landed"
    )
    plain = timeline(detail, 31, now=NOW, plain=True)
    assert "|..########====++::::|" in plain and plain.isascii()


def test_an_attempt_that_went_wrong_is_marked(path: Path, history: History) -> None:
    record(path, eventful())
    picture = timeline(read_build(history, "b1"), 80, now=NOW)
    marked = {line.split("│")[0].strip(): line.endswith("✗") for line in picture.split("\n") if "│" in line}
    assert marked == {"0 alpha": False, "beta": True, "beta #2": False, "breaker": True, "hang": True}


def test_what_is_under_way_reaches_until_now(path: Path, history: History) -> None:
    recorder = record(path, (started(time=NOW - 100), *attempt(time=NOW - 50)[:3]), close=False)
    picture = timeline(read_build(history, "b1"), 60, now=NOW)
    assert "100 s" in picture or "1 min 40 s" in picture
    assert "│?" in picture and "─ not known" in picture
    recorder.close()


def test_very_many_attempts_share_the_row_of_their_slot(path: Path, history: History) -> None:
    tasks = tuple(f"t{number}" for number in range(MOST_ROWS + 1))
    told: list[Event] = [started(tasks=tasks)]
    for number, task in enumerate(tasks):
        told += (
            replace(event, slot=number % 3) if isinstance(event, AttemptSlot) else event
            for event in attempt(task, time=1001.0 + number)
        )
    record(path, told)
    lines = timeline(read_build(history, "b1"), 60, now=NOW).split("\n")
    assert [line.split("│")[0].strip() for line in lines if "│" in line] == ["slot 0", "slot 1", "slot 2"]


def test_a_build_without_attempts_has_no_picture(path: Path, history: History) -> None:
    record(path, (started(), finished(ran=0, alpha=Final.FRESH)))
    assert timeline(read_build(history, "b1"), 80, now=NOW) == ""


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    deadline=None,
    max_examples=40,
)
@given(builds(), st.integers(30, 120), st.booleans())
def test_any_build_fits_any_terminal(tmp_path: Path, events: list[Event], width: int, plain: bool) -> None:
    path = emptied(tmp_path)
    record(path, events)
    with open_history(path) as history:
        detail = read_build(history, "b1")
        picture = timeline(detail, width, now=NOW, plain=plain)
        assert all(cells(line) <= width for line in picture.split("\n") if "│" in line or "|" in line)
        attempts = [one for task in detail.tasks for one in task.attempts]
        assert (picture == "") == (not attempts)
        texts = [picture, render_build(detail, now=NOW, width=width, plain=plain)]
        texts += [render_task(read_task(history, one.task), now=NOW, width=width) for one in attempts]
        for text in texts:
            assert RAW.findall(text.replace("\n", "")) == []


# --- tables ----------------------------------------------------------------------------------------------------

COLUMNS = (Column("NAME", cut=True), Column("N", right=True), Column("SEEN", drop=2), Column("COST", drop=1))


def test_what_has_no_room_is_left_out_and_then_cut() -> None:
    rows = [["a-long-name-of-a-task", "7", "today", "$1.00"]]
    assert table(COLUMNS, rows).split("\n")[1] == "a-long-name-of-a-task  7  today  $1.00"
    assert table(COLUMNS, rows, 30).split("\n")[1] == "a-long-name-…  7  today  $1.00"
    assert table(COLUMNS, rows, 20).split("\n")[1] == "a-long-na…  7  $1.00"
    assert table(COLUMNS, rows, 12).split("\n")[1] == "a-long-n…  7"


def test_a_column_of_nothing_takes_no_room() -> None:
    assert table((Column("A"), Column(""), Column("B")), [["1", "", "2"]]) == "A  B\n1  2"


@given(st.text(st.characters(categories=["L", "N", "P"]), max_size=20), st.integers(0, 12))
def test_a_text_is_cut_to_its_columns_and_says_so(text: str, width: int) -> None:
    shown = cut(text, width)
    assert cells(shown) <= width
    assert shown == text if cells(text) <= width else shown.endswith("…") or width == 0


def test_lines_are_wrapped_at_words_alone() -> None:
    assert wrapped("one two three four five six", 20) == "one two three four\n  five six"
    assert wrapped("refs/orchestra/rejected/very-long-name", 20) == "refs/orchestra/rejected/very-long-name"
    assert wrapped("one two three four five six", None) == "one two three four five six"
