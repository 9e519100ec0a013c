"""Stories: a person works, builds, and works on, in any order; after every build the invariants are looked at.

Here are those that need no second world: I1 (null build), I2 (all is fresh), I3 and I4 (nothing ran that the oracle
calls fresh), I5 (there and back), I6 (two writers of one file), I9 (nothing is lost), I10 (another version), I11
(clones and branches), I12 (replays) and I13 (explanations).
"""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

import orchestra
from orchestra.model.events import AttemptStarted, TaskReplayed
from tests.engine.doings import ALL, CLAIMED, DECLARED, PATHS, only_stale_ones_run
from tests.engine.world import Built
from tests.examples import in_memory

from .checks import (
    all_is_settled,
    branches_keep_results,
    entries_say_what_was_done,
    explained,
    heads,
    landed_as_asked,
    nothing_is_lost,
    nothing_more_runs,
    replayed_as_recorded,
    turned_down,
)
from .person import Person
from .stage import Stage

ANY = st.integers(0, 5)
FEW = st.integers(0, 2)
WORDS = st.integers(0, 1)
PATH = st.sampled_from(PATHS)
TEXT = st.sampled_from(["1", "mine", None, "2"])
JOBS = st.sampled_from([2, 1, 3, 4])

ACTS: st.SearchStrategy[Callable[[Person], object]]


class Story(Stage, RuleBasedStateMachine):
    """A person and their builds. `settled`: the last thing that happened was a build of all that ended well."""

    kinds: tuple[str, ...] = DECLARED
    failures = False
    claims: tuple[str, ...] = CLAIMED

    @initialize(data=st.data())
    def begin(self, data: st.DataObject) -> None:
        """A repository with some files and tasks, of which some are not in the manifest yet, built once."""
        self.world, self.person = self.make(data, self.kinds, failures=self.failures, claims=self.claims)
        self.turned_down: set[str] = set()
        self.settled = self.built(jobs=2).finished.ok

    # --- the person works --------------------------------------------------------------------------------

    @rule(path=PATH, text=TEXT)
    def edit(self, path: str, text: str | None) -> None:
        self.person.edit(path, text)
        self.settled = False

    @rule(number=ANY, text=st.sampled_from([None, "mine"]))
    def meddle(self, number: int, text: str | None) -> None:
        self.person.meddle(number, text)
        self.settled = False

    @rule(path=PATH, ago=st.integers(1, 6))
    def put_back(self, path: str, ago: int) -> None:
        self.person.put_back(path, ago)
        self.settled = False

    @rule(numbers=st.lists(ANY, max_size=2))
    def delete_entries(self, numbers: list[int]) -> None:
        self.person.delete_entries(*numbers)
        self.settled = False

    @rule(number=ANY, words=WORDS)
    def reword(self, number: int, words: int) -> None:
        self.person.reword(number, words)
        self.settled = False

    @rule(
        kind=st.sampled_from(["rename", "reorder", "prioritize", "need", "remove", "add"]), one=ANY, two=ANY
    )
    def rewrite(self, kind: str, one: int, two: int) -> None:
        person = self.person
        match kind:
            case "rename":
                person.rename(one)
            case "reorder":
                person.reorder(one, two)
            case "prioritize":
                person.prioritize(one, two)
            case "need":
                person.need(one, two)
            case "remove":
                person.remove(one)
            case _:
                person.add(one)
        self.settled = False

    @rule(kind=st.sampled_from(["one", "build", "many", "revert"]), number=ANY)
    def revert(self, kind: str, number: int) -> None:
        match kind:
            case "one":
                self.person.revert(number)
            case "build":
                self.person.revert_build()
            case "many":
                self.person.revert_many(number + 1)
            case _:
                self.person.revert_revert()
        self.settled = False

    @rule(kind=st.sampled_from(["switch", "switch", "pick", "merge", "squash", "rebase"]), ago=FEW)
    def branch(self, kind: str, ago: int) -> None:
        person = self.person
        match kind:
            case "switch":
                person.switch("main" if person.world.branch.endswith("side") else "side", ago)
            case "pick":
                person.cherry_pick()
            case "rebase":
                person.rebase()
            case _:
                person.merge(squash=kind == "squash")
        self.settled = False

    # --- builds ------------------------------------------------------------------------------------------

    @rule(data=st.data(), works=st.booleans(), jobs=JOBS)
    def build(self, data: st.DataObject, works: bool, jobs: int) -> None:
        """A build of all, often right after a change: so stories get further in as many steps."""
        if works:
            data.draw(ACTS)(self.person)
        built = self.built(jobs=jobs)
        self.settled = built.finished.ok

    @rule(number=ANY, jobs=JOBS, forced=st.booleans())
    def build_some(self, number: int, jobs: int, forced: bool) -> None:
        name = self.person.nth(number).name
        self.built(name, jobs=jobs, forced=[name] if forced else [])
        self.settled = False

    @rule(jobs=JOBS, kind=st.sampled_from(["no-advance", "detached"]), ago=FEW)
    def build_beside(self, jobs: int, kind: str, ago: int) -> None:
        if kind == "detached":
            line = self.world.first_parents(self.world.main)
            self.built(jobs=jobs, detached=line[ago % len(line)])
        else:
            self.built(jobs=jobs, advance=False)
        self.settled = False

    @rule(jobs=JOBS, moment=st.sampled_from([0.5, 1.5, 2.5, 1.0]), twice=st.booleans())
    def build_interrupted(self, jobs: int, moment: float, twice: bool) -> None:
        self.built(jobs=jobs, interrupts=[moment] * (1 + twice), grace=0.6)
        self.settled = False

    @rule(jobs=JOBS, path=PATH, text=TEXT, at=FEW)
    def build_while_working(self, jobs: int, path: str, text: str | None, at: int) -> None:
        """The person commits while the build goes on."""
        started = 0

        def watch(event: AttemptStarted) -> None:
            nonlocal started
            only_stale_ones_run(self.world, event)
            if started == at:
                self.world.edit({path: text})
            started += 1

        self.world.started = watch
        self.built(jobs=jobs)
        self.world.started = lambda event: only_stale_ones_run(self.world, event)
        self.settled = False

    def built(self, *targets: str, **options: object) -> Built:
        """A build, and what must hold of it."""
        before = heads(self.world)
        built = self.world.build(*targets, **options)  # type: ignore[arg-type]
        nothing_is_lost(self.world, before)
        replayed_as_recorded(self.world, built)
        entries_say_what_was_done(self.world, built)
        landed_as_asked(self.world, built)
        branches_keep_results(self.world, built)
        assert {event.attempt for event in built.of(TaskReplayed)}.isdisjoint(self.turned_down)
        self.turned_down |= turned_down(built)
        if built.finished.ok:
            all_is_settled(self.world, built, built.finished.tip)
            same = {name: value for name, value in options.items() if name not in ("forced", "interrupts")}
            nothing_more_runs(self.world, targets, **same)
        return built

    # --- what changes nothing ----------------------------------------------------------------------------

    @precondition(lambda self: self.settled)
    @rule(data=st.data())
    def there_and_back(self, data: st.DataObject) -> None:
        """I5: whatever is done and undone with no build between, nothing runs."""
        desk = self.person.desk()
        for _ in range(data.draw(st.integers(1, 2))):
            data.draw(ACTS)(self.person)
        self.person.tidy(desk)
        assert self.world.build().ran == []

    @precondition(lambda self: self.settled)
    @rule()
    def clone(self) -> None:
        """I11: in a clone only check tasks run, whose verdicts stay at home."""
        self.person.clone()
        built = self.world.build()
        assert {name for name in built.ran if not self.world.manifest.task(name).claims.is_check} == set()
        assert built.finished.ok

    @precondition(lambda self: self.settled)
    @rule(ago=FEW, jobs=JOBS)
    def switch_and_back(self, ago: int, jobs: int) -> None:
        """I11: what is built on another branch runs nothing on this one."""
        here = self.world.branch.removeprefix("refs/heads/")
        self.person.switch("side" if here == "main" else "main", ago)
        self.built(jobs=jobs)
        self.person.switch(here)
        assert self.world.build().ran == []

    @precondition(lambda self: self.settled)
    @rule()
    def upgrade(self) -> None:
        """I10: another version of orchestra runs nothing."""
        version = orchestra.__version__
        orchestra.__version__ = "999.0"
        try:
            nothing_more_runs(self.world, ())
        finally:
            orchestra.__version__ = version

    @invariant()
    def reasons_are_true(self) -> None:
        """I13: what is stale says why, and with just that undone it is fresh."""
        explained(self.world)


def edit_act(path: str, text: str | None) -> Callable[[Person], object]:
    return lambda person: person.edit(path, text)


def meddle_act(number: int, text: str | None) -> Callable[[Person], object]:
    return lambda person: person.meddle(number, text)


def reword_act(number: int, words: int) -> Callable[[Person], object]:
    return lambda person: person.reword(number, words)


ACTS = st.one_of(
    st.builds(edit_act, PATH, TEXT),
    st.builds(reword_act, ANY, WORDS),
    st.builds(meddle_act, ANY, st.sampled_from([None, "mine"])),
    st.builds(lambda n: lambda person: person.delete_entries(n), ANY),
    st.builds(lambda n: lambda person: person.remove(n), ANY),
    st.builds(lambda n: lambda person: person.revert(n), ANY),
    st.builds(lambda n, m: lambda person: person.need(n, m), ANY, ANY),
)


class Failing(Story):
    """Tasks of every kind, of which some fail, some make the project red, and some meet at the landing."""

    kinds = ALL
    failures = True


class Duel(Story):
    """Everybody writes, and reads, the same two files."""

    kinds = ("declared", "declared", "declared", "run")
    claims = ("p", "q")


TestStory = Story.TestCase
TestStory.settings = in_memory(100)
TestFailing = Failing.TestCase
TestFailing.settings = in_memory(100)
TestDuel = Duel.TestCase
TestDuel.settings = in_memory(100)
