"""The environment of an attempt: the person's, less what is not an agent's business, plus what tells it where it is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from orchestra.vcs.command import clean_environment

NOT_PASSED = (
    # Claude Code refuses to start, or thinks itself nested, where these are set.
    "CLAUDECODE",
    "CLAUDE_CODE_ENTRYPOINT",
)


ALWAYS_PASSED = frozenset(
    ("PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LANGUAGE", "TERM", "TMPDIR", "TZ", "PWD")
)
"""Without these no program finds its way; a `.env` that sets them too makes no secret of them."""


def attempt_environment(
    environ: Mapping[str, str],
    root: Path,
    *,
    passes: Iterable[str] = (),
    sets: Iterable[tuple[str, str]] = (),
) -> dict[str, str]:
    """The person's environment for an attempt.

    Left out are git's local variables, marks of an outer agent, and whatever the repository's `.env` names:
    tools that load that file for a person would hand its secrets to every agent. `passes` brings such a name
    back; `sets` come last.
    """
    left_out = {*NOT_PASSED, *(_names_in_dotenv(root / ".env") - ALWAYS_PASSED)} - set(passes)
    result = {name: value for name, value in clean_environment(environ).items() if name not in left_out}
    result |= dict(sets)
    return result


def place_variables(*, task: str, build: str, attempt: str, root: Path, slot: int) -> dict[str, str]:
    """The variables that every command of an attempt or a verification sees."""
    return {
        "ORCHESTRA_TASK": task,
        "ORCHESTRA_BUILD": build,
        "ORCHESTRA_ATTEMPT": attempt,
        "ORCHESTRA_ROOT": str(root),
        "ORCHESTRA_SLOT": str(slot),
    }


def _names_in_dotenv(path: Path) -> set[str]:
    try:
        # A pipe would never end; a folder (a virtual environment of that name) cannot be read.
        text = path.read_text("utf-8", "replace") if path.is_file() else ""
    except OSError:
        return set()
    names = set()
    for line in text.split("\n"):
        name, equals, _ = line.strip().removeprefix("export ").partition("=")
        if equals and name.strip().isidentifier():
            names.add(name.strip())
    return names
