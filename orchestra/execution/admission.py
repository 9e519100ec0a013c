"""Admission: whether a task whose turn it is may start, by rate limits, budgets and the machine; if not, why. Pure.

The engine asks before a start and tells of starts, signals and endings. Tasks of other accounts, and those that ask
nobody's service, go on past one that has to wait.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from orchestra.execution.policy import retry_delay
from orchestra.execution.review import as_review
from orchestra.execution.spending import Spending
from orchestra.model.agents import AgentEvent
from orchestra.model.events import Event, LimitChanged, Notice, TaskHeld
from orchestra.model.means import Means, Worker
from orchestra.model.outcomes import Held, Outcome
from orchestra.model.ports import AttemptEnded, AttemptOrder, Clock
from orchestra.model.tasks import Limits, Task
from orchestra.model.text import duration
from orchestra.planning.board import Card
from orchestra.planning.crowding import Crowding
from orchestra.planning.throttle import Limit, Throttle

PATIENCE = 24 * 3600.0
"""Seconds after which a service that says "not before" says no: nobody waits for a build that long."""

TOLD = 8
"""Of so many tasks that have to wait it is told why: more fit no screen, and the cause may change with each ending."""


@dataclass(frozen=True, slots=True)
class Go:
    """It may start, and cost so much (USD; None: without a limit)."""

    usd: float | None = None


@dataclass(frozen=True, slots=True)
class Hold:
    """It has to wait: `cause` is rate, budget or machine; `until` a moment of the monotonic clock, if one is known."""

    cause: Held
    until: float | None = None


@dataclass(frozen=True, slots=True)
class Leave:
    """It is left out of this build: why, and what to type about it."""

    why: str
    hint: str


@dataclass(frozen=True, slots=True)
class Repeat:
    """A failed attempt is repeated in so many seconds. `cause` is what it waits for: rate, which spends none of the
    task's `retries`, or retry.
    """

    delay: float
    cause: str


class Admission:
    """Who may start in one build."""

    def __init__(
        self,
        limits: Limits,
        jobs: int,
        means: Means,
        clock: Clock,
        build: str,
        emit: Callable[[Event], None],
    ) -> None:
        self._means = means
        self._clock = clock
        self._build = build
        self._emit = emit
        self._throttle = Throttle(jobs)
        self._spending = Spending(limits, means.ledger, clock, self._notice)
        self._crowding = Crowding(limits, means.machine)
        self._workers: dict[tuple[str, str | None], Worker | None] = {}
        self._needs: dict[str, int] = {}
        self._running: dict[str, tuple[Task, Worker | None]] = {}
        # Whose service an attempt asks at the moment, or asked when it ended.
        self._asking: dict[str, Worker | None] = {}
        self._names: dict[str, dict[str, None]] = {}
        self._told: dict[str, Limit] = {}
        self._closed: dict[str, str] = {}
        self._crowded: set[str] = set()
        self._held: dict[str, Held] = {}
        self._held_by_machine = False

    def asks_service(self, task: Task) -> bool:
        """Whether attempts at the task ask somebody's service, so that they may cost something."""
        return self._worker(task) is not None

    def look(self, tasks: Iterable[Task]) -> Iterator[Go | Hold | Leave]:
        """For each of the tasks whose turn it is, in their order, whether it may start now.

        Where one has to wait for what others leave of a budget, none behind it takes that away.
        """
        self._held_by_machine = False
        short, held = False, 0
        for task in tasks:
            verdict = self._ask(task, short=short)
            if isinstance(verdict, Hold):
                short = short or verdict.cause == "budget"
                held += 1
                if held <= TOLD:
                    self._tell_held(task.name, verdict.cause)
            yield verdict

    def wakes_at(self, until: float | None) -> float | None:
        """The moment `until`, or an earlier one at which to ask again, since something waits for the machine."""
        if not self._held_by_machine:
            return until
        again = self._crowding.looks_again_at
        return again if until is None else min(until, again)

    def started(self, order: AttemptOrder) -> None:
        """An attempt starts."""
        worker = self._worker(order.task)
        self._held.pop(order.task.name, None)
        self._running[order.attempt] = (order.task, worker)
        self._ask_from_now_on(order.attempt, worker)
        if worker is not None:
            self._spending.started(order.attempt, order.task, worker)

    def entered(self, attempt: str, phase: str) -> None:
        """A running attempt has entered a phase: in a review it is another agent that asks its service."""
        task, worker = self._running[attempt]
        self._ask_from_now_on(attempt, self._worker(as_review(task)) if phase == "review" else worker)

    def heard(self, attempt: str, event: AgentEvent) -> None:
        """The agent of a running attempt did something: it may wait for its service, which was asked too much."""
        worker = self._asking[attempt]
        if event.throttled and worker is not None:
            self._throttle.signal(worker.account, attempt, self._clock.monotonic(), event.wait_s)
            self._tell(worker)

    def ended(self, attempt: str, ended: AttemptEnded) -> None:
        """An attempt has ended."""
        task, worker = self._running.pop(attempt)
        if worker is None:
            del self._asking[attempt]
            return
        asked = self._asking[attempt] or worker
        if ended.throttled:
            self._throttle.signal(asked.account, attempt, self._clock.monotonic(), ended.retry_after)
        never_asked = ended.outcome in (Outcome.NOT_STARTED, Outcome.INTERRUPTED)
        self._throttle.ended(asked.account, attempt, through=not (ended.throttled or never_asked))
        self._tell(asked)
        self._spending.ended(attempt, task, worker, ended)
        if ended.outcome.good:
            del self._asking[attempt]

    def repeat(self, card: Card, task: Task, ended: AttemptEnded, seconds: float) -> Repeat | str | None:
        """Whether an attempt that failed after so many seconds is repeated; else why not, where it could have been."""
        worker = self._asking.pop(ended.attempt, None)
        limited = ended.throttled and worker is not None
        if not limited and not (ended.transient and card.retries < task.retries):
            return None
        if refusal := self._spending.refusal(task):
            return f"no further attempt: {refusal}"
        if not limited or worker is None:
            return Repeat(retry_delay(card.retries + 1, ended.attempt, ended.retry_after), "retry")
        now = self._clock.monotonic()
        delay = max(0.0, self._throttle.limit(worker.account).until - now)
        if delay > PATIENCE:
            return f"no further attempt: {_who(worker)} may be asked again in {duration(delay)} only"
        if card.throttled_s > task.timeout:
            self._close(worker, task, now)
            waited = duration(card.throttled_s)
            return f"no further attempt: rate limited for {waited}, longer than its timeout"
        return Repeat(delay, "rate")

    def refusal(self, task: Task) -> str | None:
        """Why no further attempt at the task may be made, whatever its last one came to; None where one may."""
        return self._spending.refusal(task) if self.asks_service(task) else None

    # --- within ----------------------------------------------------------------------------------------------

    def _ask(self, task: Task, *, short: bool) -> Go | Hold | Leave:
        worker = self._worker(task)
        if worker is not None:
            verdict = self._ask_service(task, worker, short=short)
            if verdict is not None:
                return verdict
        if self._means.machine is not None:
            needs = [self._need(*running) for running in self._running.values()]
            lack = self._crowding.lacks(self._need(task, worker), needs, self._clock.monotonic())
            if lack is not None:
                self._held_by_machine = True
                self._tell_crowded(lack)
                return Hold("machine")
        return Go(self._spending.most(task) if worker is not None else None)

    def _ask_service(self, task: Task, worker: Worker, *, short: bool) -> Hold | Leave | None:
        """What the account and the budgets say; None where both let it start."""
        if why := self._closed.get(worker.account):
            return Leave(why, "orchestra build (later)")
        if not short or self._spending.refusal(task) is not None:
            shortage = self._spending.shortage(task, worker)
            if shortage is not None and not shortage.passing:
                return Leave(shortage.why, shortage.hint)
            short = short or shortage is not None
        limit = self._throttle.limit(worker.account)
        if limit.until > self._clock.monotonic():
            return Hold("rate", limit.until)
        if not self._throttle.room(worker.account):
            return Hold("rate")
        return Hold("budget") if short else None

    def _worker(self, task: Task) -> Worker | None:
        key = (task.name, task.agent)
        if key not in self._workers:
            worker = self._workers[key] = self._means.worker(task)
            if worker is not None:
                self._names.setdefault(worker.account, {})[worker.agent] = None
        return self._workers[key]

    def _ask_from_now_on(self, attempt: str, worker: Worker | None) -> None:
        """Let a running attempt count for the account that it asks, and no longer for the one that it asked before."""
        before = self._asking.get(attempt)
        self._asking[attempt] = worker
        if before is not None and worker is not None and before.account == worker.account:
            return
        if before is not None:
            self._throttle.ended(before.account, attempt, through=True)
            self._tell(before)
        if worker is not None:
            self._throttle.started(worker.account, attempt)

    def _need(self, task: Task, worker: Worker | None) -> int:
        """The bytes that an attempt at the task will hold: as was seen, else as its agent usually does."""
        if task.name not in self._needs:
            seen = self._means.ledger.peak_bytes(task.name) if self._means.ledger is not None else 0
            self._needs[task.name] = seen or (worker.memory if worker is not None else 0)
        return self._needs[task.name]

    def _close(self, worker: Worker, task: Task, now: float) -> None:
        """Let nothing more of an account start where not one attempt got through for longer than this task's timeout:
        each of the others would find out for itself, for as long.
        """
        since = self._throttle.stuck_since(worker.account)
        if since is not None and now - since > task.timeout:
            why = f"{_who(worker)} is rate limited: no attempt got through for {duration(now - since)}"
            self._closed[worker.account] = why

    def _tell(self, worker: Worker) -> None:
        """Tell what holds for an account where that has changed."""
        limit = self._throttle.limit(worker.account)
        told = self._told.get(worker.account)
        if limit == told or (told is None and limit.until == 0.0):
            return
        self._told[worker.account] = limit
        now, ahead = self._clock.now(), limit.until - self._clock.monotonic()
        agents = tuple(self._names[worker.account])
        until = now + ahead if ahead > 0 else None
        self._emit(LimitChanged(now, self._build, agents, worker.provider, limit.window, until))

    def _tell_held(self, task: str, cause: Held) -> None:
        if self._held.get(task) != cause:
            self._held[task] = cause
            self._emit(TaskHeld(self._clock.now(), self._build, task, cause))

    def _tell_crowded(self, lack: str) -> None:
        """Say once a build of each kind of want that the machine has it."""
        kind = lack.partition("`limits.")[2].partition("`")[0]
        if kind not in self._crowded:
            self._crowded.add(kind)
            self._notice(f"nothing starts beside others for now: {lack}", None)

    def _notice(self, message: str, hint: str | None) -> None:
        self._emit(Notice(self._clock.now(), self._build, message, hint))


def _who(worker: Worker) -> str:
    """An account in words: the agent, and whose service it calls."""
    return f"{worker.agent} ({worker.provider})" if worker.provider else worker.agent
