"""Reads the statistics: from the sums by day, and of a day that is wanted in part from the attempts themselves.

So the price hangs on days and tasks, not on attempts. Raises OrchestraError (exit status 3) where the database cannot
be read.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from orchestra.history.database import History
from orchestra.history.queries import ask, read_attempts
from orchestra.history.records import TaskHistory
from orchestra.history.statistics import (
    EVERYTHING,
    Builds,
    Estimates,
    Group,
    Loss,
    Period,
    Saving,
    Stats,
    Tally,
    Wanted,
)
from orchestra.history.sums import (
    BUILD_FIGURES,
    DAY,
    FIGURES,
    KEYS,
    attempt_values,
    build_counts,
    build_values,
    counts,
    summed,
)
from orchestra.model.outcomes import Final, Outcome
from orchestra.model.spread import spread

SHOWN = 10
"""How many of the slowest and of the most failing tasks are told."""

SAMPLE = 1000
"""From how many of the newest attempts at a task its percentiles are taken."""

PERIODS = 12
"""Into how many periods time is divided at most."""

_LENGTHS = (1, 7, 28, 91, 364)
_GOOD = (Outcome.SUCCESS.value, Outcome.NO_CHANGE.value)
_OF_TASKS = ("attempt_totals", "attempt_sums", (*KEYS[1:], *FIGURES))
_CAUSES = ("conflict", "verification", "retry", "rejected")


def read_stats(history: History, wanted: Wanted) -> Stats:
    """All figures of what is wanted. `wanted.outcome` is one of an attempt."""
    source, values = _attempts(wanted, *_OF_TASKS)
    rows = ask(
        history,
        f"SELECT task, agent, outcome, lost, {_summed(FIGURES)} FROM ({source})"
        " GROUP BY task, agent, outcome, lost",
        *values,
    )
    table = "attempt_sums" if wanted.narrow else "attempt_days"
    source, values = _attempts(wanted, table, table, ("day", "outcome", *FIGURES[:5]))
    by_day = ask(
        history,
        f"SELECT day, outcome, {_summed(FIGURES[:5])} FROM ({source}) GROUP BY day, outcome",
        *values,
    )
    builds = None if wanted.narrow else _build_rows(history, wanted)
    tally = _tally(rows)
    return Stats(
        wanted=wanted,
        tally=tally,
        rate=tally.rate,
        builds=None if builds is None else _builds(builds),
        savings=None if builds is None else _savings(builds),
        losses=tuple(_loss(cause, [row for row in rows if row["lost"] == cause]) for cause in _CAUSES),
        claims_s=_total(rows, "claims_ms") / 1000,
        estimates=Estimates(
            attempts=_total(rows, "est_n"),
            estimated_s=_total(rows, "est_ms") / 1000,
            real_s=_total(rows, "est_real_ms") / 1000,
            within_p50=_total(rows, "est_p50"),
            within_p90=_total(rows, "est_p90"),
        ),
        **_ranked(history, rows),
        agents=tuple(sorted(_groups(rows, "agent"), key=lambda group: (-group.tally.attempts, group.name))),
        periods=_periods(by_day, builds),
    )


def read_task(
    history: History, name: str, *, limit: int | None = 50, wanted: Wanted = EVERYTHING
) -> TaskHistory:
    """One task over all builds, with its newest attempts of those wanted; all of them where `limit` is None.

    Raises OrchestraError (exit status 2) where no attempt at it is recorded.
    """
    total, attempts = read_attempts(history, name, limit=limit, wanted=wanted)
    source, values = _attempts(replace(wanted, task=name, outcome=None), *_OF_TASKS)
    rows = ask(history, f"SELECT outcome, {_summed(FIGURES)} FROM ({source}) GROUP BY outcome", *values)
    tally = _tally(rows)
    return TaskHistory(name, total, attempts, tally, tally.rate, good_seconds(history, name, wanted.agent))


def _ranked(history: History, rows: Sequence[dict[str, Any]]) -> dict[str, tuple[Group, ...]]:
    """The tasks whose attempts take longest, and those that fail most surely, with their percentiles."""
    tasks = _groups(rows, "task")
    slowest = sorted(tasks, key=lambda group: (-group.tally.seconds / group.tally.attempts, group.name))
    failing = [group for group in tasks if group.tally.good < group.tally.judged]
    # By what is left of the failures in the best case: once out of once says less than nine times out of ten.
    failing.sort(key=lambda group: (group.rate.high if group.rate else 1.0, -group.tally.judged, group.name))
    return {
        "slowest": tuple(_measured(history, group) for group in slowest[:SHOWN]),
        "failing": tuple(_measured(history, group) for group in failing[:SHOWN]),
    }


def _summed(names: Sequence[str]) -> str:
    return ", ".join(f"sum({name}) AS {name}" for name in names)


def _attempts(wanted: Wanted, always: str, since: str, names: Sequence[str]) -> tuple[str, list[object]]:
    """The query for sums that are wanted, with its values: of the table `always`, or where days are to be told apart,
    of `since`.
    """
    listed = ", ".join(names)
    filters = [
        (name, getattr(wanted, name))
        for name in ("task", "agent", "outcome")
        if getattr(wanted, name) is not None
    ]
    chosen = [value for _, value in filters]
    whole = " AND ".join(["n > 0", *(f"{name} = ?" for name, _ in filters)])
    if wanted.since is None:
        return f"SELECT {listed} FROM {always} WHERE {whole}", chosen
    day = math.ceil(wanted.since / DAY)
    where = " AND ".join(
        [counts("r"), "r.started >= ?", "r.started < ?", *(f"r.{name} = ?" for name, _ in filters)]
    )
    part = summed("attempts", attempt_values("r"), (*KEYS, *FIGURES), len(KEYS), where)
    return (
        f"SELECT {listed} FROM {since} WHERE {whole} AND day >= ? UNION ALL SELECT {listed} FROM ({part})",
        [*chosen, day, wanted.since, day * DAY, *chosen],
    )


def _build_rows(history: History, wanted: Wanted) -> list[dict[str, Any]]:
    """The sums of builds by day; of the first day wanted, those from then on."""
    names = ", ".join(("day", *BUILD_FIGURES))
    if wanted.since is None:
        return ask(history, f"SELECT {names} FROM build_sums WHERE builds > 0 ORDER BY day")
    day = math.ceil(wanted.since / DAY)
    where = f"{build_counts('r')} AND r.started >= ? AND r.started < ?"
    part = summed("builds", build_values("r"), ("day", *BUILD_FIGURES), 1, where)
    return ask(
        history,
        f"SELECT {names} FROM build_sums WHERE builds > 0 AND day >= ? UNION ALL {part} ORDER BY day",
        *(day, wanted.since, day * DAY),
    )


# --- rows into figures -----------------------------------------------------------------------------------------


def _total(rows: Iterable[dict[str, Any]], name: str) -> int:
    return sum(row[name] for row in rows)


def _usd(rows: Sequence[dict[str, Any]]) -> float | None:
    return _total(rows, "usd_u") / 1e6 if _total(rows, "priced") else None


def _tally(rows: Sequence[dict[str, Any]]) -> Tally:
    return Tally(
        attempts=_total(rows, "n"),
        good=_total((row for row in rows if row["outcome"] in _GOOD), "n"),
        interrupted=_total((row for row in rows if row["outcome"] == Outcome.INTERRUPTED), "n"),
        seconds=_total(rows, "ms") / 1000,
        usd=_usd(rows),
        tokens=_total(rows, "tokens"),
    )


def _groups(rows: Sequence[dict[str, Any]], name: str) -> list[Group]:
    groups: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        groups[row[name]].append(row)
    tallies = {key: _tally(found) for key, found in groups.items()}
    return [Group(key, tally, tally.rate) for key, tally in tallies.items()]


def _measured(history: History, group: Group) -> Group:
    known = spread(good_seconds(history, group.name))
    return group if known is None else replace(group, p50_s=known.p50, p90_s=known.p90)


def good_seconds(history: History, task: str, agent: str | None = None) -> tuple[float, ...]:
    """How long the newest attempts at a task took that went well, oldest first; of all agents where none is named."""
    found = ask(
        history,
        "SELECT seconds FROM (SELECT id, seconds, outcome FROM attempts"
        " WHERE task = ?1 AND (agent = ?2 OR ?2 IS NULL) ORDER BY id DESC LIMIT ?3)"
        " WHERE outcome IN (?4, ?5) AND seconds IS NOT NULL ORDER BY id",
        *(task, agent, SAMPLE, *_GOOD),
    )
    return tuple(row["seconds"] for row in found)


def _loss(cause: str, rows: Sequence[dict[str, Any]]) -> Loss:
    return Loss(cause, _total(rows, "n"), _total(rows, "ms") / 1000, _usd(rows))


def _builds(rows: Sequence[dict[str, Any]]) -> Builds:
    return Builds(
        builds=_total(rows, "builds"),
        ok=_total(rows, "ok"),
        busy=_total(rows, "busy"),
        wall_s=_total(rows, "wall_ms") / 1000,
        sequential_s=_total(rows, "sequential_ms") / 1000,
        slot_s=_total(rows, "slot_ms") / 1000,
    )


def _savings(rows: Sequence[dict[str, Any]]) -> tuple[Saving, ...]:
    return tuple(
        Saving(
            how,
            times=_total(rows, how),
            seconds=_total(rows, f"{how}_ms") / 1000,
            usd=_total(rows, f"{how}_usd_u") / 1e6,
        )
        for how in (Final.FRESH.value, Final.REPLAYED.value)
    )


def _periods(by_day: Sequence[dict[str, Any]], builds: Sequence[dict[str, Any]] | None) -> tuple[Period, ...]:
    """Time divided into periods of one length, the last of which ends with the last day."""
    days = [row["day"] for row in (*by_day, *(builds or ()))]
    if not days:
        return ()
    first, last = min(days), max(days)
    length = next((length for length in _LENGTHS if (last - first) // length < PERIODS), 0)
    length = length or math.ceil((last - first + 1) / PERIODS)
    count = (last - first) // length + 1
    start = last + 1 - count * length
    of_attempts: list[list[dict[str, Any]]] = [[] for _ in range(count)]
    of_builds: list[list[dict[str, Any]]] = [[] for _ in range(count)]
    for row in by_day:
        of_attempts[(row["day"] - start) // length].append(row)
    for row in builds or ():
        of_builds[(row["day"] - start) // length].append(row)
    return tuple(
        Period(
            start=float((start + place * length) * DAY),
            days=length,
            tally=_tally(of_attempts[place]),
            builds=None if builds is None else _builds(of_builds[place]),
        )
        for place in range(count)
    )
