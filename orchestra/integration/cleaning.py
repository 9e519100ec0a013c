"""What of all that builds left can go, and what is still needed and by whom. Pure.

Age and size decide only about what nobody needs any more; what a build would go on with, or a person may still be
asked about, stays however old it is. What is not known here is nobody's to drop.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from orchestra.integration.branch import PARKED, PARKED_BRANCH, STOOD, TIPS
from orchestra.integration.refs import CAPTURED, REJECTED
from orchestra.model.errors import OrchestraError
from orchestra.model.freshness import Situation, decide_all
from orchestra.model.trees import LOCK_FOLDER

DAY = 86_400.0
"""Seconds."""

OLD = 30 * DAY
"""How long what builds left is kept without a word about it, in seconds."""

OURS = "refs/orchestra/"
HEADS = "refs/heads/"
RESOLVING = "refs/orchestra/resolve/"
"""Below it, by task, with `=` for `/`: the results that somebody works on by hand."""


class Kind(StrEnum):
    """What can be asked to go, by the word for it on the command line."""

    SLOTS = "slots"
    ASIDE = "aside"
    RESULTS = "results"
    REJECTED = "rejected"
    RESCUED = "rescued"
    VERDICTS = "verdicts"
    TIPS = "tips"
    LOGS = "logs"
    CACHE = "cache"
    LEFTOVERS = "leftovers"
    ENTRIES = "entries"
    ORPHANS = "orphans"


ONLY_NAMED = (Kind.ENTRIES, Kind.ORPHANS)
"""Kinds that go only where they are asked for: a commit on the person's branch, and what was another repository's."""

LASTING = (Kind.ASIDE, Kind.RESCUED)
"""Kinds that hold work that is nowhere else: `--all` leaves what is younger than the age that is asked for."""

_KINDS = {
    "results": Kind.RESULTS,
    "captured": Kind.RESULTS,
    "rejected": Kind.REJECTED,
    "failed": Kind.REJECTED,
    "dropped": Kind.REJECTED,
    "rescued": Kind.RESCUED,
    "edited": Kind.RESCUED,
    "snapshots": Kind.RESCUED,
    "checks": Kind.VERDICTS,
    "verified": Kind.VERDICTS,
    "tips": Kind.TIPS,
    "parked": Kind.TIPS,
    "stood": Kind.TIPS,
}
"""By the folder of refs below `refs/orchestra/`; all others (open resolutions) are never looked at."""


@dataclass(frozen=True, slots=True)
class Item:
    """One thing that may go.

    `name` is the ref, or the path of the file or folder; `size` are the bytes that it takes by itself, None where
    that is not known; `used` is when it was last of use, in seconds since the epoch. `needed` says why it stays in
    any case; `spent` means that it is of no use to anybody, however young. `lasting`: see `LASTING`. `refs` are those
    that go together, all or none, each with the commit that it names.
    """

    kind: Kind
    name: str
    used: float
    size: int | None = None
    needed: str = ""
    spent: bool = False
    lasting: bool = False
    refs: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Bounds:
    """What is asked for.

    `older` is the age in seconds from which on things go, `everything`: at any age. `most` are the bytes that what
    stays of one kind may take, the newest first; None: any number. `kinds` are those that were named, none: all.
    """

    older: float = OLD
    everything: bool = False
    most: int | None = None
    kinds: frozenset[Kind] = frozenset()

    def wants(self, kind: Kind) -> bool:
        """Whether things of the kind may go at all."""
        return kind in self.kinds if self.kinds or kind in ONLY_NAMED else True


@dataclass(frozen=True, slots=True)
class Sweep:
    """What goes and what stays, each in the order in which it was found."""

    goes: tuple[Item, ...] = ()
    stays: tuple[Item, ...] = ()


def choose(items: Iterable[Item], bounds: Bounds, now: float) -> Sweep:
    """Decide about each item; `now` in seconds since the epoch."""
    items = tuple(items)
    over = _over(items, bounds, now)
    goes: list[Item] = []
    stays: list[Item] = []
    for item in items:
        can = bounds.wants(item.kind) and not item.needed
        too_old = item.spent or _aged(item, bounds, now) or item in over
        (goes if can and too_old else stays).append(item)
    return Sweep(tuple(goes), tuple(stays))


def _aged(item: Item, bounds: Bounds, now: float) -> bool:
    if bounds.everything and not item.lasting:
        return True
    return max(0.0, now - item.used) >= bounds.older


def _over(items: tuple[Item, ...], bounds: Bounds, now: float) -> frozenset[Item]:
    """What is too much of a kind: the newest, and what is needed, is kept first. `lasting` things are not counted."""
    if bounds.most is None:
        return frozenset()
    found: set[Item] = set()
    for kind in Kind:
        left = bounds.most
        of_kind = [item for item in items if item.kind is kind and not item.spent and not item.lasting]
        for item in sorted(of_kind, key=lambda item: (not item.needed, -item.used)):
            if _aged(item, bounds, now) and not item.needed:
                continue
            left -= item.size or 0
            if left < 0 and not item.needed:
                found.add(item)
    return frozenset(found)


# --- refs ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class KeptRef:
    """A ref: its commit, when that was made or the ref written (the later one, in seconds since the epoch), the
    bytes that git keeps for it alone. `task` is whose result it is, where it is one; `held` the worktree that has it
    checked out, where it is a branch.
    """

    name: str
    commit: str
    used: float
    size: int | None = None
    task: str | None = None
    held: str = ""


@dataclass(frozen=True, slots=True)
class Standing:
    """What is needed of the refs today.

    `tasks` are those of the manifest and `verdicts` the refs of verdicts that hold now, each None where that is not
    known; `contains` tells whether the first commit is in the history of the second.
    """

    contains: Callable[[str, str], bool]
    tasks: frozenset[str] | None = None
    verdicts: frozenset[str] | None = None


def ref_items(refs: Iterable[KeptRef], standing: Standing) -> tuple[Item, ...]:
    """What is kept under refs, as items: of all refs of a repository those that are orchestra's to drop."""
    every = {ref.name: ref for ref in refs}
    tips = _Tips(every, standing)
    newest = _newest_rejections(every.values())
    resolving = {
        name.removeprefix(RESOLVING).replace("=", "/"): ref.commit
        for name, ref in every.items()
        if name.startswith(RESOLVING)
    }
    found: list[Item] = []
    for ref in every.values():
        kind = kind_of(ref.name)
        if kind is None:
            continue
        # A captured result is what the next build goes on with.
        lasting = kind in LASTING or ref.name.startswith(CAPTURED)
        item = Item(kind, ref.name, ref.used, ref.size, lasting=lasting, refs=((ref.name, ref.commit),))
        if kind is Kind.TIPS:
            judged = tips.judge(item, ref)
            if judged is not None:
                found.append(judged)
        elif kind is Kind.VERDICTS:
            holds = standing.verdicts is None or ref.name in standing.verdicts
            found.append(replace(item, needed="a verdict that holds now" if holds else ""))
        elif ref.task in resolving or ref.commit in resolving.values():
            found.append(replace(item, needed="it is being resolved"))
        elif ref.name.startswith(REJECTED):
            found.append(replace(item, needed=_why_kept(ref, newest, standing)))
        else:
            found.append(item)
    return tuple(found)


def kind_of(ref: str) -> Kind | None:
    """What kind of thing a ref keeps, None where it is none of those that may go."""
    if ref.startswith(PARKED_BRANCH):
        return Kind.TIPS
    return _KINDS.get(ref.removeprefix(OURS).partition("/")[0]) if ref.startswith(OURS) else None


def _newest_rejections(refs: Iterable[KeptRef]) -> frozenset[str]:
    newest: dict[str, KeptRef] = {}
    for ref in refs:
        if ref.name.startswith(REJECTED) and ref.task is not None:
            known = newest.get(ref.task)
            if known is None or (ref.used, ref.name) > (known.used, known.name):
                newest[ref.task] = ref
    return frozenset(ref.name for ref in newest.values())


def _why_kept(ref: KeptRef, newest: Collection[str], standing: Standing) -> str:
    if ref.name in newest and (standing.tasks is None or ref.task in standing.tasks):
        return f"the newest rejection of {ref.task}"
    return ""


class _Tips:
    """The tips that builds left on the way to a branch: of use until that branch holds them."""

    def __init__(self, refs: Mapping[str, KeptRef], standing: Standing) -> None:
        self._refs = refs
        self._standing = standing
        # Not a detached HEAD: who leaves it has nothing that leads back.
        self._theirs = [
            ref.commit
            for ref in refs.values()
            if ref.name.startswith(HEADS) and not ref.name.startswith(PARKED_BRANCH)
        ]
        self._parked_at = {
            name.removeprefix(PARKED).partition("/")[0]: name for name in refs if name.startswith(PARKED)
        }

    def judge(self, item: Item, ref: KeptRef) -> Item | None:
        """The item with what is to become of it; None where it is the person's, or goes with another."""
        if ref.name.startswith(PARKED_BRANCH):
            return self._branch(item, ref)
        root = next(root for root in (TIPS, PARKED, STOOD) if ref.name.startswith(root))
        build, _, place = ref.name.removeprefix(root).partition("/")
        others = [name for other in (TIPS, PARKED) if (name := f"{other}{build}/{place}") in self._refs]
        if root == STOOD:
            return None if others else replace(item, spent=True)
        stood = self._refs.get(f"{STOOD}{build}/{place}")
        # Without it a tip would be taken up also where its branch was rewritten: it goes with the last of them.
        if stood is not None and len(others) == 1:
            item = replace(item, refs=(*item.refs, (stood.name, stood.commit)))
        shown = self._refs.get(PARKED_BRANCH + build) if root == PARKED else None
        # A branch that the person deleted or moved: they decided about it, and no build takes it up.
        if shown is not None and shown.commit == ref.commit:
            item = replace(item, name=shown.name, refs=(*item.refs, (shown.name, shown.commit)))
            if shown.held:
                return replace(item, needed=f"{shown.name.removeprefix(HEADS)} is checked out")
        else:
            shown = None
        if self._arrived(ref.commit, place):
            return replace(item, spent=True)
        waits = shown is not None if root == PARKED else self._fits(stood, place)
        return replace(item, needed=_waiting(place) if waits else "")

    def _branch(self, item: Item, ref: KeptRef) -> Item | None:
        """A branch that shows a tip goes with that; one that shows none any more, where nothing is lost."""
        parked = self._refs.get(self._parked_at.get(ref.name.removeprefix(PARKED_BRANCH), ""))
        if (parked is not None and parked.commit == ref.commit) or not self._somewhere(ref.commit):
            return None
        return replace(item, needed="it is checked out") if ref.held else replace(item, spent=True)

    def _arrived(self, commit: str, place: str) -> bool:
        home = self._refs.get(f"refs/{place}")
        if home is not None:
            return self._standing.contains(commit, home.commit)
        # Detached, or with what was uncommitted, or for a branch that is gone.
        return self._somewhere(commit)

    def _somewhere(self, commit: str) -> bool:
        return any(self._standing.contains(commit, theirs) for theirs in self._theirs)

    def _fits(self, stood: KeptRef | None, place: str) -> bool:
        """Whether a build would take the tip up: not on a branch that is gone, or was rewritten since."""
        home = self._refs.get(f"refs/{place}")
        if home is None:
            return not place.startswith("heads/")
        return stood is None or self._standing.contains(stood.commit, home.commit)


def _waiting(place: str) -> str:
    branch = place.removeprefix("heads/")
    return f"not on {branch} yet" if place.startswith("heads/") else "not on a branch yet"


# --- what holds on the tree ----------------------------------------------------------------------------------


def verdicts_asked(at: Situation) -> frozenset[str]:
    """The keys for which freshness on this tree asks whether their checks passed."""
    asked: set[str] = set()

    def passed(key: str) -> bool:
        asked.add(key)
        return at.passed(key)

    decide_all(replace(at, passed=passed))
    return frozenset(asked)


def left_the_manifest(at: Situation) -> tuple[str, ...]:
    """The tasks that have an entry, are not in the manifest any more, and without whose entries every decision is the
    same: a file that such a task wrote last, or a task that was given another name, still needs them.
    """
    names = {task.name for task in at.manifest.tasks}
    # The entry of a task that was renamed tells that nothing need run under the new name.
    awaited = [
        decision.attempted.definition for task, decision in decide_all(at).items() if task not in at.entries
    ]
    left = sorted(
        name
        for name, entry in at.entries.items()
        if name not in names and entry.parts.definition not in awaited
    )
    before = _decided(at)

    def same_without(gone: Collection[str]) -> bool:
        entries = {name: entry for name, entry in at.entries.items() if name not in gone}
        return _decided(replace(at, entries=entries)) == before

    if same_without(left):
        return tuple(left)
    gone: list[str] = []
    for name in left:
        if same_without((*gone, name)):
            gone.append(name)
    return tuple(gone)


def _decided(at: Situation) -> Mapping[str, tuple[object, ...]]:
    return {
        name: (decision.state, decision.reasons, decision.key) for name, decision in decide_all(at).items()
    }


def entry_items(tasks: Iterable[str], sizes: Mapping[str, int], now: float) -> tuple[Item, ...]:
    """Lock entries that may go, as items: they are asked for by themselves, so that no age counts."""
    return tuple(
        Item(Kind.ENTRIES, f"{LOCK_FOLDER}{task}.json", now, sizes.get(task), spent=True) for task in tasks
    )


def kind_named(word: str) -> Kind:
    """The kind of that name; raises OrchestraError."""
    try:
        return Kind(word)
    except ValueError:
        raise OrchestraError(f"there is nothing called `{word}` to clean", hint=", ".join(Kind)) from None
