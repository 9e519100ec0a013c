"""The sums that `orchestra history --stats` reads: by day, task, agent and outcome, kept by triggers beside every row.

A sum is a function of the rows of `attempts` and `builds` alone: whoever writes, changes or deletes one of those keeps
the sums right in the same transaction. They are whole numbers (milliseconds, millionths of a US dollar), so that what
is added and taken away again leaves nothing behind.
"""

from __future__ import annotations

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


def _changed(table: str, keys: tuple[str, ...], figures: tuple[str, ...], sign: str, select: str) -> str:
    """The statement that adds what `select` gives to the sums, or takes it away."""
    names = ", ".join((*keys, *figures))
    first = ", ".join((*keys, *(f"{sign}{name}" for name in figures)))
    added = ", ".join(f"{name} = {name} + excluded.{name}" for name in figures)
    return (
        f"INSERT INTO {table} ({names}) SELECT {first} FROM ({select}) WHERE true"
        f" ON CONFLICT ({', '.join(keys)}) DO UPDATE SET {added};"
    )


def _triggers(
    table: str,
    sums: str,
    keys: tuple[str, ...],
    figures: tuple[str, ...],
    values: dict[str, tuple[str, ...]],
    when: dict[str, str],
    columns: str,
) -> tuple[str, ...]:
    """The triggers that keep `sums` up to what stands in `table`."""

    def one(row: str, sign: str) -> str:
        listed = ", ".join(
            f"{value} AS {name}" for name, value in zip((*keys, *figures), values[row], strict=True)
        )
        change = _changed(sums, keys, figures, sign, f"SELECT {listed}")
        if row == "new":
            return change
        where = " AND ".join(f"{key} = {value}" for key, value in zip(keys, values[row], strict=False))
        # Where nothing is left to be counted, nothing is left at all.
        return f"{change} DELETE FROM {sums} WHERE {where} AND {figures[0]} = 0;"

    return (
        f"CREATE TRIGGER {table}_added AFTER INSERT ON {table} WHEN {when['new']} BEGIN {one('new', '')} END",
        f"CREATE TRIGGER {table}_changed_from AFTER UPDATE OF {columns} ON {table} WHEN {when['old']}"
        f" BEGIN {one('old', '-')} END",
        f"CREATE TRIGGER {table}_changed_to AFTER UPDATE OF {columns} ON {table} WHEN {when['new']}"
        f" BEGIN {one('new', '')} END",
        f"CREATE TRIGGER {table}_dropped AFTER DELETE ON {table} WHEN {when['old']} BEGIN {one('old', '-')} END",
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


def _table(name: str, keys: tuple[str, ...], figures: tuple[str, ...], comment: str) -> str:
    columns = ", ".join(
        f"{key} {'INTEGER' if key == 'day' else 'TEXT'} NOT NULL"
        if key in keys
        else f"{key} INTEGER NOT NULL"
        for key in (*keys, *figures)
    )
    return f"CREATE TABLE {name} (\n-- {comment}\n{columns}, PRIMARY KEY ({', '.join(keys)})) WITHOUT ROWID"


TABLES = (
    _table(
        *("attempt_sums", KEYS, FIGURES),
        "Ended attempts by UTC day. Milliseconds, millionths of USD; est_*: those with an estimate that went well.",
    ),
    "CREATE INDEX attempt_sums_task ON attempt_sums(task)",
    _table(
        "build_sums", ("day",), BUILD_FIGURES, "Finished builds by UTC day. Milliseconds, millionths of USD."
    ),
)

FILLED = (
    "INSERT INTO attempt_sums "
    + summed("attempts", attempt_values("r"), (*KEYS, *FIGURES), len(KEYS), counts("r")),
    "INSERT INTO build_sums "
    + summed("builds", build_values("r"), ("day", *BUILD_FIGURES), 1, build_counts("r")),
)

TRIGGERS = (
    *_triggers(
        *("attempts", "attempt_sums", KEYS, FIGURES),
        {row: attempt_values(row) for row in ("old", "new")},
        {row: counts(row) for row in ("old", "new")},
        "started, task, agent, outcome, lost, seconds, usd, input_tokens, output_tokens, cache_read_tokens,"
        " cache_write_tokens, claims_s, estimate_s, estimate_high_s, rebuilt",
    ),
    *_triggers(
        *("builds", "build_sums", ("day",), BUILD_FIGURES),
        {row: build_values(row) for row in ("old", "new")},
        {row: build_counts(row) for row in ("old", "new")},
        "started, finished, ok, ran, jobs, wall_s, sequential_s, fresh, replayed, fresh_s, fresh_usd, replayed_s,"
        " replayed_usd, rebuilt",
    ),
)
