"""Lock entries of tasks that left the manifest: dropped by one commit on the branch, or not at all.

The commit needs no verification: verdicts are about the tree without its lock entries.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from orchestra.cli.options import Project
from orchestra.model.entries import task_of
from orchestra.model.errors import ExitStatus, OrchestraError, environment_error
from orchestra.model.ports import CommitRequest
from orchestra.model.text import clean

if TYPE_CHECKING:
    from orchestra.integration.cleaning import Item


def drop_entries(project: Project, items: Sequence[Item]) -> None:
    """Commit the branch without these entries; raises OrchestraError where it cannot move, and then it has not."""
    from orchestra.execution.preflight import check_checkout, check_identity, check_signing

    repository, begin = project.repository, project.begin
    branch = begin.target.branch
    if branch is None:
        raise environment_error(
            "HEAD is detached: there is no branch from which entries could go", hint="git switch BRANCH"
        )
    name = branch.removeprefix("refs/heads/")
    head = repository.resolve(branch)
    if head is None or head != begin.tip:
        raise OrchestraError(
            f"what an earlier build made is not on {name} yet",
            ExitStatus.FAILED,
            hint="orchestra build takes it up; then call this again",
        )
    check_identity(repository)
    check_signing(repository)
    check_checkout(repository, branch)
    tasks = [task_of(item.name) for item in items]
    edits = tuple((item.name, None) for item in items)
    commit = repository.commit(CommitRequest(head, (head,), message_of(tasks), edits))
    done = repository.advance(branch, head, commit)
    if not done.done:
        paths = ", ".join(map(clean, done.in_the_way[:5]))
        what = f"your files are in the way: {paths}" if paths else done.message or "it moved meanwhile"
        hint = "commit, stash or move them, then call this again" if paths else "call this again"
        raise OrchestraError(f"{name} stays where it is: {what}", ExitStatus.FAILED, hint=hint)
    click.echo(f"{name} is at {commit[:7]} without the lock entries of {', '.join(tasks)}", err=True)


def message_of(tasks: Sequence[str]) -> str:
    """The message of the commit that drops the entries of these tasks."""
    title = f"Drop {len(tasks)} lock entr{'y' if len(tasks) == 1 else 'ies'} of tasks that left the manifest"
    return f"{title}\n\n" + "\n".join(tasks) + "\n"
