"""Freshness is decided as section 5 says: against a naive oracle on random situations, and case by case."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from hypothesis import given, settings
from hypothesis import strategies as st

from orchestra.model.entries import LockEntry
from orchestra.model.freshness import Decision, Reason, ReasonKind, Situation, State, decide, decide_all
from orchestra.model.graph import build_graph
from orchestra.model.keys import Parts
from orchestra.model.tasks import Manifest
from orchestra.model.trees import Tree

from .kit import manifest, task_sets
from .oracle import Oracle

MADE = ("a", "b/a", "b/b", "c", "cc", "x", "prompts/a")
PATHS = (*MADE, ".orchestra/lock/x")
CONTENTS = ("100644 1", "100644 2", "100755 1")


@dataclass
class World:
    """One tree with its entries and verdicts, as real values and for the oracle."""

    manifest: Manifest
    files: dict[str, str]
    entries: dict[str, LockEntry]
    passed: tuple[Parts, ...] = ()

    @property
    def oracle(self) -> Oracle:
        return Oracle(self.manifest, self.files, self.entries, self.passed)

    @property
    def situation(self) -> Situation:
        keys = {parts.key for parts in self.passed}
        graph = build_graph(self.manifest.tasks)
        return Situation(self.manifest, graph, Tree("tip", dict(self.files)), self.entries, keys.__contains__)

    def decide(self, name: str, *, forced: bool = False) -> Decision:
        return decide(self.manifest.task(name), self.situation, forced=forced)

    def fresh_entry(
        self, name: str, outputs: Mapping[str, str | None] | None = None, created: tuple[str, ...] = ()
    ) -> LockEntry:
        """The entry with which the task is fresh here, if its needs have theirs already."""
        one = self.manifest.task(name)
        parts = self.oracle.parts(one)
        rewrites = {
            p: s for p, s in self.files.items() if self.oracle.reads(one, p) and self.oracle.writes(one, p)
        }
        return LockEntry(name, parts, outputs or {}, frozenset(created), rewrites)


@st.composite
def worlds(draw: st.DrawFn) -> World:
    """Small worlds near to all being fresh: what is recorded is what is there, but for a few things."""
    tasks = draw(task_sets(most=4))
    files = draw(st.dictionaries(st.sampled_from(PATHS), st.sampled_from(CONTENTS)))
    one = World(manifest(*tasks), dict(files), {})
    tasks = one.manifest.tasks
    states = st.sampled_from((*CONTENTS, None))
    for each in tasks:
        # Also a check task may have an entry, from the time before it became one: it means nothing.
        if draw(st.sampled_from([True, True, False] if each.claims.is_check else [False] * 7 + [True])):
            continue
        made = draw(st.lists(st.sampled_from(MADE), max_size=3, unique=True))
        outputs = {path: draw(st.one_of(st.just(files.get(path)), states)) for path in made}
        created = tuple(path for path in made if outputs[path] is not None and draw(st.booleans()))
        one.entries[each.name] = one.fresh_entry(each.name, outputs, created)
    # Some parts of keys are as they were when other entries stood.
    for name, entry in one.entries.items():
        if draw(st.integers(0, 3)) == 0:
            needs = dict.fromkeys(entry.parts.needs, "older")
            one.entries[name] = replace(entry, parts=replace(entry.parts, needs=needs))
        else:
            needs = dict(one.oracle.parts(one.manifest.task(name)).needs)
            one.entries[name] = replace(entry, parts=replace(entry.parts, needs=needs))
        if draw(st.integers(0, 5)) == 0:
            changed = {
                **entry.parts.definition,
                draw(st.sampled_from(["prompt", "agent", "check", "env", "command"])): "other",
            }
            one.entries[name] = replace(
                one.entries[name], parts=replace(one.entries[name].parts, definition=changed)
            )
    if draw(st.booleans()):
        one.entries["gone"] = LockEntry("gone", Parts({}), {draw(st.sampled_from(MADE)): draw(states)})
    for path in draw(st.lists(st.sampled_from(PATHS), max_size=3)):
        state = draw(states)
        if state is None:
            one.files.pop(path, None)
        else:
            one.files[path] = state
    # Of some of it another task says that it did it.
    for name, path in draw(
        st.lists(st.tuples(st.sampled_from(sorted(one.entries) or [""]), st.sampled_from(MADE)), max_size=3)
    ):
        if name:
            claimed = {**one.entries[name].outputs, path: one.files.get(path)}
            one.entries[name] = replace(one.entries[name], outputs=claimed)
    one.passed = tuple(
        one.oracle.parts(each) for each in tasks if each.claims.is_check and draw(st.integers(0, 2))
    )
    return replace(
        one, manifest=with_policies(one.manifest, draw(st.lists(st.booleans(), min_size=4, max_size=4)))
    )


def with_policies(one: Manifest, rerun: list[bool]) -> Manifest:
    """The manifest with some tasks that run again where a person changed their outputs."""
    changed = [
        replace(each, on_drift="rerun" if rerun[index] else "accept") for index, each in enumerate(one.tasks)
    ]
    return replace(one, tasks=tuple(changed))


ABOUT_PATHS = (ReasonKind.INPUT_CHANGED, ReasonKind.OUTPUT_MISSING, ReasonKind.DRIFTED)


@settings(max_examples=400, deadline=None)
@given(worlds())
def test_decisions_are_the_oracle_s(world: World) -> None:
    decisions = decide_all(world.situation)
    told = world.oracle.all()
    assert list(decisions) == list(told)
    for name, decision in decisions.items():
        assert decision.state.value == told[name].state, name
        assert {(str(reason.kind), reason.subject) for reason in decision.reasons} == told[name].reasons
        assert {(note.kind, note.path) for note in decision.notes} == told[name].notes
        assert len(set(decision.reasons)) == len(decision.reasons)
        paths = [reason for reason in decision.reasons if reason.kind in ABOUT_PATHS]
        assert len({(reason.subject, reason.old) for reason in paths}) == len(
            {reason.subject for reason in paths}
        )
        assert all(reason.new == world.files.get(str(reason.subject)) for reason in paths if reason.new)
        if not world.manifest.task(name).claims.is_check:
            assert decision.parts.inputs == world.oracle.counted_inputs(world.manifest.task(name))
        if decision.state is State.BLOCKED:
            decision = replace(decision, state=State.FRESH)
        assert world.decide(name) == decision
        assert world.decide(name, forced=True).reasons == (*decision.reasons, Reason(ReasonKind.FORCED))


@settings(max_examples=250, deadline=None)
@given(worlds(), st.integers(0, 9))
def test_undoing_what_is_named_makes_fresh_and_nothing_less_does(world: World, left_out: int) -> None:
    """I13, on trees: the paths go back to what the reasons say that they were, the parts to what was recorded."""
    for name, decision in decide_all(world.situation).items():
        kinds = {reason.kind for reason in decision.reasons}
        if decision.state is not State.STALE or ReasonKind.NEVER_BUILT in kinds:
            continue
        by_subject: dict[str | None, list[Reason]] = {}
        for reason in decision.reasons:
            by_subject.setdefault(reason.subject, []).append(reason)
        groups = list(by_subject.values())
        assert undone(world, name, groups).decide(name).fresh
        del groups[left_out % len(groups)]
        assert not undone(world, name, groups).decide(name).fresh


def undone(world: World, name: str, groups: list[list[Reason]]) -> World:
    """The world in which these changes were never made."""
    files = dict(world.files)
    entry = world.entries[name]
    definition, needs = dict(entry.parts.definition), dict(entry.parts.needs)
    for reason in (reason for group in groups for reason in group):
        subject = reason.subject or ""
        match reason.kind:
            case ReasonKind.INPUT_CHANGED | ReasonKind.DRIFTED | ReasonKind.OUTPUT_MISSING:
                put(files, subject, reason.old)
            case ReasonKind.NEED_CHANGED:
                put(needs, subject, reason.new)
            case _:
                put(definition, subject, reason.new)
    parts = replace(entry.parts, definition=definition, needs=needs)
    return replace(world, files=files, entries={**world.entries, name: replace(entry, parts=parts)})


def put(mapping: dict[str, str], name: str, value: str | None) -> None:
    if value is None:
        mapping.pop(name, None)
    else:
        mapping[name] = value
