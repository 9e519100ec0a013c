"""From events to the story: whole builds, cut off ones, and events that no build ever wrote."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from orchestra.model.events import (
    AttemptStarted,
    BuildFinished,
    BuildPlanned,
    Event,
    MachineSampled,
    Notice,
    PhaseStarted,
    TaskAgain,
    TaskDecided,
    TaskFailed,
    TaskLanded,
    VerifyStarted,
)
from orchestra.model.freshness import State
from orchestra.model.graph import EdgeKind
from orchestra.model.outcomes import Outcome, Usage
from orchestra.model.planned import Before, PlannedTask
from orchestra.reporting.story import Edge, Waited
from orchestra.reporting.telling import story_of
from tests.reporting.samples import histories
from tests.reporting.stories import C0, C1, NEVER, START, STORY, B, T, began, ended, waited

from .kit import SOME, told, written


def test_each_task_has_its_final_outcome_and_what_led_to_it() -> None:
    story = told()
    finals = {task.name: task.final for task in story.tasks}
    last = STORY[-1]
    assert isinstance(last, BuildFinished)
    assert finals == {name: final.value for name, final in last.tasks.items()}
    tasks = {task.name: task for task in story.tasks}
    assert story.state == "finished" and story.seconds == 65.2 and story.count("landed") == 2
    assert [attempt.number for attempt in tasks["beta"].attempts] == [1, 2]
    assert tasks["beta"].commit == "2a3b4c5" + "0" * 33 and tasks["beta"].paths == ("src/a.py",)
    assert tasks["breaker"].why == "`pytest -q` fails with it"
    assert tasks["breaker"].kept == "refs/orchestra/rejected/b1-3"
    assert tasks["breaker"].tail == ("E   assert 1 == 2", "1 failed")
    assert tasks["gamma"].because == "hang" and not tasks["gamma"].attempts
    assert tasks["hang"].tail == ("waiting...",)
    assert [told.hint for told in story.notices] == [
        "commit it, or build with --include-dirty",
        "git merge orchestra/build-b1",
    ]


def test_without_its_end_a_story_tells_what_is_known_so_far() -> None:
    """A build that was killed right after `alpha` had landed, and while `beta` ran once more."""
    cut = next(
        at for at, event in enumerate(STORY) if isinstance(event, AttemptStarted) and event.number == 2
    )
    story = told(STORY[: cut + 1])
    finals = {task.name: task.final for task in story.tasks}
    assert story.state == "broken off" and story.end == T + 2.7
    assert finals["alpha"] == "landed" and finals["beta"] is None and finals["gamma"] is None
    running = [attempt for attempt in story.attempts if attempt.outcome is None]
    assert {attempt.task for attempt in running} == {"beta", "breaker", "hang"}
    assert all(attempt.end == story.end for attempt in running)


def test_a_build_at_work_goes_on_until_now() -> None:
    story = told(STORY[:12], running=True, now=T + 9)
    assert story.state == "running" and story.end == T + 9
    assert told(running=True, now=T + 900).state == "finished"


def test_plan_samples_and_waits_are_read() -> None:
    plan = PlannedTask(
        "beta", "Do beta", 3, (Before("alpha", EdgeKind.NEED),), ("src/**",), ("a",), (), False, ()
    )
    story = told(
        (STORY[0], BuildPlanned(T, B, (plan,)), MachineSampled(T + 1, B, 0.5, None, 7, 2), waited("beta"))
    )
    beta = next(task for task in story.tasks if task.name == "beta")
    assert story.planned and beta.title == "Do beta" and beta.before == (Edge("alpha", "needs"),)
    assert beta.write == ("src/**",) and beta.read == ("a",)
    (sample,) = story.samples
    assert (sample.cpu, sample.memory, sample.held_bytes, sample.commands) == (0.5, None, 7, 2)
    (attempt,) = beta.attempts
    assert attempt.waits == (Waited("needs", 2.5, "alpha"), Waited("slot", 0.5, None))
    # It could have started once it had what it needs.
    assert attempt.queued_at == attempt.start - 0.5


def test_what_is_unknown_is_not_counted_as_nothing() -> None:
    story = told()
    assert story.usd is None and story.tokens is None
    events = written(STORY)
    for event in events:
        if event["event"] == "attempt_finished" and event["task"] == "beta":
            event["usage"]["usd"] = 0.25
    priced = story_of(events)
    assert priced is not None and priced.usd == 0.5
    assert next(task for task in priced.tasks if task.name == "alpha").attempts[0].usage == Usage()


def became(*events: Event) -> tuple[str | None, str]:
    """What became of `alpha` in a build that was killed after these events, and why."""
    (task,) = [task for task in told([START, *events]).tasks if task.name == "alpha"]
    return task.final, task.why


def test_of_a_build_that_was_killed_each_task_is_where_it_was() -> None:
    stale = TaskDecided(T, B, "alpha", State.STALE, "k1:0", C0, NEVER)
    fresh = TaskDecided(T, B, "alpha", State.FRESH, "k1:0", C0)
    again = TaskAgain(T, B, "alpha", "alpha-1", "in the way", ("a",))
    landed = TaskLanded(T, B, "alpha", "alpha-2", C1, ("a",), True)
    stopped = TaskFailed(T, B, "alpha", "alpha-1", Outcome.INTERRUPTED, "stopped")
    assert became(fresh) == ("fresh", "")
    assert became(fresh, stale) == became(fresh, began("alpha", 0)) == (None, "")
    assert became(stale, began("alpha", 0), again) == (None, "in the way")
    assert became(began("alpha", 0), again, began("alpha", 1, 2), landed) == ("landed", "")
    # Decided once more at the end, it is fresh: it landed all the same.
    assert became(landed, fresh) == ("landed", "")
    assert became(landed, stale, began("alpha", 2, 3)) == (None, "")
    assert became(began("alpha", 0), stopped) == ("interrupted", "stopped")


def test_what_was_under_way_when_it_was_killed_goes_on_to_the_end() -> None:
    story = told(
        [
            START,
            began("alpha", 0),
            PhaseStarted(T + 1, B, "alpha", "alpha-1", "setup"),
            PhaseStarted(T + 2, B, "alpha", "alpha-1", "agent"),
            VerifyStarted(T + 3, B, C1, "beta"),
            Notice(T + 5, B, "last words"),
        ]
    )
    (attempt,), (verified,) = story.attempts, story.verifications
    assert [(phase.name, phase.start - T, phase.end - T) for phase in attempt.phases] == [
        ("setup", 1, 2),
        ("agent", 2, 5),
    ]
    assert (verified.task, verified.start - T, verified.end - T, verified.passed) == ("beta", 3, 5, None)


def test_what_failed_keeps_what_it_made() -> None:
    (hang,) = [task for task in told().tasks if task.name == "hang"]
    assert (hang.final, hang.kept) == ("failed", C1)
    (noop,) = [task for task in told().tasks if task.name == "noop"]
    assert noop.kept is None


def test_a_number_that_is_none_is_unknown() -> None:
    events = written([START, began("alpha", 0), ended("alpha", 2, 2.0)])
    for odd in (float("nan"), float("inf"), 1e300, True, "1"):
        events[-1]["usage"] = {"usd": odd, "input_tokens": odd}
        events[-1]["peak_bytes"] = odd
        story = story_of(events)
        assert story is not None
        (attempt,) = story.attempts
        assert (attempt.usage.usd, attempt.usage.tokens, attempt.peak_bytes) == (None, None, 0)


def test_where_no_build_began_there_is_no_story() -> None:
    assert story_of([]) is None
    assert story_of(written(STORY[1:])) is None


def test_lines_that_are_no_events_are_counted() -> None:
    story = story_of(
        [*written(STORY[:3]), None, 3, {"event": 4}, {"event": "of a later version", "time": T + 99}]
    )
    assert story is not None and story.unread == 3 and story.end == T + 99


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@st.composite
def spoiled(draw: Any) -> list[dict[str, Any]]:
    """Events of which some fields hold anything, or nothing."""
    events = written(draw(histories()))
    for event in events:
        for name in draw(st.lists(st.sampled_from(sorted(event)), max_size=3)):
            if name != "event":
                event[name] = draw(JSON)
    return events


@SOME
@given(spoiled())
def test_any_events_are_read(events: list[dict[str, Any]]) -> None:
    story = story_of(events)
    began = any(event["event"] == "build_started" for event in events)
    assert (story is not None) == began
    if story is not None:
        assert story.end >= story.start
        assert all(attempt.end >= attempt.start for attempt in story.attempts)
        assert len({task.name for task in story.tasks}) == len(story.tasks)
