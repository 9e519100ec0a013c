"""Hooks: what they are given, that they hold nothing up, and that they have ended when the build has."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from orchestra.execution.hooks import AT_ONCE, Hooks
from orchestra.execution.supervisor import processes
from orchestra.model.events import BuildStarted, Event, Notice, TaskLanded, to_json
from tests.execution.shop import SystemClock
from tests.history.streams import finished
from tests.vcs.kit import environment

STARTED = BuildStarted(1.0, "b1", ("one",), "c0", "main", 2)
LANDED = TaskLanded(2.0, "b1", "one", "b1-1", "c1", ("a",), True)
FINISHED = finished("b1")


class Bell:
    """A folder with hooks in it, and what is said of them."""

    def __init__(self, folder: Path, **commands: str) -> None:
        self.root = folder / "root"
        self.root.mkdir()
        self.logs = folder / "logs" / "b1"
        self.logs.parent.mkdir()
        self.said: list[tuple[str, str | None]] = []
        self.waits: list[str] = []
        self.patience = 30.0
        self.commands = commands
        self.seconds = 30.0
        self.environ: dict[str, str] = {}
        self.fails: Callable[[str, str | None], None] = lambda message, hint: self.said.append(
            (message, hint)
        )

    @contextmanager
    def rung(self, *events: Event) -> Iterator[Hooks]:
        hooks = Hooks(
            self.commands,
            self.root,
            environment(self.root.parent) | self.environ,
            self.logs,
            SystemClock(),
            self.fails,
            seconds=self.seconds,
            patience=self.patience,
        )
        try:
            for event in events:
                hooks.notify(event)
            yield hooks
        finally:
            hooks.close(self.wait)

    def wait(self, message: str) -> None:
        self.waits.append(message)
        (self.root / "told").touch()

    def read(self, name: str) -> str:
        return (self.root / name).read_text()


def test_a_hook_gets_its_event_the_root_and_the_environment_of_attempts(tmp_path: Path) -> None:
    bell = Bell(
        tmp_path, task_landed='cat > event; echo "$ORCHESTRA_TASK $ORCHESTRA_BUILD" > env; pwd; echo x >&2'
    )
    with bell.rung(STARTED, LANDED):
        pass
    assert json.loads(bell.read("event")) == to_json(LANDED) and bell.read("event").endswith("\n")
    assert bell.read("env") == "one b1\n"
    assert (bell.logs / "hook-001-task_landed.log").read_text() == f"{bell.root}\nx\n"
    assert bell.said == []


def test_a_hook_does_not_see_what_attempts_do_not_see(tmp_path: Path) -> None:
    bell = Bell(tmp_path, task_landed="env > env")
    (bell.root / ".env").write_text("TOKEN=of-the-repository\n")
    bell.environ = {"CLAUDECODE": "1", "GIT_INDEX_FILE": "theirs", "TOKEN": "of-the-repository", "KEPT": "1"}
    with bell.rung(LANDED):
        pass
    names = {line.partition("=")[0] for line in bell.read("env").splitlines()}
    assert {"KEPT", "ORCHESTRA_ROOT"} <= names
    assert not names & {"CLAUDECODE", "GIT_INDEX_FILE", "TOKEN", "ORCHESTRA_SLOT"}


def test_what_prints_nothing_leaves_nothing(tmp_path: Path) -> None:
    bell = Bell(tmp_path, build_started="cat > event")
    with bell.rung(STARTED, Notice(1.5, "b1", "hello")):
        pass
    assert bell.read("event") and not bell.logs.exists()


def test_nothing_waits_for_a_hook_but_the_end(tmp_path: Path) -> None:
    bell = Bell(
        tmp_path, build_started="while ! test -e go; do sleep 0.02; done; seq 100000; echo done > done"
    )
    with bell.rung(STARTED, LANDED) as hooks:
        assert not (bell.root / "done").exists()
        (bell.root / "go").touch()
        hooks.notify(FINISHED)
    assert bell.read("done") == "done\n" and bell.said == []


def test_one_that_fails_meanwhile_is_told_at_the_next_event(tmp_path: Path) -> None:
    bell = Bell(tmp_path, build_started="exit 3")
    with bell.rung(STARTED) as hooks:
        until = time.monotonic() + 30
        while not bell.said and time.monotonic() < until:
            hooks.notify(Notice(1.5, "b1", "hello"))
        assert bell.said


def test_the_last_one_comes_when_all_others_have_ended(tmp_path: Path) -> None:
    bell = Bell(tmp_path, task_landed="sleep 0.2; echo landed >> log", build_finished="echo finished >> log")
    with bell.rung(*[LANDED] * (AT_ONCE + 2), FINISHED):
        pass
    assert bell.read("log").split() == [*["landed"] * (AT_ONCE + 2), "finished"]


def test_no_more_than_so_many_run_at_a_time(tmp_path: Path) -> None:
    bell = Bell(tmp_path, task_landed="while ! test -e go; do sleep 0.02; done; echo >> done")
    with bell.rung(*[LANDED] * (AT_ONCE + 2)):
        # The log of each is there from its start.
        assert len(list(bell.logs.iterdir())) == AT_ONCE
        (bell.root / "go").touch()
    assert bell.read("done").count("\n") == AT_ONCE + 2


@pytest.mark.parametrize(
    ("command", "how", "logged"),
    [
        ("echo bad; exit 3", "exit status 3", True),
        ("kill -9 $$", "killed by signal 9", False),
        ("no-such-program", "exit status 127", True),
    ],
)
def test_one_that_fails_is_told_and_changes_nothing(
    tmp_path: Path, command: str, how: str, logged: bool
) -> None:
    bell = Bell(tmp_path, task_landed=command)
    with bell.rung(LANDED):
        pass
    log = bell.logs / "hook-001-task_landed.log"
    assert bell.said == [
        (f"the hook on task_landed failed: `{command}`: {how}", f"see {log}" if logged else None)
    ]


def test_one_that_takes_too_long_is_stopped_with_all_that_it_started(tmp_path: Path) -> None:
    bell = Bell(tmp_path, task_landed="setsid sleep 60 & echo $! > pid; sleep 60")
    bell.seconds = 0.5
    began = time.monotonic()
    with bell.rung(LANDED):
        pass
    assert time.monotonic() - began < 20
    assert "took longer than 0.5 s" in bell.said[0][0]
    assert int(bell.read("pid")) not in processes()


def test_a_repository_that_is_gone_is_not_begun_again(tmp_path: Path) -> None:
    bell = Bell(tmp_path, task_landed="true")
    bell.logs = tmp_path / "moved" / ".git" / "orchestra" / "builds" / "b1"
    with bell.rung(LANDED):
        pass
    assert "the hook on task_landed did not start: " in bell.said[0][0]
    assert not (tmp_path / "moved").exists()


def test_who_waits_for_hooks_at_the_end_is_told_for_which(tmp_path: Path) -> None:
    until_told = "until test -e told; do sleep 0.01; done"
    bell = Bell(tmp_path, build_started=until_told, task_landed=until_told, build_finished="true")
    bell.patience = 0.05
    with bell.rung(STARTED, LANDED, LANDED, FINISHED):
        assert bell.waits == []
    assert bell.waits == ["waiting for what runs on build_started, task_landed (hooks; each may take 30 s)"]


def test_a_folder_that_is_gone_is_told(tmp_path: Path) -> None:
    bell = Bell(tmp_path, task_landed="true")
    bell.root.rmdir()
    with bell.rung(LANDED):
        pass
    assert bell.said[0][0].startswith("the hook on task_landed did not start: cannot start sh: no directory")


def test_a_folder_of_logs_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    bell = Bell(tmp_path, task_landed="touch done")
    bell.logs.write_text("a file")
    with bell.rung(LANDED, LANDED):
        pass
    assert [said.partition(":")[0] for said, _ in bell.said] == ["the hook on task_landed did not start"] * 2


def test_none_outlives_a_build_that_is_cut_off_at_its_end(tmp_path: Path) -> None:
    bell = Bell(tmp_path, build_started="echo $$ > pid; exec sleep 60", task_landed="exit 3")

    def interrupted(message: str, hint: str | None) -> None:
        raise KeyboardInterrupt

    bell.fails = interrupted
    with pytest.raises(KeyboardInterrupt), bell.rung(STARTED) as hooks:
        pid, until = bell.root / "pid", time.monotonic() + 30
        while not (pid.exists() and pid.read_text()):
            assert time.monotonic() < until
        hooks.notify(LANDED)
    assert int(bell.read("pid")) not in processes()
