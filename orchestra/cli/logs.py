"""`orchestra logs`: what an attempt at a task, and what judged its result, printed; reads, never writes."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from orchestra.cli.options import Settings, common_options
from orchestra.model.errors import ExitStatus, environment_error, usage_error

if TYPE_CHECKING:
    from orchestra.history.records import AttemptRecord

PAUSE = 0.2
"""Seconds between two looks at a log that may grow."""


@click.command("logs")
@click.argument("task")
@click.option(
    "--attempt", metavar="N", help="The N-th attempt of its last build, or one by name (default: the last)."
)
@click.option("--follow", is_flag=True, help="Go on until the attempt has ended.")
@click.option("--raw", is_flag=True, help="Leave control characters as the agent printed them.")
@common_options
@click.pass_obj
def command(
    settings: Settings,
    task: str,
    attempt: str | None,
    follow: bool,
    raw: bool,
    directory: str | None,
    file: str | None,
    debug: bool,
) -> int:
    """Show the log of the last attempt at TASK: what its agent said and did, its check, and what became of it."""
    from orchestra.reporting.logs import follow_log, read_log
    from orchestra.vcs.repository import Repository

    # Not through the manifest: a log can be asked for also where that is broken.
    state = Repository.open((Path(settings.directory) / (directory or ".")).absolute()).state_folder
    found = _attempt(state / "history.db", task, attempt)
    log = Path(found.log or "")
    try:
        _print(follow_log(log, _going_on(state, found), raw=raw) if follow else read_log(log, raw=raw))
    except FileNotFoundError as error:
        raise usage_error(
            f"the log of {found.attempt} is gone", hint="`orchestra history --task` shows what is known of it"
        ) from error
    except IsADirectoryError as error:
        raise usage_error(f"{found.attempt} has no log: it was cut off before it began") from error
    _tell_ending(_attempt(state / "history.db", task, found.attempt), raw=raw)
    return ExitStatus.OK


def _attempt(path: Path, task: str, which: str | None) -> AttemptRecord:
    from orchestra.history.database import open_for_reading
    from orchestra.history.queries import read_attempts

    history = open_for_reading(path)
    if history is None:
        raise usage_error("nothing was built here yet", hint="orchestra build")
    with history:
        _, attempts = read_attempts(history, task, limit=None if which else 1)
    if which is None:
        return attempts[0]
    for attempt in attempts:
        if attempt.attempt == which or (attempt.build == attempts[0].build and str(attempt.number) == which):
            return attempt
    last = [str(attempt.number) for attempt in attempts if attempt.build == attempts[0].build]
    raise usage_error(
        f"there is no attempt `{which}` of {task}",
        hint=f"its last build made {', '.join(reversed(last))}; `orchestra history --task {task}` names all",
    )


def _going_on(state: Path, attempt: AttemptRecord) -> Callable[[], bool]:
    """Whether something may still be added to the log of an attempt; asked again and again, it waits in between."""
    from orchestra.execution.lock import at_work

    def going_on() -> bool:
        if at_work(state / "building.json") is None:
            return False
        if _attempt(state / "history.db", attempt.task, attempt.attempt).outcome is not None:
            return False
        time.sleep(PAUSE)
        return True

    return going_on


def _print(pieces: Iterator[bytes]) -> None:
    for piece in pieces:
        sys.stdout.buffer.write(piece)
        # A person reads along.
        sys.stdout.buffer.flush()


def _tell_ending(attempt: AttemptRecord, *, raw: bool) -> None:
    """What became of the attempt, and the log of what judged its result, where there is one."""
    from orchestra.model.text import clean
    from orchestra.reporting.logs import read_log

    if attempt.outcome is None:
        click.echo("== under way, or cut off: nothing is known of its end")
        return
    detail = f": {clean(attempt.detail)}" if attempt.detail else ""
    click.echo(f"== {attempt.outcome}{detail}")
    for ending in attempt.endings:
        why = f": {clean(ending.why)}" if ending.why else ""
        click.echo(f"== {ending.kind}{why}")
        if ending.log and ending.log != attempt.log:
            try:
                _print(read_log(Path(ending.log), raw=raw))
            except OSError as error:
                raise environment_error(f"cannot read {ending.log}", causes=(str(error),)) from error
