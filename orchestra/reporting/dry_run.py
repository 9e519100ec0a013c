"""What a build would do, in the text of `build --dry-run` with which `plan` begins too. Pure.

A few tasks have a line each; many are folded to a line a row.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

from orchestra.model.events import Notice
from orchestra.model.graph import Graph
from orchestra.model.outcomes import Final
from orchestra.reporting.outlook import Action, Outlook, Prospect
from orchestra.reporting.summary import null_words
from orchestra.reporting.words import (
    NAME_WIDTH,
    Style,
    count,
    cut,
    listing,
    name_column,
    one_line,
    paint,
    reason_words,
    reasons_words,
)

EACH = 30
"""Up to so many tasks have a line each; more are folded."""
ROWS = 20
"""So many rows are shown at most where they are folded."""


def dry_run_text(outlook: Outlook, graph: Graph, *, color: bool = False, width: int | None = None) -> str:
    """Which tasks would run, in order of their start and why, which may, and how many are fresh.

    `width` is that of the terminal, None where there is none. No newline at the end.
    """
    return "\n".join(outlook_lines(outlook, graph, color=color, width=width))


def outlook_lines(
    outlook: Outlook,
    graph: Graph,
    *,
    color: bool,
    width: int | None,
    beside: Mapping[str, str] | None = None,
) -> list[str]:
    """The same, line by line; `beside` are words about tasks that stand in a column of their own."""
    notes = [_note(notice, color) for notice in outlook.notices]
    active = outlook.of(Action.RUN, Action.MAYBE, Action.REPLAY, Action.RECORD)
    if not active:
        reverted = len(outlook.of(Action.REVERTED))
        return [*notes, null_words(len(outlook.prospects) - reverted, reverted)]
    lines = [*notes, _headline(outlook)]
    if len(active) <= EACH:
        return [*lines, *_task_lines(active, outlook, graph, color, width, beside or {})]
    return [*lines, *_row_lines(active, outlook, graph, color, width)]


def _headline(outlook: Outlook) -> str:
    selected = len(outlook.prospects)
    head = f"{len(outlook.of(Action.RUN)):,} of {count(selected, 'task')} would run"
    head += ", one at a time" if outlook.jobs == 1 else f", up to {outlook.jobs} at once"
    if maybe := len(outlook.of(Action.MAYBE)):
        head += f"; {maybe:,} more may"
    for action, verb in (
        (Action.REPLAY, "would be replayed"),
        (Action.RECORD, "would only be recorded"),
    ):
        if number := len(outlook.of(action)):
            head += f"; {number:,} {verb}"
    for action in (Action.FRESH, Action.REVERTED):
        if number := len(outlook.of(action)):
            head += f"; {number:,} {'is' if number == 1 else 'are'} {action}"
    return head


def _task_lines(
    active: Sequence[Prospect],
    outlook: Outlook,
    graph: Graph,
    color: bool,
    width: int | None,
    beside: Mapping[str, str],
) -> list[str]:
    """A line a task: its row (equal numbers start together), its name, what stands beside it, and why."""
    names = name_column((prospect.task for prospect in active), width)
    words = name_column(beside.values(), width)
    digits = len(str(len(outlook.rows)))
    lines: list[str] = []
    for prospect in active:
        begin = f"  {_place(prospect):>{digits}}  {one_line(prospect.task, names):<{names}}  "
        if words:
            begin += f"{one_line(beside.get(prospect.task, ''), words):<{words}}  "
        style = Style.NONE if prospect.action is Action.RUN else Style.DIM
        why = paint(cut(prospect_words(prospect, graph), width, len(begin)), style, color)
        lines.append(f"{begin}{why}".rstrip())
    return lines


def _row_lines(
    active: Sequence[Prospect], outlook: Outlook, graph: Graph, color: bool, width: int | None
) -> list[str]:
    """A line a row: how many tasks start together, why, and the first of their names."""
    rows: dict[int | None, list[Prospect]] = {}
    for prospect in active:
        rows.setdefault(prospect.row, []).append(prospect)
    numbered = sorted(row for row in rows if row is not None)
    # One more costs no more room than saying that there is one more.
    shown = numbered if len(numbered) <= ROWS + 1 else numbered[:ROWS]
    digits = len(str(numbered[-1])) if numbered else 1
    folded = [(str(row), rows[row]) for row in shown]
    lines = [_folded(f"  {place:>{digits}}  ", row, graph, width) for place, row in folded]
    if more := numbered[len(shown) :]:
        tasks = sum(len(rows[row]) for row in more)
        last = f"{more[0]} to {more[-1]}"
        lines.append(f"  … {count(tasks, 'task')} more in rows {last}: orchestra plan --json")
    if None in rows:
        begin = f"  {'-':>{digits}}  "
        lines.append(paint(_folded(begin, rows[None], graph, width), Style.DIM, color))
    return lines


def _folded(begin: str, row: Sequence[Prospect], graph: Graph, width: int | None) -> str:
    if len(row) == 1:
        words = f"{one_line(row[0].task, NAME_WIDTH)}  {prospect_words(row[0], graph)}"
        return (begin + cut(words, width, len(begin))).rstrip()
    kinds = Counter(_kind(prospect, graph) for prospect in row)
    why = ", ".join(f"{number:,} {kind}" if len(kinds) > 1 else kind for kind, number in kinds.most_common(3))
    why += ", …" if len(kinds) > 3 else ""
    names = listing((prospect.task for prospect in row), 5)
    return begin + cut(f"{count(len(row), 'task')}  {why}: {names}", width, len(begin))


def _kind(prospect: Prospect, graph: Graph) -> str:
    """Why, without the name of anything, so that equal reasons can be counted."""
    match prospect.action:
        case Action.RUN if prospect.reasons:
            check = _is_check(prospect.task, graph)
            return reason_words(replace(prospect.reasons[0], subject=None), check=check)
        case Action.MAYBE:
            return "only if others change"
        case _:
            return prospect_words(prospect, graph)


def _place(prospect: Prospect) -> str:
    return "-" if prospect.row is None else str(prospect.row)


def prospect_words(prospect: Prospect, graph: Graph) -> str:
    """Why a task would run, or on what that depends."""
    match prospect.action:
        case Action.RUN:
            return reasons_words(prospect.reasons, check=_is_check(prospect.task, graph))
        case Action.MAYBE:
            landing = f"{listing(prospect.depends)} lands"
            return (
                f"only if {landing if prospect.needs_landing else f'{_either(prospect.depends)} its output'}"
            )
        case Action.REPLAY:
            return f"replayed: {one_line(prospect.why)}"
        case Action.RECORD:
            adopted = prospect.why == Final.ADOPTED
            return "recorded as fresh, nothing runs" if adopted else "all that it did is there already"
        case Action.FRESH | Action.REVERTED:
            return str(prospect.action)


def _is_check(name: str, graph: Graph) -> bool:
    return name in graph.tasks and graph.task(name).claims.is_check


def _either(names: tuple[str, ...]) -> str:
    if len(names) == 2:
        return f"{listing(names[:1])} or {listing(names[1:])} changes"
    return f"one of {listing(names, 3)} changes" if len(names) > 2 else f"{listing(names)} changes"


def _note(notice: Notice, color: bool) -> str:
    hint = f" (hint: {one_line(notice.hint)})" if notice.hint else ""
    return f"{paint('note:', Style.WARN, color)} {one_line(notice.message, 400)}{hint}"
