"""Protected paths: what no task may write unless the manifest's `allow_protected` names it.

They are what git, orchestra, shells, editors and agents obey merely because it lies there: whoever writes it
decides what runs next. Compared without case and without the characters that some file systems ignore.
"""

from __future__ import annotations

import re

from orchestra.model.patterns import Pattern, PatternSet, compile_pattern

PROTECTED = (
    ".git*",
    "orchestra.yaml",
    ".orchestra",
    "prompts",
    "**/.gitattributes",
    "**/.gitmodules",
    "**/.envrc",
    "**/.mcp.json",
    "**/.claude",
    ".codex",
    ".cursor",
    ".gemini",
    ".opencode",
    ".vscode",
    ".devcontainer",
    ".husky",
    ".circleci",
    ".pre-commit-config.yaml",
)
"""Patterns in lower case. Those with `**/` hold in every folder, since their tools look in every folder."""

NEVER = ("**/.git", ".orchestra")
"""What not even `allow_protected` can open: git's own files, and the record of what has landed."""

# Code points that HFS+ leaves out when it compares names: git knows them too (core.protectHFS).
_IGNORED = {
    code: None
    for first, last in ((0x200C, 0x200F), (0x202A, 0x202E), (0x206A, 0x206F), (0xFEFF, 0xFEFF))
    for code in range(first, last + 1)
}

# What NTFS takes for `.git`, with case folded: git refuses such names everywhere (core.protectNTFS).
_DOT_GIT = re.compile(r"(?<![^/])(?:\.git|git~1)[ .]*(?::[^/]*)?(?![^/])")


def protected(path: str, allowed: tuple[str, ...] = ()) -> bool:
    """Whether no task may write that path of a file, given the patterns of `allow_protected`.

    Raises PatternError where one of those is not a pattern.
    """
    if never_writable(path):
        return True
    if not PatternSet.of(PROTECTED).matches(_folded(path)):
        return False
    return not PatternSet.of(allowed).matches(path)


def never_writable(path: str) -> bool:
    """Whether no task may write that path, whatever is allowed."""
    return PatternSet.of(NEVER).matches(_folded(path))


def names_protected(pattern: str, allowed: tuple[str, ...] = ()) -> bool:
    """Whether a pattern names protected paths on purpose: all that its literal beginning leaves open is one.

    A broad pattern such as `**` does not. One that `allowed` may open in part is left to the audit, which
    sees real paths. Raises PatternError where a text is not a pattern.
    """
    compiled = compile_pattern(pattern)
    if names_never_writable(pattern):
        return True
    if not any(protected(path) for path in _examples(compiled)):
        return False
    return not any(compile_pattern(text).overlaps(compiled) for text in allowed)


def names_never_writable(pattern: str) -> bool:
    """Whether a pattern names paths on purpose that nothing can open; raises PatternError."""
    return any(never_writable(path) for path in _examples(compile_pattern(pattern)))


def _examples(pattern: Pattern) -> tuple[str, ...]:
    """Paths that stand for what the literal beginning of a pattern leaves open."""
    if pattern.is_literal:
        return pattern.literal_prefix, f"{pattern.literal_prefix}/x"
    return (f"{pattern.literal_prefix}x",)


def _folded(path: str) -> str:
    return _DOT_GIT.sub(".git", path.translate(_IGNORED).casefold())
