"""The events of one build to read about: most of what can become of a task, at times that are easy to follow."""

from __future__ import annotations

from typing import Any

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
from orchestra.model.freshness import Note, Reason, ReasonKind, State
from orchestra.model.outcomes import Fault, Final, Outcome, Wait

B = "b1"
T = 1_000_000.0

C0, C1, C2 = "0a1b2c3" + "0" * 33, "1a2b3c4" + "0" * 33, "2a3b4c5" + "0" * 33

TASKS = (
    "alpha",
    "beta",
    "gamma",
    "delta",
    "breaker",
    "noop",
    "docs",
    "hang",
    "suite",
    "kept",
    "moved",
    "undone",
)
NEVER = (Reason(ReasonKind.NEVER_BUILT),)


def began(task: str, at: float, number: int = 1, *, reasons: tuple[Reason, ...] = NEVER) -> AttemptStarted:
    """An attempt began."""
    return AttemptStarted(T + at, B, task, f"{task}-{number}", number, "script", C0, "k1:0", reasons)


def ended(
    task: str,
    at: float,
    seconds: float,
    outcome: Outcome = Outcome.SUCCESS,
    number: int = 1,
    *,
    fault: Fault | None = None,
    detail: str = "",
    result: str | None = None,
) -> AttemptFinished:
    """An attempt ended."""
    return AttemptFinished(T + at, B, task, f"{task}-{number}", outcome, fault, detail, seconds, result)


START = BuildStarted(T, B, TASKS, C0, "main", 4)

STORY: tuple[Event, ...] = (
    START,
    Notice(T + 0.1, B, "not seen by tasks: README.md", "commit it, or build with --include-dirty"),
    TaskDecided(T + 0.2, B, "docs", State.FRESH, "k1:1", C0, (), (Note("drifted", "docs/index.md"),)),
    TaskDecided(T + 0.2, B, "undone", State.REVERTED, "k1:3", C0),
    TaskRecorded(T + 0.2, B, "moved", Final.ADOPTED),
    TaskDecided(T + 0.2, B, "alpha", State.STALE, "k1:2", C0, NEVER),
    VerifyStarted(T + 0.2, B, C0),
    VerifyFinished(T + 0.3, B, C0, True, True, 0.0),
    TaskReplayed(T + 0.3, B, "kept", "b0-7", C1, "attempted in this very state before"),
    began("alpha", 0.3),
    AttemptSlot(T + 0.3, B, "alpha", "alpha-1", 1, "builds/b1/alpha-1.log"),
    PhaseStarted(T + 0.3, B, "alpha", "alpha-1", "agent"),
    AgentDid(T + 0.4, B, "alpha", "alpha-1", AgentEvent("tool", "", "Edit", ("src/a.py",))),
    AgentDid(T + 0.5, B, "alpha", "alpha-1", AgentEvent("text", "Done.\nAll of it.")),
    AgentDid(T + 0.5, B, "alpha", "alpha-1", AgentEvent("usage")),
    began("beta", 0.4, reasons=(Reason(ReasonKind.PROMPT_CHANGED, "prompt", "0", "1"),)),
    began("breaker", 0.4),
    began("noop", 0.4, reasons=(Reason(ReasonKind.INPUT_CHANGED, "src/tokens.py", "0", "1"),)),
    ended("noop", 1.4, 1.0, Outcome.NO_CHANGE),
    TaskUnchanged(T + 1.4, B, "noop", "noop-1", Final.NO_CHANGE),
    began("hang", 1.4),
    LimitChanged(T + 1.5, B, ("script",), "", 3),
    TaskHeld(T + 1.5, B, "beta", "machine"),
    ended("alpha", 2.4, 2.1),
    BranchAdvanced(T + 2.5, B, "refs/heads/main", C0, C1),
    TaskLanded(T + 2.5, B, "alpha", "alpha-1", C1, ("src/a.py", "tests/test_a.py"), True),
    ended("beta", 2.6, 2.2),
    TaskAgain(
        T + 2.7, B, "beta", "beta-1", "conflicts with what landed meanwhile in src/a.py", ("src/a.py",)
    ),
    began("beta", 2.7, 2, reasons=(Reason(ReasonKind.PROMPT_CHANGED, "prompt", "0", "1"),)),
    ended("breaker", 3.0, 2.6),
    VerifyStarted(T + 3.0, B, C2, "breaker"),
    VerifyFinished(T + 4.0, B, C2, False, False, 1.0, "breaker", ("1 failed",), "builds/b1/verify-1.log"),
    TaskRejected(
        T + 4.0,
        B,
        "breaker",
        "breaker-1",
        "`pytest -q` fails with it",
        "refs/orchestra/rejected/b1-3",
        (),
        ("E   assert 1 == 2", "1 failed"),
        "builds/b1/verify-1.log",
    ),
    began("suite", 4.0),
    ended("suite", 4.5, 0.5, Outcome.NO_CHANGE),
    TaskUnchanged(T + 4.5, B, "suite", "suite-1", Final.PASSED),
    ended("beta", 5.0, 2.3, number=2),
    BranchAdvanced(T + 5.1, B, "refs/heads/main", C1, C2),
    TaskLanded(T + 5.1, B, "beta", "beta-2", C2, ("src/a.py",), True),
    AttemptSlot(T + 5.1, B, "hang", "hang-1", 2, "builds/b1/hang-1.log"),
    StopRequested(T + 64.0, B, now=False),
    StopRequested(T + 64.5, B, now=True),
    ended("hang", 65.0, 63.6, Outcome.TIMED_OUT, fault=Fault.AGENT, detail="no end after 60 s", result=C1),
    TaskFailed(T + 65.0, B, "hang", "hang-1", Outcome.TIMED_OUT, "no end after 60 s", ("waiting...",)),
    TaskSkipped(T + 65.0, B, "gamma", "needs hang, which failed", "hang"),
    TaskSkipped(T + 65.0, B, "delta", "needs gamma, which was skipped", "gamma"),
    BranchBehind(
        T + 65.1,
        B,
        "refs/heads/main",
        "orchestra/build-b1",
        C2,
        "your files are in the way",
        "git merge orchestra/build-b1",
        ("notes.txt",),
    ),
    BuildFinished(
        T + 65.2,
        B,
        ok=False,
        advanced=True,
        interrupted=False,
        tasks={
            "alpha": Final.LANDED,
            "beta": Final.LANDED,
            "gamma": Final.SKIPPED,
            "delta": Final.SKIPPED,
            "breaker": Final.REJECTED,
            "noop": Final.NO_CHANGE,
            "docs": Final.FRESH,
            "hang": Final.FAILED,
            "suite": Final.PASSED,
            "kept": Final.REPLAYED,
            "moved": Final.ADOPTED,
            "undone": Final.REVERTED,
        },
        ran=7,
        replayed=1,
        fresh=1,
        landed=2,
        no_change=1,
        passed=1,
        failed=1,
        rejected=1,
        skipped=2,
        wall_s=65.2,
        sequential_s=74.3,
        speedup=74.3 / 65.2,
        usd=0.42,
        tokens=12_345,
        tip=C2,
        adopted=1,
        reverted=1,
    ),
)


def finish(
    tasks: dict[str, Final],
    *,
    ran: int = 0,
    ok: bool = True,
    interrupted: bool = False,
    wall_s: float = 1.0,
    sequential_s: float = 0.0,
) -> BuildFinished:
    """The end of a build with these outcomes."""
    counts: dict[str, Any] = {
        final.value.replace("-", "_"): list(tasks.values()).count(final)
        for final in Final
        if final is not Final.INTERRUPTED
    }
    return BuildFinished(
        T + wall_s,
        B,
        ok=ok,
        advanced=True,
        interrupted=interrupted,
        tasks=tasks,
        ran=ran,
        wall_s=wall_s,
        sequential_s=sequential_s,
        speedup=sequential_s / wall_s if ran else None,
        usd=None,
        tokens=None,
        tip=C1,
        **counts,
    )


def waited(task: str) -> AttemptStarted:
    """An attempt that began after it had waited."""
    waits = (Wait("needs", 2.5, "alpha"), Wait("slot", 0.5))
    return AttemptStarted(T, B, task, f"{task}-1", 1, "", C0, "k1:0", NEVER, waits)
