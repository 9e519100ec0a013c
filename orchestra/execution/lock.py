"""The lock that lets one build at a time work in a repository; the kernel drops it when its holder dies."""

from __future__ import annotations

import fcntl
import json
import os
import time
from pathlib import Path
from types import TracebackType

from orchestra.model.errors import environment_error
from orchestra.model.text import duration


class BuildLock:
    """To be used as a context manager; raises OrchestraError (exit status 3) where another build holds it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._fd = -1

    def __enter__(self) -> BuildLock:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise environment_error(f"cannot write {self._path}", causes=(str(error),)) from error
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = self._holder()
            os.close(self._fd)
            self._fd = -1
            raise environment_error(
                f"another build is at work in this repository{holder}",
                hint="wait for it to end, or interrupt it where it runs",
            ) from None
        except OSError as error:
            os.close(self._fd)
            self._fd = -1
            raise environment_error(f"cannot lock {self._path}", causes=(str(error),)) from error
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

    def _holder(self) -> str:
        """Who holds it, as far as they wrote it down."""
        try:
            value = json.loads(os.pread(self._fd, 1000, 0))
            return f": process {int(value['pid'])}, for {duration(max(0.0, time.time() - value['since']))}"
        except (ValueError, KeyError, TypeError):
            return ""
