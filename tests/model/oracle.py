"""Section 5 of the design told once more, as plainly as it is written: the tests' oracle of freshness.

What is not built yet (reverts, triggers) is left out, as it is in the code.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from orchestra.model.entries import LockEntry
from orchestra.model.keys import Parts, definition_of
from orchestra.model.tasks import Manifest, Task

from .naive_graph import NaiveGraph
from .naive_patterns import naive_match

Files = Mapping[str, str]


@dataclass
class Told:
    """What the oracle says of a task: fresh, stale or blocked; reasons as (kind, subject); notes as (kind, path)."""

    state: str = "fresh"
    reasons: set[tuple[str, str | None]] = field(default_factory=set)
    notes: set[tuple[str, str]] = field(default_factory=set)


def any_match(patterns: Collection[str], path: str) -> bool:
    """Whether one of the patterns matches the path."""
    return any(naive_match(pattern, path) for pattern in patterns)


class Oracle:
    """The freshness of tasks on one tree with its entries; `passed` are the parts with which checks were green."""

    def __init__(
        self,
        manifest: Manifest,
        files: Files,
        entries: Mapping[str, LockEntry],
        passed: Collection[Parts] = (),
    ) -> None:
        self.manifest = manifest
        self.files = files
        self.entries = entries
        self.passed = passed
        self.graph = NaiveGraph(manifest.tasks)

    def all(self) -> dict[str, Told]:
        """What is said of every task: one without a reason of its own whose need is not fresh is blocked."""
        told: dict[str, Told] = {}
        for name in self.graph.order([task.name for task in self.manifest.tasks]):
            told[name] = self.task(self.manifest.task(name))
            if told[name].state == "fresh" and any(
                told[need].state != "fresh" for need in self.manifest.task(name).needs
            ):
                told[name].state = "blocked"
        return told

    def task(self, task: Task) -> Told:
        """What is said of one task whose needs are as they should be."""
        told = Told()
        if task.claims.write == () and not task.claims.exclusive:
            if self.parts(task) not in self.passed:
                told.reasons.add(("never-built", None))
        elif task.name not in self.entries:
            told.reasons.add(("never-built", None))
        else:
            entry = self.entries[task.name]
            self._parts_equal(task, entry, told)
            self._outputs_stand(task, entry, told)
        if told.reasons:
            told.state = "stale"
        return told

    def parts(self, task: Task) -> Parts:
        """The parts of the key of a task that has no entry."""
        return Parts(self._definition(task), self.inputs(task), self._needs(task))

    def inputs(self, task: Task) -> dict[str, str]:
        """RO(t): files that match declared read patterns and no declared write pattern, never `.orchestra/**`."""
        return {
            path: state
            for path, state in self.files.items()
            if self.reads(task, path) and not self.writes(task, path)
        }

    def counted_inputs(self, task: Task) -> dict[str, str]:
        """The same where what "t itself, or a task ordered after t, last recorded for it counts as unchanged"."""
        today = self.inputs(task)
        if task.name not in self.entries:
            return today
        recorded = self.entries[task.name].parts.inputs
        counted = dict(today)
        for path in different(recorded, today):
            excused = any(
                path in other.outputs and other.outputs[path] == today.get(path)
                for name, other in self.entries.items()
                if name == task.name or self.graph.leads(task.name, name)
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
        return any_match(task.claims.write or (), path)

    def _definition(self, task: Task) -> Mapping[str, str]:
        return definition_of(task, self.manifest.agents[task.agent] if task.agent else None)

    def _needs(self, task: Task) -> dict[str, str]:
        found = {}
        for need in task.needs:
            if self.manifest.task(need).claims.write == () and not self.manifest.task(need).claims.exclusive:
                found[need] = "none"
            elif need in self.entries:
                found[need] = self.entries[need].outputs_digest()
        return found

    def _parts_equal(self, task: Task, entry: LockEntry, told: Told) -> None:
        kinds = {"prompt": "prompt-changed", "agent": "agent-changed"}
        for part in different(entry.parts.definition, self._definition(task)):
            told.reasons.add((kinds.get(part, "definition-changed"), part))
        for need in different(entry.parts.needs, self._needs(task)):
            told.reasons.add(("need-changed", need))
        for path in different(entry.parts.inputs, self.counted_inputs(task)):
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


def different(one: Mapping[str, str], other: Mapping[str, str]) -> set[str]:
    """The names whose values differ."""
    return {name for name in {*one, *other} if one.get(name) != other.get(name)}
