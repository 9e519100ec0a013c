"""Reads what `git log --raw -z` tells of the files that commits changed. Pure."""

from __future__ import annotations

from orchestra.model.ports import PastChange
from orchestra.model.trees import FileState

_NONE = "000000"
"""The mode of a file that is not there."""


def parse_changes(output: str) -> dict[str, tuple[PastChange, ...]]:
    """By path, the changes in the order in which git tells them (newest first).

    `output` is that of `git log -z --raw --no-abbrev --format="tformat:%H %P"`: for each commit its line, then
    `:mode mode id id letter` and a path for each file, all ended by NUL.
    """
    found: dict[str, list[PastChange]] = {}
    commit, parent = "", None
    fields = iter(output.split("\0"))
    for text in fields:
        text = text.lstrip("\n")
        if text.startswith(":"):
            old_mode, new_mode, old, new, _ = text[1:].split(" ")
            change = PastChange(commit, parent, _state(old_mode, old), _state(new_mode, new))
            found.setdefault(next(fields), []).append(change)
        elif text:
            commit, *parents = text.split(" ")
            parent = parents[0] if parents and parents[0] else None
    return {path: tuple(changes) for path, changes in found.items()}


def _state(mode: str, object_id: str) -> FileState | None:
    return None if mode == _NONE else f"{mode} {object_id}"
