"""`orchestra rollback`: takes landed results back by a new, verified commit; they then count as reverted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from orchestra.cli.options import Project, Settings, common_options
from orchestra.model.errors import ExitStatus, OrchestraError, environment_error, usage_error
from orchestra.model.text import clean

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestra.integration.green import Green
    from orchestra.integration.rollback import Landing, Landings
    from orchestra.integration.verify import Verdict


@dataclass(frozen=True, slots=True)
class _Plan:
    """What is to be done: the commit that the branch is to move to, what goes with it, in words, and what is said
    where that fails. `anew`: what is remembered of its verification does not count.
    """

    commit: str
    tasks: tuple[str, ...]
    commits: tuple[str, ...]
    done: str
    failed: str
    hint: str | None = None
    anew: bool = False


@click.command("rollback")
@click.argument("targets", nargs=-1, metavar="[TASK]...")
@click.option("--build", "build", metavar="ID|last", help="Take back all that this build landed.")
@click.option("--to-green", is_flag=True, help="Go back to the last commit that is known to pass `verify`.")
@click.option("--with-dependents", is_flag=True, help="Take back also what needs them.")
@click.option("--with-commits", is_flag=True, help="With --to-green: take back your own commits since, too.")
@click.option("-n", "--dry-run", is_flag=True, help="Show what would be taken back, and change nothing.")
@common_options
@click.pass_obj
def command(
    settings: Settings,
    targets: tuple[str, ...],
    build: str | None,
    to_green: bool,
    with_dependents: bool,
    with_commits: bool,
    dry_run: bool,
    directory: str | None,
    file: str | None,
    debug: bool,
) -> int:
    """Take back what TASKs landed, by a new commit on your branch that passed `verify`.

    They count as reverted then: no build makes them again until you name them or change their prompts. Ends with 1,
    and changes nothing, where later work overlaps with theirs or the tree without them fails.
    """
    from orchestra.execution.lock import BuildLock

    if bool(targets) + (build is not None) + to_green != 1:
        raise usage_error(
            "name tasks or a build", hint="orchestra rollback TASK..., or: orchestra rollback --build last"
        )
    if with_commits and not to_green:
        raise usage_error(
            "--with-commits goes with --to-green", hint="git revert takes back commits of your own"
        )
    project = Project(settings, directory=directory, file=file)
    with BuildLock(project.lock_path):
        branch, head = _branch(project)
        if to_green:
            plan = _to_green(project, branch, head, with_commits=with_commits, dry_run=dry_run)
        else:
            chosen = _chosen(project, branch, head, targets, build, with_dependents=with_dependents)
            for each in chosen.values():
                _say(each.task, each.title, each.commit, dry_run=dry_run)
            plan = _without(project, branch, head, chosen)
        if plan is None or dry_run:
            return ExitStatus.OK
        return _land(project, branch, head, plan)


def _branch(project: Project) -> tuple[str, str]:
    """The branch from which something is taken back, and its commit."""
    branch = project.begin.target.branch
    if branch is None:
        raise environment_error(
            "HEAD is detached: there is no branch to take something back from", hint="git switch BRANCH"
        )
    head = project.repository.resolve(branch)
    if head is None:
        raise environment_error(f"{branch} is gone")
    return branch, head


# --- what goes -------------------------------------------------------------------------------------------------


def _chosen(
    project: Project,
    branch: str,
    head: str,
    targets: tuple[str, ...],
    build: str | None,
    *,
    with_dependents: bool,
) -> Mapping[str, Landing]:
    """The landings that are to go, by task. Raises OrchestraError where that cannot be."""
    from orchestra.integration.rollback import LAST, Landings, dependents

    landings = Landings(project.repository, head)
    waiting = None
    if project.begin.tip != head:
        # An earlier build's tip has not reached the branch: what landed there cannot be taken back from here.
        waiting = Landings(project.repository, project.begin.tip)
    names = project.named(targets)
    for name in names:
        _refuse_waiting(project, branch, landings, waiting, name)
    if build == LAST and waiting is not None:
        last = waiting.of_build(LAST)
        _refuse_waiting(project, branch, landings, waiting, last[0].task)
    chosen = {each.task: each for each in landings.of_build(build)} if build else {}
    chosen |= {name: landings.of(name) for name in dict.fromkeys(names)}
    needing = dependents(project.repository, head, project.graph, chosen)
    if needing and not with_dependents:
        raise usage_error(
            f"{', '.join(needing)} needs what would go",
            hint="name it too, or let all of them go: --with-dependents",
        )
    chosen |= {name: landings.of(name) for name in needing}
    for name in chosen:
        _refuse_waiting(project, branch, landings, waiting, name)
    return chosen


def _refuse_waiting(
    project: Project, branch: str, landings: Landings, waiting: Landings | None, task: str
) -> None:
    """Raise OrchestraError where a task's newest landing waits on the tip of an earlier build."""
    there = waiting.newest(task) if waiting is not None else None
    here = landings.newest(task)
    if there is not None and (here is None or here.commit != there.commit):
        raise _not_arrived(project, branch, f"`{task}` has landed")


def _not_arrived(project: Project, branch: str, what: str) -> OrchestraError:
    name, parked = branch.removeprefix("refs/heads/"), project.begin.target.parked
    where = parked or project.begin.tip[:7]
    drop = f", or let all of it go: git branch -D {parked}" if parked else ""
    return OrchestraError(
        f"{what} on {where}, which has not reached {name}",
        ExitStatus.FAILED,
        hint=f"bring it there first: orchestra build{drop}",
    )


def _without(project: Project, branch: str, head: str, chosen: Mapping[str, Landing]) -> _Plan:
    """The branch without these landings."""
    from orchestra.integration.rollback import take_back

    _preflight(project, branch)
    commit = take_back(project.repository, head, chosen.values())
    return _Plan(
        commit,
        tuple(chosen),
        (),
        f"without {', '.join(chosen)}",
        "fails without them",
        "what else has to go?",
    )


def _to_green(project: Project, branch: str, head: str, *, with_commits: bool, dry_run: bool) -> _Plan | None:
    """The branch as it was when it last passed, as far as the person lets that be; None where it passes."""
    from orchestra.integration.green import green_message, last_green
    from orchestra.integration.rollback import Landings
    from orchestra.model.ports import CommitRequest

    repository, name = project.repository, branch.removeprefix("refs/heads/")
    if project.manifest.integrate.verify is None:
        raise usage_error(
            "nothing says which commit is good",
            hint="set `integrate.verify` in orchestra.yaml, or name tasks",
        )
    green = last_green(repository, head, lambda commit: _is_green(project, commit))
    if green is None:
        raise OrchestraError(
            f"no commit of {name} is known to pass `{project.manifest.integrate.verify}`",
            ExitStatus.FAILED,
            hint="take back what landed last: orchestra rollback --build last",
        )
    if not green.since:
        if project.begin.tip != head:
            raise _not_arrived(project, branch, f"{name} passes; what fails has landed")
        click.echo(f"{name} passes at {head[:7]}: there is nothing to take back")
        return None
    landings = Landings(repository, head)
    since = {one.commit for one in green.since}
    landed = {
        task: found
        for task in project.graph.order
        if (found := landings.newest(task)) is not None and found.commit in since
    }
    if green.own and not with_commits:
        return _keeping_own(project, branch, head, green, landed, dry_run=dry_run)
    for one in green.since:
        _say("" if one.own else "landed", one.title, one.commit, dry_run=dry_run)
    _preflight(project, branch)
    commit = repository.commit(CommitRequest(green.commit, (head,), green_message(green)))
    return _Plan(
        commit,
        tuple(landed),
        tuple(one.commit for one in green.own),
        f"as it was at {green.commit[:7]}",
        f"passed at {green.commit[:7]}, and fails there now",
        "what came since is not to blame: look at what changed around it",
        anew=True,
    )


def _keeping_own(
    project: Project, branch: str, head: str, green: Green, landed: Mapping[str, Landing], *, dry_run: bool
) -> _Plan:
    """The branch without what landed since it passed, and with the person's commits; these go only if they say so."""
    too = f"{green.typed} ({green.words})"
    if not landed:
        raise OrchestraError(
            f"only commits of yours came since {green.commit[:7]}, the last that passed",
            ExitStatus.FAILED,
            causes=tuple(f"{one.commit[:7]} {one.title}" for one in green.own[:10]),
            hint=f"mend them, or take them back too: {too}",
        )
    for each in landed.values():
        _say(each.task, each.title, each.commit, dry_run=dry_run)
    for one in green.own:
        click.echo(f"{'would keep' if dry_run else 'keeping'} your commit: {one.title} ({one.commit[:7]})")
    plan = _without(project, branch, head, landed)
    return _Plan(
        plan.commit, plan.tasks, (), plan.done, "fails without them too", f"take back your commits too: {too}"
    )


def _is_green(project: Project, commit: str) -> bool:
    """Whether a green verdict is remembered of a commit's tree."""
    from orchestra.cli.workshop import environment_of
    from orchestra.integration.line import verdict_ref

    command = project.manifest.integrate.verify
    assert command is not None
    ref = verdict_ref(project.repository.tree(commit), command, environment_of(project))
    return project.repository.resolve(ref) is not None


def _say(task: str, title: str, commit: str, *, dry_run: bool) -> None:
    what = f"{'would take' if dry_run else 'taking'} back {task or 'your commit'}"
    click.echo(f"{what}: {clean(title)} ({commit[:7]})")


def _preflight(project: Project, branch: str) -> None:
    from orchestra.execution.preflight import check_checkout, check_identity, check_signing

    check_identity(project.repository)
    check_signing(project.repository)
    check_checkout(project.repository, branch)


# --- how it lands ----------------------------------------------------------------------------------------------


def _land(project: Project, branch: str, head: str, plan: _Plan) -> int:
    """Verify the commit and move the branch there, or change nothing."""
    name = branch.removeprefix("refs/heads/")
    command = project.manifest.integrate.verify
    if command is not None:
        click.echo(f"verifying: {clean(command)}")
        verdict = _verdict(project, plan.commit, anew=plan.anew)
        if verdict.passed is None and verdict.detail:
            raise environment_error(
                f"it could not be verified: {verdict.detail}", hint=f"{name} stays where it is"
            )
        if verdict.passed is None:
            raise OrchestraError(
                "interrupted before there was a verdict",
                ExitStatus.INTERRUPTED,
                hint=f"{name} stays where it is",
            )
        if not verdict.passed:
            click.echo("\n".join(clean(line) for line in verdict.tail))
            hints = (f"see {verdict.log}" if verdict.log else "", plan.hint or "")
            raise OrchestraError(
                f"`{command}` {plan.failed}: {name} stays where it is",
                ExitStatus.FAILED,
                hint="; ".join(filter(None, hints)),
            )
    done = project.repository.advance(branch, head, plan.commit)
    if not done.done:
        raise _not_advanced(name, done.in_the_way, done.moved_to, done.message)
    _record(project, branch, head, plan, verified=command is not None)
    verified = "" if command is not None else ", not verified (`integrate.verify` is not set)"
    click.echo(f"{name} is at {plan.commit[:7]} {plan.done}{verified}")
    return ExitStatus.OK


def _record(project: Project, branch: str, head: str, plan: _Plan, *, verified: bool) -> None:
    """Write it into the history; that this fails undoes nothing."""
    import time

    from orchestra.history.rollbacks import RollbackRecord, record_rollback

    record = RollbackRecord(time.time(), branch, head, plan.commit, plan.tasks, plan.commits, verified)
    problem = record_rollback(project.history_path, record)
    if problem is not None:
        click.echo(f"warning: {problem}", err=True)


def _not_advanced(
    branch: str, in_the_way: tuple[str, ...], moved_to: str | None, message: str
) -> OrchestraError:
    if in_the_way:
        what = f"your files are in the way: {', '.join(in_the_way[:5])}"
        hint = "commit, stash or move them, then call this again"
    else:
        what = f"it moved to {moved_to[:7]} meanwhile" if moved_to else message or "it is gone"
        hint = "call this again"
    return OrchestraError(f"{branch} stays where it is: {what}", ExitStatus.FAILED, hint=hint)


def _verdict(project: Project, commit: str, *, anew: bool) -> Verdict:
    """What the project's verification says of a commit."""
    from orchestra.cli.build import build_name
    from orchestra.cli.clock import SystemClock
    from orchestra.cli.workshop import environment_of, make_workshop
    from orchestra.execution.local import LocalExecutor
    from orchestra.integration.verify import Verdict, Verifier
    from orchestra.model.ports import Interrupted, VerifyEnded

    clock = SystemClock()
    name = f"rollback-{build_name(clock.now())}"
    shop = make_workshop(project, name, clock, lambda message, hint: click.echo(message, err=True))
    logs = project.repository.state_folder / "builds" / name
    with LocalExecutor(shop, logs) as executor:
        verifier = Verifier(
            project.repository,
            executor,
            clock,
            name,
            lambda event: None,
            command=project.manifest.integrate.verify,
            environment=environment_of(project),
        )
        verdict = verifier.begin(commit, None, anew=anew)
        stopped = 0
        while verdict is None:
            for happening in executor.poll():
                if isinstance(happening, Interrupted):
                    stopped += 1
                    executor.stop(now=stopped > 1)
                elif isinstance(happening, VerifyEnded):
                    verdict = Verdict(None) if stopped else verifier.ended(happening)
        return verdict
