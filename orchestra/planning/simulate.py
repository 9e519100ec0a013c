"""The doubles with which plans and tests drive the real engine: executor, clock, machine and ledger.

An attempt takes the time that its script says and leaves the result that its script says; time moves only when
somebody waits.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from heapq import heapify, heappop, heappush

from orchestra.model.agents import AgentEvent
from orchestra.model.means import Day, Reading
from orchestra.model.outcomes import Fault, Outcome, Phase, Usage
from orchestra.model.patterns import compile_pattern
from orchestra.model.ports import (
    AgentSaid,
    AttemptEnded,
    AttemptOrder,
    CommitRequest,
    Git,
    Happening,
    Interrupted,
    PhaseBegan,
    RefUpdate,
    Started,
    VerifyEnded,
    VerifyOrder,
)
from orchestra.model.rescued import commits_ref
from orchestra.model.tasks import Task
from orchestra.model.trailers import result_message
from orchestra.model.trees import Tree


@dataclass(slots=True)
class ManualClock:
    """A clock that stands still until it is moved. Implements Clock."""

    seconds: float = 0.0

    def now(self) -> float:
        """See `orchestra.model.ports.Clock`."""
        return self.seconds

    def monotonic(self) -> float:
        """See `orchestra.model.ports.Clock`."""
        return self.seconds


@dataclass(frozen=True, slots=True)
class Script:
    """What a simulated attempt does: takes `seconds`, edits files, ends with an outcome.

    `told` is whether its agent could be told what happened to the result, `transient` whether what made it fail
    may be over soon, `retry_after` in how many seconds at least, `throttled` whether its service was asked too much.
    `usage` is what it used, `says` what its agent says as soon as it starts (in
    the phase `says_in`), `reads` what it is seen to
    read, `commits` the edits of each commit that it makes itself.
    """

    seconds: float = 1.0
    edits: tuple[tuple[str, bytes | None], ...] = ()
    outcome: Outcome = Outcome.SUCCESS
    detail: str = ""
    told: bool = False
    transient: bool = False
    retry_after: float | None = None
    throttled: bool = False
    usage: Usage = field(default_factory=Usage)
    says: tuple[AgentEvent, ...] = ()
    says_in: str = "agent"
    reads: tuple[str, ...] = ()
    commits: tuple[tuple[tuple[str, bytes | None], ...], ...] = ()


def pessimist(order: AttemptOrder, tree: Tree) -> Script:
    """What a build that is only planned assumes: every attempt succeeds and changes all that it may.

    So dependents are shown as running; early cutoff can only make the real build shorter.
    """
    if order.task.claims.is_check:
        return Script()
    content = f"simulated by {order.attempt}\n".encode()
    return Script(edits=tuple((path, content) for path in _assumed_outputs(order.task, tree)))


def _assumed_outputs(task: Task, tree: Tree) -> tuple[str, ...]:
    patterns = task.claims.writable or task.claims.inferred_patterns("write")
    if not patterns:
        return (f"simulated/{task.name}",)
    found: list[str] = []
    for text in patterns:
        path = compile_pattern(text).sample()
        # Where a folder is claimed by its name, a file of that name cannot stand beside what is in it.
        if tree.under(f"{path}/"):
            path = f"{path}/simulated"
        folders = [path[:at] for at, char in enumerate(path) if char == "/"]
        below_a_file = any(folder in tree.files or folder in found for folder in folders)
        if not below_a_file and not any(other.startswith(f"{path}/") for other in found):
            found.append(path)
    return tuple(dict.fromkeys(found))


@dataclass(frozen=True, slots=True)
class _UnderWay:
    """An attempt with its script, or a verification; `stopped` where it does not come to its end."""

    order: AttemptOrder | VerifyOrder
    began: float
    script: Script | None = None
    stopped: bool = False


@dataclass(slots=True)
class SimulatedExecutor:
    """Carries out attempts by script on an in-memory Git. Implements Executor.

    `behave` says what an attempt does, and is asked once, when it starts; `verdict` whether a tree passes
    verification, `interrupts` at which moments the person asks to stop, `grace` how long what is then under way
    goes on unless it is stopped at once.
    """

    git: Git
    clock: ManualClock
    behave: Callable[[AttemptOrder, Tree], Script] = pessimist
    verdict: Callable[[Tree], bool] = field(default=lambda tree: True)
    verify_seconds: float = 0.0
    interrupts: list[float] = field(default_factory=list)
    grace: float = 0.0
    peak: int = 0
    _under_way: list[tuple[float, int, _UnderWay]] = field(default_factory=list)
    _count: int = 0
    _told: list[Happening] = field(default_factory=list)

    def start(self, order: AttemptOrder) -> None:
        """See `orchestra.model.ports.Executor`."""
        script = self.behave(order, self.git.tree(order.base))
        self._push(script.seconds, order, script)
        self._told.append(Started(order.attempt, slot=1, log=""))
        if script.says:
            self._told.append(PhaseBegan(order.attempt, script.says_in))
            self._told += [AgentSaid(order.attempt, event) for event in script.says]
        running = sum(item.script is not None for _, _, item in self._under_way)
        self.peak = max(self.peak, running)

    def verify(self, order: VerifyOrder) -> None:
        """See `orchestra.model.ports.Executor`."""
        self._push(self.verify_seconds, order)

    def poll(self, until: float | None = None) -> tuple[Happening, ...]:
        """See `orchestra.model.ports.Executor`."""
        if self._told:
            told, self._told = tuple(self._told), []
            return told
        moments = [self._under_way[0][0]] if self._under_way else []
        moments += [until] if until is not None else []
        if not moments:
            return ()
        if self.interrupts and self.interrupts[0] <= min(moments):
            self.clock.seconds = max(self.clock.seconds, self.interrupts.pop(0))
            return (Interrupted(),)
        if until is not None and until <= moments[0]:
            self.clock.seconds = max(self.clock.seconds, until)
            return ()
        ends, _, item = heappop(self._under_way)
        self.clock.seconds = max(self.clock.seconds, ends)
        if item.stopped:
            return (self._stopped(item),)
        if isinstance(item.order, VerifyOrder):
            passed = self.verdict(self.git.tree(item.order.commit))
            return (VerifyEnded(item.order.name, passed, "" if passed else "red", seconds=ends - item.began),)
        assert item.script is not None
        return (self._ended(item.order, item.script, item.began),)

    def stop(self, *, now: bool) -> None:
        """See `orchestra.model.ports.Executor`."""
        at = self.clock.seconds + (0.0 if now else self.grace)
        self._under_way = [
            (at, count, replace(item, stopped=True)) if now or ends > at else (ends, count, item)
            for ends, count, item in self._under_way
        ]
        heapify(self._under_way)

    def _stopped(self, item: _UnderWay) -> Happening:
        if isinstance(item.order, VerifyOrder):
            return VerifyEnded(item.order.name, None, "interrupted")
        phases = (Phase("agent", item.began, self.clock.seconds),)
        return AttemptEnded(item.order.attempt, Outcome.INTERRUPTED, Fault.PERSON, phases=phases)

    def _push(self, seconds: float, order: AttemptOrder | VerifyOrder, script: Script | None = None) -> None:
        self._count += 1
        now = self.clock.seconds
        # Numbered, so that of two that end at one moment the first to start ends first.
        heappush(self._under_way, (now + seconds, self._count, _UnderWay(order, now, script)))

    def _ended(self, order: AttemptOrder, script: Script, began: float) -> AttemptEnded:
        tree = self.git.tree(order.base)
        phases = (Phase("agent", began, self.clock.seconds),)
        ended = AttemptEnded(
            order.attempt,
            script.outcome,
            phases=phases,
            usage=script.usage,
            told=script.told,
        )
        if not script.outcome.good:
            return replace(
                ended,
                fault=Fault.AGENT,
                detail=script.detail,
                transient=script.transient,
                retry_after=script.retry_after,
                throttled=script.throttled,
            )
        message = result_message(order.task.name, order.attempt, "", script.reads)
        result = self.git.commit(CommitRequest(order.base, (order.base,), message, script.edits))
        head = order.base
        for edits in script.commits:
            head = self.git.commit(CommitRequest(head, (head,), f"By {order.task.name}\n", edits))
        if head != order.base:
            self.git.update_refs((RefUpdate(commits_ref(order.attempt), head, force=True),))
        changed = self.git.tree(result).files != tree.files
        if order.task.claims.is_check and not changed:
            # Of a check nothing is kept but its verdict.
            return replace(ended, outcome=Outcome.NO_CHANGE)
        self.git.update_refs((RefUpdate(order.keep, result, force=True),))
        return replace(
            ended,
            outcome=Outcome.SUCCESS if changed else Outcome.NO_CHANGE,
            result=result,
            reads=script.reads,
        )


@dataclass(slots=True)
class ListedLedger:
    """A ledger of what is written down here. Implements Ledger.

    `past` are the usages by agent and task, newest first, `peaks` the bytes by task, `days` the USD by the number of
    the day, which is 86,400 seconds long.
    """

    past: dict[tuple[str, str], tuple[Usage, ...]] = field(default_factory=dict)
    peaks: dict[str, int] = field(default_factory=dict)
    days: dict[int, float] = field(default_factory=dict)

    def usages(self, agent: str, task: str | None = None) -> tuple[Usage, ...]:
        """See `orchestra.model.means.Ledger`."""
        every = (used for (who, what), used in self.past.items() if who == agent and task in (None, what))
        return tuple(usage for used in every for usage in used)

    def peak_bytes(self, task: str) -> int:
        """See `orchestra.model.means.Ledger`."""
        return self.peaks.get(task, 0)

    def day(self, now: float) -> Day:
        """See `orchestra.model.means.Ledger`."""
        number = int(now // 86_400)
        return Day((number + 1) * 86_400.0, self.days.get(number, 0.0))


@dataclass(slots=True)
class ScriptedMachine:
    """A machine that stands as its script says at each moment. Implements Machine; `looks` are the moments of looks."""

    clock: ManualClock
    script: Callable[[float], Reading]
    looks: list[float] = field(default_factory=list)

    def read(self) -> Reading:
        """See `orchestra.model.means.Machine`."""
        self.looks.append(self.clock.seconds)
        return self.script(self.clock.seconds)
