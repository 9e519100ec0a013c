"""What the tests of all tasks said, and how much of the code they ran, as parts of the page. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from orchestra.model.text import count, duration
from orchestra.reporting.report.contents import Coverage, JUnitFile
from orchestra.reporting.report.markup import Content, element
from orchestra.reporting.report.tables import table
from orchestra.reporting.words import log_lines, one_line, path_words

MOST = 100
"""Tests that failed, and source files, that are shown at most."""

WORDS = 30
"""Lines of what a failed test said."""

STATES = ("passed", "failed", "error", "skipped")


def tests_part(files: Sequence[JUnitFile]) -> Content:
    """The JUnit files of all tasks: how many tests ended how, and those that failed."""
    rows = [
        (
            file.task,
            path_words(file.path),
            *(str(file.count(state)) for state in STATES),
            duration(sum(case.seconds for case in file.cases)),
            file.problem,
        )
        for file in files
    ]
    bad = [(file.task, case) for file in files for case in file.cases if case.state in ("failed", "error")]
    told = [
        element(
            "details",
            element(
                "summary",
                element("span", case.state, class_="mark badly"),
                element("span", one_line(f"{task}: {case.classname} {case.name}", 160), class_="name"),
            ),
            element("pre", "\n".join(log_lines(case.words.splitlines(), WORDS)), tabindex="0"),
        )
        for task, case in bad[:MOST]
    ]
    heads = ("task", "file", *STATES, "time", "")
    more = f"{count(len(bad) - MOST, 'more test')} failed." if len(bad) > MOST else None
    return [
        table(heads, rows, "Tests by task", (2, 3, 4, 5, 6)),
        *told,
        element("p", more, class_="quiet") if more else None,
    ]


def coverage_part(coverage: Coverage) -> Content:
    """The combined coverage: all, and the files with most that did not run."""
    note = element("p", coverage.note, class_="quiet") if coverage.note else None
    if coverage.share is None:
        return note
    files = sorted(coverage.files, key=lambda file: (file.ran - file.statements, file.path))
    rows = [
        (
            path_words(file.path),
            str(file.statements),
            str(file.statements - file.ran),
            _percent(file.ran, file.statements),
        )
        for file in files[:MOST]
    ]
    whole = (
        f"{100 * coverage.share:.1f} % of {count(sum(file.statements for file in files), 'statement')} ran."
    )
    return [
        element("p", whole),
        table(("file", "statements", "missed", "ran"), rows, "Coverage by file", (1, 2, 3)),
        note,
    ]


def _percent(ran: int, statements: int) -> str:
    return f"{100 * ran / statements:.0f} %" if statements else "–"
