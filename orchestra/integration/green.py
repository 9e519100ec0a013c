"""The last commit of a line that is known to pass, and what came since: for a branch whose verification is red. Pure.

What is known are the green verdicts that are remembered; history alone tells whose the commits since are.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from orchestra.model.ports import Store
from orchestra.model.text import clean, count
from orchestra.model.trailers import TASK_TRAILER

MOST = 100
"""How many commits are looked at, going back: each costs a look at its tree."""


@dataclass(frozen=True, slots=True)
class Since:
    """A commit that came since: its title, and whether it is the person's own, not a landing."""

    commit: str
    title: str
    own: bool


@dataclass(frozen=True, slots=True)
class Green:
    """The newest commit that is known to pass, and the first-parent history since, newest first."""

    commit: str
    since: tuple[Since, ...]

    @property
    def own(self) -> tuple[Since, ...]:
        """The commits since that are the person's own."""
        return tuple(one for one in self.since if one.own)

    @property
    def typed(self) -> str:
        """What takes the branch back there."""
        return f"orchestra rollback --to-green{' --with-commits' if self.own else ''}"

    @property
    def words(self) -> str:
        """What that would take back."""
        landed = len(self.since) - len(self.own)
        parts = (
            count(landed, "landed commit") if landed else "",
            f"{count(len(self.own), 'commit')} of yours" if self.own else "",
        )
        return f"takes back {' and '.join(filter(None, parts))}"


def last_green(git: Store, tip: str, knows: Callable[[str], bool], most: int = MOST) -> Green | None:
    """The newest commit in the first-parent history of a tip that is known to pass, the tip included; None where none
    of the newest `most` is. `knows` tells whether a green verdict is remembered of a commit's tree.
    """
    passed: list[str] = []
    at: str | None = tip
    while at is not None and len(passed) < most:
        if knows(at):
            return Green(at, tuple(_since(git, commit) for commit in passed))
        passed.append(at)
        at = next(iter(git.parents(at)), None)
    return None


def green_message(green: Green) -> str:
    """The message of the commit that goes back there."""
    lines = [f"{one.commit[:12]} {one.title}" for one in green.since]
    return f"Go back to {green.commit[:12]}, the last that passed\n\nWithout:\n" + "\n".join(lines) + "\n"


def _since(git: Store, commit: str) -> Since:
    message = git.message(commit)
    landed = any(line.startswith(f"{TASK_TRAILER}: ") for line in message.split("\n"))
    return Since(commit, clean(message.split("\n", 1)[0]), own=not landed)
