"""Putting a branch of ours somewhere: only where no worktree holds it, and together with our memory of it.

A branch that a worktree holds is left alone, whatever is in that: to move it with the files would be a surprise, and
without them an inverse diff. The person may check it out at any moment, and git takes no lock against that: what was
moved is looked at afterwards, and put back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestra.model.ports import Placed, RefUpdate
from orchestra.vcs.advance import checkout_of, rebased_in

if TYPE_CHECKING:
    from orchestra.vcs.repository import Repository


def place_branch(repository: Repository, branch: RefUpdate, memory: RefUpdate) -> Placed:
    """Move the branch and the ref that remembers it, both by compare-and-swap; see `orchestra.model.ports.Shelf`."""
    held = checkout_of(repository.command, branch.ref)
    if held is not None:
        return Placed(False, f"it is checked out in {held}", str(held))
    rebase = rebased_in(repository.common_dir, branch.ref)
    if rebase is not None:
        return Placed(False, f"it is being rebased in {rebase}", str(rebase))
    clash = _clash(repository, branch.ref)
    if clash is not None:
        return Placed(False, clash)
    if not repository.update_refs((branch, memory)):
        return Placed(False, "it moved meanwhile")
    late = checkout_of(repository.command, branch.ref)
    if late is None or not late.is_dir() or branch.new is None:
        return Placed(True)
    stands = repository.command.at(late).run(
        "diff-index", "--cached", "--quiet", branch.new, "--", allow=(0, 1)
    )
    if stands.status == 0:
        return Placed(True)
    # Checked out in that very moment, with the files of before.
    repository.update_refs(tuple(RefUpdate(each.ref, each.old, each.new) for each in (branch, memory)))
    return Placed(False, f"it was checked out in {late} meanwhile", str(late))


def _clash(repository: Repository, ref: str) -> str | None:
    """Why git cannot have a branch of that name beside others, None where it can: names are paths."""
    below = repository.refs_below(ref)
    if any(other != ref for other in below):
        name = ref.removeprefix("refs/heads/")
        return f"there are branches below {name}/"
    parts = ref.split("/")
    for end in range(3, len(parts)):
        folder = "/".join(parts[:end])
        if repository.resolve(folder) is not None:
            return f"the branch {folder.removeprefix('refs/heads/')} has the name of its folder"
    return None
