"""What the scripted model does, as data: for each script a list of replies, chosen by a mark in the prompt.

The n-th request that bears a script's mark gets its n-th reply; the last one is repeated. So a failure that the
program repeats takes two replies, and a second attempt at the same prompt goes on where the first one ended.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

_MARK = re.compile(r"\(script:([\w.-]+)\)")


def mark(name: str) -> str:
    """What a prompt says so that its requests get the replies of the script `name`."""
    return f"(script:{name})"


def marked(text: str) -> str | None:
    """The script that a text names first; None where it names none."""
    found = _MARK.search(text)
    return found[1] if found else None


@dataclass(frozen=True, slots=True)
class Write:
    """Make a file, or replace what is in it."""

    path: str
    content: str


@dataclass(frozen=True, slots=True)
class Edit:
    """Replace whole lines of a file."""

    path: str
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class Read:
    """Look at a file."""

    path: str


@dataclass(frozen=True, slots=True)
class Shell:
    """Run a command."""

    command: str


Tool = Write | Edit | Read | Shell


@dataclass(frozen=True, slots=True)
class Turn:
    """A whole reply: text, then uses of tools; without a tool it ends the agent's work.

    `together`: it is given only once so many scripts have come to such a reply, which proves that their agents
    ran at the same time.
    """

    text: str = ""
    tools: tuple[Tool, ...] = ()
    input_tokens: int = 100
    output_tokens: int = 10
    together: int = 0


@dataclass(frozen=True, slots=True)
class Fail:
    """An HTTP error."""

    status: int
    message: str = "No."
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Hang:
    """The request is taken and never answered."""


@dataclass(frozen=True, slots=True)
class Cut:
    """The connection ends in the middle of a reply that begins with `text`."""

    text: str = "I was about to"


@dataclass(frozen=True, slots=True)
class Garbage:
    """An answer with status 200 that nobody can make sense of."""


Reply = Turn | Fail | Hang | Cut | Garbage
Scripts = Mapping[str, tuple[Reply, ...]]


def say(text: str) -> Turn:
    """The last word of an agent."""
    return Turn(text)


def use(*tools: Tool, text: str = "", together: int = 0) -> Turn:
    """A reply that uses tools."""
    return Turn(text, tools, together=together)
