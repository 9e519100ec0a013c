"""Finds the JSON Schemas that orchestra carries, in an installed wheel as in a checkout."""

from __future__ import annotations

from pathlib import Path

from orchestra.model.errors import environment_error

MANIFEST_SCHEMA = "orchestra.schema.json"

_PACKAGE = Path(__file__).parent.parent
_FOLDERS = (_PACKAGE / "schema", _PACKAGE.parent / "schema")
"""A wheel holds them inside the package; in a checkout they lie beside it, for editors and other tools."""


def schema_text(name: str) -> str:
    """The text of the schema with that file name, such as `orchestra.schema.json`.

    Raises OrchestraError where it is missing: then the installation is damaged.
    """
    for folder in _FOLDERS:
        try:
            return (folder / name).read_text(encoding="utf-8")
        except FileNotFoundError:
            continue
    raise environment_error(f"the schema `{name}` is missing", hint="install orchestra again")
