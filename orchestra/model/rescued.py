"""The refs that keep what an attempt left beside its result, and what one of their commits says. Pure."""

from __future__ import annotations

RESCUED = "refs/orchestra/rescued/"
"""Below it: what an attempt that was cut off left in its worktree."""

COMMITS = "-commits"
"""At the end of a ref below `RESCUED`: it names what an agent committed, not what it left in the worktree."""


def commits_ref(attempt: str) -> str:
    """The ref that names what the agent of an attempt committed."""
    return RESCUED + attempt + COMMITS


def commits_message(attempt: str) -> str:
    """The message of the commit that joins what an agent committed where that is not one line; its first parent is
    the commit at which the agent left its HEAD.
    """
    return f"What attempt {attempt} committed\n"
