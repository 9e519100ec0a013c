"""Lock files that git left behind when it was killed: removed where they are orchestra's own and nobody's any more.

The person's own (of their index, their branches, `packed-refs`) are never touched: git itself tells of those.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

OURS = ("refs/orchestra", "refs/heads/orchestra")
"""Folders of refs that only orchestra writes."""


def remove_stale_locks(root: Path, common_dir: Path, slots: Path) -> None:
    """Remove lock files of orchestra's refs and slots, unless a git still works in the repository or in a slot.

    `root` is the person's worktree, `slots` the folder of the slots. To be called by a build that holds the
    build's lock: no other writes there.
    """
    slots = slots.resolve()
    found = stale_locks(common_dir, slots)
    if found and not _git_works_in(root.resolve(), slots):
        for lock in found:
            with suppress(OSError):  # git will say what it is that may not be written
                lock.unlink()


def stale_locks(common_dir: Path, slots: Path) -> tuple[Path, ...]:
    """The lock files of orchestra's refs and slots: stale where neither a build nor a git is at work."""
    return (*_ref_locks(common_dir), *_slot_locks(common_dir, slots.resolve()))


def _ref_locks(common_dir: Path) -> Iterator[Path]:
    for folder in OURS:
        yield from (common_dir / folder).rglob("*.lock")


def _slot_locks(common_dir: Path, slots: Path) -> Iterator[Path]:
    for git_dir in (common_dir / "worktrees").glob("*"):
        try:
            place = Path((git_dir / "gitdir").read_text("utf-8", "surrogateescape").rstrip("\n"))
        except OSError:
            continue  # half made, or a person's that is going
        if place.is_relative_to(slots):
            yield from git_dir.glob("*.lock")


def _git_works_in(*folders: Path) -> bool:
    """Whether a process of git has one of the folders, or one in them, as its own."""
    import psutil  # costs 20 ms, and there is hardly ever a lock

    places = (
        Path(process.info["cwd"])
        for process in psutil.process_iter(["name", "cwd"])
        if process.info["cwd"] and (process.info["name"] or "").startswith("git")
    )
    return any(place.is_relative_to(folder) for place in places for folder in folders)
