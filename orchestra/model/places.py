"""Where claims lead on a real tree: through symbolic links to the paths that are meant, and into no submodule.

Git knows a file by one path, and a result is judged by such paths. So a claim that is written through a link is
put where the link leads; one that leads out of the repository, round in a circle or into a submodule can mean
nothing, and is an error. Who reads or writes a link itself reads or writes what it leads to, too. A tree without
links and submodules costs one look at its files.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Literal

from orchestra.model.errors import usage_error
from orchestra.model.patterns import MAX_PATTERN, Pattern, compile_pattern
from orchestra.model.protected import names_protected, protected
from orchestra.model.tasks import EVERYTHING, Access, Claims, Inferred, Manifest, Task
from orchestra.model.trees import Tree

LINK = "120000"
SUBMODULE = "160000"

MAX_LINKS = 40
"""How many links may be followed on the way to one path: as many as Linux follows."""


def place_claims(manifest: Manifest, tree: Tree, target_of: Callable[[str], str]) -> Manifest:
    """The manifest with its claims put where they lead on a tree; the same object where nothing changes.

    `target_of` gives the text of a link by its object id. Declared and shared claims are put right or refused:
    raises OrchestraError (usage) where one leads out of the repository, in a circle, into a submodule, or where
    what it writes turns out to be protected. Inferred ones that lead nowhere are left out.
    """
    special = [(path, state) for path, state in tree.files.items() if state.startswith((LINK, SUBMODULE))]
    if not special:
        return manifest
    places = _Places(tree, special, target_of)
    tasks = tuple(_placed(task, places, manifest.allow_protected) for task in manifest.tasks)
    if all(now is before for now, before in zip(tasks, manifest.tasks, strict=True)):
        return manifest
    return replace(manifest, tasks=tasks)


def _placed(task: Task, places: _Places, allowed: tuple[str, ...]) -> Task:
    """The task with its claims where they lead; the same object where they stay as they are."""
    claims = task.claims
    write = None if claims.write is None else _put(task, claims.write, places, allowed, "write")
    shared = _put(task, claims.shared, places, allowed, "write")
    read = _put(task, claims.read, places, allowed, "read")
    if write is not None:
        write = (*write, *places.written(write, (*write, *shared), allowed))
        shared = (*shared, *places.written(shared, (*write, *shared), allowed))
    placed = Claims(
        write=write,
        read=(*read, *places.read(read)),
        unread=tuple(places.put_or_keep(text) for text in claims.unread),
        shared=shared,
        exclusive=claims.exclusive,
        declared=claims.declared,
        inferred=tuple(dict.fromkeys(_inferred(claims.inferred, places, allowed))),
    )
    return task if placed == claims else replace(task, claims=placed)


def _put(
    task: Task, texts: tuple[str, ...], places: _Places, allowed: tuple[str, ...], access: Access
) -> tuple[str, ...]:
    """Declared patterns where they lead; raises OrchestraError for one that leads nowhere."""
    found: list[str] = []
    for text in texts:
        put = places.put(text)
        if isinstance(put, _Astray):
            raise usage_error(
                f"the task `{task.name}` claims `{text}`, {put.why}", place=task.place, hint=put.hint
            )
        if access == "write" and put != text and names_protected(put, allowed):
            raise usage_error(
                f"the task `{task.name}` claims `{text}`, which leads to `{put}`: that is protected",
                place=task.place,
                hint="no task may write there, unless `allow_protected` in orchestra.yaml names it",
            )
        found.append(put)
    return tuple(dict.fromkeys(found))


def _inferred(
    inferred: tuple[Inferred, ...], places: _Places, allowed: tuple[str, ...]
) -> Iterator[Inferred]:
    """Inferred claims where they lead, with what lies behind links; without those that lead nowhere."""
    for found in inferred:
        put = places.put(found.pattern)
        if isinstance(put, _Astray):
            if put.submodule is not None:
                yield replace(found, pattern=put.submodule)
            continue
        yield replace(found, pattern=put)
        more = places.read((put,)) if found.access == "read" else places.written((put,), (put,), allowed)
        yield from (replace(found, pattern=text) for text in more)


@dataclass(frozen=True, slots=True)
class _Led:
    """A path without links on its way, and the links that were followed to it."""

    path: str
    through: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Astray:
    """Why a claim leads to no path of the repository, and what to write instead."""

    why: str
    hint: str
    submodule: str | None = None


@dataclass(frozen=True, slots=True)
class _Goal:
    """What a link leads to, and the further links on the way there. A submodule counts as a folder."""

    path: str
    kind: Literal["file", "folder", "nothing"]
    further: tuple[str, ...] = ()


class _Places:
    """A tree with its links and submodules."""

    def __init__(
        self, tree: Tree, special: Iterable[tuple[str, str]], target_of: Callable[[str], str]
    ) -> None:
        self._tree = tree
        self._target_of = target_of
        modes = {path: state.split(" ") for path, state in special}
        self._links = {path: object_id for path, (mode, object_id) in modes.items() if mode == LINK}
        self._submodules = frozenset(path for path, (mode, _) in modes.items() if mode == SUBMODULE)
        self._targets: dict[str, str] = {}
        self._goals: dict[str, _Goal] = {}

    def put(self, text: str) -> str | _Astray:
        """The pattern where its literal beginning leads."""
        folder, rest = _parts(compile_pattern(text))
        led = self._lead(folder, to_end=rest is not None)
        if isinstance(led, _Astray):
            return led
        if rest is not None and led.path in self._submodules:
            return _inside(led.path)
        if not led.through:
            return text
        put = _literal(led.path) if rest is None else f"{_literal(led.path)}/{rest}".lstrip("/") or EVERYTHING
        if len(put) > MAX_PATTERN:
            return _Astray("which leads to a path that is too long for a pattern", "shorten the path")
        return put

    def put_or_keep(self, text: str) -> str:
        """The pattern where it leads, or as it is where it leads nowhere."""
        put = self.put(text)
        return text if isinstance(put, _Astray) else put

    def read(self, texts: tuple[str, ...]) -> tuple[str, ...]:
        """What lies behind the links that these patterns match, and that they do not match themselves."""

        def behind(pattern: Pattern, link: str) -> tuple[str, ...]:
            goal = self._goal(link)
            # A link to a folder around itself would make of `docs/**` all that lies there: only by its name.
            around = goal.kind == "folder" and (not goal.path or link.startswith(f"{goal.path}/"))
            if goal.kind == "nothing" or (around and not _names(pattern, link)):
                return goal.further
            return (*goal.further, goal.path)

        return self._behind(texts, texts, behind)

    def written(
        self, texts: tuple[str, ...], covered: tuple[str, ...], allowed: tuple[str, ...]
    ) -> tuple[str, ...]:
        """The same for patterns that a task may write; `covered` are all of those."""

        def behind(pattern: Pattern, link: str) -> tuple[str, ...]:
            goal = self._goal(link)
            # A broad pattern opens the files to which it holds links, and no whole folder.
            opened = goal.kind == "file" or (goal.kind == "folder" and _names(pattern, link))
            return (goal.path,) if opened and not protected(goal.path, allowed) else ()

        return self._behind(texts, covered, behind)

    def _behind(
        self,
        texts: tuple[str, ...],
        covered: tuple[str, ...],
        behind: Callable[[Pattern, str], tuple[str, ...]],
    ) -> tuple[str, ...]:
        """Patterns for what lies behind the links, and behind the links there."""
        found: list[str] = []
        known = [compile_pattern(text) for text in covered]
        todo = [compile_pattern(text) for text in texts if text != EVERYTHING]
        while todo:
            pattern = todo.pop(0)
            for link in self._links:
                if not link.startswith(pattern.literal_prefix) or not pattern.matches(link):
                    continue
                for path in behind(pattern, link):
                    text = _literal(path) or EVERYTHING
                    if len(text) <= MAX_PATTERN and not any(_holds(each, path) for each in known):
                        found.append(text)
                        known.append(compile_pattern(text))
                        todo.append(known[-1])
        return tuple(found)

    def _goal(self, link: str) -> _Goal:
        if link not in self._goals:
            self._goals[link] = self._find_goal(link)
        return self._goals[link]

    def _find_goal(self, link: str) -> _Goal:
        led = self._lead(link, to_end=True)
        if isinstance(led, _Astray):
            return _Goal(led.submodule, "folder") if led.submodule is not None else _Goal("", "nothing")
        further = led.through[1:]
        if led.path in self._submodules or not led.path:
            return _Goal(led.path, "folder", further)
        if led.path in self._tree.files:
            return _Goal(led.path, "file", further)
        return _Goal(led.path, "folder" if self._tree.under(f"{led.path}/") else "nothing", further)

    def _lead(self, path: str, *, to_end: bool) -> _Led | _Astray:
        """Walk to a path as the system would; `to_end`: where its last name is a link, that is followed too."""
        done: list[str] = []
        todo = _segments(path)
        through: list[str] = []
        while todo:
            name = todo.pop()
            if name == "..":
                if not done:
                    return _outside(through[-1], self._target(through[-1]))
                done.pop()
                continue
            done.append(name)
            here = "/".join(done)
            if here in self._submodules and todo:
                return _inside(here)
            if here in self._links and (todo or to_end):
                target = self._target(here)
                if target.startswith("/"):
                    return _outside(here, target)
                if len(through) == MAX_LINKS:
                    return _circle(through[0])
                through.append(here)
                done.pop()
                todo += _segments(target)
        return _Led("/".join(done), tuple(through))

    def _target(self, link: str) -> str:
        if link not in self._targets:
            self._targets[link] = self._target_of(self._links[link])
        return self._targets[link]


def _segments(path: str) -> list[str]:
    """The names of a path, the first one last, so that it is the first to be taken off."""
    return [name for name in reversed(path.split("/")) if name not in ("", ".")]


def _parts(pattern: Pattern) -> tuple[str, str | None]:
    """The literal folders of a pattern and what stands behind them; None where it names just that path."""
    if pattern.is_literal:
        return pattern.literal_prefix, "" if pattern.text.endswith("/") else None
    folder, slash, _ = pattern.literal_prefix.rpartition("/")
    return folder, pattern.text[len(folder) + len(slash) :]


def _literal(path: str) -> str:
    """A pattern for one path. What a pattern cannot say stands as `?`, which takes it in."""
    said = "".join("?" if char in "*?[\\" or ord(char) < 32 or ord(char) == 127 else char for char in path)
    return f"?{said[1:]}" if said.startswith("!") else said


def _names(pattern: Pattern, path: str) -> bool:
    """Whether the pattern is that path, written out."""
    return pattern.is_literal and pattern.literal_prefix == path


def _holds(pattern: Pattern, path: str) -> bool:
    """Whether the pattern matches the path with all that may lie below it."""
    return pattern.text == EVERYTHING or (bool(path) and pattern.matches(path))


def _outside(link: str, target: str) -> _Astray:
    return _Astray(
        f"which leads out of the repository: `{link}` is a symbolic link to `{target}`",
        "claim paths of the repository, or let the link lead to one, relative to its own folder",
    )


def _circle(link: str) -> _Astray:
    return _Astray(
        f"which leads nowhere: `{link}` is a symbolic link that leads back to itself, or through too many others",
        "claim the path that is meant, or mend the link",
    )


def _inside(submodule: str) -> _Astray:
    return _Astray(
        f"which lies inside the submodule `{submodule}`",
        f"claim `{submodule}` itself: here a submodule is one path, the commit at which it stands",
        submodule,
    )
