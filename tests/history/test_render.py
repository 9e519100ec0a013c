"""The history for people and programs: readable, harmless on a terminal, and as its schema says."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from jsonschema import Draft202012Validator

from orchestra.history.database import History, open_history
from orchestra.history.forms import build_to_json, builds_to_json, task_to_json
from orchestra.history.queries import read_build, read_builds
from orchestra.history.records import AttemptRecord, BuildDetail, Why
from orchestra.history.render import outcome_of, render_build, render_builds, render_task
from orchestra.history.stats import read_task
from orchestra.model.events import (
    AttemptFinished,
    BranchAdvanced,
    BranchBehind,
    Event,
    TaskAgain,
    TaskFailed,
    TaskRejected,
    TaskSkipped,
)
from orchestra.model.outcomes import Fault, Final, Outcome, Usage

from .streams import attempt, builds, emptied, finished, landed, null_build, record, started
from .test_text import RAW

SCHEMA = json.loads((Path(__file__).parents[2] / "schema" / "history.schema.json").read_text())
VALIDATOR = Draft202012Validator(SCHEMA)
NOW = 1_800_000_000.0
"""2027-01-15 08:00 UTC."""


def failed(task: str, build: str, *, time: float) -> tuple[Event, ...]:
    *before, end = attempt(task, build, time=time)
    assert isinstance(end, AttemptFinished)
    name = end.attempt
    end = replace(end, outcome=Outcome.TIMED_OUT, fault=Fault.AGENT, detail="after 45 min", usage=Usage())
    return (
        *before,
        end,
        TaskFailed(time + 2, build, task, name, Outcome.TIMED_OUT, "timed out", (), "/logs/x.log"),
    )


def eventful(build: str = "b1", *, time: float = NOW - 600) -> tuple[Event, ...]:
    """A build in which everything happens once."""
    tasks = ("alpha", "beta", "breaker", "hang", "after", "noop")
    return (
        started(build, tasks, time=time),
        *attempt("alpha", build, time=time + 1),
        landed("alpha", build, time=time + 4),
        *attempt("beta", build, time=time + 5),
        TaskAgain(time + 8, build, "beta", f"{build}-beta-1", "conflicts with alpha", ("src/a.py",)),
        *attempt("beta", build, number=2, time=time + 9),
        landed("beta", build, number=2, time=time + 12),
        *attempt("breaker", build, time=time + 13),
        TaskRejected(
            time + 16,
            build,
            "breaker",
            f"{build}-breaker-1",
            "`pytest -q` fails with it",
            "refs/orchestra/rejected/b1-3",
            (),
            ("1 failed",),
            "/logs/verify.log",
            "look at tests/test_a.py",
        ),
        *failed("hang", build, time=time + 17),
        TaskSkipped(time + 19, build, "after", "needs hang, which failed", "hang"),
        BranchAdvanced(time + 20, build, "refs/heads/main", "c0", "0123456789abcdef"),
        finished(
            build,
            time=time + 21,
            ran=5,
            alpha=Final.LANDED,
            beta=Final.LANDED,
            breaker=Final.REJECTED,
            hang=Final.FAILED,
            after=Final.SKIPPED,
            noop=Final.FRESH,
        ),
    )


# --- for people ----------------------------------------------------------------------------------------------


def test_builds_are_a_line_each(path: Path, history: History) -> None:
    record(path, null_build("b0", ("alpha", "beta"), time=NOW - 2 * 86400))
    record(path, eventful())
    record(path, (started("b2", time=NOW - 60), *attempt(build="b2", time=NOW - 59)))
    text = render_builds(read_builds(history), now=NOW, zone=UTC)
    assert text.splitlines() == [
        "BUILD  WHEN              OUTCOME                                              TIME  SPEEDUP   COST",
        "b2     today 07:59       broken off",
        "b1     today 07:50       2 landed, 1 failed, 1 rejected, 1 skipped, 1 fresh  2.0 s     2.5×  $0.25",
        "b0     2027-01-13 08:00  nothing to do, 2 fresh                              2.0 s",
    ]
    narrow = render_builds(read_builds(history, busy=True), now=NOW, zone=UTC, width=40, nulls=1)
    assert narrow.splitlines() == [
        "BUILD  OUTCOME               TIME   COST",
        "b2     broken off",
        "b1     2 landed, 1 failed…  2.0 s  $0.25",
        "",
        "1 build in which nothing had to be done:",
        "  --all",
    ]


def test_one_build_says_what_came_of_each_task_and_why(path: Path, history: History) -> None:
    record(path, eventful())
    text = render_build(read_build(history, "last"), now=NOW, zone=UTC)
    assert (
        text
        == """\
build b1, today 07:50, on main from c0, at most 4 at once
2 landed, 1 failed, 1 rejected, 1 skipped, 1 fresh; 2.0 s, one after another 5.0 s (2.5×), $0.25, 1,200 tokens

           0                                                              21 s
0 alpha   │   ░░█████···                                                      │
  beta    │                ░░████                                             │✗
  beta #2 │                             ░█████···                             │
  breaker │                                         ░░█████                   │✗
  hang    │                                                      ░░█████      │✗
░ prepare, setup  █ agent  · until it landed

TASK     OUTCOME    TIME  ATTEMPTS   COST  WHY IT RAN
alpha    landed    2.0 s         1  $0.25  input changed: src/a.py
beta     landed    4.0 s         2  $0.50  input changed: src/a.py
breaker  rejected  2.0 s         1  $0.25  input changed: src/a.py
hang     failed    2.0 s         1      ?  input changed: src/a.py
after    skipped

beta attempt 1: again: conflicts with alpha
breaker: rejected: `pytest -q` fails with it
  kept: refs/orchestra/rejected/b1-3
  log: /logs/verify.log
  hint: look at tests/test_a.py
hang: failed: timed out
  log: /logs/x.log
after: skipped: needs hang, which failed

main moved to 0123456

fresh: noop"""
    )


def test_one_task_says_why_it_ran_each_time(path: Path, history: History) -> None:
    record(path, eventful())
    record(path, eventful("b2", time=NOW - 100))
    text = render_task(read_task(history, "beta", limit=3), now=NOW, zone=UTC)
    assert (
        text
        == """\
beta: 4 attempts, the newest 3
success   100 % (51–100 %), 4 of 4 attempts
time      p50 2.0 s, p90 2.0 s
          ████
cost      $1.00, $0.25 an attempt

WHEN         BUILD  NUMBER  AGENT   OUTCOME        TIME   COST  WHY IT RAN
today 07:58  b2          2  script  landed as c1  2.0 s  $0.25  input changed: src/a.py
today 07:58  b2          1  script  again         2.0 s  $0.25  input changed: src/a.py
today 07:50  b1          2  script  landed as c1  2.0 s  $0.25  input changed: src/a.py

b2-beta-1: again: conflicts with alpha"""
    )


def test_no_build_is_said_so() -> None:
    assert render_builds([], now=NOW) == "no such build is recorded"
    assert render_builds([], now=NOW, nulls=2) == "2 builds in which nothing had to be done: --all"


def test_a_part_of_the_cost_is_not_told_as_the_whole(path: Path, history: History) -> None:
    first = attempt()
    *second, end = attempt(number=2, time=1005.0)
    assert isinstance(end, AttemptFinished)
    unpriced = replace(end, usage=Usage())
    record(path, (started(), *first, *second, unpriced, landed(number=2), finished(alpha=Final.LANDED)))
    assert "  ≥$0.25  " in render_build(read_build(history, "b1"), now=NOW)


def test_sums_of_a_build_that_lack_attempts_say_so(path: Path, history: History) -> None:
    lacking = replace(finished(alpha=Final.LANDED), unpriced=1, uncounted=2)
    record(path, (started(), *attempt(), landed(), lacking))
    assert ", ≥$0.25, ≥1,200 tokens" in render_build(read_build(history, "b1"), now=NOW)
    assert "≥$0.25" in render_builds(read_builds(history), now=NOW)


def test_costs_that_nobody_knows_take_no_column(path: Path, history: History) -> None:
    events = [
        replace(event, usage=Usage()) if isinstance(event, AttemptFinished) else event for event in attempt()
    ]
    record(path, (started(), *events, landed(), replace(finished(alpha=Final.LANDED), usd=None)))
    for text in (
        render_builds(read_builds(history), now=NOW),
        render_build(read_build(history, "b1"), now=NOW),
        render_task(read_task(history, "alpha"), now=NOW),
    ):
        assert "COST" not in text
        assert "$" not in text


@pytest.mark.parametrize(
    ("kind", "subject", "words"),
    [
        ("never-built", None, "never built"),
        ("prompt-changed", "prompt", "prompt changed"),
        ("agent-changed", "agent", "agent changed"),
        ("definition-changed", "check", "definition changed: check"),
        ("input-changed", "input", "input changed: input"),
        ("need-changed", "need", "need changed: need"),
    ],
)
def test_a_reason_says_nothing_twice(
    path: Path, history: History, kind: str, subject: str | None, words: str
) -> None:
    detail = _one(path, history, lambda one: replace(one, reasons=(Why(kind, subject, None, None),)))
    assert render_build(detail, now=NOW, zone=UTC).splitlines()[-1].endswith(f"1  $0.25  {words}")


def test_a_rebuilt_build_that_landed_nothing_says_so(path: Path, history: History) -> None:
    detail = _one(path, history, lambda one: one)
    assert outcome_of(replace(detail.build, finished=None, rebuilt=True, landed=0)) == (
        "nothing landed (rebuilt from git)"
    )


def test_an_attempt_that_was_interrupted_says_so_once(path: Path, history: History) -> None:
    detail = _one(
        path, history, lambda one: replace(one, outcome="interrupted", detail="interrupted", endings=())
    )
    assert "alpha: interrupted\n" in render_build(detail, now=NOW, zone=UTC)


def _one(path: Path, history: History, change: Callable[[AttemptRecord], AttemptRecord]) -> BuildDetail:
    """A build of one attempt, with that changed."""
    record(path, (started(), *attempt(), landed(), finished(alpha=Final.LANDED)))
    detail = read_build(history, "last")
    tasks = tuple(
        replace(task, attempts=tuple(map(change, task.attempts))) for task in detail.tasks if task.attempts
    )
    return replace(detail, tasks=tasks, advances=())


def test_an_unfinished_build_names_its_process(path: Path, history: History) -> None:
    recorder = record(path, (started(), *attempt()), close=False)
    (build,) = read_builds(history)
    assert outcome_of(build) == f"unfinished (process {build.pid})"
    recorder.close()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"interrupted": True, "ok": False}, "1 landed, interrupted"),
        ({"advanced": False}, "1 landed, branch not advanced"),
        ({"landed": 0, "ok": False}, "nothing done"),
        ({"landed": 0, "no_change": 2, "passed": 1, "fresh": 1204}, "1 passed, 2 no change, 1,204 fresh"),
    ],
)
def test_outcomes_in_words(path: Path, history: History, changes: dict[str, Any], words: str) -> None:
    record(path, (started(), *attempt(), landed(), replace(finished(alpha=Final.LANDED), **changes)))
    (build,) = read_builds(history)
    assert outcome_of(build) == words


def test_a_tip_that_stayed_elsewhere_says_where_and_why(path: Path, history: History) -> None:
    behind = BranchBehind(
        1.0, "b1", "main", "refs/heads/orchestra/build-b1", "0123456789", "README.md is dirty", "hint"
    )
    record(path, (started(), *attempt(), landed(), behind, finished(alpha=Final.LANDED)))
    text = render_build(read_build(history, "b1"), now=NOW)
    assert "the tip 0123456 stayed on orchestra/build-b1: README.md is dirty" in text


def test_times_are_those_of_the_person(path: Path, history: History) -> None:
    record(path, null_build("b0", ("alpha",), time=NOW - 3600 * 9))
    builds = read_builds(history)
    assert "2027-01-14 23:00" in render_builds(builds, now=NOW, zone=UTC)
    assert "today 01:00" in render_builds(builds, now=NOW, zone=timezone(timedelta(hours=2)))


def test_wide_characters_keep_the_columns(path: Path, history: History) -> None:
    record(
        path,
        (started(tasks=("日本", "abc")), *attempt("日本"), *attempt("abc"), landed("日本"), landed("abc")),
    )
    lines = render_build(read_build(history, "b1"), now=NOW).splitlines()
    assert [line for line in lines if "landed  " in line] == [
        "日本  landed   2.0 s         1  $0.25  input changed: src/a.py",
        "abc   landed   2.0 s         1  $0.25  input changed: src/a.py",
    ]


def test_many_fresh_tasks_and_reasons_are_counted(path: Path, history: History) -> None:
    tasks = tuple(f"t{number}" for number in range(40))
    record(path, null_build("b0", tasks))
    assert render_build(read_build(history, "b0"), now=NOW).endswith("t10, t11 and 28 more")


def test_words_of_a_database_that_is_not_ours_are_harmless_too(path: Path, history: History) -> None:
    record(path, eventful())
    text = "'\x1b[31mx\x07'"
    for change in (f"tasks SET final = {text}", f"reasons SET kind = {text}", f"endings SET kind = {text}"):
        history.connection.execute(f"UPDATE {change}")
    history.connection.execute(f"UPDATE attempts SET outcome = {text}")
    shown = render_build(read_build(history, "b1"), now=NOW) + render_task(
        read_task(history, "hang"), now=NOW
    )
    assert RAW.findall(shown.replace("\n", "")) == []
    assert r"x\x07" in shown


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=40)
@given(events=builds(build="\x1b[31mb1\udc80"))
def test_any_build_is_harmless_on_a_terminal_and_valid_by_the_schema(
    tmp_path: Path, events: list[Event]
) -> None:
    path = emptied(tmp_path)
    record(path, events)
    with open_history(path) as history:
        detail = read_build(history, "last")
        tasks = [read_task(history, task.task) for task in detail.tasks if task.attempts]
        found = read_builds(history)
    texts = [
        render_builds(found, now=NOW),
        render_build(detail, now=NOW),
        *(render_task(task, now=NOW) for task in tasks),
    ]
    for text in texts:
        assert RAW.findall(text.replace("\n", "")) == []
        text.encode()
        assert not text.endswith("\n")
    for form in (builds_to_json(found), build_to_json(detail), *map(task_to_json, tasks)):
        VALIDATOR.validate(json.loads(json.dumps(form, allow_nan=False)))


# --- for programs --------------------------------------------------------------------------------------------


def test_the_schema_is_one_and_describes_and_closes_every_object() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    loose: list[str] = []

    # The columns of an own question are what the person names.
    own = "/$defs/rows_form/properties/rows/items"

    def look(node: Any, where: str) -> None:
        if isinstance(node, list):
            for place, item in enumerate(node):
                look(item, f"{where}/{place}")
        if not isinstance(node, dict):
            return
        if node.get("type") == "object" and where != own:
            if node["additionalProperties"] is not False or set(node["required"]) != set(node["properties"]):
                loose.append(where)
            loose.extend(
                f"{where}/{name}" for name, item in node["properties"].items() if not item.get("description")
            )
        for name, item in node.items():
            look(item, f"{where}/{name}")

    look(SCHEMA, "")
    assert loose == []
    assert all(item.get("description") for item in SCHEMA["$defs"].values())


def test_every_form_is_of_one_kind_and_says_its_version(path: Path, history: History) -> None:
    record(path, eventful())
    forms = [
        builds_to_json(read_builds(history)),
        build_to_json(read_build(history, "last")),
        task_to_json(read_task(history, "hang")),
    ]
    for form in forms:
        VALIDATOR.validate(form)
        assert form["version"] == 1
        assert not VALIDATOR.is_valid({**form, "more": 1})
        assert not VALIDATOR.is_valid({**form, "version": 2})
    one = forms[1]
    assert [task["final"] for task in one["tasks"]] == [
        "landed",
        "landed",
        "rejected",
        "failed",
        "skipped",
        "fresh",
    ]
    assert one["tasks"][3]["attempts"][0]["usage"]["usd"] is None
    assert re.fullmatch("[a-z-]+", one["build"]["state"])
