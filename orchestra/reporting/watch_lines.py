"""What a watch tells between its builds, as lines for a terminal or a pipe, with the time of day."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, tzinfo

from orchestra.model.errors import OrchestraError, Place
from orchestra.model.events import Event
from orchestra.model.text import money
from orchestra.model.watch_events import (
    ChangeSeen,
    Trouble,
    WatchStarted,
    WatchStopped,
    WatchTrouble,
    WatchWaiting,
)
from orchestra.reporting.errors import render_error
from orchestra.reporting.words import Style, branch_words, count, listing, one_line, paint, short

KEYS = "b build now, p pause or go on, s show how things stand, q quit, h help"

_EFFECTS = {
    "build": "",
    "queued": "built after this build",
    "restart": "the build starts anew",
    "ignored": "came during the build: ignored (--on-busy)",
    "held": "built when you press p",
}


class WatchLines:
    """A listener; `write` takes one line, or several, with their newline. `keys`: whether the person can press some.

    `verbosity` is that of PlainLines.
    """

    def __init__(
        self,
        write: Callable[[str], None],
        *,
        color: bool = False,
        verbosity: int = 0,
        keys: bool = False,
        zone: tzinfo | None = None,
    ) -> None:
        self._write = write
        self._color = color
        self._verbosity = verbosity
        self._keys = "  (h: keys, q: quit)" if keys else ""
        self._zone = zone

    def notify(self, event: Event) -> None:
        """Write what there is to say about one event; those of builds are not for this one."""
        match event:
            case WatchStarted():
                how = ", by polling" if event.polling else ""
                self._say(0, event, "watching", Style.DIM, f"{one_line(event.root)}{how}{self._keys}")
            case ChangeSeen():
                self._say(0, event, "change", Style.NONE, change_words(event))
                if event.again:
                    what = f"{listing(event.again)}: changed after its attempt began, so it is stale again"
                    self._say(-1, event, "stale", Style.WARN, what)
            case WatchTrouble():
                self._trouble(event)
            case WatchWaiting():
                self._waiting(event)
            case WatchStopped():
                cost = f", {money(event.usd)}" if event.usd is not None else ""
                self._say(0, event, "ended", Style.DIM, f"{count(event.builds, 'build')}{cost}")
            case _:
                pass  # of a build

    def _trouble(self, event: WatchTrouble) -> None:
        self._write(render_error(error_of(event.errors), self._color) + "\n")
        if event.last_good:
            words = "builds go on with manifest and prompts as they could last be read"
            self._say(-1, event, "note", Style.WARN, words)

    def _waiting(self, event: WatchWaiting) -> None:
        if event.why == "changes":
            self._say(0, event, "waiting", Style.DIM, one_line(event.message) or "for changes")
        else:
            self._say(-1, event, "waiting", Style.WARN, one_line(event.message, 400))

    def _say(self, level: int, event: Event, verb: str, style: Style, words: str) -> None:
        if level > self._verbosity:
            return
        clock = paint(f"{datetime.fromtimestamp(event.time, self._zone):%H:%M:%S}", Style.DIM, self._color)
        self._write(f"{clock} {paint(f'{verb:<8}', style, self._color)}  {words}".rstrip() + "\n")


def change_words(event: ChangeSeen) -> str:
    """What changed and what follows, in one line: `fix-parser changed; main moved to 1a2b3c4`."""
    parts = [
        f"{listing(names, 4)} {verb}"
        for names, verb in ((event.added, "new"), (event.removed, "gone"), (event.changed, "changed"))
        if names
    ]
    if event.settings:
        parts.append("settings of the manifest changed")
    if event.branch is not None:
        parts.append(f"on {branch_words(event.branch)} now")
    if event.commit is not None:
        parts.append(f"the branch is at {short(event.commit)}")
    effect = _EFFECTS[event.effect]
    return "; ".join(parts or ["asked for"]) + (f": {effect}" if effect else "")


def error_of(errors: tuple[Trouble, ...]) -> OrchestraError:
    """The error that these are the parts of."""
    made = [
        OrchestraError(
            each.message,
            place=Place(each.file, each.line, each.column) if each.file is not None else None,
            causes=each.causes,
            hint=each.hint,
        )
        for each in errors
    ]
    made[0].others = tuple(made[1:])
    return made[0]
