"""Whatever ends a build in the middle of an agent's work: afterwards nothing of the real program is left."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.agents_real.project import Program, Project
from tests.agents_real.script import Shell, say, use
from tests.agents_real.server import ScriptedModel

pytestmark = [
    pytest.mark.real,
    pytest.mark.slow,
    pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="looks for processes in /proc"),
]

LIMIT = 60.0
"""Seconds after which a test gives up."""

GONE = 10.0
"""Seconds in which everything has to be gone, whatever ended the build."""


def living(home: Path) -> dict[str, str]:
    """Processes with this home, and their command lines."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if f"HOME={home}".encode() in (folder / "environ").read_bytes().split(b"\0"):
                found[folder.name] = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue  # it ended meanwhile
    return found


def wait_until_gone(home: Path, seconds: float) -> None:
    """Wait until no process is left there."""
    end = time.monotonic() + seconds
    while left := living(home):
        assert time.monotonic() < end, left
        time.sleep(0.02)


class Stopped:
    """A build that is to be ended while two agents have commands running that would last for minutes."""

    def __init__(self, home: Path, program: Program, how: signal.Signals) -> None:
        self.home, self.how = home, how
        self.marks = [home / f"running-{number}" for number in range(2)]
        self.scripts = {
            f"long-{number}": (use(Shell(f"touch {mark}; sleep 987 & sleep 987; wait")), say("Done."))
            for number, mark in enumerate(self.marks)
        }
        self.model = ScriptedModel(self.scripts)
        self.project = Project(home, program, self.model)
        # The person says that nothing here can be harmed: as root the program would not start otherwise.
        free = self.project.agent(permissions="full", env={"IS_SANDBOX": "1"})
        self.project.tasks(self.scripts, {}, agents={"real": free})
        self.head = self.project.scratch.head()
        self.build = self.project.scratch.popen("build", "--json")

    def is_under_way(self) -> bool:
        """Whether both commands run."""
        assert self.build.poll() is None, self.build.communicate()
        return all(mark.exists() for mark in self.marks)

    def close(self) -> None:
        """Let nothing of it outlive the test."""
        self.build.kill()
        self.build.communicate()


def wait_for(condition: Callable[[], object]) -> None:
    """Wait until something is so."""
    end = time.monotonic() + LIMIT
    while not condition():
        assert time.monotonic() < end, condition
        time.sleep(0.02)


def test_nothing_survives(program: Program, tmp_path: Path) -> None:
    with ExitStack() as stack:
        stopped = []
        for how in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
            (home := tmp_path / how.name).mkdir()
            stopped.append(Stopped(home, program, how))
            stack.enter_context(stopped[-1].model)
            stack.callback(stopped[-1].close)
        wait_for(lambda: all(each.is_under_way() for each in stopped))
        for each in stopped:
            assert sum("sleep 987" in line for line in living(each.home).values()) >= 4
            each.build.send_signal(each.how)
        for each in stopped:
            wait_until_gone(each.home, GONE)
            stdout, stderr = each.build.communicate(timeout=LIMIT)
            killed = each.how is signal.SIGKILL
            assert each.build.returncode == (-signal.SIGKILL if killed else 130), (stdout, stderr)
            assert killed or json.loads(stdout.splitlines()[-1])["interrupted"] is True
            assert each.project.scratch.head() == each.head
            assert each.project.scratch.git("status", "--porcelain") == ""
    # Whoever builds next is not troubled by it.
    project = stopped[-1].project
    scripts = {name: (use(Shell(f"echo done > {name}.txt")), say("Done.")) for name in stopped[-1].scripts}
    with ScriptedModel(scripts) as model:
        project.connect(model)
        again = project.build()
    assert again.finished["ok"], again.stdout
    assert project.scratch.read("long-0.txt") == "done\n"
