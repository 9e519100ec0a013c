"""`orchestra stop`: ends a running build from elsewhere, as an interrupt would where it runs."""

from __future__ import annotations

import click

from orchestra.cli.options import Project, Settings, common_options
from orchestra.model.errors import ExitStatus


@click.command("stop")
@click.option("--now", is_flag=True, help="Give running attempts no time to finish.")
@common_options
@click.pass_obj
def command(settings: Settings, now: bool, directory: str | None, file: str | None, debug: bool) -> int:
    """End the build that is at work in this repository, and wait until it has ended.

    As with Ctrl-C: nothing more starts, running attempts get a few seconds, and what is verified lands.
    """
    from orchestra.execution.lock import stop_build

    project = Project(settings, directory=directory, file=file)
    holder = stop_build(project.lock_path, now=now)
    click.echo("No build is at work here." if holder is None else f"The build of {holder}, has ended.")
    return ExitStatus.OK
