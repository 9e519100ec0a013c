"""`orchestra plan`: what a build would do, in which order, and what lies behind it; runs nothing."""

from __future__ import annotations

import json
import sys

import click

from orchestra.cli.build import BuildRequest, jobs_option
from orchestra.cli.options import Project, Settings, common_options, use_color
from orchestra.cli.terminal import width_of
from orchestra.model.errors import ExitStatus


@click.command("plan")
@click.argument("targets", nargs=-1, metavar="[TASK]...")
@jobs_option
@click.option("--force", is_flag=True, help="As if the named tasks (or all) had to run.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--dot", "as_dot", is_flag=True, help="Print a graph for Graphviz.")
@common_options
@click.pass_obj
def command(
    settings: Settings,
    targets: tuple[str, ...],
    jobs: int | None,
    force: bool,
    as_json: bool,
    as_dot: bool,
    directory: str | None,
    file: str | None,
    debug: bool,
) -> int:
    """Show what would run, in which order and rows, what overlaps with what, and the critical path.

    TASK is the name of a task or the path of its prompt; with none, all tasks are meant. Runs nothing and changes
    nothing: the engine of `orchestra build` goes through it with nothing real behind it.
    """
    if as_json and as_dot:
        raise click.UsageError("--json and --dot exclude each other")
    from orchestra.cli.simulated import foreseen

    project = Project(settings, directory=directory, file=file)
    outlook = foreseen(project, BuildRequest(targets, jobs, force))
    if as_json:
        from orchestra.reporting.plan import plan_json

        click.echo(json.dumps(plan_json(outlook, project.graph)))
    elif as_dot:
        from orchestra.reporting.dot import plan_dot

        click.echo(plan_dot(outlook, project.graph))
    else:
        from orchestra.reporting.plan import plan_text

        color, width = use_color(sys.stdout), width_of(sys.stdout)
        click.echo(plan_text(outlook, project.graph, color=color, width=width))
    return ExitStatus.OK
