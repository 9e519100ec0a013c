"""`orchestra watch` on a terminal: its keys, and that it gives the terminal back in whatever way it ends."""

from __future__ import annotations

import os
import pty
import select
import shutil
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from types import TracebackType

import pytest

from tests.cli.scratch import Scratch
from tests.cli.watching import LIMIT, waits, writes

pytestmark = pytest.mark.slow


class Terminal:
    """A watch in the foreground of a terminal of its own."""

    def __init__(self, scratch: Scratch, *argv: str) -> None:
        self.ours, self.theirs = pty.openpty()
        self.before = termios.tcgetattr(self.theirs)
        # What a shell does: a session with this terminal, and the program in its foreground.
        starter = "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execvp(*eval(sys.argv[1]))"
        command = list(argv) or [sys.executable, "-m", "orchestra", "watch"]
        self.process = subprocess.Popen(
            [sys.executable, "-c", starter, repr((command[0], command))],
            cwd=scratch.root,
            env={**scratch.env, "TERM": "xterm"},
            stdin=self.theirs,
            stdout=self.theirs,
            stderr=self.theirs,
            start_new_session=True,
        )
        self.text = ""
        self._from = 0

    def __enter__(self) -> Terminal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self.ours)
        os.close(self.theirs)

    def press(self, keys: str) -> None:
        """Press keys."""
        os.write(self.ours, keys.encode())

    def sees(self, what: str) -> None:
        """Wait until this is on the screen, after what was seen last."""
        end = time.monotonic() + LIMIT
        while what not in self.text[self._from :]:
            ready, _, _ = select.select([self.ours], [], [], max(0.0, end - time.monotonic()))
            assert ready, self.text
            self.text += os.read(self.ours, 65536).decode()
        self._from = self.text.index(what, self._from) + len(what)

    def ends(self) -> int:
        """The exit status, once it has ended; what it prints is read meanwhile."""
        self.until(lambda: self.process.poll() is not None)
        return int(self.process.returncode)

    def until(self, holds: Callable[[], bool]) -> None:
        """Wait until something holds; what is printed is read meanwhile."""
        end = time.monotonic() + LIMIT
        while not holds():
            assert time.monotonic() < end, self.text
            if select.select([self.ours], [], [], 0.05)[0]:
                self.text += os.read(self.ours, 65536).decode()

    def mode(self) -> int:
        """Whether the terminal gives whole lines and shows what is typed, as bits."""
        return int(termios.tcgetattr(self.theirs)[3]) & (termios.ICANON | termios.ECHO)

    @property
    def given_back(self) -> bool:
        """Whether the terminal is as it was."""
        return termios.tcgetattr(self.theirs) == self.before


@pytest.fixture
def terminal(scratch: Scratch) -> Iterator[Terminal]:
    """A watch that waits for changes."""
    writes(scratch, "a")
    scratch.commit()
    with Terminal(scratch) as made:
        made.sees("1 landed")
        made.sees("for changes")
        yield made


def test_keys_build_pause_show_and_quit(scratch: Scratch, terminal: Terminal) -> None:
    assert terminal.mode() == 0
    terminal.press("b")
    terminal.sees("1 task is fresh")
    terminal.press("s")
    terminal.sees("1 fresh")
    terminal.press("h")
    terminal.sees("q quit")
    terminal.press("p")
    terminal.sees("paused")
    writes(scratch, "a", "2")
    terminal.sees("a changed: built when you press p")
    terminal.press("P")
    terminal.sees("1 landed")
    assert scratch.read("a.txt") == "2\n"
    terminal.press("xyz\x1b[Aq")
    assert terminal.ends() == 0
    assert terminal.given_back
    assert "2 builds" not in terminal.text
    assert "3 builds" in terminal.text


def test_who_asks_for_a_build_hears_what_it_waits_for(scratch: Scratch, terminal: Terminal) -> None:
    (scratch.root / ".git" / "rebase-merge").mkdir()
    terminal.press("b")
    terminal.sees("a rebase is under way")
    terminal.press("b")
    terminal.sees("a rebase is under way")
    (scratch.root / ".git" / "rebase-merge").rmdir()
    terminal.sees("1 task is fresh")


def test_who_asks_gets_what_failed_tried_again(scratch: Scratch) -> None:
    scratch.prompt("bad", f"test -e {scratch.home}/mended && touch bad.txt", claims={"write": ["bad.txt"]})
    scratch.commit()
    with Terminal(scratch) as terminal:
        terminal.sees("1 failed")
        terminal.sees("for changes")
        (scratch.home / "mended").touch()
        terminal.press("b")
        terminal.sees("1 landed")
        terminal.press("q")
        assert terminal.ends() == 0


@pytest.mark.parametrize(
    ("end", "status"),
    [
        (lambda terminal: terminal.press("\x03"), 130),
        (lambda terminal: terminal.process.send_signal(signal.SIGTERM), 130),
        (lambda terminal: terminal.process.send_signal(signal.SIGHUP), 130),
    ],
    ids=["Ctrl-C", "SIGTERM", "SIGHUP"],
)
def test_the_terminal_is_given_back(terminal: Terminal, end: Callable[[Terminal], None], status: int) -> None:
    assert not terminal.given_back
    end(terminal)
    assert terminal.ends() == status
    assert terminal.given_back


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs a shell that controls jobs")
def test_while_it_is_stopped_the_terminal_is_the_shell_s(scratch: Scratch) -> None:
    writes(scratch, "a")
    scratch.commit()
    with Terminal(scratch, "bash", "--norc", "--noprofile", "--noediting", "-i") as terminal:
        terminal.press(f"{sys.executable} -m orchestra watch\n")
        terminal.sees("for changes")
        assert terminal.mode() == 0
        terminal.press("\x1a")
        terminal.sees("Stopped")
        terminal.press("echo it-is-$((40 + 2))\n")
        terminal.sees("it-is-42")
        assert terminal.mode() == termios.ICANON | termios.ECHO
        # In the background it leaves the keys alone.
        terminal.press("bg\n")
        writes(scratch, "a", "2")
        terminal.sees("1 landed")
        terminal.sees("for changes")
        terminal.press("echo it-is-$((40 + 3))\n")
        terminal.sees("it-is-43")
        terminal.press("fg\n")
        terminal.sees("orchestra watch")
        terminal.until(lambda: terminal.mode() == 0)
        writes(scratch, "a", "3")
        terminal.sees("1 landed")
        terminal.sees("for changes")
        terminal.press("q")
        terminal.sees("ended")
        terminal.press("echo status-$?\n")
        terminal.sees("status-0")
        assert terminal.mode() == termios.ICANON | termios.ECHO


def test_ctrl_c_ends_the_build_first(scratch: Scratch) -> None:
    waits(scratch, "slow")
    scratch.commit()
    with Terminal(scratch) as terminal:
        terminal.sees("slow  running")
        terminal.press("\x03")
        terminal.sees("stopping  what runs is given")
        assert terminal.ends() == 130
        assert terminal.given_back
        assert "interrupted" in terminal.text
        assert scratch.orchestra("stop").stdout == "No build is at work here.\n"
