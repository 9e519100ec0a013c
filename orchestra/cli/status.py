"""`orchestra status`: which tasks are fresh, stale, reverted or blocked, as a build would find them; runs nothing."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING

import click

from orchestra.cli.options import Project, Settings, common_options, use_color
from orchestra.model.errors import ExitStatus

if TYPE_CHECKING:
    from orchestra.model.freshness import Decision


@click.command("status")
@click.argument("targets", nargs=-1, metavar="[TASK]...")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--exit-code", is_flag=True, help="End with 1 where a task is stale or blocked.")
@common_options
@click.pass_obj
def command(
    settings: Settings,
    targets: tuple[str, ...],
    as_json: bool,
    exit_code: bool,
    directory: str | None,
    file: str | None,
    debug: bool,
) -> int:
    """Show which tasks are fresh, stale, reverted or blocked, and why. Runs nothing and changes nothing.

    TASK is the name of a task or the path of its prompt; with none, all tasks are meant.
    """
    from orchestra.model.freshness import decide_all

    project = Project(settings, directory=directory, file=file)
    asked = set(project.named(targets))
    decisions = decide_all(project.situation())
    if asked:
        decisions = {name: decision for name, decision in decisions.items() if name in asked}
    if as_json:
        import json

        from orchestra.reporting.status import status_json

        click.echo(json.dumps(status_json(decisions, project.manifest)))
    else:
        click.echo(_text(project, decisions))
    unsettled = any(not decision.settled for decision in decisions.values())
    return ExitStatus.FAILED if exit_code and unsettled else ExitStatus.OK


def _text(project: Project, decisions: Mapping[str, Decision]) -> str:
    from orchestra.cli.terminal import width_of
    from orchestra.reporting.status import listed, status_text

    # The history is asked only about what is shown.
    open_ones = [name for name in listed(decisions, project.manifest) if not decisions[name].settled]
    last = project.last_finals(open_ones) if open_ones else {}
    text = status_text(
        decisions,
        project.graph,
        project.manifest,
        last,
        use_color(sys.stdout),
        width=width_of(sys.stdout),
    )
    return "\n".join([text, *project.resolved_by_hand(decisions)])
