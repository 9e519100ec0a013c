"""What the tests of reports share: stories from events, and texts as foreign as they come."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from hypothesis import settings
from hypothesis.strategies import SearchStrategy

from orchestra.model.events import BuildStarted, Event, to_json
from orchestra.reporting.report.contents import (
    Coverage,
    Covered,
    Diff,
    JUnitCase,
    JUnitFile,
    Report,
)
from orchestra.reporting.report.numbers import compare
from orchestra.reporting.story import Story
from orchestra.reporting.telling import story_of
from tests.reporting.samples import histories, unhurried
from tests.reporting.stories import STORY

SOME = settings(unhurried, max_examples=25)
"""Each example is a whole page."""

HOSTILE = "<script>alert(1)</script>\"'&`|@everyone ](http://x) \x1b[31m\x00\udc80"


def written(events: Iterable[Event]) -> list[dict[str, Any]]:
    """Events as they are read from a file."""
    return [json.loads(json.dumps(to_json(event))) for event in events]


def told(events: Iterable[Event] = STORY, **about: Any) -> Story:
    """The story of events."""
    story = story_of(written(events), **about)
    assert story is not None
    return story


def builds() -> SearchStrategy[list[Event]]:
    """Events in any order, sensible or not, among them the beginning of a build."""
    return histories().filter(lambda events: any(isinstance(event, BuildStarted) for event in events))


def report_of(story: Story, foreign: str = HOSTILE) -> Report:
    """A report with all that it can have beside the story, with foreign texts in each."""
    first = story.tasks[0].name if story.tasks else "none"
    return Report(
        story,
        1_800_000_000.0,
        "1.2.3",
        comparison=compare(story, told()),
        diffs={
            first: Diff(
                f"diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1 +1 @@\n-{foreign}\n+{foreign}\n", cut=True
            )
        },
        tests=(
            JUnitFile(
                first,
                "junit.xml",
                (
                    JUnitCase("suite", "a.B", foreign, 0.5, "failed", foreign),
                    JUnitCase("suite", "a.B", "good", 0.5, "passed"),
                    JUnitCase("other", foreign, "skipped", 0.5, "skipped", foreign),
                ),
            ),
            JUnitFile(first, foreign, problem=f"cannot be read: {foreign}"),
        ),
        coverage=Coverage((Covered(foreign, 10, 7), Covered("b.py", 0, 0)), foreign),
    )
