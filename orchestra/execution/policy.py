"""What becomes of a result that did not land: once more, once more alone, or rejected. Pure.

A conflict: once more on the new tip, told what happened; a second one: once more, alone, where the manifest says so
with both sides to bring together; then rejected. A red
verification: once more where another attempt may differ, then rejected.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass

from orchestra.integration.verify import Verdict


@dataclass(frozen=True, slots=True)
class Again:
    """Whether there is another attempt, alone or not, why the last did not land, and what the agent is told.

    `merging`: it starts from both sides of the conflict, and is told so where its worktree is made.
    """

    once_more: bool
    why: str
    told: str = ""
    alone: bool = False
    merging: bool = False


FIRST_DELAY = 2.0
"""How long the first repetition of a failed attempt waits, in seconds; each further one twice as long."""

LONGEST_DELAY = 15 * 60.0
"""How long a repetition waits at most, in seconds, unless it was told to wait longer."""


def retry_delay(retries: int, attempt: str, retry_after: float | None = None) -> float:
    """How many seconds to wait before the `retries`-th repetition of an attempt that failed for a reason that may pass.

    Exponential backoff: 2, 4, 8 s and so on, each by up to a quarter longer, so that attempts that failed together
    do not come back together (jitter; Brooker 2015, "Exponential Backoff And Jitter"). The jitter comes from the
    attempt's name. `retry_after` is what the other side asked for, and the least.
    """
    spread = zlib.crc32(attempt.encode()) / 2**32
    delay = min(FIRST_DELAY * 2.0 ** (retries - 1), LONGEST_DELAY) * (1 + spread / 4)
    return max(delay, retry_after or 0.0)


def after_conflict(conflicts: int, paths: tuple[str, ...], *, merging: bool = False) -> Again:
    """What follows the `conflicts`-th conflict of a task; `merging`: a second one goes to the agent with both sides."""
    named = ", ".join(paths) or "the same files"
    why = f"conflicts with what landed meanwhile in {named}"
    if conflicts == 2 and merging:
        return Again(True, why, alone=True, merging=True)
    told = (
        f"Your previous attempt at this could not be merged: other work landed meanwhile and both changed "
        f"{named}. You now start from the newest state, which holds that work. Do the task again on top of it."
    )
    return Again(conflicts <= 2, why, told, alone=conflicts == 2)


def after_red(reds: int, command: str, verdict: Verdict, *, may_differ: bool) -> Again:
    """What follows the `reds`-th red verification of a task's results."""
    why = f"`{command}` fails with it"
    tail = "\n".join(verdict.tail)
    told = (
        f"Your previous attempt at this was not accepted: merged with the newest state, the project's "
        f"verification `{command}` failed. Its last lines were:\n\n{tail}\n\n"
        f"Do the task again so that the verification passes."
    )
    return Again(reds < 2 and may_differ, why, told)
