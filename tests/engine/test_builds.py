"""Any build of any tasks: what ran had to run, what is fresh stays so, and the order of ends decides nothing."""

from __future__ import annotations

from dataclasses import dataclass, replace

from hypothesis import assume, given
from hypothesis import strategies as st

from orchestra.model.events import AttemptStarted, TaskAgain, TaskFailed, TaskRejected, TaskSkipped
from orchestra.model.outcomes import Final
from tests.examples import in_memory
from tests.model.kit import manifest, task

from .doings import ALL, PATHS, worlds
from .world import MAIN, Built, Does, World

SETTINGS = in_memory(80)


@dataclass(frozen=True)
class Change:
    """What a person does between two builds."""

    kind: str
    path: str
    text: str | None
    number: int

    def __call__(self, world: World) -> None:
        """Do it."""
        every, verify = world.manifest.tasks, world.manifest.integrate.verify
        one = every[self.number % len(every)]
        if self.kind == "edit":
            world.edit({self.path: self.text})
        elif self.kind == "delete entry":
            world.edit({f".orchestra/lock/{one.name}.json": None})
        elif self.kind == "priority":
            world.manifest = manifest(*(replace(t, priority=-t.priority) for t in every), verify=verify)
        elif self.kind == "prompt" and one.prompt is not None:
            other = replace(one, prompt=replace(one.prompt, text=f"{one.prompt.text} {self.text}"))
            world.manifest = manifest(*(other if t is one else t for t in every), verify=verify)


CHANGES = st.builds(
    Change,
    st.sampled_from(["edit", "edit", "prompt", "priority", "delete entry", "nothing"]),
    st.sampled_from(PATHS),
    st.sampled_from(["1", "2", "mine", None]),
    st.integers(0, 9),
)
NOTHING = Change("nothing", "", None, 0)


def all_is_fresh(world: World) -> None:
    """I2 by the oracle, and I1 by another build."""
    reverted = world.build_nothing()
    told = world.oracle().all()
    if not reverted:
        assert {name: one.state for name, one in told.items()} == {
            one.name: "fresh" for one in world.manifest.tasks
        }


JOBS = st.sampled_from([3, 2, 1, 4])


@SETTINGS
@given(worlds(), st.lists(st.tuples(CHANGES, JOBS), min_size=1, max_size=3))
def test_declared_tasks_run_once_at_most_and_all_is_fresh_then(
    world: World, rounds: list[tuple[Change, int]]
) -> None:
    for change, jobs in [(NOTHING, 2), *rounds]:
        change(world)
        assume(world.green(world.main))
        built = world.build(jobs=jobs)
        assert built.finished.ok
        # A check task that something goes after which writes what it reads judges once more at the end.
        writers = [name for name in built.ran if not world.manifest.task(name).claims.is_check]
        assert len(set(writers)) == len(writers)
        all_is_fresh(world)


@SETTINGS
@given(worlds(kinds=ALL, failures=True), st.lists(st.tuples(CHANGES, JOBS), min_size=1, max_size=3))
def test_any_build_ends_well_or_says_why_not(world: World, rounds: list[tuple[Change, int]]) -> None:
    for change, jobs in [(NOTHING, 2), *rounds]:
        change(world)
        built = world.build(jobs=jobs)
        endings_are_told(world, built)
        told = world.oracle().all()
        for name, final in built.finished.tasks.items():
            reverted = Final.REVERTED in built.finished.tasks.values()
            if final.settled_well and not built.said("still stale") and not reverted:
                assert told[name].state in ("fresh", "blocked")
        if built.finished.ok:
            all_is_fresh(world)
        else:
            bad = [name for name, final in built.finished.tasks.items() if not final.settled_well]
            assert bad or built.said("still stale")


def endings_are_told(world: World, built: Built) -> None:
    """Each task that did not end well has an event that says so, and what it kept is kept."""
    finals = built.finished.tasks
    for name, final in finals.items():
        failed = [event for event in built.of(TaskFailed) if event.task == name]
        rejected = [event for event in built.of(TaskRejected) if event.task == name]
        skipped = [event for event in built.of(TaskSkipped) if event.task == name]
        again = [event for event in built.of(TaskAgain) if event.task == name]
        assert len(failed) == (final is Final.FAILED)
        assert len(rejected) == (final is Final.REJECTED)
        assert len(skipped) == (final is Final.SKIPPED)
        for event in rejected:
            assert event.kept is not None and event.kept in world.git.refs and event.why
            assert world.git.message(world.git.refs[event.kept]).startswith("Attempt ")
        assert len(again) <= 3
        for skip in skipped:
            if skip.because is None:
                assert "fails on" in " ".join(notice.message for notice in built.notices)
            else:
                assert skip.because in world.manifest.task(name).needs
                assert not finals[skip.because].settled_well
        if final is not Final.SKIPPED and built.ran:
            assert (
                all(finals[need].settled_well for need in world.manifest.task(name).needs)
                or final is Final.LANDED
            )


@SETTINGS
@given(worlds(verified=False), st.lists(CHANGES, max_size=2), st.data())
def test_neither_jobs_nor_priorities_nor_times_change_the_tree(
    world: World, made: list[Change], data: st.DataObject
) -> None:
    """I7, lock entries included."""
    world.build(jobs=1)
    for change in made:
        change(world)
    start = world.main
    found = []
    for jobs in (1, 2, 4):
        world.git.refs = {MAIN: start}
        behave = world.behave
        assert behave is not None
        seconds = {one.name: float(data.draw(st.integers(0, 3))) for one in world.manifest.tasks}
        world.behave = lambda order, tree, b=behave, s=seconds: replace(
            b(order, tree), seconds=s[order.task.name]
        )
        priorities = {one.name: data.draw(st.integers(-1, 1)) for one in world.manifest.tasks}
        world.manifest = manifest(
            *(replace(one, priority=priorities[one.name]) for one in world.manifest.tasks)
        )
        assert world.build(jobs=jobs).finished.ok
        found.append(world.all_files())
        world.behave = behave
    assert found[0] == found[1] == found[2]


def test_writers_of_one_file_go_one_after_the_other_in_later_rounds_too() -> None:
    """Only what is between them orders the first and the last, and that runs once."""
    first = task("first", write=("r",), read=("**",))
    between = task("between", write=("p",), needs=("first",))
    world = World.of(first, between, task("last", write=("p", "r"), read=("p", "q")))
    texts = {"first": "r", "between": "p", "last": "p"}
    world.does = {name: one_file(path, name) for name, path in texts.items()}
    started: list[str] = []

    def watch(event: AttemptStarted) -> None:
        started.append(event.task)
        if len(started) == 3:
            world.edit({"q": "1"})

    world.started = watch
    assert world.build(jobs=2).finished.ok
    # That the last two never run side by side is what every world's witness sees to.
    assert started == ["first", "between", "last", "first", "last"]
    world.build_nothing()


def one_file(path: str, text: str) -> Does:
    """What writes just that."""
    return lambda files: {path: text}
