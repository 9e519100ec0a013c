"""What the artifacts of a build tell: coverage of several tasks combined, and tests from files that may be anything."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from coverage import CoverageData

from orchestra.cli import report_artifacts
from orchestra.cli.report_artifacts import MISSING, coverage_of
from orchestra.execution.artifacts import artifacts_folder
from orchestra.model.events import AttemptFinished, AttemptStarted, BuildStarted, Event
from orchestra.model.outcomes import Artifact, Outcome
from orchestra.reporting.report.contents import Covered
from orchestra.reporting.story import Story
from tests.reporting.report.kit import told
from tests.vcs.kit import Person

SOURCE = "def f(x):\n    if x:\n        return 1\n    return 2\n"


class Kept:
    """A build of two tasks whose artifacts lie in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.files: dict[str, list[str]] = {"one": [], "two": []}

    def add(self, task: str, path: str) -> Path:
        """Where the copy of an artifact belongs."""
        self.files[task].append(path)
        copy = artifacts_folder(self.folder, task) / path
        copy.parent.mkdir(parents=True, exist_ok=True)
        return copy

    def measured(self, task: str, path: str, lines: dict[str, list[int]]) -> None:
        """Coverage data of a task, by the paths of its worktree."""
        data = CoverageData(basename=str(self.add(task, path)))
        data.add_lines(lines)
        data.write()

    def story(self, base: str) -> Story:
        """The build's story."""
        events: list[Event] = [BuildStarted(1.0, "b", ("one", "two"), base, None, 2)]
        for task, paths in self.files.items():
            events.append(AttemptStarted(2.0, "b", task, f"b-{task}", 1, "run", base, "k1:0"))
            kept = tuple(Artifact(path, 1) for path in paths)
            events.append(
                AttemptFinished(3.0, "b", task, f"b-{task}", Outcome.NO_CHANGE, None, "", 1.0, artifacts=kept)
            )
        return told(events)


@pytest.fixture
def person(tmp_path: Path) -> Person:
    """Somebody with a module, and a file that is no Python."""
    person = Person(tmp_path)
    person.write("src/m.py", SOURCE)
    person.write("src/torn.py", "def (\n")
    person.commit()
    return person


@pytest.fixture
def kept(tmp_path: Path) -> Kept:
    """A build."""
    return Kept(tmp_path / "build")


def test_coverage_from_several_worktrees_is_one(person: Person, kept: Kept) -> None:
    kept.measured("one", ".coverage", {"/home/x/slot-1/src/m.py": [1, 2, 3], "/usr/lib/os.py": [1]})
    kept.measured(
        "two", "out/.coverage.7", {"/home/x/slot-22/src/m.py": [1, 2, 4], "/home/x/slot-2/gone.py": [1]}
    )
    found = coverage_of(kept.story(person.head()), kept.folder, person.repository())
    assert found is not None and found.files == (Covered("src/m.py", 4, 4),) and found.share == 1.0
    assert found.note == f"Combined from 2 files, shown against {person.head()[:7]}."


def test_what_cannot_be_read_is_said_and_spoils_nothing_else(person: Person, kept: Kept) -> None:
    kept.measured("one", ".coverage", {"/x/slot-1/src/m.py": [1, 2], "/x/slot-1/src/torn.py": [1]})
    kept.add("two", ".coverage").write_bytes(b"SQLite format 3\0and then nothing of the kind")
    kept.add("two", "coverage.txt").write_text("not data")
    found = coverage_of(kept.story(person.head()), kept.folder, person.repository())
    assert found is not None and found.files == (Covered("src/m.py", 4, 2),)
    assert "Combined from 2 files" in found.note and ".coverage cannot be read" in found.note
    lost = coverage_of(kept.story("0" * 40), kept.folder, person.repository())
    assert lost is not None and lost.files == () and "It cannot be shown" in lost.note


def test_without_the_library_it_says_what_to_install(
    person: Person, kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert coverage_of(kept.story(person.head()), kept.folder, person.repository()) is None
    kept.measured("one", ".coverage", {"/x/slot-1/src/m.py": [1]})
    monkeypatch.setitem(sys.modules, "coverage", None)
    found = coverage_of(kept.story(person.head()), kept.folder, person.repository())
    assert found is not None and found.note == MISSING and found.files == ()


def test_tests_are_read_from_where_they_were_kept_and_from_nowhere_else(kept: Kept) -> None:
    outside = kept.folder.parent / "outside.xml"
    outside.write_text("<testsuite><testcase name='theirs'/></testsuite>")
    kept.add("one", "junit.xml").write_text("<testsuite><testcase name='ours'/></testsuite>")
    kept.add("one", "coverage.xml").write_text("<coverage/>")
    kept.add("one", "notes.txt").write_text("<testsuite/>")
    kept.files["two"] += ["../../../outside.xml", str(outside), "gone.xml"]
    found = report_artifacts.tests_of(kept.story("c"), kept.folder)
    assert [(file.task, file.path, [case.name for case in file.cases]) for file in found] == [
        ("one", "junit.xml", ["ours"]),
        ("two", "gone.xml", []),
    ]
    assert found[1].problem == "cannot be read: No such file or directory"
