"""Freshness case by case, each told as the story of a few builds: what random worlds seldom meet."""

from __future__ import annotations

from dataclasses import replace

import pytest

from orchestra.model.errors import OrchestraError
from orchestra.model.events import AttemptStarted, TaskDecided, TaskRejected, TaskSkipped
from orchestra.model.tasks import Task
from tests.model.kit import task

from .world import Built, Edits, Files, World, fails


def why(built: Built, name: str) -> list[str]:
    """The reasons for which a task ran, as texts, in the last of its attempts."""
    return [str(r) for r in [event for event in built.of(AttemptStarted) if event.task == name][-1].reasons]


def notes(built: Built, name: str) -> list[str]:
    """What was noted of a task when it was last decided."""
    last = [event for event in built.of(TaskDecided) if event.task == name][-1]
    return [f"{note.kind}: {note.path}" for note in last.notes]


def writes(path: str, text: str) -> object:
    return lambda files: {path: text}


# --- who reads what the other writes -------------------------------------------------------------------------


def test_two_that_each_read_what_the_other_writes() -> None:
    world = World.of(
        task("one", write=("a",), read=("b",)), task("two", write=("b",), read=("a",)), files={"b": "0"}
    )
    world.does["one"] = lambda files: {"a": f"a of {files['b'][:1]}"}
    world.does["two"] = lambda files: {"b": f"b of {files['a']}"}
    assert world.build().ran == ["one", "two"]
    world.build_nothing()
    world.edit({"b": "9"})
    built = world.build()
    assert built.ran == ["one", "two"]
    assert why(built, "one") == ["input-changed: b"]
    assert why(built, "two") == ["input-changed: a"]
    world.build_nothing()


def test_a_report_that_reads_what_a_fix_that_needs_it_writes() -> None:
    world = World.of(
        task("fix", write=("src/**",), needs=("report",)),
        task("report", write=("report",), read=("src/**",)),
        files={"src/a": "1"},
    )
    world.does["report"] = lambda files: {"report": f"on {files['src/a']}"}
    world.does["fix"] = lambda files: {"src/a": f"fixed by {files['report']}"}
    assert world.build().ran == ["report", "fix"]
    assert world.files() == {"report": "on 1", "src/a": "fixed by on 1"}
    world.build_nothing()
    world.edit({"src/a": "2"})
    assert world.build().ran == ["report", "fix"]
    world.build_nothing()


def test_one_that_reads_everything() -> None:
    world = World.of(
        task("sum", write=("sum",), read=("**",)),
        task("docs", write=("docs/**",)),
        task("code", write=("src/**",)),
    )
    for name, path in (("docs", "docs/a"), ("code", "src/a")):
        world.does[name] = lambda files, path=path: {path: "new"}  # type: ignore[misc]
    world.does["sum"] = lambda files: {"sum": " ".join(sorted(files))}
    assert world.build(jobs=3).ran[-1] == "sum"
    assert world.files()["sum"] == "README docs/a src/a"
    world.build_nothing()
    world.edit({"elsewhere": "x"})
    built = world.build()
    assert built.ran == ["sum"] and why(built, "sum") == ["input-changed: elsewhere"]


def test_a_command_without_claims_that_reads_and_writes_everything() -> None:
    world = World.of(task("all", run="make", read=("**",), unread=("orchestra.yaml", "prompts/**")))
    world.does["all"] = lambda files: {"out": f"of {files['README']}"}
    assert world.build().ran == ["all"]
    world.build_nothing()
    world.edit({"prompts/other.md": "no matter", "orchestra.yaml": "no matter"})
    world.build_nothing()
    world.edit({"out": "by hand"})
    built = world.build()
    assert set(why(built, "all")) == {"input-changed: out", "drifted: out"}
    assert {reason.old for reason in built.of(AttemptStarted)[0].reasons} == {
        world.git.tree(world.main).files["out"]
    }
    assert world.files()["out"] == "of hello"


def test_two_commands_without_claims() -> None:
    world = World.of(*(task(name, run=name, read=("**",), unread=("prompts/**",)) for name in ("one", "two")))
    world.does["one"] = lambda files: {"x": f"one of {files['README']}"}
    world.does["two"] = lambda files: {"x": f"{files['x']}, two"}
    assert world.build(jobs=2).ran == ["one", "two"]
    world.build_nothing()


def test_one_that_reads_a_path_which_it_also_writes() -> None:
    world = World.of(
        task("bump", write=("version",), read=("version", "src/*")), files={"version": "1", "src/a": "x"}
    )
    world.does["bump"] = lambda files: {"version": str(int(files["version"]) + 1)}
    assert world.build().ran == ["bump"]
    world.build_nothing()
    world.edit({"src/a": "y"})
    assert world.build().ran == ["bump"]
    assert world.files()["version"] == "3"
    world.edit({"version": "7"})
    built = world.build()
    assert built.ran == [] and notes(built, "bump") == ["drifted: version"]
    assert world.files()["version"] == "7"


# --- needs ---------------------------------------------------------------------------------------------------


def test_a_need_that_runs_again_with_the_same_bytes_runs_nothing_else() -> None:
    """I4, early cutoff."""
    world = World.of(
        task("gen", write=("gen",), read=("src",)),
        task("use", write=("use",), needs=("gen",)),
        files={"src": "1"},
    )
    world.does["gen"] = lambda files: {"gen": str(len(files["src"]))}
    assert world.build().ran == ["gen", "use"]
    world.edit({"src": "2"})
    built = world.build()
    assert built.ran == ["gen"] and built.finals == {"gen": "no-change", "use": "fresh"}
    world.build_nothing()
    world.edit({"src": "33"})
    built = world.build()
    assert built.ran == ["gen", "use"] and why(built, "use") == ["need-changed: gen"]


def test_a_person_s_edit_of_what_a_need_made_is_followed_through_reads_only() -> None:
    world = World.of(
        task("gen", write=("gen",)),
        task("needs", write=("needs",), needs=("gen",)),
        task("reads", write=("reads",), needs=("gen",), read=("gen",)),
    )
    world.does["gen"] = lambda files: {"gen": "1"}
    world.build()
    world.edit({"gen": "by hand"})
    assert world.build().ran == ["reads"]


def test_one_that_writes_a_file_of_the_one_it_needs() -> None:
    world = World.of(task("first", write=("x",)), task("second", write=("x",), needs=("first",)))
    world.does["first"] = lambda files: {"x": "first"}
    world.does["second"] = lambda files: {"x": f"{files['x']}, second"}
    assert world.build().ran == ["first", "second"]
    world.build_nothing()


def test_a_subset_whose_needs_are_stale_builds_them_too_and_nothing_else() -> None:
    world = World.of(
        task("a", write=("a",)),
        task("b", write=("b",), needs=("a",)),
        task("c", write=("c",), read=("b",)),
        task("d", write=("b",)),
    )
    built = world.build("b")
    assert built.ran == ["a", "b"] and set(built.finals) == {"a", "b"}


def test_dependents_of_a_failure_are_skipped_with_the_reason_and_others_go_on() -> None:
    world = World.of(
        task("bad", write=("bad",)),
        task("child", write=("child",), needs=("bad",)),
        task("grandchild", write=("grandchild",), needs=("child",)),
        task("reader", write=("reader",), read=("bad",)),
        task("other", write=("other",)),
    )
    world.does["bad"] = lambda files: fails()
    built = world.build()
    assert built.finals == {
        "bad": "failed", "child": "skipped", "grandchild": "skipped", "reader": "landed", "other": "landed",
    }  # fmt: skip
    assert [(e.task, e.why, e.because) for e in built.of(TaskSkipped)] == [
        ("child", "needs bad, which failed", "bad"),
        ("grandchild", "needs child, which was skipped", "child"),
    ]
    assert not built.finished.ok and built.finished.advanced
    world.does["bad"] = lambda files: {"bad": "good now"}
    assert world.build().ran == ["bad", "child", "reader", "grandchild"]


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


def formatter(**more: object) -> Task:
    return task("format", write=("src/**",), read=("src/**",), run="fmt", **more)  # type: ignore[arg-type]


def formatted(files: Files) -> Edits:
    return {path: text.upper() for path, text in files.items() if path.startswith("src/")}


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


# --- entries, prompts, manifest ------------------------------------------------------------------------------


def test_a_renamed_prompt_and_a_changed_one() -> None:
    world = World.of(task("t", write=("out",)))
    world.build()
    one = world.manifest.task("t")
    assert one.prompt is not None
    world.retask(replace(one, prompt=replace(one.prompt, path="prompts/deep/t.md")))
    world.build_nothing()
    world.retask(replace(one, prompt=replace(one.prompt, text="Do it better.\n")))
    assert why(world.build(), "t") == ["prompt-changed: prompt"]


def test_one_taken_out_of_the_manifest_and_put_back() -> None:
    world = World.of(task("a", write=("a",)), task("b", write=("b",)))
    a, b = world.manifest.tasks
    world.build()
    world.retask(a)
    world.build_nothing()
    assert set(world.entries()) == {"a", "b"}
    world.retask(a, b)
    world.build_nothing()


def test_a_failed_attempt_with_a_new_prompt_and_then_the_old_prompt_again() -> None:
    world = World.of(task("t", write=("out",)))
    world.build()
    (one,) = world.manifest.tasks
    assert one.prompt is not None
    world.retask(replace(one, prompt=replace(one.prompt, text="New.\n")))
    world.does["t"] = lambda files: fails()
    assert world.build().finals == {"t": "failed"}
    world.retask(one)
    world.build_nothing()


def test_a_branch_switch_and_back_and_a_cherry_pick() -> None:
    """Freshness is a function of the tree: I11."""
    world = World.of(task("a", write=("a",)), task("b", write=("b",)))
    start = world.main
    world.build()
    there = world.git.tree(world.main)
    built = world.main
    world.git.refs["refs/heads/main"] = start
    again = world.build(jobs=1)
    assert again.ran == [] and again.finals == {"a": "replayed", "b": "replayed"}
    assert world.git.tree(world.main).files == there.files
    world.git.refs["refs/heads/main"] = built
    world.build_nothing()
    # Rebased, squashed or cherry-picked: another commit, without our trailers, with the same tree.
    world.git.refs["refs/heads/main"] = world.git.commit_files(
        world.git.contents(there.commit), (start,), "squashed"
    )
    world.build_nothing()


def test_all_entries_deleted_are_restored_where_their_results_are_kept_and_else_all_runs() -> None:
    world = World.of(task("a", write=("a",)), task("b", write=("b",), needs=("a",)))
    world.build()
    files = world.files()
    world.edit({path: None for path in world.all_files() if path.startswith(".orchestra/lock/")})
    restored = world.build()
    assert restored.ran == [] and restored.finals == {"a": "replayed", "b": "replayed"}
    assert world.files() == files
    world.build_nothing()
    world.edit({path: None for path in world.all_files() if path.startswith(".orchestra/lock/")})
    world.forget()
    assert world.build().finals == {"a": "no-change", "b": "no-change"}
    assert world.files() == files
    world.build_nothing()


def test_an_entry_with_conflict_markers_is_a_clear_error() -> None:
    world = World.of(task("t", write=("out",)))
    world.build()
    world.edit({".orchestra/lock/t.json": "{\n<<<<<<< HEAD\n=======\n>>>>>>> other\n}\n"})
    with pytest.raises(OrchestraError, match=r"\.orchestra/lock/t\.json:2:1: .* conflict markers"):
        world.build()


def test_a_success_without_a_change_is_remembered_also_after_a_failure() -> None:
    world = World.of(task("noop"), task("bad"))
    world.does["noop"] = lambda files: {}
    world.does["bad"] = lambda files: fails()
    assert world.build().finals == {"noop": "no-change", "bad": "failed"}
    assert set(world.entries()) == {"noop"}
    assert world.build().ran == ["bad"]


def test_a_check_is_remembered_by_what_it_judged() -> None:
    world = World.of(task("suite", write=(), read=("**",), run="pytest"), task("t", write=("out",)))
    world.does["t"] = lambda files: {"out": "1"}
    world.does["suite"] = lambda files: {}
    built = world.build()
    assert built.ran == ["t", "suite"] and built.finals["suite"] == "passed"
    assert set(world.entries()) == {"t"}
    world.build_nothing()
    world.edit({"x": "1"})
    assert world.build().ran == ["suite"]
    world.edit({"x": None})
    world.build_nothing()


def test_a_check_that_changes_files_is_rejected() -> None:
    world = World.of(task("suite", write=(), read=("**",), run="pytest"))
    world.does["suite"] = lambda files: {"cache": "x"}
    built = world.build()
    assert built.finals == {"suite": "rejected"}
    assert "declares that it writes nothing" in built.of(TaskRejected)[0].why


# --- in one build --------------------------------------------------------------------------------------------


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
