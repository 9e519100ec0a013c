"""Any build of any tasks: what ran had to run, what is fresh stays so, and the order of ends decides nothing."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TypeVar

from hypothesis import assume, given, note, settings
from hypothesis import strategies as st

from orchestra.execution.engine import Engine
from orchestra.model.events import AttemptStarted, TaskAgain, TaskFailed, TaskRejected, TaskSkipped
from orchestra.model.outcomes import Final, Outcome
from orchestra.model.ports import AttemptOrder
from orchestra.model.tasks import Task
from orchestra.model.trees import Tree
from orchestra.planning.simulate import Script
from tests.model.kit import manifest, task
from tests.model.oracle import any_match

from .world import MAIN, Built, World

T = TypeVar("T")
PATHS = ("p", "q", "r", "d/0", "d/1")
CLAIMED = ("p", "q", "r", "d/0", "d/1", "d/*", "d/")
SETTINGS = settings(
    max_examples=int(os.environ.get("ORCHESTRA_TEST_EXAMPLES", "80")),
    deadline=None,
    report_multiple_bugs=False,
)


def reading(read: tuple[str, ...], unread: tuple[str, ...], path: str) -> bool:
    return any_match(read, path) and not any_match(unread, path)


@dataclass(frozen=True)
class Doing:
    """What a task does when it runs: a function of what it reads, to the paths that it writes."""

    paths: tuple[str, ...]
    seconds: float
    collapses: bool
    deletes: bool
    outcome: Outcome = Outcome.SUCCESS
    red: bool = False

    def __call__(self, one: Task, tree: Tree, texts: Mapping[str, bytes]) -> Script:
        """The script of an attempt on a tree."""
        if not self.outcome.good:
            return Script(self.seconds, outcome=self.outcome, detail="it failed")
        claims = one.claims
        seen = {
            p: t for p, t in texts.items() if reading(claims.read, claims.unread, p) and p not in self.paths
        }
        text = repr((one.name, one.prompt.text if one.prompt else one.run, sorted(seen.items())))
        value = hashlib.sha1(text.encode()).hexdigest()[:8]
        if self.collapses:
            value = str(int(value, 16) % 2)
        edits: list[tuple[str, bytes | None]] = []
        for number, path in enumerate(self.paths):
            mark = f"#{one.name}".encode()
            if reading(claims.read, claims.unread, path) and path in texts:
                # One that reads what it writes is a formatter: what it has formatted it leaves alone.
                edits.append((path, texts[path] if mark in texts[path] else texts[path] + mark))
            elif self.deletes and number == 0 and int(value, 16) % 2:
                edits.append((path, None))
            else:
                edits.append((path, f"{'red ' if self.red else ''}{one.name} {value}".encode()))
        return Script(self.seconds, tuple(edits))


@st.composite
def doings(draw: st.DrawFn, one: Task, *, failures: bool) -> Doing:
    """What a task may do by its claims."""
    write = one.claims.write
    # Where nothing is known, few paths, so that they meet.
    allowed = [path for path in PATHS if any_match(write, path)] if write is not None else ["p", "q"]
    some = st.lists(st.sampled_from(allowed), min_size=1, max_size=2, unique=True) if allowed else st.just([])
    paths = draw(seldom(st.just([]), else_=some))
    return Doing(
        tuple(paths),
        draw(st.sampled_from([1.0, 2.0, 3.0, 0.0])),
        draw(st.booleans()),
        draw(seldom(st.just(True), else_=st.just(False))),
        draw(seldom(st.sampled_from([Outcome.FAILED, Outcome.TIMED_OUT]), else_=st.just(Outcome.SUCCESS)))
        if failures
        else Outcome.SUCCESS,
        failures and draw(seldom(st.just(True), else_=st.just(False))),
    )


def seldom(strategy: st.SearchStrategy[T], *, else_: st.SearchStrategy[T]) -> st.SearchStrategy[T]:
    """The one in one case of eight, else the other. (Hypothesis takes small numbers more often than large ones.)"""
    return st.integers(0, 7).flatmap(lambda number: strategy if number == 7 else else_)


@st.composite
def tasks(draw: st.DrawFn, *, kinds: tuple[str, ...]) -> tuple[Task, ...]:
    """Tasks in manifest order; `kinds` are those that may occur."""
    made: list[Task] = []
    claimed = st.lists(st.sampled_from(CLAIMED), max_size=2, unique=True).map(tuple)
    written = st.lists(st.sampled_from(CLAIMED), min_size=1, max_size=2, unique=True).map(tuple)
    for number in range(draw(st.sampled_from([3, 4, 2, 5, 1]))):
        kind = draw(st.sampled_from(kinds))
        needs = draw(st.lists(st.sampled_from([t.name for t in made]), max_size=1)) if made else []
        needs = draw(st.sampled_from([needs, []]))
        command = kind == "run" or (kind != "unknown" and draw(st.booleans()))
        reads = {"run": ("**",), "exclusive": ()}.get(kind) or draw(
            st.one_of(claimed, st.just(("**",)), claimed)
        )
        made.append(
            task(
                f"t{number}",
                write={"declared": draw(written), "check": ()}.get(kind),
                read=() if kind == "exclusive" else reads,
                unread=("prompts/**",) if kind == "run" else (),
                needs=tuple(needs),
                run="make" if command else None,
                exclusive=kind == "exclusive",
                priority=draw(st.integers(-1, 1)),
                on_drift=draw(st.sampled_from(["accept", "rerun"])),
            )
        )
    return tuple(draw(st.permutations(made)))


DECLARED = ("declared", "declared", "check")
ALL = ("unknown", "declared", "unknown", "declared", "unknown", "declared", "run", "check", "exclusive")


@st.composite
def worlds(
    draw: st.DrawFn, *, kinds: tuple[str, ...] = DECLARED, failures: bool = False, verified: bool = True
) -> World:
    """A world with files, tasks and what they do."""
    files = draw(st.dictionaries(st.sampled_from(PATHS), st.sampled_from(["1", "2"])))
    chosen = draw(tasks(kinds=kinds))
    verify = "make check" if failures or (verified and draw(st.booleans())) else None
    world = World.of(*chosen, files={"README": "hello", **files}, verify=verify)
    doing = {one.name: draw(doings(one, failures=failures)) for one in world.manifest.tasks}
    note(str(doing))
    act(world, doing)
    return world


def act(world: World, doing: Mapping[str, Doing]) -> None:
    """Let the tasks do these things, and let a tree be green that holds no red file."""

    def behave(order: AttemptOrder, tree: Tree) -> Script:
        texts = {p: t for p, t in world.git.contents(tree.commit).items() if not p.startswith(".orchestra/")}
        return doing[order.task.name](order.task, tree, texts)

    world.behave = behave
    world.green = lambda commit: not any(text.startswith("red") for text in world.files(commit).values())
    world.started = lambda event: only_stale_ones_run(world, event)


def only_stale_ones_run(world: World, event: AttemptStarted) -> None:
    """I3: by the oracle the task was stale at the very commit from which its attempt starts."""
    engine = world.last_engine
    assert isinstance(engine, Engine)
    # Entries of tasks that changed nothing are not in a tree before the end of the build.
    told = world.oracle(event.base, engine._line.entries).task(world.manifest.task(event.task))
    assert told.state == "stale"
    assert {(str(reason.kind), reason.subject) for reason in event.reasons} == told.reasons


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
