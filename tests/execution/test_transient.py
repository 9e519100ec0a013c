"""What keeps an attempt from its work and may be over in a moment, told apart from what will stay as it is."""

from __future__ import annotations

import errno
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from orchestra.execution.local import LocalExecutor
from orchestra.execution.process import ManagedProcess
from orchestra.model.errors import OrchestraError, environment_error
from orchestra.model.outcomes import Fault, Outcome
from orchestra.model.ports import AttemptEnded
from orchestra.model.tasks import AgentSpec
from orchestra.vcs.command import GitFailedError, may_pass
from tests.execution.shop import Shop, prompted, run
from tests.vcs.kit import Person

LINUX = sys.platform == "linux"


def ending(ended: AttemptEnded) -> tuple[Outcome, Fault | None, bool]:
    return ended.outcome, ended.fault, ended.transient


def git_that_dies(person: Person, word: str, times: int) -> None:
    """Let git kill itself the first times it is asked for a command."""
    real = shutil.which("git")
    shim = person.write(
        "bin/git",
        f'#!/bin/sh\nfor each; do\n  if [ "$each" = {word} ]; then\n'
        f'    echo x >> "{person.home}/died"\n'
        f'    [ $(wc -l < "{person.home}/died") -gt {times} ] || kill -9 $$\n  fi\ndone\nexec {real} "$@"\n',
        at=person.home,
    )
    shim.chmod(0o755)
    person.env["PATH"] = f"{shim.parent}:{person.env['PATH']}"


# --- attempts ----------------------------------------------------------------------------------------------------


@pytest.mark.skipif(not LINUX, reason="elsewhere a busy program may be executed")
def test_a_program_that_is_being_exchanged(person: Person) -> None:
    program = shutil.copy2("/bin/true", person.home / "agent")
    agent = AgentSpec("local", "command", command=(str(program),))
    shop = Shop(person, agents={"local": agent})
    with open(program, "r+b"):  # noqa: PTH123
        ended = shop.attempt(prompted("x", "local"))
    assert ending(ended) == (Outcome.NOT_STARTED, Fault.ENVIRONMENT, True)
    assert ended.detail == f"{program}: cannot be executed: Text file busy"
    assert shop.attempt(prompted("x", "local")).outcome is Outcome.NO_CHANGE


@pytest.mark.parametrize("mode", [None, 0o644])
def test_a_program_that_is_missing_or_none_will_stay_so(person: Person, mode: int | None) -> None:
    program = person.home / "agent"
    if mode is not None:
        program.write_text("#!/bin/sh\n")
        program.chmod(mode)
    agent = AgentSpec("local", "command", command=(str(program),))
    ended = Shop(person, agents={"local": agent}).attempt(prompted("x", "local"))
    assert ending(ended) == (Outcome.NOT_STARTED, Fault.ENVIRONMENT, False)


def test_a_git_that_was_killed_while_it_made_the_slot(person: Person) -> None:
    git_that_dies(person, "worktree", 1)
    shop = Shop(person)
    ended = shop.attempt(run("echo x > new"))
    assert ending(ended) == (Outcome.NOT_STARTED, Fault.ENVIRONMENT, True)
    assert "killed by signal 9" in ended.detail
    assert shop.attempt(run("echo x > new")).outcome is Outcome.SUCCESS


def test_a_commit_that_is_gone_will_stay_so(shop: Shop) -> None:
    with LocalExecutor(shop.workshop, shop.logs) as executor:
        executor.start(replace(shop.order(run("true")), base="1" * 40))
        ended = shop.drain(executor)[-1]
    assert isinstance(ended, AttemptEnded)
    assert ending(ended) == (Outcome.NOT_STARTED, Fault.ENVIRONMENT, False)


def test_a_git_that_was_killed_while_it_captured(person: Person) -> None:
    """Once is nothing: it is asked again."""
    git_that_dies(person, "write-tree", 2)
    shop = Shop(person)
    ended = shop.attempt(run("echo x > new"))
    assert ending(ended) == (Outcome.CAPTURE_FAILED, Fault.ENVIRONMENT, True)
    assert shop.attempt(run("echo x > new")).outcome is Outcome.SUCCESS


def test_what_cannot_be_captured_will_stay_so(shop: Shop) -> None:
    ended = shop.attempt(run("git init -q inner; touch inner/x"))
    assert ending(ended) == (Outcome.CAPTURE_FAILED, Fault.AGENT, False)


@pytest.mark.parametrize("where", ["agent", "check", "setup", "verify"])
def test_a_supervisor_that_was_killed(person: Person, where: str) -> None:
    """Nobody knows how its command would have ended."""
    dies = "kill -9 $PPID; sleep 60"
    shop = Shop(person, worktrees={"setup": dies} if where == "setup" else {})
    if where == "verify":
        assert shop.verify(dies).passed is None
        return
    ended = shop.attempt(run("true", check=dies) if where == "check" else run(dies))
    outcome = Outcome.CHECK_FAILED if where == "check" else Outcome.NOT_STARTED
    assert ending(ended) == (outcome, Fault.ENVIRONMENT, True)
    assert "the supervisor of sh was lost" in ended.detail


def test_a_check_that_the_agent_left_no_place_for_will_not_find_one(shop: Shop) -> None:
    ended = shop.attempt(run('rm -rf "$PWD"', check="true"))
    assert (ended.outcome, ended.transient) == (Outcome.CHECK_FAILED, False)
    assert "no directory" in ended.detail


# --- what the machine has to give --------------------------------------------------------------------------------


def test_no_descriptor_left(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    used = len(list(Path("/dev/fd").iterdir()))
    resource.setrlimit(resource.RLIMIT_NOFILE, (used + 2, hard))
    try:
        with pytest.raises(OrchestraError) as caught:
            ManagedProcess(["true"], cwd=str(tmp_path), env={})
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert may_pass(caught.value)


# As an unprivileged user, who may have no process more.
NO_PROCESS = """
import os, resource, sys
from orchestra.execution import supervisor
if os.geteuid() == 0:
    os.setuid(65534)
resource.setrlimit(resource.RLIMIT_NPROC, (1, 1))
supervisor.main(sys.argv[1:])
"""


@pytest.mark.skipif(not LINUX, reason="elsewhere the limit is counted otherwise")
def test_no_process_left() -> None:
    report, into = os.pipe()
    alive, end = os.pipe()
    done = subprocess.run(
        [sys.executable, "-c", NO_PROCESS, str(into), str(alive), "1", "--", "true"],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        pass_fds=(into, alive),
        check=False,
    )
    os.close(into)
    lines = [json.loads(line) for line in os.read(report, 10_000).splitlines()]
    for fd in (report, alive, end):
        os.close(fd)
    assert done.returncode == 0
    assert lines[0] == {"pid": 0}
    assert lines[1]["error"] == "not-started: Resource temporarily unavailable"
    assert (lines[1]["errno"], lines[1]["status"]) == (errno.EAGAIN, None)


@pytest.mark.parametrize(
    ("error", "passes"),
    [
        (OSError(errno.EAGAIN, "no process"), True),
        (OSError(errno.ENOMEM, "no memory"), True),
        (OSError(errno.ETXTBSY, "being written"), True),
        (OSError(errno.ENOSPC, "full"), False),
        (OSError(errno.EROFS, "read-only"), False),
        (FileNotFoundError(errno.ENOENT, "not there"), False),
        (ValueError("nonsense"), False),
        (GitFailedError(("add",), -signal.SIGKILL, ""), True),
        (GitFailedError(("add",), 128, "fatal: cannot fork: Resource temporarily unavailable"), True),
        (GitFailedError(("add",), 128, "fatal: Out of memory, malloc failed"), True),
        (GitFailedError(("add",), 128, "fatal: Unable to create '/x/.git/index.lock': File exists."), True),
        (GitFailedError(("add",), 128, "error: unable to write: No space left on device"), False),
        (GitFailedError(("add",), 128, "fatal: not a git repository"), False),
    ],
    ids=str,
)
def test_which_errors_may_pass(error: Exception, passes: bool) -> None:
    assert may_pass(error) is passes
    try:
        try:
            raise error
        except Exception as inner:
            raise environment_error("cannot do it") from inner
    except OrchestraError as outer:
        assert may_pass(outer) is passes
