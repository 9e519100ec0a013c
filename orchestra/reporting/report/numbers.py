"""What a story comes to in numbers: what ran and waited over time, what waiting cost, what the build hung on. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from orchestra.reporting.story import AttemptStory, Story, TaskStory


@dataclass(frozen=True, slots=True)
class Load:
    """From `time` on so many attempts run, and so many could run but wait for their turn."""

    time: float
    running: int
    queued: int


def loads(story: Story) -> tuple[Load, ...]:
    """How many attempts run and wait, at each moment at which that changes; the last one is the end of all."""
    changes: list[tuple[float, int, int]] = []
    for attempt in story.attempts:
        queued = min(attempt.start, max(story.start, attempt.queued_at))
        changes += ((queued, 0, 1), (attempt.start, 1, -1), (attempt.end, -1, 0))
    running = waiting = 0
    found: list[Load] = []
    for moment, group in groupby(sorted(changes), key=lambda change: change[0]):
        for _, ran, waited in group:
            running, waiting = running + ran, waiting + waited
        found.append(Load(moment, running, waiting))
    return tuple(found)


def mean_running(story: Story) -> float | None:
    """How many attempts ran at once on average, from the first start to the last end; None where nothing ran."""
    if not story.attempts:
        return None
    first = min(attempt.start for attempt in story.attempts)
    last = max(attempt.end for attempt in story.attempts)
    return sum(attempt.seconds for attempt in story.attempts) / (last - first) if last > first else 1.0


SLACK_S = 0.01
"""Clocks of one build agree to so much; what ended later let nothing start."""

CLAIMS = ("write-read", "write-write", "shared")
"""The causes of waiting that come from claims."""


def waited(story: Story) -> Mapping[str, float]:
    """By cause the seconds that starts waited for it, the longest first."""
    found: dict[str, float] = {}
    for attempt in story.attempts:
        for wait in attempt.waits:
            found[wait.cause] = found.get(wait.cause, 0.0) + wait.seconds
    return dict(sorted(found.items(), key=lambda item: -item[1]))


def critical_path(story: Story) -> tuple[AttemptStory, ...]:
    """The attempts that the build's length hung on, first to last: from the one that ended last, each time the
    one whose end let the next one start.

    That is the task's own earlier attempt, the task that it last waited for, or, where it waited for a slot or the
    like, whatever ended last during that wait.
    """
    if not story.attempts:
        return ()
    by_task: dict[str, list[AttemptStory]] = {}
    for attempt in story.attempts:
        by_task.setdefault(attempt.task, []).append(attempt)
    at: AttemptStory | None = max(story.attempts, key=lambda attempt: (attempt.end, attempt.start))
    path: list[AttemptStory] = []
    while at is not None and at not in path:
        path.append(at)
        at = _let_start(at, story, by_task)
    return tuple(reversed(path))


def _let_start(
    attempt: AttemptStory, story: Story, by_task: Mapping[str, list[AttemptStory]]
) -> AttemptStory | None:
    earlier = [other for other in by_task[attempt.task] if other.number < attempt.number]
    if earlier:
        return earlier[-1]
    until = attempt.start
    for wait in reversed(attempt.waits):
        if wait.seconds <= 0:
            continue
        if wait.cause == "verify":
            return None
        since = until - wait.seconds
        if wait.task is not None:
            return _last_ended(by_task.get(wait.task, []), attempt, before=attempt.start)
        # What waited for a place was let go by what ended meanwhile; where nothing did, it was only made ready.
        ended = [other for other in story.attempts if other.end >= since - SLACK_S]
        if (found := _last_ended(ended, attempt, before=until)) is not None:
            return found
        until = since
    return None


def _last_ended(
    others: Sequence[AttemptStory], attempt: AttemptStory, *, before: float
) -> AttemptStory | None:
    ended = [other for other in others if other.end <= before + SLACK_S and other.start < attempt.start]
    return max(ended, key=lambda other: other.end, default=None)


@dataclass(frozen=True, slots=True)
class Versus:
    """A figure of this build beside that of the one before; None where it is not known."""

    name: str
    now: float | None
    before: float | None


@dataclass(frozen=True, slots=True)
class Turned:
    """A task that ended otherwise than in the build before; None: it was not in that one, or not told."""

    task: str
    now: str | None
    before: str | None


@dataclass(frozen=True, slots=True)
class Comparison:
    """A build beside the one before it: `slower` are tasks that ran in both, with the seconds of both."""

    build: str
    figures: tuple[Versus, ...]
    turned: tuple[Turned, ...]
    slower: tuple[tuple[str, float, float], ...]


def compare(story: Story, before: Story) -> Comparison:
    """This build beside an earlier one."""

    def figure(name: str, of: str) -> Versus:
        return Versus(name, _value(story, of), _value(before, of))

    then: Mapping[str, TaskStory] = {task.name: task for task in before.tasks}
    both = [(task, then[task.name]) for task in story.tasks if task.name in then]
    ran = [(task.name, task.seconds, was.seconds) for task, was in both if task.attempts and was.attempts]
    return Comparison(
        before.build,
        (
            figure("wall clock", "seconds"),
            figure("sum of attempts", "sequential"),
            figure("attempts", "attempts"),
            figure("USD", "usd"),
            figure("tokens", "tokens"),
        ),
        tuple(
            Turned(task.name, task.final, then[task.name].final if task.name in then else None)
            for task in story.tasks
            if task.name not in then or then[task.name].final != task.final
        ),
        tuple(sorted(ran, key=lambda row: row[2] - row[1])),
    )


def _value(story: Story, of: str) -> float | None:
    match of:
        case "seconds":
            return story.seconds
        case "sequential":
            return sum(attempt.seconds for attempt in story.attempts)
        case "attempts":
            return float(len(story.attempts))
        case "usd":
            return story.usd
    return None if story.tokens is None else float(story.tokens)
