"""What is recorded, when, and at what price; and that no database can stop a build."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestra.history.database import History, open_history
from orchestra.history.queries import read_build, read_builds
from orchestra.history.recorder import Recorder
from orchestra.model.events import (
    AgentDid,
    AttemptSlot,
    AttemptStarted,
    BranchAdvanced,
    Event,
    PhaseStarted,
    TaskDecided,
    TaskLanded,
    TaskSkipped,
    VerifyFinished,
    VerifyStarted,
)
from orchestra.model.outcomes import Final, Wait

from .streams import (
    Errors,
    attempt,
    builds,
    emptied,
    finished,
    landed,
    null_build,
    real_build,
    record,
    started,
)

ROOT = Path(__file__).parents[2]
TABLES = (
    *("selections", "builds", "tasks", "decisions", "reasons", "attempts", "phases", "waits", "endings"),
    *("verifications", "advances"),
)


def sizes(path: Path) -> dict[str, int]:
    """How many rows each table has."""
    with closing(sqlite3.connect(path)) as db:
        return {table: db.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in TABLES}


def traced(path: Path) -> tuple[Recorder, list[str], Errors]:
    """A recorder, and every statement that it will execute."""
    history, statements, errors = open_history(path), list[str](), Errors()
    history.connection.set_trace_callback(statements.append)
    return Recorder(history, on_error=errors), statements, errors


def transactions(statements: list[str]) -> int:
    return sum(statement.startswith("BEGIN") for statement in statements)


# --- the price -----------------------------------------------------------------------------------------------


def test_a_null_build_costs_one_transaction_and_leaves_one_row(path: Path) -> None:
    tasks = tuple(f"task-{number}" for number in range(1000))
    record(path, null_build("b0", tasks))
    before = sizes(path)
    recorder, statements, errors = traced(path)
    *begun, end = null_build("b1", tasks)
    for event in begun:
        recorder.notify(event)
    assert statements == []
    recorder.notify(end)
    recorder.close()
    assert errors.told == []
    assert transactions(statements) == 1
    # The selection, the build, its end; and the sums of its day, whose trigger shows its statement in several lines.
    writes = [statement for statement in statements if statement.startswith(("INSERT", "UPDATE", "DELETE"))]
    writes = [each for each in writes if "build_sums" not in each]
    assert [each.split()[:3] for each in dict.fromkeys(writes)] == [
        ["INSERT", "INTO", "selections"],
        ["INSERT", "INTO", "builds"],
        ["UPDATE", "builds", "SET"],
    ]
    assert sizes(path) == {**before, "builds": before["builds"] + 1}


def test_builds_of_the_same_tasks_share_their_selection(path: Path) -> None:
    for number in range(3):
        record(path, null_build(f"b{number}", ("alpha", "beta")))
    record(path, null_build("b3", ("beta", "alpha")))
    assert sizes(path)["selections"] == 2


def test_what_an_agent_does_costs_nothing(path: Path) -> None:
    recorder, statements, _ = traced(path)
    events = (started(), *attempt())
    for event in events:
        recorder.notify(event)
    del statements[:]
    for event in events:
        if isinstance(event, AgentDid | PhaseStarted):
            recorder.notify(event)
    assert statements == []
    recorder.close()


def test_decisions_wait_for_what_comes_next(path: Path) -> None:
    recorder, statements, _ = traced(path)
    decided, first, *_ = attempt()
    recorder.notify(started())
    recorder.notify(decided)
    assert statements == []
    recorder.notify(first)
    assert transactions(statements) == 1
    recorder.notify(attempt("beta")[0])
    assert transactions(statements) == 1
    recorder.close()
    assert transactions(statements) == 2
    assert sizes(path)["decisions"] == 2


@pytest.mark.parametrize("place", range(len(real_build())))
def test_every_change_of_state_is_there_for_readers_at_once(path: Path, place: int) -> None:
    events = real_build()[: place + 1]
    begun = any(event.name == "attempt_started" for event in events)
    recorder = record(path, events, close=False)
    now = sizes(path)
    recorder.close()
    kinds = [event.name for event in events]
    assert now["builds"] == int(begun)
    assert now["attempts"] == kinds.count("attempt_started")
    assert now["phases"] == 2 * kinds.count("attempt_finished")
    assert now["endings"] == kinds.count("task_landed")


def test_changes_of_state_reach_the_disk_and_lesser_ones_do_not_wait_for_it(path: Path) -> None:
    recorder, statements, _ = traced(path)
    level, durable = "", dict[str, bool]()
    for event in (*real_build()[:-1], BranchAdvanced(1008.0, "b1", "main", "c0", "c1"), real_build()[-1]):
        del statements[:]
        recorder.notify(event)
        for statement in statements:
            if statement.startswith("PRAGMA synchronous"):
                level = statement.split()[-1]
        if statements:
            durable[event.name] = level == "FULL"
    recorder.close()
    assert durable == {
        "attempt_started": True,
        "attempt_slot": False,
        "attempt_finished": True,
        "task_landed": True,
        "branch_advanced": True,
        "build_finished": True,
    }


def test_a_dry_run_is_not_recorded(path: Path) -> None:
    begun, *rest = real_build()
    assert begun == started("b1", ("alpha", "beta"))
    record(path, (replace(started("b1", ("alpha", "beta")), dry_run=True), *rest))
    assert sum(sizes(path).values()) == 0


# --- builds that do not finish -------------------------------------------------------------------------------


def test_a_build_that_was_closed_unfinished_says_so(path: Path) -> None:
    record(path, (started(), *attempt()))
    with open_history(path) as history:
        (build,) = read_builds(history)
    assert (build.state, build.finished, build.closed, build.pid) == ("broken-off", None, 1003.0, os.getpid())


def test_a_build_that_was_closed_before_it_began_anything_says_so(path: Path) -> None:
    record(path, (started(),))
    with open_history(path) as history:
        assert [build.state for build in read_builds(history)] == ["broken-off"]


def test_a_finished_build_is_not_closed_once_more(path: Path) -> None:
    record(path, real_build()).close()
    with open_history(path) as history:
        assert [(build.state, build.closed) for build in read_builds(history)] == [("finished", None)]


def test_the_next_build_closes_one_that_was_left(path: Path) -> None:
    record(path, (started(), *attempt(), *real_build("b2", time=3000.0)))
    with open_history(path) as history:
        assert [build.state for build in read_builds(history)] == ["finished", "broken-off"]


CRASH = """
import os, signal, sys
from pathlib import Path
from tests.history.streams import real_build, record
record(Path(sys.argv[1]), real_build()[:int(sys.argv[2])], close=False)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize("told", range(1, len(real_build()) + 1))
def test_what_was_recorded_survives_a_kill(path: Path, told: int) -> None:
    done = subprocess.run([sys.executable, "-c", CRASH, str(path), str(told)], check=False, cwd=ROOT)
    assert done.returncode == -signal.SIGKILL
    kinds = [event.name for event in real_build()[:told]]
    with open_history(path) as history:
        states = [build.state for build in read_builds(history)]
        if "build_finished" in kinds:
            assert states == ["finished"]
        elif "attempt_started" in kinds:
            assert states == ["unfinished"]
            task = read_build(history, "b1").tasks[0]
            assert task.final == ("landed" if "task_landed" in kinds else None)
            (found,) = task.attempts
            assert (found.outcome is not None) == ("attempt_finished" in kinds)
            assert (found.slot is not None) == ("attempt_slot" in kinds)
        else:
            assert states == []
    record(path, real_build("b2", time=3000.0))


# --- several -------------------------------------------------------------------------------------------------


def test_two_recorders_write_one_history(path: Path) -> None:
    errors = Errors()
    one, two = Recorder.open(path, on_error=errors), Recorder.open(path, on_error=errors)
    for first, second in zip(real_build("b1"), real_build("b2", time=1000.5), strict=True):
        one.notify(first)
        two.notify(second)
    one.close()
    two.close()
    assert errors.told == []
    with open_history(path) as history:
        assert [(build.build, build.state) for build in read_builds(history)] == [
            ("b2", "finished"),
            ("b1", "finished"),
        ]
        for name in ("b1", "b2"):
            assert [len(task.attempts) for task in read_build(history, name).tasks] == [1, 0]


def test_builds_follow_one_another(path: Path) -> None:
    record(path, (*real_build("b1"), *null_build("b2", ("alpha",)), *real_build("b3", time=3000.0)))
    with open_history(path) as history:
        found = read_builds(history)
    assert [(build.build, build.state, build.ran) for build in found] == [
        ("b3", "finished", 1),
        ("b2", "finished", 0),
        ("b1", "finished", 1),
    ]


def test_events_of_no_build_that_it_saw_start_are_let_pass(path: Path) -> None:
    record(path, (*attempt(), landed(), finished(), started("b2"), *attempt(), finished("b2", ran=0)))
    assert sizes(path)["builds"] == 1
    assert sizes(path)["attempts"] == 0


# --- errors never stop a build -------------------------------------------------------------------------------


def forbid(history: History) -> None:
    history.connection.execute("PRAGMA query_only = ON")


def fill(history: History) -> None:
    pages = history.connection.execute("PRAGMA page_count").fetchone()[0]
    history.connection.execute(f"PRAGMA max_page_count = {pages}")


def drop(history: History) -> None:
    history.connection.execute("DROP TABLE attempts")


def shut(history: History) -> None:
    history.connection.close()


@pytest.mark.parametrize("harm", [forbid, fill, drop, shut])
def test_an_error_is_told_once_and_the_build_goes_on(path: Path, harm: Callable[[History], None]) -> None:
    errors = Errors()
    with open_history(path) as history:
        harm(history)
        recorder = Recorder(history, on_error=errors)
        tasks = tuple(f"task-{number}" for number in range(50))
        for event in (started(tasks=tasks), *(event for task in tasks for event in attempt(task))):
            # Enough that a full disk is met.
            if isinstance(event, TaskDecided | AttemptStarted):
                event = replace(event, reasons=event.reasons * 50)
            recorder.notify(event)
        for event in real_build("b2"):
            recorder.notify(event)
        recorder.close()
    assert len(errors.told) == 1
    assert errors.told[0].startswith("nothing more is recorded of this build: ")


def test_a_lock_that_is_not_given_back_stops_the_record_and_not_the_build(path: Path) -> None:
    errors = Errors()
    recorder = Recorder.open(path, on_error=errors, busy_ms=50)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        for event in real_build():
            recorder.notify(event)
        recorder.close()
    assert len(errors.told) == 1
    assert "locked" in errors.told[0]


def test_what_was_written_before_an_error_stays(path: Path) -> None:
    errors = Errors()
    history = open_history(path)
    recorder = Recorder(history, on_error=errors)
    for event in (started(), *attempt()):
        recorder.notify(event)
    forbid(history)
    recorder.notify(landed())
    recorder.notify(finished(alpha=Final.LANDED))
    with open_history(path) as again:
        (build,) = read_builds(again)
        assert build.state == "unfinished"
        assert [task.final for task in read_build(again, "b1").tasks] == [None]
    assert len(errors.told) == 1


def test_damage_found_in_the_midst_is_set_aside_for_the_next_build(path: Path) -> None:
    for number in range(200):
        record(path, real_build(f"old-{number}"))
    errors = Errors()
    history = open_history(path)
    size, page = path.stat().st_size, 4096
    # Not the first pages: what opening looks at is sound.
    with path.open("r+b") as file:
        for place in range(2 * page, size, page):
            file.seek(place)
            file.write(b"\xff" * page)
    recorder = Recorder(history, on_error=errors)
    for event in real_build("b1"):
        recorder.notify(event)
    recorder.close()
    assert len(errors.told) == 1
    assert "history.db.damaged-1" in errors.told[0]
    record(path, real_build("b2"))
    with open_history(path) as again:
        assert [build.build for build in read_builds(again)] == ["b2"]


def test_opening_tells_of_a_damaged_history(path: Path) -> None:
    path.write_bytes(b"no database " * 1000)
    errors = Errors()
    recorder = Recorder.open(path, on_error=errors)
    assert recorder.recording
    recorder.close()
    assert len(errors.told) == 1
    assert "damaged-1" in errors.told[0]


class Interrupting(tuple[Wait, ...]):
    """Waits that are interrupted the first time that they are read."""

    interrupts = 1

    def __iter__(self) -> Iterator[Wait]:
        if self.interrupts:
            self.interrupts -= 1
            raise KeyboardInterrupt
        return super().__iter__()


def test_an_interrupt_while_writing_loses_nothing(path: Path) -> None:
    errors = Errors()
    recorder = Recorder.open(path, on_error=errors)
    recorder.notify(started())
    decided, first, *rest = attempt()
    assert isinstance(first, AttemptStarted)
    recorder.notify(decided)
    with pytest.raises(KeyboardInterrupt):
        recorder.notify(replace(first, waits=Interrupting(first.waits)))
    assert sizes(path)["builds"] == 0
    for event in (*rest, landed(), finished(alpha=Final.LANDED)):
        recorder.notify(event)
    recorder.close()
    assert errors.told == []
    with open_history(path) as history:
        (task,) = read_build(history, "b1").tasks
    assert (task.final, task.attempts[0].waits) == ("landed", first.waits)


EVENTS = st.lists(
    st.one_of(
        st.just(started()),
        st.sampled_from(
            [*attempt(), *attempt(number=2), landed(), landed(number=7), finished(alpha=Final.LANDED)]
        ),
        st.sampled_from(
            [
                TaskSkipped(1.0, "b1", "zeta", "why", None),
                VerifyStarted(1.0, "b1", "c0"),
                VerifyFinished(1.0, "b1", "c0", True, True, 0.0),
                AttemptSlot(1.0, "b1", "alpha", "unknown", 1, "log"),
                TaskLanded(1.0, "b1", "alpha", "of another build", "c1", (), False),
            ]
        ),
    ),
    max_size=15,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(events=EVENTS)
def test_no_order_of_events_stops_a_build(tmp_path: Path, events: list[Event]) -> None:
    path = emptied(tmp_path)
    errors = Errors()
    recorder = Recorder.open(path, on_error=errors)
    for event in events:
        recorder.notify(event)
    recorder.close()
    assert len(errors.told) <= 1
    with open_history(path) as history:
        assert history.connection.execute("PRAGMA foreign_key_check").fetchall() == []
        for build in read_builds(history):
            read_build(history, build.build)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=25)
@given(events=builds())
def test_any_build_can_be_recorded_without_a_complaint(tmp_path: Path, events: list[Event]) -> None:
    path = emptied(tmp_path)
    record(path, events)
    with open_history(path) as history:
        assert len(read_builds(history)) == 1
