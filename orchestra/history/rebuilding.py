"""Puts into the history what git alone tells of attempts, where the history does not know of them.

Nothing recorded is changed; what is put in is marked (`rebuilt`) and no part of any sum: of what failed without a
trace, of times and of costs git tells nothing.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from orchestra.history.database import History
from orchestra.history.storing import execute, listed
from orchestra.model.errors import environment_error
from orchestra.model.outcomes import Final, Outcome
from orchestra.model.traces import Trace

_FINALS = {"landed": Final.LANDED, "rejected": Final.REJECTED, "failed": Final.FAILED}


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """How many rows were put in."""

    builds: int
    attempts: int
    landings: int


def rebuild(
    history: History, traces: Sequence[Trace], branch: str | None, log_of: Callable[[str, str], str | None]
) -> Rebuilt:
    """Put in what the traces (oldest first) tell beyond what is recorded, all or nothing.

    `branch` is the one that builds without a record are taken to have been for; `log_of` gives the log of an attempt
    (by build and attempt) where it is still there. Raises OrchestraError (exit status 3) where it cannot be written.
    """
    connection = history.connection
    try:
        connection.execute("BEGIN IMMEDIATE")
        try:
            done = _Rebuilding(connection, branch, log_of).all_of(traces)
            connection.execute("COMMIT")
        except BaseException:
            connection.execute("ROLLBACK")
            raise
    except sqlite3.Error as error:
        raise environment_error(
            f"the history cannot be written: {history.path}", causes=(str(error),)
        ) from error
    return done


class _Rebuilding:
    """One transaction's work."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        branch: str | None,
        log_of: Callable[[str, str], str | None],
    ) -> None:
        self._connection = connection
        self._branch = branch
        self._log_of = log_of
        self._builds = self._texts("SELECT build FROM builds")
        self._attempts = self._texts("SELECT attempt FROM attempts")
        self._landed = self._texts("SELECT commit_id FROM endings WHERE kind = 'landed'")

    def all_of(self, traces: Sequence[Trace]) -> Rebuilt:
        """See `rebuild`."""
        by_build: dict[str, list[Trace]] = defaultdict(list)
        for trace in traces:
            if trace.build is not None:
                by_build[trace.build].append(trace)
        new = [build for build in by_build if build not in self._builds]
        numbers = self._numbers("builds", self._places(by_build, new))
        for build in new:
            self._build(build, by_build[build], numbers.get(build))
        unknown: dict[str, list[Trace]] = defaultdict(list)
        for told in by_build.values():
            for trace in told:
                if trace.attempt not in self._attempts:
                    unknown[trace.attempt].append(trace)
        of_old = [
            attempt for attempt, told in unknown.items() if numbers.get(told[0].build or "") is not None
        ]
        attempt_numbers = self._numbers("attempts", of_old)
        for attempt, told in unknown.items():
            self._attempt(told, attempt_numbers.get(attempt))
        landings = sum(self._landing(trace) for trace in traces if trace.build is not None)
        return Rebuilt(len(new), len(unknown), landings)

    def _places(self, by_build: dict[str, list[Trace]], new: Iterable[str]) -> list[str]:
        """Those of the new builds that were before all that are recorded, oldest first: newest is what comes last."""
        recorded = [
            min(trace.time for trace in told) for build, told in by_build.items() if build in self._builds
        ]
        first = execute(self._connection, "SELECT min(started) FROM builds").fetchone()[0]
        known = [*recorded, *([first] if first is not None else [])]
        if not known:
            return []
        return [build for build in new if max(trace.time for trace in by_build[build]) <= min(known)]

    def _numbers(self, table: str, names: Sequence[str]) -> dict[str, int]:
        """Row numbers in front of all that are there, in the order given."""
        least = execute(self._connection, f"SELECT min(id) FROM {table}").fetchone()[0]
        start = (least if least is not None else 1) - len(names)
        return {name: start + place for place, name in enumerate(names)}

    def _build(self, build: str, traces: Sequence[Trace], number: int | None) -> None:
        tasks = listed(list(dict.fromkeys(trace.task for trace in traces)))
        digest = hashlib.sha256(tasks.encode()).hexdigest()
        self._do("INSERT INTO selections (digest, tasks) VALUES (?, ?) ON CONFLICT DO NOTHING", digest, tasks)
        (selection,) = self._do("SELECT id FROM selections WHERE digest = ?", digest).fetchone()
        finals = {trace.task: _FINALS[trace.kind] for trace in traces if trace.kind in _FINALS}
        self._insert(
            "builds",
            id=number,
            build=build,
            started=min(trace.time for trace in traces),
            pid=0,
            version="",
            base=traces[0].base,
            branch=self._branch,
            jobs=0,
            selection_id=selection,
            selected=len({trace.task for trace in traces}),
            landed=sum(final is Final.LANDED for final in finals.values()),
            rebuilt=1,
        )
        times = {trace.task: trace.time for trace in traces}
        for task, final in finals.items():
            self._insert("tasks", build=build, task=task, final=final, finished=times[task])

    def _attempt(self, traces: Sequence[Trace], number: int | None) -> None:
        """An attempt, by all that is told of it: the first trace is the result where that was kept."""
        first = traces[0]
        assert first.build is not None
        earlier = self._do(
            "SELECT count(*) FROM attempts WHERE build = ? AND task = ?", first.build, first.task
        ).fetchone()[0]
        failed = any(trace.kind == "failed" for trace in traces)
        kept = [trace for trace in traces if trace.kind != "landed"]
        row = self._insert(
            "attempts",
            id=number,
            build=first.build,
            attempt=first.attempt,
            task=first.task,
            number=earlier + 1,
            agent="",
            base=first.base,
            key=next((trace.key for trace in traces if trace.key is not None), ""),
            started=first.time,
            finished=first.time,
            log=self._log_of(first.build, first.attempt),
            outcome=Outcome.FAILED if failed else Outcome.SUCCESS,
            result=kept[0].commit if kept else None,
            rebuilt=1,
        )
        for trace in traces:
            if trace.kind == "rejected":
                self._ending(trace, Final.REJECTED, row, kept=trace.ref)

    def _landing(self, trace: Trace) -> bool:
        if trace.kind != "landed" or trace.commit in self._landed:
            return False
        self._landed.add(trace.commit)
        found = self._do(
            "SELECT id FROM attempts WHERE build = ? AND attempt = ?", trace.build, trace.attempt
        ).fetchone()
        self._ending(trace, Final.LANDED, found[0] if found else None, commit=trace.commit)
        return True

    def _ending(
        self,
        trace: Trace,
        kind: Final,
        row: int | None,
        *,
        commit: str | None = None,
        kept: str | None = None,
    ) -> None:
        self._insert(
            "endings",
            build=trace.build,
            task=trace.task,
            attempt=trace.attempt,
            attempt_id=row,
            time=trace.time,
            kind=kind,
            commit_id=commit,
            kept=kept,
            path_count=0,
            paths="[]",
            rebuilt=1,
        )

    def _texts(self, sql: str) -> set[object]:
        return {row[0] for row in self._do(sql)}

    def _insert(self, table: str, **values: object) -> int | None:
        places = ", ".join("?" * len(values))
        sql = f"INSERT INTO {table} ({', '.join(values)}) VALUES ({places})"
        return self._do(sql, *values.values()).lastrowid

    def _do(self, sql: str, *values: object) -> sqlite3.Cursor:
        return execute(self._connection, sql, *values)
