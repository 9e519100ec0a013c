"""Intervals and small pictures of numbers, for what the history tells. Pure."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

Z95 = 1.959963984540054
"""The quantile of the normal distribution that leaves 2.5 % above it: intervals here are of 95 %."""

_BARS = "▁▂▃▄▅▆▇█"
_PLAIN_BARS = "_.-=+*%#"
GAP = " "
"""What stands in a sparkline where there is no value."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A share, from 0 to 1, and the interval that holds the true one in 95 of 100 cases."""

    share: float
    low: float
    high: float


def wilson(good: int, total: int) -> Interval:
    """A success rate with its 95 % interval.

    Wilson's score interval, which stays within 0 and 1 and is right also for few trials and for shares near
    0 and 1: E. B. Wilson, "Probable inference, the law of succession, and statistical inference", Journal of the
    American Statistical Association 22 (1927), 209–212. Raises ValueError without trials, or for more successes.
    """
    if total <= 0 or not 0 <= good <= total:
        raise ValueError("a rate needs trials, and no more successes than trials")
    share, square = good / total, Z95 * Z95
    scale = 1 + square / total
    middle = (share + square / (2 * total)) / scale
    half = Z95 / scale * math.sqrt(share * (1 - share) / total + square / (4 * total * total))
    # Rounding may leave a hair's breadth on the wrong side of the share itself.
    return Interval(share, max(0.0, min(middle - half, share)), min(1.0, max(middle + half, share)))


def sparkline(values: Sequence[float | None], *, plain: bool = False) -> str:
    """A character for each value, the higher the more; a gap where there is none (None).

    From 0 to the greatest value, so that twice as much looks like it; values below 0 count as 0. `plain` takes
    ASCII only.
    """
    bars = _PLAIN_BARS if plain else _BARS
    top = max((value for value in values if value is not None), default=0.0)
    return "".join(GAP if value is None else bars[_step(value, top, len(bars))] for value in values)


def _step(value: float, top: float, steps: int) -> int:
    if top <= 0 or value <= 0:
        return 0
    return min(steps - 1, max(0, math.ceil(value / top * steps) - 1))


def thinned(values: Sequence[float], most: int) -> tuple[float, ...]:
    """At most so many values that stand for all: means of neighbours, in groups whose sizes differ by one at most.

    Raises ValueError for less than one.
    """
    if most < 1:
        raise ValueError("at least one value has to be left")
    groups = min(most, len(values))
    edges = [len(values) * place // groups for place in range(groups + 1)] if groups else []
    return tuple(math.fsum(values[low:high]) / (high - low) for low, high in itertools.pairwise(edges))
