"""What a build would see, and how two such sights differ. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace

from orchestra.model.tasks import Manifest, Task

Stamps = Mapping[str, tuple[int, ...]]
"""Files by path, each with what changes when it is written: two that are equal were not written between."""


@dataclass(frozen=True, slots=True)
class Sight:
    """What a build that began now would see: the manifest with its prompts, the commit, the branch (None: detached).

    `stamps` are of the files from which the manifest was read.
    """

    manifest: Manifest
    commit: str
    branch: str | None
    stamps: Stamps = field(default_factory=dict, compare=False)


@dataclass(frozen=True, slots=True)
class Difference:
    """How what is to be built differs from what was: names of tasks; whether anything else of the manifest changed; the
    commit and the branch where they are others.
    """

    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    settings: bool = False
    commit: str | None = None
    branch: str | None = None

    def __bool__(self) -> bool:
        return self != Difference()

    @property
    def tasks(self) -> tuple[str, ...]:
        """All tasks that it is about."""
        return (*self.added, *self.removed, *self.changed)


def difference(old: Sight | None, new: Sight) -> Difference:
    """How the new sight differs from the old one; from None in all its tasks."""
    if old is None:
        return Difference(added=tuple(task.name for task in new.manifest.tasks), commit=new.commit)
    before, after = _tasks(old.manifest), _tasks(new.manifest)
    return Difference(
        tuple(name for name in after if name not in before),
        tuple(name for name in before if name not in after),
        tuple(name for name, task in after.items() if name in before and before[name] != task),
        _settings(old.manifest) != _settings(new.manifest),
        new.commit if new.commit != old.commit else None,
        new.branch if new.branch != old.branch else None,
    )


def is_own(built: Sight, now: Sight, tips: Iterable[str], landed: Callable[[frozenset[str]], bool]) -> bool:
    """Whether all in which a sight differs from what was built is what the build itself landed.

    `tips` are the commits to which it moved the branch; `landed` tells of paths whether all of them are files that it
    landed, and that are in the checkout as it landed them.
    """
    if now.branch != built.branch or (now.commit != built.commit and now.commit not in tips):
        return False
    if now.manifest == built.manifest:
        return True
    written = frozenset(
        path
        for path in built.stamps.keys() | now.stamps.keys()
        if built.stamps.get(path) != now.stamps.get(path)
    )
    return bool(written) and landed(written)


class Numbers:
    """Gives sights numbers: two that are equal have the same one, as long as one of them is the base or the last."""

    def __init__(self) -> None:
        self._given = 0
        self._known: list[tuple[int, Sight]] = []

    def of(self, sight: Sight, base: Sight | None) -> int:
        """The number of a sight; `base` is the one that is compared with next time, whatever comes."""
        number = next((number for number, known in self._known if known == sight), None)
        if number is None:
            self._given += 1
            number = self._given
        # Two at most, so that a watch of days remembers no more than one of an hour.
        kept = [(each, known) for each, known in self._known if base is not None and known == base]
        self._known = [*kept[:1], (number, sight)]
        return number


def _tasks(manifest: Manifest) -> Mapping[str, Task]:
    # Where a new task comes before others, these are what they were.
    return {task.name: replace(task, index=0) for task in manifest.tasks}


def _settings(manifest: Manifest) -> Manifest:
    return replace(manifest, tasks=())
