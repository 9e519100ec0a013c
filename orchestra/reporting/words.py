"""How things read, in few words: ids, counts, reasons, lists, colours; one place, so that every page agrees.

Pure. Everything foreign that these functions return has been through `clean`.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from enum import Enum

from orchestra.model.freshness import Reason, ReasonKind
from orchestra.model.meetings import Meeting
from orchestra.model.outcomes import Held
from orchestra.model.tasks import EVERYTHING, Task
from orchestra.model.text import clean
from orchestra.model.text import count as count

NONE = "none"
"""How an absent value reads."""

PATH_WIDTH = 60
NAME_WIDTH = 40
LINE_WIDTH = 200
_SHORT = 7
_LEAST = 12


class Style(Enum):
    """The few colours there are, by what they mean."""

    GOOD = "32"
    BAD = "31"
    WARN = "33"
    DIM = "2"
    NONE = ""


def paint(text: str, style: Style, color: bool) -> str:
    """The text in a style, unchanged where `color` is off or there is no style."""
    return f"\x1b[{style.value}m{text}\x1b[0m" if color and style.value and text else text


def short(value: str | None) -> str:
    """An object id, a file's state, a digest or a key in short, None as `none`.

    `100644 3b18e51…` becomes `3b18e51`, a key keeps its tag: `k1:9f86d08`. What is no such id is kept whole.
    """
    if value is None:
        return NONE
    tag, colon, rest = value.rpartition(":")
    identity = rest.rpartition(" ")[2]
    if len(identity) >= 40 and not set(identity) - set("0123456789abcdef"):
        return clean(tag) + colon + identity[:_SHORT]
    return one_line(value, LINE_WIDTH)


def change(old: str | None, new: str | None) -> str:
    """Two states of a file or two digests as `3b18e51 → 9f86d08`, with the modes where only those differ."""
    was, now = short(old), short(new)
    if was == now and old is not None and new is not None and old != new:
        was, now = (one_line(value.partition(" ")[0], LINE_WIDTH) for value in (old, new))
    return f"{was} → {now}"


def one_line(text: str, width: int = LINE_WIDTH) -> str:
    """Foreign text as one clean line, cut at the width with `…`."""
    safe = clean(text)
    return safe if len(safe) <= width else safe[: width - 1] + "…"


def path_words(path: str) -> str:
    """A path as one clean word; of a long one the end is kept, which says more."""
    safe = clean(path)
    return safe if len(safe) <= PATH_WIDTH else "…" + safe[1 - PATH_WIDTH :]


def outcome_words(outcome: str) -> str:
    """An outcome as a person reads it: `no change`. Programs are told `no-change`."""
    return outcome.replace("-", " ")


def listing(names: Iterable[str], limit: int = 8) -> str:
    """Names as `a, b, c and 12 more`, each clean."""
    every = list(names)
    # One more than the limit costs no more room than saying that there is one more.
    shown = every if len(every) <= limit + 1 else every[:limit]
    words = ", ".join(path_words(name) for name in shown)
    more = len(every) - len(shown)
    return f"{words} and {more:,} more" if more else words


def why_words(why: str, paths: Sequence[str] = ()) -> str:
    """Why, with the paths that show it unless the words name some of them already."""
    if not paths or any(path in why for path in paths):
        return one_line(why)
    return f"{one_line(why)} ({listing(paths, 3)})" if why else listing(paths, 3)


def branch_words(branch: str) -> str:
    """A branch's name without `refs/heads/`."""
    return one_line(branch.removeprefix("refs/heads/"))


def command(*words: str) -> str:
    """A command to type, quoted for a shell where that is called for."""
    return clean(shlex.join(words))


def log_lines(lines: Sequence[str], limit: int) -> tuple[str, ...]:
    """The last lines of a log, each clean and cut; of a line drawn over by carriage returns the last state."""
    last = lines[-limit:] if limit > 0 else ()
    return tuple(one_line(line.rstrip("\r\n").rpartition("\r")[2]) for line in last)


def reason_words(reason: Reason, *, check: bool = False) -> str:
    """One reason in a few words: `prompt changed`, `src/tokens.py changed`, `need add-tokens changed`.

    `check`: it is a check task's, which is never built but passes, for one key at a time.
    """
    subject = path_words(reason.subject or "")
    match reason.kind:
        case ReasonKind.NEVER_BUILT:
            return "not passed as it is now" if check else "never built"
        case ReasonKind.PROMPT_CHANGED:
            return "prompt changed"
        case ReasonKind.AGENT_CHANGED:
            return "agent changed"
        case ReasonKind.DEFINITION_CHANGED:
            return f"{subject or 'definition'} changed"
        case ReasonKind.INPUT_CHANGED:
            return f"{subject or 'an input'} {_what_changed(reason)}"
        case ReasonKind.NEED_CHANGED:
            return f"need {subject} changed" if subject else "a need changed"
        case ReasonKind.OUTPUT_MISSING:
            return f"{subject or 'an output'} missing"
        case ReasonKind.DRIFTED:
            return f"{subject or 'an output'} drifted"
        case ReasonKind.FORCED:
            return "forced"


def _what_changed(reason: Reason) -> str:
    if reason.old is None and reason.new is not None:
        return "added"
    if reason.old is not None and reason.new is None:
        return "gone"
    return "changed"


def reasons_words(reasons: Sequence[Reason], limit: int = 3, *, check: bool = False) -> str:
    """Reasons on one line: `prompt changed, src/a.py changed and 4 more`; empty where there is none."""
    shown = reasons if len(reasons) <= limit + 1 else reasons[:limit]
    words = ", ".join(reason_words(reason, check=check) for reason in shown)
    more = len(reasons) - len(shown)
    return f"{words} and {more:,} more" if more else words


def cut(text: str, width: int | None, used: int = 0) -> str:
    """Clean text cut with `…` to what a terminal of that width has left beside `used` columns.

    None is no terminal, and leaves the text as it is; so does a terminal so narrow that nothing would be left.
    """
    if width is None:
        return text
    return one_line(text, max(width - used, _LEAST))


def name_column(names: Iterable[str], width: int | None) -> int:
    """How wide a column of names is: as the longest of them, within bounds, on a narrow terminal the smaller."""
    most = NAME_WIDTH if width is None else max(_LEAST, min(NAME_WIDTH, (width - _LEAST) // 2))
    return min(most, max((len(one_line(name)) for name in names), default=0))


def labelled(label: str, rows: Sequence[str], width: int) -> list[str]:
    """Rows of which the first stands after the label, the others below it; nothing where there is none."""
    return [f"{label if n == 0 else '':<{width}}{row}".rstrip() for n, row in enumerate(rows)]


def meeting_words(meetings: Sequence[Meeting], limit: int = 3) -> str:
    """The patterns by which two tasks meet: `LOG, src/a.py meets src/** and 2 more`."""
    # One more than the limit costs no more room than saying that there is one more.
    shown = meetings if len(meetings) <= limit + 1 else meetings[:limit]
    groups: dict[str, list[str | None]] = {}
    for meeting in shown:
        groups.setdefault(meeting.then, []).append(meeting.first)
    words = ", ".join(_meeting(firsts, then) for then, firsts in groups.items())
    more = len(meetings) - len(shown)
    return f"{words} and {more:,} more" if more else words


def _meeting(firsts: Sequence[str | None], then: str) -> str:
    if firsts == [then]:
        return pattern_words(then)
    named = ", ".join("whatever it writes" if first is None else pattern_words(first) for first in firsts)
    return f"{named} {'meets' if len(firsts) == 1 else 'meet'} {pattern_words(then)}"


def held_words(cause: Held) -> str:
    """What a task waits for whose turn it is: words that continue "waits for"."""
    match cause:
        case "rate":
            return "its API"
        case "budget":
            return "what others leave of the budget"
        case "machine":
            return "the machine, which is busy"


def pattern_words(pattern: str) -> str:
    """A pattern of paths, `everything` where it matches every one."""
    return "everything" if pattern == EVERYTHING else path_words(pattern)


def remedy(task: Task, source: str | None) -> str:
    """What a person does about a task that did not do: words that continue "next: ...".

    What a check found is mended where it found it; else the words that the task was given are what can be mended.
    """
    if task.prompt is not None:
        return f"edit {task.prompt.path}"
    if task.claims.is_check:
        return "mend what it found, commit"
    return f"mend what it ran on, or edit {source or 'orchestra.yaml'}"
