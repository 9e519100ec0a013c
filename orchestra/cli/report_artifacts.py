"""What the artifacts of a build tell: its tests, and how much of the code they ran."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from orchestra.execution.artifacts import EACH, artifacts_folder
from orchestra.model.errors import OrchestraError
from orchestra.model.text import count
from orchestra.reporting.report.contents import Coverage, Covered, JUnitFile
from orchestra.reporting.report.junit_reading import read_junit
from orchestra.reporting.story import Story

if TYPE_CHECKING:
    from orchestra.vcs.repository import Repository

SQLITE = b"SQLite format 3\0"

MISSING = (
    "Coverage data was kept, but the `coverage` library is not installed: pip install 'orchestra[coverage]'"
)


def kept_files(story: Story, folder: Path) -> Iterator[tuple[str, str, Path]]:
    """Of each task the artifacts that were kept of its last attempt: the task, the path, and the copy."""
    for task in story.tasks:
        for artifact in task.attempts[-1].artifacts if task.attempts else ():
            copy = artifacts_folder(folder, task.name) / artifact.path
            # What the events say may have been written by anybody: nothing outside is opened.
            inside = ".." not in artifact.path.split("/") and not artifact.path.startswith("/")
            if not artifact.problem and inside:
                yield task.name, artifact.path, copy


def tests_of(story: Story, folder: Path) -> tuple[JUnitFile, ...]:
    """The JUnit files among the artifacts; one that is gone says so."""
    found: list[JUnitFile] = []
    for task, path, copy in kept_files(story, folder):
        if not path.lower().endswith(".xml"):
            continue
        try:
            with copy.open("rb") as file:
                read = read_junit(task, path, file.read(EACH))
        except OSError as error:
            read = JUnitFile(task, path, problem=f"cannot be read: {error.strerror or error}")
        if read is not None:
            found.append(read)
    return tuple(found)


def coverage_of(story: Story, folder: Path, repository: Repository) -> Coverage | None:
    """The coverage data among the artifacts, combined; None where there is none.

    It is shown against the files of the build's tip, since the worktrees in which the tests ran are gone.
    """
    files = [copy for _, _, copy in kept_files(story, folder) if _is_data(copy)]
    if not files:
        return None
    try:
        import coverage  # noqa: F401 - an extra
    except ImportError:
        return Coverage(note=MISSING)
    tip = story.summary.get("tip")
    with tempfile.TemporaryDirectory(prefix="orchestra-") as place:
        return _combined(files, repository, tip if isinstance(tip, str) else story.base, Path(place))


def _combined(files: list[Path], repository: Repository, commit: str, place: Path) -> Coverage:
    from coverage import Coverage as Library
    from coverage import CoverageData
    from coverage.exceptions import CoverageException

    laid = place / "files"

    def moved(path: str) -> str:
        return str(laid / _SLOT.sub("", path).lstrip("/"))

    whole = CoverageData(basename=str(place / "whole"))
    failed: list[str] = []
    for number, file in enumerate(files):
        try:
            # From a copy: to read it, SQLite may want to write beside it.
            copy = place / f"data-{number}"
            copy.write_bytes(file.read_bytes())
            data = CoverageData(basename=str(copy))
            data.read()
            whole.update(data, map_path=moved)
        except (CoverageException, OSError) as error:
            failed.append(f"{file.name} cannot be read: {error}.")
    found: list[Covered] = []
    try:
        paths = _lay_out(repository, commit, sorted(whole.measured_files()), laid)
        whole.write()
        library = Library(data_file=whole.data_filename(), config_file=False, messages=False)
        library.load()
        for path in paths:
            with suppress(CoverageException):  # as it stands now, it is no Python
                _, statements, _, missing, _ = library.analysis2(str(laid / path))
                found.append(Covered(path, len(statements), len(statements) - len(missing)))
    except (CoverageException, OrchestraError, OSError) as error:
        failed.append(f"It cannot be shown: {error}.")
    note = f"Combined from {count(len(files), 'file')}, shown against {commit[:7]}."
    return Coverage(tuple(found), " ".join((note, *failed)))


_SLOT = re.compile(r"^.*?/slot-\d+/")
"""The worktree in which a file was measured, as paths name it."""


def _lay_out(repository: Repository, commit: str, measured: list[str], place: Path) -> list[str]:
    """The measured files as a commit has them, laid out below `place`; those that it does not have are left out."""
    tree = repository.tree(commit)
    paths = [path.removeprefix(f"{place}/") for path in measured]
    paths = [path for path in paths if str(tree.state(path)).startswith("100")]
    ids = [str(tree.state(path)).partition(" ")[2] for path in paths]
    for path, content in zip(paths, repository.read(ids), strict=True):
        target = place / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
    return paths


def _is_data(path: Path) -> bool:
    """Whether a file is coverage data, by its name and how it begins."""
    if "coverage" not in path.name.lower():
        return False
    try:
        with path.open("rb") as file:
            return file.read(len(SQLITE)) == SQLITE
    except OSError:
        return False
