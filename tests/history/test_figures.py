"""Intervals and sparklines against the statistics module and what a reader can check by hand."""

from __future__ import annotations

import math
import statistics
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestra.history.figures import Z95, sparkline, thinned, wilson

VALUES = st.lists(st.floats(0, 1e9), min_size=1, max_size=40)


TRIALS = st.integers(1, 10_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


@given(TRIALS)
def test_the_ends_of_the_interval_solve_wilsons_equation(trial: tuple[int, int]) -> None:
    good, total = trial
    interval = wilson(good, total)
    assert 0 <= interval.low <= interval.share <= interval.high <= 1
    # By its definition each end p is as far from the share as z standard errors at p: in exact arithmetic.
    for end in (interval.low, interval.high):
        p, share, z = Fraction(end), Fraction(good, total), Fraction(Z95)
        assert abs((share - p) ** 2 - z * z * p * (1 - p) / total) < Fraction(1, 10**12)


@given(TRIALS)
def test_the_interval_of_failures_mirrors_that_of_successes(trial: tuple[int, int]) -> None:
    good, total = trial
    one, other = wilson(good, total), wilson(total - good, total)
    assert math.isclose(one.low, 1 - other.high, abs_tol=1e-12)
    assert math.isclose(one.high, 1 - other.low, abs_tol=1e-12)


def test_known_intervals() -> None:
    # R: prop.test(8, 10, correct = FALSE) and prop.test(0, 10, correct = FALSE)
    eight, none = wilson(8, 10), wilson(0, 10)
    assert (round(eight.low, 4), round(eight.high, 4)) == (0.4902, 0.9433)
    assert (round(none.low, 4), round(none.high, 4)) == (0.0, 0.2775)


@pytest.mark.parametrize(("good", "total"), [(0, 0), (2, 1), (-1, 3)])
def test_a_rate_without_trials_is_refused(good: int, total: int) -> None:
    with pytest.raises(ValueError, match="rate"):
        wilson(good, total)


@given(st.lists(st.none() | st.floats(-1e3, 1e9), max_size=30), st.booleans())
def test_a_sparkline_has_a_character_for_each_value_and_keeps_their_order(
    values: list[float | None], plain: bool
) -> None:
    line = sparkline(values, plain=plain)
    assert len(line) == len(values)
    assert line.isascii() or not plain
    bars = "_.-=+*%#" if plain else "▁▂▃▄▅▆▇█"
    drawn = [(value, bars.index(char)) for value, char in zip(values, line, strict=True) if value is not None]
    assert all(char == " " for value, char in zip(values, line, strict=True) if value is None)
    for value, height in drawn:
        assert all(height <= other for more, other in drawn if more >= value)
    if drawn and max(value for value, _ in drawn) > 0:
        assert max(height for _, height in drawn) == 7


def test_sparklines_begin_at_nothing() -> None:
    assert sparkline([0, 1, 2, 4, 8, None, 8]) == "▁▁▂▄█ █"
    assert sparkline([]) == ""
    assert sparkline([0, 0]) == "▁▁"
    assert sparkline([5, 5], plain=True) == "##"


@given(st.lists(st.floats(0, 1e6), max_size=60), st.integers(1, 20))
def test_thinning_keeps_the_mean_and_few_values_as_they_are(values: list[float], most: int) -> None:
    thin = thinned(values, most)
    assert len(thin) == min(most, len(values))
    if len(values) <= most:
        assert list(thin) == values
    elif len(values) % most == 0:
        assert math.isclose(statistics.fmean(thin), statistics.fmean(values), rel_tol=1e-9, abs_tol=1e-9)
    if values:
        assert min(values) - 1e-6 <= min(thin) <= max(thin) <= max(values) + 1e-6


def test_thinning_to_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one"):
        thinned([1.0], 0)
