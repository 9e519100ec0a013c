"""Bringing two sides together: a worktree that holds the newest state and an earlier result merged into it."""

from __future__ import annotations

from dataclasses import dataclass

from orchestra.execution.prompting import merge_told
from orchestra.model.ports import Unmerged
from orchestra.vcs.command import decode
from orchestra.vcs.laying import both_sides, lay_out
from orchestra.vcs.repository import Repository
from orchestra.vcs.slots import Slot
from orchestra.vcs.spared import Spared

MOST = 100
"""How many commits are looked at for what landed meanwhile."""


@dataclass(frozen=True, slots=True)
class Merging:
    """What an agent is to bring together: the paths that conflict, the commits that stand for the two sides, and
    what it is told about it.
    """

    conflicts: tuple[str, ...]
    sides: tuple[str, str]
    told: str


def bring_together(
    repository: Repository, slot: Slot, spared: Spared, tip: str, unmerged: Unmerged
) -> Merging:
    """Lay the merge of an earlier result with the tip out in the slot, which stands at the tip.

    Raises OrchestraError where git cannot.
    """
    both = both_sides(repository, unmerged.base, tip, unmerged.result)
    lay_out(repository, slot, spared, both.tree)
    landed = _titles(repository, unmerged.base, tip, both.conflicts) or _titles(
        repository, unmerged.base, tip, ()
    )
    told = merge_told(both.conflicts, unmerged.paths, landed, both.ours, both.theirs)
    return Merging(both.conflicts, (tip, unmerged.result), told)


def _titles(repository: Repository, base: str, tip: str, paths: tuple[str, ...]) -> tuple[str, ...]:
    """The titles of what landed since the base, oldest first; only what changed one of the paths, if some are given."""
    specs = [f":(literal){path}" for path in paths]
    listed = repository.command.run(
        "log",
        "-z",
        "--reverse",
        f"--max-count={MOST}",
        "--no-merges",
        "--format=%s",
        f"{base}..{tip}",
        "--",
        *specs,
    )
    return tuple(title for title in decode(listed.stdout).split("\0") if title)
