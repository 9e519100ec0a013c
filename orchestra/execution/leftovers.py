"""What earlier builds left on the disk and in git, found by comparing git's lists with what is there.

It changes nothing. What it does not know it leaves out, so that nothing of a person's or of a later version's is ever
taken for something of ours.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from orchestra.execution.environment import inhabited_slots
from orchestra.integration.cleaning import DAY, Item, KeptRef, Kind, Standing, kind_of, ref_items
from orchestra.integration.refs import REJECTED
from orchestra.model.trailers import read_result_message
from orchestra.vcs.clearing import SLOT_NAME, Pooled, Ref, all_refs, alone, messages, pooled, strangers
from orchestra.vcs.command import GitFailedError, decode
from orchestra.vcs.locks import stale_locks
from orchestra.vcs.repository import Repository

HOUR = 3600.0
"""Seconds after which a file that is written in one go is no one's any more."""

_REPOSITORY = re.compile(r".+-[0-9a-f]{12}", re.DOTALL)
"""The name of the folder in which the worktrees of one repository lie."""

_SCRATCH = re.compile(r"orchestra-[a-z0-9_]{8}")
_SCRATCH_FILE = re.compile(r"index(?:\.lock)?|blob-[0-9]+")


@dataclass(frozen=True, slots=True)
class Grounds:
    """Where to look: the repository, where its worktrees are made, and the folders in which those of other
    repositories lie beside them; `scratch` is the system's folder for temporary files.
    """

    repository: Repository
    slots: Path
    others: tuple[Path, ...]
    scratch: Path


def survey(at: Grounds, standing: Standing, now: float) -> tuple[Item, ...]:
    """All that may go, by kind; `now` in seconds since the epoch. Raises OrchestraError where git cannot tell."""
    found = pooled(at.repository, at.slots)
    refs = ref_items(_kept_refs(at.repository), standing)
    items = [*_slots(at, found), *_aside(at, found), *refs, *_logs(at, refs), *_cache(at, now)]
    items += _leftovers(at, now)
    items += _orphans(at, found)
    order = list(Kind)
    return tuple(sorted(items, key=lambda item: (order.index(item.kind), item.used, item.name)))


def usage(path: Path) -> int:
    """The bytes on disk that would be free without the file or folder: what other links hold is not counted."""
    total = 0
    links: dict[tuple[int, int], int] = {}
    todo = [path]
    while todo:
        at = todo.pop()
        try:
            info = at.lstat()
            if stat.S_ISDIR(info.st_mode):
                with os.scandir(at) as entries:
                    todo += [Path(entry.path) for entry in entries]
        except OSError:
            continue
        if not stat.S_ISDIR(info.st_mode) and info.st_nlink > 1:
            identity = (info.st_dev, info.st_ino)
            links[identity] = links.get(identity, 0) + 1
            if links[identity] < info.st_nlink:
                continue
        total += info.st_blocks * 512
    return total


def _slots(at: Grounds, found: Iterable[Pooled]) -> Iterator[Item]:
    found = tuple(found)
    working = _worked_in([each.slot.path for each in found], at.repository.root)
    for each in found:
        path = each.slot.path
        whole = each.there and each.whole
        yield Item(
            Kind.SLOTS if whole else Kind.LEFTOVERS,
            str(path),
            each.used,
            usage(path) + usage(each.slot.git_dir),
            needed="a process works there" if path in working else "",
            spent=not whole,
        )


def _worked_in(paths: list[Path], root: Path) -> frozenset[Path]:
    """The worktrees in which a process stands, a person's shell for example, or to which one belongs."""
    if not paths:
        return frozenset()
    import psutil  # costs 20 ms

    numbers = inhabited_slots(root, "")
    found = {path for path in paths if int(path.name.removeprefix("slot-")) in numbers}
    for process in psutil.process_iter(["cwd"]):
        folder = process.info["cwd"]
        if folder:
            found |= {path for path in paths if Path(folder).is_relative_to(path)}
    return frozenset(found)


def _aside(at: Grounds, found: Iterable[Pooled]) -> Iterator[Item]:
    found = tuple(found)
    known = {each.slot.path.resolve() for each in found}
    for folder in dict.fromkeys((at.slots, *(each.slot.path.parent for each in found))):
        aside, dropped = strangers(folder, known)
        for path in aside:
            # The time at which it was put aside is that of its name's last change.
            yield Item(Kind.ASIDE, str(path), _used(path), usage(path), lasting=True)
        for path in dropped:
            yield Item(Kind.LEFTOVERS, str(path), _used(path), usage(path), spent=True)


def _kept_refs(repository: Repository) -> tuple[KeptRef, ...]:
    refs = all_refs(repository)
    ours = [ref for ref in refs if kind_of(ref.name) is not None]
    told = messages(repository, REJECTED)
    sizes = _sizes(repository, ours, {ref.commit for ref in refs if kind_of(ref.name) is None})
    counted: set[str] = set()
    found = []
    for ref in refs:
        # What two refs name is counted once.
        size = None if sizes is None else 0 if ref.commit in counted else sizes.get(ref.commit)
        counted.add(ref.commit)
        task = read_result_message(told[ref.name])[0] if ref.name in told else None
        found.append(KeptRef(ref.name, ref.commit, ref.used, size, task, ref.held))
    return tuple(found)


def _sizes(repository: Repository, ours: list[Ref], others: set[str]) -> dict[str, int] | None:
    newest_first = [ref.commit for ref in sorted(ours, key=lambda ref: -ref.used)]
    head = repository.resolve("HEAD")
    try:
        return dict(alone(repository, newest_first, {*others, *([head] if head else [])}))
    except GitFailedError:
        return None


def _logs(at: Grounds, refs: Iterable[Item]) -> Iterator[Item]:
    rejected = {
        item.name.removeprefix(REJECTED).rpartition("-")[0]
        for item in refs
        if item.needed and item.name.startswith(REJECTED)
    }
    for folder in _listed(at.repository.state_folder / "builds"):
        if folder.is_symlink() or not folder.is_dir():
            continue
        inside = _listed(folder)
        if not inside:
            yield Item(Kind.LEFTOVERS, str(folder), _used(folder), usage(folder), spent=True)
            continue
        used = max(map(_time, inside))
        needed = "the log of a kept rejection" if folder.name in rejected else ""
        yield Item(Kind.LOGS, str(folder), used, usage(folder), needed=needed)
    for page in filter(_is_plain, _listed(at.repository.state_folder / "reports")):
        yield Item(Kind.LOGS, str(page), _time(page), usage(page))


def _cache(at: Grounds, now: float) -> Iterator[Item]:
    files = [path for path in _listed(at.repository.state_folder / "cache") if _is_plain(path)]
    # By what its name begins with, the newest is what every command reads.
    newest = {path.name.partition("-")[0]: path for path in sorted(files, key=_time) if path.suffix != ".new"}
    for path in files:
        if path.suffix != ".new":
            needed = "every command reads it" if path in newest.values() else ""
            yield Item(Kind.CACHE, str(path), _time(path), usage(path), needed=needed)
        elif now - _time(path) > HOUR:
            yield Item(Kind.LEFTOVERS, str(path), _time(path), usage(path), spent=True)


def _leftovers(at: Grounds, now: float) -> Iterator[Item]:
    for lock in stale_locks(at.repository.common_dir, at.slots):
        yield Item(Kind.LEFTOVERS, str(lock), _time(lock), usage(lock), spent=True)
    for path in _listed(at.repository.state_folder):
        if path.name.startswith("history.db.damaged-"):
            yield Item(Kind.LEFTOVERS, str(path), _time(path), usage(path))
    for path in _listed(at.scratch):
        # Those of other repositories' builds are there too: what is a day old is none of theirs.
        if _SCRATCH.fullmatch(path.name) and now - _used(path) > DAY and _is_scratch(path):
            yield Item(Kind.LEFTOVERS, str(path), _used(path), usage(path), spent=True)


def _is_scratch(path: Path) -> bool:
    """Whether it is what a killed process of ours left: an index, blobs on their way, or an event for a hook."""
    try:
        info = path.lstat()
        if info.st_uid != os.getuid():
            return False
        if stat.S_ISDIR(info.st_mode):
            return all(_SCRATCH_FILE.fullmatch(each.name) for each in path.iterdir())
        if not stat.S_ISREG(info.st_mode):
            return False
        with path.open("rb") as file:
            return b'"event":' in file.read(200)
    except OSError:
        return False


def _orphans(at: Grounds, found: Iterable[Pooled]) -> Iterator[Item]:
    """Folders of worktrees whose repositories are gone."""
    ours = {at.slots.resolve(), *(each.slot.path.parent.resolve() for each in found)}
    for base in at.others:
        for folder in _listed(base):
            if folder.is_symlink() or not folder.is_dir() or not _REPOSITORY.fullmatch(folder.name):
                continue
            if folder.resolve() in ours:
                continue
            slots = _listed(folder)
            homes = {home for slot in slots if (home := _home(slot)) is not None}
            if not homes or any(os.path.lexists(home) for home in homes):
                continue
            if not all(slot.name.startswith("slot-") and slot.is_dir() for slot in slots):
                continue
            away = next((home for home in homes if not _holder(home).is_dir()), None)
            needed = f"{_holder(away)} is not there: is a disk away?" if away is not None else ""
            used = max(_used(folder), *map(_used, slots))
            yield Item(Kind.ORPHANS, str(folder), used, usage(folder), needed=needed)


def _home(slot: Path) -> Path | None:
    """The common git folder of the repository to which a worktree belongs, as it was noted."""
    try:
        pointer = decode((slot / ".git").read_bytes()).removesuffix("\n")
    except OSError:
        return None
    git_dir = Path(pointer.removeprefix("gitdir: "))
    noted = pointer.startswith("gitdir: ") and git_dir.is_absolute() and git_dir.parent.name == "worktrees"
    return git_dir.parent.parent if noted and SLOT_NAME.match(git_dir.name) else None


def _holder(home: Path) -> Path:
    """The folder in which the repository stood."""
    return home.parent.parent if home.name == ".git" else home.parent


def _is_plain(path: Path) -> bool:
    return path.is_file() and not path.is_symlink()


def _listed(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError:
        return []


def _used(path: Path) -> float:
    """When a folder or its name was last changed."""
    try:
        info = path.lstat()
    except OSError:
        return 0.0
    return max(info.st_mtime, info.st_ctime)


def _time(path: Path) -> float:
    try:
        return path.lstat().st_mtime
    except OSError:
        return 0.0
