"""The lock that lets one build at a time work in a repository; the kernel drops it when its holder dies."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from orchestra.model.errors import environment_error
from orchestra.model.text import duration

PATIENCE = 2.0
"""How long one that took the lock may take to write down who it is, in seconds."""


@dataclass(frozen=True, slots=True)
class Holder:
    """Whose build is at work: the process, and since when in seconds since the epoch."""

    pid: int
    since: float

    def __str__(self) -> str:
        return f"process {self.pid}, for {duration(max(0.0, time.time() - self.since))}"


class BuildLock:
    """To be used as a context manager; raises OrchestraError (exit status 3) where another build holds it.

    With `wait` it waits for that one's end instead, once it has told `wait` in words who that is. `broken_off` tells,
    once it is held, whether its last holder died.
    """

    def __init__(self, path: Path, wait: Callable[[str], None] | None = None) -> None:
        self._path = path
        self._wait = wait
        self._fd = -1
        self.broken_off = False

    def __enter__(self) -> BuildLock:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise environment_error(
                f"cannot write {self._path}", causes=(str(error),), hint=_hint(self._path, error)
            ) from error
        try:
            self._take()
        except BaseException:
            os.close(self._fd)
            self._fd = -1
            raise
        # Who ends in order leaves nothing written there.
        self.broken_off = os.fstat(self._fd).st_size > 0
        os.ftruncate(self._fd, 0)
        os.pwrite(self._fd, json.dumps({"pid": os.getpid(), "since": time.time()}).encode(), 0)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._fd >= 0:
            os.ftruncate(self._fd, 0)
            os.close(self._fd)
            self._fd = -1

    def _take(self) -> None:
        try:
            if _locked(self._fd):
                return
            holder = _written(self._fd)
            what = f"another build is at work in this repository{f': {holder}' if holder else ''}"
            if self._wait is None:
                raise environment_error(
                    what, hint="wait for it (--wait), or end it: orchestra stop"
                ) from None
            self._wait(what)
            # An interrupt ends this wait, as it ends a build.
            fcntl.flock(self._fd, fcntl.LOCK_EX)
        except OSError as error:
            raise environment_error(f"cannot lock {self._path}", causes=(str(error),)) from error


def at_work(path: Path) -> Holder | None:
    """Whose build is at work, as it wrote it down; None where none is. Does not touch the lock, nor wait for it."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        holder = _written(fd)
    finally:
        os.close(fd)
    if holder is None:
        return None
    try:
        os.kill(holder.pid, 0)
    except ProcessLookupError:
        return None
    except PermissionError:
        pass
    return holder


def stop_build(path: Path, *, now: bool = False) -> Holder | None:
    """Interrupt the build that holds the lock and wait until it has ended; None where none is at work.

    `now`: interrupt it twice, so that it gives nobody time to finish. Raises OrchestraError where it cannot be
    reached.
    """
    try:
        fd = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise environment_error(f"cannot read {path}", causes=(str(error),)) from error
    try:
        end = time.monotonic() + PATIENCE
        while True:
            if _locked(fd):
                return None
            holder = _written(fd)
            if holder is not None:
                break
            if time.monotonic() > end:
                raise environment_error(f"a build is at work, but {path} does not say whose")
            time.sleep(0.01)
        try:
            os.kill(holder.pid, signal.SIGINT)
            if now:
                # Signals of one kind that come too soon are one.
                time.sleep(0.3)
                if not _locked(fd):
                    os.kill(holder.pid, signal.SIGINT)
        except ProcessLookupError:
            # It ended just now, or lives where its number means nothing here (a container).
            if not _locked(fd):
                raise environment_error(
                    f"the build of {holder} cannot be reached from here", hint="end it where it runs"
                ) from None
            return holder
        except PermissionError as error:
            raise environment_error(
                f"the build of {holder} is not yours", hint="end it as the user who runs it"
            ) from error
        fcntl.flock(fd, fcntl.LOCK_EX)
        return holder
    finally:
        os.close(fd)


def _hint(path: Path, error: OSError) -> str:
    """What to do where the file cannot be opened."""
    if path.is_symlink():
        return "it is a symbolic link, and none of orchestra's: remove it"
    if isinstance(error, (FileExistsError, NotADirectoryError)):
        return f"{path.parent} is not a folder, and none of orchestra's: move it away"
    return "a build records there what it does: make it writable, or build in a clone of your own"


def _locked(fd: int) -> bool:
    """Take the lock, if it is free."""
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _written(fd: int) -> Holder | None:
    """Who holds the lock, as far as they wrote it down."""
    with contextlib.suppress(ValueError, KeyError, TypeError):
        value = json.loads(os.pread(fd, 1000, 0))
        pid, since = int(value["pid"]), float(value["since"])
        return Holder(pid, since) if pid > 0 else None
    return None
