"""What a person's edits of outputs mean over several builds: accepted, adopted, undone, formatted again."""

from __future__ import annotations

from dataclasses import replace

from orchestra.model.events import AttemptStarted, TaskDecided
from tests.model.kit import task

from .world import Built, Edits, Files, World


def says(built: Built, name: str) -> list[str]:
    """Reasons and notes of the task's first decision in a build, in words."""
    first = next(event for event in built.of(TaskDecided) if event.task == name)
    return [*map(str, first.reasons), *(f"{note.kind}: {note.path}" for note in first.notes)]


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


def formatted(files: Files) -> Edits:
    return {path: text.upper() for path, text in files.items() if path.startswith("src/")}


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
