"""What the manifest's tests share: a repository made of a few files, and errors as short texts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from orchestra.manifest.load import load
from orchestra.model.errors import ExitStatus, OrchestraError
from orchestra.model.tasks import Manifest


def write(root: Path, files: dict[str, str | bytes]) -> Path:
    """Write files below a folder; keys are paths."""
    for path, content in files.items():
        target = root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content.encode() if isinstance(content, str) else content)
    return root


def manifest(root: Path, text: str, files: dict[str, str | bytes] | None = None, **options: Any) -> Manifest:
    """Load a repository with that manifest (below `version: 1`) and those files."""
    write(root, {"orchestra.yaml": f"version: 1\n{text}", **(files or {})})
    return load(root, **options)


def refused(act: Callable[[], object]) -> OrchestraError:
    """The error that an action ends with: one of usage that says what to do."""
    with pytest.raises(OrchestraError) as caught:
        act()
    error = caught.value
    assert error.status is ExitStatus.USAGE
    for each in (error, *error.others):
        assert each.hint, f"no hint: {each}"
    return error


def refusal(
    root: Path, text: str, files: dict[str, str | bytes] | None = None, **options: Any
) -> OrchestraError:
    """The error that such a repository is refused with."""
    return refused(lambda: manifest(root, text, files, **options))
