"""Submodules in slots: reset to what `setup` left, and no change within them passed over in silence.

Git's own reset, clean and capture stop at a submodule's folder. A capture can hold only the commit that it stands
at, and that is worth something only where others can fetch it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from orchestra.vcs.command import GitCommand, GitFailedError, decode
from orchestra.vcs.folders import remove

if TYPE_CHECKING:
    from orchestra.vcs.slots import Slot

NOTED = "orchestra-submodules"
LINK = "160000"


def note_submodules(command: GitCommand, slot: Slot) -> None:
    """Remember how a setup left the submodules of a slot."""
    states = {path: _state(command, slot.path / path) for path in _links(command, slot)}
    (slot.git_dir / NOTED).write_text(json.dumps(states))


def empty_submodules(command: GitCommand, slot: Slot) -> bool:
    """Empty the folders of submodules that are not as a setup left them; whether there were such."""
    emptied = False
    noted = _noted(slot)
    for path, commit in _links(command, slot).items():
        folder = slot.path / path
        if not _holds_anything(folder):
            continue
        state = _state(command, folder)
        if state and state.startswith(commit) and state == noted.get(path):
            continue
        remove(folder)
        folder.mkdir()
        emptied = True
    return emptied


def hidden_changes(command: GitCommand, slot: Slot, links: Iterable[str]) -> list[str]:
    """The submodules in which something lies that a capture does not hold."""
    found: list[str] = []
    noted = _noted(slot)
    for path in links:
        folder = slot.path / path
        if not _holds_anything(folder):
            continue
        state = _state(command, folder)
        if not state or _changes(state) - _changes(noted.get(path, "")):
            found.append(path)
    return found


def unpublished(command: GitCommand, slot: Slot, links: Mapping[str, str]) -> list[str]:
    """The submodules whose commits, by path, no remote of theirs is known to have."""
    found: list[str] = []
    for path, commit in links.items():
        try:
            known = command.at(slot.path / path).run("rev-list", "-1", commit, "--not", "--remotes", "--")
        except GitFailedError:
            found.append(path)
        else:
            if known.text:
                found.append(path)
    return found


def _links(command: GitCommand, slot: Slot) -> dict[str, str]:
    """The submodules of the slot's commit by path."""
    if not (slot.path / ".gitmodules").is_file():
        return {}
    found: dict[str, str] = {}
    for record in decode(slot.git(command).run("ls-files", "-s", "-z").stdout).split("\0"):
        meta, _, path = record.partition("\t")
        if meta.startswith(LINK):
            found[path] = meta.split(" ")[1]
    return found


def _state(command: GitCommand, folder: Path) -> str:
    """The commit of a submodule, and all in its folder that differs; empty where it is no repository."""
    if not os.path.lexists(folder / ".git"):
        return ""
    git = command.at(folder)
    try:
        head = git.run("rev-parse", "--verify", "HEAD").text
        changes = git.run("status", "--porcelain", "-z", "--ignored=matching", "--untracked-files=all").text
    except GitFailedError:
        return ""
    return f"{head}\0{changes}"


def _changes(state: str) -> set[str]:
    """What of a state a capture would have to hold: files that git ignores are nobody's work."""
    return {record for record in state.split("\0")[1:] if record and not record.startswith("!!")}


def _noted(slot: Slot) -> dict[str, str]:
    try:
        return dict(json.loads((slot.git_dir / NOTED).read_text()))
    except (OSError, ValueError):
        return {}


def _holds_anything(folder: Path) -> bool:
    try:
        return not folder.is_symlink() and any(folder.iterdir())
    except OSError:
        return False
