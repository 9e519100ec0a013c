"""What is said of results that a person may take up."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from orchestra.reporting.resolve import (
    Happened,
    Opened,
    ended_words,
    list_text,
    open_words,
    opened_text,
    places,
)

from .samples import raw_characters

CONFLICT = Happened(
    "rejected",
    "conflicts with what landed meanwhile in src/parser.py",
    ("src/parser.py",),
    landed=(("681103b" + "0" * 33, "Add tokens"),),
)


def test_a_conflict_in_full() -> None:
    opened = Opened(
        "fix-parser",
        "/home/u/a b/fix-parser",
        "681103b" + "0" * 33,
        "refs/heads/main",
        (("src/parser.py", 12), ("src/parser.py", 40)),
        ("src/parser.py", "logo.png"),
    )
    assert opened_text(opened, CONFLICT, anew=True) == (
        "fix-parser was rejected: conflicts with what landed meanwhile in src/parser.py\n"
        "  since: 681103b Add tokens\n"
        "opened in /home/u/a b/fix-parser, on 681103b of main\n"
        "  conflict in src/parser.py:12, 40\n"
        "  conflict in logo.png\n"
        "  next:  cd '/home/u/a b/fix-parser'\n"
        "         edit, and then: orchestra resolve --continue fix-parser\n"
        "    or:  orchestra resolve --drop fix-parser"
    )


def test_a_failed_check_in_full() -> None:
    happened = Happened(
        "failed", "check `make`: exit status 2", (), ("E  1", "2 failed"), "/l/1.log", "mend it"
    )
    opened = Opened("docs", "/w/docs", "abc1234" + "0" * 33, None, changed=2)
    assert opened_text(opened, happened, anew=False) == (
        "docs failed: check `make`: exit status 2\n"
        "  | E  1\n"
        "  | 2 failed\n"
        "  log:   /l/1.log\n"
        "open in /w/docs, on abc1234\n"
        "  2 changed files: git diff HEAD shows the work so far\n"
        "  next:  cd /w/docs\n"
        "         mend it\n"
        "         edit, and then: orchestra resolve --continue docs\n"
        "    or:  orchestra resolve --drop docs"
    )


def test_every_ending_is_a_sentence() -> None:
    assert ended_words("a", Happened()) == "a was cut off"
    assert (
        ended_words("a", Happened("timed-out", "no end after 60 s"))
        == "a ended: timed-out: no end after 60 s"
    )
    assert ended_words("a", Happened("again")) == "a was tried once more"


def test_lists() -> None:
    assert list_text([], []) == "Nothing to resolve: no result is kept that did not land."
    assert list_text([("a", "/w/a")], [("b", Happened("failed")), ("c", CONFLICT)]) == (
        "open   a  in /w/a\n"
        "b failed\n"
        "c was rejected: conflicts with what landed meanwhile in src/parser.py\n"
        "  next:  orchestra resolve --continue TASK, or: orchestra resolve --drop TASK, or: orchestra resolve TASK"
    )
    assert list_text([], [("b", Happened("failed"))]).endswith("\n  next:  orchestra resolve b")


def test_many_places_are_cut() -> None:
    assert places([("a", number) for number in range(1, 9)], ()) == ["a:1, 2, 3, 4, 5, 6, …"]
    assert places((), [f"f{number}" for number in range(17)])[14:] == ["f14", "… and 2 more"]


foreign = st.text(max_size=20)


@given(foreign, foreign, foreign, foreign, st.lists(foreign, max_size=3))
def test_nothing_foreign_reaches_the_terminal_raw(
    task: str, place: str, why: str, log: str, lines: list[str]
) -> None:
    happened = Happened(
        "failed", why, tuple(lines), tuple(lines), log, why, tuple((log, line) for line in lines)
    )
    opened = Opened(task, place, "abc1234", place, tuple((line, 1) for line in lines), tuple(lines))
    shown = (opened_text(opened, happened, anew=True), list_text([(task, place)], [(task, happened)]))
    for text in (*shown, open_words(task, place)):
        assert not raw_characters(text, color=False)
