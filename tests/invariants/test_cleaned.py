"""What `orchestra clean` drops, no build misses: of two persons with the same work, one cleans, and then both build.

What is dropped without regard to age can only make an attempt run that would have been replayed.
"""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from orchestra.integration.branch import FOLLOWED
from orchestra.integration.cleaning import (
    Bounds,
    Item,
    KeptRef,
    Standing,
    choose,
    left_the_manifest,
    ref_items,
    verdicts_asked,
)
from orchestra.integration.line import Line
from orchestra.integration.reconcile import TakenUp, take_up
from orchestra.integration.refs import check_ref
from orchestra.model.entries import lock_path
from orchestra.model.events import TaskReplayed
from orchestra.model.freshness import Situation
from orchestra.model.graph import build_graph
from orchestra.model.outcomes import Final
from orchestra.model.ports import RefUpdate
from orchestra.model.trailers import read_result_message
from tests.engine.doings import ALL
from tests.engine.world import Built, Passed, World
from tests.examples import in_memory

from .test_stories import ANY, JOBS, Story
from .twins import difference

NOW = 1_000_000.0


def begin(world: World) -> TakenUp:
    """Where the next build begins."""
    return take_up(world.git, world.git.refs_below(*FOLLOWED), world.branch, world.main, advance=True)


def situation(world: World, tip: str) -> Situation:
    """What freshness depends on there."""
    line, passed = Line(world.git, tip), Passed(world.git)
    graph = build_graph(world.manifest.tasks)
    return Situation(world.manifest, graph, line.tree, line.entries, passed.knows, line.undone)


def chosen(world: World, bounds: Bounds, used: float) -> tuple[Item, ...]:
    """What a clean would drop of the refs, all of which were last used at that time."""
    refs = [
        KeptRef(ref, commit, used, 0, read_result_message(world.git.message(commit))[0])
        for ref, commit in world.git.refs_below("refs/").items()
    ]
    verdicts = {check_ref(key) for key in verdicts_asked(situation(world, begin(world).tip))}
    tasks = frozenset(task.name for task in world.manifest.tasks)
    standing = Standing(world.git.is_ancestor, tasks, frozenset(verdicts))
    return choose(ref_items(refs, standing), bounds, NOW).goes


def clean(world: World, bounds: Bounds, used: float) -> int:
    """Drop it; gives how many refs went."""
    before = len(world.git.refs)
    for item in chosen(world, bounds, used):
        assert world.git.update_refs(tuple(RefUpdate(ref, None, commit) for ref, commit in item.refs))
    return before - len(world.git.refs)


def names(built: Built) -> set[str]:
    """What a build ran or replayed, or only had to write the entry of."""
    restored = {name for name, final in built.finals.items() if final == Final.REPLAYED.value}
    return {*built.ran, *restored, *(event.task for event in built.of(TaskReplayed))}


class Cleaned(Story):
    """A person whose builds leave all that builds can leave, and forks of them that clean."""

    kinds = (*ALL, "check", "check")
    failures = True

    @rule(jobs=JOBS, ago=ANY, detached=st.booleans())
    def clean_what_nobody_needs(self, jobs: int, ago: int, detached: bool) -> None:
        """What is of no use to anybody changes nothing for the next build."""
        one, two = self.twin(self.person).world, self.twin(self.person).world
        clean(two, Bounds(), NOW)
        line = one.first_parents(one.main)
        at = line[ago % len(line)] if detached and ago == 0 else None
        first, second = one.build(jobs=jobs, detached=at), two.build(jobs=jobs, detached=at)
        assert (first.ran, first.finals) == (second.ran, second.finals)
        assert difference(one, two) == {}

    @rule(jobs=JOBS, old=st.booleans())
    def clean_all(self, jobs: int, old: bool) -> None:
        """At any age: nothing runs but what ran, or was replayed, without."""
        one, two = self.twin(self.person).world, self.twin(self.person).world
        clean(two, Bounds(everything=not old), 0.0 if old else NOW)
        assert clean(two, Bounds(everything=not old), 0.0 if old else NOW) == 0
        first, second = one.build(jobs=1), two.build(jobs=1)
        if not first.ran and not names(first):
            assert second.ran == [] and second.finals == first.finals
        # What runs in the place of a replay may fail, and so lead to more.
        if first.finished.ok and second.finished.ok:
            assert set(second.ran) <= names(first)

    @precondition(lambda self: self.settled)
    @rule(twice=st.booleans())
    def clean_all_after_success(self, twice: bool) -> None:
        """I1: the next build does nothing, whatever went."""
        two = self.twin(self.person).world
        for _ in range(1 + twice):
            clean(two, Bounds(everything=True), NOW)
            two.build_nothing()

    @rule(jobs=JOBS)
    def clean_entries(self, jobs: int) -> None:
        """Without the entries of tasks that left, every task is what it was, and the same runs."""
        world = self.world
        if begin(world).tip != world.main:
            return
        left = left_the_manifest(situation(world, world.main))
        names_now = {task.name for task in world.manifest.tasks}
        assert not set(left) & names_now
        if not left:
            return
        one, two = self.twin(self.person).world, self.twin(self.person).world
        two.edit({lock_path(name): None for name in left}, message="Drop entries\n")
        told, now = one.oracle().all(), two.oracle().all()
        assert {name: (each.state, each.reasons) for name, each in told.items()} == {
            name: (each.state, each.reasons) for name, each in now.items()
        }
        first, second = one.build(jobs=jobs), two.build(jobs=jobs)
        assert (first.ran, first.finals) == (second.ran, second.finals)
        gone = {lock_path(name) for name in left}
        assert difference(one, two).keys() <= gone


TestCleaned = Cleaned.TestCase
TestCleaned.settings = in_memory(40)
