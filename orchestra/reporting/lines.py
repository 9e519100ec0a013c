"""A line when something happens in a build, for a terminal or a pipe: no cursor control, nothing drawn over.

The header waits for the first line about a task, so that a null build prints nothing here. Times come from
the events; what is foreign passes through `clean`.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, tzinfo

from orchestra.model.agents import AgentEvent
from orchestra.model.events import (
    AgentDid,
    AttemptFinished,
    AttemptSlot,
    AttemptStarted,
    BranchAdvanced,
    BranchBehind,
    BuildFinished,
    BuildPlanned,
    BuildStarted,
    Event,
    LimitChanged,
    Notice,
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
from orchestra.model.freshness import State
from orchestra.model.outcomes import Final
from orchestra.model.text import duration
from orchestra.reporting.words import (
    Style,
    branch_words,
    count,
    held_words,
    listing,
    one_line,
    paint,
    path_words,
    reasons_words,
    short,
    why_words,
)

QUIET, NORMAL, VERBOSE = -1, 0, 1
NAME_WIDTH = 40
_VERB_WIDTH = 8
_BASE, _TIP = "(base)", "(tip)"
"""Stand where a task's name would, for a verification that is about none."""


class PlainLines:
    """A listener that writes lines.

    `write` takes one line with its newline. `verbosity`: -1 only problems and notices, 0 what became of each
    task, 1 also phases, what agents do, verifications and the decisions about fresh tasks. The summary is
    another's (`SummaryCollector`).
    """

    def __init__(
        self,
        write: Callable[[str], None],
        *,
        color: bool = False,
        verbosity: int = NORMAL,
        zone: tzinfo | None = None,
        starts: bool = True,
    ) -> None:
        """`zone` is that of times of day, by default the local one. Without `starts`, where what runs is shown in
        another way, starts are told only where phases are.
        """
        self._write = write
        self._zone = zone
        self._color = color
        self._verbosity = verbosity
        self._starts = NORMAL if starts else VERBOSE
        self._began: float | None = None
        self._header: str | None = None
        self._base = ""
        self._width = 0
        self._seconds: dict[str, float] = {}
        self._fresh: set[str] = set()
        self._checks: frozenset[str] = frozenset()
        self._limits: dict[tuple[str, ...], LimitChanged] = {}

    def notify(self, event: Event) -> None:
        """Write what there is to say about one event."""
        if self._began is None:
            self._began = event.time
        match event:
            case BuildStarted():
                self._started(event)
            case BuildPlanned():
                self._checks = frozenset(each.task for each in event.tasks if each.is_check)
            case BuildFinished():
                self._seconds.clear()
            case Notice() | StopRequested() | BranchAdvanced() | BranchBehind():
                self._about_build(event)
            case LimitChanged():
                self._about_limit(event)
            case VerifyStarted() | VerifyFinished():
                self._about_verification(event)
            case AttemptStarted() | AttemptSlot() | PhaseStarted() | AgentDid() | AttemptFinished():
                self._about_attempt(event)
            case _:
                self._about_task(event)

    def _started(self, event: BuildStarted) -> None:
        self._width = min(NAME_WIDTH, max((len(one_line(name)) for name in event.tasks), default=0))
        self._base = event.base
        self._header = header(event)

    def _about_build(self, event: Notice | StopRequested | BranchAdvanced | BranchBehind) -> None:
        match event:
            case StopRequested():
                words = (
                    "at once"
                    if event.now
                    else "what runs is given a few seconds; interrupt again to give it none"
                )
                self._put(QUIET, event, "stopping", Style.WARN, words)
            case Notice():
                hint = f" (hint: {one_line(event.hint)})" if event.hint else ""
                self._put(QUIET, event, "note", Style.WARN, one_line(event.message, 400) + hint)
            case BranchAdvanced():
                moved = f"{branch_words(event.branch)}  {short(event.old)} → {short(event.new)}"
                # It follows every landing; the summary says where the branch stands in the end.
                self._put(VERBOSE, event, "advanced", Style.DIM, moved)
            case BranchBehind():
                which = branch_words(event.branch) if event.branch is not None else "HEAD"
                parked = f"{short(event.tip)} is on {branch_words(event.parked)}"
                self._put(QUIET, event, "behind", Style.WARN, f"{which}  {one_line(event.why)}; {parked}")

    def _about_limit(self, event: LimitChanged) -> None:
        """What a service allows: told to all where it allows less, or keeps waiting those who asked again in vain."""
        last = self._limits.get(event.agents)
        self._limits[event.agents] = event
        waits = last is None or last.until is None or last.until <= event.time or event.window < last.window
        level = NORMAL if event.until is not None and waits else VERBOSE
        self._put(level, event, "limit", Style.WARN, limit_words(event, self._zone))

    def _about_verification(self, event: VerifyStarted | VerifyFinished) -> None:
        who = event.task if event.task is not None else _BASE if event.commit == self._base else _TIP
        commit = short(event.commit)
        if isinstance(event, VerifyStarted):
            self._task(VERBOSE, event, "verify", Style.DIM, who, commit)
            return
        how = "remembered" if event.remembered else duration(event.seconds)
        if event.passed:
            self._task(VERBOSE, event, "green", Style.DIM, who, f"{commit} verified ({how})")
        elif event.passed is None:
            self._task(VERBOSE, event, "verify", Style.DIM, who, f"{commit}: no verdict")
        else:
            log = f", log: {one_line(event.log)}" if event.log else ""
            self._task(NORMAL, event, "red", Style.BAD, who, f"{commit} fails verification ({how}){log}")

    def _about_attempt(
        self, event: AttemptStarted | AttemptSlot | PhaseStarted | AgentDid | AttemptFinished
    ) -> None:
        match event:
            case AttemptStarted():
                self._task(self._starts, event, "start", Style.DIM, event.task, self._start_words(event))
            case AttemptSlot():
                words = f"slot {event.slot}, log: {one_line(event.log)}"
                self._task(VERBOSE, event, "slot", Style.DIM, event.task, words)
            case PhaseStarted():
                self._task(VERBOSE, event, "phase", Style.DIM, event.task, one_line(event.phase))
            case AgentDid():
                if words := agent_words(event.agent_event):
                    self._task(VERBOSE, event, "agent", Style.DIM, event.task, words)
            case AttemptFinished():
                self._seconds[event.attempt] = event.seconds
                words = f"{event.outcome}  {duration(event.seconds)}"
                detail = f"  {one_line(event.detail)}" if event.detail else ""
                self._task(VERBOSE, event, "ended", Style.DIM, event.task, words + detail)

    def _start_words(self, event: AttemptStarted) -> str:
        words = reasons_words(event.reasons, check=event.task in self._checks)
        if event.number > 1:
            words = f"attempt {event.number}" + (f": {words}" if words else "")
        if event.agent:
            words = f"{words}  ({one_line(event.agent)})" if words else f"({one_line(event.agent)})"
        if self._verbosity >= VERBOSE and event.waits:
            waited = (
                f"{duration(wait.seconds)} for "
                + (f"{path_words(wait.task)} ({one_line(wait.cause)})" if wait.task else one_line(wait.cause))
                for wait in event.waits
            )
            words += f"  waited {', '.join(waited)}"
        return words

    def _about_task(self, event: Event) -> None:
        match event:
            case TaskDecided(state=State.STALE):
                # What comes next, a verification of the base, may take its time.
                self._head()
            case TaskDecided(state=State.FRESH | State.REVERTED):
                # The last look at the tip decides everything again; once is enough to read.
                if event.task not in self._fresh:
                    self._fresh.add(event.task)
                    notes = listing((f"{note.path} {note.kind}" for note in event.notes), 3)
                    self._task(VERBOSE, event, str(event.state), Style.DIM, event.task, notes)
            case TaskLanded():
                paths = count(len(event.paths), "file")
                unverified = "" if event.verified else "  not verified"
                words = self._took(event.attempt, f"{paths}  → {short(event.commit)}{unverified}")
                self._fresh.add(event.task)
                self._task(NORMAL, event, "landed", Style.GOOD, event.task, words)
            case TaskUnchanged():
                self._fresh.add(event.task)
                passed = event.final is Final.PASSED
                words = self._took(event.attempt, "" if passed else "no change")
                self._task(NORMAL, event, "passed" if passed else "same", Style.GOOD, event.task, words)
            case TaskReplayed():
                self._task(NORMAL, event, "replay", Style.DIM, event.task, one_line(event.why))
            case TaskRecorded():
                self._fresh.add(event.task)
                adopted = event.final is Final.ADOPTED
                words = "recorded as fresh" if adopted else "all that it did is there already"
                self._task(NORMAL, event, str(event.final), Style.GOOD, event.task, words)
            case TaskHeld():
                self._task(
                    VERBOSE, event, "held", Style.DIM, event.task, f"waits for {held_words(event.cause)}"
                )
            case TaskAgain():
                alone = ", alone" if event.alone else ""
                later = f" in {duration(event.delay_s)}" if event.delay_s else ""
                why = f"once more{alone}{later}: {why_words(event.why, event.paths)}"
                self._task(NORMAL, event, "again", Style.WARN, event.task, why)
            case TaskRejected():
                words = self._took(event.attempt, why_words(event.why, event.paths))
                self._task(QUIET, event, "rejected", Style.BAD, event.task, words)
            case TaskFailed():
                words = self._took(event.attempt, one_line(event.why) if event.why else str(event.outcome))
                self._task(QUIET, event, "failed", Style.BAD, event.task, words)
            case TaskSkipped():
                self._task(NORMAL, event, "skipped", Style.WARN, event.task, one_line(event.why))
            case _:
                pass  # a kind of event that has no line

    def _took(self, attempt: str, words: str) -> str:
        """The words after how long the attempt took, where that is known."""
        seconds = self._seconds.pop(attempt, None)
        return words if seconds is None else f"{duration(seconds)}  {words}"

    def _task(self, level: int, event: Event, verb: str, style: Style, name: str, words: str) -> None:
        """A line about a task, after the header."""
        if level > self._verbosity:
            return
        self._head()
        self._put(level, event, verb, style, f"{one_line(name, NAME_WIDTH):<{self._width}}  {words}")

    def _head(self) -> None:
        """The header, once, as soon as there is something to do."""
        if self._header is not None:
            text, self._header = self._header, None
            if self._verbosity >= NORMAL:
                self._write(text + "\n")

    def _put(self, level: int, event: Event, verb: str, style: Style, words: str) -> None:
        if level > self._verbosity:
            return
        began = self._began if self._began is not None else event.time
        clock = paint(f"[{elapsed(event.time - began)}]", Style.DIM, self._color)
        label = paint(f"{verb:<{_VERB_WIDTH}}", style, self._color)
        self._write(f"{clock} {label}  {words}".rstrip() + "\n")


def header(event: BuildStarted) -> str:
    """What is about to be built, in one line: `building 6 tasks, up to 4 at once, on main at 1a2b3c4`."""
    verb = "dry run of" if event.dry_run else "building"
    at_once = "one at a time" if event.jobs == 1 else f"up to {event.jobs} at once"
    where = "a detached HEAD" if event.branch is None else branch_words(event.branch)
    return f"{verb} {count(len(event.tasks), 'task')}, {at_once}, on {where} at {short(event.base)}"


def elapsed(seconds: float) -> str:
    """Time since the start, always as wide: `00:07`, beyond an hour `1:02:03`; a clock set back reads 0."""
    whole = int(max(seconds, 0.0))
    minutes = f"{whole // 60 % 60:02d}:{whole % 60:02d}"
    return f"{whole // 3600}:{minutes}" if whole >= 3600 else minutes


def limit_words(event: LimitChanged, zone: tzinfo | None = None) -> str:
    """A rate limit in words: `claude: rate limited, next start at 14:05, then 2 at once`."""
    who = listing(event.agents, 3) or one_line(event.provider) or "agents"
    at_once = "one at a time" if event.window == 1 else f"up to {event.window:,} at once"
    if event.until is None:
        return f"{who}: {at_once} again"
    return f"{who}: rate limited, next start {_time_of_day(event.until, event.time, zone)}, then {at_once}"


def _time_of_day(moment: float, now: float, zone: tzinfo | None) -> str:
    """When something will be: `at 14:05`, to the second where it is near, with the day where it is another."""
    try:
        then, today = datetime.fromtimestamp(moment, zone), datetime.fromtimestamp(now, zone)
    except (OverflowError, ValueError, OSError):
        return f"in {duration(moment - now)}"  # a clock gone astray
    if then.date() != today.date():
        return f"on {then:%Y-%m-%d} at {then:%H:%M}"
    # Cut to minutes, a moment that is near would seem to have passed.
    return f"at {then:%H:%M:%S}" if moment - now < 600 else f"at {then:%H:%M}"


def agent_words(event: AgentEvent) -> str:
    """What an agent did, in one line; empty where it is not worth one."""
    text = one_line(event.text.strip().partition("\n")[0])
    match event.kind:
        case "text":
            return f"says: {text}" if text else ""
        case "tool":
            paths = listing(event.paths, 3)
            return " ".join(word for word in (one_line(event.name), paths or text) if word)
        case "waiting":
            return f"waits: {text}" if text else "waits"
        case "usage":
            return ""  # counted in the summary
        case "started" | "finished":
            return f"{event.kind}: {text}" if text else event.kind
