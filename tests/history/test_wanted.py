"""What is wanted of the history, and nothing else, is told: from a moment on, of an agent, with an outcome."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from orchestra.history.database import History, open_history
from orchestra.history.queries import count_null_builds, read_attempts, read_builds
from orchestra.history.statistics import EVERYTHING, Wanted
from orchestra.model.events import AttemptFinished, AttemptStarted, TaskFailed, TaskRejected
from orchestra.model.outcomes import Final, Outcome

from .streams import attempt, finished, landed, null_build, record, started


@pytest.fixture
def history(tmp_path: Path) -> Iterator[History]:
    """Of one task: a landing, a null build, a failure by another agent, a rejection, and two null builds."""
    path = tmp_path / "history.db"
    record(
        path,
        (
            started("landed"),
            *attempt(build="landed"),
            landed(build="landed"),
            finished("landed", alpha=Final.LANDED),
        ),
    )
    record(path, null_build("null1", ("alpha",), time=2000.0))
    begun = [
        replace(event, agent="other")
        if isinstance(event, AttemptStarted)
        else replace(event, outcome=Outcome.CHECK_FAILED)
        if isinstance(event, AttemptFinished)
        else event
        for event in attempt(build="failed", time=3001.0)
    ]
    no = TaskFailed(3004.0, "failed", "alpha", "failed-alpha-1", Outcome.CHECK_FAILED, "no")
    record(
        path,
        (started("failed", time=3000.0), *begun, no, finished("failed", time=3009.0, alpha=Final.FAILED)),
    )
    met = TaskRejected(4004.0, "rejected", "alpha", "rejected-alpha-1", "outside", None, ("x",))
    record(
        path,
        (
            started("rejected", time=4000.0),
            *attempt(build="rejected", time=4001.0),
            met,
            finished("rejected", time=4009.0, alpha=Final.REJECTED),
        ),
    )
    for name, time in (("null2", 5000.0), ("null3", 6000.0)):
        record(path, null_build(name, ("alpha",), time=time))
    with open_history(path) as opened:
        yield opened


@pytest.mark.parametrize(
    ("wanted", "builds"),
    [
        (EVERYTHING, ["rejected", "failed", "landed"]),
        (Wanted(since=3000.0), ["rejected", "failed"]),
        (Wanted(since=3000.5), ["rejected"]),
        (Wanted(agent="script"), ["rejected", "landed"]),
        (Wanted(agent="other"), ["failed"]),
        # What the attempt was, and what its task came to, are both outcomes.
        (Wanted(outcome="success"), ["rejected", "landed"]),
        (Wanted(outcome="check-failed"), ["failed"]),
        (Wanted(outcome="failed"), ["failed"]),
        (Wanted(outcome="rejected"), ["rejected"]),
        (Wanted(outcome="landed"), ["landed"]),
        (Wanted(3500.0, agent="script", outcome="success"), ["rejected"]),
        (Wanted(agent="other", outcome="landed"), []),
    ],
)
def test_builds(history: History, wanted: Wanted, builds: list[str]) -> None:
    assert [build.build for build in read_builds(history, wanted=wanted, busy=True)] == builds
    assert [build.build for build in read_builds(history, limit=1, wanted=wanted, busy=True)] == builds[:1]


@pytest.mark.parametrize(
    ("wanted", "attempts"),
    [
        (EVERYTHING, ["rejected", "failed", "landed"]),
        (Wanted(since=3001.0), ["rejected", "failed"]),
        (Wanted(since=3001.5), ["rejected"]),
        (Wanted(agent="other"), ["failed"]),
        (Wanted(outcome="success"), ["rejected", "landed"]),
        (Wanted(outcome="landed"), ["landed"]),
        (Wanted(outcome="rejected"), ["rejected"]),
        (Wanted(outcome="check-failed"), ["failed"]),
        (Wanted(outcome="timed-out"), []),
    ],
)
def test_attempts_at_a_task(history: History, wanted: Wanted, attempts: list[str]) -> None:
    count, found = read_attempts(history, "alpha", wanted=wanted)
    assert [one.build for one in found] == attempts and count == len(attempts)
    count, found = read_attempts(history, "alpha", limit=1, wanted=wanted)
    assert [one.build for one in found] == attempts[:1] and count == len(attempts)


def test_builds_in_which_nothing_had_to_be_done_are_only_counted(history: History) -> None:
    assert len(read_builds(history)) == 6
    assert count_null_builds(history, None) == 3
    assert count_null_builds(history, "rejected") == count_null_builds(history, "null2") == 2
    assert count_null_builds(history, None, Wanted(since=5500.0)) == 1
    # Nothing ran in them: no agent, no outcome of theirs can be wanted.
    assert count_null_builds(history, None, Wanted(agent="script")) == 0
