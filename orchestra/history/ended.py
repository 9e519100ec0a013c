"""How one attempt ended, as the history has it: for a person who is to go on from there."""

from __future__ import annotations

from dataclasses import dataclass

from orchestra.history.database import History
from orchestra.history.queries import ask
from orchestra.history.storing import unlisted


@dataclass(frozen=True, slots=True)
class Ended:
    """`kind` is what became of the attempt (rejected, failed, again...; "" where it was cut off), `why` in words,
    `paths` are those that were in the way, `log` is that of what failed ("" where it is not known).
    """

    task: str
    kind: str
    why: str
    paths: tuple[str, ...] = ()
    log: str = ""
    hint: str = ""


def attempt_ended(history: History, attempt: str) -> Ended | None:
    """How an attempt ended; None where nothing is recorded of it.

    Raises OrchestraError (exit status 3) where the database cannot be read.
    """
    made = ask(
        history,
        "SELECT task, outcome, detail, log FROM attempts WHERE build = ? AND attempt = ?",
        *(attempt.rpartition("-")[0], attempt),
    )
    # A later build may have been the one that took it to its landing.
    ended = ask(
        history,
        "SELECT task, kind, why, paths, log, hint FROM endings WHERE attempt = ? ORDER BY id DESC LIMIT 1",
        attempt,
    )
    if not made and not ended:
        return None
    row = ended[0] if ended else {}
    own = made[0] if made else {}
    paths = unlisted(row["paths"]) if row else ()
    kind, why = row.get("kind") or own.get("outcome"), row.get("why") or own.get("detail")
    # Where it met others' work, or touched what it may not, the attempt's own output says nothing: it went well.
    log = row.get("log") or ("" if paths else own.get("log"))
    task = row["task"] if row else own["task"]
    return Ended(task, kind or "", why or "", paths, log or "", row.get("hint") or "")
