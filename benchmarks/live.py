"""What live progress costs: CPU while many attempts run, and the time until the first line is there.

    python -m benchmarks.live [--quick]

The CPU is that of a process that does nothing but draw a build with so many running attempts, each of whose agents does
something once a second, on a pseudo-terminal that somebody reads; as a share of one core, beside the same with rich's
Live. The first line is that of `orchestra build` at a terminal, from the start of the process, with the yardsticks of
`python -c pass` and of importing click.
"""

from __future__ import annotations

import argparse
import os
import pty
import select
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from benchmarks.first_figures import ROOT, repository
from orchestra.cli.live import LiveProgress
from orchestra.cli.live_terminal import LiveTerminal
from orchestra.model.agents import AgentEvent
from orchestra.model.events import AgentDid, AttemptStarted, BuildStarted, Event, PhaseStarted
from orchestra.model.ports import Listener
from orchestra.model.spread import Spread
from orchestra.reporting.lines import PlainLines
from orchestra.reporting.live_state import Ahead, Progress
from orchestra.reporting.live_view import Look, view

TASKS = 200
WIDTH, HEIGHT = 120, 60


class Nobody:
    """A listener that does nothing: what telling events costs without anybody who draws."""

    def notify(self, event: Event) -> None:
        """Take one event."""


def events(running: int) -> list[Event]:
    """The beginning of a build with so many attempts at once."""
    now = time.time()
    names = tuple(f"task-number-{n}" for n in range(TASKS))
    found: list[Event] = [BuildStarted(now, "b", names, "0" * 40, "main", running)]
    for name in names[:running]:
        found.append(AttemptStarted(now, "b", name, name, 1, "claude", "0" * 40, "k1:0"))
        found.append(PhaseStarted(now, "b", name, name, "agent"))
    return found


def did(number: int) -> Event:
    """What one of the agents does."""
    name = f"task-number-{number}"
    path = f"src/package/module_{time.monotonic_ns() % 97}.py"
    return AgentDid(time.time(), "b", name, name, AgentEvent("tool", "", "Edit", (path,)))


def cpu_share(running: int, seconds: float, listener: Listener, beat: Callable[[], float]) -> float:
    """The share of one core that a listener takes for a build that goes on for so long; `beat` gives when to call it
    again, by the monotonic clock.
    """
    for event in events(running):
        listener.notify(event)
    number, began, used = 0, time.monotonic(), time.process_time()
    while (now := time.monotonic()) < began + seconds:
        due = beat()
        following = began + (number + 1) / running
        if now >= following:
            listener.notify(did(number % running))
            number += 1
        time.sleep(max(0.0, min(due, following) - time.monotonic()))
    return (time.process_time() - used) / (time.monotonic() - began)


def own(stream_fd: int, running: int, seconds: float) -> float:
    """The share that our own drawing takes."""
    with os.fdopen(os.dup(stream_fd), "w") as stream:
        terminal = LiveTerminal(stream)
        lines = PlainLines(terminal.above, starts=False)
        estimates = {f"task-number-{n}": Spread(60, 120) for n in range(TASKS)}
        progress = LiveProgress(terminal, lines, color=True, ahead=lambda started: Ahead({}, {}, estimates))

        def beat() -> float:
            if progress.due <= time.monotonic():
                progress.beat()
            return progress.due

        try:
            return cpu_share(running, seconds, progress, beat)
        finally:
            terminal.close()


def by_rich(stream_fd: int, running: int, seconds: float) -> float:
    """The share that rich's Live takes for the same lines, as often."""
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    state = Progress()

    class Takes:
        def notify(self, event: Event) -> None:
            state.take(event)

    with os.fdopen(os.dup(stream_fd), "w") as stream:
        console = Console(file=stream, force_terminal=True, width=WIDTH, height=HEIGHT)
        with Live(console=console, auto_refresh=False) as live:
            due = time.monotonic()

            def beat() -> float:
                nonlocal due
                if due <= time.monotonic():
                    lines = view(state, time.time(), Look(WIDTH - 1, HEIGHT - HEIGHT // 4, True))
                    live.update(Text("\n").join(map(Text.from_ansi, lines)), refresh=True)
                    due = time.monotonic() + 0.25
                return due

            return cpu_share(running, seconds, Takes(), beat)


def nothing(stream_fd: int, running: int, seconds: float) -> float:
    """The share that the benchmark itself takes."""
    return cpu_share(running, seconds, Nobody(), lambda: time.monotonic() + 1)


def at_terminal(measure: Callable[[int], float]) -> float:
    """Measure with a pseudo-terminal that somebody reads."""
    master, slave = pty.openpty()
    subprocess.run(["stty", "rows", str(HEIGHT), "cols", str(WIDTH)], stdin=slave, check=True)
    reader = subprocess.Popen(["cat"], stdin=master, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    os.close(master)
    try:
        return measure(slave)
    finally:
        os.close(slave)
        reader.kill()
        reader.wait()


def first_line(argv: list[str], cwd: Path, env: dict[str, str]) -> float:
    """Seconds from the start of a command until something stands on its terminal."""
    master, slave = pty.openpty()
    began = time.perf_counter()
    process = subprocess.Popen(argv, cwd=cwd, env=env, stdin=slave, stdout=slave, stderr=slave)
    os.close(slave)
    try:
        select.select([master], [], [])
        took = time.perf_counter() - began
        drain = threading.Thread(target=_drained, args=(master,))
        drain.start()
        process.wait()
        drain.join()
    finally:
        os.close(master)
    return took


def first_piped_line(argv: list[str], cwd: Path, env: dict[str, str]) -> float:
    """Seconds from the start of a command until it has written something to a pipe."""
    began = time.perf_counter()
    with subprocess.Popen(
        argv, cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        select.select([process.stdout], [], [])
        took = time.perf_counter() - began
        process.communicate()
    return took


def _drained(fd: int) -> None:
    try:
        while os.read(fd, 65536):
            pass
    except OSError:
        return  # its last writer has gone


def ended(argv: list[str], env: dict[str, str]) -> float:
    """Seconds that a command takes."""
    began = time.perf_counter()
    subprocess.run(argv, env=env, check=True)
    return time.perf_counter() - began


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="what live progress costs")
    parser.add_argument("--quick", action="store_true", help="short: to see that it works")
    quick = parser.parse_args().quick
    seconds, runs = (2.0, 3) if quick else (20.0, 21)
    print(f"{os.getloadavg()[0]:.1f} processes wait for {os.cpu_count()} cores")
    for running in (50,) if quick else (1, 10, 50):
        for name, measure in (("nothing", nothing), ("drawn", own), ("by rich", by_rich)):
            share = at_terminal(partial(measure, running=running, seconds=seconds))
            print(f"{running:3} attempts, {name:8} {share:7.2%} of a core", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        env = {name: value for name, value in os.environ.items() if not name.startswith(("GIT_", "PYTHON"))}
        env |= {
            "HOME": folder,
            "XDG_CACHE_HOME": f"{folder}/cache",
            "PYTHONPATH": str(ROOT),
            "PYTHONPYCACHEPREFIX": f"{folder}/pyc",
            "TERM": "xterm-256color",
            **{f"GIT_{who}_NAME": "bench" for who in ("AUTHOR", "COMMITTER")},
            **{f"GIT_{who}_EMAIL": "bench@localhost" for who in ("AUTHOR", "COMMITTER")},
        }
        project = repository(home / "project", env, 20, "true")
        build = [sys.executable, "-m", "orchestra", "build"]
        first_line(build, project, env)  # compiles, and leaves a build in which all is fresh
        measured: tuple[tuple[str, Callable[[], float]], ...] = (
            ("python -c pass", partial(ended, [sys.executable, "-c", "pass"], env)),
            ("import click", partial(ended, [sys.executable, "-c", "import click"], env)),
            ("first line", partial(first_line, build, project, env)),
            ("in a pipe", partial(first_piped_line, build, project, env)),
        )
        for name, each in measured:
            taken = [each() for _ in range(runs)]
            print(f"{name:14} {1000 * statistics.median(taken):5.0f} ms (at most {1000 * max(taken):.0f})")


if __name__ == "__main__":
    main()
