"""What the history of a branch says of the files in a folder: the same by git and by its double in memory."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestra.model.ports import CommitRequest, PastChange
from orchestra.vcs.memory import MemoryGit
from tests.vcs.kit import Person

FOLDER = "kept/"


class Line:
    """A repository of one of the two kinds, with commits that are made by the protocol alone."""

    def __init__(self, kind: str, place: Path) -> None:
        if kind == "memory":
            memory = MemoryGit()
            self.git, self.root = memory, memory.commit_files({})
        else:
            person = Person(place)
            person.git("commit", "--quiet", "--allow-empty", "--message", "nothing yet")
            self.git, self.root = person.repository(), person.head()  # type: ignore[assignment]

    def commit(self, tree: str, *parents: str, **files: bytes | None) -> str:
        """A commit with the tree of another, and these files in the folder; None removes one."""
        edits = tuple((FOLDER + name, content) for name, content in files.items())
        return self.git.commit(CommitRequest(tree, parents or (tree,), "A change\n", edits))

    def changes(self, commit: str) -> dict[str, list[tuple[str, str | None, bool, bool]]]:
        """By name: the commits that changed it, newest first, their parents, and whether it was there."""
        found = self.git.changes(commit, FOLDER)
        assert all(isinstance(change, PastChange) for changes in found.values() for change in changes)
        return {
            path.removeprefix(FOLDER): [
                (change.commit, change.parent, change.before is not None, change.after is not None)
                for change in changes
            ]
            for path, changes in found.items()
        }


@pytest.fixture(params=["memory", "git"])
def line(request: pytest.FixtureRequest, tmp_path: Path) -> Line:
    return Line(request.param, tmp_path)


def test_every_change_is_told_with_its_commit_newest_first(line: Line) -> None:
    one = line.commit(line.root, a=b"1\n")
    two = line.commit(one, a=b"2\n", b=b"1\n")
    three = line.commit(two, a=None)
    root = (one, line.root, False, True)
    assert line.changes(three) == {
        "a": [(three, two, True, False), (two, one, True, True), root],
        "b": [(two, one, False, True)],
    }
    assert line.changes(line.root) == {}
    (newest, *_) = line.git.changes(three, FOLDER)[FOLDER + "a"]
    assert newest.before == line.git.tree(two).state(FOLDER + "a") and newest.after is None


def test_a_merge_is_one_change_of_the_first_parent_line(line: Line) -> None:
    ours = line.commit(line.root, own=b"1\n")
    made = line.commit(line.root, theirs=b"1\n", gone=b"1\n")
    theirs = line.commit(made, theirs=b"2\n", gone=None)
    merged = line.commit(theirs, ours, theirs, own=b"1\n")
    assert line.changes(merged) == {
        "own": [(ours, line.root, False, True)],
        "theirs": [(merged, ours, False, True)],
    }


def test_files_elsewhere_and_moved_ones_are_not_mixed_up(line: Line) -> None:
    one = line.commit(line.root, a=b"the same bytes\n")
    moved = line.commit(one, a=None, b=b"the same bytes\n")
    elsewhere = line.git.commit(CommitRequest(moved, (moved,), "A change\n", (("kept-not", b"1\n"),)))
    assert line.changes(elsewhere) == {
        "a": [(moved, one, True, False), (one, line.root, False, True)],
        "b": [(moved, one, False, True)],
    }
