"""The history as text for a terminal: builds, one build, one task. Everything foreign has been through `clean`.

Pure: records in, text out, without a final newline. What is unknown reads `?`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, tzinfo

from orchestra.history.figures import Interval, sparkline, thinned
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
from orchestra.history.statistics import Tally
from orchestra.history.tables import Column, table, wrapped
from orchestra.history.timeline import timeline
from orchestra.model.outcomes import Final, Outcome
from orchestra.model.text import UNKNOWN, clean, count, duration, money

_NAMED = 12
_REASONS = 3
_SHORT = 7
_WHOLE = ("prompt-changed", "agent-changed")
"""Reasons that may name what they say anyhow."""

WIDTH = 80
"""Columns of what is drawn, where no terminal says how many there are."""


def render_builds(
    builds: Sequence[BuildRecord],
    rollbacks: Sequence[RollbackRecord] = (),
    *,
    now: float,
    zone: tzinfo | None = None,
    width: int | None = None,
    nulls: int = 0,
) -> str:
    """One line a build: id, when, what came of it, its time, speedup and cost; and one a rollback, where it was.

    `now` is seconds since the epoch; times are shown in `zone`, by default the local one; `nulls` builds in which
    nothing had to be done are left out. Nothing is cut without a `width`.
    """
    more = f"{count(nulls, 'build')} in which nothing had to be done: --all" if nulls else ""
    if not builds and not rollbacks:
        return more or "no such build is recorded"
    columns = (
        Column("BUILD"),
        Column("WHEN", drop=3),
        Column("OUTCOME", cut=True),
        Column("TIME", right=True, drop=1),
        Column("SPEEDUP" if any(build.speedup is not None for build in builds) else "", right=True, drop=4),
        Column("COST" if any(build.usd is not None for build in builds) else "", right=True, drop=2),
    )
    rows: list[list[str]] = []
    waiting = list(rollbacks)
    for build in builds:
        # Builds stand as they were recorded, whatever the clock said; rollbacks between them by their times.
        while waiting and waiting[0].time >= build.started:
            rows.append(_rollback_line(waiting.pop(0), now, zone))
        rows.append(
            [
                clean(build.build),
                _when(build.started, now, zone),
                outcome_of(build),
                duration(build.wall_s) if build.finished is not None else "",
                f"{build.speedup:.1f}×" if build.speedup is not None else "",
                _cost(build) if build.ran and build.usd is not None else "",
            ]
        )
    rows += (_rollback_line(one, now, zone) for one in waiting)
    return table(columns, rows, width) + (f"\n\n{wrapped(more, width)}" if more else "")


def _rollback_line(one: RollbackRecord, now: float, zone: tzinfo | None) -> list[str]:
    return ["rollback", _when(one.time, now, zone), _taken_back(one), "", "", ""]


def _taken_back(record: RollbackRecord) -> str:
    """What a rollback took back, in a few words."""
    commits = len(record.commits)
    own = f"{commits:,} commit{'' if commits == 1 else 's'} of yours" if commits else ""
    what = " and ".join(filter(None, (_listing(record.tasks), own)))
    unverified = "" if record.verified else ", not verified"
    return f"{what} taken back by {_short(record.new)} on {_branch(record.branch)}{unverified}"


def render_build(
    detail: BuildDetail,
    *,
    now: float,
    zone: tzinfo | None = None,
    width: int | None = None,
    plain: bool = False,
) -> str:
    """One build: what it was, its attempts over time, its tasks with outcome, time, attempts, cost and why; then what
    went wrong.

    `plain`: only ASCII is drawn.
    """
    build = detail.build
    parts = [wrapped(_head(build, now, zone), width), wrapped(_sums(build), width)]
    picture = timeline(detail, width or WIDTH, now=now, plain=plain)
    parts += ["", picture] if picture else []
    busy = [task for task in detail.tasks if task.final != Final.FRESH or task.attempts]
    if busy:
        costs = any(attempt.usage.usd is not None for task in busy for attempt in task.attempts)
        columns = (
            Column("TASK", cut=True),
            Column("OUTCOME"),
            Column("TIME", right=True, drop=2),
            Column("ATTEMPTS", right=True, drop=4),
            Column("COST" if costs else "", right=True, drop=3),
            Column("WHY IT RAN", cut=True, drop=1),
        )
        parts += ["", table(columns, [_task_line(task, costs) for task in busy], width)]
    stories = [line for task in busy for line in _story(task)]
    if stories:
        parts += ["", *(wrapped(line, width, "    ") for line in stories)]
    parts += [""] if detail.advances else []
    for advance in detail.advances:
        if advance.done:
            parts.append(f"{_branch(advance.branch)} moved to {_short(advance.new)}")
        else:
            line = f"the tip {_short(advance.new)} stayed on {_branch(advance.parked)}: {_text(advance.why)}"
            parts.append(wrapped(line, width))
    fresh = [task.task for task in detail.tasks if task.final == Final.FRESH and not task.attempts]
    if fresh:
        parts += ["", wrapped(f"fresh: {_listing(fresh)}", width)]
    return "\n".join(parts)


def render_task(
    history: TaskHistory,
    *,
    now: float,
    zone: tzinfo | None = None,
    width: int | None = None,
    plain: bool = False,
) -> str:
    """One task over all builds: what its attempts took, cost and came to; then a line an attempt, newest first, with
    what became of it and why it ran.
    """
    attempts = history.attempts
    shown = f", the newest {len(attempts):,}" if len(attempts) < history.total else ""
    parts = [f"{clean(history.task)}: {count(history.total, 'attempt')}{shown}"]
    parts += [wrapped(line, width, " " * 10) for line in _task_figures(history, width, plain)]
    if attempts:
        costs = any(attempt.usage.usd is not None for attempt in attempts)
        columns = (
            Column("WHEN", drop=3),
            Column("BUILD", cut=True, drop=4),
            Column("NUMBER", right=True, drop=6),
            Column("AGENT", cut=True, drop=5),
            Column("OUTCOME"),
            Column("TIME", right=True, drop=1),
            Column("COST" if costs else "", right=True, drop=2),
            Column("WHY IT RAN", cut=True),
        )
        rows = [
            [
                _when(attempt.started, now, zone),
                clean(attempt.build),
                str(attempt.number),
                clean(attempt.agent) or UNKNOWN,
                _fate(attempt),
                duration(attempt.seconds),
                money(attempt.usage.usd) if costs else "",
                _reasons(attempt.reasons, attempt.reason_count),
            ]
            for attempt in attempts
        ]
        parts += ["", table(columns, rows, width)]
    troubles = [line for attempt in attempts for line in _trouble(attempt, clean(attempt.attempt))]
    parts += ["", *(wrapped(line, width, "    ") for line in troubles)] if troubles else []
    return "\n".join(parts)


def _task_figures(history: TaskHistory, width: int | None, plain: bool) -> Iterable[str]:
    tally = history.tally
    if history.rate is not None:
        yield f"success   {share_of(history.rate)}, {judged_of(tally)}"
    if history.seconds:
        most = max(8, min(40, (width or WIDTH) - 12))
        line = sparkline(thinned(history.seconds, most), plain=plain)
        yield f"time      p50 {duration(history.p50_s)}, p90 {duration(history.p90_s)}"
        if len(history.seconds) > 1:
            yield f"          {line}"
    if tally.usd is not None:
        yield f"cost      {money(tally.usd)}, {money(tally.usd / tally.attempts)} an attempt"


def judged_of(tally: Tally) -> str:
    """Of how many attempts a rate of success is: `7 of 8 attempts, 2 more interrupted`."""
    more = f", {tally.interrupted:,} more interrupted" if tally.interrupted else ""
    return f"{tally.good:,} of {count(tally.judged, 'attempt')}{more}"


def share_of(rate: Interval | None) -> str:
    """A share with its interval: `92 % (88–95 %)`; nothing where there is none."""
    if rate is None:
        return ""
    return f"{rate.share:.0%} ({rate.low * 100:.0f}–{rate.high:.0%})".replace("%", " %")


def outcome_of(build: BuildRecord) -> str:
    """What came of a build, in a few words: `3 landed, 1 rejected, 12 fresh`."""
    if build.finished is None:
        state = _word(build.state)
        if build.rebuilt:
            landed = f"{build.landed:,} landed" if build.landed else "nothing landed"
            return f"{landed} (rebuilt from git)"
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
    jobs = "" if build.rebuilt else f", at most {build.jobs:,} at once"
    return f"build {clean(build.build)}, {_when(build.started, now, zone)}, {where} from {_short(build.base)}{jobs}"


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
    cost = money(sum(paid) if paid else None) if costs and task.attempts else ""
    if 0 < len(paid) < len(task.attempts):
        cost = f"≥{cost}"
    return [
        clean(task.task),
        _word(task.final or UNKNOWN),
        took if task.attempts else "",
        str(len(task.attempts)) if task.attempts else "",
        cost,
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
        told_more = attempt.detail and attempt.detail != attempt.outcome
        lines.append(f"{name}: {_fate(attempt)}" + (f": {_text(attempt.detail)}" if told_more else ""))
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


def _reasons(reasons: Sequence[Why], total: int) -> str:
    words = [_reason(reason) for reason in reasons[:_REASONS]]
    more = total - len(words)
    return ", ".join(words) + (f" and {more:,} more" if more > 0 and words else "")


def _reason(reason: Why) -> str:
    """A reason in words: `input changed: src/a.py`, but not `prompt changed: prompt`."""
    said = reason.kind == f"{reason.subject}-changed" and reason.kind in _WHOLE
    return _word(reason.kind) + (f": {clean(reason.subject)}" if reason.subject and not said else "")


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
