"""The person's branch: it moves forward only, over what they commit meanwhile, and what cannot land waits parked."""

from __future__ import annotations

from dataclasses import fields

import pytest
from hypothesis import given, note
from hypothesis import strategies as st

from orchestra.integration.branch import Target
from orchestra.integration.reconcile import take_up
from orchestra.model.events import BranchAdvanced, BranchBehind, TaskLanded, TaskRejected, TaskSkipped
from orchestra.model.ports import AttemptOrder, RefUpdate
from orchestra.model.trees import Tree
from orchestra.planning.simulate import Script
from orchestra.vcs.memory import MemoryGit
from tests.model.kit import task

from .doings import ALL, worlds
from .test_builds import JOBS, SETTINGS
from .world import MAIN, Edits, Files, World, script

PARKED = "refs/heads/orchestra/build-"


def two(*, verify: bool = True) -> World:
    """Two tasks with a file each; red where a file named `bad` is."""
    world = World.of(
        task("a", write=("a",)), task("b", write=("b",)), verify="make check" if verify else None
    )
    world.green = lambda commit: "bad" not in world.files(commit)
    return world


def while_running(world: World, name: str, edits: Edits, then: Edits | None = None) -> None:
    """Let the person commit these edits while that task runs."""

    def does(files: Files) -> Script:
        world.edit(edits)
        return script(then if then is not None else {name: "x"})

    world.does[name] = does


def left_over(world: World) -> list[str]:
    """Refs of ours on the way to a branch."""
    return [
        ref
        for ref in world.git.refs
        if ref.startswith(("refs/orchestra/tips", "refs/orchestra/parked", "refs/orchestra/stood", PARKED))
    ]


# --- while it is built ---------------------------------------------------------------------------------------


def test_what_the_person_commits_meanwhile_is_taken_up_and_nothing_is_merged_twice() -> None:
    world = two()
    while_running(world, "a", {"mine": "1"})
    built = world.build(jobs=1)
    assert built.finished.ok and built.finished.advanced
    assert world.files() == {"README": "hello", "a": "x", "b": "b", "mine": "1"}
    # The person's commit came before anything landed: a straight line, no merge.
    assert all(len(world.git.commits[event.commit].parents) == 1 for event in built.of(TaskLanded))
    assert left_over(world) == []
    world.build_nothing()


def commit_while_verifying(world: World, task_path: str, edits: Edits) -> None:
    """Let the person commit just when the result that brings this path is being verified."""
    done: list[str] = []

    def verdict(commit: str) -> bool:
        if not done and task_path in world.files(commit):
            done.append(commit)
            world.edit(edits)
        return world.green(commit)

    world.verdict = verdict


def test_what_the_person_commits_during_verification_is_merged_and_verified_before_the_branch_moves() -> None:
    world = two()
    commit_while_verifying(world, "a", {"mine": "1"})
    built = world.build(jobs=1)
    assert built.finished.ok
    assert world.files() == {"README": "hello", "a": "a", "b": "b", "mine": "1"}
    merge = built.of(BranchAdvanced)[0].new
    assert len(world.git.commits[merge].parents) == 2
    assert world.git.message(merge) == "Merge what orchestra landed\n"
    world.build_nothing()


@pytest.mark.parametrize(
    ("edits", "why"),
    [
        ({"a": "mine"}, "your new commits conflict with what landed in a"),
        ({"bad": "1"}, "your new commits together with what landed fail verification"),
    ],
)
def test_what_cannot_be_merged_with_the_person_s_commits_is_parked_and_told(edits: Edits, why: str) -> None:
    world = two()
    commit_while_verifying(world, "a", edits)
    built = world.build(jobs=1)
    mine = world.main
    assert world.files() == {"README": "hello", **edits}
    assert not built.finished.ok and not built.finished.advanced
    assert set(built.finals.values()) == {"landed"}
    (behind,) = built.of(BranchBehind)
    assert behind.why == why and behind.branch == MAIN
    assert behind.hint == f"git merge {behind.parked}"
    assert world.git.refs[f"refs/heads/{behind.parked}"] == behind.tip == built.finished.tip
    assert set(world.files(behind.tip)) == {"README", "a", "b"}
    # The next build runs nothing of it again, and says once more what stands in the way.
    again = world.build(jobs=1)
    assert again.ran == [] and world.main == mine
    assert [event.parked for event in again.of(BranchBehind)] == [behind.parked]
    # The person mends it: then what was parked lands.
    world.edit({"a": None, "bad": None})
    assert world.build().finished.ok
    assert {"a", "b"} <= set(world.files())
    assert left_over(world) == []
    world.build_nothing()


@pytest.mark.parametrize("deleted", [False, True])
def test_a_branch_that_is_rewritten_or_deleted_meanwhile_is_left_alone(deleted: bool) -> None:
    world = two()
    start = world.main
    world.edit({"extra": "1"})
    rewritten = world.git.commit_files({"README": b"another"}, (start,))

    def verdict(commit: str) -> bool:
        if "a" in world.files(commit):
            world.git.refs[MAIN] = rewritten
            if deleted:
                del world.git.refs[MAIN]
        return world.green(commit)

    world.verdict = verdict
    events = []
    with pytest.raises(KeyError) if deleted else pytest.raises(AssertionError, match="main lost a commit"):
        events = world.build("a").events
    assert events == []
    parked = [commit for ref, commit in world.git.refs.items() if ref.startswith(PARKED)]
    assert len(parked) == 1 and set(world.files(parked[0])) == {"README", "a", "extra"}
    assert world.git.refs.get(MAIN) == (None if deleted else rewritten)


@SETTINGS
@given(
    worlds(kinds=ALL, failures=True),
    st.lists(
        st.tuples(st.integers(0, 9), st.sampled_from(["p", "q", "mine", "other"]), st.booleans()), max_size=3
    ),
    JOBS,
)
def test_whatever_the_person_commits_meanwhile_nothing_of_it_is_lost(
    world: World, commits: list[tuple[int, str, bool]], jobs: int
) -> None:
    """I9: each commit of theirs stays in the history of the branch, and the branch is green where it is verified."""
    behave = world.behave
    assert behave is not None
    made: list[str] = []
    moments = 0

    def moment() -> None:
        nonlocal moments
        for at, path, red in commits:
            if at == moments:
                made.append(world.edit({path: f"{'red' if red else 'fine'} {len(made)}"}))
                note(f"the person commits {path} at moment {at}")
        moments += 1

    def act(order: AttemptOrder, tree: Tree) -> Script:
        moment()
        return behave(order, tree)

    def verdict(commit: str) -> bool:
        moment()
        return world.green(commit)

    world.behave = act
    world.verdict = verdict
    built = world.build(jobs=jobs)
    for commit in made:
        assert world.git.is_ancestor(commit, world.main)
    for event in built.of(TaskLanded):
        # Landed: on the branch, or parked where the next build finds it.
        parked = [c for ref, c in world.git.refs.items() if ref.startswith(PARKED)]
        assert any(world.git.is_ancestor(event.commit, end) for end in (world.main, *parked))
    assert built.finished.advanced is world.git.is_ancestor(built.finished.tip, world.main)
    assert built.finished.advanced or len(built.of(BranchBehind)) == 1
    if not built.finished.advanced:
        again = world.build(jobs=jobs)
        assert world.git.is_ancestor(built.finished.tip, again.finished.tip)


def test_a_result_is_not_blamed_for_what_the_person_s_new_commits_break() -> None:
    world = two()
    world.retask(*world.manifest.tasks, task("c", write=("c",), needs=("b",)))
    while_running(world, "a", {"bad": "1"})
    built = world.build(jobs=2)
    assert built.finals == {"a": "rejected", "b": "rejected", "c": "skipped"} and not built.finished.ok
    event = next(event for event in built.of(TaskRejected) if event.task == "a")
    assert (
        event.why == "`make check` fails on your new commits, also without it"
        and event.hint == "make it pass on the branch"
    )
    assert event.kept is not None and event.kept.startswith("refs/orchestra/captured/")
    assert set(world.files(world.git.refs[event.kept])) == {"README", "a"}
    assert [e.why for e in built.of(TaskSkipped)] == ["verify is red on your new commits"]
    assert world.main == world.theirs[-1]
    world.edit({"bad": None})
    # Nothing was to blame on the results: they go on at the audit.
    mended = world.build()
    assert mended.finished.ok and mended.finals == {"a": "replayed", "b": "replayed", "c": "landed"}
    assert mended.ran == ["c"]


def test_a_result_that_mends_what_the_person_broke_lands() -> None:
    world = two()
    while_running(world, "a", {"b": "1"}, {"a": "x"})
    world.green = lambda commit: not ("b" in world.files(commit) and "a" not in world.files(commit))
    assert world.build("a").finals == {"a": "landed"}


def test_a_result_is_blamed_where_the_person_s_new_commits_are_green_without_it() -> None:
    world = two()
    while_running(world, "a", {"mine": "1"}, {"a": "red"})
    world.green = lambda commit: world.files(commit).get("a") != "red"
    built = world.build("a")
    assert built.ran == ["a", "a"] and built.finals == {"a": "rejected"}
    assert built.of(TaskRejected)[0].why == "`make check` fails with it"


# --- asked not to advance, and detached ----------------------------------------------------------------------


def test_without_advance_the_tip_is_parked_and_the_next_build_takes_it_up() -> None:
    world = two()
    start = world.main
    built = world.build("a", advance=False)
    assert built.finished.ok and not built.finished.advanced and world.main == start
    (behind,) = built.of(BranchBehind)
    assert behind.why == "asked not to advance" and behind.parked == "orchestra/build-build-001"
    again = world.build("a", advance=False)
    assert again.ran == [] and again.of(BranchBehind)[0].parked == behind.parked
    more = world.build(advance=False)
    assert more.ran == ["b"] and world.main == start
    assert [ref for ref in left_over(world) if ref.startswith(PARKED)] == [f"{PARKED}build-003"]
    last = world.build()
    assert last.ran == [] and last.finished.ok and last.finished.advanced
    assert world.files() == {"README": "hello", "a": "a", "b": "b"}
    assert left_over(world) == []
    world.build_nothing()


def test_a_detached_head_stays_and_the_next_build_on_it_goes_on() -> None:
    world = two()
    here = world.main
    built = world.build("a", detached=here)
    assert built.finished.ok and built.of(BranchBehind)[0].why == "no branch is checked out"
    assert world.main == here
    assert world.build("a", detached=here).ran == []
    # The person follows to what was parked: nothing is stale there either, and nothing is left to clean up.
    there = built.finished.tip
    assert world.build("a", detached=there).ran == []
    assert left_over(world) == []


def test_a_detached_head_elsewhere_takes_nothing_up_and_another_s_tip_does_not_hide_its_own() -> None:
    world = two()
    first = world.main
    world.build("a", detached=first)
    second = world.edit({"elsewhere": "1"})
    assert world.build("a", detached=second).finals == {"a": "replayed"}
    assert world.build("a", detached=first).finals == {"a": "fresh"}
    assert world.build("a", detached=second).finals == {"a": "fresh"}


def test_a_parked_branch_that_the_person_deletes_is_their_decision() -> None:
    world = two()
    built = world.build("a", advance=False)
    del world.git.refs[f"refs/heads/{built.of(BranchBehind)[0].parked}"]
    again = world.build("a")
    assert again.ran == [] and again.finals == {"a": "replayed"}


def test_a_parked_branch_that_the_person_moves_during_a_build_stays_theirs() -> None:
    world = two()
    built = world.build("a", advance=False)
    parked = f"refs/heads/{built.of(BranchBehind)[0].parked}"

    def does(files: Files) -> Edits:
        world.git.refs[parked] = world.git.commit_files({"theirs": b"x"}, (built.finished.tip,))
        return {"b": "x"}

    world.does["b"] = does
    again = world.build(advance=False)
    (behind,) = again.of(BranchBehind)
    assert world.git.refs[f"refs/heads/{behind.parked}"] == again.finished.tip
    assert set(world.files(again.finished.tip)) == {"README", "a", "b"}
    assert set(world.files(world.git.refs[parked])) == {"theirs"}


def test_a_parked_tip_and_new_commits_of_the_person_are_merged_by_the_next_build() -> None:
    world = two()
    world.build("a", advance=False)
    world.edit({"mine": "1"})
    seen: list[Files] = []
    world.does["b"] = lambda files: seen.append(files) or script({"b": "b"})  # type: ignore[func-returns-value]
    built = world.build()
    assert built.ran == ["b"] and built.finished.ok
    # First, so that what is built next stands on their commits too.
    assert seen == [{"README": "hello", "a": "a", "mine": "1"}]
    assert len(built.of(BranchAdvanced)) == 2
    assert world.files() == {"README": "hello", "a": "a", "b": "b", "mine": "1"}
    assert left_over(world) == []
    world.build_nothing()


def test_nothing_starts_where_the_person_s_new_commits_fail_together_with_a_parked_tip() -> None:
    world = two()
    kept = world.build("a", advance=False).finished.tip
    mine = world.edit({"bad": "1"})
    built = world.build()
    assert built.ran == [] and not built.finished.ok and world.main == mine
    assert built.said("`make check` fails on your new commits together with what landed before")
    assert built.finals == {"a": "fresh", "b": "skipped"}
    (behind,) = built.of(BranchBehind)
    assert behind.why == "your new commits together with what landed fail verification"
    assert world.git.refs[f"refs/heads/{behind.parked}"] == kept
    world.edit({"bad": None})
    assert world.build().finished.advanced
    assert world.files() == {"README": "hello", "a": "a", "b": "b"}


def test_a_parked_tip_that_conflicts_with_new_commits_stays_parked_with_what_is_built_on_it() -> None:
    world = two()
    world.build("a", advance=False)
    mine = world.edit({"a": "mine"})
    built = world.build()
    assert built.ran == ["b"] and not built.finished.ok and world.main == mine
    (behind,) = built.of(BranchBehind)
    assert behind.why == "your new commits conflict with what landed in a"
    assert world.files(world.git.refs[f"refs/heads/{behind.parked}"]) == {
        "README": "hello",
        "a": "a",
        "b": "b",
    }


def test_an_interrupt_while_a_parked_tip_is_verified_with_new_commits_ends_the_build() -> None:
    world = two()
    kept = world.build("a", advance=False).finished.tip
    mine = world.edit({"mine": "1"})
    built = world.build(verify_seconds=10.0, interrupts=[3.0])
    assert built.ran == [] and built.finished.interrupted and world.main == mine
    (behind,) = built.of(BranchBehind)
    assert world.git.refs[f"refs/heads/{behind.parked}"] == kept
    assert world.build().finished.advanced


@pytest.mark.parametrize("advance", [True, False])
def test_a_parked_tip_does_not_bring_back_what_the_branch_no_longer_has(advance: bool) -> None:
    world = two()
    world.edit({"dropped": "1"})
    world.build("a", advance=False)
    (world.git.refs[MAIN],) = world.git.commits[world.main].parents
    built = world.build(advance=advance)
    assert built.finals == {"a": "replayed", "b": "landed"}
    assert set(world.files(built.finished.tip)) == {"README", "a", "b"}


def test_after_a_crash_the_tip_is_taken_up_by_its_ref() -> None:
    """What landed without its branch having moved: only the ref in `tips` knows of it."""
    world = two()
    start = world.main
    world.build("a")
    landed = world.main
    world.git.refs = {MAIN: start, "refs/orchestra/tips/build-001/heads/main": landed}
    built = world.build()
    assert built.ran == ["b"] and built.finished.ok
    assert left_over(world) == []


def test_files_in_the_way_leave_the_branch_and_are_named() -> None:
    class Dirty(MemoryGit):
        __slots__ = ()

    world = two()
    world.git = Dirty(**{each.name: getattr(world.git, each.name) for each in fields(MemoryGit)})
    from orchestra.model.ports import Advance

    def advance(branch: str, old: str, new: str) -> Advance:
        return Advance(False, in_the_way=("a",), message="would be overwritten")

    Dirty.advance = lambda self, branch, old, new: advance(branch, old, new)  # type: ignore[method-assign]
    built = world.build()
    assert set(built.finals.values()) == {"landed"} and not built.finished.ok
    (behind,) = built.of(BranchBehind)
    assert behind.paths == ("a",) and behind.why == "your files are in the way"
    del Dirty.advance
    assert world.build().ran == [] and world.files().keys() == {"README", "a", "b"}


# --- what a build begins with --------------------------------------------------------------------------------


def chain(git: MemoryGit, *names: str, parent: str | None = None) -> list[str]:
    """Commits in a row."""
    commits = []
    for name in names:
        parent = git.commit_files({name: b""}, (parent,) if parent else ())
        commits.append(parent)
    return commits


def test_the_newest_tip_of_the_branch_is_taken_up_with_the_refs_of_those_that_it_holds() -> None:
    git = MemoryGit()
    head, first, second = chain(git, "head", "first", "second")
    (aside,) = chain(git, "aside", parent=head)
    refs = {
        "refs/orchestra/parked/b1/heads/main": first,
        f"{PARKED}b1": first,
        "refs/orchestra/tips/b2/heads/main": second,
        "refs/orchestra/tips/b0/heads/main": aside,
        "refs/orchestra/tips/b9/heads/other": aside,
        "refs/orchestra/tips/b9/heads/a/heads/main": aside,
        "refs/orchestra/parked/b9/heads/a/heads/main": aside,
        "refs/orchestra/tips/b9/detached": aside,
    }
    begin = take_up(git, refs, MAIN, head, advance=True)
    assert begin.tip == second and begin.target.head == head and begin.target.parked is None
    assert {update.ref for update in begin.target.taken_up} == {
        "refs/orchestra/parked/b1/heads/main", f"{PARKED}b1", "refs/orchestra/tips/b2/heads/main",
    }  # fmt: skip
    assert begin.left == (aside[:7],) and begin.obsolete == ()


def test_tips_that_the_branch_holds_already_are_obsolete() -> None:
    git = MemoryGit()
    head, first, second = chain(git, "head", "first", "second")
    refs = {
        "refs/orchestra/tips/b1/heads/main": head,
        "refs/orchestra/parked/b2/heads/main": first,
        f"{PARKED}b2": first,
    }
    begin = take_up(git, refs, MAIN, second, advance=True)
    assert begin.tip == second and begin.target == Target(MAIN, second)
    assert set(begin.obsolete) == {RefUpdate(ref, None, commit) for ref, commit in refs.items()}


def test_a_tip_without_a_common_ancestor_is_left_to_the_person() -> None:
    git = MemoryGit()
    (head,) = chain(git, "head")
    (stranger,) = chain(git, "stranger")
    refs = {"refs/orchestra/parked/b1/heads/main": stranger, f"{PARKED}b1": stranger}
    begin = take_up(git, refs, MAIN, head, advance=True)
    assert begin.tip == head and begin.left == ("orchestra/build-b1",)


def test_the_merge_base_of_the_memory_double() -> None:
    git = MemoryGit()
    root, one, other = chain(git, "root", "one", "other")
    (aside,) = chain(git, "aside", parent=one)
    (stranger,) = chain(git, "stranger")
    joined = git.commit_files({}, (other, aside))
    assert git.merge_base(other, aside) == one
    assert git.merge_base(joined, aside) == aside
    assert git.merge_base(root, other) == root
    assert git.merge_base(root, stranger) is None


def test_the_tip_s_ref_goes_also_at_a_second_advance() -> None:
    world = World.of(
        task("a"), task("b", write=("p",), read=("**",), unread=("prompts/**",)), verify="make check"
    )
    world.does["a"] = lambda files: {"p": "a"}
    world.does["b"] = lambda files: {"p": files["p"] if "#b" in files["p"] else f"{files['p']}#b"}
    world.build(advance=False)
    world.edit({"q": "1"})
    assert world.build().finished.ok
    assert left_over(world) == []


def test_what_the_last_merge_with_the_person_s_commits_makes_stale_is_built_too() -> None:
    world = World.of(task("a", write=("p",)), task("b", write=("p",), read=("**",)))
    world.does["b"] = lambda files: {"p": " ".join(sorted(files))}
    world.build(advance=False)
    world.edit({"q": "1"})
    assert world.build().finished.ok
    assert "q" in world.files()["p"]
    world.build_nothing()
