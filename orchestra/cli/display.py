"""What of a build goes to standard output, and in which form: live, as lines, for GitHub, as JSON, or nothing."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import click

from orchestra.cli.live_terminal import LiveTerminal, is_capable
from orchestra.cli.options import Project, use_color
from orchestra.reporting.output import Output

if TYPE_CHECKING:
    from pathlib import Path

    from orchestra.cli.live import LiveProgress
    from orchestra.model.errors import Place
    from orchestra.model.events import BuildStarted
    from orchestra.model.ports import Listener
    from orchestra.model.tasks import Manifest, Task
    from orchestra.reporting.live_state import Ahead


class Display:
    """What a person (or a program) sees of builds.

    `pulse` is, once `listeners` has been called, what wants to be called now and then while the build waits.
    """

    def __init__(
        self,
        *,
        as_json: bool,
        silent: bool,
        verbosity: int,
        live: Project | None = None,
        github: bool = False,
    ) -> None:
        """`silent`: only the summary; `verbosity` as that of `PlainLines`; `live` is the project whose builds
        are drawn, where the terminal can; None: none are. `github`: lines are read by GitHub Actions, where
        nothing is drawn.
        """
        self.as_json = as_json
        self.silent = silent
        self.verbosity = verbosity
        self.color = use_color(sys.stdout)
        self.pulse: LiveProgress | None = None
        self._output = Output(sys.stdout, self.not_written)
        self._advised = False
        self._terminal: LiveTerminal | None = None
        self._project = live
        self._github = github
        if live is not None and not as_json and not silent and is_capable(sys.stdout):
            self._terminal = LiveTerminal(sys.stdout, self.not_written)

    @contextmanager
    def shown(self, words: str) -> Iterator[None]:
        """Show what is being done, before anything is known of the build, and leave the terminal in order.

        Where nothing is drawn it is a line like the others: a log begins at once, too.
        """
        try:
            if self._terminal is not None:
                self._terminal.open(words)
            elif not (self.as_json or self.silent or self.verbosity < 0):
                self._output.write(f"{words}\n")
            yield
        finally:
            self.close()

    def close(self) -> None:
        """Take away what is drawn, as for a question; a build that begins draws again."""
        if self._terminal is not None:
            self._terminal.close()

    def clear(self) -> None:
        """Take away what is drawn until it is drawn again, for what others write to the terminal."""
        if self._terminal is not None:
            self._terminal.draw(())

    def write(self, text: str) -> None:
        """Write whole lines, above what is drawn."""
        if self._terminal is not None:
            self._terminal.above(text)
        else:
            self._output.write(text)

    def say(self, text: str) -> None:
        """Write text that stays."""
        self.close()
        if self._github:
            from orchestra.reporting.github import harmless

            text = harmless(text)
        self._output.write(text)

    def warn(self, message: str) -> None:
        """Tell what is not to go through the listeners, since they may be what is broken: on standard error."""
        with suppress(OSError):  # nobody is there any more
            click.echo(f"warning: {message}", err=True)

    def holds(self, message: str) -> None:
        """Tell a person what keeps the command from ending though the build has."""
        if self.verbosity >= 0 and not self.as_json:
            with suppress(OSError):  # nobody is there any more
                click.echo(message, err=True)

    def waits(self, message: str) -> None:
        """Tell that the build waits, since another one is at work."""
        click.echo(f"{message}; waiting for its end", err=True)

    def not_written(self, error: OSError) -> None:
        """Tell why standard output cannot be written."""
        self.warn(f"standard output: {error.strerror}")

    def listeners(self, manifest: Manifest) -> tuple[list[Listener], Callable[[], str]]:
        """Who listens to a build on behalf of the person, and what gives the summary at the end."""
        from orchestra.reporting.summary import SummaryCollector
        from orchestra.reporting.words import remedy

        if self.as_json:
            from orchestra.reporting.jsonl import JsonLines

            return [JsonLines(sys.stdout, self.not_written)], lambda: ""
        remedies = {task.name: remedy(task, manifest.source) for task in manifest.tasks}
        # A watch builds again and again: what goes for all of them is said once.
        summary = SummaryCollector(remedies, advises=not self._advised)

        def text() -> str:
            told = summary.text(self.color)
            self._advised = self._advised or summary.advised
            return told

        found: list[Listener] = [summary]
        if not self.silent:
            found.append(self._lines(manifest))
        return found, text

    def _lines(self, manifest: Manifest) -> Listener:
        from orchestra.reporting.lines import PlainLines

        terminal, project = self._terminal, self._project
        if terminal is None and self._github:
            from orchestra.reporting.github import GitHubLines

            sources = {task.name: _source(task) for task in manifest.tasks}
            return GitHubLines(self._output.write, sources, verbosity=self.verbosity)
        if terminal is None or project is None:
            return PlainLines(self._output.write, color=self.color, verbosity=self.verbosity)
        from orchestra.cli.clock import SystemClock
        from orchestra.cli.live import LiveProgress
        from orchestra.execution.machine import LocalMachine
        from orchestra.vcs.slots import slots_folder

        lines = PlainLines(terminal.above, color=self.color, verbosity=self.verbosity, starts=False)
        repository = project.repository
        slots = slots_folder(repository.common_dir, repository.root, manifest.worktrees.dir, os.environ)
        self.pulse = LiveProgress(
            terminal,
            lines,
            color=self.color,
            ahead=lambda started: _ahead(manifest, project.history_path, started),
            machine=LocalMachine(slots, SystemClock()),
        )
        return self.pulse


def _source(task: Task) -> Place:
    """Where what a task is asked can be mended."""
    from orchestra.model.errors import Place

    return Place(task.prompt.path) if task.prompt is not None else task.place


def _ahead(manifest: Manifest, past: Path, started: BuildStarted) -> Ahead:
    """What is known of the tasks of a build beforehand; nothing of the past where it cannot be read."""
    from orchestra.cli.doers import Doers
    from orchestra.history.database import open_for_reading
    from orchestra.history.past import seconds_of
    from orchestra.model.errors import OrchestraError
    from orchestra.model.graph import build_graph
    from orchestra.model.spread import Spread, spread
    from orchestra.planning.board import Board
    from orchestra.reporting.live_state import Ahead

    graph = build_graph(manifest.tasks)
    names = [name for name in started.tasks if name in graph.tasks]
    board = Board(graph, frozenset(names))
    doers = Doers(manifest)
    agents = {name: doers.name(graph.task(name)) for name in names}
    estimates: dict[str, Spread] = {}
    # The history tells at its own time and place that it cannot be read.
    with suppress(OrchestraError):
        history = open_for_reading(past)
        if history is not None:
            with history:
                for name, seconds in seconds_of(history, names).items():
                    if (known := spread(seconds)) is not None:
                        estimates[name] = known
    return Ahead({name: board.before(name) for name in names}, agents, estimates)
