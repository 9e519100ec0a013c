"""Who does a task and who pays: attempts that share a service and a key are one account, and no key is told."""

from __future__ import annotations

from dataclasses import replace

from orchestra.execution.workers import account_of, worker_of
from orchestra.execution.workshop import Workshop
from orchestra.model.agents import Traits
from orchestra.model.means import Worker
from orchestra.model.tasks import AgentSpec, Task
from tests.execution.shop import Shop
from tests.model.kit import task

TRAITS = Traits(True, provider="anthropic", account=("KEY", "URL"))
SECRET = "sk-very-secret"


def shop_with(shop: Shop, spec: AgentSpec | None, **environ: str) -> Workshop:
    from orchestra.agents.registry import make_agent

    return replace(
        shop.workshop,
        environ={**shop.workshop.environ, **environ},
        agent_of=lambda one: spec if one.run is None else None,
        adapter_of=lambda one, found: make_agent(found or AgentSpec("run", "script")),
    )


def who(workshop: Workshop, one: Task | None = None) -> Worker:
    worker = worker_of(workshop, one or task("a"))
    assert worker is not None
    return worker


def test_an_account_is_a_service_and_what_tells_who_pays() -> None:
    def account(traits: Traits = TRAITS, agent: str = "claude", **env: str) -> str:
        return account_of(traits, agent, env)

    one = account(KEY="1")
    assert one == account(KEY="1", OTHER="2") == account(agent="another", KEY="1")
    others = {
        account(),
        account(KEY="2"),
        account(URL="1"),
        account(KEY="1", URL=""),
        account(KEY=""),
        account(replace(TRAITS, provider="openai"), KEY="1"),
    }
    assert len(others) == 6 and one not in others


def test_whose_service_is_called_is_not_known_of_every_agent() -> None:
    nobody = Traits(True)
    assert account_of(nobody, "a", {}) != account_of(nobody, "b", {})
    assert account_of(nobody, "a", {}) == account_of(nobody, "a", {"KEY": "1"})


def test_the_environment_of_the_attempt_counts(shop: Shop) -> None:
    spec = AgentSpec("claude", "claude-code", model="sonnet")
    plain = who(shop_with(shop, spec))
    assert (plain.agent, plain.provider) == ("claude", "anthropic")
    assert plain.memory > 2**20
    persons = who(shop_with(shop, spec, ANTHROPIC_API_KEY=SECRET))
    set_for_it = who(shop_with(shop, replace(spec, env=(("ANTHROPIC_API_KEY", SECRET),))))
    of_the_task = who(shop_with(shop, spec), replace(task("a"), env=(("ANTHROPIC_API_KEY", SECRET),)))
    assert persons.account == set_for_it.account == of_the_task.account != plain.account
    assert SECRET not in repr(persons) and persons.account not in repr(persons)
    assert SECRET not in persons.account


def test_commands_and_scripts_ask_nobody(shop: Shop) -> None:
    assert worker_of(shop_with(shop, AgentSpec("script", "script")), task("a")) is None
    assert worker_of(shop_with(shop, None), task("a", run="make")) is None
