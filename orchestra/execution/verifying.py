"""One verification as a sequence of commands in a slot: a generator, as the steps of an attempt are."""

from __future__ import annotations

from collections.abc import Generator

from orchestra.execution.commands import LONGEST, Command, ending, shell, why
from orchestra.execution.environment import attempt_environment, place_variables
from orchestra.execution.log import AttemptLog
from orchestra.execution.workshop import Workshop
from orchestra.model.errors import OrchestraError
from orchestra.model.outcomes import Exit
from orchestra.model.ports import VerifyEnded, VerifyOrder

VerifySteps = Generator[Command, Exit, VerifyEnded]


def verify_steps(
    workshop: Workshop, order: VerifyOrder, number: int, log: AttemptLog, began: float
) -> VerifySteps:
    """The steps of a verification: prepare the slot at the commit, set it up, run the project's command."""

    def ended(passed: bool | None, detail: str = "") -> VerifyEnded:
        seconds = workshop.clock.monotonic() - began
        return VerifyEnded(order.name, passed, detail, log.tail, str(log.path), seconds)

    try:
        slot = workshop.pool.prepare(number, order.commit)
        place = place_variables(
            task=order.task or "",
            build=workshop.build,
            attempt=f"{workshop.build}-{order.name}",
            root=workshop.repository.root,
            slot=slot.number,
        )
        env = attempt_environment(workshop.environ, workshop.repository.root, sets=place.items())
        mark = workshop.pool.setup_due(slot, lambda: workshop.repository.tree(order.commit))
        if mark is not None:
            before = workshop.pool.untracked(slot)
            setup = shell(workshop.setup)
            log.phase("setup", workshop.setup)
            done = yield Command("setup", setup, slot.path, env, LONGEST)
            if not done.ok:
                no_verdict = done.interrupted or done.starved or done.problem
                return ended(None if no_verdict else False, f"`{workshop.setup}`: {ending(done)}")
            workshop.pool.setup_done(slot, mark, before, pristine=True)
    except OrchestraError as error:
        # No verdict: the environment failed, not the commit.
        log.line(why(error))
        return ended(None, why(error))
    log.phase("verify", order.command)
    invocation = shell(order.command)
    exited = yield Command("verify", invocation, slot.path, env, LONGEST)
    if exited.interrupted:
        return ended(None, "interrupted")
    if exited.starved or exited.problem:
        # It was not carried out: that says nothing of the commit.
        return ended(None, ending(exited))
    return ended(exited.ok, "" if exited.ok else ending(exited))
