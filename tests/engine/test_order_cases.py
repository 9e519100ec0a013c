"""Who may run beside whom, and when a task is decided, case by case: the rules of order on a simulated machine."""

from __future__ import annotations

import pytest

from orchestra.model.events import TaskLanded, TaskRejected
from orchestra.model.tasks import Inferred, Task
from orchestra.planning.simulate import Script
from tests.model.kit import task

from .telling import landed, started
from .world import Edits, Files, World, fails, script

# --- needs ---------------------------------------------------------------------------------------------------


def test_a_needed_task_lands_first_and_the_base_of_who_needs_it_holds_its_result() -> None:
    world = World.of(task("use", write=("use",), needs=("make",)), task("make", write=("make",)))
    world.does["use"] = lambda files: {"use": f"of {files['make']}"}
    built = world.build(jobs=2)
    assert built.ran == ["make", "use"] and world.files()["use"] == "of make"
    assert started(built, "use").base == landed(built, "make").commit


def test_a_needed_task_that_is_fresh_is_enough() -> None:
    world = World.of(task("make", write=("make",)), task("use", write=("use",), needs=("make",)))
    world.build("make")
    assert world.build().ran == ["use"]


def test_who_needs_one_that_was_rejected_is_skipped() -> None:
    world = World.of(
        task("make", write=("make",)),
        task("use", write=("use",), needs=("make",)),
        task("other", write=("o",)),
    )
    world.does["make"] = lambda files: {"elsewhere": "x"}
    assert world.build().finals == {"make": "rejected", "use": "skipped", "other": "landed"}


def test_a_subset_runs_the_needs_that_have_become_stale_and_nothing_else() -> None:
    world = World.of(
        task("make", write=("make",), read=("src",)),
        task("use", write=("use",), needs=("make",)),
        task("beside", write=("beside",), read=("src",)),
        files={"src": "1"},
    )
    for name in ("make", "beside"):
        world.does[name] = lambda files, name=name: {name: files["src"]}  # type: ignore[misc]
    world.does["use"] = lambda files: {"use": files["make"]}
    world.build()
    world.edit({"src": "2"})
    built = world.build("use")
    assert built.ran == ["make", "use"] and set(built.finals) == {"make", "use"}
    assert world.files()["use"] == "2" and world.files()["beside"] == "1"
    assert world.build().ran == ["beside"]


# --- writers and readers -------------------------------------------------------------------------------------


def test_a_writer_goes_first_and_its_failure_skips_no_reader() -> None:
    world = World.of(task("read", write=("out",), read=("src",)), task("write", write=("src",)))
    world.does["read"] = lambda files: {"out": f"of {files.get('src')}"}
    world.does["write"] = lambda files: fails()
    built = world.build(jobs=2)
    assert built.ran == ["write", "read"] and built.finals == {"read": "landed", "write": "failed"}
    world.does["write"] = lambda files: {"src": "1"}
    assert world.build(jobs=2).ran == ["write", "read"] and world.files()["out"] == "of 1"
    world.build_nothing()


def test_who_reads_what_the_other_writes_and_the_other_way_round_go_in_manifest_order() -> None:
    for order in (("one", "two"), ("two", "one")):
        tasks = {
            "one": task("one", write=("a",), read=("b",)),
            "two": task("two", write=("b",), read=("a",)),
        }
        world = World.of(*(tasks[name] for name in order))
        assert tuple(world.build(jobs=2).ran) == order


@pytest.mark.parametrize("priority", [(0, 5), (5, 0)])
def test_a_priority_changes_when_a_task_starts_and_never_what_comes_out(priority: tuple[int, int]) -> None:
    """Manifest order decides between two writers, and between those that share."""
    one, two = priority
    world = World.of(
        task("one", write=("x",), priority=one),
        task("two", write=("x",), priority=two),
        task("three", write=("3",), shared=("log/*",), priority=one),
        task("four", write=("4",), shared=("log/*",), priority=two),
    )
    world.does["one"] = lambda files: {"x": f"{files.get('x', '')}1"}
    world.does["two"] = lambda files: {"x": f"{files.get('x', '')}2"}
    built = world.build(jobs=1)
    assert world.files()["x"] == "12"
    order = [event.task for event in built.of(TaskLanded)]
    assert order.index("one") < order.index("two") and order.index("three") < order.index("four")
    world.build_nothing()


def test_a_lease_is_held_until_the_landing_and_not_only_while_the_attempt_runs() -> None:
    world = World.of(task("one", write=("x",)), task("two", write=("x",)), verify="make check")
    world.does["two"] = lambda files: {"x": f"{files['x']} two"}
    built = world.build(jobs=2, verify_seconds=3.0)
    assert started(built, "two").time >= landed(built, "one").time
    assert built.ran == ["one", "two"] and world.files()["x"] == "one two"


def test_claims_that_overlap_nowhere_run_side_by_side_and_patterns_that_may_meet_do_not() -> None:
    for one, two in (("a/**", "b/**"), ("a/*.py", "a/*.md"), ("a/?/x", "a/?/y")):
        apart = World.of(task("one", write=(one,)), task("two", write=(two,)))
        assert apart.build(jobs=2).executor.peak == 2, (one, two)
    for one, two in (("a/*.py", "a/b*"), ("**/x", "a/**"), ("[ab]/c", "?/c"), ("a", "a/b")):
        meeting = World.of(task("one", write=(one,)), task("two", write=(two,)))
        assert meeting.build(jobs=2).executor.peak == 1, (one, two)


def test_writers_of_one_file_go_in_manifest_order_unless_needs_or_readers_say_otherwise() -> None:
    world = World.of(task("one", write=("x",), needs=("two",)), task("two", write=("x",)))
    assert world.build(jobs=2).ran == ["two", "one"]
    world = World.of(task("one", write=("x",), read=("y",)), task("two", write=("x", "y")))
    assert world.build(jobs=2).ran == ["two", "one"]


def test_claims_that_only_some_machines_take_for_one_file_are_ordered() -> None:
    for one, two in (("Src/a", "src/A"), ("docs/stra\u00dfe", "docs/STRASSE"), ("src/*.PY", "SRC/x.py")):
        world = World.of(task("one", write=(one,)), task("two", write=(two,)))
        world.does["one"] = world.does["two"] = lambda files: {}
        assert world.build(jobs=2).executor.peak == 1, (one, two)


# --- unknown claims, commands, exclusive ---------------------------------------------------------------------


def test_tasks_of_which_nobody_said_what_they_write_run_beside_the_others_and_meet_at_the_landing() -> None:
    world = World.of(task("one"), task("two"), task("three", write=("src/**",)))
    world.does["one"] = lambda files: script({"x": f"{files.get('x', '')}1"}, 1.0)
    world.does["two"] = lambda files: script({"x": f"{files.get('x', '')}2"}, 2.0)
    world.does["three"] = lambda files: {"src/a": "3"}
    built = world.build(jobs=3)
    assert built.executor.peak == 3
    assert built.ran.count("two") == 2 and world.files()["x"] == "12"


def test_a_command_without_claims_goes_before_whoever_reads_anything() -> None:
    command = task("command", run="make", read=("**",), unread=("prompts/**",))
    world = World.of(command, task("reads", write=("out",), read=("src/a",)))
    world.does["command"] = lambda files: {"src/a": "1"}
    world.does["reads"] = lambda files: {"out": files.get("src/a", "nothing")}
    assert world.build(jobs=2).ran == ["command", "reads"] and world.files()["out"] == "1"
    world.build_nothing()


def test_a_command_without_claims_and_an_exclusive_task_run_alone() -> None:
    every = {"read": ("**",), "unread": ("prompts/**",)}
    for alone in (task("alone", run="make", **every), task("alone", exclusive=True)):  # type: ignore[arg-type]
        world = World.of(task("one", write=("1",)), alone, task("two", write=("2",)))
        world.does["alone"] = lambda files: {"all": "x"}
        built = world.build(jobs=3)
        assert built.finished.ok
        (other,) = {"one", "two"} - {built.ran[0]}
        lone = started(built, "alone")
        for name in ("one", other):
            assert (
                landed(built, name).time <= lone.time
                or started(built, name).time >= landed(built, "alone").time
            )


# --- the audit -----------------------------------------------------------------------------------------------


def infers(name: str, *paths: str) -> Task:
    """A task of which the analysis found what it writes."""
    return task(name, inferred=tuple(Inferred(path, "write", 1, "named there") for path in paths))


def test_inferred_claims_order_tasks_as_declared_ones_do() -> None:
    world = World.of(infers("one", "x"), infers("two", "x"), task("three", write=("x",)))
    for name in ("one", "two", "three"):
        world.does[name] = lambda files, name=name: {"x": f"{files.get('x', '')} {name}"}  # type: ignore[misc]
    built = world.build(jobs=3)
    assert built.ran == ["one", "two", "three"] and world.files()["x"] == " one two three"
    read = Inferred("x", "read", 1, "named there")
    world = World.of(task("reads", inferred=(read,)), task("writes", write=("x",)))
    assert world.build(jobs=2).ran == ["writes", "reads"]


def test_both_ends_of_a_rename_are_compared_with_the_claims() -> None:
    for claimed, other in (("old", "new"), ("new", "old")):
        world = World.of(task("t", write=(claimed,)), files={"old": "the same"})
        world.does["t"] = lambda files: {"old": None, "new": "the same"}
        built = world.build()
        assert built.finals == {"t": "rejected"} and built.of(TaskRejected)[0].paths == (other,)


def test_a_twin_of_a_path_is_refused() -> None:
    world = World.of(task("t", write=("src/*",)), files={"src/a": "1"})
    world.does["t"] = lambda files: {"src/A": "2"}
    built = world.build()
    (event,) = built.of(TaskRejected)
    assert event.paths == ("src/A", "src/a") and "case" in event.why
    # At the audit, not at the merge: another attempt on a new tip would see the same.
    assert built.ran == ["t"]


@pytest.mark.parametrize("claimant", [task("other", write=("theirs",)), infers("other", "theirs")])
def test_outside_inferred_claims_is_rejected_where_another_claims_it_though_that_one_does_not_run(
    claimant: Task,
) -> None:
    world = World.of(infers("t", "mine"), claimant)
    world.build("other")
    world.does["t"] = lambda files: {"mine": "1", "theirs": "by t", "free": "1"}
    built = world.build("t")
    assert built.finals == {"t": "rejected"}
    (event,) = built.of(TaskRejected)
    assert event.paths == ("theirs",) and "`other`" in event.why
    assert "mine" not in world.files()


def test_outside_inferred_claims_is_accepted_where_nobody_claims_it() -> None:
    world = World.of(infers("t", "mine"), task("other", write=("theirs",)), infers("third", "mine", "3"))
    world.does["t"] = lambda files: {"mine": "1", "free": "1"}
    assert world.build().finished.ok
    assert world.files()["free"] == "1"
    world.build_nothing()


def test_protected_paths_are_rejected_whatever_is_claimed() -> None:
    for one in (task("t", write=("**",)), task("t"), infers("t", ".github/x"), task("t", exclusive=True)):
        world = World.of(one)
        world.does["t"] = lambda files: {".github/x": "1", "fine": "1"}
        built = world.build()
        assert built.finals == {"t": "rejected"}
        assert built.of(TaskRejected)[0].paths == (".github/x",)


# --- just in time, and once more at the end ------------------------------------------------------------------


def test_a_reader_is_decided_on_what_the_writers_before_it_left() -> None:
    world = World.of(
        task("write", write=("src/a",), read=("spec",)),
        task("read", write=("out",), read=("src/**",)),
        files={"spec": "1"},
    )
    world.does["write"] = lambda files: {"src/a": str(len(files["spec"]))}
    world.does["read"] = lambda files: {"out": files["src/a"]}
    world.build()
    world.edit({"spec": "2"})
    # The writer runs and makes the same: whoever had been decided with it at the start would run for nothing.
    built = world.build(jobs=2)
    assert built.ran == ["write"] and built.finals["read"] == "fresh"
    world.edit({"spec": "33"})
    built = world.build(jobs=2)
    assert built.ran == ["write", "read"]
    assert started(built, "read").base == landed(built, "write").commit


def test_who_waited_for_a_place_is_decided_on_the_commit_from_which_it_starts() -> None:
    world = World.of(task("slow", write=("slow",), priority=1), task("t", write=("out",), read=("src",)))

    def slow(files: Files) -> Edits | Script:
        world.edit({"src": "by hand"})
        return fails()

    world.does["slow"] = slow
    world.does["t"] = lambda files: {"out": files.get("src", "nothing")}
    built = world.build(jobs=1)
    assert built.ran == ["slow", "t"] and world.files()["out"] == "by hand"


@pytest.mark.parametrize("ends", ["failed", "rejected"])
def test_who_failed_or_was_rejected_is_not_tried_again_at_the_end(ends: str) -> None:
    world = World.of(task("t", write=("out",)), task("other", write=("other",)))
    world.does["t"] = lambda files: fails() if ends == "failed" else {"elsewhere": "x"}
    built = world.build()
    assert built.ran.count("t") == 1 and built.finals == {"t": ends, "other": "landed"}
    assert not built.finished.ok
    # Nor does anything remember it: it is stale for the reason for which it was stale before.
    again = world.build()
    assert again.ran == ["t"] and [str(reason) for reason in started(again, "t").reasons] == ["never-built"]
