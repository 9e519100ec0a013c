"""The statistics as text for a terminal. Pure: figures in, text out, without a final newline."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from orchestra.history.figures import sparkline
from orchestra.history.render import judged_of, share_of
from orchestra.history.statistics import Group, Loss, Period, Stats
from orchestra.history.tables import Column, table, wrapped
from orchestra.model.text import UNKNOWN, clean, count, duration, money

_WIDE = 12
_LOST = {
    "conflict": "conflicts",
    "verification": "red verifications",
    "retry": "retries",
    "rejected": "rejected results",
}


def render_stats(stats: Stats, *, width: int | None = None, plain: bool = False) -> str:
    """All figures: first what a build gains, then what was lost, then the tasks and agents behind it.

    `plain`: only ASCII is drawn.
    """
    parts = [wrapped(_head(stats), width), ""]
    for name, text in (*_gains(stats, plain), *_losses(stats), *_estimates(stats)):
        parts.append(wrapped(f"{name:<{_WIDE}}{text}", width, " " * _WIDE))
    if stats.slowest:
        parts += ["", _tasks("SLOWEST TASKS", stats.slowest, width)]
    if stats.failing:
        parts += ["", _tasks("MOST FAILING", stats.failing, width)]
    if len(stats.agents) > 1:
        parts += ["", _agents(stats.agents, width)]
    if len(stats.periods) > 1:
        parts += ["", _periods(stats.periods, width)]
    return "\n".join(parts)


def _head(stats: Stats) -> str:
    since = f" since {_day(stats.wanted.since)}" if stats.wanted.since is not None else ""
    attempts = count(stats.tally.attempts, "attempt")
    narrowed = [
        f"{name} {clean(value)}"
        for name in ("task", "agent", "outcome")
        if (value := getattr(stats.wanted, name)) is not None
    ]
    if stats.builds is None:
        return f"{attempts} ({', '.join(narrowed)}){since}"
    return (
        f"{count(stats.builds.builds, 'build')}, {stats.builds.busy:,} that ran something: {attempts}{since}"
    )


def _gains(stats: Stats, plain: bool) -> Iterator[tuple[str, str]]:
    builds, tally = stats.builds, stats.tally
    if builds is not None and builds.speedup is not None:
        known = [period.builds.speedup if period.builds else None for period in stats.periods]
        line = sparkline(known, plain=plain).rstrip() if len(known) > 1 else ""
        work = f"{duration(builds.sequential_s)} of work in {duration(builds.wall_s)}"
        yield "speedup", f"{builds.speedup:.1f}×, {work}  {line}".rstrip()
        yield "efficiency", f"{_percent(builds.efficiency)} of the slots' time was work"
    if stats.rate is not None:
        yield "success", f"{share_of(stats.rate)}, {judged_of(tally)}"
    if tally.attempts:
        yield "time", f"{duration(tally.seconds)} in attempts"
    if tally.usd is not None or tally.tokens:
        yield "cost", f"{money(tally.usd)}, {count(tally.tokens, 'token')}"
    saved = [saving for saving in stats.savings or () if saving.times]
    for place, saving in enumerate(saved):
        usd = f", {money(saving.usd)}" if saving.usd else ""
        took = duration(saving.seconds) if saving.seconds else "not known"
        text = f"{took}{usd}: {count(saving.times, 'time')} a task was {saving.how}"
        yield "saved" if place == 0 else "", text


def _losses(stats: Stats) -> Iterator[tuple[str, str]]:
    if not stats.tally.attempts:
        return
    lost = [f"{duration(stats.claims_s)} waiting on claims"] if stats.claims_s else []
    lost += [_loss(loss) for loss in stats.losses if loss.attempts]
    for place, text in enumerate(lost or ["nothing"]):
        yield "" if place else "lost", text


def _loss(loss: Loss) -> str:
    usd = f", {money(loss.usd)}" if loss.usd is not None else ""
    return f"{duration(loss.seconds)}{usd} to {_LOST[loss.cause]}: {count(loss.attempts, 'attempt')}"


def _estimates(stats: Stats) -> Iterator[tuple[str, str]]:
    told = stats.estimates
    if not told.attempts:
        return
    change = (told.real_s - told.estimated_s) / told.estimated_s if told.estimated_s > 0 else None
    off = f" ({round(change * 100):+d} %)" if change is not None else ""
    yield "estimates", f"{duration(told.estimated_s)} expected, {duration(told.real_s)} real{off}"
    held = f"p50 held for {_percent(told.within_p50 / told.attempts)}, p90 for"
    yield "", f"{held} {_percent(told.within_p90 / told.attempts)} of {count(told.attempts, 'attempt')}"


def _percent(share: float | None) -> str:
    return UNKNOWN if share is None else f"{share * 100:.0f} %"


def _tasks(title: str, groups: Sequence[Group], width: int | None) -> str:
    columns = (
        Column(title, cut=True),
        Column("P50", right=True, drop=1),
        Column("P90", right=True, drop=4),
        Column("SUCCESS", right=True),
        Column("OF", right=True, drop=2),
        Column("COST" if any(group.tally.usd is not None for group in groups) else "", right=True, drop=3),
    )
    rows = [
        [
            clean(group.name),
            duration(group.p50_s) if group.p50_s is not None else "",
            duration(group.p90_s) if group.p90_s is not None else "",
            share_of(group.rate),
            f"{group.tally.judged:,}" if group.tally.judged else "",
            money(group.tally.usd) if group.tally.usd is not None else "",
        ]
        for group in groups
    ]
    return table(columns, rows, width)


def _agents(groups: Sequence[Group], width: int | None) -> str:
    columns = (
        Column("AGENT", cut=True),
        Column("MEAN", right=True, drop=2),
        Column("SUCCESS", right=True),
        Column("OF", right=True, drop=1),
        Column("COST" if any(group.tally.usd is not None for group in groups) else "", right=True, drop=3),
    )
    rows = [
        [
            clean(group.name),
            duration(group.tally.seconds / group.tally.attempts),
            share_of(group.rate),
            f"{group.tally.judged:,}" if group.tally.judged else "",
            money(group.tally.usd) if group.tally.usd is not None else "",
        ]
        for group in groups
    ]
    return table(columns, rows, width)


def _periods(periods: Sequence[Period], width: int | None) -> str:
    unit = {1: "DAY", 7: "WEEK FROM"}.get(periods[0].days, f"{periods[0].days} DAYS FROM")
    whole = periods[0].builds is not None
    columns = (
        Column(unit),
        Column("BUILDS" if whole else "", right=True, drop=3),
        Column("SPEEDUP" if whole else "", right=True),
        Column("EFFICIENCY" if whole else "", right=True, drop=4),
        Column("ATTEMPTS", right=True, drop=1),
        Column("SUCCESS", right=True),
        Column("COST" if any(p.tally.usd is not None for p in periods) else "", right=True, drop=2),
    )
    return table(columns, [_period(period) for period in periods], width)


def _period(period: Period) -> list[str]:
    builds, tally = period.builds, period.tally
    speedup = builds.speedup if builds is not None else None
    return [
        _day(period.start),
        f"{builds.builds:,}" if builds is not None and builds.builds else "",
        f"{speedup:.1f}×" if speedup is not None else "",
        _percent(builds.efficiency) if builds is not None and speedup is not None else "",
        f"{tally.attempts:,}" if tally.attempts else "",
        _percent(tally.good / tally.judged) if tally.judged else "",
        money(tally.usd) if tally.usd is not None else "",
    ]


def _day(time: float) -> str:
    try:
        return f"{datetime.fromtimestamp(time, UTC):%Y-%m-%d}"
    except (OverflowError, ValueError, OSError):
        return UNKNOWN  # a clock gone astray
