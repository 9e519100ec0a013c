"""The session of whatever has no event stream: every line is text, exit status 0 is success.

Serves the adapters `command`, `script` and `run`, and says for all adapters whose fault an ending is.
"""

from __future__ import annotations

import signal

from orchestra.agents.words import clean, one_line
from orchestra.model.agents import AgentEvent, Invocation, Judgement
from orchestra.model.outcomes import Exit, Fault, Outcome


def fault_of(ended: Exit) -> Fault:
    """Whose fault an ending is as far as the process tells: a missing program and a SIGKILL that was not ours
    (out of memory, as a rule) are the environment's, everything else is the agent's.
    """
    if ended.status in (126, 127) or ended.signal == signal.SIGKILL:
        return Fault.ENVIRONMENT
    return Fault.AGENT


class PlainSession:
    """One run of a program that says nothing of itself but its output and its exit status."""

    def __init__(self, invocation: Invocation) -> None:
        self._invocation = invocation
        self._last = ""

    @property
    def invocation(self) -> Invocation:
        """The command to run."""
        return self._invocation

    def read(self, line: str) -> tuple[AgentEvent, ...]:
        """One line of output as one text event; nothing for a blank line."""
        text = clean(line).strip()
        if not text:
            return ()
        self._last = text
        return (AgentEvent("text", text),)

    def judge(self, ended: Exit) -> Judgement:
        """Success if it ended by itself with status 0."""
        summary = one_line(self._last)
        if ended.ok:
            return Judgement(Outcome.SUCCESS, summary=summary)
        if ended.stopped is not None:
            return Judgement(Outcome.FAILED, detail=f"stopped: {ended.stopped}", summary=summary)
        return Judgement(Outcome.FAILED, fault_of(ended), ended.describe(), summary)
