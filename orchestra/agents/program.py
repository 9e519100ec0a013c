"""What all adapters to a program do alike: which program it is, whether it is there, which variables it is given."""

from __future__ import annotations

import shutil

from orchestra.model.tasks import AgentSpec

CACHES = ("**/__pycache__", "**/.pytest_cache", "**/.mypy_cache", "**/.ruff_cache")
"""What the commands that an agent tries things with leave behind where a repository does not ignore it."""


def program_of(spec: AgentSpec, usual: str) -> tuple[str, ...]:
    """The program: the one on PATH, or what the manifest's `command` names (a pinned one, say)."""
    return spec.command if spec.command and spec.command[0] else (usual,)


def missing_program(spec: AgentSpec, usual: str, title: str, install: str) -> str | None:
    """What is not installed, and the command that installs it, in one line; None where the program is there."""
    program = program_of(spec, usual)[0]
    if shutil.which(program, path=dict(spec.env).get("PATH")):
        return None
    hint = install if program == usual else "see its `command`"
    return f"agent {spec.name} needs {title}, but {program} is not on PATH ({hint})"


def unless_set(spec: AgentSpec, variables: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
    """The variables without those that the manifest sets or passes through: what a person says goes first."""
    said = {name for name, _ in spec.env} | set(spec.passes)
    return tuple(pair for pair in variables if pair[0] not in said)
