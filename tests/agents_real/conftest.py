"""Finds the real programs; tests that need one are skipped with a word about it where it is not installed."""

from __future__ import annotations

import os
import shutil
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.agents_real.project import Program, claude_code, codex

HOW = ".ci/run shows how"


def bundled_claude() -> Path | None:
    """The program inside the package claude-agent-sdk."""
    found = find_spec("claude_agent_sdk")
    if found is None or found.origin is None:
        return None
    return Path(found.origin).with_name("_bundled") / "claude"


def find(variable: str, name: str, pinned: Path | None = None) -> Path:
    """The program that a variable names, the pinned one, or the one on PATH; without any the test is skipped."""
    named = os.environ.get(variable)
    for candidate in (named, None if named else pinned, None if named else shutil.which(name)):
        if candidate is not None and os.access(candidate, os.X_OK):
            return Path(candidate).resolve()
    pytest.skip(f"{name} is not installed ({HOW}; or name it by {variable})")


@pytest.fixture(params=["claude", "codex"])
def program(request: pytest.FixtureRequest) -> Program:
    """Each program that is installed."""
    if request.param == "claude":
        return claude_code(find("ORCHESTRA_TEST_CLAUDE", "claude", bundled_claude()))
    return codex(find("ORCHESTRA_TEST_CODEX", "codex"))
