"""The README is the manual: it names every command, every option and every key, and its examples are valid."""

from __future__ import annotations

import importlib
import json
import re
from pathlib import Path
from typing import Any

import click
import pytest

from orchestra.cli.main import COMMANDS, cli
from orchestra.manifest.load import load
from orchestra.manifest.schema import schema_text

README = (Path(__file__).parents[2] / "README.md").read_text("utf-8")


def command_of(name: str) -> click.Command:
    command = importlib.import_module(f"orchestra.cli.{name}").command
    assert isinstance(command, click.Command)
    return command


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_its_section_with_every_option(name: str) -> None:
    section = README.split(f"### `orchestra {name}", 1)[1].split("\n### ", 1)[0].split("\n## ", 1)[0]
    shared = README.split("## Commands", 1)[1].split("\n### ", 1)[0]
    for option in command_of(name).params:
        if isinstance(option, click.Option):
            for flag in option.opts:
                assert f"`{flag}" in section + shared, f"{name} {flag}"


def test_every_option_of_the_program_is_there() -> None:
    for option in cli.params:
        if isinstance(option, click.Option):
            assert any(flag in README for flag in option.opts), option.opts


def test_help_fits_one_screen() -> None:
    text = cli.get_help(click.Context(cli, info_name="orchestra"))
    assert text.count("\n") < 24
    assert all(len(line) <= 80 for line in text.splitlines())


def keys(schema: dict[str, Any], root: dict[str, Any]) -> set[str]:
    """All keys that a schema names, at any depth."""
    found: set[str] = set()
    for name, below in schema.get("properties", {}).items():
        found |= {name} | keys(below, root)
    for word in ("additionalProperties", "patternProperties", "items"):
        below = schema.get(word)
        if isinstance(below, dict):
            found |= keys(below, root)
    for word in ("anyOf", "oneOf", "allOf"):
        for below in schema.get(word, []):
            found |= keys(below, root)
    if "$ref" in schema:
        target: Any = root
        for part in schema["$ref"].removeprefix("#/").split("/"):
            target = target[part]
        found |= keys(target, root)
    return found


def test_every_manifest_key_is_documented() -> None:
    schema = json.loads(schema_text("orchestra.schema.json"))
    found = keys(schema, schema)
    assert {"version", "integrate", "verify", "claims", "read", "on_drift"} <= found
    for key in found:
        assert re.search(rf"`(?:[a-z_.]+\.)?{key}(?:\.[a-zA-Z_.]+)?`", README), key


def test_the_examples_are_valid(tmp_path: Path) -> None:
    examples = re.findall(r"```yaml\n(.*?)```", README, re.DOTALL)
    assert len(examples) == README.count("```yaml")
    for number, example in enumerate(examples):
        root = tmp_path / str(number)
        (root / "prompts").mkdir(parents=True)
        for name in re.findall(r"prompts/([\w-]+\.md)", example) or ["any.md"]:
            (root / "prompts" / name).write_text("# Do it\n")
        (root / "orchestra.yaml").write_text(example)
        assert load(root).tasks


def test_the_manifest_of_the_picture_is_there() -> None:
    for path in re.findall(r"!\[[^\]]*\]\(([^)]+)\)", README):
        assert (Path(__file__).parents[2] / path).is_file(), path
