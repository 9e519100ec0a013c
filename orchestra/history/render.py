"""The history as text for a terminal: builds, one build, one task. Everything foreign has been through `clean`.

Pure: records in, text out, without a final newline. What is unknown reads `?`.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from datetime import datetime, tzinfo

from orchestra.history.records import (
    AttemptRecord,
    BuildDetail,
    BuildRecord,
    EndingRecord,
    TaskHistory,
    TaskRecord,
    Why,
)
from orchestra.history.rollbacks import RollbackRecord
from orchestra.model.outcomes import Final, Outcome
from orchestra.model.text import UNKNOWN, clean, duration, money

_NAMED = 12
_REASONS = 3
_SHORT = 7


def render_builds(
    builds: Sequence[BuildRecord],
    rollbacks: Sequence[RollbackRecord] = (),
    *,
    now: float,
    zone: tzinfo | None = None,
) -> str:
    """One line a build: id, when, what came of it, its time, speedup and cost; and one a rollback, where it was.

    `now` is seconds since the epoch; times are shown in `zone`, by default the local one.
    """
    if not builds and not rollbacks:
        return "no build is recorded yet"
    costs = any(build.usd is not None for build in builds)
    dated = [
        (
            build.started,
            [
                clean(build.build),
                _when(build.started, now, zone),
                outcome_of(build),
                duration(build.wall_s) if build.finished is not None else "",
                f"{build.speedup:.1f}×" if build.speedup is not None else "",
                *([_cost(build) if build.ran else ""] if costs else []),
            ],
        )
        for build in builds
    ]
    dated += [
        (
            one.time,
            ["rollback", _when(one.time, now, zone), _taken_back(one), "", "", *([""] if costs else [])],
        )
        for one in rollbacks
    ]
    if rollbacks:
        dated.sort(key=lambda line: line[0], reverse=True)
    head = ["BUILD", "WHEN", "OUTCOME", "TIME", "SPEEDUP", *(["COST"] if costs else [])]
    return _table([head, *(line for _, line in dated)])


def _taken_back(record: RollbackRecord) -> str:
    """What a rollback took back, in a few words."""
    commits = len(record.commits)
    own = f"{commits:,} commit{'' if commits == 1 else 's'} of yours" if commits else ""
    what = " and ".join(filter(None, (_listing(record.tasks), own)))
    unverified = "" if record.verified else ", not verified"
    return f"{what} taken back by {_short(record.new)} on {_branch(record.branch)}{unverified}"


def render_build(detail: BuildDetail, *, now: float, zone: tzinfo | None = None) -> str:
    """One build: what it was, then its tasks with outcome, time, attempts, cost and why; then what went wrong."""
    build = detail.build
    parts = [_head(build, now, zone), _sums(build)]
    busy = [task for task in detail.tasks if task.final != Final.FRESH or task.attempts]
    if busy:
        costs = any(attempt.usage.usd is not None for task in busy for attempt in task.attempts)
        head = ["TASK", "OUTCOME", "TIME", "ATTEMPTS", *(["COST"] if costs else []), "WHY IT RAN"]
        parts += ["", _table([head, *(_task_line(task, costs) for task in busy)])]
    stories = [line for task in busy for line in _story(task)]
    if stories:
        parts += ["", *stories]
    parts += [""] if detail.advances else []
    for advance in detail.advances:
        if advance.done:
            parts.append(f"{_branch(advance.branch)} moved to {_short(advance.new)}")
        else:
            parts.append(
                f"the tip {_short(advance.new)} stayed on {_branch(advance.parked)}: {_text(advance.why)}"
            )
    fresh = [task.task for task in detail.tasks if task.final == Final.FRESH and not task.attempts]
    if fresh:
        parts += ["", f"fresh: {_listing(fresh)}"]
    return "\n".join(parts)


def render_task(history: TaskHistory, *, now: float, zone: tzinfo | None = None) -> str:
    """One task over all builds: a line an attempt, newest first, with what became of it and why it ran."""
    attempts = history.attempts
    shown = f", the newest {len(attempts):,}" if len(attempts) < history.total else ""
    noun = "attempt" if history.total == 1 else "attempts"
    costs = any(attempt.usage.usd is not None for attempt in attempts)
    lines = [
        ["WHEN", "BUILD", "NUMBER", "AGENT", "OUTCOME", "TIME", *(["COST"] if costs else []), "WHY IT RAN"]
    ]
    for attempt in attempts:
        lines.append(
            [
                _when(attempt.started, now, zone),
                clean(attempt.build),
                str(attempt.number),
                clean(attempt.agent),
                _fate(attempt),
                duration(attempt.seconds),
                *([money(attempt.usage.usd)] if costs else []),
                _reasons(attempt.reasons, attempt.reason_count),
            ]
        )
    troubles = [line for attempt in attempts for line in _trouble(attempt, clean(attempt.attempt))]
    parts = [f"{clean(history.task)}: {history.total:,} {noun}{shown}", "", _table(lines)]
    return "\n".join([*parts, *(["", *troubles] if troubles else [])])


def outcome_of(build: BuildRecord) -> str:
    """What came of a build, in a few words: `3 landed, 1 rejected, 12 fresh`."""
    if build.finished is None:
        state = _word(build.state)
        return state if build.closed is not None else f"{state} (process {build.pid})"
    counts = (
        *((build.landed, "landed"), (build.passed, "passed"), (build.no_change, "no change")),
        *((build.replayed, "replayed"), (build.adopted, "adopted")),
        *((build.failed, "failed"), (build.rejected, "rejected"), (build.skipped, "skipped")),
    )
    words = [f"{number:,} {word}" for number, word in counts if number]
    if build.interrupted:
        words.append("interrupted")
    if build.landed and not build.advanced:
        words.append("branch not advanced")
    if not words:
        words.append("nothing to do" if build.ok else "nothing done")
    if build.reverted:
        words.append(f"{build.reverted:,} reverted")
    if build.fresh:
        words.append(f"{build.fresh:,} fresh")
    return ", ".join(words)


# --- parts of one build ----------------------------------------------------------------------------------------


def _head(build: BuildRecord, now: float, zone: tzinfo | None) -> str:
    where = f"on {_branch(build.branch)}" if build.branch is not None else "on a detached HEAD"
    return (
        f"build {clean(build.build)}, {_when(build.started, now, zone)}, {where} from {_short(build.base)}, "
        f"at most {build.jobs:,} at once"
    )


def _sums(build: BuildRecord) -> str:
    if build.finished is None:
        return outcome_of(build)
    words = f"{outcome_of(build)}; {duration(build.wall_s)}"
    if build.speedup is not None:
        words += f", one after another {duration(build.sequential_s)} ({build.speedup:.1f}×)"
    if build.usd is not None:
        words += f", {_cost(build)}"
    if build.tokens is not None:
        words += f", {'≥' if build.uncounted else ''}{build.tokens:,} tokens"
    return words


def _cost(build: BuildRecord) -> str:
    """What a build cost, or at least did: `≥$0.25` where not every attempt told it."""
    return f"{'≥' if build.usd is not None and build.unpriced else ''}{money(build.usd)}"


def _task_line(task: TaskRecord, costs: bool) -> list[str]:
    seconds = [attempt.seconds for attempt in task.attempts]
    known = [value for value in seconds if value is not None]
    paid = [attempt.usage.usd for attempt in task.attempts if attempt.usage.usd is not None]
    # What is known of a task with an attempt still under way is a part, not the sum.
    took = duration(sum(known)) if len(known) == len(seconds) else UNKNOWN
    why = _reasons(task.attempts[0].reasons, task.attempts[0].reason_count) if task.attempts else ""
    cost = money(sum(paid) if paid else None) if task.attempts else ""
    if 0 < len(paid) < len(task.attempts):
        cost = f"≥{cost}"
    return [
        clean(task.task),
        _word(task.final or UNKNOWN),
        took if task.attempts else "",
        str(len(task.attempts)) if task.attempts else "",
        *([cost] if costs else []),
        why,
    ]


def _story(task: TaskRecord) -> list[str]:
    """What a person wants to read of a task that did not go straight: attempt by attempt, and why it ended."""
    lines: list[str] = []
    for attempt in task.attempts:
        name = clean(task.task) + (f" attempt {attempt.number}" if len(task.attempts) > 1 else "")
        lines += _trouble(attempt, name)
    if not lines and task.why:
        lines.append(f"{clean(task.task)}: {_word(task.final or UNKNOWN)}: {_text(task.why)}")
    return lines


def _trouble(attempt: AttemptRecord, name: str) -> list[str]:
    """Why an attempt, or its result, did not do: nothing where all went well."""
    lines: list[str] = []
    good = attempt.outcome is None or attempt.outcome in (Outcome.SUCCESS, Outcome.NO_CHANGE)
    told = [ending for ending in attempt.endings if ending.why]
    for ending in told:
        lines += [f"{name}: {_word(ending.kind)}: {_text(ending.why)}", *_where(ending)]
    if not told and not good:
        lines.append(f"{name}: {_fate(attempt)}" + (f": {_text(attempt.detail)}" if attempt.detail else ""))
    if not good and attempt.log and not any(ending.log for ending in told):
        lines.append(f"  log: {clean(attempt.log)}")
    return lines


def _where(ending: EndingRecord) -> Iterable[str]:
    if ending.kept:
        yield f"  kept: {clean(ending.kept)}"
    if ending.log:
        yield f"  log: {clean(ending.log)}"
    if ending.hint:
        yield f"  hint: {_text(ending.hint)}"


# --- words -----------------------------------------------------------------------------------------------------


def _fate(attempt: AttemptRecord) -> str:
    """What became of an attempt: of its result where there was one, else of itself."""
    if attempt.endings:
        last = attempt.endings[-1]
        if last.kind == Final.LANDED:
            return f"landed as {_short(last.commit)}"
        if last.kind != Final.FAILED:
            return _word(last.kind)
    return _word(attempt.outcome) if attempt.outcome is not None else "unfinished"


def _reasons(reasons: Sequence[Why], count: int) -> str:
    words = [
        _word(reason.kind) + (f": {clean(reason.subject)}" if reason.subject else "")
        for reason in reasons[:_REASONS]
    ]
    more = count - len(words)
    return ", ".join(words) + (f" and {more:,} more" if more > 0 and words else "")


def _word(text: str) -> str:
    return clean(text).replace("-", " ")


def _text(text: str | None) -> str:
    return clean(text) if text else UNKNOWN


def _short(commit: str | None) -> str:
    return clean(commit)[:_SHORT] if commit else UNKNOWN


def _branch(branch: str | None) -> str:
    return clean(branch.removeprefix("refs/heads/")) if branch else UNKNOWN


def _listing(names: Sequence[str]) -> str:
    words = ", ".join(clean(name) for name in names[:_NAMED])
    more = len(names) - _NAMED
    return f"{words} and {more:,} more" if more > 0 else words


def _when(time: float, now: float, zone: tzinfo | None) -> str:
    try:
        then, today = datetime.fromtimestamp(time, zone), datetime.fromtimestamp(now, zone).date()
    except (OverflowError, ValueError, OSError):
        return UNKNOWN  # a clock gone astray
    return f"today {then:%H:%M}" if then.date() == today else f"{then:%Y-%m-%d %H:%M}"


def _table(lines: Sequence[Sequence[str]]) -> str:
    """Lines of cells with their columns below one another; the last column is as long as it is."""
    widths = [max(_cells(line[column]) for line in lines) for column in range(len(lines[0]) - 1)]
    rows: list[str] = []
    for line in lines:
        padded = [text + " " * (width - _cells(text)) for text, width in zip(line, widths, strict=False)]
        rows.append("  ".join([*padded, line[-1]]).rstrip())
    return "\n".join(rows)


def _cells(text: str) -> int:
    """How many columns of a terminal a clean text takes."""
    return sum(
        0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1
        for char in text
    )
