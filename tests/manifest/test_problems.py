"""How problems are told: one error out of many, foreign text made harmless, suggestions that help."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from orchestra.manifest.problems import MAX_SHOWN, Problem, listing, nearest, show, to_error
from orchestra.model.errors import ExitStatus, OrchestraError, Place, environment_error, usage_error


def locate(problem: Problem) -> Place:
    """A place made of the path: (line, column)."""
    line, column = problem.path
    return Place(problem.file or "m", int(line), int(column))


def test_the_first_by_position_comes_first_and_each_only_once() -> None:
    problems = [Problem("c", (2, 1)), Problem("b", (1, 9)), Problem("a", (1, 2)), Problem("b", (1, 9))]
    error = to_error(problems, locate)
    assert [str(each) for each in (error, *error.others)] == ["m:1:2: a", "m:1:9: b", "m:2:1: c"]


def test_the_manifest_comes_before_prompts() -> None:
    made = usage_error("made", place=Place("b.md", 1, 1))
    made.others = (usage_error("more", place=Place("b.md", 2, 1)),)
    problems = [
        Problem("in front matter", (3, 1), file="a.md"),
        Problem("a file as a whole", place=Place("a.md")),
        Problem("last", (99, 1)),
    ]
    error = to_error(problems, locate, [made])
    told = [each.message for each in (error, *error.others)]
    assert told == ["last", "a file as a whole", "in front matter", "made", "more"]
    assert all(other.others == () for other in error.others)


def test_an_error_that_is_made_already_keeps_what_it_says() -> None:
    made = environment_error("no", causes=("because",), hint="do")
    error = to_error([], locate, [made])
    assert (error.status, error.causes, error.hint) == (ExitStatus.ENVIRONMENT, ("because",), "do")
    assert isinstance(error, OrchestraError)


@given(st.text())
def test_foreign_text_is_short_and_visible(text: str) -> None:
    shown = show(text)
    assert shown.isprintable()
    shown.encode()
    if text.isprintable() and len(text) <= MAX_SHOWN:
        assert shown == text


def test_long_text_is_cut() -> None:
    assert show("x" * MAX_SHOWN) == "x" * MAX_SHOWN
    assert show("x" * (MAX_SHOWN + 1)) == "x" * (MAX_SHOWN - 1) + "…"
    assert show("x" * 80, 70) == "x" * 69 + "…"
    assert show("a\x1b\u202e\udc80\n") == "a\\x1b\\u202e\\udc80\\n"


def test_the_nearest_word_is_found_whatever_its_case() -> None:
    assert nearest("FIX-PRASER", ["other", "Fix-Parser"]) == "Fix-Parser"
    assert nearest("zzz", ["other", "Fix-Parser"]) is None


def test_long_lists_are_cut() -> None:
    assert listing(["a", "b\n"]) == "`a`, `b\\n`"
    assert listing(map(str, range(20))).endswith("`18`, `19`")
    assert listing(map(str, range(22))).endswith("`18`, `19` and 2 more")
