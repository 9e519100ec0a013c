"""The report as JUnit XML: a suite of all tasks, a test case each, and behind it the suites that tasks left. Pure.

The form is the one that Jenkins, GitLab and the like read: `testsuites` of `testsuite` of `testcase`.
"""

from __future__ import annotations

import re
from itertools import groupby

from orchestra.model.text import clean
from orchestra.reporting.report.contents import JUnitCase, JUnitFile, Report
from orchestra.reporting.report.markup import Markup, element
from orchestra.reporting.story import TaskStory
from orchestra.reporting.words import log_lines

LINES = 100
"""Lines of the end of a log in a failure."""

_NO_XML = re.compile("[\ufffe\uffff]")


def junit(report: Report) -> str:
    """The whole document."""
    suites = [_tasks(report), *(suite for file in report.tests for suite in _suites(file))]
    body = element("testsuites", [_line(suite) for suite in suites], name="orchestra")
    # What XML 1.0 cannot even name: everything else of that kind `clean` has turned into words.
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + _NO_XML.sub("?", body.text) + "\n"


def _line(markup: Markup) -> Markup:
    return Markup("\n" + markup.text)


def _tasks(report: Report) -> Markup:
    story = report.story
    cases = [_line(_task(task)) for task in story.tasks]
    return element(
        "testsuite",
        *cases,
        name=f"orchestra {story.build}",
        tests=len(story.tasks),
        failures=story.count("failed", "rejected"),
        errors=story.count("interrupted"),
        skipped=story.count("skipped") + sum(task.final is None for task in story.tasks),
        time=f"{story.seconds:.3f}",
    )


def _task(task: TaskStory) -> Markup:
    log = "\n".join(log_lines(task.tail, LINES))
    why = clean(task.why) or (task.final or "")
    found: Markup | None = None
    match task.final:
        case "failed" | "rejected":
            found = element("failure", log, message=why, type=task.final)
        case "interrupted":
            found = element("error", log, message=why, type=task.final)
        case "skipped":
            found = element("skipped", message=why)
        case None:
            found = element("skipped", message="the build has not told what became of it")
    name, seconds = clean(task.name), f"{task.seconds:.3f}"
    return element("testcase", found, classname="orchestra", name=name, time=seconds)


def _suites(file: JUnitFile) -> list[Markup]:
    if file.problem:
        about = element("error", message=file.problem, type="unreadable")
        case = element("testcase", about, classname=clean(file.path), name="read", time="0.000")
        return [
            element(
                "testsuite", _line(case), name=f"{clean(file.task)}: {clean(file.path)}", tests=1, errors=1
            )
        ]
    return [
        _suite(file, name, list(cases)) for name, cases in groupby(file.cases, key=lambda case: case.suite)
    ]


def _suite(file: JUnitFile, name: str, cases: list[JUnitCase]) -> Markup:
    counted = {state: sum(case.state == state for case in cases) for state in ("failed", "error", "skipped")}
    properties = element(
        "properties",
        element("property", name="orchestra.task", value=clean(file.task)),
        element("property", name="orchestra.artifact", value=clean(file.path)),
    )
    return element(
        "testsuite",
        _line(properties),
        [_line(_case(case)) for case in cases],
        name=clean(f"{file.task}: {name}" if name else file.task),
        tests=len(cases),
        failures=counted["failed"],
        errors=counted["error"],
        skipped=counted["skipped"],
        time=f"{sum(case.seconds for case in cases):.3f}",
    )


def _case(case: JUnitCase) -> Markup:
    inner: Markup | None = None
    if case.state in ("failed", "error"):
        words = clean(case.words, newlines=True)
        message = words.partition("\n")[0][:300]
        inner = element("failure" if case.state == "failed" else "error", words, message=message)
    elif case.state == "skipped":
        inner = element("skipped", message=clean(case.words)[:300])
    time = f"{case.seconds:.3f}"
    return element("testcase", inner, classname=clean(case.classname), name=clean(case.name), time=time)
