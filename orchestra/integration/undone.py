"""Landings that somebody took back: told by the first-parent history of a task's lock entry alone.

So a revert is known in every clone, whether made by `git revert`, by a merge or by hand.
"""

from __future__ import annotations

from collections.abc import Mapping

from orchestra.model.entries import lock_path, parse
from orchestra.model.errors import OrchestraError
from orchestra.model.freshness import Landing
from orchestra.model.ports import PastChange, Store
from orchestra.model.trees import LOCK_FOLDER, Tree, differences


class Undone:
    """What the history of one line of commits says of entries that went back to what they were before."""

    def __init__(self, git: Store) -> None:
        self._git = git
        self._changes: Mapping[str, tuple[PastChange, ...]] = {}
        self._tip: str | None = None

    def landing(self, task: str, tip: str) -> Landing | None:
        """The landing of a task whose entry the newest change to it took back; None where there is none."""
        if self._tip != tip:
            self._changes, self._tip = self._git.changes(tip, LOCK_FOLDER), tip
        changes = self._changes.get(lock_path(task), ())
        if len(changes) < 2:
            return None
        newest, landed, *earlier = changes
        before = [landed.before, *(change.after for change in earlier)]
        if newest.after is not None and newest.after not in before:
            # It went on, not back.
            return None
        if landed.after is None or newest.after == landed.after:
            return None
        (content,) = self._git.read([landed.after.split(" ")[1]])
        try:
            entry = parse(task, content)
        except OrchestraError:
            # An entry that cannot be read says nothing, and nobody has to mend history.
            return None
        parent = self._git.tree(landed.parent) if landed.parent is not None else Tree("", {})
        paths = {path: state for path, state in entry.outputs.items() if parent.state(path) != state}
        return Landing(entry, paths, landed.commit, newest.commit)

    def went_on(self, before: Tree, after: Tree) -> None:
        """The line went on by one commit of ours: what that changed is known without asking."""
        if self._tip != before.commit:
            return
        changes = dict(self._changes)
        for one in differences(before, after):
            if one.path.startswith(LOCK_FOLDER):
                change = PastChange(after.commit, before.commit, one.before, one.after)
                changes[one.path] = (change, *changes.get(one.path, ()))
        self._changes, self._tip = changes, after.commit
