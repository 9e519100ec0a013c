"""Freshness case by case, each told as the story of a few builds: what random worlds seldom meet."""

from __future__ import annotations

from dataclasses import replace

import pytest

from orchestra.model.errors import OrchestraError
from orchestra.model.events import AttemptStarted, TaskRejected, TaskSkipped
from tests.model.kit import task

from .telling import notes, why
from .world import World, fails

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
