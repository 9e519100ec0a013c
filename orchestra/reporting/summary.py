"""What a build came to, in the text at its end: what landed, what did not and why, and what to type next.

Pure: events in, text out. It says only what the events said.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from orchestra.model.events import (
    AttemptFinished,
    AttemptSlot,
    BranchAdvanced,
    BranchBehind,
    BuildFinished,
    BuildStarted,
    Event,
    Notice,
    TaskFailed,
    TaskLanded,
    TaskRejected,
    TaskSkipped,
    VerifyFinished,
)
from orchestra.model.outcomes import Fault, Final
from orchestra.model.text import duration, money
from orchestra.reporting.words import (
    Style,
    branch_words,
    command,
    count,
    listing,
    log_lines,
    one_line,
    paint,
    short,
    why_words,
)

TAIL = 15
"""How many of a log's last lines are shown."""
IN_FULL = 10
"""How many tasks that failed or were rejected are shown with their logs; the rest without."""
WORTH_SAYING = 1.05
"""A speedup below this is not claimed."""
_LABEL_WIDTH = 12
_REJECTED = "refs/orchestra/rejected/"

BROKEN_OFF = "broken off"
"""How it is called when nobody interrupted but the environment did not allow it to go on."""

_COUNTED = (
    (Final.LANDED, "landed"),
    (Final.PASSED, "passed"),
    (Final.FRESH, "fresh"),
    (Final.NO_CHANGE, "no change"),
    (Final.REPLAYED, "replayed"),
    (Final.ADOPTED, "adopted"),
    (Final.REVERTED, "reverted"),
    (Final.FAILED, "failed"),
    (Final.REJECTED, "rejected"),
    (Final.SKIPPED, "skipped"),
    (Final.INTERRUPTED, "interrupted"),
)


@dataclass(frozen=True, slots=True)
class _Trouble:
    """Why a task failed or was rejected.

    `kept` is the ref or commit that holds what it did; `mend` whether another prompt could help; `by_hand` whether a
    person could go on with it: "first" where that is the first thing to try, else "too", or "" where it is none.
    """

    why: str = ""
    kept: str | None = None
    paths: tuple[str, ...] = ()
    tail: tuple[str, ...] = ()
    log: str = ""
    hint: str | None = None
    mend: bool = True
    by_hand: str = ""


@dataclass(slots=True)
class _Seen:
    """What the events of one build said so far, the last word on each thing."""

    started: BuildStarted | None = None
    finished: BuildFinished | None = None
    logs: dict[str, str] = field(default_factory=dict)
    ended: dict[str, AttemptFinished] = field(default_factory=dict)
    troubles: dict[str, _Trouble] = field(default_factory=dict)
    landed: dict[str, TaskLanded] = field(default_factory=dict)
    skipped: dict[str, TaskSkipped] = field(default_factory=dict)
    red_base: VerifyFinished | None = None
    way_back: str | None = None
    advanced: BranchAdvanced | None = None
    behind: BranchBehind | None = None


class SummaryCollector:
    """A listener that remembers what the summary of one build needs.

    `remedies` gives for each task what a person does about it when it did not do, such as "edit prompts/a.md";
    `resolved_in` is the worktree in which a person resolves what is built, if they do. Without `advises` it leaves out
    what goes for every build alike; `advised` is whether it has said that.
    """

    def __init__(
        self,
        remedies: Mapping[str, str] | None = None,
        resolved_in: str | None = None,
        *,
        advises: bool = True,
    ) -> None:
        self._remedies = remedies or {}
        self._advises = advises
        self.advised = False
        self._resolved_in = resolved_in
        self._seen = _Seen()

    def notify(self, event: Event) -> None:
        """Take one event."""
        seen = self._seen
        match event:
            case BuildStarted():
                # `watch` builds again and again: each summary is of one build.
                self._seen = _Seen(started=event)
            case BuildFinished():
                seen.finished = event
            case AttemptSlot():
                seen.logs[event.attempt] = event.log
            case AttemptFinished():
                seen.ended[event.attempt] = event
            case TaskRejected():
                seen.troubles[event.task] = self._rejected(event)
            case TaskFailed():
                seen.troubles[event.task] = self._failed(event)
            case TaskLanded():
                seen.landed[event.task] = event
            case TaskSkipped():
                seen.skipped[event.task] = event
            case VerifyFinished(task=None):
                # One of a later commit is about the branch: `branch_behind` tells that.
                if seen.started is not None and event.commit == seen.started.base:
                    seen.red_base = event if event.passed is False else None
            case Notice():
                if seen.red_base is not None and seen.way_back is None:
                    # The first word after it is what to do about it.
                    seen.way_back = event.hint
            case BranchAdvanced():
                # Several moves are one to the person: from where it was at first to where it is now.
                old = seen.advanced.old if seen.advanced else event.old
                seen.advanced = BranchAdvanced(event.time, event.build, event.branch, old, event.new)
                seen.behind = None
            case BranchBehind():
                seen.behind = event
            case _:
                pass  # says nothing that the summary needs

    def text(self, color: bool = False) -> str:
        """The summary, without a newline at the end; empty before `build_finished`, and where nothing could begin."""
        finished = self._seen.finished
        if finished is None or (finished.error and not finished.ran):
            return ""
        if _null(finished):
            fresh, reverted = _tasks(finished, Final.FRESH), _tasks(finished, Final.REVERTED)
            lines = [null_words(len(fresh), len(reverted))]
        else:
            lines = [headline(finished)]
            lines += self._base_words(finished)
            lines += self._landed_words(finished, color)
            lines += self._trouble_words(finished, color)
            lines += self._skipped_words(finished, color)
            lines += _usage_words(finished)
        lines += self._branch_words(finished, color)
        if finished.interrupted:
            lines.append("Interrupted: `orchestra build` goes on from there.")
        return "\n".join(lines)

    def _rejected(self, event: TaskRejected) -> _Trouble:
        # Where no evidence came with it, the attempt's own output is none: it went well.
        log = event.log if event.log or event.tail else self._seen.logs.get(event.attempt, "")
        # A conflict asks for another attempt on what has landed since, not for another prompt.
        mend = bool(event.tail) or not event.paths
        # What stays captured goes on by itself once its hint was followed.
        by_hand = "first" if (event.kept or "").startswith(_REJECTED) else ""
        return _Trouble(event.why, event.kept, event.paths, event.tail, log, event.hint, mend, by_hand)

    def _failed(self, event: TaskFailed) -> _Trouble:
        ended = self._seen.ended.get(event.attempt)
        return _Trouble(
            event.why or str(event.outcome),
            ended.result if ended else None,
            tail=event.tail or (ended.tail if ended else ()),
            log=event.log or self._seen.logs.get(event.attempt, ""),
            mend=ended is None or ended.fault is not Fault.ENVIRONMENT,
            by_hand="too" if ended and ended.result else "",
        )

    def _base_words(self, finished: BuildFinished) -> list[str]:
        red = self._seen.red_base
        if red is None:
            return []
        untouched = "; no attempt was started" if finished.ran == 0 else ""
        lines = [f"Verification fails on {short(red.commit)}, before anything was built{untouched}."]
        lines += [f"  | {line}".rstrip() for line in log_lines(red.tail, TAIL)]
        if red.log:
            lines.append(f"  log:   {one_line(red.log)}")
        way = one_line(self._seen.way_back) if self._seen.way_back else "make it pass there, commit"
        again = "orchestra build" if self._resolved_in is None else "orchestra resolve --continue"
        return [*lines, f"  next:  {way}, then: {again}"]

    def _landed_words(self, finished: BuildFinished, color: bool) -> list[str]:
        landed = _tasks(finished, Final.LANDED)
        unverified = [
            task for task in landed if task in self._seen.landed and not self._seen.landed[task].verified
        ]
        verified = [task for task in landed if task not in set(unverified)]
        lines = _named("landed", verified, Style.GOOD, color)
        lines += _named("merged, not verified", unverified, Style.WARN, color)
        if unverified and self._advises:
            self.advised = True
            lines.append(
                "  hint:  `integrate: {verify: COMMAND}` in the manifest tests each result before it lands"
            )
        lines += _named("passed", _tasks(finished, Final.PASSED), Style.GOOD, color)
        lines += _named("no change", _tasks(finished, Final.NO_CHANGE), Style.GOOD, color)
        lines += _named("replayed", _tasks(finished, Final.REPLAYED), Style.GOOD, color)
        lines += _named("adopted", _tasks(finished, Final.ADOPTED), Style.GOOD, color)
        left_alone = " (taken back, and run only if named)"
        return lines + _named("reverted", _tasks(finished, Final.REVERTED), Style.DIM, color, left_alone)

    def _trouble_words(self, finished: BuildFinished, color: bool) -> list[str]:
        lines: list[str] = []
        names = _tasks(finished, Final.REJECTED) + _tasks(finished, Final.FAILED)
        for number, task in enumerate(names):
            trouble = self._seen.troubles.get(task, _Trouble())
            label = _label(str(finished.tasks[task]), Style.BAD, color)
            lines += self._one_trouble(label, task, trouble, TAIL if number < IN_FULL else 0)
        return lines

    def _one_trouble(self, label: str, task: str, trouble: _Trouble, tail: int) -> list[str]:
        why = why_words(trouble.why, trouble.paths)
        lines = [f"{label}{one_line(task)}" + (f": {why}" if why else "")]
        lines += [f"  | {line}".rstrip() for line in log_lines(trouble.tail, tail)]
        if trouble.log:
            lines.append(f"  log:   {one_line(trouble.log)}")
        if self._resolved_in is not None:
            again = command("orchestra", "resolve", "--continue", task)
            first = one_line(trouble.hint) if trouble.hint else f"mend it in {one_line(self._resolved_in)}"
            return [*lines, f"  next:  {first}, then: {again}"]
        if trouble.kept:
            lines.append(f"  kept:  {command('git', 'show', trouble.kept)}")
        again = command("orchestra", "build", task)
        first = one_line(trouble.hint or (self._remedies.get(task, "") if trouble.mend else ""))
        ways = [f"{first}, then: {again}" if first else again]
        if trouble.by_hand:
            # What was good enough to be brought to its landing is likely to need little more.
            ways.insert(0 if trouble.by_hand == "first" else 1, command("orchestra", "resolve", task))
        return [
            *lines,
            *(f"{label}  {way}" for label, way in zip(("  next:", "    or:"), ways, strict=False)),
        ]

    def _skipped_words(self, finished: BuildFinished, color: bool) -> list[str]:
        groups: dict[str, list[str]] = {}
        for task in _tasks(finished, Final.SKIPPED):
            groups.setdefault(self._cause(task, finished), []).append(task)
        lines: list[str] = []
        for cause, names in groups.items():
            lines += _named("skipped", names, Style.WARN, color, f" ({cause})" if cause else "")
            events = (self._seen.skipped.get(task) for task in names)
            hints = dict.fromkeys(event.hint for event in events if event is not None and event.hint)
            lines += [f"  next:  {one_line(hint)}" for hint in hints]
        cut_off = BROKEN_OFF if finished.error else "interrupted"
        return lines + _named(cut_off, _tasks(finished, Final.INTERRUPTED), Style.WARN, color)

    def _cause(self, task: str, finished: BuildFinished) -> str:
        """Why a task was skipped: the first in the chain that was not skipped itself, else the event's words."""
        passed = {task}
        event = self._seen.skipped.get(task)
        if event is None:
            return ""
        if event.because is None:
            return one_line(event.why)
        root = event.because
        while root not in passed and (further := self._seen.skipped.get(root)) is not None:
            passed.add(root)
            if further.because is None:
                return one_line(further.why)
            root = further.because
        final = finished.tasks.get(root)
        return f"{one_line(root)} {_became(final)}" if final is not None else f"because of {one_line(root)}"

    def _branch_words(self, finished: BuildFinished, color: bool) -> list[str]:
        seen = self._seen
        lines: list[str] = []
        if seen.advanced is not None:
            moved = f"{short(seen.advanced.old)} → {short(seen.advanced.new)}"
            label = _label("advanced", Style.GOOD, color)
            lines.append(f"{label}{branch_words(seen.advanced.branch)}  {moved}")
        if seen.behind is not None:
            lines += _behind_words(seen.behind, color)
        if not lines and not finished.ok and not _tasks(finished, Final.LANDED):
            branch = seen.started.branch if seen.started else None
            if branch is not None:
                label = _label("not moved", Style.NONE, color)
                lines.append(f"{label}{branch_words(branch)}: nothing landed")
        return lines


def headline(event: BuildFinished) -> str:
    """The build in one line: how many tasks ended how, and what it took against one after another."""
    finals = list(event.tasks.values())
    words = {**dict(_COUNTED), **({Final.INTERRUPTED: BROKEN_OFF} if event.error else {})}
    counts = [f"{n:,} {word}" for final, word in words.items() if (n := finals.count(final))]
    state = f" {BROKEN_OFF}" if event.error else " interrupted" if event.interrupted else ""
    text = (
        f"Build {one_line(event.build)}{state}: {', '.join(counts) or 'no tasks'} in {duration(event.wall_s)}"
    )
    if event.ran and event.sequential_s > 0:
        text += f"; one after another: {duration(event.sequential_s)}"
        if event.speedup is not None and event.speedup >= WORTH_SAYING:
            text += f" ({event.speedup:.1f}×)"
    return text


def null_words(fresh: int, reverted: int = 0) -> str:
    """A build that found nothing to do, in one line: how many tasks are fresh, and how many reverted."""
    if fresh + reverted == 0:
        return "Nothing to do: no tasks."
    left_alone = f"{count(reverted, 'task')} {_are(reverted)} reverted"
    if not fresh:
        return f"Nothing to do: {left_alone}."
    words = f"Nothing to do: {count(fresh, 'task')} {_are(fresh)} fresh"
    return f"{words}, {reverted:,} {_are(reverted)} reverted." if reverted else f"{words}."


def _are(number: int) -> str:
    return "is" if number == 1 else "are"


def _null(event: BuildFinished) -> bool:
    """Whether the build found everything fresh or reverted."""
    idle = event.ran == 0 and not event.interrupted
    return idle and all(final in (Final.FRESH, Final.REVERTED) for final in event.tasks.values())


def _tasks(event: BuildFinished, final: Final) -> list[str]:
    return [task for task, how in event.tasks.items() if how is final]


def _named(label: str, names: Iterable[str], style: Style, color: bool, after: str = "") -> list[str]:
    words = listing(names)
    return [f"{_label(label, style, color)}{words}{after}"] if words else []


def _label(label: str, style: Style, color: bool) -> str:
    return paint(f"{label:<{_LABEL_WIDTH}}", style, color) + "  "


def _became(final: Final) -> str:
    match final:
        case Final.FAILED:
            return "failed"
        case Final.REJECTED | Final.SKIPPED | Final.INTERRUPTED:
            return f"was {final}"
        case _:
            return f"is {final}"


def _usage_words(event: BuildFinished) -> list[str]:
    known = []
    if event.tokens is not None:
        known.append(_at_least(count(event.tokens, "token"), event.uncounted, "none"))
    if event.usd is not None:
        known.append(_at_least(money(event.usd), event.unpriced, "no cost"))
    return [_label("used", Style.NONE, False) + ", ".join(known)] if known else []


def _at_least(amount: str, unknown: int, what: str) -> str:
    """A sum in words: that it is one only of what is known, where that is so."""
    return f"at least {amount} ({count(unknown, 'attempt')} told {what})" if unknown else amount


def _behind_words(event: BranchBehind, color: bool) -> list[str]:
    which = branch_words(event.branch) if event.branch is not None else "a detached HEAD"
    why = why_words(event.why, event.paths)
    parked = f"{short(event.tip)} is on {branch_words(event.parked)}"
    lines = [f"{_label('not advanced', Style.WARN, color)}{which}: {why}; {parked}"]
    if event.hint:
        lines.append(f"  next:  {one_line(event.hint)}")
    return lines
