"""What runs cost by the manifest's prices: each by the model that served it, also where several make one attempt."""

from __future__ import annotations

from dataclasses import replace

import pytest

from orchestra.model.outcomes import Outcome, Usage
from orchestra.model.ports import AttemptEnded
from orchestra.model.tasks import AgentSpec, Price
from tests.execution.scripted import Run, ScriptedAgent
from tests.execution.shop import Shop, prompted
from tests.vcs.kit import Person

PROMPT = "# Title\n\nWrite good into f.\n"
PASS = """echo '{"verdict": "pass", "findings": []}'"""
PRICES = {"cheap": Price(1.0, 5.0), "dear": Price(3.0, 15.0)}
MILLION = Usage(input_tokens=1_000_000, output_tokens=100_000)


def ran(usage: Usage = MILLION, model: str | None = None, script: str = "echo good > f") -> Run:
    return Run(script, usage, judged={"model": model} if model is not None else {})


def attempt(
    person: Person,
    runs: tuple[Run, ...],
    *reviews: Run,
    model: str | None = None,
    usd: float | None = None,
    **more: object,
) -> tuple[AttemptEnded, ScriptedAgent]:
    worker, judge = ScriptedAgent(*runs), ScriptedAgent(*reviews)
    agents = {"worker": AgentSpec("worker", "script", model=model)}
    shop = Shop(person, agents=agents, adapters={"worker": worker, "judge": judge})
    shop.workshop = replace(shop.workshop, prices=PRICES)
    review = "judge" if reviews else None
    return shop.attempt(prompted(PROMPT, "worker", review=review, **more), usd=usd), worker


@pytest.mark.parametrize(
    ("run", "model", "usd"),
    [
        (ran(model="dear"), "cheap", 4.5),
        (ran(), "cheap", 1.5),
        (ran(model="dear-20261122"), "cheap", 1.5),
        (ran(), None, None),
        (ran(replace(MILLION, usd=0.25), "dear"), "dear", 0.25),
        (ran(replace(MILLION, output_tokens=None), "dear"), None, None),
    ],
)
def test_a_cost_is_told_or_follows_from_the_model_that_served(
    person: Person, run: Run, model: str | None, usd: float | None
) -> None:
    ended, _ = attempt(person, (run,), model=model)
    assert (ended.outcome, ended.usage.usd) == (Outcome.SUCCESS, usd)


def test_a_review_has_the_price_of_its_own_model(person: Person) -> None:
    ended, _ = attempt(person, (ran(model="cheap"),), ran(model="dear", script=PASS))
    assert (ended.outcome, ended.usage.usd) == (Outcome.SUCCESS, 1.5 + 4.5)
    assert ended.usage.tokens == 2_200_000


def test_a_review_of_which_nobody_knows_the_price_has_none(person: Person) -> None:
    """Its tokens must not be taken for those of the model that did the work."""
    ended, _ = attempt(person, (ran(),), ran(model="unheard-of", script=PASS), model="cheap")
    assert (ended.outcome, ended.usage.usd) == (Outcome.SUCCESS, None)


def test_what_runs_cost_by_their_prices_bounds_the_next(person: Person) -> None:
    check = "grep -qx good f"
    ended, worker = attempt(
        person,
        (ran(script="echo bad > f"), ran(script="echo worse > f")),
        model="cheap",
        usd=2.0,
        check=check,
        repairs=5,
    )
    assert (ended.outcome, ended.usage.usd) == (Outcome.CHECK_FAILED, 3.0)
    assert [order.usd for order in worker.orders] == [2.0, 0.5]
