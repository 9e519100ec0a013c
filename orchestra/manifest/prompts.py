"""Prompt files: found by patterns, named, and read into text, title and front matter.

Only regular files inside the repository are ever read, also through symbolic links.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from orchestra.manifest.problems import show
from orchestra.manifest.text import decode, read_bytes
from orchestra.manifest.values import name_fold, task_name
from orchestra.model.errors import Place, environment_error, usage_error
from orchestra.model.patterns import Pattern, compile_pattern
from orchestra.model.tasks import Prompt

MAX_BYTES = 1024**2
MAX_TASKS = 20_000
MAX_TITLE = 72

_HEADING = re.compile(r" {0,3}#{1,6}(?:[ \t]+(.*?))?(?:[ \t]+#+)?[ \t]*")
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})(.*)")
_RULE = re.compile(r"^---[ \t]*$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Found:
    """A prompt file that a pattern found; `folder` is the literal beginning of that pattern."""

    path: str
    folder: str

    @property
    def names(self) -> tuple[str, str, str]:
        """Names for its task: the stem; the path without suffix from the prompts' folder; from the root."""
        # Without paths as objects, which intern each part anew: a watch asks for this again and again.
        place, slash, name = self.path.rpartition("/")
        dot = name.rfind(".")
        stem = name[:dot] if 0 < dot < len(name) - 1 else name
        whole = place + slash + stem
        start = len(self.folder) + 1 if self.folder else 0
        return _as_name(stem), _as_name(whole[start:]), _as_name(whole)


@dataclass(frozen=True, slots=True)
class PromptFile:
    """A prompt with the YAML text of its front matter, which begins at line 2; None: it has none."""

    prompt: Prompt
    front_matter: str | None


def discover(root: Root, patterns: Iterable[str]) -> tuple[Found, ...]:
    """The prompt files under the root that the patterns match, by path.

    README.md, names that begin with `_` or `.` (of folders below the pattern's literal beginning too), nested
    repositories and folders behind symbolic links are left out. Raises OrchestraError where a folder cannot
    be read or lies outside the repository.
    """
    found: dict[str, Found] = {}
    walked: dict[str, tuple[str, ...]] = {}
    for pattern in map(compile_pattern, patterns):
        folder = _folder(root, pattern)
        if folder not in walked:
            walked[folder] = tuple(_walk(root, folder))
        for path in walked[folder]:
            if path not in found and pattern.matches(path):
                found[path] = Found(path, folder)
    return tuple(found[path] for path in sorted(found))


def too_many(count: int, entries: Place | None = None) -> Exception:
    """The error for more tasks than are accepted; `entries` is where they stand, if the manifest alone has them."""
    return usage_error(
        f"{count:,} tasks, at most {MAX_TASKS:,} are accepted",
        place=entries,
        hint="do the patterns of `prompts` match more than prompts?"
        if entries is None
        else "let one task do what many of these do, or keep them in several repositories",
    )


@dataclass(frozen=True, slots=True)
class Names:
    """Prompts by the names of their tasks, by path; `twins` are pairs that no name tells apart."""

    by_name: Mapping[str, Found]
    twins: tuple[tuple[Found, Found], ...]


def name_prompts(found: Iterable[Found]) -> Names:
    """Name tasks by their prompts' stems; equal stems by their path from the prompts' folder.

    Where that is equal too, by their path from the root.
    """
    names: dict[str, Found] = {}
    used: set[str] = set()
    rest = list(found)
    for choice in range(3):
        groups: dict[str, list[Found]] = {}
        for item in rest:
            groups.setdefault(name_fold(item.names[choice]), []).append(item)
        alone = {fold: group[0] for fold, group in groups.items() if len(group) == 1 and fold not in used}
        names |= {item.names[choice]: item for item in alone.values()}
        used |= alone.keys()
        rest = [item for fold, group in groups.items() if fold not in alone for item in group]
    first: dict[str, Found] = {name_fold(name): item for name, item in names.items()}
    twins = [
        (item, other) for item in rest if (other := first.setdefault(name_fold(item.names[-1]), item)) != item
    ]
    return Names(dict(sorted(names.items(), key=lambda pair: pair[1].path)), tuple(twins))


@dataclass(frozen=True, slots=True)
class Root:
    """The root of the repository, as given and with all symbolic links followed."""

    path: str
    real: str
    _folders: dict[str, bool] = field(default_factory=dict, compare=False, repr=False)

    @classmethod
    def of(cls, path: Path) -> Root:
        """That folder as root."""
        return cls(str(path), os.path.realpath(path))

    def join(self, path: str) -> str:
        """The place on disk of a path of the repository."""
        return f"{self.path}/{path}"

    def holds(self, path: str) -> bool:
        """Whether a path leads, through whatever symbolic links, to something inside the repository."""
        real = os.path.realpath(self.join(path))
        return real == self.real or real.startswith(self.real.rstrip("/") + "/")

    def holds_folder(self, path: str) -> bool:
        """The same for a folder, asked once."""
        known = self._folders.get(path)
        if known is None:
            known = self._folders[path] = self.holds(path)
        return known


def read_prompt(root: Root, path: str, name: str) -> PromptFile:
    """Read the prompt of the task of that name, which is its title where the text holds none.

    Raises OrchestraError: without a place where there is no such file in the repository, with a place in the
    prompt where its content cannot be accepted.
    """
    place = root.join(path)
    # Where the file itself turns out to be no link, its folder says where it lies.
    data = None
    if root.holds_folder(path.rpartition("/")[0]):
        data = read_bytes(place, show(path), limit=MAX_BYTES, follow=False)
    if data is None and root.holds(path):
        data = read_bytes(place, show(path), limit=MAX_BYTES)
    if data is None:
        raise usage_error(
            f"the prompt `{show(path)}` lies outside the repository",
            hint="copy it into the repository: worktrees hold nothing else",
        )
    text = decode(data, path)
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    whole = text
    front_matter, text = split(whole)
    first_line = whole.count("\n", 0, len(whole) - len(text)) + 1
    text = "\n".join(map(str.rstrip, text.split("\n"))).rstrip("\n") + "\n"
    if text == "\n":
        raise usage_error("the prompt is empty", place=Place(path), hint="write what the agent shall do")
    return PromptFile(Prompt(path, text, title_of(text, name), first_line), front_matter)


def split(text: str) -> tuple[str | None, str]:
    """The front matter between two lines `---` at the top of a text (None: there is none), and the rest."""
    first = _RULE.match(text)
    last = _RULE.search(text, first.end()) if first else None
    if first is None or last is None:
        return None, text
    return text[first.end() : last.start()].removeprefix("\n"), text[last.end() :].lstrip("\n")


def title_of(text: str, fallback: str) -> str:
    """The first heading of a Markdown text, else its first line, else the fallback: one line of 72 characters.

    What stands in fenced blocks is code: a `#` there is no heading.
    """
    first = ""
    for line in _outside_fences(text):
        heading = _HEADING.fullmatch(line)
        if heading:
            title = _one_line(heading[1] or "")
            if title:
                return title
        elif not first:
            first = _one_line(line)
    return first or _one_line(fallback)


def _outside_fences(text: str) -> Iterator[str]:
    fence = ""
    for line in text.split("\n"):
        match = _FENCE.fullmatch(line)
        if fence:
            # A fence is closed by at least as many of the same character, with nothing behind them.
            if match and match[1].startswith(fence) and not match[2].strip():
                fence = ""
        elif match:
            fence = match[1]
        else:
            yield line


def _one_line(text: str) -> str:
    """Without control and other invisible characters, cut at a word."""
    words = "".join(c if c.isprintable() else " " if c.isspace() else "" for c in text).split()
    title = " ".join(words)
    if len(title) <= MAX_TITLE:
        return title
    cut = title[:MAX_TITLE]
    # Where there is no space, -1 makes room for the dots.
    return cut[: cut.rfind(" ")] + "…"


def _as_name(text: str) -> str:
    return task_name("-".join(text.split(" ")))


def _folder(root: Root, pattern: Pattern) -> str:
    """The folder that a pattern's literal beginning names, without a slash at the end; empty: the root."""
    prefix = pattern.literal_prefix
    if pattern.is_literal and Path(root.join(prefix)).is_dir():
        return prefix
    return prefix.rpartition("/")[0]


def _walk(root: Root, folder: str) -> Iterator[str]:
    """The paths of all files below a folder that can be prompts."""
    if not root.holds(folder):
        raise usage_error(
            f"the folder `{show(folder)}` lies outside the repository",
            hint="copy the prompts into the repository",
        )
    todo = [folder]
    while todo:
        here = todo.pop()
        try:
            with os.scandir(root.join(here)) as entries:
                content = list(entries)
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:
            raise environment_error(
                f"the folder `{show(here or '.')}` cannot be read: {error.strerror}"
            ) from error
        if here != folder and any(entry.name == ".git" for entry in content):
            # A repository or worktree of its own: its files are none of ours.
            continue
        for entry in content:
            if entry.name.startswith((".", "_")):
                continue
            path = f"{here}/{entry.name}" if here else entry.name
            if entry.is_dir(follow_symlinks=False):
                todo.append(path)
            elif entry.name.casefold() != "readme.md" and not _links_to_folder(entry):
                yield path


def _links_to_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_symlink() and entry.is_dir()
    except OSError:
        # Links in a circle, for example: reading it will say what is wrong.
        return False
