"""The machine of a watch against a naive world: whatever happens on the disk, nothing is lost or built twice."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestra.watching.machine import Action, Busy, Effect, Machine, OnBusy, Step, Version
from tests.reporting.samples import unhurried

DEBOUNCE = 0.3
LATE = 60.0
"""Seconds after which everything must have come to rest, since the last thing that happened."""


@dataclass
class World:
    """A disk with a version, a build that takes its time, and a clock: what a machine lives in.

    `own` are versions that a build made, by the one that it began with. `cut` are builds that were interrupted.
    """

    on_busy: OnBusy
    now: float = 1000.0
    version: int = 1
    broken: bool = False
    git: bool = False
    seconds: float = 1.0
    lands: bool = False
    builds: list[tuple[float, int]] = field(default_factory=list)
    cut: set[int] = field(default_factory=set)
    own: dict[int, int] = field(default_factory=dict)
    ends: float | None = None
    effects: list[Effect] = field(default_factory=list)
    looks: int = 0
    left: bool = False
    grace: float = 0.0
    interrupts: int = 0

    def __post_init__(self) -> None:
        self.machine = Machine(debounce=DEBOUNCE, on_busy=self.on_busy, now=self.now)

    # --- what can happen -------------------------------------------------------------------------------------

    def change(self, to: int | None = None) -> None:
        """Somebody writes something else, or what was there before."""
        self.version = self.version + 100 if to is None else to
        self.do(self.machine.disturbed(self.now))

    def touch(self) -> None:
        """Something is written that says the same."""
        self.do(self.machine.disturbed(self.now))

    def wait(self, seconds: float) -> None:
        """Let time pass, and do what is due meanwhile."""
        end = self.now + seconds
        for _ in range(100_000):
            due = [each for each in (self.machine.wakes_at, self.ends) if each is not None]
            if not due or min(due) > end:
                break
            self.now = max(self.now, min(due))
            if self.ends is not None and self.ends <= self.now:
                self.end()
            self.do(self.machine.awake(self.now))
        else:
            raise AssertionError("it never rests")
        self.now = max(self.now, end)

    def end(self) -> None:
        """The build ends; what it lands is a version of its own."""
        self.ends = None
        if self.lands and len(self.builds) not in self.cut:
            self.own[self.version + 1] = self.version
            self.version += 1
            self.do(self.machine.disturbed(self.now))
        self.do(self.machine.ended(self.now))

    def do(self, step: Step) -> None:
        """Carry out what the machine asks for."""
        if step.effect is not None:
            self.effects.append(step.effect)
        for action in step.actions:
            match action:
                case Action.LOOK:
                    self.look()
                case Action.BUILD:
                    assert self.ends is None, "two builds at once"
                    self.builds.append((self.now, self.version))
                    self.ends = self.now + self.seconds
                case Action.INTERRUPT:
                    assert self.ends is not None
                    self.cut.add(len(self.builds))
                    self.interrupts += 1
                    self.ends = self.now + self.grace
                case Action.LEAVE:
                    assert self.ends is None
                    self.left = True

    def look(self) -> None:
        """Answer a look."""
        self.looks += 1
        if self.git:
            self.do(self.machine.looked(Busy(), self.now))
            return
        base = self.builds[-1][1] if self.builds else None
        found = (
            Version(None)
            if self.broken
            else Version(self.version, self.own.get(self.version) == base is not None)
        )
        self.do(self.machine.looked(found, self.now))

    # --- what the tests ask ----------------------------------------------------------------------------------

    @property
    def built(self) -> int | None:
        """The version that the last build began with; with what it landed."""
        if not self.builds or len(self.builds) in self.cut:
            return None
        last = self.builds[-1][1]
        return self.version if self.own.get(self.version) == last else last


def world(on_busy: OnBusy = "queue") -> World:
    """A world in which the first build has come to its end."""
    made = World(on_busy)
    made.wait(LATE)
    assert len(made.builds) == 1
    return made


def test_the_first_build_begins_at_once() -> None:
    made = World("queue")
    made.wait(0.0)
    assert made.builds == [(1000.0, 1)]
    assert made.effects == [Effect.BUILD]


def test_a_change_is_built_when_it_has_been_quiet() -> None:
    made = world()
    made.change()
    made.wait(0.2)
    made.change()
    made.wait(0.29)
    assert len(made.builds) == 1
    at = made.now
    made.wait(LATE)
    ((begun, version),) = made.builds[1:]
    assert begun == pytest.approx(at + 0.01)
    assert version == made.version


def test_a_storm_that_never_pauses_is_built_all_the_same() -> None:
    made = world()
    for _ in range(120):
        made.change()
        made.wait(0.1)
    assert len(made.builds) > 1


def test_what_says_the_same_starts_nothing() -> None:
    made = world()
    made.touch()
    made.wait(LATE)
    assert len(made.builds) == 1


def test_a_change_that_is_taken_back_in_time_starts_nothing() -> None:
    made = world()
    before = made.version
    made.change()
    made.wait(0.1)
    made.change(before)
    made.wait(LATE)
    assert len(made.builds) == 1


def test_what_a_build_landed_starts_no_other() -> None:
    made = World("queue", lands=True)
    made.wait(LATE)
    assert len(made.builds) == 1
    assert made.built == made.version


def test_a_change_during_a_build_is_built_after_it() -> None:
    made = World("queue", seconds=10.0, lands=True)
    made.wait(1.0)
    made.change()
    made.wait(1.0)
    assert made.effects == [Effect.BUILD, Effect.QUEUED]
    made.wait(LATE)
    assert len(made.builds) == 2
    assert not made.cut


def test_a_change_taken_back_during_a_build_is_not_built_after_it() -> None:
    made = World("queue", seconds=10.0)
    made.wait(1.0)
    made.change(7)
    made.wait(1.0)
    made.change(1)
    made.wait(LATE)
    assert len(made.builds) == 1


def test_restart_ends_the_build_and_begins_another() -> None:
    made = World("restart", seconds=10.0)
    made.wait(1.0)
    made.change()
    made.wait(1.0)
    assert made.cut == {1}
    assert made.effects == [Effect.BUILD, Effect.RESTART, Effect.BUILD]
    assert len(made.builds) == 2


def test_restart_builds_again_what_it_cut_off_though_the_change_was_taken_back() -> None:
    made = World("restart", seconds=10.0)
    made.wait(1.0)
    made.change(7)
    made.wait(0.3)
    made.change(1)
    made.wait(LATE)
    assert made.builds[-1][1] == 1
    assert len(made.builds) not in made.cut


def test_ignore_leaves_a_change_during_a_build_alone_until_the_next() -> None:
    made = World("ignore", seconds=10.0)
    made.wait(1.0)
    made.change()
    made.wait(LATE)
    assert len(made.builds) == 1
    assert made.effects == [Effect.BUILD, Effect.IGNORED]
    made.change()
    made.wait(LATE)
    assert made.builds[-1][1] == made.version


def test_restart_interrupts_a_build_once_since_twice_means_at_once() -> None:
    made = World("restart", seconds=10.0, grace=5.0)
    for _ in range(4):
        made.wait(1.0)
        made.change()
    made.wait(LATE)
    assert made.interrupts == 1
    assert made.builds[-1][1] == made.version


def test_restart_interrupts_each_build_that_a_change_meets() -> None:
    made = World("restart", seconds=10.0)
    for number in (1, 2, 3):
        made.wait(1.0)
        made.change()
        made.wait(0.5)
        assert (made.interrupts, made.cut) == (number, set(range(1, number + 1)))
    made.wait(LATE)
    assert len(made.builds) == 4


def test_what_is_queued_is_told_once_whatever_else_is_written() -> None:
    made = World("queue", seconds=10.0)
    made.wait(1.0)
    made.change()
    made.wait(1.0)
    made.touch()
    made.wait(1.0)
    assert made.effects == [Effect.BUILD, Effect.QUEUED]


def test_who_asks_during_a_build_gets_what_was_ignored_and_hears_of_it() -> None:
    made = World("ignore", seconds=10.0)
    made.wait(1.0)
    made.change()
    made.do(made.machine.build_now(made.now))
    made.wait(LATE)
    assert [version for _, version in made.builds] == [1, made.version]
    assert made.effects == [Effect.BUILD, Effect.BUILD]


def test_ignored_is_what_came_during_the_build_and_not_what_git_does_after_it() -> None:
    made = World("ignore", seconds=10.0)
    made.wait(9.0)
    made.git = True
    made.wait(5.0)
    made.change()
    made.git = False
    made.wait(LATE)
    assert made.builds[-1][1] == made.version


def test_while_git_is_in_the_middle_of_something_nothing_is_built() -> None:
    made = world()
    made.git = True
    made.change()
    made.wait(LATE)
    assert len(made.builds) == 1
    looks = made.looks
    made.wait(LATE)
    assert made.looks - looks <= LATE + 1, "it looks once a second at most"
    made.git = False
    made.wait(1.0)
    assert made.builds[-1][1] == made.version
    made.wait(LATE)
    # The next time it looks as often at first: most of what git does is over in a moment.
    made.git = True
    made.change()
    made.wait(DEBOUNCE + 0.01)
    made.git = False
    over = made.now
    made.wait(LATE)
    begun, version = made.builds[-1]
    assert begun == pytest.approx(over, abs=0.1)
    assert version == made.version


def test_what_cannot_be_read_is_not_built_before_it_can() -> None:
    made = world()
    made.broken = True
    made.change()
    made.wait(LATE)
    assert len(made.builds) == 1
    made.broken = False
    made.touch()
    made.wait(LATE)
    assert made.builds[-1][1] == made.version


def test_a_paused_watch_builds_nothing_before_it_goes_on() -> None:
    made = world()
    made.do(made.machine.pause(made.now))
    made.change()
    made.wait(LATE)
    assert len(made.builds) == 1
    assert made.effects[-1] is Effect.HELD
    made.do(made.machine.pause(made.now))
    assert made.builds[-1] == (made.now, made.version)


def test_who_asks_gets_a_build_though_nothing_changed_and_though_it_is_paused() -> None:
    made = world()
    made.do(made.machine.build_now(made.now))
    assert made.builds[1:] == [(made.now, 1)]
    made.wait(LATE)
    made.do(made.machine.pause(made.now))
    made.do(made.machine.build_now(made.now))
    assert len(made.builds) == 3


def test_who_asks_during_a_build_gets_one_after_it() -> None:
    made = World("queue", seconds=10.0, lands=True)
    made.wait(1.0)
    made.do(made.machine.build_now(made.now))
    made.wait(1.0)
    assert len(made.builds) == 1
    made.wait(LATE)
    assert len(made.builds) == 2


def test_who_asked_for_what_cannot_be_read_asks_again() -> None:
    made = world()
    made.broken = True
    made.do(made.machine.build_now(made.now))
    made.broken = False
    made.touch()
    made.wait(LATE)
    assert len(made.builds) == 1, "it was told what is wrong; that it is right again is nothing new to build"


def test_who_leaves_ends_the_build_first() -> None:
    made = World("queue", seconds=10.0)
    made.wait(1.0)
    made.do(made.machine.leave())
    assert (made.left, made.cut) == (False, {1})
    made.wait(1.0)
    assert (made.left, made.cut) == (True, {1})
    other = world()
    other.do(other.machine.leave())
    assert other.left


THINGS = st.one_of(
    st.just("change"),
    st.just("touch"),
    st.just("back"),
    st.just("git"),
    st.just("broken"),
    st.just("pause"),
    st.just("ask"),
    st.floats(0.0, 3.0).map(lambda seconds: round(seconds, 3)),
    st.sampled_from([0.0, 0.01, 0.29, 0.3, 0.31]),
)


@unhurried
@given(
    st.sampled_from(["queue", "restart", "ignore"]),
    st.sampled_from([0.0, 0.1, 0.3, 1.0, 5.0]),
    st.booleans(),
    st.lists(THINGS, max_size=40),
)
def test_nothing_is_lost_and_nothing_is_built_twice(
    on_busy: OnBusy, seconds: float, lands: bool, things: list[str | float]
) -> None:
    made = World(on_busy, seconds=seconds, lands=lands)
    changes, asked, during = 0, 0, False
    for thing in things:
        match thing:
            case float():
                made.wait(thing)
            case "change" | "back":
                changes += 1
                during = during or made.ends is not None
                made.change(made.builds[-1][1] if thing == "back" and made.builds else None)
            case "touch":
                made.touch()
            case "git":
                made.git = not made.git
            case "broken":
                made.broken = not made.broken
                made.touch()
            case "pause":
                made.do(made.machine.pause(made.now))
            case "ask":
                asked += 1
                made.do(made.machine.build_now(made.now))
    made.git = False
    if made.broken:
        made.broken = False
        made.touch()
    if made.machine.paused:
        made.do(made.machine.pause(made.now))
    made.wait(LATE)
    assert made.ends is None
    assert made.machine.wakes_at is None, "at rest it waits for something to happen"
    if on_busy != "ignore" or not during:
        assert made.built == made.version
    if on_busy != "restart":
        assert len(made.builds) <= 1 + changes + asked
        assert not made.cut
    # Once more, now that all is at rest: what says the same starts nothing.
    count = len(made.builds)
    made.touch()
    made.wait(LATE)
    assert len(made.builds) == count
    # And a change always does.
    made.change()
    made.wait(LATE)
    assert made.builds[-1][1] == made.version - (1 if lands else 0)
