"""What a build says, to feed a recorder with: small builds by hand, and any build with the most foreign texts."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from orchestra.history.database import open_history
from orchestra.history.recorder import Recorder
from orchestra.model.agents import AgentEvent
from orchestra.model.events import (
    AgentDid,
    AttemptFinished,
    AttemptSlot,
    AttemptStarted,
    BranchAdvanced,
    BranchBehind,
    BuildFinished,
    BuildStarted,
    Event,
    Notice,
    PhaseStarted,
    TaskAgain,
    TaskDecided,
    TaskFailed,
    TaskLanded,
    TaskRejected,
    TaskSkipped,
    TaskUnchanged,
    VerifyFinished,
    VerifyStarted,
)
from orchestra.model.freshness import Reason, ReasonKind, State
from orchestra.model.outcomes import Fault, Final, Outcome, Phase, Usage, Wait

NASTY = (
    "\x1b[31m",
    "\x1b]0;title\x07",
    "\r",
    "\n",
    "\t",
    "\x9b2J",
    "\u202e",
    "\udc80",
    "\ud800",
    "\x00",
    "\x7f",
)


@dataclass(slots=True)
class Errors:
    """What a recorder complained about."""

    told: list[str] = field(default_factory=list)

    def __call__(self, message: str) -> None:
        self.told.append(message)


def record(path: Path, events: Iterable[Event], *, close: bool = True) -> Recorder:
    """Record events; any complaint is a failure."""
    errors = Errors()
    recorder = Recorder.open(path, on_error=errors)
    for event in events:
        recorder.notify(event)
    if close:
        recorder.close()
    assert errors.told == []
    return recorder


def emptied(folder: Path) -> Path:
    """A history without builds: of many examples in one folder each begins with that, cheaper than with a new one."""
    path = folder / "any.db"
    with open_history(path) as history:
        history.connection.execute("DELETE FROM builds")
    return path


def started(build: str = "b1", tasks: tuple[str, ...] = ("alpha",), *, time: float = 1000.0) -> BuildStarted:
    """The first event of a build."""
    return BuildStarted(time, build, tasks, "c0", "main", 4)


def finished(build: str = "b1", *, time: float = 1009.0, ran: int = 1, **finals: Final) -> BuildFinished:
    """The last event of a build with these outcomes."""

    def count(final: Final) -> int:
        return sum(value is final for value in finals.values())

    return BuildFinished(
        time,
        build,
        ok=all(final.settled_well for final in finals.values()),
        advanced=True,
        interrupted=False,
        tasks=finals,
        ran=ran,
        replayed=0,
        fresh=count(Final.FRESH),
        landed=count(Final.LANDED),
        no_change=count(Final.NO_CHANGE),
        passed=count(Final.PASSED),
        failed=count(Final.FAILED),
        rejected=count(Final.REJECTED),
        skipped=count(Final.SKIPPED),
        wall_s=2.0,
        sequential_s=5.0 if ran else 0.0,
        speedup=2.5 if ran else None,
        usd=0.25 if ran else None,
        tokens=1200 if ran else None,
        tip="c9",
    )


def attempt(
    task: str = "alpha", build: str = "b1", *, number: int = 1, time: float = 1001.0
) -> tuple[Event, ...]:
    """A decision, and an attempt that succeeds."""
    name = f"{build}-{task}-{number}"
    why = (Reason(ReasonKind.INPUT_CHANGED, "src/a.py", "old", "new"),)
    return (
        TaskDecided(time, build, task, State.STALE, "k1:a", "c0", why),
        AttemptStarted(time, build, task, name, number, "script", "c0", "k1:a", why, (Wait("slot", 0.5),)),
        AttemptSlot(time, build, task, name, 0, f"/logs/{name}.log"),
        PhaseStarted(time, build, task, name, "agent"),
        AgentDid(time, build, task, name, AgentEvent("text", "hello")),
        AttemptFinished(
            time + 2,
            build,
            task,
            name,
            Outcome.SUCCESS,
            None,
            "",
            2.0,
            "r1",
            ("last line",),
            (Phase("prepare", time, time + 0.5), Phase("agent", time + 0.5, time + 2)),
            Usage(1000, 200, None, None, 0.25),
            0,
            None,
            1.5,
            50_000_000,
            120,
        ),
    )


def landed(task: str = "alpha", build: str = "b1", *, number: int = 1, time: float = 1004.0) -> TaskLanded:
    """The end of such an attempt."""
    return TaskLanded(time, build, task, f"{build}-{task}-{number}", "c1", ("src/a.py", "src/b.py"), True)


def real_build(build: str = "b1", *, time: float = 1000.0) -> tuple[Event, ...]:
    """A build of two tasks of which one lands and the other is fresh."""
    return (
        started(build, ("alpha", "beta"), time=time),
        TaskDecided(time, build, "beta", State.FRESH, "k1:b", "c0"),
        *attempt("alpha", build, time=time + 1),
        landed("alpha", build, time=time + 4),
        finished(build, time=time + 9, alpha=Final.LANDED, beta=Final.FRESH),
    )


def null_build(build: str, tasks: tuple[str, ...], *, time: float = 2000.0) -> tuple[Event, ...]:
    """A build in which everything is fresh."""
    return (
        started(build, tasks, time=time),
        *(TaskDecided(time, build, task, State.FRESH, "k1:x", "c0") for task in tasks),
        Notice(time, build, "README.md is not seen by tasks"),
        finished(build, time=time + 0.1, ran=0, **dict.fromkeys(tasks, Final.FRESH)),
    )


# --- any build -----------------------------------------------------------------------------------------------


def texts() -> SearchStrategy[str]:
    """Any text, foreign ones often."""
    return st.one_of(st.text(max_size=8), st.lists(st.sampled_from(("a", *NASTY)), max_size=4).map("".join))


def seconds() -> SearchStrategy[float]:
    """Any duration."""
    return st.floats(0, 1e6)


def tokens() -> SearchStrategy[int | None]:
    """Any count of tokens, absurd ones included: an agent's JSON may say anything."""
    return st.one_of(st.none(), st.integers(0, 10**7), st.just(2**63 - 1), st.just(2**63), st.just(10**30))


def dollars() -> SearchStrategy[float | None]:
    """Any cost, absurd ones included."""
    return st.one_of(st.none(), st.floats(0, 1e4), st.just(float("nan")), st.just(float("inf")))


def usages() -> SearchStrategy[Usage]:
    """Any usage."""
    return st.builds(Usage, tokens(), tokens(), tokens(), tokens(), dollars())


def reasons() -> SearchStrategy[tuple[Reason, ...]]:
    """Any reasons, now and then more than are kept."""
    one = st.builds(Reason, st.sampled_from(ReasonKind), *[st.none() | texts()] * 3)
    many = st.integers(101, 130).map(
        lambda n: tuple(Reason(ReasonKind.INPUT_CHANGED, f"src/{i}.py", "old", "new") for i in range(n))
    )
    few = st.lists(one, max_size=3).map(tuple)
    return st.integers(0, 9).flatmap(lambda dice: many if dice == 0 else few)


def names(least: int, most: int) -> SearchStrategy[tuple[str, ...]]:
    """Distinct names."""
    return st.lists(texts(), min_size=least, max_size=most, unique=True).map(tuple)


@st.composite
def task_events(draw: DrawFn, build: str, task: str, prefix: str) -> tuple[tuple[Event, ...], Final | None]:
    """All that is said of one task, with times to be set, and its final outcome (None: it got none)."""
    events: list[Event] = []
    final = draw(st.sampled_from([*Final, None]))
    why = draw(reasons())
    key = draw(texts())
    if final is Final.FRESH:
        return (TaskDecided(0, build, task, State.FRESH, key, "c0"),), final
    for _ in range(draw(st.integers(0, 2))):
        events.append(TaskDecided(0, build, task, State.STALE, key, draw(texts()), draw(reasons())))
    if draw(st.booleans()):
        events.append(TaskDecided(0, build, task, State.STALE, key, "c0", why))
    if final is Final.SKIPPED:
        return (*events, TaskSkipped(0, build, task, draw(texts()), draw(st.none() | texts()))), final
    many = draw(st.integers(1, 3))
    for number in range(1, many + 1):
        name = f"{prefix}-{number}"
        waits = draw(
            st.lists(st.builds(Wait, texts(), seconds(), st.none() | texts()), max_size=2).map(tuple)
        )
        agent, base = draw(texts()), draw(texts())
        events.append(AttemptStarted(0, build, task, name, number, agent, base, key, why, waits))
        if draw(st.booleans()):
            events.append(AttemptSlot(0, build, task, name, draw(st.integers(0, 99)), draw(texts())))
            events.append(PhaseStarted(0, build, task, name, "agent"))
            events.append(AgentDid(0, build, task, name, AgentEvent("text", draw(texts()))))
        if final is None and number == many:
            break
        events.append(
            AttemptFinished(
                0,
                build,
                task,
                name,
                draw(st.sampled_from(Outcome)),
                draw(st.none() | st.sampled_from(Fault)),
                draw(texts()),
                draw(seconds()),
                draw(st.none() | texts()),
                (draw(texts()),),
                draw(st.lists(st.builds(Phase, texts(), seconds(), seconds()), max_size=3).map(tuple)),
                draw(usages()),
                draw(st.none() | st.integers(0, 255)),
                draw(st.none() | st.integers(1, 64)),
                draw(seconds()),
                draw(st.integers(0, 2**40)),
                draw(st.integers(0, 2**40)),
                draw(names(0, 3)),
            )
        )
        if number < many:
            events.append(
                TaskAgain(0, build, task, name, draw(texts()), draw(names(0, 2)), draw(st.booleans()))
            )
    name = f"{prefix}-{many}"
    match final:
        case Final.LANDED:
            events.append(
                TaskLanded(0, build, task, name, draw(texts()), draw(names(0, 3)), draw(st.booleans()))
            )
        case Final.NO_CHANGE | Final.PASSED:
            events.append(TaskUnchanged(0, build, task, name, final))
        case Final.REJECTED:
            kept, paths, log = draw(st.none() | texts()), draw(names(0, 3)), draw(texts())
            hint = draw(st.none() | texts())
            events.append(TaskRejected(0, build, task, name, draw(texts()), kept, paths, (), log, hint))
        case Final.FAILED:
            events.append(TaskFailed(0, build, task, name, Outcome.FAILED, draw(texts()), (), draw(texts())))
    return tuple(events), final


@st.composite
def builds(draw: DrawFn, build: str = "b1") -> list[Event]:
    """A whole build of a few tasks, whose events come interleaved; now and then it never finishes."""
    tasks = draw(names(1, 4))
    told = [draw(task_events(build, task, f"{build}-{place}")) for place, task in enumerate(tasks)]
    verified = [
        VerifyStarted(0, build, "c0"),
        VerifyFinished(0, build, "c0", draw(st.sampled_from([True, False, None])), draw(st.booleans()), 1.0),
    ]
    branch = [
        BranchAdvanced(0, build, draw(texts()), "c0", draw(texts())),
        BranchBehind(0, build, draw(st.none() | texts()), draw(texts()), "c9", draw(texts()), "hint"),
    ]
    lists: list[list[Event]] = [list(events) for events, _ in told]
    lists += [list(verified[: draw(st.integers(0, 2))]), list(branch[: draw(st.integers(0, 2))])]
    order = draw(st.permutations([place for place, events in enumerate(lists) for _ in events]))
    events = [lists[place].pop(0) for place in order]
    # What was under way when a build finished, it says is interrupted.
    finals = {task: final or Final.INTERRUPTED for task, (_, final) in zip(tasks, told, strict=True)}
    events.insert(
        0, BuildStarted(0, build, tasks, draw(texts()), draw(st.none() | texts()), draw(st.integers(1, 99)))
    )
    if draw(st.booleans()):
        done = finished(build)
        counts = {
            name: draw(st.integers(0, 10**6))
            for name in ("ran", "replayed", "fresh", "landed", "failed", "unpriced", "uncounted")
        }
        usd = draw(dollars())
        events.append(
            _changed(done, tasks=finals, usd=usd, tokens=draw(tokens()), tip=draw(texts()), **counts)
        )
    return [_changed(event, time=1000.0 + place) for place, event in enumerate(events)]


def _changed(event: Event, **values: object) -> Event:
    return replace(event, **values)  # type: ignore[arg-type]
