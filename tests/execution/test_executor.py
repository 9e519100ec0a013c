"""The executor of this machine, end to end: real slots, real processes, real git, on a tiny repository."""

from __future__ import annotations

import itertools
import os
import re
import select
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from orchestra.execution.attempt import FAILED
from orchestra.execution.local import SIGNALS, LocalExecutor
from orchestra.execution.supervisor import descendants, processes
from orchestra.model.outcomes import Fault, Outcome
from orchestra.model.ports import (
    AgentSaid,
    AttemptEnded,
    Interrupted,
    PhaseBegan,
    Started,
    VerifyEnded,
    VerifyOrder,
)
from orchestra.model.rescued import RESCUED
from orchestra.model.tasks import AgentSpec, Claims
from tests.execution.shop import LIMIT, Shop, is_ready, prompted, run
from tests.vcs.kit import Person, on_disk, plain

# --- how an attempt ends -----------------------------------------------------------------------------------------


def test_success_is_captured_on_the_base(shop: Shop, person: Person) -> None:
    ended = shop.attempt(run("echo hello; echo x > new; chmod +x README.md"))
    assert (ended.outcome, ended.fault, ended.detail) == (Outcome.SUCCESS, None, "")
    assert ended.result is not None
    assert person.head(f"{ended.result}^") == person.head()
    assert person.committed(ended.result)["new"] == ("100644", b"x\n")
    assert person.committed(ended.result)["README.md"] == ("100755", b"A project\n")
    assert person.refs("refs/orchestra/") == {"refs/orchestra/results/key/build-1-1": ended.result}
    assert (ended.summary, ended.tail, ended.exit_status, ended.signal) == ("hello", ("hello",), 0, None)
    assert ended.changed_bytes == len("x\nA project\n")
    assert [phase.name for phase in ended.phases] == ["prepare", "agent", "capture"]
    assert all(phase.started <= phase.ended for phase in ended.phases)
    assert ended.cpu_s > 0 and ended.peak_bytes > 0
    assert Path(ended.log).read_text() == (
        "== agent: sh -c -- 'echo hello; echo x > new; chmod +x README.md'\nhello\n"
    )


def test_no_change_is_an_ending_of_its_own(shop: Shop, person: Person) -> None:
    ended = shop.attempt(run("echo x > x.ign; cp README.md y; mv y README.md"))
    assert (ended.outcome, ended.fault) == (Outcome.NO_CHANGE, None)
    # That nothing had to change is kept as well: its tree is that of the base.
    repository = person.repository()
    assert ended.result is not None
    assert repository.tree(ended.result).files == repository.tree("HEAD").files
    assert list(person.refs("refs/orchestra/").values()) == [ended.result]
    check = shop.attempt(run("true", claims=Claims(write=())))
    assert (check.outcome, check.result) == (Outcome.NO_CHANGE, None)


def test_failure_keeps_what_was_done(shop: Shop, person: Person) -> None:
    ended = shop.attempt(run("echo x > new; for n in $(seq 30); do echo line $n; done; echo bad >&2; exit 3"))
    assert (ended.outcome, ended.fault, ended.detail) == (Outcome.FAILED, Fault.AGENT, "exit status 3")
    assert ended.exit_status == 3
    assert person.refs("refs/orchestra/") == {f"{FAILED}build-1-1": ended.result}
    assert len(ended.tail) == 20 and {"line 30", "bad"} <= set(ended.tail)
    assert Path(ended.log).read_text().count("line") == 30 + 1


def test_a_failure_that_changed_nothing_keeps_nothing(shop: Shop, person: Person) -> None:
    assert shop.attempt(run("false")).result is None
    assert person.refs("refs/orchestra/") == {}


def test_killed_by_a_signal(shop: Shop) -> None:
    ended = shop.attempt(run("kill -SEGV $$"))
    assert (ended.outcome, ended.signal, ended.exit_status) == (Outcome.FAILED, signal.SIGSEGV, None)


def test_the_check_decides(shop: Shop, person: Person) -> None:
    good = shop.attempt(
        run("echo said by the agent; echo x > new", check="grep x new; grep project README.md")
    )
    assert good.outcome is Outcome.SUCCESS
    assert [phase.name for phase in good.phases] == ["prepare", "agent", "check", "capture"]
    bad = shop.attempt(run("echo said by the agent; echo x > new", check="echo looked; grep y new"))
    assert (bad.outcome, bad.fault) == (Outcome.CHECK_FAILED, Fault.AGENT)
    assert bad.detail == "check `echo looked; grep y new`: exit status 1"
    assert bad.tail == ("looked",)  # of the check alone
    assert person.committed(f"{FAILED}build-1-1")["new"] == ("100644", b"x\n")


def test_a_check_does_not_run_after_a_failure(shop: Shop, tmp_path: Path) -> None:
    assert shop.attempt(run("false", check=f"touch {tmp_path}/ran")).outcome is Outcome.FAILED
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("where", ["agent", "check"])
def test_what_takes_too_long_is_stopped(shop: Shop, person: Person, where: str) -> None:
    hang = "echo x > new; sleep 600 & sleep 600"
    task = run(hang, timeout=0.3) if where == "agent" else run("true", check=hang, timeout=0.3)
    ended = shop.attempt(task)
    outcome = Outcome.TIMED_OUT if where == "agent" else Outcome.CHECK_FAILED
    assert (ended.outcome, ended.fault) == (outcome, Fault.AGENT)
    assert "0.3 s (timeout)" in ended.detail or "took too long" in ended.detail
    assert person.committed(f"{FAILED}build-1-1")["new"] == ("100644", b"x\n")


def test_a_program_that_is_missing_is_the_environments_fault(person: Person) -> None:
    agent = AgentSpec("local", "command", command=("no-such-program", "{prompt_file}"))
    ended = Shop(person, agents={"local": agent}).attempt(prompted("x", "local"))
    assert (ended.outcome, ended.fault, ended.exit_status) == (Outcome.NOT_STARTED, Fault.ENVIRONMENT, 127)
    assert ended.detail == "no-such-program: not found"
    assert ended.tail == ("no-such-program: not found",)


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("git init -q inner; touch inner/x", "git repository was left inside the worktree: inner"),
        ('rm -rf "$PWD"', "the worktree was deleted: "),
        ("mkdir .GIT; touch .GIT/x", "Ignoring path .GIT/x"),
    ],
)
def test_what_cannot_be_captured_is_told_and_the_slot_works_again(
    shop: Shop, person: Person, script: str, said: str
) -> None:
    ended = shop.attempt(run(script))
    assert (ended.outcome, ended.fault, ended.result) == (Outcome.CAPTURE_FAILED, Fault.AGENT, None)
    assert said in ended.detail
    failed = shop.attempt(run(f"{script}; exit 1"))
    assert failed.outcome is Outcome.FAILED
    assert failed.detail.startswith("exit status 1; its changes were not kept: ") and said in failed.detail
    assert shop.attempt(run("echo x > new")).outcome is Outcome.SUCCESS


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ('git worktree remove -f -f "$PWD"', "off git's list"),
        ('rm "$(git rev-parse --git-path orchestra-index)"', "orchestra-index"),
        ('echo nonsense > "$(git rev-parse --git-path commondir)"', "not a git repository"),
    ],
)
def test_what_git_or_the_disk_will_not_capture_is_the_environments_fault(
    shop: Shop, script: str, said: str
) -> None:
    ended = shop.attempt(run(f"echo x > new; {script}"))
    assert (ended.outcome, ended.fault, ended.result) == (Outcome.CAPTURE_FAILED, Fault.ENVIRONMENT, None)
    assert said in ended.detail
    assert shop.attempt(run("echo x > new")).outcome is Outcome.SUCCESS


def test_what_the_agent_does_with_git_is_its_own_affair(shop: Shop, person: Person) -> None:
    ended = shop.attempt(
        run("echo x > new; git add -A; git commit -qm own; git reset -q --hard HEAD~; echo y > y")
    )
    assert ended.outcome is Outcome.SUCCESS
    assert set(person.committed(ended.result or "")) == {"README.md", ".gitignore", "y"}
    assert [ref.removesuffix("-commits") for ref in person.refs(RESCUED)] == [f"{RESCUED}build-1-1"]


def test_a_base_that_is_gone_starts_nothing(shop: Shop) -> None:
    with LocalExecutor(shop.workshop, shop.logs) as executor:
        executor.start(replace(shop.order(run("true")), base="1" * 40))
        told = shop.drain(executor)
    (ended,) = (happening for happening in told if isinstance(happening, AttemptEnded))
    assert (ended.outcome, ended.fault) == (Outcome.NOT_STARTED, Fault.ENVIRONMENT)
    assert "cannot prepare the worktree" in ended.detail


def test_logs_that_cannot_be_written_stop_no_command(shop: Shop, person: Person) -> None:
    shop.logs.write_text("a file where the folder would be")
    ended = shop.attempt(run("echo said; echo x > new"))
    assert (ended.outcome, ended.tail) == (Outcome.SUCCESS, ("said",))
    told = shop.attempt(prompted("```sh\ntrue\n```"))  # but an agent needs its prompt
    assert (told.outcome, told.fault) == (Outcome.NOT_STARTED, Fault.ENVIRONMENT)
    assert "cannot write" in told.detail


# --- setup -------------------------------------------------------------------------------------------------------


def test_setup_runs_once_a_slot_and_is_no_part_of_the_result(person: Person) -> None:
    shop = Shop(person, worktrees={"setup": "echo set up; echo x >> runs; echo x >> README.md"})
    for turn in range(2):
        ended = shop.attempt(run("cat README.md runs; echo x > new"))
        assert ended.tail == ("A project", "x")
        assert set(person.committed(ended.result or "")) == {"README.md", ".gitignore", "new"}
        assert ("setup" in [phase.name for phase in ended.phases]) == (turn == 0)
    assert "== setup: sh -c -- " in (shop.logs / "001-task.log").read_text()


def test_setup_runs_again_before_a_check_whose_inputs_the_agent_changed(person: Person) -> None:
    person.write("lock", "1\n")
    person.commit()
    setup = {"setup": "cat lock > installed.ign", "setup_inputs": ("lock",)}
    shop = Shop(person, worktrees=setup)
    ended = shop.attempt(run("echo 2 > lock", check="grep 2 installed.ign"))
    assert ended.outcome is Outcome.SUCCESS
    assert [phase.name for phase in ended.phases] == [
        "prepare",
        "setup",
        "agent",
        "setup",
        "check",
        "capture",
    ]
    ended = shop.attempt(run("true", check="grep 1 installed.ign"))
    assert ended.outcome is Outcome.NO_CHANGE
    assert shop.verify("grep 1 installed.ign").passed


@pytest.mark.parametrize("when", ["at the start", "before the check"])
def test_a_setup_that_fails_is_the_projects_fault(person: Person, when: str, tmp_path: Path) -> None:
    person.write("lock", "1\n")
    person.commit()
    fails = "1" if when == "at the start" else "2"
    shop = Shop(person, worktrees={"setup": f"echo why; ! grep -q {fails} lock", "setup_inputs": ("lock",)})
    ended = shop.attempt(run(f"touch {tmp_path}/ran; echo 2 > lock", check="true"))
    outcome = Outcome.NOT_STARTED if when == "at the start" else Outcome.CHECK_FAILED
    assert (ended.outcome, ended.fault) == (outcome, Fault.PROJECT)
    assert "(worktrees.setup): exit status 1" in ended.detail
    assert ended.tail == ("why",)
    assert (tmp_path / "ran").exists() == (when != "at the start")


def test_copies_are_there(person: Person) -> None:
    person.write(".git/info/exclude", ".env\n")
    person.write(".env", "KEY=1\n")
    ended = Shop(person, worktrees={"copy": (".env",)}).attempt(run("cat .env; echo 2 > .env"))
    assert (ended.outcome, ended.tail) == (Outcome.NO_CHANGE, ("KEY=1",))
    assert (person.root / ".env").read_text() == "KEY=1\n"


# --- what an attempt is told -------------------------------------------------------------------------------------


def test_the_prompt_and_what_the_agent_is_told_reach_it_by_the_file(person: Person) -> None:
    agent = AgentSpec("local", "command", command=("cp", "{prompt_file}", "seen"))
    shop = Shop(person, agents={"local": agent})
    ended = shop.attempt(prompted("Do é it.\n\n", "local"))
    assert person.committed(ended.result or "")["seen"] == ("100644", "Do é it.\n\n".encode())
    ended = shop.attempt(prompted("Do it.\n\n", "local"), told="It failed: \udcff\ud800 bad")
    seen = person.committed(ended.result or "")["seen"][1].decode()
    assert seen == "Do it.\n\n---\n\nIt failed: \\udcff\\ud800 bad\n"


def test_a_script_runs_the_blocks_of_the_prompt_that_it_was_given(shop: Shop, person: Person) -> None:
    """Not those of the file in the worktree, which may be another by now."""
    ended = shop.attempt(prompted("# Title\n\n```sh\necho x > new\n```\n\n```python\nprint('both')\n```\n"))
    assert (ended.outcome, ended.summary) == (Outcome.SUCCESS, "both")


def test_where_it_is_and_what_is_set_and_what_is_not(person: Person) -> None:
    person.env |= {"CLAUDECODE": "1", "GIT_DIR": "/nowhere", "MINE": "1", "SECRET": "s", "TOKEN": "t"}
    shop = Shop(person)
    del person.env["GIT_DIR"]
    person.write(".git/info/exclude", ".env\n")
    person.write(".env", "SECRET=s\nTOKEN=t\n")
    task = run("env; pwd; git rev-parse --show-toplevel", env=(("MODE", "fast"),), passes=("TOKEN",))
    ended = shop.attempt(task)
    lines = Path(ended.log).read_text().splitlines()
    env = dict(line.split("=", 1) for line in lines if "=" in line)
    place = {name: value for name, value in env.items() if name.startswith("ORCHESTRA_")}
    assert place == {
        "ORCHESTRA_TASK": "task",
        "ORCHESTRA_BUILD": "build-1",
        "ORCHESTRA_ATTEMPT": "build-1-1",
        "ORCHESTRA_ROOT": str(person.root),
        "ORCHESTRA_SLOT": "1",
    }
    assert (env["MINE"], env["MODE"], env["TOKEN"]) == ("1", "fast", "t")
    assert not {"CLAUDECODE", "GIT_DIR", "SECRET"} & set(env)
    assert lines[-1] == lines[-2] == str(shop.bench.folder / "slot-1")


def test_the_check_and_setup_see_the_same(person: Person) -> None:
    shop = Shop(person, worktrees={"setup": "echo $ORCHESTRA_TASK $ORCHESTRA_SLOT $MODE > s.ign"})
    task = run("true", check='grep "task 1 fast" s.ign; test "$ORCHESTRA_TASK $MODE" = "task fast"')
    assert shop.attempt(replace(task, env=(("MODE", "fast"),))).outcome is Outcome.NO_CHANGE


def test_standard_input_is_empty(shop: Shop) -> None:
    assert shop.attempt(run("cat", timeout=20.0, check="cat")).outcome is Outcome.NO_CHANGE


# --- what is told ------------------------------------------------------------------------------------------------


def test_all_is_told_in_order(shop: Shop) -> None:
    with LocalExecutor(shop.workshop, shop.logs) as executor:
        assert executor.poll() == ()
        executor.start(shop.order(run("echo one; echo two >&2; echo three", check="echo four; false")))
        told = shop.drain(executor)
        assert executor.poll() == ()
    kinds = [type(happening) for happening in told]
    assert kinds[:3] == [Started, PhaseBegan, PhaseBegan]
    assert kinds[-1] is AttemptEnded and kinds.count(AttemptEnded) == 1
    assert [h.phase for h in told if isinstance(h, PhaseBegan)] == ["prepare", "agent", "check", "capture"]
    assert [h.event.text for h in told if isinstance(h, AgentSaid)] == ["one", "three"]
    started = told[0]
    assert isinstance(started, Started) and isinstance(told[-1], AttemptEnded)
    assert (started.slot, started.log) == (1, told[-1].log)


def test_logs_are_named_for_reading_and_lie_where_they_should(shop: Shop) -> None:
    with LocalExecutor(shop.workshop, shop.logs) as executor:
        for number, name in enumerate(("../../x", "a b/c", "é", "x" * 300, "task"), 1):
            executor.start(shop.order(run("echo said", name=name), f"build-1-{number}"))
            shop.drain(executor)
        executor.verify(VerifyOrder("verify-1", shop.person.head(), "echo verified", "../x"))
        shop.drain(executor)
    names = sorted(path.name for path in shop.logs.iterdir())
    assert names == [
        "001-..-..-x.log", "002-a-b-c.log", "003-é.log", f"004-{'x' * 60}.log", "005-task.log",
        "verify-1-..-x.log",
    ]  # fmt: skip
    assert shop.logs.stat().st_mode & 0o777 == 0o700


def test_a_flood_of_odd_output_is_taken(shop: Shop) -> None:
    flood = (
        r"head -c 3000000 /dev/zero | tr '\0' x; echo; printf '\377\033[31m\0\n'; seq 20000 >&2; echo last"
    )
    ended = shop.attempt(run(flood))
    assert ended.outcome is Outcome.NO_CHANGE
    assert "20000" in Path(ended.log).read_text()
    assert ended.summary == "last"


# --- side by side ------------------------------------------------------------------------------------------------

MEET = 'touch {here}/$ORCHESTRA_TASK; while [ ! -e {here}/{other} ]; do sleep 0.01; done; echo "slot $ORCHESTRA_SLOT"'


def test_attempts_run_side_by_side_in_slots_of_their_own(shop: Shop, tmp_path: Path, person: Person) -> None:
    """Each waits for the other: one after another they would time out."""
    meet = tmp_path / "meet"
    meet.mkdir()
    with LocalExecutor(shop.workshop, shop.logs) as executor:
        for name, other in (("a", "b"), ("b", "a")):
            command = MEET.format(here=meet, other=other) + "; pwd > where; echo x > $ORCHESTRA_TASK"
            executor.start(shop.order(run(command, name=name, timeout=LIMIT), f"build-1-{name}"))
        executor.verify(VerifyOrder("verify-1", person.head(), MEET.format(here=meet, other="a"), "v"))
        told = shop.drain(executor)
    ended = {h.attempt: h for h in told if isinstance(h, AttemptEnded)}
    assert {name: (h.outcome, h.summary) for name, h in ended.items()} == {
        "build-1-a": (Outcome.SUCCESS, "slot 1"),
        "build-1-b": (Outcome.SUCCESS, "slot 2"),
    }
    (verified,) = (h for h in told if isinstance(h, VerifyEnded))
    assert (verified.passed, verified.tail) == (True, ("slot 3",))
    where = {name: person.committed(h.result or "")["where"][1] for name, h in ended.items()}
    assert where["build-1-a"] != where["build-1-b"]
    assert set(person.committed(ended["build-1-a"].result or "")) == {"README.md", ".gitignore", "where", "a"}
    # The numbers are free again.
    assert shop.workshop.pool.acquire() == 1


# --- verification ------------------------------------------------------------------------------------------------


def test_verification_runs_at_the_commit_and_leaves_nothing(shop: Shop, person: Person) -> None:
    first = person.head()
    person.write("new", "x\n")
    second = person.commit()
    assert not shop.verify("cat new", first).passed
    good = shop.verify("cat new; touch junk; rm README.md; echo $ORCHESTRA_TASK $ORCHESTRA_ATTEMPT", second)
    assert (good.passed, good.tail, good.detail) == (True, ("x", "task build-1-verify-1"), "")
    bad = shop.verify("test ! -e junk && cat README.md; exit 4", second)
    assert (bad.passed, bad.tail, bad.detail) == (False, ("A project",), "exit status 4")
    assert bad.seconds > 0 and Path(bad.log).read_text().startswith("== verify: cat new\n")
    assert person.refs("refs/orchestra/") == {}


def test_verification_whose_setup_fails_is_red(person: Person) -> None:
    ended = Shop(person, worktrees={"setup": "echo why; false"}).verify("true")
    assert (ended.passed, ended.detail, ended.tail) == (False, "`echo why; false`: exit status 1", ("why",))


def test_verification_that_cannot_begin_gives_no_verdict(shop: Shop) -> None:
    """A full disk or a broken git says nothing about the commit."""
    ended = shop.verify("true", "1" * 40)
    assert ended.passed is None
    assert "cannot prepare the worktree" in ended.detail
    assert "cannot prepare the worktree" in "".join(ended.tail)


# --- stopping ----------------------------------------------------------------------------------------------------

POLITE = "trap 'echo stopped > stopped; exit 0' TERM; echo ready; while :; do sleep 0.05; done"
STUBBORN = "trap '' TERM; echo x > half; echo ready; while :; do sleep 0.05; done"


@pytest.mark.parametrize(("command", "now"), [(POLITE, False), (STUBBORN, True)])
def test_what_is_stopped_is_interrupted_and_kept(shop: Shop, person: Person, command: str, now: bool) -> None:
    with LocalExecutor(shop.workshop, shop.logs) as executor:
        executor.start(shop.order(run(command, check="touch checked")))
        shop.drain(executor, is_ready)
        executor.stop(now=now)
        told = shop.drain(executor)
        # Nothing new is begun from here on.
        executor.start(shop.order(run("touch new"), "build-1-2"))
        executor.verify(VerifyOrder("verify-1", person.head(), "touch new"))
        shop.drain(executor)
    ended = [h for h in told if isinstance(h, AttemptEnded)]
    assert [(h.outcome, h.fault, h.detail) for h in ended] == [
        (Outcome.INTERRUPTED, Fault.PERSON, "interrupted"),
        (Outcome.INTERRUPTED, Fault.PERSON, "interrupted"),
    ]
    assert ended[1].result is None
    kept = {"README.md", ".gitignore", "half" if now else "stopped"}
    assert set(person.committed(f"{FAILED}build-1-1")) == kept
    (verified,) = (h for h in told if isinstance(h, VerifyEnded))
    assert (verified.passed, verified.detail) == (None, "interrupted")


def test_stopping_a_verification_gives_no_verdict(shop: Shop, person: Person) -> None:
    with LocalExecutor(shop.workshop, shop.logs) as executor:
        executor.verify(VerifyOrder("verify-1", person.head(), "sleep 600"))
        executor.stop(now=True)
        (ended,) = shop.drain(executor)
    assert isinstance(ended, VerifyEnded) and ended.passed is None


@pytest.mark.parametrize("stage", ["setup", "check"])
def test_stopping_in_a_setup_or_check_is_an_interrupt(person: Person, stage: str) -> None:
    setup = "sleep 600" if stage == "setup" else "true"
    shop = Shop(person, worktrees={"setup": setup})
    with LocalExecutor(shop.workshop, shop.logs) as executor:
        executor.start(shop.order(run("true", check="sleep 600")))
        shop.drain(executor, lambda h: isinstance(h, PhaseBegan) and h.phase == stage)
        executor.stop(now=True)
        told = shop.drain(executor)
    (ended,) = (h for h in told if isinstance(h, AttemptEnded))
    assert (ended.outcome, ended.fault) == (Outcome.INTERRUPTED, Fault.PERSON)


def test_an_executor_that_is_left_leaves_nothing_running_and_its_work_is_rescued(
    shop: Shop, person: Person
) -> None:
    before = [signal.getsignal(number) for number in SIGNALS]
    others = descendants(processes(), os.getpid())
    with pytest.raises(ZeroDivisionError), LocalExecutor(shop.workshop, shop.logs) as executor:
        executor.start(shop.order(run(STUBBORN)))
        shop.drain(executor, is_ready)
        assert descendants(processes(), os.getpid()) - others
        raise ZeroDivisionError
    assert descendants(processes(), os.getpid()) - others == set()
    assert [signal.getsignal(number) for number in SIGNALS] == before
    again = Shop(person)
    ended = again.attempt(run("ls"))
    assert ended.tail == ("README.md",)
    assert again.bench.rescued == [f"{RESCUED}build-1-1"]
    assert "half" in person.committed(f"{RESCUED}build-1-1")


# --- signals -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_is_told_and_stops_nothing_by_itself(shop: Shop, number: int) -> None:
    with LocalExecutor(shop.workshop, shop.logs) as executor:
        executor.start(shop.order(run("echo ready; while [ ! -e go ]; do sleep 0.01; done", timeout=LIMIT)))
        shop.drain(executor, is_ready)
        os.kill(os.getpid(), number)
        told = shop.drain(executor, lambda h: isinstance(h, Interrupted))
        assert told.count(Interrupted()) == 1
        assert not any(isinstance(h, AttemptEnded) for h in told)
        (shop.bench.folder / "slot-1" / "go").touch()
        ended = shop.drain(executor)[-1]
    assert isinstance(ended, AttemptEnded) and ended.outcome is Outcome.SUCCESS


def test_a_signal_does_not_wait_behind_quick_failures(shop: Shop) -> None:
    """Preparing slots may take long, and what ends at once is told at once: still the person comes first."""
    with LocalExecutor(shop.workshop, shop.logs) as executor:
        for number in range(3):
            executor.start(replace(shop.order(run("true"), f"build-1-{number}"), base="1" * 40))
        os.kill(os.getpid(), signal.SIGINT)
        assert Interrupted() in executor.poll()


def test_a_build_outlives_its_terminal(shop: Shop) -> None:
    with LocalExecutor(shop.workshop, shop.logs) as executor:
        executor.start(replace(shop.order(run("true")), base="1" * 40))
        os.kill(os.getpid(), signal.SIGHUP)
        assert Interrupted() not in executor.poll()
        os.kill(os.getpid(), signal.SIGTERM)
        executor.start(replace(shop.order(run("true"), "build-1-2"), base="1" * 40))
        assert Interrupted() in executor.poll()


def test_whoever_waits_calls_the_pulse_when_it_is_due(shop: Shop) -> None:
    clock = shop.workshop.clock
    beats: list[float] = []

    class Beats:
        due = clock.monotonic()

        def beat(self) -> None:
            beats.append(clock.monotonic())
            self.due = beats[-1] + 0.05

    with LocalExecutor(shop.workshop, shop.logs, pulse=Beats()) as executor:
        began = clock.monotonic()
        assert executor.poll(until=began + 0.3) == ()
        assert clock.monotonic() >= began + 0.3
    assert len(beats) >= 2
    assert all(later - earlier >= 0.05 for earlier, later in itertools.pairwise(beats))


def test_a_build_under_nohup_outlives_its_terminal(shop: Shop) -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with LocalExecutor(shop.workshop, shop.logs):
            assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
            assert signal.getsignal(signal.SIGINT) is not signal.SIG_IGN
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


DRIVER = """
import os, signal, sys
from pathlib import Path
signal.signal(signal.SIGINT, signal.default_int_handler)
from orchestra.execution.local import LocalExecutor
from orchestra.model.ports import Interrupted
from tests.execution.shop import Shop, is_ready, run
from tests.execution.test_executor import STUBBORN
from tests.vcs.kit import Person
person = object.__new__(Person)
person.home, person.root = Path(sys.argv[1]), Path(sys.argv[1]) / "project"
person.env = {**os.environ}
shop, interrupts = Shop(person), 0
with LocalExecutor(shop.workshop, shop.logs) as executor:
    executor.start(shop.order(run(STUBBORN)))
    shop.drain(executor, is_ready)
    print("ready", flush=True)
    while told := executor.poll():
        for happening in told:
            if isinstance(happening, Interrupted):
                interrupts += 1
                executor.stop(now=interrupts > 1)
                print("interrupted", flush=True)
    print(happening.outcome, flush=True)
"""


def drive(person: Person) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", DRIVER, str(person.home)],
        cwd=person.root,
        env={**person.env, "PYTHONPATH": str(Path(__file__).parents[2])},
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def test_ctrl_c_twice_ends_even_what_does_not_listen(person: Person) -> None:
    process = drive(person)
    assert process.stdout is not None
    began = time.monotonic()
    for _ in range(2):
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does it: to the whole group
        assert process.stdout.readline() == "interrupted\n"
    assert process.communicate(timeout=LIMIT)[0] == "interrupted\n"
    assert process.returncode == 0
    assert time.monotonic() - began < 4, "the second one did not cut the grace short"
    assert "half" in person.committed(f"{FAILED}build-1-1")


def test_where_orchestra_itself_is_killed_nothing_is_left_and_nobody_is_disturbed(person: Person) -> None:
    """The agent does not listen and lives for some seconds more: the next build must not work in its slot."""
    process = drive(person)
    slot = next((person.home / ".cache" / "orchestra").iterdir()) / "slot-1"
    assert working_in(slot)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    shop = Shop(person, build="build-2")
    ended = shop.attempt(run("ls; echo slot $ORCHESTRA_SLOT"))
    assert working_in(slot), "too late to see it"
    assert ended.tail == ("README.md", "slot 2")
    # What an agent had started may outlive it for a moment, and their supervisor them: then the slot is used again.
    while agents := working_in(slot):
        await_end(agents[0])
    end = time.monotonic() + LIMIT
    while shop.attempt(run("ls; echo slot $ORCHESTRA_SLOT")).tail != ("README.md", "slot 1"):
        assert time.monotonic() < end
    assert "half" in person.committed(f"{RESCUED}build-1-1")
    assert on_disk(slot) == plain({"README.md": "A project\n", ".gitignore": "*.ign\n"})


def working_in(folder: Path) -> list[int]:
    """The processes whose current directory is that folder."""
    found: list[int] = []
    for pid in processes():
        try:
            if Path(f"/proc/{pid}/cwd").readlink() == folder:
                found.append(pid)
        except OSError:
            pass
    return found


def await_end(pid: int) -> None:
    """Wait, without costing the machine anything, until a process that is not ours has ended."""
    try:
        process = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        ended, _, _ = select.select([process], [], [], LIMIT)
        assert ended, "it did not end"
    finally:
        os.close(process)


def test_the_names_of_refs_and_logs_are_what_is_told(shop: Shop) -> None:
    ended = shop.attempt(run("echo x > new", name="a/b c"))
    assert re.fullmatch(r"001-a-b-c\.log", Path(ended.log).name)
