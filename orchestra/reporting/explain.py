"""One task explained: why it is stale or what would make it so, part by part, and what it waits for.

Pure: decisions in, text or JSON data (`schema/explain.schema.json`) out. The reasons are those of the code
that decided; nothing is decided here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from orchestra.model.freshness import Decision, Reason, State
from orchestra.model.graph import EdgeKind, Graph
from orchestra.model.tasks import EVERYTHING, Task
from orchestra.reporting.status import Last, claims_json, last_words, notes_words, reasons_json
from orchestra.reporting.words import (
    NONE,
    Style,
    change,
    command,
    count,
    listing,
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
    EdgeKind.SHARE: "both share what they write; only the landings are ordered",
}
_STYLES = {
    State.FRESH: Style.GOOD,
    State.STALE: Style.WARN,
    State.REVERTED: Style.WARN,
    State.BLOCKED: Style.WARN,
}
_LABEL_WIDTH = 9
_MANY = 20
"""How many reasons or files are listed before the rest is only counted."""


def explain_text(
    name: str,
    decisions: Mapping[str, Decision],
    graph: Graph,
    last: Last | None = None,
    color: bool = False,
) -> str:
    """All there is to say about one task of the graph, in lines without a newline at the end.

    `decisions` holds that of the task and of those that it needs or waits for.
    """
    decision, task = decisions[name], graph.task(name)
    state = paint(str(decision.state), _STYLES[decision.state], color)
    lines = [f"{one_line(name)} is {state}"]
    lines += _why(decision, task, decisions, graph)
    if not decision.fresh and (ended := last_words(name, last or {})):
        lines += _labelled("last", [ended.removeprefix("last: ")])
    lines += _labelled("note", [notes_words(decision.notes)] if decision.notes else [])
    lines += _labelled("key", [short(decision.key)])
    lines += _labelled("parts", _parts(decision))
    lines += _labelled("claims", _claims(task))
    lines += _labelled("after", _after(name, decisions, graph))
    lines += _labelled("next", _next(decision, task))
    return "\n".join(lines)


def explain_json(name: str, decisions: Mapping[str, Decision], graph: Graph) -> dict[str, Any]:
    """The same as JSON data."""
    decision, task = decisions[name], graph.task(name)
    return {
        "version": VERSION,
        "task": name,
        "state": decision.state.value,
        "key": decision.key,
        "reasons": reasons_json(decision),
        "notes": [{"kind": note.kind, "path": note.path} for note in decision.notes],
        "parts": {
            "definition": dict(decision.parts.definition),
            "inputs": dict(decision.parts.inputs),
            "needs": dict(decision.parts.needs),
        },
        "claims": {**claims_json(task.claims), "place": str(task.place)},
        "needs": list(task.needs),
        "stale_needs": list(stale_needs(name, decisions, graph)),
        "after": [
            {
                "task": edge.first,
                "edge": edge.kind.value,
                "state": decisions[edge.first].state.value if edge.first in decisions else None,
            }
            for edge in graph.incoming(name)
        ],
        "dropped": [edge.first for edge in graph.dropped if edge.then == name],
    }


def stale_needs(name: str, decisions: Mapping[str, Decision], graph: Graph) -> tuple[str, ...]:
    """The stale tasks that a task needs, directly or not, in the graph's order."""
    needed = graph.with_needs([name]) - {name}
    stale = {need for need in needed if need in decisions and decisions[need].state is State.STALE}
    return tuple(other for other in graph.order if other in stale) if stale else ()


def _why(decision: Decision, task: Task, decisions: Mapping[str, Decision], graph: Graph) -> list[str]:
    lines = [f"  {_evidence(reason, task)}" for reason in decision.reasons[:_MANY]]
    if len(decision.reasons) > _MANY:
        more = len(decision.reasons) - _MANY
        lines.append(f"  … and {more:,} more: {command('orchestra', 'explain', task.name, '--json')}")
    if decision.state is State.BLOCKED:
        stale = stale_needs(task.name, decisions, graph)
        lines.append("  nothing of its own has changed; it needs what is stale: " + (listing(stale) or "?"))
        lines.append("  whether it has to run shows once that has landed")
    return lines


def _evidence(reason: Reason, task: Task) -> str:
    words = reason_words(reason, check=task.claims.is_check)
    if reason.old is None and reason.new is None:
        return words
    return f"{words}: {change(reason.old, reason.new)}"


def _labelled(label: str, rows: list[str]) -> list[str]:
    """Rows of which the first stands after the label; nothing where there is none."""
    return [f"{label if n == 0 else '':<{_LABEL_WIDTH}}{row}".rstrip() for n, row in enumerate(rows)]


def _parts(decision: Decision) -> list[str]:
    parts = decision.parts
    definition = ", ".join(
        f"{one_line(part)} {short(value)}" for part, value in sorted(parts.definition.items())
    )
    inputs = [f"{path_words(path)} {short(state)}" for path, state in sorted(parts.inputs.items())]
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


def _claims(task: Task) -> list[str]:
    claims = task.claims
    origin = f"declared, {one_line(str(task.place))}" if claims.declared else "not declared"
    if not claims.write and claims.exclusive:
        writes = "anything"
    elif claims.write is None:
        writes = "anything" if task.run is not None else "nobody said: it meets the others at landing"
    elif claims.is_check:
        writes = "nothing (a check task)"
    else:
        writes = listing(claims.write, _MANY) or NONE
    silence = "nothing" if claims.declared else "nothing declared"
    reads = "everything" if claims.read == (EVERYTHING,) else listing(claims.read, _MANY) or silence
    if claims.unread:
        reads += f", but not {listing(claims.unread)}"
    return [
        origin,
        f"writes {writes}",
        f"reads {reads}",
        *(["exclusive: it runs alone"] if claims.exclusive else []),
    ]


def _after(name: str, decisions: Mapping[str, Decision], graph: Graph) -> list[str]:
    kinds: dict[str, list[str]] = {}
    for edge in graph.incoming(name):
        kinds.setdefault(edge.first, []).append(_EDGES[edge.kind])
    rows = []
    for first, words in kinds.items():
        state = f" ({decisions[first].state})" if first in decisions else ""
        rows.append(f"{path_words(first)}{state}: {', '.join(words)}")
    for edge in graph.dropped:
        if edge.then == name:
            rows.append(
                f"not {path_words(edge.first)}, although it writes what this one reads: that would be a circle"
            )
    return rows


def _next(decision: Decision, task: Task) -> list[str]:
    if decision.state is not State.FRESH:
        return [command("orchestra", "build", task.name)]
    return [f"it runs again when {what}" for what in _triggers(decision, task)]


def _triggers(decision: Decision, task: Task) -> Iterator[str]:
    """What would make a fresh task stale, from the parts that its key has."""
    yield f"its {' or '.join(one_line(part) for part in sorted(decision.parts.definition))} changes"
    if task.claims.read:
        reads = "any file" if task.claims.read == (EVERYTHING,) else f"a file of {listing(task.claims.read)}"
        yield f"{reads} changes" + (" that it does not write itself" if task.claims.write else "")
    if task.needs:
        yield f"what {listing(task.needs)} landed changes"
    if not task.claims.is_check:
        yield "a file that it created goes missing"
        if task.reruns_on_drift:
            yield "someone else changes what it wrote (on_drift: rerun)"
    yield "it is forced: " + command("orchestra", "build", "--force", task.name)
