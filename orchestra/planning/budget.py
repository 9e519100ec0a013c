"""Budgets: what attempts cost by a price list, what is reserved for those under way, and what may still start. Pure.

Unknown stays unknown: no cost is made up, and a sum says how many amounts it lacks.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum

from orchestra.model.outcomes import Usage
from orchestra.model.spread import spread
from orchestra.model.tasks import Price

LEAST = 1e-4
"""Less of a budget than this is nothing: the smallest amount of USD that agents can be told."""

_ROUNDING = 1e-9
"""Sums of amounts that are no binary fractions miss their limit by less than this."""


def priced(usage: Usage, models: Iterable[str | None], prices: Mapping[str, Price]) -> Usage:
    """The usage with its cost in USD: what the agent said, else by the first of `models` that has a price.

    Where input or output is not known (a run that was killed), or no price, the cost stays unknown.
    """
    if usage.usd is not None or usage.input_tokens is None or usage.output_tokens is None:
        return usage
    price = next((prices[model] for model in models if model is not None and model in prices), None)
    if price is None:
        return usage
    read = price.input if price.cache_read is None else price.cache_read
    write = price.input if price.cache_write is None else price.cache_write
    millionths = (
        usage.input_tokens * price.input
        + usage.output_tokens * price.output
        + (usage.cache_read_tokens or 0) * read
        + (usage.cache_write_tokens or 0) * write
    )
    return replace(usage, usd=millionths / 1e6)


def expected(*pasts: Iterable[float | None]) -> float | None:
    """What an attempt may be expected to cost at most: of the first past that knows anything, what nine in ten of its
    attempts did not exceed (the 90th percentile, by nearest rank); None where none does.
    """
    found = spread(*pasts)
    return None if found is None else found.p90


@dataclass(frozen=True, slots=True)
class Sum:
    """A sum of amounts of which some may be unknown: what the known ones come to, and how many are not."""

    known: float = 0.0
    unknown: int = 0

    def plus(self, amount: float | None) -> Sum:
        """With one more amount."""
        if amount is None:
            return Sum(self.known, self.unknown + 1)
        return Sum(self.known + amount, self.unknown)


class Answer(Enum):
    """Whether a budget lets an attempt start: yes; not while others are under way; not any more."""

    YES = "yes"
    LATER = "later"
    NO = "no"


@dataclass(slots=True)
class Budget:
    """One budget: its limit, what was spent of it, and by attempt what is reserved (None: nobody knows how much).

    What was spent and what is reserved exceed the limit together by no more than attempts exceed what was reserved for
    them. `name` stands in sentences: "the build's budget"; `unit` is what is counted.
    """

    name: str
    limit: float
    unit: str = "USD"
    spent: Sum = Sum()
    reserved: dict[str, float | None] = field(default_factory=dict)

    @property
    def held(self) -> float:
        """What is reserved in all, as far as that is known."""
        return sum(amount for amount in self.reserved.values() if amount is not None)

    @property
    def left(self) -> float:
        """What is neither spent nor reserved; never below 0."""
        return max(0.0, self.limit - self.spent.known - self.held)

    @property
    def used_up(self) -> bool:
        """Whether nothing is left, whatever comes of what is reserved."""
        return self.limit - self.spent.known < LEAST

    def ask(self, estimate: float | None, *, silent: bool = False) -> Answer:
        """Whether an attempt that may cost `estimate` can start (None: unknown; `silent`: and its agent never tells).

        What is expected must fit in what is left. The first attempt may try all the same, with the limit itself, since
        an estimate is no more than that. While nothing is known, one attempt goes ahead to find out, and others of
        which nothing is known wait for it.
        """
        if self.used_up:
            return Answer.NO
        waiting = Answer.LATER if self.reserved else Answer.NO
        if self.left < LEAST:
            return waiting
        if estimate is None:
            finding_out = None in self.reserved.values() and not silent
            return Answer.LATER if finding_out else Answer.YES
        if estimate <= self.left + _ROUNDING:
            return Answer.YES
        if self.spent.known == 0 and not self.reserved:
            return Answer.YES
        fits_without = estimate <= self.limit - self.spent.known + _ROUNDING
        return waiting if fits_without else Answer.NO

    def reserve(self, attempt: str, estimate: float | None) -> None:
        """An attempt starts for which so much is set aside, as far as there is so much."""
        self.reserved[attempt] = None if estimate is None else min(estimate, self.left)

    def settle(self, attempt: str, amount: float | None) -> None:
        """An attempt has ended and cost so much (None: it did not tell)."""
        self.reserved.pop(attempt, None)
        self.spent = self.spent.plus(amount)

    def words(self, estimate: float | None = None) -> str:
        """Why nothing more starts, with the figures: `the build's budget of 20 USD is used up: 19.40 spent, 1.20
        reserved`, or that what is left is less than the `estimate` of what an attempt costs.
        """
        least = "at least " if self.spent.unknown else ""
        spent = f"{least}{self._amount(self.spent.known)} spent"
        if self.reserved:
            spent += f", {self._amount(self.held)} reserved"
        limit = f"{self.name} of {self._limit()}"
        if self.left < LEAST or estimate is None:
            return f"{limit} is used up: {spent}"
        return (
            f"{limit} is too little for one more: {spent}, and an attempt may cost {self._amount(estimate)}"
        )

    def _amount(self, amount: float) -> str:
        if self.unit != "USD":
            return f"{amount:,.0f}"
        # Rounded to cents, what costs less would read as nothing, and a budget as exceeded or not by chance.
        return f"{amount:.2f}" if amount >= 0.1 or amount == 0 else f"{amount:.4f}"

    def _limit(self) -> str:
        amount = f"{self.limit:,.4f}".rstrip("0").rstrip(".") if self.unit == "USD" else f"{self.limit:,.0f}"
        return f"{amount} {self.unit}"
