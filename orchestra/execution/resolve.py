"""What a person made of a result by hand goes through a build as an attempt at its task does: the same base, check,
audit, verification and landing. Only nobody else works on it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from orchestra.model.ports import (
    AttemptEnded,
    AttemptOrder,
    Executor,
    Happening,
    Unmerged,
    VerifyOrder,
)

PERSON = "person"
"""Who is said to have worked on it, where an agent would be named."""

NOTHING = ":"
"""The command that stands for the agent: what is to be done is done already."""


@dataclass(frozen=True, slots=True)
class ByHand:
    """What a person made: a commit on its base. `summary` and `reads` are those of the attempt that it began with."""

    base: str
    result: str
    summary: str = ""
    reads: tuple[str, ...] = ()


class ByHandExecutor:
    """Implements Executor: carries out attempts of which the work is done, by another one that checks it.

    The attempt's worktree gets the person's work merged onto the commit at which it stands. Where that conflicts, the
    markers that are left let the attempt fail.
    """

    def __init__(self, inner: Executor, by_hand: ByHand) -> None:
        self._inner = inner
        self._by_hand = by_hand

    def start(self, order: AttemptOrder) -> None:
        """See `orchestra.model.ports.Executor`."""
        # Nobody is asked to mend or to judge what a person made.
        task = replace(order.task, prompt=None, run=NOTHING, review=None, repairs=0)
        unmerged = Unmerged(self._by_hand.base, self._by_hand.result)
        self._inner.start(replace(order, task=task, unmerged=unmerged, told=""))

    def verify(self, order: VerifyOrder) -> None:
        """See `orchestra.model.ports.Executor`."""
        self._inner.verify(order)

    def poll(self, until: float | None = None) -> tuple[Happening, ...]:
        """See `orchestra.model.ports.Executor`."""
        return tuple(map(self._told, self._inner.poll(until)))

    def stop(self, *, now: bool) -> None:
        """See `orchestra.model.ports.Executor`."""
        self._inner.stop(now=now)

    def _told(self, happening: Happening) -> Happening:
        if isinstance(happening, AttemptEnded):
            return replace(happening, summary=self._by_hand.summary, reads=self._by_hand.reads)
        return happening
