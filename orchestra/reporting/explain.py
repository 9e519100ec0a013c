"""One task explained: why it is stale or what would make it so, part by part, and what it waits for.

Pure: decisions in, text or JSON data (`schema/explain.schema.json`) out. The reasons are those of the code
that decided; nothing is decided here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from orchestra.model.freshness import Decision, Reason, Situation, State
from orchestra.model.graph import EdgeKind, Graph
from orchestra.model.meetings import meetings
from orchestra.model.reading import undeclared
from orchestra.model.tasks import EVERYTHING, Task
from orchestra.model.trees import FileState
from orchestra.reporting.claims import claims_json, claims_rows, meetings_json
from orchestra.reporting.status import Last, last_words, notes_words, reasons_json
from orchestra.reporting.words import (
    NONE,
    Style,
    change,
    command,
    count,
    labelled,
    listing,
    meeting_words,
    one_line,
    paint,
    path_words,
    reason_words,
    short,
)

VERSION = 1
"""The version of the JSON form."""

_EDGES = {
    EdgeKind.NEED: "it is needed",
    EdgeKind.READ: "it writes what this one reads",
    EdgeKind.WRITE: "it writes the same",
    EdgeKind.SHARE: "it lands first, since both share what they write",
}
_STYLES = {
    State.FRESH: Style.GOOD,
    State.STALE: Style.WARN,
    State.REVERTED: Style.WARN,
    State.BLOCKED: Style.WARN,
}
_LABEL_WIDTH = 9
_MANY = 20
"""How many reasons, files or tasks are listed before the rest is only counted."""


@dataclass(frozen=True, slots=True)
class Unchanged:
    """An input that differs from what was recorded and counts as unchanged: `by` are the tasks that wrote it so."""

    path: str
    recorded: FileState | None
    seen: FileState | None
    by: tuple[str, ...]


def explain_text(
    name: str,
    decisions: Mapping[str, Decision],
    at: Situation,
    last: Last | None = None,
    color: bool = False,
    reads: Sequence[str] = (),
) -> str:
    """All there is to say about one task, in lines without a newline at the end.

    `decisions` holds that of the task and of those that it needs or waits for, as decided on `at`; `reads` are the
    files that its last attempt was seen to read.
    """
    decision, task = decisions[name], at.graph.task(name)
    state = paint(str(decision.state), _STYLES[decision.state], color)
    lines = [f"{one_line(name)} is {state}"]
    lines += _why(decision, task, decisions, at.graph)
    if not decision.settled and (ended := last_words(name, last or {})):
        lines += labelled("last", [ended.removeprefix("last: ")], _LABEL_WIDTH)
    lines += labelled("note", [notes_words(decision.notes)] if decision.notes else [], _LABEL_WIDTH)
    lines += labelled("key", [short(decision.key)], _LABEL_WIDTH)
    lines += labelled("parts", _parts(decision, at), _LABEL_WIDTH)
    lines += labelled("claims", claims_rows(task), _LABEL_WIDTH)
    lines += labelled("observed", _reads(task, reads), _LABEL_WIDTH)
    lines += labelled("after", _after(name, decisions, at.graph), _LABEL_WIDTH)
    lines += labelled("next", _next(decision, task), _LABEL_WIDTH)
    return "\n".join(lines)


def explain_json(
    name: str,
    decisions: Mapping[str, Decision],
    at: Situation,
    last: Last | None = None,
    reads: Sequence[str] = (),
) -> dict[str, Any]:
    """The same as JSON data."""
    decision, graph = decisions[name], at.graph
    task = graph.task(name)
    landing = decision.reverted
    return {
        "version": VERSION,
        "task": name,
        "state": decision.state.value,
        "key": decision.key,
        "reasons": reasons_json(decision.reasons),
        "notes": [{"kind": note.kind, "path": note.path} for note in decision.notes],
        "reverted": None
        if landing is None
        else {"landed": landing.commit, "undone": landing.undone, "paths": dict(landing.paths)},
        "last": {"final": last[name][0], "why": last[name][1]} if last and name in last else None,
        "parts": {
            "definition": dict(decision.parts.definition),
            "inputs": dict(decision.parts.inputs),
            "needs": dict(decision.parts.needs),
        },
        "unchanged": [
            {"path": one.path, "recorded": one.recorded, "seen": one.seen, "by": list(one.by)}
            for one in unchanged(decision, at)
        ],
        "claims": {**claims_json(task.claims), "place": str(task.place)},
        "reads": {"observed": list(reads), "undeclared": list(undeclared(task, reads))},
        "needs": list(task.needs),
        "stale_needs": list(stale_needs(name, decisions, graph)),
        "after": [
            {
                "task": edge.first,
                "edge": edge.kind.value,
                "through": meetings_json(meetings(edge, graph)),
                "state": decisions[edge.first].state.value if edge.first in decisions else None,
            }
            for edge in graph.incoming(name)
        ],
        "dropped": [
            {
                "task": edge.first,
                "edge": edge.kind.value,
                "through": meetings_json(meetings(edge, graph)),
            }
            for edge in graph.dropped
            if edge.then == name
        ],
    }


def stale_needs(name: str, decisions: Mapping[str, Decision], graph: Graph) -> tuple[str, ...]:
    """The stale tasks that a task needs, directly or not, in the graph's order."""
    needed = graph.with_needs([name]) - {name}
    stale = {need for need in needed if need in decisions and decisions[need].state is State.STALE}
    return tuple(other for other in graph.order if other in stale) if stale else ()


def unchanged(decision: Decision, at: Situation) -> tuple[Unchanged, ...]:
    """The inputs that are not as recorded, but as the task itself or one ordered after it left them."""
    recorded, seen = decision.parts.inputs, decision.seen
    paths = [path for path in sorted({*recorded, *seen}) if recorded.get(path) != seen.get(path)]
    if not paths:
        return ()
    after = at.graph.after(decision.task)
    writers = [name for name in at.graph.order if name in after or name == decision.task]
    return tuple(
        Unchanged(
            path,
            recorded.get(path),
            seen.get(path),
            tuple(name for name in writers if _left(name, path, seen.get(path), at)),
        )
        for path in paths
    )


def _left(name: str, path: str, state: FileState | None, at: Situation) -> bool:
    entry = at.entries.get(name)
    return entry is not None and path in entry.outputs and entry.outputs[path] == state


def _why(decision: Decision, task: Task, decisions: Mapping[str, Decision], graph: Graph) -> list[str]:
    lines = [f"  {_evidence(reason, task)}" for reason in decision.reasons[:_MANY]]
    if len(decision.reasons) > _MANY:
        more = len(decision.reasons) - _MANY
        lines.append(f"  … and {more:,} more: {command('orchestra', 'explain', task.name, '--json')}")
    if decision.state is State.BLOCKED:
        stale = stale_needs(task.name, decisions, graph)
        lines.append("  nothing of its own has changed; it needs what is stale: " + (listing(stale) or "?"))
        lines.append("  whether it has to run shows once that has landed")
    if decision.reverted is not None:
        landed, undone = short(decision.reverted.commit), short(decision.reverted.undone)
        paths = listing(sorted(decision.reverted.paths), 5)
        lines.append(f"  {landed} landed it and {undone} took it back: nothing is left of it in {paths}")
        lines.append("  it is left alone unless it is named; tasks that need it go on as if it were there")
    return lines


def _evidence(reason: Reason, task: Task) -> str:
    words = reason_words(reason, check=task.claims.is_check)
    if reason.old is None and reason.new is None:
        return words
    return f"{words}: {change(reason.old, reason.new)}"


def _parts(decision: Decision, at: Situation) -> list[str]:
    parts = decision.parts
    definition = ", ".join(
        f"{one_line(part)} {short(value)}" for part, value in sorted(parts.definition.items())
    )
    other = {one.path: one for one in unchanged(decision, at)}
    inputs = [
        f"{path_words(path)} {_unchanged_words(other[path]) if path in other else short(parts.inputs[path])}"
        for path in sorted({*parts.inputs, *other})
    ]
    shown = inputs if len(inputs) <= _MANY + 1 else inputs[:_MANY]
    more = len(inputs) - len(shown)
    needs = ", ".join(f"{path_words(need)} {short(value)}" for need, value in sorted(parts.needs.items()))
    return [
        f"definition: {definition or NONE}",
        f"inputs: {count(len(inputs), 'file')}" if inputs else f"inputs: {NONE}",
        *(f"  {row}" for row in shown),
        *([f"  … and {more:,} more"] if more else []),
        f"needs: {needs or NONE}",
    ]


def _unchanged_words(one: Unchanged) -> str:
    by = listing(one.by, 3) or "another"
    return f"{change(one.recorded, one.seen)} counts as unchanged: written by {by}"


def _reads(task: Task, reads: Sequence[str]) -> list[str]:
    if not reads:
        return []
    rows = [f"its last attempt read {listing(reads)}"]
    unsaid = undeclared(task, reads)
    if unsaid:
        rows.append(f"not declared: {listing(unsaid)}")
        rows.append("  to run it again when they change, name them under `claims.read`")
    return rows


def _after(name: str, decisions: Mapping[str, Decision], graph: Graph) -> list[str]:
    kinds: dict[str, list[str]] = {}
    for edge in graph.incoming(name):
        through = meeting_words(meetings(edge, graph))
        why = _EDGES[edge.kind] if through or edge.kind is EdgeKind.NEED else "one of the two runs alone"
        kinds.setdefault(edge.first, []).append(f"{why} ({through})" if through else why)
    rows = []
    for first, words in list(kinds.items())[:_MANY]:
        state = f" ({decisions[first].state})" if first in decisions else ""
        rows.append(f"{path_words(first)}{state}: {', '.join(words)}")
    if len(kinds) > _MANY:
        rows.append(f"… and {count(len(kinds) - _MANY, 'task')} more")
    for edge in graph.dropped:
        if edge.then == name:
            through = meeting_words(meetings(edge, graph))
            rows.append(
                f"not {path_words(edge.first)}, although it writes what this one reads ({through}): "
                f"that would be a circle"
            )
    return rows


def _next(decision: Decision, task: Task) -> list[str]:
    build = command("orchestra", "build", task.name)
    if decision.state is State.FRESH:
        return [f"it runs again when {what}" for what in _triggers(decision, task)]
    if decision.state is State.REVERTED:
        file = task.prompt.path if task.prompt else str(task.place)
        adopt = command("orchestra", "build", "--adopt", task.name)
        return [
            f"{build}  (to have it again)",
            f"edit {path_words(file)}  (to have something else)",
            f"{adopt}  (to count what is there as done)",
        ]
    return [build]


def _triggers(decision: Decision, task: Task) -> Iterator[str]:
    """What would make a fresh task stale, from the parts that its key has."""
    yield f"its {' or '.join(one_line(part) for part in sorted(decision.parts.definition))} changes"
    if task.claims.read:
        read = task.claims.read
        reads = "any file changes" if read == (EVERYTHING,) else f"what it reads changes ({listing(read)})"
        yield reads + (", but for what it writes itself" if task.claims.writable else "")
    if task.needs:
        yield f"what {listing(task.needs)} landed changes"
    if not task.claims.is_check:
        yield "a file that it created goes missing"
        if task.reruns_on_drift:
            yield "someone else changes what it wrote (on_drift: rerun)"
    yield "it is forced: " + command("orchestra", "build", "--force", task.name)
