"""What is said about results that a person may take up by hand: which there are, what happened, what to type.

Pure: records in, text out, without a newline at the end.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from orchestra.model.text import clean, count
from orchestra.reporting.words import command, log_lines, one_line, short, why_words

TAIL = 15
"""How many of a log's last lines are shown."""


@dataclass(frozen=True, slots=True)
class Happened:
    """What became of an attempt: `kind` (rejected, failed...), `why`, the `paths` in the way, the end of its `log`.

    `landed` are the commits, each with its title, that changed since what it changed too.
    """

    kind: str = ""
    why: str = ""
    paths: tuple[str, ...] = ()
    tail: tuple[str, ...] = ()
    log: str = ""
    hint: str = ""
    landed: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Opened:
    """An open worktree: where, on which commit of which branch, and the places of conflict markers in it."""

    task: str
    place: str
    base: str
    branch: str | None
    markers: tuple[tuple[str, int], ...] = ()
    conflicts: tuple[str, ...] = ()
    changed: int = 0


def opened_text(opened: Opened, happened: Happened, *, anew: bool) -> str:
    """What happened, where the worktree is and how to go on; `anew`: it was made just now."""
    task = opened.task
    lines = [ended_words(task, happened)]
    lines += [f"  since: {short(commit)} {one_line(title)}" for commit, title in happened.landed]
    lines += [f"  | {line}".rstrip() for line in log_lines(happened.tail, TAIL)]
    if happened.log:
        lines.append(f"  log:   {one_line(happened.log)}")
    branch = f" of {one_line(opened.branch.removeprefix('refs/heads/'))}" if opened.branch else ""
    lines.append(f"{'opened' if anew else 'open'} in {clean(opened.place)}, on {short(opened.base)}{branch}")
    lines += [f"  conflict in {one_line(place)}" for place in places(opened.markers, opened.conflicts)]
    if not opened.conflicts:
        lines.append(f"  {count(opened.changed, 'changed file')}: git diff HEAD shows the work so far")
    lines.append(f"  next:  {command('cd', opened.place)}")
    if happened.hint:
        lines.append(f"         {one_line(happened.hint)}")
    lines.append(f"         edit, and then: {command('orchestra', 'resolve', '--continue', task)}")
    return "\n".join([*lines, f"    or:  {command('orchestra', 'resolve', '--drop', task)}"])


def ended_words(task: str, happened: Happened) -> str:
    """How an attempt at a task ended, in one line."""
    kind = {"": "was cut off", "again": "was tried once more", "rejected": "was rejected"}.get(happened.kind)
    verb = kind or (f"ended: {one_line(happened.kind)}" if happened.kind != "failed" else "failed")
    why = why_words(happened.why, happened.paths)
    return f"{one_line(task)} {verb}" + (f": {why}" if why else "")


def places(markers: Sequence[tuple[str, int]], conflicts: Sequence[str]) -> list[str]:
    """Where conflicts stand: `src/a.py:12, 40`; only the path of one that git could not mark."""
    by_path: dict[str, list[int]] = {path: [] for path in conflicts}
    for path, line in markers:
        by_path.setdefault(path, []).append(line)
    shown = [
        clean(path)
        + (f":{', '.join(map(str, numbers[:6]))}{', …' if len(numbers) > 6 else ''}" if numbers else "")
        for path, numbers in by_path.items()
    ]
    return shown if len(shown) <= TAIL else [*shown[:TAIL], f"… and {len(shown) - TAIL:,} more"]


def list_text(open_ones: Iterable[tuple[str, str]], offered: Iterable[tuple[str, Happened]]) -> str:
    """What is open (tasks with their worktrees) and what could be (tasks with what happened), and what to type."""
    opened, others = list(open_ones), list(offered)
    if not opened and not others:
        return "Nothing to resolve: no result is kept that did not land."
    lines = [f"open   {one_line(task)}  in {clean(place)}" for task, place in opened]
    lines += [ended_words(task, happened) for task, happened in others]
    typed = []
    if opened:
        typed += ["orchestra resolve --continue TASK", "orchestra resolve --drop TASK"]
    if others:
        typed.append(
            "orchestra resolve TASK" if len(others) > 1 else command("orchestra", "resolve", others[0][0])
        )
    return "\n".join([*lines, f"  next:  {', or: '.join(typed)}"])


def open_words(task: str, place: str) -> str:
    """That a person resolves a task's result, and where."""
    again = command("orchestra", "resolve", "--continue", task)
    return f"{one_line(task)} is being resolved in {clean(place)}; then: {again}"
