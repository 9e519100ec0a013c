"""What an agent was seen to read: the paths of its tools, as files of the repository."""

from __future__ import annotations

import os
import posixpath
from collections.abc import Iterable
from pathlib import Path

from orchestra.model.agents import AgentEvent, Invocation, Judgement, Session
from orchestra.model.outcomes import Exit
from orchestra.model.trees import STATE_FOLDER, Tree

MOST = 10_000
"""How many paths are kept of one attempt."""


class Observed:
    """The paths that an agent's tools were used on, in all rounds of an attempt."""

    def __init__(self, worktree: Path) -> None:
        # An agent may name its folder by what a symbolic link leads to.
        self._roots = tuple(dict.fromkeys((str(worktree), os.path.realpath(worktree))))
        self._paths: set[str] = set()

    def see(self, events: Iterable[AgentEvent]) -> None:
        """Note what the agent did; who edits a file has read it."""
        for event in events:
            if not event.access:
                continue
            for path in event.paths:
                inside = within(path, self._roots)
                if inside is not None and len(self._paths) < MOST:
                    self._paths.add(inside)

    def files(self, base: Tree) -> tuple[str, ...]:
        """The regular files of the base among them, sorted."""
        return tuple(sorted(path for path in self._paths if is_file(path, base)))


def is_file(path: str, tree: Tree) -> bool:
    """Whether the path is a regular file of the tree that is not orchestra's."""
    return (tree.state(path) or "").startswith("100") and not path.startswith(STATE_FOLDER)


def within(path: str, roots: Iterable[str]) -> str | None:
    """The path relative to one of the roots, None where it leads out of all; case is kept, `..` resolved."""
    if not path or "\0" in path:
        return None
    for root in roots:
        whole = posixpath.normpath(posixpath.join(root, path))
        if whole.startswith(root.rstrip("/") + "/"):
            return whole[len(root.rstrip("/")) + 1 :]
    return None


class Watching:
    """A session whose uses of tools are noted. Implements Session."""

    def __init__(self, session: Session, observed: Observed) -> None:
        self._session = session
        self._observed = observed

    @property
    def invocation(self) -> Invocation:
        """See `orchestra.model.agents.Session`."""
        return self._session.invocation

    def read(self, line: str) -> tuple[AgentEvent, ...]:
        """See `orchestra.model.agents.Session`."""
        events = self._session.read(line)
        self._observed.see(events)
        return events

    def judge(self, ended: Exit) -> Judgement:
        """See `orchestra.model.agents.Session`."""
        return self._session.judge(ended)
