"""What a build knows of its tasks before it starts any: what each waits for and claims, as values to be told. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from orchestra.model.graph import EdgeKind, Graph


@dataclass(frozen=True, slots=True)
class Before:
    """A task that goes before another, and why: it is needed, writes what the other reads, or writes the same."""

    task: str
    kind: EdgeKind


@dataclass(frozen=True, slots=True)
class PlannedTask:
    """One selected task: its title, which of the others it waits for, and what it claims.

    `write` is None where nobody said what it writes; `inferred` are the patterns that were found for it then.
    """

    task: str
    title: str
    priority: int
    before: tuple[Before, ...]
    write: tuple[str, ...] | None
    read: tuple[str, ...]
    shared: tuple[str, ...]
    exclusive: bool
    inferred: tuple[str, ...]

    @property
    def is_check(self) -> bool:
        """Whether the task declares that it writes nothing."""
        return self.write == () and not self.shared and not self.exclusive


MOST = 100
"""How many patterns of one kind are told of one task."""


def planned(graph: Graph, selected: Iterable[str]) -> tuple[PlannedTask, ...]:
    """The selected tasks, in an order that keeps all edges. Edges that others imply are left out, needs are not."""
    chosen = frozenset(selected)
    return tuple(_planned(graph, name, chosen) for name in graph.order if name in chosen)


def _planned(graph: Graph, name: str, chosen: frozenset[str]) -> PlannedTask:
    task = graph.task(name)
    claims = task.claims
    return PlannedTask(
        name,
        task.title,
        task.priority,
        tuple(Before(edge.first, edge.kind) for edge in graph.direct(name) if edge.first in chosen),
        None if claims.write is None else claims.write[:MOST],
        claims.read[:MOST],
        claims.shared[:MOST],
        claims.exclusive,
        tuple(dict.fromkeys(found.pattern for found in claims.inferred))[:MOST],
    )
