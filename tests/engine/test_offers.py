"""Which kept results a person may take up: of each open task the newest that came after its last landing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestra.integration.resolve import Kept, attempt_order, offers
from orchestra.model.trailers import result_message

ROOTS = ("refs/rejected/", "refs/failed/", "refs/rescued/")


@st.composite
def attempts(draw: st.DrawFn) -> tuple[int, int]:
    """A build and the number of an attempt in it; numbers of two digits sort otherwise as text."""
    return draw(st.integers(1, 4)), draw(st.sampled_from([1, 2, 9, 10, 11]))


def name(attempt: tuple[int, int]) -> str:
    return f"2026112{attempt[0]}-000000-aaaa-{attempt[1]}"


@given(
    st.dictionaries(attempts(), st.tuples(st.sampled_from("abc"), st.sampled_from(ROOTS), st.booleans())),
    st.dictionaries(st.sampled_from("abc"), attempts()),
    st.sets(st.sampled_from("abc")),
    st.randoms(use_true_random=False),
)
def test_offers_are_those_of_a_naive_search(
    made: dict[tuple[int, int], tuple[str, str, bool]],
    landed: dict[str, tuple[int, int]],
    undone: set[str],
    random: object,
) -> None:
    kept = [
        # What was rescued says only whose attempt it was.
        Kept(
            root + name(attempt), f"{attempt}", result_message(task, name(attempt), "") if says else "Left\n"
        )
        for attempt, (task, root, says) in made.items()
    ]
    random.shuffle(kept)  # type: ignore[attr-defined]
    found = offers(
        [*kept, Kept("refs/else/" + name((4, 11)), "x", result_message("a", name((4, 11)), ""))],
        ROOTS,
        {name(attempt): task for attempt, (task, _, _) in made.items()}.get,
        lambda task: name(landed[task]) if task in landed else None,
        undone,
    )
    expected: dict[str, tuple[int, int]] = {}
    for attempt in sorted(made):
        task = made[attempt][0]
        if task in undone and (task not in landed or attempt > landed[task]):
            expected.pop(task, None)
            expected[task] = attempt
    assert [(task, one.commit, one.attempt) for task, one in found.items()] == [
        (task, f"{attempt}", name(attempt)) for task, attempt in expected.items()
    ]
    assert all(one.ref == made[expected[task]][1] + one.attempt for task, one in found.items())


def test_an_attempt_that_nobody_knows_is_nobodys() -> None:
    assert offers([Kept("refs/rescued/x", "1", "Left\n")], ROOTS, lambda _: None, lambda _: None, "a") == {}


@pytest.mark.parametrize("odd", ["", "x", "x-", "-", "x-1-by-hand", "x-²"])
def test_odd_names_have_their_place_too(odd: str) -> None:
    assert attempt_order(odd) == (odd, 0)
