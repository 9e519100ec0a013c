"""Directed builds in memory, one for each thing that a build can come to do: what the crash points are counted on.

What a task does is a function of the files that it sees and of how it was called, never of what ran before: so it does
the same after a crash.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from orchestra.model.events import AttemptStarted
from orchestra.model.outcomes import Outcome
from orchestra.model.ports import AttemptOrder
from orchestra.model.trees import Tree
from orchestra.planning.simulate import Script
from tests.engine.telling import formatted, formatter
from tests.engine.world import MAIN, Edits, Files, World, fails, script
from tests.model.kit import task

Act = Callable[[AttemptOrder, Files], Edits | Script]


@dataclass(frozen=True)
class Directed:
    """A build: how its world begins, with what options it is made, and what comes of each task undisturbed.

    `settled`: no claim is unknown and nobody commits what is read, so that it is the same whoever comes first.
    """

    begin: Callable[[], World]
    finals: Mapping[str, str]
    options: Mapping[str, Any] = field(default_factory=dict)
    ok: bool = True
    settled: bool = True


def acting(world: World, **acts: Act) -> World:
    """Let tasks do this; the others write their name into what they claim."""

    def behave(order: AttemptOrder, tree: Tree) -> Script:
        act = acts.get(order.task.name)
        done = act(order, world.files(tree.commit)) if act else {order.task.name: order.task.name}
        return done if isinstance(done, Script) else script(done)

    world.behave = behave
    return world


def adds(path: str) -> Act:
    """Adds the task's name to a file of names: whoever comes first, the file is the same in the end."""

    def act(order: AttemptOrder, files: Files) -> Edits:
        return {path: " ".join(sorted({*files.get(path, "").split(), order.task.name}))}

    return act


def copies(source: str, to: str) -> Act:
    """Writes what it reads."""
    return lambda order, files: {to: f"{files.get(source)} by {order.task.name}"}


def graph() -> World:
    """Needs, an overlap of reading and writing, two writers of one file, a check, and one that changes nothing."""
    world = World.of(
        task("base", write=("base",)),
        task("mid", write=("mid",), read=("base",), needs=("base",)),
        task("leaf", write=("leaf",), needs=("mid", "idle")),
        task("idle", write=("idle",)),
        task("reader", write=("read",), read=("data",)),
        task("writer", write=("data",)),
        task("again", write=("data",), read=("data",)),
        task("look", write=(), read=("base",), run="make look"),
        files={"idle": "idle", "data": "0"},
        verify="make check",
    )
    return acting(
        world,
        mid=copies("base", "mid"),
        reader=copies("data", "read"),
        writer=lambda order, files: {"data": "1"},
        again=lambda order, files: {"data": files["data"] if "+" in files["data"] else f"{files['data']}+"},
        look=lambda order, files: {},
    )


def shared() -> World:
    """Several that may write one file side by side, each at a place of its own."""
    one, two, three = (task(name, write=(name,), shared=("all/*",)) for name in ("one", "two", "three"))
    writes: dict[str, Act] = {
        name: lambda order, files: {order.task.name: "x", f"all/{order.task.name}": "x"}
        for name in ("one", "two", "three")
    }
    return acting(World.of(one, two, three), **writes)


def conflict() -> World:
    """Nobody knows what they write, and they meet."""
    world = World.of(task("one"), task("two"), task("apart", write=("apart",)), verify="make check")
    return acting(world, one=adds("names"), two=adds("names"))


def twice() -> World:
    """One meets others twice, and then works alone."""
    quick = [f"quick{number}" for number in range(4)]
    world = World.of(task("slow"), *(task(name) for name in quick))
    acts: dict[str, Act] = dict.fromkeys(quick, adds("names"))
    acts["slow"] = lambda order, files: script(dict(adds("names")(order, files)), 1.5)  # type: ignore[arg-type]
    return acting(world, **acts)


def red() -> World:
    """Red at first, and mended by an agent that is told; and one that stays red."""
    world = World.of(
        task("told", write=("told",)),
        task("bad", write=("bad",)),
        task("good", write=("good",)),
        task("after", write=("after",), needs=("bad",)),
        verify="make check",
    )
    world.green = lambda commit: "red" not in world.files(commit).values()
    return acting(
        world,
        told=lambda order, files: script({"told": "mended" if order.told else "red"}, told=True),
        bad=lambda order, files: {"bad": "red"},
    )


def failing() -> World:
    """One fails for good, one for a reason that passes, one touches what it may not."""
    world = World.of(
        task("fails", write=("fails",)),
        task("after", write=("after",), needs=("fails",)),
        task("flaky", write=("flaky",)),
        task("astray", write=("astray",)),
        task("look", write=(), read=("**",), run="make look"),
        task("well", write=("well",)),
    )
    return acting(
        world,
        fails=lambda order, files: fails(),
        flaky=lambda order, files: (
            Script(1.0, outcome=Outcome.FAILED, transient=True)
            if order.number == 1
            else script({"flaky": "x"})
        ),
        astray=lambda order, files: {"elsewhere": "x"},
        look=lambda order, files: fails("it looks bad"),
    )


def pair() -> World:
    """One that makes, and one that uses it."""
    world = World.of(
        task("make", write=("made",), read=("data",)),
        task("use", write=("used",), read=("made",), needs=("make",)),
        task("idle", write=("idle",)),
        files={"data": "0", "idle": "idle"},
        verify="make check",
    )
    return acting(world, make=copies("data", "made"), use=copies("made", "used"))


def replay() -> World:
    """What was built is there still, and the branch stands where it stood before."""
    world = pair()
    start = world.main
    world.build()
    world.git.refs[MAIN] = start
    return world


def restore() -> World:
    """Entries are gone; the files are there."""
    world = pair()
    world.build()
    gone = [path for path in world.git.tree(world.main).files if path.startswith(".orchestra/lock/")]
    world.edit(dict.fromkeys(gone))
    return world


def rebuild() -> World:
    """Something that was built before is stale again, something was taken back, something is drifted."""
    world = World.of(
        task("make", write=("made",), read=("data",)),
        task("use", write=("used",), read=("made",), needs=("make",)),
        task("gone", write=("gone",)),
        task("drifted", write=("drifted",), run="make drifted"),
        files={"data": "0"},
    )
    acting(
        world,
        make=copies("data", "made"),
        use=copies("made", "used"),
        drifted=lambda order, files: {"drifted": "as it is made"},
    )
    world.build(jobs=1)
    landed = {
        world.git.message(commit).splitlines()[0]: commit for commit in world.first_parents(world.main)[:4]
    }
    world.revert(next(commit for title, commit in landed.items() if "gone" in title))
    world.edit({"data": "1", "drifted": "by hand"})
    return world


def formats() -> World:
    """A formatter, and one that writes what it formats."""
    world = World.of(task("write", write=("src/new",)), formatter(), files={"src/x": "x"})
    return acting(
        world,
        write=lambda order, files: {"src/new": files.get("src/new", "new")},
        format=lambda order, files: formatted(files),
    )


def parked() -> World:
    """An earlier build left its tip aside, and the person has committed since."""
    world = pair()
    world.build("make", advance=False)
    world.edit({"mine": "x"})
    return world


def meddled(path: str) -> Callable[[], World]:
    """The person commits a file when the first attempt starts."""

    def begin() -> World:
        world = pair()

        def commit(event: AttemptStarted) -> None:
            if world.files().get(path) != "mine":
                world.edit({path: "mine"})

        world.started = commit
        return world

    return begin


def rounds() -> World:
    """One undoes what another reads, of which nobody knew: it runs once more at the end."""
    world = World.of(task("reads", write=("copy",), read=("data",)), task("writes"), files={"data": "0"})
    return acting(
        world,
        reads=copies("data", "copy"),
        writes=lambda order, files: script({"data": "1"}, 2.0),
    )


def adopting() -> World:
    """Stale tasks whose work a person has done."""
    world = graph()
    world.edit({"base": "mine", "mid": "mine"})
    return world


RUNS = {
    "graph": Directed(
        graph,
        {
            **dict.fromkeys(("base", "mid", "leaf", "reader", "writer", "again"), "landed"),
            "idle": "no-change",
            "look": "passed",
        },
        {"jobs": 3},
    ),
    "one at a time": Directed(pair, {"make": "landed", "use": "landed", "idle": "no-change"}, {"jobs": 1}),
    "shared": Directed(shared, dict.fromkeys(("one", "two", "three"), "landed"), {"jobs": 3}),
    "conflict": Directed(conflict, dict.fromkeys(("one", "two", "apart"), "landed"), {"jobs": 3}),
    "conflict twice": Directed(
        twice,
        dict.fromkeys(("slow", "quick0", "quick1", "quick2", "quick3"), "landed"),
        settled=False,
    ),
    "red": Directed(
        red, {"told": "landed", "bad": "rejected", "good": "landed", "after": "skipped"}, ok=False
    ),
    "failing": Directed(
        failing,
        {
            "fails": "failed",
            "after": "skipped",
            "flaky": "landed",
            "astray": "rejected",
            "look": "failed",
            "well": "landed",
        },
        ok=False,
    ),
    "replay": Directed(replay, {"make": "replayed", "use": "replayed", "idle": "replayed"}),
    "restore": Directed(restore, {"make": "replayed", "use": "replayed", "idle": "replayed"}),
    "rebuild": Directed(
        rebuild, {"make": "landed", "use": "landed", "gone": "reverted", "drifted": "landed"}
    ),
    "formats": Directed(formats, {"write": "landed", "format": "landed"}),
    "parked": Directed(parked, {"make": "fresh", "use": "landed", "idle": "no-change"}),
    "commits": Directed(meddled("mine"), {"make": "landed", "use": "landed", "idle": "no-change"}),
    "commits what is read": Directed(
        meddled("data"), {"make": "landed", "use": "landed", "idle": "no-change"}, settled=False
    ),
    "rounds": Directed(rounds, {"reads": "landed", "writes": "landed"}),
    "adopt": Directed(
        adopting,
        dict.fromkeys(("base", "mid", "leaf", "reader", "writer", "again", "idle", "look"), "adopted"),
        {"adopt": True},
    ),
    "no advance": Directed(
        pair, {"make": "landed", "use": "landed", "idle": "no-change"}, {"advance": False}
    ),
    "detached": Directed(pair, {"make": "landed", "use": "landed", "idle": "no-change"}, {"detached": True}),
}
