"""The landing of one result: audit, merge onto the tip, and the commit to verify; nothing is moved here."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from itertools import chain

from orchestra.integration.audit import Violation, added, audit
from orchestra.integration.commits import own_commits, style_of
from orchestra.integration.line import Line
from orchestra.model.folding import twins
from orchestra.model.freshness import Decision
from orchestra.model.ports import AttemptEnded, Store
from orchestra.model.tasks import Manifest, Task
from orchestra.model.trees import differences


@dataclass(frozen=True, slots=True)
class Candidate:
    """A captured result that waits for its landing: the task, its decision, the base, how the attempt ended.

    `decided_on` is the commit on which the decision was taken: the base, unless the result is `replayed`. `agent` is
    the name of who did it.
    """

    task: Task
    decision: Decision
    base: str
    ended: AttemptEnded
    decided_on: str
    replayed: bool = False
    agent: str = ""

    @property
    def key(self) -> str:
        """The action key below which the result is kept."""
        return self.decision.attempted.key

    @property
    def result(self) -> str:
        """The commit that holds the result."""
        assert self.ended.result is not None, "only captured results become candidates"
        return self.ended.result


@dataclass(frozen=True, slots=True)
class Conflict:
    """The result cannot be merged with what landed meanwhile."""

    paths: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Prepared:
    """The commit that would land, and the paths that it changes. `beside` is a commit of the same result on its own
    base, where the manifest wants to see one.
    """

    commit: str
    paths: tuple[str, ...]
    beside: str | None = None


def prepare(
    git: Store, line: Line, candidate: Candidate, manifest: Manifest
) -> Prepared | Conflict | Violation:
    """Audit a result and merge it onto the tip of the line."""
    base = git.tree(candidate.base)
    result = git.tree(candidate.result)
    changes = differences(base, result)
    violation = audit(candidate.task, changes, manifest, result)
    if violation is not None:
        return violation
    merged = git.merge(candidate.base, line.tip, candidate.result)
    if merged.tree is None:
        return Conflict(merged.conflicts)
    new = [path for path in added(changes) if line.tree.state(path) is None]
    beside = twins(new, git.tree(merged.tree).files)
    if beside:
        # Each was alone when it was audited: another attempt sees the other one.
        return Conflict(tuple(sorted({*beside, *chain.from_iterable(beside.values())})))
    wanted, ended = manifest.integrate, candidate.ended
    own = own_commits(git, candidate.base, candidate.result, ended.attempt) if _looks(manifest) else None
    merges = wanted.strategy == "merge"
    apart = second = None
    if merges and own is not None and git.tree(own).files == result.files:
        # It committed all of it.
        second = own
    if wanted.branch is not None or (merges and second is None):
        apart = commit_beside(git, line, candidate, manifest)
        second = apart
    commit = line.commit_result(
        candidate.task,
        candidate.decision,
        merged.tree,
        changes,
        git.tree(candidate.decided_on),
        summary=ended.summary,
        attempt=ended.attempt,
        reads=ended.reads,
        style=style_of(git, manifest, candidate.task, candidate.agent, own),
        beside=second if merges else None,
    )
    return Prepared(commit, tuple(change.path for change in changes), apart)


def commit_beside(git: Store, line: Line, candidate: Candidate, manifest: Manifest) -> str:
    """A commit of a result on the commit that it started from, or on what its agent committed there: what a pull
    request can be made of. No ref names it yet.
    """
    ended = candidate.ended
    base = git.tree(candidate.base)
    own = own_commits(git, candidate.base, candidate.result, ended.attempt) if _looks(manifest) else None
    kept = own if manifest.integrate.strategy == "merge" else None
    return line.commit_beside(
        candidate.task,
        candidate.decision,
        candidate.result,
        differences(base, git.tree(candidate.result)),
        base,
        kept or candidate.base,
        summary=ended.summary,
        attempt=ended.attempt,
        reads=ended.reads,
        style=style_of(git, manifest, candidate.task, candidate.agent, own),
    )


def _looks(manifest: Manifest) -> bool:
    """Whether it matters what agents committed themselves."""
    return manifest.integrate.strategy == "merge" or manifest.integrate.author == "agent"


class LandingQueue:
    """Results in the order in which they came; one at a time is at the landing. Pure."""

    def __init__(self) -> None:
        self._waiting: deque[Candidate] = deque()

    def add(self, candidate: Candidate) -> None:
        """Put a result at the end."""
        self._waiting.append(candidate)

    def take(self, may_land: Callable[[str], bool] = lambda task: True) -> Candidate | None:
        """The first result whose task may land, None where none waits."""
        for candidate in self._waiting:
            if may_land(candidate.task.name):
                self._waiting.remove(candidate)
                return candidate
        return None

    def holds(self, may_land: Callable[[str], bool]) -> bool:
        """Whether it holds a result whose task may land."""
        return any(may_land(candidate.task.name) for candidate in self._waiting)

    def __len__(self) -> int:
        return len(self._waiting)
