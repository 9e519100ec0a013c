"""The person's branch during a build: where it stands, whether it may move, and why it did not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from orchestra.integration.line import Line
from orchestra.model.events import BranchAdvanced, BranchBehind, Event
from orchestra.model.ports import Advance, Clock, Git, RefUpdate

TIPS = "refs/orchestra/tips/"
PARKED = "refs/orchestra/parked/"
PARKED_BRANCH = "refs/heads/orchestra/build-"
DETACHED = "detached"
SNAPSHOT = "snapshot"
STOOD = "refs/orchestra/stood/"
"""For each tip that is kept, the commit at which its branch stood: where the branch no longer holds that one, the
person rewrote it, and the tip would bring back what they dropped.
"""
FOLLOWED = (TIPS, PARKED, STOOD, "refs/heads/orchestra/")
"""The refs that tell what earlier builds left on the way to a branch."""


@dataclass(frozen=True, slots=True)
class Target:
    """Which branch a build is for (None: detached), where it stood, and whether it may move at all.

    `taken_up` are the refs of earlier builds whose tip this build began with: they go once it is advanced.
    `parked` is the branch that shows that tip, if one does. `snapshot`: `head` holds uncommitted changes of the
    person's, and only another such build takes the tip up.
    """

    branch: str | None
    head: str
    advance: bool = True
    taken_up: tuple[RefUpdate, ...] = ()
    parked: str | None = None
    snapshot: bool = False

    @property
    def place(self) -> str:
        """What stands for the target in the refs that lead on to it."""
        return place_of(self.branch, snapshot=self.snapshot)


def place_of(branch: str | None, *, snapshot: bool) -> str:
    """The name, in refs, of what builds are for: a branch, a detached HEAD, or a checkout with what is uncommitted."""
    place = branch.removeprefix("refs/") if branch is not None else DETACHED
    return f"{SNAPSHOT}/{place}" if snapshot else place


class Branch:
    """Follows and moves the target of a build."""

    def __init__(
        self, git: Git, line: Line, target: Target, clock: Clock, build: str, emit: Callable[[Event], None]
    ) -> None:
        self._git = git
        self._line = line
        self._target = target
        self._clock = clock
        self._build = build
        self._emit = emit
        self._at = target.head
        self._began = line.tip
        self._refused: Advance | None = None
        self._given_up = ""
        self._instead: str | None = None
        self._taken_up = target.taken_up
        self._kept = False

    @property
    def at(self) -> str:
        """The commit at which the branch stood when it was last looked at."""
        return self._at

    @property
    def movable(self) -> str | None:
        """The branch, if this build may move it and nothing spoke against it so far."""
        return self._target.branch if self._target.advance and not self._given_up else None

    @property
    def advanced(self) -> bool:
        """Whether the branch stands at the tip."""
        return self._at == self._line.tip

    @property
    def in_place(self) -> bool:
        """Whether the branch stands where this build should bring it: at the tip, unless it has to stay."""
        return self.advanced or not (self._target.advance and self._target.branch)

    def give_up(self, why: str, instead: str | None = None) -> None:
        """Move the branch no more in this build; `instead` is what to type where a merge by hand is no good."""
        self._given_up, self._instead = why, instead

    def follow(self) -> None:
        """Take up what the person committed meanwhile, where nothing of ours waits to be advanced."""
        if self.movable is None or self._line.tip != self._at:
            return
        head = self._git.resolve(self.movable)
        if head is not None and head != self._at:
            self._at = head
            self._line.move(head)

    def keep_tip(self, with_it: tuple[RefUpdate, ...] = ()) -> None:
        """Name the tip by a ref at once, so that nothing can drop it and the next build finds it.

        `with_it` are refs that move at the same moment.
        """
        tip = RefUpdate(self._ref(TIPS), self._line.tip, force=True)
        self._git.update_refs((tip, self._stood(), *with_it))
        self._kept = True

    def advance(self) -> Advance | None:
        """Move the branch to the tip; what came of it, None where it need not or may not move."""
        branch = self.movable
        if branch is None or self.advanced:
            return None
        tip = self._line.tip
        done = self._git.advance(branch, self._at, tip)
        if done.done:
            self._emit(BranchAdvanced(self._clock.now(), self._build, branch, self._at, tip))
            self._at = tip
            self._refused = None
            self._git.update_refs(self._drop_tip(TIPS, STOOD))
            # Apart, since the person may have moved one of these; and once, since then they are gone.
            taken_up, self._taken_up = self._taken_up, ()
            self._git.update_refs(taken_up)
        else:
            self._refused = done
        return done

    def merged_with(self, head: str) -> None:
        """The tip now holds the branch's own commits up to `head`."""
        self._at = head

    def finish(self) -> None:
        """Park the tip where the branch does not stand at it, and say what to type."""
        tip = self._line.tip
        if self.advanced:
            return
        if tip == self._began and self._target.parked is not None:
            # Nothing is new: what the earlier build left stays as it is.
            self._say_behind(self._target.parked)
            return
        name = PARKED_BRANCH + self._build
        parked = RefUpdate(self._ref(PARKED), tip, force=True)
        self._git.update_refs((RefUpdate(name, tip, force=True), parked, self._stood()))
        # Apart, and after: where the person moved one of these meanwhile, it stays, and the tip is parked all the same.
        self._git.update_refs(self._drop_tip(TIPS))
        self._git.update_refs(self._taken_up)
        self._say_behind(name.removeprefix("refs/heads/"))

    def _say_behind(self, parked: str) -> None:
        why, paths = self._why()
        branch = self._target.branch
        hint = f"git merge {parked}"
        if self._target.snapshot:
            hint = f"git restore --source={parked} -- :/"
        elif self._given_up:
            hint = self._instead or hint
        elif self._refused is not None:
            hint = self._refused.hint or hint
        now = self._clock.now()
        self._emit(BranchBehind(now, self._build, branch, parked, self._line.tip, why, hint, paths))

    def _drop_tip(self, *roots: str) -> tuple[RefUpdate, ...]:
        kept, self._kept = self._kept, False
        return tuple(RefUpdate(self._ref(root), None, force=True) for root in roots) if kept else ()

    def _why(self) -> tuple[str, tuple[str, ...]]:
        if self._target.snapshot:
            return "it holds your uncommitted changes too", ()
        if self._target.branch is None:
            return "no branch is checked out", ()
        if not self._target.advance:
            return "asked not to advance", ()
        if self._given_up:
            return self._given_up, ()
        if self._refused is not None and self._refused.in_the_way:
            return "your files are in the way", self._refused.in_the_way
        if self._refused is not None:
            return self._refused.message or "the branch was deleted meanwhile", ()
        return "interrupted", ()

    def _stood(self) -> RefUpdate:
        return RefUpdate(self._ref(STOOD), self._at, force=True)

    def _ref(self, root: str) -> str:
        return f"{root}{self._build}/{self._target.place}"
