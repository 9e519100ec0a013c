"""The patches as values: which rule each breaks, which tests must go red, and whether it still applies.

A patch is a unified diff of the product's code below a header:

    Rule: section 5, early cutoff: "content, not keys" - a need's key stands for what it made.
    Red: tests/engine/test_freshness_cases.py::test_one tests/engine/test_other.py::test_two

`Red:` may be repeated.
"""

from __future__ import annotations

import ast
import re
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parent
ROOT = FOLDER.parents[1]
_BEGIN = "diff --git "
_RULE = re.compile(r"section [3-6]\b.+")
_PATHS = re.compile(r"^\+\+\+ b/(.+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Mutation:
    """One patch: its name, the rule that it breaks, the tests of which one must go red, header and diff as text."""

    name: str
    rule: str
    red: tuple[str, ...]
    header: str
    diff: str

    @property
    def paths(self) -> tuple[str, ...]:
        """The files that it changes."""
        return tuple(_PATHS.findall(self.diff))


def read_all(folder: Path = FOLDER) -> tuple[Mutation, ...]:
    """Every patch in the folder, by name; raises ValueError where one has no proper header."""
    return tuple(read(path) for path in sorted(folder.glob("*.patch")))


def read(path: Path) -> Mutation:
    """One patch; raises ValueError where its header does not say what it must."""
    text = path.read_text("utf-8")
    header, begin, diff = text.partition(_BEGIN)
    said: dict[str, list[str]] = {"Rule": [], "Red": []}
    for line in filter(None, header.splitlines()):
        word, colon, rest = line.partition(":")
        if not colon or word not in said:
            raise ValueError(f"{path.name}: `{line}` is neither `Rule: ...` nor `Red: ...`")
        said[word].append(rest.strip())
    red = tuple(test for line in said["Red"] for test in line.split())
    if len(said["Rule"]) != 1 or not _RULE.fullmatch(said["Rule"][0]) or not red or not begin:
        raise ValueError(
            f"{path.name}: a patch begins with `Rule: section 5, ...` and `Red: tests/...::test_...`"
        )
    return Mutation(path.stem, said["Rule"][0], red, header, begin + diff)


def applies(mutation: Mutation, root: Path = ROOT) -> str:
    """What speaks against applying the patch to the files below `root` as they are, "" where nothing does."""
    return apply(mutation, root, "--check")


def apply(mutation: Mutation, root: Path, *options: str) -> str:
    """Apply the patch, strictly; what git says where it does not fit, else ""."""
    done = subprocess.run(
        ["git", "apply", "--whitespace=nowarn", *options, "-"],
        cwd=root,
        input=mutation.diff,
        capture_output=True,
        text=True,
        check=False,
    )
    return "" if done.returncode == 0 else done.stderr.strip() or "git apply failed"


def missing_tests(mutations: Iterable[Mutation], root: Path = ROOT) -> dict[str, tuple[str, ...]]:
    """By patch: the tests that it names and that are not there, where there are any."""
    there: dict[str, frozenset[str]] = {}
    missing: dict[str, tuple[str, ...]] = {}
    for mutation in mutations:
        absent: list[str] = []
        for test in mutation.red:
            file, _, name = test.partition("::")
            if file not in there:
                there[file] = _functions(root / file)
            if name.partition("[")[0] not in there[file]:
                absent.append(test)
        if absent:
            missing[mutation.name] = tuple(absent)
    return missing


def _functions(path: Path) -> frozenset[str]:
    if not path.is_file():
        return frozenset()
    body = ast.parse(path.read_text("utf-8")).body
    return frozenset(node.name for node in body if isinstance(node, ast.FunctionDef))
