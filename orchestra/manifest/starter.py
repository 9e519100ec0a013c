"""The text of a first manifest, with comments: what was found in the repository, and what else can be said. Pure."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Starter:
    """What a first manifest says.

    `verify` and `setup` are commands, `why` what they were guessed from, `others` more commands that might verify.
    `agent` is the kind of agent that is installed, None where none is; `subagents` are the named agents that Claude
    Code finds in the repository. `tasks` are the names of the tasks that the prompts make already.
    """

    verify: str | None = None
    why: str = ""
    others: tuple[str, ...] = ()
    setup: str | None = None
    setup_inputs: tuple[str, ...] = ()
    keep: tuple[str, ...] = ()
    agent: str | None = None
    subagents: tuple[str, ...] = ()
    tasks: tuple[str, ...] = ()


def starter_text(starter: Starter) -> str:
    """The manifest as text; it is valid as it stands."""
    blocks = [
        "# What orchestra builds in this repository; the README of orchestra describes every key.\n"
        "# `orchestra plan` shows what would run, `orchestra build` runs it.",
        "version: 1",
        '# Each match is a task (README.md and names that begin with "_" or "." are none).\n'
        'prompts: ["prompts/**/*.md"]',
        _agents(starter.agent, starter.subagents),
        _integrate(starter),
        _worktrees(starter),
        "# limits:\n#   jobs: 4      # attempts at once; by the machine where nothing is said\n"
        "#   usd: 20      # what one build may cost",
        _tasks(starter.tasks),
    ]
    return "\n\n".join(block for block in blocks if block) + "\n"


def _agents(agent: str | None, subagents: Sequence[str]) -> str:
    if agent is None:
        return (
            "# No coding agent was found on PATH. The kind `script` needs none: it runs the prompts' shell blocks.\n"
            "# defaults: {agent: claude}\n"
            "# agents:\n"
            "#   claude: {kind: claude-code, model: sonnet}"
        )
    name = agent.partition("-")[0]
    return (
        "# Who does the tasks. `permissions: edit` allows edits and each task's `check`; `full` allows everything.\n"
        f"defaults: {{agent: {name}}}\n"
        "agents:\n"
        f"  {name}: {{kind: {agent}, permissions: edit}}"
    ) + "".join(
        f"\n  # {subagent}: {{kind: claude-code, args: [--agent, {subagent}]}}" for subagent in subagents
    )


def _integrate(starter: Starter) -> str:
    if starter.verify is None:
        return (
            "# Your branch only moves to trees on which this command passes. Nothing here said how it is tested.\n"
            '# integrate: {verify: "pytest -q"}'
        )
    lines = [
        f"# Your branch only moves to trees on which this command passes. Guessed from {starter.why}.",
        "integrate:",
        f"  verify: {_quoted(starter.verify)}",
        *(f"  # verify: {_quoted(other)}" for other in starter.others),
    ]
    return "\n".join(lines)


def _worktrees(starter: Starter) -> str:
    if starter.setup is None and not starter.keep:
        return (
            "# Every attempt works in a worktree of its own. What makes a fresh one usable, and what survives in it:\n"
            '# worktrees: {setup: "npm ci", setup_inputs: [package-lock.json], keep: [node_modules], copy: [.env]}'
        )
    lines = [
        "# Every attempt works in a worktree of its own: what makes a fresh one usable, and what survives in it."
    ]
    lines.append("worktrees:")
    if starter.setup is not None:
        lines.append(f"  setup: {_quoted(starter.setup)}")
    if starter.setup_inputs:
        lines.append(f"  setup_inputs: {_list(starter.setup_inputs)}")
    lines.append(f"  keep: {_list(starter.keep)}")
    lines.append("  # copy: [.env]    # ignored files of yours that worktrees need")
    return "\n".join(lines)


def _tasks(tasks: Sequence[str]) -> str:
    if tasks:
        shown = ", ".join(tasks[:8]) + (f" and {len(tasks) - 8} more" if len(tasks) > 8 else "")
        head = f"# The prompts make these tasks: {shown}.\n# What an entry can say of one:"
        name = tasks[0]
    else:
        head = "# A file prompts/fix-parser.md makes the task `fix-parser`. What an entry can say of it:"
        name = "fix-parser"
    return (
        f"{head}\n"
        "# tasks:\n"
        f"#   {name}:\n"
        "#     needs: []                                    # tasks that must land first\n"
        "#     claims: {write: [src/parser.py], read: []}   # what it may write, and what makes it stale\n"
        "#     check: pytest -q tests/test_parser.py        # must pass before its result counts\n"
        "#     priority: 5\n"
        '#   changelog: {run: "python tools/changelog.py", claims: {write: [CHANGELOG.md], read: ["src/**"]}}'
    )


def _quoted(text: str) -> str:
    # A JSON string is a YAML one.
    return json.dumps(text, ensure_ascii=False)


def _list(texts: Sequence[str]) -> str:
    return f"[{', '.join(_quoted(text) for text in texts)}]"
