"""What earlier attempts took, for estimates: only those that succeeded count, newest first."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestra.history import past
from orchestra.history.database import open_for_reading
from orchestra.history.ledger import NEWEST
from orchestra.history.past import Took, past_of, seconds_of
from orchestra.model.outcomes import Outcome, Usage

from .test_ledger import costing, one_build, usd


def test_the_past_of_a_task_and_of_an_agent(tmp_path: Path) -> None:
    path = tmp_path / "history.db"
    one_build(
        path,
        "b1",
        costing("a", usd(1.0), build="b1", time=1.0),
        costing("b", usd(2.0), build="b1", time=2.0, outcome=Outcome.NO_CHANGE),
        costing("x", usd(9.0), build="b1", time=3.0, outcome=Outcome.FAILED),
        costing("c", usd(3.0), build="b1", time=4.0, agent="codex"),
    )
    one_build(path, "b2", costing("a", Usage(), build="b2", time=5.0))
    history = open_for_reading(path)
    assert history is not None
    with history:
        assert [took.usd for took in past_of(history, "claude")] == [None, 2.0, 1.0]
        (newest, oldest) = past_of(history, "claude", "a")
        assert newest.usd is None and oldest == Took(newest.seconds, 1.0) and newest.seconds
        assert past_of(history, "codex", "b") == () and past_of(history, "nobody") == ()


def test_it_goes_back_only_so_far(tmp_path: Path) -> None:
    path = tmp_path / "history.db"
    attempts = [costing(f"t{n}", usd(float(n)), build="b1", time=float(n)) for n in range(NEWEST + 3)]
    one_build(path, "b1", *attempts)
    history = open_for_reading(path)
    assert history is not None
    with history:
        found = [took.usd for took in past_of(history, "claude")]
    assert found == [float(n) for n in reversed(range(3, NEWEST + 3))]


def test_how_long_tasks_took_is_told_of_the_newest_that_went_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(past, "NEWEST", 2)
    path = tmp_path / "history.db"
    outcomes = {
        "a": (Outcome.SUCCESS, Outcome.FAILED),
        "a b": (Outcome.NO_CHANGE,),
        "x": (Outcome.TIMED_OUT,),
        "often": (Outcome.SUCCESS,) * 4,
    }
    for task, several in outcomes.items():
        for number, outcome in enumerate(several):
            build = f"{task}{number}"
            one_build(path, build, costing(task, usd(1.0), build=build, time=1.0 + number, outcome=outcome))
    history = open_for_reading(path)
    assert history is not None
    with history:
        found = seconds_of(history, ("a", "a b", "x", "nobody", "often"))
    assert {task: len(seconds) for task, seconds in found.items()} == {"a": 1, "a b": 1, "often": 2}
