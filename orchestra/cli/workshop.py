"""What attempts of a build work with, put together from a project and this machine."""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable
from pathlib import Path

from orchestra.agents.registry import make_agent
from orchestra.agents.run import RunCommand
from orchestra.cli.doers import Doers
from orchestra.cli.options import Project
from orchestra.execution.workshop import Workshop
from orchestra.model.agents import Agent
from orchestra.model.masking import Mask, secrets_of
from orchestra.model.ports import Clock
from orchestra.model.tasks import AgentSpec, Task
from orchestra.vcs.capture import rescue
from orchestra.vcs.slots import Slot, SlotPool, slots_folder


def slots_of(project: Project) -> Path:
    """Where the worktrees of a project lie."""
    repository, configured = project.repository, project.manifest.worktrees.dir
    return slots_folder(repository.common_dir, repository.root, configured, os.environ)


def environment_of(project: Project) -> str:
    """What beside a tree decides a verdict: this is part of where verdicts are remembered."""
    return f"{sys.platform} {os.uname().machine} {project.manifest.worktrees.setup or ''}"


def make_workshop(
    project: Project, build: str, clock: Clock, notice: Callable[[str, str | None], None]
) -> Workshop:
    """The workshop of a build; `notice` tells the person something, with what to do."""
    repository, manifest = project.repository, project.manifest

    # Asked for each task: to look up what a package adds takes milliseconds each time.
    made = functools.cache(make_agent)

    def adapter_of(task: Task, spec: AgentSpec | None) -> Agent:
        return mask.agent(RunCommand(task.run or "") if spec is None else made(spec))

    def rescued(slot: Slot, attempt: str) -> None:
        kept = rescue(repository, slot, attempt, pool.spared(slot))
        if kept:
            notice(f"work that attempt {attempt} left in its worktree is kept under {kept}", None)

    pool = SlotPool(
        repository.command,
        repository.root,
        repository.common_dir,
        slots_of(project),
        manifest.worktrees,
        rescued,
    )
    passed = [name for spec in manifest.agents.values() for name in spec.passes]
    passed += [name for task in manifest.tasks for name in task.passes]
    mask = Mask(secrets_of(os.environ, passed))
    return Workshop(
        repository,
        pool,
        build,
        clock,
        os.environ,
        manifest.worktrees.setup or "",
        Doers(manifest).of,
        adapter_of,
        manifest.context,
        mask,
        manifest.prices,
    )
