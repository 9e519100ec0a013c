"""Front matter: what a prompt says of its own task, and what it must not say.

A prompt may come from anywhere, so its front matter sets nothing that executes or passes environment. Keys
that are not ours are left alone: agents' own files carry them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from orchestra.manifest.cache import Cache, stamp
from orchestra.manifest.problems import Locate, Problem, to_error
from orchestra.manifest.schema import MANIFEST_SCHEMA, schema_text
from orchestra.manifest.shape import Entry, entry_of
from orchestra.model.errors import OrchestraError

KEYS = (
    "agent",
    "needs",
    "claims",
    "priority",
    "timeout",
    "stall",
    "retries",
    "repairs",
    "usd",
    "review",
    "on_drift",
    "artifacts",
)
"""What front matter may say, in the same shapes as an entry of `tasks`."""

REFUSED = ("check", "run", "env", "prompt", "setup", "verify", "command")
"""Words of the manifest that execute, pass environment or name another file."""

FIRST_LINE = 2
"""Where the YAML begins: below the first `---`."""

_CACHE_PREFIX = "front-matter-"


@dataclass(slots=True)
class FrontMatter:
    """Reads the front matter of all prompts of one load; each text is parsed once, then known by its digest."""

    cache: Cache
    allowed: tuple[str, ...]
    _name: str = ""
    _known: Mapping[str, Any] = field(default_factory=dict)
    _used: dict[str, Any] = field(default_factory=dict)

    def read(self, text: str | None, file: str) -> Entry:
        """What a prompt's front matter says (None: it has none); raises OrchestraError with the place."""
        if text is None:
            return Entry()
        if not self._name:
            # What may be claimed depends on `allow_protected`, so that is part of what was checked.
            self._name = f"{_CACHE_PREFIX}{stamp(json.dumps(self.allowed).encode())}.json"
            self._known = self.cache.read(self._name) or {}
        digest = hashlib.sha256(text.encode()).hexdigest()
        data = self._known.get(digest)
        if data is None:
            data = _parse(text, file, self.allowed)
        self._used[digest] = data
        return entry_of(data)

    def save(self) -> None:
        """Remember what this load used, and forget the rest."""
        if self._known.keys() != self._used.keys():
            self.cache.write(self._name, self._used)
            self.cache.prune(_CACHE_PREFIX)


def locate_in(text: str, file: str) -> Locate:
    """A function that finds the places of problems in a prompt's front matter."""
    from orchestra.manifest.document import parse_text

    return parse_text(text, file, first_line=FIRST_LINE).locate


def _parse(text: str, file: str, allowed: tuple[str, ...]) -> dict[str, Any]:
    """Parse and check; the result holds our keys only."""
    # Imported here: a load whose front matter is known needs no YAML.
    from orchestra.manifest.document import Document, parse_text

    try:
        document = parse_text(text, file, first_line=FIRST_LINE)
    except OrchestraError as error:
        error.hint = f"{error.hint}; or put an empty line above the first `---` if this is no front matter"
        raise
    if document.data is None:
        return {}
    if not isinstance(document.data, dict):
        raise to_error(
            [
                Problem(
                    "front matter must be a mapping of keys to values",
                    hint="put an empty line above the first `---` if this is no front matter",
                    place=document.place(()),
                )
            ],
            document.locate,
        )
    problems = [_refused(key, file) for key in document.data if key in REFUSED]
    ours = {key: document.data[key] for key in KEYS if key in document.data}
    if ours:
        # Imported here: jsonschema costs more than a whole null build.
        from orchestra.manifest.check import check_schema
        from orchestra.manifest.rules import check_entry

        kept = Document(file, ours, document.root)
        problems += check_schema(kept, _schema()) or check_entry(ours, (), allowed)
    if problems:
        raise to_error(problems, document.locate)
    return ours


def _refused(key: str, file: str) -> Problem:
    hint = "put it into orchestra.yaml: what a prompt says must not execute anything or pass environment"
    return Problem(f"`{key}` is not accepted in front matter", (key,), True, hint, file)


def _schema() -> dict[str, Any]:
    """The schema of front matter: the same definitions, an entry's keys as far as they are accepted."""
    schema: dict[str, Any] = json.loads(schema_text(MANIFEST_SCHEMA))
    entry = schema["$defs"]["task"]["properties"]
    return {"$schema": schema["$schema"], "$defs": schema["$defs"], "properties": {k: entry[k] for k in KEYS}}
