"""A build as a trace in the Trace Event Format, as Perfetto and chrome://tracing open it. Pure.

The format: "Trace Event Format", docs.google.com/document/d/1CvAClvFfyA5R-PhYUmn5OOQtYMH4h6I0nSsKchNAySU.
Each slot is a thread; attempts are slices on it with their phases inside; verifications and landings have a thread of
their own; what runs and waits, CPU and memory are counters; arrows lead from a needed task to the one that needs it.

Promises: times never go back and never are negative, slices of one thread nest, and every arrow has both its ends.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from orchestra.model.text import clean
from orchestra.reporting.report.numbers import loads
from orchestra.reporting.report.rows import Row, rows_of
from orchestra.reporting.story import AttemptStory, Story, TaskStory

PROCESS = 1
LANDINGS = 1
"""The thread on which what landed, was rejected or failed stands, as moments; slots follow after it."""

TraceEvent = dict[str, Any]


def trace_text(story: Story) -> str:
    """The trace as a file of JSON."""
    return json.dumps(trace_of(story), ensure_ascii=True, separators=(",", ":")) + "\n"


def trace_of(story: Story) -> Mapping[str, Any]:
    """The trace as JSON data."""
    tracer = _Tracer(story)
    events = sorted(tracer.events(), key=lambda event: event["ts"])
    return {
        "traceEvents": [*tracer.names(), *events],
        "displayTimeUnit": "ms",
        "otherData": {"build": clean(story.build), "state": story.state, "base": clean(story.base)},
    }


class _Tracer:
    def __init__(self, story: Story) -> None:
        self._story = story
        self._rows = rows_of(story)
        self._threads = {
            attempt.attempt: LANDINGS + 1 + number
            for number, row in enumerate(self._rows)
            for attempt in row.attempts
        }

    def names(self) -> Iterator[TraceEvent]:
        """What the rows are called, in their order."""
        yield self._meta("process_name", 0, name=f"orchestra {clean(self._story.build)}")
        for thread, name in enumerate(("landings", *(row.name for row in self._rows)), LANDINGS):
            yield self._meta("thread_name", thread, name=name)
            yield self._meta("thread_sort_index", thread, sort_index=thread)

    def events(self) -> Iterator[TraceEvent]:
        """All that has a time."""
        for thread, row in enumerate(self._rows, LANDINGS + 1):
            yield from self._slices(row, thread)
        yield from self._moments()
        yield from self._counters()
        yield from self._arrows()

    def _slices(self, row: Row, thread: int) -> Iterator[TraceEvent]:
        for attempt in row.attempts:
            yield self._slice(
                attempt.task, "attempt", attempt.start, attempt.end, thread, self._about(attempt)
            )
            since = attempt.start
            for phase in attempt.phases:
                # Clamped into the attempt, and behind one another: slices of a thread must nest.
                start = min(max(phase.start, since), attempt.end)
                since = min(max(phase.end, start), attempt.end)
                yield self._slice(phase.name, "phase", start, since, thread, {})
        for verified in row.verifications:
            verdict = {True: "green", False: "red", None: "no verdict"}[verified.passed]
            about = {"verdict": verdict, "commit": clean(verified.commit)}
            name = f"verify {verified.task or 'base'}"
            yield self._slice(name, "verify", verified.start, verified.end, thread, about)

    def _about(self, attempt: AttemptStory) -> Mapping[str, Any]:
        usage = attempt.usage
        found: dict[str, Any] = {
            "attempt": clean(attempt.attempt),
            "number": attempt.number,
            "agent": clean(attempt.agent),
            "outcome": clean(attempt.outcome or "not told"),
            "detail": clean(attempt.detail),
            "usd": usage.usd,
            "tokens": usage.tokens,
            "cpu_s": attempt.cpu_s,
            "peak_bytes": attempt.peak_bytes,
            "waited": [
                f"{clean(wait.cause)} {wait.seconds:.1f} s" + (f" ({clean(wait.task)})" if wait.task else "")
                for wait in attempt.waits
            ],
        }
        return {name: value for name, value in found.items() if value not in (None, "", [])}

    def _moments(self) -> Iterator[TraceEvent]:
        for task in self._story.tasks:
            if task.landed_at is not None:
                about = {
                    "commit": clean(task.commit or ""),
                    "verified": task.verified,
                    "paths": len(task.paths),
                }
                yield self._moment(f"landed {task.name}", task.landed_at, about)
            elif task.final in ("failed", "rejected") and task.attempts:
                about = {"why": clean(task.why)}
                yield self._moment(f"{task.final} {task.name}", task.attempts[-1].end, about)

    def _moment(self, name: str, time: float, about: Mapping[str, Any]) -> TraceEvent:
        at = {"ts": self._micros(time), "pid": PROCESS, "tid": LANDINGS}
        return {"name": clean(name), "cat": "landing", "ph": "i", "s": "t", **at, "args": dict(about)}

    def _counters(self) -> Iterator[TraceEvent]:
        for load in loads(self._story):
            yield self._counter("attempts", load.time, running=load.running, queued=load.queued)
        for sample in self._story.samples:
            if sample.cpu is not None:
                yield self._counter("CPU of the machine, %", sample.time, busy=round(100 * sample.cpu, 1))
            if sample.memory is not None:
                yield self._counter(
                    "memory of the machine, %", sample.time, used=round(100 * sample.memory, 1)
                )
            held = round(sample.held_bytes / 2**20, 1)
            yield self._counter("memory of the commands, MiB", sample.time, held=held)

    def _counter(self, name: str, time: float, **values: float) -> TraceEvent:
        at = {"ts": self._micros(time), "pid": PROCESS, "tid": 0}
        return {"name": name, "cat": "load", "ph": "C", **at, "args": values}

    def _arrows(self) -> Iterator[TraceEvent]:
        tasks: Mapping[str, TaskStory] = {task.name: task for task in self._story.tasks}
        number = 0
        for task in self._story.tasks:
            for edge in task.before:
                first = tasks.get(edge.first)
                ends = None if first is None or edge.kind != "needs" else _ends(first, task)
                if ends is None:
                    continue
                number += 1
                before, after = ends
                # Within the slices whose ends they bind to: at its very end a slice is over.
                leaves = max(self._micros(before.start), self._micros(before.end) - 1)
                arrow = {"name": "needs", "cat": "needs", "id": number, "pid": PROCESS}
                yield {**arrow, "ph": "s", "ts": leaves, "tid": self._threads[before.attempt]}
                arrives = {"ts": self._micros(after.start), "tid": self._threads[after.attempt]}
                yield {**arrow, "ph": "f", "bp": "e", **arrives}

    def _slice(
        self, name: str, kind: str, start: float, end: float, thread: int, about: Mapping[str, Any]
    ) -> TraceEvent:
        begin = self._micros(start)
        at = {"ts": begin, "dur": self._micros(end) - begin, "pid": PROCESS, "tid": thread}
        return {"name": clean(name), "cat": kind, "ph": "X", **at, "args": dict(about)}

    def _meta(self, what: str, thread: int, **values: Any) -> TraceEvent:
        return {"name": what, "ph": "M", "ts": 0, "pid": PROCESS, "tid": thread, "args": values}

    def _micros(self, time: float) -> int:
        """Microseconds since the build's beginning."""
        return max(0, round((time - self._story.start) * 1e6))


def _ends(first: TaskStory, then: TaskStory) -> tuple[AttemptStory, AttemptStory] | None:
    """The attempts that an arrow leads from and to: the last one that ended before one of the other began."""
    for after in then.attempts:
        before = [attempt for attempt in first.attempts if attempt.end <= after.start]
        if before:
            return before[-1], after
    return None
