"""`orchestra explain TASK`: all there is to say about one task; runs nothing."""

from __future__ import annotations

import json
import sys

import click

from orchestra.cli.options import Project, Settings, common_options, use_color
from orchestra.model.errors import ExitStatus


@click.command("explain")
@click.argument("task")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@common_options
@click.pass_obj
def command(
    settings: Settings, task: str, as_json: bool, directory: str | None, file: str | None, debug: bool
) -> int:
    """Show why TASK is fresh or stale, part by part, its claims, what it waits for, what would make it run."""
    from orchestra.model.freshness import decide_all
    from orchestra.reporting.explain import explain_json, explain_text

    project = Project(settings, directory=directory, file=file)
    (name,) = project.named((task,))
    situation = project.situation()
    decisions = decide_all(situation)
    last, reads = project.last_finals((name,)), project.last_reads(name)
    if as_json:
        click.echo(json.dumps(explain_json(name, decisions, situation, last, reads)))
    else:
        text = explain_text(name, decisions, situation, last, use_color(sys.stdout), reads)
        click.echo("\n".join([text, *project.resolved_by_hand((name,))]))
    return ExitStatus.OK
