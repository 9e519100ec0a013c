"""What was done once in the very same state is not done again; what was cut off goes on where it stopped."""

from __future__ import annotations

from dataclasses import replace

import pytest

from orchestra.integration.refs import CAPTURED, REJECTED, RESULTS
from orchestra.model.events import TaskLanded, TaskRecorded, TaskReplayed
from orchestra.model.ports import CommitRequest
from orchestra.model.tasks import Task
from orchestra.model.trailers import result_message
from tests.model.kit import task

from .world import MAIN, World, script


def texts(world: World) -> None:
    """Let each task write its prompt's text, and what it reads, into the first file that it claims."""

    def does(one: Task):  # type: ignore[no-untyped-def]
        path = (one.claims.write or (f"out/{one.name}",))[0]
        return lambda files: {
            path: f"{one.prompt.text if one.prompt else one.run} {[files.get(p) for p in one.claims.read]}"
        }

    world.does = {each.name: does(each) for each in world.manifest.tasks}


def test_a_prompt_that_is_put_back_brings_its_result_back_where_the_files_are_as_they_were() -> None:
    world = World.of(task("a", write=("f",), text="one"))
    texts(world)
    start = world.main
    world.build()
    first = world.files()
    world.git.refs[MAIN] = start
    world.retask(task("a", write=("f",), text="two"))
    texts(world)
    world.build()
    world.git.refs[MAIN] = start
    world.retask(task("a", write=("f",), text="one"))
    built = world.build()
    assert built.finals == {"a": "replayed"} and built.ran == []
    assert built.finished.replayed == 1 and built.finished.landed == 0
    assert [event.attempt for event in built.of(TaskReplayed)] == ["build-001-1"]
    assert [event.attempt for event in built.of(TaskLanded)] == ["build-001-1"]
    assert world.files() == first
    world.build_nothing()


@pytest.mark.parametrize("edit", [{"f": "mine"}, {"d/other": "mine"}])
def test_not_where_what_it_wrote_or_may_write_is_otherwise_now(edit: dict[str, str]) -> None:
    world = World.of(task("a", write=("f", "d/*")), files={"f": "0", "d/x": "0"})
    start = world.main
    world.build()
    world.git.refs[MAIN] = start
    world.edit(dict(edit))
    assert world.build().ran == ["a"]


def test_where_something_else_changed_it_is_replayed_on_top() -> None:
    world = World.of(task("a", write=("f",)))
    start = world.main
    world.build()
    world.git.refs[MAIN] = start
    world.edit({"elsewhere": "mine"})
    assert world.build().finals == {"a": "replayed"}
    assert set(world.files()) == {"README", "elsewhere", "f"}
    world.build_nothing()


def test_a_rejected_result_is_never_replayed() -> None:
    world = World.of(task("a", write=("f",)), verify="make check")
    world.green = lambda commit: "f" not in world.files(commit)
    assert world.build().finals == {"a": "rejected"}
    assert world.git.refs_below(REJECTED) and not world.git.refs_below(CAPTURED, RESULTS)
    assert world.build().ran == ["a"]


def test_a_replayed_result_that_is_red_now_is_attempted() -> None:
    world = World.of(task("a", write=("f",)), verify="make check")
    start = world.main
    world.build()
    world.git.refs[MAIN] = start
    world.edit({"strict": "1"})
    world.green = lambda commit: world.files(commit).get("f") in (None, "better")
    world.does["a"] = lambda files: {"f": "better"}
    built = world.build()
    assert built.ran == ["a"] and built.finals == {"a": "landed"} and world.files()["f"] == "better"


def test_what_was_cut_off_at_the_landing_goes_on_at_the_audit_even_where_the_branch_went_on() -> None:
    world = World.of(task("a", write=("f",)), verify="make check", files={"f": "0", "g": "0"})
    built = world.build(interrupts=[2.5, 2.6], verify_seconds=1.0)
    assert built.finals == {"a": "interrupted"} and world.files()["f"] == "0"
    world.edit({"g": "mine"})
    again = world.build()
    assert again.ran == [] and again.finals == {"a": "replayed"}
    assert world.files() == {"f": "a", "g": "mine"}
    assert [event.why for event in again.of(TaskReplayed)] == ["cut off before it landed"]
    assert not world.git.refs_below(CAPTURED)
    world.build_nothing()


def test_what_was_cut_off_and_conflicts_now_is_attempted_again() -> None:
    world = World.of(task("a", write=("f",)), verify="make check", files={"f": "0"})
    world.build(interrupts=[2.5, 2.6], verify_seconds=1.0)
    world.edit({"f": "mine"})
    again = world.build()
    assert again.ran == ["a"] and again.finals == {"a": "landed"}
    world.build_nothing()


def test_what_was_cut_off_and_is_stale_now_runs() -> None:
    world = World.of(task("a", write=("f",), text="one"), verify="make check")
    world.build(interrupts=[2.5, 2.6], verify_seconds=1.0)
    world.retask(task("a", write=("f",), text="two"))
    assert world.build().ran == ["a"]


def test_a_success_without_a_change_is_replayed_too_but_not_over_other_files() -> None:
    world = World.of(task("a", write=("f",), read=("g",)), files={"f": "a", "g": "0"})
    assert world.build().finals == {"a": "no-change"}
    world.edit({".orchestra/lock/a.json": None})
    built = world.build()
    assert built.ran == [] and built.finals == {"a": "replayed"}
    assert [event.attempt for event in built.of(TaskRecorded)] == ["build-001-1"]


def test_a_formatter_is_not_taken_for_done_on_files_that_it_never_saw() -> None:
    world = World.of(task("a", write=("d/*",), read=("d/*",)), files={"d/x": "#a"})
    world.does["a"] = lambda files: {
        path: text if "#a" in text else f"{text}#a" for path, text in files.items() if path.startswith("d/")
    }
    assert world.build().finals == {"a": "no-change"}
    world.edit({".orchestra/lock/a.json": None, "d/y": "new"})
    assert world.build().ran == ["a"]
    assert world.files()["d/y"] == "new#a"
    world.edit({".orchestra/lock/a.json": None, "d/z": "newer"})
    assert world.build().ran == ["a"]
    assert world.files()["d/z"] == "newer#a"


def test_a_renamed_prompt_keeps_its_result_also_in_a_clone() -> None:
    for clone in (False, True):
        world = World.of(task("old", write=("f",), text="Do it."))
        world.build()
        world.retask(task("new", write=("f",), text="Do it."))
        if clone:
            world.forget()
        built = world.build()
        assert built.ran == [] and built.finals == {"new": "replayed"}
        assert set(world.entries()) == {"old", "new"}
        assert world.entries()["new"].created == {"f"}
        world.build_nothing()


def test_who_needs_a_renamed_task_stays_fresh_and_another_need_of_other_work_does_not_pass_for_it() -> None:
    world = World.of(task("old", write=("f",), text="Do it."), task("b", write=("g",), needs=("old",)))
    world.build()
    b = world.manifest.tasks[1]
    world.retask(task("new", write=("f",), text="Do it."), replace(b, needs=("new",)))
    assert world.build().finals == {"new": "replayed", "b": "fresh"}
    world.build_nothing()
    world.retask(*world.manifest.tasks[:1], task("c", write=("h",)), replace(b, needs=("c",)))
    assert set(world.build().ran) == {"b", "c"}


def test_two_tasks_of_the_same_words_are_two_tasks() -> None:
    world = World.of(task("a", write=("f",), text="Do it."), task("b", write=("g",), text="Do it."))
    assert sorted(world.build(jobs=1).ran) == ["a", "b"]
    assert set(world.files()) == {"README", "f", "g"}


def test_a_kept_result_that_claims_forbid_now_is_not_applied() -> None:
    world = World.of(task("a", write=("f",)))
    world.does["a"] = lambda files: {"f": "1"}
    start = world.main
    world.build()
    world.git.refs[MAIN] = start
    world.retask(task("a", write=("g",)))
    world.does["a"] = lambda files: {"g": "1"}
    assert world.build().ran == ["a"]


def test_a_forced_task_runs_although_its_result_is_kept() -> None:
    world = World.of(task("a", write=("f",)))
    start = world.main
    world.build()
    world.git.refs[MAIN] = start
    assert world.build(forced=["a"]).ran == ["a"]


# --- adopt ---------------------------------------------------------------------------------------------------


def test_adopt_records_what_is_there_and_runs_nothing() -> None:
    world = World.of(
        task("a", write=("f",)), task("b", write=("g",), needs=("a",)), task("c", write=(), read=("f",))
    )
    world.edit({"f": "by hand", "g": "by hand"})
    built = world.build(adopt=True)
    assert built.ran == [] and built.finals == {"a": "adopted", "b": "adopted", "c": "adopted"}
    assert built.finished.ok and built.finished.adopted == 3
    assert world.files() == {"README": "hello", "f": "by hand", "g": "by hand"}
    world.build_nothing()


def test_adopt_takes_a_person_s_edit_for_what_the_task_made() -> None:
    world = World.of(task("a", write=("f",), run="make"), task("b", write=("g",), needs=("a",)))
    world.build()
    world.edit({"f": "mine"})
    built = world.build("a", adopt=True)
    assert built.finals == {"a": "adopted"} and world.entries()["a"].outputs["f"] == world.state("f")
    assert world.files()["f"] == "mine"
    # Who needs it sees another output.
    assert world.build().ran == ["b"]
    world.build_nothing()


def test_adopt_of_a_missing_file_takes_its_absence() -> None:
    world = World.of(task("a", write=("f",)))
    world.build()
    world.edit({"f": None})
    assert world.build(adopt=True).finals == {"a": "adopted"}
    assert world.entries()["a"].outputs == {"f": None} and world.entries()["a"].created == set()
    world.build_nothing()


# --- shared --------------------------------------------------------------------------------------------------


def sharing() -> World:
    """Two that share a changelog; the second is done first."""
    world = World.of(
        task("a", write=("x",), shared=("CHANGES/*",)),
        task("b", write=("y",), shared=("CHANGES/*",)),
        files={"CHANGES/0": "0"},
    )
    world.does["a"] = lambda files: script({"x": "a", "CHANGES/a": "a"}, 5.0)
    world.does["b"] = lambda files: script({"y": "b", "CHANGES/b": "b"}, 1.0)
    return world


def test_those_that_share_run_side_by_side_and_land_in_manifest_order() -> None:
    world = sharing()
    built = world.build(jobs=2)
    assert built.executor.peak == 2 and built.finished.ok
    assert [event.task for event in built.of(TaskLanded)] == ["a", "b"]
    assert set(world.files()) == {"CHANGES/0", "CHANGES/a", "CHANGES/b", "x", "y"}
    world.build_nothing()


def test_one_that_waits_for_another_s_landing_does_not_keep_it_from_running_alone() -> None:
    world = sharing()
    world.retask(*world.manifest.tasks, task("c", write=None), task("d", write=None))
    world.does["c"] = lambda files: script({"x": "c"}, 2.0)
    world.does["d"] = lambda files: (
        script({"x": f"d{len(files)}"}, 4.0) if files.get("x") != "c" else script({"x": "d"}, 30.0)
    )
    built = world.build(jobs=4)
    assert set(built.finals) == {"a", "b", "c", "d"}


def test_a_failed_sharer_holds_nobody_up() -> None:
    from .world import fails

    world = sharing()
    world.does["a"] = lambda files: fails(seconds=5.0)
    built = world.build(jobs=2)
    assert built.finals == {"a": "failed", "b": "landed"}


def test_sharing_does_not_excuse_from_what_one_writes_alone() -> None:
    world = World.of(task("a", write=("x",)), task("b", shared=("x",), write=()))
    world.does["a"] = lambda files: script({"x": "a"}, 5.0)
    world.does["b"] = lambda files: script({"x": "b"}, 1.0)
    built = world.build(jobs=2)
    assert built.executor.peak == 1 and world.files()["x"] == "b"
    world.build_nothing()


def test_interrupted_while_one_waits_for_another_it_lands_all_the_same() -> None:
    world = sharing()
    built = world.build(jobs=2, interrupts=[2.0])
    assert built.finals == {"a": "interrupted", "b": "landed"}


def test_a_check_leaves_its_verdict_and_nothing_else() -> None:
    world = World.of(task("c", write=(), read=("README",)))
    world.does["c"] = lambda files: {}
    built = world.build()
    assert built.finals == {"c": "passed"}
    assert not world.git.refs_below(CAPTURED, RESULTS)
    # Cut off between the attempt's end and the verdict: it is a verdict all the same, and no lock entry.
    (ref,) = world.git.refs_below("refs/orchestra/checks/")
    kept = f"{CAPTURED}{ref.removeprefix('refs/orchestra/checks/')}/build-001-1"
    message = result_message("c", "build-001-1", "")
    world.git.refs[kept] = world.git.commit(CommitRequest(world.main, (world.main,), message))
    del world.git.refs[ref]
    assert world.build().finals == {"c": "replayed"}
    assert not world.entries() and not world.git.refs_below(CAPTURED)
    world.build_nothing()
