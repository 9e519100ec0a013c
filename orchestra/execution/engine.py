"""The engine: the one loop that decides, starts, lands and settles the tasks of a build.

It is synchronous and waits in one place, `Executor.poll`. `build`, `--dry-run` and the tests drive this same
loop; only the executor, the clock and Git differ, so that a plan cannot disagree with a build.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from orchestra.execution.admission import Admission, Go, Hold, Leave
from orchestra.execution.deciding import Decider
from orchestra.execution.gate import Gate
from orchestra.execution.order import BuildOrder as BuildOrder
from orchestra.execution.replaying import Replayer
from orchestra.execution.settling import Settler
from orchestra.execution.tally import Tally
from orchestra.integration.branch import Branch
from orchestra.integration.integrator import Integrator
from orchestra.integration.line import Line
from orchestra.integration.named import NamedBranches
from orchestra.integration.refs import captured_ref
from orchestra.integration.replay import Replays
from orchestra.integration.verify import Verifier
from orchestra.model.errors import OrchestraError
from orchestra.model.events import (
    AgentDid,
    AttemptSlot,
    AttemptStarted,
    BuildFinished,
    BuildStarted,
    Event,
    MachineSampled,
    Notice,
    PhaseStarted,
    StopRequested,
)
from orchestra.model.freshness import Decision
from orchestra.model.means import Means
from orchestra.model.outcomes import Final
from orchestra.model.ports import (
    AgentSaid,
    AttemptEnded,
    AttemptOrder,
    Clock,
    Executor,
    Happening,
    Interrupted,
    Listener,
    PhaseBegan,
    Sampled,
    Started,
    Store,
    VerifyEnded,
)
from orchestra.planning.board import Board, Card, Stage


class Engine:
    """One build."""

    def __init__(
        self,
        order: BuildOrder,
        git: Store,
        executor: Executor,
        clock: Clock,
        listeners: Sequence[Listener],
        preflight: Callable[[frozenset[str]], None] = lambda stale: None,
        means: Means | None = None,
    ) -> None:
        """`preflight` is called once, before anything starts, with the tasks that may come to run; it raises
        OrchestraError where nothing may start. `means` are what decides how much may run at once; without them only
        the number of attempts does.
        """
        self._order = order
        self._git = git
        self._executor = executor
        self._clock = clock
        self._listeners = tuple(listeners)
        self._preflight = preflight
        self._graph = order.graph
        self._line = Line(git, order.tip, observes=order.manifest.observes)
        self._branch = Branch(git, self._line, order.target, clock, order.build, self._emit)
        self._verifier = Verifier(
            git,
            executor,
            clock,
            order.build,
            self._emit,
            command=order.manifest.integrate.verify,
            environment=order.environment,
        )
        self._board = Board(order.graph, order.selected)
        self._named = NamedBranches(
            git,
            self._line,
            order.manifest,
            order.target,
            clock,
            order.build,
            self._emit,
            active=not order.dry_run,
        )
        self._integrator = Integrator(
            git,
            self._line,
            self._branch,
            self._verifier,
            order.manifest,
            self._named,
            self._board.may_land,
            order.agents,
        )
        self._decider = Decider(
            order.manifest,
            order.graph,
            git,
            self._line,
            clock,
            order.build,
            self._emit,
            forced=order.forced,
            wanted=order.named | order.forced,
        )
        self._tally = Tally()
        self._admission = Admission(
            order.manifest.limits, order.jobs, means or Means(), clock, order.build, self._emit
        )
        self._settler = Settler(
            self._board,
            git,
            self._line,
            clock,
            order.build,
            self._emit,
            self._tally,
            self._admission,
            integrate=order.manifest.integrate,
            named=self._named,
            fail_fast=order.fail_fast,
        )
        self._replayer = Replayer(
            Replays(git, self._line, order.manifest),
            self._decider.forced,
            order.graph,
            self._board,
            self._line,
            self._integrator,
            self._settler,
            clock,
            order.build,
            self._emit,
        )
        self._attempts: dict[str, tuple[Card, AttemptOrder, float]] = {}
        self._began = clock.monotonic()
        self._began_at = clock.now()
        self._gate = Gate(
            self._board,
            self._line,
            self._integrator,
            self._verifier,
            self._settler,
            clock,
            self._before_start,
            self._notice,
        )
        self._interrupts = 0
        self._rounds = 0
        self._unfinished: tuple[str, ...] = ()

    def run(self) -> BuildFinished:
        """Carry the build through; gives its last event, which every listener has had too.

        Raises OrchestraError or OSError where it cannot go on; the last event, which says why, was told before.
        """
        order = self._order
        self._emit(
            BuildStarted(
                self._began_at,
                order.build,
                tuple(card.name for card in self._board),
                order.tip,
                order.target.branch.removeprefix("refs/heads/") if order.target.branch else None,
                order.jobs,
                order.dry_run,
            )
        )
        try:
            self._carry_through()
        except (OrchestraError, OSError) as error:
            self._finish(error)
            raise
        return self._finish()

    def _carry_through(self) -> None:
        self._named.place_left()
        self._catch_up()
        while True:
            self._decide()
            self._settler.apply(self._integrator.pump())
            self._start()
            if self._board.decidable() or self._integrator.ready:
                # What landed just now, without a verification to wait for, has freed others.
                continue
            if not self._under_way():
                if self._find_stale():
                    continue
                if self._integrator.finish():
                    return
            until = self._admission.wakes_at(self._board.wakes_at(self._now()))
            for happening in self._executor.poll(until):
                self._take(happening)

    def _catch_up(self) -> None:
        """Bring the branch to what an earlier build left, so that what is built next stands on the newest commits."""
        if self._branch.advanced or self._branch.movable is None:
            return
        self._preflight(frozenset())
        self._integrator.catch_up()
        while self._integrator.busy:
            for happening in self._executor.poll():
                self._take(happening)

    # --- deciding --------------------------------------------------------------------------------------------

    def _decide(self) -> None:
        """Decide every task whose predecessors are settled; a fresh one may free others at once."""
        while cards := self._board.decidable():
            for card in cards:
                self._decide_one(card)

    def _decide_one(self, card: Card) -> None:
        failed = self._board.failed_need(card.name)
        if self._interrupts or self._settler.halted:
            self._settler.stop_before_start(card)
        elif failed is not None:
            verb = {Final.REJECTED: "was rejected", Final.SKIPPED: "was skipped"}.get(
                failed.final or Final.FAILED, "failed"
            )
            self._settler.skip(card, f"needs {failed.name}, which {verb}", failed.name)
        else:
            decision = self._decider.decide(card.name)
            if self._settle_decided(card, decision):
                return
            if self._order.adopt:
                self._gate.pass_preflight(frozenset())
                self._settler.adopt(card, self._graph.task(card.name), decision)
                return
            wait = self._board.last_wait(card.name, self._began)
            card.waits = [wait] if wait else []
            self._board.move(card, Stage.QUEUED, at=self._now())

    def _settle_decided(self, card: Card, decision: Decision) -> bool:
        """Take a decision; True where it settles the task."""
        self._decider.announce(decision)
        card.decision = decision
        if decision.settled:
            self._settler.settle(card, Final.FRESH if decision.fresh else Final.REVERTED)
        return decision.settled

    def _find_stale(self) -> bool:
        """At the end: decide again, on the tip, what is settled well; True where something must run again."""
        if self._interrupts or self._settler.halted or self._unfinished:
            return False
        if self._tally.ran:
            # Where nothing landed, nobody has looked yet what the person committed meanwhile.
            self._branch.follow()
        self._integrator.record()
        # Who was forced has run: from here on only what is stale does.
        self._decider.forced.clear()
        stale: list[Card] = []
        for card in self._board:
            if card.final is None or not card.final.settled_well:
                continue
            found_so = card.final in (Final.FRESH, Final.REVERTED)
            if found_so and self._decider.is_decided_on_tip(card.name):
                continue
            if not self._decider.decide(card.name).settled:
                stale.append(card)
        if not stale:
            return False
        if self._rounds >= len(self._order.selected):
            self._unfinished = tuple(card.name for card in stale)
            self._notice(
                f"still stale after {self._rounds} rounds: {', '.join(self._unfinished)}",
                "let the tasks that undo each other's work need one another, or narrow what they read",
            )
            return False
        self._rounds += 1
        for card in stale:
            self._board.move(card, Stage.WAITING, at=self._now())
        return True

    # --- starting --------------------------------------------------------------------------------------------

    def _before_start(self, stale: frozenset[str]) -> None:
        self._preflight(stale)
        self._decider.tell_plan(self._order.selected)

    def _start(self) -> None:
        """Start queued tasks while there is room."""
        while self._board.count(Stage.QUEUED):
            if self._interrupts or self._settler.halted:
                for queued in self._board:
                    if queued.stage is Stage.QUEUED:
                        self._settler.stop_before_start(queued)
                self._decide()
                return
            if not self._gate.open():
                # Where the gate stays shut for good, what is queued is settled by the next turn.
                if self._settler.halted is None:
                    return
                continue
            if not self._start_next():
                return

    def _start_next(self) -> bool:
        """Start, settle or leave out the first of the tasks whose turn it is; False where all of them have to wait."""
        cards = self._board.startable(self._order.jobs, self._now())
        verdicts = self._admission.look(self._graph.task(card.name) for card in cards)
        for card, verdict in zip(cards, verdicts, strict=True):
            if isinstance(verdict, Hold):
                self._board.hold(card, verdict.cause, verdict.until, at=self._now())
                if card.looked:
                    continue
                # What need not run at all need not wait either; once is enough to look.
                card.looked = True
            self._branch.follow()
            # Others landed or passed since: decide once more, from the exact commit at which the worktree will stand.
            decision = self._decider.decide(card.name)
            if self._settle_decided(card, decision) or self._replayer.replay(card, decision):
                self._decide()
                return True
            match verdict:
                case Leave(why, hint):
                    self._settler.skip(card, why, None, hint)
                    self._decide()
                    return True
                case Go(usd):
                    self._start_one(card, decision, usd)
                    return True
        return False

    def _start_one(self, card: Card, decision: Decision, usd: float | None) -> None:
        card.attempts += 1
        self._tally.ran += 1
        build = self._order.build
        attempt = f"{build}-{self._tally.ran}"
        task = self._graph.task(card.name)
        keep = captured_ref(decision.attempted.key, attempt)
        order = AttemptOrder(
            attempt, task, card.attempts, self._line.tip, keep, card.told, unmerged=card.unmerged, usd=usd
        )
        self._emit(
            AttemptStarted(
                self._clock.now(),
                build,
                card.name,
                attempt,
                card.attempts,
                self._order.agents(card.name),
                order.base,
                decision.key,
                decision.reasons,
                self._board.waits(card, at=self._now()),
                task.asked,
            )
        )
        self._board.move(card, Stage.RUNNING, at=self._now())
        self._attempts[attempt] = (card, order, self._now())
        self._admission.started(order)
        self._executor.start(order)

    # --- what happens ----------------------------------------------------------------------------------------

    def _take(self, happening: Happening) -> None:
        now, build = self._clock.now(), self._order.build
        match happening:
            case Started(attempt, slot, log):
                self._emit(AttemptSlot(now, build, self._attempts[attempt][0].name, attempt, slot, log))
            case PhaseBegan(attempt, phase):
                self._emit(PhaseStarted(now, build, self._attempts[attempt][0].name, attempt, phase))
                self._admission.entered(attempt, phase)
            case AgentSaid(attempt, event):
                self._emit(AgentDid(now, build, self._attempts[attempt][0].name, attempt, event))
                self._admission.heard(attempt, event)
            case AttemptEnded():
                self._attempt_ended(happening)
            case VerifyEnded():
                self._verify_ended(happening)
            case Sampled(cpu, memory, held, commands):
                self._emit(MachineSampled(now, build, cpu, memory, held, commands))
            case Interrupted():
                self._interrupts += 1
                self._settler.interrupted = True
                self._integrator.stopping = True
                self._emit(StopRequested(now, build, now=self._interrupts > 1))
                self._executor.stop(now=self._interrupts > 1)

    def _verify_ended(self, ended: VerifyEnded) -> None:
        if self._integrator.busy:
            self._settler.apply(self._integrator.verified(ended))
        else:
            verdict = self._verifier.ended(ended)
            if verdict is not None:
                self._gate.judge(verdict)

    def _attempt_ended(self, ended: AttemptEnded) -> None:
        card, order, started = self._attempts.pop(ended.attempt)
        self._admission.ended(ended.attempt, ended)
        candidate = self._settler.attempt_ended(card, order, ended, self._now() - started)
        if candidate is not None:
            self._integrator.submit(candidate)

    # --- the end ---------------------------------------------------------------------------------------------

    def _under_way(self) -> bool:
        busy = self._integrator.busy or self._verifier.busy
        return bool(self._attempts) or busy or self._board.wakes_at(self._now()) is not None

    def _finish(self, error: Exception | None = None) -> BuildFinished:
        """Tell the last event; `error` is what broke the build off, with tasks under way or never begun."""
        assert error or self._board.settled(), "a build ended with tasks that were never settled"
        finals = self._board.finals()
        well = self._branch.in_place and all(final.settled_well for final in finals.values())
        event = self._tally.finished(
            self._clock.now(),
            self._order.build,
            finals,
            ok=well and not (error or self._interrupts or self._unfinished),
            advanced=self._branch.advanced,
            interrupted=bool(self._interrupts),
            wall_s=self._now() - self._began,
            tip=self._line.tip,
            error=str(error) if error else None,
        )
        self._emit(event)
        return event

    def _now(self) -> float:
        return self._clock.monotonic()

    def _notice(self, message: str, hint: str | None = None) -> None:
        self._emit(Notice(self._clock.now(), self._order.build, message, hint))

    def _emit(self, event: Event) -> None:
        for listener in self._listeners:
            listener.notify(event)
