"""What all adapters to a program do alike: which program it is, whether it is there, which variables it is given."""

from __future__ import annotations

import shutil
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from orchestra.model.agents import Order, Session, Traits
from orchestra.model.tasks import AgentSpec

CACHES = ("**/__pycache__", "**/.pytest_cache", "**/.mypy_cache", "**/.ruff_cache")
"""What the commands that an agent tries things with leave behind where a repository does not ignore it."""


def unless_set(spec: AgentSpec, variables: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
    """The variables without those that the manifest sets or passes through: what a person says goes first."""
    said = {name for name, _ in spec.env} | set(spec.passes)
    return tuple(pair for pair in variables if pair[0] not in said)


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a program: its name on PATH, what people call it, the command that installs it, and traits.

    With `by_model` the model's name (`provider/model`) tells whose service it calls, and `provider` stands for all
    that tell none.
    """

    program: str
    title: str
    install: str
    provider: str
    account: tuple[str, ...]
    memory_bytes: int
    resumes: bool = True
    by_model: bool = False
    leftovers: tuple[str, ...] = CACHES


class ProgramAgent(ABC):
    """An adapter to a program that is installed by its name."""

    known: ClassVar[Known]

    def __init__(self, spec: AgentSpec) -> None:
        self._spec = spec

    @property
    def traits(self) -> Traits:
        """It reads the prompt, so a second attempt can be told what happened."""
        known = self.known
        provider, slash, _ = (self._spec.model or "").partition("/")
        return Traits(
            told=True,
            resumes=known.resumes,
            provider=provider if known.by_model and slash else known.provider,
            account=known.account,
            memory_bytes=known.memory_bytes,
            version=(*self._program(), "--version"),
            leftovers=known.leftovers,
        )

    def missing(self) -> str | None:
        """What is not installed and how to get it, in one line; None where the program is there."""
        program = self._program()[0]
        if shutil.which(program, path=dict(self._spec.env).get("PATH")):
            return None
        hint = self.known.install if program == self.known.program else "see its `command`"
        return f"agent {self._spec.name} needs {self.known.title}, but {program} is not on PATH ({hint})"

    @abstractmethod
    def open(self, order: Order) -> Session:
        """A session for one attempt."""

    def _program(self) -> tuple[str, ...]:
        """The program: the one on PATH, or what the manifest's `command` names (a pinned one, say)."""
        return self._spec.command if self._spec.command and self._spec.command[0] else (self.known.program,)
