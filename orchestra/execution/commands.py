"""The commands of which attempts and verifications are made, and how their endings read."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from math import inf
from pathlib import Path

from orchestra.model.agents import Invocation, Session
from orchestra.model.errors import OrchestraError
from orchestra.model.outcomes import Exit

LONGEST = 3600.0
"""Seconds after which a setup or a verification is taken to hang."""


@dataclass(frozen=True, slots=True)
class Command:
    """A command to carry out in a slot, for at most `timeout` seconds, of which `stall` without any sign of life;
    `session` reads its output.
    """

    phase: str
    invocation: Invocation
    cwd: Path
    env: dict[str, str]
    timeout: float
    session: Session | None = None
    stall: float = inf


def shell(command: str) -> Invocation:
    """A command of the manifest, as the shell runs it."""
    # `--`: a command that begins with a dash is not an option of the shell.
    return Invocation(("sh", "-c", "--", command))


def shown(invocation: Invocation) -> str:
    """A command line as one would type it, without the length of a prompt in it."""
    return " ".join(shlex.quote(word if len(word) <= 200 else word[:200] + "…") for word in invocation.argv)


def ending(ended: Exit) -> str:
    """How a command ended, in words."""
    if ended.stopped == "timeout":
        return "took too long and was stopped"
    if ended.stopped == "stall":
        return "did nothing any more and was stopped"
    if ended.stopped is not None:
        return f"stopped: {ended.stopped}"
    return ended.problem or ended.describe()


def why(error: OrchestraError) -> str:
    """An error in one line."""
    return "; ".join((str(error), *error.causes))
