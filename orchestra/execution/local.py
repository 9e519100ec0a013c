"""The executor of this machine: carries attempts and verifications out as processes, all in one selector.

It never blocks but in `poll`, and in git commands that prepare and capture slots.
"""

from __future__ import annotations

import selectors
import signal
import socket
from collections.abc import Generator
from dataclasses import dataclass, replace
from math import inf
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any

from orchestra.execution.attempt import AttemptSteps
from orchestra.execution.commands import Command
from orchestra.execution.environment import inhabited_slots
from orchestra.execution.gauges import Gauges
from orchestra.execution.log import AttemptLog
from orchestra.execution.process import GRACE, PORTABLE, ManagedProcess
from orchestra.execution.sampling import Sampler
from orchestra.execution.verifying import verify_steps
from orchestra.execution.watch import Watch, Watched
from orchestra.execution.workshop import Workshop
from orchestra.model.agents import AgentEvent
from orchestra.model.errors import OrchestraError
from orchestra.model.outcomes import Exit
from orchestra.model.ports import (
    AgentSaid,
    AttemptEnded,
    AttemptOrder,
    Happening,
    Interrupted,
    PhaseBegan,
    Pulse,
    Started,
    VerifyEnded,
    VerifyOrder,
)
from orchestra.vcs.command import may_pass

SIGNALS = (signal.SIGINT, signal.SIGTERM)
"""By which a person, or the machine, ends a build."""

TOLD_BYTES = 4 * 2**20
"""Characters of what an agent says in one attempt that are told; the rest is only in the log, which has bounds."""

EACH_BYTES = 200
"""Characters as which each saying counts beside its own: so much every listener writes for it at least."""


@dataclass(slots=True)
class _Work:
    """An attempt or a verification that is under way, with the process that it waits for."""

    name: str
    steps: Generator[Command, Exit, AttemptEnded | VerifyEnded]
    log: AttemptLog
    slot: int
    command: Command | None = None
    process: ManagedProcess | None = None
    watched: Watched | None = None
    deadline: float = 0.0
    room: int = TOLD_BYTES


class LocalExecutor:
    """Implements Executor; to be used as a context manager, which takes and gives back the signals."""

    def __init__(
        self,
        workshop: Workshop,
        logs: Path,
        *,
        grace: float = GRACE,
        portable: bool = PORTABLE,
        gauges: Gauges | None = None,
        pulse: Pulse | None = None,
    ) -> None:
        """`logs` is the folder for the logs of this build; `grace` and `portable` are those of ManagedProcess; `pulse`
        is called while `poll` waits.
        """
        self._shop = workshop
        self._logs = logs
        self._grace, self._portable = grace, portable
        self._watch = Watch(workshop.clock, gauges or Gauges())
        self._sampler = Sampler(workshop.clock, gauges or Gauges())
        self._pulse = pulse
        self._selector = selectors.DefaultSelector()
        self._works: dict[str, _Work] = {}
        self._told: list[Happening] = []
        self._stopped: str | None = None
        self._count = 0
        self._wake: tuple[socket.socket, socket.socket] | None = None
        self._handlers: dict[int, Any] = {}
        self._old_wakeup = -1
        self._inhabited: frozenset[int] | None = None

    def __enter__(self) -> LocalExecutor:
        reader, writer = socket.socketpair()
        reader.setblocking(False)
        writer.setblocking(False)
        self._wake = (reader, writer)
        self._selector.register(reader, selectors.EVENT_READ, None)
        self._old_wakeup = signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
        # A terminal that goes away ends nothing: what agents are at has cost something.
        for number in (*SIGNALS, signal.SIGHUP):
            if number == signal.SIGHUP and signal.getsignal(number) is signal.SIG_IGN:
                continue  # nohup: those who are started are to ignore it too
            self._handlers[number] = signal.signal(number, _noted)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for work in self._works.values():
            if work.process is not None:
                work.process.close()
            work.steps.close()
            work.log.close()
        self._works.clear()
        signal.set_wakeup_fd(self._old_wakeup)
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        self._selector.close()
        for end in self._wake or ():
            end.close()

    # --- the Executor protocol -------------------------------------------------------------------------------

    def start(self, order: AttemptOrder) -> None:
        """See `orchestra.model.ports.Executor`."""
        self._count += 1
        slot = self._acquire()
        log = self._log(f"{self._count:03d}-{_file_name(order.task.name)}")
        self._told.append(Started(order.attempt, slot, str(log.path)))
        attempt = order.attempt

        def began(phase: str) -> None:
            self._told.append(PhaseBegan(attempt, phase))

        steps = AttemptSteps(self._shop, order, slot, log, began).steps()
        work = _Work(attempt, steps, log, slot)
        self._works[attempt] = work
        self._go_on(work, None)

    def verify(self, order: VerifyOrder) -> None:
        """See `orchestra.model.ports.Executor`."""
        slot = self._acquire()
        log = self._log(f"{order.name}{'-' + _file_name(order.task) if order.task else ''}")
        steps = verify_steps(self._shop, order, slot, log, self._shop.clock.monotonic())
        work = _Work(order.name, steps, log, slot)
        self._works[order.name] = work
        self._go_on(work, None)

    def poll(self, until: float | None = None) -> tuple[Happening, ...]:
        """See `orchestra.model.ports.Executor`."""
        while True:
            # Also where something is to be told already: a signal must not wait behind a row of quick failures.
            idle = not self._works and until is None
            ready = self._selector.select(0 if self._told or idle else self._wait(until))
            for key, _ in ready:
                if key.data is None:
                    self._signalled()
                else:
                    self._read(key.data, key.fd)
            self._enforce_deadlines()
            if self._pulse is not None and self._pulse.due <= self._shop.clock.monotonic():
                self._pulse.beat()
            late = until is not None and self._shop.clock.monotonic() >= until
            if self._told or late or (not self._works and until is None):
                break
        told, self._told = tuple(self._told), []
        return told

    def stop(self, *, now: bool) -> None:
        """See `orchestra.model.ports.Executor`."""
        self._stopped = "interrupt"
        for work in self._works.values():
            if work.process is not None:
                if now:
                    work.process.kill("interrupt")
                else:
                    work.process.stop("interrupt")

    # --- within ----------------------------------------------------------------------------------------------

    def _log(self, name: str) -> AttemptLog:
        return AttemptLog(self._logs / f"{name}.log", mask=self._shop.mask)

    def _acquire(self) -> int:
        """The number of a slot in which nobody works: neither we nor what a build that was killed has left."""
        if self._inhabited is None or self._inhabited:
            self._inhabited = inhabited_slots(self._shop.repository.root, self._shop.build)
        numbers = [self._shop.pool.acquire()]
        while numbers[-1] in self._inhabited:
            numbers.append(self._shop.pool.acquire())
        for number in numbers[:-1]:
            self._shop.pool.release(number)
        return numbers[-1]

    def _go_on(self, work: _Work, ended: Exit | None) -> None:
        """Let an attempt take its next steps until it waits for a process or is over."""
        while True:
            try:
                command = next(work.steps) if ended is None else work.steps.send(ended)
            except StopIteration as done:
                self._over(work, done.value)
                return
            if self._stopped is not None:
                # Nothing new is begun once the person asked to stop.
                ended = Exit(None, stopped=self._stopped)
                continue
            kills = self._watch.kills
            try:
                process = ManagedProcess(
                    command.invocation.argv,
                    cwd=str(command.cwd),
                    env=command.env,
                    stdin_file=command.invocation.stdin_file,
                    grace=self._grace,
                    portable=self._portable,
                )
            except OrchestraError as error:
                problem = "; ".join((str(error), *error.causes))
                work.log.line(problem)
                ended = Exit(127, problem=problem, transient=may_pass(error))
                continue
            self._sampler.begin()
            work.command, work.process = command, process
            work.watched = self._watch.begin(process.supervisor_pid, command.cwd, command.stall, kills=kills)
            work.deadline = self._shop.clock.monotonic() + command.timeout
            for fd in process.fds:
                self._selector.register(fd, selectors.EVENT_READ, work)
            return

    def _over(self, work: _Work, ended: AttemptEnded | VerifyEnded) -> None:
        del self._works[work.name]
        work.log.close()
        self._shop.pool.release(work.slot)
        self._told.append(ended)

    def _read(self, work: _Work, fd: int, *, final: bool = False) -> None:
        process = work.process
        if process is None or fd not in process.fds:
            return
        is_output, taken = fd == process.stdout, process.taken
        lines = process.take(fd, final)
        if process.taken > taken and work.watched is not None:
            self._watch.heard(work.watched)
        if fd not in process.fds:
            self._selector.unregister(fd)
        for line in lines:
            self._line(work, line, is_output=is_output)
        if process.finished is not None:
            self._process_ended(work, process, process.finished)

    def _line(self, work: _Work, line: str, *, is_output: bool) -> None:
        session = work.command.session if work.command else None
        if session is None or not is_output:
            work.log.line(line)
            return
        for event in session.read(line):
            work.log.event(event)
            if work.room > 0:
                work.room -= EACH_BYTES + len(event.text) + sum(map(len, event.paths))
                if work.room <= 0:
                    event = AgentEvent("text", "(it says a great deal: from here on see the log)")
                self._told.append(AgentSaid(work.name, event))

    def _process_ended(self, work: _Work, process: ManagedProcess, ended: Exit) -> None:
        if process.problem is not None:
            work.log.line(process.problem)
            if ended.transient or ended.status in (None, 126, 127):
                # Not carried out, or not known how: what could not be killed afterwards is no such problem.
                ended = replace(ended, problem=process.problem)
        process.close()
        assert work.watched is not None
        ended = self._watch.end(work.watched, ended)
        work.process = work.watched = None
        self._go_on(work, ended)

    def _wait(self, until: float | None) -> float | None:
        """Seconds until the next deadline, or until then; None where there is none."""
        moments = [self._watch.due, self._sampler.due if self._works else inf]
        moments += [] if self._pulse is None else [self._pulse.due]
        moments += [] if until is None else [until]
        moments += [work.deadline for work in self._works.values() if work.process is not None]
        moments += [
            moment
            for work in self._works.values()
            if work.process is not None and (moment := work.process.deadline()) is not None
        ]
        soonest = min(moments, default=inf)
        return None if soonest == inf else max(0.0, soonest - self._shop.clock.monotonic())

    def _enforce_deadlines(self) -> None:
        now = self._shop.clock.monotonic()
        stalled = self._watch.look() if self._watch.due <= now else ()
        if self._works and self._sampler.due <= now:
            self._told.append(self._sampler.take(self._watch.held, len(self._watch)))
        for work in list(self._works.values()):
            process = work.process
            if process is None:
                continue
            if work.deadline <= now:
                process.stop("timeout")
                # Asked once: the supervisor sees to the rest.
                work.deadline = inf
            elif work.watched in stalled:
                process.stop("stall")
            moment = process.deadline()
            if moment is not None and moment <= now:
                for fd in process.fds:
                    self._read(work, fd, final=True)

    def _signalled(self) -> None:
        assert self._wake is not None
        for number in self._wake[0].recv(64):
            if number in SIGNALS:
                self._told.append(Interrupted())


def _noted(number: int, frame: FrameType | None) -> None:
    """The wake-up descriptor carries the signal; nothing else is to be done where it arrives."""


def _file_name(task: str) -> str:
    return "".join(c if c.isalnum() or c in "-_." else "-" for c in task)[:60]
