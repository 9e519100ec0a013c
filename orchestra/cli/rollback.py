"""`orchestra rollback`: takes landed results back by a new, verified commit; they then count as reverted."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from orchestra.cli.options import Project, Settings, common_options
from orchestra.model.errors import ExitStatus, OrchestraError, environment_error, usage_error
from orchestra.model.text import clean

if TYPE_CHECKING:
    from orchestra.integration.rollback import Landing
    from orchestra.integration.verify import Verdict


@click.command("rollback")
@click.argument("targets", nargs=-1, metavar="[TASK]...")
@click.option("--build", "build", metavar="ID|last", help="Take back all that this build landed.")
@click.option("--with-dependents", is_flag=True, help="Take back also what needs them.")
@click.option("-n", "--dry-run", is_flag=True, help="Show what would be taken back, and change nothing.")
@common_options
@click.pass_obj
def command(
    settings: Settings,
    targets: tuple[str, ...],
    build: str | None,
    with_dependents: bool,
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
    from orchestra.integration.rollback import Landings, dependents, take_back

    if bool(targets) == (build is not None):
        raise usage_error(
            "name tasks or a build", hint="orchestra rollback TASK..., or: orchestra rollback --build last"
        )
    project = Project(settings, directory=directory, file=file)
    with BuildLock(project.lock_path):
        branch, head = _branch(project)
        landings = Landings(project.repository, head)
        chosen = {each.task: each for each in landings.of_build(build)} if build else {}
        chosen |= {name: landings.of(name) for name in dict.fromkeys(project.named(targets))}
        needing = dependents(project.repository, head, project.graph, chosen)
        if needing and not with_dependents:
            raise usage_error(
                f"{', '.join(needing)} needs what would go",
                hint="name it too, or let all of them go: --with-dependents",
            )
        chosen |= {name: landings.of(name) for name in needing}
        for each in chosen.values():
            click.echo(
                f"{'would take' if dry_run else 'taking'} back {each.task}: {clean(each.title)} ({each.commit[:7]})"
            )
        _preflight(project, branch)
        commit = take_back(project.repository, head, chosen.values())
        if dry_run:
            return ExitStatus.OK
        return _land(project, branch, head, commit, tuple(chosen.values()))


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


def _preflight(project: Project, branch: str) -> None:
    from orchestra.execution.preflight import check_checkout, check_identity, check_signing

    check_identity(project.repository)
    check_signing(project.repository)
    check_checkout(project.repository, branch)


def _land(project: Project, branch: str, head: str, commit: str, landings: tuple[Landing, ...]) -> int:
    """Verify the commit and move the branch there, or change nothing."""
    name = branch.removeprefix("refs/heads/")
    command = project.manifest.integrate.verify
    if command is not None:
        click.echo(f"verifying: {clean(command)}")
        verdict = _verdict(project, commit)
        if verdict.passed is None:
            raise OrchestraError(
                "interrupted before there was a verdict",
                ExitStatus.INTERRUPTED,
                hint=f"{name} stays where it is",
            )
        if not verdict.passed:
            click.echo("\n".join(clean(line) for line in verdict.tail))
            raise OrchestraError(
                f"`{command}` fails without them: {name} stays where it is",
                ExitStatus.FAILED,
                hint=f"see {verdict.log}; what else has to go?" if verdict.log else None,
            )
    done = project.repository.advance(branch, head, commit)
    if not done.done:
        raise _not_advanced(name, done.in_the_way, done.moved_to, done.message)
    verified = "" if command is not None else ", not verified (`integrate.verify` is not set)"
    click.echo(f"{name} is at {commit[:7]} without {', '.join(each.task for each in landings)}{verified}")
    return ExitStatus.OK


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


def _verdict(project: Project, commit: str) -> Verdict:
    """What the project's verification says of a commit."""
    from orchestra.cli.build import SystemClock, build_name
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
        verdict = verifier.begin(commit, None)
        stopped = 0
        while verdict is None:
            for happening in executor.poll():
                if isinstance(happening, Interrupted):
                    stopped += 1
                    executor.stop(now=stopped > 1)
                elif isinstance(happening, VerifyEnded):
                    verdict = Verdict(None) if stopped else verifier.ended(happening)
        return verdict
