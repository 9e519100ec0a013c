"""Repairs: an agent goes on with what its check says, in the same slot, as often as it may and no more."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestra.execution.attempt import FAILED, AttemptSteps
from orchestra.execution.course import together
from orchestra.execution.local import LocalExecutor
from orchestra.execution.log import AttemptLog
from orchestra.model.agents import Resume
from orchestra.model.outcomes import Exit, Fault, Outcome, Usage
from orchestra.model.ports import AttemptEnded, PhaseBegan, Unmerged
from orchestra.model.tasks import AgentSpec
from orchestra.planning.simulate import ManualClock
from tests.execution.scripted import Run, ScriptedAgent
from tests.execution.shop import Shop, prompted
from tests.vcs.kit import Person

PROMPT = "# Title\n\nMake it good.\n"
CHECK = "cat f; grep -q good f"


def worker(person: Person, *runs: Run | str, **traits: bool) -> tuple[Shop, ScriptedAgent]:
    agent = ScriptedAgent(*runs, **traits)
    return Shop(person, adapters={"worker": agent}), agent


def phases(ended: AttemptEnded) -> list[str]:
    return [phase.name for phase in ended.phases]


def test_it_goes_on_in_the_same_slot_told_what_failed(person: Person) -> None:
    shop, agent = worker(
        person,
        Run("echo bad > f; echo x > ignored.ign", Usage(10, 1, usd=0.5)),
        Run("grep bad f; cat ignored.ign; echo good > f", Usage(20, 2, usd=0.25)),
    )
    ended = shop.attempt(prompted(PROMPT, "worker", check=CHECK))
    assert (ended.outcome, ended.fault, ended.detail) == (Outcome.SUCCESS, None, "")
    assert phases(ended) == ["prepare", "agent", "check", "repair 1", "check", "capture"]
    assert ended.usage == Usage(30, 3, usd=0.75)
    assert person.committed(ended.result or "")["f"] == ("100644", b"good\n")
    first, second = agent.orders
    assert first.worktree == second.worktree and first.prompt == PROMPT
    assert second.prompt.startswith("# Title\n\nMake it good.\n\n---\n\nThe check of this task failed")
    assert f"`{CHECK}`, exit status 1" in second.prompt and "\n    bad\n" in second.prompt
    assert Path(second.prompt_file).read_text() == second.prompt != Path(first.prompt_file).read_text()
    assert "== repair 1: sh -e -c" in Path(ended.log).read_text()
    assert person.refs(FAILED) == {}


def test_the_phases_are_told_as_they_begin(person: Person) -> None:
    shop, _ = worker(person, "echo bad > f", "echo good > f")
    with LocalExecutor(shop.workshop, shop.logs) as executor:
        executor.start(shop.order(prompted(PROMPT, "worker", check=CHECK)))
        told = [one.phase for one in shop.drain(executor) if isinstance(one, PhaseBegan)]
    assert told == ["prepare", "agent", "check", "repair 1", "check", "capture"]


def test_a_session_goes_on_where_the_program_can_resume_it(person: Person) -> None:
    shop, agent = worker(
        person,
        Run("echo 1 > f", Usage(10), "s-1"),
        Run("echo 2 > f", Usage(5), "s-2"),
        Run("echo good > f", Usage(1), "s-2"),
        resumes=True,
    )
    ended = shop.attempt(prompted(PROMPT, "worker", check=CHECK, repairs=2))
    assert ended.outcome is Outcome.SUCCESS and ended.usage == Usage(16)
    assert [order.resume for order in agent.orders] == [
        None,
        Resume("s-1", Usage(10)),
        Resume("s-2", Usage(15)),
    ]
    assert all("Make it good" not in order.prompt for order in agent.orders[1:])


@pytest.mark.parametrize("repairs", [0, 1, 3])
def test_at_most_as_often_as_the_task_says(person: Person, repairs: int) -> None:
    shop, agent = worker(person, *(f"echo {n} >> f" for n in range(repairs + 1)))
    ended = shop.attempt(prompted(PROMPT, "worker", check=CHECK, repairs=repairs))
    assert (ended.outcome, ended.fault) == (Outcome.CHECK_FAILED, Fault.AGENT)
    assert ended.detail == f"check `{CHECK}`: exit status 1" and ended.tail[-1] == str(repairs)
    assert len(agent.orders) == repairs + 1
    # All of it is kept.
    assert person.committed(f"{FAILED}build-1-1")["f"][1].decode().split() == list(
        map(str, range(repairs + 1))
    )


def test_a_repair_that_changes_nothing_and_fails_again_is_the_last(person: Person) -> None:
    shop, agent = worker(person, "echo bad > f", "true")
    assert shop.attempt(prompted(PROMPT, "worker", check=CHECK, repairs=5)).outcome is Outcome.CHECK_FAILED
    assert len(agent.orders) == 2


def test_a_check_that_passes_the_second_time_needs_no_change(person: Person, tmp_path: Path) -> None:
    shop, _ = worker(person, "echo x > f", "true")
    once = f"test -e {tmp_path}/ran || {{ touch {tmp_path}/ran; exit 1; }}"
    assert shop.attempt(prompted(PROMPT, "worker", check=once)).outcome is Outcome.SUCCESS


def test_who_cannot_be_told_is_not_asked_again(person: Person) -> None:
    shop, agent = worker(person, "echo bad > f", told=False)
    ended = shop.attempt(prompted(PROMPT, "worker", check=CHECK, repairs=5))
    assert (ended.outcome, ended.told, len(agent.orders)) == (Outcome.CHECK_FAILED, False, 1)


def test_an_agent_that_fails_in_a_repair_fails_the_attempt(person: Person) -> None:
    shop, _ = worker(
        person,
        "echo bad > f",
        Run("exit 3", judged={"transient": True, "retry_after": 7.0, "throttled": True}),
    )
    ended = shop.attempt(prompted(PROMPT, "worker", check=CHECK, repairs=5))
    assert (ended.outcome, ended.detail) == (Outcome.FAILED, "exit status 3")
    assert (ended.transient, ended.retry_after, ended.throttled) == (True, 7.0, True)
    assert person.committed(f"{FAILED}build-1-1")["f"] == ("100644", b"bad\n")


def test_one_limit_of_time_bounds_all_rounds(person: Person) -> None:
    shop, agent = worker(person, "echo bad > f", "sleep 600")
    ended = shop.attempt(prompted(PROMPT, "worker", check=CHECK, repairs=5, timeout=1.5))
    assert (ended.outcome, ended.detail) == (Outcome.TIMED_OUT, "not done after 1.5 s (timeout)")
    assert len(agent.orders) == 2
    # A check that takes all the time leaves none for a repair.
    shop, agent = worker(person, "echo bad > f")
    ended = shop.attempt(prompted(PROMPT, "worker", check="sleep 600", repairs=5, timeout=0.5))
    assert (ended.outcome, len(agent.orders)) == (Outcome.CHECK_FAILED, 1)


def test_no_repair_once_the_money_is_spent(person: Person) -> None:
    shop, agent = worker(person, Run("echo 1 > f", Usage(usd=0.75)), Run("echo 2 > f", Usage(usd=0.25)))
    ended = shop.attempt(prompted(PROMPT, "worker", check=CHECK, repairs=5), usd=1.0)
    assert (ended.outcome, ended.usage.usd) == (Outcome.CHECK_FAILED, 1.0)
    assert [order.usd for order in agent.orders] == [1.0, 0.25]


def test_an_interrupt_in_a_check_is_no_reason_to_repair(person: Person) -> None:
    shop, agent = worker(person, "echo bad > f")
    task = prompted(PROMPT, "worker", check="sleep 600", repairs=5)
    with LocalExecutor(shop.workshop, shop.logs) as executor:
        executor.start(shop.order(task))
        shop.drain(
            executor, lambda happening: isinstance(happening, PhaseBegan) and happening.phase == "check"
        )
        executor.stop(now=True)
        shop.drain(executor)
    (ended,) = (one for one in shop.told if isinstance(one, AttemptEnded))
    assert (ended.outcome, len(agent.orders)) == (Outcome.INTERRUPTED, 1)


def test_a_setup_that_fails_before_the_check_is_not_the_agents_to_repair(person: Person) -> None:
    person.write("lock", "1\n")
    person.commit()
    agent = ScriptedAgent("echo 2 > lock")
    setup = {"setup": "grep 1 lock", "setup_inputs": ("lock",)}
    shop = Shop(person, worktrees=setup, adapters={"worker": agent})
    ended = shop.attempt(prompted(PROMPT, "worker", check="true", repairs=5))
    assert (ended.outcome, ended.fault, len(agent.orders)) == (Outcome.CHECK_FAILED, Fault.PROJECT, 1)


def test_a_program_of_ones_own_is_repaired_too(person: Person) -> None:
    script = person.write(
        "../agent.sh", 'grep -q "check of this task failed" "$1" && echo good > f || echo bad > f'
    )
    agent = AgentSpec("mine", "command", command=("sh", str(script), "{prompt_file}"))
    ended = Shop(person, agents={"mine": agent}).attempt(prompted(PROMPT, "mine", check=CHECK))
    assert ended.outcome is Outcome.SUCCESS


def test_what_runs_used_together_is_never_more_than_is_known() -> None:
    assert together() == Usage() == together(Usage(), Usage())
    assert together(Usage(1, None, 3, usd=0.5), Usage(2, 5, usd=0.25)) == Usage(3, 5, 3, usd=0.75)
    assert together(Usage(1, usd=0.5), Usage()) == Usage(1, usd=0.5)
    # What one of them cost is not what both did.
    assert together(Usage(1, usd=0.5), Usage(2)) == Usage(3)


# --- two sides brought together ------------------------------------------------------------------------------------


def two_sides(person: Person) -> tuple[str, Unmerged]:
    """What landed meanwhile, on which the branch stands now, and an earlier result that conflicts with it."""
    person.write("f", "one\ntwo\nthree\n")
    person.write("g", "g\n")
    base = person.commit()
    person.write("f", "one\nMINE\nthree\n")
    person.write("only-mine", "x\n")
    mine = person.commit("Attempt build-1-0")
    person.git("reset", "-q", "--hard", base)
    person.write("g", "landed\n")
    person.commit("Elsewhere")
    person.write("f", "one\nTHEIRS\nthree\n")
    tip = person.commit("Say THEIRS in f")
    return tip, Unmerged(base, mine, ("f",))


def test_the_worktree_holds_both_sides_and_the_result_stands_on_the_tip(person: Person) -> None:
    tip, unmerged = two_sides(person)
    shop, agent = worker(
        person, "cat f only-mine g; git rev-parse HEAD; printf 'one\\nTHEIRS and MINE\\nthree\\n' > f"
    )
    ended = shop.attempt(prompted(PROMPT, "worker"), unmerged=unmerged)
    assert ended.outcome is Outcome.SUCCESS and ended.result is not None
    assert list(ended.tail) == [
        *("one", f"<<<<<<< {tip}", "THEIRS", "=======", "MINE", f">>>>>>> {unmerged.result}", "three"),
        *("x", "landed", tip),
    ]
    assert person.head(f"{ended.result}^") == tip
    files = person.committed(ended.result)
    assert (files["f"][1], files["only-mine"][1]) == (b"one\nTHEIRS and MINE\nthree\n", b"x\n")
    told = agent.orders[0].prompt
    assert told.startswith(PROMPT.rstrip()) and "the two sides conflict: f." in told
    # What changed the file is told, what landed elsewhere is not.
    assert "- Say THEIRS in f" in told and "Elsewhere" not in told


def test_markers_that_are_left_fail_the_attempt_and_go_to_a_repair(person: Person) -> None:
    _, unmerged = two_sides(person)
    shop, agent = worker(person, "echo x >> f", "git checkout -q HEAD -- f; echo good >> f")
    ended = shop.attempt(prompted(PROMPT, "worker", check=CHECK), unmerged=unmerged)
    assert ended.outcome is Outcome.SUCCESS
    assert phases(ended) == ["prepare", "agent", "repair 1", "check", "capture"]
    assert "conflict markers left in f" in agent.orders[1].prompt
    shop, agent = worker(person, "echo x >> f")
    ended = shop.attempt(prompted(PROMPT, "worker", repairs=0), unmerged=unmerged)
    assert (ended.outcome, ended.detail) == (Outcome.CHECK_FAILED, "conflict markers are left in f")


def test_lines_like_markers_that_were_there_before_are_none(person: Person) -> None:
    person.write("f", "<<<<<<< not one\nx\n")
    base = person.commit()
    person.write("f", "<<<<<<< not one\nmine\n")
    mine = person.commit()
    person.git("reset", "-q", "--hard", base)
    person.write("f", "<<<<<<< not one\ntheirs\n")
    person.commit()
    shop, _ = worker(person, "printf '<<<<<<< not one\\nboth\\n' > f")
    ended = shop.attempt(prompted(PROMPT, "worker"), unmerged=Unmerged(base, mine, ("f",)))
    assert ended.outcome is Outcome.SUCCESS


def test_sides_that_merge_after_all_are_told_so(person: Person) -> None:
    base = person.head()
    person.write("A", "x\n")
    mine = person.commit()
    person.git("reset", "-q", "--hard", base)
    person.write("b", "x\n")
    person.commit("Land a twin")
    shop, agent = worker(person, "cat A b; mv A c")
    ended = shop.attempt(prompted(PROMPT, "worker"), unmerged=Unmerged(base, mine, ("A", "a")))
    assert ended.outcome is Outcome.SUCCESS
    assert "The two sides met in A, a." in agent.orders[0].prompt and "Land a twin" in agent.orders[0].prompt
    assert set(person.committed(ended.result or "")) == {"README.md", ".gitignore", "b", "c"}


# --- context -------------------------------------------------------------------------------------------------------


def test_context_stands_before_the_prompt_as_it_is_in_the_base(person: Person) -> None:
    person.write("NOTES.md", "As committed.\n")
    person.write("docs/b.md", b"Odd \xff byte.\n")
    person.commit()
    person.write("NOTES.md", "As edited.\n")
    agent = ScriptedAgent("echo bad > f", "echo good > f")
    context = ("NOTES.md", "missing.md", "docs/b.md")
    shop = Shop(person, adapters={"worker": agent}, context=context)
    assert shop.attempt(prompted(PROMPT, "worker", check=CHECK), told="Told.").outcome is Outcome.SUCCESS
    before = "# NOTES.md\n\nAs committed.\n\n---\n\n# docs/b.md\n\nOdd � byte.\n\n---\n\n"
    assert agent.orders[0].prompt == f"{before}{PROMPT.rstrip()}\n\n---\n\nTold.\n"
    assert agent.orders[1].prompt.startswith(before)
    person.git("checkout", "-q", "--", ".")


def test_who_cannot_be_told_gets_the_prompt_as_it_is_written(person: Person) -> None:
    person.write("NOTES.md", "```sh\ntouch from-the-notes\n```\n")
    person.commit()
    shop = Shop(person, context=("NOTES.md",))
    ended = shop.attempt(prompted("```sh\necho x > f\n```"), told="```sh\ntouch told\n```")
    assert {"f", "NOTES.md"} == set(person.committed(ended.result or "")) - {"README.md", ".gitignore"}


def test_a_context_that_grew_too_long_starts_nothing(person: Person) -> None:
    person.write("NOTES.md", "x" * (256 * 2**10 + 1))
    person.commit()
    shop = Shop(person, adapters={"worker": ScriptedAgent()}, context=("NOTES.md",))
    ended = shop.attempt(prompted(PROMPT, "worker"))
    assert (ended.outcome, ended.fault) == (Outcome.NOT_STARTED, Fault.ENVIRONMENT)
    assert "the files of `context` hold 262,145 bytes" in ended.detail


def test_each_command_has_what_is_left_of_the_time(person: Person) -> None:
    clock = ManualClock(1000.0)
    shop = Shop(person, adapters={"worker": ScriptedAgent("true", "true")}, clock=clock)
    task = prompted(PROMPT, "worker", check=CHECK, timeout=100.0, repairs=5)
    log = AttemptLog(shop.logs / "001-task.log")
    steps = AttemptSteps(
        shop.workshop, shop.order(task), shop.bench.pool.acquire(), log, lambda phase: None
    ).steps()
    left = [next(steps).timeout]
    for seconds, ended in ((30.0, Exit(0)), (10.0, Exit(1)), (0.0, Exit(0))):
        clock.seconds += seconds
        left.append(steps.send(ended).timeout)
    assert left == [100.0, 70.0, 60.0, 60.0]
    # A check that fails when no time is left goes to nobody.
    clock.seconds += 60.0
    with pytest.raises(StopIteration) as done:
        steps.send(Exit(1))
    log.close()
    assert done.value.value.outcome is Outcome.CHECK_FAILED
