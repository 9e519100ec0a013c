"""Where in the tree a path that someone wrote leads: to a file, a folder, a pattern, or a file yet to be made.

The names of a tree are grouped once; each text is resolved once. What leads nowhere, or to more than one place,
gives nothing: a wrong claim costs more than a missing one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from orchestra.model.patterns import PatternError, compile_pattern

MAX_LENGTH = 200
"""The longest text that is taken for a path, in characters."""

MAX_BRACES = 16
"""The most paths that `{a,b}` may stand for."""

HIDDEN = (".git", ".orchestra")
"""Folders at the root whose content is no task's affair."""

EXTENSIONS = frozenset((
    "adoc", "astro", "bat", "c", "cc", "cfg", "cjs", "clj", "cmake", "conf", "cpp", "cs", "css", "csv",
    "cts", "cxx", "dart", "ex", "exs", "fs", "fsx", "go", "gql", "gradle", "graphql", "h", "hbs", "hpp",
    "hs", "htm", "html", "ini", "ipynb", "java", "jl", "js", "json", "jsonc", "jsonl", "jsx", "kt", "kts",
    "less", "lua", "md", "mdc", "mdx", "mjs", "ml", "mts", "nix", "php", "pl", "po", "proto", "ps1", "py",
    "pyi", "pyx", "r", "rb", "rs", "rst", "sass", "scala", "scss", "sh", "sql", "svelte", "svg", "swift",
    "tex", "tf", "toml", "ts", "tsx", "txt", "vue", "xml", "yaml", "yml", "zig",
))  # fmt: skip
"""Extensions by which a file that does not exist yet is told from other words with a dot."""


class How(StrEnum):
    """How a text led to its pattern."""

    FILE = "file"
    FOLDER = "folder"
    PATTERN = "pattern"
    ONLY_NAME = "only name"
    ONLY_END = "only end"
    NEW = "new"
    NEW_IF_MADE = "new if made"


@dataclass(frozen=True, slots=True)
class Place:
    """A pattern and how a text led there; `path` is the existing file that it names, None where it names no such."""

    pattern: str
    how: How
    path: str | None = None


class Places:
    """The files and folders of a tree, by what people call them."""

    def __init__(self, files: Iterable[str]) -> None:
        self._files: set[str] = set()
        self._folders: set[str] = set()
        self._files_named: dict[str, list[str]] = {}
        self._folders_named: dict[str, list[str]] = {}
        self._known: dict[str, tuple[Place, ...]] = {}
        for path in files:
            folder, _, name = path.rpartition("/")
            if path.split("/", 1)[0] in HIDDEN:
                continue
            self._files.add(path)
            self._files_named.setdefault(name, []).append(path)
            while folder and folder not in self._folders:
                self._folders.add(folder)
                parent, _, last = folder.rpartition("/")
                self._folders_named.setdefault(last, []).append(folder)
                folder = parent
        self.plain_names = frozenset(name for name in self._files_named if "." not in name)
        """Names of files without a dot, such as Makefile."""

    def resolve(self, text: str) -> tuple[Place, ...]:
        """Where a text leads; several places only where it holds braces."""
        found = self._known.get(text)
        if found is None:
            found = self._known[text] = self._resolve(text)
        return found

    def only(self, name: str) -> str | None:
        """The path of the only file of that name."""
        paths = self._files_named.get(name, ())
        return paths[0] if len(paths) == 1 else None

    def _resolve(self, text: str) -> tuple[Place, ...]:
        if not 1 < len(text) <= MAX_LENGTH:
            return ()
        place = self._existing(text)
        if place is None and text.startswith("@"):
            # How agents are told to look into a file.
            place = self._existing(text[1:])
        if place is not None:
            return (place,)
        path = _LOCATION.sub("", text).removeprefix("./").removeprefix("@")
        if "{" in path:
            return tuple(place for each in _braces(path) for place in self._resolve(each))
        if path != text:
            place = self._existing(path)
        place = place or self._imagined(path)
        return (place,) if place else ()

    def _existing(self, path: str) -> Place | None:
        if path in self._files:
            pattern = literal(path)
            return Place(pattern, How.FILE, path) if pattern else None
        inside = path.endswith("/")
        folder = path[:-1] if inside else path
        if folder in self._folders:
            # One word alone is more often a command or a name than a folder.
            return _folder(folder, How.FOLDER) if "/" in path else None
        if not inside:
            return self._by_end(path)
        named = self._folders_with_end(folder)
        return _folder(named, How.ONLY_END) if named else None

    def _by_end(self, path: str) -> Place | None:
        paths = self._files_named.get(path.rpartition("/")[2], [])
        how = How.ONLY_NAME
        if "/" in path:
            paths = [each for each in paths if each.endswith("/" + path)]
            how = How.ONLY_END
        pattern = literal(paths[0]) if len(paths) == 1 else None
        return Place(pattern, how, paths[0]) if pattern else None

    def _folders_with_end(self, end: str) -> str | None:
        named = self._folders_named.get(end.rpartition("/")[2], ())
        ends = [each for each in named if each.endswith("/" + end)]
        return ends[0] if len(ends) == 1 else None

    def _imagined(self, path: str) -> Place | None:
        """A pattern, or what does not exist yet."""
        if not _PLAUSIBLE.fullmatch(path) or path.split("/", 1)[0] in HIDDEN:
            return None
        folder, _, name = path.rpartition("/")
        if "*" in path:
            return self._pattern(path)
        if not name:
            above = folder.rpartition("/")[0]
            how = How.NEW if above in self._folders else How.NEW_IF_MADE
            return _folder(folder, how) if "/" in folder and not _DOMAIN.match(path) else None
        stem, _, extension = name.rpartition(".")
        if not stem or not stem.strip(".") or not extension[:1].isalpha():
            return None
        if folder in self._folders:
            return Place(path, How.NEW)
        if extension.lower() not in EXTENSIONS or _DOMAIN.match(path):
            return None
        within = self._folders_with_end(folder) if folder else None
        if within is None:
            return Place(path, How.NEW_IF_MADE)
        pattern = literal(f"{within}/{name}")
        return Place(pattern, How.NEW) if pattern else None

    def _pattern(self, path: str) -> Place | None:
        start = path[: path.index("*")].rpartition("/")[0]
        if start not in self._folders:
            return None
        try:
            compile_pattern(path)
        except PatternError:
            return None
        return Place(path, How.PATTERN)


def literal(path: str) -> str | None:
    """The pattern that matches that path; None where none can."""
    if _NAMELESS.search(path):
        return None
    pattern = _WILDCARD.sub(r"[\g<0>]", path)
    if pattern != path or len(path) > MAX_LENGTH:
        try:
            compile_pattern(pattern)
        except PatternError:
            return None
    return pattern


def is_test(path: str) -> bool:
    """Whether a path is, by its name or folders, one of tests."""
    return _TEST.search(path) is not None


def conventional_tests(path: str) -> tuple[str, ...]:
    """The names that tests of a file commonly bear."""
    stem, dot, extension = path.rpartition("/")[2].rpartition(".")
    endings = ("_test", ".test", ".spec", "_spec", "Test", "Tests")
    return (
        (f"test_{stem}.{extension}", *(f"{stem}{end}.{extension}" for end in endings)) if dot and stem else ()
    )


def _folder(path: str, how: How) -> Place | None:
    pattern = literal(path)
    return Place(f"{pattern}/**", how) if pattern else None


def _braces(text: str) -> tuple[str, ...]:
    """The texts that `{a,b}` stands for; none where the braces are something else."""
    texts = [""]
    at = 0
    for match in _BRACES.finditer(text):
        before = text[at : match.start()]
        texts = [each + before + choice for each in texts for choice in match[1].split(",")]
        at = match.end()
        if len(texts) > MAX_BRACES:
            return ()
    rest = text[at:]
    return () if "{" in rest or "}" in rest or not at else tuple(each + rest for each in texts)


_LOCATION = re.compile(r"[:#].*\Z", re.DOTALL)
"""What names a place within a file: `a.py:12`, `a.py#L3`, `test_a.py::test_b`."""

_TEST = re.compile(r"(?:\A|/)(?:tests?|specs?|__tests__)/|(?:\A|/)test_|[_.](?:test|spec)s?\.|Tests?\.")
_BRACES = re.compile(r"\{([^{}]*,[^{}]*)\}")
_WILDCARD = re.compile(r"[*?\[]")
_NAMELESS = re.compile(r"[\x00-\x1f\x7f\\]|\A!|\A\s*\Z|(?:\A|/)\.{0,2}(?:/|\Z)")
"""What no pattern can name: control characters, backslashes, `!` in front, and names that are none."""

_PLAUSIBLE = re.compile(r"(?!\.{0,2}/)(?!.*(?:/|\A)\.{1,2}(?:/|\Z))(?!.*//)[\w.@+*/-]+")
_DOMAIN = re.compile(r"[\w-]+\.[\w.-]+/")
