"""What of an event becomes which value: what is unknown stays unknown, and why a task ran is why it ran."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from orchestra.history.database import History, open_for_reading, open_history
from orchestra.history.queries import ask, read_attempts, read_build
from orchestra.history.sql import query
from orchestra.history.writing import MOST
from orchestra.model.errors import ExitStatus, OrchestraError
from orchestra.model.events import (
    AttemptFinished,
    AttemptStarted,
    BranchAdvanced,
    BranchBehind,
    Event,
    TaskFailed,
)
from orchestra.model.freshness import Reason, ReasonKind
from orchestra.model.outcomes import Final, Outcome

from .streams import attempt, finished, landed, real_build, record, started


def ended(**values: Any) -> tuple[Event, ...]:
    """An attempt whose end says this."""
    return tuple(
        replace(event, **values) if isinstance(event, AttemptFinished) else event for event in attempt()
    )


@pytest.mark.parametrize(
    ("values", "stored"),
    [
        ({"cpu_s": 0.0, "peak_bytes": 0}, (None, None, 120)),
        ({"cpu_s": 0.0, "peak_bytes": 7}, (0.0, 7, 120)),
        ({"cpu_s": 1.5, "peak_bytes": 0}, (1.5, None, 120)),
        ({"changed_bytes": 0}, (1.5, 50_000_000, 0)),
        ({"changed_bytes": 0, "result": None}, (1.5, 50_000_000, None)),
        ({"changed_bytes": 0, "result": None, "outcome": Outcome.NO_CHANGE}, (1.5, 50_000_000, 0)),
    ],
)
def test_what_was_not_measured_is_unknown_and_not_nothing(
    path: Path, history: History, values: dict[str, Any], stored: tuple[object, ...]
) -> None:
    record(path, (started(), *ended(**values)), close=False)
    (row,) = ask(history, "SELECT cpu_s, peak_bytes, changed_bytes FROM attempts")
    assert tuple(row.values()) == stored


def test_what_was_interrupted_did_not_fail(path: Path, history: History) -> None:
    for build, outcome in (("b1", Outcome.INTERRUPTED), ("b2", Outcome.TIMED_OUT)):
        record(
            path,
            (
                started(build),
                *attempt(build=build),
                TaskFailed(1004.0, build, "alpha", f"{build}-alpha-1", outcome, "stopped"),
            ),
        )
    finals = [read_build(history, build).tasks[0] for build in ("b1", "b2")]
    assert [task.final for task in finals] == ["interrupted", "failed"]
    assert [task.attempts[0].endings[0].kind for task in finals] == ["interrupted", "failed"]


def test_an_attempt_tells_its_own_reasons_though_as_many_others_were_told_before(
    path: Path, history: History
) -> None:
    def otherwise(event: Event) -> Event:
        why = (Reason(ReasonKind.PROMPT_CHANGED, "prompt", "1", "2"),)
        return replace(event, reasons=why) if isinstance(event, AttemptStarted) else event

    record(path, (started(), *map(otherwise, attempt()), landed(), finished(alpha=Final.LANDED)))
    _, (found,) = read_attempts(history, "alpha")
    assert [(why.kind, why.subject) for why in found.reasons] == [("prompt-changed", "prompt")]


def test_of_very_many_reasons_the_first_are_kept_and_all_are_counted(path: Path, history: History) -> None:
    many = tuple(Reason(ReasonKind.INPUT_CHANGED, f"src/{number}", "1", "2") for number in range(MOST + 50))

    def much(event: Event) -> Event:
        return replace(event, reasons=many) if isinstance(event, AttemptStarted) else event

    record(path, (started(), *map(much, attempt()), landed(), finished(alpha=Final.LANDED)))
    _, (found,) = read_attempts(history, "alpha")
    assert found.reason_count == MOST + 50
    assert [why.subject for why in found.reasons] == [f"src/{number}" for number in range(MOST)]


def test_where_the_work_lies_that_could_not_advance_is_known(path: Path, history: History) -> None:
    record(
        path,
        (
            started(),
            BranchAdvanced(1001.0, "b1", "refs/heads/main", "c0", "c1"),
            BranchBehind(
                1002.0, "b1", "refs/heads/main", "orchestra/build-b1", "c2", "in the way", "git merge"
            ),
        ),
    )
    first, second = read_build(history, "b1").advances
    assert (first.done, first.old, first.new, first.parked, first.why) == (True, "c0", "c1", None, None)
    assert (second.done, second.old, second.new) == (False, None, "c2")
    assert (second.parked, second.why) == ("orchestra/build-b1", "in the way")


def test_a_name_that_is_no_unicode_is_asked_and_told_as_it_is(path: Path, history: History) -> None:
    record(path, (started(tasks=("a\udcff",)), *attempt("a\udcff")), close=False)
    assert query(history, "SELECT task FROM attempts", limit=1).rows == (("a\udcff",),)


def test_damage_that_a_question_meets_says_what_to_do_about_it(path: Path) -> None:
    record(path, real_build())
    with open_history(path) as opened:
        (table,) = ask(opened, "SELECT rootpage FROM sqlite_master WHERE name = 'attempts'")
        (page,) = ask(opened, "PRAGMA page_size")
    with path.open("r+b") as file:
        file.seek((table["rootpage"] - 1) * page["page_size"])
        file.write(b"\xff" * page["page_size"])
    reading = open_for_reading(path)
    assert reading is not None
    with pytest.raises(OrchestraError, match="cannot be read") as caught, reading as opened:
        query(opened, "SELECT * FROM attempts", limit=1)
    assert caught.value.status is ExitStatus.ENVIRONMENT
    assert caught.value.hint == "orchestra history --rebuild"
