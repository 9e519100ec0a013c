"""A checkup of all that builds depend on: git, disk, agents, slots, what earlier builds left. It changes nothing.

Each look stands alone, so that one that fails hides no other.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from orchestra.execution.lock import at_work
from orchestra.execution.preflight import (
    check_checkout,
    check_disk,
    check_identity,
    check_signing,
    written_to,
)
from orchestra.integration.branch import PARKED_BRANCH
from orchestra.model.agents import Agent
from orchestra.model.errors import OrchestraError
from orchestra.model.findings import Finding, Level, problem_of
from orchestra.model.text import clean, count, size
from orchestra.vcs.command import GitFailedError
from orchestra.vcs.folders import nearest
from orchestra.vcs.repository import Repository

PATIENCE = 20.0
"""Seconds that a program may take to tell its version."""

MANY_REFS = 5_000
"""Refs of ours from which on git gets slow to list them."""


def look_at_git(repository: Repository) -> Iterator[Finding]:
    """Git itself, and whether it would commit here."""
    try:
        repository.require_version()
        yield Finding("git", Level.OK, repository.command.run("--version").text)
        head = repository.head()
    except OrchestraError as error:
        yield problem_of("git", error)
        return
    on = head.branch.removeprefix("refs/heads/") if head.branch else "a detached HEAD"
    yield Finding("git", Level.OK, f"{repository.root} on {on}")
    checks: tuple[Callable[[], None], ...] = (
        lambda: check_identity(repository),
        lambda: check_signing(repository),
        lambda: check_checkout(repository, head.branch),
    )
    for check in checks:
        try:
            check()
        except OrchestraError as error:
            yield problem_of("git", error)


def look_at_disk(repository: Repository, slots: Path, least: int) -> Iterator[Finding]:
    """Room, and leave to write, where builds write; `least` are the bytes that must be free."""
    wrong = False
    for folder in written_to(repository, slots):
        try:
            check_disk(folder, least)
        except OrchestraError as error:
            wrong = True
            yield problem_of("disk", error)
    if not wrong:
        free = min(shutil.disk_usage(nearest(folder)).free for folder in written_to(repository, slots))
        yield Finding("disk", Level.OK, f"{size(free)} free where worktrees, results and logs are written")


def look_at_agents(agents: Mapping[str, Agent], used: Mapping[str, Sequence[str]]) -> Iterator[Finding]:
    """By name, which agents are installed, in which version; `used` are the tasks of those that the manifest uses."""
    absent = []
    for name, agent in agents.items():
        tasks = used.get(name, ())
        needed = f" (needed by {_listed(tasks)})" if tasks else ""
        missing = agent.missing()
        if missing is None:
            version = _version(agent.traits.version)
            yield Finding("agents", Level.OK, f"{name}{f': {version}' if version else ''}{needed}")
        elif tasks:
            hint = "install it, or name another agent in orchestra.yaml"
            yield Finding("agents", Level.PROBLEM, f"{missing}{needed}", hint)
        else:
            absent.append(name)
    if absent:
        yield Finding("agents", Level.OK, f"not installed, and not asked for: {', '.join(absent)}")


def look_at_slots(repository: Repository, slots: Path) -> Iterator[Finding]:
    """The pooled worktrees, and whether git and the disk agree about them."""
    try:
        out = repository.command.run("worktree", "list", "--porcelain").text
    except GitFailedError as error:
        yield problem_of("slots", error)
        return
    place = slots.resolve()
    known = {Path(line.removeprefix("worktree ")) for line in out.split("\n") if line.startswith("worktree ")}
    ours = {path for path in known if path.parent == place}
    there = {path for path in place.glob("slot-*") if path.is_dir()} if place.is_dir() else set()
    gone = sorted(path.name for path in ours - there)
    yield Finding("slots", Level.OK, f"{count(len(ours & there), 'worktree')} in {slots}")
    if gone:
        message = f"{_listed(gone)}: the folder is gone; made anew when it is needed"
        yield Finding("slots", Level.NOTE, message, "orchestra clean takes it off git's list")
    strangers = sorted(path.name for path in there - ours)
    if strangers:
        hint = (
            f"a build puts them aside when it needs the place; what is in {slots}: orchestra clean -v aside"
        )
        yield Finding("slots", Level.NOTE, f"{_listed(strangers)}: no worktree of this repository", hint)


def look_at_builds(repository: Repository, lock: Path) -> Iterator[Finding]:
    """Whether a build is at work, and what earlier ones left."""
    holder = at_work(lock)
    if holder is not None:
        yield Finding("builds", Level.NOTE, f"a build is at work: {holder}", "orchestra stop ends it")
    elif _written(lock):
        message = "the last build was killed; what it left is taken up by the next"
        yield Finding("builds", Level.NOTE, message, "orchestra build")
    refs = repository.refs_below("refs/orchestra/", "refs/heads/orchestra/")
    parked = sorted(ref.removeprefix("refs/heads/") for ref in refs if ref.startswith(PARKED_BRANCH))
    if parked:
        message = f"landed, but not on your branch yet: {_listed(parked)}"
        yield Finding("builds", Level.NOTE, message, "orchestra build takes it up, or: git merge NAME")
    kinds: dict[str, int] = {}
    for ref in refs:
        if ref.startswith("refs/orchestra/"):
            kind = ref.split("/")[2]
            kinds[kind] = kinds.get(kind, 0) + 1
    total = sum(kinds.values())
    if total:
        told = ", ".join(f"{kind} {number}" for kind, number in sorted(kinds.items()))
        level = Level.NOTE if total > MANY_REFS else Level.OK
        yield Finding(
            "builds", level, f"kept under refs/orchestra: {told}", "orchestra clean drops what is old"
        )


def look_at_parallelism(widest: int, path: int, tasks: int, jobs: int, cores: int) -> Iterator[Finding]:
    """What keeps attempts from running side by side here.

    `widest` is how many of the `tasks` could run at once if as many as may did, `path` the length of the longest
    chain that must run one after another, `jobs` how many may at once.
    """
    if not tasks:
        return
    if widest <= 1 and tasks > 1:
        message = f"nothing can run beside anything else: the {count(tasks, 'task')} go one after another"
        yield Finding("parallel", Level.NOTE, message, "orchestra plan shows which claims and needs do that")
    elif jobs < widest:
        message = (
            f"{widest} of {count(tasks, 'task')} could run at once, {jobs} may ({count(cores, 'processor')})"
        )
        yield Finding(
            "parallel", Level.NOTE, message, "-j N, or limits.jobs: agents mostly wait for their model"
        )
    else:
        yield Finding(
            "parallel", Level.OK, f"up to {min(widest, jobs)} of {count(tasks, 'task')} run at once"
        )
    if path > 1:
        yield Finding("parallel", Level.OK, f"the longest chain of tasks that wait for each other: {path}")


def _version(command: tuple[str, ...]) -> str:
    """What the program says of its version, in one line; "" where it does not."""
    if not command:
        return ""
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=PATIENCE, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return "its version could not be asked"
    lines = (done.stdout or done.stderr).decode("utf-8", "replace").strip().splitlines()
    return clean(lines[0])[:100] if lines and done.returncode == 0 else ""


def _written(lock: Path) -> bool:
    try:
        return lock.stat().st_size > 0
    except OSError:
        return False


def _listed(names: Iterable[str]) -> str:
    names = list(names)
    return ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")
