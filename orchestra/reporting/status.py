"""What is fresh and what is not, on one screen for 5 tasks as for 500, and as JSON (`schema/status.schema.json`).

Pure: decisions in, text or JSON data out.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from orchestra.model.freshness import Decision, Note, State
from orchestra.model.graph import Graph
from orchestra.model.outcomes import Final
from orchestra.model.tasks import Claims, Manifest
from orchestra.reporting.words import Style, count, listing, one_line, paint, reasons_words

VERSION = 1
"""The version of the JSON form."""
EACH = 30
"""Up to so many tasks have a line each; of more, those that are fresh are only counted."""
AT_MOST = 40
"""So many lines at most."""
NAME_WIDTH = 40

Last = Mapping[str, tuple[str, str]]
"""By task: its final outcome in the last build that selected it, and a few words on it."""

_STYLES = {
    State.FRESH: Style.GOOD,
    State.STALE: Style.WARN,
    State.REVERTED: Style.DIM,
    State.BLOCKED: Style.DIM,
}
_SHOWN_FIRST = (State.STALE, State.BLOCKED)
_WENT_WRONG = (Final.FAILED, Final.REJECTED, Final.INTERRUPTED)


def status_text(
    decisions: Mapping[str, Decision],
    graph: Graph,
    manifest: Manifest,
    last: Last | None = None,
    color: bool = False,
) -> str:
    """The state of every task in `decisions`, in manifest order, and counts; no newline at the end.

    `last` adds how a task that is not fresh ended when it was last tried, where that was no success.
    """
    names = [task.name for task in manifest.tasks if task.name in decisions]
    if not names:
        return "No tasks."
    listed = names
    if len(names) > EACH:
        listed = [name for state in _SHOWN_FIRST for name in names if decisions[name].state is state]
    counts = _counts(names, decisions)
    room = AT_MOST - 2  # the counts, and how many more there are
    left_out = len(listed) - room if len(listed) > room + 1 else 0
    shown = listed[: len(listed) - left_out]
    width = min(NAME_WIDTH, max((len(one_line(name)) for name in shown), default=0))
    lines = [_line(decisions[name], graph, width, last or {}, decisions, color) for name in shown]
    if left_out:
        lines.append(f"… and {left_out:,} more: orchestra status --json")
    return "\n".join([*lines, counts])


def status_json(decisions: Mapping[str, Decision], manifest: Manifest) -> dict[str, Any]:
    """The same as JSON data, every task in `decisions` in manifest order, with its claims and needs."""
    tasks = [task for task in manifest.tasks if task.name in decisions]
    return {
        "version": VERSION,
        "tasks": [
            {
                "task": task.name,
                "state": decisions[task.name].state.value,
                "notes": sorted({note.kind for note in decisions[task.name].notes}),
                "reasons": reasons_json(decisions[task.name]),
                "claims": claims_json(task.claims),
                "needs": list(task.needs),
            }
            for task in tasks
        ],
    }


def reasons_json(decision: Decision) -> list[dict[str, Any]]:
    """The reasons with their evidence as JSON data."""
    return [
        {"kind": reason.kind.value, "subject": reason.subject, "old": reason.old, "new": reason.new}
        for reason in decision.reasons
    ]


def claims_json(claims: Claims) -> dict[str, Any]:
    """Claims as JSON data; `write` is null where nobody said what the task writes."""
    return {
        "write": None if claims.write is None else list(claims.write),
        "read": list(claims.read),
        "unread": list(claims.unread),
        "declared": claims.declared,
        "exclusive": claims.exclusive,
    }


def notes_words(notes: tuple[Note, ...]) -> str:
    """Notes in a few words: `drifted: src/a.py, src/b.py; superseded: CHANGELOG.md`."""
    kinds = sorted({note.kind for note in notes})
    return "; ".join(
        f"{one_line(kind)}: {listing((note.path for note in notes if note.kind == kind), 3)}"
        for kind in kinds
    )


def last_words(name: str, last: Last) -> str:
    """How the task ended last, where it did not succeed: `last: rejected, tests fail`; else empty."""
    final, detail = last.get(name, ("", ""))
    if final not in _WENT_WRONG:
        return ""
    return f"last: {one_line(final)}" + (f", {one_line(detail, 80)}" if detail else "")


def _line(
    decision: Decision,
    graph: Graph,
    width: int,
    last: Last,
    decisions: Mapping[str, Decision],
    color: bool,
) -> str:
    task = graph.task(decision.task)
    words = [reasons_words(decision.reasons, check=task.claims.is_check)]
    if decision.state is State.BLOCKED:
        needs = task.needs
        waiting = [need for need in needs if need in decisions and not decisions[need].fresh]
        words.append(f"needs {listing(waiting, 3)}" if waiting else "")
    words.append(notes_words(decision.notes))
    if not decision.fresh and (ended := last_words(decision.task, last)):
        words.append(f"({ended})")
    state = paint(f"{decision.state:<7}", _STYLES[decision.state], color)
    name = f"{one_line(decision.task, NAME_WIDTH):<{width}}"
    return f"{state}  {name}  {'  '.join(word for word in words if word)}".rstrip()


def _counts(names: list[str], decisions: Mapping[str, Decision]) -> str:
    found = [decisions[name].state for name in names]
    counts = [f"{found.count(state):,} {state}" for state in State if state in found]
    return f"{count(len(names), 'task')}: {', '.join(counts)}"
