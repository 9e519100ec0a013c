"""What the cases ask of a build: why a task ran, what was noted of it, when it started and landed; and a formatter."""

from __future__ import annotations

from typing import Any

from orchestra.model.events import AttemptStarted, TaskDecided, TaskLanded
from orchestra.model.tasks import Task
from tests.model.kit import task

from .world import Built, Edits, Files


def started(built: Built, name: str) -> AttemptStarted:
    """The last start of an attempt of the task."""
    return [event for event in built.of(AttemptStarted) if event.task == name][-1]


def landed(built: Built, name: str) -> TaskLanded:
    """The landing of the task."""
    return next(event for event in built.of(TaskLanded) if event.task == name)


def why(built: Built, name: str) -> list[str]:
    """The reasons for which a task ran, as texts, in the last of its attempts."""
    return [str(reason) for reason in started(built, name).reasons]


def notes(built: Built, name: str) -> list[str]:
    """What was noted of a task when it was last decided."""
    last = [event for event in built.of(TaskDecided) if event.task == name][-1]
    return [f"{note.kind}: {note.path}" for note in last.notes]


def says(built: Built, name: str) -> list[str]:
    """Reasons and notes of the task's first decision in a build, in words."""
    first = next(event for event in built.of(TaskDecided) if event.task == name)
    return [*map(str, first.reasons), *(f"{note.kind}: {note.path}" for note in first.notes)]


def formatter(**more: Any) -> Task:
    """A command that reads and writes all of `src`."""
    return task("format", write=("src/**",), read=("src/**",), run="fmt", **more)


def formatted(files: Files) -> Edits:
    """What it does: capitals."""
    return {path: text.upper() for path, text in files.items() if path.startswith("src/")}
