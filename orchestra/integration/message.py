"""Commit messages of landed results: title, body, trailers; or as the manifest's template says. Pure."""

from __future__ import annotations

import re
import textwrap

from orchestra.model.tasks import Task
from orchestra.model.template import fields_of, fill
from orchestra.model.text import clean
from orchestra.model.trailers import ATTEMPT_TRAILER, KEY_TRAILER, TASK_TRAILER

TITLE_WIDTH = 72
BODY_LINES = 40

_NOT_A_LINE = re.compile(r"Orchestra-\w+:|---(?=\s|$)|\W{0,4}-{24} >8 -{24}")
"""How no line of ours may begin: like a trailer, or like what ends a message for git (a patch, the scissors of
`git commit`), which would then find no trailers behind it.
"""


_TRAILER = re.compile(r"(?!Orchestra-)[A-Za-z0-9-]+: \S.*")


def landed_message(
    task: Task,
    summary: str,
    *,
    key: str,
    attempt: str,
    template: str | None = None,
    agent: str = "",
) -> str:
    """The message of the commit that lands a result: the prompt's title, the agent's last word, the trailers.

    `template` is what the manifest has instead of title and last word, `agent` the name that stands there for who did
    it. Its first line is bounded like a title, whatever it holds.
    """
    ours = f"{TASK_TRAILER}: {task.name}\n{KEY_TRAILER}: {key}\n{ATTEMPT_TRAILER}: {attempt}\n"
    if template is None:
        title, body, own = task.title, summary, ""
    else:
        values = {
            "task": task.name,
            "title": " ".join(clean(task.title).split()) or task.name,
            "body": clean(summary, newlines=True).strip(),
            "build": attempt.rpartition("-")[0],
            "agent": " ".join(clean(agent).split()),
        }
        template, trailers = _trailers_apart(template.strip())
        title, _, body = fill(template, values).strip().partition("\n")
        own = "".join(f"{' '.join(fill(line, values).split())}\n" for line in trailers)
    title = _one_line(title) or _one_line(task.title) or task.name
    return "\n\n".join(part for part in (title, _body(body), own + ours) if part)


def _trailers_apart(template: str) -> tuple[str, tuple[str, ...]]:
    """A template without the trailers in which it ends, and those: git knows only the last paragraph as trailers.

    What an agent said can be none, whatever it looks like.
    """
    text, _, last = template.rpartition("\n\n")
    lines = last.strip().split("\n")
    if not text.strip() or not all(map(_TRAILER.fullmatch, lines)) or "body" in fields_of(last):
        return template, ()
    return text, tuple(lines)


def entries_message(tasks: tuple[str, ...]) -> str:
    """The message of the commit that records tasks which changed no file."""
    title = f"Record {len(tasks)} task{'s' if len(tasks) != 1 else ''} that changed nothing"
    return f"{title}\n\n" + "\n".join(f"{TASK_TRAILER}: {task}" for task in tasks) + "\n"


def _one_line(text: str) -> str:
    line = " ".join(clean(text).split())
    while _NOT_A_LINE.match(line):
        line = line[1:].lstrip()
    if len(line) <= TITLE_WIDTH:
        return line
    cut = line[:TITLE_WIDTH].rfind(" ")
    return line[: cut if cut > 0 else TITLE_WIDTH - 1].rstrip() + "…"


def _body(text: str) -> str:
    lines: list[str] = []
    for line in clean(text, newlines=True).strip().split("\n"):
        wrapped = textwrap.wrap(line.rstrip(), TITLE_WIDTH, break_long_words=False, break_on_hyphens=False)
        lines += (f" {each}" if _NOT_A_LINE.match(each) else each for each in wrapped or [""])
    if len(lines) > BODY_LINES:
        lines = [*lines[:BODY_LINES], "…"]
    return "\n".join(lines).strip("\n")
