"""I7: with declared claims, none shared, and no failures, the tree is the same for any `-j`, priorities and times.

And I14: what is done to the manifest while a build goes on is nothing to that build.

Two persons do the same; their builds differ in all that must not matter.
"""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from orchestra.model.events import AttemptStarted
from tests.engine.doings import CLAIMED, DECLARED
from tests.examples import in_memory

from .person import Person
from .stage import Stage
from .test_stories import ACTS, ANY
from .twins import difference, hurry

MARKS = ("t0", "t1", "t2", "t3", "t4", "t5")
TIMES = st.fixed_dictionaries({mark: st.sampled_from([1.0, 0.0, 2.0, 3.0]) for mark in MARKS})
PRIORITIES = st.fixed_dictionaries({mark: st.integers(-1, 1) for mark in MARKS})
JOBS = st.integers(1, 4)


class Twins(Stage, RuleBasedStateMachine):
    """Two persons with the same work."""

    @initialize(data=st.data())
    def begin(self, data: st.DataObject) -> None:
        """Both begin alike."""
        _, person = self.make(data, DECLARED, failures=False, claims=CLAIMED)
        self.persons: tuple[Person, Person] = (person, self.twin(person))
        # How results become commits is nothing to what they are.
        self.land(data, self.persons[1].world)

    @rule(data=st.data())
    def work(self, data: st.DataObject) -> None:
        doing = data.draw(ACTS)
        for person in self.persons:
            doing(person)

    @rule(number=ANY, some=st.booleans(), jobs=JOBS, other=JOBS, times=TIMES, priorities=PRIORITIES)
    def build(
        self,
        number: int,
        some: bool,
        jobs: int,
        other: int,
        times: dict[str, float],
        priorities: dict[str, int],
    ) -> None:
        one, two = self.persons
        hurry(two, times, priorities)
        before, bin_before = two.world.manifest, list(two.bin)

        def meddle(event: AttemptStarted) -> None:
            two.reword(number, jobs)
            two.remove(number)

        two.world.started = meddle
        targets = [one.nth(number).name] if some else []
        first = one.world.build(*targets, jobs=jobs)
        second = two.world.build(*targets, jobs=other)
        two.world.manifest, two.bin = before, bin_before
        assert first.finished.ok and second.finished.ok
        assert difference(one.world, two.world) == {}


TestTwins = Twins.TestCase
TestTwins.settings = in_memory(100)
