"""`orchestra status`: which tasks are fresh, stale or blocked, as a build would find them now; runs nothing."""

from __future__ import annotations

import json
import sys

import click

from orchestra.cli.options import Project, Settings, common_options, use_color
from orchestra.model.errors import ExitStatus
from orchestra.model.freshness import decide_all


@click.command("status")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--exit-code", is_flag=True, help="End with 1 where a task is not fresh.")
@common_options
@click.pass_obj
def command(
    settings: Settings, as_json: bool, exit_code: bool, directory: str | None, file: str | None, debug: bool
) -> int:
    """Show which tasks are fresh, stale or blocked, and why. Runs nothing and changes nothing."""
    from orchestra.reporting.status import status_json, status_text

    project = Project(settings, directory=directory, file=file)
    decisions = decide_all(project.situation())
    unfresh = [name for name, decision in decisions.items() if not decision.fresh]
    if as_json:
        click.echo(json.dumps(status_json(decisions, project.manifest)))
    else:
        last = project.last_finals(unfresh)
        click.echo(status_text(decisions, project.graph, project.manifest, last, use_color(sys.stdout)))
    return ExitStatus.FAILED if exit_code and unfresh else ExitStatus.OK
