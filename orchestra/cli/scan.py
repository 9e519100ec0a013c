"""`orchestra scan`: the claims of tasks as they were found, so that a person can declare them; runs nothing."""

from __future__ import annotations

import sys

import click

from orchestra.cli.options import Project, Settings, common_options, use_color
from orchestra.model.errors import ExitStatus


@click.command("scan")
@click.argument("targets", nargs=-1, metavar="[TASK]...")
@click.option("--yaml", "as_yaml", is_flag=True, help="Print what was found as text for the manifest.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@common_options
@click.pass_obj
def command(
    settings: Settings,
    targets: tuple[str, ...],
    as_yaml: bool,
    as_json: bool,
    directory: str | None,
    file: str | None,
    debug: bool,
) -> int:
    """Show what tasks may write and depend on: declared, or found in prompts, by which words, matching which files.

    TASK is the name of a task or the path of its prompt; with none, all tasks are meant. Runs nothing and changes
    nothing.
    """
    if as_json and as_yaml:
        raise click.UsageError("--json and --yaml exclude each other")
    from orchestra.cli.terminal import width_of
    from orchestra.manifest.load import DEFAULT_FILE
    from orchestra.reporting.scan import scan_json, scan_text, scan_yaml

    project = Project(settings, directory=directory, file=file)
    named = set(project.named(targets))
    tasks = [task for task in project.manifest.tasks if not targets or task.name in named]
    if as_yaml:
        click.echo(scan_yaml(tasks, project.manifest.source or DEFAULT_FILE))
        return ExitStatus.OK
    tree = project.repository.tree(project.begin.tip)
    if as_json:
        import json

        click.echo(json.dumps(scan_json(tasks, tree)))
    else:
        click.echo(scan_text(tasks, tree, color=use_color(sys.stdout), width=width_of(sys.stdout)))
    return ExitStatus.OK
