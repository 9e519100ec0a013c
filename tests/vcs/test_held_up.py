"""Advance, where the person's checkout is held up: they are in the middle of something, or something has the index."""

from __future__ import annotations

import os

import pytest

from orchestra.model.ports import Advance
from tests.vcs.kit import Person
from tests.vcs.test_advance import Scene, in_between, undo


@pytest.fixture
def scene(person: Person) -> Scene:
    return Scene(person)


@pytest.mark.parametrize(
    ("what", "script"),
    [
        ("merge", "git merge -q --no-ff --no-commit one"),
        ("cherry-pick", "git cherry-pick one || :"),
        ("rebase", "git switch -qc two; git rebase -q one || :; git symbolic-ref HEAD refs/heads/main"),
    ],
)
def test_what_is_under_way_is_named_with_what_ends_it(person: Person, what: str, script: str) -> None:
    person.sh("git switch -qc one; echo 1 > README.md; git commit -qam 1; git switch -q main")
    person.sh(
        "echo x > x; git add x; git commit -qm x"
        if what == "merge"
        else "echo 2 > README.md; git commit -qam 2"
    )
    person.sh(script)
    done = Scene(person).advance()
    assert not done.done
    assert done.message == f"a {what} is under way in {person.root}"
    assert (
        done.hint
        == f"finish it (git {what} --continue) or drop it (git {what} --abort), then: orchestra build"
    )


def test_an_index_that_is_held_for_a_moment_is_waited_for(scene: Scene, person: Person) -> None:
    """Editors call `git status` every other second, and it takes the lock."""
    lock = person.root / ".git" / "index.lock"
    lock.touch()
    in_between(person, "merge", then=f"rm {lock}")
    done = scene.advance()
    undo(person)
    assert done == Advance(True)


def test_an_index_that_stays_held_is_named(scene: Scene, person: Person) -> None:
    lock = person.root / ".git" / "index.lock"
    lock.touch()
    done = scene.advance()
    assert not done.done and str(lock) in done.message
    assert done.hint and f"rm {lock}, then: orchestra build" in done.hint
    assert lock.exists()
    lock.unlink()
    assert person.git("status", "--porcelain") == ""


def test_an_index_that_was_held_for_long_is_not_waited_for(scene: Scene, person: Person) -> None:
    """A git that crashed left its lock: every landing would wait for it."""
    lock = person.root / ".git" / "index.lock"
    lock.touch()
    os.utime(lock, (0, 0))
    trace = person.home / "trace"
    person.env["GIT_TRACE"] = str(trace)
    done = scene.advance()
    assert not done.done and str(lock) in done.message
    assert trace.read_text().count("built-in: git merge ") == 1
    lock.unlink()
    assert scene.advance() == Advance(True)
