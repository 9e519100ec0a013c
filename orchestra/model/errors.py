"""The one error type that a person sees: what is wrong, where, caused by what, and what to do.

Everything that can go wrong in a way a person can mend is an `OrchestraError`; anything else is a bug and
shows a traceback only with `--debug`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum


class ExitStatus(IntEnum):
    """The exit status of every command."""

    OK = 0
    FAILED = 1
    USAGE = 2
    ENVIRONMENT = 3
    INTERRUPTED = 130


@dataclass(frozen=True, slots=True)
class Place:
    """Where in a file something stands; line and column count from 1, 0 means the file as a whole."""

    file: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}" if self.line else self.file


@dataclass(eq=False)
class OrchestraError(Exception):
    """An error for a person.

    `message` says what is wrong, `place` where, `causes` what lies beneath it (outermost first), `hint` what
    to do instead, `status` with what the command ends.
    """

    message: str
    status: ExitStatus = ExitStatus.USAGE
    place: Place | None = None
    causes: tuple[str, ...] = ()
    hint: str | None = None
    others: tuple[OrchestraError, ...] = field(default=())

    def __str__(self) -> str:
        return f"{self.place}: {self.message}" if self.place else self.message


def usage_error(message: str, *, place: Place | None = None, hint: str | None = None) -> OrchestraError:
    """An error in what the person wrote: the command line, the manifest or a prompt (exit status 2)."""
    return OrchestraError(message, ExitStatus.USAGE, place, hint=hint)


def environment_error(
    message: str, *, causes: tuple[str, ...] = (), hint: str | None = None
) -> OrchestraError:
    """An error in what surrounds orchestra: git, the repository, the disk, the agents (exit status 3)."""
    return OrchestraError(message, ExitStatus.ENVIRONMENT, causes=causes, hint=hint)
