"""Artifacts: files that a task names, copied out of an attempt's worktree beside its log, and left out of its result.

Promises: only regular files below the worktree are copied, whatever links an agent has laid; never more than the bounds
say, and what goes beyond them is named; a copy that fails spoils nothing but itself; values of secrets are masked.
"""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from orchestra.model.masking import Mask
from orchestra.model.outcomes import Artifact
from orchestra.model.patterns import Pattern, PatternSet
from orchestra.model.tasks import Task
from orchestra.model.text import size

EACH = 16 * 2**20
"""Bytes of one file."""

TOGETHER = 64 * 2**20
"""Bytes of all files of one attempt."""

COUNT = 1000
"""Files of one attempt."""

LOOKED_AT = 200_000
"""Entries of folders that are looked at for one attempt."""


@dataclass(frozen=True, slots=True)
class _Stamp:
    """By what a file is known again; `regular`: it is no link, pipe or the like."""

    inode: int
    bytes: int
    changed: int
    regular: bool


def artifacts_folder(logs: Path, task: str) -> Path:
    """Where the artifacts of a task lie, below the folder of a build."""
    return logs / "artifacts" / quote(task, safe=" ")


class Artifacts:
    """The artifacts of one attempt: what it made or changed of that which its task's patterns name."""

    def __init__(self, root: Path, task: Task, folder: Path, mask: Mask) -> None:
        """Before the attempt begins, in its worktree `root`: what lies there already is nothing that it made. The
        copies go into `folder`.
        """
        self._root = root
        self._patterns = PatternSet.of(task.artifacts)
        self._claimed = PatternSet.of(task.claims.writable or ())
        self._folder = folder
        self._mask = mask
        self._before = dict(self._find())

    def unclaimed(self) -> tuple[str, ...]:
        """The paths of those made so far that are no part of the result, as far as git does not follow them."""
        return tuple(path for path in self._made() if not self._claimed.matches(path))

    def keep(self) -> tuple[Artifact, ...]:
        """Copy them; what an earlier attempt at the task left goes."""
        made = self._made()
        with suppress(OSError):
            shutil.rmtree(self._folder)
        room, kept = TOGETHER, []
        for number, (path, stamp) in enumerate(made.items()):
            if number >= COUNT:
                kept.append(Artifact(path, stamp.bytes, f"more than {COUNT:,} files"))
                break
            problem = self._copy(path, stamp.bytes, room) if stamp.regular else "no regular file"
            room -= 0 if problem else stamp.bytes
            kept.append(Artifact(path, stamp.bytes, problem))
        return tuple(kept)

    def _made(self) -> Mapping[str, _Stamp]:
        found = {path: stamp for path, stamp in self._find() if self._before.get(path) != stamp}
        return dict(sorted(found.items()))

    def _copy(self, path: str, bytes: int, room: int) -> str:
        """Copy one file; why it was not, empty where it was."""
        if bytes > EACH:
            return f"larger than {size(EACH)}"
        if bytes > room:
            return f"more than {size(TOGETHER)} together"
        target = self._folder / path
        try:
            content = _read(self._root, path)
            target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            target.write_bytes(self._masked(content))
        except OSError as error:
            return error.strerror or str(error)
        return ""

    def _masked(self, content: bytes) -> bytes:
        try:
            text = content.decode()
        except UnicodeDecodeError:
            return content
        masked = self._mask(text)
        return content if masked == text else masked.encode()

    def _find(self) -> Iterator[tuple[str, _Stamp]]:
        """All files that the patterns match, with their stamps."""
        left = LOOKED_AT
        seen: set[str] = set()
        for pattern in self._patterns.patterns:
            for path, stamp in _matching(self._root, pattern):
                left -= 1
                if left < 0:
                    return
                if stamp is not None and path not in seen and pattern.matches(path):
                    seen.add(path)
                    yield path, stamp


def _matching(root: Path, pattern: Pattern) -> Iterator[tuple[str, _Stamp | None]]:
    """Every entry that has to be looked at for a pattern: files with their stamps, folders with None."""
    prefix = (
        pattern.literal_prefix.rstrip("/")
        if pattern.is_literal
        else pattern.literal_prefix.rpartition("/")[0]
    )
    if any(name == ".git" for name in prefix.split("/")):
        return
    try:
        # The folders on the way to it must be no links, either.
        found = _stat_inside(root, prefix)
    except OSError:
        return
    if not stat.S_ISDIR(found.st_mode):
        yield prefix, _stamp(found)
        return
    todo = [prefix]
    while todo:
        folder = todo.pop()
        try:
            with os.scandir(root / folder) as entries:
                for entry in entries:
                    path = f"{folder}/{entry.name}" if folder else entry.name
                    if entry.is_dir(follow_symlinks=False):
                        if entry.name != ".git":
                            todo.append(path)
                        yield path, None
                    else:
                        yield path, _stamp(entry.stat(follow_symlinks=False))
        except OSError:
            continue  # it went away meanwhile, or may not be looked at


def _stat_inside(root: Path, path: str) -> os.stat_result:
    """The state of what lies there; raises OSError where a folder on the way is a link."""
    place = root
    parts = path.split("/") if path else []
    for part in parts[:-1]:
        place = place / part
        if not stat.S_ISDIR(place.lstat().st_mode):
            raise NotADirectoryError(place)
    return (place / parts[-1]).lstat() if parts else place.stat()


def _stamp(found: os.stat_result) -> _Stamp:
    return _Stamp(found.st_ino, found.st_size, found.st_mtime_ns, stat.S_ISREG(found.st_mode))


def _read(root: Path, path: str) -> bytes:
    """A regular file's content, of which no part of the path may be a link. Raises OSError."""
    folder = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        *folders, name = path.split("/")
        for part in folders:
            inner = os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
            os.close(folder)
            folder = inner
        # Not to wait for whoever writes into a pipe of that name.
        fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
    finally:
        os.close(folder)
    with os.fdopen(fd, "rb") as file:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise OSError(0, "no regular file")
        # It was small enough a moment ago.
        return file.read(EACH)
