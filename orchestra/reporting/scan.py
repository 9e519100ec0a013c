"""Claims as they were found: declared or read out of prompts, with the evidence and the files that they match. Pure.

As text, as JSON data (`schema/scan.schema.json`), and as the text of a manifest that declares what was found.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from orchestra.model.patterns import PatternSet
from orchestra.model.tasks import Task
from orchestra.model.trees import Tree
from orchestra.reporting.words import (
    Style,
    count,
    cut,
    listing,
    one_line,
    paint,
    path_words,
    pattern_words,
)

VERSION = 1
"""The version of the JSON form."""

FILES = 100
"""So many files of a pattern are told as JSON data; more are counted."""

_WORDS = {"write": "writes", "share": "shares", "read": "reads"}
_PLAIN = re.compile(r"[A-Za-z][\w-]*", re.ASCII)
_NO_TEXT = frozenset(("true", "false", "null", "yes", "no", "on", "off", "y", "n"))
_SHOWN = 2
_WIDE = 40


@dataclass(frozen=True, slots=True)
class FoundClaim:
    """One claim: what is done (`write`, `share`, `read`) by which pattern, and the files of the tree that match.

    `line` and `evidence` say where the prompt says so, and in which words; 0 and "" for what is declared or follows
    from nothing being declared.
    """

    access: str
    pattern: str
    files: tuple[str, ...]
    line: int = 0
    evidence: str = ""


def claims_found(task: Task, tree: Tree) -> tuple[FoundClaim, ...]:
    """The claims of a task: the declared ones, else those that its prompt was found to make."""
    claims = task.claims
    if task.prompt is not None and not claims.declared:
        return tuple(
            FoundClaim(one.access, one.pattern, _files(one.pattern, tree), one.line, one.evidence)
            for one in claims.inferred
        )
    every = [("write", text) for text in claims.write or () if text not in claims.shared]
    every += [("share", text) for text in claims.shared]
    every += [("read", text) for text in claims.read]
    return tuple(FoundClaim(access, text, _files(text, tree)) for access, text in every)


def scan_text(tasks: Sequence[Task], tree: Tree, *, color: bool = False, width: int | None = None) -> str:
    """Task by task what it may write and depends on, and how that is known; without a newline at the end."""
    lines: list[str] = []
    for task in tasks:
        found = claims_found(task, tree)
        lines.append(paint(cut(f"{one_line(task.name)}  {_origin(task, found)}", width), Style.NONE, color))
        wide = min(_WIDE, max((len(pattern_words(one.pattern)) for one in found), default=0))
        for one in found:
            begin = f"  {_WORDS[one.access]:<6}  {pattern_words(one.pattern):<{wide}}  "
            lines.append(begin + paint(cut(_known(one, task), width, len(begin)), Style.DIM, color))
    open_ones = sum(not task.claims.declared for task in tasks)
    if any(claims_found(task, tree) for task in tasks if task.prompt and not task.claims.declared):
        what = f"{count(open_ones, 'task')} of {len(tasks):,} declare{'s' if open_ones == 1 else ''} nothing"
        lines += ["", cut(f"{what}; what was found as text for the manifest: orchestra scan --yaml", width)]
    return "\n".join(lines)


def scan_json(tasks: Iterable[Task], tree: Tree) -> dict[str, Any]:
    """The same as JSON data."""
    return {
        "version": VERSION,
        "base": tree.commit,
        "tasks": [
            {
                "task": task.name,
                "declared": task.claims.declared,
                "exclusive": task.claims.exclusive,
                "file": task.prompt.path if task.prompt and not task.claims.declared else task.place.file,
                "claims": [
                    {
                        "access": one.access,
                        "pattern": one.pattern,
                        "line": one.line or None,
                        "evidence": one.evidence or None,
                        "matches": len(one.files),
                        "files": list(one.files[:FILES]),
                    }
                    for one in claims_found(task, tree)
                ],
            }
            for task in tasks
        ],
    }


def scan_yaml(tasks: Iterable[Task], source: str) -> str:
    """A `tasks` section that declares what prompts were found to claim; without a newline at the end.

    Only tasks that declare nothing are in it, those of whose files nothing was found as a comment. `source` is the
    path of the manifest: tasks that have an entry there say so.
    """
    lines = [
        "# What prompts were found to say. Declared claims are kept to: a result that goes beyond `write` is rejected,",
        "# and a change of what is in `read` makes the task stale. Correct it, then paste it into",
        f"# {path_words(source)}; a line `claims: ...` also fits into the front matter of its prompt.",
        "tasks:",
    ]
    number = 0
    for task in tasks:
        if task.prompt is not None and not task.claims.declared:
            number += 1
            lines += _entry(task, source)
    if number == 0:
        return "# Every task declares its claims already."
    if all(line.lstrip().startswith("#") for line in lines[4:]):
        lines[3] = "tasks: {}"
    return "\n".join(lines)


def _entry(task: Task, source: str) -> Iterator[str]:
    assert task.prompt is not None
    path = path_words(task.prompt.path)
    if not task.claims.inferred:
        yield f"  # {one_line(task.name)}: nothing was found in {path}; what may it write?"
        return
    if task.place.file == source and task.place.line:
        yield f"  # It has an entry already, at {one_line(str(task.place))}: its `claims` belong there."
    yield f"  {_key(task.name)}:"
    for one in task.claims.inferred:
        yield f"    # {one.access}s {path_words(one.pattern)}: {path}:{one.line}: {one_line(one.evidence, 100)}"
    parts = [
        f"{access}: {json.dumps(list(patterns), ensure_ascii=False)}"
        for access in ("write", "read")
        if (patterns := task.claims.inferred_patterns("write" if access == "write" else "read"))
    ]
    yield f"    claims: {{{', '.join(parts)}}}"


def _key(name: str) -> str:
    """A name as a key of YAML, quoted where it could be taken for something else."""
    plain = _PLAIN.fullmatch(name) and name.lower() not in _NO_TEXT
    return name if plain else json.dumps(name, ensure_ascii=False)


def _files(pattern: str, tree: Tree) -> tuple[str, ...]:
    return tree.matching(PatternSet.of((pattern,)))


def _origin(task: Task, found: Sequence[FoundClaim]) -> str:
    claims = task.claims
    if claims.declared:
        alone = ": it runs alone" if claims.exclusive else ": it writes nothing" if claims.is_check else ""
        return f"declared, {one_line(str(task.place))}{alone}"
    if task.run is not None:
        return "not declared: a command may write anything"
    if not found:
        return "not declared, and nothing was found in its prompt"
    return "not declared; found in its prompt"


def _known(one: FoundClaim, task: Task) -> str:
    matched = count(len(one.files), "file") if one.files else "no file yet"
    named = len(one.files) == 1 and one.files[0] == one.pattern
    files = f": {listing(one.files, _SHOWN)}" if one.files and not named else ""
    if not one.line or task.prompt is None:
        return f"{matched}{files}"
    return f"{path_words(task.prompt.path)}:{one.line}: {one_line(one.evidence, 100)}  ({matched}{files})"
