"""What may go and what is needed: refs, ages, sizes, and the lock entries of tasks that left."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestra.integration.cleaning import (
    ONLY_NAMED,
    Bounds,
    Item,
    KeptRef,
    Kind,
    Standing,
    choose,
    kind_named,
    left_the_manifest,
    ref_items,
)
from orchestra.integration.line import Line
from orchestra.model.errors import OrchestraError
from orchestra.model.freshness import Situation
from orchestra.model.graph import build_graph
from tests.model.kit import task

from .world import World

NOW = 1_000.0
MAIN = "refs/heads/main"
ITEMS = st.builds(
    Item,
    kind=st.sampled_from(Kind),
    name=st.uuids().map(str),
    used=st.integers(0, 1_000).map(float),
    size=st.one_of(st.none(), st.integers(0, 50)),
    needed=st.sampled_from(["", "", "somebody needs it"]),
    spent=st.booleans(),
    lasting=st.booleans(),
)
BOUNDS = st.builds(
    Bounds,
    older=st.integers(0, 1_000).map(float),
    everything=st.booleans(),
    most=st.one_of(st.none(), st.integers(0, 100)),
    kinds=st.frozensets(st.sampled_from(Kind), max_size=3),
)


@given(st.lists(ITEMS, max_size=12), BOUNDS)
def test_what_goes_is_old_or_spent_or_too_much_and_never_needed(items: list[Item], bounds: Bounds) -> None:
    swept = choose(items, bounds, NOW)
    assert sorted(map(repr, (*swept.goes, *swept.stays))) == sorted(map(repr, items))
    for item in items:
        named = item.kind in bounds.kinds if bounds.kinds else item.kind not in ONLY_NAMED
        old = NOW - item.used >= bounds.older or (bounds.everything and not item.lasting)
        if not named or item.needed:
            assert item in swept.stays
        elif item.spent or old:
            assert item in swept.goes
        elif bounds.most is None or item.lasting:
            assert item in swept.stays
        else:
            # Too much or not: by all of its kind that stay in any case, and are newer.
            before = [
                other.size or 0
                for other in items
                if other.kind is item.kind and not other.spent and not other.lasting and other is not item
                if other.needed or other.used > item.used
            ]
            if sum(before) + (item.size or 0) > bounds.most:
                assert item in swept.goes
            ties = [o.size or 0 for o in items if o.kind is item.kind and o.used == item.used and o != item]
            if sum(before) + sum(ties) + (item.size or 0) <= bounds.most:
                assert item in swept.stays


def chain(*names: str) -> Standing:
    """Commits of which each holds those before it."""
    order = {name: number for number, name in enumerate(names)}
    return Standing(lambda old, new: order[old] <= order[new], frozenset("ab"), frozenset())


def kept(name: str, commit: str = "c", used: float = NOW, task: str | None = None, held: str = "") -> KeptRef:
    return KeptRef(name, commit, used, 1, task, held)


def judged(standing: Standing, *refs: KeptRef) -> dict[str, str]:
    """What is to become of each: gone, kept and why, or `by age`."""
    return {
        item.name: "spent" if item.spent else item.needed or "by age" for item in ref_items(refs, standing)
    }


def test_what_is_not_known_is_never_looked_at() -> None:
    refs = [
        kept(f"refs/{name}")
        for name in ("heads/main", "tags/v1", "stash", "orchestra/resolve/a", "orchestra/x/y")
    ]
    assert judged(chain("c"), *refs) == {}


@pytest.mark.parametrize(
    "name", ["results/k/b-1", "failed/b-1", "rescued/b-1", "snapshots/c", "captured/k/b-1"]
)
def test_what_was_done_goes_by_age(name: str) -> None:
    assert judged(chain("c"), kept(f"refs/orchestra/{name}")) == {f"refs/orchestra/{name}": "by age"}


def test_captured_and_rescued_work_is_not_in_all() -> None:
    refs = [kept(f"refs/orchestra/{name}") for name in ("captured/k/b-1", "rescued/b-1", "results/k/b-1")]
    goes = choose(ref_items(refs, chain("c")), Bounds(everything=True), NOW).goes
    assert [item.name for item in goes] == ["refs/orchestra/results/k/b-1"]
    assert len(choose(ref_items(refs, chain("c")), Bounds(older=0.0), NOW).goes) == 3


def test_verdicts_that_hold_stay() -> None:
    standing = replace(chain("c"), verdicts=frozenset({"refs/orchestra/checks/k"}))
    refs = [kept(f"refs/orchestra/{name}") for name in ("checks/k", "checks/other", "verified/t")]
    assert [why == "by age" for why in judged(standing, *refs).values()] == [False, True, True]
    unknown = replace(standing, verdicts=None)
    assert "by age" not in judged(unknown, *refs).values()


def test_the_newest_rejection_of_each_task_stays() -> None:
    root = "refs/orchestra/rejected/"
    refs = [
        kept(f"{root}b-1", used=1.0, task="a"),
        kept(f"{root}b-2", used=2.0, task="a"),
        kept(f"{root}b-3", used=1.0, task="b"),
        kept(f"{root}b-4", used=9.0, task="left"),
    ]
    found = judged(chain("c"), *refs)
    assert {name.removeprefix(root) for name, why in found.items() if why == "by age"} == {"b-1", "b-4"}
    resolving = kept("refs/orchestra/resolve/left", "its")
    assert judged(chain("c"), *refs, resolving)[f"{root}b-4"] == "it is being resolved"
    unknown = replace(chain("c"), tasks=None)
    assert judged(unknown, *refs)[f"{root}b-4"] == "the newest rejection of left"


def test_what_is_being_resolved_stays_whatever_kept_it() -> None:
    failed, rescued = kept("refs/orchestra/failed/b-1", "one"), kept("refs/orchestra/rescued/b-2", "two")
    inner = kept("refs/orchestra/rejected/b-3", "three", task="in/side")
    others = [kept("refs/orchestra/resolve/x", "one"), kept("refs/orchestra/resolve/in=side", "other")]
    found = judged(chain("c"), failed, rescued, inner, *others)
    assert found == {
        failed.name: "it is being resolved",
        rescued.name: "by age",
        inner.name: "it is being resolved",
    }


TIP, PARKED, STOOD = (f"refs/orchestra/{name}/b1/heads/main" for name in ("tips", "parked", "stood"))
SHOWN = "refs/heads/orchestra/build-b1"


def test_a_tip_goes_once_its_branch_holds_it() -> None:
    refs = [kept(TIP, "tip"), kept(STOOD, "old")]
    ahead = chain("old", "tip")
    assert judged(ahead, kept(MAIN, "old"), *refs) == {TIP: "not on main yet"}
    assert judged(ahead, kept(MAIN, "tip"), *refs) == {TIP: "spent"}
    (item,) = ref_items([kept(MAIN, "tip"), *refs], ahead)
    assert item.refs == ((TIP, "tip"), (STOOD, "old"))


def test_a_tip_for_a_branch_that_is_gone_or_was_rewritten_goes_by_age() -> None:
    refs = [kept(TIP, "tip"), kept(STOOD, "old")]
    assert judged(chain("main", "old", "tip"), kept(MAIN, "main"), *refs) == {TIP: "by age"}
    assert judged(chain("old", "tip"), *refs) == {TIP: "by age"}


def test_a_parked_branch_waits_and_goes_with_all_that_leads_to_it() -> None:
    refs = [kept(PARKED, "tip"), kept(SHOWN, "tip"), kept(STOOD, "old")]
    ahead = chain("old", "tip")
    assert judged(ahead, kept(MAIN, "old"), *refs) == {SHOWN: "not on main yet"}
    (item,) = ref_items([kept(MAIN, "tip"), *refs], ahead)
    assert item.spent and {name for name, _ in item.refs} == {PARKED, SHOWN, STOOD}
    held = [kept(PARKED, "tip"), kept(SHOWN, "tip", held="/elsewhere")]
    assert judged(ahead, kept(MAIN, "tip"), *held) == {SHOWN: "orchestra/build-b1 is checked out"}


def test_a_parked_branch_that_a_person_moved_is_theirs() -> None:
    """Of ours, only what leads to where it stood goes."""
    ahead = chain("old", "tip", "theirs")
    refs = [kept(PARKED, "tip"), kept(SHOWN, "theirs")]
    assert judged(ahead, kept(MAIN, "old"), *refs) == {PARKED: "by age"}
    # Where another branch holds all of it, nothing is lost.
    assert judged(ahead, kept(MAIN, "theirs"), *refs) == {PARKED: "spent", SHOWN: "spent"}
    assert judged(ahead, kept(MAIN, "theirs"), kept(SHOWN, "theirs", held="/x")) == {
        SHOWN: "it is checked out"
    }


def test_where_a_branch_stood_goes_with_the_last_tip_that_tells_of_it() -> None:
    """Else a tip would be taken up onto a branch that was rewritten."""
    ahead = chain("old", "tip", "later")
    both = [kept(TIP, "tip"), kept(PARKED, "later"), kept(SHOWN, "later"), kept(STOOD, "old")]
    items = ref_items([kept(MAIN, "tip"), *both], ahead)
    assert {item.name: item.spent for item in items} == {TIP: True, SHOWN: False}
    assert all(STOOD not in dict(item.refs) for item in items)
    assert judged(ahead, kept(MAIN, "old"), kept(STOOD, "old")) == {STOOD: "spent"}


@pytest.mark.parametrize("place", ["detached", "snapshot/heads/main", "snapshot/detached"])
def test_what_is_for_no_branch_waits_for_any(place: str) -> None:
    ref = f"refs/orchestra/tips/b1/{place}"
    ahead = chain("old", "tip")
    assert judged(ahead, kept(MAIN, "old"), kept(ref, "tip")) == {ref: "not on a branch yet"}
    assert judged(ahead, kept("refs/heads/other", "tip"), kept(ref, "tip")) == {ref: "spent"}


def left(world: World) -> tuple[str, ...]:
    """What could go of the entries on the branch."""
    line = Line(world.git, world.main)
    graph = build_graph(world.manifest.tasks)
    return left_the_manifest(
        Situation(world.manifest, graph, line.tree, line.entries, lambda key: False, line.undone)
    )


def test_entries_of_tasks_that_left_may_go() -> None:
    a, b = task("a", write=("a",)), task("b", write=("b",))
    world = World.of(a, b)
    world.build()
    assert left(world) == ()
    world.retask(a)
    assert left(world) == ("b",)


def test_the_entry_of_who_wrote_a_file_last_stays() -> None:
    """Without it the other's file would count as changed by a person, and be made again."""
    a = task("a", run="make a", write=("f",))
    b = task("b", run="make b", write=("f",))
    gone = task("gone", write=("g",))
    world = World.of(a, b, gone)
    world.does = {"a": lambda files: {"f": "a"}, "b": lambda files: {"f": "b"}}
    world.build()
    world.retask(a)
    assert world.build().ran == []
    assert left(world) == ("gone",)


def test_the_entry_of_a_task_that_was_renamed_stays_until_the_new_one_has_its_own() -> None:
    a, other = task("a", write=("a",)), task("other", write=("o",))
    world = World.of(a, other)
    world.build()
    assert a.prompt is not None
    world.retask(replace(a, name="b"), other)
    assert left(world) == ()
    assert world.build().ran == []
    assert left(world) == ("a",)


def test_kinds_are_called_by_their_names() -> None:
    assert all(kind_named(kind.value) is kind for kind in Kind)
    with pytest.raises(OrchestraError, match="nothing called `slot`"):
        kind_named("slot")
