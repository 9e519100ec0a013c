"""The seams between the engine and the world, as protocols of at most seven methods each.

Every seam has a real implementation and a double that is part of the package (simulated executor, in-memory
Git, manual clock), and both pass the same contract tests. What crosses them are the frozen values below.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from orchestra.model.agents import AgentEvent
from orchestra.model.authors import Author
from orchestra.model.outcomes import Artifact, Fault, Judged, Outcome, Phase, Usage
from orchestra.model.tasks import Task
from orchestra.model.trees import FileState, Tree

if TYPE_CHECKING:
    # What only listens costs nothing where nothing is told.
    from orchestra.model.events import Event


class Clock(Protocol):
    """Time, in seconds."""

    def now(self) -> float:
        """Seconds since the epoch, for records."""
        ...

    def monotonic(self) -> float:
        """Seconds since some moment, never going back, for durations."""
        ...


class Listener(Protocol):
    """Whoever wants to know what happens: terminal, log, database, report."""

    def notify(self, event: Event) -> None:
        """Take one event."""
        ...


class Pulse(Protocol):
    """Whoever has something to do from time to time while others wait, such as to draw."""

    @property
    def due(self) -> float:
        """When, by the monotonic clock, it is to be called next; infinite: not until something has happened."""
        ...

    def beat(self) -> None:
        """Do it; `due` lies ahead again after that."""
        ...


# --- Git -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Merged:
    """The result of a merge in memory: the tree's id, or the paths that conflict."""

    tree: str | None
    conflicts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CommitRequest:
    """A commit to make: a tree (by tree or commit id) with some files replaced, parents and a message.

    `author` is who wrote it, None for the person, who commits it in any case.
    """

    tree: str
    parents: tuple[str, ...]
    message: str
    edits: tuple[tuple[str, bytes | None], ...] = ()
    author: Author | None = None


@dataclass(frozen=True, slots=True)
class RefUpdate:
    """Move a ref from `old` to `new`: None is absent; `old` is not looked at where `force` is set."""

    ref: str
    new: str | None
    old: str | None = None
    force: bool = False


@dataclass(frozen=True, slots=True)
class Advance:
    """What came of moving the person's branch.

    `done`, or not: `moved_to` where the branch no longer stood at the old commit, and whether that one
    descends from it; `in_the_way` are the person's files that would have been overwritten; `message` what
    git said; `hint` what to type first, where a merge by hand would be refused just the same.
    """

    done: bool
    moved_to: str | None = None
    descends: bool = False
    in_the_way: tuple[str, ...] = ()
    message: str = ""
    hint: str | None = None


@dataclass(frozen=True, slots=True)
class Placed:
    """What came of putting a branch somewhere: `done`, or `why` not, and the worktree that holds it, if one does."""

    done: bool
    why: str = ""
    worktree: str | None = None


class Git(Protocol):
    """What the engine needs of a repository."""

    def resolve(self, ref: str) -> str | None:
        """The id that a ref stands for, None where there is no such ref."""
        ...

    def tree(self, commit: str) -> Tree:
        """The files of a commit (or of a tree)."""
        ...

    def read(self, ids: Sequence[str]) -> tuple[bytes, ...]:
        """The contents of blobs."""
        ...

    def merge(self, base: str, ours: str, theirs: str) -> Merged:
        """Merge in memory what two commits changed since a base."""
        ...

    def commit(self, request: CommitRequest) -> str:
        """Make a commit in the person's name; no ref names it yet."""
        ...

    def update_refs(self, updates: tuple[RefUpdate, ...]) -> bool:
        """Move refs, all or none; False where one of them no longer stood at its old value."""
        ...

    def advance(self, branch: str, old: str, new: str) -> Advance:
        """Move the person's branch (`refs/heads/...`) and the checkout that holds it, or nothing at all."""
        ...


@dataclass(frozen=True, slots=True)
class PastChange:
    """One commit of the first-parent history that changed a file: its states before and after (None: absent).

    `parent` is the commit's first parent, None where it has none.
    """

    commit: str
    parent: str | None
    before: FileState | None
    after: FileState | None


class Past(Protocol):
    """What a repository remembers: refs and history. A seam of its own, since landing needs none of it."""

    def refs_below(self, *prefixes: str) -> Mapping[str, str]:
        """All refs below the prefixes, with the commits that they name."""
        ...

    def is_ancestor(self, old: str, new: str) -> bool:
        """Whether `old` is in the history of `new`, or is `new`."""
        ...

    def merge_base(self, one: str, other: str) -> str | None:
        """The best common ancestor, None where there is none."""
        ...

    def changes(self, commit: str, folder: str) -> Mapping[str, tuple[PastChange, ...]]:
        """By path below the folder, the changes in the first-parent history of a commit, newest first."""
        ...

    def message(self, commit: str) -> str:
        """The message of a commit."""
        ...

    def parents(self, commit: str) -> tuple[str, ...]:
        """The parents of a commit."""
        ...


class Shelf(Protocol):
    """Where results are kept for the person to see. A seam of its own, since few builds need it."""

    def place(self, branch: RefUpdate, memory: RefUpdate) -> Placed:
        """Let a branch (`refs/heads/...`) stand at another commit, and a ref of ours with it, where both are at their
        old values and the branch is held by no worktree; else nothing is moved.
        """
        ...

    def author(self, commit: str) -> Author | None:
        """Who wrote a commit, None where it was the person in whose name commits are made."""
        ...


class Store(Git, Past, Shelf, Protocol):
    """A repository with its past: what a build needs in all."""


# --- Executor ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Unmerged:
    """The result of an earlier attempt that could not be merged: the base that it started from, its commit, and the
    paths at which it met what landed.
    """

    base: str
    result: str
    paths: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class AttemptOrder:
    """An attempt to start: the task, the commit it starts from, and what the agent is told beside its prompt.

    `number` counts the attempts of this task in this build from 1. `keep` is the ref that keeps what it did
    if it succeeds. `usd` is what the attempt may cost, in USD, None without a limit. `unmerged` is what its agent is to
    bring together with the base, in a worktree that holds both.
    """

    attempt: str
    task: Task
    number: int
    base: str
    keep: str
    told: str = ""
    unmerged: Unmerged | None = None
    usd: float | None = None


@dataclass(frozen=True, slots=True)
class VerifyOrder:
    """A commit to verify with the project's command in a slot; `task` is whose result it holds, if one's."""

    name: str
    commit: str
    command: str
    task: str | None = None


@dataclass(frozen=True, slots=True)
class Started:
    """The attempt has its slot (a small number) and its log (a path)."""

    attempt: str
    slot: int
    log: str


@dataclass(frozen=True, slots=True)
class PhaseBegan:
    """An attempt entered a phase."""

    attempt: str
    phase: str


@dataclass(frozen=True, slots=True)
class AgentSaid:
    """The agent of an attempt did something."""

    attempt: str
    event: AgentEvent


@dataclass(frozen=True, slots=True)
class AttemptEnded:
    """An attempt has ended and its slot is free again.

    `result` is the commit that holds what it did on its base, set where it succeeded and where there was something
    to keep; `tail` the last lines of the log; `told` whether its agent can be told what happened, so that
    another attempt may differ; `changed_bytes` the size of all files as it left them that it changed.
    `transient`: what made it fail may be over soon, `retry_after` in how many seconds at least, where that was said;
    `throttled`: its agent's service was asked too much. `reads` are the files of the repository that the agent was
    seen to read, `model` the model that served it, or where its agent does not say, the one that it was told to use;
    `artifacts` are the files that the task asks to keep, `judged` the checks and reviews of its work.
    """

    attempt: str
    outcome: Outcome
    fault: Fault | None = None
    detail: str = ""
    result: str | None = None
    summary: str = ""
    tail: tuple[str, ...] = ()
    log: str = ""
    phases: tuple[Phase, ...] = ()
    usage: Usage = field(default_factory=Usage)
    exit_status: int | None = None
    signal: int | None = None
    cpu_s: float = 0.0
    peak_bytes: int = 0
    changed_bytes: int = 0
    told: bool = False
    transient: bool = False
    retry_after: float | None = None
    throttled: bool = False
    reads: tuple[str, ...] = ()
    model: str | None = None
    artifacts: tuple[Artifact, ...] = ()
    judged: tuple[Judged, ...] = ()


@dataclass(frozen=True, slots=True)
class VerifyEnded:
    """A verification has ended. `passed` is None where it gave no verdict: interrupted, or not started."""

    name: str
    passed: bool | None
    detail: str = ""
    tail: tuple[str, ...] = ()
    log: str = ""
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Interrupted:
    """The person asked to stop."""


@dataclass(frozen=True, slots=True)
class Sampled:
    """A look at the machine while commands ran, as `MachineSampled` tells it."""

    cpu: float | None
    memory: float | None
    held_bytes: int
    commands: int


Happening = Started | PhaseBegan | AgentSaid | AttemptEnded | VerifyEnded | Interrupted | Sampled


class Executor(Protocol):
    """Where attempts and verifications are carried out."""

    def start(self, order: AttemptOrder) -> None:
        """Start an attempt; all that comes of it is told by `poll`."""
        ...

    def verify(self, order: VerifyOrder) -> None:
        """Start a verification."""
        ...

    def poll(self, until: float | None = None) -> tuple[Happening, ...]:
        """Wait until something has happened and tell it.

        Gives () only if nothing is under way, and at the moment `until` (of the monotonic clock, in seconds) if
        nothing has happened by then; where that is given, it waits also if nothing is under way.
        """
        ...

    def stop(self, *, now: bool) -> None:
        """End all that is under way: politely with a few seconds' grace, or at once."""
        ...
