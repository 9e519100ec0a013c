"""What a person takes back stays taken back: neither run nor replayed, until it is asked for or something changes."""

from __future__ import annotations

from dataclasses import replace

from orchestra.model.events import TaskDecided
from orchestra.model.freshness import State
from tests.model.kit import task

from .world import MAIN, World


def one() -> World:
    """A task `a` that writes its prompt's text into `f`."""
    world = World.of(task("a", write=("f",), text="one"))
    world.does["a"] = lambda files: {"f": next(t.prompt.text for t in world.manifest.tasks if t.prompt)}
    return world


def test_a_landing_that_is_taken_back_is_left_alone() -> None:
    world = one()
    world.build()
    world.revert(world.main)
    built = world.build()
    assert built.finals == {"a": "reverted"} and built.finished.ok and built.finished.reverted == 1
    assert [event.state for event in built.of(TaskDecided)] == [State.REVERTED]
    assert world.files() == {"README": "hello"}
    assert world.build_nothing() == {"a"}
    # In a clone that never saw the attempt too.
    world.forget()
    assert world.build_nothing() == {"a"}


def test_a_revert_of_a_revert_is_fresh_again() -> None:
    world = one()
    world.build()
    back = world.revert(world.main)
    world.revert(back)
    assert world.build_nothing() == set()
    # And once more.
    world.revert(world.main)
    assert world.build_nothing() == {"a"}


def test_a_second_landing_that_is_taken_back() -> None:
    world = one()
    world.build()
    world.retask(task("a", write=("f",), text="two"))
    world.build()
    world.revert(world.main)
    assert world.files()["f"] == "one"
    assert world.build_nothing() == {"a"}
    # With the first prompt, what stands is the first landing.
    world.retask(task("a", write=("f",), text="one"))
    assert world.build_nothing() == set()


def test_a_named_one_comes_back_from_what_was_kept_and_a_forced_one_runs() -> None:
    world = one()
    world.build()
    landed = world.files()
    world.revert(world.main)
    built = world.build("a")
    assert built.finals == {"a": "replayed"} and built.ran == [] and world.files() == landed
    world.build_nothing()
    world.revert(world.main)
    assert world.build(forced=["a"]).ran == ["a"]
    assert world.files() == landed
    world.revert(world.main)
    world.forget()
    assert world.build("a").ran == ["a"]


def test_another_prompt_makes_it_stale_and_so_does_on_drift_rerun_where_it_is_written() -> None:
    world = one()
    world.build()
    world.revert(world.main)
    world.retask(task("a", write=("f",), text="two"))
    assert world.build().ran == ["a"]
    world.revert(world.main)
    assert world.build_nothing() == {"a"}
    world.retask(replace(world.manifest.tasks[0], on_drift="rerun"))
    assert world.build().finals == {"a": "replayed"}


def test_a_command_s_landing_stays_taken_back_although_it_would_run_on_drift() -> None:
    world = World.of(task("a", write=("f",), run="make"))
    world.build()
    world.revert(world.main)
    assert world.build_nothing() == {"a"}


def test_files_taken_back_without_the_entry_are_missing_outputs() -> None:
    world = one()
    world.build()
    world.edit({"f": None})
    assert world.build().finals == {"a": "replayed"}


def test_the_entry_alone_taken_back_is_restored() -> None:
    world = one()
    world.build()
    world.edit({".orchestra/lock/a.json": None})
    built = world.build()
    assert built.finals == {"a": "replayed"} and built.ran == []
    world.build_nothing()


def test_dependents_of_what_was_taken_back_stand_as_they_are() -> None:
    world = World.of(task("a", write=("f",)), task("b", write=("g",), needs=("a",)))
    world.build(jobs=1)
    of_a = next(c for c in world.theirs_and_ours() if "f" in world.files(c) and "g" not in world.files(c))
    world.revert(of_a)
    assert world.build_nothing() == {"a"}


def test_a_reader_of_what_was_taken_back_runs_again() -> None:
    world = World.of(task("a", write=("f",)), task("b", write=("g",), read=("f",)))
    world.build(jobs=1)
    of_a = next(c for c in world.theirs_and_ours() if "f" in world.files(c) and "g" not in world.files(c))
    world.revert(of_a)
    built = world.build()
    assert built.ran == ["b"]
    assert world.build_nothing() == {"a"}


def test_a_whole_build_taken_back_stays_so() -> None:
    world = World.of(
        task("a", write=("f",)),
        task("b", write=("g",), read=("f",)),
        task("c", write=("h",), needs=("b",), read=("g",)),
    )
    start = world.main
    world.build(jobs=1)
    ours = [commit for commit in world.theirs_and_ours() if commit != start]
    world.revert(*reversed(ours))
    assert world.files() == {"README": "hello"}
    assert world.build_nothing() == {"a", "b", "c"}
    # Each comes back on demand, with nothing but itself.
    assert world.build("a").finals == {"a": "replayed"}
    assert world.build_nothing() == {"b", "c"}
    assert world.build("b").finals == {"b": "replayed"}
    assert world.build("c").finals == {"b": "fresh", "c": "replayed"}


def test_a_squashed_branch_that_is_taken_back_in_one() -> None:
    world = World.of(task("a", write=("f",)), task("b", write=("g",)))
    start = world.main
    world.build()
    files = {path: text.encode() for path, text in world.all_files().items()}
    world.git.refs[MAIN] = world.git.commit_files(files, (start,), "squashed, without trailers")
    world.build_nothing()
    world.revert(world.main)
    assert world.build_nothing() == {"a", "b"}


def test_a_check_is_never_reverted() -> None:
    world = World.of(task("a", write=("f",)), task("c", write=(), read=("f",)))
    world.does["c"] = lambda files: {}
    assert world.build().finals == {"a": "landed", "c": "passed"}
    world.revert(world.main)
    # It judges what is there now.
    assert world.build().finals == {"a": "reverted", "c": "passed"}
