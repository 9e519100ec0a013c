"""Sees what happens in folders: by the operating system's notices (watchfiles), or by looking again and again.

A thread waits for notices and wakes the loop through a pipe; it starts no process and touches nothing else.
"""

# ruff: noqa: PTH116, PTH120 -- a path here is a text of a notice

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress

from orchestra.model.errors import OrchestraError, environment_error

IDLE_STEP, BUSY_STEP = 125, 25
"""Milliseconds between two looks at what the notices brought: usually, and shortly after some came. Each costs 0.1 ms
of CPU.
"""

BUSY_TURNS = 100
"""For how many of the short steps it stays busy after a notice."""


class Eyes:
    """Watches folders, each without what lies below it, until closed.

    `matters` filters paths; `wake` is called from another thread where one of them changed.
    """

    def __init__(
        self, folders: Iterable[str], matters: Callable[[str], bool], wake: Callable[[], None]
    ) -> None:
        """Raises OrchestraError where the system allows no more to be watched."""
        from watchfiles._rust_notify import RustNotify, WatchfilesRustInternalError

        self.matters = matters
        self._wake = wake
        self._over = threading.Event()
        self.last = time.monotonic()
        """When the last change that mattered was made, by the monotonic clock: notices come a little later."""
        try:
            self._notices = RustNotify(list(folders), False, False, 0, False, True)
        except (OSError, WatchfilesRustInternalError) as error:
            raise _refused(error) from error
        self._thread = threading.Thread(target=self._watch, name="eyes", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End it; nothing wakes anybody afterwards."""
        self._over.set()
        self._thread.join()
        self._notices.close()

    def _watch(self) -> None:
        from watchfiles._rust_notify import WatchfilesRustInternalError

        busy = False
        while not self._over.is_set():
            step = BUSY_STEP if busy else IDLE_STEP
            try:
                seen = self._notices.watch(step, step, BUSY_TURNS * step if busy else 0, self._over)
            except (WatchfilesRustInternalError, OSError):
                # What it was about is gone, most of the time: the loop looks what is there now.
                seen = {(0, "")}
            if self._over.is_set():
                return
            busy = isinstance(seen, set)
            if isinstance(seen, set):
                ages = [_age(path) for _, path in seen if not path or self.matters(path)]
                if ages:
                    self.last = time.monotonic() - min(ages)
                    self._wake()


def _age(path: str) -> float:
    """How many seconds ago something happened to a path, of which a notice has just come."""
    for place in (path, os.path.dirname(path)):
        try:
            changed = os.stat(place).st_ctime
        except OSError:
            continue
        # A clock set back or forth, or that of another machine, must not count for much.
        return min(max(0.0, time.time() - changed), 2 * IDLE_STEP / 1000)
    return 0.0


class Doorbell:
    """A pipe that one end rings, from any thread, and a selector hears at the other."""

    def __init__(self) -> None:
        self.fd, self._other = os.pipe()
        os.set_blocking(self.fd, False)
        os.set_blocking(self._other, False)

    def ring(self) -> None:
        """Let the other end hear it; once is as good as often."""
        with suppress(BlockingIOError):
            os.write(self._other, b"!")

    def heard(self) -> None:
        """Make it silent again."""
        with suppress(BlockingIOError):
            while os.read(self.fd, 4096):
                pass

    def close(self) -> None:
        """Take it down."""
        os.close(self.fd)
        os.close(self._other)


def _refused(error: Exception) -> OrchestraError:
    return environment_error(
        "the system allows no more folders to be watched",
        causes=(str(error),),
        hint="raise it: sudo sysctl fs.inotify.max_user_watches=524288 fs.inotify.max_user_instances=512",
    )
