"""Markdown, JSON and JUnit XML of any story: valid, complete, and foreign only where that is harmless."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from xml.etree import ElementTree

from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from orchestra.model.events import AttemptFinished, Event
from orchestra.model.outcomes import Usage
from orchestra.model.text import clean
from orchestra.reporting.report.contents import JUnitFile, Report
from orchestra.reporting.report.form import form
from orchestra.reporting.report.junit import junit
from orchestra.reporting.report.junit_reading import read_junit
from orchestra.reporting.report.markdown import code, markdown
from tests.reporting.samples import open_objects, raw_characters, schema, texts, undescribed, validator
from tests.reporting.stories import STORY

from .kit import HOSTILE, SOME, builds, report_of, told

FORM = validator("report")


def test_the_schema_is_one_and_describes_and_closes_every_object() -> None:
    content = schema("report")
    Draft202012Validator.check_schema(content)
    assert content["description"] and undescribed(content) == [] and open_objects(content) == []


@SOME
@given(builds())
def test_any_story_is_told_as_the_schema_says(events: list[Event]) -> None:
    report = report_of(told(events))
    text = json.dumps(form(report), allow_nan=False)
    FORM.validate(json.loads(text))


def test_json_says_what_became_of_each_task() -> None:
    found = form(report_of(told()))
    tasks = {task["task"]: task for task in found["tasks"]}
    assert tasks["alpha"]["final"] == "landed" and tasks["alpha"]["reasons"] == "never built"
    assert tasks["beta"]["seconds"] == 4.5 - 0.0 or abs(tasks["beta"]["seconds"] - 4.5) < 1e-6
    assert tasks["hang"]["attempts"][0]["outcome"] == "timed-out"
    assert found["critical_path"][-1] == "hang-1"
    assert found["sequential_s"] == sum(each["seconds"] or 0 for each in found["tasks"]) != found["seconds"]
    assert found["tests"][0]["cases"][1]["state"] == "passed"


def counted(suite: ElementTree.Element) -> tuple[int, int, int, int]:
    """What a suite says of itself: tests, failures, errors, skipped."""
    tests, failures, errors, skipped = (
        int(suite.get(name, "0")) for name in ("tests", "failures", "errors", "skipped")
    )
    return tests, failures, errors, skipped


@SOME
@given(builds())
def test_any_story_is_junit_xml_whose_counts_are_right(events: list[Event]) -> None:
    report = report_of(told(events))
    text = junit(report)
    root = ElementTree.fromstring(text)
    assert root.tag == "testsuites"
    for suite in root:
        cases = suite.findall("testcase")
        of = [sum(case.find(kind) is not None for case in cases) for kind in ("failure", "error", "skipped")]
        assert counted(suite) == (len(cases), *of)
    assert [case.get("name") for case in root[0]] == [clean(task.name) for task in report.story.tasks]
    # We read what we write.
    again = read_junit("t", "x.xml", text.encode())
    assert again is not None and not again.problem
    assert len(again.cases) == sum(len(suite.findall("testcase")) for suite in root)


def test_junit_tells_how_tasks_ended_and_which_left_which_tests() -> None:
    root = ElementTree.fromstring(junit(report_of(told())))
    cases = {case.get("name"): case for case in root[0]}
    assert counted(root[0]) == (12, 2, 0, 2)
    failure = cases["breaker"].find("failure")
    assert failure is not None and failure.get("message") == "`pytest -q` fails with it"
    assert failure.text == "E   assert 1 == 2\n1 failed"
    assert list(cases["alpha"]) == [] and cases["gamma"].find("skipped") is not None
    assert [suite.get("name") for suite in root][1:] == [
        "alpha: suite",
        "alpha: other",
        f"alpha: {clean(HOSTILE)}",
    ]
    assert root[1][0][0].attrib == {"name": "orchestra.task", "value": "alpha"}


def test_what_xml_cannot_hold_is_left_out_of_junit() -> None:
    text = junit(report_of(told(), "a\ufffe\uffff\x00\x1b\udc80b"))
    names = [case.get("name", "") for case in ElementTree.fromstring(text).iter("testcase")]
    assert any(name.startswith("a??") and name.endswith("b") for name in names)


def outside(text: str) -> str:
    """Markdown without its code: what would be markup."""
    lines = [line for line in text.split("\n") if not line.startswith("    ")]
    # A span ends with just as many backquotes as it began with.
    return re.sub(r"(?<!`)(`+)(?!`).*?(?<!`)\1(?!`)", "", "\n".join(lines))


@given(st.one_of(texts(), st.text("`|\\ a\n", max_size=12)))
def test_any_text_is_one_code_span_on_one_line(text: str) -> None:
    made = code(text)
    assert "\n" not in made and "|" not in made and outside(f"x {made} y") in ("x  y", f"x {made} y")
    assert raw_characters(made, color=False) == []
    if made:
        assert outside(f"x {made} y") == "x  y"


@SOME
@given(builds())
def test_nothing_foreign_is_markup_in_markdown(events: list[Event]) -> None:
    story = told(events)
    text = markdown(report_of(story))
    assert raw_characters(text, color=False) == []
    left = outside(text)
    assert "<" not in left and "@" not in left and "](" not in left and "script" not in left
    rows = [line for line in text.split("\n") if line.startswith("| ")]
    assert all(line.count("|") == (5 if story.usd is None else 6) for line in rows)


def test_little_money_is_no_markup() -> None:
    cheap = [
        replace(event, usage=Usage(usd=0.001 / 4)) if isinstance(event, AttemptFinished) else event
        for event in STORY
    ]
    text = markdown(report_of(told(cheap)))
    assert "&lt;$0.01" in text and "<" not in outside(text)


def test_markdown_names_test_reports_that_cannot_be_read() -> None:
    kept = (JUnitFile("beta", "junit.xml", problem="cannot be read: unclosed token"),)
    text = markdown(replace(Report(told(), 0.0, "1"), tests=kept))
    assert "Tests: none\n\n- `beta` `junit.xml`: `cannot be read: unclosed token`\n" in text


def test_markdown_is_short_and_says_what_matters() -> None:
    text = markdown(Report(told(), 0.0, "1"))
    assert text.startswith("## orchestra: 1 failed, 1 rejected, 2 skipped, 2 landed, ")
    assert "| `hang` | **failed** | 1 min 04 s | `no end after 60 s` |" in text
    assert "| `beta` | landed | 4.5 s | 1 file: `src/a.py` |" in text
    assert "    E   assert 1 == 2\n    1 failed" in text
    assert "`git merge orchestra/build-b1`" in text
    rows = [line for line in text.split("\n") if line.startswith("| `")]
    bad = [line for line in rows if "**" in line]
    assert len(bad) == 4 and rows[:4] == bad
    assert len(text) < 3000
