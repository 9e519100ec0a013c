"""`orchestra --help` is one screen of a terminal, with room for every command that there will be."""

from __future__ import annotations

import click
import pytest

from orchestra.cli.main import COMMANDS, GROUPS, cli, commands_help

LINES, COLUMNS = 24, 80
KNOWN = tuple(name for names in GROUPS.values() for name in names)


def test_help_fits_one_screen() -> None:
    lines = cli.get_help(click.Context(cli, info_name="orchestra")).splitlines()
    # A line for each command to come: with them it must fit, too.
    assert len(lines) + len(set(KNOWN) - set(COMMANDS)) <= LINES
    assert max(map(len, lines)) <= COLUMNS
    for name, what in COMMANDS.items():
        assert sum(f"{name:<10}{what}" in line for line in lines) == 1, name


def test_every_command_that_is_planned_has_its_line() -> None:
    lines = commands_help(dict.fromkeys(KNOWN, "x" * 60), COLUMNS - 2)
    assert len(lines) == len(KNOWN) == 16 and max(map(len, lines)) <= COLUMNS - 2
    assert [line.split()[0] for line in lines if not line.startswith(" ")] == list(GROUPS)


def test_a_command_of_no_group_is_there_too() -> None:
    lines = commands_help({"build": "Build.", "dance": "Dance."}, 78)
    assert lines == ["Build  build  Build.", "More   dance  Dance."]


@pytest.mark.parametrize("width", [30, 50, 78])
def test_a_narrow_terminal_wraps(width: int) -> None:
    lines = commands_help(COMMANDS, width)
    assert max(map(len, lines)) <= width
    words = [word for name, what in COMMANDS.items() for word in (name, *what.split())]
    assert sorted(" ".join(lines).split()) == sorted([*words, *GROUPS])
