"""Taking landed results back: what goes, what must go with it, and that it counts as reverted."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestra.integration.rollback import Landing, Landings, dependents, newest_first, take_back
from orchestra.model.errors import ExitStatus, OrchestraError
from orchestra.model.graph import build_graph
from orchestra.model.ports import CommitRequest
from tests.model.kit import task

from .world import MAIN, World


def three() -> World:
    """`b` needs `a`, `c` stands alone; all have landed."""
    world = World.of(
        task("a", write=("a",)),
        task("b", write=("b",), needs=("a",)),
        task("c", write=("c",)),
        verify="make check",
    )
    assert world.build(jobs=1).finished.ok
    return world


def landings(world: World, *names: str) -> list[Landing]:
    found = Landings(world.git, world.main)
    return [found.of(name) for name in names]


def roll_back(world: World, *names: str) -> None:
    """Take these back, and let the branch stand there."""
    world.git.refs[MAIN] = take_back(world.git, world.main, landings(world, *names))


def test_what_is_taken_back_is_gone_and_stays_so() -> None:
    world = three()
    before = world.main
    roll_back(world, "c")
    assert world.files() == {"README": "hello", "a": "a", "b": "b"}
    assert set(world.entries()) == {"a", "b"}
    assert world.git.parents(world.main) == (before,)
    assert world.git.message(world.main).startswith("Take back c\n\nc: ")
    assert world.build_nothing() == {"c"}
    # Asked for by name, it comes back.
    assert world.build("c").finals == {"c": "replayed"}
    assert world.files()["c"] == "c"


@given(st.permutations(["a", "b", "c"]))
def test_all_of_a_build_goes_in_one_commit_whatever_the_order_in_which_it_is_named(names: list[str]) -> None:
    world = three()
    roll_back(world, *names)
    assert world.files() == {"README": "hello"} and world.entries() == {}
    assert world.build_nothing() == {"a", "b", "c"}


def test_who_needs_what_goes_is_named_if_it_has_landed() -> None:
    world = three()
    graph = build_graph(world.manifest.tasks)
    assert dependents(world.git, world.main, graph, ["a"]) == ("b",)
    assert dependents(world.git, world.main, graph, ["a", "b"]) == ()
    assert dependents(world.git, world.main, graph, ["c"]) == ()
    roll_back(world, "b")
    assert dependents(world.git, world.main, graph, ["a"]) == ()


def test_dependents_of_dependents_are_found() -> None:
    world = World.of(
        task("c", write=("c",), needs=("b",)), task("b", write=("b",), needs=("a",)), task("a", write=("a",))
    )
    world.build()
    assert dependents(world.git, world.main, build_graph(world.manifest.tasks), ["a"]) == ("b", "c")


def test_a_second_landing_goes_back_to_the_first() -> None:
    world = World.of(task("a", write=("f",), text="one"))
    world.does["a"] = lambda files: {"f": next(t.prompt.text for t in world.manifest.tasks if t.prompt)}
    world.build()
    world.retask(task("a", write=("f",), text="two"))
    world.build()
    roll_back(world, "a")
    assert world.files()["f"] == "one"
    assert world.build_nothing() == {"a"}


def test_what_later_work_changed_too_is_not_taken_back() -> None:
    world = three()
    world.edit({"c": "by hand"})
    before = (world.main, dict(world.git.refs))
    with pytest.raises(OrchestraError) as caught:
        take_back(world.git, world.main, landings(world, "c"))
    assert caught.value.status is ExitStatus.FAILED
    assert caught.value.causes == ("later commits changed the same lines of c",)
    assert "git revert" in (caught.value.hint or "")
    assert (world.main, dict(world.git.refs)) == before


def test_what_never_landed_or_is_gone_already_is_refused_in_words() -> None:
    world = three()
    with pytest.raises(OrchestraError, match="`d` has not landed here"):
        landings(world, "d")
    roll_back(world, "c")
    with pytest.raises(OrchestraError, match="`c` was taken back already"):
        landings(world, "c")


def test_an_entry_of_what_changed_nothing_is_no_landing() -> None:
    world = World.of(task("a", write=("a",)))
    world.does["a"] = lambda files: {}
    world.build()
    with pytest.raises(OrchestraError, match=r"`a` came with .*, which is no landing of its own"):
        landings(world, "a")


def test_a_landing_on_the_other_side_of_a_merge_is_found() -> None:
    """The branch was merged with what landed, as builds do where the person commits meanwhile."""
    world = World.of(task("a", write=("a",)), files={"README": "hello"})
    start = world.main
    world.build()
    landed = world.main
    world.git.refs[MAIN] = start
    mine = world.edit({"mine": "1"})
    merged = world.git.merge(start, mine, landed)
    assert merged.tree is not None
    world.git.refs[MAIN] = world.git.commit(CommitRequest(merged.tree, (mine, landed), "merge"))
    (found,) = landings(world, "a")
    assert found.commit == landed
    roll_back(world, "a")
    assert world.files() == {"README": "hello", "mine": "1"}
    assert world.build_nothing() == {"a"}


def test_a_build_is_found_by_the_beginning_of_its_name_and_last_is_the_newest() -> None:
    world = three()
    world.retask(*world.manifest.tasks, task("d", write=("d",)))
    world.build()
    found = Landings(world.git, world.main)
    assert [each.task for each in found.of_build("last")] == ["d"]
    assert {each.task for each in found.of_build("build-001")} == {"a", "b", "c"}
    with pytest.raises(OrchestraError, match="nothing of build build-009 stands here"):
        found.of_build("build-009")
    empty = World.of(task("a"))
    with pytest.raises(OrchestraError, match="nothing that a build landed stands here"):
        Landings(empty.git, empty.main).of_build("last")


def test_newest_first_is_an_order_of_history() -> None:
    world = three()
    found = landings(world, "a", "b", "c")
    for ordered in (newest_first(world.git, found), newest_first(world.git, reversed(found))):
        assert [each.task for each in ordered] == ["b", "c", "a"]
