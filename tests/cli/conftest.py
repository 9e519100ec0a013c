"""Fixtures of the command tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.scratch import Scratch


@pytest.fixture
def scratch(tmp_path: Path) -> Scratch:
    """A repository with one commit."""
    found = Scratch(tmp_path)
    found.write("README.md", "A project\n")
    found.commit("first")
    return found
