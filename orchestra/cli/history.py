"""`orchestra history`: earlier builds, one build, or the attempts of one task; reads, never writes."""

from __future__ import annotations

import json
import time

import click

from orchestra.cli.options import Settings, common_options
from orchestra.model.errors import ExitStatus, usage_error


@click.command("history")
@click.argument("build", required=False)
@click.option("--task", metavar="TASK", help="Show the attempts of one task over all builds.")
@click.option("--limit", type=click.IntRange(1), default=20, show_default=True, help="At most so many.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@common_options
@click.pass_obj
def command(
    settings: Settings,
    build: str | None,
    task: str | None,
    limit: int,
    as_json: bool,
    directory: str | None,
    file: str | None,
    debug: bool,
) -> int:
    """Show earlier builds; with BUILD (the beginning of its name, or `last`) that one; with --task one task."""
    from pathlib import Path

    from orchestra.history.database import open_for_reading
    from orchestra.history.forms import build_to_json, builds_to_json, task_to_json
    from orchestra.history.queries import read_build, read_builds, read_task
    from orchestra.history.render import render_build, render_builds, render_task
    from orchestra.history.rollbacks import read_rollbacks
    from orchestra.vcs.repository import Repository

    if build is not None and task is not None:
        raise usage_error("BUILD and --task are two questions", hint="ask one of them")
    # Not through the manifest: history can be asked for also where that is broken.
    repository = Repository.open((Path(settings.directory) / (directory or ".")).absolute())
    history = open_for_reading(repository.state_folder / "history.db")
    if history is None:
        raise usage_error("nothing was built here yet", hint="orchestra build")
    now = time.time()
    with history:
        if task is not None:
            found = read_task(history, task, limit=limit)
            text = json.dumps(task_to_json(found)) if as_json else render_task(found, now=now)
        elif build is not None:
            detail = read_build(history, build)
            text = json.dumps(build_to_json(detail)) if as_json else render_build(detail, now=now)
        else:
            builds = read_builds(history, limit=limit)
            rollbacks = read_rollbacks(history, limit=limit)
            if len(builds) == limit:
                # No further back than the builds go.
                rollbacks = tuple(one for one in rollbacks if one.time >= builds[-1].started)
            text = (
                json.dumps(builds_to_json(builds, rollbacks))
                if as_json
                else render_builds(builds, rollbacks, now=now)
            )
    click.echo(text)
    return ExitStatus.OK
