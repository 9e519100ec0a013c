"""Makes docs/manifest.md, the reference of `orchestra.yaml`, from the schema that manifests are checked against.

python -m docs.manifest
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from orchestra.manifest.schema import schema_text

HEAD = """\
# The manifest

Every key of `orchestra.yaml`, made from `schema/orchestra.schema.json` by `python -m docs.manifest`. How the parts go
together is in the [README](../README.md#the-manifest).
"""

Schema = Mapping[str, Any]


class Reference:
    """Tells a JSON Schema as pages of tables."""

    def __init__(self, schema: Schema) -> None:
        self._schema = schema

    def text(self) -> str:
        """The whole page, in Markdown."""
        return "\n".join([HEAD, *self._sections("", self._schema)])

    def _sections(self, name: str, schema: Schema) -> Iterator[str]:
        """A table of the keys of a mapping, then those of the mappings below it."""
        below: list[tuple[str, Schema]] = []
        rows = []
        for key, given in schema["properties"].items():
            full = self._resolved(given)
            rows.append(
                f"| `{key}` | {_cell(self._kind(full))} | {_default(full)} | {_cell(full['description'])} |"
            )
            path = f"{name}.{key}" if name else key
            below += self._mappings(path, full)
        yield f"## `{name or 'orchestra.yaml'}`\n"
        yield "| key | value | default | meaning |\n| --- | --- | --- | --- |"
        yield "\n".join(rows) + "\n"
        for path, mapping in below:
            yield from self._sections(path, mapping)

    def _mappings(self, path: str, schema: Schema) -> Iterator[tuple[str, Schema]]:
        """The mappings with keys of their own that a key's value can be."""
        for one in schema.get("anyOf", [schema]):
            if "properties" in one:
                yield path, one
            elif isinstance(one.get("additionalProperties"), dict):
                inner = self._resolved(one["additionalProperties"])
                yield from self._mappings(f"{path}.NAME", inner)

    def _resolved(self, schema: Schema) -> Schema:
        """The schema with what its `$ref` says behind what it says itself."""
        if "$ref" not in schema:
            return schema
        target: Any = self._schema
        for part in schema["$ref"].removeprefix("#/").split("/"):
            target = target[part]
        return {**self._resolved(target), **schema}

    def _kind(self, schema: Schema) -> str:
        """What a value is, in words, such as "a duration such as `90s`"."""
        if "title" in schema:
            return str(schema["title"]).removesuffix(" that is not empty")
        if "anyOf" in schema:
            return ", or ".join(self._kind(self._resolved(one)) for one in schema["anyOf"])
        if "const" in schema:
            return f"`{schema['const']}`"
        return {"object": "a mapping", "null": "`null`"}[schema["type"]]


def _default(schema: Schema) -> str:
    return f"`{json.dumps(schema['default'])}`" if "default" in schema else ""


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def main() -> None:
    """Write the page."""
    schema = json.loads(schema_text("orchestra.schema.json"))
    Path(__file__).with_name("manifest.md").write_text(Reference(schema).text(), "utf-8")


if __name__ == "__main__":
    main()
