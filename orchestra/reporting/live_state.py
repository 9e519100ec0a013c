"""A build as it stands at a moment, from its events: what runs and in which phase, what waits and for what, how many
ended how. Pure: time comes with the events and from whoever asks.

Any events may come in any order; what a person sees is always of the newest build.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from orchestra.model.agents import AgentEvent
from orchestra.model.events import (
    AgentDid,
    AttemptFinished,
    AttemptStarted,
    BuildFinished,
    BuildStarted,
    Event,
    LimitChanged,
    PhaseStarted,
    StopRequested,
    TaskAgain,
    TaskDecided,
    TaskFailed,
    TaskHeld,
    TaskLanded,
    TaskRecorded,
    TaskRejected,
    TaskReplayed,
    TaskSkipped,
    TaskUnchanged,
    VerifyFinished,
    VerifyStarted,
)
from orchestra.model.forecast import Forecast, forecast
from orchestra.model.freshness import State
from orchestra.model.graph import Edge, EdgeKind
from orchestra.model.outcomes import Final
from orchestra.model.spread import Spread
from orchestra.reporting.lines import agent_words

LANDING, VERIFYING = "landing", "verifying"
BASE, TIP = "(base)", "(tip)"
"""Stand where a task's name would, for a verification that is about none."""

RECKON_S = 2.0
"""Seconds for which a look ahead is good enough."""


@dataclass(frozen=True, slots=True)
class Ahead:
    """What is known before a build: by task the edges that end at it, the agent that does it, and how long it takes."""

    edges: Mapping[str, Sequence[Edge]] = field(default_factory=dict)
    agents: Mapping[str, str] = field(default_factory=dict)
    estimates: Mapping[str, Spread] = field(default_factory=dict)


Used = tuple[int | None, float | None]
"""Tokens and USD, None where they are not known."""


@dataclass(slots=True)
class Running:
    """A task under way: since when, in which phase since when, what its agent did last, and until when that waits for
    its service (None: it does not wait, or nobody knows). `used` is what the run of its agent has used so far,
    `before` what earlier runs in the attempt have.
    """

    task: str
    since: float
    phase: str
    phase_since: float
    agent: str = ""
    number: int = 1
    action: str = ""
    waiting: bool = False
    until: float | None = None
    used: Used = (None, None)
    before: Used = (None, None)

    @property
    def total(self) -> Used:
        """What the attempt has used so far."""
        return added(self.before, self.used)


@dataclass(frozen=True, slots=True)
class Waiting:
    """A task that has not begun: for which task it waits and why (None: for none), or until when."""

    task: str
    edge: Edge | None = None
    cause: str = ""
    until: float | None = None


class Progress:
    """One build after the other, as its events tell it."""

    def __init__(self, ahead: Ahead | None = None) -> None:
        self.ahead = ahead or Ahead()
        self._begin(BuildStarted(0.0, "", (), "", None, 1))
        self.going = False

    def _begin(self, event: BuildStarted) -> None:
        self.started = event
        self.going = True
        self.stopping = ""
        self.ends: dict[str, Final] = {}
        self.running: dict[str, Running] = {}
        self.limits: dict[str, LimitChanged] = {}
        self._held: dict[str, str] = {}
        self._used: Used = (None, None)
        self._tasks = dict.fromkeys(event.tasks)
        self._stale: set[str] = set()
        self._later: dict[str, float] = {}
        self._took: list[float] = []
        self._forecast = Forecast()
        self._reckoned: tuple[float, int] | None = None

    # --- what happens ----------------------------------------------------------------------------------------

    def take(self, event: Event) -> None:
        """Take one event."""
        match event:
            case BuildStarted():
                self._begin(event)
            case BuildFinished():
                self.going = False
                self.running.clear()
            case StopRequested():
                self.stopping = "now" if event.now else "soon"
            case LimitChanged():
                self.limits.update(dict.fromkeys(event.agents, event))
            case TaskHeld():
                self._held[event.task] = event.cause
            case AttemptStarted():
                self._later.pop(event.task, None)
                self._held.pop(event.task, None)
                self.ends.pop(event.task, None)
                self.running[event.task] = Running(
                    event.task, event.time, "preparing", event.time, event.agent, event.number
                )
            case PhaseStarted():
                self._enter(event.task, phase_words(event.phase), event.time)
            case AgentDid():
                self._did(event.task, event.agent_event, event.time)
            case AttemptFinished():
                self._attempt_ended(event)
            case VerifyStarted() | VerifyFinished():
                self._verification(event)
            case TaskAgain():
                self._again(event)
            case _:
                self._about_task(event)

    def _about_task(self, event: Event) -> None:
        match event:
            case TaskDecided():
                self._decided(event)
            case TaskReplayed():
                self.running[event.task] = Running(event.task, event.time, LANDING, event.time)
            case TaskLanded():
                self._end(event.task, Final.LANDED)
            case TaskUnchanged() | TaskRecorded():
                self._end(event.task, event.final)
            case TaskRejected():
                self._end(event.task, Final.REJECTED)
            case TaskFailed():
                self._end(event.task, Final.FAILED)
            case TaskSkipped():
                self._end(event.task, Final.SKIPPED)
            case _:
                pass  # it says nothing about where the build stands

    def _decided(self, event: TaskDecided) -> None:
        if event.state is State.STALE:
            self._stale.add(event.task)
            # What was settled may be found stale again at the end.
            self.ends.pop(event.task, None)
        elif event.state in (State.FRESH, State.REVERTED) and event.task not in self.ends:
            self._end(event.task, Final.FRESH if event.state is State.FRESH else Final.REVERTED)

    def _end(self, task: str, final: Final) -> None:
        self.running.pop(task, None)
        self._later.pop(task, None)
        self.ends[task] = final

    def _again(self, event: TaskAgain) -> None:
        self.running.pop(event.task, None)
        self._later[event.task] = event.time + event.delay_s

    def _enter(self, task: str, phase: str, at: float) -> None:
        running = self.running.get(task)
        if running is not None:
            running.phase, running.phase_since = phase, at
            running.action, running.waiting, running.until = "", False, None
            running.before, running.used = added(running.before, running.used), (None, None)

    def _did(self, task: str, event: AgentEvent, at: float) -> None:
        running = self.running.get(task)
        if running is None:
            return
        running.waiting = event.kind == "waiting"
        running.until = at + event.wait_s if running.waiting and event.wait_s is not None else None
        if event.used is not None:
            running.used = event.used.tokens, event.used.usd
        if words := agent_words(event):
            running.action = words

    def _attempt_ended(self, event: AttemptFinished) -> None:
        self._used = added(self._used, (event.usage.tokens, event.usage.usd))
        if event.outcome.good:
            self._took.append(event.seconds)
            self._enter(event.task, LANDING, event.time)
        else:
            self.running.pop(event.task, None)

    def _verification(self, event: VerifyStarted | VerifyFinished) -> None:
        name = event.task if event.task is not None else BASE if event.commit == self.started.base else TIP
        if isinstance(event, VerifyFinished):
            if event.task is None:
                self.running.pop(name, None)
            else:
                self._enter(name, LANDING, event.time)
        elif event.task is None:
            self.running[name] = Running(name, event.time, VERIFYING, event.time)
        else:
            self._enter(name, VERIFYING, event.time)

    # --- what a person is told -------------------------------------------------------------------------------

    @property
    def total(self) -> int:
        """How many tasks are selected."""
        return len(self._tasks)

    @property
    def begun(self) -> bool:
        """Whether there is something to show: a build is going on that is not only looking for what is stale."""
        return self.going and bool(self._stale or self.running)

    def counts(self) -> Mapping[Final, int]:
        """How many tasks ended how."""
        return Counter(self.ends.values())

    @property
    def left(self) -> int:
        """How many tasks have not begun."""
        return sum(task not in self.ends and task not in self.running for task in self._tasks)

    @property
    def used(self) -> Used:
        """What all attempts have used, those that run included as far as they tell."""
        used = self._used
        for running in self.running.values():
            if running.phase not in (LANDING, VERIFYING):
                used = added(used, running.total)
        return used

    def waiting(self, now: float, most: int) -> tuple[Waiting, ...]:
        """The first tasks that have not begun, with what they wait for: those whose turn it is before the others."""
        free: list[Waiting] = []
        bound: list[Waiting] = []
        for task in self._tasks:
            if task in self.ends or task in self.running:
                continue
            edge = self._open_edge(task)
            if edge is not None:
                if len(bound) < most:
                    bound.append(Waiting(task, edge))
                continue
            free.append(self._free(task, now))
            if len(free) >= most:
                break
        return tuple((free + bound)[:most])

    def _open_edge(self, task: str) -> Edge | None:
        """What keeps a task from being decided: a task before it that is not settled, a needed one first."""
        found = None
        for edge in self.ahead.edges.get(task, ()):
            if edge.kind is not EdgeKind.SHARE and edge.first in self._tasks and edge.first not in self.ends:
                if edge.kind is EdgeKind.NEED:
                    return edge
                found = found or edge
        return found

    def _free(self, task: str, now: float) -> Waiting:
        """What a task waits for that waits for no other."""
        if self._later.get(task, 0.0) > now:
            return Waiting(task, cause="retry", until=self._later[task])
        limit = self.limits.get(self.ahead.agents.get(task, ""))
        if limit is not None and limit.until is not None and limit.until > now:
            return Waiting(task, cause="API", until=limit.until)
        if BASE in self.running:
            return Waiting(task, cause=BASE)
        if sum(
            running.phase != LANDING and running.phase != VERIFYING for running in self.running.values()
        ) >= (self.started.jobs):
            return Waiting(task, cause="slot")
        return Waiting(task, cause=self._held.get(task, ""))

    def forecast(self, now: float) -> Forecast:
        """The critical path of what is left, and about how long it takes."""
        key = (now, len(self.ends))
        fresh = self._reckoned is not None and key[1] == self._reckoned[1]
        if fresh and self._reckoned is not None and 0 <= now - self._reckoned[0] < RECKON_S:
            return self._forecast
        self._reckoned = key
        order = [task for task in self._tasks if task not in self.ends]
        left = {task: self._left(task, now) for task in order}
        before = {task: [edge.first for edge in self.ahead.edges.get(task, ())] for task in order}
        pasts = sorted([*self._took, *(known.p50 for known in self.ahead.estimates.values())])
        usual = pasts[len(pasts) // 2] if pasts else None
        self._forecast = forecast(order, before, left, usual, self._room(order))
        return self._forecast

    def _room(self, order: Sequence[str]) -> int:
        """How many attempts run at once, as far as can be seen: where some could start and do not, as many as do."""
        under_way = len(self.running)
        held = (task not in self.running and self._open_edge(task) is None for task in order)
        return under_way if 0 < under_way < self.started.jobs and any(held) else self.started.jobs

    def _left(self, task: str, now: float) -> float | None:
        known, running = self.ahead.estimates.get(task), self.running.get(task)
        if running is not None and running.phase in (LANDING, VERIFYING):
            return 0.0
        if known is None:
            return None
        if running is None:
            return known.p50
        took = max(0.0, now - running.since)
        return known.p50 - took if took < known.p50 else max(0.0, known.p90 - took)


def phase_words(phase: str) -> str:
    """What goes on in a phase of an attempt."""
    name, _, number = phase.partition(" ")
    words = _PHASES.get(name, name)
    return f"{words} {number}" if number else words


_PHASES = {
    "prepare": "preparing",
    "setup": "setting up",
    "agent": "running",
    "check": "checking",
    "repair": "repairing",
    "review": "reviewing",
    "capture": "capturing",
}


def added(one: Used, other: Used) -> Used:
    """Both together, as far as they are known."""
    tokens = [each for each in (one[0], other[0]) if each is not None]
    usd = [each for each in (one[1], other[1]) if each is not None]
    return sum(tokens) if tokens else None, sum(usd) if usd else None
