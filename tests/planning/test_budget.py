"""Budgets: prices, sums with unknowns, what is reserved, and that no more is let out than there is."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestra.model.outcomes import Usage
from orchestra.model.tasks import Price
from orchestra.planning.budget import LEAST, Answer, Budget, Sum, expected, priced

counts = st.none() | st.integers(0, 10**7)
rates = st.floats(0, 100)
prices = st.builds(Price, rates, rates, st.none() | rates, st.none() | rates)
usages = st.builds(Usage, counts, counts, counts, counts, st.none() | st.floats(0, 100))


@given(usages, st.dictionaries(st.sampled_from("ab"), prices), st.sampled_from(["a", "b", None]))
def test_a_cost_is_told_or_follows_from_known_tokens_and_a_price(
    usage: Usage, table: dict[str, Price], model: str | None
) -> None:
    found = priced(usage, (model, "b"), table)
    price = table.get(model or "", table.get("b"))
    if usage.usd is not None:
        assert found == usage
    elif price is None or usage.input_tokens is None or usage.output_tokens is None:
        assert found.usd is None
    else:
        rows = [
            (usage.input_tokens, price.input),
            (usage.output_tokens, price.output),
            (usage.cache_read_tokens, price.input if price.cache_read is None else price.cache_read),
            (usage.cache_write_tokens, price.input if price.cache_write is None else price.cache_write),
        ]
        exact = sum(Fraction(tokens or 0) * Fraction(rate) for tokens, rate in rows) / 1_000_000
        assert found.usd == pytest.approx(float(exact))
    assert found.tokens == usage.tokens


def test_the_model_that_served_goes_before_the_one_that_was_asked_for() -> None:
    table = {"served": Price(1.0, 0.0), "asked": Price(2.0, 0.0)}
    usage = Usage(input_tokens=1_000_000, output_tokens=0)
    assert priced(usage, ("served", "asked"), table).usd == 1.0
    assert priced(usage, ("served-20261122", "asked"), table).usd == 2.0
    assert priced(usage, (None, None), table).usd is None


@given(st.lists(st.lists(st.none() | st.floats(0, 100), max_size=25), max_size=3))
def test_what_is_expected_is_what_nine_in_ten_did_not_exceed(pasts: list[list[float | None]]) -> None:
    found = expected(*pasts)
    known = next((past for past in ([v for v in each if v is not None] for each in pasts) if past), None)
    if known is None:
        assert found is None
        return
    assert found in known
    assert sum(value <= found for value in known) >= 0.9 * len(known)
    assert sum(value < found for value in known) < 0.9 * len(known)


def test_one_in_ten_may_cost_more_than_is_expected() -> None:
    assert [expected(range(1, most + 1)) for most in (1, 9, 10, 11, 20, 30)] == [1, 9, 9, 10, 18, 27]


def test_what_is_no_number_is_expected_of_nobody() -> None:
    assert expected([float("nan"), float("inf")], [2.0]) == 2.0


@given(st.lists(st.none() | st.integers(0, 1000)))
def test_sums_keep_apart_what_is_not_known(amounts: list[int | None]) -> None:
    total = Sum()
    for amount in amounts:
        total = total.plus(amount)
    assert total == Sum(sum(a for a in amounts if a is not None), amounts.count(None))


Step = tuple[bool, float | None, float | None, bool]
STEPS: st.SearchStrategy[list[Step]] = st.lists(
    st.tuples(
        st.booleans(),
        st.none() | st.sampled_from([0.0, 0.1, 0.3, 1.0, 2.5, 20.0]),
        st.none() | st.sampled_from([0.0, 0.1, 0.3, 1.0, 2.5, 20.0]),
        st.booleans(),
    ),
    max_size=40,
)


@given(st.sampled_from([0.0, 0.3, 1.0, 5.0]), STEPS)
@settings(max_examples=300, deadline=None)
def test_no_more_is_let_out_than_there_is(limit: float, steps: list[Step]) -> None:
    """Spent and reserved exceed the limit by no more than attempts cost more than what was reserved for them."""
    budget = Budget("the build's budget", limit)
    running: dict[str, float | None] = {}
    spent, over = 0.0, 0.0
    for number, (start, estimate, cost, silent) in enumerate(steps):
        if start:
            answer = budget.ask(estimate, silent=silent)
            blind = None in running.values()
            if answer is Answer.YES:
                assert spent < limit, "a budget that is used up lets nobody start"
                assert not (estimate is None and blind and not silent), "two find out at once"
                left = budget.left
                budget.reserve(f"a{number}", estimate)
                running[f"a{number}"] = None if estimate is None else min(estimate, left)
            else:
                assert (answer is Answer.LATER) <= bool(running), "it waits for nobody"
        elif running:
            name, reserved = next(iter(running.items()))
            del running[name]
            budget.settle(name, cost)
            spent += cost or 0.0
            over += max(0.0, (cost or 0.0) - (reserved or 0.0))
        held = sum(amount for amount in running.values() if amount is not None)
        assert budget.spent.known == pytest.approx(spent) and budget.held == pytest.approx(held)
        assert spent + held <= limit + over + 1e-6
        assert budget.left == pytest.approx(max(0.0, limit - spent - held))


def spent(limit: float, amount: float, **reserved: float | None) -> Budget:
    budget = Budget("the build's budget", limit, spent=Sum(amount))
    budget.reserved.update(reserved)
    return budget


@pytest.mark.parametrize(
    ("budget", "estimate", "answer"),
    [
        (spent(1.0, 0.0), 0.5, Answer.YES),
        (spent(0.3, 0.2), 0.1, Answer.YES),
        (spent(0.3, 0.0, a=0.1, b=0.1), 0.1, Answer.YES),
        (spent(1.0, 1.0), 0.0, Answer.NO),
        (spent(1.0, 1.0 - LEAST / 2), None, Answer.NO),
        (spent(1.0, 0.8), 0.5, Answer.NO),
        # What runs may cost less than was expected, or what is expected does not fit in any case.
        (spent(1.0, 0.2, a=0.5), 0.5, Answer.LATER),
        (spent(1.0, 0.6, a=0.1), 0.5, Answer.NO),
        (spent(1.0, 0.2, a=0.8), None, Answer.LATER),
        # An estimate alone keeps nobody from trying.
        (spent(1.0, 0.0), 50.0, Answer.YES),
        (spent(1.0, 0.0, a=0.1), 50.0, Answer.NO),
        # One finds out what nobody knows.
        (spent(1.0, 0.0), None, Answer.YES),
        (spent(1.0, 0.0, a=None), None, Answer.LATER),
        (spent(1.0, 0.0, a=None), 0.5, Answer.YES),
        (spent(0.0, 0.0), 0.0, Answer.NO),
    ],
)
def test_who_may_start(budget: Budget, estimate: float | None, answer: Answer) -> None:
    assert budget.ask(estimate) is answer


def test_who_never_tells_waits_for_nobody() -> None:
    assert spent(1.0, 0.0, a=None).ask(None, silent=True) is Answer.YES


def test_the_words_hold_the_figures() -> None:
    budget = Budget("the build's budget", 20.0, spent=Sum(19.4))
    budget.reserved["a"] = 0.6
    assert budget.words(1.2) == "the build's budget of 20 USD is used up: 19.40 spent, 0.60 reserved"
    budget.reserved.clear()
    few = "the build's budget of 20 USD is too little for one more: 19.40 spent, and an attempt may cost 1.20"
    assert budget.words(1.2) == few
    budget.settle("a", None)
    budget.settle("b", 0.7)
    assert budget.words(1.2) == "the build's budget of 20 USD is used up: at least 20.10 spent"
    tokens = Budget("the build's budget", 5_000_000, "tokens", Sum(5_000_001))
    assert tokens.words() == "the build's budget of 5,000,000 tokens is used up: 5,000,001 spent"
    assert Budget("its budget", 0.005, spent=Sum(0.0052)).words() == (
        "its budget of 0.005 USD is used up: 0.0052 spent"
    )
