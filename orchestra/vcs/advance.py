"""Moving a person's branch: with their checkout where it is checked out, or not at all.

Nothing of theirs is overwritten: git's own two-way checks refuse dirty and untracked files, and ignored ones
with `--no-overwrite-ignore`. A plain `update-ref` on a checked-out branch would leave an inverse diff behind,
so it is used only where the branch is checked out nowhere.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from orchestra.model.ports import Advance, RefUpdate
from orchestra.vcs.command import GitCommand, decode

if TYPE_CHECKING:
    from orchestra.vcs.repository import Repository


def checkout_of(command: GitCommand, branch: str) -> Path | None:
    """The worktree in which the branch is checked out, None where it is in none."""
    out = decode(command.run("worktree", "list", "--porcelain", "-z").stdout)
    for block in out.split("\0\0"):
        lines = block.split("\0")
        if f"branch {branch}" in lines:
            found = next((line for line in lines if line.startswith("worktree ")), None)
            return Path(found.removeprefix("worktree ")) if found else None
    return None


def advance_branch(repository: Repository, branch: str, old: str, new: str) -> Advance:
    """Move the branch from `old` to its descendant `new` together with its checkout."""
    worktree = checkout_of(repository.command, branch)
    if worktree is None:
        if repository.update_refs((RefUpdate(branch, new, old),)):
            return Advance(True)
        return Advance(False, moved_to=repository.resolve(branch))
    done = repository.command.at(worktree).run(
        "merge",
        "--ff-only",
        "--no-overwrite-ignore",
        "--no-verify-signatures",
        "--no-stat",
        "--quiet",
        new,
        # A stash made and popped behind the person's back is one more way to lose something.
        flags=("-c", "merge.autoStash=false"),
        allow=(0, 1, 2, 128),
    )
    if done.status == 0:
        return Advance(True)
    head = repository.resolve(branch)
    if head != old:
        return Advance(False, moved_to=head)
    paths = tuple(line[1:] for line in done.stderr.split("\n") if line.startswith("\t"))
    first = next((line for line in done.stderr.split("\n") if line.strip()), "git refused")
    return Advance(False, in_the_way=paths, message=first.removeprefix("error: ").removeprefix("fatal: "))
