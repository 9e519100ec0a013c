"""What the commands share: settings, the options that several take, and the project that they work on."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Container, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import click

from orchestra.model.errors import usage_error

if TYPE_CHECKING:
    # What a shell completes comes from the commands, which are imported for that: they cost next to nothing.
    from orchestra.integration.reconcile import TakenUp
    from orchestra.model.freshness import Situation
    from orchestra.model.graph import Graph
    from orchestra.model.tasks import Manifest
    from orchestra.vcs.repository import Head, Repository


@dataclass(frozen=True, slots=True)
class Settings:
    """What was said before the command: where to work, which manifest."""

    directory: str = "."
    file: str | None = None
    debug: bool = False


def amount(context: click.Context, parameter: click.Parameter, value: str | None) -> float | None:
    """An amount of USD from an option, a number from 0; None where the option was not given."""
    if value is None:
        return None
    try:
        usd = float(value)
    except ValueError:
        usd = math.nan
    if math.isfinite(usd) and usd >= 0:
        return usd
    raise click.BadParameter("an amount in USD, such as 5 or 2.50", context, parameter)


def common_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """The options of `orchestra` itself that may also stand behind a command."""
    function = click.option("-C", "directory", metavar="DIR", help="Work as if called in DIR.")(function)
    function = click.option("-f", "--file", "file", metavar="FILE", help="The manifest.")(function)
    return click.option("--debug", is_flag=True, help="Show a traceback with an error.")(function)


def use_color(stream: TextIO) -> bool:
    """Whether colours are wanted there: on a terminal, unless NO_COLOR is set or it is a dumb one."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


class Project:
    """The repository, its manifest and its graph: read once, when first asked for."""

    def __init__(
        self,
        settings: Settings,
        *,
        directory: str | None,
        file: str | None,
        agent: str | None = None,
        into: str | None = None,
        advance: bool = True,
        include_dirty: bool = False,
        written: Manifest | None = None,
    ) -> None:
        """`agent`, `into`, `advance` and `include_dirty` are as the options of `orchestra build`; `written` is the
        manifest where it has been read already.
        """
        self._directory = Path(settings.directory) / (directory or ".")
        self._file = file or settings.file
        self._agent = agent
        self._into = into
        self._advance = advance
        self.include_dirty = include_dirty
        self._given = written

    def file_at(self, path: str | None) -> Path | None:
        """A file named on the command line; None where none was."""
        return None if path is None else (self._directory / path).absolute()

    @cached_property
    def repository(self) -> Repository:
        """The repository that holds the directory."""
        from orchestra.vcs.repository import Repository

        return Repository.open(self._directory.absolute())

    @cached_property
    def written(self) -> Manifest:
        """The manifest and the prompts, as they are on disk now."""
        if self._given is not None:
            return self._given
        from orchestra.manifest.load import load

        file = None if self._file is None else (self._directory / self._file).absolute()
        cache = self.repository.state_folder / "cache"
        return load(self.repository.root, file=file, cache_dir=cache, agent=self._agent)

    @cached_property
    def target(self) -> Head:
        """What a build is for: the branch that is named, else what is checked out."""
        # Before anything is asked of git: a manifest that is wrong is told at once.
        into = self.written.integrate.into if self._into is None else self._into
        return self._head(into)

    @cached_property
    def begin(self) -> TakenUp:
        """Where a build begins: the branch's head, or the tip that an earlier build left on the way to it."""
        from orchestra.integration.branch import FOLLOWED
        from orchestra.integration.reconcile import take_up

        repository = self.repository
        head = self.target
        commit = head.commit
        if self.include_dirty:
            from orchestra.vcs.snapshot import snapshot

            commit = snapshot(repository, commit)
        return take_up(
            repository,
            repository.refs_below(*FOLLOWED),
            head.branch,
            commit,
            advance=self._advance and not self.include_dirty,
            snapshot=self.include_dirty,
        )

    @cached_property
    def manifest(self) -> Manifest:
        """The manifest with claims as they are to be understood on the tree where a build begins."""
        from orchestra.analysis.infer import infer
        from orchestra.model.places import place_claims

        repository = self.repository
        tree = repository.tree(self.begin.tip)

        def target_of(link: str) -> str:
            return repository.read([link])[0].decode("utf-8", "surrogateescape")

        return place_claims(infer(self.written, tree), tree, target_of)

    @cached_property
    def graph(self) -> Graph:
        """The graph of all tasks."""
        from orchestra.model.graph import build_graph

        return build_graph(self.manifest.tasks)

    @property
    def lock_path(self) -> Path:
        """The file whose lock the build that is at work holds."""
        return self.repository.state_folder / "building.json"

    @property
    def history_path(self) -> Path:
        """Where the history lies."""
        return self.repository.state_folder / "history.db"

    def _head(self, name: str | None) -> Head:
        """What a build is for: the branch of that name, else what is checked out."""
        from orchestra.manifest.problems import show
        from orchestra.vcs.repository import Head

        if name is None:
            return self.repository.head()
        branch = f"refs/heads/{name.removeprefix('refs/heads/')}"
        commit = self.repository.resolve(branch) if _plain(name) else None
        if commit is None:
            hint = f"make it first: git branch {show(name)}" if _plain(name) else "give the name of a branch"
            raise usage_error(f"there is no branch `{show(name)}`", hint=hint)
        return Head(commit, branch)

    def selected(self, targets: tuple[str, ...]) -> frozenset[str]:
        """The tasks that were named, by name or by the path of their prompt, with all that they need.

        All tasks where none was named. Raises OrchestraError for a name that is no task's.
        """
        if not targets:
            return frozenset(self.graph.tasks)
        return self.graph.with_needs(self.named(targets))

    def named(self, targets: tuple[str, ...]) -> tuple[str, ...]:
        """The tasks that were named."""
        return tuple(self._task_named(target) for target in targets)

    def _task_named(self, target: str) -> str:
        if target in self.graph.tasks:
            return target
        here = os.path.normpath(self._directory.absolute() / target)
        for task in self.manifest.tasks:
            if task.prompt is not None and here == os.path.normpath(self.repository.root / task.prompt.path):
                return task.name
            if task.prompt is not None and os.path.normpath(target) == task.prompt.path:
                return task.name
        from difflib import get_close_matches

        from orchestra.manifest.problems import show

        close = get_close_matches(target, self.graph.tasks, n=1)
        hint = f"did you mean `{close[0]}`?" if close else "orchestra status lists the tasks"
        raise usage_error(f"there is no task `{show(target)}`", hint=hint)

    def situation(self) -> Situation:
        """What freshness depends on, at the commit with which a build would begin."""
        from orchestra.integration.line import Line
        from orchestra.integration.refs import check_ref
        from orchestra.model.freshness import Situation

        line = Line(self.repository, self.begin.tip, observes=self.manifest.observes)

        def passed(key: str) -> bool:
            return self.repository.resolve(check_ref(key)) is not None

        return Situation(self.manifest, self.graph, line.tree, line.entries, passed, line.undone)

    def last_finals(self, names: Iterable[str]) -> Mapping[str, tuple[str, str]]:
        """By task, how it ended when it was last tried and why, as far as the history knows."""
        from orchestra.history.database import open_for_reading
        from orchestra.history.queries import last_attempt

        history = open_for_reading(self.history_path)
        if history is None:
            return {}
        found: dict[str, tuple[str, str]] = {}
        with history:
            for name in names:
                attempt = last_attempt(history, name)
                if attempt is not None and attempt.endings:
                    found[name] = (attempt.endings[-1].kind, attempt.endings[-1].why or "")
        return found

    def resolved_by_hand(self, names: Container[str]) -> tuple[str, ...]:
        """What is said of those of the tasks whose results a person has open, to mend them."""
        if next((self.repository.common_dir / "worktrees").glob("*/orchestra-resolve"), None) is None:
            # As always, nearly: nothing is imported for it.
            return ()
        from orchestra.reporting.resolve import open_words
        from orchestra.vcs.resolving import find_open

        found = find_open(self.repository.common_dir)
        return tuple(open_words(task, str(one.slot.path)) for task, one in found.items() if task in names)

    def last_reads(self, task: str) -> tuple[str, ...]:
        """The files that the last attempt of a task was seen to read, as far as the history knows."""
        from orchestra.history.database import open_for_reading
        from orchestra.history.queries import last_attempt

        history = open_for_reading(self.history_path)
        if history is None:
            return ()
        with history:
            attempt = last_attempt(history, task)
        return attempt.reads if attempt is not None else ()


def _plain(name: str) -> bool:
    """Whether a name can be a branch and is no revision expression or option."""
    return bool(name) and not name.startswith("-") and not any(c in name for c in ":^~?*[\\ @{")
