"""What each event of a build writes into the history: one function an event, no transactions of its own.

Unknown is NULL. Every row can be written again from the events alone; nothing is read from the world.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from orchestra.history.storing import execute, listed, rows, storable
from orchestra.model.events import (
    AgentDid,
    AttemptFinished,
    AttemptSlot,
    AttemptStarted,
    BranchAdvanced,
    BranchBehind,
    BuildFinished,
    BuildStarted,
    Event,
    TaskAgain,
    TaskDecided,
    TaskFailed,
    TaskLanded,
    TaskRejected,
    TaskSkipped,
    TaskUnchanged,
    VerifyFinished,
    VerifyStarted,
)
from orchestra.model.freshness import Reason, State
from orchestra.model.outcomes import Asked, Final, Outcome
from orchestra.model.spread import spread

MOST = 100
"""How many reasons of a decision, or paths in the way, are kept: a changed folder may give thousands."""


ESTIMATED_FROM = 50
"""From how many of the newest attempts at a task the next one is estimated."""

CLAIM_WAITS = ("write-read", "write-write", "alone")
"""The causes of waits that are a matter of claims."""


@dataclass(frozen=True, slots=True)
class Writer:
    """Writes events through a connection, in the name of a process and a version of orchestra."""

    connection: sqlite3.Connection
    pid: int
    version: str

    def write(self, event: Event) -> None:
        """Write one event; those that leave no row (notices, what agents did) are let pass.

        Raises sqlite3.Error.
        """
        match event:
            case BuildStarted():
                self._build_started(event)
            case TaskDecided():
                self._decided(
                    event.build, event.task, event.time, event.state, event.key, event.commit, event.reasons
                )
            case AttemptStarted():
                self._attempt_started(event)
            case AttemptSlot():
                self._do(
                    "UPDATE attempts SET slot = ?, log = ? WHERE build = ? AND attempt = ?",
                    *(event.slot, event.log, event.build, event.attempt),
                )
            case AgentDid():
                # What its program says of itself as it starts: for an audit, which version that was.
                self._do(
                    "UPDATE attempts SET said = ? WHERE build = ? AND attempt = ? AND said IS NULL",
                    *(event.agent_event.text, event.build, event.attempt),
                )
            case AttemptFinished():
                self._attempt_finished(event)
            case VerifyStarted():
                self._insert(
                    "verifications",
                    build=event.build,
                    commit_id=event.commit,
                    task=event.task,
                    started=event.time,
                    command=event.command or None,
                )
            case VerifyFinished():
                self._verified(event)
            case TaskLanded() | TaskUnchanged() | TaskAgain() | TaskRejected() | TaskFailed():
                self._ended(event)
            case TaskSkipped():
                self._final(event.build, event.task, event.time, Final.SKIPPED, event.why, event.because)
            case BranchAdvanced() | BranchBehind():
                self._advanced(event)
            case BuildFinished():
                self._build_finished(event)

    def close(self, build: str, time: float) -> None:
        """Note that a build was closed without having finished. Raises sqlite3.Error."""
        self._do("UPDATE builds SET closed = ? WHERE build = ?", time, build)

    # --- builds ----------------------------------------------------------------------------------------------

    def _build_started(self, event: BuildStarted) -> None:
        tasks = listed(event.tasks)
        digest = hashlib.sha256(tasks.encode()).hexdigest()
        self._do("INSERT INTO selections (digest, tasks) VALUES (?, ?) ON CONFLICT DO NOTHING", digest, tasks)
        (selection,) = self._do("SELECT id FROM selections WHERE digest = ?", digest).fetchone()
        self._insert(
            "builds",
            build=event.build,
            started=event.time,
            pid=self.pid,
            version=self.version,
            base=event.base,
            branch=event.branch,
            jobs=event.jobs,
            selection_id=selection,
            selected=len(event.tasks),
        )

    def _build_finished(self, event: BuildFinished) -> None:
        known = {
            row["task"]: row["final"]
            for row in rows(self.connection, "SELECT task, final FROM tasks WHERE build = ?", event.build)
        }
        for task, final in event.tasks.items():
            # Fresh tasks get no row, or a null build of 1,000 tasks would write 1,000.
            if known.get(task, Final.FRESH) != final:
                self._final(event.build, task, event.time, final)
        names = (
            *("ok", "advanced", "interrupted", "ran", "replayed", "fresh", "landed", "no_change", "passed"),
            *("failed", "rejected", "skipped", "wall_s", "sequential_s", "speedup", "usd", "tokens", "tip"),
            *("adopted", "reverted", "unpriced", "uncounted"),
        )
        values = {
            "finished": event.time,
            **{name: getattr(event, name) for name in names},
            **self._saved(event.tasks, Final.FRESH),
            **self._saved(event.tasks, Final.REPLAYED),
        }
        self._do(
            f"UPDATE builds SET {', '.join(f'{name} = ?' for name in values)} WHERE build = ?",
            *(*values.values(), event.build),
        )

    def _saved(self, tasks: Mapping[str, Final], final: Final) -> dict[str, float | None]:
        """What the tasks that ended so, and for which nothing ran, took when an attempt at them last went well."""
        stored = [storable(task) for task, each in tasks.items() if each is final]
        # A name that is no Unicode is nothing that JSON holds: what it would have taken is left out.
        names = [name for name in stored if isinstance(name, str)]
        if not names:
            return {}
        seconds, usd = self._do(
            "SELECT sum(seconds), sum(usd) FROM last_good WHERE task IN (SELECT value FROM json_each(?))",
            json.dumps(names),
        ).fetchone()
        return {f"{final}_s": seconds, f"{final}_usd": usd}

    def _advanced(self, event: BranchAdvanced | BranchBehind) -> None:
        done = isinstance(event, BranchAdvanced)
        self._insert(
            "advances",
            build=event.build,
            time=event.time,
            done=done,
            branch=event.branch,
            old=event.old if isinstance(event, BranchAdvanced) else None,
            new=event.new if isinstance(event, BranchAdvanced) else event.tip,
            parked=None if isinstance(event, BranchAdvanced) else event.parked,
            why=None if isinstance(event, BranchAdvanced) else event.why,
        )

    # --- tasks and attempts ----------------------------------------------------------------------------------

    def _decided(
        self,
        build: str,
        task: str,
        time: float,
        state: State,
        key: str,
        commit: str,
        reasons: tuple[Reason, ...],
    ) -> int | None:
        decision = self._insert(
            "decisions",
            build=build,
            task=task,
            time=time,
            state=state,
            key=key,
            commit_id=commit,
            reason_count=len(reasons),
        )
        for place, reason in enumerate(reasons[:MOST]):
            self._do(
                "INSERT INTO reasons (decision_id, place, kind, subject, old, new) VALUES (?, ?, ?, ?, ?, ?)",
                *(decision, place, reason.kind, reason.subject, reason.old, reason.new),
            )
        return decision

    def _attempt_started(self, event: AttemptStarted) -> None:
        decision = self._decision_of(event) or self._decided(
            event.build, event.task, event.time, State.STALE, event.key, event.base, event.reasons
        )
        low, high = self._estimate(event.task)
        attempt = self._insert(
            "attempts",
            build=event.build,
            attempt=event.attempt,
            task=event.task,
            number=event.number,
            agent=event.agent,
            base=event.base,
            key=event.key,
            decision_id=decision,
            started=event.time,
            asked_id=self._asked(event.asked),
            estimate_s=low,
            estimate_high_s=high,
            claims_s=sum(wait.seconds for wait in event.waits if wait.cause in CLAIM_WAITS) or None,
        )
        for place, wait in enumerate(event.waits):
            self._do(
                "INSERT INTO waits (attempt_id, place, cause, seconds, task) VALUES (?, ?, ?, ?, ?)",
                *(attempt, place, wait.cause, wait.seconds, wait.task),
            )

    def _asked(self, asked: Asked) -> int | None:
        """The row for what an attempt was asked, the same for all that were asked the same; None for nothing."""
        values = {name: getattr(asked, name) for name in Asked.__dataclass_fields__}
        if not any(values.values()):
            return None
        digest = hashlib.sha256(listed([value or "" for value in values.values()]).encode()).hexdigest()
        columns = ", ".join(f'"{name}"' for name in values)
        self._do(
            f"INSERT INTO asked (digest, {columns}) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
            *(digest, *values.values()),
        )
        return int(self._do("SELECT id FROM asked WHERE digest = ?", digest).fetchone()[0])

    def _estimate(self, task: str) -> tuple[float | None, float | None]:
        """How long an attempt at a task will take, by the newest that went well: the median, and what nine of ten of
        them did not exceed.
        """
        found = self._do(
            "SELECT seconds FROM (SELECT seconds, outcome FROM attempts WHERE task = ? ORDER BY id DESC LIMIT ?)"
            " WHERE outcome IN (?, ?) AND seconds IS NOT NULL",
            *(task, ESTIMATED_FROM, Outcome.SUCCESS, Outcome.NO_CHANGE),
        )
        known = spread(row[0] for row in found)
        return (None, None) if known is None else (known.p50, known.p90)

    def _decision_of(self, event: AttemptStarted) -> int | None:
        """The last decision about the task, if it is the one that the attempt rests on: stored once is enough."""
        last = self._do(
            "SELECT id, state, key, reason_count FROM decisions WHERE build = ? AND task = ? ORDER BY id DESC LIMIT 1",
            *(event.build, event.task),
        ).fetchone()
        if last is None or last[1:] != (State.STALE, storable(event.key), len(event.reasons)):
            return None
        stored = self._do(
            "SELECT kind, subject, old, new FROM reasons WHERE decision_id = ? ORDER BY place", last[0]
        ).fetchall()
        told = [tuple(map(storable, (r.kind, r.subject, r.old, r.new))) for r in event.reasons[:MOST]]
        return int(last[0]) if stored == told else None

    def _attempt_finished(self, event: AttemptFinished) -> None:
        usage = event.usage
        # The event says 0 where nothing was measured: no process has a resident size of 0, and where no
        # result was captured nobody knows what it changed.
        measured = event.peak_bytes > 0 or event.cpu_s > 0
        captured = event.result is not None or event.outcome is Outcome.NO_CHANGE
        values = {
            "finished": event.time,
            "outcome": event.outcome,
            "fault": event.fault,
            "detail": event.detail,
            "seconds": event.seconds,
            "result": event.result,
            "exit_status": event.exit_status,
            "signal": event.signal,
            "input_tokens": usage.input_tokens,
            "output_tokens": usage.output_tokens,
            "cache_read_tokens": usage.cache_read_tokens,
            "cache_write_tokens": usage.cache_write_tokens,
            "usd": usage.usd,
            "cpu_s": event.cpu_s if measured else None,
            "peak_bytes": event.peak_bytes or None,
            "changed_bytes": event.changed_bytes if captured else None,
            # Most agents tell of none: that needs no room.
            "reads": listed(event.reads) if event.reads else None,
            "model": event.model,
        }
        self._do(
            f"UPDATE attempts SET {', '.join(f'{name} = ?' for name in values)} WHERE build = ? AND attempt = ?",
            *(*values.values(), event.build, event.attempt),
        )
        attempt = self._attempt(event.build, event.attempt)
        if attempt is None:
            return
        for place, phase in enumerate(event.phases):
            self._do(
                "INSERT INTO phases (attempt_id, place, name, started, ended) VALUES (?, ?, ?, ?, ?)",
                *(attempt, place, phase.name, phase.started, phase.ended),
            )
        for place, one in enumerate(event.judged):
            self._do(
                "INSERT INTO judgements VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                *(attempt, place, one.kind, one.by, one.passed, one.status, one.seconds, listed(one.tail)),
            )
        if event.outcome.good:
            self._do(
                "INSERT INTO last_good VALUES (?, ?, ?) ON CONFLICT (task) DO UPDATE"
                " SET seconds = excluded.seconds, usd = excluded.usd",
                *(event.task, event.seconds, usage.usd),
            )

    def _ended(self, event: TaskLanded | TaskUnchanged | TaskAgain | TaskRejected | TaskFailed) -> None:
        why: str | None = None
        match event:
            case TaskLanded():
                final = Final.LANDED
                commit, verified, count = event.commit, event.verified, len(event.paths)
                self._ending(event, final, commit=commit, verified=verified, count=count)
            case TaskUnchanged():
                final = event.final
                self._ending(event, final)
            case TaskAgain():
                # Not an end of the task: another attempt follows.
                self._ending(event, "again", why=event.why, alone=event.alone, paths=event.paths)
                self._lost(event, "conflict" if event.paths else "verification")
                return
            case TaskRejected():
                final, why = Final.REJECTED, event.why
                kept, paths, log, hint = event.kept, event.paths, event.log, event.hint
                self._ending(event, final, why=why, kept=kept, paths=paths, log=log, hint=hint)
                self._lost(event, "rejected")
            case TaskFailed():
                final = Final.INTERRUPTED if event.outcome is Outcome.INTERRUPTED else Final.FAILED
                why = event.why
                self._ending(event, final, why=why, log=event.log)
        self._final(event.build, event.task, event.time, final, why)

    def _ending(
        self,
        event: TaskLanded | TaskUnchanged | TaskAgain | TaskRejected | TaskFailed,
        kind: str,
        *,
        why: str | None = None,
        commit: str | None = None,
        verified: bool | None = None,
        kept: str | None = None,
        alone: bool | None = None,
        count: int = 0,
        paths: Sequence[str] = (),
        log: str = "",
        hint: str | None = None,
    ) -> None:
        self._insert(
            "endings",
            build=event.build,
            task=event.task,
            attempt=event.attempt,
            attempt_id=self._attempt(event.build, event.attempt),
            time=event.time,
            kind=kind,
            why=why,
            commit_id=commit,
            verified=verified,
            kept=kept,
            alone=alone,
            path_count=count or len(paths),
            paths=listed(paths[:MOST]),
            log=log or None,
            hint=hint,
        )

    def _lost(self, event: TaskAgain | TaskRejected, cause: str) -> None:
        """Note why what an attempt took was in vain: `retry` where the attempt itself had failed."""
        self._do(
            "UPDATE attempts SET lost = CASE WHEN ? = 'rejected' OR outcome IN (?, ?) THEN ? ELSE 'retry' END"
            " WHERE build = ? AND attempt = ?",
            *(cause, Outcome.SUCCESS, Outcome.NO_CHANGE, cause, event.build, event.attempt),
        )

    def _final(
        self,
        build: str,
        task: str,
        time: float,
        final: Final,
        why: str | None = None,
        because: str | None = None,
    ) -> None:
        self._do(
            "INSERT INTO tasks (build, task, final, finished, why, because) VALUES (?, ?, ?, ?, ?, ?)"
            " ON CONFLICT (build, task) DO UPDATE SET final = excluded.final, finished = excluded.finished,"
            " why = excluded.why, because = excluded.because",
            *(build, task, final, time, why, because),
        )

    def _verified(self, event: VerifyFinished) -> None:
        started = self._do(
            "SELECT id FROM verifications WHERE build = ? AND commit_id = ? AND task IS ? AND finished IS NULL"
            " ORDER BY id DESC LIMIT 1",
            *(event.build, event.commit, event.task),
        ).fetchone()
        number = (
            started[0]
            if started
            else self._insert("verifications", build=event.build, commit_id=event.commit, task=event.task)
        )
        self._do(
            "UPDATE verifications SET finished = ?, passed = ?, remembered = ?, seconds = ?, log = ?, tail = ?"
            " WHERE id = ?",
            *(event.time, event.passed, event.remembered, event.seconds, event.log or None),
            *(listed(event.tail) if event.tail else None, number),
        )

    # --- statements ------------------------------------------------------------------------------------------

    def _attempt(self, build: str, attempt: str) -> int | None:
        row = self._do("SELECT id FROM attempts WHERE build = ? AND attempt = ?", build, attempt).fetchone()
        return None if row is None else int(row[0])

    def _insert(self, table: str, **values: object) -> int | None:
        places = ", ".join("?" * len(values))
        return self._do(
            f"INSERT INTO {table} ({', '.join(values)}) VALUES ({places})", *values.values()
        ).lastrowid

    def _do(self, sql: str, *values: object) -> sqlite3.Cursor:
        return execute(self.connection, sql, *values)
