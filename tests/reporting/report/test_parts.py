"""The parts of the page, each by what a person must not be spared: what is unverified, cut, unknown or went badly."""

from __future__ import annotations

from dataclasses import replace

import pytest

from orchestra.model.events import AttemptFinished, Event, TaskLanded
from orchestra.model.outcomes import Final, Usage
from orchestra.reporting.report.contents import Diff, Report
from orchestra.reporting.report.gantt import gantt
from orchestra.reporting.report.markup import Content, element
from orchestra.reporting.report.network import mood
from orchestra.reporting.report.numbers import critical_path
from orchestra.reporting.report.page import page
from orchestra.reporting.report.tables import claims_part, cost_part
from tests.reporting.stories import STORY

from .kit import told
from .test_markup import Reader, read
from .test_numbers import PARALLEL


def seen(content: Content) -> Reader:
    """A part as a browser takes it apart."""
    return read(element("div", content).text)


def classes(found: Reader) -> list[str]:
    """The classes of all its elements."""
    return [name for _, about in found.tags for name in (about.get("class") or "").split()]


def test_what_landed_without_verification_says_so() -> None:
    def landed(event: Event) -> Event:
        return replace(event, verified=False) if isinstance(event, TaskLanded) else event

    assert "merged, not verified" not in read(page(Report(told(), 0.0, "1"))).text
    story = told(list(map(landed, STORY)))
    assert read(page(Report(story, 0.0, "1"))).text.count("merged, not verified") == 2


def test_a_diff_that_was_cut_or_cannot_be_shown_says_so() -> None:
    def shown(diff: Diff) -> str:
        return read(page(Report(told(), 0.0, "1", diffs={"alpha": diff}))).text

    assert "There is more; git shows it." in shown(Diff("+a\n", cut=True))
    assert "There is more" not in shown(Diff("+a\n"))
    assert "No diff: the commit is gone." in shown(Diff(problem="the commit is gone"))


def test_only_claims_are_at_stake_where_claims_are_told() -> None:
    text = seen(claims_part(told(PARALLEL))).text
    assert "write-write" in text and "needs" not in text and "slot" not in text


def test_who_told_nothing_of_its_cost_is_counted() -> None:
    def spent(*tasks: str) -> str:
        usages = dict.fromkeys(tasks, Usage(usd=0.5))
        story = told(
            replace(event, usage=usages.get(event.task, Usage()))
            if isinstance(event, AttemptFinished)
            else event
            for event in PARALLEL
        )
        return seen(cost_part(story)).text

    assert "3 attempts told nothing of its cost." in spent("a")
    assert "told nothing" not in spent("a", "b", "c", "d")
    assert spent() == "No attempt told what it cost."


def test_the_chart_marks_what_went_badly_and_what_the_end_hung_on() -> None:
    story = told()
    found = classes(seen(gantt(story)))
    bad = [each for each in story.attempts if each.outcome not in ("success", "no-change")]
    red = [each for each in story.verifications if each.passed is False]
    assert bad and red and found.count("bad-frame") == len(bad) + len(red)
    assert found.count("critical") == len(critical_path(story)) > 0


@pytest.mark.parametrize("final", [*Final, None])
def test_every_outcome_has_its_colour(final: Final | None) -> None:
    colour = mood(final)
    if final is None:
        assert colour == "open"
    elif final.settled_well:
        assert colour in ("well", "idle")
    else:
        assert colour == ("badly" if final in (Final.FAILED, Final.REJECTED) else "stopped")
