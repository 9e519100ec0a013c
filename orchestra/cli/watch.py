"""`orchestra watch`: builds whenever what a build would see has changed."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, cast

import click

from orchestra.cli.build import BuildRequest, Display, jobs_option
from orchestra.cli.clock import SystemClock
from orchestra.cli.options import Project, Settings, amount, common_options
from orchestra.cli.terminal import can_ask
from orchestra.model.errors import ExitStatus, OrchestraError

if TYPE_CHECKING:
    from orchestra.model.events import Event
    from orchestra.model.ports import Listener
    from orchestra.model.tasks import Manifest
    from orchestra.watching.machine import OnBusy

_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|)")


def _debounce(context: click.Context, parameter: click.Parameter, value: str) -> float:
    match = _DURATION.fullmatch(value)
    seconds = float(match[1]) / (1000 if match[2] == "ms" else 1) if match else -1.0
    if match is None or not 0 <= seconds <= 600 or (not match[2] and seconds):
        raise click.BadParameter("a duration such as 300ms or 2s, at most 600s", context, parameter)
    return seconds


@click.command("watch")
@click.argument("targets", nargs=-1, metavar="[TASK]...")
@jobs_option
@click.option("--agent", metavar="NAME", help="Let this agent do all tasks.")
@click.option(
    "--budget",
    callback=amount,
    metavar="USD",
    help="Start nothing more once the whole watch has cost so much.",
)
@click.option("--into", metavar="BRANCH", help="Land on this branch instead of the one checked out.")
@click.option("--no-advance", is_flag=True, help="Leave the branch; results stay on orchestra/build-ID.")
@click.option(
    "--include-dirty",
    is_flag=True,
    help="Build on your uncommitted changes too, and watch the files that count.",
)
@click.option(
    "--on-busy",
    type=click.Choice(["queue", "restart", "ignore"]),
    default="queue",
    help="What a change does while a build runs: wait for its end (queue), end it, or nothing.",
)
@click.option(
    "--debounce",
    callback=_debounce,
    default="300ms",
    metavar="TIME",
    help="Build when nothing has changed for so long (300ms).",
)
@click.option(
    "--poll", is_flag=True, help="Look again and again, where the system gives no notice of changes."
)
@click.option("--yes", is_flag=True, help="Ask nothing.")
@click.option(
    "--ui", type=click.Choice(["auto", "live", "plain", "none"]), default="auto", help="How to show progress."
)
@click.option("--json", "as_json", is_flag=True, help="Print events as JSON, one a line.")
@click.option("-q", "--quiet", is_flag=True, help="Print only problems and summaries.")
@click.option("-v", "--verbose", is_flag=True, help="Print also phases and what agents do.")
@common_options
@click.pass_obj
def command(
    settings: Settings,
    targets: tuple[str, ...],
    jobs: int | None,
    agent: str | None,
    budget: float | None,
    into: str | None,
    no_advance: bool,
    include_dirty: bool,
    on_busy: str,
    debounce: float,
    poll: bool,
    yes: bool,
    ui: str,
    as_json: bool,
    quiet: bool,
    verbose: bool,
    directory: str | None,
    file: str | None,
    debug: bool,
) -> int:
    """Build now, and again whenever prompts, the manifest or the branch change.

    TASK is the name of a task or the path of its prompt; with none, all tasks are meant. Keys: b builds now, p pauses,
    s shows how things stand, q quits. Ends with 0 when you quit, 130 when interrupted, 2 for wrong usage, 3 where the
    environment does not allow it.
    """
    here = (Path(settings.directory) / (directory or ".")).absolute()
    file = file or settings.file
    project = Project(settings, directory=directory, file=file, agent=agent, into=into)
    display = Display(
        as_json=as_json,
        silent=ui == "none",
        verbosity=-1 if quiet else int(verbose),
        live=project if ui == "live" or (ui == "auto" and not quiet) else None,
    )
    with display.shown("reading the project..."):
        # What watches is loaded once that stands there.
        from orchestra.cli.watch_look import DiskLooker
        from orchestra.manifest.load import DEFAULT_FILE
        from orchestra.model.tasks import Manifest
        from orchestra.reporting.watch_lines import KEYS
        from orchestra.watching.builder import Builder, WorkOrder
        from orchestra.watching.keys import Keys
        from orchestra.watching.session import Session, Wishes

        root = project.repository.root
        _refuse_slips(project, targets)
        request = BuildRequest(targets, jobs, wait=True, budget=budget)
        if not yes and not as_json and not _agreed(project, request, display):
            return ExitStatus.INTERRUPTED
        order = WorkOrder(
            str(here),
            None if file is None else str(here / file),
            agent,
            into,
            not no_advance,
            include_dirty,
            Manifest((), {}),
            targets,
            jobs,
            None,
        )

        def show() -> None:
            display.clear()
            _show(here, file, targets, to_stderr=as_json)

        keys = Keys(sys.stdin.fileno()) if os.isatty(sys.stdin.fileno()) else None
        told = _Told(display, keys=keys is not None)
        builder = Builder("orchestra.cli.watch_worker:main")
        builder.warm()
        manifest = here / file if file is not None else root / DEFAULT_FILE
        session = Session(
            Wishes(
                order, str(root), debounce, cast("OnBusy", on_busy), poll or _notices_missing(root), budget
            ),
            DiskLooker(order, root, os.path.normpath(manifest), targets),
            builder,
            SystemClock(),
            told.tell,
            display.warn,
            told.listeners,
            show,
            lambda: click.echo(KEYS, err=as_json),
            keys,
            sys.stdout.fileno(),
            lambda: display.pulse,
            display.close,
        )
    return session.run()


def _refuse_slips(project: Project, targets: tuple[str, ...]) -> None:
    """Refuse names that are no task's: slips of the command line. What cannot be read yet is told and waited for."""
    if not targets:
        return
    try:
        _ = project.written, project.begin
    except OrchestraError:
        return
    project.named(targets)


def _agreed(project: Project, request: BuildRequest, display: Display) -> bool:
    """Whether the person lets the first build begin, where there is a question: see `orchestra.cli.asking`."""
    if not can_ask():
        return True
    from orchestra.cli.asking import Answer, ask

    with suppress(OrchestraError):
        # What keeps a build from beginning is told by the watch, which waits until it is mended.
        return ask(project, request, display.close) is not Answer.NO
    return True


class _Told:
    """Who is told what happens, in the watch and in its builds."""

    def __init__(self, display: Display, *, keys: bool) -> None:
        from orchestra.reporting.watch_lines import WatchLines

        self._display = display
        if display.as_json:
            from orchestra.reporting.jsonl import JsonLines

            self._own: Listener = JsonLines(sys.stdout, display.not_written)
        else:
            verbosity = -1 if display.silent else display.verbosity
            self._own = WatchLines(
                display.write,
                color=display.color,
                verbosity=verbosity,
                keys=keys and sys.stdout.isatty(),
            )

    def tell(self, event: Event) -> None:
        """Tell an event of the watch's own."""
        self._own.notify(event)

    def listeners(self, manifest: Manifest) -> Sequence[Listener]:
        """Who hears of a build with this manifest."""
        found, summary = self._display.listeners(manifest)
        if not self._display.as_json:
            found.append(_Summary(summary, self._display.write))
        return found


class _Summary:
    """A listener that writes the summary when a build has ended."""

    def __init__(self, summary: Callable[[], str], write: Callable[[str], None]) -> None:
        self._summary = summary
        self._write = write

    def notify(self, event: Event) -> None:
        """Take one event."""
        from orchestra.model.events import BuildFinished

        if isinstance(event, BuildFinished):
            text = self._summary()
            if text:
                self._write(text + "\n")


def _show(here: Path, file: str | None, targets: tuple[str, ...], *, to_stderr: bool) -> None:
    """Show what `orchestra status` shows, by that command: so nothing of it stays in a process that runs for days."""
    named = ["-f", str(here / file)] if file is not None else []
    code = f"import sys; sys.path[:] = {sys.path!r}; from orchestra.cli.main import main; main()"
    argv = [sys.executable, "-P", "-c", code, "-C", str(here), *named, "status", *targets]
    sys.stdout.flush()
    out = sys.stderr if to_stderr else sys.stdout
    # What is asked for once is worth the wait; whoever interrupts it means the watch too.
    subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=out, cwd="/", check=False)


_REMOTE = re.compile(
    r"nfs\d?|cifs|smb\w*|afs|ncpfs|9p|drvfs|vboxsf|fuse\.(?:sshfs|rclone|s3fs|gcsfuse|glusterfs)|afpfs|webdav"
)


def _notices_missing(root: Path) -> bool:
    """Whether the folder lies where others may write without this system's noticing: on a network or a host."""
    import psutil

    try:
        mounts = psutil.disk_partitions(all=True)
    except OSError:
        return False
    path = os.path.realpath(root)
    over = [mount for mount in mounts if f"{path}/".startswith(f"{mount.mountpoint.rstrip('/')}/")]
    nearest = max(over, key=lambda mount: len(mount.mountpoint), default=None)
    return nearest is not None and _REMOTE.fullmatch(nearest.fstype) is not None
