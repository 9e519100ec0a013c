"""The words of the manifest that this version does not support yet: refused by name, not taken for typos.

When one of them comes to life it moves from here into the schema; nothing else lists them.
"""

from __future__ import annotations

from orchestra.manifest.problems import DataPath

LATER_VALUES: dict[str, frozenset[str]] = {
    "triggers.*": frozenset(("model",)),
}
"""By key: the values that come later."""

_NAMED = frozenset(("agents", "tasks"))


def section(path: DataPath) -> str:
    """The key that a path of at least two parts leads to, with `*` for the names of agents and tasks, and for items."""
    parts = ["*" if isinstance(part, int) else str(part) for part in path]
    if parts[0] in _NAMED:
        parts[1] = "*"
    return ".".join(parts)
