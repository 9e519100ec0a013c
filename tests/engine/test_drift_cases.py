"""What became of a task's outputs, case by case: edited, deleted, overwritten by another task, formatted again."""

from __future__ import annotations

from dataclasses import replace

import pytest

from orchestra.model.events import AttemptStarted
from tests.model.kit import task

from .telling import formatted, formatter, notes, says, why
from .world import Edits, Files, World

# --- what became of outputs ----------------------------------------------------------------------------------


def test_two_writers_of_one_file() -> None:
    """I6."""
    world = World.of(task("one", write=("x",)), task("two", write=("x",)))
    world.does["one"] = lambda files: {"x": "one"}
    world.does["two"] = lambda files: {"x": "two"}
    assert world.build().ran == ["one", "two"]
    built = world.build()
    assert built.ran == [] and notes(built, "one") == ["superseded: x"]


def test_a_later_one_that_deletes_what_an_earlier_one_created() -> None:
    world = World.of(task("make", write=("x", "y")), task("sweep", write=("x",), read=("y",)))
    world.does["make"] = lambda files: {"x": "made", "y": "made"}
    world.does["sweep"] = lambda files: {"x": None}
    assert world.build().ran == ["make", "sweep"]
    assert "x" not in world.files()
    world.build_nothing()


def test_a_person_deletes_a_file_that_was_created_or_one_that_was_only_edited() -> None:
    world = World.of(task("work", write=("new", "old")), files={"old": "0"})
    world.does["work"] = lambda files: {"new": "1", "old": "1"}
    world.build()
    world.edit({"old": None})
    built = world.build()
    assert built.ran == [] and notes(built, "work") == ["drifted: old"]
    world.edit({"new": None})
    built = world.build()
    assert built.ran == ["work"] and why(built, "work") == ["output-missing: new"]
    assert world.files() == {"new": "1", "old": "1"}
    world.build_nothing()


def test_a_person_s_edit_is_accepted_for_prompts_and_undone_for_commands() -> None:
    world = World.of(task("prompt", write=("p",)), task("command", write=("c",), run="make"))
    world.does["prompt"] = lambda files: {"p": "1"}
    world.does["command"] = lambda files: {"c": "1"}
    world.build()
    world.edit({"p": "mine", "c": "mine"})
    built = world.build()
    assert built.ran == ["command"] and why(built, "command") == ["drifted: c"]
    assert notes(built, "prompt") == ["drifted: p"]
    assert world.files()["p"] == "mine" and world.files()["c"] == "1"
    # Where the task lands again, what stands there then is what is recorded: drift is adopted.
    world.retask(replace(world.manifest.task("prompt"), prompt=None, run="x"), world.manifest.task("command"))
    world.does["prompt"] = lambda files: {"p": files["p"]}
    world.build()
    assert notes(world.build(), "prompt") == []


def test_a_person_s_edit_between_two_writers_landings() -> None:
    world = World.of(task("one", write=("x",)), task("two", write=("x",)))
    world.does["one"] = lambda files: {"x": "one"}
    world.does["two"] = lambda files: {"x": f"{files['x']} two"}
    world.build("one")
    world.edit({"x": "by hand"})
    built = world.build()
    assert built.ran == ["two"] and world.files()["x"] == "by hand two"
    built = world.build()
    assert built.ran == [] and notes(built, "one") == ["superseded: x"]


def test_a_person_s_edit_between_two_writers_landings_within_one_build() -> None:
    world = World.of(task("one", write=("x",)), task("two", write=("x",)))
    world.does["one"] = lambda files: {"x": "one"}

    def two(files: Files) -> Edits:
        return {"x": f"{files['x']} two"}

    def edit(event: AttemptStarted) -> None:
        # The first has landed, and the second's worktree stands on that.
        if event.task == "two" and event.number == 1:
            world.edit({"x": "by hand"})

    world.does["two"] = two
    world.started = edit
    built = world.build()
    assert built.finished.ok and built.finals == {"one": "landed", "two": "landed"}
    # The conflict with the person's edit is tried once more on top of it: theirs is not lost.
    assert built.ran == ["one", "two", "two"] and world.files()["x"] == "by hand two"
    built = world.build()
    assert built.ran == [] and notes(built, "one") == ["superseded: x"]


def test_an_edit_that_is_taken_back_with_no_build_between_runs_nothing() -> None:
    """I5."""
    world = World.of(task("t", write=("out",), read=("src/**",), run="make"), files={"src/a": "1"})
    world.does["t"] = lambda files: {"out": "1"}
    world.build()
    world.edit({"src/a": "2", "src/b": "new", "out": "x"})
    world.edit({"src/a": "1", "src/b": None, "out": "1"})
    world.build_nothing()


def test_a_file_that_comes_goes_or_changes_its_mode_among_the_inputs() -> None:
    world = World.of(task("t", write=("out",), read=("src/**",)), files={"src/a": "1", "x": "1"})
    world.does["t"] = lambda files: {"out": " ".join(sorted(files))}
    world.build()
    for edits, subject in (({"src/b": "1"}, "src/b"), ({"src/a": None}, "src/a"), ({"src/b": "2"}, "src/b")):
        world.edit(edits)
        built = world.build()
        assert why(built, "t") == [f"input-changed: {subject}"]
    world.edit({"x": "2"})
    world.build_nothing()


def test_a_formatter_and_a_new_file_in_its_pattern() -> None:
    world = World.of(formatter(), files={"src/a": "a"})
    world.does["format"] = formatted
    assert world.build().ran == ["format"]
    world.build_nothing()
    world.edit({"src/b": "b"})
    built = world.build()
    assert why(built, "format") == ["drifted: src/b"] and world.files() == {"src/a": "A", "src/b": "B"}
    world.build_nothing()
    world.edit({"src/a": None})
    assert why(world.build(), "format") == ["drifted: src/a"]
    world.build_nothing()


@pytest.mark.parametrize("needs", [(), ("gen",)])
def test_a_generator_and_a_formatter_of_one_file(needs: tuple[str, ...]) -> None:
    world = World.of(
        task("gen", write=("src/gen",), read=("spec",)),
        formatter(needs=needs),
        files={"src/a": "a", "spec": "1"},
    )
    world.does["gen"] = lambda files: {"src/gen": f"gen {files['spec']}"}
    world.does["format"] = formatted
    assert world.build().ran == ["gen", "format"]
    assert world.files()["src/gen"] == "GEN 1"
    world.build_nothing()
    world.edit({"spec": "2"})
    built = world.build()
    assert built.ran == ["gen", "format"]
    assert "input-changed: src/gen" in why(built, "format")
    assert world.files()["src/gen"] == "GEN 2"
    world.build_nothing()


# --- over several builds -------------------------------------------------------------------------------------


def test_drift_is_adopted_when_the_task_itself_lands_again_and_not_before() -> None:
    world = World.of(
        task("t", write=("kept", "made"), read=("src",)), task("other", write=("o",)), files={"src": "1"}
    )
    world.does["t"] = lambda files: {"made": files["src"]} if "kept" in files else {"kept": "0", "made": "1"}
    world.build()
    world.edit({"kept": "mine"})
    assert says(world.build(), "t") == ["drifted: kept"]
    # Another's landing is not its own.
    world.retask(world.manifest.task("t"), task("other", write=("o",), text="Do more."))
    world.does["other"] = lambda files: {"o": "more"}
    assert world.build().ran == ["other"]
    assert says(world.build(), "t") == ["drifted: kept"]
    world.edit({"src": "2"})
    assert world.build().ran == ["t"] and world.files()["kept"] == "mine"
    assert world.entries()["t"].outputs["kept"] == world.state("kept")
    assert says(world.build(), "t") == []


def test_on_drift_as_it_is_written_weighs_more_than_what_the_task_is() -> None:
    world = World.of(
        task("prompt", write=("p",), on_drift="rerun"),
        task("command", write=("c",), run="make", on_drift="accept"),
    )
    world.build()
    world.edit({"p": "mine", "c": "mine"})
    built = world.build()
    assert built.ran == ["prompt"] and says(built, "prompt") == ["drifted: p"]
    assert says(built, "command") == ["drifted: c"] and world.files()["c"] == "mine"


def test_a_formatter_that_leaves_files_as_they_are_has_seen_them_all_the_same() -> None:
    for run in ("fmt", None):
        one = replace(task("format", write=("src/**",), read=("src/**",), run=run), on_drift="rerun")
        world = World.of(one, files={"src/a": "a", "src/b": "B"})
        world.does["format"] = formatted
        assert world.build().ran == ["format"]
        world.build_nothing()
        world.edit({"src/b": "b"})
        assert says(built := world.build(), "format") == ["drifted: src/b"] and built.ran == ["format"]
        assert world.files() == {"src/a": "A", "src/b": "B"}
        world.build_nothing()


def test_a_formatter_whose_drift_is_accepted_runs_for_nobody_s_edit() -> None:
    one = task("format", write=("src/**",), read=("src/**",), run="fmt", on_drift="accept")
    world = World.of(one, files={"src/a": "a"})
    world.does["format"] = formatted
    world.build()
    world.edit({"src/a": "mine", "src/new": "new"})
    built = world.build()
    assert built.ran == [] and says(built, "format") == ["drifted: src/a", "drifted: src/new"]
    assert world.files() == {"src/a": "mine", "src/new": "new"}


def test_an_attempt_tells_every_reason_for_which_it_runs() -> None:
    world = World.of(task("t", write=("x", "y"), read=("src",), run="make"), files={"src": "1"})
    world.does["t"] = lambda files: {"x": files["src"], "y": files["src"]}
    world.build()
    world.edit({"src": "2", "x": "mine", "y": None})
    (started,) = world.build().of(AttemptStarted)
    assert [str(reason) for reason in started.reasons] == [
        "input-changed: src",
        "drifted: x",
        "output-missing: y",
    ]
