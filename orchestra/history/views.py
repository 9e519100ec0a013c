"""The views of the history's database, made to be opened with sqlite-utils, Datasette or `orchestra history --sql`.

The README names each with its purpose. Times in them are text (UTC), what is unknown is NULL.
"""

from __future__ import annotations

from orchestra.history.sums import DAY


def _iso(column: str) -> str:
    return f"strftime('%Y-%m-%dT%H:%M:%fZ', {column}, 'unixepoch')"


def _phase(name: str, how: str = "=") -> str:
    where = f"p.attempt_id = a.id AND p.name {how} '{name}'"
    return f"(SELECT sum(p.ended - p.started) FROM phases p WHERE {where})"


_HOURS = "/ 3600000.0"
_USD = "CASE WHEN sum(s.priced) > 0 THEN sum(s.usd_u) / 1000000.0 END AS usd"
_GOOD = "sum(CASE WHEN s.outcome IN ('success', 'no-change') THEN s.n ELSE 0 END)"

MAKER = (
    "coalesce(e.attempt_id, (SELECT m.id FROM attempts m"
    " WHERE m.build = rtrim(rtrim(e.attempt, '0123456789'), '-') AND m.attempt = e.attempt))"
)
"""The SQL expression for the attempt that made what a row `e` of `endings` is about: where a result was applied again,
one of an earlier build, whose name begins that of the attempt.
"""

VIEWS = (
    f"""
    CREATE VIEW build_view AS
        -- Builds to look at: times as text (UTC), `state` finished, broken-off or unfinished, minutes, counts.
        SELECT
            b.build,
            {_iso("b.started")} AS started,
            {_iso("b.finished")} AS finished,
            CASE WHEN b.finished IS NOT NULL THEN 'finished' WHEN b.closed IS NOT NULL THEN 'broken-off'
                 WHEN b.rebuilt IS NOT NULL THEN 'rebuilt' ELSE 'unfinished' END AS state,
            b.ok, b.interrupted, b.advanced, b.branch, b.base, b.tip, b.jobs, b.selected,
            b.ran, b.replayed, b.fresh, b.landed, b.no_change, b.passed, b.failed, b.rejected, b.skipped,
            b.adopted, b.reverted,
            b.wall_s / 60 AS wall_min, b.sequential_s / 60 AS sequential_min, b.speedup,
            b.usd, b.unpriced, b.tokens, b.uncounted,
            b.fresh_s / 60 AS saved_fresh_min, b.fresh_usd AS saved_fresh_usd,
            b.replayed_s / 60 AS saved_replayed_min, b.replayed_usd AS saved_replayed_usd,
            b.pid, b.version, b.rebuilt
        FROM builds b
    """,
    f"""
    CREATE VIEW attempt_view AS
        -- Attempts to look at: times as text (UTC), why it ran, what became of it, where its seconds went.
        SELECT
            a.build, a.task, a.number, a.attempt, a.agent, a.model, a.said,
            {_iso("a.started")} AS started,
            {_iso("a.finished")} AS finished,
            (SELECT group_concat(r.kind || coalesce(' ' || r.subject, ''), ', ')
             FROM reasons r WHERE r.decision_id = a.decision_id) AS why,
            a.outcome, a.fault, a.detail, a.lost,
            (SELECT e.kind FROM endings e WHERE e.attempt_id = a.id ORDER BY e.id DESC LIMIT 1) AS ending,
            (SELECT e.commit_id FROM endings e WHERE e.attempt_id = a.id AND e.kind = 'landed') AS landed_as,
            a.seconds, a.estimate_s, a.estimate_high_s,
            {_phase("prepare")} AS prepare_s, {_phase("setup")} AS setup_s, {_phase("agent")} AS agent_s,
            {_phase("check")} AS check_s, {_phase("capture")} AS capture_s,
            {_phase("repair %", "LIKE")} AS repair_s, {_phase("review")} AS review_s,
            (SELECT sum(w.seconds) FROM waits w WHERE w.attempt_id = a.id) AS waited_s, a.claims_s,
            CASE WHEN coalesce(a.input_tokens, a.output_tokens, a.cache_read_tokens, a.cache_write_tokens)
                    IS NOT NULL
                 THEN coalesce(a.input_tokens, 0) + coalesce(a.output_tokens, 0)
                    + coalesce(a.cache_read_tokens, 0) + coalesce(a.cache_write_tokens, 0) END AS tokens,
            a.usd, a.cpu_s, a.peak_bytes, a.changed_bytes, a.exit_status, a.signal, a.slot,
            a.base, a.result, a.key, a.log, a.rebuilt
        FROM attempts a
    """,
    f"""
    CREATE VIEW task_view AS
        -- Tasks over all builds, from the sums: ended attempts, how many did what was asked, time and cost.
        SELECT
            s.task,
            sum(s.n) AS attempts,
            {_GOOD} AS good,
            sum(s.ms) / 1000.0 / sum(s.n) AS mean_s,
            sum(s.ms) {_HOURS} AS hours,
            {_USD},
            sum(s.tokens) AS tokens,
            (SELECT {_iso("a.started")} FROM attempts a WHERE a.task = s.task ORDER BY a.id DESC LIMIT 1)
                AS last_started
        FROM attempt_totals s
        GROUP BY s.task
    """,
    f"""
    CREATE VIEW agent_view AS
        -- Agents over all builds, from the sums: ended attempts, how many did what was asked, time and cost.
        SELECT
            s.agent, sum(s.n) AS attempts, {_GOOD} AS good, sum(s.ms) / 1000.0 / sum(s.n) AS mean_s,
            sum(s.ms) {_HOURS} AS hours, {_USD}, sum(s.tokens) AS tokens
        FROM attempt_totals s
        GROUP BY s.agent
    """,
    f"""
    CREATE VIEW day_view AS
        -- Days (UTC) in which a build began, from the sums: builds, speedup, attempts, cost, what was saved.
        SELECT
            date(b.day * {DAY}, 'unixepoch') AS day,
            b.builds, b.ok, b.busy,
            CASE WHEN b.wall_ms > 0 THEN 1.0 * b.sequential_ms / b.wall_ms END AS speedup,
            b.wall_ms {_HOURS} AS wall_hours, b.sequential_ms {_HOURS} AS sequential_hours,
            (SELECT sum(s.n) FROM attempt_days s WHERE s.day = b.day) AS attempts,
            (SELECT {_GOOD} FROM attempt_days s WHERE s.day = b.day) AS good,
            (SELECT {_USD.removesuffix(" AS usd")} FROM attempt_days s WHERE s.day = b.day) AS usd,
            b.fresh_ms {_HOURS} AS saved_fresh_hours, b.fresh_usd_u / 1000000.0 AS saved_fresh_usd,
            b.replayed_ms {_HOURS} AS saved_replayed_hours, b.replayed_usd_u / 1000000.0 AS saved_replayed_usd
        FROM build_sums b
    """,
    f"""
    CREATE VIEW landing_view AS
        -- Landed changes to look at: which commit, from which attempt of which agent and model, at which cost.
        SELECT
            e.build, {_iso("e.time")} AS landed, e.task, e.commit_id AS "commit", e.verified, e.path_count AS paths,
            e.attempt, a.agent, a.model, a.said, a.seconds, a.usd, q.path AS prompt_path, q.prompt, q.command,
            q."check", q.reviewer, e.rebuilt
        FROM endings e
        LEFT JOIN attempts a ON a.id = {MAKER}
        LEFT JOIN asked q ON q.id = a.asked_id
        WHERE e.kind = 'landed'
    """,
)
