"""Fixtures of the executor's tests."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestra.execution.supervisor import descendants, processes
from tests.execution.shop import Shop
from tests.vcs.kit import Person


@pytest.fixture
def person(tmp_path: Path) -> Iterator[Person]:
    """Whoever works in a tiny repository; at the end nothing of orchestra's may be left there."""
    before = descendants(processes(), os.getpid())
    found = Person(tmp_path)
    found.write("README.md", "A project\n")
    found.write(".gitignore", "*.ign\n")
    found.commit()
    yield found
    # Whatever a test did: no process, and no lock file of git's, is left.
    assert descendants(processes(), os.getpid()) - before == set()
    assert list((found.root / ".git").rglob("*.lock")) == []
    assert found.git("status", "--porcelain") == ""


@pytest.fixture
def shop(person: Person) -> Shop:
    """A workshop on it."""
    return Shop(person)
