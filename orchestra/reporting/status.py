"""What is fresh and what is not, on one screen for 5 tasks as for 500, and as JSON (`schema/status.schema.json`).

Pure: decisions in, text or JSON data out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from orchestra.model.freshness import Decision, Note, Reason, State
from orchestra.model.graph import Graph
from orchestra.model.outcomes import Final
from orchestra.model.tasks import Manifest
from orchestra.reporting.claims import claims_json
from orchestra.reporting.words import (
    Style,
    count,
    cut,
    listing,
    name_column,
    one_line,
    paint,
    reasons_words,
    short,
)

VERSION = 1
"""The version of the JSON form."""
EACH = 30
"""Up to so many tasks have a line each; of more, those that are fresh are only counted."""
AT_MOST = 40
"""So many lines at most."""

Last = Mapping[str, tuple[str, str]]
"""By task: its final outcome in the last build that selected it, and a few words on it."""

_STYLES = {
    State.FRESH: Style.GOOD,
    State.STALE: Style.WARN,
    State.REVERTED: Style.DIM,
    State.BLOCKED: Style.DIM,
}
_SHOWN_FIRST = (State.STALE, State.BLOCKED, State.REVERTED)
_STATE_WIDTH = max(len(state) for state in State)
_WENT_WRONG = (Final.FAILED, Final.REJECTED, Final.INTERRUPTED)


def listed(decisions: Mapping[str, Decision], manifest: Manifest) -> tuple[str, ...]:
    """The tasks that have a line of their own: all, or of many those that are not fresh, as far as there is room."""
    names = [task.name for task in manifest.tasks if task.name in decisions]
    if len(names) > EACH:
        names = [name for state in _SHOWN_FIRST for name in names if decisions[name].state is state]
    room = AT_MOST - 2  # the counts, and how many more there are
    # One more costs no more room than saying that there is one more.
    return tuple(names if len(names) <= room + 1 else names[:room])


def status_text(
    decisions: Mapping[str, Decision],
    graph: Graph,
    manifest: Manifest,
    last: Last | None = None,
    color: bool = False,
    *,
    width: int | None = None,
) -> str:
    """The state of every task in `decisions`, in manifest order, and counts; no newline at the end.

    `last` adds how a task that is not settled ended when it was last tried, where that was no success. `width` is
    that of the terminal, None where there is none.
    """
    if not decisions:
        return "No tasks."
    shown = listed(decisions, manifest)
    names = name_column(shown, width)
    lines = [_line(decisions[name], graph, names, last or {}, decisions, color, width) for name in shown]
    many = len(decisions) > EACH
    hidden = sum(one.state in _SHOWN_FIRST for one in decisions.values()) - len(shown) if many else 0
    if hidden > 0:
        lines.append(f"… and {hidden:,} more: orchestra status --json")
    return "\n".join([*lines, _counts(decisions)])


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
                "reasons": reasons_json(decisions[task.name].reasons),
                "claims": claims_json(task.claims),
                "needs": list(task.needs),
            }
            for task in tasks
        ],
    }


def reasons_json(reasons: Iterable[Reason]) -> list[dict[str, Any]]:
    """Reasons with their evidence as JSON data."""
    return [
        {"kind": reason.kind.value, "subject": reason.subject, "old": reason.old, "new": reason.new}
        for reason in reasons
    ]


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
    names: int,
    last: Last,
    decisions: Mapping[str, Decision],
    color: bool,
    width: int | None,
) -> str:
    task = graph.task(decision.task)
    words = [reasons_words(decision.reasons, check=task.claims.is_check)]
    if decision.state is State.BLOCKED:
        waiting = [need for need in task.needs if need in decisions and not decisions[need].settled]
        words.append(f"needs {listing(waiting, 3)}" if waiting else "")
    if decision.reverted is not None:
        words.append(f"{short(decision.reverted.commit)} was taken back by {short(decision.reverted.undone)}")
    words.append(notes_words(decision.notes))
    if not decision.settled and (ended := last_words(decision.task, last)):
        words.append(f"({ended})")
    state = paint(f"{decision.state:<{_STATE_WIDTH}}", _STYLES[decision.state], color)
    name = f"{one_line(decision.task, names):<{names}}"
    why = cut("  ".join(word for word in words if word), width, _STATE_WIDTH + names + 4)
    return f"{state}  {name}  {why}".rstrip()


def _counts(decisions: Mapping[str, Decision]) -> str:
    """How many tasks there are of each state, and how many of those that are fresh have a note."""
    found = Counter(decision.state for decision in decisions.values())
    noted = Counter(note for one in decisions.values() for note in {note.kind for note in one.notes})
    counts = [f"{found[state]:,} {state}" for state in State if state in found]
    notes = [f"{noted[kind]:,} {one_line(kind)}" for kind in sorted(noted)]
    return "; ".join(
        [f"{count(len(decisions), 'task')}: {', '.join(counts)}", *([", ".join(notes)] if notes else [])]
    )
