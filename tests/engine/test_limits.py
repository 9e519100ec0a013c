"""Rate limits, budgets and the machine in whole builds: who waits, who goes on, who is left out, and what is said."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestra.execution.admission import PATIENCE
from orchestra.model.agents import AgentEvent
from orchestra.model.events import (
    AttemptStarted,
    LimitChanged,
    TaskAgain,
    TaskFailed,
    TaskHeld,
    TaskRejected,
    TaskSkipped,
)
from orchestra.model.means import Means, Reading, Worker
from orchestra.model.outcomes import Outcome, Usage
from orchestra.model.ports import AttemptOrder
from orchestra.model.tasks import Limits, Task
from orchestra.model.trees import Tree
from orchestra.planning.simulate import ListedLedger, Script, ScriptedMachine, SimulatedExecutor
from tests.model.kit import task

from .world import Built, World, fails, script

DAY = 86_400.0


def worker(one: Task) -> Worker | None:
    """Commands ask nobody; tasks whose name begins with `o` ask another service; the others share an account."""
    if one.run is not None:
        return None
    if one.name.startswith("o") or one.agent == "other":
        return Worker("other", "elsewhere", "digest-2")
    return Worker("claude", "anthropic", "digest-1", 100)


def world(*tasks: Task, ledger: ListedLedger | None = None, **limits: float) -> World:
    """A world in which agents are known, with these limits."""
    found = World.of(*tasks)
    found.manifest = replace(found.manifest, limits=Limits(**limits))  # type: ignore[arg-type]
    found.means = Means(worker, ledger)
    return found


def free(name: str, **more: object) -> Task:
    return replace(task(name, write=(name,)), **more)  # type: ignore[arg-type]


def costs(world: World, amounts: dict[str, float | None], seconds: float = 1.0) -> None:
    """Let tasks succeed and cost so much."""

    def does(name: str, usd: float | None) -> Callable[[dict[str, str]], Script]:
        return lambda files: replace(script({name: "done"}, seconds), usage=Usage(usd=usd))

    world.does.update({name: does(name, usd) for name, usd in amounts.items()})


def starts(built: Built) -> list[tuple[float, str]]:
    return [(event.time, event.task) for event in built.of(AttemptStarted)]


def skipped(built: Built) -> dict[str, str]:
    return {event.task: event.why for event in built.of(TaskSkipped)}


def causes(built: Built, name: str) -> list[tuple[str, float]]:
    """What the last attempt of a task waited for."""
    last = [event for event in built.of(AttemptStarted) if event.task == name][-1]
    return [(wait.cause, wait.seconds) for wait in last.waits]


# --- rate limits -------------------------------------------------------------------------------------------------


class Service:
    """A service that answers 429 to whoever asks beside more than `most` others, or before it is open."""

    def __init__(self, world: World, most: int, *, wait_s: float | None = None, opens: float = 0.0) -> None:
        self.most, self.wait_s, self.opens = most, wait_s, opens
        self._world = world
        self._ends: list[float] = []
        world.behave = self._behave

    def _behave(self, order: AttemptOrder, tree: Tree) -> Script:
        now = self._world.clock.seconds
        self._ends = [end for end in self._ends if end > now]
        if order.task.run is None and not order.task.name.startswith("o"):
            if len(self._ends) >= self.most or now < self.opens:
                return Script(
                    1.0,
                    outcome=Outcome.FAILED,
                    detail="API error 429",
                    transient=True,
                    throttled=True,
                    retry_after=self.wait_s,
                )
            self._ends.append(now + 10.0)
        return script({order.task.name: "done"}, 10.0)


def test_four_tasks_of_one_account_all_succeed_and_spend_no_retries() -> None:
    built_world = world(*(free(name, retries=0) for name in "abcd"))
    Service(built_world, 1, wait_s=30.0)
    built = built_world.build(jobs=4)
    assert set(built.finals.values()) == {"landed"}
    assert built.of(TaskFailed) == []
    # All four ask at once, and three are turned down together: that is one decrease, from 4 to 2.
    first = built.of(LimitChanged)[0]
    assert (first.agents, first.provider, first.window, first.until) == (("claude",), "anthropic", 2, 31.0)
    assert [time for time, _ in starts(built)][:4] == [0.0] * 4
    # None starts before the reset, and then only as many as the window lets in.
    assert starts(built)[4:7] == [(31.0, "b"), (31.0, "c"), (62.0, "c")]
    second = [event for event in built.of(AttemptStarted) if event.task == "d"][1]
    assert [(wait.cause, wait.seconds) for wait in second.waits] == [("rate", 61.0)]
    assert all(1 <= event.window <= 4 for event in built.of(LimitChanged))
    built_world.build_nothing()


def test_who_waits_for_the_reset_holds_nobody_of_another_account_up() -> None:
    built_world = world(free("a"), free("o1"), free("o2"), task("run", write=("run",), run="make"))
    Service(built_world, 1, wait_s=60.0, opens=50.0)
    built = built_world.build(jobs=1)
    assert [name for _, name in starts(built)] == ["a", "o1", "o2", "run", "a"]
    assert starts(built)[-1][0] == 61.0
    assert causes(built, "a") == [("rate", 60.0)]
    assert set(built.finals.values()) == {"landed"}


def test_others_of_the_account_wait_for_the_reset_too() -> None:
    built_world = world(free("a"), free("b"))
    Service(built_world, 1, wait_s=60.0, opens=10.0)
    built = built_world.build(jobs=1)
    # `b` would have had its turn when `a` ended at 1.0.
    assert starts(built) == [(0.0, "a"), (61.0, "a"), (71.0, "b")]
    assert causes(built, "b") == [("slot", 1.0), ("rate", 60.0), ("slot", 10.0)]


def test_an_agent_that_waits_by_itself_is_a_signal_too() -> None:
    built_world = world(free("a"), free("b"), free("c"))
    waits = AgentEvent("waiting", "retry 1/10", throttled=True, wait_s=30.0)
    built_world.does["a"] = lambda files: replace(script({"a": "done"}, 5.0), says=(waits, waits))
    built = built_world.build(jobs=2)
    assert starts(built) == [(0.0, "a"), (0.0, "b"), (30.0, "c")]
    assert [(event.window, event.until) for event in built.of(LimitChanged)] == [(1, 30.0), (2, 30.0)]
    assert set(built.finals.values()) == {"landed"}


def test_a_review_asks_the_service_of_its_own_agent() -> None:
    """The account of the reviewer is limited, and nobody who asks another one waits for that."""
    built_world = world(free("a", review="other"), free("b"), free("o1"), free("o2"))
    waits = AgentEvent("waiting", "retry 1/10", throttled=True, wait_s=30.0)
    reviewed = replace(script({"a": "done"}, 5.0), says=(waits,), says_in="review")
    built_world.does["a"] = lambda files: reviewed
    built = built_world.build(jobs=2)
    assert [name for _, name in starts(built)] == ["a", "b", "o1", "o2"]
    assert starts(built)[2] == (30.0, "o1")
    assert {event.agents for event in built.of(LimitChanged)} == {("other",)}


def test_who_is_limited_in_its_review_waits_for_the_reviewers_account() -> None:
    built_world = world(free("a", review="other", retries=0), free("b"))
    failed = Script(outcome=Outcome.FAILED, transient=True, throttled=True, retry_after=50.0)
    limited = replace(failed, says=(AgentEvent("text", "let me see"),), says_in="review")
    answers = [limited, script({"a": "done"})]
    built_world.does["a"] = lambda files: answers.pop(0)
    built = built_world.build(jobs=1)
    assert starts(built) == [(0.0, "a"), (1.0, "b"), (51.0, "a")]
    assert set(built.finals.values()) == {"landed"}


def test_other_waits_are_no_signal() -> None:
    built_world = world(free("a"), free("b"), free("c"))
    built_world.does["a"] = lambda files: replace(script({"a": "done"}), says=(AgentEvent("waiting", "500"),))
    built = built_world.build(jobs=2)
    assert built.of(LimitChanged) == [] and starts(built)[-1][0] == 1.0


def test_the_pause_is_ours_where_the_service_names_none() -> None:
    built_world = world(free("a", retries=0))
    Service(built_world, 1, opens=20.0)
    built = built_world.build()
    assert [time for time, _ in starts(built)] == [0.0, 6.0, 17.0, 38.0], "pauses of 5, 10 and 20 seconds"
    assert [event.delay_s for event in built.of(TaskAgain)] == [5.0, 10.0, 20.0]
    assert built.finals == {"a": "landed"}


def test_other_failures_of_the_same_task_are_counted_apart() -> None:
    built_world = world(free("a", retries=1))
    answers = [
        Script(outcome=Outcome.FAILED, transient=True, throttled=True, retry_after=5.0),
        Script(outcome=Outcome.FAILED, transient=True),
        Script(outcome=Outcome.FAILED, transient=True, throttled=True, retry_after=5.0),
        Script(outcome=Outcome.FAILED, transient=True, detail="overloaded"),
    ]
    built_world.does["a"] = lambda files: answers.pop(0)
    built = built_world.build()
    assert built.finals == {"a": "failed"} and answers == []
    assert built.of(TaskFailed)[0].why == "overloaded"


def test_a_task_gives_up_once_it_has_waited_in_vain_for_longer_than_its_timeout() -> None:
    built_world = world(free("a", timeout=100.0), free("b"), free("o"))
    Service(built_world, 1, wait_s=40.0, opens=1e9)
    built = built_world.build(jobs=1)
    assert built.finals == {"a": "failed", "b": "skipped", "o": "landed"}
    (failed,) = built.of(TaskFailed)
    waited = "no further attempt: rate limited for 2 min 03 s, longer than its timeout"
    assert failed.why == f"API error 429; {waited}"
    # Every other task of the account would find out the same for itself.
    assert skipped(built) == {
        "b": "claude (anthropic) is rate limited: no attempt got through for 2 min 03 s"
    }
    assert built.finished.wall_s < 300


def test_a_wait_that_the_service_names_is_made_once_however_long_it_is() -> None:
    """A subscription that is used up for five hours: the task waits, though its timeout is much less."""
    built_world = world(free("a"))
    Service(built_world, 1, wait_s=5 * 3600.0, opens=5 * 3600.0)
    built = built_world.build()
    assert built.finals == {"a": "landed"} and built.finished.ran == 2


def test_nobody_waits_for_days() -> None:
    built_world = world(free("a"))
    Service(built_world, 1, wait_s=PATIENCE + 3600, opens=1e9)
    built = built_world.build()
    assert built.finals == {"a": "failed"} and built.finished.wall_s == 1.0
    assert built.of(TaskFailed)[0].why.endswith("claude (anthropic) may be asked again in 25 h 00 min only")


@pytest.mark.parametrize("moment", [1.5, 20.0])
def test_an_interrupt_ends_the_wait_for_a_reset_at_once(moment: float) -> None:
    built_world = world(free("a"), free("b"))
    Service(built_world, 1, wait_s=3600.0, opens=1e9)
    built = built_world.build(jobs=1, interrupts=[moment])
    assert set(built.finals.values()) == {"interrupted"} and built.finished.wall_s == moment


def test_what_has_become_fresh_or_can_be_replayed_waits_for_no_reset() -> None:
    built_world = world(free("a"), free("b"))
    built_world.build("b")
    built_world.revert(built_world.main)
    Service(built_world, 1, wait_s=600.0, opens=5.0 + built_world.clock.seconds)
    built = built_world.build(*"ab", jobs=1)
    assert built.finals == {"a": "landed", "b": "replayed"}
    assert [name for _, name in starts(built)] == ["a", "a"]
    # It landed while the other one waited.
    replayed = next(event.time for event in built.events if event.name == "task_replayed")
    assert replayed < starts(built)[1][0]


def test_who_asks_nobody_cannot_be_throttled() -> None:
    built_world = world(task("run", write=("run",), run="make"))
    built_world.does["run"] = lambda files: Script(outcome=Outcome.FAILED, throttled=True, detail="no")
    built = built_world.build()
    assert built.finals == {"run": "failed"} and built.of(LimitChanged) == [] and built.finished.ran == 1


@given(
    st.integers(1, 5),
    st.integers(1, 3),
    st.lists(st.tuples(st.booleans(), st.integers(0, 2)), min_size=1, max_size=7),
)
@settings(max_examples=40, deadline=None)
def test_whatever_a_service_bears_all_get_through(
    jobs: int, most: int, kinds: list[tuple[bool, int]]
) -> None:
    """Tasks of two accounts with any retries: all land, nothing of an account starts before its reset."""
    names = [f"{'o' if other else 't'}{n}" for n, (other, _) in enumerate(kinds)]
    built_world = world(
        *(free(name, retries=retries) for name, (_, retries) in zip(names, kinds, strict=True))
    )
    Service(built_world, most, wait_s=15.0)
    built = built_world.build(jobs=jobs)
    assert set(built.finals.values()) == {"landed"}
    until = 0.0
    for event in built.events:
        if isinstance(event, LimitChanged):
            assert event.agents == ("claude",) and 1 <= event.window <= jobs
            until = event.until or until
        elif isinstance(event, AttemptStarted) and event.task.startswith("t"):
            assert event.time >= until


# --- budgets -----------------------------------------------------------------------------------------------------


def test_a_budget_stops_starts_and_says_what_was_left_out() -> None:
    built_world = world(*(free(name) for name in "abcd"), usd=2.5)
    costs(built_world, dict.fromkeys("abcd", 1.0))
    built = built_world.build(jobs=2)
    # The first finds out what one costs; then there is room for one more at a time.
    assert built.finals == {"a": "landed", "b": "landed", "c": "skipped", "d": "skipped"}
    assert starts(built) == [(0.0, "a"), (1.0, "b")]
    why = "the build's budget of 2.5 USD is too little for one more: 2.00 spent, and an attempt may cost 1.00"
    assert set(skipped(built).values()) == {why}
    assert {event.hint for event in built.of(TaskSkipped)} == {
        "orchestra build (a new build has a budget of its own; --budget USD sets it)"
    }
    assert not built.finished.ok and built.finished.usd == 2.0 and built.finished.unpriced == 0
    assert set(built_world.build().finals.values()) == {"fresh", "landed"}


def test_what_runs_goes_on_though_the_budget_is_used_up() -> None:
    ledger = ListedLedger({("claude", name): (Usage(usd=0.5),) for name in "abc"})
    built_world = world(*(free(name) for name in "abc"), ledger=ledger, usd=1.2)
    costs(built_world, {"a": 3.0, "b": 0.5, "c": 0.5})
    built_world.does["b"] = lambda files: replace(script({"b": "x"}, 9.0), usage=Usage(usd=0.5))
    built = built_world.build(jobs=3)
    assert starts(built) == [(0.0, "a"), (0.0, "b")]
    assert built.finals == {"a": "landed", "b": "landed", "c": "skipped"}
    assert skipped(built)["c"] == "the build's budget of 1.2 USD is used up: 3.00 spent, 0.50 reserved"


def test_who_needs_what_was_left_out_says_so_and_who_asks_nobody_goes_on() -> None:
    built_world = world(
        free("a", priority=1),
        free("b"),
        free("c", needs=("b",)),
        task("run", write=("run",), run="make"),
        usd=1.0,
    )
    costs(built_world, dict.fromkeys("abc", 1.0))
    built = built_world.build(jobs=1)
    assert built.finals == {"a": "landed", "b": "skipped", "c": "skipped", "run": "landed"}
    assert skipped(built)["b"] == "the build's budget of 1 USD is used up: 1.00 spent"
    assert skipped(built)["c"] == "needs b, which was skipped"


def test_each_attempt_is_told_what_is_left() -> None:
    caps: dict[str, float | None] = {}
    built_world = world(free("a", usd=0.7), free("b"), free("c", usd=9.0), usd=3.0, usd_per_day=2.0)
    costs(built_world, dict.fromkeys("abc", 0.5))
    behave = built_world._behave

    def noting(order: AttemptOrder, tree: Tree) -> Script:
        caps[order.task.name] = order.usd
        return behave(order, tree)

    built_world.behave = noting
    built_world.build(jobs=1)
    assert caps == {"a": 0.7, "b": 1.5, "c": 1.0}
    unlimited = world(free("a"))
    costs(unlimited, {"a": 0.5})
    unlimited.behave = lambda order, tree: caps.update({"x": order.usd}) or script({"a": "x"})
    unlimited.build()
    assert caps["x"] is None


def test_one_finds_out_what_nobody_knows_and_then_they_go_together() -> None:
    built_world = world(*(free(name) for name in "abcd"), usd=10.0)
    costs(built_world, dict.fromkeys("abcd", 1.0))
    built = built_world.build(jobs=4)
    assert starts(built) == [(0.0, "a"), (1.0, "b"), (1.0, "c"), (1.0, "d")]
    assert causes(built, "b") == [("budget", 1.0)]
    # The past knows too.
    known = world(
        *(free(name) for name in "abcd"), ledger=ListedLedger({("claude", "x"): (Usage(usd=1.0),)}), usd=10.0
    )
    costs(known, dict.fromkeys("abcd", 1.0))
    assert [time for time, _ in starts(known.build(jobs=4))] == [0.0] * 4


def test_what_others_leave_goes_to_the_first_in_the_row() -> None:
    """`b` is too dear while a runs; the cheap `c` must not take away what `a` may leave for it."""
    past = {("claude", "a"): 3.0, ("claude", "b"): 2.0, ("claude", "c"): 0.5}
    ledger = ListedLedger({key: (Usage(usd=usd),) for key, usd in past.items()})
    built_world = world(
        free("a"), free("b"), free("c"), free("run", prompt=None, run="make"), ledger=ledger, usd=4.0
    )
    costs(built_world, {"a": 1.8, "b": 2.0, "c": 0.1})
    built = built_world.build(jobs=3)
    assert starts(built)[:3] == [(0.0, "a"), (0.0, "run"), (1.0, "b")]
    assert built.finals["b"] == "landed"


def test_an_agent_that_tells_nothing_is_not_held_back_and_a_note_says_so() -> None:
    built_world = world(*(free(name) for name in "abc"), usd=1.0)
    costs(built_world, dict.fromkeys("abc", None))
    built = built_world.build(jobs=3)
    assert [time for time, _ in starts(built)] == [0.0, 1.0, 1.0]
    assert (built.finished.usd, built.finished.unpriced) == (None, 3)
    (notice,) = built.notices
    assert (
        notice.message
        == "claude does not tell what it costs, nor does `prices`: no budget in USD holds it back"
    )


def test_unknown_costs_are_said_in_sums() -> None:
    built_world = world(*(free(name) for name in "abcd"), usd=1.0)
    costs(built_world, {"a": 0.4, "b": None, "c": 0.7, "d": 0.1})
    built = built_world.build(jobs=1)
    assert skipped(built) == {"d": "the build's budget of 1 USD is used up: at least 1.10 spent"}
    assert built.finished.usd == pytest.approx(1.1) and built.finished.unpriced == 1


def test_tokens_have_a_budget_of_their_own() -> None:
    built_world = world(*(free(name) for name in "abc"), tokens=2500)
    for name in "abc":
        done = replace(script({name: "x"}), usage=Usage(input_tokens=900, output_tokens=100))
        built_world.does[name] = lambda files, done=done: done  # type: ignore[misc]
    built = built_world.build(jobs=1)
    assert built.finals == {"a": "landed", "b": "landed", "c": "skipped"}
    assert skipped(built)["c"] == (
        "the build's budget of 2,500 tokens is too little for one more: 2,000 spent, and an attempt may cost 1,000"
    )


def test_the_day_is_one_for_all_its_builds() -> None:
    ledger = ListedLedger()
    built_world = world(free("a"), free("b"), free("c"), ledger=ledger, usd_per_day=2.0)
    costs(built_world, dict.fromkeys("abc", 1.0))
    first = built_world.build("a")
    assert first.finals == {"a": "landed"} and first.finished.usd == 1.0
    ledger.days[0] = 1.0
    second = built_world.build(jobs=1)
    assert second.finals == {"a": "fresh", "b": "landed", "c": "skipped"}
    assert skipped(second) == {"c": "the day's budget of 2 USD is used up: 2.00 spent"}
    ledger.days[0] = 2.0
    assert built_world.build().finals["c"] == "skipped"
    built_world.clock.seconds = DAY
    assert built_world.build().finals["c"] == "landed"


def test_a_day_ends_in_the_middle_of_a_build() -> None:
    built_world = world(free("a"), free("b"), free("c"), ledger=ListedLedger(days={0: 5.0}), usd_per_day=6.0)
    costs(built_world, {"a": 1.5, "b": 4.0, "c": 1.0})
    built_world.clock.seconds = DAY - 0.5
    built = built_world.build(jobs=1)
    # `a` ended on the second day, and counts there: on the first it would have used up what was left.
    assert built.finals == {"a": "landed", "b": "landed", "c": "skipped"}
    assert skipped(built)["c"] == (
        "the day's budget of 6 USD is too little for one more: 5.50 spent, and an attempt may cost 4.00"
    )


def test_a_task_over_its_own_budget_is_not_attempted_again() -> None:
    built_world = world(free("a", usd=1.0), free("b", usd=3.0))
    failing = Script(outcome=Outcome.FAILED, detail="overloaded", transient=True, usage=Usage(usd=1.25))
    built_world.does.update(a=lambda files: failing, b=lambda files: failing)
    built = built_world.build()
    why = {event.task: event.why for event in built.of(TaskFailed)}
    assert why["a"] == "overloaded; no further attempt: its budget of 1 USD is used up: 1.25 spent"
    assert [name for _, name in starts(built)].count("a") == 1
    assert [name for _, name in starts(built)].count("b") == 3, "and two retries are all it has"


def test_nor_after_a_conflict() -> None:
    built_world = world(replace(task("a"), usd=1.0), replace(task("b"), usd=5.0), task("c"))
    built_world.does["c"] = lambda files: script({"f": "c", "g": "c"}, 1.0)
    built_world.does["a"] = lambda files: replace(script({"f": "a"}, 3.0), usage=Usage(usd=1.0))
    built_world.does["b"] = lambda files: replace(script({"g": "b"}, 3.0), usage=Usage(usd=1.0))
    built = built_world.build(jobs=3)
    assert built.finals == {"a": "rejected", "b": "landed", "c": "landed"}
    (rejected,) = built.of(TaskRejected)
    assert rejected.why.endswith("in f; no further attempt: its budget of 1 USD is used up: 1.00 spent")
    assert rejected.kept is not None


def test_what_can_be_replayed_costs_nothing_and_needs_no_budget() -> None:
    built_world = world(free("a"), usd=1.0)
    costs(built_world, {"a": 1.0})
    built_world.build()
    built_world.revert(built_world.main)
    built_world.manifest = replace(built_world.manifest, limits=Limits(usd=0.0))
    assert built_world.build("a").finals == {"a": "replayed"}
    built_world.manifest = replace(built_world.manifest, limits=Limits(usd=0.0))
    built = built_world.build("a", forced=("a",))
    assert skipped(built) == {"a": "the build's budget of 0 USD is used up: 0.00 spent"}


def test_an_attempt_that_never_began_cost_nothing() -> None:
    built_world = world(*(free(name) for name in "abc"), usd=1.0)
    built_world.does["a"] = lambda files: fails_to_start()
    costs(built_world, {"b": 1.0, "c": 1.0})
    built = built_world.build(jobs=1)
    assert (built.finished.usd, built.finished.unpriced) == (1.0, 0)
    assert skipped(built) == {"c": "the build's budget of 1 USD is used up: 1.00 spent"}, "and not at least"


def test_who_never_told_keeps_nobody_from_finding_out() -> None:
    ledger = ListedLedger({("claude", "x"): (Usage(),)})
    built_world = world(free("a"), free("b"), free("o"), ledger=ledger, usd=9.0)
    costs(built_world, {"a": None, "b": None, "o": 1.0})
    assert [time for time, _ in starts(built_world.build(jobs=3))] == [0.0] * 3


def test_where_an_agent_is_new_what_others_cost_is_expected_of_it() -> None:
    built_world = world(free("a", priority=1), free("o1"), free("o2"), usd=9.0)
    costs(built_world, {"a": 1.0, "o1": 1.0, "o2": 1.0})
    assert starts(built_world.build(jobs=2)) == [(0.0, "a"), (1.0, "o1"), (1.0, "o2")]


def test_a_task_that_may_cost_nothing_does_not_start() -> None:
    built_world = world(free("a", usd=0.0), free("b"))
    costs(built_world, {"a": 1.0, "b": 1.0})
    built = built_world.build()
    assert built.finals == {"a": "skipped", "b": "landed"}
    assert skipped(built) == {"a": "its budget of 0 USD is used up: 0.00 spent"}


def fails_to_start() -> Script:
    return replace(fails(), outcome=Outcome.NOT_STARTED)


@given(
    st.lists(
        st.tuples(st.sampled_from([0.0, 0.5, 1.0, 3.0]), st.none() | st.sampled_from([0.5, 1.0, 3.0])),
        min_size=1,
        max_size=6,
    ),
    st.sampled_from([0.0, 1.0, 2.5, 6.0]),
    st.integers(1, 4),
)
@settings(max_examples=60, deadline=None)
def test_a_build_spends_no_more_than_its_budget_and_what_ran_overshot(
    tasks: list[tuple[float, float | None]], limit: float, jobs: int
) -> None:
    """Each task has a cost and a past, or none: what is spent above the limit was not expected of what ran."""
    names = [f"t{n}" for n in range(len(tasks))]
    past: dict[tuple[str, str], tuple[Usage, ...]] = {
        ("claude", name): (Usage(usd=expected),)
        for name, (_, expected) in zip(names, tasks, strict=True)
        if expected is not None
    }
    built_world = world(*(free(name) for name in names), ledger=ListedLedger(past), usd=limit)
    costs(built_world, {name: cost for name, (cost, _) in zip(names, tasks, strict=True)})
    built = built_world.build(jobs=jobs)
    ran = {name for _, name in starts(built)}
    spent = sum(cost for name, (cost, _) in zip(names, tasks, strict=True) if name in ran)
    assert (built.finished.usd or 0.0) == pytest.approx(spent)
    assert set(built.finals.values()) <= {"landed", "skipped"}
    assert {name for name, final in built.finals.items() if final == "landed"} == ran
    if limit == 0.0:
        assert not ran
    if len(past) == len(tasks):
        surprise = sum(max(0.0, cost - min(limit, expected or 0.0)) for cost, expected in tasks)
        assert spent <= limit + surprise + 1e-9
    if built.finished.ok is False:
        assert set(skipped(built)) == set(names) - ran


# --- the machine -------------------------------------------------------------------------------------------------

IDLE = Reading(0.1, 0.1, 1000, 10**12)


def crowded(
    built_world: World, script: Callable[[float], Reading], ledger: ListedLedger | None = None
) -> ScriptedMachine:
    machine = ScriptedMachine(built_world.clock, script)
    built_world.means = Means(worker, ledger, machine)
    return machine


def test_while_the_machine_is_busy_one_at_a_time_goes_on() -> None:
    built_world = world(*(free(name) for name in "abc"))
    crowded(built_world, lambda now: replace(IDLE, cpu=1.0))
    built = built_world.build(jobs=3)
    assert starts(built) == [(0.0, "a"), (1.0, "b"), (2.0, "c")]
    assert causes(built, "c") == [("machine", 2.0)]
    (notice,) = built.notices
    assert notice.message == (
        "nothing starts beside others for now: processors are 100% busy (`limits.cpu`: 90%)"
    )


def test_of_what_is_held_back_the_first_are_told_once_each_and_with_another_cause_again() -> None:
    built_world = world(*(free(name) for name in "abcdefghijkl"))
    crowded(built_world, lambda now: replace(IDLE, cpu=1.0))
    held = built_world.build(jobs=12).of(TaskHeld)
    assert [(event.time, event.task) for event in held if event.time < 1] == [
        (0.0, name) for name in "bcdefghi"
    ], "as many as a screen has room for"
    assert [(event.time, event.task) for event in held if event.time >= 1] == [
        (1.0, "j"),
        (2.0, "k"),
        (3.0, "l"),
    ]
    assert {event.cause for event in held} == {"machine"}
    both = world(*(free(name) for name in "abc"))
    Service(both, 1, wait_s=3.0, opens=3.0)
    crowded(both, lambda now: replace(IDLE, cpu=1.0))
    told = [(event.task, event.cause) for event in both.build(jobs=3).of(TaskHeld)]
    machine, rate = [("b", "machine"), ("c", "machine")], [("b", "rate"), ("c", "rate")]
    assert told == [*machine, *rate, ("c", "machine")]


def test_it_is_looked_at_again_after_a_while() -> None:
    built_world = world(free("a"), free("b"))
    built_world.does["a"] = lambda files: script({"a": "x"}, 60.0)
    machine = crowded(built_world, lambda now: replace(IDLE, cpu=1.0 if now < 12 else 0.2))
    built = built_world.build(jobs=2)
    assert starts(built) == [(0.0, "a"), (15.0, "b")]
    assert machine.looks == [0.0, 5.0, 10.0, 15.0]


def test_memory_counts_what_agents_usually_hold_and_what_was_seen() -> None:
    # 100 in use by others, 100 for each agent: up to 850 there is room for 7; of a task that was seen to hold 400, one.
    built_world = world(*(free(f"t{n}") for n in range(9)))
    crowded(built_world, lambda now: IDLE)
    built = built_world.build(jobs=9)
    assert built.executor.peak == 7
    dear = world(*(free(f"t{n}") for n in range(3)))
    crowded(dear, lambda now: IDLE, ListedLedger(peaks=dict.fromkeys(("t0", "t1", "t2"), 400)))
    built = dear.build(jobs=3)
    assert built.executor.peak == 1 and set(built.finals.values()) == {"landed"}


def test_a_build_with_nothing_to_do_does_not_look() -> None:
    built_world = world(free("a"))
    built_world.build()
    machine = crowded(built_world, lambda now: IDLE)
    built_world.build_nothing()
    assert machine.looks == []


def test_an_interrupt_is_not_held_up_by_a_busy_machine() -> None:
    built_world = world(free("a"), free("b"))
    built_world.does["a"] = lambda files: script({"a": "x"}, 60.0)
    crowded(built_world, lambda now: replace(IDLE, disk_free=0))
    built = built_world.build(jobs=2, interrupts=[7.0])
    assert set(built.finals.values()) == {"interrupted"} and built.finished.wall_s == 7.0


def test_without_means_nothing_is_asked() -> None:
    built_world = World.of(*(free(name) for name in "abc"))
    built_world.manifest = replace(
        built_world.manifest, limits=Limits(cpu=0.0, memory=0.0, usd=0.0, tokens=1)
    )
    built = built_world.build(jobs=3)
    assert isinstance(built.executor, SimulatedExecutor) and built.executor.peak == 3
    assert set(built.finals.values()) == {"landed"}
