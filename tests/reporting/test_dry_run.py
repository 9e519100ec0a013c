"""The text of `--dry-run`: what would run, what only may, and why, from the events of a simulated build."""

from __future__ import annotations

from collections.abc import Iterable

from hypothesis import given
from hypothesis import strategies as st

from orchestra.model.events import (
    AttemptStarted,
    BuildStarted,
    Event,
    Notice,
    TaskDecided,
    TaskLanded,
    TaskSkipped,
)
from orchestra.model.freshness import Reason, ReasonKind, State
from orchestra.model.graph import Graph
from orchestra.reporting.dry_run import dry_run_text
from orchestra.reporting.outlook import foresee

from .samples import graph, histories, raw_characters, task, unhurried
from .stories import C0, NEVER, B, T, finish

TASKS = (
    task("alpha", 0, write=("src/a.py",)),
    task("changelog", 1, write=("CHANGELOG.md",), run="make changelog"),
    task("gamma", 2, write=("g.txt",), needs=("alpha",)),
    task("reader", 3, write=("r.txt",), read=("src/**",)),
    task("both", 4, write=("b.txt",), read=("CHANGELOG.md",), needs=("alpha",)),
    task("suite", 5, write=(), read=("**",)),
    task("after-suite", 6, write=("s.txt",), needs=("suite",)),
    task("docs", 7, write=("docs/**",)),
    task("late", 8, write=("l.txt",), needs=("reader",)),
)
GRAPH = graph(*TASKS)
START = BuildStarted(T, B, GRAPH.order, C0, "main", 4, dry_run=True)


def began(name: str, at: float, *reasons: Reason) -> AttemptStarted:
    """A simulated attempt began."""
    return AttemptStarted(T + at, B, name, f"{name}-1", 1, "simulated", C0, "k1:0", reasons or NEVER)


def landed(name: str, at: float, *paths: str) -> TaskLanded:
    """A simulated result landed."""
    return TaskLanded(T + at, B, name, f"{name}-1", C0, paths, True)


def need(name: str) -> Reason:
    """A need whose outputs changed."""
    return Reason(ReasonKind.NEED_CHANGED, name, "0", "1")


def read(path: str) -> Reason:
    """An input that changed."""
    return Reason(ReasonKind.INPUT_CHANGED, path, "0", "1")


def told(events: Iterable[Event], on: Graph = GRAPH, *, color: bool = False, width: int | None = None) -> str:
    """What is said of these events; nothing where no build started."""
    outlook = foresee(events, on)
    return "" if outlook is None else dry_run_text(outlook, on, color=color, width=width)


EVENTS: tuple[Event, ...] = (
    START,
    Notice(T, B, "not seen by tasks: README.md"),
    began("alpha", 0, Reason(ReasonKind.PROMPT_CHANGED, "prompt", "0", "1")),
    began("changelog", 0, read("src/old.py")),
    landed("alpha", 1, "src/a.py"),
    landed("changelog", 1, "CHANGELOG.md"),
    began("gamma", 1, need("alpha"), Reason(ReasonKind.OUTPUT_MISSING, "g.txt", "0")),
    began("both", 1, need("alpha"), read("CHANGELOG.md")),
    began("suite", 2),
    TaskDecided(T + 2, B, "docs", State.FRESH, "k1:0", C0),
    finish({}),
)

TEXT = """\
note: not seen by tasks: README.md
4 of 9 tasks would run, up to 4 at once; 3 more may; 2 are fresh
  1  alpha      prompt changed
  1  changelog  src/old.py changed
  2  gamma      g.txt missing
  2  both       only if alpha or changelog changes its output
  3  suite      not passed as it is now
  -  reader     only if alpha changes its output
  -  late       only if reader changes its output"""


def test_what_would_run_what_may_and_why() -> None:
    assert told(EVENTS) == TEXT


def test_a_path_that_landed_only_later_is_a_reason_of_its_own() -> None:
    text = told([START, began("reader", 0, read("src/a.py")), landed("alpha", 1, "src/a.py")])
    assert "  1  reader  src/a.py changed\n" in text


def test_made_up_paths_are_not_shown() -> None:
    reasons = (read("simulated/alpha"), Reason(ReasonKind.FORCED))
    events = [START, began("alpha", 0), landed("alpha", 1, "simulated/alpha"), began("reader", 1, *reasons)]
    assert "simulated/" not in told(events)
    assert "  2  reader  forced\n" in told(events)


def test_who_only_writes_the_same_file_makes_nobody_run() -> None:
    both = graph(task("one", 0, write=("a",)), task("two", 1, write=("a",)))
    start = BuildStarted(T, B, ("one", "two"), C0, "main", 2, dry_run=True)
    text = told([start, began("one", 0), landed("one", 1, "a")], both)
    assert text == "1 of 2 tasks would run, up to 2 at once; 1 is fresh\n  1  one  never built"


def test_a_task_that_the_simulation_skipped_may_run() -> None:
    skipped = TaskSkipped(T, B, "gamma", "needs alpha, which was rejected", "alpha")
    text = told([START, began("alpha", 0), skipped])
    assert "  -  gamma   only if alpha lands\n" in text


def test_a_second_attempt_changes_nothing() -> None:
    events = [START, began("alpha", 0), landed("alpha", 1, "src/a.py"), began("alpha", 2, read("src/a.py"))]
    assert "  1  alpha   never built\n" in told(events)


def test_nothing_to_do() -> None:
    fresh = [TaskDecided(T, B, item.name, State.FRESH, "k1:0", C0) for item in TASKS]
    assert told([START, *fresh, finish({})]) == "Nothing to do: 9 tasks are fresh."


def test_no_build_no_text() -> None:
    assert foresee([], GRAPH) is None


def test_only_selected_tasks_are_told() -> None:
    start = BuildStarted(T, B, ("alpha", "docs"), C0, "main", 1, dry_run=True)
    assert told([start, began("alpha", 0)]) == (
        "1 of 2 tasks would run, one at a time; 1 is fresh\n  1  alpha  never built"
    )


@unhurried
@given(histories(), st.booleans())
def test_any_events_give_clean_text(events: list[Event], color: bool) -> None:
    foreign: Graph = graph(task("alpha"), task("beta", 1, needs=("alpha",)), task("x" * 90, 2, read=("**",)))
    assert raw_characters(told(events, foreign, color=color), color) == []
