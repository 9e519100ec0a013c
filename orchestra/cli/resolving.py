"""What `orchestra resolve` does, put together from a project and this machine: find, open, take, land, let go."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

import click

from orchestra.cli.build import Build, BuildRequest, Display
from orchestra.cli.options import Project
from orchestra.cli.workshop import environment_of, slots_of
from orchestra.execution.attempt import FAILED
from orchestra.execution.engine import BuildOrder, Engine
from orchestra.execution.environment import attempt_environment, place_variables
from orchestra.execution.local import LocalExecutor
from orchestra.execution.preflight import Preflight, check_disk
from orchestra.execution.resolve import PERSON, ByHand, ByHandExecutor
from orchestra.execution.workshop import Workshop
from orchestra.history.database import open_for_reading
from orchestra.history.ended import Ended, attempt_ended
from orchestra.integration.audit import audit
from orchestra.integration.line import Line
from orchestra.integration.reconcile import TakenUp
from orchestra.integration.refs import REJECTED
from orchestra.integration.resolve import DROPPED, Kept, Offer, attempt_order, offers
from orchestra.integration.rollback import Landings
from orchestra.model.errors import ExitStatus, OrchestraError, environment_error, usage_error
from orchestra.model.freshness import Situation, State, decide, decide_all
from orchestra.model.keys import Parts
from orchestra.model.ports import Listener, RefUpdate
from orchestra.model.rescued import RESCUED
from orchestra.model.tasks import Manifest
from orchestra.model.text import clean
from orchestra.model.trailers import read_reads, read_result_message
from orchestra.model.trees import differences
from orchestra.reporting.resolve import TAIL, Happened, Opened, opened_text, places
from orchestra.reporting.words import command as typed
from orchestra.vcs.advance import finish_or_drop, said_of, under_way
from orchestra.vcs.laying import marked_lines
from orchestra.vcs.resolving import (
    EDITED,
    FOLDER,
    RESOLVE,
    Resolution,
    Told,
    base_of,
    commits_ref,
    file_name,
    forget,
    is_as_laid,
    landed_since,
    lay_merge,
    messages_below,
    moved_on,
    note_open,
    rescue_edits,
    stand_on,
    take,
)
from orchestra.vcs.slots import Slot, SlotPool
from orchestra.vcs.spared import Spared

ROOTS = (REJECTED, FAILED, RESCUED)
"""Where results are kept that did not land."""

LOG_BYTES = 2**16
"""So much of the end of a log is read for its last lines."""

HEADING = "== "
"""How a log begins what it says of the command that comes."""

Notice = Callable[[str, str | None], None]


# --- what there is ---------------------------------------------------------------------------------------------


def offered_in(project: Project) -> Mapping[str, Offer]:
    """By task, what could be resolved."""
    decisions = decide_all(project.situation())
    landings = Landings(project.repository, project.begin.tip)

    def landed(task: str) -> str | None:
        found = landings.newest(task)
        return found.attempt if found is not None else None

    undone = {
        name
        for name, decision in decisions.items()
        if not decision.settled and not project.graph.task(name).claims.is_check
    }
    return offers(_kept(project), ROOTS, lambda attempt: _task_of(project, attempt), landed, undone)


def offer_of(project: Project, task: str) -> Offer:
    """What could be resolved of one task; raises OrchestraError where there is nothing."""
    (name,) = project.named((task,))
    found = offered_in(project).get(name)
    if found is not None:
        return found
    if project.graph.task(name).claims.is_check:
        raise usage_error(
            f"`{name}` is a check task: it writes nothing that could land",
            hint=typed("orchestra", "build", name),
        )
    state = decide_all(project.situation())[name].state
    if state in (State.FRESH, State.REVERTED):
        raise usage_error(
            f"`{name}` is {state}: nothing is to be resolved", hint="orchestra resolve lists what is"
        )
    raise usage_error(
        f"no result of `{name}` is kept that did not land", hint=typed("orchestra", "build", name)
    )


def what_happened(project: Project, offer: Offer) -> Happened:
    """What became of the attempt, as far as the history knows."""
    ended = _ended(project, offer.attempt)
    if ended is None:
        return Happened("rejected" if offer.ref.startswith(REJECTED) else "failed")
    return Happened(ended.kind, ended.why, ended.paths, _tail(ended.log), ended.log, ended.hint)


def _kept(project: Project) -> list[Kept]:
    return [Kept(*fields) for fields in messages_below(project.repository, *ROOTS)]


def _task_of(project: Project, attempt: str) -> str | None:
    ended = _ended(project, attempt)
    return ended.task if ended is not None else None


def _ended(project: Project, attempt: str) -> Ended | None:
    history = open_for_reading(project.history_path)
    if history is None:
        return None
    with history:
        return attempt_ended(history, attempt)


def _tail(log: str) -> tuple[str, ...]:
    """The last lines of a log, as far as it is there, of what its last command printed."""
    try:
        with Path(log).open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - LOG_BYTES))
            lines = file.read().decode("utf-8", "surrogateescape").splitlines()
    except OSError:
        return ()
    last = max((number for number, line in enumerate(lines) if line.startswith(HEADING)), default=-1)
    return tuple(lines[last + 1 :][-TAIL:])


# --- opening ---------------------------------------------------------------------------------------------------


def pool_of(project: Project, task: str) -> SlotPool:
    """The one worktree in which a task is resolved, made and set up as slots are."""
    repository = project.repository
    return SlotPool(
        repository.command,
        repository.root,
        repository.common_dir,
        slots_of(project) / FOLDER,
        project.manifest.worktrees,
        lambda slot, attempt: None,
        file_name(task),
    )


def open_one(project: Project, offer: Offer, notice: Notice) -> Resolution:
    """Make a worktree on the tip with the result merged in, conflicts and all. What `setup` prints goes to the person.

    Raises OrchestraError where it cannot be made.
    """
    repository, begin = project.repository, project.begin
    parents = repository.parents(offer.commit)
    if not parents:
        raise environment_error(f"{offer.ref} holds no result: it has no parent")
    folder = slots_of(project) / FOLDER
    check_disk(folder, project.manifest.limits.disk)
    pool = pool_of(project, offer.task)
    slot = pool.prepare(0, begin.tip)
    _set_up(project, pool, slot, offer, notice)
    repository.update_refs((RefUpdate(RESOLVE + file_name(offer.task), offer.commit, force=True),))
    spared = pool.spared(slot)
    names = _names(project, offer.task)
    laid = lay_merge(repository, slot, spared, parents[0], begin.tip, offer.commit, names)
    told = Told(
        offer.task,
        offer.attempt,
        offer.ref,
        offer.commit,
        begin.tip,
        laid.tree,
        laid.conflicts,
        begin.target.branch,
        str(repository.root),
    )
    return note_open(repository, slot, told)


def opened_words(project: Project, resolution: Resolution, *, anew: bool) -> str:
    """What is said of an open worktree."""
    repository, told = project.repository, resolution.told
    happened = what_happened(project, Offer(told.task, told.attempt, told.ref, told.result))
    if told.conflicts:
        (base, *_) = repository.parents(told.result)
        landed = landed_since(repository, base, told.base, told.conflicts)
        # What conflicts is to be read in the worktree itself.
        happened = Happened(happened.kind, happened.why, happened.paths, landed=landed)
    markers = marked_lines(repository, resolution.slot, told.conflicts, told.base, told.result)
    changed = len(differences(repository.tree(told.base), repository.tree(told.laid)))
    opened = Opened(
        told.task, str(resolution.slot.path), told.base, told.branch, markers, told.conflicts, changed
    )
    return opened_text(opened, happened, anew=anew)


def _names(project: Project, task: str) -> tuple[str, str]:
    """By what the markers name the two sides: the branch, and what is resolved."""
    branch = project.begin.target.branch
    ours = branch.removeprefix("refs/heads/") if branch is not None else "HEAD"
    return ours, (RESOLVE + file_name(task)).removeprefix("refs/")


def _set_up(project: Project, pool: SlotPool, slot: Slot, offer: Offer, notice: Notice) -> None:
    """Run `worktrees.setup` where it is due; that it fails keeps nobody from mending a result."""
    repository, command = project.repository, project.manifest.worktrees.setup
    mark = pool.setup_due(slot, lambda: repository.tree(project.begin.tip))
    if mark is None or command is None:
        return
    click.echo(f"setting up: {clean(command)}")
    place = place_variables(
        task=offer.task, build="resolve", attempt=offer.attempt, root=repository.root, slot=slot.number
    )
    env = attempt_environment(os.environ, repository.root, sets=place.items())
    before = pool.untracked(slot)
    done = subprocess.run(["sh", "-c", "--", command], cwd=slot.path, env=env, check=False)
    if done.returncode != 0:
        notice(f"`{clean(command)}` ended with status {done.returncode}", "set the worktree up yourself")
    pool.setup_done(slot, mark, before, pristine=True)


# --- going on --------------------------------------------------------------------------------------------------


def taken(project: Project, resolution: Resolution) -> ByHand:
    """What the person made, captured, without markers and within the claims.

    Where the branch moved on and meets it, that is laid out in the worktree. Raises OrchestraError (exit status 1)
    where the person has to look first.
    """
    repository, slot, told = project.repository, resolution.slot, resolution.told
    if not resolution.there:
        raise OrchestraError(
            f"{slot.path} was deleted",
            ExitStatus.FAILED,
            hint=f"{typed('orchestra', 'resolve', told.task)} opens it anew",
        )
    what = under_way(slot.git_dir)
    if what is not None:
        raise environment_error(said_of(what, slot.path), hint=finish_or_drop(what))
    spared, tip = pool_of(project, told.task).spared(slot), project.begin.tip
    base = base_of(repository, resolution, tip)
    result = take(repository, resolution, base, spared)
    again = typed("orchestra", "resolve", "--continue", told.task)
    changes = differences(repository.tree(base), repository.tree(result))
    changed = tuple(dict.fromkeys((*told.conflicts, *(change.path for change in changes))))
    marked = marked_lines(repository, slot, changed, base, tip, told.result)
    if marked:
        raise OrchestraError(
            f"conflict markers are left in {slot.path}",
            ExitStatus.FAILED,
            causes=tuple(f"{path}:{line}" for path, line in marked[:TAIL]),
            hint=f"bring both sides together there, then: {again}",
        )
    task = project.graph.task(told.task)
    violation = audit(task, changes, project.manifest, repository.tree(result))
    if violation is not None:
        raise OrchestraError(
            f"`{told.task}` {violation.why}: {', '.join(violation.paths[:5])}",
            ExitStatus.FAILED,
            hint=f"{violation.hint}, or change it back in {slot.path}; then: {again}",
        )
    if base != tip:
        _follow(project, resolution, base, result, spared, again)
    message = repository.message(told.result)
    return ByHand(base, result, read_result_message(message)[1], read_reads(message))


def _follow(
    project: Project, resolution: Resolution, base: str, result: str, spared: Spared, again: str
) -> None:
    """Where what the branch got since the base is news to what the person made, lay it out and raise OrchestraError."""
    repository, slot, tip = project.repository, resolution.slot, project.begin.tip
    task = resolution.told.task
    merged = repository.merge(base, tip, result)
    before, now = _parts(project, task, base), _parts(project, task, tip)
    news = sorted(
        path for path in {*before.inputs, *now.inputs} if before.inputs.get(path) != now.inputs.get(path)
    )
    if merged.tree is not None and not news and before.needs == now.needs:
        return
    names = (_names(project, task)[0], EDITED.removeprefix("refs/") + resolution.name)
    laid = lay_merge(repository, slot, spared, base, tip, result, names)
    stand_on(repository, slot, tip)
    moved = note_open(repository, slot, moved_on(resolution, tip, laid))
    branch = (project.begin.target.branch or "HEAD").removeprefix("refs/heads/")
    if laid.conflicts:
        markers = marked_lines(repository, slot, laid.conflicts, tip, result)
        raise OrchestraError(
            f"{branch} moved on meanwhile, and meets what you made",
            ExitStatus.FAILED,
            causes=tuple(places(markers, laid.conflicts)),
            hint=f"bring both together in {moved.slot.path}, then: {again}",
        )
    what = ", ".join(news[:5]) or "what it needs"
    raise OrchestraError(
        f"{branch} moved on meanwhile, and with it what `{task}` reads: {what}",
        ExitStatus.FAILED,
        hint=f"it is in {moved.slot.path} now: see whether your work still fits, then: {again}",
    )


def _parts(project: Project, task: str, commit: str) -> Parts:
    """What an attempt at the task that starts from the commit would see."""
    line = Line(project.repository, commit, observes=project.manifest.observes)
    at = Situation(project.manifest, project.graph, line.tree, line.entries)
    return decide(project.graph.task(task), at, forced=True).attempted


class _Shown(Display):
    """The display of a build, that says how to go on with what a person resolves."""

    def __init__(self, place: str) -> None:
        super().__init__(as_json=False, silent=False, verbosity=0)
        self._place = place

    def listeners(self, manifest: Manifest) -> tuple[list[Listener], Callable[[], str]]:
        """See Display."""
        from orchestra.reporting.summary import SummaryCollector

        found, _ = super().listeners(manifest)
        summary = SummaryCollector(resolved_in=self._place)
        return [summary, *found[1:]], lambda: summary.text(self.color)


class Resolving(Build):
    """The build that lands what a person made of one task's result."""

    def __init__(self, project: Project, resolution: Resolution, by_hand: ByHand) -> None:
        super().__init__(project, BuildRequest(), _Shown(str(resolution.slot.path)))
        self._task = resolution.told.task
        self._by_hand = by_hand

    def _order(self, begin: TakenUp) -> BuildOrder:
        # Of what it needs nothing is built: what that left is what the person saw.
        only = frozenset((self._task,))
        project = self._project
        return BuildOrder(
            self._build,
            project.manifest,
            project.graph,
            only,
            begin.target,
            begin.tip,
            1,
            forced=only,
            named=only,
            environment=environment_of(project),
            agents=lambda name: PERSON,
        )

    def _engine(self, order: BuildOrder, shop: Workshop, executor: LocalExecutor) -> Engine:
        project = self._project
        preflight = Preflight(
            shop,
            order.target.branch if order.target.advance else None,
            slots_of(project),
            (),
            self._notice,
            disk=project.manifest.limits.disk,
            unseen=False,
        )
        by_hand = ByHandExecutor(executor, self._by_hand)
        return Engine(
            order,
            project.repository,
            by_hand,
            self._clock,
            self._listeners,
            lambda stale: preflight.check(()),
        )


# --- the end ---------------------------------------------------------------------------------------------------


def close_landed(project: Project, resolution: Resolution, by_hand: ByHand, spared: Spared) -> list[str]:
    """Remove the worktree of what has landed; gives what is to be said about it."""
    repository = project.repository
    said: list[str] = []
    commits = commits_ref(resolution)
    if repository.resolve(commits) is not None:
        said.append(f"your commits there are kept: {typed('git', 'log', commits)}")
    if resolution.there and not is_as_laid(repository, resolution, by_hand.result, spared):
        kept = rescue_edits(repository, resolution, spared)
        said += [f"what you changed there meanwhile is kept: {clean(kept)}"] if kept else []
    forget(repository, resolution)
    repository.update_refs((RefUpdate(EDITED + resolution.name, None, force=True),))
    return said


def spared_of(project: Project, resolution: Resolution) -> Spared:
    """What is no part of a person's work in the worktree."""
    return pool_of(project, resolution.told.task).spared(resolution.slot)


def drop_offers(project: Project, task: str) -> tuple[str, ...]:
    """Let all go that could be resolved of a task: kept under other refs, which are given, the newest last."""
    repository = project.repository
    known: list[tuple[str, str, str]] = []
    for kept in _kept(project):
        attempt = kept.ref.removeprefix(next(root for root in ROOTS if kept.ref.startswith(root)))
        if task == (read_result_message(kept.message)[0] or _task_of(project, attempt)):
            known.append((attempt, kept.ref, kept.commit))
    known.sort(key=lambda one: attempt_order(one[0]))
    updates = [
        update
        for attempt, ref, commit in known
        for update in (RefUpdate(DROPPED + attempt, commit, force=True), RefUpdate(ref, None, commit))
    ]
    repository.update_refs(tuple(updates))
    return tuple(DROPPED + attempt for attempt, _, _ in known)
