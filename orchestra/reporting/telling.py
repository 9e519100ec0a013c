"""From the events of a build to its story: of a build that is over, under way or was killed. Pure.

It reads the JSON form of events, as `events.jsonl` keeps it, of this version or a later one. What is missing or not
known is left out; nothing here is refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from orchestra.model.outcomes import Usage
from orchestra.reporting.story import (
    BAD,
    AttemptStory,
    Edge,
    KeptFile,
    Sample,
    Story,
    Stretch,
    TaskStory,
    Told,
    Verification,
    Waited,
)


def story_of(
    events: Iterable[Any], *, running: bool = False, now: float | None = None, unread: int = 0
) -> Story | None:
    """The story that events tell, in their order; None where they tell of no build.

    `running`: the build is at work, and the story goes on until `now`. `unread` lines were not even JSON.
    """
    teller = _Teller()
    for event in events:
        if isinstance(event, dict) and isinstance(event.get("event"), str):
            teller.take(event)
        else:
            unread += 1
    return teller.story(running=running, now=now, unread=unread)


@dataclass(slots=True)
class _Attempt:
    started: Mapping[str, Any]
    slot: int | None = None
    log: str = ""
    phases: list[tuple[str, float]] = field(default_factory=list)
    finished: Mapping[str, Any] | None = None


@dataclass(slots=True)
class _Task:
    plan: Mapping[str, Any] = field(default_factory=dict)
    reasons: tuple[Mapping[str, Any], ...] = ()
    final: str | None = None
    why: str = ""
    because: str | None = None
    hint: str | None = None
    attempts: list[str] = field(default_factory=list)
    landed: Mapping[str, Any] | None = None
    paths: tuple[str, ...] = ()
    kept: str | None = None
    tail: tuple[str, ...] = ()
    log: str = ""


class _Teller:
    """Takes event after event."""

    def __init__(self) -> None:
        self._build: Mapping[str, Any] | None = None
        self._summary: Mapping[str, Any] = {}
        self._tasks: dict[str, _Task] = {}
        self._attempts: dict[str, _Attempt] = {}
        self._verifications: list[Verification] = []
        self._verifying: dict[str, Mapping[str, Any]] = {}
        self._samples: list[Sample] = []
        self._notices: list[Told] = []
        self._planned = False
        self._last = 0.0

    def take(self, event: Mapping[str, Any]) -> None:
        """Take one event; one that is not known, or lacks what it should say, changes nothing but the time."""
        self._last = max(self._last, _number(event.get("time")) or 0.0)
        name = event["event"]
        match name:
            case "build_started":
                self._build = self._build or event
                for task in _texts(event.get("tasks")):
                    self._task(task)
            case "build_finished":
                self._summary = event
                finals = event.get("tasks")
                for task, final in finals.items() if isinstance(finals, dict) else ():
                    self._task(task).final = str(final)
            case "build_planned":
                self._planned = True
                for plan in _dicts(event.get("tasks")):
                    if isinstance(plan.get("task"), str):
                        self._task(plan["task"]).plan = plan
            case "machine_sampled":
                self._sampled(event)
            case "notice":
                self._tell(event, _text(event.get("message")))
            case "branch_behind":
                self._tell(event, _text(event.get("why")))
            case "verify_started":
                self._verifying[_text(event.get("commit"))] = event
            case "verify_finished":
                self._verified(event)
            case _:
                if isinstance(event.get("task"), str):
                    self._about_task(name, event, self._task(event["task"]))

    def _task(self, name: str) -> _Task:
        return self._tasks.setdefault(name, _Task())

    def _tell(self, event: Mapping[str, Any], words: str) -> None:
        self._notices.append(Told(_number(event.get("time")) or 0.0, words, _text(event.get("hint")) or None))

    def _sampled(self, event: Mapping[str, Any]) -> None:
        held = _number(event.get("held_bytes")) or 0.0
        commands = _number(event.get("commands")) or 0.0
        cpu, memory = _number(event.get("cpu")), _number(event.get("memory"))
        self._samples.append(Sample(_number(event.get("time")) or 0.0, cpu, memory, int(held), int(commands)))

    def _verified(self, event: Mapping[str, Any]) -> None:
        commit = _text(event.get("commit"))
        began = self._verifying.pop(commit, None)
        end = _number(event.get("time")) or 0.0
        start = (_number(began.get("time")) if began else None) or end
        passed = event.get("passed")
        self._verifications.append(
            Verification(
                commit,
                _text(event.get("task")) or None,
                start,
                # A clock may have been set back meanwhile.
                max(start, end),
                passed if isinstance(passed, bool) else None,
                event.get("remembered") is True,
                _texts(event.get("tail")),
                _text(event.get("log")),
            )
        )

    def _about_task(self, name: str, event: Mapping[str, Any], task: _Task) -> None:
        match name:
            case "task_decided":
                task.reasons = tuple(_dicts(event.get("reasons"))) or task.reasons
                state = event.get("state")
                # Decided again at the end, a task that landed is fresh: that is not what became of it.
                if state in ("fresh", "reverted") and task.final is None:
                    task.final = str(state)
                elif state == "stale" and task.final in ("fresh", "reverted"):
                    task.final = None
            case "attempt_started":
                attempt = _text(event.get("attempt"))
                self._attempts[attempt] = _Attempt(event)
                task.attempts.append(attempt)
                task.final = None
            case "attempt_slot" | "phase_started" | "attempt_finished":
                found = self._attempts.get(_text(event.get("attempt")))
                if found is not None:
                    _about_attempt(name, event, found)
            case "task_landed":
                task.final, task.landed, task.why = "landed", event, ""
                task.paths = _texts(event.get("paths"))
            case "task_unchanged" | "task_recorded":
                task.final, task.why = _text(event.get("final")) or None, ""
            case "task_rejected" | "task_failed" | "task_skipped":
                task.final = (
                    "interrupted" if event.get("outcome") == "interrupted" else name.removeprefix("task_")
                )
                task.why = _text(event.get("why"))
                task.because = _text(event.get("because")) or None
                task.hint = _text(event.get("hint")) or None
                task.kept = _text(event.get("kept")) or None
                task.paths = _texts(event.get("paths"))
                task.tail, task.log = _texts(event.get("tail")), _text(event.get("log"))
            case "task_again" | "task_replayed":
                task.why = _text(event.get("why"))

    def story(self, *, running: bool, now: float | None, unread: int) -> Story | None:
        """All that was told, None where no build was."""
        if self._build is None:
            return None
        over = bool(self._summary)
        start = _number(self._build.get("time")) or self._last
        end = max(self._last, now) if running and not over and now is not None else self._last
        end = max(start, end)
        attempts = {name: _attempt_story(name, found, end) for name, found in self._attempts.items()}
        verifying = (
            Verification(
                commit,
                _text(event.get("task")) or None,
                min(_number(event.get("time")) or end, end),
                end,
                None,
                False,
                (),
                "",
            )
            for commit, event in self._verifying.items()
        )
        jobs = _number(self._build.get("jobs")) or 0.0
        return Story(
            build=_text(self._build.get("build")),
            state="finished" if over else "running" if running else "broken off",
            start=start,
            end=end,
            base=_text(self._build.get("base")),
            branch=_text(self._build.get("branch")) or None,
            jobs=int(jobs),
            tasks=tuple(_task_story(name, task, attempts) for name, task in self._tasks.items()),
            attempts=tuple(attempts.values()),
            verifications=(*self._verifications, *verifying),
            samples=tuple(self._samples),
            notices=tuple(self._notices),
            summary=self._summary,
            planned=self._planned,
            unread=unread,
        )


def _about_attempt(name: str, event: Mapping[str, Any], attempt: _Attempt) -> None:
    if name == "attempt_slot":
        slot = _number(event.get("slot"))
        attempt.slot = None if slot is None else int(slot)
        attempt.log = _text(event.get("log"))
    elif name == "phase_started":
        attempt.phases.append((_text(event.get("phase")), _number(event.get("time")) or 0.0))
    else:
        attempt.finished = event


def _attempt_story(name: str, attempt: _Attempt, end: float) -> AttemptStory:
    began, over = attempt.started, attempt.finished or {}
    start = _number(began.get("time")) or end
    end = max(start, (_number(over.get("time")) if over else None) or end)
    told = _dicts(over.get("phases"))
    if told:
        phases = tuple(
            Stretch(
                _text(phase.get("name")),
                _number(phase.get("started")) or start,
                _number(phase.get("ended")) or end,
            )
            for phase in told
        )
    else:
        ends = [moment for _, moment in attempt.phases[1:]] + [end]
        phases = tuple(
            Stretch(phase, moment, until)
            for (phase, moment), until in zip(attempt.phases, ends, strict=False)
        )
    number = _number(began.get("number")) or 1.0
    return AttemptStory(
        task=_text(began.get("task")),
        attempt=name,
        number=int(number),
        agent=_text(began.get("agent")),
        base=_text(began.get("base")),
        start=start,
        end=end,
        slot=attempt.slot,
        outcome=_text(over.get("outcome")) or None,
        fault=_text(over.get("fault")) or None,
        detail=_text(over.get("detail")),
        result=_text(over.get("result")) or None,
        log=attempt.log,
        tail=_texts(over.get("tail")),
        phases=phases,
        waits=tuple(
            Waited(
                _text(wait.get("cause")), _number(wait.get("seconds")) or 0.0, _text(wait.get("task")) or None
            )
            for wait in _dicts(began.get("waits"))
        ),
        usage=_usage(over.get("usage")),
        cpu_s=_number(over.get("cpu_s")) or 0.0,
        peak_bytes=int(_number(over.get("peak_bytes")) or 0.0),
        artifacts=tuple(
            KeptFile(
                _text(item.get("path")), int(_number(item.get("bytes")) or 0.0), _text(item.get("problem"))
            )
            for item in _dicts(over.get("artifacts"))
        ),
    )


def _task_story(name: str, task: _Task, attempts: Mapping[str, AttemptStory]) -> TaskStory:
    plan, landed = task.plan, task.landed or {}
    write = plan.get("write")
    last = attempts[task.attempts[-1]] if task.attempts else None
    return TaskStory(
        name=name,
        title=_text(plan.get("title")),
        final=task.final,
        why=task.why
        or (last.detail if last is not None and last.outcome not in (None, "success", "no-change") else ""),
        because=task.because,
        hint=task.hint,
        reasons=task.reasons,
        before=tuple(
            Edge(_text(edge.get("task")), _text(edge.get("kind"))) for edge in _dicts(plan.get("before"))
        ),
        write=None if write is None else _texts(write),
        read=_texts(plan.get("read")),
        shared=_texts(plan.get("shared")),
        exclusive=plan.get("exclusive") is True,
        inferred=_texts(plan.get("inferred")),
        attempts=tuple(attempts[attempt] for attempt in task.attempts),
        landed_at=_number(landed.get("time")),
        commit=_text(landed.get("commit")) or None,
        verified=landed.get("verified") is True,
        paths=task.paths,
        kept=task.kept or (last.result if last is not None and task.final in BAD else None),
        tail=task.tail or (last.tail if last is not None else ()),
        log=task.log or (last.log if last is not None else ""),
    )


def _usage(value: Any) -> Usage:
    found = value if isinstance(value, dict) else {}

    def whole(name: str) -> int | None:
        number = _number(found.get(name))
        return None if number is None else int(number)

    return Usage(
        whole("input_tokens"),
        whole("output_tokens"),
        whole("cache_read_tokens"),
        whole("cache_write_tokens"),
        _number(found.get("usd")),
    )


def _number(value: Any) -> float | None:
    """A finite number that was told, else None: JSON of Python's may hold NaN."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 1e18:
        return None
    return float(value)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _texts(value: Any) -> tuple[str, ...]:
    return tuple(item for item in value if isinstance(item, str)) if isinstance(value, list) else ()


def _dicts(value: Any) -> list[Mapping[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
