"""Rebuilding: what git tells is put in once, in its place, marked, beside whatever is recorded and never over it."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestra.history.audit import change_to_json, read_changes, read_commits
from orchestra.history.database import History, open_history
from orchestra.history.queries import read_build, read_builds
from orchestra.history.rebuilding import Rebuilt, rebuild
from orchestra.history.render import render_build, render_builds
from orchestra.history.statistics import EVERYTHING, Wanted
from orchestra.history.stats import read_stats, read_task
from orchestra.model.keys import key_in_ref
from orchestra.model.traces import Person, Trace, kept_by, landed_by
from orchestra.model.trailers import result_message

from .streams import landed, real_build, record
from .test_render import NOW

ANN = Person("Ann", "ann@example.org")


def trace(kind: str, task: str, attempt: str, time: float, commit: str = "") -> Trace:
    ref = None if kind == "landed" else f"refs/orchestra/{kind}/{attempt}"
    return Trace(kind, task, attempt, "k1:a", commit or f"{kind}-{attempt}", "base", time, ANN, ref)


def no_log(build: str, attempt: str) -> None:
    return None


OLD = (
    *(trace("results", "alpha", "old-1", 10.0), trace("landed", "alpha", "old-1", 11.0)),
    *(trace("failed", "beta", "old-2", 12.0), trace("rejected", "gamma", "old-3", 13.0)),
    trace("landed", "alpha", "older-still-1", 20.0),
)


def dump(history: History) -> list[str]:
    return list(history.connection.iterdump())


def test_an_empty_history_gets_what_git_tells(history: History) -> None:
    assert rebuild(history, OLD, "refs/heads/main", lambda build, attempt: f"/logs/{attempt}.log") == Rebuilt(
        2, 4, 2
    )
    newest, oldest = read_builds(history)
    assert (newest.build, newest.landed, newest.state, newest.rebuilt) == ("older-still", 1, "rebuilt", True)
    assert (oldest.build, oldest.started, oldest.branch, oldest.landed) == ("old", 10.0, "refs/heads/main", 1)
    told = {task.task: (task.final, task.attempts[0].outcome) for task in read_build(history, "old").tasks}
    assert told == {
        "alpha": ("landed", "success"),
        "beta": ("failed", "failed"),
        "gamma": ("rejected", "success"),
    }
    newer, first = read_task(history, "alpha").attempts
    assert (newer.attempt, first.attempt, first.result, first.log) == (
        *("older-still-1", "old-1"),
        *("results-old-1", "/logs/old-1.log"),
    )
    assert [(ending.kind, ending.commit) for ending in first.endings] == [("landed", "landed-old-1")]
    (rejected,) = read_task(history, "gamma").attempts
    assert [(ending.kind, ending.kept) for ending in rejected.endings] == [
        ("rejected", "refs/orchestra/rejected/old-3")
    ]
    assert all(attempt.rebuilt for attempt in (newer, first))
    assert history.connection.execute("PRAGMA foreign_key_check").fetchall() == []


def test_once_more_puts_in_nothing(history: History) -> None:
    rebuild(history, OLD, None, no_log)
    before = dump(history)
    assert rebuild(history, OLD, None, no_log) == Rebuilt(0, 0, 0)
    assert dump(history) == before


def test_where_it_is_cut_off_nothing_is_put_in(history: History) -> None:
    before = dump(history)

    def cut_off(build: str, attempt: str) -> str | None:
        if attempt == "old-3":
            raise KeyboardInterrupt
        return None

    with pytest.raises(KeyboardInterrupt):
        rebuild(history, OLD, None, cut_off)
    assert dump(history) == before and not history.connection.in_transaction
    assert rebuild(history, OLD, None, no_log) == Rebuilt(2, 4, 2)


def test_what_is_recorded_stays_as_it_is_and_newest(path: Path, history: History) -> None:
    record(path, real_build("b1", time=1000.0))
    # As real builds name them.
    history.connection.execute("UPDATE attempts SET attempt = 'b1-1'")
    history.connection.execute("UPDATE endings SET attempt = 'b1-1'")
    recorded = {row for row in dump(history) if row.startswith("INSERT")}
    told = (*OLD, trace("landed", "alpha", "b1-1", 1004.0, "c1"))
    assert rebuild(history, told, None, no_log).landings == 2
    assert recorded <= set(dump(history))
    assert [build.build for build in read_builds(history)] == ["b1", "older-still", "old"]
    assert [one.attempt for one in read_task(history, "alpha").attempts] == [
        "b1-1",
        "older-still-1",
        "old-1",
    ]


def test_what_came_after_all_that_is_recorded_is_the_newest(path: Path, history: History) -> None:
    record(path, real_build("b1", time=1000.0))
    rebuild(history, (trace("landed", "alpha", "new-1", 2000.0),), None, no_log)
    assert [build.build for build in read_builds(history)] == ["new", "b1"]
    record(path, real_build("b2", time=3000.0))
    assert [build.build for build in read_builds(history)] == ["b2", "new", "b1"]


def test_an_attempt_that_a_recorded_build_lacks_is_added(path: Path, history: History) -> None:
    record(path, real_build("b1"))
    assert rebuild(history, (trace("landed", "beta", "b1-7", 1005.0),), None, no_log) == Rebuilt(0, 1, 1)
    assert [one.rebuilt for task in read_build(history, "b1").tasks for one in task.attempts] == [None, True]


def test_statistics_are_of_what_was_seen(path: Path, history: History) -> None:
    record(path, real_build("b1"))
    before = read_stats(history, EVERYTHING)
    rebuild(history, OLD, None, no_log)
    assert read_stats(history, EVERYTHING) == before
    # Nor are estimates made of it.
    record(path, real_build("b2"))
    assert read_task(history, "alpha").attempts[0].estimate_s == 2.0


def test_what_is_rebuilt_says_so(history: History) -> None:
    rebuild(history, OLD, None, no_log)
    assert "1 landed (rebuilt from git)" in render_builds(read_builds(history), now=NOW)
    assert "at most" not in render_build(read_build(history, "old"), now=NOW)


TRACES = st.lists(
    st.builds(
        trace,
        st.sampled_from(["landed", "results", "captured", "rejected", "failed"]),
        st.sampled_from(["alpha", "beta\x1b", "日本"]),
        st.sampled_from(["b1-1", "b1-2", "b2-1", "b2-x", "x", "-1", "b-1-1"]),
        st.floats(0, 1e4),
        st.sampled_from(["c1", "c2", "c3"]),
    ),
    max_size=8,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=40)
@given(TRACES, st.booleans())
def test_any_traces_are_put_in_once(tmp_path: Path, traces: list[Trace], recorded: bool) -> None:
    with open_history(tmp_path / "any.db") as history:
        for table in ("endings", "attempts", "tasks", "builds"):
            history.connection.execute(f"DELETE FROM {table}")
        if recorded:
            record(history.path, real_build("b1", time=5000.0))
        told = tuple(sorted(traces, key=lambda one: one.time))
        done = rebuild(history, told, None, no_log)
        known = [one for one in told if one.build is not None]
        assert done.attempts == len({one.attempt for one in known})
        assert done.builds == len({one.build for one in known} - ({"b1"} if recorded else set()))
        commits = {one.commit for one in known if one.kind == "landed"} - ({"c1"} if recorded else set())
        assert done.landings == len(commits)
        before = dump(history)
        assert rebuild(history, told, None, no_log) == Rebuilt(0, 0, 0)
        assert dump(history) == before


# --- what commits and refs tell --------------------------------------------------------------------------------


def test_a_landed_commit_tells_task_key_and_attempt() -> None:
    trailers = "Orchestra-Task: alpha\nOrchestra-Key: k1:ab\nOrchestra-Attempt: b1-1\n"
    assert landed_by(f"Title\n\nbody\n\n{trailers}") == ("alpha", "k1:ab", "b1-1")
    # What a person wrote below, or an agent quoted above, is none of ours.
    assert landed_by(f"Title\n\n{trailers}\nmore\n") is None
    assert landed_by("Title\n\nOrchestra-Task: alpha\n") is None


@pytest.mark.parametrize(
    ("ref", "told"),
    [
        (f"refs/orchestra/results/{key_in_ref('k1:ab')}/b1-1", ("results", "alpha", "k1:ab", "b1-1")),
        (f"refs/orchestra/captured/{key_in_ref('k1:ab')}/b1-1", ("captured", "alpha", "k1:ab", "b1-1")),
        ("refs/orchestra/rejected/b1-1", ("rejected", "alpha", None, "b1-1")),
        ("refs/orchestra/failed/b1-1", ("failed", "alpha", None, "b1-1")),
        ("refs/orchestra/tips/main", None),
        ("refs/orchestra/rejected/b1-1/more", None),
        ("refs/heads/rejected/b1-1", None),
    ],
)
def test_a_ref_tells_what_it_keeps(ref: str, told: tuple[str, ...] | None) -> None:
    assert kept_by(ref, result_message("alpha", "b1-1", "Done.")) == told


def test_a_ref_that_keeps_something_else_tells_nothing() -> None:
    assert kept_by("refs/orchestra/rejected/b1-1", "Title\n") is None


# --- the audit trail of it -------------------------------------------------------------------------------------


def test_the_audit_of_what_is_rebuilt_invents_nothing(history: History) -> None:
    rebuild(history, OLD, None, no_log)
    first, second = read_changes(history, EVERYTHING)
    assert (first.task, first.build, first.attempt, first.commit) == ("alpha", "old", "old-1", "landed-old-1")
    assert first.rebuilt and second.rebuilt and not first.replayed
    assert (first.prompt, first.agent, first.model, first.usage.usd, first.checks, first.verified) == (
        *(None, None, None, None),
        *((), None),
    )
    assert change_to_json(first, {"landed-old-1": ANN}.get)["person"] == {
        "name": "Ann",
        "email": "ann@example.org",
    }
    assert change_to_json(second, {"landed-old-1": ANN}.get)["person"] is None


def test_the_audit_tells_the_newest_where_it_is_limited(path: Path, history: History) -> None:
    for number in range(4):
        record(path, real_build(f"b{number}", time=1000.0 + number * 100))
    assert [change.build for change in read_changes(history, EVERYTHING, limit=2)] == ["b2", "b3"]
    assert [change.build for change in read_changes(history, Wanted(since=1250.0))] == ["b3"]
    assert [change.build for change in read_changes(history, Wanted(task="beta"))] == []
    assert len(list(read_changes(history, Wanted(agent="script")))) == 4
    assert read_commits(history, EVERYTHING, limit=2) == ("c1", "c1")


def test_a_result_applied_again_is_that_of_its_first_attempt(path: Path, history: History) -> None:
    begun = real_build("b1")
    record(path, begun)
    again = landed(build="b1", time=2004.0)
    from dataclasses import replace

    from .streams import finished, started

    record(
        path,
        (started("b2", time=2000.0), replace(again, build="b2", attempt="b1-alpha-1"), finished("b2", ran=0)),
    )
    _, second = read_changes(history, EVERYTHING)
    # Such a name does not begin with its build's and a number: it is of no known attempt.
    assert (second.build, second.attempt, second.replayed) == ("b2", "b1-alpha-1", False)
    history.connection.execute("UPDATE attempts SET attempt = 'b1-1'")
    history.connection.execute("UPDATE endings SET attempt = 'b1-1'")
    _, second = read_changes(history, EVERYTHING)
    assert (second.build, second.attempt, second.replayed, second.agent) == ("b2", "b1-1", True, "script")
