"""The seam to agents: what an adapter is given, what it gives back, and the normalised events between.

An adapter turns an `Order` into a `Session`: the command line to run, a reader of its output, and a judge of
its ending. It starts nothing itself.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, Protocol

from orchestra.model.outcomes import Exit, Fault, Outcome, Usage

ENTRY_POINTS = "orchestra.agents"
"""The group of entry points by which a package adds a kind of agent: its name is the kind, its value what makes an
`Agent` from the `AgentSpec` of the manifest.
"""


@dataclass(frozen=True, slots=True)
class Traits:
    """What is known of an agent beforehand.

    `told`: a second attempt can differ because the agent is told what happened to the first. `resumes`: a session
    can go on with a further prompt in the same worktree. `provider` is whose service it calls ("" for none);
    attempts that share it and the values of the variables `account` share one rate limit. `memory_bytes` is what
    one run usually holds (PSS). `version` is a command that prints the program's version. `leftovers` are patterns
    of files that it leaves in the worktree and that are no part of a result.
    """

    told: bool
    resumes: bool = False
    provider: str = ""
    account: tuple[str, ...] = ()
    memory_bytes: int = 0
    version: tuple[str, ...] = ()
    leftovers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Resume:
    """A session that is to go on, and what it had used before."""

    session: str
    used: Usage


@dataclass(frozen=True, slots=True)
class Order:
    """What an agent is asked: the whole prompt, a file that holds the same text, and where it works.

    `check` is the task's acceptance command: an agent whose permissions are `edit` may run just that. `resume`
    is the session that the prompt goes on with, None for a new one; `usd` what it may spend, in USD. `readonly`:
    it is to judge, and may change nothing.
    """

    task: str
    prompt: str
    prompt_file: str
    worktree: str
    check: str | None = None
    resume: Resume | None = None
    usd: float | None = None
    readonly: bool = False


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
    waiting (for its API, `text` says why), usage, finished. Paths are as the agent gave them; `access` says what
    a tool does with them, "" where that is not known. `throttled`: it waits because it asked too much of its
    service, for `wait_s` seconds where that is known. `used` is what its run has used so far, where that is known; it
    is no part of what was done.
    """

    kind: Literal["started", "text", "tool", "waiting", "usage", "finished"]
    text: str = ""
    name: str = ""
    paths: tuple[str, ...] = ()
    access: Literal["", "read", "write"] = ""
    throttled: bool = False
    wait_s: float | None = None
    used: Usage | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Judgement:
    """How an agent's part of an attempt ended.

    `outcome` is SUCCESS, FAILED or DENIED (the timeouts and interrupts are the executor's to tell; whether
    anything changed is capture's). `blocked` is true where denials were seen that block only if the result
    is empty or the check fails. `summary` is the agent's last word, `detail` what went wrong in one line.
    `transient`: that may be over soon, as where a service is overloaded; `throttled`: because it was asked too
    much (429, 529), and in `retry_after` seconds at the earliest it may be asked again, where that was said.
    `usage` is what this run used, without what the session that it resumed had used before. `model` is the model
    that served, where it said so.
    """

    outcome: Outcome
    fault: Fault | None = None
    detail: str = ""
    summary: str = ""
    blocked: bool = False
    usage: Usage = field(default_factory=Usage)
    session: str | None = None
    transient: bool = False
    throttled: bool = False
    retry_after: float | None = None
    model: str | None = None


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
    def traits(self) -> Traits:
        """What is known of it beforehand."""
        ...

    def missing(self) -> str | None:
        """What is not installed and how to get it, in one line; None where the program is there."""
        ...

    def open(self, order: Order) -> Session:
        """A session for one attempt."""
        ...
