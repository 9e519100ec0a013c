"""The critical path and the end of a build, held against all chains there are."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from orchestra.model.forecast import Forecast, forecast


@st.composite
def builds(draw: st.DrawFn) -> tuple[list[str], dict[str, list[str]], dict[str, float | None]]:
    """Tasks in an order that keeps all edges, what goes before each, and the whole seconds that each takes."""
    names = [f"t{n}" for n in range(draw(st.integers(0, 6)))]
    before = {
        name: draw(st.lists(st.sampled_from(names[:number]), unique=True)) if number else []
        for number, name in enumerate(names)
    }
    left = {name: draw(st.one_of(st.none(), st.integers(0, 50).map(float))) for name in names}
    return names, before, left


def chains(name: str, before: dict[str, list[str]]) -> list[tuple[str, ...]]:
    """All chains that end at a task."""
    return [(name,), *((*chain, name) for first in before[name] for chain in chains(first, before))]


@given(builds(), st.one_of(st.none(), st.integers(1, 50).map(float)), st.integers(1, 4))
def test_the_path_is_the_longest_chain_and_the_end_no_sooner_than_possible(
    build: tuple[list[str], dict[str, list[str]], dict[str, float | None]], usual: float | None, jobs: int
) -> None:
    names, before, left = build
    found = forecast(names, before, left, usual, jobs)
    if not names:
        assert found == Forecast()
        return
    unknown = 1.0 if usual is None else usual
    took = {name: unknown if (own := left[name]) is None else own for name in names}
    every = [chain for name in names for chain in chains(name, before)]
    longest = max(sum(took[name] for name in chain) for chain in every)
    assert found.path in every and sum(took[name] for name in found.path) == longest
    assert found.seconds == (None if usual is None else max(longest, sum(took.values()) / jobs))


def test_what_has_ended_is_no_part_of_it() -> None:
    assert forecast(["b"], {"b": ["a"]}, {"b": 5.0}, 1.0, 1) == Forecast(("b",), 5.0)
