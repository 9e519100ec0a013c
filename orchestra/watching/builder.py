"""Builds in processes of their own: one a build, so that a watch of days does not grow, and one kept warm.

A spare process has imported all that a build needs and waits for its order, so that a build starts without the
quarter of a second that this takes. It ends when the watch does, however that ends.
"""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from orchestra.model.errors import OrchestraError, environment_error
from orchestra.model.events import Event
from orchestra.model.tasks import Manifest
from orchestra.model.watch_events import Trouble
from orchestra.watching.wire import Messages, send

PIECE = 1 << 16
"""Bytes read at once."""


@dataclass(frozen=True, slots=True)
class WorkOrder:
    """One build of the watch: options as those of `orchestra build`, the manifest as the watch has read it, and the
    keys with which tasks have failed, which are not tried again with the same.
    """

    directory: str
    file: str | None
    agent: str | None
    into: str | None
    advance: bool
    include_dirty: bool
    manifest: Manifest
    targets: tuple[str, ...]
    jobs: int | None
    budget: float | None
    failed: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Happened:
    """The build emitted an event."""

    event: Event


@dataclass(frozen=True, slots=True)
class Warned:
    """The build has something to say beside its events."""

    message: str


@dataclass(frozen=True, slots=True)
class Waits:
    """Another build holds the lock; this one waits for its end."""

    message: str


@dataclass(frozen=True, slots=True)
class Refused:
    """The build could not begin or go on."""

    errors: tuple[Trouble, ...]


def troubles(error: OrchestraError) -> tuple[Trouble, ...]:
    """An error and the others that came with it, as values."""
    found: list[Trouble] = []
    for each in (error, *error.others):
        place = each.place
        found.append(
            Trouble(
                each.message,
                place.file if place else None,
                place.line if place else 0,
                place.column if place else 0,
                each.causes,
                each.hint,
            )
        )
    return tuple(found)


class Builder:
    """Runs one build at a time in another process, whose entry point is the function `entry` of a module, as
    `package.module:function`. It gets the descriptors from which it reads its order and to which it writes.
    """

    def __init__(self, entry: str) -> None:
        module, _, function = entry.partition(":")
        # The person's folders must not be looked through for modules, nor ours be missed.
        self._code = (
            f"import sys; sys.path[:] = {sys.path!r}; from {module} import {function}; {function}(%d, %d)"
        )
        self._spare: _Process | None = None
        self._process: _Process | None = None
        self._messages = Messages()

    def warm(self) -> None:
        """Have a process ready for the next build."""
        if self._spare is not None and self._spare.running.poll() is not None:
            self._spare.close()
            self._spare = None
        if self._spare is None:
            self._spare = _Process(self._code)

    def start(self, order: WorkOrder) -> int:
        """Begin a build; gives the descriptor on which its messages come. Raises OrchestraError where it cannot."""
        assert self._process is None, "one build at a time"
        for _ in range(2):
            self.warm()
            assert self._spare is not None
            process, self._spare = self._spare, None
            try:
                send(process.orders, order)
            except BrokenPipeError:
                # It was killed while it waited: the next one is a new one.
                process.close()
                continue
            self._process, self._messages = process, Messages()
            return process.replies
        raise environment_error("a build cannot be started", hint="orchestra build says why")

    def read(self) -> tuple[Iterable[Any], bool]:
        """Read what has come: messages, and whether these were the last."""
        assert self._process is not None
        piece = os.read(self._process.replies, PIECE)
        return tuple(self._messages.feed(piece)), not piece

    def interrupt(self) -> None:
        """Interrupt the build, as Ctrl-C would."""
        if self._process is not None:
            self._process.running.send_signal(signal.SIGINT)

    def finish(self) -> int:
        """Take leave of a build whose last message has come; gives its process's exit status."""
        assert self._process is not None
        process, self._process = self._process, None
        self._messages = Messages()
        status = process.close()
        # CPython keeps up to 2,000 freed tuples of each size for later, and lets go of them at a full collection only
        # (documentation of gc.collect), which by itself comes after some hundred builds: 2 MiB by then.
        gc.collect()
        return status

    def close(self) -> None:
        """End the processes that are left."""
        for process in (self._process, self._spare):
            if process is not None:
                process.close()
        self._process = self._spare = None


class _Process:
    """A process that waits for its order, or carries it out. It ends where its orders do."""

    def __init__(self, code: str) -> None:
        for_child, self.orders = os.pipe()
        self.replies, from_child = os.pipe()
        # It takes no interrupt before it has its order and can end in good order.
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            self.running = subprocess.Popen(
                [sys.executable, "-P", "-c", code % (for_child, from_child)],
                # The folder from which the watch was called may go away.
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=(for_child, from_child),
                # The terminal's signals are for the watch, which passes on what is meant for the build.
                start_new_session=True,
            )
        except OSError as error:
            os.close(self.orders)
            os.close(self.replies)
            raise environment_error("a build cannot be started", causes=(str(error),)) from error
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
            os.close(for_child)
            os.close(from_child)

    def close(self) -> int:
        os.close(self.orders)
        with suppress(OSError):
            # A full pipe must not keep it from ending.
            while os.read(self.replies, PIECE):
                pass
        os.close(self.replies)
        return self.running.wait()
