"""Taking away what was chosen to go. Each thing stands alone: one that cannot go hides no other, and keeps none."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from orchestra.execution.leftovers import Grounds
from orchestra.integration.cleaning import HEADS, OURS, Item, Kind
from orchestra.model.errors import OrchestraError, environment_error
from orchestra.model.ports import RefUpdate
from orchestra.vcs.clearing import drop_refs, pooled, take_away
from orchestra.vcs.folders import remove
from orchestra.vcs.locks import remove_stale_locks, stale_locks
from orchestra.vcs.slots import Slot
from orchestra.vcs.spared import Spared


@dataclass(frozen=True, slots=True)
class Swept:
    """What went, the refs and folders that keep what was in worktrees and nowhere else, and what could not go with
    why.
    """

    gone: tuple[Item, ...] = ()
    rescued: tuple[str, ...] = ()
    problems: tuple[tuple[str, str], ...] = ()


def sweep(at: Grounds, items: Sequence[Item], spared: Callable[[Slot], Spared], now: float) -> Swept:
    """Take the items away; the build's lock must be held. `spared` tells what of a worktree is nobody's work.

    Lock entries are left out: they lie in the tree.
    """
    gone: list[Item] = []
    rescued: list[str] = []
    problems: list[tuple[str, str]] = []
    slots = {str(each.slot.path): each for each in pooled(at.repository, at.slots)}
    name = f"clean-{time.strftime('%Y%m%d-%H%M%S', time.gmtime(now))}"
    # First, so that git is not held up by what a killed one left.
    locks = stale_locks(at.repository.common_dir, at.slots)
    remove_stale_locks(at.repository.root, at.repository.common_dir, at.slots)
    for item in items:
        if item.kind is Kind.ENTRIES or item.name.startswith((OURS, HEADS)):
            continue
        try:
            found = slots.get(item.name)
            if found is None:
                _remove(Path(item.name), locks)
            else:
                rescued += take_away(
                    at.repository, found, spared(found.slot), f"{name}-{Path(item.name).name}"
                )
            gone.append(item)
        except OrchestraError as error:
            problems.append((item.name, "; ".join((str(error), *error.causes))))
        except OSError as error:
            problems.append((item.name, error.strerror or str(error)))
    # Last: what worktrees hold is compared with what refs keep.
    refs = [item for item in items if item.name.startswith((OURS, HEADS))]
    stayed = _drop(at, refs)
    gone += [item for item in refs if item.name not in stayed]
    problems += stayed.items()
    for folder in (at.slots, at.repository.state_folder / "builds", at.repository.state_folder / "cache"):
        with suppress(OSError):
            folder.rmdir()
    return Swept(tuple(gone), tuple(dict.fromkeys(rescued)), tuple(problems))


def _remove(path: Path, locks: Collection[Path]) -> None:
    if not os.path.lexists(path):
        return
    if path in locks:
        raise environment_error("a git is at work there")
    remove(path)


def _drop(at: Grounds, items: Sequence[Item]) -> Mapping[str, str]:
    """Drop refs as they were found; gives those that stay, with why."""
    groups = [tuple(RefUpdate(ref, None, commit) for ref, commit in item.refs) for item in items]
    try:
        stayed = drop_refs(at.repository, groups)
    except OrchestraError as error:
        why = "; ".join((str(error), *error.causes))
        return {item.name: why for item in items}
    return dict.fromkeys(stayed, "it moved meanwhile")
