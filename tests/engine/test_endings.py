"""What becomes of results that do not land: once more, once more alone, rejected; and what stops a build."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestra.model.errors import OrchestraError, environment_error
from orchestra.model.events import (
    AttemptStarted,
    BuildFinished,
    TaskAgain,
    TaskLanded,
    TaskRejected,
    TaskSkipped,
    VerifyFinished,
    VerifyStarted,
)
from orchestra.model.outcomes import Final, Wait
from orchestra.model.ports import AttemptOrder
from orchestra.model.tasks import Task
from orchestra.model.trees import Tree
from orchestra.planning.simulate import Script
from tests.model.kit import task

from .doings import worlds
from .test_builds import JOBS, SETTINGS
from .world import Built, Files, World, fails, script


def unknown(name: str, **more: object) -> Task:
    return task(name, **more)  # type: ignore[arg-type]


def verified(*tasks: Task, files: Files | None = None) -> World:
    """A world whose verification is red where a file named `bad` is."""
    world = World.of(*tasks, files=files, verify="make check")
    world.green = lambda commit: "bad" not in world.files(commit)
    return world


def attempts(built: Built, name: str) -> list[AttemptStarted]:
    return [event for event in built.of(AttemptStarted) if event.task == name]


# --- conflicts -----------------------------------------------------------------------------------------------


def test_a_conflict_is_tried_once_more_on_the_new_tip_told_what_happened() -> None:
    world = World.of(unknown("alpha"), unknown("beta"))
    told: list[str] = []
    world.behave = lambda order, tree: remember(told, order, world.files(tree.commit))
    built = world.build(jobs=2)
    assert built.ran == ["alpha", "beta", "beta"]
    assert built.finals == {"alpha": "landed", "beta": "landed"}
    (again,) = built.of(TaskAgain)
    assert again.task == "beta" and again.paths == ("x",) and not again.alone
    assert again.why == "conflicts with what landed meanwhile in x"
    first, second = attempts(built, "beta")
    assert first.base != second.base and (first.number, second.number) == (1, 2)
    assert told[:2] == ["", ""] and "both changed x" in told[-1]
    assert world.files()["x"] == "alpha beta"
    world.build_nothing()


def remember(told: list[str], order: AttemptOrder, files: Files) -> Script:
    told.append(order.told)
    return script({"x": f"{files.get('x', '')} {order.task.name}".strip()})


def test_a_second_conflict_is_tried_once_more_alone_and_a_third_is_rejected() -> None:
    """Others keep landing before `slow`, until it is alone; then the person's commit comes in its way."""
    world = World.of(unknown("slow"), *(unknown(f"quick{n}") for n in range(6)))
    persons: list[str] = []

    def does(order: AttemptOrder, files: Files) -> Script:
        if order.task.name != "slow":
            return script({"x": order.task.name}, 1.0)
        if order.number == 3:
            assert world.last_engine is not None and len(world.last_engine._attempts) == 1
            persons.append(world.edit({"x": "the person"}))
        return script({"x": "slow"}, 1.5)

    world.behave = lambda order, tree: does(order, world.files(tree.commit))
    built = world.build(jobs=2)
    assert built.finals["slow"] == "rejected"
    assert [event.alone for event in built.of(TaskAgain) if event.task == "slow"] == [False, True]
    assert [event.number for event in attempts(built, "slow")] == [1, 2, 3]
    (event,) = (event for event in built.of(TaskRejected) if event.task == "slow")
    assert event.paths == ("x",) and event.kept is not None
    assert world.files(world.git.refs[event.kept])["x"] == "slow"
    assert world.git.is_ancestor(persons[0], world.main)
    assert not built.finished.ok and built.finished.advanced


def test_who_is_alone_waits_for_all_and_all_wait_for_them() -> None:
    world = World.of(unknown("slow"), *(unknown(f"quick{n}") for n in range(5)))
    under_way: set[str] = set()

    def behave(order: AttemptOrder, tree: object) -> Script:
        return script({"x": order.attempt}, 1.5 if order.task.name == "slow" else 1.0)

    def started(event: AttemptStarted) -> None:
        assert world.last_engine is not None
        cards = [card for card, _, _ in world.last_engine._attempts.values()]
        assert not any(card.alone for card in cards)
        if event.task == "slow" and event.number == 3:
            assert cards == []
            under_way.add("alone")

    world.behave, world.started = behave, started
    built = world.build(jobs=2)
    assert under_way == {"alone"} and built.finals["slow"] == "landed"
    alone = attempts(built, "slow")[-1]
    assert [wait.cause for wait in alone.waits] in ([], ["alone"])


def test_a_forced_task_that_conflicts_is_tried_once_more_too() -> None:
    world = World.of(unknown("alpha"), unknown("beta"))
    world.does["alpha"] = lambda files: {"x": f"{files.get('x', '')}a"}
    world.does["beta"] = lambda files: {"x": f"{files.get('x', '')}b"}
    world.build(jobs=1)
    built = world.build(jobs=2, forced=("alpha", "beta"))
    assert built.finals == {"alpha": "landed", "beta": "landed"}
    assert built.ran == ["alpha", "beta", "beta"]
    assert world.files()["x"] == "abab"


# --- verification --------------------------------------------------------------------------------------------


def test_a_red_result_is_repeated_once_rejected_and_kept_and_others_land() -> None:
    world = verified(
        task("breaker", write=("bad",)),
        task("fine", write=("fine",)),
        task("child", write=("c",), needs=("breaker",)),
    )
    world.does["breaker"] = lambda files: {"bad": "x"}
    world.does["fine"] = lambda files: script({"fine": "x"}, 3.0)
    world.does["child"] = lambda files: {"c": "x"}
    built = world.build()
    assert built.finals == {"breaker": "rejected", "fine": "landed", "child": "skipped"}
    assert built.ran == ["breaker", "fine"]
    (event,) = built.of(TaskRejected)
    assert event.why == "`make check` fails with it" and event.kept is not None
    assert "bad" in world.files(world.git.refs[event.kept])
    assert built.of(TaskSkipped)[0].why == "needs breaker, which was rejected"
    assert "bad" not in world.files()
    assert world.build().ran == ["breaker"]


@pytest.mark.parametrize(
    ("told", "moved", "times"), [(False, False, 1), (True, False, 2), (False, True, 2), (True, True, 2)]
)
def test_a_red_result_is_tried_once_more_only_where_it_may_differ(
    told: bool, moved: bool, times: int
) -> None:
    """Where the agent can be told, or where the result was merged with what it had not seen."""
    world = verified(task("breaker", write=("bad",)), task("other", write=("other",)))
    world.does["breaker"] = lambda files: script({"bad": "x"}, 2.0, told=told)
    world.does["other"] = lambda files: script({"other": "x"}, 1.0 if moved else 3.0)
    built = world.build(jobs=2 if moved else 1)
    assert len(attempts(built, "breaker")) == times
    assert built.finals["breaker"] == "rejected"


def test_who_is_told_may_mend_it() -> None:
    world = verified(task("t", write=("bad", "good")))
    told: list[str] = []

    def behave(order: AttemptOrder, tree: object) -> Script:
        told.append(order.told)
        return script({"good": "x"} if order.told else {"bad": "x"}, told=True)

    world.behave = behave
    built = world.build()
    assert built.finals == {"t": "landed"} and world.files()["good"] == "x"
    assert told[0] == "" and "`make check` failed" in told[1]


def test_a_flaky_red_is_repeated_and_does_not_count() -> None:
    world = verified(task("t", write=("t",)))
    asked: list[str] = []

    def verdict(commit: str) -> bool:
        asked.append(commit)
        return asked.count(commit) > 1 or "t" not in world.files(commit)

    world.verdict = verdict
    assert world.build().finals == {"t": "landed"}


def test_a_green_verdict_is_remembered_by_tree_and_a_red_one_is_not() -> None:
    world = verified(task("breaker", write=("bad",)), task("t", write=("t",)))
    world.does["breaker"] = lambda files: {"bad": "x"}
    built = world.build(jobs=1)
    assert len(built.of(VerifyStarted)) == 3
    again = world.build(jobs=1)
    first, *others = again.of(VerifyFinished)
    assert first.remembered and first.passed
    assert [event.passed for event in others] == [False] and len(again.of(VerifyStarted)) == 1


def test_a_red_base_runs_nothing_and_says_so() -> None:
    world = verified(task("t", write=("t",)), task("u", write=("u",), needs=("t",)), files={"bad": "x"})
    start = world.main
    built = world.build()
    assert built.ran == [] and built.finals == {"t": "skipped", "u": "skipped"}
    assert not built.finished.ok and world.main == start
    assert built.said("fails on") and built.notices[0].hint
    world.edit({"bad": None})
    assert world.build().finished.ok


def test_where_all_is_fresh_nothing_is_verified() -> None:
    world = verified(task("t", write=("t",)))
    world.build()
    world.edit({"bad": "x"})
    assert world.build().of(VerifyStarted) == []


def test_without_verify_what_lands_is_said_not_to_be_verified() -> None:
    for world, said in ((World.of(task("t")), False), (verified(task("t")), True)):
        assert [event.verified for event in world.build().of(TaskLanded)] == [said]


def test_waiting_for_the_base_to_be_verified_is_a_cause_of_its_own() -> None:
    world = verified(task("a", write=("a",)), task("b", write=("b",)))
    built = world.build(jobs=1, verify_seconds=5.0)
    a, b = built.of(AttemptStarted)
    assert a.waits == (Wait("verify", 5.0),)
    assert b.waits == (Wait("verify", 5.0), Wait("slot", 6.0)) or b.waits == (
        Wait("verify", 5.0),
        Wait("slot", 1.0),
    )


def test_waits_name_what_was_waited_for() -> None:
    world = World.of(
        task("a", write=("a",)),
        task("b", write=("b",), needs=("a",)),
        task("c", write=("c",), read=("b",)),
        task("d", write=("c",)),
    )
    waits = {
        event.task: [(w.cause, w.seconds, w.task) for w in event.waits]
        for event in world.build().of(AttemptStarted)
    }
    assert waits == {
        "a": [], "b": [("needs", 1.0, "a")], "c": [("write-read", 2.0, "b")], "d": [("write-write", 3.0, "c")],
    }  # fmt: skip


# --- priorities, fail-fast -----------------------------------------------------------------------------------


def test_ready_tasks_start_by_priority_then_critical_path_then_manifest_order() -> None:
    world = World.of(
        task("plain", write=("1",)),
        task("short", write=("2",)),
        task("long", write=("3",)),
        task("end", write=("4",), needs=("long",)),
        task("urgent", write=("5",), priority=1),
        task("later", write=("6",), priority=-1),
    )
    assert world.build(jobs=1).ran == ["urgent", "long", "plain", "short", "end", "later"]


def test_no_barrier_between_layers() -> None:
    world = World.of(
        task("quick", write=("1",)), task("slow", write=("2",)), task("next", write=("3",), needs=("quick",))
    )
    world.does["slow"] = lambda files: script({"2": "x"}, 10.0)
    built = world.build(jobs=2)
    assert attempts(built, "next")[0].time == 1.0
    assert (
        built.finished.wall_s == 10.0
        and built.finished.sequential_s == 12.0
        and built.finished.speedup == 1.2
    )


def test_fail_fast_starts_nothing_more_and_lets_what_runs_land() -> None:
    world = World.of(
        task("bad", write=("bad",), priority=1),
        task("running", write=("r",), priority=1),
        task("queued", write=("q",)),
        task("waiting", write=("w",), needs=("queued",)),
    )
    world.does["bad"] = lambda files: fails()
    world.does["running"] = lambda files: script({"r": "x"}, 2.0)
    built = world.build(jobs=2, fail_fast=True)
    assert built.finals == {"bad": "failed", "running": "landed", "queued": "skipped", "waiting": "skipped"}
    assert {event.why for event in built.of(TaskSkipped)} == {"stopped after bad (--fail-fast)"}
    assert sorted(world.build().ran) == ["bad", "queued", "waiting"]


def test_after_fail_fast_a_conflict_is_not_tried_again_but_kept_and_told() -> None:
    world = World.of(unknown("first"), unknown("second"), unknown("bad"))
    world.does["first"] = lambda files: script({"x": "1"}, 2.0)
    world.does["second"] = lambda files: script({"x": "2"}, 3.0)
    world.does["bad"] = lambda files: fails()
    built = world.build(jobs=3, fail_fast=True)
    assert built.finals == {"first": "landed", "second": "rejected", "bad": "failed"}
    assert built.of(TaskAgain) == []
    (event,) = built.of(TaskRejected)
    assert event.kept is not None and event.paths == ("x",)


# --- subsets -------------------------------------------------------------------------------------------------


def test_two_writers_of_one_file_that_only_an_unselected_task_orders_do_not_run_at_once() -> None:
    """`middle` orders the two, so they have no edge of their own; it is not selected."""
    world = World.of(
        task("last", write=("x",), read=("h",)),
        task("first", write=("x", "g")),
        task("middle", write=("h",), read=("g",)),
    )
    world.does["first"] = lambda files: {"x": "first", "g": "1"}
    world.does["last"] = lambda files: {"x": f"{files.get('x')} last"}
    built = world.build("first", "last", jobs=2)
    assert built.ran == ["first", "last"] and world.files()["x"] == "first last"
    assert attempts(built, "last")[0].waits[0].task == "first"


# --- interrupts ----------------------------------------------------------------------------------------------


def test_an_interrupt_starts_nothing_more_and_keeps_what_is_done() -> None:
    world = verified(
        task("a", write=("a",)),
        task("b", write=("b",)),
        task("noop", write=("n",)),
        task("c", write=("c",), needs=("b",)),
    )
    world.does["a"] = lambda files: script({"a": "x"}, 1.0)
    world.does["noop"] = lambda files: script({}, 1.0)
    world.does["b"] = lambda files: script({"b": "x"}, 5.0)
    built = world.build(jobs=3, interrupts=[2.0])
    assert built.finals == {"a": "landed", "noop": "no-change", "b": "interrupted", "c": "interrupted"}
    assert built.finished.interrupted and not built.finished.ok and built.finished.advanced
    assert world.files() == {"README": "hello", "a": "x"} and set(world.entries()) == {"a", "noop"}
    assert world.build().ran == ["b", "c"]


def test_a_second_interrupt_stops_at_once_and_the_next_build_goes_on() -> None:
    world = verified(task("a", write=("a",)), task("b", write=("b",)), task("noop", write=("n",)))
    world.does["a"] = lambda files: script({"a": "x"}, 1.0)
    world.does["noop"] = lambda files: script({}, 1.0)
    world.does["b"] = lambda files: script({"b": "x"}, 5.0)
    built = world.build(jobs=3, interrupts=[3.0, 3.5], grace=2.0, verify_seconds=1.5)
    assert built.finals == {"a": "interrupted", "b": "interrupted", "noop": "no-change"}
    assert built.finished.wall_s == 3.5
    assert built.finished.interrupted and set(world.entries()) == {"noop"}
    # What was captured goes on at the audit; what was cut off before runs again.
    again = world.build()
    assert again.ran == ["b"] and again.finals == {"a": "replayed", "b": "landed", "noop": "fresh"}
    assert world.files() == {"README": "hello", "a": "x", "b": "x"}
    world.build_nothing()


@SETTINGS
@given(
    worlds(),
    st.lists(st.floats(0, 8), min_size=1, max_size=3).map(sorted),
    st.sampled_from([0.0, 1.0, 3.0]),
    JOBS,
    st.sampled_from([0.0, 0.7]),
)
def test_interrupted_at_any_moment_the_next_build_ends_as_if_nothing_had_been(
    world: World, moments: list[float], grace: float, jobs: int, verify_seconds: float
) -> None:
    start = world.main
    assert world.build(jobs=jobs).finished.ok
    expected = world.all_files()
    world.git.refs = {"refs/heads/main": start}
    built = world.build(jobs=jobs, interrupts=moments, grace=grace, verify_seconds=verify_seconds)
    landed = {name for name, final in built.finals.items() if final == "landed"}
    after = world.build(jobs=jobs, verify_seconds=verify_seconds)
    assert after.finished.ok and not landed & set(after.ran)
    assert world.all_files() == expected
    world.build_nothing()


# --- what this machine does not allow ------------------------------------------------------------------------


def test_a_build_that_the_environment_breaks_off_tells_its_end_too() -> None:
    world = World.of(unknown("alpha"), unknown("beta", needs=("alpha",)), unknown("gamma", needs=("beta",)))

    def run(order: AttemptOrder, tree: Tree) -> Script:
        if order.task.name == "beta":
            raise environment_error("no room on the disk")
        return script({"x": "1"})

    world.behave = run
    with pytest.raises(OrchestraError, match="no room on the disk"):
        world.build(jobs=1)
    last = world.last_events[-1]
    assert isinstance(last, BuildFinished)
    assert (last.ok, last.interrupted, last.error) == (False, False, "no room on the disk")
    assert last.tasks == {"alpha": Final.LANDED, "beta": Final.INTERRUPTED, "gamma": Final.SKIPPED}
    world.behave = None
    assert world.build().ran == ["beta", "gamma"]
