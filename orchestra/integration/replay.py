"""Replay: a recorded result of the same action key is applied, and nothing runs.

A result that landed is applied only where all that it wrote, and all that its task may write, is as it was in its
base. One that was captured and then cut off (a crash, an interrupt) goes on where it stopped: at the audit. Where
a task has no entry but the tree holds all that a result wrote, only the entry is missing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from orchestra.integration.audit import audit
from orchestra.integration.line import Line
from orchestra.integration.refs import CAPTURED, RESULTS
from orchestra.model.entries import LockEntry
from orchestra.model.freshness import Decision
from orchestra.model.keys import Parts, key_in_ref
from orchestra.model.patterns import PatternSet
from orchestra.model.ports import Store
from orchestra.model.reading import observed_inputs, rewrite_set
from orchestra.model.tasks import Manifest, Task
from orchestra.model.trailers import read_reads, read_result_message
from orchestra.model.trees import Change, Tree, differences


@dataclass(frozen=True, slots=True)
class Replay:
    """A kept result that can go to the landing: the attempt that made it, its commit and base, the agent's last
    word, and what the agent was seen to read. `cut_off`: it never came to its landing.
    """

    attempt: str
    result: str
    base: str
    summary: str
    cut_off: bool
    reads: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Restore:
    """The tree holds all that the attempt (None: not known) did; `changes` are what it changed then, `reads` what its
    agent was seen to read.

    `cut_off` is the commit that keeps its result, where that was never settled.
    """

    attempt: str | None
    changes: tuple[Change, ...]
    cut_off: str | None = None
    reads: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Kept:
    attempt: str
    commit: str
    cut_off: bool


class Replays:
    """The results that earlier builds kept, asked for by action key."""

    def __init__(self, git: Store, line: Line, manifest: Manifest) -> None:
        self._git = git
        self._line = line
        self._manifest = manifest
        self._names = {task.name for task in manifest.tasks}
        self._by_key: Mapping[str, list[_Kept]] | None = None

    def find(self, task: Task, decision: Decision) -> Replay | Restore | None:
        """What can stand for an attempt of the task on the tip of the line, on which the decision was taken."""
        has_entry = task.name in self._line.entries
        if not has_entry and (renamed := self._renamed(decision)) is not None:
            return renamed
        for kept in self._kept(decision.attempted.key):
            found = self._use(task, kept, has_entry=has_entry)
            if found is not None:
                return found
        return None

    def _kept(self, key: str) -> list[_Kept]:
        if self._by_key is None:
            by_key: dict[str, list[_Kept]] = {}
            for ref, commit in self._git.refs_below(CAPTURED, RESULTS).items():
                cut_off = ref.startswith(CAPTURED)
                name, _, attempt = ref.removeprefix(CAPTURED if cut_off else RESULTS).partition("/")
                by_key.setdefault(name, []).append(_Kept(attempt, commit, cut_off))
            # What never landed first, and of each the newest.
            for found in by_key.values():
                found.sort(key=lambda kept: (kept.cut_off, kept.attempt), reverse=True)
            self._by_key = by_key
        return list(self._by_key.get(key_in_ref(key), ()))

    def _use(self, task: Task, kept: _Kept, *, has_entry: bool) -> Replay | Restore | None:
        message = self._git.message(kept.commit)
        maker, summary = read_result_message(message)
        if maker is None or (maker != task.name and maker in self._names):
            # Two tasks of the same words are two tasks; one that was renamed is the same.
            return None
        parents = self._git.parents(kept.commit)
        if not parents:
            return None
        base, result, now = self._git.tree(parents[0]), self._git.tree(kept.commit), self._line.tree
        changes, reads = differences(base, result), read_reads(message)
        written = {change.path for change in changes}
        if self._manifest.observes and any(
            base.state(path) != now.state(path) for path in observed_inputs(task, reads, base, written)
        ):
            # What it had read is no part of the key by which it is found, and is not as it was.
            return None
        if kept.cut_off and changes:
            return Replay(kept.attempt, kept.commit, parents[0], summary, True, reads)
        if audit(task, changes, self._manifest, result) is not None:
            return None
        unsettled = kept.commit if kept.cut_off else None
        if not has_entry and _holds(task, changes, result, now):
            return Restore(kept.attempt, changes, unsettled, reads)
        if _untouched(task, changes, base, now):
            if not changes:
                return Restore(kept.attempt, (), unsettled, reads)
            return Replay(kept.attempt, kept.commit, parents[0], summary, False, reads)
        return None

    def _renamed(self, decision: Decision) -> Restore | None:
        """What a task that left the manifest recorded for the very same key, where it stands: this is its new name."""
        for name, entry in self._line.entries.items():
            if (
                name not in self._names
                and entry.parts == self._parts(decision, entry)
                and self._stands(entry)
            ):
                changes = tuple(
                    Change(path, None if path in entry.created else state, state)
                    for path, state in entry.outputs.items()
                )
                return Restore(None, changes, reads=tuple(sorted(entry.observed)))
        return None

    def _parts(self, decision: Decision, entry: LockEntry) -> Parts:
        """The parts of an attempt that read what the entry says was read."""
        parts = decision.attempted
        if not self._manifest.observes or not entry.observed:
            return parts
        files = self._line.tree.files
        return replace(parts, inputs={**parts.inputs, **{p: files[p] for p in entry.observed if p in files}})

    def _stands(self, entry: LockEntry) -> bool:
        return all(self._line.tree.state(path) == state for path, state in entry.outputs.items())


def _untouched(task: Task, changes: tuple[Change, ...], base: Tree, now: Tree) -> bool:
    """Whether all that the result wrote, and every file that the task may write, is as it was in its base."""
    if any(now.state(change.path) != change.before for change in changes):
        return False
    claimed = PatternSet.of(task.claims.writable or task.claims.inferred_patterns("write"))
    return all(
        base.state(path) == now.state(path) for path in {*base.matching(claimed), *now.matching(claimed)}
    )


def _holds(task: Task, changes: tuple[Change, ...], result: Tree, now: Tree) -> bool:
    """Whether the tree holds all that a result wrote.

    What the task both reads and writes is input and output in one: there, not only what it changed counts.
    """
    paths = {change.path for change in changes}
    paths |= {*rewrite_set(task, result), *rewrite_set(task, now)}
    return all(now.state(path) == result.state(path) for path in paths)
