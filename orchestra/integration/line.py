"""The line of commits that a build makes: its tip, the files and lock entries there, and entries yet to come.

A lock entry is written in the same commit as the result that it describes, so that freshness is a function of
the tree and nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from orchestra.integration.commits import PLAIN, Style
from orchestra.integration.message import entries_message, landed_message
from orchestra.integration.undone import Undone
from orchestra.model.entries import LockEntry, lock_path, lock_paths, parse, render, task_of
from orchestra.model.freshness import Decision, Landing
from orchestra.model.keys import digest
from orchestra.model.ports import CommitRequest, Store
from orchestra.model.reading import observed_inputs, read_set, rewrite_set
from orchestra.model.tasks import Task
from orchestra.model.trees import LOCK_FOLDER, Change, FileState, Tree


class Line:
    """The tip of a build and what is known there."""

    def __init__(self, git: Store, tip: str, *, observes: bool = False) -> None:
        """`observes`: what agents were seen to read is recorded among the inputs of their tasks."""
        self._git = git
        self._undone = Undone(git)
        self._observes = observes
        self._parsed: dict[str, LockEntry] = {}
        self._pending: dict[str, LockEntry] = {}
        self.tip = tip
        self.tree = git.tree(tip)
        self._entries = self._read(self.tree)

    @property
    def entries(self) -> Mapping[str, LockEntry]:
        """The lock entries by task, those yet to be committed included."""
        return {**self._entries, **self._pending} if self._pending else self._entries

    @property
    def pending(self) -> tuple[str, ...]:
        """The tasks whose entries are yet to be committed."""
        return tuple(self._pending)

    def move(self, tip: str) -> None:
        """Stand on another commit."""
        self.tip = tip
        self.tree = self._git.tree(tip)
        self._entries = self._read(self.tree)

    def undone(self, task: str) -> Landing | None:
        """The landing of a task that somebody took back, as the history of the tip tells it.

        An entry that is yet to be committed comes after whatever history tells.
        """
        if task in self._pending:
            return None
        return self._undone.landing(task, self.tip)

    def commit_result(
        self,
        task: Task,
        decision: Decision,
        merged: str,
        changes: tuple[Change, ...],
        base: Tree,
        *,
        summary: str,
        attempt: str,
        reads: tuple[str, ...] = (),
        style: Style = PLAIN,
        beside: str | None = None,
    ) -> str:
        """A commit on the tip that holds the merged tree and the task's new entry; the tip stays.

        `base` is the tree on which the task was decided, `reads` what its agent was seen to read, `beside` the second
        parent, if there is to be one.
        """
        entry = self._entry(
            task, decision, self._git.tree(merged), changes, base, reads, self.entries.get(task.name)
        )
        parents = (self.tip,) if beside is None else (self.tip, beside)
        return self._commit_entry(task, entry, merged, parents, summary, attempt, style)

    def commit_beside(
        self,
        task: Task,
        decision: Decision,
        result: str,
        changes: tuple[Change, ...],
        base: Tree,
        parent: str,
        *,
        summary: str,
        attempt: str,
        reads: tuple[str, ...] = (),
        style: Style = PLAIN,
    ) -> str:
        """A commit on `parent` that holds a result as it was captured on the tree `base`, with the entry that the task
        would have there: merged by whoever, in whatever way, the task has landed.
        """
        previous = self._read_entry(task.name, base)
        entry = self._entry(task, decision, self._git.tree(result), changes, base, reads, previous)
        return self._commit_entry(task, entry, result, (parent,), summary, attempt, style)

    def _commit_entry(
        self,
        task: Task,
        entry: LockEntry,
        tree: str,
        parents: tuple[str, ...],
        summary: str,
        attempt: str,
        style: Style,
    ) -> str:
        message = landed_message(
            task, summary, key=entry.key, attempt=attempt, template=style.message, agent=style.agent
        )
        edits = ((lock_path(task.name), render(entry)),)
        return self._git.commit(CommitRequest(tree, parents, message, edits, style.author))

    def land(self, task: str, commit: str) -> None:
        """Stand on the commit that lands a task."""
        self._pending.pop(task, None)
        self._go_on(commit)

    def _go_on(self, commit: str) -> None:
        """Stand on a commit of ours, whose parent is the tip."""
        before = self.tree
        self.move(commit)
        self._undone.went_on(before, self.tree)

    def note_unchanged(self, task: Task, decision: Decision, base: Tree, reads: tuple[str, ...] = ()) -> None:
        """Remember the entry of a success that changed no file, to be committed with others at the end."""
        previous = self.entries.get(task.name)
        self._pending[task.name] = self._entry(task, decision, self.tree, (), base, reads, previous)

    def note_present(
        self,
        task: Task,
        decision: Decision,
        changes: tuple[Change, ...] = (),
        reads: tuple[str, ...] | None = None,
    ) -> None:
        """Remember an entry that says that the tip holds what the task did, `changes` and `reads` where they are known:
        without reads, what was observed before still holds.
        """
        previous = self.entries.get(task.name)
        self._pending[task.name] = self._entry(task, decision, self.tree, changes, self.tree, reads, previous)

    def commit_pending(self) -> str | None:
        """Commit the entries that are yet to come and stand on that commit; None where there are none."""
        changed = {name: entry for name, entry in self._pending.items() if self._entries.get(name) != entry}
        self._pending.clear()
        if not changed:
            return None
        edits = tuple((lock_path(name), render(entry)) for name, entry in sorted(changed.items()))
        message = entries_message(tuple(sorted(changed)))
        self._go_on(self._git.commit(CommitRequest(self.tip, (self.tip,), message, edits)))
        return self.tip

    def _entry(
        self,
        task: Task,
        decision: Decision,
        after: Tree,
        changes: tuple[Change, ...],
        base: Tree,
        reads: tuple[str, ...] | None,
        previous: LockEntry | None,
    ) -> LockEntry:
        """The entry of a task that ran on `base` and left `changes`, as the files stand in `after`; `previous` is the
        one that it had, `reads` None: what was observed before still holds.

        What came to the tip meanwhile by other hands, the attempt has neither seen nor made: such a path is
        recorded as the attempt left it, so that the change counts as what it is.
        """
        changed = {change.path for change in changes}

        def left(path: str) -> FileState | None:
            return (after if path in changed else base).state(path)

        paths = changed | set(previous.outputs if previous else ())
        outputs = {path: left(path) for path in sorted(paths)}
        known = set(previous.outputs) if previous else set()
        created = {c.path for c in changes if c.before is None and c.path not in known}
        created |= previous.created if previous else frozenset()
        # The inputs as they were, not as they are excused: what is recorded is what the attempt saw.
        parts, observed = decision.attempted, frozenset[str]()
        if self._observes and reads is None:
            observed = (previous.observed if previous else observed) & parts.inputs.keys()
        elif self._observes:
            assert reads is not None
            # What an earlier attempt read, and this one did not, is no input any more.
            observed = observed_inputs(task, reads, base, outputs)
            inputs = {path: base.files[path] for path in (*read_set(task, base), *sorted(observed))}
            parts = replace(parts, inputs=inputs)
        return LockEntry(
            task.name,
            parts,
            outputs,
            frozenset(path for path in created if outputs.get(path) is not None),
            {path: state for path in rewrite_set(task, after) if (state := left(path)) is not None},
            observed,
        )

    def _read_entry(self, task: str, tree: Tree) -> LockEntry | None:
        path = lock_path(task)
        return (
            self._read(Tree(tree.commit, {path: tree.files[path]})).get(task) if path in tree.files else None
        )

    def _read(self, tree: Tree) -> Mapping[str, LockEntry]:
        paths = lock_paths(tree)
        ids = {path: tree.files[path].split(" ")[1] for path in paths}
        unknown = [path for path in paths if f"{path}\0{ids[path]}" not in self._parsed]
        for path, content in zip(unknown, self._git.read([ids[path] for path in unknown]), strict=True):
            self._parsed[f"{path}\0{ids[path]}"] = parse(task_of(path), content)
        return {task_of(path): self._parsed[f"{path}\0{ids[path]}"] for path in paths}


def verdict_ref(tree: Tree, command: str, environment: str) -> str:
    """The ref that remembers a green verdict: of the tree without its lock entries, command and environment."""
    files = [[path, state] for path, state in tree.files.items() if not path.startswith(LOCK_FOLDER)]
    return f"refs/orchestra/verified/{digest([sorted(files), command, environment])}"
