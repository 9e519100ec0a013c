"""The report as JSON, in the form that `schema/report.schema.json` describes. Pure."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from orchestra.reporting.report.contents import Report
from orchestra.reporting.report.numbers import Comparison, critical_path, loads, mean_running, waited
from orchestra.reporting.report.reasons import reasons_of
from orchestra.reporting.story import AttemptStory, Story, TaskStory

VERSION = 1


def form(report: Report) -> dict[str, Any]:
    """The report as JSON data."""
    story = report.story
    return {
        "version": VERSION,
        "build": story.build,
        "state": story.state,
        "started": story.start,
        "ended": story.end,
        "seconds": story.seconds,
        "base": story.base,
        "branch": story.branch,
        "tip": _text(story.summary.get("tip")),
        "jobs": story.jobs,
        "sequential_s": sum(attempt.seconds for attempt in story.attempts),
        "mean_running": mean_running(story),
        "usd": story.usd,
        "tokens": story.tokens,
        "tasks": [_task(task, report) for task in story.tasks],
        "critical_path": [attempt.attempt for attempt in critical_path(story)],
        "load": [asdict(load) for load in loads(story)],
        "samples": [asdict(sample) for sample in story.samples],
        "waited_s": dict(waited(story)),
        "verifications": [
            {
                "commit": item.commit,
                "task": item.task,
                "started": item.start,
                "ended": item.end,
                "passed": item.passed,
                "remembered": item.remembered,
            }
            for item in story.verifications
        ],
        "notices": [{"time": told.time, "message": told.words, "hint": told.hint} for told in story.notices],
        "tests": [asdict(file) for file in report.tests],
        "coverage": None if report.coverage is None else asdict(report.coverage),
        "comparison": None if report.comparison is None else _comparison(report.comparison),
    }


def _task(task: TaskStory, report: Report) -> dict[str, Any]:
    diff = report.diffs.get(task.name)
    return {
        "task": task.name,
        "title": task.title,
        "final": task.final,
        "why": task.why,
        "because": task.because,
        "hint": task.hint,
        "reasons": reasons_of(task.reasons),
        "before": [{"task": edge.first, "kind": edge.kind} for edge in task.before],
        "claims": {
            "write": task.write,
            "read": task.read,
            "shared": task.shared,
            "exclusive": task.exclusive,
            "inferred": task.inferred,
        },
        "seconds": task.seconds,
        "usd": task.usd,
        "tokens": task.tokens,
        "commit": task.commit,
        "verified": task.verified,
        "landed_at": task.landed_at,
        "paths": task.paths,
        "kept": task.kept,
        "log": task.log,
        "tail": task.tail,
        "attempts": [_attempt(attempt, report.story) for attempt in task.attempts],
        "diff": None if diff is None else asdict(diff),
    }


def _attempt(attempt: AttemptStory, story: Story) -> dict[str, Any]:
    usage = asdict(attempt.usage)
    return {
        "attempt": attempt.attempt,
        "number": attempt.number,
        "agent": attempt.agent,
        "base": attempt.base,
        "started": attempt.start,
        "ended": attempt.end,
        "slot": attempt.slot,
        "outcome": attempt.outcome,
        "fault": attempt.fault,
        "detail": attempt.detail,
        "result": attempt.result,
        "phases": [
            {"name": phase.name, "started": phase.start, "ended": phase.end} for phase in attempt.phases
        ],
        "waits": [asdict(wait) for wait in attempt.waits],
        "usage": usage,
        "cpu_s": attempt.cpu_s,
        "peak_bytes": attempt.peak_bytes,
        "artifacts": [asdict(file) for file in attempt.artifacts],
    }


def _comparison(comparison: Comparison) -> dict[str, Any]:
    return {
        "build": comparison.build,
        "figures": [asdict(figure) for figure in comparison.figures],
        "turned": [asdict(task) for task in comparison.turned],
        "ran_in_both": [
            {"task": task, "seconds": now, "before": before} for task, now, before in comparison.slower
        ],
    }


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
