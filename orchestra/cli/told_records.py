"""What the history knows of a build, as the events that it was once: for a report where the events are gone.

What the history does not keep is missing: claims, edges, samples, notices, the ends of logs.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from orchestra.history.records import AttemptRecord, BuildDetail, EndingRecord, TaskRecord

_ENDINGS = {
    "landed": "task_landed",
    "no-change": "task_unchanged",
    "passed": "task_unchanged",
    "again": "task_again",
    "rejected": "task_rejected",
    "failed": "task_failed",
    "interrupted": "task_failed",
}


def events_of(detail: BuildDetail) -> Iterator[dict[str, Any]]:
    """Events in the order of their times, as far as a story needs them."""
    build = detail.build
    told = [event for task in detail.tasks for event in _about(task)]
    for item in detail.verifications:
        about = {"commit": item.commit, "task": item.task}
        if item.started is not None:
            told.append({"event": "verify_started", "time": item.started, **about})
        if item.finished is not None:
            verdict = {"passed": item.passed, "remembered": item.remembered, "log": item.log}
            told.append({"event": "verify_finished", "time": item.finished, **about, **verdict})
    yield {
        "event": "build_started",
        "time": build.started,
        "build": build.build,
        "base": build.base,
        "branch": build.branch,
        "jobs": build.jobs,
        "tasks": [task.task for task in detail.tasks],
    }
    yield from sorted(told, key=lambda event: float(event["time"]))
    if build.rebuilt:
        message = "rebuilt from git: times, checks, and what neither landed nor was kept are not known"
        yield {"event": "notice", "time": build.started, "message": message, "hint": None}
    if build.finished is not None or build.rebuilt:
        yield {
            **asdict(build),
            "event": "build_finished",
            "time": build.started if build.finished is None else build.finished,
            "tasks": {task.task: task.final for task in detail.tasks if task.final is not None},
        }


def _about(task: TaskRecord) -> Iterator[dict[str, Any]]:
    name = task.task
    for decision in task.decisions:
        reasons = [asdict(reason) for reason in decision.reasons]
        yield {
            "event": "task_decided",
            "time": decision.time,
            "task": name,
            "state": decision.state,
            "reasons": reasons,
        }
    for attempt in task.attempts:
        yield from _attempt(attempt)
        for ending in attempt.endings:
            yield _ending(name, ending)
    for ending in task.endings:
        yield _ending(name, ending)
    if task.final == "skipped":
        about = {"why": task.why, "because": task.because}
        yield {"event": "task_skipped", "time": task.finished or 0.0, "task": name, **about}


def _attempt(attempt: AttemptRecord) -> Iterator[dict[str, Any]]:
    about = {"task": attempt.task, "attempt": attempt.attempt}
    yield {
        "event": "attempt_started",
        "time": attempt.started,
        **about,
        "number": attempt.number,
        "agent": attempt.agent,
        "base": attempt.base,
        "waits": [asdict(wait) for wait in attempt.waits],
    }
    if attempt.slot is not None:
        yield {
            "event": "attempt_slot",
            "time": attempt.started,
            **about,
            "slot": attempt.slot,
            "log": attempt.log,
        }
    if attempt.finished is not None:
        yield {
            "event": "attempt_finished",
            "time": attempt.finished,
            **about,
            "outcome": attempt.outcome,
            "fault": attempt.fault,
            "detail": attempt.detail,
            "result": attempt.result,
            "phases": [asdict(phase) for phase in attempt.phases],
            "usage": asdict(attempt.usage),
            "cpu_s": attempt.cpu_s,
            "peak_bytes": attempt.peak_bytes,
        }


def _ending(task: str, ending: EndingRecord) -> dict[str, Any]:
    return {
        "event": _ENDINGS.get(ending.kind, ending.kind),
        "time": ending.time,
        "task": task,
        "attempt": ending.attempt,
        "final": ending.kind,
        "outcome": ending.kind,
        "why": ending.why,
        "hint": ending.hint,
        "commit": ending.commit,
        "verified": ending.verified,
        "kept": ending.kept,
        "paths": list(ending.paths),
        "log": ending.log,
    }
