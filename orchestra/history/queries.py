"""What the history is asked: builds, one build, one task. Each answer is found by an index.

Every function raises OrchestraError (exit status 3) where the database cannot be read.
"""

from __future__ import annotations

import json
import sqlite3
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any, cast

from orchestra.history.accounts import BUSY
from orchestra.history.database import History
from orchestra.history.records import (
    AdvanceRecord,
    AttemptRecord,
    BuildDetail,
    BuildRecord,
    DecisionRecord,
    EndingRecord,
    TaskRecord,
    VerificationRecord,
    Why,
)
from orchestra.history.statistics import EVERYTHING, Wanted
from orchestra.history.storing import rows, unlisted
from orchestra.model.errors import OrchestraError, environment_error, usage_error
from orchestra.model.outcomes import Final, Phase, Usage, Wait

LAST = "last"
"""The name of the newest build."""

_HINTED = 5


def read_builds(
    history: History, *, limit: int | None = 20, wanted: Wanted = EVERYTHING, busy: bool = False
) -> tuple[BuildRecord, ...]:
    """The newest builds, newest first; all of them where `limit` is None.

    By the order in which they were recorded, which no clock can upset. `busy`: without those in which nothing had to be
    done.
    """
    where, values = _chosen(wanted, busy=busy)
    found = _rows(history, f"SELECT * FROM builds b {where} ORDER BY id DESC LIMIT ?", *values, _limit(limit))
    return tuple(_build(row) for row in found)


def count_null_builds(history: History, oldest: str | None, wanted: Wanted = EVERYTHING) -> int:
    """In how many builds nothing had to be done, from the build `oldest` on (None: of all)."""
    if wanted.narrow:
        # Nothing ran in them: there is nothing that could be wanted.
        return 0
    where, values = _chosen(wanted, busy=False)
    since = "id >= (SELECT id FROM builds WHERE build = ?)" if oldest is not None else "?1 IS NULL"
    (found,) = _rows(
        history,
        f"SELECT count(*) AS n FROM builds b {where or 'WHERE true'} AND {since.replace('?1', '?')} AND NOT {BUSY}",
        *(*values, oldest),
    )
    return int(found["n"])


def _chosen(wanted: Wanted, *, busy: bool) -> tuple[str, list[object]]:
    """The condition for builds that are wanted, with its values."""
    conditions: list[str] = [BUSY] if busy else []
    values: list[object] = []
    if wanted.since is not None:
        conditions.append("b.started >= ?")
        values.append(wanted.since)
    if wanted.agent is not None:
        conditions.append("EXISTS (SELECT 1 FROM attempts a WHERE a.build = b.build AND a.agent = ?)")
        values.append(wanted.agent)
    if wanted.outcome is not None:
        conditions.append(
            "(EXISTS (SELECT 1 FROM attempts a WHERE a.build = b.build AND a.outcome = ?)"
            " OR EXISTS (SELECT 1 FROM tasks t WHERE t.build = b.build AND t.final = ?))"
        )
        values += [wanted.outcome, wanted.outcome]
    return f"WHERE {' AND '.join(conditions)}" if conditions else "", values


def find_build(history: History, which: str) -> str:
    """The id of the build that `which` names: an id, the beginning of just one, or `last`.

    Raises OrchestraError (exit status 2) where there is none, or several.
    """
    newest = "SELECT build FROM builds ORDER BY id DESC LIMIT ?"
    if which == LAST:
        found = _texts(history, newest, 1)
        if not found:
            raise usage_error("no build is recorded yet", hint="`orchestra build` makes the first")
        return found[0]
    # Exact first: the id of one build may be the beginning of another's.
    if exact := _texts(history, "SELECT build FROM builds WHERE build = ?", which):
        return exact[0]
    found = _texts(
        history,
        "SELECT build FROM builds WHERE build >= ? AND build < ? ORDER BY build LIMIT ?",
        *(which, which + "\U0010ffff", _HINTED + 1),
    )
    if which and len(found) == 1:
        return found[0]
    if which and found:
        more = ", ..." if len(found) > _HINTED else ""
        hint = f"say more of the id: {', '.join(found[:_HINTED])}{more}"
        raise usage_error(f'several builds begin with "{which}"', hint=hint)
    known = _texts(history, newest, _HINTED)
    hint = f"the newest are: {', '.join(known)}" if known else "no build is recorded yet"
    raise usage_error(f'no build "{which}" is recorded', hint=hint)


def read_build(history: History, which: str) -> BuildDetail:
    """One build, named by its id, the beginning of just one, or `last`. Raises OrchestraError as `find_build`."""
    name = find_build(history, which)
    (row,) = _rows(history, "SELECT * FROM builds WHERE build = ?", name)
    record = _build(row)
    (selection,) = _texts(history, "SELECT tasks FROM selections WHERE id = ?", row["selection_id"])
    return BuildDetail(
        build=record,
        tasks=_tasks(history, record, unlisted(selection)),
        verifications=tuple(
            VerificationRecord(
                commit=found["commit_id"],
                task=found["task"],
                started=found["started"],
                finished=found["finished"],
                passed=_flag(found["passed"]),
                remembered=_flag(found["remembered"]),
                seconds=found["seconds"],
                log=found["log"],
            )
            for found in _rows(history, "SELECT * FROM verifications WHERE build = ? ORDER BY id", name)
        ),
        advances=tuple(
            AdvanceRecord(
                time=found["time"],
                done=bool(found["done"]),
                branch=found["branch"],
                old=found["old"],
                new=found["new"],
                parked=found["parked"],
                why=found["why"],
            )
            for found in _rows(history, "SELECT * FROM advances WHERE build = ? ORDER BY id", name)
        ),
    )


def read_attempts(
    history: History, name: str, *, limit: int | None = 50, wanted: Wanted = EVERYTHING
) -> tuple[int, tuple[AttemptRecord, ...]]:
    """How many attempts at a task there are, and the newest of them, newest first; all where `limit` is None.

    Raises OrchestraError (exit status 2) where no attempt at it is recorded at all.
    """
    where, values = _narrowed(name, wanted)
    (count,) = _rows(history, f"SELECT count(*) AS n FROM attempts a WHERE {where}", *values)
    if count["n"] == 0 and last_attempt(history, name) is None:
        raise _no_attempt(history, name)
    found = _attempts(history, f"{where} ORDER BY a.id DESC LIMIT ?", *values, _limit(limit))
    return count["n"], found


def _narrowed(name: str, wanted: Wanted) -> tuple[str, list[object]]:
    """The condition for attempts at a task that are wanted, with its values."""
    where, values = "a.task = ?", [cast(object, name)]
    if wanted.since is not None:
        where += " AND a.started >= ?"
        values.append(wanted.since)
    if wanted.agent is not None:
        where += " AND a.agent = ?"
        values.append(wanted.agent)
    if wanted.outcome is not None:
        where += " AND (a.outcome = ? OR EXISTS (SELECT 1 FROM endings e WHERE e.attempt_id = a.id AND e.kind = ?))"
        values += [wanted.outcome, wanted.outcome]
    return where, values


def last_attempt(history: History, task: str) -> AttemptRecord | None:
    """The newest attempt of a task, also one that is under way; None where none is recorded."""
    found = _newest(history, task, 1)
    return found[0] if found else None


def _newest(history: History, task: str, limit: int | None) -> tuple[AttemptRecord, ...]:
    where = "a.task = ? ORDER BY a.id DESC LIMIT ?"
    return _attempts(history, where, task, _limit(limit))


def _no_attempt(history: History, name: str) -> OrchestraError:
    import difflib  # only where something is wrong

    known = _texts(history, "SELECT DISTINCT task FROM attempts")
    near = difflib.get_close_matches(name, known, n=3)
    hint = f"did you mean {', '.join(near)}?" if near else "`orchestra history` lists the builds"
    return usage_error(f'no attempt of a task "{name}" is recorded', hint=hint)


# --- rows into records -----------------------------------------------------------------------------------------


def _build(row: Mapping[str, Any]) -> BuildRecord:
    values = {name: row[name] for name in BuildRecord.__dataclass_fields__}
    for name in ("ok", "advanced", "interrupted", "rebuilt"):
        values[name] = _flag(values[name])
    return BuildRecord(**values)


def _tasks(history: History, record: BuildRecord, selected: tuple[str, ...]) -> tuple[TaskRecord, ...]:
    name = record.build
    finals = {row["task"]: row for row in _rows(history, "SELECT * FROM tasks WHERE build = ?", name)}
    attempts: dict[str, list[AttemptRecord]] = defaultdict(list)
    for attempt in _attempts(history, "a.build = ? ORDER BY a.id", name):
        attempts[attempt.task].append(attempt)
    decisions = _decisions(history, name)
    endings: dict[str, list[EndingRecord]] = defaultdict(list)
    for row in _rows(
        history, "SELECT * FROM endings WHERE build = ? AND attempt_id IS NULL ORDER BY id", name
    ):
        endings[row["task"]].append(_ending(row))
    # Tasks that nobody selected do not occur; a record that has one all the same is shown as it is.
    names = dict.fromkeys((*selected, *finals, *attempts, *decisions, *endings))
    # A finished build gave every selected task its ending, and wrote down all but the fresh ones.
    unwritten = Final.FRESH.value if record.finished is not None else None
    return tuple(
        TaskRecord(
            task=task,
            final=finals[task]["final"] if task in finals else unwritten,
            finished=finals[task]["finished"] if task in finals else None,
            why=finals[task]["why"] if task in finals else None,
            because=finals[task]["because"] if task in finals else None,
            decisions=tuple(decisions[task]),
            attempts=tuple(attempts[task]),
            endings=tuple(endings[task]),
        )
        for task in names
    )


def _decisions(history: History, build: str) -> Mapping[str, list[DecisionRecord]]:
    found = list(_rows(history, "SELECT * FROM decisions WHERE build = ? ORDER BY id", build))
    reasons = _reasons(history, [row["id"] for row in found])
    decisions: dict[str, list[DecisionRecord]] = defaultdict(list)
    for row in found:
        decisions[row["task"]].append(
            DecisionRecord(
                time=row["time"],
                state=row["state"],
                key=row["key"],
                commit=row["commit_id"],
                reason_count=row["reason_count"],
                reasons=tuple(reasons[row["id"]]),
            )
        )
    return decisions


def _attempts(history: History, where: str, *values: object) -> tuple[AttemptRecord, ...]:
    found = list(
        _rows(
            history,
            "SELECT a.*, coalesce(d.reason_count, 0) AS reason_count"
            f" FROM attempts a LEFT JOIN decisions d ON d.id = a.decision_id WHERE {where}",
            *values,
        )
    )
    ids = json.dumps([row["id"] for row in found])
    reasons = _reasons(history, [row["decision_id"] for row in found if row["decision_id"] is not None])
    waits: dict[int, list[Wait]] = defaultdict(list)
    for row in _rows(history, _children("waits", "attempt_id, place"), ids):
        waits[row["attempt_id"]].append(Wait(row["cause"], row["seconds"], row["task"]))
    phases: dict[int, list[Phase]] = defaultdict(list)
    for row in _rows(history, _children("phases", "attempt_id, place"), ids):
        phases[row["attempt_id"]].append(Phase(row["name"], row["started"], row["ended"]))
    endings: dict[int, list[EndingRecord]] = defaultdict(list)
    for row in _rows(history, _children("endings", "id"), ids):
        endings[row["attempt_id"]].append(_ending(row))
    return tuple(
        AttemptRecord(
            **{name: row[name] for name in _PLAIN},
            rebuilt=_flag(row["rebuilt"]),
            usage=Usage(**{name: row[name] for name in Usage.__dataclass_fields__}),
            reads=unlisted(row["reads"] or "[]"),
            reasons=tuple(reasons[row["decision_id"]]),
            waits=tuple(waits[row["id"]]),
            phases=tuple(phases[row["id"]]),
            endings=tuple(endings[row["id"]]),
        )
        for row in found
    )


_PLAIN = tuple(
    name
    for name in AttemptRecord.__dataclass_fields__
    if name not in ("usage", "rebuilt", "reads", "reasons", "waits", "phases", "endings")
)


def _children(table: str, order: str) -> str:
    return f"SELECT * FROM {table} WHERE attempt_id IN (SELECT value FROM json_each(?)) ORDER BY {order}"


def _reasons(history: History, decisions: list[int]) -> dict[int, list[Why]]:
    reasons: dict[int, list[Why]] = defaultdict(list)
    for row in _rows(
        history,
        "SELECT * FROM reasons WHERE decision_id IN (SELECT value FROM json_each(?)) ORDER BY decision_id, place",
        json.dumps(decisions),
    ):
        reasons[row["decision_id"]].append(Why(row["kind"], row["subject"], row["old"], row["new"]))
    return reasons


def _ending(row: Mapping[str, Any]) -> EndingRecord:
    return EndingRecord(
        attempt=row["attempt"],
        time=row["time"],
        kind=row["kind"],
        why=row["why"],
        commit=row["commit_id"],
        verified=_flag(row["verified"]),
        kept=row["kept"],
        alone=_flag(row["alone"]),
        path_count=row["path_count"],
        paths=unlisted(row["paths"]),
        log=row["log"],
        hint=row["hint"],
    )


def _flag(value: int | None) -> bool | None:
    return None if value is None else bool(value)


def _limit(limit: int | None) -> int:
    return -1 if limit is None else limit


def _texts(history: History, sql: str, *values: object) -> list[str]:
    return [next(iter(row.values())) for row in _rows(history, sql, *values)]


def ask(history: History, sql: str, *values: object) -> list[dict[str, Any]]:
    """The rows of one question, by column name."""
    return list(_rows(history, sql, *values))


def stream(history: History, sql: str, *values: object) -> Iterator[dict[str, Any]]:
    """As `ask`, one row after another: for answers that may not fit into memory."""
    return _rows(history, sql, *values)


def _rows(history: History, sql: str, *values: object) -> Iterator[dict[str, Any]]:
    try:
        yield from rows(history.connection, sql, *values)
    except sqlite3.Error as error:
        raise environment_error(
            f"the history cannot be read: {history.path}", causes=(str(error),)
        ) from error
