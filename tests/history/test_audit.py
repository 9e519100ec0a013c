"""The audit trail of a change: all that the build told of it stands there, and nothing that was of another's."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from orchestra.history.audit import Change, Check, read_changes
from orchestra.history.database import History
from orchestra.history.statistics import EVERYTHING, Wanted
from orchestra.model.agents import AgentEvent
from orchestra.model.events import (
    AgentDid,
    AttemptFinished,
    AttemptStarted,
    Event,
    TaskAgain,
    TaskRejected,
    VerifyFinished,
    VerifyStarted,
)
from orchestra.model.outcomes import Asked, Final, Judged, Usage

from .streams import attempt, finished, landed, record, started

ASKED = Asked("Mend it.\n", "prompts/alpha.md", None, "pytest -q", "judge")
JUDGED = (
    Judged("check", "pytest -q", False, 1, 2.0, ("1 failed",)),
    Judged("check", "pytest -q", True, 0, 1.5, ("2 passed",)),
    Judged("review", "judge", True, None, 4.0, ("fine",)),
)


def audited(task: str = "alpha", build: str = "b1", *, time: float = 1001.0) -> list[Event]:
    """An attempt with all that an audit tells of one."""
    told: list[Event] = []
    for event in attempt(task, build, time=time):
        match event:
            case AttemptStarted(attempt=name):
                told.append(replace(event, asked=ASKED, agent="maker"))
                for words in ("claude 2.1.207 (model sonnet)", "other 9.9"):
                    told.append(AgentDid(time, build, task, name, AgentEvent("started", words)))
            case AttemptFinished():
                told.append(replace(event, judged=JUDGED, model="sonnet-4"))
            case _:
                told.append(event)
    return told


def test_all_that_was_told_of_a_change_stands_there(path: Path, history: History) -> None:
    record(
        path,
        (
            started(tasks=("alpha",)),
            *audited(),
            VerifyStarted(1003.0, "b1", "c0", None, "make test"),
            VerifyFinished(1003.5, "b1", "c0", False, False, 9.0, None, ("the base is red",), "/logs/base"),
            VerifyStarted(1003.0, "b1", "c1", "alpha", "make test"),
            VerifyFinished(1003.5, "b1", "c1", False, False, 7.0, "alpha", ("red once",), "/logs/1"),
            VerifyStarted(1003.5, "b1", "c1", "alpha", "make test"),
            VerifyFinished(1004.0, "b1", "c1", True, False, 8.0, "alpha", ("green",), "/logs/2"),
            landed(time=1005.0),
            finished(alpha=Final.LANDED),
        ),
    )
    (change,) = read_changes(history, EVERYTHING)
    log = "/logs/b1-alpha-1.log"
    assert change == Change(
        task="alpha",
        build="b1",
        attempt="b1-alpha-1",
        commit="c1",
        time=1005.0,
        prompt="Mend it.\n",
        prompt_path="prompts/alpha.md",
        command=None,
        key="k1:a",
        agent="maker",
        # The first words are those of the program; what it says later may be a tool's of the same kind.
        agent_said="claude 2.1.207 (model sonnet)",
        agent_version="2.1.207",
        model="sonnet-4",
        orchestra=change.orchestra,
        seconds=2.0,
        usage=Usage(1000, 200, None, None, 0.25),
        checks=(
            Check("check", "pytest -q", False, 1, 2.0, ("1 failed",), log),
            Check("check", "pytest -q", True, 0, 1.5, ("2 passed",), log),
            Check("review", "judge", True, None, 4.0, ("fine",), log),
            Check("verify", "make test", True, None, 8.0, ("green",), "/logs/2"),
        ),
        reviewer="judge",
        verified=True,
        replayed=False,
        rebuilt=False,
    )


def test_what_nobody_asked_or_judged_is_invented_by_nobody(path: Path, history: History) -> None:
    record(path, (started(), *attempt(), replace(landed(), verified=False), finished(alpha=Final.LANDED)))
    (change,) = read_changes(history, EVERYTHING)
    assert (change.prompt, change.command, change.reviewer, change.checks) == (None, None, None, ())
    assert (change.agent_said, change.agent_version, change.model) == (None, None, None)
    assert change.verified is False
    assert history.connection.execute("SELECT count(*) FROM asked").fetchone() == (0,)


def test_changes_come_in_their_order_and_only_those_that_landed(path: Path, history: History) -> None:
    record(
        path,
        (
            started(tasks=("alpha", "beta", "gamma")),
            *audited("alpha"),
            TaskAgain(1003.0, "b1", "alpha", "b1-alpha-1", "in the way", ("a",)),
            *audited("beta"),
            TaskRejected(1004.0, "b1", "beta", "b1-beta-1", "outside", "refs/x", ("b",)),
            *attempt("gamma"),
            landed("gamma", time=1005.0),
            *attempt("alpha", number=2, time=1005.0),
            landed("alpha", number=2, time=1007.0),
            finished(alpha=Final.LANDED, beta=Final.REJECTED, gamma=Final.LANDED),
        ),
    )

    def told(wanted: Wanted, limit: int | None = None) -> list[str]:
        return [change.attempt for change in read_changes(history, wanted, limit=limit)]

    assert told(EVERYTHING) == ["b1-gamma-1", "b1-alpha-2"]
    assert told(EVERYTHING, limit=1) == ["b1-alpha-2"]
    assert told(Wanted(since=1007.0)) == ["b1-alpha-2"]
    assert told(Wanted(since=1007.5)) == []
    assert told(Wanted(task="gamma")) == ["b1-gamma-1"]
    assert told(Wanted(agent="script")) == ["b1-gamma-1", "b1-alpha-2"]
    assert told(Wanted(agent="maker")) == []


def test_where_no_lines_were_told_those_of_the_log_are(path: Path, history: History, tmp_path: Path) -> None:
    log = tmp_path / "verify.log"
    log.write_text("".join(f"line {number}\n" for number in range(30)) + "caf\xe9 \n")
    record(
        path,
        (
            started(),
            *attempt(),
            VerifyStarted(1003.0, "b1", "c1", "alpha", "make test"),
            VerifyFinished(1004.0, "b1", "c1", True, False, 8.0, "alpha", (), str(log)),
            landed(),
            finished(alpha=Final.LANDED),
        ),
    )
    ((check,),) = (change.checks for change in read_changes(history, EVERYTHING))
    assert check.output == (*(f"line {number}" for number in range(11, 30)), "caf\xe9 ")
    log.unlink()
    ((check,),) = (change.checks for change in read_changes(history, EVERYTHING))
    assert check.output == ()


def test_a_verdict_from_memory_leaves_that_which_it_repeats(path: Path, history: History) -> None:
    record(
        path,
        (
            started(),
            *attempt(),
            VerifyStarted(1003.0, "b1", "c1", "alpha", "make test"),
            VerifyFinished(1004.0, "b1", "c1", True, False, 8.0, "alpha"),
            VerifyFinished(1005.0, "b1", "c1", True, True, 0.0, "alpha"),
            landed(),
            finished(alpha=Final.LANDED),
        ),
    )
    found = history.connection.execute("SELECT remembered, seconds FROM verifications ORDER BY id")
    assert found.fetchall() == [(0, 8.0), (1, 0.0)]
