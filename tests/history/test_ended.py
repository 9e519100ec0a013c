"""How an attempt ended, for who is to go on from there: by what was said of it last, and by its own words else."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from orchestra.history.database import History
from orchestra.history.ended import Ended, attempt_ended
from orchestra.model.events import (
    AttemptFinished,
    AttemptSlot,
    AttemptStarted,
    Event,
    TaskAgain,
    TaskFailed,
    TaskRejected,
)
from orchestra.model.outcomes import Outcome

from .streams import attempt, landed, record, started

LOG = "/logs/b1-alpha-1.log"


def told(path: Path, history: History, *after: Event, **of_the_end: Any) -> Ended | None:
    """What is known of an attempt after these events, which are of the build that made it or of a later one."""
    events = (
        replace(event, **of_the_end) if isinstance(event, AttemptFinished) else event for event in attempt()
    )
    # As the product names attempts, the build's name and a number.
    named = [
        replace(event, attempt="b1-1")
        if isinstance(event, AttemptStarted | AttemptSlot | AttemptFinished)
        else event
        for event in events
    ]
    record(path, (started(), *named, *(event for event in after if event.build == "b1")), close=False)
    later = [event for event in after if event.build != "b1"]
    if later:
        record(path, (started(later[0].build), *later))
    return attempt_ended(history, "b1-1")


def rejected(build: str = "b1", paths: tuple[str, ...] = (), log: str = "") -> TaskRejected:
    return TaskRejected(1005.0, build, "alpha", "b1-1", "in the way", "refs/x", paths, (), log, "look there")


def test_the_last_that_was_said_of_it_counts(path: Path, history: History) -> None:
    again = TaskAgain(1004.0, "b1", "alpha", "b1-1", "once more", ("src/a.py",))
    assert told(path, history, again, rejected("b2", ("src/b.py",))) == Ended(
        "alpha", "rejected", "in the way", ("src/b.py",), "", "look there"
    )


def test_where_it_met_others_work_its_own_log_says_nothing(path: Path, history: History) -> None:
    found = told(path, history, rejected(paths=("src/a.py",)))
    assert found is not None and (found.paths, found.log) == (("src/a.py",), "")


def test_the_log_of_what_failed_comes_before_its_own(path: Path, history: History) -> None:
    found = told(path, history, rejected(log="/logs/verify.log"))
    assert found is not None and found.log == "/logs/verify.log"


def test_what_failed_by_itself_tells_its_own(path: Path, history: History) -> None:
    failed = TaskFailed(1004.0, "b1", "alpha", "b1-1", Outcome.CHECK_FAILED, "the check fails")
    assert told(path, history, failed, outcome=Outcome.CHECK_FAILED) == Ended(
        "alpha", "failed", "the check fails", (), LOG
    )


def test_what_was_cut_off_before_anything_was_said_of_it(path: Path, history: History) -> None:
    found = told(path, history, outcome=Outcome.FAILED, detail="exit status 3")
    assert found == Ended("alpha", "failed", "exit status 3", (), LOG)
    assert attempt_ended(history, "b1-2") is None


def test_what_landed_has_landed(path: Path, history: History) -> None:
    found = told(path, history, replace(landed(), attempt="b1-1"))
    assert found is not None and (found.kind, found.why) == ("landed", "")
