"""A scratch repository whose agents are real programs that call the scripted model and nothing else."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.agents_real.script import Scripts, mark
from tests.agents_real.server import ScriptedModel
from tests.cli.scratch import Called, Scratch

KEY = "sk-scripted-4d5e6f708192"
"""What the programs show to the scripted model; it must show nowhere else."""

CODEX_CONFIG = """\
model = "gpt-5.5"
model_provider = "scripted"
check_for_update_on_startup = false
[analytics]
enabled = false
[model_providers.scripted]
name = "scripted"
base_url = "{url}/v1"
wire_api = "responses"
env_key = "SCRIPTED_KEY"
request_max_retries = 1
stream_max_retries = 1
stream_idle_timeout_ms = 60000
"""
"""The model is one that this program knows, so that it offers its usual tools."""


@dataclass(frozen=True, slots=True)
class Program:
    """A program under test: the kind of its agent, its name on PATH, where it lies, and what is peculiar to it.

    `key` is the variable of its key, `env` what its agent sets, `calls` how often it calls a model that fails.
    """

    kind: str
    name: str
    path: Path
    key: str
    env: Mapping[str, str] = field(default_factory=dict)
    calls: int = 2


def claude_code(path: Path) -> Program:
    """Claude Code, which repeats a failed call once."""
    env = {"CLAUDE_CODE_MAX_RETRIES": "1"}
    return Program("claude-code", "claude", path, "ANTHROPIC_API_KEY", env)


def codex(path: Path) -> Program:
    """Codex, which by its configuration repeats a failed request once, and a failed stream once more."""
    return Program("codex", "codex", path, "SCRIPTED_KEY", calls=4)


class Project:
    """A repository with a task for each script."""

    def __init__(self, home: Path, program: Program, model: ScriptedModel) -> None:
        self.scratch = Scratch(home)
        self.program = program
        (home / "bin").mkdir()
        (home / "bin" / program.name).symlink_to(program.path)
        # Not the machine's: Codex does not work where its own folder lies below the temporary one.
        (home / "tmp").mkdir()
        (home / ".codex").mkdir()
        foreign = ("ANTHROPIC_", "OPENAI_", "CODEX_", "API_TIMEOUT", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
        inherited = {
            name: value for name, value in self.scratch.env.items() if not name.upper().startswith(foreign)
        }
        self.scratch.env = {
            **inherited,
            "PATH": f"{home / 'bin'}:{inherited['PATH']}",
            "TMPDIR": str(home / "tmp"),
            program.key: KEY,
        }
        self.connect(model)

    def connect(self, model: ScriptedModel) -> None:
        """Let the programs call this model from now on."""
        self.scratch.env["ANTHROPIC_BASE_URL"] = model.url
        config = self.scratch.home / ".codex" / "config.toml"
        config.write_text(CODEX_CONFIG.format(url=model.url))

    def tasks(self, scripts: Scripts, entries: Mapping[str, Mapping[str, Any]], **manifest: Any) -> None:
        """Write a prompt for each script, and a manifest with what is said of some of the tasks."""
        for name in scripts:
            self.scratch.write(f"prompts/{name}.md", f"# Do {name}\n\nPlease do it. {mark(name)}\n")
        agents = {"real": self.agent(), **manifest.pop("agents", {})}
        tasks = {name: {"prompt": f"prompts/{name}.md", **entries.get(name, {})} for name in scripts}
        whole = {
            "version": 1,
            "defaults": {"agent": "real"},
            # Those who wait for each other all start, however busy the machine is.
            "limits": {"cpu": "100%", "memory": "100%"},
            "agents": agents,
            "tasks": tasks,
            **manifest,
        }
        self.scratch.write("orchestra.yaml", json.dumps(whole, indent=1))
        self.scratch.write("notes.txt", "first line\nold line\n")
        self.scratch.commit()

    def agent(self, *, env: Mapping[str, str] | None = None, **more: Any) -> dict[str, Any]:
        """The entry of an agent."""
        return {"kind": self.program.kind, "env": {**self.program.env, **(env or {})}, **more}

    def build(self, *argv: str) -> Called:
        """Build all of it."""
        return self.scratch.orchestra("build", "--json", *argv)
