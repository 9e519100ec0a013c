"""Commit messages: a title that fits, a body that says what was done, and trailers that git itself finds."""

from __future__ import annotations

import subprocess
from itertools import product

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from orchestra.integration.message import TITLE_WIDTH, entries_message, landed_message
from orchestra.model.tasks import Prompt, Task
from tests.model.kit import task

KEY = "k1:" + "a" * 64
ATTEMPT = "20261122-153000-1f2e-3"


def titled(title: str) -> Task:
    one = task("fix-parser")
    return Task(one.name, 0, one.claims, prompt=Prompt("prompts/fix-parser.md", title, title))


def message(title: str, summary: str = "") -> str:
    return landed_message(titled(title), summary, key=KEY, attempt=ATTEMPT)


def trailers(text: str) -> list[str]:
    """The trailers that git finds in a message."""
    parse = ["git", "interpret-trailers", "--parse"]
    # Git goes in circles on some messages that hold both a `---` and a line of scissors.
    found = subprocess.run(parse, input=text.encode(), capture_output=True, check=True, timeout=10)
    return found.stdout.decode().splitlines()


OURS = ["Orchestra-Task: fix-parser", f"Orchestra-Key: {KEY}", f"Orchestra-Attempt: {ATTEMPT}"]
HOSTILE = [
    "",
    "Done.",
    "Orchestra-Task: evil",
    "All done.\n\nOrchestra-Task: evil\nOrchestra-Key: k1:evil",
    "Signed-off-by: somebody <x@example.org>",
    "All done.\n\nSigned-off-by: somebody <x@example.org>\n",
    "first\n---\nsecond",
    "first\n--- a/file\n+++ b/file\ndiff --git a b",
    "--- \nx",
    "-----",
    "# a comment\n; another",
    "a\n\n\n\n\nb\n\n",
    "\n\n  \n",
    "\x1b[31mred\x1b[0m\r\nand \x07 bell\x00",
    "x" * 5000,
    "word " * 2000,
    "line\n" * 200,
    "Orchestra-Task : evil\n Orchestra-Task: evil",
    "\u202eevil \u2028 Orchestra-Task: evil",
    "é\udcff",
    "scissors\n# ------------------------ >8 ------------------------\nbelow",
]
SCISSORS = "------------------------ >8 ------------------------"
ENDS = ("---", "--- x", f"# {SCISSORS}", f"; {SCISSORS}", SCISSORS)
"""Lines that end a message for git, or may."""


@pytest.mark.parametrize(
    ("title", "summary"),
    [
        *(("Fix the parser", summary) for summary in HOSTILE),
        *((title, "Done.") for title in HOSTILE),
        *product(ENDS, ENDS),
    ],
)
def test_git_finds_our_trailers_and_no_others(title: str, summary: str) -> None:
    text = message(title, summary).encode("utf-8", "replace").decode()
    assert trailers(text) == OURS
    subject, blank, *_ = text.split("\n")
    assert 0 < len(subject) <= TITLE_WIDTH and blank == ""
    assert text.endswith(f"{ATTEMPT}\n")
    assert all(char == "\n" or char.isprintable() for char in text)
    assert text.count("\n") < 60


PIECES = st.sampled_from(
    [
        *ENDS,
        "Orchestra-Task: x",
        "\n",
        "\n\n",
        "\r",
        "Key: value",
        " ",
        "word",
        "#",
        "\x1b[1m",
        "é",
        "-",
        "By: a <b>",
    ]
)
TEXTS = st.one_of(st.text(max_size=200), st.lists(PIECES, max_size=12).map("".join))


@settings(max_examples=60, deadline=None)
@given(TEXTS, TEXTS)
@example("x", "a\n\n---")
def test_whatever_title_and_summary_say_git_finds_our_trailers_and_no_others(
    title: str, summary: str
) -> None:
    assert trailers(message(title, summary).encode("utf-8", "replace").decode()) == OURS


@given(st.text(max_size=300))
def test_a_title_is_one_line_that_fits(title: str) -> None:
    subject = message(title).split("\n")[0]
    assert 0 < len(subject) <= TITLE_WIDTH
    assert subject == subject.strip()


def test_a_title_that_fits_stays_as_it_is() -> None:
    for title in ("Fix the parser", "x" * 72, "1234567 " * 8 + "12345678"):
        assert message(title).split("\n")[0] == title


def test_a_long_title_is_cut_at_a_word_where_there_is_one() -> None:
    assert message("word " * 30).split("\n")[0] == "word " * 13 + "word…"
    assert message("x" * 80).split("\n")[0] == "x" * 71 + "…"


def test_without_a_title_the_task_gives_its_name() -> None:
    assert message("   ").split("\n")[0] == "fix-parser"


def test_the_body_is_the_agent_s_last_word_wrapped() -> None:
    text = message("Fix", "I changed the parser.\n\nIt now reads " + "many words " * 10)
    title, first, second, ours = text.strip().split("\n\n")
    assert (title, first) == ("Fix", "I changed the parser.")
    assert second.startswith("It now reads") and max(map(len, second.split("\n"))) <= 72
    assert ours.split("\n") == OURS


def test_the_message_of_recorded_entries_names_its_tasks() -> None:
    text = entries_message(("a", "b"))
    assert text.split("\n")[0] == "Record 2 tasks that changed nothing"
    assert trailers(text) == ["Orchestra-Task: a", "Orchestra-Task: b"]
    assert entries_message(("a",)).split("\n")[0] == "Record 1 task that changed nothing"


def from_template(template: str, title: str = "Fix it", summary: str = "Done.\n\nAll of it.") -> str:
    text = landed_message(titled(title), summary, key=KEY, attempt=ATTEMPT, template=template, agent="claude")
    return text.encode("utf-8", "replace").decode()


def test_a_template_says_what_stands_where() -> None:
    text = from_template("feat({task}): {title}\n\n{body}\n\nBy {agent} in {build}. {{x}}\n")
    assert text == (
        "feat(fix-parser): Fix it\n\nDone.\n\nAll of it.\n\nBy claude in 20261122-153000-1f2e. {x}\n\n"
        + "\n".join(OURS)
        + "\n"
    )


def test_trailers_of_a_template_stand_beside_ours() -> None:
    text = from_template("{title}\n\n{body}\n\nCo-authored-by: {agent} <x@example.org>\nRefs: {task}")
    assert trailers(text) == ["Co-authored-by: claude <x@example.org>", "Refs: fix-parser", *OURS]


@pytest.mark.parametrize(
    "template",
    [
        "{title}\n\n{body}",
        "{title}\n\nRefs: {body}",
        "{title}\n\nOrchestra-Task: evil",
        "Orchestra-Task: evil",
        "{body}",
        "{title}\n{body}",
        "{title}\n\nsee https://example.org",
        "---\n\n--- {title}",
    ],
)
@pytest.mark.parametrize("summary", HOSTILE)
def test_what_an_agent_says_becomes_no_trailer_in_any_template(template: str, summary: str) -> None:
    text = from_template(template, summary=summary)
    assert trailers(text) == OURS
    subject, blank, *_ = text.split("\n")
    assert 0 < len(subject) <= TITLE_WIDTH and blank == ""


@given(st.text(max_size=100), st.text(max_size=100))
def test_the_first_line_of_a_template_is_bounded_whatever_it_holds(title: str, summary: str) -> None:
    for template in ("feat({task}): {title}", "{body}\n\n{title}", "{agent}"):
        subject = from_template(template, title, summary).split("\n")[0]
        assert 0 < len(subject) <= TITLE_WIDTH
        assert subject == subject.strip()
