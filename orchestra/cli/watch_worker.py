"""The process of one build of `orchestra watch`: made ahead, told what to build, and gone with the build."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

from orchestra.cli.build import BuildRequest, Display, run_build
from orchestra.cli.options import Project, Settings
from orchestra.model.errors import ExitStatus, OrchestraError
from orchestra.model.events import Event, Notice
from orchestra.model.freshness import decide_all
from orchestra.model.ports import Listener
from orchestra.model.tasks import Manifest
from orchestra.reporting.words import listing
from orchestra.watching.builder import Happened, Refused, Waits, Warned, WorkOrder, troubles
from orchestra.watching.failures import not_again
from orchestra.watching.wire import receive, send

NEEDED = (
    "orchestra.cli.workshop",
    "orchestra.analysis.infer",
    "orchestra.execution.hooks",
    "orchestra.execution.local",
    "orchestra.execution.preflight",
    "orchestra.execution.machine",
    "orchestra.execution.workers",
    "orchestra.history.ledger",
    "orchestra.history.recorder",
    "orchestra.integration.branch",
    "orchestra.integration.reconcile",
    "orchestra.integration.replay",
    "orchestra.model.places",
    "orchestra.reporting.jsonl",
    "orchestra.reporting.output",
    "orchestra.vcs.locks",
    "orchestra.vcs.snapshot",
)
"""Modules that a build imports when it needs them: here they are there before it begins."""


def main(orders: int, replies: int) -> None:
    """Wait for an order, carry it out, and end; with the watch, in any case."""
    import importlib

    for fd in (orders, replies):
        os.set_inheritable(fd, False)
    for name in NEEDED:
        importlib.import_module(name)
    try:
        order: WorkOrder = receive(orders)
    except EOFError:
        return
    threading.Thread(target=_end_with_the_watch, args=(orders,), name="watch", daemon=True).start()
    teller = _Piped(replies)
    try:
        # It was started without: an interrupt that came meanwhile comes now.
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
        _build(order, teller)
    except OrchestraError as error:
        teller.send(Refused(troubles(error)))
    except OSError as error:
        teller.send(Refused(troubles(OrchestraError(str(error), ExitStatus.ENVIRONMENT))))
    except KeyboardInterrupt:
        raise SystemExit(ExitStatus.INTERRUPTED) from None


def _build(order: WorkOrder, display: _Piped) -> None:
    project = Project(
        Settings(),
        directory=order.directory if Path(order.directory).is_dir() else "/",
        file=order.file,
        agent=order.agent,
        into=order.into,
        advance=order.advance,
        include_dirty=order.include_dirty,
        written=order.manifest,
    )
    without = (
        not_again(dict(order.failed), decide_all(project.situation()), project.graph)
        if order.failed
        else frozenset()
    )
    left = sorted(project.selected(order.targets) & without)
    if left:
        message = f"not tried again, unchanged since failing: {listing(left, 4)}"
        display.notify(Notice(time.time(), "", message, "press b to try"))
    request = BuildRequest(order.targets, order.jobs, budget=order.budget, wait=True, without=without)
    run_build(project, request, display)


class _Piped(Display):
    """What of a build goes to the watch."""

    def __init__(self, fd: int) -> None:
        super().__init__(as_json=True, silent=True, verbosity=0)
        self._fd = fd

    def listeners(self, manifest: Manifest) -> tuple[list[Listener], Callable[[], str]]:
        """The watch listens, and gives the summary."""
        return [self], lambda: ""

    def notify(self, event: Event) -> None:
        """Pass an event on."""
        self.send(Happened(event))

    def warn(self, message: str) -> None:
        """Pass a warning on."""
        self.send(Warned(message))

    def waits(self, message: str) -> None:
        """Pass on that another build is at work."""
        self.send(Waits(message))

    def send(self, value: object) -> None:
        """Send a message; nothing where the watch is gone."""
        if self._fd < 0:
            return
        try:
            send(self._fd, value)
        except BrokenPipeError:
            self._fd = -1


def _end_with_the_watch(orders: int) -> None:
    """Interrupt this build when the watch is no more, however it ended."""
    try:
        while os.read(orders, 1):
            pass
    finally:
        os.kill(os.getpid(), signal.SIGINT)
