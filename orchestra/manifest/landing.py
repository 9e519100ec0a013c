"""The templates of `integrate`: of the names of branches and of commit messages, and what is wrong with them.

What the text alone tells is looked at once for a text; whether tasks and names of branches go together, in each load.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from orchestra.manifest.problems import DataPath, Problem, listing, nearest, show
from orchestra.model.tasks import Integrate
from orchestra.model.template import BRANCH_FIELDS, MESSAGE_FIELDS, fields_of, fill

BRANCH: DataPath = ("integrate", "branch")
MESSAGE: DataPath = ("integrate", "message")

BUILD = "20261122-153000-1f2e"
"""What the name of a build looks like."""

OURS = "orchestra/build-"
"""How the branches begin that orchestra makes of itself."""

MOST_BYTES = 250
"""The longest part of a branch's name: it becomes a file's name, beside which git makes another that is longer."""

_EXAMPLE = "for example `branch: feature/{task}`"
# As `git check-ref-format --branch` has it.
_BAD = re.compile(r"[\x00-\x20\x7f~^:?*\[\\\ud800-\udfff]|\.\.|@\{")


def check_templates(section: dict[str, Any]) -> Iterator[Problem]:
    """What is wrong with the templates by themselves."""
    branch, message = section.get("branch"), section.get("message")
    if message is not None:
        yield from _fields(message, MESSAGE, MESSAGE_FIELDS)
    if branch is None:
        return
    problems = tuple(_fields(branch, BRANCH, BRANCH_FIELDS))
    yield from problems
    if problems:
        return
    if "task" not in fields_of(branch):
        hint = f"write {{task}} into it: {_EXAMPLE}"
        yield Problem(f"`{show(branch)}` would be one branch for all tasks", BRANCH, hint=hint)
        return
    fault = branch_fault(fill(branch, {"task": "fix-parser", "build": BUILD}))
    if fault is not None:
        yield Problem(f"`{show(branch)}` makes no name of a branch: it {fault}", BRANCH, hint=_EXAMPLE)


def check_branches(tasks: Iterable[str], integrate: Integrate) -> tuple[Problem, ...]:
    """What is wrong with the names of the branches that these tasks would have: at most one problem."""
    if integrate.branch is None:
        return ()
    names = {task: fill(integrate.branch, {"task": task, "build": BUILD}) for task in tasks}
    branches = {branch: task for task, branch in names.items()}
    for task, branch in names.items():
        fault = branch_fault(branch)
        if fault is not None:
            hint = f"rename the task, or write another template: {_EXAMPLE}"
            return (
                Problem(
                    f"`{show(task)}` would have the branch `{show(branch)}`, which {fault}", BRANCH, hint=hint
                ),
            )
        if branch == (integrate.into or "").removeprefix("refs/heads/"):
            message = f"`{show(task)}` would have the branch `{show(branch)}`, on which results land (`integrate.into`)"
            return (Problem(message, BRANCH, hint=_EXAMPLE),)
        parts = branch.split("/")
        above = next((a for n in range(1, len(parts)) if (a := "/".join(parts[:n])) in branches), None)
        if above is not None:
            return (_folder(branches[above], above, task, branch),)
    return ()


def branch_fault(name: str) -> str | None:
    """Why a text cannot be the name of a branch, None where it can: by the rules of git, and what we keep for us."""
    bad = _BAD.search(name)
    if bad is not None:
        return f"holds `{show(bad[0])}`"
    if name.startswith("-"):
        return "begins with `-`"
    if name == "HEAD":
        return "is git's own word for what is checked out"
    if name.startswith("refs/"):
        return "begins with `refs/`: git itself puts `refs/heads/` before it"
    if name.startswith(OURS):
        return f"begins with `{OURS}`, which orchestra keeps for itself"
    for part in name.split("/"):
        if not part:
            return "has an empty part between `/`"
        if part.startswith("."):
            return "has a part that begins with `.`"
        if part.endswith((".", ".lock")):
            return "has a part that ends in `.` or `.lock`"
        if len(part.encode()) > MOST_BYTES:
            return "has a part that is too long for the name of a file"
    return None


def _fields(template: str, path: DataPath, known: tuple[str, ...]) -> Iterator[Problem]:
    choices = f"what is filled in: {listing(f'{{{name}}}' for name in known)}"
    try:
        fields = fields_of(template)
    except ValueError as error:
        brace = str(error)
        hint = f"write `{brace * 2}` for a brace; {choices}"
        yield Problem(f"a `{brace}` stands alone in `{show(template)}`", path, hint=hint)
        return
    for field in dict.fromkeys(fields):
        if field not in known:
            meant = nearest(field.strip(), known)
            hint = f"did you mean `{{{meant}}}`? {choices}" if meant else choices
            yield Problem(f"unknown field `{{{show(field)}}}`", path, hint=hint)


def _folder(task: str, branch: str, other: str, below: str) -> Problem:
    message = (
        f"`{show(task)}` and `{show(other)}` would have the branches `{show(branch)}` and `{show(below)}`, "
        "and git cannot have both"
    )
    return Problem(
        message, BRANCH, hint="rename one of them, or write for example `branch: feature/{task}/result`"
    )
