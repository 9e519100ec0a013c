"""Is a task fresh on a tree, and if not, why: the rules of freshness, in the one place that decides.

A pure function of the tree, the lock entries in it and the manifest, so that it survives clone, branch
switch, cherry-pick and rebase. What explains a decision is made by the code that takes it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from orchestra.model.entries import LockEntry
from orchestra.model.graph import Graph
from orchestra.model.keys import NO_OUTPUTS, Parts, definition_of
from orchestra.model.reading import reads_path, split_reads
from orchestra.model.tasks import AgentSpec, Manifest, Task
from orchestra.model.trees import FileState, Tree


class State(StrEnum):
    """What a task is on a tree."""

    FRESH = "fresh"
    STALE = "stale"
    REVERTED = "reverted"
    BLOCKED = "blocked"


class ReasonKind(StrEnum):
    """Why a task is stale."""

    NEVER_BUILT = "never-built"
    PROMPT_CHANGED = "prompt-changed"
    DEFINITION_CHANGED = "definition-changed"
    AGENT_CHANGED = "agent-changed"
    INPUT_CHANGED = "input-changed"
    NEED_CHANGED = "need-changed"
    OUTPUT_MISSING = "output-missing"
    DRIFTED = "drifted"
    FORCED = "forced"


@dataclass(frozen=True, slots=True)
class Reason:
    """One reason with its evidence: the path, task or part it is about, its old and its new value."""

    kind: ReasonKind
    subject: str | None = None
    old: str | None = None
    new: str | None = None

    def __str__(self) -> str:
        return f"{self.kind}: {self.subject}" if self.subject else str(self.kind)


@dataclass(frozen=True, slots=True)
class Note:
    """Something about a task that a person may want to know: `drifted` or `superseded`, and the path."""

    kind: str
    path: str


@dataclass(frozen=True, slots=True)
class Landing:
    """A landing of a task that is gone from the branch again, as the first-parent history tells it.

    `entry` is what it recorded, `paths` what it changed, each with the state in which it left it. `commit` landed
    it, `undone` is the commit that took the entry back.
    """

    entry: LockEntry
    paths: Mapping[str, FileState | None]
    commit: str
    undone: str


@dataclass(frozen=True, slots=True)
class Decision:
    """What was decided about a task on a tree, with the parts of its key as they are there.

    In `parts`, inputs that count as unchanged have their recorded value; `seen` are all inputs as they are.
    `reverted` is the landing that is gone, where the state is REVERTED.
    """

    task: str
    state: State
    parts: Parts
    reasons: tuple[Reason, ...] = ()
    notes: tuple[Note, ...] = ()
    seen: Mapping[str, FileState] = field(default_factory=dict, repr=False)
    reverted: Landing | None = None

    @property
    def fresh(self) -> bool:
        """Whether nothing needs to run, since what the task did is there."""
        return self.state is State.FRESH

    @property
    def settled(self) -> bool:
        """Whether nothing needs to run, and tasks that need this one may go on."""
        return self.state in (State.FRESH, State.REVERTED)

    @property
    def attempted(self) -> Parts:
        """The parts of an attempt that starts here: what it sees, and what it will record."""
        return Parts(self.parts.definition, self.seen, self.parts.needs)

    @property
    def key(self) -> str:
        """The action key of the task on this tree."""
        return self.parts.key


@dataclass(frozen=True, slots=True)
class Situation:
    """All that a decision depends on.

    `entries` are the lock entries by task, those of tasks that left the manifest included. `passed` tells
    whether a green verdict is remembered for a check task's key. `undone` gives the landing of a task that the
    history says was taken back, None where there is none. `reverted` are the entries with which tasks that were
    found reverted last landed: they are decided before those that need them.
    """

    manifest: Manifest
    graph: Graph
    tree: Tree
    entries: Mapping[str, LockEntry]
    passed: Callable[[str], bool] = field(default=lambda key: False)
    undone: Callable[[str], Landing | None] = field(default=lambda task: None)
    reverted: Mapping[str, LockEntry] = field(default_factory=dict)


def agent_spec(task: Task, manifest: Manifest) -> AgentSpec | None:
    """The description of the agent that a task names, None where it names none."""
    return manifest.agents[task.agent] if task.agent is not None else None


def decide(task: Task, at: Situation, *, forced: bool = False, wanted: bool = False) -> Decision:
    """Decide one task, taking its needs as settled: only what is recorded of them is looked at.

    `forced`: it is to run in any case. `wanted`: it was named, so that it runs also where it was reverted.
    """
    entry = None if task.claims.is_check else at.entries.get(task.name)
    definition = definition_of(task, agent_spec(task, at.manifest))
    read, rewritten = split_reads(task, at.tree)
    seen = _seen(at, read, entry)
    inputs, changed = _inputs(task, at, seen, entry)
    needs = _needs(task, at)
    parts = Parts(definition, inputs, needs)
    reasons: list[Reason] = []
    notes: list[Note] = []
    if task.claims.is_check:
        if not at.passed(parts.key):
            reasons.append(Reason(ReasonKind.NEVER_BUILT))
    elif entry is None:
        reasons.append(Reason(ReasonKind.NEVER_BUILT))
    else:
        reasons += _definition_changes(entry, definition)
        reasons += changed
        reasons += _need_changes(entry, needs)
        found, notes = _output_changes(task, at, entry, rewritten)
        reasons += (reason for reason in found if reason not in reasons)
    if reasons and not forced and not wanted:
        landing = _reverted(task, at, read, definition, needs)
        if landing is not None:
            return Decision(task.name, State.REVERTED, parts, seen=seen, reverted=landing)
    if forced:
        reasons.append(Reason(ReasonKind.FORCED))
    state = State.STALE if reasons else State.FRESH
    return Decision(task.name, state, parts, tuple(reasons), tuple(notes), seen)


def decide_all(at: Situation) -> Mapping[str, Decision]:
    """Decide every task on one tree, for `status` and `explain`.

    A task with no reason of its own that needs a stale one is blocked: whether it must run shows once that
    one has landed.
    """
    decisions: dict[str, Decision] = {}
    reverted = dict(at.reverted)
    at = replace(at, reverted=reverted)
    for name in at.graph.order:
        task = at.graph.task(name)
        decision = decide(task, at)
        if decision.settled and any(not decisions[need].settled for need in task.needs):
            decision = replace(decision, state=State.BLOCKED, reverted=None)
        elif decision.reverted is not None:
            reverted[name] = decision.reverted.entry
        decisions[name] = decision
    return decisions


def _reverted(
    task: Task,
    at: Situation,
    read: tuple[str, ...],
    definition: Mapping[str, str],
    needs: Mapping[str, str],
) -> Landing | None:
    """The landing that somebody took back, where the task would have been fresh with it and nothing of it is left."""
    # What is written as `on_drift: rerun` asks for the result whatever became of it; the default does not.
    if task.claims.is_check or task.on_drift == "rerun":
        return None
    landing = at.undone(task.name)
    if landing is None or not landing.paths:
        return None
    if any(at.tree.state(path) == state for path, state in landing.paths.items()):
        return None
    entry = landing.entry
    if _definition_changes(entry, definition) or _need_changes(entry, needs):
        return None
    before = at.graph.before(task.name)
    gone = [at.reverted[name] for name in at.reverted if name in before]
    _, changed = _inputs(task, at, _seen(at, read, entry), entry)
    # What it read of a result that was taken back with it is no news either.
    news = [
        reason
        for reason in changed
        if not any(
            reason.subject in one.outputs
            and one.outputs[reason.subject] == entry.parts.inputs.get(reason.subject)
            for one in gone
            if reason.subject is not None
        )
    ]
    return None if news else landing


def _seen(at: Situation, read: tuple[str, ...], entry: LockEntry | None) -> Mapping[str, FileState]:
    """All inputs as they are: what is declared, and where the manifest asks for it what was observed."""
    files = at.tree.files
    seen = {path: files[path] for path in read}
    if entry is not None and at.manifest.observes:
        seen |= {path: files[path] for path in entry.observed if path in files}
    return seen


def _inputs(
    task: Task, at: Situation, today: Mapping[str, FileState], entry: LockEntry | None
) -> tuple[Mapping[str, FileState], list[Reason]]:
    """Today's inputs part, with what counts as unchanged at its recorded value, and what did change."""
    if entry is None:
        return today, []
    recorded = entry.parts.inputs
    if entry.observed and not at.manifest.observes:
        # Nobody asks for what was observed any more.
        recorded = {p: s for p, s in recorded.items() if p not in entry.observed or reads_path(task, p)}
    if today == recorded:
        return recorded, []
    own = [entry, *(at.entries[name] for name in at.graph.after(task.name) if name in at.entries)]
    inputs: dict[str, FileState] = {}
    reasons: list[Reason] = []
    for path in sorted({*today, *recorded}):
        was, now = recorded.get(path), today.get(path)
        # A change that the task itself or one ordered after it made is no news to it.
        if was != now and not any(path in e.outputs and e.outputs[path] == now for e in own):
            # What the task itself left there is what would have to come back.
            old = entry.outputs.get(path, was)
            reasons.append(Reason(ReasonKind.INPUT_CHANGED, path, old, now))
            value = now
        else:
            value = was
        if value is not None:
            inputs[path] = value
    return inputs, reasons


def _needs(task: Task, at: Situation) -> Mapping[str, str]:
    needs: dict[str, str] = {}
    for name in task.needs:
        if at.graph.task(name).claims.is_check:
            needs[name] = NO_OUTPUTS
        elif name in at.reverted:
            # What dependents saw of it counts on, although it is gone.
            needs[name] = at.reverted[name].outputs_digest()
        elif name in at.entries:
            needs[name] = at.entries[name].outputs_digest()
    return needs


def _definition_changes(entry: LockEntry, today: Mapping[str, str]) -> list[Reason]:
    kinds = {"prompt": ReasonKind.PROMPT_CHANGED, "agent": ReasonKind.AGENT_CHANGED}
    recorded = entry.parts.definition
    return [
        Reason(kinds.get(part, ReasonKind.DEFINITION_CHANGED), part, recorded.get(part), today.get(part))
        for part in sorted({*recorded, *today})
        if recorded.get(part) != today.get(part)
    ]


def _need_changes(entry: LockEntry, today: Mapping[str, str]) -> list[Reason]:
    recorded = entry.parts.needs
    lost = {name: value for name, value in recorded.items() if name not in today}
    changed = {name for name in recorded if name in today and recorded[name] != today[name]}
    for name, value in sorted(today.items()):
        if name in recorded:
            continue
        # What made the very same under another name was renamed.
        renamed = next((other for other, made in lost.items() if made == value), None)
        if renamed is None:
            changed.add(name)
        else:
            del lost[renamed]
    return [
        Reason(ReasonKind.NEED_CHANGED, name, recorded.get(name), today.get(name))
        for name in sorted({*lost, *changed})
    ]


def _output_changes(
    task: Task, at: Situation, entry: LockEntry, rewritten: tuple[str, ...]
) -> tuple[list[Reason], list[Note]]:
    """What became of the paths that the task left behind: missing, superseded or drifted."""
    reasons: list[Reason] = []
    notes: list[Note] = []
    known: dict[str, FileState | None] = {**entry.rewrites, **entry.outputs}
    for path in rewritten:
        known.setdefault(path, None)
    for path in sorted(known):
        was, now = known[path], at.tree.state(path)
        if was == now:
            continue
        makers = [
            name
            for name, other in at.entries.items()
            if name != task.name and path in other.outputs and other.outputs[path] == now
        ]
        if now is None and path in entry.created and not makers:
            reasons.append(Reason(ReasonKind.OUTPUT_MISSING, path, was, None))
        elif makers:
            before = at.graph.before(task.name)
            if reads_path(task, path) and any(maker in before for maker in makers):
                reasons.append(Reason(ReasonKind.INPUT_CHANGED, path, was, now))
            else:
                notes.append(Note("superseded", path))
        elif task.reruns_on_drift:
            reasons.append(Reason(ReasonKind.DRIFTED, path, was, now))
        else:
            notes.append(Note("drifted", path))
    return reasons, notes
