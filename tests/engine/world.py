"""A small world in memory in which builds happen: a repository, its person, and agents that do as they are told.

Whatever a test is about, every build in it is watched by a `Witness`, who knows what must hold in each.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from hypothesis.vendor.pretty import RepresentationPrinter

from orchestra.execution.engine import BuildOrder, Engine
from orchestra.integration.branch import FOLLOWED
from orchestra.integration.reconcile import take_up
from orchestra.integration.refs import check_ref
from orchestra.model.entries import LockEntry, lock_paths, parse, task_of
from orchestra.model.events import (
    AttemptFinished,
    AttemptStarted,
    BranchAdvanced,
    BuildFinished,
    Event,
    Notice,
    TaskAgain,
    TaskFailed,
    TaskLanded,
    TaskRejected,
    TaskUnchanged,
)
from orchestra.model.graph import build_graph
from orchestra.model.keys import Parts
from orchestra.model.means import Means
from orchestra.model.outcomes import Outcome
from orchestra.model.patterns import compile_pattern
from orchestra.model.ports import AttemptOrder, CommitRequest
from orchestra.model.tasks import Manifest, Task
from orchestra.model.trees import Tree
from orchestra.planning.simulate import ManualClock, Script, SimulatedExecutor
from orchestra.vcs.memory import MemoryGit
from tests.model.kit import manifest
from tests.model.naive_graph import write_alike
from tests.model.oracle import Oracle

MAIN = "refs/heads/main"
E = TypeVar("E", bound=Event)
Files = dict[str, str]
Edits = Mapping[str, str | None]
Does = Callable[[Files], Edits | Script]


class Passed:
    """The parts with which check tasks were green, as far as the refs remember."""

    def __init__(self, git: MemoryGit) -> None:
        self._git = git

    def __contains__(self, parts: object) -> bool:
        return isinstance(parts, Parts) and self.knows(parts.key)

    def knows(self, key: str) -> bool:
        """Whether a green verdict is remembered for the key."""
        return check_ref(key) in self._git.refs

    def __iter__(self) -> Iterator[Parts]:
        return iter(())

    def __len__(self) -> int:
        return 0


@dataclass
class Built:
    """What came of one build."""

    finished: BuildFinished
    events: list[Event]
    executor: SimulatedExecutor
    before: dict[str, str]

    @property
    def ran(self) -> list[str]:
        """The tasks of which attempts were started, in order."""
        return [event.task for event in self.of(AttemptStarted)]

    @property
    def finals(self) -> dict[str, str]:
        """How each selected task ended."""
        return {name: final.value for name, final in self.finished.tasks.items()}

    @property
    def notices(self) -> list[Notice]:
        """What was said about no single task."""
        return self.of(Notice)

    def said(self, words: str) -> bool:
        """Whether a notice holds these words."""
        return any(words in notice.message for notice in self.notices)

    def of(self, kind: type[E]) -> list[E]:
        """The events of one kind."""
        return [event for event in self.events if isinstance(event, kind)]


class Witness:
    """Listens to a build and holds it to what must be so in every one."""

    def __init__(self, world: World, tasks: Mapping[str, Task]) -> None:
        self._world = world
        self._tasks = tasks
        self._leased: dict[str, str] = {}
        self._well: set[str] = set()
        self.events: list[Event] = []

    def notify(self, event: Event) -> None:
        """Take one event."""
        self.events.append(event)
        match event:
            case AttemptStarted():
                self._started(event)
            case AttemptFinished() if event.outcome is Outcome.INTERRUPTED:
                self._leased.pop(event.task, None)
            case TaskLanded() | TaskUnchanged() | TaskRejected() | TaskFailed() | TaskAgain():
                self._leased.pop(event.task, None)
            case BranchAdvanced():
                git = self._world.git
                assert git.is_ancestor(event.old, event.new), "the branch moved back"
                assert self._world.green(event.new) or self._is_theirs(event.new), (
                    "the branch points to a tree that is not green"
                )
                assert git.refs[event.branch] == event.new
            case _:
                pass

    def _is_theirs(self, commit: str) -> bool:
        # Lock entries may be recorded on whatever the person has committed.
        files = self._world.files(commit)
        return any(self._world.files(theirs) == files for theirs in self._world.theirs)

    def _started(self, event: AttemptStarted) -> None:
        task = self._tasks[event.task]
        for other in self._leased:
            assert not write_alike(task, self._tasks[other]), f"{event.task} runs beside {other}"
        assert event.reasons, "it runs for no reason"
        assert all(wait.seconds >= 0 for wait in event.waits)
        self._leased[event.task] = event.attempt
        self._world.started(event)


@dataclass(repr=False)
class World:
    """A repository with a branch (`main`), a manifest, and what each task does when it runs.

    `green` tells of a commit whether it passes; `verdict` is what verification says of it, where something else
    is to happen then. `guard` stands between the engine and each of its seams, `behind` gives what
    the engine has for `git`, `means` are what decides how much may run at once, `agents` names who does a task.
    """

    manifest: Manifest
    git: MemoryGit = field(default_factory=MemoryGit)
    clock: ManualClock = field(default_factory=ManualClock)
    does: dict[str, Does] = field(default_factory=dict)
    green: Callable[[str], bool] = field(default=lambda commit: True)
    verdict: Callable[[str], bool] | None = None
    started: Callable[[AttemptStarted], None] = field(default=lambda event: None)
    behave: Callable[[AttemptOrder, Tree], Script] | None = None
    theirs: list[str] = field(default_factory=list)
    branch: str = MAIN
    guard: Callable[[Any], Any] = field(default=lambda seam: seam)
    behind: Callable[[Any], Any] = field(default=lambda git: git)
    means: Means | None = None
    agents: Callable[[str], str] = field(default=lambda task: "scripted")
    builds: int = 0
    last_engine: Engine | None = None
    last_events: list[Event] = field(default_factory=list)
    read_entries: dict[tuple[str, str], LockEntry] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        *tasks: Task,
        files: Mapping[str, str] | None = None,
        verify: str | None = None,
        git: MemoryGit | None = None,
    ) -> World:
        """A world with these tasks in manifest order and these files on `main`."""
        world = cls(manifest(*tasks, verify=verify), git=git or MemoryGit())
        content = {path: text.encode() for path, text in (files or {"README": "hello"}).items()}
        world.git.refs[MAIN] = world.git.commit_files(content, message="first")
        world.theirs.append(world.main)
        return world

    def __repr__(self) -> str:
        shown = [
            f"{one.name}: {one.claims.write} reads {one.claims.read} needs {one.needs} {one.on_drift}"
            f"{' run' if one.run else ''}{' exclusive' if one.claims.exclusive else ''} {one.priority}"
            for one in self.manifest.tasks
        ]
        return "\n".join(["World", *shown, repr(self.manifest.integrate), repr(self.files())])

    def _repr_pretty_(self, printer: RepresentationPrinter, cycle: bool) -> None:
        # By this hypothesis shows it where a test is red.
        printer.text(repr(self))

    # --- the person ------------------------------------------------------------------------------------------

    @property
    def main(self) -> str:
        """The commit at which the branch stands."""
        return self.git.refs[self.branch]

    def edit(self, edits: Edits, *, message: str = "by hand") -> str:
        """The person commits to `main`; None deletes a file."""
        changed = tuple((path, None if text is None else text.encode()) for path, text in edits.items())
        self.git.refs[self.branch] = self.git.commit(CommitRequest(self.main, (self.main,), message, changed))
        self.theirs.append(self.main)
        return self.main

    def revert(self, *commits: str, message: str = "revert") -> str:
        """The person takes commits of the branch back, as `git revert` does, all by one commit."""
        at = self.main
        tree = at
        for commit in commits:
            merged = self.git.merge(commit, tree, self.git.parents(commit)[0])
            assert merged.tree is not None, f"the revert conflicts in {merged.conflicts}"
            tree = self.git.commit(CommitRequest(merged.tree, (at,), message))
        self.git.refs[self.branch] = tree
        self.theirs.append(self.main)
        return self.main

    def retask(self, *tasks: Task) -> None:
        """The person writes another manifest."""
        other = manifest(*tasks, verify=self.manifest.integrate.verify)
        self.manifest = replace(other, integrate=self.manifest.integrate)

    def integrate(self, **options: Any) -> None:
        """The person lets results land in another way."""
        self.manifest = replace(self.manifest, integrate=replace(self.manifest.integrate, **options))

    # --- what is there ---------------------------------------------------------------------------------------

    def all_files(self, commit: str | None = None) -> Files:
        """The files of a commit (else of `main`) with their text."""
        return {path: content.decode() for path, content in self.git.contents(commit or self.main).items()}

    def theirs_and_ours(self) -> list[str]:
        """The first-parent history of `main`, oldest first."""
        return self.first_parents(self.main)[::-1]

    def state(self, path: str) -> str | None:
        """The mode and id of a file on `main`."""
        return self.git.tree(self.main).state(path)

    def files(self, commit: str | None = None) -> Files:
        """The same without what is orchestra's."""
        states = {
            path: state.split(" ")[1]
            for path, state in self.git.tree(commit or self.main).files.items()
            if not path.startswith(".orchestra/")
        }
        contents = self.git.read(list(states.values()))
        return {path: content.decode() for path, content in zip(states, contents, strict=True)}

    def entries(self, commit: str | None = None) -> dict[str, LockEntry]:
        """The lock entries of a commit, else of the branch."""
        tree = self.git.tree(commit or self.main)
        return {task_of(path): self.entry(task_of(path), tree.files[path]) for path in lock_paths(tree)}

    def entry(self, task: str, state: str) -> LockEntry:
        """The entry of a task from the state of its file; remembered."""
        found = self.read_entries.get((task, state))
        if found is None:
            (content,) = self.git.read([state.split(" ")[1]])
            found = self.read_entries[task, state] = parse(task, content)
        return found

    def oracle(
        self,
        commit: str | None = None,
        entries: Mapping[str, LockEntry] | None = None,
        wanted: Collection[str] = (),
    ) -> Oracle:
        """The oracle of freshness on a commit, else on the branch."""
        at = commit or self.main
        found = self.entries(at) if entries is None else entries
        line = [self.git.tree(each).files for each in self.first_parents(at)]
        return Oracle(self.manifest, line[0], found, Passed(self.git), line, self.entry, wanted)

    def first_parents(self, commit: str) -> list[str]:
        """The first-parent history of a commit, newest first."""
        commits = [commit]
        while parents := self.git.parents(commits[-1]):
            commits.append(parents[0])
        return commits

    # --- builds ----------------------------------------------------------------------------------------------

    def build(
        self,
        *targets: str,
        jobs: int = 2,
        forced: Iterable[str] = (),
        adopt: bool = False,
        advance: bool = True,
        detached: str | None = None,
        fail_fast: bool = False,
        interrupts: Iterable[float] = (),
        grace: float = 0.0,
        verify_seconds: float = 0.0,
    ) -> Built:
        """One build as the command line would make it, on `main` or on a detached commit."""
        self.builds += 1
        name = f"build-{self.builds:03}"
        graph = build_graph(self.manifest.tasks)
        branch = self.branch if detached is None else None
        git = self.guard(self.behind(self.git))
        refs = git.refs_below(*FOLLOWED)
        begin = take_up(git, refs, branch, detached or self.main, advance=advance)
        git.update_refs(begin.obsolete)
        order = BuildOrder(
            name,
            self.manifest,
            graph,
            graph.with_needs(targets) if targets else frozenset(graph.tasks),
            begin.target,
            begin.tip,
            jobs,
            forced=frozenset(forced),
            named=frozenset(targets),
            adopt=adopt,
            fail_fast=fail_fast,
            agents=self.agents,
        )
        executor = SimulatedExecutor(
            git,
            self.clock,
            self.behave or self._behave,
            lambda tree: (self.verdict or self.green)(tree.commit),
            verify_seconds,
            [self.clock.seconds + moment for moment in interrupts],
            grace,
        )
        witness = Witness(self, graph.tasks)
        self.last_events = witness.events
        before = dict(self.git.refs)
        self.last_engine = Engine(
            order, git, self.guard(executor), self.clock, [self.guard(witness)], means=self.means
        )
        finished = self.last_engine.run()
        built = Built(finished, witness.events, executor, before)
        assert set(finished.tasks) == order.selected
        assert executor.peak <= jobs
        assert finished.ran == len(built.ran)
        assert self.git.is_ancestor(before[self.branch], self.main), "main lost a commit"
        assert built.events[-1] is finished
        return built

    def forget(self) -> None:
        """What no clone has: the refs below `refs/orchestra/` are gone."""
        for ref in [ref for ref in self.git.refs if ref.startswith("refs/orchestra/")]:
            del self.git.refs[ref]

    def build_nothing(self, **options: bool) -> set[str]:
        """A build that must do nothing at all: no attempt, no commit, no ref moved; gives what is reverted."""
        refs, commits = dict(self.git.refs), len(self.git.commits)
        built = self.build(**options)  # type: ignore[arg-type]
        assert built.ran == []
        assert built.finished.ok
        assert set(built.finals.values()) <= {"fresh", "reverted"}
        assert self.git.refs == refs
        assert len(self.git.commits) == commits
        return {name for name, final in built.finals.items() if final == "reverted"}

    def _behave(self, order: AttemptOrder, tree: Tree) -> Script:
        files = self.files(tree.commit)
        does = self.does.get(order.task.name)
        write = order.task.claims.write or ()
        path = compile_pattern(write[0]).sample() if write else f"out/{order.task.name}"
        done = does(files) if does else {path: order.task.name}
        return done if isinstance(done, Script) else script(done)


def script(edits: Edits, seconds: float = 1.0, *, told: bool = False) -> Script:
    """An attempt that leaves these edits."""
    encoded = tuple((path, None if text is None else text.encode()) for path, text in edits.items())
    return Script(seconds, encoded, told=told)


def fails(detail: str = "no", seconds: float = 1.0) -> Script:
    """An attempt that fails."""
    return Script(seconds, outcome=Outcome.FAILED, detail=detail)
