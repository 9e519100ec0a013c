"""What happens within one build, case by case: the branch moves, files come and go, tasks undo each other's work."""

from __future__ import annotations

import pytest

from orchestra.model.events import TaskRejected
from tests.model.kit import task

from .telling import formatted, formatter, why
from .world import Edits, Files, World


def test_a_reader_found_fresh_before_an_unforeseen_writer_lands_runs_in_the_same_build() -> None:
    world = World.of(task("read", write=("out",), read=("src/**",)), files={"src/a": "1"})
    world.does["read"] = lambda files: {"out": files["src/a"]}
    world.build()
    world.retask(*world.manifest.tasks, task("unforeseen"))
    world.does["unforeseen"] = lambda files: {"src/a": "2"}
    built = world.build()
    assert built.ran == ["unforeseen", "read"] and built.finals == {"read": "landed", "unforeseen": "landed"}
    assert why(built, "read") == ["input-changed: src/a"]
    assert world.files()["out"] == "2"
    world.build_nothing()


def test_tasks_that_undo_each_other_s_work_end_after_as_many_rounds_as_there_are_tasks() -> None:
    world = World.of(task("ping", read=("x",)), task("pong", read=("x",)), files={"x": "0"})
    world.does["ping"] = world.does["pong"] = lambda files: {"x": f"{files['x']}."}
    built = world.build(jobs=1)
    assert not built.finished.ok and built.said("still stale after 2 rounds: ")
    assert built.finished.advanced and len(built.notices) == 1


def test_one_that_writes_into_prompts_is_rejected_with_the_paths() -> None:
    world = World.of(task("t"), task("other", write=("other",)))
    world.does["t"] = lambda files: {"prompts/evil.md": "x", "fine": "y"}
    built = world.build()
    assert built.finals == {"t": "rejected", "other": "landed"}
    (event,) = built.of(TaskRejected)
    assert event.paths == ("prompts/evil.md",) and "allow_protected" in (event.hint or "")
    assert event.kept is not None
    assert world.files(world.git.refs[event.kept])["fine"] == "y"
    assert "fine" not in world.files()


def test_outside_declared_claims_is_rejected_also_by_deleting() -> None:
    world = World.of(task("t", write=("mine",)), files={"other": "1"})
    world.does["t"] = lambda files: {"mine": "1", "other": None}
    built = world.build()
    assert built.finals == {"t": "rejected"} and built.of(TaskRejected)[0].paths == ("other",)
    assert world.files() == {"other": "1"}


def test_what_the_branch_brings_while_a_task_runs_makes_it_stale_and_it_runs_again() -> None:
    world = World.of(task("t", write=("out",), read=("src",)), files={"src": "1"})

    def does(files: Files) -> Edits:
        if files["src"] == "1":
            world.edit({"src": "2"})
        return {"out": files["src"]}

    world.does["t"] = does
    built = world.build()
    assert built.ran == ["t", "t"] and built.finished.ok
    assert why(built, "t") == ["input-changed: src"]
    assert world.files() == {"src": "2", "out": "2"}
    world.build_nothing()


@pytest.mark.parametrize("check", [False, True])
def test_what_the_branch_brings_while_a_task_changes_nothing_is_seen_too(check: bool) -> None:
    """Nothing lands, so that nothing but the end of the build looks where the branch stands."""
    world = World.of(task("t", write=() if check else ("out",), read=("src",)), files={"src": "1"})

    def does(files: Files) -> Edits:
        if files["src"] == "1":
            world.edit({"src": "2"})
        return {}

    world.does["t"] = does
    built = world.build()
    assert built.ran == ["t", "t"] and built.finished.ok
    world.build_nothing()


def test_what_the_branch_brings_into_a_formatter_s_files_while_it_runs_is_formatted_too() -> None:
    world = World.of(formatter(), files={"src/a": "a", "src/b": "B"})

    def does(files: Files) -> Edits:
        edits = formatted(files)
        if files["src/b"] == "B":
            world.edit({"src/b": "by hand"})
        return edits

    world.does["format"] = does
    built = world.build()
    assert built.ran == ["format", "format"]
    assert world.files() == {"src/a": "A", "src/b": "BY HAND"}
    world.build_nothing()


def test_a_created_file_that_is_deleted_while_its_task_runs_again_is_made_again() -> None:
    world = World.of(task("t", write=("x", "y"), read=("src",)), files={"src": "1"})
    world.does["t"] = lambda files: {"x": "made", "y": files["src"]}
    world.build()
    world.edit({"src": "2"})
    deleted: list[bool] = []

    def does(files: Files) -> Edits:
        if not deleted:
            deleted.append(True)
            world.edit({"x": None})
        return {"x": "made", "y": files["src"]}

    world.does["t"] = does
    built = world.build()
    assert why(built, "t") == ["output-missing: x"]
    assert world.files() == {"src": "2", "x": "made", "y": "2"}
    world.build_nothing()


def test_twin_checks_of_one_tree_run_once() -> None:
    world = World.of(*(task(name, write=(), read=("**",), run="pytest") for name in ("one", "two")))
    for name in ("one", "two"):
        world.does[name] = lambda files: {}
    built = world.build(jobs=1)
    assert built.ran == ["one"] and built.finals == {"one": "passed", "two": "fresh"}


def test_forced_tasks_run_once_though_they_are_fresh() -> None:
    world = World.of(task("a", write=("a",)), task("b", write=("b",), needs=("a",)))
    world.build()
    built = world.build(forced=("a",))
    assert built.ran == ["a"] and why(built, "a") == ["forced"]
    assert built.finals == {"a": "no-change", "b": "fresh"}


def test_what_changed_nothing_and_is_stale_again_is_not_taken_for_reverted() -> None:
    """Its entry is not committed yet when others land: what history says of it then is older than that."""
    writer = task("writer", on_drift="rerun")
    world = World.of(writer, task("reader", read=("p",), write=("q",)), files={"p": "0"})
    world.does["writer"] = lambda files: {"p": "1"}
    world.does["reader"] = lambda files: {"q": f"saw {files['p']}"}
    assert world.build(jobs=2).ran == ["writer", "reader", "reader"]
    entries = {path: None for path in world.all_files() if path.startswith(".orchestra/")}
    world.edit({**entries, "p": "0", "q": "saw 0"})
    world.forget()
    built = world.build(jobs=2)
    assert built.ran == ["writer", "reader", "reader"]
    assert world.files()["q"] == "saw 1"
    world.build_nothing()
