"""`orchestra init`: a first manifest, and what lets Claude Code work with orchestra."""

from __future__ import annotations

import re

import pytest
import yaml

from orchestra.cli.claude_files import FILES
from orchestra.cli.main import COMMANDS

from .scratch import Scratch


def program(scratch: Scratch, name: str) -> dict[str, str]:
    """An environment whose PATH has a program of that name first."""
    folder = scratch.home / "bin"
    folder.mkdir()
    (folder / name).write_text("#!/bin/sh\n")
    (folder / name).chmod(0o755)
    return {"PATH": f"{folder}:{scratch.env['PATH']}"}


def test_it_writes_what_the_repository_suggests_and_a_build_follows_it(scratch: Scratch) -> None:
    scratch.write("Makefile", "test:\n\t@grep -q fine made\n")
    scratch.write("made", "fine\n")
    scratch.prompt("do", "echo fine and new > made")
    scratch.commit()
    called = scratch.orchestra("init")
    assert called.status == 0, called.stderr
    assert "verify: make test    (guessed from the target `test` of Makefile)" in called.stdout
    assert "1 found in prompts/" in called.stdout
    assert "git commit          manifest and prompts" in called.stdout
    scratch.commit()
    built = scratch.orchestra("build")
    assert built.status == 0, built.stdout + built.stderr
    assert scratch.read("made") == "fine and new\n"


@pytest.mark.parametrize("there", ["file", "link", "folder"])
def test_what_is_there_stays(scratch: Scratch, there: str) -> None:
    place = scratch.root / "orchestra.yaml"
    if there == "file":
        place.write_text("mine")
    elif there == "link":
        place.symlink_to("nowhere")
    else:
        place.mkdir()
    called = scratch.orchestra("init")
    assert called.status == 2 and "orchestra.yaml is there already" in called.stderr
    assert place.is_symlink() if there == "link" else place.exists()
    assert there != "file" or place.read_text() == "mine"
    assert not (scratch.root / "nowhere").exists()


def test_outside_of_a_repository_it_writes_nothing(scratch: Scratch) -> None:
    called = scratch.orchestra("-C", str(scratch.home), "init")
    assert called.status == 3
    assert not (scratch.home / "orchestra.yaml").exists()


def test_the_installed_agent_and_named_sub_agents_are_offered(scratch: Scratch) -> None:
    scratch.write(".claude/agents/workflow-manager.md", "---\nname: workflow-manager\n---\n")
    called = scratch.orchestra("init", env=program(scratch, "claude"))
    assert "agent: claude-code is installed" in called.stdout
    text = scratch.read("orchestra.yaml")
    assert "defaults: {agent: claude}" in text
    assert "# workflow-manager: {kind: claude-code, args: [--agent, workflow-manager]}" in text


def test_claude_files_are_written_once_and_never_over_others(scratch: Scratch) -> None:
    scratch.write("orchestra.yaml", "version: 1\n")
    first = scratch.orchestra("init", "--claude")
    assert first.status == 0 and "orchestra.yaml is there already: left as it is" in first.stdout
    for path, text in FILES.items():
        assert scratch.read(path) == text
    changed = next(iter(FILES))
    scratch.write(changed, "mine")
    again = scratch.orchestra("init", "--claude")
    assert again.status == 0 and f"{changed} is there already, and is another: left as it is" in again.stdout
    assert scratch.read(changed) == "mine"


@pytest.mark.parametrize("path", FILES)
def test_claude_files_are_what_claude_code_reads(path: str) -> None:
    _, front, body = FILES[path].split("---\n", 2)
    said = yaml.safe_load(front)
    assert said["description"]
    if "agents" in path:
        assert said["name"] == "orchestrator-agent" and "Bash" in said["tools"]
    else:
        assert said["allowed-tools"] == "Bash(orchestra:*), Read" and "$ARGUMENTS" in body
    named = set(re.findall(r"`orchestra (\w+)", body))
    assert {"build", "status", "history", "stop"} <= named <= set(COMMANDS)
