"""`orchestra build`: puts the engine, this machine and the listeners together, and tells how it went."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from orchestra.cli.clock import SystemClock
from orchestra.cli.display import Display as Display
from orchestra.cli.options import Project, Settings, amount, common_options
from orchestra.cli.terminal import can_ask
from orchestra.model.errors import ExitStatus, OrchestraError

# What builds is loaded where it is needed: the first line on the terminal comes before that.
if TYPE_CHECKING:
    from orchestra.execution.engine import BuildOrder, Engine
    from orchestra.execution.hooks import Hooks
    from orchestra.execution.local import LocalExecutor
    from orchestra.execution.workshop import Workshop
    from orchestra.integration.reconcile import TakenUp
    from orchestra.model.events import BuildFinished
    from orchestra.model.means import Means
    from orchestra.model.ports import Listener
    from orchestra.model.tasks import Manifest


def _jobs(context: click.Context, parameter: click.Parameter, value: str | None) -> int | None:
    if value is None or value == "auto":
        return None
    if value.isdigit() and int(value) > 0:
        return int(value)
    raise click.BadParameter("a whole number from 1, or auto", context, parameter)


jobs_option = click.option(
    "-j",
    "--jobs",
    callback=_jobs,
    metavar="N|auto",
    help="At most N attempts at once (default: by the machine).",
)


@dataclass(frozen=True, slots=True)
class BuildRequest:
    """What was asked for beside the project: see the options of `orchestra build`; `without` are tasks to leave out."""

    targets: tuple[str, ...] = ()
    jobs: int | None = None
    force: bool = False
    adopt: bool = False
    fail_fast: bool = False
    wait: bool = False
    budget: float | None = None
    trace: Path | None = None
    without: frozenset[str] = frozenset()


@click.command("build")
@click.argument("targets", nargs=-1, metavar="[TASK]...")
@jobs_option
@click.option("-n", "--dry-run", is_flag=True, help="Show what would run, and run nothing.")
@click.option("--force", is_flag=True, help="Run the named tasks (or all) though they are fresh.")
@click.option("--adopt", is_flag=True, help="Record what is stale as fresh, as it stands, and run nothing.")
@click.option("--fail-fast", is_flag=True, help="Start nothing more after the first failure.")
@click.option("--agent", metavar="NAME", help="Let this agent do all tasks.")
@click.option(
    "--budget",
    callback=amount,
    metavar="USD",
    help="Start nothing more once the build has cost so much (instead of `limits.usd`).",
)
@click.option("--into", metavar="BRANCH", help="Land on this branch instead of the one checked out.")
@click.option("--no-advance", is_flag=True, help="Leave the branch; the result stays on orchestra/build-ID.")
@click.option(
    "--include-dirty",
    is_flag=True,
    help="Build on your uncommitted changes too; the branch stays, as with --no-advance.",
)
@click.option("--wait", is_flag=True, help="Wait where another build is at work, instead of giving up.")
@click.option("--trace", metavar="FILE", help="Write a trace of the build there, for Perfetto.")
@click.option("--yes", is_flag=True, help="Ask nothing, also where it may cost.")
@click.option(
    "--ui", type=click.Choice(["auto", "live", "plain", "none"]), default="auto", help="How to show progress."
)
@click.option("--json", "as_json", is_flag=True, help="Print events as JSON, one a line.")
@click.option("-q", "--quiet", is_flag=True, help="Print only problems and the summary.")
@click.option("-v", "--verbose", is_flag=True, help="Print also phases and what agents do.")
@common_options
@click.pass_obj
def command(
    settings: Settings,
    targets: tuple[str, ...],
    jobs: int | None,
    dry_run: bool,
    force: bool,
    adopt: bool,
    fail_fast: bool,
    agent: str | None,
    budget: float | None,
    into: str | None,
    no_advance: bool,
    include_dirty: bool,
    wait: bool,
    trace: str | None,
    yes: bool,
    ui: str,
    as_json: bool,
    quiet: bool,
    verbose: bool,
    directory: str | None,
    file: str | None,
    debug: bool,
) -> int:
    """Run the stale tasks, in parallel, and land what passes.

    TASK is the name of a task or the path of its prompt; with none, all tasks are meant. What a named task needs
    is built too. Ends with 0 when all selected tasks are fresh and landed, 1 when something failed, was
    rejected or could not advance, 2 for wrong input, 3 where the environment does not allow it, 130 when
    interrupted.
    """
    if adopt and force:
        raise click.UsageError("--adopt runs nothing, --force runs in any case: give one of them")
    opened = partial(
        Project,
        settings,
        directory=directory,
        file=file,
        agent=agent,
        into=into,
        advance=not no_advance,
        include_dirty=include_dirty,
    )
    project = opened()
    display = Display(
        as_json=as_json,
        silent=ui == "none",
        verbosity=-1 if quiet else int(verbose),
        live=project if ui == "live" or (ui == "auto" and not quiet) else None,
        github=ui == "auto" and not as_json and os.environ.get("GITHUB_ACTIONS") == "true",
    )
    request = BuildRequest(targets, jobs, force, adopt, fail_fast, wait, budget, project.file_at(trace))
    if dry_run:
        return _dry_run(project, request, display)
    with display.shown("reading the project..."):
        return _real_build(project, opened, request, display, ask_first=not yes and not as_json)


def _real_build(
    project: Project,
    opened: Callable[[], Project],
    request: BuildRequest,
    display: Display,
    *,
    ask_first: bool,
) -> int:
    """Build, once the person has been asked where they are to be; gives the exit status."""
    if ask_first and can_ask():
        from orchestra.cli.asking import Answer, ask

        answer = ask(project, request, display.close)
        if answer is Answer.NO:
            return ExitStatus.INTERRUPTED
        if answer is Answer.YES:
            # What changed while the person was reading counts.
            project = opened()
    return exit_status(run_build(project, request, display))


def run_build(project: Project, request: BuildRequest, display: Display) -> BuildFinished:
    """Carry one build out, tell it on standard output, and give its last event."""
    from orchestra.execution.lock import BuildLock

    with BuildLock(project.lock_path, display.waits if request.wait else None) as lock:
        return Build(project, request, display).run(after_crash=lock.broken_off)


class Build:
    """One real build."""

    def __init__(self, project: Project, request: BuildRequest, display: Display) -> None:
        self._project = project
        self._request = request
        self._display = display
        self._clock = SystemClock()
        self._build = build_name(self._clock.now())
        self._listeners: list[Listener] = []
        self._over = False

    def run(self, *, after_crash: bool) -> BuildFinished:
        """Build. `after_crash`: the build before this one did not come to its end."""
        from orchestra.cli.tracing import trace_of
        from orchestra.cli.workshop import make_workshop, slots_of
        from orchestra.execution.local import LocalExecutor
        from orchestra.history.recorder import Recorder
        from orchestra.reporting.jsonl import EventsFile

        project = self._project
        if after_crash:
            from orchestra.vcs.locks import remove_stale_locks

            repository = project.repository
            remove_stale_locks(repository.root, repository.common_dir, slots_of(self._project))
        begin = project.begin
        # First, since they may refuse: then nothing has changed.
        trace = trace_of(self._request.trace, self._display.warn)
        recorder = Recorder.open(project.history_path, on_error=self._display.warn)
        refs = begin.obsolete
        if project.include_dirty:
            from orchestra.vcs.snapshot import kept

            refs = (*refs, kept(begin.target.head))
        project.repository.update_refs(refs)
        order = self._order(begin)
        logs = project.repository.state_folder / "builds" / self._build
        record = EventsFile(logs / "events.jsonl", lambda error: self._display.warn(f"events.jsonl: {error}"))
        shown, summary = self._display.listeners(project.manifest)
        self._listeners = [recorder, record, *shown, *trace]
        hooks = self._hooks(logs)
        if hooks is not None:
            # Last: whatever it starts finds the event written down.
            self._listeners.append(hooks)
        try:
            for name in begin.left:
                self._notice(
                    f"{name} of an earlier build was not taken up: its branch went another way", None
                )
            shop = make_workshop(project, self._build, self._clock, self._notice)
            try:
                with LocalExecutor(shop, logs, pulse=self._display.pulse) as executor:
                    finished = self._engine(order, shop, executor).run()
            finally:
                text = summary()
                if text:
                    # Before the last hooks have ended: nobody should have to wait for them.
                    self._display.say(text + "\n")
        except OrchestraError as error:
            # Nothing is lost: what was captured or landed is kept under refs.
            error.hint = error.hint or "mend that, then: orchestra build, which goes on from there"
            raise
        finally:
            try:
                if hooks is not None:
                    self._over = True
                    hooks.close(self._display.holds)
            finally:
                for each in trace:
                    each.close()
                record.close()
                recorder.close()
        return finished

    def _order(self, begin: TakenUp) -> BuildOrder:
        from orchestra.cli.doers import Doers
        from orchestra.cli.workshop import environment_of
        from orchestra.execution.engine import BuildOrder

        project = self._project
        doers = Doers(project.manifest)
        selected, forced = chosen(project, self._request)
        return BuildOrder(
            self._build,
            budgeted(project.manifest, self._request.budget),
            project.graph,
            selected,
            begin.target,
            begin.tip,
            jobs_of(project, self._request),
            forced=forced,
            named=named(project, self._request),
            adopt=self._request.adopt,
            fail_fast=self._request.fail_fast,
            environment=environment_of(project),
            agents=lambda name: doers.name(project.graph.task(name)),
        )

    def _engine(self, order: BuildOrder, shop: Workshop, executor: LocalExecutor) -> Engine:
        from orchestra.cli.workshop import slots_of
        from orchestra.execution.engine import Engine
        from orchestra.execution.preflight import Preflight

        project = self._project
        branch = order.target.branch if order.target.advance else None
        preflight = Preflight(
            shop,
            branch,
            slots_of(self._project),
            project.manifest.prompts,
            self._notice,
            disk=project.manifest.limits.disk,
            unseen=not project.include_dirty,
            tip=order.tip,
            manifest=project.manifest.source,
        )
        tasks = [project.graph.task(name) for name in order.selected]
        return Engine(
            order,
            project.repository,
            executor,
            self._clock,
            self._listeners,
            lambda stale: preflight.check(task for task in tasks if task.name in stale),
            self._means(shop),
        )

    def _means(self, shop: Workshop) -> Means:
        from orchestra.cli.workshop import slots_of
        from orchestra.execution.machine import LocalMachine
        from orchestra.execution.workers import worker_of
        from orchestra.history.ledger import HistoryLedger
        from orchestra.model.means import Means

        return Means(
            lambda task: worker_of(shop, task),
            HistoryLedger(self._project.history_path, self._build, self._notice),
            LocalMachine(slots_of(self._project), self._clock),
        )

    def _hooks(self, logs: Path) -> Hooks | None:
        """What runs the person's commands on events, where there are some."""
        project = self._project
        if not project.manifest.hooks:
            return None
        from orchestra.execution.hooks import Hooks

        commands = dict(project.manifest.hooks)
        return Hooks(commands, project.repository.root, os.environ, logs, self._clock, self._hook_failed)

    def _hook_failed(self, message: str, hint: str | None) -> None:
        if self._over:
            # `build_finished` is the last event.
            self._display.warn(f"{message} ({hint})" if hint else message)
        else:
            self._notice(message, hint)

    def _notice(self, message: str, hint: str | None) -> None:
        from orchestra.model.events import Notice

        event = Notice(self._clock.now(), self._build, message, hint)
        for listener in self._listeners:
            listener.notify(event)


def _dry_run(project: Project, request: BuildRequest, display: Display) -> int:
    """Tell what this build would do, from a simulated one."""
    from orchestra.cli.simulated import foreseen, simulate
    from orchestra.cli.tracing import trace_of

    if trace := trace_of(request.trace, display.warn):
        simulate(project, request, trace)
    if display.as_json:
        listeners, _ = display.listeners(project.manifest)
        simulate(project, request, listeners)
    else:
        from orchestra.cli.terminal import width_of
        from orchestra.reporting.dry_run import dry_run_text

        text = dry_run_text(
            foreseen(project, request), project.graph, color=display.color, width=width_of(sys.stdout)
        )
        click.echo(text)
    return ExitStatus.OK


def build_name(now: float) -> str:
    """A name for a build that sorts by time and is unique: `20261122-153000-1f2e`."""
    import secrets  # not for what a shell completes

    return f"{time.strftime('%Y%m%d-%H%M%S', time.gmtime(now))}-{secrets.token_hex(2)}"


def chosen(project: Project, request: BuildRequest) -> tuple[frozenset[str], frozenset[str]]:
    """The tasks that are selected, and those of them that run though they may be fresh."""
    selected = project.selected(request.targets) - request.without
    if not request.force:
        return selected, frozenset()
    return selected, frozenset(project.named(request.targets)) if request.targets else selected


def named(project: Project, request: BuildRequest) -> frozenset[str]:
    """The tasks that were named, which run also where they were reverted."""
    return frozenset(project.named(request.targets))


def budgeted(manifest: Manifest, usd: float | None) -> Manifest:
    """The manifest with what the command line says that a build may cost, in USD; None: as it is."""
    return manifest if usd is None else replace(manifest, limits=replace(manifest.limits, usd=usd))


def jobs_of(project: Project, request: BuildRequest) -> int:
    """How many attempts at once; without a word about it twice the cores, since agents mostly wait."""
    return request.jobs or project.manifest.limits.jobs or max(2, min(8, 2 * (os.cpu_count() or 1)))


def exit_status(finished: BuildFinished) -> int:
    """With what the command ends."""
    if finished.interrupted:
        return ExitStatus.INTERRUPTED
    return ExitStatus.OK if finished.ok else ExitStatus.FAILED
