"""The audit trail: for each landed change what was asked, who and what made it, what judged it, and what it cost.

Read from the history, oldest first. Raises OrchestraError (exit status 3) where that cannot be read.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestra.history.database import History
from orchestra.history.queries import ask, stream
from orchestra.history.statistics import Wanted
from orchestra.history.storing import unlisted
from orchestra.history.views import MAKER
from orchestra.model.outcomes import Usage
from orchestra.model.traces import Person

VERSION = 1
"""The version of the JSON form."""

LINES = 20
"""How many of the last lines of a verification's log are told."""

_TAIL_BYTES = 64 * 2**10
_NUMBER = re.compile(r"(?<![\w.])v?(\d+(?:\.\d+)+[\w.+-]*)")


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that judged a change: a check or review of the attempt, or the verification of what landed.

    `by` is the command or the agent, None where that is not known; `output` its last lines, or what a review found.
    """

    kind: str
    by: str | None
    passed: bool | None
    exit_status: int | None
    seconds: float | None
    output: tuple[str, ...]
    log: str | None


@dataclass(frozen=True, slots=True)
class Change:
    """One landed change. What nobody recorded is None.

    `build` landed it, `attempt` made it (in an earlier build, where its result was replayed). `agent_said` is what the
    agent's program said of itself, `agent_version` the number in it. `verified` tells whether a verification passed on
    the commit. `rebuilt`: only git tells of it.
    """

    task: str
    build: str
    attempt: str
    commit: str | None
    time: float
    prompt: str | None
    prompt_path: str | None
    command: str | None
    key: str | None
    agent: str | None
    agent_said: str | None
    agent_version: str | None
    model: str | None
    orchestra: str | None
    seconds: float | None
    usage: Usage
    checks: tuple[Check, ...]
    reviewer: str | None
    verified: bool | None
    replayed: bool
    rebuilt: bool


def read_changes(history: History, wanted: Wanted, *, limit: int | None = None) -> Iterator[Change]:
    """The landed changes that are wanted, oldest first; with `limit`, the newest so many.

    `wanted.since` is about the landing; `wanted.outcome` is not asked.
    """
    chosen, values = _chosen(wanted, limit)
    rows = stream(
        history,
        "SELECT e.id AS ending, e.build AS landed_in, e.task AS landed_task, e.attempt AS made_by,"
        " e.commit_id, e.time, e.verified, e.rebuilt AS rebuilt_ending, e.attempt_id, a.*, q.prompt, q.path,"
        " q.command, q.reviewer, b.version AS orchestra FROM endings e"
        f" LEFT JOIN attempts a ON a.id = {MAKER} LEFT JOIN asked q ON q.id = a.asked_id"
        f" LEFT JOIN builds b ON b.build = e.build WHERE {chosen} ORDER BY e.id",
        *values,
    )
    for row in rows:
        yield _change(history, row)


def read_commits(history: History, wanted: Wanted, *, limit: int | None = None) -> tuple[str, ...]:
    """The commits of the same changes, in no order."""
    chosen, values = _chosen(wanted, limit)
    sql = f"SELECT e.commit_id FROM endings e LEFT JOIN attempts a ON a.id = {MAKER} WHERE {chosen}"
    return tuple(row["commit_id"] for row in stream(history, sql, *values) if row["commit_id"] is not None)


def _chosen(wanted: Wanted, limit: int | None) -> tuple[str, list[object]]:
    """The condition for landings `e` and what made them, `a`, with its values."""
    where, values = ["e.kind = 'landed'"], list[object]()
    for condition, value in (
        ("e.time >= ?", wanted.since),
        ("e.task = ?", wanted.task),
        ("a.agent = ?", wanted.agent),
    ):
        if value is not None:
            where.append(condition)
            values.append(value)
    found = " AND ".join(where)
    if limit is None:
        return found, values
    newest = (
        f"SELECT e.id FROM endings e LEFT JOIN attempts a ON a.id = {MAKER} WHERE {found} ORDER BY e.id DESC"
    )
    return f"e.id IN ({newest} LIMIT ?)", [*values, limit]


def _change(history: History, row: Mapping[str, Any]) -> Change:
    said = row["said"]
    version = _NUMBER.search(said) if said else None
    checks = ask(history, "SELECT * FROM judgements WHERE attempt_id = ? ORDER BY place", row["id"])
    return Change(
        task=row["landed_task"],
        build=row["landed_in"],
        attempt=row["made_by"],
        commit=row["commit_id"],
        time=row["time"],
        prompt=row["prompt"],
        prompt_path=row["path"],
        command=row["command"],
        key=row["key"] or None,
        agent=row["agent"] or None,
        agent_said=said,
        agent_version=version.group(1) if version else None,
        model=row["model"],
        orchestra=row["orchestra"] or None,
        seconds=row["seconds"],
        usage=Usage(**{name: row[name] for name in Usage.__dataclass_fields__}),
        checks=(
            *(
                Check(
                    each["kind"],
                    each["by"],
                    _flag(each["passed"]),
                    each["exit_status"],
                    each["seconds"],
                    unlisted(each["tail"]),
                    row["log"],
                )
                for each in checks
            ),
            *_verification(history, row),
        ),
        reviewer=row["reviewer"],
        verified=_flag(row["verified"]),
        replayed=row["attempt_id"] is None and row["id"] is not None,
        rebuilt=bool(row["rebuilt_ending"]),
    )


def _verification(history: History, row: Mapping[str, Any]) -> Iterator[Check]:
    """What verified the landed commit, if something did."""
    found = ask(
        history,
        "SELECT * FROM verifications WHERE build = ? AND commit_id = ? ORDER BY id DESC LIMIT 1",
        *(row["landed_in"], row["commit_id"]),
    )
    for each in found:
        output = unlisted(each["tail"]) if each["tail"] else _end_of(each["log"])
        yield Check(
            "verify", each["command"], _flag(each["passed"]), None, each["seconds"], output, each["log"]
        )


def _end_of(log: str | None) -> tuple[str, ...]:
    """The last lines of a log, () where it is gone."""
    if not log:
        return ()
    try:
        with Path(log).open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - _TAIL_BYTES))
            text = file.read().decode("utf-8", "replace")
    except OSError:
        return ()
    return tuple(text.rstrip("\n").split("\n")[-LINES:])


def _flag(value: int | None) -> bool | None:
    return None if value is None else bool(value)


def change_to_json(change: Change, person_of: Callable[[str], Person | None]) -> dict[str, Any]:
    """One line of the audit trail, as `schema/audit.schema.json` says; `person_of` tells who committed a commit."""
    from orchestra.model.events import plain

    person = person_of(change.commit) if change.commit is not None else None
    return {"version": VERSION, **plain(change), "person": plain(person)}
