"""What a repository holds of earlier builds: pooled worktrees and refs, found whoever made them, and taken away.

Before a worktree goes, all in it that no ref keeps yet is kept under one: what an attempt left that was cut off, and
what a person put there. Each thing is done so that a kill at any moment leaves what the next call finishes.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from orchestra.model.ports import RefUpdate
from orchestra.model.rescued import COMMITS, RESCUED
from orchestra.vcs.capture import keep_commits, rescue
from orchestra.vcs.command import decode, encode
from orchestra.vcs.folders import put_aside, remove
from orchestra.vcs.repository import Repository
from orchestra.vcs.resolving import FOLDER, RECORD
from orchestra.vcs.slots import BASE, IN_USE, Slot
from orchestra.vcs.spared import Spared

REASON = "orchestra slot"
"""Why git is told to leave a worktree of ours alone."""

DROPPED = ".dropped"
"""At the end of the name of a worktree that is being taken away: all in it that counts is kept."""

UNDER_WAY = ("rebase-merge/head-name", "rebase-apply/head-name", "BISECT_START")
"""Where a worktree's git folder tells to which branch it will go back."""

SLOT_NAME = re.compile(r"slot-([0-9]{1,9})")
_ASIDE_NAME = re.compile(r"slot-[0-9]+\.(?:damaged|rescued-).*", re.DOTALL)
_DROPPED_NAME = re.compile(r"slot-[0-9]+\.dropped(?:-[0-9]+)?")
_FIELDS = "%(refname)%00%(objectname)%00%(committerdate:unix)%00%(worktreepath)%00"


@dataclass(frozen=True, slots=True)
class Pooled:
    """A pooled worktree on git's list: `there` whether its folder is, `whole` whether it was ever made ready,
    `attempt` whose uncaptured work is in it, `used` when it was last made ready, in seconds since the epoch.
    """

    slot: Slot
    there: bool
    whole: bool
    attempt: str | None
    used: float


@dataclass(frozen=True, slots=True)
class Ref:
    """A ref: its commit, when that was made or the ref written (the later one, in seconds since the epoch), and the
    worktree that has it checked out.
    """

    name: str
    commit: str
    used: float
    held: str


def pooled(repository: Repository, folder: Path) -> tuple[Pooled, ...]:
    """All pooled worktrees of a repository, also those that lie elsewhere than in `folder`, where they are made now."""
    place = folder.resolve()
    found = []
    for git_dir in sorted((repository.common_dir / "worktrees").glob("*")):
        noted = _text(git_dir / "gitdir").rstrip("\n")
        path = Path(noted).parent if noted else place / git_dir.name
        ours = _text(git_dir / "locked").strip() == REASON or path.parent == place
        number = SLOT_NAME.fullmatch(path.name)
        # Where a person resolves a result by hand, also one of a task that is called like a slot.
        resolved = path.parent.name == FOLDER or (git_dir / RECORD).exists()
        if not ours or number is None or resolved or _anothers(path, git_dir):
            continue
        slot = Slot(int(number[1]), path, git_dir)
        used = max(_time(git_dir / name) for name in (BASE, IN_USE, "HEAD", "."))
        attempt = _text(git_dir / IN_USE).strip() or None
        found.append(Pooled(slot, os.path.lexists(path), slot.base is not None, attempt, used))
    return tuple(found)


def strangers(folder: Path, known: Collection[Path]) -> tuple[tuple[Path, ...], tuple[Path, ...]]:
    """Folders among the pooled worktrees that are on no list of git's: what was put aside since it holds work, and what
    is half taken away. Everything else there is nobody's to judge.
    """
    aside, dropped = [], []
    try:
        entries = sorted(folder.iterdir())
    except OSError:
        return (), ()
    for path in entries:
        if _DROPPED_NAME.fullmatch(path.name):
            dropped.append(path)
        elif _ASIDE_NAME.fullmatch(path.name) or (
            SLOT_NAME.fullmatch(path.name) and path.resolve() not in known
        ):
            aside.append(path)
    return tuple(aside), tuple(dropped)


def take_away(repository: Repository, found: Pooled, spared: Spared, name: str) -> tuple[str, ...]:
    """Take a pooled worktree away; gives the refs and folders that keep what was in it and nowhere else.

    `name` names what is rescued where no attempt does. Raises OrchestraError or OSError where something cannot be
    kept or taken away: then it is still there.
    """
    slot = found.slot
    kept: tuple[str, ...] = ()
    if found.there and (slot.path / ".git").is_dir() and not (slot.path / ".git").is_symlink():
        # An agent's own repository, whose history is nowhere else.
        kept = (str(put_aside(slot.path, f"{slot.path.name}.damaged")),)
    elif found.whole or found.attempt:
        kept = _rescued(repository, slot, found.attempt or name, spared)
    if os.path.lexists(slot.path):
        aside = _free(slot.path.with_name(slot.path.name + DROPPED))
        slot.path.rename(aside)
        remove(slot.git_dir)
        remove(aside)
    else:
        remove(slot.git_dir)
    for folder in (slot.path.parent, slot.git_dir.parent):
        with suppress(OSError):
            # Only where nothing else is in it.
            folder.rmdir()
    return kept


def all_refs(repository: Repository) -> tuple[Ref, ...]:
    """All refs with their times."""
    out = decode(repository.command.run("for-each-ref", f"--format={_FIELDS}").stdout)
    fields = out.split("\0")
    going_back = _going_back(repository)
    found = []
    for name, commit, made, held in zip(fields[0::4], fields[1::4], fields[2::4], fields[3::4], strict=False):
        name = name.removeprefix("\n")
        written = _time(repository.common_dir / name)
        used = max(float(made or 0), written)
        found.append(Ref(name, commit, used, held or going_back.get(name, "")))
    return tuple(found)


def messages(repository: Repository, prefix: str) -> Mapping[str, str]:
    """The messages of the commits that the refs below a prefix name."""
    out = decode(
        repository.command.run("for-each-ref", "--format=%(refname)%00%(contents)%00", "--", prefix).stdout
    )
    fields = out.split("\0")
    return {
        name.removeprefix("\n"): text for name, text in zip(fields[0::2], fields[1::2], strict=False) if name
    }


def alone(repository: Repository, commits: Sequence[str], others: Iterable[str]) -> Mapping[str, int]:
    """The bytes on disk of what each of these commits keeps that neither `others` nor one before it keeps.

    Raises GitFailedError where the repository cannot be read through.
    """
    if not commits:
        return {}
    tips = dict.fromkeys(commits)
    stdin = encode("".join(f"{tip}\n" for tip in tips) + "".join(f"^{other}\n" for other in set(others)))
    listed = repository.command.run(
        "rev-list", "--objects", "--in-commit-order", "--no-object-names", "--ignore-missing", "--stdin",
        stdin=stdin,
    ).text  # fmt: skip
    objects = listed.split("\n") if listed else []
    told = repository.command.run(
        "cat-file",
        "--batch-check=%(objectsize:disk)",
        stdin="".join(f"{each}\n" for each in objects).encode(),
    ).text
    sizes = dict.fromkeys(tips, 0)
    at = commits[0]
    for each, line in zip(objects, told.split("\n") if told else (), strict=True):
        at = each if each in tips else at
        sizes[at] += int(line) if line.isdigit() else 0
    return sizes


def drop_refs(repository: Repository, groups: Sequence[tuple[RefUpdate, ...]]) -> tuple[str, ...]:
    """Drop refs, each group all or none; gives the refs that stay since they moved meanwhile."""
    if repository.update_refs(tuple(update for group in groups for update in group)):
        return ()
    return tuple(update.ref for group in groups if not repository.update_refs(group) for update in group)


def _anothers(path: Path, git_dir: Path) -> bool:
    """Whether the worktree belongs to another repository, of which this one is a copy, lists and all."""
    pointer = path / ".git"
    if pointer.is_symlink() or not pointer.is_file():
        return False
    home = Path(_text(pointer).removesuffix("\n").removeprefix("gitdir: "))
    return home.is_dir() and not home.samefile(git_dir)


def _rescued(repository: Repository, slot: Slot, name: str, spared: Spared) -> tuple[str, ...]:
    """Keep what is in the slot and nowhere else under refs, or as a folder where git cannot hold it."""
    known = set(_trees(repository))
    before = {ref.name for ref in all_refs(repository)}
    kept = rescue(repository, slot, name, spared)
    if slot.base is not None and not (kept or "").startswith(RESCUED):
        # Where its files are gone, or were put aside, it may still have commits.
        slot.path.mkdir(parents=True, exist_ok=True)
        keep_commits(repository, slot, slot.base, name)
    found = [] if kept is None else [kept]
    if kept == RESCUED + name and kept not in before:
        tree = repository.command.run("rev-parse", f"{kept}^{{tree}}").text
        if tree in known:
            # The attempt was captured: the slot is only not reset yet.
            repository.update_refs((RefUpdate(kept, None, force=True),))
            found = []
    commits = RESCUED + name + COMMITS
    if commits not in before and repository.resolve(commits) is not None:
        if _held_elsewhere(repository, commits):
            repository.update_refs((RefUpdate(commits, None, force=True),))
        else:
            found.append(commits)
    return tuple(found)


def _trees(repository: Repository) -> list[str]:
    out = repository.command.run("for-each-ref", "--format=%(tree)", "--", "refs/orchestra/").text
    return out.split("\n")


def _held_elsewhere(repository: Repository, ref: str) -> bool:
    """Whether other refs keep all that this one does."""
    message = repository.message(ref)
    # What an agent amended, and what it was before: one commit of ours over both.
    made = repository.parents(ref) if message.startswith("What attempt ") else (ref,)
    others = [each.commit for each in all_refs(repository) if each.name != ref]
    stdin = "".join(f"{each}\n" for each in made) + "".join(f"^{each}\n" for each in others)
    return not repository.command.run("rev-list", "-n", "1", "--stdin", stdin=stdin.encode()).text


def _going_back(repository: Repository) -> dict[str, str]:
    """By branch, the worktree in which a rebase or a bisect will go back to it."""
    folders = [repository.common_dir, *(repository.common_dir / "worktrees").glob("*")]
    found = {}
    for folder in folders:
        for name in UNDER_WAY:
            text = _text(folder / name).strip()
            if text:
                found[text if text.startswith("refs/") else f"refs/heads/{text}"] = str(folder)
    return found


def _free(path: Path) -> Path:
    number, free = 1, path
    while os.path.lexists(free):
        number += 1
        free = path.with_name(f"{path.name}-{number}")
    return free


def _text(path: Path) -> str:
    try:
        return decode(path.read_bytes())
    except OSError:
        return ""


def _time(path: Path) -> float:
    try:
        return path.lstat().st_mtime
    except OSError:
        return 0.0
