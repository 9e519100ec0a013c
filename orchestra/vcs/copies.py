"""Copies of the person's untracked files in a slot (`worktrees.copy`): brought up to date, never through a link."""

from __future__ import annotations

import glob
import os
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

from orchestra.vcs.command import GitCommand, decode
from orchestra.vcs.folders import remove


def copy_in(
    git: GitCommand, root: Path, into: Path, patterns: Iterable[str], before: Iterable[str]
) -> set[str]:
    """Copy what the patterns match in `root` to `into`, and remove what was copied `before` and is no more.

    Tracked files stay the commit's (`git` works in `into`). Gives the paths that were copied.
    """
    names = sorted({name for pattern in patterns for name in _matches(root, pattern)})
    gone = [name for name in before if name not in names and not os.path.lexists(root / name)]
    specs = [f":(literal){name}" for name in (*names, *gone)]
    listed = decode(git.run("ls-files", "-z", "--", *specs).stdout) if specs else ""
    tracked = frozenset(path for path in listed.split("\0") if path)
    for name in gone:
        if name not in tracked and _is_inside(into / name, into):
            remove(into / name)
    copied = {leaf for name in names for leaf in _untracked(root, name, tracked)}
    for name in copied:
        if _is_inside(into / name, into):
            (into / name).parent.mkdir(parents=True, exist_ok=True)
            # A link that is named leads elsewhere from there: what it leads to is copied.
            source = (root / name).resolve() if (root / name).is_symlink() else root / name
            _copy(source, into / name)
    return copied


def _matches(root: Path, pattern: str) -> Iterator[str]:
    # `**` stays out of hidden folders: of all that a person has untracked, `.git` and `.venv` are the largest.
    hidden = "**" not in pattern
    for name in glob.iglob(pattern.rstrip("/"), root_dir=root, recursive=True, include_hidden=hidden):  # noqa: PTH207
        if ".git" not in Path(name).parts and (root / name).exists():
            yield name.rstrip("/")


def _untracked(root: Path, name: str, tracked: frozenset[str]) -> Iterator[str]:
    """The path, or where tracked files lie below it, all others that do."""
    if name in tracked:
        return
    if not any(path.startswith(name + "/") for path in tracked):
        yield name
        return
    for child in sorted(os.listdir(root / name)):  # noqa: PTH208
        yield from _untracked(root, f"{name}/{child}", tracked)


def _is_inside(path: Path, folder: Path) -> bool:
    """Whether writing there stays in the folder: an agent may have put a link on the way."""
    return path.parent.resolve().is_relative_to(folder.resolve())


def _copy(source: Path, target: Path) -> None:
    is_folder = source.is_dir() and not source.is_symlink()
    if target.is_symlink() or (os.path.lexists(target) and target.is_dir() != is_folder):
        remove(target)
    if source.is_symlink():
        remove(target)
        os.symlink(os.readlink(source), target)  # noqa: PTH115, PTH211 -- to the letter, as a Path would not
    elif is_folder:
        target.mkdir(exist_ok=True)
        for child in source.iterdir():
            _copy(child, target / child.name)
    elif source.is_file() and not _is_same(source, target):
        # Not written into: it may be another name of a file elsewhere.
        remove(target)
        shutil.copy2(source, target)


def _is_same(source: Path, target: Path) -> bool:
    try:
        one, other = source.stat(), target.stat()
    except OSError:
        return False
    return (one.st_size, one.st_mtime_ns, one.st_mode) == (other.st_size, other.st_mtime_ns, other.st_mode)
