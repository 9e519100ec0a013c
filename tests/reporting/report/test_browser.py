"""The page in a real browser: no complaint, no request, fits a phone, light and dark, by keyboard, and at once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.report import events, repository
from orchestra.reporting.report.contents import Report
from orchestra.reporting.report.page import page
from orchestra.reporting.telling import story_of
from tests.reporting.browser import Browser, browsing, chromium

from .kit import report_of, told

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(chromium() is None, reason="no Chromium is installed"),
]

PATIENCE = 2.0
"""Seconds in which a page of 500 tasks opens; on a busy machine it took 0.5."""


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """A browser, for all tests here."""
    with browsing(tmp_path_factory.mktemp("profile")) as browser:
        yield browser


def written(report: Report, folder: Path) -> Path:
    """The page as a file."""
    path = folder / "report.html"
    path.write_text(page(report), "utf-8")
    return path


def test_the_page_runs_and_asks_for_nothing_and_fits_a_phone(browser: Browser, tmp_path: Path) -> None:
    path = written(report_of(told()), tmp_path)
    for width in (390, 1280):
        browser.width(width)
        browser.open(path)
        assert browser.complaints() == []
        assert browser.value("document.documentElement.scrollWidth <= innerWidth")
    # The foreign text stands there as text, and made no element.
    assert browser.value("document.querySelectorAll('script, img, iframe, object').length") == 0
    assert browser.value("document.body.textContent.includes('<script>alert(1)</script>')")
    # The one sheet applies: its policy did not refuse it.
    assert browser.value("getComputedStyle(document.querySelector('.mark.badly')).borderRadius") != "0px"


def test_it_follows_what_the_person_prefers(browser: Browser, tmp_path: Path) -> None:
    path = written(report_of(told()), tmp_path)
    colors = []
    for name in ("light", "dark"):
        browser.ask("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": name}])
        browser.open(path)
        colors.append(browser.value("getComputedStyle(document.body).backgroundColor"))
    assert colors == ["rgb(255, 255, 255)", "rgb(20, 24, 29)"]


def test_it_is_read_by_keyboard_and_by_a_screen_reader(browser: Browser, tmp_path: Path) -> None:
    browser.width(1280)
    browser.open(written(report_of(told()), tmp_path))
    nodes = browser.ask("Accessibility.getFullAXTree")["nodes"]
    told_of = [
        (node["role"]["value"], node.get("name", {}).get("value", ""))
        for node in nodes
        if not node.get("ignored")
    ]
    roles = {role for role, _ in told_of}
    assert {
        "main",
        "navigation",
        "banner",
        "contentinfo",
        "heading",
        "table",
        "columnheader",
        "rowheader",
    } <= roles
    pictures = [name for role, name in told_of if role in ("image", "img", "graphics-document", "SvgRoot")]
    assert any(name.startswith("Attempts by slot over time 7 attempts in") for name in pictures)
    assert all(name for role, name in told_of if role in ("link", "checkbox", "region", "DisclosureTriangle"))
    for kind in ("keyDown", "keyUp"):
        browser.ask("Input.dispatchKeyEvent", type=kind, key="Tab", code="Tab", windowsVirtualKeyCode=9)
    assert browser.value("document.activeElement.textContent") == "Skip to the tasks"
    # What went well can be left out, without a script.
    hidden = "[...document.querySelectorAll('details.good')].every(item => item.offsetHeight == 0)"
    assert browser.value(hidden) is False
    browser.value("document.querySelector('.only input').click()")
    assert browser.value(hidden) is True


def test_five_hundred_tasks_open_at_once(browser: Browser, tmp_path: Path) -> None:
    import random

    commits = repository(tmp_path / "repository", 500)
    every = sorted(events(500, commits, random.Random(2)), key=lambda event: float(event["time"]))
    story = story_of(every)
    assert story is not None and len(story.attempts) == 500
    browser.width(1280)
    path = written(report_of(story), tmp_path)
    assert min(browser.open(path) for _ in range(3)) < PATIENCE
    assert browser.complaints() == []
