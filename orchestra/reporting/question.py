"""What a person is shown before they are asked: by a build that may cost money, and by one that adopts. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from orchestra.model.freshness import Reason
from orchestra.model.graph import Graph
from orchestra.model.tasks import Limits
from orchestra.model.text import duration, money
from orchestra.reporting.dry_run import EACH, outlook_lines
from orchestra.reporting.outlook import Action, Outlook
from orchestra.reporting.words import (
    Style,
    branch_words,
    count,
    cut,
    labelled,
    listing,
    name_column,
    one_line,
    paint,
    reasons_words,
)

_LABEL_WIDTH = 10
_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Expected:
    """What is expected of the tasks of a build: each pair is what half of the cases, and nine in ten, do not exceed.

    None: nothing is known. Of so many of the `tasks` no duration is known (`untimed`), or no cost of those that may
    cost something (`unpriced`): they are in neither.
    """

    tasks: int
    seconds: tuple[float, float] | None = None
    untimed: int = 0
    usd: tuple[float, float] | None = None
    unpriced: int = 0


@dataclass(frozen=True, slots=True)
class Adopted:
    """A task that would be recorded as fresh: why it is stale, and its outputs by path, with whether they are there.

    `check`: it is a check task, which has no outputs and counts as passed.
    """

    task: str
    reasons: tuple[Reason, ...]
    outputs: tuple[tuple[str, bool], ...]
    check: bool


def agent_words(name: str, kind: str, model: str | None) -> str:
    """An agent in short: `claude (claude-code, sonnet)`, `codex`."""
    more = ", ".join(one_line(part) for part in ("" if kind == name else kind, model) if part)
    return f"{one_line(name)} ({more})" if more else one_line(name)


def paid_text(
    outlook: Outlook,
    graph: Graph,
    agents: Mapping[str, str],
    limits: Limits,
    expected: Expected,
    news: Sequence[str],
    *,
    color: bool = False,
    width: int | None = None,
) -> str:
    """What would run and by whom, within which limits, and what it may take; without a newline at the end.

    `agents` says in words who does each task, `news` why the person is asked. `width` is that of the terminal.
    """
    active = outlook.of(Action.RUN, Action.MAYBE)
    beside = agents if len(outlook.of(Action.RUN, Action.MAYBE, Action.REPLAY, Action.RECORD)) <= EACH else {}
    lines = outlook_lines(outlook, graph, color=color, width=width, beside=beside)
    below: list[str] = []
    if not beside:
        groups = Counter(agents[prospect.task] for prospect in active if prospect.task in agents)
        rows = [f"{words}: {count(number, 'task')}" for words, number in groups.most_common()]
        below += labelled("agents", rows, _LABEL_WIDTH)
    below += labelled("limits", [_limits(outlook.jobs, limits)], _LABEL_WIDTH)
    below += labelled("estimate", _estimate(expected), _LABEL_WIDTH)
    below += labelled("asked", [*news, "once in this repository; --yes asks nothing"], _LABEL_WIDTH)
    return "\n".join([*lines, "", *(cut(line, width) for line in below)])


def adopt_text(
    adopted: Sequence[Adopted], branch: str | None, *, color: bool = False, width: int | None = None
) -> str:
    """What adopting means, and which tasks would be recorded with which files; without a newline at the end."""
    where = f"on {branch_words(branch)}" if branch else "in the commit that is checked out"
    head = f"{count(len(adopted), 'task')} would be recorded as fresh, as files stand {where}:"
    names = name_column((one.task for one in adopted), width)
    shown = adopted if len(adopted) <= EACH + 1 else adopted[:EACH]
    lines = [head]
    for one in shown:
        begin = f"  {one_line(one.task, names):<{names}}  "
        why = reasons_words(one.reasons, 1, check=one.check)
        words = f"{_outputs(one)}{f'  ({why})' if why else ''}"
        lines.append((begin + paint(cut(words, width, len(begin)), Style.DIM, color)).rstrip())
    if more := len(adopted) - len(shown):
        lines.append(f"  … and {more:,} more: orchestra build --adopt --dry-run --json")
    meaning = (
        "Nothing runs, and no file but the lock entries in .orchestra/lock changes: what is there counts as what",
        "these tasks made, also where nobody made it. They run again when their prompt, or what they read, changes.",
    )
    return "\n".join([*lines, "", *meaning])


def _outputs(one: Adopted) -> str:
    if one.check:
        return "counts as passed"
    if not one.outputs:
        return "no files: it has landed none here"
    return listing((path if there else f"{path} (gone)" for path, there in one.outputs), _SHOWN)


def _limits(jobs: int, limits: Limits) -> str:
    usd = (
        f"{money(limits.usd)} for this build" if limits.usd is not None else "no limit in USD for this build"
    )
    day = f"{money(limits.usd_per_day)} a day" if limits.usd_per_day is not None else "no limit a day"
    tokens = f"; {limits.tokens:,} tokens" if limits.tokens is not None else ""
    return f"{count(jobs, 'attempt')} at once; {usd}; {day}{tokens}"


def _estimate(expected: Expected) -> list[str]:
    time = _spread([duration(value) for value in expected.seconds or ()], expected.untimed)
    cost = _spread([money(value) for value in expected.usd or ()], expected.unpriced)
    if not expected.seconds and not expected.usd:
        return ["not known yet"]
    rows = [f"time {time}; cost {cost} (p50 to p90 of earlier attempts)"]
    lacking = max(
        expected.untimed if expected.seconds else 0,
        expected.unpriced if expected.usd else 0,
    )
    if lacking:
        rows.append(f"nothing is known yet of {lacking:,} of {count(expected.tasks, 'task')}")
    return rows


def _spread(words: Sequence[str], lacking: int) -> str:
    if not words:
        return "not known yet"
    both = words[0] if words[0] == words[1] else f"{words[0]} to {words[1]}"
    return f"at least {both}" if lacking else both
