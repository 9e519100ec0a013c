"""Lines for the log of GitHub Actions: what became of each task as a group that folds away how it went, and an
annotation for each that failed.

Promises: foreign text is no command there. GitHub takes a line that begins with `::` for one, and `##[` anywhere in a
line; in commands, `%` and line ends (in properties also `:` and `,`) are written as it demands:
https://docs.github.com/actions/reference/workflow-commands-for-github-actions
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from datetime import tzinfo

from orchestra.model.errors import Place
from orchestra.model.events import (
    AgentDid,
    AttemptFinished,
    AttemptSlot,
    AttemptStarted,
    BuildFinished,
    Event,
    PhaseStarted,
    TaskAgain,
    TaskFailed,
    TaskLanded,
    TaskRecorded,
    TaskRejected,
    TaskUnchanged,
    VerifyFinished,
    VerifyStarted,
)
from orchestra.model.text import clean
from orchestra.reporting.lines import NORMAL, VERBOSE, PlainLines
from orchestra.reporting.words import log_lines, one_line

KEPT = 200
"""How many of the last lines about a task its group holds."""

TAIL = 10
"""How many of the last lines of a log an annotation shows."""


_ABOUT = (
    *(AttemptStarted, AttemptSlot, PhaseStarted, AgentDid, AttemptFinished),
    *(VerifyStarted, VerifyFinished, TaskAgain),
)
"""What tells how a task went."""


class GitHubLines:
    """A listener that writes lines and commands; `sources` tells where each task is written."""

    def __init__(
        self,
        write: Callable[[str], None],
        sources: Mapping[str, Place],
        *,
        verbosity: int = NORMAL,
        zone: tzinfo | None = None,
    ) -> None:
        """`verbosity` and `zone` are those of `PlainLines`; groups are made at the normal one."""
        self._write = write
        self._sources = sources
        self._groups = verbosity == NORMAL
        self._line: list[str] = []
        self._more: list[str] = []
        self._lines = PlainLines(self._line.append, verbosity=verbosity, zone=zone)
        self._details = PlainLines(self._more.append, verbosity=VERBOSE, zone=zone)
        self._kept: dict[str, deque[str]] = {}

    def notify(self, event: Event) -> None:
        """Write what there is to say about one event."""
        self._lines.notify(event)
        self._details.notify(event)
        line, more = "".join(self._line), "".join(self._more)
        self._line.clear()
        self._more.clear()
        match event:
            case TaskLanded() | TaskUnchanged() | TaskRecorded() | TaskRejected() | TaskFailed():
                self._ended(event, line)
            case BuildFinished():
                self._kept.clear()
            case _:
                if isinstance(event, _ABOUT) and event.task is not None and self._groups:
                    # The header is no line about a task.
                    found = (text for text in more.splitlines() if text.startswith("["))
                    self._kept.setdefault(event.task, deque(maxlen=KEPT)).extend(found)
                self._write(harmless(line))

    def _ended(
        self, event: TaskLanded | TaskUnchanged | TaskRecorded | TaskRejected | TaskFailed, line: str
    ) -> None:
        # A header may stand before the line itself.
        *before, title = line.splitlines() or [""]
        details = [*self._kept.pop(event.task, ())]
        if isinstance(event, TaskLanded):
            details += [f"changed {one_line(path)}" for path in event.paths[:KEPT]]
        elif isinstance(event, TaskRejected | TaskFailed):
            details += [f"| {text}" for text in log_lines(event.tail, KEPT)]
        if self._groups and details and title:
            self._write(harmless("".join(f"{text}\n" for text in before)))
            self._write(f"::group::{_data(title)}\n")
            self._write(harmless("".join(f"  {text}\n" for text in details)))
            self._write("::endgroup::\n")
        else:
            self._write(harmless(line))
        if isinstance(event, TaskRejected | TaskFailed):
            verb = "was rejected" if isinstance(event, TaskRejected) else "failed"
            self._write(
                annotation(
                    f"{event.task} {verb}",
                    "\n".join([event.why, *log_lines(event.tail, TAIL)]),
                    self._sources.get(event.task),
                )
            )


def annotation(title: str, message: str, source: Place | None) -> str:
    """The command that marks an error, at the place where its cause can be mended."""
    properties = [f"title={_property(one_line(title))}"]
    if source is not None:
        properties.insert(0, f"file={_property(clean(source.file))}")
        if source.line > 0:
            properties.insert(1, f"line={source.line}")
    return f"::error {','.join(properties)}::{_data(clean(message, newlines=True))}\n"


def harmless(text: str) -> str:
    """Lines that are no commands, whatever they hold."""
    return "".join(_harmless(line) for line in text.splitlines(keepends=True))


def _harmless(line: str) -> str:
    begin = line.lstrip()
    if begin.startswith("::"):
        line = f"{line[: len(line) - len(begin)]}: {begin[1:]}"
    return line.replace("##[", "# #[")


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A").replace("##[", "# #[")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
