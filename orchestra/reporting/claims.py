"""A task's claims in words and as JSON data: what it may write and read, who said so, and where two meet. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from orchestra.model.meetings import Meeting
from orchestra.model.protected import names_protected
from orchestra.model.tasks import EVERYTHING, Claims, Inferred, Task
from orchestra.reporting.words import NONE, count, listing, one_line, path_words

_MANY = 20
"""How many patterns are listed before the rest is only counted."""
_EVIDENCE_WIDTH = 100


def claims_rows(task: Task) -> list[str]:
    """The claims of a task, line by line: where they come from, what is written, read and shared."""
    claims = task.claims
    rows = [_origin(task), _writes(task)]
    if claims.shared:
        rows.append(f"shares {listing(claims.shared, _MANY)} with others that share it")
    open_paths = [text for text in claims.writable or () if names_protected(text)]
    if open_paths:
        rows.append(f"of that, {listing(open_paths)} is protected, and open by allow_protected")
    rows.append(f"reads {_reads(task)}")
    if claims.exclusive:
        rows.append("exclusive: it runs alone")
    found = claims.inferred
    shown = found if len(found) <= _MANY + 1 else found[:_MANY]
    rows += [f"found: {_found(one, task)}" for one in shown]
    if more := len(found) - len(shown):
        rows.append(f"… and {count(more, 'claim')} more")
    return rows


def claims_json(claims: Claims) -> dict[str, Any]:
    """Claims as JSON data; `write` is null where nobody said what the task writes."""
    return {
        "write": None if claims.write is None else list(claims.write),
        "read": list(claims.read),
        "unread": list(claims.unread),
        "shared": list(claims.shared),
        "declared": claims.declared,
        "exclusive": claims.exclusive,
        "inferred": [
            {
                "pattern": found.pattern,
                "access": found.access,
                "line": found.line,
                "evidence": found.evidence,
            }
            for found in claims.inferred
        ],
    }


def meetings_json(through: Iterable[Meeting]) -> list[dict[str, Any]]:
    """The patterns by which two tasks meet as JSON data."""
    return [{"first": meeting.first, "then": meeting.then} for meeting in through]


def _origin(task: Task) -> str:
    if task.claims.declared:
        return f"declared, {one_line(str(task.place))}"
    return "not declared; what was found in the prompt orders it" if task.claims.inferred else "not declared"


def _writes(task: Task) -> str:
    claims = task.claims
    if not claims.write and claims.exclusive:
        return "writes anything"
    if claims.write is not None:
        nothing = "nothing (a check task)" if claims.is_check else "nothing else" if claims.shared else NONE
        return f"writes {listing(claims.write, _MANY) or nothing}"
    if task.run is not None:
        return "writes anything, so that it runs alone among those that write"
    if found := claims.inferred_patterns("write"):
        return f"writes {listing(found, _MANY)}, and maybe more, which meets the others at landing"
    return "nobody said what it writes: it runs beside the others and meets them at landing"


def _reads(task: Task) -> str:
    claims = task.claims
    silence = "nothing" if claims.declared else "nothing declared"
    reads = "everything" if claims.read == (EVERYTHING,) else listing(claims.read, _MANY) or silence
    if claims.unread:
        reads += f", but not {listing(claims.unread)}"
    return reads


def _found(one: Inferred, task: Task) -> str:
    file = task.prompt.path if task.prompt else task.place.file
    words = f"{one.access}s {path_words(one.pattern)}"
    return f"{words}  ({path_words(file)}:{one.line}: {one_line(one.evidence, _EVIDENCE_WIDTH)})"
