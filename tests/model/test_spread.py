"""Estimates against their definition: by counting how many cases are not above them."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from orchestra.model.spread import Spread, spread, total

AMOUNTS = st.lists(st.none() | st.floats(0, 1e6) | st.just(math.nan) | st.just(math.inf))


@given(AMOUNTS)
def test_so_many_cases_are_not_above(past: list[float | None]) -> None:
    known = [value for value in past if value is not None and math.isfinite(value)]
    found = spread(past)
    assert (found is None) == (not known)
    if found is not None:
        for share, value in ((0.5, found.p50), (0.9, found.p90)):
            assert value in known
            assert sum(one <= value for one in known) >= share * len(known)
            # And nothing smaller would do.
            assert sum(one < value for one in known) < share * len(known)


@given(AMOUNTS, AMOUNTS)
def test_the_first_past_that_knows_anything_counts(
    one: list[float | None], other: list[float | None]
) -> None:
    assert spread(one, other) == (spread(one) or spread(other))


@given(st.lists(st.none() | st.builds(Spread, st.integers(0, 99), st.integers(0, 99))))
def test_all_together(spreads: list[Spread | None]) -> None:
    known = [one for one in spreads if one is not None]
    found = total(spreads)
    assert (found is None) == (not known)
    if found is not None:
        assert found == Spread(sum(one.p50 for one in known), sum(one.p90 for one in known))


def test_unknown_is_not_nothing() -> None:
    assert spread([], [None, math.nan]) is None and total([None, None]) is None
    assert spread([0.0]) == Spread(0.0, 0.0)
    assert spread(range(1, 11)) == Spread(5, 9)
