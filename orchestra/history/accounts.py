"""The sixth change of the schema: who was asked what at which price, and the sums that statistics are read from.

Released, it never changes, nor does what it takes from `sums` and `views`: another migration does.
"""

from __future__ import annotations

from orchestra.history.sums import FILLED, TABLES, TRIGGERS
from orchestra.history.views import VIEWS

BUSY = "(ok IS NOT 1 OR coalesce(ran, 0) > 0 OR coalesce(replayed, 0) > 0 OR coalesce(adopted, 0) > 0)"
"""The SQL condition on builds that holds for all but null builds: in those nothing had to be done."""

ACCOUNTS = (
    # What an attempt was asked. Kept apart, since the prompt of most attempts is that of another.
    """
    CREATE TABLE asked (
        id INTEGER PRIMARY KEY,
        digest TEXT NOT NULL UNIQUE,
        prompt TEXT,
        path TEXT,              -- of the prompt
        command TEXT,
        "check" TEXT,
        reviewer TEXT           -- the agent that judges the result
    )
    """,
    """
    CREATE TABLE judgements (
        -- Each check and review of an attempt's work.
        attempt_id INTEGER NOT NULL REFERENCES attempts(id) ON DELETE CASCADE,
        place INTEGER NOT NULL,
        kind TEXT NOT NULL,     -- check, review
        by TEXT NOT NULL,       -- the command, or the agent
        passed INTEGER,         -- NULL: no verdict
        exit_status INTEGER,
        seconds REAL NOT NULL,
        tail TEXT NOT NULL,     -- a JSON array: the last lines; of a review, what it found
        PRIMARY KEY (attempt_id, place)
    ) WITHOUT ROWID
    """,
    """
    CREATE TABLE last_good (
        -- What the last attempt of each task that did what was asked took: so much is saved where none is needed.
        task TEXT PRIMARY KEY,
        seconds REAL,
        usd REAL
    ) WITHOUT ROWID
    """,
    *(
        f"ALTER TABLE attempts ADD COLUMN {column}"
        for column in (
            "asked_id INTEGER REFERENCES asked(id)",
            "model TEXT",  # that served it, or that it was told to use
            "said TEXT",  # what the agent's program said of itself: name, version, model
            "estimate_s REAL",  # when it began: the median of earlier attempts at its task that went well
            "estimate_high_s REAL",  # and what nine of ten of them did not exceed
            "claims_s REAL",  # waited for what other tasks claim
            "lost TEXT",  # it has to be made again, or is dropped: conflict, verification, retry, rejected
            "rebuilt INTEGER",  # 1: not recorded, but told by git afterwards
        )
    ),
    *(
        f"ALTER TABLE builds ADD COLUMN {column}"
        for column in (
            "fresh_s REAL",  # what its fresh tasks took when they last ran, as far as that is known
            "fresh_usd REAL",
            "replayed_s REAL",  # likewise of those whose result was applied again
            "replayed_usd REAL",
            "rebuilt INTEGER",
        )
    ),
    "ALTER TABLE endings ADD COLUMN rebuilt INTEGER",
    "ALTER TABLE verifications ADD COLUMN command TEXT",
    "ALTER TABLE verifications ADD COLUMN tail TEXT",
    # By insertion, which no clock can upset: the row's number follows in every index.
    "DROP INDEX attempts_task",
    "CREATE INDEX attempts_task ON attempts(task)",
    "CREATE INDEX attempts_finished ON attempts(finished, usd)",
    "CREATE INDEX endings_landed ON endings(time) WHERE kind = 'landed'",
    f"CREATE INDEX builds_busy ON builds(id) WHERE {BUSY}",
    """
    UPDATE attempts SET claims_s = w.seconds FROM (
        SELECT attempt_id, sum(seconds) AS seconds FROM waits
        WHERE cause IN ('write-read', 'write-write', 'alone') GROUP BY attempt_id
    ) AS w WHERE w.attempt_id = attempts.id
    """,
    """
    UPDATE attempts SET lost = CASE
        WHEN e.kind = 'rejected' THEN 'rejected'
        WHEN attempts.outcome NOT IN ('success', 'no-change') THEN 'retry'
        WHEN e.path_count > 0 THEN 'conflict' ELSE 'verification' END
    FROM endings AS e WHERE e.kind IN ('again', 'rejected') AND e.attempt_id = attempts.id
    """,
    """
    INSERT INTO last_good SELECT task, seconds, usd FROM attempts WHERE id IN (
        SELECT max(id) FROM attempts WHERE outcome IN ('success', 'no-change') GROUP BY task)
    """,
    *TABLES,
    *FILLED,
    *TRIGGERS,
    *(f"DROP VIEW {name}" for name in ("build_view", "attempt_view", "task_view")),
    *VIEWS,
)
