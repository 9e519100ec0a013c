"""Reviews: the form of a verdict, how an answer is read, and what does not count as one. Pure.

An answer is found leniently (in a fence, bare, with words around it) and judged strictly: what is no verdict by
`SCHEMA` is none, and never a pass.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from orchestra.model.agents import AgentEvent, Invocation, Judgement, Session
from orchestra.model.outcomes import Exit
from orchestra.model.tasks import Task

SCHEMA: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["verdict"],
    "properties": {
        "verdict": {"enum": ["pass", "findings"]},
        "findings": {
            "type": "array",
            "items": {
                "type": "object",
                "additionalProperties": False,
                "required": ["what"],
                "properties": {
                    "path": {"type": ["string", "null"]},
                    "line": {"type": ["integer", "null"], "minimum": 1},
                    "what": {"type": "string", "pattern": "\\S"},
                },
            },
        },
    },
    "if": {"properties": {"verdict": {"const": "pass"}}},
    "then": {"properties": {"findings": {"maxItems": 0}}},
    "else": {"required": ["findings"], "properties": {"findings": {"minItems": 1}}},
}
"""The form of a verdict: `pass` without findings, or findings. The agent of a review is given it."""

_BEGUN = re.compile(r'\{\s*"(?:verdict|findings)"')

HEARD = 256 * 2**10
"""Characters of a review's words that are looked at, from their end."""

SHOWN = 20
"""How many findings are told."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that a review found: what, and where if it says so."""

    what: str
    path: str | None = None
    line: int | None = None

    def __str__(self) -> str:
        what = " ".join(self.what.split())
        if self.path is None:
            return what
        return f"{self.path}:{self.line}: {what}" if self.line is not None else f"{self.path}: {what}"


@dataclass(frozen=True, slots=True)
class ReviewVerdict:
    """A verdict: passed where nothing was found."""

    findings: tuple[Finding, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether the result may land."""
        return not self.findings

    def told(self) -> tuple[str, ...]:
        """The findings, each in one line; of very many the first."""
        return tuple(map(str, self.findings[:SHOWN]))


def as_review(task: Task) -> Task:
    """The task as its review does it: in the worktree of the task, by the agent that judges."""
    return replace(task, agent=task.review)


def read_verdict(text: str) -> ReviewVerdict | None:
    """The verdict that an answer gives; None where it gives none.

    The last JSON object that is meant as a verdict counts, and no earlier one is taken where it is malformed: it may
    be quoted from what was reviewed.
    """
    found = None
    for value in _objects(text[-HEARD:]):
        if "verdict" in value:
            found = value
    return None if found is None else _verdict(found)


def _objects(text: str) -> Iterator[dict[str, Any]]:
    """The JSON objects in a text that lie in no other one, in order; of a verdict that is cut off, an empty one."""
    decoder = json.JSONDecoder()
    at = text.find("{")
    while at >= 0:
        try:
            value, end = decoder.raw_decode(text, at)
        except (ValueError, RecursionError):
            end = at + 1
            if _BEGUN.match(text, at):
                yield {"verdict": None}
        else:
            if isinstance(value, dict):
                yield value
        at = text.find("{", end)


def _verdict(value: dict[str, Any]) -> ReviewVerdict | None:
    findings = value.get("findings", [])
    if set(value) - {"verdict", "findings"} or not isinstance(findings, list):
        return None
    read = tuple(map(_finding, findings))
    known = tuple(one for one in read if one is not None)
    # An object in the place of the word cannot be looked up.
    verdict = value["verdict"] if isinstance(value["verdict"], str) else None
    if len(known) != len(read) or verdict != ("findings" if known else "pass"):
        return None
    return ReviewVerdict(known)


def _finding(value: object) -> Finding | None:
    if not isinstance(value, dict) or set(value) - {"path", "line", "what"}:
        return None
    what, path, line = value.get("what"), value.get("path"), value.get("line")
    if not isinstance(what, str) or not what.strip() or not isinstance(path, str | None):
        return None
    if isinstance(line, float) and line.is_integer():
        line = int(line)  # to JSON, 3.0 is 3
    if isinstance(line, bool) or not isinstance(line, int | None) or (line is not None and line < 1):
        return None
    return Finding(what, path, line)


class Listening:
    """A session whose words are remembered. Implements Session."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._words = ""

    @property
    def invocation(self) -> Invocation:
        """See `orchestra.model.agents.Session`."""
        return self._session.invocation

    def read(self, line: str) -> tuple[AgentEvent, ...]:
        """See `orchestra.model.agents.Session`."""
        events = self._session.read(line)
        said = [event.text for event in events if event.kind == "text"]
        if said:
            self._words = "\n".join([self._words, *said])[-HEARD:]
        return events

    def judge(self, ended: Exit) -> Judgement:
        """See `orchestra.model.agents.Session`."""
        return self._session.judge(ended)

    @property
    def words(self) -> str:
        """What the agent said, of very much the end."""
        return self._words
