"""A named sub-agent of Claude Code's does a task: its own words lead it, and its result lands like any other."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.agents_real.project import Program, Project
from tests.agents_real.script import Write, say, use
from tests.agents_real.server import ScriptedModel

pytestmark = [pytest.mark.real, pytest.mark.slow]

WORDS = "You manage the workflows of this very place, one step at a time."


def test_a_named_sub_agent_does_the_task(program: Program, tmp_path: Path) -> None:
    if program.kind != "claude-code":
        pytest.skip("named sub-agents are Claude Code's")
    scripts = {"managed": (use(Write("made.txt", "by the manager\n")), say("Managed."))}
    with ScriptedModel(scripts) as model:
        project = Project(tmp_path, program, model)
        front = "name: workflow-manager\ndescription: Runs workflows\n"
        project.scratch.write(".claude/agents/workflow-manager.md", f"---\n{front}---\n\n{WORDS}\n")
        manager = project.agent(args=["--agent", "workflow-manager"])
        project.tasks(scripts, {}, agents={"real": manager})
        built = project.build()
        asked = model.asked("managed")
    assert built.status == 0, built.stdout + built.stderr
    assert project.scratch.read("made.txt") == "by the manager\n"
    assert asked and all(WORDS in each.text for each in asked)
