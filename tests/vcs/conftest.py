"""Fixtures of the git tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.vcs.kit import Bench, Person


@pytest.fixture
def person(tmp_path: Path) -> Person:
    """A repository with two files in one commit."""
    found = Person(tmp_path)
    found.write("README.md", "A project\n")
    found.write("src/parser.py", "print('parse')\n")
    found.write(".gitignore", "*.ign\nign/\n")
    found.commit("first")
    return found


@pytest.fixture
def bench(person: Person) -> Bench:
    """The slots of that repository, with nothing set."""
    return Bench(person)
