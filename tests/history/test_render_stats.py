"""The statistics in words: nothing that is not known is told as a number, and no sign before a zero."""

from __future__ import annotations

from dataclasses import replace

import pytest

from orchestra.history.render_stats import render_stats
from orchestra.history.statistics import EVERYTHING, Builds, Estimates, Saving, Stats, Tally

NOTHING = Stats(
    wanted=EVERYTHING,
    tally=Tally(attempts=0, good=0, interrupted=0, seconds=0.0, usd=None, tokens=0),
    rate=None,
    builds=Builds(builds=1, ok=1, busy=0, wall_s=0.0, sequential_s=0.0, slot_s=0.0),
    savings=(),
    losses=(),
    claims_s=0.0,
    estimates=Estimates(attempts=0, estimated_s=0.0, real_s=0.0, within_p50=0, within_p90=0),
    slowest=(),
    failing=(),
    agents=(),
    periods=(),
)


@pytest.mark.parametrize(
    ("estimated", "real", "words"),
    [
        (23.2, 23.15, "23 s expected, 23 s real (+0 %)"),
        (10.0, 12.5, "10 s expected, 12 s real (+25 %)"),
        (10.0, 5.0, "10 s expected, 5.0 s real (-50 %)"),
        (0.0, 5.0, "0.0 s expected, 5.0 s real"),
    ],
)
def test_estimates_against_reality(estimated: float, real: float, words: str) -> None:
    told = Estimates(attempts=10, estimated_s=estimated, real_s=real, within_p50=4, within_p90=7)
    lines = render_stats(replace(NOTHING, estimates=told)).splitlines()
    assert f"estimates   {words}" in lines
    assert "            p50 held for 40 %, p90 for 70 % of 10 attempts" in lines


def test_what_a_replay_saved_may_not_be_known() -> None:
    saved = (Saving("fresh", 3, 65.0, 0.25), Saving("replayed", 1, 0.0, 0.0))
    lines = render_stats(replace(NOTHING, savings=saved)).splitlines()
    assert "saved       1 min 05 s, $0.25: 3 times a task was fresh" in lines
    assert "            not known: 1 time a task was replayed" in lines
