"""What earlier attempts took: seconds and USD of those that succeeded, newest first."""

from __future__ import annotations

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
