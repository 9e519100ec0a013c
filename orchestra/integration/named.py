"""The branches that keep results by the project's convention (`integrate.branch`), one for each task that landed or
was rejected.

A branch is moved only where it stands exactly where we last put it, or where that loses nothing, and never while a
worktree holds it. Where it stays, the result is kept below `KEPT`, and a notice says what to type; a later build tries
again, so that a crash loses none.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable

from orchestra.integration.branch import Target
from orchestra.integration.landing import Candidate, commit_beside
from orchestra.integration.line import Line
from orchestra.integration.refs import KEPT, PUT
from orchestra.model.events import Event, Notice
from orchestra.model.ports import Clock, Placed, RefUpdate, Store
from orchestra.model.tasks import Manifest
from orchestra.model.template import fill

HEADS = "refs/heads/"


class NamedBranches:
    """Keeps results on branches of their own; does nothing where the manifest asks for none."""

    def __init__(
        self,
        git: Store,
        line: Line,
        manifest: Manifest,
        target: Target,
        clock: Clock,
        build: str,
        emit: Callable[[Event], None],
        *,
        active: bool = True,
    ) -> None:
        self._git = git
        self._line = line
        self._manifest = manifest
        self._target = target
        self._clock = clock
        self._build = build
        self._emit = emit
        # A result on what is uncommitted is nothing for a pull request: it would hold that, too.
        self._template = manifest.integrate.branch if active and not target.snapshot else None

    def reserve(self, candidate: Candidate, beside: str | None = None) -> None:
        """Keep a commit of a result (`beside`, if it is made already) for its branch."""
        if self._template is None:
            return
        ref = KEPT + self._name(candidate.task.name)
        commit = beside or commit_beside(self._git, self._line, candidate, self._manifest)
        self._make_room(ref)
        self._git.update_refs((RefUpdate(ref, commit, force=True),))

    def place(self, task: str) -> None:
        """Let the task's branch stand at what is kept for it, and say so where it cannot."""
        if self._template is None:
            return
        name = self._name(task)
        commit = self._git.resolve(KEPT + name)
        if commit is None:
            return
        placed = self._place(name, commit)
        if not placed.done:
            message = f"the result of `{task}` is not on the branch {name}: {placed.why}"
            self._emit(Notice(self._clock.now(), self._build, message, self._hint(name, placed)))

    def place_left(self) -> None:
        """Put what earlier builds kept where it can be put by now."""
        if self._template is not None:
            for ref, commit in self._git.refs_below(KEPT).items():
                self._place(ref.removeprefix(KEPT), commit)

    def _place(self, name: str, commit: str) -> Placed:
        ref, memory = HEADS + name, PUT + name
        now, put = self._git.resolve(ref), self._git.resolve(memory)
        if ref == self._target.branch:
            return Placed(False, "results land there")
        if now is not None and now != put and not self._git.is_ancestor(now, commit):
            return Placed(False, "it holds other commits")
        self._make_room(memory)
        done = Placed(True)
        if now != commit:
            done = self._git.place(RefUpdate(ref, commit, now), RefUpdate(memory, commit, put))
        elif put != commit:
            self._git.update_refs((RefUpdate(memory, commit, force=True),))
        if done.done:
            self._git.update_refs((RefUpdate(KEPT + name, None, force=True),))
        return done

    def _hint(self, name: str, placed: Placed) -> str:
        kept = shlex.quote(KEPT + name)
        if placed.worktree is not None:
            there = f"git -C {shlex.quote(placed.worktree)}"
            ours = self._git.resolve(HEADS + name) == self._git.resolve(PUT + name)
            return f"{there} {'reset --keep' if ours else 'merge'} {kept}"
        if HEADS + name == self._target.branch or self._git.resolve(HEADS + name) is None:
            return f"keep it under another name: git branch NAME {kept}"
        branch = shlex.quote(name)
        return f"see what it holds: git log {kept}..{branch}; to give that up: git branch -f {branch} {kept}"

    def _make_room(self, ref: str) -> None:
        """Forget what has the name of a folder of this ref, or lies below it: git cannot keep both."""
        root = KEPT if ref.startswith(KEPT) else PUT
        others = self._git.refs_below(root)
        clash = [each for each in others if each.startswith(f"{ref}/") or ref.startswith(f"{each}/")]
        self._git.update_refs(tuple(RefUpdate(each, None, force=True) for each in clash))

    def _name(self, task: str) -> str:
        return fill(self._template or "", {"task": task, "build": self._build})
