"""The seam to agents: what an adapter is given, what it gives back, and the normalised events between.

An adapter turns an `Order` into a `Session`: the command line to run, a reader of its output, and a judge of
its ending. It starts nothing itself.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, Protocol

from orchestra.model.outcomes import Exit, Fault, Outcome, Usage


@dataclass(frozen=True, slots=True)
class Order:
    """What an agent is asked: the whole prompt, a file that holds the same text, and where it works.

    `check` is the task's acceptance command: an agent whose permissions are `edit` may run just that.
    """

    task: str
    prompt: str
    prompt_file: str
    worktree: str
    check: str | None = None


@dataclass(frozen=True, slots=True)
class Invocation:
    """A command to run in the worktree: its arguments, the file that is its standard input (None: empty),
    and variables to set on top of the attempt's environment.
    """

    argv: tuple[str, ...]
    stdin_file: str | None = None
    env: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class AgentEvent:
    """One thing that an agent did, in the same words for every agent.

    `kind`: started, text (it said `text`), tool (it used the tool `name` on `paths`; `text` sums it up),
    waiting (for its API, `text` says why), usage, finished. Paths are as the agent gave them.
    """

    kind: Literal["started", "text", "tool", "waiting", "usage", "finished"]
    text: str = ""
    name: str = ""
    paths: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Judgement:
    """How an agent's part of an attempt ended.

    `outcome` is SUCCESS, FAILED or DENIED (the timeouts and interrupts are the executor's to tell; whether
    anything changed is capture's). `blocked` is true where denials were seen that block only if the result
    is empty or the check fails. `summary` is the agent's last word, `detail` what went wrong in one line.
    `transient`: that may be over soon, as where a service is overloaded.
    """

    outcome: Outcome
    fault: Fault | None = None
    detail: str = ""
    summary: str = ""
    blocked: bool = False
    usage: Usage = field(default_factory=Usage)
    session: str | None = None
    transient: bool = False


class Session(Protocol):
    """One run of an agent: stateful, used by one attempt."""

    @property
    def invocation(self) -> Invocation:
        """The command to run."""
        ...

    def read(self, line: str) -> tuple[AgentEvent, ...]:
        """What one line of standard output (without its newline) means; never raises on foreign text."""
        ...

    def judge(self, ended: Exit) -> Judgement:
        """How it went, once the process has ended and every line was read."""
        ...


class Agent(Protocol):
    """An adapter to one agent program."""

    @property
    def told(self) -> bool:
        """Whether a second attempt can differ because the agent is told what happened to the first."""
        ...

    def missing(self) -> str | None:
        """What is not installed and how to get it, in one line; None where the program is there."""
        ...

    def open(self, order: Order) -> Session:
        """A session for one attempt."""
        ...
