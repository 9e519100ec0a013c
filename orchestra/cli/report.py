"""`orchestra report`: one build as a page, as Markdown, JSON, JUnit XML or a trace; reads, and writes one file."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from orchestra.cli.options import Settings, common_options
from orchestra.model.errors import ExitStatus, environment_error

if TYPE_CHECKING:
    from orchestra.cli.told_builds import ToldBuilds
    from orchestra.reporting.report.contents import Diff, Report
    from orchestra.reporting.story import Story
    from orchestra.vcs.repository import Repository

FORMATS = ("html", "md", "json", "junit", "trace")


@click.command("report")
@click.argument("build", required=False)
@click.option("-o", "--output", metavar="FILE", help="Write there; `-` is standard output.")
@click.option(
    "--format", "as_format", type=click.Choice(FORMATS), default="html", show_default=True, help="As what."
)
@common_options
@click.pass_obj
def command(
    settings: Settings,
    build: str | None,
    output: str | None,
    as_format: str,
    directory: str | None,
    file: str | None,
    debug: bool,
) -> int:
    """Tell all of one build: BUILD (the beginning of its name, or `last`, the default).

    A page (html) goes to a file in the state folder unless `-o` says where, and its path is printed; all other
    formats go to standard output.
    """
    from orchestra.cli.told_builds import ToldBuilds
    from orchestra.execution.lock import at_work
    from orchestra.vcs.repository import Repository

    here = (Path(settings.directory) / (directory or ".")).absolute()
    # Not through the manifest: a report can be asked for also where that is broken.
    repository = Repository.open(here)
    state = repository.state_folder
    now = time.time()
    builds = ToldBuilds(state, at_work=at_work(state / "building.json") is not None, now=now)
    story = builds.find(build)
    text = _text(repository, builds, story, as_format, now)
    if output == "-" or (output is None and as_format != "html"):
        click.echo(text, nl=False)
        return ExitStatus.OK
    target = state / "reports" / f"{story.build}.html" if output is None else here / output
    if output is None:
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    write(target, text)
    if output is None:
        click.echo(target)
    return ExitStatus.OK


def write(path: Path, text: str) -> None:
    """Write a file. Raises OrchestraError where that cannot be done."""
    try:
        path.write_text(text, "utf-8", newline="\n")
    except OSError as error:
        hint = "name another file with -o, or `-` for standard output"
        raise environment_error(
            f"cannot write {path}", causes=(str(error.strerror or error),), hint=hint
        ) from error


def _text(repository: Repository, builds: ToldBuilds, story: Story, as_format: str, now: float) -> str:
    if as_format == "trace":
        from orchestra.reporting.report.trace import trace_text

        return trace_text(story)
    report = _report(repository, builds, story, now, diffs=as_format in ("html", "json"))
    match as_format:
        case "md":
            from orchestra.reporting.report.markdown import markdown

            return markdown(report)
        case "json":
            from orchestra.reporting.report.form import form

            return json.dumps(form(report)) + "\n"
        case "junit":
            from orchestra.reporting.report.junit import junit

            return junit(report)
    from orchestra.reporting.report.page import page

    return page(report)


def _report(repository: Repository, builds: ToldBuilds, story: Story, now: float, *, diffs: bool) -> Report:
    from orchestra import __version__
    from orchestra.cli.report_artifacts import coverage_of, tests_of
    from orchestra.reporting.report.contents import Report
    from orchestra.reporting.report.numbers import compare

    before = builds.before(story)
    folder = builds.folder(story.build)
    return Report(
        story,
        now,
        __version__,
        comparison=None if before is None else compare(story, before),
        diffs=_diffs(repository, story) if diffs else {},
        tests=tests_of(story, folder),
        coverage=coverage_of(story, folder, repository),
    )


def _diffs(repository: Repository, story: Story) -> dict[str, Diff]:
    """By task what it landed, or what is kept of what it did."""
    from orchestra.model.trees import STATE_FOLDER
    from orchestra.reporting.report.contents import Diff
    from orchestra.vcs.diffs import Pair, compared

    pairs: list[Pair] = []
    for task in story.tasks:
        last = task.attempts[-1] if task.attempts else None
        if task.final == "landed" and task.commit is not None:
            pairs.append(Pair(task.name, task.commit))
        elif task.final in ("failed", "rejected", "interrupted") and last is not None and last.result:
            pairs.append(Pair(task.name, last.result, last.base))
    found = compared(repository, pairs, (STATE_FOLDER,))
    return {name: Diff(item.text, item.cut, item.problem) for name, item in found.items()}
