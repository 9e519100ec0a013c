"""Live progress without a terminal: events and a clock in, lines out, of any size and in any order of events."""

from __future__ import annotations

from datetime import UTC

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestra.model.agents import AgentEvent
from orchestra.model.events import (
    AgentDid,
    AttemptFinished,
    BuildStarted,
    Event,
    LimitChanged,
    PhaseStarted,
    StopRequested,
    TaskAgain,
    TaskDecided,
    TaskHeld,
    TaskLanded,
    TaskSkipped,
    TaskUnchanged,
    VerifyFinished,
    VerifyStarted,
)
from orchestra.model.freshness import State
from orchestra.model.graph import Edge, EdgeKind
from orchestra.model.means import Reading
from orchestra.model.outcomes import Final, Outcome, Usage
from orchestra.model.spread import Spread
from orchestra.reporting.cells import cells, columns
from orchestra.reporting.live_state import Ahead, Progress
from orchestra.reporting.live_view import Look, view

from .samples import histories, raw_characters, texts, unhurried
from .stories import C0, C1, NEVER, STORY, B, T, began, ended, finish

WIDE = Look(100, 20, zone=UTC)
READING = Reading(0.83, 0.41, 16 * 2**30, 120 * 2**30)


def start(*tasks: str, jobs: int = 4) -> BuildStarted:
    return BuildStarted(T, B, tasks, C0, "main", jobs)


def stale(task: str) -> TaskDecided:
    return TaskDecided(T, B, task, State.STALE, "k1:0", C0, NEVER)


def fresh(task: str) -> TaskDecided:
    return TaskDecided(T, B, task, State.FRESH, "k1:0", C0)


def landed(task: str, at: float = 0.0) -> TaskLanded:
    return TaskLanded(T + at, B, task, f"{task}-1", C1, ("a.py",), True)


def progress(*events: Event, ahead: Ahead | None = None) -> Progress:
    found = Progress(ahead)
    for event in events:
        found.take(event)
    return found


def seen(*events: Event, ahead: Ahead | None = None, at: float = 60.0, look: Look = WIDE) -> list[str]:
    return [line.rstrip() for line in view(progress(*events, ahead=ahead), T + at, look)]


def test_what_runs_waits_and_has_ended() -> None:
    ahead = Ahead(
        {"docs": (Edge("parser", "docs", EdgeKind.NEED),), "lint": (Edge("parser", "lint", EdgeKind.READ),)},
        {},
        {"parser": Spread(90, 240)},
    )
    story = (
        start("tokens", "parser", "docs", "lint", "old", jobs=1),
        fresh("old"),
        *map(stale, ("tokens", "parser")),
        began("tokens", 0),
        AttemptFinished(
            T + 9, B, "tokens", "tokens-1", Outcome.SUCCESS, None, "", 9, C1, usage=Usage(1000, usd=0.5)
        ),
        landed("tokens", 10),
        began("parser", 10),
        PhaseStarted(T + 12, B, "parser", "parser-1", "agent"),
        AgentDid(T + 50, B, "parser", "parser-1", AgentEvent("tool", "", "Edit", ("src/parser.py",))),
    )
    assert seen(*story, ahead=ahead) == [
        "▸ parser  running  00:50 of 01:30-04:00  Edit src/parser.py",
        "▸ docs  waits for parser",
        "  lint  waits for parser (write-read)",
        "01:00  2/5  1 landed  1 fresh  1 running  2 waiting",
        "about 3 min 40 s left  1.0k tokens  $0.50",
    ]


@pytest.mark.parametrize(
    ("phase", "words"),
    [
        ("prepare", "preparing"),
        ("setup", "setting up"),
        ("agent", "running"),
        ("check", "checking"),
        ("repair 2", "repairing 2"),
        ("review", "reviewing"),
        ("capture", "capturing"),
    ],
)
def test_phases(phase: str, words: str) -> None:
    shown = seen(start("alpha"), began("alpha", 0), PhaseStarted(T, B, "alpha", "alpha-1", phase))
    assert f"alpha  {words}  01:00" in shown[0]


def test_after_the_attempt_it_is_verified_and_lands() -> None:
    story = [start("alpha"), stale("alpha"), began("alpha", 0), ended("alpha", 5, 5, result=C1)]
    assert "alpha  landing" in seen(*story)[0]
    story += [VerifyStarted(T + 5, B, C1, "alpha")]
    assert "alpha  verifying" in seen(*story)[0]
    story += [VerifyFinished(T + 6, B, C1, True, False, 1.0, "alpha")]
    assert "alpha  landing" in seen(*story)[0]
    assert seen(*story, landed("alpha", 7), stale("alpha"))[0].endswith("alpha  queued")


def test_what_landed_has_landed_though_it_is_decided_once_more() -> None:
    story = [start("alpha", "beta"), *map(stale, ("alpha", "beta")), began("alpha", 0), landed("alpha")]
    assert seen(*story, fresh("alpha"))[-1] == "01:00  1/2  1 landed  1 waiting"
    # Found stale after all, it runs again and is counted where it is.
    assert seen(*story, stale("alpha"), began("alpha", 50, 2))[0] == "▸ alpha  preparing (2)  00:10"
    assert seen(start("alpha"), fresh("alpha"), began("alpha", 0))[-1] == "01:00  0/1  1 running"


def test_what_an_agent_did_before_is_not_told_of_what_goes_on_now() -> None:
    story = [start("alpha"), began("alpha", 0)]
    story += [AgentDid(T, B, "alpha", "alpha-1", AgentEvent("waiting", "overloaded"))]
    story += [PhaseStarted(T + 5, B, "alpha", "alpha-1", "check")]
    assert seen(*story)[0] == "▸ alpha  checking  01:00"


def test_what_waits_names_what_it_needs_before_what_it_only_follows() -> None:
    edges = {
        "c": (Edge("a", "c", EdgeKind.READ), Edge("b", "c", EdgeKind.NEED)),
        "d": (Edge("a", "d", EdgeKind.SHARE),),
    }
    story = [start("a", "b", "c", "d"), *map(stale, "abcd"), began("a", 0), began("b", 0)]
    assert [line.strip(" ▸") for line in seen(*story, ahead=Ahead(edges))[2:4]] == [
        "d  queued",
        "c  waits for b",
    ]


def test_what_takes_longer_than_usual_is_given_as_long_as_it_may_take() -> None:
    ahead = Ahead(estimates={"alpha": Spread(30, 90)})
    story = [start("alpha"), stale("alpha"), began("alpha", 0)]

    def left(at: float, *more: Event) -> str:
        return seen(*story, *more, ahead=ahead, at=at)[-1]

    assert left(10) == "about 20 s left"
    assert left(60) == "about 30 s left"
    assert left(200) == left(10, ended("alpha", 5, 5, result=C1)) == "nearly done"
    lines = [view(progress(*story, ahead=ahead), T + at, Look(100, 9, color=True))[0] for at in (60, 100)]
    assert "\x1b[33m01:40 of" in lines[1] and "\x1b[33m01:00" not in lines[0]


def test_a_failed_attempt_no_longer_runs() -> None:
    story = [start("alpha"), stale("alpha"), began("alpha", 0), ended("alpha", 5, 5, Outcome.FAILED)]
    assert seen(*story)[-1] == "01:00  0/1  1 waiting"
    again = TaskAgain(T + 5, B, "alpha", "alpha-1", "overloaded", delay_s=120)
    assert "alpha  again at 13:48:45" in seen(*story, again)[0]
    assert "alpha  queued" in seen(*story, again, at=126)[0]


def test_an_agent_that_waits_for_its_service_says_until_when() -> None:
    story = [start("alpha"), began("alpha", 0)]
    waits = AgentDid(
        T + 50, B, "alpha", "alpha-1", AgentEvent("waiting", "overloaded", throttled=True, wait_s=30)
    )
    assert "API until 13:48:00  01:00  waits: overloaded" in seen(*story, waits)[0]
    assert "waits for API" in seen(*story, waits, at=81)[0]
    goes_on = AgentDid(T + 81, B, "alpha", "alpha-1", AgentEvent("text", "There it is."))
    assert "preparing  01:22  says: There it is." in seen(*story, waits, goes_on, at=82)[0]


def test_what_agents_have_used_is_told_while_they_run() -> None:
    def used(tokens: int, usd: float | None, at: float = 1) -> AgentDid:
        return AgentDid(T + at, B, "alpha", "alpha-1", AgentEvent("text", "Hm.", used=Usage(tokens, usd=usd)))

    story = [
        start("alpha"),
        began("alpha", 0),
        PhaseStarted(T, B, "alpha", "alpha-1", "agent"),
        used(900, None),
    ]
    assert seen(*story)[0].endswith(" 900 tokens")
    story += [used(1500, 0.25)]
    assert seen(*story)[0].endswith(" 1.5k tokens  $0.25")
    # In a repair another run begins, which tells only what it used itself.
    story += [PhaseStarted(T, B, "alpha", "alpha-1", "repair 1"), used(1000, 0.10)]
    assert seen(*story)[0].endswith(" 2.5k tokens  $0.35")
    assert seen(*story)[-1] == "2.5k tokens  $0.35"
    again = [PhaseStarted(T, B, "alpha", "alpha-1", "repair 2"), used(500, 0.05)]
    assert seen(*story, *again)[-1] == "3.0k tokens  $0.40"
    whole = AttemptFinished(
        T, B, "alpha", "alpha-1", Outcome.SUCCESS, None, "", 9, C1, usage=Usage(3_000_000, usd=2)
    )
    assert seen(*story, whole)[-1].endswith("  3.0M tokens  $2.00")


def test_what_waits_for_a_rate_limit_says_until_when() -> None:
    ahead = Ahead(agents={"alpha": "claude", "beta": "local"})
    story = [start("alpha", "beta"), stale("alpha"), stale("beta")]
    limit = LimitChanged(T, B, ("claude",), "anthropic", 1, T + 90)
    assert seen(*story, limit, ahead=ahead)[:2] == [
        "▸ alpha  waits for its API until 13:48:10",
        "  beta   queued",
    ]
    assert "alpha  queued" in seen(*story, limit, ahead=ahead, at=91)[0]


def test_what_is_held_back_says_by_what_until_it_starts() -> None:
    story = [start("alpha", "beta", "gamma"), *map(stale, ("alpha", "beta", "gamma"))]
    story += [
        TaskHeld(T, B, "alpha", "machine"),
        TaskHeld(T, B, "beta", "budget"),
        TaskHeld(T, B, "gamma", "rate"),
    ]
    assert seen(*story)[:3] == [
        "▸ alpha  waits for the machine, which is busy",
        "  beta   waits for what others leave of the budget",
        "  gamma  waits for its API",
    ]
    again = [began("alpha", 0), TaskAgain(T, B, "alpha", "alpha-1", "x")]
    assert any(line.startswith("▸ alpha  queued") for line in seen(*story, *again))


def test_what_waits_for_a_slot_and_for_the_base() -> None:
    story = [start("alpha", "beta", jobs=1), stale("alpha"), stale("beta")]
    assert "beta  waits for a slot" in seen(*story, began("alpha", 0))[1]
    base = VerifyStarted(T, B, C0)
    assert seen(*story, base)[:2] == [
        "  (base)  verifying  01:00",
        "▸ alpha  waits for the verification of the base",
    ]
    assert "alpha  queued" in seen(*story, base, VerifyFinished(T, B, C0, True, False, 1.0))[0]


def test_the_end_is_foretold_from_as_many_as_really_run() -> None:
    names = ("a", "b", "c", "d")
    ahead = Ahead(estimates=dict.fromkeys(names, Spread(60, 60)))
    story = [start(*names, jobs=4), *map(stale, names), began("a", 0)]
    assert seen(*story, ahead=ahead, at=0)[-1] == "about 4 min 00 s left"
    assert seen(*story, *(began(name, 0) for name in names), ahead=ahead, at=0)[-1] == "about 1 min 00 s left"


def test_totals_are_in_words() -> None:
    story = [start("alpha", "beta"), stale("alpha"), stale("beta"), began("alpha", 0), began("beta", 0)]
    same = TaskUnchanged(T, B, "alpha", "alpha-1", Final.NO_CHANGE)
    assert seen(*story, same)[-1] == "01:00  1/2  1 no change  1 running"


def test_an_interrupt_is_told_at_once() -> None:
    story = [start("alpha"), began("alpha", 0)]
    assert seen(*story, StopRequested(T, B, now=False))[-1].startswith(
        "stopping (Ctrl-C again: at once)  01:00"
    )
    assert seen(*story, StopRequested(T, B, now=True))[-1].startswith("stopping at once  01:00")


def test_nothing_is_drawn_before_there_is_something_to_do_and_after_the_end() -> None:
    null = [start("alpha", "beta"), fresh("alpha"), fresh("beta")]
    assert seen() == seen(*null) == []
    assert seen(*STORY) == []
    assert seen(*STORY[:-1])


def test_the_next_build_begins_anew() -> None:
    first = [
        start("alpha"),
        stale("alpha"),
        began("alpha", 0),
        landed("alpha"),
        finish({"alpha": Final.LANDED}),
    ]
    assert seen(*first, start("beta"), stale("beta"), look=Look(100, 1))[0] == "01:00  0/1  1 waiting"


def test_on_a_narrow_terminal_the_name_the_phase_and_the_time_are_kept() -> None:
    story = [start("a-task-with-a-long-name", "b"), began("a-task-with-a-long-name", 0)]
    story += [AgentDid(T, B, "a-task-with-a-long-name", "x", AgentEvent("text", "much to say"))]
    assert seen(*story, look=Look(39, 10, zone=UTC)) == [
        "▸ a-task-wi…long-name  preparing  01:00",
        "  b  queued",
        "01:00  0/2  1 running  1 waiting",
    ]


def test_on_a_low_terminal_the_totals_are_kept_then_what_runs() -> None:
    names = [f"t{n}" for n in range(200)]
    story = [
        start(*names, jobs=50),
        *map(stale, names),
        *(began(name, n) for n, name in enumerate(names[:50])),
    ]
    totals = "01:00  0/200  50 running  150 waiting"
    assert seen(*story, look=Look(80, 1)) == [totals]
    assert seen(*story, look=Look(80, 2)) == ["  and 50 more under way", totals]
    assert seen(*story, look=Look(80, 4))[1:] == [
        "  t1  preparing  00:59",
        "  and 48 more under way",
        totals,
    ]
    assert seen(*story, look=Look(80, 52))[50:] == ["  150 tasks waiting", totals]
    assert seen(*story, look=Look(80, 54))[50:] == [
        "  t50  waits for a slot",
        "  t51  waits for a slot",
        "  and 148 more waiting",
        totals,
    ]


def test_the_machine_and_a_terminal_without_unicode() -> None:
    story = progress(start("ü→字"), began("ü→字", 0))
    assert view(story, T + 60, Look(60, 5, encoding="ascii"), READING) == (
        "* \\xfc->\\u5b57  preparing  01:00",
        "01:00  0/1  1 running",
        "cpu 83%  memory 41%  disk 120 GiB free",
    )


def test_colours_only_where_there_are_some() -> None:
    story = progress(start("alpha"), began("alpha", 0), TaskSkipped(T, B, "beta", "why"))
    assert "\x1b" not in "".join(view(story, T, Look(80, 5)))
    assert "\x1b[33m1 skipped\x1b[0m" in "".join(view(story, T, Look(80, 5, color=True)))


LOOKS = st.builds(
    Look,
    st.integers(0, 130),
    st.integers(0, 30),
    st.booleans(),
    st.sampled_from(["utf-8", "ascii", "latin-1", "cp437"]),
    st.just(UTC),
)
READINGS = st.one_of(st.none(), st.just(READING), st.just(Reading(None, 0.0, 0, 0)))


@st.composite
def aheads(draw: st.DrawFn) -> Ahead:
    """What is known beforehand of the tasks of `histories`, and of others."""
    names = draw(st.lists(st.sampled_from(["alpha", "beta", "be ta", "x" * 90]), unique=True))
    pairs = [(one, other) for number, one in enumerate(names) for other in names[:number]]
    edges = {one: (Edge(other, one, draw(st.sampled_from(EdgeKind))),) for one, other in pairs}
    times = st.floats(0, 1e9)
    estimates = {name: Spread(draw(times), draw(times)) for name in names}
    return Ahead(edges, dict.fromkeys(names, "claude"), estimates)


@unhurried
@given(histories(), LOOKS, READINGS, aheads(), st.floats(0, 2e9))
def test_whatever_happens_it_fits_and_nothing_foreign_gets_through(
    events: list[Event], look: Look, reading: Reading | None, ahead: Ahead, now: float
) -> None:
    state = Progress(ahead)
    for event in events:
        state.take(event)
        lines = view(state, now, look, reading)
        assert len(lines) <= look.height
        for line in lines:
            assert columns(line) <= look.width
            assert not raw_characters(line, look.color) and "\n" not in line
            line.encode(look.encoding)
        # A terminal that is high enough tells of every task.
        counted = sum(state.counts().values()) + state.left
        assert counted + len(set(state.running) & set(state.started.tasks)) >= state.total


@unhurried
@given(texts())
def test_no_text_takes_more_columns_than_counted(text: str) -> None:
    from rich.cells import cell_len

    printable = "".join(char for char in text if char.isprintable())
    assert cells(printable) >= cell_len(printable) or any(ord(c) == 0xFE0F for c in printable)
