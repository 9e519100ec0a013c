"""The adapter to any program (kind `command`): its arguments as the manifest writes them, success by exit status.

The program gets an empty standard input and the path of the prompt through a placeholder.
"""

from __future__ import annotations

import re
import shutil

from orchestra.agents.plain import PlainSession
from orchestra.agents.program import CACHES
from orchestra.model.agents import Invocation, Order, Session, Traits
from orchestra.model.tasks import AgentSpec

PLACEHOLDERS = ("prompt_file", "task", "worktree")
"""The names that stand in braces for what an order says."""

_IN_BRACES = re.compile(r"\{([a-z_]+)\}")


def placeholders(argument: str) -> tuple[str, ...]:
    """The lower-case names in braces in one argument, in order, known or not.

    A manifest can be checked with it: a name that is not in `PLACEHOLDERS` is passed on as it stands, which is
    right for `awk '{print}'` and wrong for a misspelt `{promptfile}`.
    """
    return tuple(_IN_BRACES.findall(argument))


def expand(arguments: tuple[str, ...], order: Order) -> tuple[str, ...]:
    """The arguments with each known placeholder replaced once; all other braces stay as they are."""
    values = {"prompt_file": order.prompt_file, "task": order.task, "worktree": order.worktree}
    return tuple(_IN_BRACES.sub(lambda m: values.get(m[1], m[0]), argument) for argument in arguments)


class CommandAgent:
    """Any program that takes the path of a prompt."""

    def __init__(self, spec: AgentSpec) -> None:
        self._spec = spec

    @property
    def traits(self) -> Traits:
        """It reads the prompt, so a second attempt can be told what happened."""
        return Traits(told=True, leftovers=CACHES)

    def missing(self) -> str | None:
        """What is not installed. A program that lies in the worktree is known only when it starts."""
        if not self._spec.command or not self._spec.command[0]:
            return f"agent {self._spec.name} has an empty command"
        program = self._spec.command[0]
        if placeholders(program) or ("/" in program and not program.startswith("/")):
            return None
        if shutil.which(program, path=dict(self._spec.env).get("PATH")):
            return None
        return f"agent {self._spec.name} needs {program}, which is not on PATH or cannot be executed"

    def open(self, order: Order) -> Session:
        """A session that runs the command with its placeholders replaced, then the spec's `args`."""
        return PlainSession(Invocation(expand(self._spec.command + self._spec.args, order)))
