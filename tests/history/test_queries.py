"""What was notified is what is found; and each question is answered by an index."""

from __future__ import annotations

import math
import re
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from orchestra.history.database import History, open_history
from orchestra.history.forms import build_to_json, builds_to_json, task_to_json
from orchestra.history.queries import find_build, last_attempt, read_build, read_builds
from orchestra.history.records import Why
from orchestra.history.stats import read_task
from orchestra.history.storing import listed, loaded, storable, unlisted
from orchestra.model.errors import ExitStatus, OrchestraError
from orchestra.model.events import (
    AttemptFinished,
    AttemptSlot,
    AttemptStarted,
    BranchAdvanced,
    BranchBehind,
    BuildFinished,
    BuildStarted,
    Event,
    TaskAgain,
    TaskDecided,
    TaskFailed,
    TaskLanded,
    TaskRejected,
    TaskSkipped,
    TaskUnchanged,
    VerifyFinished,
    VerifyStarted,
)
from orchestra.model.freshness import Reason, ReasonKind, State
from orchestra.model.outcomes import Final, Outcome, Usage

from .streams import (
    attempt,
    builds,
    emptied,
    finished,
    landed,
    null_build,
    real_build,
    record,
    started,
    texts,
)

# --- what was notified is what is found ----------------------------------------------------------------------

E = TypeVar("E", bound=Event)


def whys(reasons: tuple[Reason, ...]) -> tuple[Why, ...]:
    return tuple(Why(str(r.kind), r.subject, r.old, r.new) for r in reasons[:100])


def known(value: Any) -> Any:
    """What can be known of a number that an agent gave."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if value is not None and abs(value) < 2**63 else None


def of_kind(events: list[Event], kind: type[E]) -> list[E]:
    return [event for event in events if isinstance(event, kind)]


def final_of(events: list[Event], task: str) -> tuple[str | None, str | None, str | None]:
    """The outcome of a task, why, and because of which, as its events and the last one of the build say."""
    final: tuple[str | None, str | None, str | None] = (None, None, None)
    for event in events:
        match event:
            case TaskLanded() if event.task == task:
                final = ("landed", None, None)
            case TaskUnchanged() if event.task == task:
                final = (event.final.value, None, None)
            case TaskRejected() if event.task == task:
                final = ("rejected", event.why, None)
            case TaskFailed() if event.task == task:
                final = ("failed", event.why, None)
            case TaskSkipped() if event.task == task:
                final = ("skipped", event.why, event.because)
            case BuildFinished():
                if event.tasks[task].value != final[0]:
                    final = (event.tasks[task].value, None, None)
    return final


def endings_of(events: list[Event], name: str) -> list[tuple[object, ...]]:
    found: list[tuple[object, ...]] = []
    for event in events:
        match event:
            case TaskLanded() if event.attempt == name:
                found.append(
                    (
                        "landed",
                        None,
                        event.commit,
                        event.verified,
                        None,
                        None,
                        len(event.paths),
                        (),
                        None,
                        None,
                    )
                )
            case TaskUnchanged() if event.attempt == name:
                found.append((event.final.value, None, None, None, None, None, 0, (), None, None))
            case TaskAgain() if event.attempt == name:
                found.append(
                    (
                        "again",
                        event.why,
                        None,
                        None,
                        None,
                        event.alone,
                        len(event.paths),
                        event.paths,
                        None,
                        None,
                    )
                )
            case TaskRejected() if event.attempt == name:
                count, log = len(event.paths), event.log or None
                found.append(
                    ("rejected", event.why, None, None, event.kept, None, count, event.paths, log, event.hint)
                )
            case TaskFailed() if event.attempt == name:
                found.append(("failed", event.why, None, None, None, None, 0, (), event.log or None, None))
    return found


def expected_attempt(events: list[Event], begun: AttemptStarted) -> dict[str, Any]:
    name = begun.attempt
    slot = next((e for e in of_kind(events, AttemptSlot) if e.attempt == name), None)
    end = next((e for e in of_kind(events, AttemptFinished) if e.attempt == name), None)
    expected: dict[str, Any] = {
        "build": begun.build,
        "attempt": name,
        "task": begun.task,
        "number": begun.number,
        "agent": begun.agent,
        "base": begun.base,
        "key": begun.key,
        "started": begun.time,
        "slot": slot.slot if slot else None,
        "log": slot.log if slot else None,
        "reason_count": len(begun.reasons),
        "reasons": whys(begun.reasons),
        "waits": begun.waits,
    }
    names = (
        "outcome",
        "fault",
        "detail",
        "seconds",
        "result",
        "exit_status",
        "signal",
        "cpu_s",
        "peak_bytes",
    )
    if end is None:
        none = dict.fromkeys(("finished", *names, "changed_bytes"))
        return {**expected, **none, "usage": Usage(), "phases": (), "reads": ()}
    values = {name: getattr(end, name) for name in names}
    # Nothing was measured where there is no peak.
    values["peak_bytes"] = end.peak_bytes or None
    values["cpu_s"] = end.cpu_s if end.cpu_s or end.peak_bytes else None
    captured = end.result is not None or end.outcome is Outcome.NO_CHANGE
    values["changed_bytes"] = end.changed_bytes if captured else None
    usage = Usage(**{name: known(value) for name, value in asdict(end.usage).items()})
    return {
        **expected,
        **values,
        "finished": end.time,
        "usage": usage,
        "phases": end.phases,
        "reads": end.reads,
    }


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
@given(events=builds())
def test_what_was_notified_is_what_is_found(tmp_path: Path, events: list[Event]) -> None:
    path = emptied(tmp_path)
    record(path, events)
    with open_history(path) as history:
        detail = read_build(history, "b1")
        (begun,) = of_kind(events, BuildStarted)
        done = next(iter(of_kind(events, BuildFinished)), None)

        for name in ("base", "branch", "jobs"):
            assert getattr(detail.build, name) == getattr(begun, name)
        assert (detail.build.started, detail.build.selected) == (begun.time, len(begun.tasks))
        assert detail.build.state == ("finished" if done else "broken-off")
        assert detail.build.closed == (None if done else events[-1].time)
        for name in (
            *(
                "ok",
                "advanced",
                "interrupted",
                "ran",
                "replayed",
                "fresh",
                "landed",
                "no_change",
                "passed",
                "failed",
            ),
            *("rejected", "skipped", "wall_s", "sequential_s", "speedup", "usd", "tokens", "tip"),
            *("unpriced", "uncounted"),
        ):
            value = getattr(done, name) if done else None
            assert getattr(detail.build, name) == (value if isinstance(value, str) else known(value)), name

        assert tuple(task.task for task in detail.tasks) == begun.tasks
        for task in detail.tasks:
            assert (task.final, task.why, task.because) == final_of(events, task.task)
            assert task.endings == ()
            attempts = [e for e in of_kind(events, AttemptStarted) if e.task == task.task]
            assert len(task.attempts) == len(attempts)
            for found, told in zip(task.attempts, attempts, strict=True):
                expected = expected_attempt(events, told)
                assert {name: getattr(found, name) for name in expected} == expected
                values = [
                    (
                        e.kind,
                        e.why,
                        e.commit,
                        e.verified,
                        e.kept,
                        e.alone,
                        e.path_count,
                        e.paths,
                        e.log,
                        e.hint,
                    )
                    for e in found.endings
                ]
                assert values == endings_of(events, told.attempt)
            # Each decision that did not say fresh is there, and each attempt's own where it was another.
            decisions = [
                (d.time, d.state, d.key, d.commit, d.reason_count, d.reasons) for d in task.decisions
            ]
            for event in of_kind(events, TaskDecided):
                told_so = (
                    event.time,
                    "stale",
                    event.key,
                    event.commit,
                    len(event.reasons),
                    whys(event.reasons),
                )
                if event.task == task.task:
                    assert (told_so in decisions) == (event.state is State.STALE)
            if attempts:
                newest = last_attempt(history, task.task)
                assert newest is not None
                assert newest.attempt == attempts[-1].attempt
                assert read_task(history, task.task).attempts == task.attempts[::-1]

        verified = [(e.commit, e.task, e.time) for e in of_kind(events, VerifyStarted)]
        assert [(v.commit, v.task, v.started) for v in detail.verifications] == verified
        for end, found_v in zip(of_kind(events, VerifyFinished), detail.verifications, strict=False):
            assert (found_v.finished, found_v.passed, found_v.remembered) == (
                end.time,
                end.passed,
                end.remembered,
            )

        moved = [e for e in events if isinstance(e, BranchAdvanced | BranchBehind)]
        assert [(a.time, a.done, a.branch) for a in detail.advances] == [
            (e.time, isinstance(e, BranchAdvanced), e.branch) for e in moved
        ]


@given(st.one_of(texts(), st.none(), st.integers(), st.floats(), st.booleans()))
def test_whatever_is_stored_comes_back_or_is_unknown(value: str | float | None) -> None:
    with closing(sqlite3.connect(":memory:")) as db:
        (found,) = db.execute("SELECT ?", [storable(value)]).fetchone()
    assert loaded(found) == (value if isinstance(value, str) else known(value))


@given(st.lists(texts()))
@example(["\ud800\udc80", '{"hex": "00"}', ""])
def test_a_list_of_texts_comes_back(values: list[str]) -> None:
    assert unlisted(listed(values)) == tuple(values)
    listed(values).encode()


def test_a_decision_is_stored_once_with_the_attempt_that_rests_on_it(path: Path) -> None:
    record(path, real_build())
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("SELECT count(*) FROM decisions").fetchone() == (1,)
        assert db.execute("SELECT count(*) FROM reasons").fetchone() == (1,)


@pytest.mark.parametrize("change", [{"subject": "src/b.py"}, {"new": "newer"}, {"kind": ReasonKind.DRIFTED}])
def test_an_attempt_that_rests_on_other_reasons_keeps_its_own(
    path: Path, history: History, change: dict[str, Any]
) -> None:
    decided, begun, *rest = attempt()
    assert isinstance(begun, AttemptStarted)
    other = replace(begun, reasons=(replace(begun.reasons[0], **change),))
    record(path, (started(), decided, other, *rest))
    (task,) = read_build(history, "b1").tasks
    assert task.attempts[0].reasons == whys(other.reasons)
    assert [decision.reasons for decision in task.decisions] == [whys(begun.reasons), whys(other.reasons)]


def test_a_result_of_another_build_that_landed_stands_with_its_task(path: Path, history: History) -> None:
    again = TaskLanded(1001.0, "b1", "alpha", "b0-7", "c1", ("a",), True)
    record(path, (started(), again, finished(alpha=Final.LANDED, ran=0)))
    (task,) = read_build(history, "b1").tasks
    assert (task.final, task.attempts) == ("landed", ())
    assert [(ending.attempt, ending.commit) for ending in task.endings] == [("b0-7", "c1")]


def test_a_task_that_was_fresh_is_told_from_one_whose_ending_nobody_knows(
    path: Path, history: History
) -> None:
    tasks = ("alpha", "beta")
    record(path, (started("b1", tasks), *attempt(), landed(), finished(alpha=Final.LANDED, beta=Final.FRESH)))
    record(path, (started("b2", tasks, time=3000.0), *attempt(build="b2", time=3001.0)))
    assert [task.final for task in read_build(history, "b1").tasks] == ["landed", "fresh"]
    assert [task.final for task in read_build(history, "b2").tasks] == [None, None]


# --- naming builds -------------------------------------------------------------------------------------------


@pytest.fixture
def three(path: Path, history: History) -> History:
    # The clock was set back in between: the newest is what was recorded last.
    for place, name in enumerate(("20261121-0900", "20261122-1500", "20261122-1500-aa")):
        record(path, real_build(name, time=5000.0 - place * 100))
    return history


@pytest.mark.parametrize(
    ("which", "found"),
    [
        ("last", "20261122-1500-aa"),
        ("20261122-1500-aa", "20261122-1500-aa"),
        ("20261122-1500-", "20261122-1500-aa"),
        ("20261122-1500", "20261122-1500"),
        ("20261121", "20261121-0900"),
    ],
)
def test_a_build_is_named_by_its_id_or_enough_of_it(three: History, which: str, found: str) -> None:
    assert find_build(three, which) == found
    assert read_build(three, which).build.build == found


@pytest.mark.parametrize(
    ("which", "message", "hint"),
    [
        ("20261122", "several builds begin with", "20261122-1500, 20261122-1500-aa"),
        ("2025", "no build", "20261122-1500-aa, 20261122-1500, 20261121-0900"),
        ("", "no build", "20261122-1500-aa"),
        ("%", "no build", "20261122-1500-aa"),
        ("\udc80", "no build", "20261122-1500-aa"),
    ],
)
def test_an_unknown_build_is_refused_with_those_that_are(
    three: History, which: str, message: str, hint: str
) -> None:
    with pytest.raises(OrchestraError, match=message) as caught:
        read_build(three, which)
    assert caught.value.status is ExitStatus.USAGE
    assert hint in (caught.value.hint or "")


def test_nothing_names_no_build_even_where_there_is_but_one(path: Path, history: History) -> None:
    record(path, real_build())
    with pytest.raises(OrchestraError, match="no build"):
        find_build(history, "")


@pytest.mark.parametrize("which", ["last", "b1"])
def test_no_build_at_all_is_said_so(history: History, which: str) -> None:
    with pytest.raises(OrchestraError) as caught:
        read_build(history, which)
    assert "no build is recorded yet" in f"{caught.value} {caught.value.hint}"


def test_builds_come_as_recorded_newest_first_and_no_more_than_asked_for(
    path: Path, history: History
) -> None:
    for place, time in enumerate((2, 0, 3, 1)):
        record(path, null_build(f"b{place}", ("alpha",), time=1000.0 + time))
    assert [build.build for build in read_builds(history)] == ["b3", "b2", "b1", "b0"]
    assert [build.build for build in read_builds(history, limit=2)] == ["b3", "b2"]
    assert len(read_builds(history, limit=None)) == 4


def test_one_task_over_all_builds_newest_first(path: Path, history: History) -> None:
    for place in range(4):
        record(path, real_build(f"b{place}", time=1000.0 + 100 * place))
    found = read_task(history, "alpha", limit=3)
    assert (found.task, found.total) == ("alpha", 4)
    assert [one.build for one in found.attempts] == ["b3", "b2", "b1"]
    assert all(one.reasons == (Why("input-changed", "src/a.py", "old", "new"),) for one in found.attempts)
    assert len(read_task(history, "alpha", limit=None).attempts) == 4


def test_an_unknown_task_is_refused_with_one_like_it(path: Path, history: History) -> None:
    record(path, real_build())
    with pytest.raises(OrchestraError, match="no attempt of a task") as caught:
        read_task(history, "alpah")
    assert caught.value.status is ExitStatus.USAGE
    assert caught.value.hint == "did you mean alpha?"
    assert last_attempt(history, "alpah") is None


def test_a_history_that_breaks_while_it_is_read_is_an_error_for_a_person(history: History) -> None:
    history.connection.execute("DROP TABLE builds")
    with pytest.raises(OrchestraError, match="cannot be read") as caught:
        read_builds(history)
    assert caught.value.status is ExitStatus.ENVIRONMENT


# --- by an index ---------------------------------------------------------------------------------------------


def questions(history: History) -> dict[str, Callable[[], object]]:
    return {
        "builds": lambda: read_builds(history),
        "build": lambda: read_build(history, "b1"),
        "last": lambda: read_build(history, "last"),
        "prefix": lambda: find_build(history, "b"),
        "task": lambda: read_task(history, "alpha"),
        "attempt": lambda: last_attempt(history, "alpha"),
        "json": lambda: (
            builds_to_json(read_builds(history)),
            build_to_json(read_build(history, "b1")),
            task_to_json(read_task(history, "alpha")),
        ),
    }


@pytest.mark.parametrize("question", ["builds", "build", "last", "prefix", "task", "attempt", "json"])
def test_no_question_reads_a_whole_table_or_sorts_one(path: Path, question: str) -> None:
    record(path, real_build())
    statements: list[str] = []
    with open_history(path) as history:
        history.connection.set_trace_callback(statements.append)
        questions(history)[question]()
        history.connection.set_trace_callback(None)
        plans = [
            (statement, row[3])
            for statement in statements
            for row in history.connection.execute(f"EXPLAIN QUERY PLAN {statement}")
        ]
    assert plans
    # The newest first, from the end of a table, as far as the limit says.
    newest = re.compile(r"FROM builds (b +)?ORDER BY id DESC LIMIT \d+$")
    for statement, step in plans:
        # The rows of a query within this one have been looked at where that was told.
        within = bool(re.match(r"SCAN \(subquery-\d+\)", step))
        if (
            step.startswith("SCAN")
            and "VIRTUAL TABLE" not in step
            and not (newest.search(statement) or within)
        ):
            raise AssertionError(f"{step}: {statement}")
        if "TEMP B-TREE FOR ORDER BY" in step:
            # Sorted are only the rows of one build, those asked for by id, or a bounded sample.
            assert re.search(r"json_each|build = '|LIMIT 1000\)", statement), statement
