"""Bad input of every kind, met as a person meets it: one clear error with a hint, and nothing has changed.

Each case is a call of the command line in a real repository. What the single checks say to hundreds of variants
is tested beside them (tests/manifest, tests/model, tests/vcs); here it is the whole way from the command line to
the exit status.
"""

from __future__ import annotations

import os
import re
import stat
import subprocess
import sys
import time
import unicodedata

import pytest

from orchestra.cli.main import main
from tests.cli.bad_places import GIT, STATES, USAGE
from tests.cli.bad_texts import AGENTS, CLAIMS, GRAPHS, MANIFESTS, PROMPTS, Call
from tests.cli.scratch import Called, Scratch

BOUND = 10.0
"""Seconds within which an error must be told; it takes a tenth of that, but the machine may be busy."""

GROUPS = {
    "manifest": MANIFESTS,
    "graph": GRAPHS,
    "claims": CLAIMS,
    "prompts": PROMPTS,
    "agents": AGENTS,
    "usage": USAGE,
    "git": GIT,
    "state": STATES,
}
CASES = {f"{group}: {name}": each for group, cases in GROUPS.items() for name, each in cases.items()}


AS_A_PROCESS = (
    "manifest: a pipe",
    "manifest: 6 MiB",
    "manifest: alias bomb",
    "manifest: 5,000 levels",
    "manifest: 20,001 tasks",
    "graph: name with ESC",
    "claims: 5,000 stars",
    "prompts: 100 MiB",
    "usage: a target that is no text",
    "git: no repository",
    "git: git is not there",
    "git: in a rebase",
    "state: history of a newer version",
    "state: entry with conflict markers",
)
"""Cases that are called as a process of their own: what takes long if anything does, and one of each kind. The
others are called within this process, which saves all of Python's start and imports."""


@pytest.mark.parametrize("name", CASES)
def test_bad_input_is_refused_in_words_and_changes_nothing(
    scratch: Scratch, name: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    each = CASES[name]
    call = each.make(scratch) or Call()
    before = whole(scratch)
    start = time.monotonic()
    if name in AS_A_PROCESS:
        called = scratch.orchestra(*call.argv, cwd=call.cwd, env=call.env)
    else:
        called = call_within(scratch, call, monkeypatch, capfd)
    took = time.monotonic() - start
    assert called.status == each.status, called
    told_well(called)
    for words in each.said:
        assert words in called.stderr, called.stderr
    assert whole(scratch) == before
    assert took < BOUND


def call_within(
    scratch: Scratch, call: Call, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Called:
    """Call orchestra within this process."""
    monkeypatch.chdir(call.cwd or scratch.root)
    for name in os.environ:
        monkeypatch.delenv(name)
    for name, value in {**scratch.env, **call.env}.items():
        monkeypatch.setenv(name, value)
    capfd.readouterr()
    with pytest.raises(SystemExit) as ended:
        main(call.argv)
    monkeypatch.undo()
    out, err = capfd.readouterr()
    assert isinstance(ended.value.code, int)
    return Called(ended.value.code, out, err)


def told_well(called: Called) -> None:
    """One error on standard error, with a hint, and nothing that a terminal could take for a command."""
    lines = called.stderr.split("\n")
    assert lines[0].startswith("error: "), called.stderr
    assert sum(line.startswith("error: ") for line in lines) == 1, called.stderr
    assert sum(line.startswith("hint: ") for line in lines) == 1, called.stderr
    # What is to be built is said before a look at the machine, which may take its time.
    assert re.fullmatch(r"(reading the project\.\.\.\n(building [^\n]*\n)?)?", called.stdout)
    assert "Traceback" not in called.stderr
    assert len(called.stderr) < 5000
    wild = {
        c for c in called.stderr if c != "\n" and unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp")
    }
    assert not wild


def whole(scratch: Scratch) -> dict[str, str]:
    """All files below the home, what kind they are, where links lead and what they hold, but for the state folder."""
    found: dict[str, str] = {}
    for path in sorted(scratch.home.rglob("*")):
        if ".git/orchestra" in str(path):
            continue
        status = path.lstat()
        kind = f"{status.st_mode:o}"
        if stat.S_ISLNK(status.st_mode):
            kind += f" -> {path.readlink()}"
        elif stat.S_ISREG(status.st_mode):
            # A sparse file is not read: its size tells enough.
            kind += f" {status.st_size} {path.read_bytes().hex() if status.st_size < 2**20 else ''}"
        found[str(path.relative_to(scratch.home))] = kind
    return found


def test_an_agent_of_the_repository_that_cannot_be_started_is_told(scratch: Scratch) -> None:
    # Only the worktree shows whether it is there: a setup or another task may have made it.
    scratch.write("tools/agent", "#!/bin/sh\n").chmod(0o644)
    scratch.prompt("one", "true")
    scratch.write(
        "orchestra.yaml",
        "version: 1\nagents: {mine: {kind: command, command: [tools/agent]}}\n"
        "tasks: {one: {prompt: prompts/one.md, agent: mine}}\n",
    )
    scratch.commit()
    called = scratch.orchestra("build", "--json")
    (finished,) = called.named("attempt_finished")
    assert (finished["outcome"], finished["fault"]) == ("not-started", "environment")
    assert finished["detail"] == "tools/agent: cannot be executed: Permission denied"
    assert called.status == 1


@pytest.mark.parametrize("closed", [">&-", ">&- 2>&- <&-", ">/dev/full", "| true"])
def test_standard_output_that_is_closed_early(scratch: Scratch, closed: str) -> None:
    scratch.prompt("one", "echo x > x.txt")
    scratch.commit()
    # What is asked for cannot be told: only that is an error, and none where the reader has simply gone.
    asked, built = through(scratch, closed, "status"), through(scratch, closed, "build")
    assert asked.returncode == (3 if "full" in closed else 0), asked
    assert ("No space left on device" in asked.stderr) == ("full" in closed)
    assert "Traceback" not in asked.stderr + built.stderr
    # A build goes on without a reader.
    assert built.returncode == 0
    assert scratch.read("x.txt") == "x\n"
    assert through(scratch, closed, "build", "--json").returncode == 0
    assert scratch.orchestra("history", "last").status == 0


def through(scratch: Scratch, closed: str, *argv: str) -> subprocess.CompletedProcess[str]:
    """Call orchestra with its standard output bent in the shell."""
    return subprocess.run(
        ["bash", "-c", f'set -o pipefail; "$0" -m orchestra "$@" {closed}', sys.executable, *argv],
        cwd=scratch.root,
        env=scratch.env,
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_terminal_that_knows_ascii_only(scratch: Scratch) -> None:
    scratch.prompt("prüfen", "echo x > ü.txt")
    scratch.commit()
    called = scratch.orchestra("build", env={"PYTHONIOENCODING": "ascii", "LC_ALL": "C"})
    assert (called.status, called.stderr) == (0, "")
    assert r"pr\xfcfen" in called.stdout


def test_a_mistake_of_ours_is_told_in_words_and_with_a_traceback_only_where_asked(scratch: Scratch) -> None:
    # A program that breaks orchestra from within, as nothing from outside is known to.
    breaks = "import orchestra.cli.main as m; m.LazyGroup.invoke = lambda *_: 1 / 0; m.main({})"
    for argv, shown in ((["status"], False), (["--debug", "status"], True)):
        done = subprocess.run(
            [sys.executable, "-c", breaks.format(argv)],
            cwd=scratch.root,
            env=scratch.env,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 1
        assert ("Traceback" in done.stderr) == shown
        assert ("error: this is a mistake in orchestra: ZeroDivisionError" in done.stderr) != shown
