"""What git alone tells of attempts: the traces that landed commits and kept results leave. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

from orchestra.model.trailers import ATTEMPT_TRAILER, KEY_TRAILER, TASK_TRAILER, read_result_message

_TRAILERS = re.compile(
    rf"^{TASK_TRAILER}: (?P<task>.+)\n{KEY_TRAILER}: (?P<key>.+)\n{ATTEMPT_TRAILER}: (?P<attempt>.+)\n*\Z",
    re.MULTILINE,
)
_KEPT = re.compile(
    r"refs/orchestra/(?:(?P<held>results|captured)/(?P<key>[^/]+)|(?P<dropped>rejected|failed))/(?P<attempt>[^/]+)\Z"
)


@dataclass(frozen=True, slots=True)
class Person:
    """Who made a commit."""

    name: str
    email: str


@dataclass(frozen=True, slots=True)
class Trace:
    """What one commit tells of an attempt.

    `kind`: landed (`commit` is on a branch), or for what a ref keeps: results, captured, rejected, failed. `base` is
    the commit's parent, `time` when it was committed (seconds since the epoch); `key` is None where nothing tells it.
    """

    kind: str
    task: str
    attempt: str
    key: str | None
    commit: str
    base: str
    time: float
    person: Person
    ref: str | None = None

    @property
    def build(self) -> str | None:
        """The build of the attempt, whose name begins that of the attempt; None where it has another form."""
        build, _, number = self.attempt.rpartition("-")
        return build if build and number.isdigit() else None


def landed_by(message: str) -> tuple[str, str, str] | None:
    """Task, key and attempt that a commit's message says it landed; None where it says no such thing."""
    found = _TRAILERS.search(message)
    return (found["task"], found["key"], found["attempt"]) if found else None


def kept_by(ref: str, message: str) -> tuple[str, str, str | None, str] | None:
    """Kind, task, key and attempt of what a ref keeps, by its name and the message of its commit; None for others."""
    found = _KEPT.match(ref)
    task, _ = read_result_message(message)
    if found is None or task is None:
        return None
    key = found["key"].replace("-", ":", 1) if found["key"] else None
    return found["held"] or found["dropped"], task, key, found["attempt"]
