"""`orchestra resolve`: opens a result that did not land for a person to mend, and lands what they make of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from orchestra.cli.options import Project, Settings, common_options
from orchestra.model.errors import ExitStatus, usage_error
from orchestra.model.text import clean
from orchestra.reporting.words import command as typed

if TYPE_CHECKING:
    from orchestra.vcs.resolving import Resolution


@click.command("resolve")
@click.argument("task", required=False)
@click.option("--continue", "go_on", is_flag=True, help="Check, verify and land what you made there.")
@click.option("--drop", is_flag=True, help="Let the result go; nothing of it or of your work is lost.")
@click.option("--wait", is_flag=True, help="Wait where a build is at work, instead of giving up.")
@common_options
@click.pass_obj
def command(
    settings: Settings,
    task: str | None,
    go_on: bool,
    drop: bool,
    wait: bool,
    directory: str | None,
    file: str | None,
    debug: bool,
) -> int:
    """Open what TASK's last attempt made, and could not land, in a worktree of its own, to be mended by hand.

    Edit there, commits are not needed, and --continue does the rest, as a build would: TASK is fresh afterwards.
    Without TASK: what could be opened; with --continue or --drop the one that is open.
    """
    if go_on and drop:
        raise usage_error("--continue lands it, --drop lets it go: give one of them")
    if wait and not go_on:
        raise usage_error("--wait goes with --continue: nothing else waits for a build")
    desk = Desk(settings, directory, file)
    if go_on:
        return _go_on(desk, desk.chosen(task, "--continue"), wait=wait)
    if drop:
        return _drop(desk, task)
    if task is None:
        return _list(desk)
    return _open(desk, task)


class Desk:
    """Where a person resolves: the project, also where they call from within a worktree that is open."""

    def __init__(self, settings: Settings, directory: str | None, file: str | None) -> None:
        from orchestra.vcs.resolving import find_open, read_open

        called = Project(settings, directory=directory, file=file)
        self._settings = settings
        self._directory = directory
        self._file = file
        self.inside = read_open(called.repository.git_dir)
        self.open = find_open(called.repository.common_dir)
        self.project = called if self.inside is None else self.project_of(self.inside)

    def project_of(self, resolution: Resolution) -> Project:
        """The project for the branch for which it was opened, in the checkout in which that was."""
        told = resolution.told
        into = told.branch.removeprefix("refs/heads/") if told.branch is not None else None
        if self.inside is None:
            return Project(self._settings, directory=self._directory, file=self._file, into=into)
        here = Path(self._settings.directory) / (self._directory or ".")
        file = self._file or self._settings.file
        root = Path(told.root)
        if not root.is_dir():
            # The checkout is gone: the repository's own will do.
            root = resolution.slot.git_dir.parent.parent.parent
        settings = replace(self._settings, directory=str(root), file=None)
        manifest = str((here / file).absolute()) if file is not None else None
        return Project(settings, directory=None, file=manifest, into=into)

    def chosen(self, task: str | None, option: str) -> Resolution:
        """The open worktree that is meant; raises OrchestraError where that is not clear."""
        if task is None:
            if self.inside is not None:
                return self.inside
            if not self.open:
                raise usage_error("nothing is open", hint="orchestra resolve lists what could be opened")
            if len(self.open) > 1:
                names = ", ".join(self.open)
                raise usage_error(f"several are open: {names}", hint=f"orchestra resolve {option} TASK")
            return next(iter(self.open.values()))
        found = self.find(task)
        if found is None:
            raise usage_error(f"`{clean(task)}` is not open", hint=typed("orchestra", "resolve", task))
        return found

    def find(self, task: str) -> Resolution | None:
        """The open worktree of a task, by its name or the path of its prompt; None where there is none."""
        if task in self.open:
            # Also where it has left the manifest.
            return self.open[task]
        return self.open.get(self.project.named((task,))[0])


def _list(desk: Desk) -> int:
    from orchestra.cli.resolving import offered_in, what_happened
    from orchestra.reporting.resolve import list_text

    offered = offered_in(desk.project)
    others = [
        (task, what_happened(desk.project, one)) for task, one in offered.items() if task not in desk.open
    ]
    opened = [(task, str(resolution.slot.path)) for task, resolution in desk.open.items()]
    click.echo(list_text(opened, others))
    return ExitStatus.OK


def _open(desk: Desk, task: str) -> int:
    from orchestra.cli.resolving import offer_of, open_one, opened_words

    found = desk.find(task)
    if found is not None and found.there:
        click.echo(opened_words(desk.project_of(found), found, anew=False))
        return ExitStatus.OK
    if found is not None:
        click.echo(f"{clean(str(found.slot.path))} was deleted: it is opened anew", err=True)
        _close(desk.project, found)
    offer = offer_of(desk.project, task)
    resolution = open_one(desk.project, offer, _notice)
    click.echo(opened_words(desk.project, resolution, anew=True))
    return ExitStatus.OK


def _go_on(desk: Desk, resolution: Resolution, *, wait: bool) -> int:
    from orchestra.cli.resolving import Resolving, close_landed, pool_of, taken
    from orchestra.execution.lock import BuildLock
    from orchestra.model.outcomes import Final

    project, name = desk.project_of(resolution), resolution.told.task
    project.named((name,))
    waiting = (lambda what: click.echo(f"{what}; waiting for its end", err=True)) if wait else None
    with BuildLock(project.lock_path, waiting) as lock:
        by_hand = taken(project, resolution)
        finished = Resolving(project, resolution, by_hand).run(after_crash=lock.broken_off)
        if finished.tasks[name] in (Final.LANDED, Final.NO_CHANGE):
            spared = pool_of(project, name).spared(resolution.slot)
            for line in close_landed(project, resolution, by_hand, spared):
                click.echo(line)
            _tell_gone(resolution, project)
            return ExitStatus.OK if finished.advanced or finished.ok else ExitStatus.FAILED
    return ExitStatus.INTERRUPTED if finished.interrupted else ExitStatus.FAILED


def _drop(desk: Desk, task: str | None) -> int:
    from orchestra.cli.resolving import drop_offers, offer_of

    found = desk.find(task) if task is not None else desk.chosen(None, "--drop")
    project = desk.project
    if found is None:
        assert task is not None
        name = offer_of(project, task).task
    else:
        name = found.told.task
        _close(project, found)
    refs = drop_offers(project, name)
    click.echo(
        f"{clean(name)} is let go"
        + (f"; its result is kept: {typed('git', 'show', refs[-1])}" if refs else "")
    )
    if found is not None:
        _tell_gone(found, project)
    return ExitStatus.OK


def _close(project: Project, resolution: Resolution) -> None:
    """Remove an open worktree, and say what keeps the person's work there."""
    from orchestra.cli.resolving import spared_of
    from orchestra.vcs.resolving import forget, rescue_edits

    kept = rescue_edits(project.repository, resolution, spared_of(project, resolution))
    if kept is not None:
        how = kept if kept.startswith("/") else typed("git", "show", kept)
        click.echo(f"your work on it is kept: {clean(how)}")
    forget(project.repository, resolution)


def _tell_gone(resolution: Resolution, project: Project) -> None:
    """Say so where the person stands in a folder that was just removed."""
    try:
        gone = not Path.cwd().exists()
    except OSError:
        gone = True
    if gone:
        click.echo(f"{clean(str(resolution.slot.path))} is gone: {typed('cd', str(project.repository.root))}")


def _notice(message: str, hint: str | None) -> None:
    click.echo(message + (f" ({hint})" if hint else ""), err=True)
