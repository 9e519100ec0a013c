"""Where to look for changes: few folders, chosen narrowly, and which paths in them matter.

Folders are watched without what lies below them, so that a repository with a million files costs no more than one
with ten: the root, the folders of prompts, and those of the git folders in which HEAD and the branch lie.
"""

# ruff: noqa: PTH112, PTH113, PTH114, PTH116, PTH119, PTH120 -- a path here is a text that is compared with what notices say

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from orchestra.model.patterns import Pattern, compile_pattern

Ignored = Callable[[list[str]], frozenset[str]]
"""Of paths of folders, those that git ignores."""


@dataclass(frozen=True, slots=True)
class Sources:
    """From what a build reads what it is to do.

    `root` is the repository's; `manifest` the path of the manifest, `prompts` the patterns of prompts; `git_dir` and
    `common_dir` are git's folders, `refs` the full names of the refs to follow. `checkout` are patterns of files that
    count as they are in the checkout (None: all of them do).
    """

    root: str
    manifest: str
    prompts: tuple[str, ...]
    git_dir: str
    common_dir: str
    refs: tuple[str, ...] = ()
    checkout: tuple[str, ...] | None = ()


@dataclass(frozen=True, slots=True)
class Places:
    """What to watch: existing folders, each with what tells it from another in its place; which paths matter.

    `exact` are paths that always do. `files` are those from which the manifest is read.
    """

    root: str
    folders: tuple[tuple[str, int, int], ...]
    exact: frozenset[str]
    files: tuple[str, ...]
    patterns: tuple[Pattern, ...]
    below: tuple[str, ...]
    tables: tuple[str, ...]

    def matters(self, path: str) -> bool:
        """Whether it may change what a build sees that something happened to this path."""
        if path in self.exact or path.startswith(self.tables):
            return True
        if not path.startswith(f"{self.root}/"):
            return False
        inner = path[len(self.root) + 1 :]
        if inner == ".git" or inner.startswith(".git/"):
            return False
        if any(pattern.matches(inner) for pattern in self.patterns):
            return True
        # A folder that came, went or was renamed, with whatever is in it.
        return path.startswith(self.below) and not os.path.isfile(path) and _plain(os.path.basename(path))

    def stamps(self) -> dict[str, tuple[int, ...]]:
        """What changes when one of the paths that matter does."""
        found = {path: stamp(path) for path in self.exact}
        for folder, _, _ in self.folders:
            found[folder] = stamp(folder)
        for path in self.files:
            found[path] = stamp(path)
        return found


def stamp(path: str) -> tuple[int, ...]:
    """What changes when the file there does; empty where there is none."""
    try:
        found = os.stat(path)
    except (OSError, ValueError):
        return ()
    return (found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_ino, found.st_dev, found.st_mode)


def places(sources: Sources, ignored: Ignored) -> Places:
    """Find what to watch for these sources, as the disk is now."""
    root = sources.root
    patterns = [compile_pattern(text) for text in sources.prompts]
    exact = {
        sources.manifest,
        f"{root}/orchestra.yml",
        f"{sources.git_dir}/HEAD",
        f"{sources.common_dir}/packed-refs",
    }
    folders = [root, os.path.dirname(sources.manifest), sources.git_dir, sources.common_dir]
    for ref in sources.refs:
        exact |= set(_upwards(f"{sources.common_dir}/{ref}", sources.common_dir))
        folders += _upwards(f"{sources.common_dir}/{ref}", sources.common_dir)
    tables = tuple(f"{folder}/reftable/" for folder in {sources.git_dir, sources.common_dir})
    folders += tables
    files: list[str] = []
    below: list[str] = []
    for start in dict.fromkeys(map(_start, patterns)):
        place = f"{root}/{start}" if start else root
        below.append(f"{place}/")
        # Where it is missing, its return is seen in the folder above.
        exact |= {path for path in _upwards(place, root) if path != root}
        folders += _upwards(place, root)
        for folder, names in _walk(root, start, ignored):
            folders.append(folder)
            inner = folder[len(root) + 1 :]
            for name in names:
                path = f"{inner}/{name}" if inner else name
                if any(pattern.matches(path) for pattern in patterns):
                    files.append(f"{root}/{path}")
    # What links lead to lies elsewhere, and is written there.
    for path in (sources.manifest, *files):
        if os.path.islink(path):
            real = os.path.realpath(path)
            exact.add(real)
            folders.append(os.path.dirname(real))
    if sources.checkout is None or sources.checkout:
        patterns += [compile_pattern(text) for text in sources.checkout or ("**",)]
        below.append(f"{root}/")
        for folder, _ in _walk(root, "", ignored, hidden=True):
            folders.append(folder)
    return Places(
        root,
        _identified(folders),
        frozenset(exact),
        (sources.manifest, *files),
        tuple(patterns),
        tuple(dict.fromkeys(below)),
        tables,
    )


def waiting_for(directory: str) -> Places:
    """What to watch until a folder is there again that is gone: the nearest one above it."""
    above = directory
    while not os.path.isdir(above):
        above = os.path.dirname(above)
    return Places(directory, _identified([above]), frozenset(_upwards(directory, above)), (), (), (), ())


def _identified(folders: Iterable[str]) -> tuple[tuple[str, int, int], ...]:
    found: dict[str, tuple[str, int, int]] = {}
    for folder in folders:
        folder = folder.rstrip("/") or "/"
        if folder in found:
            continue
        try:
            known = os.stat(folder)
        except OSError:
            continue
        if os.path.isdir(folder):
            found[folder] = (folder, known.st_dev, known.st_ino)
    return tuple(sorted(found.values()))


def _upwards(path: str, top: str) -> list[str]:
    """A path and those above it, as far as `top`, which comes last."""
    found = [path]
    while found[-1] != top and found[-1].startswith(f"{top.rstrip('/')}/"):
        found.append(os.path.dirname(found[-1]))
    return found


def _start(pattern: Pattern) -> str:
    """The folder from which a pattern's files are looked for; empty: the root."""
    return pattern.literal_prefix.rpartition("/")[0] if not pattern.is_literal else pattern.literal_prefix


def _plain(name: str) -> bool:
    return not name.startswith((".", "_"))


def _walk(
    root: str, start: str, ignored: Ignored, *, hidden: bool = False
) -> Iterator[tuple[str, list[str]]]:
    """The folders below one, itself included, each with the names of its files.

    Left out: repositories of their own, links, hidden folders unless they are wanted, and what git ignores, unless the
    start was named.
    """
    level = [f"{root}/{start}" if start else root]
    while level:
        after: list[str] = []
        for folder in level:
            try:
                with os.scandir(folder) as entries:
                    content = list(entries)
            except OSError:
                continue
            if folder != level[0] and any(entry.name == ".git" for entry in content):
                continue
            names: list[str] = []
            for entry in content:
                if entry.name == ".git" or (not hidden and not _plain(entry.name)):
                    continue
                if entry.is_dir(follow_symlinks=False):
                    after.append(entry.path)
                else:
                    names.append(entry.name)
            yield folder, names
        if after and not start:
            left_out = ignored(after)
            after = [path for path in after if path not in left_out]
        level = after
