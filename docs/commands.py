"""Makes docs/commands.md, the reference of the command line, from the commands themselves.

python -m docs.commands
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator
from pathlib import Path

import click

from orchestra.cli.main import COMMANDS, cli

HEAD = """\
# The command line

Made from the commands themselves by `python -m docs.commands`. What they are for is in the
[README](../README.md#commands).
"""


def reference() -> str:
    """The whole page, in Markdown."""
    parts = [HEAD, *_section("orchestra", cli)]
    for name in COMMANDS:
        command = importlib.import_module(f"orchestra.cli.{name}").command
        parts += _section(f"orchestra {name}", command)
    return "\n".join(parts)


def _section(name: str, command: click.Command) -> Iterator[str]:
    arguments = [each.metavar for each in command.params if isinstance(each, click.Argument)]
    options = [each for each in command.params if isinstance(each, click.Option) and not each.hidden]
    usage = [name, "[OPTION]...", *filter(None, arguments)]
    if isinstance(command, click.Group):
        usage.append("COMMAND")
    yield f"## `{name}`\n\n```\n{' '.join(usage)}\n```\n"
    yield from (f"{' '.join(paragraph.split())}\n" for paragraph in (command.help or "").split("\n\n"))
    yield "| option | meaning |\n| --- | --- |"
    yield from (f"| {_flags(option)} | {_cell(option.help or '')} |" for option in options)
    yield ""


def _flags(option: click.Option) -> str:
    """Its spellings, and what it takes."""
    takes = option.metavar or ""
    if isinstance(option.type, click.Choice):
        takes = "|".join(map(str, option.type.choices))
    words = [*option.opts[:-1], f"{option.opts[-1]} {takes}".strip()]
    return ", ".join(f"`{word}`" for word in words).replace("|", "\\|")


def _cell(text: str) -> str:
    # A star is emphasis in Markdown unless it stands in code.
    return re.sub(r"([*_<])", r"\\\1", " ".join(text.split())).replace("|", "\\|")


def main() -> None:
    """Write the page."""
    Path(__file__).with_name("commands.md").write_text(reference(), "utf-8")


if __name__ == "__main__":
    main()
