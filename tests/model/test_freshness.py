"""Freshness is decided as section 5 says: against a naive oracle on random situations, and case by case."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from hypothesis import given, settings
from hypothesis import strategies as st

from orchestra.model.entries import LockEntry, lock_path
from orchestra.model.freshness import (
    Decision,
    Landing,
    Reason,
    ReasonKind,
    Situation,
    State,
    decide,
    decide_all,
)
from orchestra.model.graph import build_graph
from orchestra.model.keys import Parts
from orchestra.model.tasks import Manifest, OnDrift
from orchestra.model.trees import Tree

from .kit import manifest, task_sets
from .oracle import Oracle

MADE = ("a", "b/a", "b/b", "c", "cc", "x", "prompts/a")
PATHS = (*MADE, ".orchestra/lock/x")
POLICIES: tuple[OnDrift | None, ...] = ("rerun", None, None, "rerun", None, "accept")
CONTENTS = ("100644 1", "100644 2", "100755 1")


@dataclass
class World:
    """One tree with its entries, its history and verdicts, as real values and for the oracle.

    `past` are the trees before it, newest first. There and in `tokens` (of today) an entry's state is a word, and
    `known` tells what it stands for.
    """

    manifest: Manifest
    files: dict[str, str]
    entries: dict[str, LockEntry]
    passed: tuple[Parts, ...] = ()
    past: tuple[dict[str, str], ...] = ()
    tokens: dict[str, str] = field(default_factory=dict)
    known: dict[tuple[str, str], LockEntry] = field(default_factory=dict)

    @property
    def oracle(self) -> Oracle:
        return self.asked()

    def asked(self, *wanted: str) -> Oracle:
        """The oracle, where these tasks are wanted."""
        line = [with_entries(self.files, self.tokens), *self.past] if self.past else []
        return Oracle(
            self.manifest,
            self.files,
            self.entries,
            self.passed,
            line,
            lambda name, state: self.known[name, state],
            wanted,
        )

    @property
    def situation(self) -> Situation:
        keys = {parts.key for parts in self.passed}
        graph = build_graph(self.manifest.tasks)
        told = self.oracle

        def undone(name: str) -> Landing | None:
            gone = told.landing(name)
            return Landing(gone.entry, gone.paths, "landed", "undone") if gone else None

        tree = Tree("tip", dict(self.files))
        return Situation(self.manifest, graph, tree, self.entries, keys.__contains__, undone)

    def decide(
        self,
        name: str,
        gone: Mapping[str, LockEntry] | None = None,
        *,
        forced: bool = False,
        wanted: bool = False,
    ) -> Decision:
        """What is decided where `gone` are reverted (else those that are)."""
        told = self.oracle
        told.all()
        at = replace(self.situation, reverted=told.gone if gone is None else gone)
        return decide(self.manifest.task(name), at, forced=forced, wanted=wanted)

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
def worlds(draw: st.DrawFn, calm: bool = False) -> World:
    """Small worlds near to all being fresh: what is recorded is what is there, but for a few things.

    In `calm` ones nothing is amiss but what somebody took back, and many read what the others made.
    """
    tasks = draw(task_sets(most=4))
    if calm:
        tasks = tuple(
            replace(each, claims=replace(each.claims, read=("**",))) if draw(st.integers(0, 2)) == 2 else each
            for each in tasks
        )
    files = draw(st.dictionaries(st.sampled_from(PATHS), st.sampled_from(CONTENTS)))
    one = World(manifest(*tasks), dict(files), {})
    tasks = one.manifest.tasks
    states = st.sampled_from((*CONTENTS, None))
    for each in tasks:
        # Also a check task may have an entry, from the time before it became one: it means nothing.
        missing = [True, True, False] if each.claims.is_check else [False] * 7 + [True]
        if not (calm and not each.claims.is_check) and draw(st.sampled_from(missing)):
            continue
        made = draw(
            st.lists(st.sampled_from(MADE), min_size=int(calm), max_size=2 if calm else 3, unique=True)
        )
        outputs = {path: draw(st.one_of(st.just(files.get(path)), states)) for path in made}
        created = tuple(path for path in made if outputs[path] is not None and draw(st.booleans()))
        one.entries[each.name] = one.fresh_entry(each.name, outputs, created)
        if calm:
            for path, state in outputs.items():
                put(one.files, path, state)
    if calm:
        # Each saw what the others made.
        for name, entry in one.entries.items():
            seen = one.oracle.inputs(one.manifest.task(name))
            one.entries[name] = replace(entry, parts=replace(entry.parts, inputs=seen))
    # Some were seen to read more than they declare, whether that counts or not.
    observing = draw(st.booleans())
    one.manifest = replace(one.manifest, triggers=("observed",) if observing else ())
    for name, entry in one.entries.items():
        more = draw(st.lists(st.sampled_from(MADE), max_size=2, unique=True)) if draw(st.booleans()) else []
        more = [p for p in more if p in files and not one.oracle.reads(one.manifest.task(name), p)]
        observed = {path: files[path] if calm or draw(st.integers(0, 3)) else CONTENTS[0] for path in more}
        parts = replace(entry.parts, inputs={**entry.parts.inputs, **observed})
        one.entries[name] = replace(entry, parts=parts, observed=frozenset(observed))
    # Some parts of keys are as they were when other entries stood.
    for name, entry in one.entries.items():
        if not calm and draw(st.integers(0, 3)) == 0:
            needs = dict.fromkeys(entry.parts.needs, "older")
            one.entries[name] = replace(entry, parts=replace(entry.parts, needs=needs))
        else:
            needs = dict(one.oracle.parts(one.manifest.task(name)).needs)
            one.entries[name] = replace(entry, parts=replace(entry.parts, needs=needs))
        if not calm and draw(st.integers(0, 5)) == 0:
            changed = {
                **entry.parts.definition,
                draw(st.sampled_from(["prompt", "agent", "check", "env", "command"])): "other",
            }
            one.entries[name] = replace(
                one.entries[name], parts=replace(one.entries[name].parts, definition=changed)
            )
    if draw(st.booleans()):
        one.entries["gone"] = LockEntry("gone", Parts({}), {draw(st.sampled_from(MADE)): draw(states)})
    for path in () if calm else draw(st.lists(st.sampled_from(PATHS), max_size=3)):
        state = draw(states)
        if state is None:
            one.files.pop(path, None)
        else:
            one.files[path] = state
    # Of some of it another task says that it did it.
    for name, path in draw(
        st.lists(st.tuples(st.sampled_from(sorted(one.entries) or [""]), st.sampled_from(MADE)), max_size=3)
    ):
        if name and not calm:
            claimed = {**one.entries[name].outputs, path: one.files.get(path)}
            one.entries[name] = replace(one.entries[name], outputs=claimed)
    one.passed = tuple(
        one.oracle.parts(each) for each in tasks if each.claims.is_check and draw(st.integers(0, 2))
    )
    if calm or draw(st.booleans()):
        draw(took_back(one))
    policies = draw(st.lists(st.sampled_from(POLICIES[4 * calm :]), min_size=4, max_size=4))
    return replace(one, manifest=with_policies(one.manifest, policies))


def with_policies(one: Manifest, policies: list[OnDrift | None]) -> Manifest:
    """The manifest with tasks of which some run again where a person changed their outputs."""
    changed = [replace(each, on_drift=policies[index]) for index, each in enumerate(one.tasks)]
    return replace(one, tasks=tuple(changed))


def with_entries(files: Mapping[str, str], tokens: Mapping[str, str]) -> dict[str, str]:
    """The files with those of the entries."""
    return {**files, **{lock_path(name): token for name, token in tokens.items()}}


def seldom(draw: st.DrawFn) -> bool:
    return draw(st.integers(0, 6)) == 6


@st.composite
def took_back(draw: st.DrawFn, one: World) -> None:
    """Give the world a history in which what some tasks landed is gone again, or is not quite."""
    landed, tokens = dict(one.files), dict.fromkeys(one.entries, "1")
    one.known.update({(name, "1"): entry for name, entry in one.entries.items()})
    before, earlier = dict(landed), dict(tokens)
    names = [name for name in sorted(one.entries) if draw(st.integers(0, 4))]
    for name in names:
        entry = one.entries.pop(name)
        for path, state in entry.outputs.items():
            # Of most that is recorded, what landed is what is recorded.
            if not seldom(draw):
                put(landed, path, state)
            others = [other for other in (None, *CONTENTS) if other != state]
            put(before, path, draw(st.sampled_from(others)))
            put(one.files, path, landed.get(path) if seldom(draw) else before.get(path))
        del earlier[name]
        token = draw(st.sampled_from([None, None, "0", "2"]))
        if token is not None:
            # An older entry, or one that came otherwise.
            older = replace(entry, parts=replace(entry.parts, definition={"prompt": "older"}))
            one.entries[name] = one.known[name, token] = older
        if token == "0" or seldom(draw):
            earlier[name] = "0"
            one.known.setdefault((name, "0"), entry)
        one.tokens |= {} if token is None else {name: token}
        if seldom(draw):
            # The prompt was another when it landed.
            one.known[name, "1"] = replace(entry, parts=replace(entry.parts, definition={"prompt": "other"}))
    one.tokens |= {name: token for name, token in tokens.items() if name not in names}
    moments = [with_entries(landed, tokens), with_entries(before, earlier)]
    if seldom(draw):
        # Taken back, landed once more, taken back once more.
        moments = [*moments, *moments]
    if draw(st.booleans()):
        moments.insert(0, with_entries(one.files, one.tokens))
    if seldom(draw):
        del moments[-1]
    one.past = tuple(moments)


ABOUT_PATHS = (ReasonKind.INPUT_CHANGED, ReasonKind.OUTPUT_MISSING, ReasonKind.DRIFTED)


@settings(max_examples=400, deadline=None)
@given(worlds())
def test_decisions_are_the_oracle_s(world: World) -> None:
    decided_as_told(world)


@settings(max_examples=400, deadline=None)
@given(worlds(calm=True))
def test_decisions_are_the_oracle_s_on_what_was_taken_back(world: World) -> None:
    decided_as_told(world)


def decided_as_told(world: World) -> None:
    """Every decision is what the oracle says, with its reasons, notes and parts."""
    decisions = decide_all(world.situation)
    oracle = world.oracle
    told = oracle.all()
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
            assert decision.parts.inputs == oracle.counted_inputs(world.manifest.task(name))
        assert (decision.reverted and decision.reverted.entry) == told[
            name
        ].gone or decision.state is State.BLOCKED
        again = world.decide(name)
        if decision.state is State.BLOCKED:
            assert again.settled
        else:
            assert again == decision
        plain = world.asked(name).all()[name]
        for decided in (world.decide(name, wanted=True), world.decide(name, forced=True)):
            reasons = {(str(reason.kind), reason.subject) for reason in decided.reasons}
            assert reasons - {("forced", None)} == plain.reasons
        assert decided.reasons[-1] == Reason(ReasonKind.FORCED) and decided.state is State.STALE


@settings(max_examples=250, deadline=None)
@given(st.one_of(worlds(), worlds(calm=True)), st.integers(0, 9))
def test_undoing_what_is_named_makes_fresh_and_nothing_less_does(world: World, left_out: int) -> None:
    """I13, on trees: the paths go back to what the reasons say that they were, the parts to what was recorded."""
    decisions = decide_all(world.situation)
    gone = {name: decision.reverted.entry for name, decision in decisions.items() if decision.reverted}
    for name, decision in decisions.items():
        kinds = {reason.kind for reason in decision.reasons}
        if decision.state is not State.STALE or ReasonKind.NEVER_BUILT in kinds:
            continue
        by_subject: dict[str | None, list[Reason]] = {}
        for reason in decision.reasons:
            by_subject.setdefault(reason.subject, []).append(reason)
        groups = list(by_subject.values())
        assert undone(world, name, groups).decide(name, gone).fresh
        del groups[left_out % len(groups)]
        assert not undone(world, name, groups).decide(name, gone).fresh


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
