"""One attempt as a sequence of commands in a slot: prepare, set up, agent, check, repairs, capture, review.

It is a generator: it yields the command that is to be carried out next, is sent how that ended, and returns how it
all ended. Waiting is the executor's affair; what happens in which order is told here from top to bottom.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass, replace

from orchestra.execution.artifacts import Artifacts, artifacts_folder
from orchestra.execution.commands import Command, ending, shell
from orchestra.execution.context import context_of
from orchestra.execution.course import INTERRUPTED, Course, Failed, together
from orchestra.execution.log import AttemptLog
from orchestra.execution.merging import Merging, bring_together
from orchestra.execution.prompting import RULE, check_told, findings_told, markers_told, whole_prompt
from orchestra.execution.reads import Observed, Watching
from orchestra.execution.review import ReviewVerdict
from orchestra.execution.reviewing import Review
from orchestra.execution.workshop import Workshop
from orchestra.model.agents import Agent, Judgement, Order, Resume
from orchestra.model.errors import ExitStatus, OrchestraError
from orchestra.model.outcomes import Exit, Fault, Outcome, Usage
from orchestra.model.ports import AttemptEnded, AttemptOrder, RefUpdate
from orchestra.model.tasks import AgentSpec
from orchestra.model.trailers import result_message
from orchestra.vcs.capture import Captured, capture, snapshot
from orchestra.vcs.laying import lay_out, left_markers
from orchestra.vcs.slots import Slot
from orchestra.vcs.spared import Spared

FAILED = "refs/orchestra/failed/"
NOTHING = Captured(None)


Steps = Generator[Command, Exit, AttemptEnded]
Part = Generator[Command, Exit, Failed | None]
"""Steps that end in a failure, or well."""


class _SetupFailedError(Exception):
    """`worktrees.setup` did not succeed."""

    def __init__(self, command: str, ended: Exit) -> None:
        super().__init__(f"`{command}` (worktrees.setup): {ending(ended)}")
        self.ended = ended
        self.fault = Fault.ENVIRONMENT if ended.starved or ended.transient else Fault.PROJECT

    def failed(self, outcome: Outcome) -> Failed:
        """What that means for an attempt."""
        return INTERRUPTED if self.ended.interrupted else Failed(outcome, self.fault, str(self))


@dataclass(frozen=True, slots=True)
class _Place:
    """Where and by whom an attempt is worked on: `prompt` is all that the agent is told at first."""

    slot: Slot
    env: dict[str, str]
    spec: AgentSpec | None
    agent: Agent
    prompt: str
    merging: Merging | None


class AttemptSteps:
    """The steps of one attempt.

    Its timeout bounds agent, checks, repairs and reviews together. A repair goes on in the same slot: with the session
    that made the work where the program can resume it, else with a new one that is told all.
    """

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
        self._course = Course(workshop.clock, order.task, log, began)
        self._kept = NOTHING
        self._observed: Observed | None = None
        self._artifacts: Artifacts | None = None
        self._session: Resume | None = None
        self._judged = Judgement(Outcome.NOT_STARTED)
        self._worker = Judgement(Outcome.NOT_STARTED)
        self._told = False
        self._ran = False
        self._repairs = 0
        self._reviews = 0
        self._model: str | None = None
        self._left_of_repairs = order.task.repairs

    def steps(self) -> Steps:
        """Prepare the slot, set it up, let the agent work until the check passes, capture, let another one review."""
        try:
            at = yield from self._prepared()
            self._course.begin()
            failed = yield from self._round(at, "agent", at.prompt)
        except _SetupFailedError as error:
            return self._ended(error.failed(Outcome.NOT_STARTED))
        except OrchestraError as error:
            return self._ended(Failed(Outcome.NOT_STARTED, Fault.ENVIRONMENT, self._course.noted(error)))
        failed = yield from self._checked(at, failed)
        if failed is not None:
            return self._ended(self._keep_failed(at, failed))
        reviewed = self._order.task.review is not None and not self._order.task.claims.is_check
        # What waits for its review must not pass for captured: a crash would bring it to the landing.
        failed = self._capture(at, FAILED + self._order.attempt if reviewed else self._order.keep)
        if reviewed and failed is None:
            failed = yield from self._reviewed(at)
        return self._ended(failed)

    # --- the agent and the check -----------------------------------------------------------------------------

    def _prepared(self) -> Generator[Command, Exit, _Place]:
        """The slot, ready for the agent. Raises OrchestraError and _SetupFailedError where it cannot be made so."""
        task, shop, order = self._order.task, self._workshop, self._order
        spec = shop.agent_of(task)
        self._model = spec.model if spec is not None else None
        agent = shop.adapter_of(task, spec)
        self._told = agent.traits.told
        self._course.enter("prepare")
        slot = shop.pool.prepare(self._number, order.base)
        env = shop.environment(task, order.attempt, spec, slot.number)
        mark = shop.pool.setup_due(slot, lambda: shop.repository.tree(order.base))
        if mark is not None:
            yield from self._setup(slot, mark, env, pristine=True)
        shop.pool.mark_in_use(slot, order.attempt)
        merging = None
        if order.unmerged is not None:
            merging = bring_together(
                shop.repository, slot, shop.pool.spared(slot), order.base, order.unmerged
            )
        # An agent that cannot be told anything runs its prompt as it is written: nothing may stand beside it.
        context = context_of(shop.repository, shop.context if self._told else (), order.base)
        told = RULE.join(filter(None, (order.told, merging.told if merging else "")))
        prompt = whole_prompt(task, context, told if self._told else "")
        self._observed = Observed(slot.path)
        if task.artifacts:
            folder = artifacts_folder(self._log.path.parent, task.name)
            self._artifacts = Artifacts(slot.path, task, folder, shop.mask)
        return _Place(slot, env, spec, agent, prompt, merging)

    def _round(self, at: _Place, phase: str, text: str, resume: Resume | None = None) -> Part:
        """Let the agent work once on what it is told."""
        assert self._observed is not None
        session = at.agent.open(self._agent_order(at.slot, phase, text, resume))
        watching = Watching(session, self._observed)
        self._ran = True
        exited = yield self._course.command(phase, session.invocation, at.slot, at.env, watching)
        self._course.ended(exited)
        self._judged = self._worker = judged = session.judge(exited)
        self._course.used(self._workshop.used(judged, at.spec))
        if judged.session is not None and at.agent.traits.resumes:
            before = self._session.used if resume is not None and self._session is not None else Usage()
            self._session = Resume(judged.session, together(before, judged.usage))
        failed = self._course.failed_by(exited)
        if failed is None and judged.outcome is not Outcome.SUCCESS:
            failed = Failed(judged.outcome, judged.fault, judged.detail or judged.summary)
        return failed

    def _checked(self, at: _Place, failed: Failed | None) -> Part:
        """After a round that ended so: check, and let the agent go on as often as it may while the check fails."""
        seen: str | None = None
        while failed is None:
            failed = yield from self._check(at)
            if failed is None or not failed.told or not self._may_go_on() or not self._left_of_repairs:
                return failed
            if self._left_of_repairs > 1 or seen is not None:
                tree = self._seen(at)
                if tree is not None and tree == seen:
                    # It was told what fails and changed nothing: nor would it the next time.
                    return failed
                seen = tree
            self._left_of_repairs -= 1
            failed = yield from self._repair(at, failed)
        return failed

    def _repair(self, at: _Place, failed: Failed) -> Part:
        """Let the agent go on, told what is wrong with its work."""
        self._repairs += 1
        phase = f"repair {self._repairs}"
        text = failed.told if self._session is not None else RULE.join((at.prompt.rstrip(), failed.told))
        try:
            return (yield from self._round(at, phase, text + "\n", self._session))
        except OrchestraError as error:
            return Failed(failed.outcome, Fault.ENVIRONMENT, f"{failed.detail}; {self._course.noted(error)}")

    def _check(self, at: _Place) -> Part:
        """Look at what the agent left: no conflict markers where there were some, and the task's check passes."""
        task = self._order.task
        try:
            if at.merging is not None:
                left = left_markers(
                    self._workshop.repository, at.slot, at.merging.conflicts, *at.merging.sides
                )
                if left:
                    detail = f"conflict markers are left in {', '.join(left[:5])}"
                    return Failed(Outcome.CHECK_FAILED, Fault.AGENT, detail, markers_told(left))
            if task.check is None:
                return None
            mark = self._workshop.pool.setup_due(at.slot)
            if mark is not None:
                yield from self._setup(at.slot, mark, at.env, pristine=False)
        except _SetupFailedError as error:
            return error.failed(Outcome.CHECK_FAILED)
        except OrchestraError as error:
            return Failed(Outcome.CHECK_FAILED, Fault.ENVIRONMENT, self._course.noted(error))
        checked = yield self._course.command("check", shell(task.check), at.slot, at.env)
        self._course.ended(checked)
        verdict = None if checked.interrupted else checked.ok
        self._course.judged("check", task.check, verdict, checked, self._log.tail)
        if checked.ok:
            return None
        if checked.interrupted:
            return INTERRUPTED
        denied = "; the agent was denied tools" if self._judged.blocked else ""
        how = ending(checked)
        detail = f"check `{task.check}`: {how}{denied}"
        ours = checked.starved or checked.transient
        if ours or checked.problem or checked.stopped == "timeout":
            # The machine is at fault, the agent left no place for it, or the time of all rounds is over.
            fault = Fault.ENVIRONMENT if ours else Fault.AGENT
            return Failed(Outcome.CHECK_FAILED, fault, detail)
        return Failed(Outcome.CHECK_FAILED, Fault.AGENT, detail, check_told(task.check, how, self._log.tail))

    def _may_go_on(self) -> bool:
        """Whether a further round could differ, and there is time and money for one."""
        usd, used = self._order.usd, self._course.usage.usd
        return self._told and self._course.left > 0 and (usd is None or used is None or used < usd)

    def _seen(self, at: _Place) -> str | None:
        """The worktree's files as a tree, None where that cannot be told."""
        try:
            return snapshot(self._workshop.repository, at.slot, self._spared(at))
        except OrchestraError:
            return None

    # --- the review ------------------------------------------------------------------------------------------

    def _reviewed(self, at: _Place) -> Part:
        """Let another agent judge what was captured; what it finds goes to the agent that did the work, once."""
        kept, failed, again = self._kept, None, False
        while kept.changed:
            found = yield from self._review(at)
            if isinstance(found, Failed):
                return found
            if found.passed:
                break
            words = "; ".join(found.told())
            refused = Failed(
                Outcome.REVIEW_FAILED, Fault.AGENT, f"review: {words}", findings_told(found.told())
            )
            if again or not self._may_go_on():
                return refused
            again = True
            failed = yield from self._mended(at, refused)
            if failed is not None:
                return failed
            if not self._kept.changed or self._tree() == self._tree(kept):
                # It took all back, or left it as it was: there is nothing new to be judged.
                return refused
            kept = self._kept
        return self._accept()

    def _review(self, at: _Place) -> Generator[Command, Exit, ReviewVerdict | Failed]:
        """One review of what is captured."""
        assert self._kept.commit is not None
        self._reviews += 1
        review = Review(self._workshop, self._order, self._course, at.slot, self._kept.commit, self._reviews)
        found = yield from review.steps()
        self._judged = review.judged
        return found

    def _mended(self, at: _Place, refused: Failed) -> Part:
        """Let the agent mend what the review found, from just what was captured; then check and capture again."""
        pool = self._workshop.pool
        assert self._kept.commit is not None
        try:
            # Whatever the review changed in the worktree is no part of the work.
            lay_out(self._workshop.repository, at.slot, self._spared(at), self._kept.commit)
            pool.mark_in_use(at.slot, self._order.attempt)
        except OrchestraError as error:
            return Failed(
                refused.outcome, Fault.ENVIRONMENT, f"{refused.detail}; {self._course.noted(error)}"
            )
        failed = yield from self._repair(at, refused)
        failed = yield from self._checked(at, failed)
        if failed is not None:
            return self._keep_failed(at, failed)
        return self._capture(at, FAILED + self._order.attempt)

    def _accept(self) -> Failed | None:
        """Keep what was reviewed, or did not need to be, as the result."""
        commit, attempt = self._kept.commit, self._order.attempt
        if commit is None:
            return None
        try:
            self._workshop.repository.update_refs(
                (
                    RefUpdate(self._order.keep, commit, force=True),
                    RefUpdate(FAILED + attempt, None, force=True),
                )
            )
        except OrchestraError as error:
            return Failed(Outcome.CAPTURE_FAILED, Fault.ENVIRONMENT, self._course.noted(error))
        return None

    def _tree(self, kept: Captured | None = None) -> str:
        """The tree that was captured, now or before."""
        commit = (kept or self._kept).commit
        return self._workshop.repository.command.run("rev-parse", f"{commit}^{{tree}}").text

    # --- within ----------------------------------------------------------------------------------------------

    def _agent_order(self, slot: Slot, phase: str, text: str, resume: Resume | None) -> Order:
        task, used = self._order.task, self._course.usage.usd
        prompt_file = str(self._log.path.with_suffix(".prompt.md"))
        if task.prompt is not None:
            name = "prompt.md" if phase == "agent" else f"{phase.replace(' ', '-')}.prompt.md"
            prompt_file = self._course.write(name, text)
        usd = self._order.usd
        left = usd if usd is None or used is None else max(0.0, usd - used)
        return Order(task.name, text, prompt_file, str(slot.path), task.check, resume, left)

    def _setup(
        self, slot: Slot, mark: str, env: dict[str, str], *, pristine: bool
    ) -> Generator[Command, Exit, None]:
        pool = self._workshop.pool
        command = self._workshop.setup
        before = pool.untracked(slot)
        done = yield self._course.command("setup", shell(command), slot, env)
        self._course.ended(done)
        if not done.ok:
            raise _SetupFailedError(command, done)
        pool.setup_done(slot, mark, before, pristine=pristine)

    def _capture(self, at: _Place, ref: str) -> Failed | None:
        """Capture what the agent did under a ref."""
        judged = self._worker
        # That it changed nothing is a result too, and no attempt has to find it out again.
        keep_unchanged = not judged.blocked and not self._order.task.claims.is_check
        try:
            self._capture_under(at, ref, keep_unchanged=keep_unchanged)
        except OrchestraError as error:
            # What an agent left can be what does not let itself be captured; or git, or the disk, would not.
            detail = self._course.noted(error)
            ours = error.status is ExitStatus.ENVIRONMENT or self._course.may_pass
            return Failed(Outcome.CAPTURE_FAILED, Fault.ENVIRONMENT if ours else Fault.AGENT, detail)
        if self._kept.commit is None and judged.blocked:
            detail = f"denied, and nothing was changed{': ' + judged.detail if judged.detail else ''}"
            return Failed(Outcome.DENIED, Fault.AGENT, detail)
        return None

    def _keep_failed(self, at: _Place, failed: Failed) -> Failed:
        """What a failed attempt did so far is kept under a ref, as far as that can be done."""
        try:
            self._capture_under(at, FAILED + self._order.attempt)
        except OrchestraError as error:
            return replace(
                failed, detail=f"{failed.detail}; its changes were not kept: {self._course.noted(error)}"
            )
        return failed

    def _capture_under(self, at: _Place, ref: str, *, keep_unchanged: bool = False) -> None:
        self._course.enter("capture")
        shop, order = self._workshop, self._order
        message = result_message(order.task.name, order.attempt, self._worker.summary, self._reads())
        spared = self._spared(at)
        self._kept = capture(
            shop.repository, at.slot, order.base, spared, ref, message, keep_unchanged=keep_unchanged
        )
        shop.pool.mark_in_use(at.slot, None)

    def _spared(self, at: _Place) -> Spared:
        """What is no part of a result: what the slot keeps, and what the agent leaves behind beside its work."""
        spared = self._workshop.pool.spared(at.slot).also(at.agent.traits.leftovers)
        return spared if self._artifacts is None else spared.also_paths(self._artifacts.unclaimed())

    def _ended(self, failed: Failed | None) -> AttemptEnded:
        self._course.enter(None)
        course, last, judged = self._course, self._course.last, self._judged
        good = Outcome.SUCCESS if self._kept.changed else Outcome.NO_CHANGE
        passing = course.may_pass or (last is not None and (last.starved or last.transient))
        return AttemptEnded(
            self._order.attempt,
            good if failed is None else failed.outcome,
            failed.fault if failed else None,
            failed.detail if failed else "",
            self._kept.commit,
            self._worker.summary,
            self._log.tail,
            str(self._log.path),
            course.phases,
            course.usage,
            last.status if last else None,
            last.signal if last else None,
            course.cpu_s,
            course.peak_bytes,
            self._kept.changed_bytes,
            self._told and self._ran,
            failed is not None and (passing or judged.transient),
            judged.retry_after if failed else None,
            failed is not None and judged.throttled,
            self._reads(),
            self._worker.model or (self._model if self._ran else None),
            () if self._artifacts is None else self._artifacts.keep(),
            course.judgements,
        )

    def _reads(self) -> tuple[str, ...]:
        if self._observed is None:
            return ()
        return self._observed.files(self._workshop.repository.tree(self._order.base))
