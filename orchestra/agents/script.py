"""The adapter that needs no model (kind `script`): runs the fenced `sh` and `python` blocks of the prompt.

The work is done by `script_runner.py`, a program of its own, so that a script ends like any other agent.
"""

from __future__ import annotations

import sys
from pathlib import Path

from orchestra.agents.plain import PlainSession
from orchestra.model.agents import Invocation, Order, Session, Traits
from orchestra.model.tasks import AgentSpec

RUNNER = str(Path(__file__).with_name("script_runner.py"))


class ScriptAgent:
    """The prompt's own blocks, in order."""

    def __init__(self, spec: AgentSpec) -> None:
        self._spec = spec

    @property
    def traits(self) -> Traits:
        """The blocks do the same again, whatever they are told."""
        return Traits(told=False)

    def missing(self) -> str | None:
        """Nothing can be missing: it needs only the Python that runs orchestra."""
        return None

    def open(self, order: Order) -> Session:
        """A session that runs the blocks of the order's prompt file."""
        # -I -S: no variable or package of the person's changes how the runner works (the blocks see them all).
        return PlainSession(Invocation((sys.executable, "-I", "-S", RUNNER, order.prompt_file)))
