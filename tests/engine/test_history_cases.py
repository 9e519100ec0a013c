"""What people do with git between builds, case by case: picked, rebased, squashed, merged, taken back, kept."""

from __future__ import annotations

import pytest

from orchestra.model.events import TaskRecorded, TaskReplayed
from orchestra.model.ports import CommitRequest
from tests.model.kit import task

from .telling import why
from .world import MAIN, World


def pick(world: World, commit: str, onto: str, message: str = "picked") -> str:
    """What `git cherry-pick` makes of a commit."""
    merged = world.git.merge(world.git.parents(commit)[0], onto, commit)
    assert merged.tree is not None, f"it conflicts in {merged.conflicts}"
    return world.git.commit(CommitRequest(merged.tree, (onto,), message))


def merge(world: World, ours: str, theirs: str) -> str:
    """What `git merge --no-ff` makes of two commits."""
    base = world.git.merge_base(ours, theirs)
    assert base is not None
    merged = world.git.merge(base, ours, theirs)
    assert merged.tree is not None, f"it conflicts in {merged.conflicts}"
    return world.git.commit(CommitRequest(merged.tree, (ours, theirs), "merge"))


def switch(world: World, commit: str) -> str:
    """Let `main` stand at a commit that the person made or chose."""
    world.git.refs[MAIN] = commit
    world.theirs.append(commit)
    return commit


def two() -> World:
    """Two tasks with a file each; the first build has landed them in two commits."""
    world = World.of(task("a", write=("f",)), task("b", write=("g",)), files={"README": "hello"})
    world.build(jobs=1)
    return world


def landing_of(world: World, path: str) -> str:
    """The commit on `main` that brought the file."""
    return next(commit for commit in world.theirs_and_ours() if path in world.files(commit))


def test_a_landed_commit_that_is_picked_to_another_branch_is_fresh_there() -> None:
    world = two()
    start, of_a = world.theirs_and_ours()[0], landing_of(world, "f")
    world.forget()
    switch(world, start)
    elsewhere = world.edit({"README": "another branch"})
    switch(world, pick(world, of_a, elsewhere))
    built = world.build()
    assert built.ran == ["b"] and built.finals == {"a": "fresh", "b": "landed"}
    world.build_nothing()


def test_landed_commits_that_are_rebased_stay_fresh() -> None:
    world = two()
    start, *landed = world.theirs_and_ours()
    switch(world, start)
    at = world.edit({"README": "upstream went on", "upstream": "new"})
    for commit in landed:
        at = pick(world, commit, at)
    world.forget()
    switch(world, at)
    world.build_nothing()
    assert set(world.files()) == {"README", "upstream", "f", "g"}


def test_a_rebase_onto_what_changes_an_input_makes_stale() -> None:
    world = World.of(task("a", write=("f",), read=("src",)), files={"src": "1"})
    world.does["a"] = lambda files: {"f": files["src"]}
    world.build()
    start, landed = world.theirs_and_ours()
    switch(world, start)
    switch(world, pick(world, landed, world.edit({"src": "2"})))
    built = world.build()
    assert built.ran == ["a"] and why(built, "a") == ["input-changed: src"]
    assert world.files()["f"] == "2"


def test_a_squash_merge_that_drops_the_trailers_is_fresh_in_a_clone() -> None:
    world = two()
    start = world.theirs_and_ours()[0]
    files = {path: text.encode() for path, text in world.all_files().items()}
    world.forget()
    switch(world, world.git.commit_files(files, (start,), "one commit, without our trailers"))
    assert world.build_nothing() == set()


def test_branches_that_landed_different_tasks_are_merged_without_a_conflict_and_both_are_fresh() -> None:
    world = World.of(task("a", write=("f",)), task("b", write=("g",)))
    start = world.main
    world.build("a")
    one = world.main
    switch(world, start)
    world.build("b")
    switch(world, merge(world, world.main, one))
    world.forget()
    assert world.build_nothing() == set()


def test_a_merge_of_what_another_branch_landed_is_taken_back_like_any_landing() -> None:
    world = World.of(task("a", write=("f",)))
    start = world.main
    world.build()
    branch = world.main
    switch(world, start)
    switch(world, merge(world, world.edit({"README": "went on"}), branch))
    world.build_nothing()
    world.revert(world.main)
    assert world.files() == {"README": "went on"}
    assert world.build_nothing() == {"a"}


def test_only_the_first_parent_history_tells_what_was_taken_back() -> None:
    """On the branch that was merged the task landed and was taken back; on this one it never was."""
    world = World.of(task("a", write=("f",)))
    start = world.main
    world.build()
    aside = world.revert(world.main)
    switch(world, start)
    switch(world, merge(world, world.edit({"README": "went on"}), aside))
    world.forget()
    built = world.build()
    assert built.ran == ["a"] and why(built, "a") == ["never-built"]


def test_an_entry_that_went_on_is_not_taken_for_one_that_went_back() -> None:
    world = World.of(task("a", write=("f",), text="one"))
    world.does["a"] = lambda files: {"f": next(t.prompt.text for t in world.manifest.tasks if t.prompt)}
    world.build()
    world.retask(task("a", write=("f",), text="two"))
    world.build()
    world.retask(task("a", write=("f",), text="one"))
    built = world.build()
    assert built.ran == ["a"] and why(built, "a") == ["prompt-changed: prompt"]
    assert world.files()["f"] == "one"


def test_a_landing_that_changed_nothing_is_recorded_again_where_its_entry_was_taken_back() -> None:
    world = World.of(task("a", write=("f",)))
    world.does["a"] = lambda files: {}
    assert world.build().finals == {"a": "no-change"}
    world.revert(world.main)
    world.forget()
    assert world.build().finals == {"a": "no-change"}
    world.build_nothing()


def test_what_it_wrote_at_an_earlier_landing_stays_its_output() -> None:
    world = World.of(task("a", write=("x", "y"), read=("src",)), files={"src": "x"})
    world.does["a"] = lambda files: {files["src"]: "made"}
    world.build()
    world.edit({"src": "y"})
    world.build()
    assert set(world.entries()["a"].outputs) == {"x", "y"} and world.entries()["a"].created == {"x", "y"}
    world.edit({"x": None})
    assert why(world.build(), "a") == ["output-missing: x"]


def test_a_fresh_clone_runs_nothing() -> None:
    """I11."""
    world = two()
    world.forget()
    assert world.build_nothing() == set()


# --- what is kept and what is applied ------------------------------------------------------------------------


def test_a_result_without_declared_claims_is_replayed_only_where_what_it_wrote_is_as_it_was() -> None:
    for edit, outcome in (({"f": "mine"}, "landed"), ({"elsewhere": "mine"}, "replayed")):
        world = World.of(task("a"), files={"f": "0"})
        world.does["a"] = lambda files: {"f": "1"}
        start = world.main
        world.build()
        switch(world, start)
        world.edit(edit)
        built = world.build()
        assert built.finals == {"a": outcome} and world.files()["f"] == "1"
        assert len(built.of(TaskReplayed)) == (outcome == "replayed")


def test_a_result_of_which_only_a_part_is_there_is_not_restored() -> None:
    world = World.of(task("a", write=("f", "g")))
    world.does["a"] = lambda files: {"f": "1", "g": "1"}
    world.build()
    world.edit({".orchestra/lock/a.json": None, "g": "mine"})
    built = world.build()
    assert built.of(TaskRecorded) == [] and built.ran == ["a"]
    assert world.files()["g"] == "1"


def test_a_task_with_an_entry_is_not_restored_but_runs() -> None:
    """Its files hold what an earlier result wrote, but its entry tells of a later one."""
    world = World.of(task("a", write=("f",), run="make one"), files={"f": "0"})
    world.does["a"] = lambda files: {"f": "1" if world.manifest.tasks[0].run == "make one" else "2"}
    world.build()
    world.retask(task("a", write=("f",), run="make two"))
    world.build()
    world.edit({"f": "1"})
    world.retask(task("a", write=("f",), run="make one"))
    built = world.build()
    assert built.of(TaskRecorded) == [] and built.of(TaskReplayed) == [] and built.ran == ["a"]


@pytest.mark.parametrize("ends", ["failed", "rejected"])
def test_a_failed_or_rejected_attempt_is_never_replayed(ends: str) -> None:
    from .world import fails

    world = World.of(task("a", write=("f",)))
    world.does["a"] = lambda files: fails() if ends == "failed" else {"f": "1", "elsewhere": "1"}
    assert world.build().finals == {"a": ends}
    assert world.build().ran == ["a"]
