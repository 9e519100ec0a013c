"""Preflight: what must be in order before anything starts that costs; called only where something would start."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from orchestra.execution.context import missing_context, read_context
from orchestra.execution.review import as_review
from orchestra.execution.workshop import Workshop
from orchestra.model.errors import OrchestraError, environment_error
from orchestra.model.patterns import PatternSet
from orchestra.model.tasks import Limits, Task
from orchestra.vcs.advance import checkouts_of, finish_or_drop, git_dir_of, rebased_in, said_of, under_way
from orchestra.vcs.folders import nearest
from orchestra.vcs.locks import remove_stale_locks
from orchestra.vcs.repository import Repository


@dataclass(frozen=True, slots=True)
class Preflight:
    """The checks of one build. `branch` is what it will advance (None: nothing), `slots` where worktrees
    lie, `prompts` the patterns that find prompts; `notice` takes a message and a hint for the person; `disk` are the
    bytes that must be free where slots and logs are written; `unseen` tells whether uncommitted changes, which tasks
    do not see, are to be named. `tip` is the commit with which the build begins, None where the files of `context`
    are not to be looked for in it. `manifest` is the manifest's path, None where there is none.
    """

    workshop: Workshop
    branch: str | None
    slots: Path
    prompts: tuple[str, ...]
    notice: Callable[[str, str | None], None]
    disk: int = Limits().disk
    unseen: bool = True
    tip: str | None = None
    manifest: str | None = None

    def check(self, tasks: Iterable[Task]) -> None:
        """Raise OrchestraError where the build of these tasks may not begin."""
        repository = self.workshop.repository
        repository.require_version()
        check_identity(repository)
        tasks = tuple(tasks)
        self._check_agents(tasks)
        self._check_context(tasks)
        check_checkout(repository, self.branch)
        check_signing(repository)
        remove_stale_locks(repository.root, repository.common_dir, self.slots)
        for folder in written_to(repository, self.slots):
            check_disk(folder, self.disk)
        if self.unseen:
            self._name_unseen(tasks)

    def _check_agents(self, tasks: tuple[Task, ...]) -> None:
        missing: dict[str, list[str]] = {}
        for task in tasks:
            spec = self.workshop.agent_of(task)
            if task.prompt is not None and spec is None:
                raise environment_error(
                    f"no coding agent is installed, and `{task.name}` names none",
                    hint="install Claude Code (`claude`) or Codex (`codex`), or name an agent under `defaults` in "
                    "orchestra.yaml: `agent: script` runs the shell blocks of prompts",
                )
            adapters = [self.workshop.adapter_of(task, spec)]
            if task.review is not None:
                review = as_review(task)
                adapters.append(self.workshop.adapter_of(review, self.workshop.agent_of(review)))
            for problem in dict.fromkeys(filter(None, (adapter.missing() for adapter in adapters))):
                missing.setdefault(problem, []).append(task.name)
        for problem, names in missing.items():
            more = f" and {len(names) - 3} more" if len(names) > 3 else ""
            raise environment_error(
                f"{problem} (needed by {', '.join(names[:3])}{more})",
                hint="install it, or name another agent: --agent NAME, or `agent` in orchestra.yaml",
            )

    def _check_context(self, tasks: tuple[Task, ...]) -> None:
        """The files of `context` must not be too long, and are named where they are not committed."""
        shop = self.workshop
        if self.tip is None or not shop.context or all(task.prompt is None for task in tasks):
            return
        base = shop.repository.tree(self.tip)
        read_context(shop.repository, shop.context, base)
        missing = missing_context(shop.context, base)
        if missing:
            self.notice(
                f"not told to agents, because it is no file on {self.tip[:7]}: {', '.join(missing)} (context)",
                "commit it, or take it out of `context` in orchestra.yaml",
            )

    def _name_unseen(self, tasks: tuple[Task, ...]) -> None:
        """Name the person's uncommitted changes to files that tasks claim: tasks do not see them."""
        patterns = PatternSet.of(
            {text for task in tasks for text in (*(task.claims.writable or ()), *task.claims.read)}
        )
        unknown = any(task.claims.write is None for task in tasks)
        try:
            changed = self.workshop.repository.uncommitted()
        except OrchestraError:
            return
        # Prompts and the manifest are read from the disk: of those, it is the uncommitted state that counts.
        read = {task.prompt.path for task in tasks if task.prompt is not None} | {
            task.place.file for task in tasks
        }
        if self.manifest is not None:
            # No task names it as its place where all tasks come from prompts alone.
            read.add(self.manifest)
        prompts = PatternSet.of(self.prompts)
        changed = tuple(path for path in changed if path not in read and not prompts.matches(path))
        seen = [path for path in changed if unknown or patterns.matches(path)]
        if seen:
            more = f" and {len(seen) - 5} more" if len(seen) > 5 else ""
            self.notice(
                f"not seen by tasks, because not committed: {', '.join(seen[:5])}{more}",
                "commit them first if tasks should build on them",
            )


def check_identity(repository: Repository) -> None:
    """Raise OrchestraError where git does not know in whose name to commit."""
    problem = repository.identity_problem()
    if problem is not None:
        raise environment_error(
            "git does not know in whose name to commit",
            causes=(problem,),
            hint="git config --global user.name 'Your Name' && git config --global user.email you@example.org",
        )


def check_signing(repository: Repository) -> None:
    """Raise OrchestraError where commits are to be signed and git cannot."""
    problem = repository.signing_problem()
    if problem is not None:
        raise environment_error(
            "git cannot sign commits, and `commit.gpgSign` asks for it",
            causes=(problem,),
            hint="unlock the key, or build without: git config commit.gpgSign false",
        )


def check_checkout(repository: Repository, branch: str | None) -> None:
    """No merge or the like may be under way where orchestra was called, or where the branch would be moved."""
    checkouts = [repository.root]
    if branch is not None:
        checkouts += checkouts_of(repository.command, branch)
        rebase = rebased_in(repository.common_dir, branch)
        if rebase is not None:
            raise _under_way("rebase", rebase)
    for checkout in dict.fromkeys(checkouts):
        if not checkout.is_dir():
            raise environment_error(
                f"the branch is checked out in {checkout}, which is gone",
                hint="git worktree prune, or bring it back",
            )
        here = checkout == repository.root
        what = under_way(repository.git_dir if here else git_dir_of(repository.command.at(checkout)))
        if what is not None:
            raise _under_way(what, checkout)


def written_to(repository: Repository, slots: Path) -> tuple[Path, ...]:
    """The folders into which a build writes."""
    common = repository.common_dir
    return slots, repository.state_folder, common / "objects", common / "refs"


def _under_way(what: str, place: Path) -> OrchestraError:
    return environment_error(said_of(what, place), hint=finish_or_drop(what))


def check_disk(folder: Path, least: int) -> None:
    """Raise OrchestraError where so many bytes are not free, or nothing may be written."""
    place = nearest(folder)
    free = shutil.disk_usage(place).free
    if free < least:
        raise environment_error(
            f"only {free // 2**20:,} MiB are free at {place}",
            hint=f"make room: worktrees and logs are written there, and `limits.disk` asks for {least // 2**20:,} MiB",
        )
    if not os.access(place, os.W_OK):
        raise environment_error(
            f"{place} cannot be written to", hint="make it writable, or build in a clone of your own"
        )
