"""The report as one HTML page that stands for itself: no script, no network, nothing foreign unescaped. Pure.

Promises: the policy in its head forbids every script, request, frame and form, and all style but the sheet whose digest
it names; the page says the same without colours and without its charts.
"""

from __future__ import annotations

import base64
import hashlib

from orchestra.model.text import clean, count, duration, money
from orchestra.reporting.report.contents import Report
from orchestra.reporting.report.curves import memory, parallelism, processors
from orchestra.reporting.report.gantt import gantt, legend
from orchestra.reporting.report.markup import Content, Markup, element
from orchestra.reporting.report.network import network
from orchestra.reporting.report.style import SHEET
from orchestra.reporting.report.tables import (
    claims_part,
    comparison_part,
    cost_part,
    day_and_time,
    tasks_part,
    waiting_part,
)
from orchestra.reporting.report.tests_part import coverage_part, tests_part
from orchestra.reporting.story import BAD, Story
from orchestra.reporting.words import branch_words, outcome_words, short

FINALS = (
    *("failed", "rejected", "interrupted", "skipped"),
    *("landed", "replayed", "adopted", "no-change", "passed", "fresh", "reverted"),
)
"""The order in which outcomes are told: what has to be seen to comes first."""


def page(report: Report) -> str:
    """The whole page."""
    story = report.story
    digest = base64.b64encode(hashlib.sha256(SHEET.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=policy),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="referrer", content="no-referrer"),
        element("meta", name="color-scheme", content="light dark"),
        element("title", f"{verdict(story)} · build {story.build}"),
        # The sheet is ours to the letter: escaped, its digest would be another one.
        Markup(f"<style>{SHEET}</style>"),
    )
    return f'<!DOCTYPE html>\n<html lang="en">{head.text}{_body(report).text}</html>\n'


def verdict(story: Story) -> str:
    """How the build stands, in a few words: `3 landed, 1 failed`."""
    told = [f"{number:,} {outcome_words(final)}" for final in FINALS if (number := story.count(final))]
    open_ones = sum(task.final is None for task in story.tasks)
    if open_ones:
        told.append(f"{open_ones:,} open")
    return ", ".join(told) or "no tasks"


def _body(report: Report) -> Markup:
    story = report.story
    parts: list[tuple[str, str, Content]] = [
        ("timeline", "Timeline", [gantt(story), legend(story)]),
        ("load", "Load", [parallelism(story), processors(story), memory(story)]),
        ("tasks", "Tasks", _tasks(report)),
        ("graph-part", "Graph", network(story)),
        ("waiting", "Waiting", waiting_part(story)),
        ("claims", "Claims at stake", claims_part(story)),
        ("cost", "Cost", cost_part(story)),
    ]
    if report.tests:
        parts.append(("tests", "Tests", tests_part(report.tests)))
    if report.coverage is not None:
        parts.append(("coverage", "Coverage", coverage_part(report.coverage)))
    if report.comparison is not None:
        parts.append(("before", "Beside the build before", comparison_part(report.comparison)))
    links = [element("li", element("a", title, href=f"#{anchor}")) for anchor, title, _ in parts]
    sections = [
        element(
            "section",
            element("h2", title, id=f"{anchor}-head"),
            content,
            id=anchor,
            aria_labelledby=f"{anchor}-head",
        )
        for anchor, title, content in parts
    ]
    return element(
        "body",
        element("a", "Skip to the tasks", href="#tasks", class_="skip"),
        element("header", _header(story)),
        element("nav", element("ul", links), aria_label="Parts of the report"),
        element("main", sections),
        element("footer", _footer(report)),
    )


def _header(story: Story) -> list[Content]:
    where = branch_words(story.branch) if story.branch else "a detached HEAD"
    tip = story.summary.get("tip")
    to = f" → {short(tip)}" if isinstance(tip, str) and tip != story.base else ""
    return [
        element("h1", f"{verdict(story)}"),
        element(
            "p",
            f"Build {clean(story.build)} on {where}, {short(story.base)}{to}, {day_and_time(story.start)}",
            _state(story),
            class_="quiet",
        ),
        element("ul", _figures(story), class_="figures"),
        [_told(told.words, told.hint) for told in story.notices],
    ]


def _state(story: Story) -> Content:
    if story.state == "finished":
        return " · interrupted" if story.summary.get("interrupted") is True else None
    words = {
        "running": " · still at work when this was written",
        "broken off": " · it did not come to its end",
    }
    return element("strong", words.get(story.state, f" · {story.state}"))


def _figures(story: Story) -> list[Markup]:
    sequential = sum(attempt.seconds for attempt in story.attempts)
    tokens = story.tokens
    rows = [
        (duration(story.seconds), "wall clock"),
        (duration(sequential), "one after the other"),
        (f"{sequential / story.seconds:.1f}×" if story.attempts and story.seconds > 0 else "–", "speedup"),
        (str(len(story.attempts)), "attempts"),
    ]
    # Scripts and commands ask nobody: a question mark would look as if something were missing.
    if story.usd is not None:
        rows.append((money(story.usd), "cost"))
    if tokens is not None:
        rows.append((f"{tokens:,}", "tokens"))
    return [element("li", element("b", value), element("span", name)) for value, name in rows]


def _told(words: str, hint: str | None) -> Markup:
    return element("p", words, [" ", element("code", hint)] if hint else None, class_="notice")


def _tasks(report: Report) -> list[Content]:
    story = report.story
    bad = story.count(*BAD)
    only = element("label", element("input", type="checkbox"), f" only the {count(bad, 'task')} to see to")
    return [
        element("div", only, class_="only") if bad and bad < len(story.tasks) else None,
        *tasks_part(report),
    ]


def _footer(report: Report) -> list[Content]:
    unread = report.story.unread
    lost = f" {count(unread, 'line')} of its record could not be read." if unread else ""
    return [element("p", f"Written by orchestra {report.version} at {day_and_time(report.made_at)}.{lost}")]
