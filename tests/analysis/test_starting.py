"""What a repository's files say about how it is tested."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestra.analysis.starting import READ, guess

PYTEST = "[tool.pytest.ini_options]\n"
NODE = json.dumps({"scripts": {"test": "vitest run"}})
EMPTY_NODE = json.dumps({"scripts": {"test": 'echo "Error: no test specified" && exit 1'}})

CASES: list[tuple[set[str], dict[str, str], list[str]]] = [
    (set(), {}, []),
    (set(), {"pyproject.toml": "[project]\nname = 'x'\n"}, []),
    ({"tests"}, {"pyproject.toml": "[project]\nname = 'x'\n"}, ["python -m pytest -q"]),
    (set(), {"pyproject.toml": PYTEST}, ["python -m pytest -q"]),
    (set(), {"pyproject.toml": "[project.optional-dependencies]\ndev = ['pytest>=8']\n"}, ["python -m pytest -q"]),
    ({"uv.lock"}, {"pyproject.toml": PYTEST}, ["uv run pytest -q"]),
    ({"poetry.lock"}, {"pyproject.toml": PYTEST}, ["poetry run pytest -q"]),
    ({"tests"}, {"pyproject.toml": "[[[ not toml"}, ["python -m pytest -q"]),
    (set(), {"package.json": NODE}, ["npm test"]),
    ({"package-lock.json"}, {"package.json": NODE}, ["npm test"]),
    ({"pnpm-lock.yaml"}, {"package.json": NODE}, ["pnpm test"]),
    ({"yarn.lock"}, {"package.json": NODE}, ["yarn test"]),
    ({"bun.lock"}, {"package.json": NODE}, ["bun run test"]),
    (set(), {"package.json": EMPTY_NODE}, []),
    (set(), {"package.json": "[1"}, []),
    (set(), {"package.json": "[]"}, []),
    (set(), {"package.json": '{"scripts": {"test": 5}}'}, []),
    (set(), {"Makefile": "all:\n\ttrue\ntest: all\n\ttrue\n"}, ["make test"]),
    (set(), {"Makefile": "check test:\n"}, []),
    (set(), {"Makefile": "test := 1\n"}, []),
    (set(), {"Makefile": "test:\n", "GNUmakefile": "check:\n"}, ["make check"]),
    (set(), {"Cargo.toml": ""}, ["cargo test --quiet"]),
    (set(), {"go.mod": ""}, ["go test ./..."]),
    (set(), {"tox.ini": ""}, ["tox -q"]),
    ({"tests"}, {"pyproject.toml": "", "Makefile": "check:\n", "go.mod": ""},
     ["python -m pytest -q", "make check", "go test ./..."]),
]  # fmt: skip


@pytest.mark.parametrize(("names", "texts", "commands"), CASES)
def test_what_is_guessed(names: set[str], texts: dict[str, str], commands: list[str]) -> None:
    assert [found.verify for found in guess(names | set(texts), texts)] == commands


def test_a_lock_file_says_what_a_worktree_needs() -> None:
    (found,) = guess({"package.json", "package-lock.json"}, {"package.json": NODE})
    assert (found.setup, found.setup_inputs, found.keep) == (
        "npm ci",
        ("package-lock.json",),
        ("node_modules",),
    )
    (found,) = guess({"pyproject.toml", "uv.lock"}, {"pyproject.toml": PYTEST})
    assert (found.setup, found.setup_inputs, found.keep) == ("uv sync", ("uv.lock",), (".venv",))
    assert found.why == "pyproject.toml, uv.lock"


@given(st.sets(st.text(max_size=12)), st.dictionaries(st.sampled_from(READ), st.text(max_size=80)))
def test_no_text_makes_it_fail(names: set[str], texts: dict[str, str]) -> None:
    for found in guess(names, texts):
        assert found.verify and found.why
