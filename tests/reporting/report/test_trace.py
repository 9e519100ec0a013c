"""The trace keeps to the format: times go on, slices nest, arrows have both ends; for any events."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestra.model.errors import ExitStatus, OrchestraError
from orchestra.model.events import (
    AttemptFinished,
    AttemptSlot,
    AttemptStarted,
    BuildPlanned,
    BuildStarted,
    Event,
    PhaseStarted,
    TaskLanded,
    VerifyFinished,
    VerifyStarted,
)
from orchestra.model.graph import EdgeKind
from orchestra.model.outcomes import Outcome, Phase, Wait
from orchestra.model.planned import Before, PlannedTask
from orchestra.reporting.report.trace import LANDINGS, trace_of, trace_text
from orchestra.reporting.report.tracing import TraceFile
from orchestra.reporting.story import Story
from tests.reporting.stories import STORY

from .kit import SOME, builds, told

KEYS = {
    "X": {"name", "cat", "ph", "ts", "dur", "pid", "tid", "args"},
    "i": {"name", "cat", "ph", "s", "ts", "pid", "tid", "args"},
    "C": {"name", "cat", "ph", "ts", "pid", "tid", "args"},
    "M": {"name", "ph", "ts", "pid", "tid", "args"},
    "s": {"name", "cat", "ph", "id", "ts", "pid", "tid"},
    "f": {"name", "cat", "ph", "id", "bp", "ts", "pid", "tid"},
}
"""By phase the keys that the format asks for, and no others."""


def check(story: Story) -> list[dict[str, Any]]:
    """What holds of every trace; gives its events."""
    trace = json.loads(trace_text(story))
    events: list[dict[str, Any]] = trace["traceEvents"]
    assert trace == json.loads(json.dumps(trace_of(story)))
    named = {event["tid"] for event in events if event["name"] == "thread_name"}
    for event in events:
        assert set(event) == KEYS[event["ph"]]
        assert isinstance(event["ts"], int) and event["ts"] >= 0 and event["pid"] == 1
        assert event["ph"] in "CM" or event["tid"] in named
        if event["ph"] == "C":
            assert event["args"] and all(isinstance(value, int | float) for value in event["args"].values())
    assert [event["ts"] for event in events] == sorted(event["ts"] for event in events)
    _check_nesting(events)
    _check_arrows(events)
    return events


def _check_nesting(events: list[dict[str, Any]]) -> None:
    """Of two slices of one thread the one holds the other, or they do not meet."""
    by_thread: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for event in events:
        if event["ph"] == "X":
            assert event["dur"] >= 0
            by_thread[event["tid"]].append((event["ts"], event["ts"] + event["dur"]))
    for slices in by_thread.values():
        opened: list[int] = []
        for start, end in sorted(slices, key=lambda item: (item[0], -item[1])):
            while opened and opened[-1] <= start:
                opened.pop()
            assert not opened or end <= opened[-1]
            opened.append(end)


def _check_arrows(events: list[dict[str, Any]]) -> None:
    """Each begins once and ends once, later, on slices."""
    starts = {event["id"]: event for event in events if event["ph"] == "s"}
    ends = {event["id"]: event for event in events if event["ph"] == "f"}
    assert starts.keys() == ends.keys()
    assert len(starts) == sum(event["ph"] == "s" for event in events)
    for number, start in starts.items():
        end = ends[number]
        assert start["ts"] <= end["ts"] and end["bp"] == "e"
        for point in (start, end):
            assert any(
                event["ts"] <= point["ts"] <= event["ts"] + event["dur"]
                for event in events
                if event["ph"] == "X" and event["tid"] == point["tid"]
            )


@SOME
@given(builds())
def test_any_story_gives_a_trace_that_keeps_to_the_format(every: list[Event]) -> None:
    story = told(every)
    events = check(story)
    slices = Counter(event["cat"] for event in events if event["ph"] == "X")
    assert slices["attempt"] == len(story.attempts)


TASKS = ("a", "b", "c", "d")
MOMENTS = st.floats(0, 100).map(lambda seconds: 1_000_000 + seconds)


@st.composite
def busy(draw: Any) -> list[Event]:
    """A build of four tasks that need one another, with attempts in slots that may even overlap."""
    plans = tuple(
        PlannedTask(
            name, name, 0, tuple(Before(other, EdgeKind.NEED) for other in TASKS[:at]), (), (), (), False, ()
        )
        for at, name in enumerate(TASKS)
    )
    events: list[Event] = [
        BuildStarted(draw(MOMENTS), "b", TASKS, "c", None, 2),
        BuildPlanned(1_000_000, "b", plans),
    ]
    for number, task in enumerate(draw(st.lists(st.sampled_from(TASKS), max_size=8))):
        name = f"b-{number}"
        start, middle, end = sorted(draw(st.tuples(MOMENTS, MOMENTS, MOMENTS)))
        events.append(AttemptStarted(start, "b", task, name, number + 1, "s", "c", "k1:0"))
        if draw(st.booleans()):
            events.append(AttemptSlot(start, "b", task, name, draw(st.integers(1, 3)), "log"))
        events.append(PhaseStarted(draw(MOMENTS), "b", task, name, "agent"))
        if draw(st.booleans()):
            phases = (Phase("agent", draw(MOMENTS), draw(MOMENTS)), Phase("check", middle, end))
            events.append(
                AttemptFinished(end, "b", task, name, Outcome.SUCCESS, None, "", end - start, phases=phases)
            )
            events.append(TaskLanded(draw(MOMENTS), "b", task, name, "c" * 40, ("x",), True))
        events.append(VerifyStarted(draw(MOMENTS), "b", name, task))
        if draw(st.booleans()):
            events.append(VerifyFinished(draw(MOMENTS), "b", name, True, draw(st.booleans()), 1.0, task))
    return events


@SOME
@given(busy())
def test_so_does_that_of_a_busy_build_whatever_its_clocks_say(every: list[Event]) -> None:
    check(told(every))


def test_slots_are_rows_with_phases_and_needs_are_arrows() -> None:
    plan = tuple(
        PlannedTask(name, name, 0, before, (), (), (), False, ())
        for name, before in (("alpha", ()), ("beta", (Before("alpha", EdgeKind.NEED),)))
    )
    events: list[Event] = [
        BuildStarted(100.0, "b", ("alpha", "beta"), "c", None, 2),
        BuildPlanned(100.0, "b", plan),
        AttemptStarted(101.0, "b", "alpha", "b-1", 1, "s", "c", "k1:0"),
        AttemptSlot(101.0, "b", "alpha", "b-1", 1, "log"),
        AttemptFinished(
            104.0, "b", "alpha", "b-1", Outcome.SUCCESS, None, "", 3.0, phases=(Phase("agent", 101.5, 103.5),)
        ),
        TaskLanded(105.0, "b", "alpha", "b-1", "c" * 40, ("x",), True),
        AttemptStarted(106.0, "b", "beta", "b-2", 1, "s", "c", "k1:0"),
        AttemptSlot(106.0, "b", "beta", "b-2", 1, "log"),
        AttemptFinished(107.0, "b", "beta", "b-2", Outcome.FAILED, None, "no", 1.0),
    ]
    found = check(told(events))
    names = [event["args"]["name"] for event in found if event["name"] == "thread_name"]
    assert names == ["landings", "slot 1"]
    slices = [(event["name"], event["ts"], event["dur"]) for event in found if event["ph"] == "X"]
    second = 1_000_000
    assert slices == [
        ("alpha", second, 3 * second),
        ("agent", 1.5 * second, 2 * second),
        ("beta", 6 * second, second),
    ]
    (landed,) = [event for event in found if event["ph"] == "i"]
    assert (landed["name"], landed["ts"], landed["tid"]) == ("landed alpha", 5 * second, LANDINGS)
    arrow = [(event["ph"], event["ts"]) for event in found if event["ph"] in "sf"]
    assert arrow == [("s", 4 * second - 1), ("f", 6 * second)]
    running = [event["args"]["running"] for event in found if event["name"] == "attempts"]
    assert running == [1, 0, 1, 0]


def test_arrows_join_the_attempts_that_waited_for_one_another() -> None:
    needs, reads = EdgeKind.NEED, EdgeKind.READ
    plan = tuple(
        PlannedTask(
            name, name, 0, tuple(Before(first, kind) for first, kind in before), (), (), (), False, ()
        )
        for name, before in {
            "a": (),
            "b": (("a", needs),),
            "c": (("a", needs), ("b", reads)),
            "d": (("c", needs),),
        }.items()
    )
    events: list[Event] = [
        BuildStarted(100.0, "b", ("a", "b", "c", "d"), "c", None, 2),
        BuildPlanned(100.0, "b", plan),
    ]
    for task, name, slot, start, end in (
        ("a", "a-1", 1, 101, 102),
        ("a", "a-2", 2, 103, 105),
        ("b", "b-1", 3, 106, 108),
        ("c", "c-1", 4, 109, 110),
        (
            "d",
            "d-1",
            5,
            104,
            112,
        ),  # its clock was set back: it seems to have begun before what it needs ended
    ):
        waits = (Wait("slot", 1.0),) if task == "b" else ()
        number = int(name[-1])
        events += [
            AttemptStarted(float(start), "b", task, name, number, "s", "c", "k1:0", (), waits),
            AttemptSlot(float(start), "b", task, name, slot, "log"),
            AttemptFinished(float(end), "b", task, name, Outcome.SUCCESS, None, "", float(end - start)),
        ]
    found = check(told(events))
    slots = {event["tid"]: event["args"]["name"] for event in found if event["name"] == "thread_name"}
    arrows = [
        [
            (slots[event["tid"]], event["ts"])
            for event in found
            if event["ph"] in "sf" and event["id"] == number
        ]
        for number in sorted({event["id"] for event in found if event["ph"] == "s"})
    ]
    second = 1_000_000
    left = ("slot 2", 5 * second - 1)
    assert arrows == [[left, ("slot 3", 6 * second)], [left, ("slot 4", 9 * second)]]
    depth = [
        (event["ts"] / second, event["args"]["queued"]) for event in found if event["name"] == "attempts"
    ]
    assert [moment for moment, queued in depth if queued] == [5.0] and dict(depth)[6.0] == 0


def test_a_file_has_the_trace_also_of_a_build_without_an_end(tmp_path: Path) -> None:
    problems: list[str] = []
    whole, cut = tmp_path / "whole.json", tmp_path / "cut.json"
    for path, events in ((whole, STORY), (cut, STORY[:20])):
        file = TraceFile(path, problems.append)
        for event in events:
            file.notify(event)
        # The last event is the end; of a build that was cut off whoever ran it says so.
        assert path.exists() == (path == whole)
        file.close()
        assert path.read_text() == trace_text(told(events))
    assert not problems


def test_there_is_no_file_before_there_is_a_trace(tmp_path: Path) -> None:
    """Else a build with `--trace t.json` would note t.json as a file that is not committed."""
    TraceFile(tmp_path / "t.json", lambda problem: None)
    assert list(tmp_path.iterdir()) == []
    # What is there stays until it is overwritten, a link that leads nowhere yet too.
    (tmp_path / "old.json").write_text("{}")
    (tmp_path / "link.json").symlink_to("target.json")
    for name in ("old.json", "link.json"):
        TraceFile(tmp_path / name, lambda problem: None)
    assert (tmp_path / "old.json").read_text() == "{}" and (tmp_path / "link.json").is_symlink()


def test_where_no_trace_can_be_written_no_build_begins(tmp_path: Path) -> None:
    problems: list[str] = []
    with pytest.raises(OrchestraError, match="cannot write") as caught:
        TraceFile(tmp_path / "nowhere" / "t.json", problems.append)
    assert caught.value.status is ExitStatus.ENVIRONMENT and not problems


def test_that_a_trace_cannot_be_written_is_told_once(tmp_path: Path) -> None:
    problems: list[str] = []
    place = tmp_path / "folder"
    place.mkdir()
    file = TraceFile(place / "t.json", problems.append)
    place.rmdir()
    for event in STORY:
        file.notify(event)
    file.close()
    assert problems == [f"{place / 't.json'}: No such file or directory"]
