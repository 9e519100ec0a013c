"""How often live progress draws, what it asks of others, and that it gives all back, by a clock moved by hand."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from io import StringIO
from math import inf

import pytest

from orchestra.cli.live import CLOCK_S, GAP_S, LiveProgress
from orchestra.cli.live_terminal import LiveTerminal
from orchestra.model.events import BuildFinished, BuildStarted, Event, StopRequested, TaskDecided, TaskLanded
from orchestra.model.freshness import State
from orchestra.model.means import Reading
from orchestra.model.outcomes import Final
from orchestra.planning.simulate import ManualClock
from orchestra.reporting.lines import PlainLines
from orchestra.reporting.live_state import Ahead
from tests.reporting.stories import C0, B, began, ended, finish


class Paper(StringIO):
    """A terminal that remembers what was written in one go."""

    def __init__(self) -> None:
        super().__init__()
        self.writes: list[str] = []
        self.fails: OSError | None = None

    def write(self, text: str) -> int:
        if self.fails is not None:
            raise self.fails
        self.writes.append(text)
        return len(text)

    def isatty(self) -> bool:
        return True


@dataclass
class Desk:
    """Live progress at a terminal of paper."""

    paper: Paper = field(default_factory=Paper)
    clock: ManualClock = field(default_factory=lambda: ManualClock(1000.0))
    asked: list[BuildStarted] = field(default_factory=list)
    looked: int = 0
    told: list[OSError] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.terminal = LiveTerminal(self.paper, self.told.append)
        self.live = LiveProgress(
            self.terminal,
            PlainLines(self.terminal.above, starts=False),
            color=False,
            ahead=self._ahead,
            machine=self,
            now=self.clock.now,
            monotonic=self.clock.monotonic,
        )

    def read(self) -> Reading:
        self.looked += 1
        return Reading(0.5, 0.5, 2**30, 2**30)

    def _ahead(self, started: BuildStarted) -> Ahead:
        self.asked.append(started)
        return Ahead()

    def tell(self, *events: Event) -> list[str]:
        """Tell events; gives what was written meanwhile."""
        before = len(self.paper.writes)
        for event in events:
            self.live.notify(event)
        return self.paper.writes[before:]

    def wait(self, seconds: float) -> int:
        """Let time pass, as the executor would; gives how often it was drawn."""
        beats, end = 0, self.clock.seconds + seconds
        while self.live.due <= end:
            self.clock.seconds = max(self.clock.seconds, self.live.due)
            self.live.beat()
            beats += 1
        self.clock.seconds = end
        return beats


@pytest.fixture
def desk() -> Iterator[Desk]:
    made = Desk()
    yield made
    made.terminal.close()


START = BuildStarted(1000.0, B, ("alpha", "beta"), C0, "main", 2)


def test_a_build_in_which_nothing_is_to_do_draws_nothing_and_asks_nothing(desk: Desk) -> None:
    assert desk.tell(START, finish({"alpha": Final.FRESH, "beta": Final.FRESH})) == []
    assert desk.live.due == inf and desk.asked == [] and desk.looked == 0


def test_the_clocks_go_on_once_a_second_and_events_are_drawn_four_times_at_most(desk: Desk) -> None:
    desk.tell(START, began("alpha", 0))
    assert desk.wait(10) == 10 / CLOCK_S
    assert desk.asked == [START]
    assert desk.looked == 6, "at the first drawing, and then every two seconds"
    written = 0
    for _ in range(1000):
        written += len(desk.tell(began("alpha", 0)))
        desk.clock.seconds += 0.01
    assert written <= 10 / GAP_S + 1


def test_an_interrupt_is_drawn_at_once(desk: Desk) -> None:
    desk.tell(START, began("alpha", 0))
    desk.clock.seconds += 0.001
    assert "stopping (Ctrl-C again: at once)" in desk.tell(StopRequested(1000.0, B, now=False))[-1]


def test_what_has_ended_is_told_at_once(desk: Desk) -> None:
    desk.tell(START, TaskDecided(1000.0, B, "alpha", State.STALE, "k1:0", C0), began("alpha", 0))
    desk.clock.seconds += 0.001
    landed = TaskLanded(1000.0, B, "alpha", "alpha-1", C0, ("a.py",), True)
    line = desk.tell(ended("alpha", 0, 1), landed)[-1]
    assert "landed    alpha" in line and "1 landed" not in line, "the line at once, the drawing in its time"
    assert desk.wait(GAP_S) == 1 and "1 landed" in desk.paper.writes[-1]


def test_signals_and_streams_are_given_back(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    own, others = Paper(), Paper()
    monkeypatch.setattr(sys, "stdout", own)
    monkeypatch.setattr(sys, "stderr", others)
    handlers = signal.getsignal(signal.SIGWINCH), signal.getsignal(signal.SIGCONT)
    desk.tell(START, began("alpha", 0))
    assert sys.stdout is not own and signal.getsignal(signal.SIGWINCH) is not handlers[0]
    before = len(desk.paper.writes)
    print("half", end="")  # noqa: T201 - as a library might
    assert len(desk.paper.writes) == before, "half a line waits for the other half"
    print(" a line", file=sys.stdout)  # noqa: T201
    assert "half a line\n" in desk.paper.writes[-1]
    print("rest", end="", file=sys.stderr)  # noqa: T201
    desk.tell(finish({"alpha": Final.LANDED, "beta": Final.LANDED}))
    assert (sys.stdout, sys.stderr) == (own, others) and own.writes == others.writes == []
    assert desk.paper.writes[-1] == "rest"
    assert (signal.getsignal(signal.SIGWINCH), signal.getsignal(signal.SIGCONT)) == handlers


def test_a_build_that_broke_off_is_drawn_no_more(desk: Desk) -> None:
    desk.tell(START, began("alpha", 0))
    desk.terminal.close()
    written = len(desk.paper.writes)
    desk.wait(5)
    assert desk.live.due == inf and len(desk.paper.writes) == written


def test_another_size_and_the_return_of_the_person_are_drawn_at_once(desk: Desk) -> None:
    desk.tell(START, began("alpha", 0))
    desk.wait(1)
    written = len(desk.paper.writes)
    signal.raise_signal(signal.SIGCONT)
    assert desk.live.due <= desk.clock.seconds
    desk.live.beat()
    assert len(desk.paper.writes) == written + 1
    # What the shell wrote in between stays where it is.
    assert "\x1b[J" not in desk.paper.writes[-1] and "A" not in desk.paper.writes[-1].partition("alpha")[0]
    assert desk.live.due > desk.clock.seconds


def test_a_terminal_that_goes_away_is_told_once_and_written_to_no_more(desk: Desk) -> None:
    desk.tell(START, began("alpha", 0))
    desk.paper.fails = OSError(5, "Input/output error")
    desk.clock.seconds += 10
    desk.tell(began("beta", 1))
    assert desk.told == [desk.paper.fails]
    assert desk.wait(5) <= 1 and desk.live.due == inf
    desk.tell(finish({"alpha": Final.LANDED, "beta": Final.LANDED}))
    assert desk.told == [desk.paper.fails]


def test_the_next_build_is_drawn_too(desk: Desk) -> None:
    over: BuildFinished = finish({"alpha": Final.LANDED, "beta": Final.LANDED})
    desk.tell(START, began("alpha", 0), over)
    assert not desk.terminal.is_open
    desk.clock.seconds += 1
    assert "alpha" in "".join(desk.tell(START, began("alpha", 0)))
    assert desk.asked == [START, START]
