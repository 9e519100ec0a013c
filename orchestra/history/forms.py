"""The history as JSON data, for `orchestra history --json`: what `schema/history.schema.json` describes. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from orchestra.history.records import BuildDetail, BuildRecord, TaskHistory
from orchestra.history.rollbacks import RollbackRecord
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
    """One task: how many attempts there are, and those asked for, newest first."""
    return {
        "version": VERSION,
        "task": history.task,
        "total": history.total,
        "attempts": plain(history.attempts),
    }


def _build(build: BuildRecord) -> dict[str, Any]:
    return {**plain(build), "state": build.state}
