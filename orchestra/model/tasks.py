"""Tasks and all that the manifest says, as values: what every other room works on.

Durations are seconds. Paths are relative to the root of the repository, with `/`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from orchestra.model.errors import Place
from orchestra.model.outcomes import Asked

EVERYTHING = "**"
"""The pattern that matches every path."""

OnDrift = Literal["accept", "rerun"]
Access = Literal["write", "read"]


@dataclass(frozen=True, slots=True)
class Inferred:
    """A claim that nobody declared: a pattern, what is done there, and the evidence for it.

    `line` is the line of the prompt's file that says so, from 1; `evidence` tells in a few words what was found
    there: the words of the prompt and how they led to the pattern.
    """

    pattern: str
    access: Access
    line: int
    evidence: str


@dataclass(frozen=True, slots=True)
class Claims:
    """The path patterns that a task may write or depends on.

    `write` is None where nobody said (unknown claims), () for a check task. `read` are the declared read
    patterns and `unread` what they leave out. `shared` are patterns that the task may write beside others that
    share them too. `exclusive`: the task runs alone. `inferred` is what the analysis found where nothing was
    declared: it orders tasks, and is no part of a key.
    """

    write: tuple[str, ...] | None = None
    read: tuple[str, ...] = ()
    unread: tuple[str, ...] = ()
    shared: tuple[str, ...] = ()
    exclusive: bool = False
    declared: bool = False
    inferred: tuple[Inferred, ...] = ()

    @property
    def is_check(self) -> bool:
        """Whether the task declares that it writes nothing."""
        return self.write == () and not self.shared and not self.exclusive

    @property
    def writable(self) -> tuple[str, ...] | None:
        """All declared patterns that the task may write, shared ones included; None where nobody said."""
        if self.write is None:
            return None
        return (*self.write, *(text for text in self.shared if text not in self.write))

    def inferred_patterns(self, access: Access) -> tuple[str, ...]:
        """The inferred patterns of one kind, each once."""
        return tuple(dict.fromkeys(found.pattern for found in self.inferred if found.access == access))


@dataclass(frozen=True, slots=True)
class Prompt:
    """A prompt file: its path, its text without front matter, and its title (the first heading or line).

    `first_line` is the line of the file at which the text begins, from 1: where front matter grows, a task stays
    the same.
    """

    path: str
    text: str
    title: str
    first_line: int = field(default=1, compare=False)


@dataclass(frozen=True, slots=True)
class Task:
    """A named unit of the manifest, with a prompt for an agent or a command to run.

    `index` is its place in manifest order. `agent` is the name of its agent, None where none is named and
    the first installed one serves (and for `run`). `env` are values that are set and are part of the key;
    `passes` are names passed through, which are not. `timeout` is how long an attempt may take, `stall` how long
    it may do nothing, in seconds; `retries` how often one is repeated that failed for a reason that may pass,
    `repairs` how often its agent goes on after a failed check. `usd` is what the task may cost in one build, in
    USD; `review` the name of the agent that judges its result. `on_drift` is what was written (None: nothing;
    then prompts accept a person's edit of what they made, and commands run again). `artifacts` are patterns of files
    that are kept of each attempt beside its result. `place` is where it was written.
    """

    name: str
    index: int
    claims: Claims
    prompt: Prompt | None = None
    run: str | None = None
    agent: str | None = None
    needs: tuple[str, ...] = ()
    priority: int = 0
    check: str | None = None
    timeout: float = 45 * 60.0
    stall: float = 10 * 60.0
    retries: int = 2
    repairs: int = 1
    usd: float | None = None
    review: str | None = None
    env: tuple[tuple[str, str], ...] = ()
    passes: tuple[str, ...] = ()
    on_drift: OnDrift | None = None
    artifacts: tuple[str, ...] = ()
    place: Place = field(default=Place("orchestra.yaml"), compare=False)

    @property
    def reruns_on_drift(self) -> bool:
        """Whether it runs again where a person changed what it made."""
        return self.on_drift == "rerun" or (self.on_drift is None and self.run is not None)

    @property
    def asked(self) -> Asked:
        """What its attempts are asked to do, for the record."""
        text, path = (self.prompt.text, self.prompt.path) if self.prompt else (None, None)
        return Asked(text, path, self.run, self.check, None if self.claims.is_check else self.review)

    @property
    def title(self) -> str:
        """One line that says what the task is about."""
        return self.prompt.title if self.prompt else self.name


@dataclass(frozen=True, slots=True)
class AgentSpec:
    """An agent as the manifest describes it: `env` are values set, `passes` names passed through.

    `kind` names an adapter: one of ours, or one that an installed package adds.
    """

    name: str
    kind: str
    model: str | None = None
    command: tuple[str, ...] = ()
    args: tuple[str, ...] = ()
    env: tuple[tuple[str, str], ...] = ()
    passes: tuple[str, ...] = ()
    permissions: Literal["edit", "full"] = "edit"
    max_turns: int | None = None


@dataclass(frozen=True, slots=True)
class Worktrees:
    """How slots are made ready: where they lie, what sets them up, what is copied in, what survives a reset."""

    dir: str | None = None
    setup: str | None = None
    setup_inputs: tuple[str, ...] = ()
    copy: tuple[str, ...] = ()
    keep: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Integrate:
    """How results land: onto which branch, verified by which command, in whose name.

    `strategy`: each as one commit, or by a merge that keeps what the agent committed. `branch` is the template of the
    names of branches that keep each result (None: there are none), `message` that of the commits (None: title and
    last word). `on_conflict` is what follows a second conflict: once more alone, or the agent brings both sides
    together.
    """

    into: str | None = None
    verify: str | None = None
    author: Literal["user", "agent"] = "user"
    on_conflict: Literal["retry", "agent"] = "retry"
    strategy: Literal["squash", "merge"] = "squash"
    branch: str | None = None
    message: str | None = None


@dataclass(frozen=True, slots=True)
class Limits:
    """What a build may use: None is without a limit.

    `cpu` and `memory` are shares of the machine (0 to 1), `disk` the bytes that stay free, `usd` and `tokens` what one
    build may use, `usd_per_day` what all builds of a day (local time) may cost. None of `jobs`: by the machine.
    """

    jobs: int | None = None
    cpu: float = 0.9
    memory: float = 0.85
    disk: int = 200 * 2**20
    usd: float | None = None
    usd_per_day: float | None = None
    tokens: int | None = None


@dataclass(frozen=True, slots=True)
class Price:
    """What a model costs, in USD per million tokens; cached tokens without a price of their own cost as input."""

    input: float
    output: float
    cache_read: float | None = None
    cache_write: float | None = None


@dataclass(frozen=True, slots=True)
class Manifest:
    """All that was read from `orchestra.yaml` and the prompts, checked.

    `tasks` are in manifest order, `source` is the manifest's path (None where there is only `prompts/`),
    `prompts` the patterns that find prompt files, `prices` what models cost by name, `hooks` the commands that
    events start by their names, `context` the files that precede every prompt, `triggers` what makes stale beside
    the usual (`inferred`: what inferred claims read; `observed`: what an agent was seen to read).
    """

    tasks: tuple[Task, ...]
    agents: Mapping[str, AgentSpec]
    source: str | None = None
    prompts: tuple[str, ...] = ("prompts/**/*.md",)
    limits: Limits = Limits()
    prices: Mapping[str, Price] = field(default_factory=dict)
    worktrees: Worktrees = Worktrees()
    integrate: Integrate = Integrate()
    hooks: tuple[tuple[str, str], ...] = ()
    context: tuple[str, ...] = ()
    allow_protected: tuple[str, ...] = ()
    triggers: tuple[str, ...] = ()

    @property
    def observes(self) -> bool:
        """Whether what an agent was seen to read counts among a task's inputs."""
        return "observed" in self.triggers

    def task(self, name: str) -> Task:
        """The task of that name; KeyError where there is none."""
        for task in self.tasks:
            if task.name == name:
                return task
        raise KeyError(name)
