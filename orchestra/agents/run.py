"""The "agent" of a `run` task: a command of the manifest, run by the shell, success by exit status."""

from __future__ import annotations

import shutil

from orchestra.agents.plain import PlainSession
from orchestra.model.agents import Invocation, Order, Session, Traits


class RunCommand:
    """A command line for `sh`."""

    def __init__(self, command: str) -> None:
        self._command = command

    @property
    def traits(self) -> Traits:
        """A command does the same again, whatever it is told."""
        return Traits(told=False)

    def missing(self) -> str | None:
        """What is not installed: only the shell is needed."""
        return None if shutil.which("sh") else "sh is not on PATH"

    def open(self, order: Order) -> Session:
        """A session that runs the command in the worktree."""
        # `--`: a command that begins with a dash is not an option of the shell.
        return PlainSession(Invocation(("sh", "-c", "--", self._command)))
