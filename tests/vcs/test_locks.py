"""What a killed git leaves locked: orchestra's own is freed, the person's is theirs."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from orchestra.model.ports import RefUpdate
from orchestra.vcs.locks import remove_stale_locks
from tests.vcs.kit import Bench, Person

OURS = (
    "refs/orchestra/checks/k1-0.lock",
    "refs/orchestra/tips/build-1/heads/main.lock",
    "refs/heads/orchestra/build-1.lock",
    "worktrees/slot-1/index.lock",
    "worktrees/slot-1/HEAD.lock",
)
THEIRS = (
    "index.lock",
    "HEAD.lock",
    "packed-refs.lock",
    "refs/heads/main.lock",
    "refs/heads/orchestra.lock",
    "worktrees/mine/index.lock",
)


@pytest.fixture
def bench(person: Person, tmp_path: Path) -> Bench:
    """A repository with a slot and a worktree of the person's own, and all that can be locked."""
    found = Bench(person)
    found.prepare()
    person.git("worktree", "add", "--quiet", "--detach", str(tmp_path / "mine"))
    for lock in (*OURS, *THEIRS):
        person.write(f".git/{lock}", "")
    return found


def locks(person: Person) -> set[str]:
    git = person.root / ".git"
    return {str(path.relative_to(git)) for path in git.rglob("*.lock")}


def remove(bench: Bench) -> None:
    repository = bench.repository
    remove_stale_locks(repository.root, repository.common_dir, bench.folder)


def test_ours_go_and_theirs_stay(bench: Bench, person: Person) -> None:
    remove(bench)
    assert locks(person) == set(THEIRS)
    assert bench.repository.update_refs((RefUpdate("refs/orchestra/checks/k1-0", person.head()),))


@pytest.mark.parametrize("place", ["slot", "checkout"])
def test_while_a_git_works_there_nothing_is_freed(bench: Bench, person: Person, place: str) -> None:
    folder = bench.folder / "slot-1" if place == "slot" else person.root
    git = subprocess.Popen(
        ["git", "cat-file", "--batch"],
        cwd=folder,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with git:
        assert git.stdin is not None and git.stdout is not None
        git.stdin.write(b"HEAD\n")
        git.stdin.flush()
        assert git.stdout.readline()
        remove(bench)
        assert locks(person) == {*OURS, *THEIRS}
    remove(bench)
    assert locks(person) == set(THEIRS)


def test_where_there_is_nothing_there_is_nothing_to_do(person: Person) -> None:
    remove(Bench(person))
    assert locks(person) == set()
