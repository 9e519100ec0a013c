"""The build's lock: one holder at a time, told by its process, and free again however it ends."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from orchestra.execution.lock import BuildLock
from orchestra.model.errors import ExitStatus, OrchestraError

HOLDER = """
import subprocess, sys
from pathlib import Path
from orchestra.execution.lock import BuildLock
with BuildLock(Path(sys.argv[1])):
    child = subprocess.Popen(["sleep", "60"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    print(child.pid, flush=True)
    sys.stdin.read()
child.kill()
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "build.lock"


def hold(path: Path) -> tuple[subprocess.Popen[str], int]:
    """Another process that holds the lock, and a child that it started while it did."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )
    assert process.stdout is not None
    return process, int(process.stdout.readline())


def test_the_second_is_refused_and_told_who_holds_it(path: Path) -> None:
    with BuildLock(path), pytest.raises(OrchestraError) as caught, BuildLock(path):
        raise AssertionError("held twice")
    assert caught.value.status == ExitStatus.ENVIRONMENT
    assert f"process {os.getpid()}, for 0." in str(caught.value)
    assert caught.value.hint


def test_it_is_free_again_afterwards_also_after_an_error(path: Path) -> None:
    for _ in range(2):
        with pytest.raises(ValueError, match="mine"), BuildLock(path):
            raise ValueError("mine")
    with BuildLock(path):
        pass
    assert path.read_bytes() == b""  # nobody is said to hold it


def test_a_refused_second_takes_nothing_from_the_first(path: Path) -> None:
    with BuildLock(path):
        for _ in range(2):
            with pytest.raises(OrchestraError, match=f"process {os.getpid()}"), BuildLock(path):
                raise AssertionError("held twice")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_it_is_free_when_its_holder_is_killed_though_a_child_lives(path: Path, number: int) -> None:
    process, child = hold(path)
    with pytest.raises(OrchestraError, match=f"process {process.pid}, for"), BuildLock(path):
        raise AssertionError("held twice")
    process.send_signal(number)
    process.communicate()
    os.kill(child, 0)
    with BuildLock(path) as lock:
        assert lock.broken_off
    with BuildLock(path) as lock:
        assert not lock.broken_off
    os.kill(child, signal.SIGKILL)


def test_what_an_earlier_holder_left_written_is_nobodys_name(path: Path) -> None:
    path.parent.mkdir()
    path.write_text('{"pid": 1, "since": 0}' * 100)
    with BuildLock(path), pytest.raises(OrchestraError, match=f"process {os.getpid()}"), BuildLock(path):
        raise AssertionError("held twice")


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"pid": "x"}', '{"pid": 1, "since": "\x1b[31m"}', "\x00\xff", '{"since": null}']
)
def test_nonsense_in_the_file_is_not_shown(path: Path, text: str) -> None:
    with BuildLock(path):
        path.write_text(text)
        with pytest.raises(OrchestraError) as caught, BuildLock(path):
            raise AssertionError("held twice")
        assert str(caught.value) == "another build is at work in this repository"


def test_a_holder_of_the_future_is_shown_without_a_negative_time(path: Path) -> None:
    with BuildLock(path):
        path.write_text(f'{{"pid": 7, "since": {time.time() + 1000}}}')
        with pytest.raises(OrchestraError, match=r"process 7, for 0\.0 s"), BuildLock(path):
            raise AssertionError("held twice")


def test_only_its_owner_sees_it(path: Path) -> None:
    with BuildLock(path):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_what_cannot_be_locked_is_told(path: Path, tmp_path: Path) -> None:
    path.parent.mkdir()
    target = tmp_path / "precious"
    target.write_text("precious")
    path.symlink_to(target)
    with pytest.raises(OrchestraError, match="cannot write") as caught, BuildLock(path):
        raise AssertionError("held through a link")
    assert caught.value.status == ExitStatus.ENVIRONMENT
    assert target.read_text() == "precious"
    path.unlink()
    path.mkdir()
    with pytest.raises(OrchestraError, match="cannot write"), BuildLock(path):
        raise AssertionError("held a folder")
    with pytest.raises(OrchestraError, match="cannot write"), BuildLock(target / "build.lock"):
        raise AssertionError("held below a file")
