"""The environment of an attempt: the person's, less what is not an agent's business, plus what tells it where it is.

By the latter the processes of an attempt are known again, also to a build that did not start them.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
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


def inhabited_slots(root: Path, build: str) -> frozenset[int]:
    """The numbers of the slots in which processes of other builds of this repository live still.

    Where a build was killed, its agents have some seconds to end: nothing else may work in their slots meanwhile.
    """
    found: set[int] = set()
    for environ in _environments():
        if environ.get("ORCHESTRA_ROOT") == str(root) and environ.get("ORCHESTRA_BUILD") != build:
            slot = environ.get("ORCHESTRA_SLOT", "")
            found |= {int(slot)} if slot.isdecimal() else set()
    return frozenset(found)


def _environments() -> Iterator[Mapping[str, str]]:
    """The environments of all processes that may be looked at, this one left out."""
    if not Path("/proc/self/environ").exists():
        import psutil

        for process in psutil.process_iter(["environ"]):
            if process.pid != os.getpid():
                yield process.info["environ"] or {}
        return
    for folder in Path("/proc").glob("[0-9]*"):
        if folder.name == str(os.getpid()):
            continue
        try:
            text = os.fsdecode((folder / "environ").read_bytes())
        except OSError:
            continue  # it ended meanwhile, or is another person's
        yield dict(line.split("=", 1) for line in text.split("\0") if "=" in line)


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
