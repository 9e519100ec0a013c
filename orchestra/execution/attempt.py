"""One attempt and one verification as sequences of commands in a slot.

Each is a generator: it yields the command that is to be carried out next, is sent how that ended, and returns
how it all ended. Waiting is the executor's affair; what happens in which order is told here from top to bottom.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Generator
from dataclasses import dataclass
from math import inf
from pathlib import Path

from orchestra.execution.environment import attempt_environment, place_variables
from orchestra.execution.log import AttemptLog
from orchestra.execution.workshop import Workshop
from orchestra.model.agents import Invocation, Judgement, Order, Session
from orchestra.model.errors import ExitStatus, OrchestraError
from orchestra.model.outcomes import Exit, Fault, Outcome, Phase
from orchestra.model.ports import AttemptEnded, AttemptOrder, VerifyEnded, VerifyOrder
from orchestra.model.tasks import AgentSpec
from orchestra.model.trailers import result_message
from orchestra.vcs.capture import Captured, capture
from orchestra.vcs.command import may_pass
from orchestra.vcs.slots import Slot

FAILED = "refs/orchestra/failed/"
NOTHING = Captured(None)
LONGEST = 3600.0
"""Seconds after which a setup or a verification is taken to hang."""


@dataclass(frozen=True, slots=True)
class Command:
    """A command to carry out in a slot, for at most `timeout` seconds, of which `stall` without any sign of life;
    `session` reads its output.
    """

    phase: str
    invocation: Invocation
    cwd: Path
    env: dict[str, str]
    timeout: float
    session: Session | None = None
    stall: float = inf


Steps = Generator[Command, Exit, AttemptEnded]
VerifySteps = Generator[Command, Exit, VerifyEnded]


class _SetupFailedError(Exception):
    """`worktrees.setup` did not succeed."""

    def __init__(self, command: str, ended: Exit) -> None:
        super().__init__(f"`{command}` (worktrees.setup): {ending(ended)}")
        self.ended = ended
        self.fault = Fault.ENVIRONMENT if ended.starved or ended.transient else Fault.PROJECT


def ending(ended: Exit) -> str:
    """How a command ended, in words."""
    if ended.stopped == "timeout":
        return "took too long and was stopped"
    if ended.stopped == "stall":
        return "did nothing any more and was stopped"
    if ended.stopped is not None:
        return f"stopped: {ended.stopped}"
    return ended.problem or ended.describe()


class AttemptSteps:
    """The steps of one attempt."""

    def __init__(
        self,
        workshop: Workshop,
        order: AttemptOrder,
        number: int,
        log: AttemptLog,
        began: Callable[[str], None],
    ) -> None:
        """`number` is the slot to work in; `began` is told each phase."""
        self._workshop = workshop
        self._order = order
        self._number = number
        self._log = log
        self._began = began
        self._phases: list[Phase] = []
        self._phase: tuple[str, float] | None = None
        self._exits: list[Exit] = []
        self._may_pass = False  # what failed beside the commands may be over soon

    def steps(self) -> Steps:
        """Prepare the slot, set it up, let the agent work, check, capture."""
        task, shop = self._order.task, self._workshop
        spec = shop.agent_of(task)
        agent = shop.adapter_of(task, spec)
        try:
            self._enter("prepare")
            slot = shop.pool.prepare(self._number, self._order.base)
            env = self._environment(spec, slot)
            mark = shop.pool.setup_due(slot, lambda: shop.repository.tree(self._order.base))
            if mark is not None:
                yield from self._setup(slot, mark, env, pristine=True)
            shop.pool.mark_in_use(slot, self._order.attempt)
            session = agent.open(self._agent_order(slot))
        except _SetupFailedError as error:
            return self._not_started(error.fault, str(error), error.ended)
        except OrchestraError as error:
            return self._not_started(Fault.ENVIRONMENT, self._noted(error))
        exited = yield self._command("agent", session.invocation, slot, env, session)
        self._exits.append(exited)
        judged = session.judge(exited)
        ended = self._ending_of(exited, judged)
        if ended is None and task.check is not None:
            try:
                mark = shop.pool.setup_due(slot)
                if mark is not None:
                    yield from self._setup(slot, mark, env, pristine=False)
            except _SetupFailedError as error:
                ended = self._ending_of_setup(error)
                return self._keep_failed(slot, judged, agent.traits.told, *ended)
            except OrchestraError as error:
                ended = Outcome.CHECK_FAILED, Fault.ENVIRONMENT, self._noted(error)
                return self._keep_failed(slot, judged, agent.traits.told, *ended)
            check = Invocation(("sh", "-c", "--", task.check))
            checked = yield self._command("check", check, slot, env)
            self._exits.append(checked)
            ended = self._ending_of_check(checked, task.check, judged)
        if ended is not None:
            return self._keep_failed(slot, judged, agent.traits.told, *ended)
        return self._captured(slot, judged, told=agent.traits.told)

    # --- within ----------------------------------------------------------------------------------------------

    def _noted(self, error: OrchestraError) -> str:
        """An error in one line; whether it may be over soon is kept in mind."""
        self._may_pass = may_pass(error)
        return _why(error)

    def _enter(self, phase: str | None) -> None:
        now = self._workshop.clock.now()
        if self._phase is not None:
            self._phases.append(Phase(self._phase[0], self._phase[1], now))
        self._phase = (phase, now) if phase is not None else None
        if phase is not None:
            self._began(phase)

    def _environment(self, spec: AgentSpec | None, slot: Slot) -> dict[str, str]:
        task, shop = self._order.task, self._workshop
        place = place_variables(
            task=task.name,
            build=shop.build,
            attempt=self._order.attempt,
            root=shop.repository.root,
            slot=slot.number,
        )
        return attempt_environment(
            shop.environ,
            shop.repository.root,
            passes=(*(spec.passes if spec else ()), *task.passes),
            sets=(*(spec.env if spec else ()), *task.env, *place.items()),
        )

    def _agent_order(self, slot: Slot) -> Order:
        task = self._order.task
        text = task.prompt.text if task.prompt is not None else ""
        if self._order.told:
            text = f"{text.rstrip()}\n\n---\n\n{self._order.told}\n"
        prompt_file = self._log.path.with_suffix(".prompt.md")
        try:
            if task.prompt is not None:
                # What an agent is told may hold odd bytes of another one's output.
                prompt_file.write_text(text, "utf-8", "backslashreplace")
        except OSError as error:
            raise OrchestraError(f"cannot write {prompt_file}", causes=(str(error),)) from error
        return Order(task.name, text, str(prompt_file), str(slot.path), task.check, usd=self._order.usd)

    def _setup(
        self, slot: Slot, mark: str, env: dict[str, str], *, pristine: bool
    ) -> Generator[Command, Exit, None]:
        pool = self._workshop.pool
        command = self._workshop.setup
        before = pool.untracked(slot)
        done = yield self._command("setup", Invocation(("sh", "-c", "--", command)), slot, env)
        self._exits.append(done)
        if not done.ok:
            raise _SetupFailedError(command, done)
        pool.setup_done(slot, mark, before, pristine=pristine)

    def _command(
        self,
        phase: str,
        invocation: Invocation,
        slot: Slot,
        env: dict[str, str],
        session: Session | None = None,
    ) -> Command:
        self._enter(phase)
        self._log.phase(phase, _shown(invocation))
        task = self._order.task
        # A setup is the project's affair, and may well wait in silence for what it downloads.
        timeout, stall = (LONGEST, inf) if phase == "setup" else (task.timeout, task.stall)
        return Command(phase, invocation, slot.path, {**env, **dict(invocation.env)}, timeout, session, stall)

    def _ending_of(self, exited: Exit, judged: Judgement) -> tuple[Outcome, Fault | None, str] | None:
        """How the attempt has failed by the agent's part; None where that was a success."""
        if exited.stopped == "timeout":
            limit = self._order.task.timeout
            return Outcome.TIMED_OUT, Fault.AGENT, f"not done after {limit:g} s (timeout)"
        if exited.stopped == "stall":
            limit = self._order.task.stall
            detail = f"no output, no work and no change in its worktree for {limit:g} s (stall)"
            return Outcome.STALLED, Fault.AGENT, detail
        if exited.stopped is not None:
            return Outcome.INTERRUPTED, Fault.PERSON, "interrupted"
        if exited.starved:
            return Outcome.FAILED, Fault.ENVIRONMENT, exited.describe()
        if exited.problem:
            return Outcome.NOT_STARTED, Fault.ENVIRONMENT, exited.problem
        if judged.outcome is Outcome.SUCCESS:
            return None
        return judged.outcome, judged.fault, judged.detail or judged.summary

    def _ending_of_setup(self, error: _SetupFailedError) -> tuple[Outcome, Fault | None, str]:
        if error.ended.interrupted:
            return Outcome.INTERRUPTED, Fault.PERSON, "interrupted"
        return Outcome.CHECK_FAILED, error.fault, str(error)

    def _ending_of_check(
        self, checked: Exit, command: str, judged: Judgement
    ) -> tuple[Outcome, Fault | None, str] | None:
        if checked.ok:
            return None
        if checked.interrupted:
            return Outcome.INTERRUPTED, Fault.PERSON, "interrupted"
        denied = "; the agent was denied tools" if judged.blocked else ""
        fault = Fault.ENVIRONMENT if checked.starved or checked.transient else Fault.AGENT
        return Outcome.CHECK_FAILED, fault, f"check `{command}`: {ending(checked)}{denied}"

    def _captured(self, slot: Slot, judged: Judgement, *, told: bool) -> AttemptEnded:
        tail = self._log.tail
        try:
            # That it changed nothing is a result too, and no attempt has to find it out again.
            keep_unchanged = not judged.blocked and not self._order.task.claims.is_check
            captured = self._capture(slot, self._order.keep, judged.summary, keep_unchanged=keep_unchanged)
        except OrchestraError as error:
            # What an agent left can be what does not let itself be captured; or git, or the disk, would not.
            ours = error.status is ExitStatus.ENVIRONMENT
            detail = self._noted(error)
            fault = Fault.ENVIRONMENT if ours or self._may_pass else Fault.AGENT
            return self._ended(Outcome.CAPTURE_FAILED, fault, detail, judged, tail=tail, told=told)
        if captured.commit is None and judged.blocked:
            detail = f"denied, and nothing was changed{': ' + judged.detail if judged.detail else ''}"
            return self._ended(Outcome.DENIED, Fault.AGENT, detail, judged, tail=tail, told=told)
        outcome = Outcome.SUCCESS if captured.changed else Outcome.NO_CHANGE
        return self._ended(outcome, None, "", judged, captured, tail, told=told)

    def _keep_failed(
        self,
        slot: Slot,
        judged: Judgement,
        told: bool,
        outcome: Outcome,
        fault: Fault | None,
        detail: str,
    ) -> AttemptEnded:
        """The end of a failed attempt: what it did so far is kept under a ref, as far as that can be done."""
        tail = self._log.tail
        captured = Captured(None)
        try:
            captured = self._capture(slot, FAILED + self._order.attempt, judged.summary)
        except OrchestraError as error:
            detail = f"{detail}; its changes were not kept: {_why(error)}"
        return self._ended(outcome, fault, detail, judged, captured, tail, told=told)

    def _capture(self, slot: Slot, ref: str, summary: str, *, keep_unchanged: bool = False) -> Captured:
        self._enter("capture")
        shop, order = self._workshop, self._order
        message = result_message(order.task.name, order.attempt, summary)
        spared = shop.pool.spared(slot)
        captured = capture(
            shop.repository, slot, order.base, spared, ref, message, keep_unchanged=keep_unchanged
        )
        shop.pool.mark_in_use(slot, None)
        return captured

    def _not_started(self, fault: Fault, detail: str, exited: Exit | None = None) -> AttemptEnded:
        outcome = Outcome.NOT_STARTED
        if exited is not None and exited.interrupted:
            outcome, fault, detail = Outcome.INTERRUPTED, Fault.PERSON, "interrupted"
        if exited is not None:
            self._exits.append(exited)
        return self._ended(outcome, fault, detail, None, tail=self._log.tail)

    def _ended(
        self,
        outcome: Outcome,
        fault: Fault | None,
        detail: str,
        judged: Judgement | None,
        captured: Captured = NOTHING,
        tail: tuple[str, ...] = (),
        *,
        told: bool = False,
    ) -> AttemptEnded:
        self._enter(None)
        last = self._exits[-1] if self._exits else None
        judged = judged or Judgement(outcome)
        passing = self._may_pass or (last is not None and (last.starved or last.transient))
        transient = not outcome.good and (passing or judged.transient)
        return AttemptEnded(
            self._order.attempt,
            outcome,
            fault,
            detail,
            captured.commit,
            judged.summary,
            tail,
            str(self._log.path),
            tuple(self._phases),
            judged.usage,
            last.status if last else None,
            last.signal if last else None,
            sum(exited.cpu_s for exited in self._exits),
            max((exited.peak_bytes for exited in self._exits), default=0),
            captured.changed_bytes,
            told,
            transient,
            None if outcome.good else judged.retry_after,
            not outcome.good and judged.throttled,
            model=judged.model,
        )


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
            setup = Invocation(("sh", "-c", "--", workshop.setup))
            log.phase("setup", workshop.setup)
            done = yield Command("setup", setup, slot.path, env, LONGEST)
            if not done.ok:
                no_verdict = done.interrupted or done.starved or done.problem
                return ended(None if no_verdict else False, f"`{workshop.setup}`: {ending(done)}")
            workshop.pool.setup_done(slot, mark, before, pristine=True)
    except OrchestraError as error:
        # No verdict: the environment failed, not the commit.
        log.line(_why(error))
        return ended(None, _why(error))
    log.phase("verify", order.command)
    invocation = Invocation(("sh", "-c", "--", order.command))
    exited = yield Command("verify", invocation, slot.path, env, LONGEST)
    if exited.interrupted:
        return ended(None, "interrupted")
    if exited.starved or exited.problem:
        # It was not carried out: that says nothing of the commit.
        return ended(None, ending(exited))
    return ended(exited.ok, "" if exited.ok else ending(exited))


def _why(error: OrchestraError) -> str:
    """An error in one line."""
    return "; ".join((str(error), *error.causes))


def _shown(invocation: Invocation) -> str:
    """A command line as one would type it, without the length of a prompt in it."""
    return " ".join(shlex.quote(word if len(word) <= 200 else word[:200] + "…") for word in invocation.argv)
