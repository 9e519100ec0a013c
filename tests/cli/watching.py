"""`orchestra watch` itself, driven through pipes: what it tells is waited for, nothing is slept through."""

from __future__ import annotations

import json
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Any

from tests.cli.scratch import Scratch

LIMIT = 60.0
"""Seconds that anything may take on a machine that others keep busy."""

Told = dict[str, Any]


class Watch:
    """A watch at work; to be used as a context manager, which ends it."""

    def __init__(self, scratch: Scratch, *argv: str, within: tuple[str, ...] = ()) -> None:
        """`within` is a command that runs the command behind it."""
        self.scratch = scratch
        self.process = subprocess.Popen(
            [*within, sys.executable, "-m", "orchestra", "watch", "--json", *argv],
            cwd=scratch.root,
            env=scratch.env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.told: list[Told] = []
        self._lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def __enter__(self) -> Watch:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(LIMIT)
        finally:
            if self.process.poll() is None:
                self.process.kill()
            self._reader.join()
            for stream in (self.process.stdout, self.process.stderr):
                assert stream is not None
                stream.close()

    def until(self, what: Callable[[Told], bool]) -> Told:
        """The next event that is meant; fails where none comes."""
        while True:
            try:
                line = self._lines.get(timeout=LIMIT)
            except queue.Empty:
                raise AssertionError(f"nothing more than {self.told[-5:]}") from None
            if line is None:
                assert self.process.stderr is not None
                raise AssertionError(f"it ended after {self.told[-5:]}: {self.process.stderr.read()}")
            event: Told = json.loads(line)
            self.told.append(event)
            if what(event):
                return event

    def event(self, name: str, **having: Any) -> Told:
        """The next event of that name with these values."""
        return self.until(
            lambda event: (
                event["event"] == name and all(event.get(key) == value for key, value in having.items())
            )
        )

    def idle(self) -> Told:
        """Wait until it waits for changes."""
        return self.event("watch_waiting", why="changes")

    def built(self) -> Told:
        """The next build's last event, once the watch waits for changes again."""
        finished = self.event("build_finished")
        self.idle()
        return finished

    def names(self) -> list[str]:
        """The names of all events so far."""
        return [event["event"] for event in self.told]

    def count(self, name: str) -> int:
        """How many events of that name there were."""
        return self.names().count(name)

    def signal(self, number: int) -> None:
        """Send it a signal."""
        self.process.send_signal(number)

    def ends(self) -> int:
        """Its exit status, once it has ended."""
        status = self.process.wait(LIMIT)
        self._reader.join()
        while not self._lines.empty():
            line = self._lines.get()
            if line is not None:
                self.told.append(json.loads(line))
        return status

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.put(line)
        self._lines.put(None)


def writes(scratch: Scratch, name: str, text: str = "1", **front: Any) -> None:
    """A prompt whose task writes a text into a file of its name."""
    front = {"claims": {"write": [f"{name}.txt"]}, **front}
    scratch.prompt(name, f"echo {text} > {name}.txt", **front)


def waits(scratch: Scratch, name: str, mark: str = "1") -> None:
    """A prompt whose task says that it runs (`running-MARK`) and waits to be told to go on (`go`)."""
    scratch.prompt(
        name,
        f"touch {scratch.home}/running-{mark}\n"
        f"while [ ! -e {scratch.home}/go ]; do sleep 0.02; done; echo {mark} > {name}.txt",
        claims={"write": [f"{name}.txt"]},
    )


def children(pid: int) -> list[int]:
    """The processes that a process started and that live."""
    import psutil

    try:
        return [child.pid for child in psutil.Process(pid).children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def outlive(pids: list[int]) -> list[int]:
    """Those of the processes that do not end, however long one waits; who has ended and was not fetched has ended."""
    import psutil

    found = []
    for pid in pids:
        with suppress(psutil.NoSuchProcess):
            found.append(psutil.Process(pid))

    def at_work(process: psutil.Process) -> bool:
        try:
            return bool(process.status() != psutil.STATUS_ZOMBIE)
        except psutil.NoSuchProcess:
            return False

    end = time.monotonic() + LIMIT
    while (found := list(filter(at_work, found))) and time.monotonic() < end:
        psutil.wait_procs(found, timeout=0.05)
    return [process.pid for process in found]
