"""What a watch sees when it looks at a disk with real git: what may be built, waited for, and whose a change is."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from orchestra.cli.watch_look import DiskLooker
from orchestra.model.tasks import Manifest
from orchestra.watching.builder import WorkOrder
from tests.vcs.kit import Person


@pytest.fixture
def person(tmp_path: Path) -> Person:
    """Somebody with two prompts."""
    person = Person(tmp_path)
    for name in ("a", "b"):
        person.write(f"prompts/{name}.md", f"---\nagent: script\n---\n# {name}\n\n```sh\ntrue\n```\n")
    person.commit()
    return person


def looker(
    person: Person, *, into: str | None = None, advance: bool = True, dirty: bool = False
) -> DiskLooker:
    place = str(person.root)
    order = WorkOrder(place, None, None, into, advance, dirty, Manifest((), {}), (), None, None)
    return DiskLooker(order, person.root, f"{place}/orchestra.yaml", ())


def test_it_sees_the_tasks_and_where_the_branch_stands(person: Person) -> None:
    found = looker(person).look()
    assert found.sight is not None and (found.errors, found.busy, found.gone) == ((), None, False)
    assert [task.name for task in found.sight.manifest.tasks] == ["a", "b"]
    assert (found.sight.commit, found.sight.branch) == (person.head(), "refs/heads/main")
    assert set(found.sight.stamps) == {
        str(person.root / path) for path in ("orchestra.yaml", "prompts/a.md", "prompts/b.md")
    }


def test_only_what_stands_as_it_landed_is_what_landed(person: Person) -> None:
    tip, look = person.head(), looker(person)
    paths = frozenset({"prompts/a.md", "prompts/b.md"})
    assert look.as_landed(paths, tip)
    person.write("prompts/b.md", "the person's\n")
    assert not look.as_landed(paths, tip) and look.as_landed(frozenset({"prompts/a.md"}), tip)
    (person.root / "prompts" / "b.md").unlink()
    assert not look.as_landed(paths, tip)
    # A name is no pattern.
    person.write("prompts/[ab].md", "new\n")
    assert not look.as_landed(frozenset({"prompts/b.md"}), tip)


@pytest.mark.parametrize("what", ["merge", "rebase"])
def test_what_git_is_in_the_middle_of_is_waited_for(person: Person, what: str) -> None:
    person.git("checkout", "-q", "-b", "side")
    person.write("prompts/a.md", "one\n")
    person.commit()
    person.git("checkout", "-q", "main")
    person.write("prompts/a.md", "other\n")
    person.commit()
    look = looker(person)
    person.git(what, "side", status=1)
    found = look.look()
    assert found.sight is None and not found.errors
    assert found.busy is not None and f"a {what} is under way" in found.busy and "--abort" in found.busy
    person.git(what, "--abort")
    assert look.look().busy is None


@pytest.mark.parametrize("what", ["merge", "rebase"])
def test_so_is_what_git_does_where_the_branch_to_build_is_checked_out(person: Person, what: str) -> None:
    person.git("branch", "side")
    person.write("prompts/a.md", "one\n")
    person.commit()
    other = person.home / "other"
    person.git("worktree", "add", "-q", str(other), "side")
    (other / "prompts" / "a.md").write_text("other\n")
    person.git("commit", "-qam", "other", cwd=other)
    person.git(what, "main", cwd=other, status=1)
    found = looker(person, into="side").look()
    assert found.sight is None and found.busy is not None
    assert f"a {what} is under way in {other}" in found.busy
    if what == "rebase":
        # Checked out here, too, it would be moved when the rebase ends.
        person.git("checkout", "-q", "--ignore-other-worktrees", "side")
        assert str(other) in (looker(person).look().busy or "")
        person.git("checkout", "-q", "main")
    # What is built here, or moves no branch, need not wait for that.
    assert looker(person).look().busy is None
    assert looker(person, into="side", advance=False).look().busy is None
    person.git(what, "--abort", cwd=other)
    sight = looker(person, into="side").look().sight
    assert sight is not None and sight.branch == "refs/heads/side"


def test_a_command_of_git_that_is_at_work_is_waited_for(person: Person) -> None:
    look, lock = looker(person), person.root / ".git" / "index.lock"
    lock.touch()
    found = look.look()
    assert found.busy is not None and str(lock) in found.busy
    lock.unlink()
    assert look.look().busy is None


def test_of_uncommitted_files_those_matter_that_a_task_claims(person: Person) -> None:
    person.write(
        "prompts/a.md",
        "---\nagent: script\nclaims: {read: ['src/**'], write: [out.txt]}\n---\n# a\n\n```sh\ntrue\n```\n",
    )
    person.write("src/in.txt", "1\n")
    for path in ("notes.txt", "out.txt", "src/new/deep.txt"):
        person.write(path, "1\n")
    told = {
        dirty: [
            path
            for path in (
                "src/in.txt",
                "src/new/deep.txt",
                "out.txt",
                "notes.txt",
                "prompts/b.md",
                ".git/index",
            )
            if looker(person, dirty=dirty).look().places.matters(str(person.root / path))
        ]
        for dirty in (False, True)
    }
    assert told == {
        False: ["prompts/b.md"],
        True: ["src/in.txt", "src/new/deep.txt", "out.txt", "prompts/b.md"],
    }
    commits = set()
    for text in ("1\n", "2\n"):
        person.write("src/in.txt", text)
        sight = looker(person, dirty=True).look().sight
        assert sight is not None
        commits.add(sight.commit)
    assert len(commits) == 2, "what is uncommitted is part of what would be built"


def test_what_cannot_be_read_leaves_the_last_good_one_where_the_branch_is_now(person: Person) -> None:
    look = looker(person)
    good = look.look().sight
    person.write("orchestra.yaml", "version: 1\ntasks: {a: {promt: x}}\n")
    person.commit()
    found = look.look()
    assert good is not None and found.sight is not None and found.errors[0].line == 2
    assert found.sight.manifest == good.manifest and found.sight.commit == person.head() != good.commit
    # Who never read a good one has none.
    assert looker(person).look().sight is None


def test_without_the_folder_or_without_git_it_waits_where_they_will_be(person: Person) -> None:
    look = looker(person)
    (person.root / ".git").rename(person.home / "aside")
    found = look.look()
    assert found.errors and found.sight is None and found.places.matters(str(person.root / ".git"))
    shutil.rmtree(person.root)
    found = look.look()
    assert found.gone and found.places.matters(str(person.root))
