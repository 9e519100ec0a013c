"""The page: forbids all that could run, names all that it leads to, and shows every task; for any story."""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import replace

from hypothesis import given

from orchestra.model.events import AttemptFinished, BuildPlanned, Event
from orchestra.model.graph import EdgeKind
from orchestra.model.outcomes import Usage
from orchestra.model.planned import Before, PlannedTask
from orchestra.reporting.report.contents import Report
from orchestra.reporting.report.markdown import markdown
from orchestra.reporting.report.page import page, verdict
from orchestra.reporting.report.style import SHEET
from orchestra.reporting.telling import story_of
from tests.reporting.stories import STORY

from .kit import HOSTILE, SOME, builds, report_of, told, written
from .test_markup import Reader, read
from .test_numbers import PARALLEL

SHOWN = {
    *("html", "head", "meta", "title", "style", "body", "header", "nav", "main", "section", "footer", "h1"),
    *(
        "h2",
        "h3",
        "p",
        "a",
        "ul",
        "li",
        "b",
        "span",
        "strong",
        "code",
        "pre",
        "details",
        "summary",
        "dl",
        "div",
    ),
    *(
        "dt",
        "dd",
        "table",
        "caption",
        "thead",
        "tbody",
        "tr",
        "th",
        "td",
        "figure",
        "figcaption",
        "label",
        "input",
    ),
    *("svg", "g", "rect", "line", "path", "text", "polyline", "circle"),
}
"""Every element that a page may have: none of them loads or runs anything."""

FORBIDDEN = ("style", "src", "srcset", "action", "data", "background", "poster", "xlink:href")


def check(report: Report) -> Reader:
    """What holds of every page."""
    text = page(report)
    text.encode("utf-8")
    found = read(text)
    ids = [attributes["id"] for _, attributes in found.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    for tag, attributes in found.tags:
        assert tag in SHOWN, tag
        for name, value in attributes.items():
            assert not name.startswith("on") and name not in FORBIDDEN, name
            if name == "href":
                assert value is not None and value.startswith("#") and value[1:] in ids
            if name in ("aria-labelledby", "for"):
                assert set((value or "").split()) <= set(ids)
    # Whatever is opened is closed, in order: no foreign text has moved the structure.
    assert sum(tag == "details" and "id" in about for tag, about in found.tags) == len(report.story.tasks)
    return found


@SOME
@given(builds())
def test_any_story_makes_a_page_in_which_nothing_foreign_can_run(events: list[Event]) -> None:
    check(report_of(told(events)))


def test_the_policy_names_the_digest_of_the_only_sheet_and_allows_nothing_else() -> None:
    text = page(report_of(told()))
    (sheet,) = re.findall(r"<style>(.*?)</style>", text, re.DOTALL)
    assert sheet == SHEET and "<" not in SHEET
    digest = base64.b64encode(hashlib.sha256(sheet.encode()).digest()).decode()
    (policy,) = [
        about["content"]
        for tag, about in read(text).tags
        if tag == "meta" and about.get("http-equiv") == "Content-Security-Policy"
    ]
    assert policy == f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    assert "http:" not in text.replace(HOSTILE, "").replace("http://x", "") and "https:" not in text


def test_what_has_to_be_seen_to_comes_first_and_is_open() -> None:
    found = check(report_of(told()))
    tasks = [about for tag, about in found.tags if tag == "details" and "id" in about]
    bad = [about for about in tasks if about["class"] == "task bad"]
    assert tasks[: len(bad)] == bad and len(bad) == 4
    # The skipped ones need no look of their own.
    assert sum("open" in about for about in bad) == 2
    for words in (
        "no end after 60 s",
        "needs hang, which failed",
        "E   assert 1 == 2",
        "refs/orchestra/rejected/b1-3",
    ):
        assert words in found.text


def test_who_cannot_see_the_charts_reads_what_they_say() -> None:
    text = read(page(report_of(told()))).text
    assert "7 attempts in 1 min 05 s. Critical path: " in text
    assert "At most 4 ran at once" in text
    assert "What the tasks wait for was not told in this build." in text
    pictures = [about for tag, about in read(page(report_of(told()))).tags if tag == "svg"]
    assert pictures and all(about["role"] == "img" and about["aria-labelledby"] for about in pictures)


def test_what_no_attempt_told_takes_no_room() -> None:
    """Scripts and commands cost nothing and use no tokens: a page of question marks would say that it is not known."""
    usage = Usage(input_tokens=5, usd=0.5)
    paid = [replace(each, usage=usage) if isinstance(each, AttemptFinished) else each for each in PARALLEL]
    silent, full = report_of(told(PARALLEL)), report_of(told(paid))
    for text in (">cost</", ">tokens</"):
        assert text in page(full) and text not in page(silent), text
    assert ">agent</" in page(silent)
    assert "| cost |" in markdown(full) and "| cost |" not in markdown(silent)


def test_outcomes_are_words() -> None:
    """As in the summary, the history and the live view; programs are told `no-change`."""
    report = report_of(told())
    for text in (read(page(report)).text, markdown(report)):
        assert "1 no change" in text and "no-change" not in text


def test_a_small_graph_is_drawn_no_larger_than_the_other_charts() -> None:
    plans = tuple(
        PlannedTask(name, name, 0, tuple(Before(one, EdgeKind.NEED) for one in needs), (), (), (), False, ())
        for name, needs in (("a", ""), ("b", "a"))
    )
    found = read(page(report_of(told([PARALLEL[0], BuildPlanned(100.0, "b", plans), *PARALLEL[1:]]))))
    boxes = [about["viewbox"] for tag, about in found.tags if tag == "svg"]
    assert len(boxes) > 1 and {(box or "").split()[2] for box in boxes} == {"1000"}


def test_a_build_under_way_and_one_that_was_killed_say_so() -> None:
    running = story_of(written(STORY[:20]), running=True)
    assert running is not None
    assert "still at work when this was written" in read(page(Report(running, 0.0, "1"))).text
    killed = told(STORY[:20])
    assert "it did not come to its end" in read(page(Report(killed, 0.0, "1"))).text
    assert verdict(killed) == "1 adopted, 1 no change, 1 fresh, 1 reverted, 8 open"
