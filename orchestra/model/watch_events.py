"""What `orchestra watch` tells beside the events of its builds. `build` is the build under way, empty where none is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from orchestra.model.events import Event

Why = Literal["changes", "git", "resume", "manifest", "folder", "build"]
"""What a watch waits for: a change; the end of what git is in the middle of; the person's word; a manifest that can be
read; the return of the folder; the end of another build.
"""


@dataclass(frozen=True, slots=True)
class WatchStarted(Event):
    """A watch began: the folder, what it does about changes during a build, how long it waits for quiet in seconds,
    whether it polls, and why it does though nobody asked for it.
    """

    name: ClassVar[str] = "watch_started"
    root: str
    on_busy: Literal["queue", "restart", "ignore"]
    debounce_s: float
    polling: bool


@dataclass(frozen=True, slots=True)
class ChangeSeen(Event):
    """What a build would see has changed, and what follows (`effect`).

    Tasks that are new, gone or written differently; whether something else of the manifest changed; the commit at
    which the branch stands, if it moved, and its name. `again` are those of the changed tasks that were attempted in
    the build that is under way: what it lands of them is stale again.
    """

    name: ClassVar[str] = "change_seen"
    effect: Literal["build", "queued", "restart", "ignored", "held"]
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    again: tuple[str, ...] = ()
    settings: bool = False
    branch: str | None = None
    commit: str | None = None


@dataclass(frozen=True, slots=True)
class Trouble:
    """One thing that is wrong, and where: line and column count from 1, 0 is the file as a whole."""

    message: str
    file: str | None = None
    line: int = 0
    column: int = 0
    causes: tuple[str, ...] = ()
    hint: str | None = None


@dataclass(frozen=True, slots=True)
class WatchTrouble(Event):
    """The manifest or a prompt cannot be read, or a build could not begin or go on; the watch goes on.

    `last_good`: builds go on with the manifest and the prompts as they could last be read.
    """

    name: ClassVar[str] = "watch_trouble"
    errors: tuple[Trouble, ...]
    last_good: bool = False


@dataclass(frozen=True, slots=True)
class WatchWaiting(Event):
    """Nothing is built until something happens: what it waits for, in one word and in words."""

    name: ClassVar[str] = "watch_waiting"
    why: Why
    message: str = ""


@dataclass(frozen=True, slots=True)
class WatchStopped(Event):
    """The watch ended: how many builds it began, and what is known of their cost in USD."""

    name: ClassVar[str] = "watch_stopped"
    builds: int
    usd: float | None = None
