"""I12: a replay gives the recorded tree: what comes of it is what comes of running everything once more.

One person keeps what attempts did; the other, who has lost all that, has everything run again.
"""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from orchestra.integration.refs import CAPTURED, RESULTS
from orchestra.model.outcomes import Final
from tests.engine.doings import CLAIMED, DECLARED
from tests.examples import in_memory

from .person import Person
from .stage import Stage
from .test_stories import ACTS, JOBS


class Replays(Stage, RuleBasedStateMachine):
    """A person who goes back and forth between what was built already."""

    @initialize(data=st.data())
    def begin(self, data: st.DataObject) -> None:
        """They build once."""
        self.world, self.person = self.make(data, DECLARED, failures=False, claims=CLAIMED)
        self.build(2)

    @rule(data=st.data())
    def work(self, data: st.DataObject) -> None:
        data.draw(ACTS)(self.person)

    @rule(ago=st.integers(1, 4))
    def go_back(self, ago: int) -> None:
        """Let the branch stand where it once stood."""
        line = self.world.first_parents(self.world.main)
        self.person.move(line[min(ago, len(line) - 1)])

    @rule(jobs=JOBS)
    def build(self, jobs: int) -> None:
        """Both build, and have the same then."""
        other = self.twin(self.person)
        for ref in other.world.git.refs_below(CAPTURED, RESULTS):
            del other.world.git.refs[ref]
        built, again = self.world.build(jobs=jobs), other.world.build(jobs=jobs)
        assert built.finished.ok and again.finished.ok
        assert Final.REPLAYED not in again.finished.tasks.values() or renamed(other)
        assert self.world.files() == other.world.files()


def renamed(person: Person) -> bool:
    """Whether there are entries of tasks that are not in the manifest."""
    return bool(person.world.entries().keys() - {task.name for task in person.tasks})


TestReplays = Replays.TestCase
TestReplays.settings = in_memory(100)
