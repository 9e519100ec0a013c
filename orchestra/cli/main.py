"""The entry point: finds the command, loads only its module, and turns errors into words and an exit status."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Mapping, Sequence
from io import TextIOWrapper
from types import TracebackType
from typing import TYPE_CHECKING

import click

from orchestra import __version__
from orchestra.cli.options import Settings, use_color
from orchestra.model.errors import ExitStatus, OrchestraError, environment_error, usage_error

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

COMMANDS = {
    "build": "Run the stale tasks, in parallel, and land what passes.",
    "watch": "Build whenever prompts, the manifest or the branch change.",
    "status": "Show which tasks are fresh, stale, reverted or blocked.",
    "plan": "Show what would run, in which order, and what overlaps.",
    "explain": "Show why a task is fresh or stale, and what it waits for.",
    "scan": "Show the claims of tasks as found, to declare them.",
    "history": "Show earlier builds, one build, or the attempts of one task.",
    "report": "Tell all of one build, as one page or for machines.",
    "rollback": "Take landed results back, by a new verified commit.",
    "resolve": "Mend by hand what could not land, and land it.",
    "logs": "Show what the last attempt at a task printed.",
    "stop": "End a running build, as an interrupt would.",
    "clean": "Free what builds left that nobody needs any more.",
    "doctor": "Look at git, disk, agents and manifest for what is amiss.",
    "init": "Write a first manifest, as this repository suggests it.",
    "demo": "Make a small repository and build it, to see how it goes.",
}


GROUPS = {
    "Build": ("build", "watch", "stop"),
    "Look": ("status", "plan", "explain", "scan", "history", "logs", "report"),
    "Mend": ("rollback", "resolve", "clean", "doctor"),
    "Begin": ("init", "demo"),
}
"""What commands are for; those that nobody put into a group come last."""

_LABEL = 7
"""The columns that the labels of groups take."""

COMPLETING = "_ORCHESTRA_COMPLETE"
"""The environment variable by which a shell asks what could come next; click answers it."""


class LazyGroup(click.Group):
    """A group whose commands are imported when they are called, since imports are what a null build pays for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The commands, in the order of a person's day."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name, None where there is none."""
        if cmd_name not in COMMANDS:
            return None
        command = importlib.import_module(f"orchestra.cli.{cmd_name}").command
        assert isinstance(command, click.Command)
        if ctx.resilient_parsing:
            from orchestra.cli.completing import teach

            teach(command)
        return command

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """The commands and options that begin so, without importing any command."""
        from click.shell_completion import CompletionItem

        found = [
            CompletionItem(name, help=what) for name, what in COMMANDS.items() if name.startswith(incomplete)
        ]
        return [*found, *click.Command.shell_complete(self, ctx, incomplete)]

    def invoke(self, ctx: click.Context) -> object:
        """As click does; a reader that has gone (`orchestra status | head`) is no error."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            # Python would flush once more at its end, and complain.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return ExitStatus.OK

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does, with a suggestion where the name is close to a command's."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            from difflib import get_close_matches

            close = get_close_matches(args[0], COMMANDS, n=1)
            hint = f"did you mean `orchestra {close[0]}`?" if close else "orchestra --help lists the commands"
            raise usage_error(f"there is no command `{args[0]}`", hint=hint) from error

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The commands by what they are for, then the options: one screen, without importing any command."""
        formatter.write("\n" + "\n".join(commands_help(COMMANDS, formatter.width)) + "\n\n")
        options = "; ".join(filter(None, (_option_words(ctx, each) for each in self.get_params(ctx))))
        formatter.write("\n".join(_column("Options:", 9, options, formatter.width)) + "\n")


def _option_words(context: click.Context, option: click.Parameter) -> str:
    """An option in short; of those that only tell something (`--help`) the name says all."""
    flags, what = option.get_help_record(context) or ("", "")
    return flags if option.is_eager else f"{flags}: {what[:1].lower()}{what[1:].rstrip('.')}"


def commands_help(commands: Mapping[str, str], width: int) -> list[str]:
    """Commands with what they do, in lines of at most so many columns; a group's first line begins with its label."""
    grouped = [name for names in GROUPS.values() for name in names]
    groups = {**GROUPS, "More": tuple(name for name in commands if name not in grouped)}
    inner = max(map(len, commands)) + 2
    lines: list[str] = []
    for label, names in groups.items():
        beside = [
            line
            for name in names
            if name in commands
            for line in _column(name, inner, commands[name], width - _LABEL)
        ]
        lines += (f"{'' if number else label:<{_LABEL}}{line}" for number, line in enumerate(beside))
    return lines


def _column(label: str, indent: int, text: str, width: int) -> list[str]:
    """Text beside a label, wrapped."""
    return click.formatting.wrap_text(text, width, f"{label:<{indent}}", " " * indent).split("\n")


@click.command(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="orchestra")
@click.option("-C", "directory", metavar="DIR", default=".", help="Work as if called in DIR.")
@click.option(
    "-f", "--file", "file", metavar="FILE", help="The manifest (default: orchestra.yaml at the root)."
)
@click.option("--debug", is_flag=True, help="Show a traceback with an error.")
@click.pass_context
def cli(context: click.Context, directory: str, file: str | None, debug: bool) -> None:
    """Make for coding agents: run the prompts that are stale, land what passes."""
    context.obj = Settings(directory, file, debug)


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command line; ends the process with an exit status of `ExitStatus`."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    debug = "--debug" in arguments
    _open_streams()
    if os.environ.get(COMPLETING, "").endswith("_complete"):
        # A shell asks in the middle of a line: whatever is wrong must not be told into it.
        sys.stderr = os.fdopen(os.open(os.devnull, os.O_WRONLY), "w")
        from orchestra.cli.completing import teach

        teach(cli)
    if not debug:
        sys.excepthook = _tell_mistake
    try:
        status = cli.main(arguments, prog_name="orchestra", complete_var=COMPLETING, standalone_mode=False)
    except OrchestraError as error:
        if debug:
            raise
        status = _tell(error)
    except click.exceptions.Abort:
        status = ExitStatus.INTERRUPTED
    except click.ClickException as error:
        status = _tell(OrchestraError(error.format_message(), ExitStatus.USAGE, hint=_help_for(error)))
    except KeyboardInterrupt:
        status = ExitStatus.INTERRUPTED
    except OSError as error:
        if debug:
            raise
        # A disk that is full, a file that may not be read: what nobody foresaw is the environment's fault too.
        status = _tell(environment_error(str(error), hint="orchestra --debug shows where it happened"))
    _flush()
    sys.exit(int(status or 0))


def _open_streams() -> None:
    """Make sure that the three standard streams are there and take every character.

    Where a caller closed one (`>&-`), the next file opened would take its number, and what is meant for a
    reader would be written into it.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    if sys.stdout is None:
        sys.stdout = os.fdopen(1, "w", closefd=False)
    if sys.stderr is None:
        sys.stderr = os.fdopen(2, "w", closefd=False)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            # In a locale without arrows and dashes they are shown as escapes.
            stream.reconfigure(errors="backslashreplace")


def _flush() -> None:
    """Write out what is left, as far as somebody takes it."""
    try:
        sys.stdout.flush()
    except OSError:
        # Python would flush once more at its end, and complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _tell_mistake(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """What nothing caught is a mistake of ours: told in words too; Python ends with status 1."""
    what = f"this is a mistake in orchestra: {kind.__name__}: {error}"
    _tell(OrchestraError(what, hint="please report it, with what orchestra --debug shows"))


def _tell(error: OrchestraError) -> ExitStatus:
    from orchestra.reporting.errors import render_error

    click.echo(render_error(error, color=use_color(sys.stderr)), err=True)
    return error.status


def _help_for(error: click.ClickException) -> str | None:
    context = error.ctx if isinstance(error, click.UsageError) else None
    return f"{context.command_path} --help" if context is not None else None
