"""Protected paths: what no task may write, what can be allowed, and what never can."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestra.model.patterns import PatternError, compile_pattern
from orchestra.model.protected import (
    NEVER,
    PROTECTED,
    names_never_writable,
    names_protected,
    never_writable,
    protected,
)

YES = [
    ".git/config",
    ".gitignore",
    ".gitattributes",
    ".gitmodules",
    ".github/workflows/ci.yml",
    ".gitlab-ci.yml",
    ".GITHUB/x",
    ".Git/hooks/pre-commit",
    "sub/.git",
    "sub/.git/config",
    "sub/.gitattributes",
    "sub/.gitmodules",
    ".g\u200cit/config",
    "git~1/config",
    "sub/GIT~1",
    "sub/.git./config",
    "sub/.Git .",
    "sub/.git::$INDEX_ALLOCATION/config",
    "orchestra.yaml",
    "Orchestra.YAML",
    ".orchestra/lock/a.json",
    "prompts/a.md",
    "prompts/deep/a.md",
    "PROMPTS/a.md",
    ".envrc",
    "sub/.envrc",
    ".mcp.json",
    ".claude/settings.json",
    "sub/.claude/settings.json",
    ".vscode/tasks.json",
    ".pre-commit-config.yaml",
    ".codex/config.toml",
    ".cursor/rules/a.mdc",
    ".gemini/settings.json",
    ".opencode/agent/a.md",
    ".devcontainer/devcontainer.json",
    ".husky/pre-commit",
    ".circleci/config.yml",
]
NO = [
    "README.md",
    "src/a.py",
    "CLAUDE.md",
    "AGENTS.md",
    ".env",
    "sub/.gitignore",
    "sub/.gitkeep",
    "docs/prompts/a.md",
    "sub/orchestra.yaml",
    "orchestra.yaml.md",
    "git/x",
    "git~2",
    "a.git./x",
    "sub/.git.md",
    "prompts.md",
]


@pytest.mark.parametrize("path", YES)
def test_protected(path: str) -> None:
    assert protected(path, ())


@pytest.mark.parametrize("path", NO)
def test_not_protected(path: str) -> None:
    assert not protected(path, ())


def test_each_protected_pattern_is_in_lower_case_and_needed() -> None:
    for text in PROTECTED:
        assert text == text.casefold()
        compile_pattern(text)
    covered = {text for text in PROTECTED if any(compile_pattern(text).matches(path) for path in YES)}
    assert covered == set(PROTECTED)


# What HFS+ leaves out of names, as git lists it in utf8.c.
IGNORED = "200c 200d 200e 200f 202a 202b 202c 202d 202e 206a 206b 206c 206d 206e 206f feff"


@pytest.mark.parametrize("code", re.findall(r"\w+", IGNORED))
def test_characters_that_a_file_system_ignores(code: str) -> None:
    assert protected(f".g{chr(int(code, 16))}it/config")


@pytest.mark.parametrize("code", [0x200B, 0x2010, 0x2029, 0x202F, 0x2069, 0x2070, 0xFEFE, 0xFF00])
def test_characters_that_no_file_system_ignores(code: int) -> None:
    assert not protected(f".g{chr(code)}it/config")


def test_what_is_named_is_allowed_and_nothing_else() -> None:
    allowed = (".github/workflows/*.yml", "prompts")
    assert not protected(".github/workflows/ci.yml", allowed)
    assert not protected("prompts/a.md", allowed)
    assert protected(".github/CODEOWNERS", allowed)
    # On a file system that keeps case apart this is another file, which nobody named.
    assert protected(".GitHub/workflows/ci.yml", allowed)
    assert protected(".envrc", allowed)


@pytest.mark.parametrize(
    "path", [".git/config", "a/.git", "a/.GIT/x", ".orchestra/lock/a.json", ".Orchestra/x"]
)
def test_some_things_are_never_allowed(path: str) -> None:
    assert never_writable(path)
    assert protected(path, ("**", path, ".git", ".orchestra/**"))


@given(st.text(".gitorchesa/GX\u200d", min_size=1, max_size=12).filter(lambda path: not path.startswith("/")))
def test_never_is_the_stricter_rule(path: str) -> None:
    if never_writable(path):
        assert protected(path)
    assert protected(path) >= protected(path, ("**",))


NAMED = [
    (".gitignore", True),
    (".git*", True),
    (".gi*", False),
    (".github", True),
    (".github/", True),
    (".github/**", True),
    (".github/*/x", True),
    ("prompts", True),
    ("prompts/*.md", True),
    ("prompts*", False),
    ("prompt?/x", False),
    ("orchestra.yaml", True),
    ("*.yaml", False),
    ("**", False),
    ("**/.git/config", False),
    ("src/**", False),
    (".claude/**", True),
    ("sub/.claude/x*", True),
]


@pytest.mark.parametrize(("pattern", "named"), NAMED)
def test_a_pattern_names_what_is_protected_or_is_merely_broad(pattern: str, named: bool) -> None:
    assert names_protected(pattern) is named
    assert names_protected(pattern, (pattern,)) is (named and names_never_writable(pattern))


def test_a_pattern_that_is_allowed_in_part_is_left_to_the_audit() -> None:
    assert not names_protected(".github/**", (".github/workflows/*.yml",))
    assert names_protected(".github/**", (".claude/**",))
    assert names_protected(".git/x", ("**",))
    assert names_protected(".orchestra/**", (".orchestra/**",))


@pytest.mark.parametrize("text", NEVER)
def test_what_is_never_writable_is_named_by_its_own_pattern(text: str) -> None:
    assert names_never_writable(text.removeprefix("**/"))


def test_what_is_no_pattern_is_told() -> None:
    with pytest.raises(PatternError):
        names_protected("../x")
    with pytest.raises(PatternError):
        protected(".envrc", ("/x",))
