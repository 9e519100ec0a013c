"""`orchestra history`: what earlier builds did and cost; it executes nothing and, but for --rebuild, only reads."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from orchestra.cli.options import Settings, common_options
from orchestra.cli.terminal import width_of
from orchestra.model.errors import ExitStatus, usage_error

if TYPE_CHECKING:
    from orchestra.history.database import History
    from orchestra.history.records import BuildRecord
    from orchestra.history.rollbacks import RollbackRecord
    from orchestra.history.statistics import Wanted
    from orchestra.vcs.repository import Repository

LIMIT = 20
"""How many builds or attempts are shown where nobody says."""

ROWS = 1000
"""How many rows of an own question are shown where nobody says."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What was asked for on the command line, beside which question it is."""

    wanted: Wanted
    limit: int | None
    as_json: bool
    as_csv: bool
    every: bool


@click.command("history")
@click.argument("build", required=False)
@click.option("--task", metavar="TASK", help="Show the attempts at one task over all builds.")
@click.option("--stats", is_flag=True, help="Show what is gained, lost and spent, and on which tasks.")
@click.option("--since", metavar="WHEN", help="Only from then on: 2026-11-30, 2026-11-30T12:00, 36h, 7d, 4w.")
@click.option("--agent", metavar="NAME", help="Only attempts of this agent, or builds with one.")
@click.option("--outcome", metavar="WORD", help="Only what ended so: landed, failed, timed-out, rejected...")
@click.option(
    "--limit", type=click.IntRange(1), help="At most so many, the newest.  [default: 20; --sql 1000]"
)
@click.option("--all", "every", is_flag=True, help="Also builds in which nothing had to be done.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV.")
@click.option("--sql", metavar="SELECT", help="Ask the database yourself; it is only read.")
@click.option(
    "--audit", is_flag=True, help="Print what stands behind each landed change, a line of JSON each."
)
@click.option("--rebuild", is_flag=True, help="Put into the history what git tells and it does not know.")
@common_options
@click.pass_obj
def command(
    settings: Settings,
    build: str | None,
    task: str | None,
    stats: bool,
    since: str | None,
    agent: str | None,
    outcome: str | None,
    limit: int | None,
    every: bool,
    as_json: bool,
    as_csv: bool,
    sql: str | None,
    audit: bool,
    rebuild: bool,
    directory: str | None,
    file: str | None,
    debug: bool,
) -> int:
    """Show earlier builds; with BUILD (the beginning of its name, or `last`) that one; with --task one task."""
    from orchestra.cli.since import moment
    from orchestra.history.database import open_for_reading
    from orchestra.history.statistics import Wanted
    from orchestra.vcs.repository import Repository

    filters = {"--since": since, "--task": task, "--agent": agent, "--outcome": outcome, "--limit": limit}
    _check(
        {"BUILD": build, "--stats": stats, "--sql": sql, "--audit": audit, "--rebuild": rebuild},
        {
            name
            for name, value in {**filters, "--all": every, "--json": as_json, "--csv": as_csv}.items()
            if value
        },
    )
    now = time.time()
    wanted = Wanted(moment(since, now) if since else None, task, agent, _outcome(outcome, stats=stats))
    asked = Asked(wanted, limit, as_json, as_csv, every)
    # Not through the manifest: history can be asked for also where that is broken.
    repository = Repository.open((Path(settings.directory) / (directory or ".")).absolute())
    path = repository.state_folder / "history.db"
    if rebuild:
        return _rebuild(repository, path)
    history = open_for_reading(path)
    if history is None:
        raise usage_error(
            "nothing was built here yet", hint="orchestra build, or: orchestra history --rebuild"
        )
    with history:
        if audit:
            return _audit(repository, history, asked)
        if sql is not None:
            text = _answer(history, sql, asked)
        elif stats:
            text = _stats(history, asked)
        elif build is not None:
            text = _build(history, build, asked, now)
        elif task is not None:
            text = _task(history, task, asked, now)
        else:
            text = _builds(history, asked, now)
    click.echo(text)
    return ExitStatus.OK


_FITTING = {
    "": {"--since", "--task", "--agent", "--outcome", "--limit", "--all", "--json", "--csv"},
    "BUILD": {"--json", "--csv"},
    "--stats": {"--since", "--task", "--agent", "--outcome", "--json", "--csv"},
    "--sql": {"--limit", "--json", "--csv"},
    "--audit": {"--since", "--task", "--agent", "--limit", "--json"},
    "--rebuild": set[str](),
}


def _check(questions: dict[str, object], given: set[str]) -> None:
    """Raise where two questions are asked at once, or one with an option that says nothing to it."""
    asked = [name for name, value in questions.items() if value not in (None, False)]
    if len(asked) > 1 or (asked == ["BUILD"] and "--task" in given):
        first, second = (*asked, "--task")[:2]
        raise usage_error(f"{first} and {second} are two questions", hint="ask one of them")
    question = asked[0] if asked else ""
    for name in sorted(given - _FITTING[question]):
        raise usage_error(f"{name} says nothing to {question}", hint="orchestra history --help")
    if {"--json", "--csv"} <= given:
        raise usage_error("--json and --csv are two forms", hint="ask for one of them")


def _outcome(word: str | None, *, stats: bool) -> str | None:
    """The outcome that was asked for, as it is recorded."""
    from orchestra.model.outcomes import Final, Outcome

    if word is None:
        return None
    known = [one.value for one in Outcome]
    if not stats:
        known += [one.value for one in Final if one.value not in known]
    if word not in known:
        raise usage_error(f"there is no outcome `{word}` of attempts", hint=f"one of: {', '.join(known)}")
    return word


def _builds(history: History, asked: Asked, now: float) -> str:
    from orchestra.history.queries import count_null_builds, read_builds
    from orchestra.history.render import render_builds

    limit = asked.limit or LIMIT
    builds = read_builds(history, limit=limit, wanted=asked.wanted, busy=not asked.every)
    rollbacks = _rollbacks(history, builds, asked, limit)
    if asked.as_json:
        from orchestra.history.forms import builds_to_json

        return json.dumps(builds_to_json(builds, rollbacks))
    if asked.as_csv:
        from orchestra.history.records import BuildRecord
        from orchestra.history.rows import records_to_csv

        return records_to_csv(builds, (*BuildRecord.__dataclass_fields__, "state"))
    oldest = builds[-1].build if len(builds) == limit else None
    nulls = 0 if asked.every else count_null_builds(history, oldest, asked.wanted)
    return render_builds(builds, rollbacks, now=now, width=width_of(sys.stdout), nulls=nulls)


def _rollbacks(
    history: History, builds: Sequence[BuildRecord], asked: Asked, limit: int
) -> tuple[RollbackRecord, ...]:
    """The rollbacks of the same time; none where attempts are asked for."""
    from orchestra.history.rollbacks import read_rollbacks

    if asked.wanted.narrow:
        return ()
    # No further back than the builds go.
    first = (
        min((build.started for build in builds), default=None) if len(builds) == limit else asked.wanted.since
    )
    return tuple(one for one in read_rollbacks(history, limit=limit) if first is None or one.time >= first)


def _build(history: History, build: str, asked: Asked, now: float) -> str:
    from orchestra.history.queries import read_build
    from orchestra.history.render import render_build

    detail = read_build(history, build)
    if asked.as_json:
        from orchestra.history.forms import build_to_json

        return json.dumps(build_to_json(detail))
    if asked.as_csv:
        return _attempts_csv([attempt for task in detail.tasks for attempt in task.attempts])
    return render_build(detail, now=now, width=width_of(sys.stdout), plain=_plain())


def _task(history: History, task: str, asked: Asked, now: float) -> str:
    from orchestra.history.render import render_task
    from orchestra.history.stats import read_task

    found = read_task(history, task, limit=asked.limit or LIMIT, wanted=asked.wanted)
    if asked.as_json:
        from orchestra.history.forms import task_to_json

        return json.dumps(task_to_json(found))
    if asked.as_csv:
        return _attempts_csv(found.attempts)
    return render_task(found, now=now, width=width_of(sys.stdout), plain=_plain())


def _attempts_csv(attempts: Sequence[object]) -> str:
    from orchestra.history.records import AttemptRecord
    from orchestra.history.rows import records_to_csv
    from orchestra.model.outcomes import Usage

    whole = ("usage", "waits", "phases", "reads")
    names = [name for name in AttemptRecord.__dataclass_fields__ if name not in whole]
    return records_to_csv(attempts, (*names, *(f"usage.{name}" for name in Usage.__dataclass_fields__)))


def _stats(history: History, asked: Asked) -> str:
    from orchestra.history.render_stats import render_stats
    from orchestra.history.stats import read_stats

    stats = read_stats(history, asked.wanted)
    if asked.as_json:
        from orchestra.history.forms import stats_to_json

        return json.dumps(stats_to_json(stats))
    if asked.as_csv:
        from orchestra.history.rows import records_to_csv

        tally = ("attempts", "good", "interrupted", "seconds", "usd", "tokens")
        builds = ("builds", "ok", "busy", "wall_s", "sequential_s", "slot_s", "speedup", "efficiency")
        names = ["start", "days", *(f"tally.{name}" for name in tally)]
        names += [] if stats.builds is None else [f"builds.{name}" for name in builds]
        return records_to_csv(stats.periods, names)
    return render_stats(stats, width=width_of(sys.stdout), plain=_plain())


def _answer(history: History, sql: str, asked: Asked) -> str:
    from orchestra.history.rows import rows_to_table, to_csv
    from orchestra.history.sql import query

    answer = query(history, sql, limit=asked.limit or ROWS)
    if asked.as_json:
        from orchestra.history.forms import answer_to_json

        return json.dumps(answer_to_json(answer))
    if answer.more:
        click.echo(f"there is more than these {len(answer.rows):,} rows: --limit N", err=True)
    if asked.as_csv:
        return to_csv(answer.columns, answer.rows)
    return rows_to_table(answer.columns, answer.rows, width_of(sys.stdout))


def _audit(repository: Repository, history: History, asked: Asked) -> int:
    from orchestra.history.audit import change_to_json, read_changes, read_commits
    from orchestra.vcs.traces import read_people

    people = read_people(repository, read_commits(history, asked.wanted, limit=asked.limit))
    for change in read_changes(history, asked.wanted, limit=asked.limit):
        click.echo(json.dumps(change_to_json(change, people.get)))
    return ExitStatus.OK


def _rebuild(repository: Repository, path: Path) -> int:
    from orchestra.execution.lock import BuildLock
    from orchestra.history.database import open_history
    from orchestra.history.rebuilding import rebuild
    from orchestra.model.text import count
    from orchestra.vcs.traces import read_traces

    def log_of(build: str, attempt: str) -> str | None:
        number = int(attempt.rpartition("-")[2])
        found = sorted((path.parent / "builds" / build).glob(f"{number:03d}-*.log"))
        return str(found[0]) if len(found) == 1 else None

    # A build sets a damaged history aside, too: two at once would set aside the new one.
    with BuildLock(repository.state_folder / "building.json"):
        traces = read_traces(repository)
        with open_history(path) as history:
            if history.message is not None:
                click.echo(history.message, err=True)
            done = rebuild(history, traces, repository.head().branch, log_of)
    found = (
        f"{count(done.builds, 'build')}, {count(done.attempts, 'attempt')}, {count(done.landings, 'landing')}"
    )
    if done.builds or done.attempts or done.landings:
        click.echo(f"put in what git tells: {found}")
    else:
        click.echo("the history knows all that git tells")
    return ExitStatus.OK


def _plain() -> bool:
    """Whether the output takes no more than ASCII."""
    try:
        "█▁·│✗".encode(sys.stdout.encoding or "ascii")
    except UnicodeEncodeError:
        return True
    return False
