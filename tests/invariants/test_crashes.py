"""I8: crash at any call of any seam, then build: the same final tree, nothing landed twice, nothing done twice.

Two persons do the same; the machine of one of them crashes now and then.
"""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from orchestra.integration.refs import CAPTURED, KEPT, RESULTS
from orchestra.model.ports import AttemptOrder
from orchestra.model.trailers import ATTEMPT_TRAILER, read_result_message
from orchestra.model.trees import Tree
from orchestra.planning.simulate import Script
from tests.engine.doings import CLAIMED, DECLARED, act
from tests.engine.world import World
from tests.examples import in_memory
from tests.model.kit import task

from .checks import NAMED
from .crashing import Crash, Fuse
from .person import Person
from .stage import Stage
from .test_stories import ACTS, JOBS
from .twins import difference

WHEN = st.tuples(st.integers(0, 999), st.booleans())
"""At which call of how many, in thousandths, and whether after its effect."""


class Crashes(Stage, RuleBasedStateMachine):
    """Two persons with the same work, of whom one is lucky."""

    @initialize(data=st.data())
    def begin(self, data: st.DataObject) -> None:
        """Both begin alike."""
        _, person = self.make(data, DECLARED, failures=False, claims=CLAIMED)
        self.persons: tuple[Person, Person] = (person, self.twin(person))

    @rule(data=st.data())
    def work(self, data: st.DataObject) -> None:
        doing = data.draw(ACTS)
        for person in self.persons:
            doing(person)

    @rule(crashes=st.lists(WHEN, min_size=1, max_size=3), jobs=JOBS)
    def build(self, crashes: list[tuple[int, bool]], jobs: int) -> None:
        """One builds; the other crashes, perhaps also when it builds again, and again, and then builds."""
        lucky, unlucky = (person.world for person in self.persons)
        since = unlucky.main
        counting = Fuse()
        lucky.guard = counting.guard
        assert lucky.build(jobs=jobs).finished.ok
        kept: set[tuple[str | None, str]] = set()
        act(unlucky, self.persons[1].doing)
        behave = unlucky.behave
        assert behave is not None

        def watched(order: AttemptOrder, tree: Tree) -> Script:
            assert (order.task.name, key_of(order.keep)) not in kept, f"{order.task.name} runs again"
            return behave(order, tree)

        unlucky.behave = watched
        for thousandths, after in crashes:
            fuse = Fuse(thousandths * counting.calls // 1000, after=after)
            unlucky.guard = fuse.guard
            try:
                unlucky.build(jobs=jobs)
            except Crash:
                kept |= captured(unlucky)
        unlucky.guard = Fuse().guard
        assert unlucky.build(jobs=jobs).finished.ok
        assert difference(lucky, unlucky) == {}
        landed_once(unlucky, since)
        assert named(lucky) == named(unlucky)
        assert unlucky.git.refs_below(KEPT) == {}, "what was to be on a branch is not there"
        unlucky.build_nothing()
        assert unlucky.git.refs_below(CAPTURED) == {}, "what was done is still not settled"


def named(world: World) -> set[str]:
    """The tasks of which a branch keeps a result."""
    return {ref.rpartition("/")[2].rpartition("-")[2] for ref in world.git.refs_below(NAMED)}


def captured(world: World) -> set[tuple[str | None, str]]:
    """The tasks and keys of what attempts of the last build did, as far as it was captured and not rejected."""
    build = f"build-{world.builds:03}-"
    refs = world.git.refs_below(CAPTURED, RESULTS)
    return {
        (read_result_message(world.git.message(commit))[0], key_of(ref))
        for ref, commit in refs.items()
        if ref.rpartition("/")[2].startswith(build)
    }


def key_of(ref: str) -> str:
    """The key below which a ref keeps a result."""
    return ref.split("/")[-2]


def landed_once(world: World, since: str) -> None:
    """No attempt has landed twice since then, as the trailers in the history of the branch tell."""
    attempts: Counter[str] = Counter()
    line = world.first_parents(world.main)
    for commit in line[: line.index(since)]:
        lines = world.git.message(commit).splitlines()
        attempts.update(line for line in lines if line.startswith(ATTEMPT_TRAILER))
    assert [attempt for attempt, times in attempts.items() if times > 1] == []


TestCrashes = Crashes.TestCase
TestCrashes.settings = in_memory(100)


def test_a_success_without_a_change_is_known_after_a_crash_whatever_came_after_it() -> None:
    """Its entry stands before the landing of a later task, which changes what it had read."""

    def begin() -> World:
        first = task("first", write=("p",), read=("d/*",))
        world = World.of(first, task("then", write=("d/x",), read=("p",)), files={"p": "first", "d/x": "0"})
        world.does["first"] = lambda files: {"p": "first" if files["d/x"] == "0" else "first, again"}
        world.does["then"] = lambda files: {"d/x": "1"}
        return world

    lucky, counting = begin(), Fuse()
    lucky.guard = counting.guard
    assert lucky.build(jobs=1).finals == {"first": "no-change", "then": "landed"}
    for call in range(counting.calls):
        for after in (False, True):
            unlucky = begin()
            unlucky.guard = Fuse(call, after=after).guard
            with pytest.raises(Crash):
                unlucky.build(jobs=1)
            unlucky.guard = Fuse().guard
            assert unlucky.build(jobs=1).finished.ok
            assert difference(lucky, unlucky) == {}
