"""The sums that `orchestra history --stats` reads: by day, task, agent and outcome, kept by triggers beside every row.

A sum is a function of the rows of `attempts` and `builds` alone: whoever writes, changes or deletes one of those keeps
the sums right in the same transaction. They are whole numbers (milliseconds, millionths of a US dollar), so that what
is added and taken away again leaves nothing behind.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

DAY = 86_400
"""Seconds of a day; days are those of UTC, numbered from 1970."""

MOST_S, MOST_USD, MOST_TOKENS = 1e9, 1e6, 1e12
"""What one attempt counts at most: an agent's JSON may say anything, and sums must not overflow."""

KEYS = ("day", "task", "agent", "outcome", "lost")
FIGURES = (
    *("n", "ms", "usd_u", "priced", "tokens", "claims_ms"),
    *("est_n", "est_ms", "est_real_ms", "est_p50", "est_p90"),
)
BUILD_FIGURES = (
    *("builds", "ok", "busy", "wall_ms", "sequential_ms", "slot_ms"),
    *("fresh", "replayed", "fresh_ms", "fresh_usd_u", "replayed_ms", "replayed_usd_u"),
)


def day_of(row: str) -> str:
    """The SQL expression for the day of a row."""
    return f"CAST({row}.started / {DAY} AS INTEGER)"


def _milli(value: str) -> str:
    return f"CAST(min(max(coalesce({value}, 0), 0), {MOST_S}) * 1000 + 0.5 AS INTEGER)"


def _micro(value: str) -> str:
    return f"CAST(min(max(coalesce({value}, 0), 0), {MOST_USD}) * 1000000 + 0.5 AS INTEGER)"


def counts(row: str) -> str:
    """The SQL condition on which a row of `attempts` counts: it has ended, and was seen to."""
    return f"{row}.outcome IS NOT NULL AND {row}.rebuilt IS NULL"


def attempt_values(row: str) -> tuple[str, ...]:
    """The SQL expressions of `KEYS` and `FIGURES` for one row of `attempts`."""
    tokens = " + ".join(
        f"coalesce({row}.{name}_tokens, 0)" for name in ("input", "output", "cache_read", "cache_write")
    )
    # An estimate is one of an attempt that goes well.
    told = (
        f"({row}.estimate_s IS NOT NULL AND {row}.seconds IS NOT NULL"
        f" AND {row}.outcome IN ('success', 'no-change'))"
    )
    return (
        *(day_of(row), f"{row}.task", f"{row}.agent", f"{row}.outcome", f"coalesce({row}.lost, '')"),
        *("1", _milli(f"{row}.seconds"), _micro(f"{row}.usd"), f"({row}.usd IS NOT NULL)"),
        f"CAST(min(max({tokens}, 0), {MOST_TOKENS}) AS INTEGER)",
        _milli(f"{row}.claims_s"),
        *(told, f"{told} * {_milli(f'{row}.estimate_s')}", f"{told} * {_milli(f'{row}.seconds')}"),
        f"({told} AND {row}.seconds <= {row}.estimate_s)",
        f"({told} AND {row}.seconds <= {row}.estimate_high_s)",
    )


def build_counts(row: str) -> str:
    """The SQL condition on which a row of `builds` counts: it told its end."""
    return f"{row}.finished IS NOT NULL AND {row}.rebuilt IS NULL"


def build_values(row: str) -> tuple[str, ...]:
    """The SQL expressions of the day and `BUILD_FIGURES` for one row of `builds`.

    Times are only of builds in which something ran (`busy`): a speedup is a matter of those. `slot_ms` is the time
    that they had: their own, as often as attempts could run side by side in them.
    """
    busy = f"(coalesce({row}.ran, 0) > 0)"
    return (
        *(day_of(row), "1", f"(coalesce({row}.ok, 0) <> 0)", busy),
        *(f"{busy} * {_milli(f'{row}.wall_s')}", f"{busy} * {_milli(f'{row}.sequential_s')}"),
        f"{busy} * {_milli(f'{row}.wall_s')} * max(1, min({row}.jobs, {row}.ran, 10000))",
        *(f"coalesce({row}.fresh, 0)", f"coalesce({row}.replayed, 0)"),
        *(_milli(f"{row}.fresh_s"), _micro(f"{row}.fresh_usd")),
        *(_milli(f"{row}.replayed_s"), _micro(f"{row}.replayed_usd")),
    )


@dataclass(frozen=True, slots=True)
class _Sums:
    """A table of sums: by which of the keys, and what is added up."""

    name: str
    keys: tuple[str, ...]
    figures: tuple[str, ...]
    comment: str

    def table(self) -> str:
        """The statement that makes it."""
        columns = ", ".join(
            f"{name} {'TEXT' if name in ('task', 'agent', 'outcome', 'lost') else 'INTEGER'} NOT NULL"
            for name in (*self.keys, *self.figures)
        )
        return (
            f"CREATE TABLE {self.name} (\n-- {self.comment}\n{columns}, PRIMARY KEY ({', '.join(self.keys)}))"
            " WITHOUT ROWID"
        )

    def filled(self, table: str, values: tuple[str, ...], names: tuple[str, ...], where: str) -> str:
        """The statement that fills it from the rows of a table."""
        of = dict(zip(names, values, strict=True))
        chosen = (*self.keys, *self.figures)
        return f"INSERT INTO {self.name} " + summed(
            table, tuple(of[name] for name in chosen), chosen, len(self.keys), where
        )

    def changed(self, of: dict[str, str], sign: str) -> str:
        """The statements that add a row to it, or take one away, by the expressions of all names."""
        names = (*self.keys, *self.figures)
        first = ", ".join(
            (*(of[key] for key in self.keys), *(f"{sign}({of[name]})" for name in self.figures))
        )
        added = ", ".join(f"{name} = {name} + excluded.{name}" for name in self.figures)
        change = (
            f"INSERT INTO {self.name} ({', '.join(names)}) SELECT {first} WHERE true"
            f" ON CONFLICT ({', '.join(self.keys)}) DO UPDATE SET {added};"
        )
        if not sign:
            return change
        where = " AND ".join(f"{key} = {of[key]}" for key in self.keys)
        # Where nothing is left to be counted, nothing is left at all.
        return f"{change} DELETE FROM {self.name} WHERE {where} AND {self.figures[0]} = 0;"


def _triggers(
    table: str,
    sums: tuple[_Sums, ...],
    names: tuple[str, ...],
    values: Callable[[str], tuple[str, ...]],
    when: Callable[[str], str],
    columns: str,
) -> tuple[str, ...]:
    """The triggers that keep `sums` up to what stands in `table`."""

    def all_of(row: str, sign: str) -> str:
        of = dict(zip(names, values(row), strict=True))
        return " ".join(each.changed(of, sign) for each in sums)

    def one(name: str, event: str, row: str, sign: str) -> str:
        return f"CREATE TRIGGER {table}_{name} AFTER {event} ON {table} WHEN {when(row)} BEGIN {all_of(row, sign)} END"

    return (
        one("added", "INSERT", "new", ""),
        one("changed_from", f"UPDATE OF {columns}", "old", "-"),
        one("changed_to", f"UPDATE OF {columns}", "new", ""),
        one("dropped", "DELETE", "old", "-"),
    )


def summed(table: str, values: tuple[str, ...], names: tuple[str, ...], keys: int, where: str) -> str:
    """The query that adds up the rows of a table itself, which it calls `r`, in the form of its sums."""
    places = zip(names, values, strict=True)
    listed = ", ".join(
        f"{value} AS {name}" if place < keys else f"sum({value}) AS {name}"
        for place, (name, value) in enumerate(places)
    )
    groups = ", ".join(str(place + 1) for place in range(keys))
    return f"SELECT {listed} FROM {table} r WHERE {where} GROUP BY {groups}"


_ATTEMPTS = (
    _Sums(
        *("attempt_sums", KEYS, FIGURES),
        "Ended attempts by UTC day. Milliseconds, millionths of USD; est_*: those with an estimate that went well.",
    ),
    _Sums("attempt_totals", KEYS[1:], FIGURES, "The same over all days: for what is asked most."),
    _Sums("attempt_days", ("day", "outcome"), FIGURES[:5], "The same over all tasks and agents."),
)
_BUILDS = (
    _Sums(
        "build_sums", ("day",), BUILD_FIGURES, "Finished builds by UTC day. Milliseconds, millionths of USD."
    ),
)

TABLES = (
    *(sums.table() for sums in (*_ATTEMPTS, *_BUILDS)),
    "CREATE INDEX attempt_sums_task ON attempt_sums(task)",
)

FILLED = (
    *(sums.filled("attempts", attempt_values("r"), (*KEYS, *FIGURES), counts("r")) for sums in _ATTEMPTS),
    *(
        sums.filled("builds", build_values("r"), ("day", *BUILD_FIGURES), build_counts("r"))
        for sums in _BUILDS
    ),
)

TRIGGERS = (
    *_triggers(
        *("attempts", _ATTEMPTS, (*KEYS, *FIGURES), attempt_values, counts),
        "started, task, agent, outcome, lost, seconds, usd, input_tokens, output_tokens, cache_read_tokens,"
        " cache_write_tokens, claims_s, estimate_s, estimate_high_s, rebuilt",
    ),
    *_triggers(
        *("builds", _BUILDS, ("day", *BUILD_FIGURES), build_values, build_counts),
        "started, finished, ok, ran, jobs, wall_s, sequential_s, fresh, replayed, fresh_s, fresh_usd, replayed_s,"
        " replayed_usd, rebuilt",
    ),
)
