"""Folders that agents have worked in: removed, put aside and made writable without following a link out of them."""

from __future__ import annotations

import os
import shutil
import stat
from pathlib import Path


def remove(path: Path) -> None:
    """Remove a file, a link or a folder with all in it, also where folders in it were made read-only."""
    if path.is_symlink() or not path.is_dir():
        path.unlink(missing_ok=True)
        return
    try:
        shutil.rmtree(path)
    except PermissionError:
        make_writable(path)
        shutil.rmtree(path)


def nearest(path: Path) -> Path:
    """The path itself, or the nearest folder above it that is there."""
    while not path.exists() and path != path.parent:
        path = path.parent
    return path


def make_writable(folder: Path) -> None:
    """Let the owner list and change every folder from here on down, as far as the system lets us."""
    todo = [folder]
    while todo:
        at = todo.pop()
        try:
            at.chmod(stat.S_IMODE(at.lstat().st_mode) | stat.S_IRWXU)
            with os.scandir(at) as entries:
                todo += [Path(entry.path) for entry in entries if entry.is_dir(follow_symlinks=False)]
        except OSError:
            continue


def put_aside(path: Path, name: str) -> Path:
    """Give a folder another name beside it, one that is free; it is no worktree of git's any more."""
    aside, number = path.with_name(name), 1
    while os.path.lexists(aside):
        number += 1
        aside = path.with_name(f"{name}-{number}")
    path.rename(aside)
    pointer = aside / ".git"
    if not aside.is_symlink() and (pointer.is_symlink() or pointer.is_file()):
        # It leads to the git folder of the worktree that takes its place.
        pointer.unlink()
    return aside
