"""What a repository's own files say about how it is set up and tested: a guess for its first manifest. Pure.

A guess is what the file at hand states (a test script, a lock file, a target), never a tool that might be there.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

READ = (
    "pyproject.toml",
    "package.json",
    "Makefile",
    "makefile",
    "GNUmakefile",
    "Cargo.toml",
    "go.mod",
    "tox.ini",
)
"""The files at the top of a repository whose text a guess is made from, where they are there."""


@dataclass(frozen=True, slots=True)
class Guess:
    """How a repository is tested, and what its worktrees need.

    `verify` is the command that tests it, `why` the file that says so; `setup` makes a fresh worktree usable, again
    when `setup_inputs` change, and what it makes is in `keep`.
    """

    verify: str
    why: str
    setup: str | None = None
    setup_inputs: tuple[str, ...] = ()
    keep: tuple[str, ...] = ()


def guess(names: Collection[str], texts: Mapping[str, str]) -> tuple[Guess, ...]:
    """The guesses for a repository, best first.

    `names` are what lies at its top, files and folders; `texts` the contents of those of `READ` that are there.
    """
    guesses = (ask(frozenset(names), texts) for ask in _ASKED)
    return tuple(found for found in guesses if found is not None)


def _python(names: frozenset[str], texts: Mapping[str, str]) -> Guess | None:
    text = texts.get("pyproject.toml")
    if text is None:
        return None
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        data = {}
    tools = data.get("tool")
    tools = tools if isinstance(tools, dict) else {}
    by_name = "pytest" in tools or re.search(r"[\"']pytest\b", text) is not None
    command = "pytest -q" if by_name or names & {"tests", "test"} else None
    if command is None:
        return None
    why = "pyproject.toml" if by_name else "pyproject.toml and a folder of tests"
    if "uv.lock" in names:
        return Guess(f"uv run {command}", f"{why}, uv.lock", "uv sync", ("uv.lock",), (".venv",))
    if "poetry.lock" in names:
        # Otherwise its environments lie elsewhere, one for each path of a worktree.
        setup = "POETRY_VIRTUALENVS_IN_PROJECT=1 poetry install"
        return Guess(f"poetry run {command}", f"{why}, poetry.lock", setup, ("poetry.lock",), (".venv",))
    return Guess(f"python -m {command}", why)


_NODE = (
    # lock file, what installs by it, what runs a script
    ("package-lock.json", "npm ci", "npm test"),
    ("npm-shrinkwrap.json", "npm ci", "npm test"),
    ("pnpm-lock.yaml", "pnpm install --frozen-lockfile", "pnpm test"),
    ("yarn.lock", "yarn install --frozen-lockfile", "yarn test"),
    ("bun.lock", "bun install --frozen-lockfile", "bun run test"),
    ("bun.lockb", "bun install --frozen-lockfile", "bun run test"),
)


def _node(names: frozenset[str], texts: Mapping[str, str]) -> Guess | None:
    try:
        data = json.loads(texts.get("package.json", "{}"))
        script = data["scripts"]["test"]
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    # What `npm init` writes where nobody said how to test.
    if not isinstance(script, str) or not script.strip() or "no test specified" in script:
        return None
    for lock, setup, command in _NODE:
        if lock in names:
            return Guess(
                command, f"the script `test` of package.json, {lock}", setup, (lock,), ("node_modules",)
            )
    return Guess("npm test", "the script `test` of package.json")


def _make(names: frozenset[str], texts: Mapping[str, str]) -> Guess | None:
    # The order in which make looks for them.
    for name in ("GNUmakefile", "makefile", "Makefile"):
        text = texts.get(name)
        if text is None:
            continue
        for target in ("check", "test", "tests"):
            if re.search(rf"^{target}\s*:(?!=)", text, re.MULTILINE):
                return Guess(f"make {target}", f"the target `{target}` of {name}")
    return None


def _cargo(names: frozenset[str], texts: Mapping[str, str]) -> Guess | None:
    if "Cargo.toml" not in texts:
        return None
    return Guess("cargo test --quiet", "Cargo.toml", keep=("target",))


def _go(names: frozenset[str], texts: Mapping[str, str]) -> Guess | None:
    return Guess("go test ./...", "go.mod") if "go.mod" in texts else None


def _tox(names: frozenset[str], texts: Mapping[str, str]) -> Guess | None:
    return Guess("tox -q", "tox.ini", keep=(".tox",)) if "tox.ini" in texts else None


_ASKED: tuple[Callable[[frozenset[str], Mapping[str, str]], Guess | None], ...] = (
    _python,
    _node,
    _make,
    _cargo,
    _go,
    _tox,
)
