"""Laying a tree out in a slot that stays where it stands: for what is to go on from more than the base."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass

from orchestra.model.errors import OrchestraError, environment_error
from orchestra.vcs.command import OBJECT_ID, GitFailedError, decode
from orchestra.vcs.repository import Repository
from orchestra.vcs.slots import Slot
from orchestra.vcs.spared import Spared

MARKER = re.compile(rb"(?:<<<<<<<|>>>>>>>)(?: |\r?$)")
"""How a line begins that git put around one side of a conflict."""


@dataclass(frozen=True, slots=True)
class Both:
    """Two sides merged as far as they can be: the tree, and the paths that conflict, with markers where git can.

    `ours` and `theirs` are the commits by which the markers name the sides.
    """

    tree: str
    conflicts: tuple[str, ...]
    ours: str
    theirs: str


def both_sides(repository: Repository, base: str, ours: str, theirs: str) -> Both:
    """Merge what two commits changed since a base, conflicts and all."""
    if repository.merge_base(ours, theirs) != base:
        # Their histories lead elsewhere: the base is given by parents made for it.
        ours, theirs = (repository.keep_snapshot(side, base) for side in (ours, theirs))
    done = repository.command.run(
        "merge-tree", "--write-tree", "-z", "--name-only", "--no-messages", ours, theirs, allow=(0, 1)
    )
    fields = [field for field in decode(done.stdout).split("\0") if field]
    # Status 1 is a conflict only if a tree was written: it also stands for errors.
    if not fields or not OBJECT_ID.fullmatch(fields[0].strip()):
        raise GitFailedError(("merge-tree", ours, theirs), done.status, done.stderr)
    return Both(fields[0].strip(), tuple(dict.fromkeys(fields[1:])), ours, theirs)


def lay_out(repository: Repository, slot: Slot, spared: Spared, tree: str) -> None:
    """Make the worktree hold just the files of a tree (or commit), ignored ones and `spared` left as they are.

    HEAD, and what a capture compares with, stay: to whoever works there, it is all uncommitted.
    Raises OrchestraError where git cannot.
    """
    git = slot.git(repository.command)
    try:
        slot.mend_head()
        shutil.copy2(slot.saved_index, slot.index)
        git.run("read-tree", "--reset", "-u", tree)
        spare = [word for line in spared.ignored() for word in ("-e", line)]
        git.run("clean", "-ffdq", *spare)
    except OSError as error:
        raise environment_error(f"cannot lay out {tree[:12]} in {slot.path}", causes=(str(error),)) from error


def left_markers(repository: Repository, slot: Slot, paths: tuple[str, ...], *sides: str) -> tuple[str, ...]:
    """The files among `paths` that hold lines of conflict markers which stand in neither of the commits `sides`."""
    return tuple(dict.fromkeys(path for path, _ in marked_lines(repository, slot, paths, *sides)))


def marked_lines(
    repository: Repository, slot: Slot, paths: tuple[str, ...], *sides: str
) -> tuple[tuple[str, int], ...]:
    """The lines in files among `paths` that are conflict markers and stand in neither of the commits `sides`: each with
    its file and its number, from 1.
    """
    found: list[tuple[str, int]] = []
    for path in paths:
        lines = _on_disk(slot, path).split(b"\n")
        marked = [(number, line) for number, line in enumerate(lines, start=1) if MARKER.match(line)]
        known = _known(repository, path, sides) if marked else set()
        found += ((path, number) for number, line in marked if line not in known)
    return tuple(found)


def _known(repository: Repository, path: str, sides: tuple[str, ...]) -> set[bytes]:
    states = [state for side in sides if (state := repository.tree(side).state(path)) is not None]
    blobs = repository.read([state.split(" ")[1] for state in states if not state.startswith("16")])
    return set().union(*map(_markers, blobs))


def _on_disk(slot: Slot, path: str) -> bytes:
    file = slot.path / path
    try:
        return file.read_bytes() if file.is_file() and not file.is_symlink() else b""
    except OSError as error:
        raise OrchestraError(f"cannot read {path}", causes=(str(error),)) from error


def _markers(content: bytes) -> set[bytes]:
    return {line for line in content.split(b"\n") if MARKER.match(line)}
