"""`orchestra init`: writes a first manifest, made for this repository; what is there already is never touched."""

from __future__ import annotations

from pathlib import Path

import click

from orchestra.cli.options import Settings, common_options
from orchestra.manifest.load import DEFAULT_FILE, load
from orchestra.model.errors import ExitStatus, OrchestraError, environment_error, usage_error

LARGEST = 2**20
"""Bytes of a file from which something is guessed, at most."""


@click.command("init")
@click.option("--claude", is_flag=True, help="Write also what lets Claude Code start builds and read them.")
@common_options
@click.pass_obj
def command(settings: Settings, claude: bool, directory: str | None, file: str | None, debug: bool) -> int:
    """Write orchestra.yaml, with comments, as this repository suggests it. Never overwrites a file.

    How the project is tested is guessed from pyproject.toml, package.json, a Makefile, Cargo.toml, go.mod or
    tox.ini, the agent from what is installed.
    """
    from orchestra.vcs.repository import Repository

    root = Repository.open((Path(settings.directory) / (directory or ".")).absolute()).root
    name = file or settings.file or DEFAULT_FILE
    place = root / name
    there = place.exists() or place.is_symlink()
    if there and not claude:
        raise usage_error(
            f"{name} is there already", hint="edit it: `orchestra plan` shows what follows from it"
        )
    if there:
        click.echo(f"{name} is there already: left as it is")
    else:
        _write_manifest(root, place, name)
    if claude:
        _write_claude_files(root)
    click.echo("\nWhat to do next:\n  " + "\n  ".join(_next_steps(root)))
    return ExitStatus.OK


def _write_manifest(root: Path, place: Path, name: str) -> None:
    from orchestra.agents.registry import default_agent
    from orchestra.analysis.starting import READ, guess
    from orchestra.manifest.starter import Starter, starter_text

    try:
        names = [path.name for path in root.iterdir()]
    except OSError as error:
        raise environment_error(f"cannot read {root}", causes=(str(error),)) from error
    guesses = guess(names, {name: text for name in READ if (text := _text(root / name)) is not None})
    agent = default_agent()
    starter = Starter(
        agent=agent.kind if agent is not None else None,
        subagents=_subagents(root) if agent is not None and agent.kind == "claude-code" else (),
        tasks=_tasks(root),
    )
    if guesses:
        best = guesses[0]
        starter = Starter(
            best.verify,
            best.why,
            tuple(other.verify for other in guesses[1:]),
            best.setup,
            best.setup_inputs,
            best.keep,
            starter.agent,
            starter.subagents,
            starter.tasks,
        )
    _create(place, starter_text(starter))
    click.echo(f"Wrote {name}")
    if guesses:
        click.echo(f"  verify: {guesses[0].verify}    (guessed from {guesses[0].why})")
    else:
        click.echo("  verify: nothing here says how the project is tested; results would land unverified")
    found = f"{starter.agent} is installed" if starter.agent else "no coding agent was found on PATH"
    click.echo(f"  agent: {found}")
    click.echo(f"  prompts: {len(starter.tasks)} found in prompts/")


def _write_claude_files(root: Path) -> None:
    from orchestra.cli.claude_files import FILES

    for path, text in FILES.items():
        if _text(root / path) == text:
            click.echo(f"{path} is there already")
        elif (root / path).exists() or (root / path).is_symlink():
            click.echo(f"{path} is there already, and is another: left as it is")
        else:
            _create(root / path, text)
            click.echo(f"Wrote {path}")


def _create(path: Path, text: str) -> None:
    """Write a file that is not there yet."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise environment_error(f"cannot write {path}", causes=(str(error),)) from error


def _text(path: Path) -> str | None:
    """The text of a small regular file, None where there is none."""
    try:
        if not path.is_file() or path.stat().st_size > LARGEST:
            return None
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        return None


def _tasks(root: Path) -> tuple[str, ...]:
    """The tasks that the prompts make without a manifest; none where they do not fit together yet."""
    try:
        return tuple(task.name for task in load(root).tasks)
    except OrchestraError:
        return ()


def _subagents(root: Path) -> tuple[str, ...]:
    """The named agents that Claude Code finds in the repository."""
    return tuple(
        sorted(path.stem for path in (root / ".claude" / "agents").glob("*.md") if path.stem.isascii())
    )


def _next_steps(root: Path) -> list[str]:
    steps = []
    if not _tasks(root):
        steps.append(
            "write prompts/NAME.md: each is a task for an agent, its first heading the title of the commit"
        )
    steps.append("orchestra plan      what would run, and what waits for what")
    steps.append("orchestra build     run it")
    steps.append("git commit          manifest and prompts: other clones build what is committed")
    return steps
