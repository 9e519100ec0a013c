"""Lines while a build goes on: which, how they read, and that nothing foreign gets through raw."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestra.model.agents import AgentEvent
from orchestra.model.events import (
    BuildFinished,
    BuildPlanned,
    BuildStarted,
    Event,
    LimitChanged,
    MachineSampled,
    Notice,
    TaskAgain,
    TaskDecided,
    TaskFailed,
    TaskLanded,
    TaskRecorded,
    VerifyFinished,
)
from orchestra.model.freshness import Reason, ReasonKind, State
from orchestra.model.outcomes import Final, Outcome
from orchestra.model.planned import PlannedTask
from orchestra.reporting.lines import PlainLines, agent_words, elapsed, header

from .samples import WATCH, histories, kinds, raw_characters, unhurried
from .stories import C0, C1, START, STORY, B, T, began, ended, finish, waited

NORMAL_TEXT = """\
[00:00] note      not seen by tasks: README.md (hint: commit it, or build with --include-dirty)
building 12 tasks, up to 4 at once, on main at 0a1b2c3
[00:00] adopted   moved    recorded as fresh
[00:00] replay    kept     attempted in this very state before
[00:00] start     alpha    never built  (script)
[00:00] start     beta     prompt changed  (script)
[00:00] start     breaker  never built  (script)
[00:00] start     noop     src/tokens.py changed  (script)
[00:01] same      noop     1.0 s  no change
[00:01] start     hang     never built  (script)
[00:02] landed    alpha    2.1 s  2 files  → 1a2b3c4
[00:02] again     beta     once more: conflicts with what landed meanwhile in src/a.py
[00:02] start     beta     attempt 2: prompt changed  (script)
[00:04] red       breaker  2a3b4c5 fails verification (1.0 s), log: builds/b1/verify-1.log
[00:04] rejected  breaker  2.6 s  `pytest -q` fails with it
[00:04] start     suite    never built  (script)
[00:04] passed    suite    0.5 s
[00:05] landed    beta     2.3 s  1 file  → 2a3b4c5
[01:04] stopping  what runs is given a few seconds; interrupt again to give it none
[01:04] stopping  at once
[01:05] failed    hang     1 min 04 s  no end after 60 s
[01:05] skipped   gamma    needs hang, which failed
[01:05] skipped   delta    needs gamma, which was skipped
[01:05] behind    main  your files are in the way; 2a3b4c5 is on orchestra/build-b1
"""

QUIET_TEXT = """\
[00:00] note      not seen by tasks: README.md (hint: commit it, or build with --include-dirty)
[00:04] rejected  breaker  2.6 s  `pytest -q` fails with it
[01:04] stopping  what runs is given a few seconds; interrupt again to give it none
[01:04] stopping  at once
[01:05] failed    hang     1 min 04 s  no end after 60 s
[01:05] behind    main  your files are in the way; 2a3b4c5 is on orchestra/build-b1
"""

ONLY_VERBOSE = """\
[00:00] fresh     docs     docs/index.md drifted
[00:00] reverted  undone
[00:00] verify    (base)   0a1b2c3
[00:00] green     (base)   0a1b2c3 verified (remembered)
[00:00] slot      alpha    slot 1, log: builds/b1/alpha-1.log
[00:00] phase     alpha    agent
[00:00] agent     alpha    Edit src/a.py
[00:00] agent     alpha    says: Done.
[00:01] ended     noop     no-change  1.0 s
[00:01] limit     script: up to 3 at once again
[00:01] held      beta     waits for the machine, which is busy
[00:02] ended     alpha    success  2.1 s
[00:02] advanced  main  0a1b2c3 → 1a2b3c4
[00:02] ended     beta     success  2.2 s
[00:03] ended     breaker  success  2.6 s
[00:03] verify    breaker  2a3b4c5
[00:04] ended     suite    no-change  0.5 s
[00:05] ended     beta     success  2.3 s
[00:05] advanced  main  1a2b3c4 → 2a3b4c5
[00:05] slot      hang     slot 2, log: builds/b1/hang-1.log
[01:05] ended     hang     timed-out  1 min 04 s  no end after 60 s
"""


def read(events: tuple[Event, ...] | list[Event], *, color: bool = False, verbosity: int = 0) -> str:
    """What is written of these events."""
    lines: list[str] = []
    listener = PlainLines(lines.append, color=color, verbosity=verbosity)
    for event in events:
        listener.notify(event)
    assert all(line.endswith("\n") and line.count("\n") == 1 for line in lines)
    return "".join(lines)


def test_a_build_in_lines() -> None:
    assert read(STORY) == NORMAL_TEXT


def test_quiet_shows_problems_and_notices() -> None:
    assert read(STORY, verbosity=-1) == QUIET_TEXT


def test_verbose_adds_lines_and_leaves_out_none() -> None:
    found = read(STORY, verbosity=1).splitlines()
    usual = NORMAL_TEXT.splitlines()
    assert [line for line in found if line in usual] == usual
    assert [line for line in found if line not in usual] == ONLY_VERBOSE.splitlines()


def test_a_null_build_prints_nothing() -> None:
    fresh = [event for event in STORY if getattr(event, "task", "") == "docs"]
    assert read([START, *fresh, finish({"docs": Final.FRESH})]) == ""


def test_colour_changes_nothing_but_colour() -> None:
    text = read(STORY, color=True, verbosity=1)
    for code in ("32", "31", "33", "2", "0"):
        text = text.replace(f"\x1b[{code}m", "")
    assert text == read(STORY, verbosity=1)


@pytest.mark.parametrize(
    ("verb", "code"),
    [
        *((verb, 32) for verb in ("landed  ", "same    ", "passed  ")),
        *((verb, 31) for verb in ("rejected", "failed  ", "red     ")),
        *((verb, 33) for verb in ("again   ", "skipped ", "note    ", "behind  ")),
        ("start   ", 2),
    ],
)
def test_colours_say_how_it_went(verb: str, code: int) -> None:
    assert f"\x1b[{code}m{verb}\x1b[0m" in read(STORY, color=True)


def test_where_what_runs_is_shown_otherwise_starts_are_no_lines() -> None:
    for starts, verbosity, told in ((True, 0, True), (False, 0, False), (False, 1, True)):
        written: list[str] = []
        lines = PlainLines(written.append, verbosity=verbosity, zone=UTC, starts=starts)
        for event in STORY:
            lines.notify(event)
        assert any(" start " in line for line in written) == told
        assert any(" landed " in line for line in written)


def test_a_fresh_task_is_told_once() -> None:
    fresh = [event for event in STORY if getattr(event, "task", "") == "docs"]
    assert read([START, *fresh, *fresh], verbosity=1).count("fresh") == 1


def test_what_was_recorded_without_an_attempt_says_how() -> None:
    restored = TaskRecorded(T, B, "alpha", Final.REPLAYED, "b0-1")
    decided = TaskDecided(T, B, "alpha", State.FRESH, "k1:0", C0)
    lines = read([START, restored, decided], verbosity=1).splitlines()
    assert lines[1:] == ["[00:00] replayed  alpha    all that it did is there already"]


def test_what_landed_is_not_told_to_be_fresh_as_well() -> None:
    landed = TaskLanded(T, B, "alpha", "alpha-1", C1, ("f",), True)
    decided = TaskDecided(T, B, "alpha", State.FRESH, "k1:0", C1)
    assert "fresh" not in read([START, landed, decided], verbosity=1)


def test_an_attempt_with_nothing_beside_it_is_told() -> None:
    again = TaskAgain(T, B, "alpha", "alpha-2", "conflicts", ("src/a.py",), alone=True)
    assert read([START, again]).endswith("again     alpha    once more, alone: conflicts (src/a.py)\n")


def test_a_verification_of_no_task_is_of_the_base_or_of_a_later_tip() -> None:
    base, tip = (VerifyFinished(T, B, commit, False, False, 1.0) for commit in (C0, C1))
    assert "red       (base)   0a1b2c3 fails" in read([START, base])
    assert "red       (tip)    1a2b3c4 fails" in read([START, tip])


def limited(at: float, window: int, until: float | None, *agents: str) -> LimitChanged:
    moment = None if until is None else T + until
    return LimitChanged(T + at, B, agents or ("claude",), "anthropic", window, moment)


def limits(*events: LimitChanged, verbosity: int = 0) -> list[str]:
    """The lines about these, of a build that began at 13:46:40."""
    lines: list[str] = []
    listener = PlainLines(lines.append, verbosity=verbosity, zone=UTC)
    for event in (START, *events):
        listener.notify(event)
    return [line.split("limit     ")[1].rstrip() for line in lines]


def test_a_rate_limit_says_until_when() -> None:
    assert limits(limited(0, 2, 30.0)) == [
        "claude: rate limited, next start at 13:47:10, then up to 2 at once"
    ]
    assert limits(limited(0, 1, 1100.0, "a", "b")) == [
        "a, b: rate limited, next start at 14:05, then one at a time"
    ]
    assert limits(limited(0, 1, 86400.0)) == [
        "claude: rate limited, next start on 1970-01-13 at 13:46, then one at a time"
    ]
    assert "next start in" in limits(limited(0, 1, 1e18))[0]


def test_a_rate_limit_is_told_once_and_again_where_it_gets_worse_or_comes_back() -> None:
    first, longer = limited(0, 2, 30.0), limited(1, 2, 40.0)
    worse, back = limited(2, 1, 40.0), limited(41, 1, 60.0)
    over = limited(70, 2, None)
    assert len(limits(first, longer)) == 1 and len(limits(first, longer, verbosity=1)) == 2
    assert len(limits(first, worse)) == 2 and len(limits(worse, back)) == 2
    assert limits(over) == [] and limits(over, verbosity=1) == ["claude: up to 2 at once again"]
    # What holds for one says nothing of another.
    assert len(limits(first, limited(1, 2, 40.0, "other"))) == 2


def test_long_names_are_cut_and_the_column_is_no_wider() -> None:
    name = "n" * 60
    start = BuildStarted(T, B, (name, "short"), C0, None, 1)
    text = read([start, began(name, 0), began("short", 1)])
    assert text == (
        "building 2 tasks, one at a time, on a detached HEAD at 0a1b2c3\n"
        f"[00:00] start     {'n' * 39}…  never built  (script)\n"
        f"[00:01] start     {'short':<40}  never built  (script)\n"
    )


def test_more_reasons_than_fit_are_counted() -> None:
    reasons = tuple(Reason(ReasonKind.INPUT_CHANGED, f"f{n}", "0", "1") for n in range(6))
    text = read([START, began("alpha", 0, reasons=reasons)])
    assert "f0 changed, f1 changed, f2 changed and 3 more  (script)" in text


def test_a_check_task_is_never_built_but_passes() -> None:
    written: list[str] = []
    lines = PlainLines(written.append, zone=UTC)
    nothing = PlannedTask("suite", "suite", 0, (), (), ("**",), (), False, ())
    for event in (BuildPlanned(T, B, (nothing, replace(nothing, task="alpha", write=None))), *STORY):
        lines.notify(event)
    text = "".join(written)
    assert "start     suite    not passed as it is now  (script)\n" in text
    assert "start     alpha    never built  (script)\n" in text


def test_what_was_waited_for_is_told_when_asked() -> None:
    line = "[00:00] start     alpha    never built"
    assert read([START, waited("alpha")]).splitlines()[-1] == line
    long = read([START, waited("alpha")], verbosity=1).splitlines()[-1]
    assert long == f"{line}  waited 2.5 s for alpha (needs), 0.5 s for slot"


def test_what_was_not_verified_is_said() -> None:
    landed = TaskLanded(T, B, "alpha", "a", C1, ("f",), verified=False)
    assert (
        read([START, landed]).splitlines()[-1] == "[00:00] landed    alpha    1 file  → 1a2b3c4  not verified"
    )


def test_a_failure_without_words_names_its_outcome() -> None:
    failed = TaskFailed(T, B, "alpha", "alpha-1", Outcome.NOT_STARTED, "")
    text = read([START, ended("alpha", 0, 0.5, Outcome.NOT_STARTED), failed])
    assert text.splitlines()[-1] == "[00:00] failed    alpha    0.5 s  not-started"


def test_every_kind_of_event_but_those_for_reports_and_the_last_has_a_line() -> None:
    told = set()
    for event in STORY:
        start = [] if isinstance(event, BuildStarted) else [START]
        extra = [began("alpha", 0)] if isinstance(event, BuildStarted) else []
        if read([*start, event, *extra], verbosity=1):
            told.add(type(event))
    assert told == set(kinds()) - {BuildFinished, BuildPlanned, MachineSampled, *WATCH}


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "00:00"), (59.9, "00:59"), (61, "01:01"), (3599.9, "59:59"), (3723, "1:02:03"), (-5, "00:00")],
)
def test_elapsed_time(seconds: float, words: str) -> None:
    assert elapsed(seconds) == words


def test_the_header_of_a_dry_run() -> None:
    start = BuildStarted(T, B, ("alpha",), C0, "main", 2, dry_run=True)
    assert header(start) == "dry run of 1 task, up to 2 at once, on main at 0a1b2c3"


@pytest.mark.parametrize(
    ("event", "words"),
    [
        (AgentEvent("started"), "started"),
        (AgentEvent("waiting", "rate limit"), "waits: rate limit"),
        (AgentEvent("waiting"), "waits"),
        (AgentEvent("tool", "ls -l", "Bash"), "Bash ls -l"),
        (AgentEvent("text", "  \n"), ""),
        (AgentEvent("usage", "x"), ""),
        (AgentEvent("finished", "done"), "finished: done"),
    ],
)
def test_what_agents_do(event: AgentEvent, words: str) -> None:
    assert agent_words(event) == words


def test_foreign_text_is_harmless() -> None:
    notice = Notice(T, B, "a\x1b[31mb\rc\nd\u202ee", "\x07")
    assert read([START, notice]) == "[00:00] note      ab\\rc\\nd\\u202ee (hint: \\x07)\n"


@unhurried
@given(histories(), st.booleans(), st.sampled_from([-1, 0, 1]))
def test_any_events_give_clean_lines(events: list[Event], color: bool, verbosity: int) -> None:
    assert raw_characters(read(events, color=color, verbosity=verbosity), color) == []
