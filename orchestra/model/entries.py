"""Lock entries: what `.orchestra/lock/TASK.json` says of a landed task. Text in, value out, and back."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import cast

from orchestra.model.errors import OrchestraError, Place, usage_error
from orchestra.model.keys import Parts, digest
from orchestra.model.trees import LOCK_FOLDER, FileState, Tree

FORMAT = 1
_STATES = re.compile(r"(?:[0-7]{6} [0-9a-f]{40,64}\n)*")


@dataclass(frozen=True, slots=True)
class LockEntry:
    """What the last landing of a task recorded.

    `parts` are the parts of its action key. `outputs` are the paths that it changed, as they stood after
    landing (None: absent); `created` those of them that were absent before the task first wrote them and were
    present then; `rewrites` the files that match both its declared read and write patterns, as they stood
    after landing. `observed` are the undeclared inputs among those of its parts: what its agent was seen to read,
    where the manifest asks for that.
    """

    task: str
    parts: Parts
    outputs: Mapping[str, FileState | None]
    created: frozenset[str] = frozenset()
    rewrites: Mapping[str, FileState] = field(default_factory=dict)
    observed: frozenset[str] = frozenset()

    @property
    def key(self) -> str:
        """The action key."""
        return self.parts.key

    def outputs_digest(self) -> str:
        """What dependents see of it: the digest of the recorded outputs, contents and not keys."""
        return digest([[path, self.outputs[path]] for path in sorted(self.outputs)])


def lock_path(task: str) -> str:
    """Where a task's entry lies in the tree."""
    return f"{LOCK_FOLDER}{task}.json"


def lock_paths(tree: Tree) -> tuple[str, ...]:
    """The paths of all entries in a tree."""
    return tuple(path for path in tree.under(LOCK_FOLDER) if path.endswith(".json"))


def task_of(path: str) -> str:
    """The task whose entry lies at that path."""
    return path[len(LOCK_FOLDER) : -len(".json")]


def render(entry: LockEntry) -> bytes:
    """The entry as the bytes of its file: sorted, one path a line, so that diffs are small."""
    value = {
        "version": FORMAT,
        "task": entry.task,
        "key": entry.key,
        "definition": dict(entry.parts.definition),
        "inputs": dict(entry.parts.inputs),
        "needs": dict(entry.parts.needs),
        "outputs": dict(entry.outputs),
        "created": sorted(entry.created),
        "rewrites": dict(entry.rewrites),
        # Only where there is something: the entries of all others stay as they are.
        **({"observed": sorted(entry.observed)} if entry.observed else {}),
    }
    return (json.dumps(value, indent=1, sort_keys=True) + "\n").encode()


def parse(task: str, content: bytes) -> LockEntry:
    """Read an entry.

    Raises OrchestraError with the place where the file holds conflict markers or is not an entry.
    """
    path = lock_path(task)
    if b"<<<<<<< " in content or b">>>>>>> " in content:
        for number, line in enumerate(content.splitlines(), 1):
            if line.startswith((b"<<<<<<< ", b">>>>>>> ")):
                raise _damaged(path, "holds conflict markers", number)
    try:
        value = json.loads(content)
    except (ValueError, RecursionError) as error:
        where = error.lineno if isinstance(error, json.JSONDecodeError) else 0
        raise _damaged(path, "is not JSON", where) from error
    if not isinstance(value, dict):
        raise _damaged(path, "is not a lock entry")
    if value.get("version") != FORMAT:
        raise usage_error(
            f"lock entry of version {value.get('version')!r}, this orchestra reads version {FORMAT}",
            place=Place(path),
            hint="upgrade orchestra",
        )
    try:
        parts = Parts(
            definition=_texts(value["definition"]),
            inputs=_states(value["inputs"]),
            needs=_texts(value["needs"]),
        )
        return LockEntry(
            task=task,
            parts=parts,
            outputs=_optional_states(value["outputs"]),
            created=_paths(value["created"]),
            rewrites=_states(value["rewrites"]),
            observed=_paths(value.get("observed", [])),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise _damaged(path, "is not a lock entry") from error


def _damaged(path: str, what: str, line: int = 0) -> OrchestraError:
    return usage_error(
        f"the lock entry {what}",
        place=Place(path, line, 1 if line else 0),
        hint=f"take one side of it, or delete it so that the task runs again: git rm {path}",
    )


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("not a string")
    return value


def _object(value: object) -> dict[str, object]:
    if not isinstance(value, dict):
        raise ValueError("not an object")
    return value


def _paths(value: object) -> frozenset[str]:
    if not isinstance(value, list):
        raise ValueError("not a list")
    return frozenset(_text(item) for item in value)


def _texts(value: object) -> dict[str, str]:
    return {name: _text(item) for name, item in _object(value).items()}


def _states(value: object) -> dict[str, FileState]:
    states = _object(value)
    # All at once: an entry may list ten thousand files, and each command reads all entries.
    lines = "".join(f"{state}\n" for state in states.values())
    if not _STATES.fullmatch(lines) or lines.count("\n") != len(states):
        raise ValueError("not a mode and an id")
    return cast(dict[str, FileState], states)


def _optional_states(value: object) -> dict[str, FileState | None]:
    states = _object(value)
    _states({path: state for path, state in states.items() if state is not None})
    return cast(dict[str, FileState | None], states)
