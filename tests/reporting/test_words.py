"""Small words that every page shares."""

from __future__ import annotations

import pytest
from hypothesis import given

from orchestra.model.freshness import Reason, ReasonKind
from orchestra.model.tasks import Claims, Prompt, Task
from orchestra.reporting.words import (
    change,
    command,
    count,
    listing,
    one_line,
    path_words,
    reason_words,
    remedy,
    short,
)

from .samples import HEX, raw_characters, texts, unhurried

ID = HEX[:40]
OTHER = HEX[5:45]


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (None, "none"),
        (ID, "0123456"),
        (f"100644 {ID}", "0123456"),
        (f"k1:{HEX}", "k1:0123456"),
        ("auto", "auto"),
        ("c0ffee", "c0ffee"),
        ("x:\x1b[2J", "x:"),
        (f"\x1b[2Jk1:{HEX}", "k1:0123456"),
    ],
)
def test_ids_in_short(value: str | None, words: str) -> None:
    assert short(value) == words


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (f"100644 {ID}", f"100644 {OTHER}", "0123456 → 56789ab"),
        (f"100644 {ID}", f"100755 {ID}", "100644 → 100755"),
        (None, ID, "none → 0123456"),
        (ID, None, "0123456 → none"),
    ],
)
def test_changes(old: str | None, new: str | None, words: str) -> None:
    assert change(old, new) == words


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        (Reason(ReasonKind.NEVER_BUILT), "never built"),
        (Reason(ReasonKind.PROMPT_CHANGED, "prompt", "1", "2"), "prompt changed"),
        (Reason(ReasonKind.DEFINITION_CHANGED, "check", "1", "2"), "check changed"),
        (Reason(ReasonKind.AGENT_CHANGED, "agent", "1", "2"), "agent changed"),
        (Reason(ReasonKind.INPUT_CHANGED, "src/a.py", "1", "2"), "src/a.py changed"),
        (Reason(ReasonKind.INPUT_CHANGED, "src/a.py", None, "2"), "src/a.py added"),
        (Reason(ReasonKind.INPUT_CHANGED, "src/a.py", "1", None), "src/a.py gone"),
        (Reason(ReasonKind.NEED_CHANGED, "alpha", "1", "2"), "need alpha changed"),
        (Reason(ReasonKind.OUTPUT_MISSING, "src/a.py", "1"), "src/a.py missing"),
        (Reason(ReasonKind.DRIFTED, "src/a.py", "1", "2"), "src/a.py drifted"),
        (Reason(ReasonKind.FORCED), "forced"),
    ],
)
def test_reasons(reason: Reason, words: str) -> None:
    assert reason_words(reason) == words


def test_every_kind_of_reason_has_words_with_and_without_a_subject() -> None:
    for kind in ReasonKind:
        assert reason_words(Reason(kind)).strip() == reason_words(Reason(kind))
        assert reason_words(Reason(kind, "x"))


def test_a_check_task_is_not_built_but_passes() -> None:
    assert reason_words(Reason(ReasonKind.NEVER_BUILT), check=True) == "not passed as it is now"


def test_counts() -> None:
    assert [count(n, "file") for n in (0, 1, 2, 1204)] == ["0 files", "1 file", "2 files", "1,204 files"]


def test_lists() -> None:
    assert listing("abc", 2) == "a, b, c"
    assert listing("abcd", 2) == "a, b and 2 more"
    assert listing([]) == ""


def test_long_text_is_cut_at_its_end_and_long_paths_at_their_beginning() -> None:
    assert one_line("x" * 300) == "x" * 199 + "…"
    assert path_words("d/" * 50 + "file.py") == "…" + ("d/" * 50 + "file.py")[-59:]


def test_commands_are_quoted() -> None:
    assert command("git", "show", "a b; rm -rf") == "git show 'a b; rm -rf'"


@unhurried
@given(texts(), texts())
def test_all_words_are_clean(one: str, other: str) -> None:
    every = [
        short(one),
        change(one, other),
        one_line(one),
        path_words(one),
        command(one),
        listing([one, other]),
    ]
    every += [reason_words(Reason(kind, one, other)) for kind in ReasonKind]
    assert [raw_characters(words, False) for words in every] == [[]] * len(every)
    assert not any("\n" in words for words in every)


def test_what_did_not_do_is_mended_where_a_person_can() -> None:
    prompted = Task("a", 0, Claims(), prompt=Prompt("prompts/a.md", "Do it.", "Do it"))
    check = Task("b", 1, Claims(write=()), run="pytest")
    made = Task("c", 2, Claims(), run="make docs")
    assert remedy(prompted, None) == "edit prompts/a.md"
    assert remedy(check, None) == "mend what it found, commit"
    assert remedy(made, "o.yaml") == "mend what it ran on, or edit o.yaml"
    assert remedy(made, None) == "mend what it ran on, or edit orchestra.yaml"
