"""Taking landed results back: which commits landed them, who depends on them, and the tree without them.

Nothing is moved here: the commit that it makes stands on the tip and is named by no ref. Since the lock entries go
back with the files, what is taken back counts as reverted.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from orchestra.model.entries import lock_path, lock_paths, task_of
from orchestra.model.errors import ExitStatus, OrchestraError, usage_error
from orchestra.model.graph import Graph
from orchestra.model.ports import CommitRequest, PastChange, Store
from orchestra.model.text import clean, count
from orchestra.model.trailers import ATTEMPT_TRAILER, TASK_TRAILER
from orchestra.model.trees import LOCK_FOLDER

LAST = "last"
"""What stands for the newest build that landed something."""

_TRAILER = re.compile(rf"^({TASK_TRAILER}|{ATTEMPT_TRAILER}): (.+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Landing:
    """The commit that landed a task's result, the attempt that made it, and the first line of its message."""

    task: str
    commit: str
    parent: str
    attempt: str
    title: str


class Landings:
    """The landings in the history of one commit."""

    def __init__(self, git: Store, tip: str) -> None:
        self._git = git
        self._tip = tip
        self._known: dict[str, Mapping[str, tuple[PastChange, ...]]] = {}

    def of(self, task: str) -> Landing:
        """The newest landing of a task; raises OrchestraError where there is none that can be taken back."""
        changes = self._changes(self._tip).get(lock_path(task), ())
        if not changes:
            raise usage_error(f"`{task}` has not landed here", hint="orchestra status")
        if changes[0].after is None:
            commit = changes[0].commit[:7]
            raise usage_error(f"`{task}` was taken back already, by {commit}", hint=f"git show {commit}")
        found = self._landing(task, self._tip)
        if found is None:
            commit = changes[0].commit[:7]
            raise usage_error(
                f"`{task}` came with {commit}, which is no landing of its own",
                hint=f"see what else it holds (git show {commit}), and: {_by_hand(self._git, changes[0].commit)}",
            )
        return found

    def newest(self, task: str) -> Landing | None:
        """The landing that brought today's entry of a task; None where none did, or not for this task alone."""
        return self._landing(task, self._tip)

    def of_build(self, which: str) -> tuple[Landing, ...]:
        """The landings of one build that still stand: by the beginning of its name, or `last`.

        Raises OrchestraError where it has none.
        """
        names = (task_of(path) for path in lock_paths(self._git.tree(self._tip)))
        found = [landing for name in names if (landing := self._landing(name, self._tip)) is not None]
        if which == LAST and found:
            newest = newest_first(self._git, found)[0]
            which = _build_of(newest.attempt)
        chosen = tuple(each for each in found if _build_of(each.attempt).startswith(which))
        if not chosen:
            raise usage_error(
                "nothing that a build landed stands here"
                if which == LAST
                else f"nothing of build {which} stands here",
                hint="orchestra history lists the builds; what landed again since counts for the later one",
            )
        return chosen

    def _landing(self, task: str, tip: str) -> Landing | None:
        """The commit that brought today's entry of a task, if that is a landing of this task alone."""
        changes = self._changes(tip).get(lock_path(task), ())
        if not changes:
            return None
        newest = changes[0]
        message = self._git.message(newest.commit)
        said = _TRAILER.findall(message)
        attempts = [value for name, value in said if name == ATTEMPT_TRAILER]
        lands = [value for name, value in said if name == TASK_TRAILER] == [task] and len(attempts) == 1
        if lands and newest.parent is not None:
            # First, since it may be a merge whose other side tells of the same task: the whole of it is what landed.
            return Landing(task, newest.commit, newest.parent, attempts[0], message.split("\n", 1)[0])
        for parent in self._git.parents(newest.commit)[1:]:
            # A merge: what it brought was landed on its other side.
            if self._git.tree(parent).state(lock_path(task)) == newest.after:
                return self._landing(task, parent)
        return None

    def _changes(self, tip: str) -> Mapping[str, tuple[PastChange, ...]]:
        if tip not in self._known:
            self._known[tip] = self._git.changes(tip, LOCK_FOLDER)
        return self._known[tip]


def dependents(git: Store, tip: str, graph: Graph, tasks: Iterable[str]) -> tuple[str, ...]:
    """The tasks that need one of these, directly or not, and have landed too; in graph order."""
    taken = set(tasks)
    landed = {task_of(path) for path in lock_paths(git.tree(tip))}
    found = []
    for name in graph.order:
        if name not in taken and any(need in taken for need in graph.task(name).needs) and name in landed:
            taken.add(name)
            found.append(name)
    return tuple(found)


def newest_first(git: Store, landings: Iterable[Landing]) -> tuple[Landing, ...]:
    """The landings so that none stands before one that holds it."""
    left, ordered = list(landings), []
    while left:
        newest = next(
            one
            for one in left
            if not any(other is not one and git.is_ancestor(one.commit, other.commit) for other in left)
        )
        left.remove(newest)
        ordered.append(newest)
    return tuple(ordered)


def take_back(git: Store, tip: str, landings: Iterable[Landing]) -> str:
    """A commit on the tip without what these landed.

    Raises OrchestraError (exit status 1) where later work changed the same lines; then there is no such commit.
    """
    ordered = newest_first(git, landings)
    at, tree = tip, ""
    for landing in ordered:
        merged = git.merge(landing.commit, at, landing.parent)
        if merged.tree is None:
            raise _overlap(git, landing, merged.conflicts)
        tree = merged.tree
        # A merge wants commits.
        at = git.commit(CommitRequest(tree, (at,), f"Without {landing.task}\n"))
    return git.commit(CommitRequest(tree, (tip,), message_of(ordered)))


def message_of(landings: Iterable[Landing]) -> str:
    """The message of the commit that takes these back."""
    landings = tuple(landings)
    names = [landing.task for landing in landings]
    title = f"Take back {names[0]}" if len(names) == 1 else f"Take back {count(len(names), 'task')}"
    lines = [f"{each.task}: {clean(each.title)} ({each.commit[:12]})" for each in landings]
    return f"{title}\n\n" + "\n".join(lines) + "\n"


def _overlap(git: Store, landing: Landing, paths: tuple[str, ...]) -> OrchestraError:
    again = lock_path(landing.task) in paths
    shown = ", ".join(path for path in paths if not path.startswith(LOCK_FOLDER)) or ", ".join(paths)
    cause = "it landed again since" if again else f"later commits changed the same lines of {shown}"
    return OrchestraError(
        f"`{landing.task}` cannot be taken back",
        ExitStatus.FAILED,
        causes=(cause,),
        hint=f"take back what came later first, or by hand: {_by_hand(git, landing.commit)}",
    )


def _by_hand(git: Store, commit: str) -> str:
    """What to type to take a commit back: of a merge, what it brought to its first parent."""
    return f"git revert {'-m 1 ' if len(git.parents(commit)) > 1 else ''}{commit[:12]}"


def _build_of(attempt: str) -> str:
    return attempt.rpartition("-")[0]
