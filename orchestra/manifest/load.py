"""Loads the manifest: `orchestra.yaml` and prompts as on disk, checked as a whole, or one error that says why not.

The null build goes through here, so the usual way imports neither yaml nor jsonschema: manifest and front
matter come from a cache by digest, and only where something is wrong is a text read again for its place.
"""

from __future__ import annotations

import json
import posixpath
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from orchestra.manifest.assemble import Faults, Read, check, chosen_agent, match, read, task_of
from orchestra.manifest.cache import Cache, stamp
from orchestra.manifest.front import FrontMatter, locate_in
from orchestra.manifest.landing import check_branches
from orchestra.manifest.problems import Locate, Problem, show, to_error
from orchestra.manifest.prompts import MAX_TASKS, Root, discover, too_many
from orchestra.manifest.schema import MANIFEST_SCHEMA, schema_text
from orchestra.manifest.shape import Settings, settings_of
from orchestra.manifest.text import MAX_DOCUMENT, read_bytes
from orchestra.model.errors import OrchestraError, Place, usage_error
from orchestra.model.patterns import PatternError, compile_pattern
from orchestra.model.tasks import Manifest

if TYPE_CHECKING:
    # A load from the cache does not import yaml.
    from orchestra.manifest.document import Document

DEFAULT_FILE = "orchestra.yaml"
_CACHE_PREFIX = "manifest-"


@dataclass(frozen=True, slots=True)
class _Source:
    """The manifest's text; `shown` is its path from the root, or as given where it lies elsewhere."""

    data: bytes
    shown: str
    inside: bool


@dataclass(frozen=True, slots=True)
class _Text:
    """What a manifest's text says by itself, and the places of the tasks' entries."""

    settings: Settings
    marks: Mapping[str, tuple[int, int]]


def load(
    root: Path, *, file: Path | None = None, cache_dir: Path | None = None, agent: str | None = None
) -> Manifest:
    """Load the manifest of the repository at `root`.

    `file` is another manifest than `orchestra.yaml` (a relative path counts from the root), `cache_dir` the
    folder in which parsed texts are remembered, `agent` the command line's choice for every task with a
    prompt. Without a manifest every prompt below `prompts/` is a task.

    Raises OrchestraError with what is wrong: the first by position, others beside it.
    """
    root, cache = root.absolute(), Cache(cache_dir)
    source = _read_source(root, file)
    text = _read_text(source, cache) if source else _Text(settings_of({}), {})
    settings = text.settings
    agent = chosen_agent(agent, settings)
    items = _read_prompts(Root.of(root), settings, cache, source)
    if source is None and not items:
        raise usage_error(
            f"there is no `{DEFAULT_FILE}`, and no prompt below `prompts/`",
            hint="write a prompt into prompts/, such as prompts/fix-parser.md, or write a manifest",
        )
    unread = (*_own_pattern(source), *settings.prompts)
    tasks = tuple(
        task_of(item, index, settings, agent=agent, unread=unread, place=_place(item, source, text.marks))
        for index, item in enumerate(items)
    )
    return Manifest(
        tasks=tasks,
        agents=settings.agents,
        source=source.shown if source else None,
        prompts=settings.prompts,
        limits=settings.limits,
        prices=settings.prices,
        worktrees=settings.worktrees,
        integrate=settings.integrate,
        hooks=settings.hooks,
        context=settings.context,
        allow_protected=settings.allow_protected,
        triggers=settings.triggers,
    )


def _read_source(root: Path, file: Path | None) -> _Source | None:
    """The manifest, None where none is named and there is no default one."""
    path = Path(posixpath.normpath(root / (file or DEFAULT_FILE)))
    base = Path(posixpath.normpath(root))
    inside = path.is_relative_to(base)
    shown = path.relative_to(base).as_posix() if inside else str(file)
    # A broken link is a manifest that cannot be read, not a missing one.
    if file is None and not path.exists() and not path.is_symlink():
        other = root / "orchestra.yml"
        if other.exists():
            raise usage_error(
                f"`orchestra.yml` is not read: the manifest is `{DEFAULT_FILE}`", hint="rename it"
            )
        return None
    try:
        return _Source(read_bytes(str(path), show(shown), limit=MAX_DOCUMENT), shown, inside)
    except OrchestraError as error:
        error.hint = error.hint or f"name another manifest with `-f FILE`, or write `{DEFAULT_FILE}`"
        raise


def _read_text(source: _Source, cache: Cache) -> _Text:
    """What the manifest says: from the cache, or parsed, checked and remembered."""
    name = f"{_CACHE_PREFIX}{stamp(source.data)}.json"
    cached = cache.read(name)
    if cached is None:
        # Imported here: a load from the cache needs neither yaml nor jsonschema.
        from orchestra.manifest.check import check_schema
        from orchestra.manifest.document import parse
        from orchestra.manifest.rules import check_manifest, settled

        document = parse(source.data, source.shown)
        _check_count(document)
        problems = check_schema(document, json.loads(schema_text(MANIFEST_SCHEMA)))
        problems = problems or check_manifest(document)
        if problems:
            raise to_error(problems, document.locate)
        data = settled(document)
        places = {key: document.place(("tasks", key), key=True) for key in data.get("tasks", {})}
        marks = {key: (place.line, place.column) for key, place in places.items()}
        cached = {"data": data, "marks": marks}
        cache.write(name, cached)
        cache.prune(_CACHE_PREFIX)
    return _Text(settings_of(cached["data"]), cached["marks"])


def _check_count(document: Document) -> None:
    """Refuse too many entries before each of them is looked at, which would take a while."""
    tasks = document.data.get("tasks") if isinstance(document.data, dict) else None
    if isinstance(tasks, dict) and len(tasks) > MAX_TASKS:
        raise too_many(len(tasks), document.place(("tasks",), key=True))


def _read_prompts(root: Root, settings: Settings, cache: Cache, source: _Source | None) -> tuple[Read, ...]:
    """All tasks with their prompts, in manifest order; raises OrchestraError for all that does not fit."""
    drafts, unmatched = match(settings.entries, discover(root, settings.prompts))
    if len(drafts) > MAX_TASKS:
        raise too_many(len(drafts))
    front_matter = FrontMatter(cache, settings.allow_protected)
    items, unread = read(root, drafts, front_matter)
    faults = [unmatched, unread]
    if not any(faults):
        # While tasks are missing, what others need of them cannot be judged.
        branches = check_branches((item.draft.name for item in items), settings.integrate)
        faults = [check(items, settings), Faults(branches)]
    if any(faults):
        raise _error(faults, items, source)
    front_matter.save()
    return items


def _error(faults: Iterable[Faults], items: Iterable[Read], source: _Source | None) -> Exception:
    texts = {item.draft.path: item.front_matter for item in items}
    known: dict[str | None, Locate] = {}

    def locate(problem: Problem) -> Place:
        """Parse the manifest, or a prompt's front matter, once more: now positions are wanted."""
        file = problem.file
        if file not in known:
            if file is not None:
                known[file] = locate_in(texts[file] or "", file)
            else:
                from orchestra.manifest.document import parse

                assert source is not None, "without a manifest there are no problems in it"
                known[file] = parse(source.data, source.shown).locate
        return known[file](problem)

    problems = [problem for fault in faults for problem in fault.problems]
    return to_error(problems, locate, [error for fault in faults for error in fault.errors])


def _place(item: Read, source: _Source | None, marks: Mapping[str, tuple[int, int]]) -> Place:
    """Where a task is written: its entry in the manifest, or else its prompt."""
    if item.draft.key is None or source is None:
        return Place(item.draft.path or "")
    line, column = marks[item.draft.key]
    return Place(source.shown, line, column)


def _own_pattern(source: _Source | None) -> tuple[str, ...]:
    """The pattern that matches the manifest alone; none where it lies elsewhere."""
    if source is None or not source.inside:
        return ()
    pattern = "".join(f"[{char}]" if char in "*?[" else char for char in source.shown)
    try:
        compile_pattern(pattern)
    except PatternError:
        # A backslash or a control character in the name: then a task that reads everything reads it too.
        return ()
    return (pattern,)
