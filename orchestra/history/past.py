"""What earlier attempts took: seconds and USD of those that succeeded, newest first."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from orchestra.history.database import History
from orchestra.history.ledger import NEWEST
from orchestra.history.queries import ask


@dataclass(frozen=True, slots=True)
class Took:
    """What one attempt took: seconds, and USD where its agent told that."""

    seconds: float | None
    usd: float | None


def past_of(history: History, agent: str, task: str | None = None) -> tuple[Took, ...]:
    """What the newest attempts of an agent that succeeded took, all of them or those at one task.

    Raises OrchestraError where the history cannot be read.
    """
    where, values = ("AND task = ?", (task,)) if task is not None else ("", ())
    found = ask(
        history,
        f"SELECT seconds, usd FROM attempts WHERE agent = ? {where} AND outcome IN ('success', 'no-change')"
        " ORDER BY started DESC LIMIT ?",
        *(agent, *values, NEWEST),
    )
    return tuple(Took(row["seconds"], row["usd"]) for row in found)


def seconds_of(history: History, tasks: Iterable[str]) -> Mapping[str, list[float]]:
    """By task, the seconds that its newest attempts took that succeeded; tasks without one are left out.

    One question about all of them, each answered by an index. Raises OrchestraError where the history cannot be read.
    """
    found = ask(
        history,
        "SELECT t.value AS task, a.seconds FROM json_each(?) t JOIN attempts a ON a.id IN ("
        "SELECT id FROM attempts WHERE task = t.value AND outcome IN ('success', 'no-change')"
        " ORDER BY started DESC LIMIT ?) WHERE a.seconds IS NOT NULL",
        *(json.dumps(list(tasks)), NEWEST),
    )
    seconds: dict[str, list[float]] = defaultdict(list)
    for row in found:
        seconds[row["task"]].append(row["seconds"])
    return seconds
