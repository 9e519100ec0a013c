"""Reconciliation at the start of a build: what earlier builds left on the way to the branch, told by git alone.

A tip that never reached its branch is taken up as the base of the next build: after a crash, after a build that
was asked not to advance, or where the person's files were in the way.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from orchestra.integration.branch import PARKED, PARKED_BRANCH, STOOD, TIPS, Target, place_of
from orchestra.model.ports import Past, RefUpdate


@dataclass(frozen=True, slots=True)
class TakenUp:
    """Where a build begins.

    `tip` is the commit, `target` what is known of the branch, `obsolete` the refs that lead nowhere any more,
    `left` branches of earlier builds that cannot be taken up and are left to the person.
    """

    tip: str
    target: Target
    obsolete: tuple[RefUpdate, ...] = ()
    left: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Left:
    """A tip that an earlier build left, with the refs that keep it, the branch that shows it, if one does, and the
    commit at which the branch stood that it is for, if that is known.
    """

    build: str
    commit: str
    refs: tuple[RefUpdate, ...]
    branch: str | None = None
    stood: str | None = None

    @property
    def shown(self) -> str:
        """What a person can type to see it."""
        return self.branch.removeprefix("refs/heads/") if self.branch else self.commit[:7]


def take_up(
    history: Past,
    refs: Mapping[str, str],
    branch: str | None,
    head: str,
    *,
    advance: bool,
    snapshot: bool = False,
) -> TakenUp:
    """Find where a build begins, from the refs below `refs/orchestra/` and `refs/heads/orchestra/`.

    With `snapshot`, `head` is a commit that holds uncommitted changes of the person's.
    """
    obsolete: list[RefUpdate] = []
    candidates: list[_Left] = []
    behind = _left_behind(refs, place_of(branch, snapshot=snapshot))
    # Where a build was cut off right after it had parked its tip, that is still noted as on its way.
    parked_tips = {left.commit for left in behind if left.branch is not None}
    for left in behind:
        noted_twice = left.branch is None and left.commit in parked_tips
        if noted_twice or history.is_ancestor(left.commit, head):
            # Where its branch stood is told of the parked one too.
            obsolete += left.refs[:1] if noted_twice else left.refs
        else:
            candidates.append(left)
    # Without a branch, or with what is not committed, nothing can be merged: only what was built on this very
    # commit goes on from there.
    merges = branch is not None and not snapshot
    fitting = [c for c in candidates if merges or history.is_ancestor(head, c.commit)]
    # On a branch that was rewritten, or reset, it would bring back what the person dropped. Its results are replayed.
    fitting = [c for c in fitting if c.stood is None or history.is_ancestor(c.stood, head)]
    # The newest holds the older ones, unless the person let them part. Names tell when builds began, by a clock that
    # may have been set back.
    last = [c for c in fitting if not any(_precedes(history, c, other) for other in fitting)]
    newest = max(last, key=lambda left: left.build, default=None)
    # Where the branch has commits of the person's since, advancing finds that it moved, merges and verifies.
    at = history.merge_base(head, newest.commit) if newest is not None else None
    if newest is None or at is None:
        others = tuple(left.shown for left in candidates)
        target = Target(branch, head, advance, snapshot=snapshot)
        return TakenUp(head, target, tuple(dict.fromkeys(obsolete)), () if snapshot else others)
    taken = [left for left in fitting if history.is_ancestor(left.commit, newest.commit)]
    others = tuple(left.shown for left in candidates if left not in taken)
    updates = tuple(dict.fromkeys(update for left in taken for update in left.refs))
    parked = newest.shown if newest.branch else None
    target = Target(branch, at, advance, updates, parked, snapshot)
    return TakenUp(newest.commit, target, tuple(dict.fromkeys(obsolete)), others)


def _precedes(history: Past, one: _Left, other: _Left) -> bool:
    return one.commit != other.commit and history.is_ancestor(one.commit, other.commit)


def _left_behind(refs: Mapping[str, str], place: str) -> list[_Left]:
    found: list[_Left] = []
    for ref, commit in refs.items():
        root = next((root for root in (TIPS, PARKED) if ref.startswith(root)), None)
        build, _, at = ref.removeprefix(root or "").partition("/")
        if root is None or at != place:
            continue
        stood_ref = f"{STOOD}{build}/{place}"
        stood = refs.get(stood_ref)
        known = (RefUpdate(stood_ref, None, stood),) if stood is not None else ()
        if root == TIPS:
            found.append(_Left(build, commit, (RefUpdate(ref, None, commit), *known), stood=stood))
        else:
            shown = PARKED_BRANCH + build
            # A branch that the person deleted or moved is theirs: they decided about it.
            if refs.get(shown) == commit:
                updates = (RefUpdate(ref, None, commit), RefUpdate(shown, None, commit), *known)
                found.append(_Left(build, commit, updates, shown, stood))
    return found
