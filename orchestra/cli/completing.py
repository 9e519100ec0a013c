"""What a shell completes: names of tasks, agents, builds and branches, for the parameters that are called so.

It promises to be quick (no engine, no import that it does not use), to find nothing where anything is wrong, and to
change nothing but the cache of a manifest where there is a folder for it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem

from orchestra.model.errors import OrchestraError

NEWEST = 20
"""So many builds are named."""

_WIDTH = 60

Found = Iterable[tuple[str, str]]
"""Names, each with what it is in a few words."""


class Place:
    """Where the line that is being typed would work."""

    def __init__(self, context: click.Context) -> None:
        given = [each.params for each in (context.parent, context) if each is not None]
        directory = Path.cwd()
        for params in given:
            directory /= params.get("directory") or "."
        self.directory = directory
        files = [str(params["file"]) for params in given if params.get("file")]
        self.file = (directory / files[-1]).absolute() if files else None

    def git(self, *argv: str) -> str:
        """What git says of the repository there; raises OrchestraError where there is none."""
        from orchestra.vcs.command import GitCommand

        return GitCommand(self.directory.absolute()).run(*argv).text

    @property
    def root(self) -> Path:
        """The root of the checkout."""
        return Path(self.git("rev-parse", "--show-toplevel"))

    @property
    def state(self) -> Path:
        """The folder of history, logs and caches; it need not be there."""
        from orchestra.vcs.repository import STATE_FOLDER

        return Path(self.git("rev-parse", "--path-format=absolute", "--git-common-dir")) / STATE_FOLDER


def tasks(place: Place) -> Found:
    """The tasks, with their titles; where the manifest is wrong, those that prompts make by themselves."""
    from orchestra.manifest.load import load

    root = place.root
    try:
        manifest = load(root, file=place.file, cache_dir=_cache(place))
    except OrchestraError:
        return _prompts(root)
    return ((task.name, task.title if task.prompt else task.run or "") for task in manifest.tasks)


def _prompts(root: Path) -> Found:
    from orchestra.manifest.prompts import Root, discover, name_prompts
    from orchestra.model.tasks import Manifest

    found = discover(Root.of(root), Manifest((), {}).prompts)
    return ((name, prompt.path) for name, prompt in name_prompts(found).by_name.items())


def agents(place: Place) -> Found:
    """The agents of the manifest, then the kinds that need no entry there."""
    from orchestra.agents.registry import ADAPTERS
    from orchestra.manifest.load import load

    written: dict[str, str] = {}
    try:
        manifest = load(place.root, file=place.file, cache_dir=_cache(place))
        for name, agent in manifest.agents.items():
            kind = agent.kind if agent.kind != name else ""
            written[name] = " ".join(filter(None, (kind, agent.model)))
    except OrchestraError:
        pass  # the kinds are there all the same
    # One of kind `command` is nothing without its command.
    return (written | {kind: "" for kind in ADAPTERS if kind not in written and kind != "command"}).items()


def builds(place: Place) -> Found:
    """The newest builds, the newest first, and how they went."""
    from orchestra.history.database import open_for_reading
    from orchestra.history.queries import LAST, read_builds
    from orchestra.model.text import duration

    history = open_for_reading(place.state / "history.db", busy_ms=100)
    if history is None:
        return ()
    with history:
        known = read_builds(history, limit=NEWEST)
    went = {True: "ok", False: "not all went well", None: "cut off, or under way"}
    now = time.time()
    named = [(one.build, f"{duration(now - one.started)} ago, {went[one.ok]}") for one in known]
    return [(LAST, "the newest"), *named] if named else ()


def branches(place: Place) -> Found:
    """The local branches, with the subjects of their heads."""
    lines = place.git("for-each-ref", "--format=%(refname:lstrip=2)%00%(subject)", "refs/heads").split("\n")
    return [(name, subject) for line in lines if line for name, _, subject in [line.partition("\0")]]


class Named(click.ParamType[str]):
    """A text that names one of the things that a source finds."""

    name = "text"

    def __init__(self, source: Callable[[Place], Found], paths: bool = False) -> None:
        """`paths`: what looks like a path may be one."""
        self._source = source
        self._paths = paths

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """The names that begin so, without those that are on the line already; none where anything is wrong."""
        given = ctx.params.get(param.name or "")
        taken = set(given) if isinstance(given, tuple) else set()
        try:
            found = [
                CompletionItem(name, help=_words(what) or None)
                for name, what in self._source(Place(ctx))
                if name.startswith(incomplete) and name not in taken
            ]
        except (OrchestraError, OSError, ValueError):
            found = []
        if not found and self._paths and "/" in incomplete:
            return [CompletionItem(incomplete, type="file")]
        return found


TYPES: dict[str, click.ParamType[Any]] = {
    "targets": Named(tasks, paths=True),
    "task": Named(tasks, paths=True),
    "agent": Named(agents),
    "build": Named(builds),
    "into": Named(branches),
    "directory": click.Path(file_okay=False),
    "file": click.Path(),
}
"""By the name of a parameter of a command, what it takes; all that are called so take the same."""


def teach(command: click.Command) -> None:
    """Let the parameters of a command complete what they take, where their types do not say it themselves."""
    for parameter in command.params:
        if parameter.type is click.STRING and parameter.name in TYPES:
            parameter.type = TYPES[parameter.name]


def _cache(place: Place) -> Path | None:
    """Where manifests are cached, if anything is: a shell that completes makes no folder."""
    folder = place.state / "cache"
    return folder if folder.is_dir() else None


def _words(text: str) -> str:
    from orchestra.model.text import clean

    safe = clean(text)
    return safe if len(safe) <= _WIDTH else safe[: _WIDTH - 1] + "…"
