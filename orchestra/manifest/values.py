"""Single values of the manifest: durations, names of tasks and variables, placeholders. Pure and cheap."""

from __future__ import annotations

import re

PLACEHOLDERS = ("prompt_file", "task", "worktree")
"""What a `command` may hold in braces."""

MAX_HOURS = 500
MAX_NAME = 200
MAX_SEGMENT_BYTES = 240
"""A segment of a task's name becomes a file's name, which file systems bound at 255 bytes."""

_DURATION = re.compile(r"([0-9]+(?:\.[0-9]+)?)([smh])")
_UNITS = {"s": 1, "m": 60, "h": 3600}
# `${NAME}` is the shell's, in a `sh -c` for example.
_PLACEHOLDER = re.compile(r"(?<!\$)\{([A-Za-z_][A-Za-z0-9_]*)\}")
_REFUSED_VARIABLE = re.compile(
    r"LD_PRELOAD|LD_AUDIT|LD_LIBRARY_PATH|DYLD_\w*|GIT_\w*|BASH_ENV|ENV|PYTHONSTARTUP|ORCHESTRA_\w*"
)
_SEGMENT = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+@-]*")
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f\ud800-\udfff]")
_MARKS = frozenset("_.+@-")


def seconds(text: str) -> float:
    """A duration in seconds; ValueError (with a message) where it is none, zero, or far too long."""
    match = _DURATION.fullmatch(text)
    if match is None:
        raise ValueError("is not a duration such as `90s`, `45m` or `2h`")
    value = float(match[1]) * _UNITS[match[2]]
    if value == 0:
        raise ValueError("must be longer than nothing")
    # Waiting is bounded by what poll() takes: 2**31 milliseconds, 596 hours.
    if value > MAX_HOURS * 3600:
        raise ValueError(f"must be at most {MAX_HOURS}h")
    return value


def share(text: str) -> float:
    """A share such as `90%` as a number from 0 to 1."""
    return int(text.removesuffix("%")) / 100


def size(text: str) -> int:
    """A size such as `512MiB` in bytes."""
    number, unit = text[:-3], text[-3:]
    return int(float(number) * 2 ** (10 * (1 + ("KiB", "MiB", "GiB", "TiB").index(unit))))


def unknown_placeholder(text: str) -> str | None:
    """The first placeholder in a text that nobody fills in."""
    return next((name for name in _PLACEHOLDER.findall(text) if name not in PLACEHOLDERS), None)


def is_refused_variable(name: str) -> bool:
    """Whether a variable may neither be set nor passed: it would change what runs, or is orchestra's own."""
    return _REFUSED_VARIABLE.fullmatch(name) is not None


def task_name(text: str) -> str:
    """A task's name in the one form in which names are compared (Unicode's NFC)."""
    if text.isascii():
        return text
    # Imported here: most names are ASCII.
    from unicodedata import normalize

    return normalize("NFC", text)


def name_fold(name: str) -> str:
    """What is equal for names that a case-insensitive file system takes for one."""
    return name.lower() if name.isascii() else task_name(task_name(name).casefold())


def name_fault(name: str) -> str | None:
    """Why a text cannot be a task's name, None where it can."""
    if not name:
        return "is empty"
    if len(name) > MAX_NAME:
        return f"is longer than {MAX_NAME} characters"
    for segment in name.split("/"):
        if not segment:
            return "has an empty part: write one `/` between names"
        if not _SEGMENT.fullmatch(segment):
            bad = _bad_character(segment)
            if bad is not None:
                return bad
        if segment.endswith((".", ".lock", ".json")) or ".." in segment:
            return "has a part that ends in `.`, `.lock` or `.json`, or holds `..`"
        if len(segment.encode()) > MAX_SEGMENT_BYTES:
            return "is too long for the name of a file"
    return None


def is_unprintable(path: str) -> bool:
    """Whether a path holds control characters, or bytes that are no text: nothing could name it safely."""
    return _UNPRINTABLE.search(path) is not None


def _bad_character(segment: str) -> str | None:
    from unicodedata import category

    for number, char in enumerate(segment):
        kind = category(char)[0]
        # Many scripts write vowels as combining marks: they are part of letters.
        if char == "_" or kind in "LN" or (number and (kind == "M" or char in _MARKS)):
            continue
        shown = f"`{char}`" if char.isprintable() else f"U+{ord(char):04X}"
        if char in _MARKS:
            return f"has a part that begins with {shown}"
        return f"holds {shown}: only letters, digits and `_ . + @ -` are accepted"
    return None
