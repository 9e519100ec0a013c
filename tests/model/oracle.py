"""Section 5 of the design told once more, as plainly as it is written: the tests' oracle of freshness."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from orchestra.model.entries import LockEntry
from orchestra.model.keys import Parts, definition_of
from orchestra.model.tasks import Manifest, Task

from .naive_graph import NaiveGraph
from .naive_patterns import naive_match

Files = Mapping[str, str]


@dataclass
class Told:
    """What the oracle says of a task: fresh, stale, reverted or blocked.

    Reasons are (kind, subject), notes (kind, path). `gone` is the entry with which a reverted one last landed.
    """

    state: str = "fresh"
    reasons: set[tuple[str, str | None]] = field(default_factory=set)
    notes: set[tuple[str, str]] = field(default_factory=set)
    gone: LockEntry | None = None

    @property
    def settled(self) -> bool:
        """Whether tasks that need it may go on."""
        return self.state in ("fresh", "reverted")


@dataclass(frozen=True)
class Gone:
    """A landing that the first-parent history says was taken back: its entry, and what it changed, as it left it."""

    entry: LockEntry
    paths: Mapping[str, str | None]


def no_entry(task: str, state: str) -> LockEntry:
    """What reads entries where there is no history."""
    raise AssertionError(f"{task} has no entry {state}")


@lru_cache(maxsize=4096)
def graph_of(tasks: tuple[Task, ...]) -> NaiveGraph:
    """The graph of tasks, remembered: the tests ask for the same one again and again."""
    return NaiveGraph(tasks)


@lru_cache(maxsize=65536)
def any_match(patterns: tuple[str, ...], path: str) -> bool:
    """Whether one of the patterns matches the path."""
    return any(naive_match(pattern, path) for pattern in patterns)


class Oracle:
    """The freshness of tasks on one tree with its entries.

    `passed` are the parts with which checks were green. `line` are the trees of the first-parent history, newest
    first, beginning with this one as it is committed; `entry_at` reads the entry of a task from the state of its
    file there. `wanted` are the tasks that were named, or are forced: what was taken back runs again for them.
    """

    def __init__(
        self,
        manifest: Manifest,
        files: Files,
        entries: Mapping[str, LockEntry],
        passed: Collection[Parts] = (),
        line: Sequence[Files] = (),
        entry_at: Callable[[str, str], LockEntry] = no_entry,
        wanted: Collection[str] = (),
    ) -> None:
        self.manifest = manifest
        self.files = files
        self.entries = entries
        self.passed = passed
        self.line = line
        self.entry_at = entry_at
        self.wanted = wanted
        self.graph = graph_of(manifest.tasks)
        self.gone: dict[str, LockEntry] = {}

    def all(self) -> dict[str, Told]:
        """What is said of every task: one without a reason of its own whose need is not settled is blocked."""
        told: dict[str, Told] = {}
        self.gone.clear()
        for name in self.graph.order([task.name for task in self.manifest.tasks]):
            told[name] = self.task(self.manifest.task(name))
            if told[name].settled and any(not told[need].settled for need in self.manifest.task(name).needs):
                told[name].state = "blocked"
            else:
                gone = told[name].gone
                if gone is not None:
                    self.gone[name] = gone
        return told

    def task(self, task: Task) -> Told:
        """What is said of one task whose needs are as they should be."""
        told = Told()
        if task.claims.is_check:
            if self.parts(task) not in self.passed:
                told.reasons.add(("never-built", None))
        elif task.name not in self.entries:
            told.reasons.add(("never-built", None))
        else:
            entry = self.entries[task.name]
            self._parts_equal(task, entry, told)
            self._outputs_stand(task, entry, told)
        if not told.reasons:
            return told
        gone = self.taken_back(task)
        if gone is not None:
            return Told("reverted", gone=gone.entry)
        told.state = "stale"
        return told

    def taken_back(self, task: Task) -> Gone | None:
        """The landing that is gone from the branch again, if the task is reverted by it."""
        if task.claims.is_check or task.on_drift == "rerun" or task.name in self.wanted:
            return None
        gone = self.landing(task.name)
        if gone is None or not gone.paths:
            return None
        if any(self.files.get(path) == state for path, state in gone.paths.items()):
            return None
        then = gone.entry.parts
        if dict(then.definition) != dict(self._definition(task)) or other_needs(
            then.needs, self._needs(task)
        ):
            return None
        today = self.counted_inputs(task, gone.entry)
        for path in different(self.recorded_inputs(task, gone.entry), today):
            # What it had read of another that was taken back with it.
            if not any(
                self.graph.leads(name, task.name)
                and path in other.outputs
                and other.outputs[path] == then.inputs.get(path)
                for name, other in self.gone.items()
            ):
                return None
        return gone

    def landing(self, name: str) -> Gone | None:
        """The landing of which the history says that it was taken back: the newest change of the entry undid it."""
        place = f".orchestra/lock/{name}.json"
        values = [files.get(place) for files in self.line]
        last = next((n for n, value in enumerate(values) if value != values[0]), None)
        if last is None or values[last] is None:
            return None
        landed = next((n for n in range(last, len(values)) if values[n] != values[last]), len(values))
        if values[0] is not None and values[0] not in values[landed:]:
            return None
        entry = self.entry_at(name, values[last] or "")
        before = self.line[landed] if landed < len(values) else {}
        return Gone(entry, {p: s for p, s in entry.outputs.items() if before.get(p) != s})

    def parts(self, task: Task) -> Parts:
        """The parts of the key of a task that has no entry."""
        return Parts(self._definition(task), self.inputs(task), self._needs(task))

    def inputs(self, task: Task, entry: LockEntry | None = None) -> dict[str, str]:
        """RO(t): files that match declared read patterns and no declared write pattern, never `.orchestra/**`; with
        `triggers: [observed]` also those that the entry says were seen to be read.
        """
        return {
            path: state
            for path, state in self.files.items()
            if (self.reads(task, path) and not self.writes(task, path))
            or (self.observes and entry is not None and path in entry.observed)
        }

    @property
    def observes(self) -> bool:
        """Whether what was seen to be read counts."""
        return "observed" in self.manifest.triggers

    def recorded_inputs(self, task: Task, entry: LockEntry) -> dict[str, str]:
        """What the entry says of inputs; where it does not count, without what was only seen to be read."""
        return {
            path: state
            for path, state in entry.parts.inputs.items()
            if self.observes or path not in entry.observed or self.reads(task, path)
        }

    def counted_inputs(self, task: Task, entry: LockEntry | None = None) -> dict[str, str]:
        """The same where what "t itself, or a task ordered after t, last recorded for it counts as unchanged".

        `entry` is the one to count as t's, else it is today's.
        """
        own = entry or self.entries.get(task.name)
        today = self.inputs(task, own)
        if own is None:
            return today
        recorded = self.recorded_inputs(task, own)
        counted = dict(today)
        recorders = [own, *(e for name, e in self.entries.items() if self.graph.leads(task.name, name))]
        for path in different(recorded, today):
            excused = any(
                path in other.outputs and other.outputs[path] == today.get(path) for other in recorders
            )
            if excused and path in recorded:
                counted[path] = recorded[path]
            elif excused:
                del counted[path]
        return counted

    def reads(self, task: Task, path: str) -> bool:
        """Whether the task declares to read the path."""
        if path.startswith(".orchestra/"):
            return False
        return any_match(task.claims.read, path) and not any_match(task.claims.unread, path)

    def writes(self, task: Task, path: str) -> bool:
        """Whether the task declares to write the path."""
        return any_match((*(task.claims.write or ()), *task.claims.shared), path)

    def _definition(self, task: Task) -> Mapping[str, str]:
        return definition_of(task, self.manifest.agents[task.agent] if task.agent else None)

    def _needs(self, task: Task) -> dict[str, str]:
        found = {}
        for need in task.needs:
            if self.manifest.task(need).claims.is_check:
                found[need] = "none"
            elif need in self.gone:
                found[need] = content_digest(self.gone[need])
            elif need in self.entries:
                found[need] = content_digest(self.entries[need])
        return found

    def _parts_equal(self, task: Task, entry: LockEntry, told: Told) -> None:
        kinds = {"prompt": "prompt-changed", "agent": "agent-changed"}
        for part in different(entry.parts.definition, self._definition(task)):
            told.reasons.add((kinds.get(part, "definition-changed"), part))
        for need in other_needs(entry.parts.needs, self._needs(task)):
            told.reasons.add(("need-changed", need))
        for path in different(self.recorded_inputs(task, entry), self.counted_inputs(task)):
            told.reasons.add(("input-changed", path))

    def _outputs_stand(self, task: Task, entry: LockEntry, told: Told) -> None:
        formatted = {path for path in self.files if self.reads(task, path) and self.writes(task, path)}
        for path in {*entry.outputs, *entry.rewrites, *formatted}:
            recorded = entry.outputs[path] if path in entry.outputs else entry.rewrites.get(path)
            today = self.files.get(path)
            if recorded == today:
                continue
            makers = {
                name
                for name, other in self.entries.items()
                if name != task.name and path in other.outputs and other.outputs[path] == today
            }
            if makers:
                if self.reads(task, path) and any(self.graph.leads(maker, task.name) for maker in makers):
                    told.reasons.add(("input-changed", path))
                else:
                    told.notes.add(("superseded", path))
            elif path in entry.created and today is None:
                told.reasons.add(("output-missing", path))
            elif task.reruns_on_drift:
                told.reasons.add(("drifted", path))
            else:
                told.notes.add(("drifted", path))


def content_digest(entry: LockEntry) -> str:
    """The digest of recorded outputs: of paths and contents, and of nothing else (early cutoff)."""
    text = json.dumps(sorted(map(list, entry.outputs.items())), separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def other_needs(recorded: Mapping[str, str], today: Mapping[str, str]) -> set[str]:
    """The needs that are not as recorded; one that made the same under a name that is gone was renamed."""
    lost = sorted(recorded.keys() - today.keys())
    new = sorted(today.keys() - recorded.keys())
    for name in list(new):
        old = next((old for old in lost if recorded[old] == today[name]), None)
        if old is not None:
            lost.remove(old)
            new.remove(name)
    return {name for name in different(recorded, today) if name in recorded and name in today} | {*lost, *new}


def different(one: Mapping[str, str], other: Mapping[str, str]) -> set[str]:
    """The names whose values differ."""
    return {name for name in {*one, *other} if one.get(name) != other.get(name)}
