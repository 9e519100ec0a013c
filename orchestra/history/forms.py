"""The history as JSON data, for `orchestra history --json`: what `schema/history.schema.json` describes. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from orchestra.history.records import BuildDetail, BuildRecord, TaskHistory
from orchestra.history.rollbacks import RollbackRecord
from orchestra.history.rows import rows_to_json
from orchestra.history.sql import Answer
from orchestra.history.statistics import Stats
from orchestra.model.events import plain

VERSION = 1
"""The version of the JSON form."""


def builds_to_json(builds: Sequence[BuildRecord], rollbacks: Sequence[RollbackRecord] = ()) -> dict[str, Any]:
    """Builds and rollbacks, in the order given; unknown values are null."""
    return {
        "version": VERSION,
        "builds": [_build(build) for build in builds],
        "rollbacks": plain(tuple(rollbacks)),
    }


def build_to_json(detail: BuildDetail) -> dict[str, Any]:
    """One build with its tasks, their decisions and attempts, verifications and advances."""
    return {
        "version": VERSION,
        "build": _build(detail.build),
        "tasks": plain(detail.tasks),
        "verifications": plain(detail.verifications),
        "advances": plain(detail.advances),
    }


def task_to_json(history: TaskHistory) -> dict[str, Any]:
    """One task: how many attempts there are, what they came to, and those asked for, newest first."""
    return {
        "version": VERSION,
        "task": history.task,
        "total": history.total,
        "tally": plain(history.tally),
        "rate": plain(history.rate),
        "p50_s": history.p50_s,
        "p90_s": history.p90_s,
        "seconds": list(history.seconds),
        "attempts": plain(history.attempts),
    }


def stats_to_json(stats: Stats) -> dict[str, Any]:
    """All statistics; what no attempt tells of is null."""
    whole = plain(stats)
    told = [whole, *whole["periods"]]
    for form, builds in zip(told, (stats.builds, *(one.builds for one in stats.periods)), strict=True):
        if builds is not None:
            # Computed from the figures beside them, for readers that do not.
            form["builds"] |= {"speedup": builds.speedup, "efficiency": builds.efficiency}
    return {"version": VERSION, "stats": whole}


def answer_to_json(answer: Answer) -> dict[str, Any]:
    """The rows of a person's own question, as objects; `more` says that there are further ones."""
    return {"version": VERSION, "rows": rows_to_json(answer.columns, answer.rows), "more": answer.more}


def _build(build: BuildRecord) -> dict[str, Any]:
    return {**plain(build), "state": build.state}
