"""Any tasks, and agents that do as they are told: strategies for worlds in which anything can be built."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

from hypothesis import note
from hypothesis import strategies as st

from orchestra.execution.engine import Engine
from orchestra.model.events import AttemptStarted
from orchestra.model.outcomes import Outcome
from orchestra.model.ports import AttemptOrder
from orchestra.model.tasks import OnDrift, Task
from orchestra.model.trees import Tree
from orchestra.planning.simulate import Script
from tests.model.kit import task
from tests.model.oracle import any_match

from .world import World

T = TypeVar("T")
PATHS = ("p", "q", "r", "d/0", "d/1")
CLAIMED = ("p", "q", "r", "d/0", "d/1", "d/*", "d/")
ON_DRIFT: tuple[OnDrift | None, ...] = (None, "rerun", "accept")


def reading(read: tuple[str, ...], unread: tuple[str, ...], path: str) -> bool:
    return any_match(read, path) and not any_match(unread, path)


@dataclass(frozen=True)
class Doing:
    """What a task does when it runs: a function of what it reads, to the paths that it writes.

    `mark` is what tells its work from that of others; a task that is renamed keeps it.
    """

    mark: str
    paths: tuple[str, ...]
    seconds: float
    collapses: bool
    deletes: bool
    outcome: Outcome = Outcome.SUCCESS
    red: bool = False
    commits: int = 0
    """How many of its edits it commits itself, one by one; one more than there are: also what it takes away again."""

    def __call__(self, one: Task, texts: Mapping[str, bytes]) -> Script:
        """The script of an attempt on these files."""
        if not self.outcome.good:
            return Script(self.seconds, outcome=self.outcome, detail="it failed")
        claims = one.claims
        seen = {
            p: t for p, t in texts.items() if reading(claims.read, claims.unread, p) and p not in self.paths
        }
        text = repr((self.mark, one.prompt.text if one.prompt else one.run, sorted(seen.items())))
        value = hashlib.sha1(text.encode()).hexdigest()[:8]
        if self.collapses:
            value = str(int(value, 16) % 2)
        edits: list[tuple[str, bytes | None]] = []
        for number, path in enumerate(self.paths):
            mark = f"#{self.mark}".encode()
            formats = reading(claims.read, claims.unread, path)
            if formats and path in texts:
                # One that reads what it writes is a formatter: what it has formatted it leaves alone.
                edits.append((path, texts[path] if mark in texts[path] else texts[path] + mark))
            elif self.deletes and number == 0 and int(value, 16) % 2:
                edits.append((path, None))
            else:
                edits.append(
                    (path, f"{'red ' if self.red else ''}{self.mark} {value}".encode() + mark * formats)
                )
        own = tuple((edit,) for edit in edits[: self.commits])
        if self.commits > len(edits):
            own = (*own, (("secret", b"x"),), (("secret", None),))
        return Script(self.seconds, tuple(edits), commits=own)


@st.composite
def doings(draw: st.DrawFn, one: Task, *, failures: bool) -> Doing:
    """What a task may do by its claims."""
    write = one.claims.write
    # Where nothing is known, few paths, so that they meet.
    allowed = [path for path in PATHS if any_match(write, path)] if write is not None else ["p", "q"]
    some = st.lists(st.sampled_from(allowed), min_size=1, max_size=2, unique=True) if allowed else st.just([])
    chosen = draw(seldom(st.just([]), else_=some))
    return Doing(
        one.name,
        tuple(chosen),
        draw(st.sampled_from([1.0, 2.0, 3.0, 0.0])),
        draw(st.booleans()),
        draw(seldom(st.just(True), else_=st.just(False))),
        draw(seldom(st.sampled_from([Outcome.FAILED, Outcome.TIMED_OUT]), else_=st.just(Outcome.SUCCESS)))
        if failures
        else Outcome.SUCCESS,
        failures and draw(seldom(st.just(True), else_=st.just(False))),
        draw(st.integers(0, 3)),
    )


def seldom(strategy: st.SearchStrategy[T], *, else_: st.SearchStrategy[T]) -> st.SearchStrategy[T]:
    """The one in one case of eight, else the other. (Hypothesis takes small numbers more often than large ones.)"""
    return st.integers(0, 7).flatmap(lambda number: strategy if number == 7 else else_)


@st.composite
def tasks(draw: st.DrawFn, *, kinds: tuple[str, ...], claims: tuple[str, ...] = CLAIMED) -> tuple[Task, ...]:
    """Tasks in manifest order; `kinds` are those that may occur, `claims` what they claim."""
    made: list[Task] = []
    claimed = st.lists(st.sampled_from(claims), max_size=2, unique=True).map(tuple)
    written = st.lists(st.sampled_from(claims), min_size=1, max_size=2, unique=True).map(tuple)
    for number in range(draw(st.sampled_from([3, 4, 2, 5, 1, 6]))):
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
                on_drift=draw(st.sampled_from(ON_DRIFT)),
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
        texts = {path: text.encode() for path, text in world.files(tree.commit).items()}
        return doing[order.task.name](order.task, texts)

    world.behave = behave
    world.green = lambda commit: not any(text.startswith("red") for text in world.files(commit).values())
    world.started = lambda event: only_stale_ones_run(world, event)


def only_stale_ones_run(world: World, event: AttemptStarted) -> None:
    """I3: by the oracle the task was stale at the very commit from which its attempt starts."""
    engine = world.last_engine
    assert isinstance(engine, Engine)
    order = engine._order
    # Entries of tasks that changed nothing are not in a tree before the end of the build.
    oracle = world.oracle(event.base, engine._line.entries, wanted=order.named | order.forced)
    told = oracle.all()[event.task]
    reasons = {(str(reason.kind), reason.subject) for reason in event.reasons}
    if event.task not in order.forced:
        assert told.state == "stale", f"{event.task} runs and is {told.state}"
    assert reasons - {("forced", None)} == told.reasons
