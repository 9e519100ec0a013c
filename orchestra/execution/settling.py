"""Settling: what the end of an attempt and the fate of a result mean for their task.

It moves cards to their final outcome or back into the queue, keeps what did not land under refs, and says so.
"""

from __future__ import annotations

from collections.abc import Callable

from orchestra.execution.admission import Admission, Repeat
from orchestra.execution.policy import Again, after_conflict, after_red
from orchestra.execution.tally import Tally
from orchestra.integration.integrator import Fate, Landed, Red, Refused, Spoiled, Unjudged, Unmergeable
from orchestra.integration.landing import Candidate
from orchestra.integration.line import Line
from orchestra.integration.named import NamedBranches
from orchestra.integration.refs import captured_ref, check_ref, rejected, settled_well
from orchestra.integration.replay import Restore
from orchestra.integration.verify import Verdict
from orchestra.model.events import (
    AttemptFinished,
    Event,
    TaskAgain,
    TaskFailed,
    TaskLanded,
    TaskRecorded,
    TaskRejected,
    TaskSkipped,
    TaskUnchanged,
)
from orchestra.model.freshness import Decision
from orchestra.model.outcomes import Final, Outcome, Wait
from orchestra.model.ports import AttemptEnded, AttemptOrder, Clock, Git, RefUpdate, Unmerged
from orchestra.model.tasks import Integrate, Task
from orchestra.planning.board import Board, Card, Stage


class Settler:
    """Settles tasks. `halted` says why nothing more may start, None while all may."""

    def __init__(
        self,
        board: Board,
        git: Git,
        line: Line,
        clock: Clock,
        build: str,
        emit: Callable[[Event], None],
        tally: Tally,
        admission: Admission,
        *,
        integrate: Integrate,
        named: NamedBranches,
        fail_fast: bool,
    ) -> None:
        self._board = board
        self._git = git
        self._line = line
        self._clock = clock
        self._build = build
        self._emit = emit
        self._tally = tally
        self._admission = admission
        self._verify = integrate.verify or ""
        self._named = named
        self._fail_fast = fail_fast
        self._on_conflict = integrate.on_conflict
        self.halted: str | None = None
        self.interrupted = False

    def settle(self, card: Card, final: Final) -> None:
        """Give a task its final outcome."""
        card.unmerged = None
        self._board.move(card, Stage.SETTLED, at=self._clock.monotonic(), final=final)

    def skip(self, card: Card, why: str, because: str | None, hint: str | None = None) -> None:
        """Settle a task that will not be attempted; `hint` is what to type about it."""
        self.settle(card, Final.SKIPPED)
        self._emit(TaskSkipped(self._clock.now(), self._build, card.name, why, because, hint))

    def stop_before_start(self, card: Card) -> None:
        """Settle a task that would have started if the build had not been stopped."""
        if self.interrupted:
            self.settle(card, Final.INTERRUPTED)
        else:
            self.skip(card, self.halted or "", None)

    def attempt_ended(
        self, card: Card, order: AttemptOrder, ended: AttemptEnded, seconds: float
    ) -> Candidate | None:
        """Take the end of an attempt; gives the result that is to land, if there is one."""
        asked = self._admission.asks_service(order.task) and ended.outcome is not Outcome.NOT_STARTED
        self._tally.attempt(seconds, ended.usage, asked=asked)
        self._emit(
            AttemptFinished(
                self._clock.now(),
                self._build,
                card.name,
                ended.attempt,
                ended.outcome,
                ended.fault,
                ended.detail,
                seconds,
                ended.result,
                ended.tail,
                ended.phases,
                ended.usage,
                ended.exit_status,
                ended.signal,
                ended.cpu_s,
                ended.peak_bytes,
                ended.changed_bytes,
                ended.reads,
                ended.artifacts,
                ended.judged,
                ended.model,
            )
        )
        assert card.decision is not None
        if ended.outcome is Outcome.SUCCESS:
            self._board.move(card, Stage.LANDING, at=self._clock.monotonic())
            return Candidate(order.task, card.decision, order.base, ended, order.base)
        if ended.outcome is Outcome.NO_CHANGE:
            self._unchanged(card, order, ended)
        elif ended.outcome is Outcome.INTERRUPTED:
            self.settle(card, Final.INTERRUPTED)
        elif isinstance(again := self._repeat(card, order, ended, seconds), Repeat):
            self._retry(card, ended, again, seconds)
        else:
            self.settle(card, Final.FAILED)
            self._emit(
                TaskFailed(
                    self._clock.now(),
                    self._build,
                    card.name,
                    ended.attempt,
                    ended.outcome,
                    f"{ended.detail or ended.outcome}; {again}" if again else ended.detail,
                    ended.tail,
                    ended.log,
                )
            )
            self._failed_fast(card)
        return None

    def _repeat(
        self, card: Card, order: AttemptOrder, ended: AttemptEnded, seconds: float
    ) -> Repeat | str | None:
        if self.interrupted or self.halted is not None:
            return None
        return self._admission.repeat(card, order.task, ended, seconds)

    def _retry(self, card: Card, ended: AttemptEnded, again: Repeat, seconds: float) -> None:
        """Queue a task again whose attempt failed for a reason that may pass; it holds no slot meanwhile."""
        delay = again.delay
        if again.cause == "rate":
            card.throttled_s += seconds + delay
        else:
            card.retries += 1
        now = self._clock.monotonic()
        card.not_before = now + delay
        card.waits = [Wait(again.cause, delay)]
        why = ended.detail or str(ended.outcome)
        self._emit(TaskAgain(self._clock.now(), self._build, card.name, ended.attempt, why, delay_s=delay))
        self._board.move(card, Stage.QUEUED, at=card.not_before)

    def apply(self, fates: list[Fate]) -> None:
        """Take what became of results at the landing."""
        for fate in fates:
            card = self._board.card(fate.candidate.task.name)
            match fate:
                case Landed():
                    self._landed(card, fate)
                case Refused(candidate, violation):
                    why = f"{violation.why}: {', '.join(violation.paths[:5])}"
                    more = len(violation.paths) - 5
                    why += f" and {more} more" if more > 0 else ""
                    self._reject(card, candidate, why, paths=violation.paths, hint=violation.hint)
                case Unmergeable(candidate, paths):
                    card.conflicts += 1
                    # One that runs the same whatever it is told cannot bring anything together.
                    merging = self._on_conflict == "agent" and candidate.ended.told
                    again = after_conflict(card.conflicts, paths, merging=merging)
                    self._once_more(card, candidate, again, paths)
                case Red(candidate, verdict, onto):
                    card.reds += 1
                    may_differ = candidate.ended.told or onto != candidate.base
                    again = after_red(card.reds, self._verify, verdict, may_differ=may_differ)
                    self._once_more(card, candidate, again, (), verdict)
                case Spoiled(candidate, verdict):
                    self._spoiled(card, candidate, verdict)
                case Unjudged() if self.interrupted:
                    self.settle(card, Final.INTERRUPTED)
                case Unjudged(candidate, verdict):
                    self._unjudged(card, candidate, verdict)

    def adopt(self, card: Card, task: Task, decision: Decision) -> None:
        """Record a stale task as fresh, as it stands; nothing runs."""
        if task.claims.is_check:
            self._remember_green(decision, self._line.tip)
        else:
            self._line.note_present(task, decision)
        self.settle(card, Final.ADOPTED)
        self._emit(TaskRecorded(self._clock.now(), self._build, card.name, Final.ADOPTED))

    def restore(self, card: Card, task: Task, decision: Decision, found: Restore) -> None:
        """Record a task all of whose work is there already; nothing runs."""
        if task.claims.is_check:
            # It was cut off after it had passed.
            self._remember_green(decision, self._line.tip, found.attempt)
        else:
            self._line.note_present(task, decision, found.changes, found.reads)
            if found.attempt is not None and found.cut_off is not None:
                key = decision.attempted.key
                self._git.update_refs(settled_well(key, found.attempt, found.cut_off))
        self.settle(card, Final.REPLAYED)
        self._emit(TaskRecorded(self._clock.now(), self._build, card.name, Final.REPLAYED, found.attempt))

    def _remember_green(self, decision: Decision, commit: str, attempt: str | None = None) -> None:
        """Keep a check task's verdict, and no longer what its attempt left: a lock entry it has none."""
        updates = [RefUpdate(check_ref(decision.key), commit, force=True)]
        if attempt is not None:
            updates.append(RefUpdate(captured_ref(decision.attempted.key, attempt), None, force=True))
        self._git.update_refs(tuple(updates))

    def _landed(self, card: Card, fate: Landed) -> None:
        self.settle(card, Final.REPLAYED if fate.candidate.replayed else Final.LANDED)
        self._emit(
            TaskLanded(
                self._clock.now(),
                self._build,
                card.name,
                fate.candidate.ended.attempt,
                fate.commit,
                fate.paths,
                fate.verified,
            )
        )

    def _unchanged(self, card: Card, order: AttemptOrder, ended: AttemptEnded) -> None:
        assert card.decision is not None
        final = Final.NO_CHANGE
        if order.task.claims.is_check:
            final = Final.PASSED
            self._remember_green(card.decision, order.base, order.attempt)
        else:
            self._line.note_unchanged(order.task, card.decision, self._git.tree(order.base), ended.reads)
            if ended.result is not None:
                key = card.decision.attempted.key
                self._git.update_refs(settled_well(key, order.attempt, ended.result))
        self.settle(card, final)
        self._emit(TaskUnchanged(self._clock.now(), self._build, card.name, order.attempt, final))

    def _once_more(
        self,
        card: Card,
        candidate: Candidate,
        again: Again,
        paths: tuple[str, ...],
        verdict: Verdict | None = None,
    ) -> None:
        refusal = self._admission.refusal(candidate.task) if again.once_more else None
        if not again.once_more or refusal or self.interrupted or self.halted is not None:
            tail = verdict.tail if verdict else ()
            log = verdict.log if verdict else ""
            why = f"{again.why}; no further attempt: {refusal}" if refusal else again.why
            self._reject(card, candidate, why, paths=paths, tail=tail, log=log)
            return
        self._keep_rejected(candidate)
        card.alone = again.alone
        card.told = again.told
        card.unmerged = Unmerged(candidate.base, candidate.result, paths) if again.merging else None
        card.waits = []
        now = self._clock.now()
        attempt = candidate.ended.attempt
        self._emit(TaskAgain(now, self._build, card.name, attempt, again.why, paths, again.alone))
        self._board.move(card, Stage.QUEUED, at=self._clock.monotonic())

    def _spoiled(self, card: Card, candidate: Candidate, verdict: Verdict) -> None:
        """Nothing can land on commits that fail by themselves: no result is to blame, and none is lost."""
        why = f"`{self._verify}` fails on your new commits, also without it"
        # It stays captured: once the branch is mended it goes on at the audit.
        kept = captured_ref(candidate.key, candidate.ended.attempt)
        hint = "make it pass on the branch"
        self._reject(card, candidate, why, tail=verdict.tail, log=verdict.log, hint=hint, kept=kept)
        self.halted = self.halted or "verify is red on your new commits"

    def _unjudged(self, card: Card, candidate: Candidate, verdict: Verdict) -> None:
        """Where the environment lets nothing be verified, nothing can land; no result is to blame, and none is lost."""
        kept = captured_ref(candidate.key, candidate.ended.attempt)
        why = f"it could not be verified: {verdict.detail}"
        self._reject(card, candidate, why, tail=verdict.tail, log=verdict.log, hint="mend that", kept=kept)
        self.halted = self.halted or "nothing can be verified"

    def _reject(
        self,
        card: Card,
        candidate: Candidate,
        why: str,
        *,
        paths: tuple[str, ...] = (),
        tail: tuple[str, ...] = (),
        log: str = "",
        hint: str | None = None,
        kept: str | None = None,
    ) -> None:
        """Settle a task whose result does not land; `kept` is the ref that keeps it, if one does already."""
        self._named.reserve(candidate)
        kept = kept or self._keep_rejected(candidate)
        self._named.place(candidate.task.name)
        self.settle(card, Final.REJECTED)
        now, attempt = self._clock.now(), candidate.ended.attempt
        self._emit(TaskRejected(now, self._build, card.name, attempt, why, kept, paths, tail, log, hint))
        self._failed_fast(card)

    def _keep_rejected(self, candidate: Candidate) -> str:
        """Keep a result that does not land under a ref of its own; it is never replayed."""
        updates = rejected(candidate.key, candidate.ended.attempt, candidate.result)
        self._git.update_refs(updates)
        return updates[0].ref

    def _failed_fast(self, card: Card) -> None:
        if self._fail_fast and self.halted is None:
            self.halted = f"stopped after {card.name} (--fail-fast)"
