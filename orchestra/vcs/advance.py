"""Moving a person's branch: with their checkout where it is checked out, or not at all.

Nothing of theirs is overwritten: git's own two-way checks refuse dirty and untracked files, and ignored ones
with `--no-overwrite-ignore`. A plain `update-ref` on a checked-out branch would leave an inverse diff behind,
so it is used only where the branch is checked out nowhere. The person may switch branches at any moment, and
git takes no lock against that: what was moved is looked at afterwards, and put back where it was another one.
"""

from __future__ import annotations

import re
import shlex
import shutil
import time
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

from orchestra.model.ports import Advance, RefUpdate
from orchestra.model.text import clean
from orchestra.vcs.command import Completed, GitCommand, decode

if TYPE_CHECKING:
    from orchestra.vcs.repository import Repository

ROUNDS = 20
"""How often it is tried while the person switches branches or their editor holds the index for a moment."""

PAUSE = 0.05
"""Seconds between two tries."""

LATELY = 10.0
"""Seconds: whoever has held the index for longer does not do so for a moment only, but crashed or waits for someone."""

ROOMY = 2**30
"""Bytes: where more is free, nobody asks how much a checkout will take."""

SPARE = 4 * 2**20
"""Bytes that stay free beside what a checkout takes."""

IN_THE_MIDDLE = {
    PurePath("MERGE_HEAD"): "merge",
    PurePath("rebase-apply/applying"): "am",
    PurePath("rebase-merge"): "rebase",
    PurePath("rebase-apply"): "rebase",
    PurePath("CHERRY_PICK_HEAD"): "cherry-pick",
    PurePath("REVERT_HEAD"): "revert",
}
"""What lies in a worktree's git folder while the person is in the middle of something."""

GO_ON = "then: orchestra build"

REFLOG = "orchestra"
"""With what the person's reflog says who moved their branch."""

_BLOCK = re.compile(r"^error: [^\n]*:\n\t(.*?)\n+(?=Please |Aborting|error: |\Z)", re.DOTALL | re.MULTILINE)
"""A list of files in git's refusal: a heading, then a line for each, that begins with a tab."""


def checkouts_of(command: GitCommand, branch: str) -> tuple[Path, ...]:
    """The worktrees in which the branch is checked out."""
    found: list[Path] = []
    out = decode(command.run("worktree", "list", "--porcelain", "-z").stdout)
    for block in out.split("\0\0"):
        path, *lines = block.split("\0")
        if f"branch {branch}" in lines:
            found.append(Path(path.removeprefix("worktree ")))
    return tuple(found)


def checkout_of(command: GitCommand, branch: str) -> Path | None:
    """The worktree in which the branch is checked out, None where it is in none."""
    return next(iter(checkouts_of(command, branch)), None)


def rebased_in(common_dir: Path, branch: str) -> Path | None:
    """The worktree in which the branch is being rebased, if one is: there HEAD is detached, and git would give the
    branch its new place when the rebase ends.
    """
    for folder in (common_dir, *sorted((common_dir / "worktrees").glob("*"))):
        for kind in ("rebase-merge", "rebase-apply"):
            try:
                name = (folder / kind / "head-name").read_text("utf-8", "surrogateescape")
            except OSError:
                continue
            if name.strip() == branch:
                return _worktree_of(folder, common_dir)
    return None


def under_way(git_dir: Path) -> str | None:
    """What the person is in the middle of in the worktree with that git folder: `merge`, `rebase`..., or None."""
    return next((what for name, what in IN_THE_MIDDLE.items() if (git_dir / name).exists()), None)


def said_of(what: str, place: Path) -> str:
    """That something is under way in a worktree, in words."""
    return f"{'an' if what == 'am' else 'a'} {what} is under way in {place}"


def finish_or_drop(what: str) -> str:
    """What to type where something is under way."""
    return f"finish it (git {what} --continue) or drop it (git {what} --abort)"


def git_dir_of(there: GitCommand) -> Path:
    """The git folder of the worktree in which the command works."""
    return Path(there.run("rev-parse", "--absolute-git-dir").text)


def _worktree_of(git_dir: Path, common_dir: Path) -> Path:
    """The worktree that a git folder belongs to, as a person knows it."""
    if git_dir == common_dir:
        return common_dir.parent
    try:
        return Path((git_dir / "gitdir").read_text("utf-8", "surrogateescape").removesuffix("\n")).parent
    except OSError:
        return git_dir


def advance_branch(repository: Repository, branch: str, old: str, new: str) -> Advance:
    """Move the branch from `old` to its descendant `new` together with its checkout."""
    for left in reversed(range(ROUNDS)):
        advanced, again = _try(repository, branch, old, new)
        if advanced.done or not again or not left:
            break
        time.sleep(PAUSE)
    return advanced


def _try(repository: Repository, branch: str, old: str, new: str) -> tuple[Advance, bool]:
    """One try, and whether another may go better: the ground moved under this one, or a lock was held."""
    head = repository.resolve(branch)
    if head != old:
        what = "the branch moved meanwhile" if head else "the branch was deleted meanwhile"
        return Advance(False, moved_to=head, message=what), False
    worktrees = checkouts_of(repository.command, branch)
    if not worktrees:
        return _move_alone(repository, branch, old, new)
    if len(worktrees) > 1:
        places = " and ".join(str(path) for path in worktrees)
        return Advance(False, message=f"the branch is checked out in {places}"), False
    worktree = worktrees[0]
    if not worktree.is_dir():
        gone = f"the branch is checked out in {worktree}, which is gone (git worktree prune)"
        return Advance(False, message=gone), False
    return _merge(repository, worktree, branch, old, new)


def _move_alone(repository: Repository, branch: str, old: str, new: str) -> tuple[Advance, bool]:
    """Move a branch that is checked out nowhere."""
    rebase = rebased_in(repository.common_dir, branch)
    if rebase is not None:
        hint = f"{finish_or_drop('rebase')}, {GO_ON}"
        return Advance(False, message=f"the branch is being rebased in {rebase}", hint=hint), False
    if not repository.update_refs((RefUpdate(branch, new, old),)):
        return Advance(False, message="the branch moved meanwhile"), True
    late = checkout_of(repository.command, branch)
    if late is None or not late.is_dir():
        return Advance(True), False
    stands = repository.command.at(late).run("diff-index", "--cached", "--quiet", new, "--", allow=(0, 1))
    if stands.status == 0:
        return Advance(True), False
    # Checked out in that very moment, with the files of `old`: back, and then forward with them.
    repository.update_refs((RefUpdate(branch, old, new),))
    return Advance(False, message=f"the branch was checked out in {late} meanwhile"), True


def _merge(repository: Repository, worktree: Path, branch: str, old: str, new: str) -> tuple[Advance, bool]:
    """Move the branch and the checkout that holds it."""
    there = repository.command.at(worktree)
    if _too_full(there, worktree, old, new):
        message = f"only {shutil.disk_usage(worktree).free // 1024:,} KiB are free at {worktree}"
        return Advance(False, message=message, hint=f"make room, {GO_ON}"), False
    done = there.run(
        "merge",
        "--ff-only",
        "--no-overwrite-ignore",
        "--no-verify-signatures",
        "--no-squash",
        # A stash made and popped behind the person's back is one more way to lose something.
        "--no-autostash",
        "--no-stat",
        "--quiet",
        new,
        env={
            "GIT_REFLOG_ACTION": REFLOG,
            # The person's own options for merging into this branch are not for fast-forwarding it.
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": f"{branch.replace('refs/heads/', 'branch.', 1)}.mergeOptions",
            "GIT_CONFIG_VALUE_0": "",
        },
        allow=(0, 1, 2, 128),
    )
    head = repository.resolve(branch)
    if done.status == 0:
        if head is not None and (head == new or repository.is_ancestor(new, head)):
            return Advance(True), False
        _put_back(repository, there, branch, new)
        return Advance(False, message=f"{worktree} was switched to another branch meanwhile"), True
    # Asked again, git may have nothing against it: the person switched branches, or committed.
    moved = head != old or checkouts_of(repository.command, branch) != (worktree,)
    git_dir = git_dir_of(there)
    lock = git_dir / "index.lock"
    if "index.lock" in done.stderr:
        return _held(lock), moved or _is_new(lock)
    what = under_way(git_dir)
    if what is not None:
        hint = f"{finish_or_drop(what)}, {GO_ON}"
        return Advance(False, message=said_of(what, worktree), hint=hint), moved
    return _refused(done), moved


def _too_full(there: GitCommand, worktree: Path, old: str, new: str) -> bool:
    """Whether the checkout may take more than is free: git would stop in the middle, and leave what it wrote."""
    free = shutil.disk_usage(worktree).free
    if free >= ROOMY:
        return False
    diff = decode(there.run("diff-tree", "-r", "-z", "--no-renames", "--raw", "--no-abbrev", old, new).stdout)
    fields = (meta.split(" ") for meta in diff.split("\0")[0:-1:2])
    written = [after for _, mode, _, after, _ in fields if mode not in ("000000", "160000")]
    stdin = "".join(f"{each}\n" for each in written).encode()
    sizes = there.run("cat-file", "--batch-check=%(objectsize)", stdin=stdin).text.split()
    index = git_dir_of(there) / "index"
    # Twice: the old one stays until the new one is whole.
    return free < sum(map(int, sizes)) + 2 * (index.stat().st_size if index.exists() else 0) + SPARE


def _put_back(repository: Repository, there: GitCommand, branch: str, new: str) -> None:
    """The person switched branches just before, and it was another one that was moved: back with that."""
    listed = there.run("for-each-ref", "--points-at", new, "--format=%(refname)", "refs/heads/").text
    for name in ("HEAD", *listed.split("\n")):
        # Only a move of ours is undone: on a branch that held `new` already, nothing was done.
        last = there.run("log", "-g", "-1", "--format=%H %gs", name, "--", allow=(0, 128)).text
        if name in ("", branch) or last != f"{new} {REFLOG}: Fast-forward":
            continue
        # By now they may have gone on to yet another one.
        current = there.run("symbolic-ref", "--quiet", "HEAD", allow=(0, 1)).text or "HEAD"
        if name == current:
            there.run("reset", "--keep", "--quiet", f"{name}@{{1}}", allow=(0, 1, 128))
        elif name != "HEAD":
            repository.update_refs((RefUpdate(name, repository.resolve(f"{name}@{{1}}"), new),))


def _held(lock: Path) -> Advance:
    hint = f"end the git that is at work there, or if none is: rm {shlex.quote(str(lock))}, {GO_ON}"
    return Advance(False, message=f"the index is locked: {lock} exists", hint=hint)


def _is_new(lock: Path) -> bool:
    """Whether the lock may go by itself any moment, or has just gone."""
    try:
        return time.time() - lock.stat().st_mtime < LATELY
    except OSError:
        return True


def _refused(done: Completed) -> Advance:
    """Why git would not: in its own words, with the files that it named."""
    paths = tuple(path for block in _BLOCK.findall(done.stderr) for path in block.split("\n\t"))
    said = next((line for line in done.stderr.split("\n") if line.startswith(("error: ", "fatal: "))), "")
    message = clean(said.removeprefix("error: ").removeprefix("fatal: ")) or "git refused"
    return Advance(False, in_the_way=paths, message=message)
