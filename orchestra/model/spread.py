"""Spreads of what was seen before: how long and how much; what nobody knows stays unknown. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import ceil, isfinite


@dataclass(frozen=True, slots=True)
class Spread:
    """What half of the cases did not exceed, and what nine in ten did not."""

    p50: float
    p90: float


def spread(*pasts: Iterable[float | None]) -> Spread | None:
    """The spread of the first past that knows anything, by nearest rank; None where none does."""
    for past in pasts:
        known = sorted(value for value in past if value is not None and isfinite(value))
        if known:
            return Spread(known[ceil(0.5 * len(known)) - 1], known[ceil(0.9 * len(known)) - 1])
    return None


def total(spreads: Iterable[Spread | None]) -> Spread | None:
    """All together, as far as they are known: the sums, of which the upper one is on the safe side; None: none is."""
    known = [one for one in spreads if one is not None]
    if not known:
        return None
    return Spread(sum(one.p50 for one in known), sum(one.p90 for one in known))
