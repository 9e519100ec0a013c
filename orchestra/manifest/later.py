"""The words of the manifest that this version does not support yet: refused by name, not taken for typos.

When one of them comes to life it moves from here into the schema; nothing else lists them.
"""

from __future__ import annotations

from orchestra.manifest.problems import DataPath

_DURING_A_TASK = frozenset(("repairs",))

LATER_KEYS: dict[str, frozenset[str]] = {
    "": frozenset(("prices", "hooks", "context")),
    "defaults": _DURING_A_TASK,
    "limits": frozenset(("cpu", "memory", "disk", "usd", "usd_per_day", "tokens")),
    "integrate": frozenset(("branch", "message", "on_conflict")),
    "tasks.*": _DURING_A_TASK | {"usd", "review", "artifacts"},
}
"""By section (`*` stands for any name): the keys that come later."""

LATER_VALUES: dict[str, frozenset[str]] = {
    "agents.*.kind": frozenset(("codex",)),
    "integrate.author": frozenset(("agent",)),
    "triggers.*": frozenset(("model", "observed")),
}
"""By key: the values that come later."""

LATER_AGENTS = LATER_VALUES["agents.*.kind"]
"""Kinds of agents that come later: they can be named like an agent."""

_NAMED = frozenset(("agents", "tasks"))


def section(path: DataPath) -> str:
    """The key that a path of at least two parts leads to, with `*` for the names of agents and tasks, and for items."""
    parts = ["*" if isinstance(part, int) else str(part) for part in path]
    if parts[0] in _NAMED:
        parts[1] = "*"
    return ".".join(parts)
