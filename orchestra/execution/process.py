"""One command under its supervisor, as orchestra's event loop sees it: descriptors to watch, lines, and an ending.

Promises: nothing here blocks or sleeps; `finished` is told once, when the command and all that it started have
ended and all their output has been taken; whatever happens to the supervisor, there is an ending.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path

from orchestra.execution.supervisor import Walk, send
from orchestra.model.errors import OrchestraError, environment_error
from orchestra.model.outcomes import Exit
from orchestra.vcs.command import PASSING

SUPERVISOR = str(Path(__file__).with_name("supervisor.py"))

LINE_LIMIT = 8 * 2**20
"""Bytes of one line that are kept: agents print whole files as one line of JSON, but not this."""

GRACE = 5.0
"""Seconds between a polite stop and the end: claude, codex and copilot need less, qwen about this (measured)."""

PORTABLE = sys.platform != "linux"
"""Whether descendants have to be looked for by means that every platform has: only Linux gives orphans back."""

MARK = ("ORCHESTRA_ROOT", "ORCHESTRA_ATTEMPT")
"""The variables by which a command's processes are known again, wherever they went."""

PATIENCE = 2.0
"""Seconds after the supervisor's end for which a pipe stays open that something out of our reach holds."""

ROUND = 16 * 1024
"""Bytes that are taken of one descriptor in one go, so that a flood does not keep the others waiting: of short lines
it costs some 20 ms to look at as many.
"""

_LAST = 256 * 1024  # bytes that are taken in the end: more than a pipe holds
_ROUNDS = 10  # of killing what has lost its supervisor: somebody may be forking


class LineSplitter:
    """Bytes in, whole lines out: UTF-8 with what is not replaced, a line over `limit` bytes cut there."""

    def __init__(self, limit: int = LINE_LIMIT) -> None:
        self._limit = limit
        self._tail = bytearray()

    def feed(self, data: bytes) -> list[str]:
        """The lines that `data` completes, without their ends."""
        *ends, rest = data.split(b"\n")
        lines = []
        for part in ends:
            self._add(part)
            lines.append(self._flush())
        self._add(rest)
        return lines

    def finish(self) -> list[str]:
        """The last line, where it has no newline."""
        return [self._flush()] if self._tail else []

    def _add(self, part: bytes) -> None:
        self._tail += part[: max(0, self._limit - len(self._tail))]

    def _flush(self) -> str:
        line = self._tail.decode("utf-8", "replace").removesuffix("\r")
        self._tail.clear()
        return line


class ManagedProcess:
    """A running command. Register `fds` for reading with a selector, call `take` on what is ready, unregister what
    is no longer in `fds`, and by `deadline` call `take(fd, final=True)` on the rest; then `close` it.
    """

    def __init__(
        self,
        argv: Sequence[str],
        *,
        cwd: str,
        env: Mapping[str, str],
        stdin_file: str | None = None,
        grace: float = GRACE,
        portable: bool = PORTABLE,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Starts `argv` in `cwd` with exactly `env`, and `stdin_file` (None: nothing) as its standard input.

        `portable`: also where the platform has better means, only those are used that every one has. An
        OrchestraError says what of that is not there; a program that is not there is told by `problem`.
        """
        self._argv = tuple(argv)
        self._mark = _mark(env)
        self._taken = 0
        self._clock = clock
        self._pid = 0
        self._fields: Mapping[str, object] | None = None
        self._problem: str | None = None
        self._reason: str | None = None
        self._finished: Exit | None = None
        self._ended: float | None = None
        made: list[int] = []
        try:
            for _ in range(4):
                made += os.pipe()
            made.append(os.open(stdin_file or os.devnull, os.O_RDONLY))
            self.stdout, out, self.stderr, err, self.report, report, alive, self._alive, stdin = made
            # -I -S: neither the environment, which is the command's, nor installed packages change what it does.
            self._supervisor = subprocess.Popen(
                [
                    *(sys.executable, "-I", "-S", SUPERVISOR, str(report), str(alive), str(grace)),
                    *(_portable_words(self._mark) if portable else ()),
                    *("--", *argv),
                ],
                stdin=stdin,
                stdout=out,
                stderr=err,
                cwd=cwd,
                env=dict(env),
                pass_fds=(report, alive),
                start_new_session=True,  # the terminal's Ctrl-C is for orchestra
            )
        except (OSError, ValueError) as error:
            for fd in made:
                os.close(fd)
            raise _not_started(argv, cwd, stdin_file, error) from error
        for fd in (out, err, report, alive, stdin):
            os.close(fd)
        self._open = {fd: LineSplitter() for fd in (self.stdout, self.stderr, self.report)}
        for fd in self._open:
            os.set_blocking(fd, False)

    @property
    def fds(self) -> tuple[int, ...]:
        """The descriptors that have more to give: `stdout`, `stderr`, `report`."""
        return tuple(self._open)

    @property
    def supervisor_pid(self) -> int:
        """The supervisor's process: everything below it belongs to the command."""
        return self._supervisor.pid

    @property
    def taken(self) -> int:
        """How many bytes the command has printed so far."""
        return self._taken

    @property
    def finished(self) -> Exit | None:
        """How it ended; None while it runs, or something of its output is still to be taken."""
        return self._finished

    @property
    def problem(self) -> str | None:
        """What went wrong beside the command's own doing: it could not be executed (exit status 127 or 126, as a
        shell has it), something could not be killed, or the supervisor was lost.
        """
        return self._problem

    def stop(self, reason: str) -> None:
        """Ends it politely; `reason` is told by `Exit.stopped` unless it ends by itself before that."""
        self._say(b"T", reason)

    def kill(self, reason: str) -> None:
        """Ends it now; the reason of an earlier `stop` stays."""
        self._say(b"K", reason)

    def take(self, fd: int, final: bool = False) -> tuple[str, ...]:
        """The lines that a descriptor has ready (none from `report`). At its end of file, or if this is `final`,
        the descriptor leaves `fds`.
        """
        splitter = self._open[fd]
        lines: list[str] = []
        ended, room = final, _LAST if final else ROUND
        while room > 0:
            try:
                data = os.read(fd, min(room, ROUND))
            except BlockingIOError:
                break
            if not data:
                ended = True
                break
            lines += splitter.feed(data)
            room -= len(data)
            self._taken += len(data) if fd != self.report else 0
        if ended:
            lines += splitter.finish()
            del self._open[fd]
        if fd == self.report:
            for line in lines:
                self._told(line)
            lines = []
            if ended:
                self._reap()
        if not self._open:
            self._finished = self._finished or self._exit()
        return tuple(lines)

    def deadline(self) -> float | None:
        """When, by the clock given, to take what is there of the remaining `fds` as all; None while that is open.

        There is one only where the supervisor has ended and a process that it could not reach holds a pipe.
        """
        return None if self._ended is None or not self._open else self._ended + PATIENCE

    def close(self) -> None:
        """Gives all descriptors back. One that has not finished is killed and waited for."""
        if self._alive < 0:
            return
        if self._ended is None:
            self.kill("closed")
        for fd in (self.stdout, self.stderr, self.report, self._alive):
            os.close(fd)
        self._alive = -1
        self._open.clear()
        self._supervisor.wait()

    def _say(self, word: bytes, reason: str) -> None:
        self._reason = self._reason or reason
        with contextlib.suppress(OSError):  # it has ended
            os.write(self._alive, word)

    def _told(self, line: str) -> None:
        """Notes a line of the supervisor's report."""
        try:
            fields = json.loads(line)
        except ValueError:
            return
        if "pid" in fields:
            self._pid = int(fields["pid"])
        else:
            self._fields = fields

    def _reap(self) -> None:
        """The supervisor has closed its report, which only its end does."""
        self._supervisor.wait()
        self._ended = self._clock()
        if self._fields is None:
            self._problem = f"the supervisor of {self._argv[0]} was lost"
            self._sweep()
        elif self._fields["error"] is not None:
            kind, _, why = str(self._fields["error"]).partition(": ")
            verb = "started" if kind == "not-started" else "executed"
            words = "not found" if kind == "not-found" else f"cannot be {verb}: {why}"
            self._problem = f"{self._argv[0]}: {words}"
        elif self._fields["left"]:
            self._problem = f"{self._fields['left']} processes of {self._argv[0]} could not be killed"

    def _sweep(self) -> None:
        """Kills what can still be told to belong to a command whose supervisor was killed."""
        walk = Walk(list(self._mark))
        for _ in range(_ROUNDS):
            left = walk.look(self._pid, self._pid)
            if not left:
                return
            send(signal.SIGKILL, left)

    def _exit(self) -> Exit:
        """The ending, from the report or, without one, from the supervisor's own."""
        fields = self._fields
        if fields is None:
            code = self._supervisor.returncode
            return Exit(
                # The command's own status is not known, so it must not look like a good one.
                status=code if code > 0 else None,
                signal=-code if code < 0 else None,
                stopped=self._reason,
                # Somebody killed it, or it got no memory: nothing that the command or its task has to do with.
                transient=True,
            )
        status = _number(fields["status"])
        if fields["error"] is not None:
            status = 127 if str(fields["error"]).startswith("not-found") else 126
        return Exit(
            status=status,
            signal=_number(fields["signal"]),
            stopped=self._reason if fields["stopped"] else None,
            cpu_s=float(str(fields["cpu_s"])),
            peak_bytes=_number(fields["peak_bytes"]) or 0,
            survivors=_number(fields["survivors"]) or 0,
            transient=_number(fields["errno"]) in PASSING,
        )


def _mark(env: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """What tells the processes of a command with this environment from all others; () where nothing does."""
    # Within an attempt of another orchestra we bear its mark ourselves.
    marked = all(env.get(name) for name in MARK) and any(env[name] != os.environ.get(name) for name in MARK)
    return tuple((name, env[name]) for name in MARK) if marked else ()


def _portable_words(mark: Sequence[tuple[str, str]]) -> tuple[str, ...]:
    """What tells the supervisor to look for descendants itself, and by what."""
    found = find_spec("psutil")
    assert found is not None and found.origin is not None
    return ("portable", str(Path(found.origin).parents[1]), *(f"{name}={value}" for name, value in mark))


def _number(value: object) -> int | None:
    return value if isinstance(value, int) else None


def _not_started(
    argv: Sequence[str], cwd: str, stdin_file: str | None, error: OSError | ValueError
) -> OrchestraError:
    """Says which of the things that a start needs is not there."""
    program = argv[0] if argv else "(empty command)"
    if not Path(cwd).is_dir():
        message = f"cannot start {program}: no directory {cwd}"
    elif stdin_file is not None and not os.access(stdin_file, os.R_OK):
        message = f"cannot start {program}: cannot read {stdin_file}"
    else:
        message = f"cannot start {program}"
    return environment_error(message, causes=(str(error),))
