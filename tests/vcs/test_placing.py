"""Putting a branch somewhere: with our memory of it, never under a worktree that holds it, and as its double does."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from orchestra.model.authors import Author
from orchestra.model.ports import CommitRequest, Placed, RefUpdate
from orchestra.vcs.command import Completed, GitCommand
from orchestra.vcs.memory import MemoryGit
from orchestra.vcs.repository import Repository
from tests.vcs.kit import Person

BRANCH = "refs/heads/feature/x"
MEMORY = "refs/orchestra/branches/put/feature/x"


@pytest.fixture(params=["memory", "real"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> MemoryGit | Repository:
    if request.param == "memory":
        return MemoryGit()
    person = Person(tmp_path)
    person.commit()
    return person.repository()


def commits(store: MemoryGit | Repository) -> tuple[str, str]:
    """Two commits of which none holds the other."""
    root = store.commit_files({}) if isinstance(store, MemoryGit) else store.head().commit
    one, other = (store.commit(CommitRequest(root, (), message)) for message in ("One\n", "Other\n"))
    return one, other


def place(store: MemoryGit | Repository, new: str, old: str | None = None, put: str | None = None) -> Placed:
    return store.place(RefUpdate(BRANCH, new, old), RefUpdate(MEMORY, new, put))


def test_a_branch_and_our_memory_of_it_move_together_or_not_at_all(store: MemoryGit | Repository) -> None:
    one, other = commits(store)
    assert place(store, one) == Placed(True)
    assert (store.resolve(BRANCH), store.resolve(MEMORY)) == (one, one)
    assert place(store, other, one, one) == Placed(True)
    assert (store.resolve(BRANCH), store.resolve(MEMORY)) == (other, other)
    for old, put in ((one, other), (other, one), (None, other), (other, None)):
        assert place(store, one, old, put) == Placed(False, "it moved meanwhile")
        assert (store.resolve(BRANCH), store.resolve(MEMORY)) == (other, other)


@pytest.mark.parametrize("beside", ["refs/heads/feature", "refs/heads/feature/x/y"])
def test_names_that_are_folders_of_others_are_refused(store: MemoryGit | Repository, beside: str) -> None:
    one, _ = commits(store)
    store.update_refs((RefUpdate(beside, one),))
    found = place(store, one)
    assert not found.done and ("its folder" in found.why or "branches below" in found.why)
    assert store.resolve(BRANCH) is None and store.resolve(MEMORY) is None


def test_another_author_is_told_and_the_person_is_none(store: MemoryGit | Repository) -> None:
    one, _ = commits(store)
    bot = Author("Ä Bot", "bot@example.org")
    assert store.author(one) is None
    assert store.author(store.commit(CommitRequest(one, (one,), "By a bot\n", (), bot))) == bot


def test_the_committer_stays_the_person(person: Person) -> None:
    repository, head = person.repository(), person.head()
    made = repository.commit(CommitRequest(head, (head,), "x\n", (), Author("Bot", "b@example.org")))
    shown = person.git("log", "-1", "--format=%an <%ae> %cn <%ce>", made)
    assert shown == "Bot <b@example.org> A Person <person@example.org>"


HELD: Mapping[str, Callable[[Person], object]] = {
    "checked out here": lambda person: person.git("switch", "-qc", "feature/x"),
    "checked out in another worktree": lambda person: person.git(
        "worktree", "add", "-qb", "feature/x", "../w"
    ),
    "checked out in a worktree that is gone": lambda person: person.sh(
        "git worktree add -qb feature/x ../w; rm -r ../w"
    ),
    "unborn here": lambda person: person.git("switch", "-q", "--orphan", "feature/x"),
    "being rebased": lambda person: person.sh(
        "git switch -qc feature/x; echo 1 > f; git add f; git commit -qm f; GIT_SEQUENCE_EDITOR='echo break >' "
        "git rebase -qi HEAD~"
    ),
}


@pytest.mark.parametrize("how", HELD)
def test_a_branch_that_a_worktree_holds_stays(person: Person, how: str) -> None:
    person.commit()
    HELD[how](person)
    repository = person.repository()
    before = repository.resolve(BRANCH)
    new = person.git("commit-tree", "-m", "x", "HEAD^{tree}") if before else person.head("main")
    found = place(repository, new, before)
    assert not found.done and found.worktree is not None
    assert ("rebased" if how == "being rebased" else "checked out in") in found.why
    assert repository.resolve(BRANCH) == before and repository.resolve(MEMORY) is None


class Late(GitCommand):
    """Git for whom a branch is checked out just before it moves."""

    person: Person

    def run(self, *argv: str, **options: object) -> Completed:
        if argv[0] == "update-ref" and not (self.person.home / "late").exists():
            self.person.git("worktree", "add", "-q", str(self.person.home / "late"), "feature/x")
        return super().run(*argv, **options)  # type: ignore[arg-type]


def test_what_is_checked_out_in_that_very_moment_is_put_back(person: Person) -> None:
    person.write("f", "1\n")
    old = person.commit()
    person.write("f", "2\n")
    new = person.commit()
    person.git("branch", "feature/x", old)
    command = Late(person.root, person.env)
    command.person = person
    git_dir = person.root / ".git"
    found = place(Repository(command, person.root, git_dir, git_dir), new, old)
    late = person.home / "late"
    assert found == Placed(False, f"it was checked out in {late} meanwhile", str(late))
    assert person.head("feature/x") == old and person.refs("refs/orchestra/") == {}
    assert person.git("status", "--porcelain", cwd=late) == ""
