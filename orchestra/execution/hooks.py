"""Hooks: a person's commands that are started when something happens in a build, and have ended when the build has.

Promises: nothing here holds the build up before its end, nothing of a hook outlives it, and how one ends changes
nothing but what is said about it.
"""

from __future__ import annotations

import json
import selectors
import tempfile
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from math import inf
from pathlib import Path

from orchestra.execution.commands import why
from orchestra.execution.environment import attempt_environment
from orchestra.execution.log import make_logs
from orchestra.execution.process import GRACE, PORTABLE, ManagedProcess
from orchestra.model.errors import OrchestraError
from orchestra.model.events import BuildFinished, Event, to_json
from orchestra.model.ports import Clock

SECONDS = 60.0
"""How long a hook may take."""

PATIENCE = 1.0
"""How long a person waits for hooks at the end before being told so."""

AT_ONCE = 8
"""How many run at a time; the next begins when one of them has ended."""

# Into a file: a pipe would fill up where nobody reads while the build is busy.
_INTO_LOG = 'exec >"$1" 2>&1; exec sh -c -- "$2"'


@dataclass(slots=True)
class _Hook:
    """A hook that runs; `deadline` is when it is stopped."""

    name: str
    command: str
    log: Path
    process: ManagedProcess
    deadline: float


class Hooks:
    """Starts the commands of `hooks` on their events. Implements Listener; to be closed at the end of the build.

    Each gets the event as a line of JSON, as events.jsonl has it, on its standard input, the environment of an attempt,
    and the checkout's root to work in. `build_finished` comes when all others have ended.
    """

    def __init__(
        self,
        commands: Mapping[str, str],
        root: Path,
        environ: Mapping[str, str],
        logs: Path,
        clock: Clock,
        failed: Callable[[str, str | None], None],
        *,
        seconds: float = SECONDS,
        patience: float = PATIENCE,
        portable: bool = PORTABLE,
    ) -> None:
        """`commands` are by the name of the event; `failed` takes what is to be said of one, and a hint."""
        self._commands = dict(commands)
        self._root = root
        self._environ = environ
        self._logs = logs
        self._clock = clock
        self._failed = failed
        self._seconds = seconds
        self._patience = patience
        self._portable = portable
        self._waiting: deque[Event] = deque()
        self._last: Event | None = None
        self._running: list[_Hook] = []
        self._count = 0

    def notify(self, event: Event) -> None:
        """Start what is to run on the event, and see what has ended meanwhile; returns at once."""
        if event.name in self._commands:
            if isinstance(event, BuildFinished):
                self._last = event
            else:
                self._waiting.append(event)
        if self._running or self._waiting:
            self._look(0.0)
            self._start()

    def close(self, waits: Callable[[str], None]) -> None:
        """Wait for all hooks to end, each as long as it may take; `waits` is told of it once, where that takes long."""
        tell_at = self._clock.monotonic() + self._patience
        try:
            while True:
                self._start()
                if self._running and self._clock.monotonic() >= tell_at:
                    names = ", ".join(dict.fromkeys(hook.name for hook in self._running))
                    waits(f"waiting for what runs on {names} (hooks; each may take {self._seconds:g} s)")
                    tell_at = inf
                if not self._running:
                    if self._last is None:
                        return
                    self._waiting.append(self._last)
                    self._last = None
                    continue
                soonest = min(hook.deadline for hook in self._running)
                moments = [
                    moment for hook in self._running if (moment := hook.process.deadline()) is not None
                ]
                soonest = min([soonest, tell_at, *moments])
                self._look(None if soonest == inf else max(0.0, soonest - self._clock.monotonic()))
        finally:
            for hook in self._running:
                hook.process.close()
            self._running.clear()

    # --- within ----------------------------------------------------------------------------------------------

    def _start(self) -> None:
        while self._waiting and len(self._running) < AT_ONCE:
            event = self._waiting.popleft()
            self._count += 1
            try:
                self._running.append(self._begin(event))
            except OrchestraError as error:
                self._failed(f"the hook on {event.name} did not start: {why(error)}", None)
            except OSError as error:
                self._failed(f"the hook on {event.name} did not start: {error}", None)

    def _begin(self, event: Event) -> _Hook:
        command = self._commands[event.name]
        make_logs(self._logs)
        log = self._logs / f"hook-{self._count:03d}-{event.name}.log"
        # At once: the folder of another one that printed nothing is taken away only while it is empty.
        log.touch()
        with tempfile.NamedTemporaryFile("w", encoding="ascii", prefix="orchestra-") as told:
            told.write(json.dumps(to_json(event), ensure_ascii=True, separators=(",", ":")) + "\n")
            told.flush()
            process = ManagedProcess(
                ["sh", "-c", _INTO_LOG, "sh", str(log), command],
                cwd=str(self._root),
                env=self._environment(event),
                stdin_file=told.name,
                grace=GRACE,
                portable=self._portable,
                clock=self._clock.monotonic,
            )
        return _Hook(event.name, command, log, process, self._clock.monotonic() + self._seconds)

    def _environment(self, event: Event) -> dict[str, str]:
        # No slot: none is its own.
        place = {
            "ORCHESTRA_TASK": getattr(event, "task", ""),
            "ORCHESTRA_BUILD": event.build,
            "ORCHESTRA_ATTEMPT": f"{event.build}-hook-{self._count}",
            "ORCHESTRA_ROOT": str(self._root),
        }
        return attempt_environment(self._environ, self._root, sets=place.items())

    def _look(self, seconds: float | None) -> None:
        """Wait so long at most for something to come of the hooks, and take it."""
        with selectors.DefaultSelector() as selector:
            for hook in self._running:
                for fd in hook.process.fds:
                    selector.register(fd, selectors.EVENT_READ, hook)
            for key, _ in selector.select(seconds):
                hook = key.data
                hook.process.take(key.fd)
        now = self._clock.monotonic()
        for hook in list(self._running):
            process, moment = hook.process, hook.process.deadline()
            if moment is not None and moment <= now:
                for fd in process.fds:
                    process.take(fd, final=True)
            if process.finished is not None:
                self._running.remove(hook)
                self._ended(hook)
            elif hook.deadline <= now:
                process.stop("timeout")
                # Asked once: the supervisor sees to the rest.
                hook.deadline = inf

    def _ended(self, hook: _Hook) -> None:
        ended, problem = hook.process.finished, hook.process.problem
        hook.process.close()
        with suppress(OSError):
            if hook.log.stat().st_size == 0:
                hook.log.unlink()
                self._logs.rmdir()  # where nothing else is in it: a build that did nothing leaves no folder
        if ended is None or ended.ok:
            return
        how = (
            f"took longer than {self._seconds:g} s"
            if ended.stopped == "timeout"
            else problem or ended.describe()
        )
        hint = f"see {hook.log}" if hook.log.exists() else None
        self._failed(f"the hook on {hook.name} failed: `{hook.command}`: {how}", hint)
