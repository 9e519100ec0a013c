"""Small JSON files that save parsing the same text twice; a lost, damaged or unwritable one costs only time.

Each begins with the digest of what follows, so that a damaged file is told from a sound one and never read.
"""

from __future__ import annotations

import hashlib
import json
import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestra import __version__
from orchestra.manifest.schema import MANIFEST_SCHEMA, schema_text

FORMAT = 1
"""Changes with every rule that decides what is accepted: then what older rules let pass is looked at anew."""

KEPT = 8
"""How many manifests stay cached: branches differ in theirs, and one switches back and forth."""


def stamp(*parts: bytes) -> str:
    """The digest that names what was read from these texts by this version and this schema."""
    sha = hashlib.sha256(f"{FORMAT} {__version__}\n{schema_text(MANIFEST_SCHEMA)}".encode())
    for part in parts:
        # Lengths keep two texts apart that are one when joined.
        sha.update(b"\0%d\0" % len(part))
        sha.update(part)
    return sha.hexdigest()


@dataclass(frozen=True, slots=True)
class Cache:
    """A folder of such files; None: nothing is remembered."""

    folder: Path | None

    def read(self, name: str) -> Any:
        """The value that was written under a name, None where there is none or it is damaged."""
        if self.folder is None:
            return None
        try:
            content = (self.folder / name).read_bytes()
        except OSError:
            return None
        digest, _, body = content.partition(b"\n")
        if digest != _digest(body):
            return None
        return json.loads(body)

    def write(self, name: str, value: Any) -> None:
        """Remember a value; a folder that cannot be written is no error."""
        if self.folder is None:
            return
        body = json.dumps(value, separators=(",", ":")).encode()
        # Two processes may write at once: each has a file of its own until it is whole.
        partial = self.folder / f"{name}.{os.getpid()}.new"
        with suppress(OSError):
            self.folder.mkdir(parents=True, exist_ok=True)
            try:
                partial.write_bytes(_digest(body) + b"\n" + body)
                partial.replace(self.folder / name)
            finally:
                partial.unlink(missing_ok=True)

    def prune(self, prefix: str) -> None:
        """Forget all but the newest files whose names begin so."""
        if self.folder is None:
            return
        with suppress(OSError):
            files = [path for path in self.folder.iterdir() if path.name.startswith(prefix)]
            files.sort(key=lambda path: path.stat().st_mtime_ns, reverse=True)
            for path in files[KEPT:]:
                path.unlink(missing_ok=True)


def _digest(body: bytes) -> bytes:
    return hashlib.sha256(body).hexdigest().encode()
