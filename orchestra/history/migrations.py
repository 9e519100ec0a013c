"""The schema of the history, as numbered migrations: a database of any older version ends up like a new one.

`PRAGMA user_version` says how many have been applied, so that an up-to-date database costs one pragma and
sqlite-utils, whose import takes 100 ms, is loaded only where something is to be done.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from orchestra.history.accounts import ACCOUNTS

if TYPE_CHECKING:
    from sqlite_utils import Database

_SET = "orchestra.history"


@dataclass(frozen=True, slots=True)
class Migration:
    """One change of the schema: its name, for ever, and its statements."""

    name: str
    statements: tuple[str, ...]


_TABLES = (
    """
    CREATE TABLE selections (
        -- Which tasks builds were asked for. Kept apart, since most builds repeat the selection of another.
        id INTEGER PRIMARY KEY,
        digest TEXT NOT NULL UNIQUE,
        tasks TEXT NOT NULL     -- a JSON array, in an order that keeps all edges
    )
    """,
    """
    CREATE TABLE builds (
        -- One row a build. Where `finished` is NULL the counts are, too: it is under way, or never told its end.
        id INTEGER PRIMARY KEY,
        build TEXT NOT NULL UNIQUE,
        started REAL NOT NULL,  -- seconds since 1970, like every time here
        finished REAL,          -- NULL: under way, killed or broken off
        closed REAL,            -- set where orchestra closed a build that had not finished
        pid INTEGER NOT NULL,   -- the process that recorded it
        version TEXT NOT NULL,  -- of orchestra
        base TEXT NOT NULL,     -- the commit that it started from
        branch TEXT,            -- NULL: detached
        jobs INTEGER NOT NULL,  -- at most how many attempts at once
        selection_id INTEGER NOT NULL REFERENCES selections(id),
        selected INTEGER NOT NULL,
        ok INTEGER,
        advanced INTEGER,
        interrupted INTEGER,
        ran INTEGER,            -- attempts started
        replayed INTEGER,
        fresh INTEGER,
        landed INTEGER,
        no_change INTEGER,
        passed INTEGER,
        failed INTEGER,
        rejected INTEGER,
        skipped INTEGER,
        wall_s REAL,
        sequential_s REAL,      -- the sum of the attempts' seconds
        speedup REAL,           -- sequential_s / wall_s; NULL where nothing ran
        usd REAL,               -- NULL: unknown
        tokens INTEGER,         -- NULL: unknown
        tip TEXT
    )
    """,
    "CREATE INDEX builds_started ON builds(started)",
    "CREATE INDEX builds_selection ON builds(selection_id)",
    """
    CREATE TABLE tasks (
        -- How a selected task ended in a build. A fresh one has no row: selected, finished, no row = fresh.
        build TEXT NOT NULL REFERENCES builds(build) ON DELETE CASCADE,
        task TEXT NOT NULL,
        final TEXT NOT NULL,    -- landed, no-change, passed, fresh, failed, rejected, skipped, interrupted
        finished REAL NOT NULL, -- when that was known
        why TEXT,
        because TEXT,           -- the task whose ending was the cause
        PRIMARY KEY (build, task)
    ) WITHOUT ROWID
    """,
    "CREATE INDEX tasks_task ON tasks(task)",
    """
    CREATE TABLE decisions (
        -- Each time that a task was found stale or blocked; fresh ones are counted in builds.fresh.
        id INTEGER PRIMARY KEY,
        build TEXT NOT NULL REFERENCES builds(build) ON DELETE CASCADE,
        task TEXT NOT NULL,
        time REAL NOT NULL,
        state TEXT NOT NULL,
        key TEXT NOT NULL,
        commit_id TEXT NOT NULL,    -- the commit that it was decided on
        reason_count INTEGER NOT NULL
    )
    """,
    "CREATE INDEX decisions_build ON decisions(build, task)",
    """
    CREATE TABLE reasons (
        -- Why, with the evidence. At most the first 100 of a decision; decisions.reason_count counts all.
        decision_id INTEGER NOT NULL REFERENCES decisions(id) ON DELETE CASCADE,
        place INTEGER NOT NULL,
        kind TEXT NOT NULL,
        subject TEXT,           -- the path, task or part that it is about
        old TEXT,
        new TEXT,
        PRIMARY KEY (decision_id, place)
    ) WITHOUT ROWID
    """,
    """
    CREATE TABLE attempts (
        -- One row an attempt. `outcome` NULL: it is under way, or orchestra was killed.
        id INTEGER PRIMARY KEY,
        build TEXT NOT NULL REFERENCES builds(build) ON DELETE CASCADE,
        attempt TEXT NOT NULL,  -- its name in commits and logs
        task TEXT NOT NULL,
        number INTEGER NOT NULL,    -- counts the attempts of the task in the build, from 1
        agent TEXT NOT NULL,
        base TEXT NOT NULL,     -- the commit that it started from
        key TEXT NOT NULL,      -- the action key
        decision_id INTEGER REFERENCES decisions(id) ON DELETE SET NULL,    -- why it ran
        started REAL NOT NULL,
        finished REAL,
        slot INTEGER,
        log TEXT,
        outcome TEXT,           -- success, no-change, failed, denied, check-failed, timed-out, stalled, ...
        fault TEXT,             -- agent, project, environment, person
        detail TEXT,
        seconds REAL,
        result TEXT,            -- the commit that holds what it did
        exit_status INTEGER,
        signal INTEGER,
        input_tokens INTEGER,
        output_tokens INTEGER,
        cache_read_tokens INTEGER,
        cache_write_tokens INTEGER,
        usd REAL,
        cpu_s REAL,             -- user and system, all descendants
        peak_bytes INTEGER,     -- of memory that all its processes were seen to hold at once
        changed_bytes INTEGER,  -- the size of the files that it changed, as it left them
        UNIQUE (build, attempt)
    )
    """,
    "CREATE INDEX attempts_task ON attempts(task, started)",
    "CREATE INDEX attempts_started ON attempts(started)",
    "CREATE INDEX attempts_decision ON attempts(decision_id)",
    """
    CREATE TABLE phases (
        -- What an attempt's time went to: prepare, setup, agent, check, capture.
        attempt_id INTEGER NOT NULL REFERENCES attempts(id) ON DELETE CASCADE,
        place INTEGER NOT NULL,
        name TEXT NOT NULL,
        started REAL NOT NULL,
        ended REAL NOT NULL,
        PRIMARY KEY (attempt_id, place)
    ) WITHOUT ROWID
    """,
    """
    CREATE TABLE waits (
        -- Why an attempt did not start earlier: needs, order, slot, alone; the task waited for.
        attempt_id INTEGER NOT NULL REFERENCES attempts(id) ON DELETE CASCADE,
        place INTEGER NOT NULL,
        cause TEXT NOT NULL,
        seconds REAL NOT NULL,
        task TEXT,
        PRIMARY KEY (attempt_id, place)
    ) WITHOUT ROWID
    """,
    """
    CREATE TABLE endings (
        -- What became of an attempt's result: landed, no-change, passed, again, rejected, failed, interrupted.
        id INTEGER PRIMARY KEY,
        build TEXT NOT NULL REFERENCES builds(build) ON DELETE CASCADE,
        task TEXT NOT NULL,
        attempt TEXT NOT NULL,
        attempt_id INTEGER REFERENCES attempts(id) ON DELETE CASCADE,   -- NULL: not an attempt of this build
        time REAL NOT NULL,
        kind TEXT NOT NULL,
        why TEXT,
        commit_id TEXT,         -- the landed commit
        verified INTEGER,       -- whether a verification passed on it
        kept TEXT,              -- the ref that keeps a rejected result
        alone INTEGER,          -- again: this time with nothing beside it
        path_count INTEGER NOT NULL,    -- paths changed, or in the way
        paths TEXT NOT NULL,    -- a JSON array: the first 100 in the way; git knows those of a landed commit
        log TEXT,               -- of the verification that failed
        hint TEXT               -- what to do about it
    )
    """,
    "CREATE INDEX endings_build ON endings(build, task)",
    "CREATE INDEX endings_attempt ON endings(attempt_id)",
    """
    CREATE TABLE verifications (
        id INTEGER PRIMARY KEY,
        build TEXT NOT NULL REFERENCES builds(build) ON DELETE CASCADE,
        commit_id TEXT NOT NULL,
        task TEXT,              -- whose result is verified; NULL: the base of the build
        started REAL,
        finished REAL,          -- NULL: under way, or orchestra was killed
        passed INTEGER,         -- NULL: no verdict
        remembered INTEGER,     -- 1: the verdict of an earlier one of the same tree
        seconds REAL,
        log TEXT
    )
    """,
    "CREATE INDEX verifications_build ON verifications(build, commit_id)",
    """
    CREATE TABLE advances (
        -- Each time that the person's branch moved (`done`), or should have and the tip stayed elsewhere.
        id INTEGER PRIMARY KEY,
        build TEXT NOT NULL REFERENCES builds(build) ON DELETE CASCADE,
        time REAL NOT NULL,
        done INTEGER NOT NULL,
        branch TEXT,
        old TEXT,
        new TEXT NOT NULL,      -- the tip
        parked TEXT,            -- the branch that holds the tip instead
        why TEXT
    )
    """,
    "CREATE INDEX advances_build ON advances(build)",
)


def _iso(column: str) -> str:
    return f"strftime('%Y-%m-%dT%H:%M:%fZ', {column}, 'unixepoch')"


def _phase(name: str, how: str = "=") -> str:
    where = f"p.attempt_id = a.id AND p.name {how} '{name}'"
    return f"(SELECT sum(p.ended - p.started) FROM phases p WHERE {where})"


_VIEWS = (
    f"""
    CREATE VIEW build_view AS
        -- Builds to look at: times as text (UTC), `state` finished, broken-off or unfinished, minutes, counts.
        SELECT
            b.build,
            {_iso("b.started")} AS started,
            {_iso("b.finished")} AS finished,
            CASE WHEN b.finished IS NOT NULL THEN 'finished'
                 WHEN b.closed IS NOT NULL THEN 'broken-off' ELSE 'unfinished' END AS state,
            b.ok, b.interrupted, b.advanced, b.branch, b.base, b.tip, b.jobs, b.selected,
            b.ran, b.replayed, b.fresh, b.landed, b.no_change, b.passed, b.failed, b.rejected, b.skipped,
            b.wall_s / 60 AS wall_min, b.sequential_s / 60 AS sequential_min, b.speedup, b.usd, b.tokens,
            b.pid, b.version
        FROM builds b
    """,
    f"""
    CREATE VIEW attempt_view AS
        -- Attempts to look at: times as text (UTC), why it ran, what became of it, where its seconds went.
        SELECT
            a.build, a.task, a.number, a.attempt, a.agent,
            {_iso("a.started")} AS started,
            {_iso("a.finished")} AS finished,
            (SELECT group_concat(r.kind || coalesce(' ' || r.subject, ''), ', ')
             FROM reasons r WHERE r.decision_id = a.decision_id) AS why,
            a.outcome, a.fault, a.detail,
            (SELECT e.kind FROM endings e WHERE e.attempt_id = a.id ORDER BY e.id DESC LIMIT 1) AS ending,
            (SELECT e.commit_id FROM endings e WHERE e.attempt_id = a.id AND e.kind = 'landed') AS landed_as,
            a.seconds,
            {_phase("prepare")} AS prepare_s, {_phase("setup")} AS setup_s, {_phase("agent")} AS agent_s,
            {_phase("check")} AS check_s, {_phase("capture")} AS capture_s,
            (SELECT sum(w.seconds) FROM waits w WHERE w.attempt_id = a.id) AS waited_s,
            CASE WHEN coalesce(a.input_tokens, a.output_tokens, a.cache_read_tokens, a.cache_write_tokens)
                    IS NOT NULL
                 THEN coalesce(a.input_tokens, 0) + coalesce(a.output_tokens, 0)
                    + coalesce(a.cache_read_tokens, 0) + coalesce(a.cache_write_tokens, 0) END AS tokens,
            a.usd, a.cpu_s, a.peak_bytes, a.changed_bytes, a.exit_status, a.signal, a.slot,
            a.base, a.result, a.key, a.log
        FROM attempts a
    """,
    f"""
    CREATE VIEW task_view AS
        -- Tasks over all builds: attempts, how many succeeded, their seconds and cost (NULL: unknown).
        SELECT
            a.task,
            count(*) AS attempts,
            sum(a.outcome IN ('success', 'no-change')) AS good,
            avg(a.seconds) AS mean_s,
            max(a.seconds) AS longest_s,
            sum(a.usd) AS usd,
            {_iso("max(a.started)")} AS last_started
        FROM attempts a
        GROUP BY a.task
    """,
)

_SETTLED = (
    # Tasks recorded as fresh without running, and those left alone since their landing was taken back.
    "ALTER TABLE builds ADD COLUMN adopted INTEGER",
    "ALTER TABLE builds ADD COLUMN reverted INTEGER",
    "DROP VIEW build_view",
    _VIEWS[0].replace("b.rejected, b.skipped,", "b.rejected, b.skipped, b.adopted, b.reverted,"),
)

_LACKING = (
    # Of how many attempts that asked a service nobody knows what they cost or used: `usd` and `tokens` lack them.
    "ALTER TABLE builds ADD COLUMN unpriced INTEGER",
    "ALTER TABLE builds ADD COLUMN uncounted INTEGER",
    "DROP VIEW build_view",
    _SETTLED[-1].replace("b.usd, b.tokens,", "b.usd, b.unpriced, b.tokens, b.uncounted,"),
)

_ROUNDS = (
    # What agents were seen to read (a JSON array), and the time that repairs and reviews took.
    "ALTER TABLE attempts ADD COLUMN reads TEXT",
    "DROP VIEW attempt_view",
    _VIEWS[1].replace(
        f"{_phase('capture')} AS capture_s,",
        f"{_phase('capture')} AS capture_s, {_phase('repair %', 'LIKE')} AS repair_s, {_phase('review')} AS review_s,",
    ),
)

_ROLLBACKS = (
    """
    CREATE TABLE rollbacks (
        -- Each time that landed results were taken back by a command.
        id INTEGER PRIMARY KEY,
        time REAL NOT NULL,
        branch TEXT NOT NULL,
        old TEXT NOT NULL,      -- the commit at which the branch stood
        new TEXT NOT NULL,      -- the one that takes them back
        tasks TEXT NOT NULL,    -- a JSON array: whose landings
        commits TEXT NOT NULL,  -- a JSON array: the person's own commits that went too
        verified INTEGER NOT NULL   -- whether a verification passed on the new commit
    )
    """,
    "CREATE INDEX rollbacks_time ON rollbacks(time)",
)

MIGRATIONS: tuple[Migration, ...] = (
    Migration("0001_first", _TABLES + _VIEWS),
    Migration("0002_adopted_and_reverted", _SETTLED),
    Migration("0003_unpriced_and_uncounted", _LACKING),
    Migration("0004_reads_and_rounds", _ROUNDS),
    Migration("0005_rollbacks", _ROLLBACKS),
    Migration("0006_accounts_and_sums", ACCOUNTS),
)
"""All changes of the schema, oldest first. One that was released never changes: add another."""

SCHEMA_VERSION = len(MIGRATIONS)
"""The version of the schema that this code reads and writes."""


def version_of(connection: sqlite3.Connection) -> int:
    """How many migrations a database has seen. Raises sqlite3.Error where it cannot be read."""
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def migrate(connection: sqlite3.Connection, migrations: tuple[Migration, ...] = MIGRATIONS) -> None:
    """Apply what is pending, all or nothing; of two processes that try, one does and the other finds it done.

    Expects a connection in autocommit mode. Raises sqlite3.Error, with the database as it was before.
    """
    if version_of(connection) >= len(migrations):
        return
    from sqlite_utils import Database, Migrations  # only now: its import costs 100 ms

    pending = Migrations(_SET)
    for number, migration in enumerate(migrations, start=1):
        pending(name=migration.name)(_apply(number, migration))
    connection.execute("BEGIN IMMEDIATE")
    try:
        if version_of(connection) < len(migrations):
            # Plugins of sqlite-utils are foreign code, and no trigger here needs to fire another.
            pending.apply(Database(connection, recursive_triggers=False, execute_plugins=False))
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _apply(number: int, migration: Migration) -> Callable[[Database], None]:
    def run(db: Database) -> None:
        # Statement by statement: `executescript` would end the transaction first.
        for statement in migration.statements:
            db.conn.execute(statement)
        db.conn.execute(f"PRAGMA user_version = {number}")

    return run
