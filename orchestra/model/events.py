"""Everything that happens in a build, as values: what terminal, log, database and reports listen to.

`to_json` gives the one form in which events leave the program (`schema/events.schema.json`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from enum import Enum
from typing import Any, ClassVar

from orchestra.model.agents import AgentEvent
from orchestra.model.freshness import Note, Reason, State
from orchestra.model.outcomes import Artifact, Asked, Fault, Final, Held, Judged, Outcome, Phase, Usage, Wait
from orchestra.model.planned import PlannedTask

VERSION = 1
"""The version of the events' JSON form."""


@dataclass(frozen=True, slots=True)
class Event:
    """Something happened at `time` (seconds since the epoch) in `build`."""

    name: ClassVar[str] = ""
    time: float
    build: str


@dataclass(frozen=True, slots=True)
class BuildStarted(Event):
    """A build began: the selected tasks in an order that keeps all edges, the commit it starts from, the
    branch that it is for (None: detached), at most how many attempts at once.
    """

    name: ClassVar[str] = "build_started"
    tasks: tuple[str, ...]
    base: str
    branch: str | None
    jobs: int
    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class BuildPlanned(Event):
    """Something may run: what each selected task waits for and claims. A build that finds all fresh has none."""

    name: ClassVar[str] = "build_planned"
    tasks: tuple[PlannedTask, ...]


@dataclass(frozen=True, slots=True)
class MachineSampled(Event):
    """How the machine stood while commands ran: shares (0 to 1) of its processors and its memory in use (None: not
    known), the bytes that the commands of this build held together, and how many of them ran.
    """

    name: ClassVar[str] = "machine_sampled"
    cpu: float | None
    memory: float | None
    held_bytes: int
    commands: int


@dataclass(frozen=True, slots=True)
class Notice(Event):
    """Something a person should know that is about no single task; `hint` is what to type."""

    name: ClassVar[str] = "notice"
    message: str
    hint: str | None = None


@dataclass(frozen=True, slots=True)
class TaskDecided(Event):
    """A task was found fresh or stale on a commit."""

    name: ClassVar[str] = "task_decided"
    task: str
    state: State
    key: str
    commit: str
    reasons: tuple[Reason, ...] = ()
    notes: tuple[Note, ...] = ()


@dataclass(frozen=True, slots=True)
class AttemptStarted(Event):
    """An attempt began on a base: its number for this task in this build, its agent, what it waited for, and what it
    is asked to do.
    """

    name: ClassVar[str] = "attempt_started"
    task: str
    attempt: str
    number: int
    agent: str
    base: str
    key: str
    reasons: tuple[Reason, ...] = ()
    waits: tuple[Wait, ...] = ()
    asked: Asked = field(default_factory=Asked)


@dataclass(frozen=True, slots=True)
class AttemptSlot(Event):
    """The attempt got its slot and its log file."""

    name: ClassVar[str] = "attempt_slot"
    task: str
    attempt: str
    slot: int
    log: str


@dataclass(frozen=True, slots=True)
class PhaseStarted(Event):
    """An attempt entered a phase: prepare, setup, agent, check, `repair 1` and so on, review, capture."""

    name: ClassVar[str] = "phase_started"
    task: str
    attempt: str
    phase: str


@dataclass(frozen=True, slots=True)
class AgentDid(Event):
    """The agent did something."""

    name: ClassVar[str] = "agent_event"
    task: str
    attempt: str
    agent_event: AgentEvent


@dataclass(frozen=True, slots=True)
class AttemptFinished(Event):
    """An attempt ended; its result, if it has one, is kept under a ref. `reads` are the files of its base that its
    agent was seen to read, `artifacts` the files that were kept of it, `judged` the checks and reviews of its work in
    order; `model` is the model that served it, or where its agent does not say, the one that it was told to use.
    """

    name: ClassVar[str] = "attempt_finished"
    task: str
    attempt: str
    outcome: Outcome
    fault: Fault | None
    detail: str
    seconds: float
    result: str | None = None
    tail: tuple[str, ...] = ()
    phases: tuple[Phase, ...] = ()
    usage: Usage = field(default_factory=Usage)
    exit_status: int | None = None
    signal: int | None = None
    cpu_s: float = 0.0
    peak_bytes: int = 0
    changed_bytes: int = 0
    reads: tuple[str, ...] = ()
    artifacts: tuple[Artifact, ...] = ()
    judged: tuple[Judged, ...] = ()
    model: str | None = None


@dataclass(frozen=True, slots=True)
class LimitChanged(Event):
    """The service of some agents limits how much it may be asked: at most `window` attempts at once, and none starts
    before `until` (seconds since the epoch, None: no such moment). The agents share `provider` and who pays.
    """

    name: ClassVar[str] = "limit_changed"
    agents: tuple[str, ...]
    provider: str
    window: int
    until: float | None = None


@dataclass(frozen=True, slots=True)
class TaskHeld(Event):
    """A task whose turn it is has to wait; the causes are those of `Wait`. Told of the first that wait only, and again
    where the cause is another.
    """

    name: ClassVar[str] = "task_held"
    task: str
    cause: Held


@dataclass(frozen=True, slots=True)
class VerifyStarted(Event):
    """A commit is being verified by `command`; `task` is whose result it holds, None for the base of the build."""

    name: ClassVar[str] = "verify_started"
    commit: str
    task: str | None = None
    command: str = ""


@dataclass(frozen=True, slots=True)
class VerifyFinished(Event):
    """A verification gave its verdict; `remembered`: from an earlier one of the same tree.

    `passed` is None where it was interrupted. `tail` are the last lines of its log where it is red.
    """

    name: ClassVar[str] = "verify_finished"
    commit: str
    passed: bool | None
    remembered: bool
    seconds: float
    task: str | None = None
    tail: tuple[str, ...] = ()
    log: str = ""


@dataclass(frozen=True, slots=True)
class TaskLanded(Event):
    """A task's result is on the tip: the commit, the paths it changed, whether it was verified."""

    name: ClassVar[str] = "task_landed"
    task: str
    attempt: str
    commit: str
    paths: tuple[str, ...]
    verified: bool


@dataclass(frozen=True, slots=True)
class TaskUnchanged(Event):
    """An attempt succeeded and changed no file (or, for a check task, passed)."""

    name: ClassVar[str] = "task_unchanged"
    task: str
    attempt: str
    final: Final


@dataclass(frozen=True, slots=True)
class TaskReplayed(Event):
    """The result of an earlier attempt, kept under a ref, goes to the landing instead of a new attempt.

    `why`: that its task was attempted in the same state before, or was cut off before its result landed.
    """

    name: ClassVar[str] = "task_replayed"
    task: str
    attempt: str
    result: str
    why: str


@dataclass(frozen=True, slots=True)
class TaskRecorded(Event):
    """A task's entry was recorded and nothing ran: `adopted` since the person asked, or `replayed` since all that
    an earlier attempt (None: not known) did is there already.
    """

    name: ClassVar[str] = "task_recorded"
    task: str
    final: Final
    attempt: str | None = None


@dataclass(frozen=True, slots=True)
class TaskAgain(Event):
    """The task will be attempted once more, on the newest tip: its result did not land, or what made the attempt
    fail may be over soon; then after `delay_s` seconds.
    """

    name: ClassVar[str] = "task_again"
    task: str
    attempt: str
    why: str
    paths: tuple[str, ...] = ()
    alone: bool = False
    delay_s: float = 0.0


@dataclass(frozen=True, slots=True)
class TaskRejected(Event):
    """A result will not land: why, with the paths or the last lines that show it, and the ref that keeps it.

    `hint` is what to do about it, where there is more to say than to try again.
    """

    name: ClassVar[str] = "task_rejected"
    task: str
    attempt: str
    why: str
    kept: str | None
    paths: tuple[str, ...] = ()
    tail: tuple[str, ...] = ()
    log: str = ""
    hint: str | None = None


@dataclass(frozen=True, slots=True)
class TaskFailed(Event):
    """A task failed: no further attempt will be made in this build."""

    name: ClassVar[str] = "task_failed"
    task: str
    attempt: str
    outcome: Outcome
    why: str
    tail: tuple[str, ...] = ()
    log: str = ""


@dataclass(frozen=True, slots=True)
class TaskSkipped(Event):
    """A task was not attempted (not again), because of `because` (a task that it needs), an interrupt or a limit;
    `hint` is what to type about it.
    """

    name: ClassVar[str] = "task_skipped"
    task: str
    why: str
    because: str | None = None
    hint: str | None = None


@dataclass(frozen=True, slots=True)
class StopRequested(Event):
    """The person asked to stop: nothing more is started, and what runs is given a few seconds (`now`: none)."""

    name: ClassVar[str] = "stop_requested"
    now: bool


@dataclass(frozen=True, slots=True)
class BranchAdvanced(Event):
    """The person's branch moved."""

    name: ClassVar[str] = "branch_advanced"
    branch: str
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class BranchBehind(Event):
    """The person's branch could not or should not move: the tip stays on another one; `hint` says what to type."""

    name: ClassVar[str] = "branch_behind"
    branch: str | None
    parked: str
    tip: str
    why: str
    hint: str
    paths: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class BuildFinished(Event):
    """The build is over. `tasks` gives each selected task its one final outcome.

    `ran` counts attempts started; `wall_s` is the build's own time, `sequential_s` the sum of its attempts'
    seconds, `speedup` the one over the other (None where nothing ran); `usd` and `tokens` are what is known, None
    where nothing is: so many attempts that may have cost something did not tell it (`unpriced`, `uncounted`). `error`
    is what broke it off, where something did; then what was under way counts as interrupted, the rest as skipped.
    """

    name: ClassVar[str] = "build_finished"
    ok: bool
    advanced: bool
    interrupted: bool
    tasks: Mapping[str, Final]
    ran: int
    replayed: int
    fresh: int
    landed: int
    no_change: int
    passed: int
    failed: int
    rejected: int
    skipped: int
    wall_s: float
    sequential_s: float
    speedup: float | None
    usd: float | None
    tokens: int | None
    tip: str
    adopted: int = 0
    reverted: int = 0
    unpriced: int = 0
    uncounted: int = 0
    error: str | None = None


def to_json(event: Event) -> dict[str, Any]:
    """The event as JSON data: `event`, `version`, then its fields; surrogates of odd paths are kept."""
    value: dict[str, Any] = {"event": event.name, "version": VERSION}
    for item in fields(event):
        value[item.name] = plain(getattr(event, item.name))
    return value


def plain(value: Any) -> Any:
    """A value of the model as JSON data."""
    if isinstance(value, Enum):
        return value.value
    if is_dataclass(value) and not isinstance(value, type):
        return {item.name: plain(getattr(value, item.name)) for item in fields(value)}
    if isinstance(value, Mapping):
        return {str(name): plain(item) for name, item in value.items()}
    if isinstance(value, frozenset):
        return sorted(plain(item) for item in value)
    if isinstance(value, tuple | list):
        return [plain(item) for item in value]
    return value
