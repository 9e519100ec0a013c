"""Which attempt and which verification stands in which row of a chart: one row a slot, none with an overlap. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from orchestra.reporting.story import AttemptStory, Story, Verification


class _Lasting(Protocol):
    @property
    def start(self) -> float: ...

    @property
    def end(self) -> float: ...


_Thing = TypeVar("_Thing", bound=_Lasting)


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a chart: its name, and what stands in it, one after the other."""

    name: str
    attempts: tuple[AttemptStory, ...] = ()
    verifications: tuple[Verification, ...] = ()


def rows_of(story: Story) -> tuple[Row, ...]:
    """The rows of a build: its slots by number, attempts that never got one, and the verifications.

    Where clocks were set back things of one slot may overlap: then it has several rows.
    """
    by_slot: dict[int | None, list[AttemptStory]] = {}
    for attempt in story.attempts:
        by_slot.setdefault(attempt.slot, []).append(attempt)
    rows: list[Row] = []
    for slot in sorted(by_slot, key=lambda number: (number is None, number or 0)):
        name = "no slot" if slot is None else f"slot {slot}"
        for number, lane in enumerate(lanes(by_slot[slot])):
            rows.append(Row(name if number == 0 else f"{name} ({number + 1})", attempts=tuple(lane)))
    for number, verified in enumerate(lanes([item for item in story.verifications if not item.remembered])):
        rows.append(Row("verify" if number == 0 else f"verify ({number + 1})", verifications=tuple(verified)))
    return tuple(rows)


def lanes(things: Iterable[_Thing]) -> Sequence[Sequence[_Thing]]:
    """Things that last, each in the first lane where it overlaps with no other; they may touch."""
    found: list[list[_Thing]] = []
    for thing in sorted(things, key=lambda item: (item.start, item.end)):
        for lane in found:
            if lane[-1].end <= thing.start:
                lane.append(thing)
                break
        else:
            found.append([thing])
    return found
