"""Completion in real shells, and what it promises: names as they are, quick, silent, and nothing changed."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import click
import pytest

from orchestra.cli.completing import TYPES, Named, teach
from orchestra.cli.main import COMMANDS, LazyGroup, cli
from tests.cli.scratch import Scratch
from tests.cli.terminal import Terminal

LINE = {
    "bash": 'eval "$(_ORCHESTRA_COMPLETE=bash_source orchestra)"',
    "zsh": 'autoload -Uz compinit; compinit -u; eval "$(_ORCHESTRA_COMPLETE=zsh_source orchestra)"',
    "fish": "_ORCHESTRA_COMPLETE=fish_source orchestra | source",
}


@pytest.fixture
def typed(scratch: Scratch) -> Scratch:
    """A repository with tasks to complete, and `orchestra` on PATH."""
    scratch.env["PATH"] = f"{Path(sys.executable).parent}:{scratch.env['PATH']}"
    for name in ("parse-dates", "parse-times", "write-docs"):
        scratch.prompt(name, "true", title=f"To {name}")
    scratch.prompt("api/ürl", "true")
    scratch.write("orchestra.yaml", "version: 1\nagents: {pia: {kind: claude-code, model: sonnet}}\n")
    scratch.commit()
    scratch.git("branch", "feature/one")
    return scratch


def completed(scratch: Scratch, *words: str) -> dict[str, str]:
    """What could stand for the last of the words, with what is said of it; asked as zsh asks."""
    asked = {
        "_ORCHESTRA_COMPLETE": "zsh_complete",
        "COMP_WORDS": " ".join(["orchestra", *words]),
        "COMP_CWORD": str(len(words)),
    }
    called = scratch.orchestra(env=asked)
    assert called.stderr == "" and called.status == 0
    # Where there is nothing, click prints an empty line.
    lines = called.stdout.splitlines() if called.stdout.strip() else []
    assert len(lines) % 3 == 0
    return {
        value if kind == "plain" else f"<{kind}>": said
        for kind, value, said in zip(*[iter(lines)] * 3, strict=True)
    }


def test_names_of_all_kinds(typed: Scratch) -> None:
    before = typed.everything()
    for command in ("build", "status", "plan"):
        assert list(completed(typed, command, "parse-")) == ["parse-dates", "parse-times"]
    assert completed(typed, "explain", "w") == {"write-docs": "To write-docs"}
    assert list(completed(typed, "history", "--task", "ü")) == ["ürl"]
    assert list(completed(typed, "build", "parse-times", "parse-")) == ["parse-dates"], "once is enough"
    assert completed(typed, "build", "--agent", "pi") == {"pia": "claude-code sonnet"}
    assert "codex" in completed(typed, "build", "--agent", "")
    assert set(completed(typed, "build", "--into", "")) == {"main", "feature/one"}
    assert completed(typed, "build", "prompts/par") == {"<file>": "_"}
    assert completed(typed, "-C", "") == completed(typed, "build", "-C", "") == {"<dir>": "_"}
    assert list(completed(typed, "build", "--ag")) == ["--agent"]
    assert list(completed(typed, "ro")) == ["rollback"]
    assert completed(typed, "history", "") == {}, "nothing was built yet"
    assert typed.everything() == before and not (typed.root / ".git" / "orchestra").exists()


def test_builds_newest_first(typed: Scratch) -> None:
    for name in ("parse-dates", "parse-times"):
        assert typed.orchestra("build", name).status == 0
    before = typed.everything()
    found = list(completed(typed, "history", ""))
    told = json.loads(typed.orchestra("history", "--json").stdout)["builds"]
    assert found == ["last", *(build["build"] for build in told)] and len(told) == 2
    assert completed(typed, "rollback", "--build", found[2][:-1])[found[2]].endswith("ago, ok")
    assert typed.everything() == before


def test_whatever_is_wrong_it_is_silent(typed: Scratch, tmp_path: Path) -> None:
    # The manifest is broken: the prompts are there.
    typed.write("orchestra.yaml", "version: [")
    assert list(completed(typed, "build", "parse-")) == ["parse-dates", "parse-times"]
    assert "codex" in completed(typed, "build", "--agent", "")
    typed.prompt("broken", "true", needs="nobody")
    assert list(completed(typed, "build", "br")) == ["broken"]
    (typed.root / "orchestra.yaml").unlink()
    state = typed.root / ".git" / "orchestra"
    state.mkdir()
    (state / "history.db").write_bytes(b"no database" * 100)
    assert completed(typed, "history", "") == {}
    # No repository, no such folder, no such manifest.
    assert completed(typed, "-C", "/", "build", "") == {}
    assert completed(typed, "-C", "/nowhere", "build", "") == {}
    assert completed(typed, "-f", "nowhere.yaml", "build", "w") == {"write-docs": "prompts/write-docs.md"}


def test_no_command_costs_much_to_complete() -> None:
    """The imports are what a person would wait for."""
    commands = ", ".join(f"orchestra.cli.{name}" for name in COMMANDS)
    code = (
        f"import sys, orchestra.cli.completing, {commands}\n"
        "heavy = {'yaml', 'jsonschema', 'rich', 'sqlite_utils', 'sh', 'psutil', 'watchfiles', 'asyncio'}\n"
        "rooms = {'orchestra.execution.engine', 'orchestra.integration.integrator', 'orchestra.cli.simulated'}\n"
        "print(*sorted((heavy | rooms) & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_every_parameter_that_takes_a_name_completes_it() -> None:
    group = cli
    assert isinstance(group, LazyGroup)
    for name in COMMANDS:
        command = group.get_command(click.Context(group), name)
        assert command is not None
        parameters = [each for each in command.params if each.name in TYPES and each.type is click.STRING]
        teach(command)
        for each in parameters:
            assert each.type is TYPES[each.name or ""]
            each.type = click.STRING
    assert {"targets", "task", "agent", "build", "into"} == {
        name for name, kind in TYPES.items() if isinstance(kind, Named)
    }


@pytest.mark.slow
@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_tab_in_a_real_shell(typed: Scratch, shell: str) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    quiet = {"bash": ("--norc", "--noprofile", "-i"), "zsh": ("-f", "-i")}[shell]
    with Terminal(typed, program=(shell, *quiet)) as terminal:
        terminal.type(f"PS1='ready> '; {LINE[shell]}; echo set''-up\n")
        terminal.until("set-up")
        # What is found is taken where it is the only one, also behind an option.
        terminal.type("orchestra explain wr\t --jso\t\n")
        terminal.until("write-docs")
        terminal.until('"state": "stale"')
        terminal.type("orchestra history --task nope-\t; echo done-$?\n")
        terminal.until("done-2")
        assert "Traceback" not in terminal.shown
        terminal.type("exit\n")
        terminal.ended()


@pytest.mark.slow
def test_fish_is_told_names_and_what_they_are(typed: Scratch) -> None:
    if shutil.which("fish") is None:
        pytest.skip("fish is not installed")
    script = f"{LINE['fish']}; complete -C 'orchestra build parse-'"
    done = subprocess.run(
        ["fish", "--no-config", "-c", script],
        cwd=typed.root,
        env=typed.env,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == ["parse-dates\tTo parse-dates", "parse-times\tTo parse-times"]
