"""Live progress at a terminal, as the whole command shows it, and what becomes of a build whose terminal goes away."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path

import pytest

from tests.cli.scratch import Scratch
from tests.cli.terminal import Terminal

_CONTROL = re.compile(r"\x1b\[[?0-9]*[A-Za-z]|\r")
SLOW = (
    'touch "$ORCHESTRA_ROOT/.git/began"; while [ ! -e "$ORCHESTRA_ROOT/.git/go" ]; do sleep 0.05; done; '
    "echo hi > a.txt"
)


@pytest.fixture
def slow(scratch: Scratch) -> Scratch:
    """A repository with one task that waits for a file before it ends."""
    scratch.prompt("alpha", SLOW, claims={"write": ["a.txt"]})
    scratch.commit()
    return scratch


def go(scratch: Scratch) -> None:
    """Let the task go on."""
    scratch.write(".git/go", "")


def began(scratch: Scratch) -> None:
    """Wait until the agent is at work."""
    end = time.monotonic() + 60
    while not (scratch.root / ".git/began").exists():
        assert time.monotonic() < end, "the task does not begin"
        time.sleep(0.02)


def test_what_runs_is_drawn_and_what_has_ended_stays(slow: Scratch) -> None:
    with Terminal(slow, "build") as terminal:
        terminal.until("reading the project...")
        terminal.until("alpha  running  00:00")
        terminal.until("00:01  0/1  1 running")
        go(slow)
        assert terminal.ended() == 0
        text = _CONTROL.sub("", terminal.shown)
        assert "] start" not in text and "landed    alpha" in text
        # The last that is drawn is taken away before the summary.
        assert terminal.shown.rpartition("landed    alpha")[2].count("\x1b[J") >= 1
        assert "1 running" not in terminal.shown.rpartition("\x1b[J")[2]
    with Terminal(slow, "build") as terminal:
        assert terminal.ended() == 0
        assert _CONTROL.sub("", terminal.shown) == "reading the project...Nothing to do: 1 task is fresh.\n"


def test_ctrl_c_is_answered_at_once(slow: Scratch) -> None:
    with Terminal(slow, "build") as terminal:
        terminal.until("alpha  running")
        terminal.type("\x03")
        terminal.until("stopping  what runs is given a few seconds")
        terminal.until("stopping (Ctrl-C again: at once)")
        assert terminal.ended() == 130
        assert "Interrupted: `orchestra build` goes on from there." in terminal.shown


def test_on_a_poor_terminal_lines_go_by(slow: Scratch) -> None:
    go(slow)
    program = ("env", "TERM=dumb", sys.executable, "-m", "orchestra")
    with Terminal(slow, "build", program=program) as terminal:
        assert terminal.ended() == 0
        assert "\x1b" not in terminal.shown and "start     alpha" in terminal.shown


@pytest.mark.parametrize("options", [("--ui", "plain"), ("--quiet",)])
def test_nothing_is_drawn_where_that_is_not_wanted(slow: Scratch, options: tuple[str, ...]) -> None:
    go(slow)
    with Terminal(slow, "build", *options) as terminal:
        assert terminal.ended() == 0
        assert "\x1b" not in terminal.shown


def test_a_terminal_that_goes_away_ends_nothing(slow: Scratch) -> None:
    master, slave = pty.openpty()
    name = os.ttyname(slave)
    build = subprocess.Popen(
        ["sh", "-c", 'exec "$@" <"$0" >"$0" 2>&1', name, sys.executable, "-m", "orchestra", "build"],
        cwd=slow.root,
        env={**slow.env, "TERM": "xterm"},
        start_new_session=True,
    )
    try:
        began(slow)
        os.close(slave)
        # The kernel sends SIGHUP, and from now on every write fails.
        os.close(master)
        go(slow)
        assert build.wait(timeout=60) == 0
    finally:
        build.kill()
        build.wait()
    assert slow.read("a.txt") == "hi\n"
    assert slow.git("status", "--porcelain") == ""


def test_what_others_print_does_not_tear_what_is_drawn(slow: Scratch, tmp_path: Path) -> None:
    database = slow.root / ".git/orchestra/history.db"
    database.parent.mkdir(parents=True)
    database.write_text("no database")
    with Terminal(slow, "build") as terminal:
        terminal.until("alpha  running")
        go(slow)
        assert terminal.ended() == 0
    # A line of its own on standard error, after what was drawn was taken away.
    assert re.search(r"\x1b\[Jwarning: the history was damaged [^\n]*\n", terminal.shown), terminal.shown


def test_it_is_drawn_anew_for_another_size(slow: Scratch) -> None:
    with Terminal(slow, "build") as terminal:
        terminal.until("alpha  running")
        fcntl.ioctl(terminal.fd, termios.TIOCSWINSZ, struct.pack("HHHH", 1, 20, 0, 0))
        terminal.process.send_signal(signal.SIGWINCH)
        terminal.shown = ""
        # One row is left, for the totals, cut.
        terminal.until("0/1  1 runn…")
        go(slow)
        assert terminal.ended() == 0


@pytest.mark.parametrize("command", ["build", "watch"])
def test_the_first_line_of_a_log_comes_before_all_that_builds_is_loaded(
    scratch: Scratch, command: str
) -> None:
    scratch.write("orchestra.yaml", "version: 1\ntasks: {a: {run: 'true', claims: {write: []}}}\n")
    scratch.commit()
    code = (
        "import os, sys\n"
        "from orchestra.cli.main import main\n"
        "from orchestra.reporting.output import Output\n"
        "def noted(self, text):\n"
        "    print(text.strip(), *sys.modules, flush=True)\n"
        "    os._exit(0)\n"
        "Output.write = noted\n"
        f"sys.argv = ['orchestra', '{command}']\n"
        "main()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=scratch.root,
        env=scratch.env,
        capture_output=True,
        text=True,
        check=False,
    )
    said, _, loaded = done.stdout.partition("...")
    assert said == "reading the project" and f"orchestra.cli.{command}" in loaded.split()
    rooms = ("execution", "history", "integration", "manifest", "planning", "agents", "watching")
    heavy = ("yaml", "jsonschema", *(f"orchestra.{room}" for room in rooms))
    assert not [name for name in loaded.split() if name.startswith(heavy)]
