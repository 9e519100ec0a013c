"""How results become commits: squashed or merged, in whose name, with which words, and on which branches."""

from __future__ import annotations

from dataclasses import replace

import pytest

from orchestra.integration.commits import MOST
from orchestra.integration.refs import KEPT, PUT
from orchestra.integration.rollback import Landings, take_back
from orchestra.model.authors import Author, author_of
from orchestra.model.errors import OrchestraError
from orchestra.model.events import TaskLanded, TaskRejected
from orchestra.model.ports import CommitRequest
from orchestra.model.rescued import commits_message, commits_ref
from orchestra.model.tasks import AgentSpec
from orchestra.planning.simulate import Script
from tests.model.kit import task

from .world import MAIN, Built, Edits, World

FEATURE = "refs/heads/feature/"
BOTH = pytest.mark.parametrize("strategy", ["squash", "merge"])


def committing(*commits: Edits, more: Edits | None = None) -> Script:
    """An attempt whose agent commits these, and leaves more in its worktree."""
    own = tuple(
        tuple((path, None if text is None else text.encode()) for path, text in edits.items())
        for edits in commits
    )
    left = tuple((path, None if text is None else text.encode()) for path, text in (more or {}).items())
    files: dict[str, bytes | None] = {path: content for edits in (*own, left) for path, content in edits}
    return Script(1.0, tuple(files.items()), commits=own)


def one(script: Script | None = None, **integrate: str) -> World:
    """A task `a` that may write `a` and `b`."""
    world = World.of(task("a", write=("a", "b")))
    if script is not None:
        world.does["a"] = lambda files: script
    world.integrate(**integrate)
    return world


def landed(built: Built) -> str:
    """The commit of the one landing."""
    (event,) = built.of(TaskLanded)
    return event.commit


def again(world: World, text: str) -> Built:
    """Build with other words of the prompt, to which the task writes that text."""
    world.does["a"] = lambda files: {"a": text}
    world.retask(task("a", write=("a", "b"), text=text))
    return world.build()


# --- squash and merge ------------------------------------------------------------------------------------------


def test_what_an_agent_committed_all_of_is_the_second_parent() -> None:
    world = one(committing({"a": "1"}, {"b": "2"}), strategy="merge")
    base = world.main
    commit = landed(world.build())
    first, second = world.git.parents(commit)
    assert first == base
    assert [world.git.message(each) for each in world.first_parents(second)[:2]] == ["By a\n", "By a\n"]
    assert world.first_parents(second)[2] == base
    assert world.first_parents(world.main) == [commit, base]
    assert "Orchestra-Task: a\n" in world.git.message(commit)
    world.build_nothing()


@pytest.mark.parametrize(
    ("script", "own"),
    [
        (committing({"a": "1"}, more={"b": "2"}), 1),
        (committing(more={"a": "1"}), 0),
        # What it made and took away again is in no history, nor what the result does not hold.
        (committing({"a": "1", "secret": "x"}, {"secret": None}), 0),
        (committing(*({"a": str(number)} for number in range(MOST))), MOST),
        (committing(*({"a": str(number)} for number in range(MOST + 1))), 0),
    ],
)
def test_what_is_left_over_is_committed_on_top_of_what_may_be_kept(script: Script, own: int) -> None:
    script = replace(script, edits=tuple(edit for edit in script.edits if edit[0] != "secret"))
    world = one(script, strategy="merge")
    base = world.main
    second = world.git.parents(landed(world.build()))[1]
    line = world.first_parents(second)
    own_line = line[: line.index(base)]
    assert sum(world.git.message(each) == "By a\n" for each in own_line) == own
    assert all("secret" not in world.files(each) for each in own_line)
    assert world.files(second) == world.files()


@pytest.mark.parametrize("detour", ["amended", "merged", "elsewhere", "back"])
def test_only_the_line_to_where_the_agent_left_its_head_is_kept(detour: str) -> None:
    world = one(committing({"a": "1"}), strategy="merge")
    git, base = world.git, world.main
    behave = world._behave
    made: list[str] = []

    def commit(*parents: str) -> str:
        made.append(git.commit(CommitRequest(base, parents, "Own\n", (("a", b"1"),))))
        return made[-1]

    def told(event: object) -> None:
        old = commit(base)
        if detour == "amended":
            head = git.commit(CommitRequest(old, (commit(base), old), commits_message("build-001-1")))
        elif detour == "merged":
            head = commit(old, commit(base))
        elif detour == "back":
            head = git.commit(CommitRequest(old, (base, old), commits_message("build-001-1")))
        else:
            head = commit(git.commit_files({"alien": b"1"}))
        git.refs[commits_ref("build-001-1")] = head

    world.started = told
    world.behave = lambda order, tree: replace(behave(order, tree), commits=())
    second = git.parents(landed(world.build()))[1]
    assert (second == made[1]) if detour == "amended" else (second not in made)
    assert world.first_parents(second)[1:] == [base]


@BOTH
def test_a_landing_is_reverted_and_taken_back_as_a_whole(strategy: str) -> None:
    world = one(committing({"a": "1"}, more={"b": "2"}), strategy=strategy, branch="feature/{task}")
    first = landed(world.build())
    world.revert(first)
    assert world.files() == {"README": "hello"}
    assert world.build_nothing() == {"a"}
    assert world.build("a").finals == {"a": "replayed"}
    found = Landings(world.git, world.main).of("a")
    assert found.commit == world.main
    world.git.refs[MAIN] = take_back(world.git, world.main, [found])
    assert world.files() == {"README": "hello"} and world.entries() == {}
    assert world.build_nothing() == {"a"}


@BOTH
def test_the_hint_to_revert_by_hand_is_one_that_git_takes(strategy: str) -> None:
    world = one(strategy=strategy)
    commit = landed(world.build())
    world.edit({"a": "mine"})
    with pytest.raises(OrchestraError) as caught:
        take_back(world.git, world.main, [Landings(world.git, world.main).of("a")])
    said = f"git revert {'-m 1 ' if strategy == 'merge' else ''}{commit[:12]}"
    assert (caught.value.hint or "").endswith(said)


def test_nothing_runs_because_results_are_to_land_in_another_way() -> None:
    world = one()
    world.build()
    world.integrate(strategy="merge", branch="feature/{task}", message="{title}!", author="agent")
    world.build_nothing()
    assert not world.git.refs_below(FEATURE)


# --- names and words -------------------------------------------------------------------------------------------


@BOTH
def test_an_agent_is_the_author_where_that_is_asked(strategy: str) -> None:
    world = one(strategy=strategy, author="agent", branch="feature/{task}")
    commit = landed(world.build())
    expected = Author("scripted", "scripted@agents.invalid")
    assert world.git.author(commit) == expected
    assert world.git.author(world.git.refs[f"{FEATURE}a"]) == expected


def test_who_an_agent_said_it_was_is_the_author() -> None:
    world = one(committing({"a": "1"}), author="agent")
    author = Author("A Bot", "bot@example.org")
    git = world.git
    behave = world._behave

    def told(event: object) -> None:
        own = git.commit(CommitRequest(world.main, (world.main,), "Own\n", (("a", b"1"),), author))
        git.refs[commits_ref("build-001-1")] = own

    world.started = told
    world.behave = lambda order, tree: replace(behave(order, tree), commits=())
    assert git.author(landed(world.build())) == author


def test_what_no_agent_of_the_manifest_did_is_the_person_s() -> None:
    world = one(author="agent")
    world.agents = lambda task: "by hand"
    assert world.git.author(landed(world.build())) is None


def test_a_command_has_no_other_author_than_the_person() -> None:
    world = World.of(task("a", write=("a",), run="make"))
    world.integrate(author="agent")
    assert world.git.author(landed(world.build())) is None


@pytest.mark.parametrize(
    ("name", "kind", "author"),
    [
        ("claude", "claude-code", "Claude <noreply@anthropic.com>"),
        ("mine", "codex", "Codex <noreply@openai.com>"),
        ("my agent", "command", "my agent <my-agent@agents.invalid>"),
        ("a<b>\n", "x", "a b <a-b@agents.invalid>"),
        ("…", "x", "… <agent@agents.invalid>"),
    ],
)
def test_each_kind_has_a_name_and_an_address(name: str, kind: str, author: str) -> None:
    found = author_of(name, kind)
    assert f"{found.name} <{found.email}>" == author


def test_the_kind_of_the_agent_counts_by_the_manifest() -> None:
    world = one(author="agent", message="{agent}: {title}")
    spec = AgentSpec("bot", "claude-code")
    world.manifest = replace(world.manifest, agents={**world.manifest.agents, "bot": spec})
    world.agents = lambda task: "bot"
    commit = landed(world.build())
    assert world.git.author(commit) == Author("Claude", "noreply@anthropic.com")
    assert world.git.message(commit).startswith("bot: Do a.\n\nOrchestra-Task: a\n")


@BOTH
def test_a_template_says_the_words_of_every_commit_of_a_result(strategy: str) -> None:
    world = one(
        strategy=strategy, branch="feature/{task}", message="feat({task}): {title} [{build}]\n\n{body}"
    )
    commit = landed(world.build())
    for each in (commit, world.git.refs[f"{FEATURE}a"]):
        assert world.git.message(each).startswith("feat(a): Do a. [build-001]\n\nOrchestra-Task: a\n")


# --- branches --------------------------------------------------------------------------------------------------


def test_a_branch_holds_the_result_on_its_base_and_its_entry() -> None:
    world = World.of(task("a", write=("a",)), task("b", write=("b",)))
    world.integrate(branch="feature/{task}")
    base = world.main
    world.build(jobs=2)
    for name in "ab":
        at = world.git.refs[FEATURE + name]
        assert world.git.parents(at) == (base,)
        assert world.files(at) == {"README": "hello", name: name}
        assert set(world.entries(at)) == {name}


@pytest.mark.parametrize("squash", [False, True])
@BOTH
def test_who_merges_the_branch_elsewhere_has_the_task_fresh(strategy: str, squash: bool) -> None:
    world = one(strategy=strategy, branch="feature/{task}")
    base = world.main
    world.build(advance=False)
    at = world.git.refs[f"{FEATURE}a"]
    world.forget()
    for ref in world.git.refs_below("refs/heads/orchestra/"):
        del world.git.refs[ref]
    world.edit({"README": "meanwhile"})
    merged = world.git.merge(base, world.main, at)
    assert merged.tree is not None
    parents = (world.main,) if squash else (world.main, at)
    world.git.refs[MAIN] = world.git.commit(CommitRequest(merged.tree, parents, "By a pull request\n"))
    assert world.build_nothing() == set()


def test_a_rejected_result_has_its_branch_too() -> None:
    world = one(branch="feature/{task}", strategy="merge")
    world.does["a"] = lambda files: {"elsewhere": "x"}
    built = world.build()
    (event,) = built.of(TaskRejected)
    at = world.git.refs[f"{FEATURE}a"]
    assert world.files(at) == {"README": "hello", "elsewhere": "x"}
    assert f"Orchestra-Attempt: {event.attempt}" in world.git.message(at)
    assert not built.notices


def test_our_branch_moves_and_a_deleted_one_comes_back_with_the_next_result() -> None:
    world = one(branch="feature/{task}")
    world.build()
    first = world.git.refs[f"{FEATURE}a"]
    again(world, "2")
    second = world.git.refs[f"{FEATURE}a"]
    assert second != first and world.files(second)["a"] == "2"
    del world.git.refs[f"{FEATURE}a"]
    assert world.build_nothing() == set()
    assert f"{FEATURE}a" not in world.git.refs
    assert not again(world, "3").notices
    assert world.files(world.git.refs[f"{FEATURE}a"])["a"] == "3"


def test_a_branch_of_the_person_s_stays_and_the_notice_says_what_to_type() -> None:
    world = one(branch="feature/{task}")
    mine = world.git.commit_files({"mine": b"1"})
    world.git.refs[f"{FEATURE}a"] = mine
    built = world.build()
    assert built.finished.ok and world.git.refs[f"{FEATURE}a"] == mine
    (notice,) = built.notices
    assert notice.message == "the result of `a` is not on the branch feature/a: it holds other commits"
    kept = f"{KEPT}feature/a"
    assert notice.hint == (
        f"see what it holds: git log {kept}..feature/a; to give that up: git branch -f feature/a {kept}"
    )
    assert world.files(world.git.refs[kept]) == world.files()
    # It is said once, and the branch comes as soon as it can.
    world.build_nothing()
    world.git.refs[f"{FEATURE}a"] = world.git.refs[kept]
    world.build()
    assert world.git.refs[f"{PUT}feature/a"] == world.git.refs[f"{FEATURE}a"] and kept not in world.git.refs


def test_what_the_person_committed_on_our_branch_is_theirs() -> None:
    world = one(branch="feature/{task}")
    world.build()
    at = world.git.refs[f"{FEATURE}a"]
    mine = world.git.commit(CommitRequest(at, (at,), "Mine\n", (("mine", b"1"),)))
    world.git.refs[f"{FEATURE}a"] = mine
    assert again(world, "2").said("it holds other commits")
    assert world.git.refs[f"{FEATURE}a"] == mine


def test_a_branch_that_loses_nothing_is_moved() -> None:
    world = one(branch="feature/{task}")
    world.git.refs[f"{FEATURE}a"] = world.main
    assert not world.build().notices
    assert world.files(world.git.refs[f"{FEATURE}a"])["a"] == "a"


def test_the_branch_on_which_results_land_is_no_branch_of_a_result() -> None:
    world = World.of(task("main", write=("a",)))
    world.integrate(branch="{task}")
    built = world.build()
    assert built.finished.ok and landed(built) == world.main
    assert built.said("not on the branch main: results land there")
    assert built.notices[0].hint == f"keep it under another name: git branch NAME {KEPT}main"


@pytest.mark.parametrize(
    ("theirs", "why"), [("feature", "the name of its folder"), ("feature/a/b", "below feature/a/")]
)
def test_names_that_git_cannot_have_side_by_side_are_told(theirs: str, why: str) -> None:
    world = one(branch="feature/{task}")
    world.git.refs[f"refs/heads/{theirs}"] = world.main
    built = world.build()
    assert built.finished.ok and built.said(why)
    assert f"{FEATURE}a" not in world.git.refs


def test_what_is_remembered_makes_room_for_names_below_it() -> None:
    world = World.of(task("a", write=("a",)))
    world.integrate(branch="feature/{task}")
    world.build()
    del world.git.refs[f"{FEATURE}a"]
    world.retask(task("a/b", write=("b",)))
    assert not world.build().notices
    assert set(world.git.refs_below(PUT)) == {f"{PUT}feature/a/b"}


def test_each_build_has_a_branch_of_its_own_where_the_template_says_so() -> None:
    world = one(branch="{build}/{task}")
    world.build()
    again(world, "2")
    assert {"refs/heads/build-001/a", "refs/heads/build-002/a"} <= set(world.git.refs)
