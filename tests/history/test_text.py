"""Text for people: nothing foreign reaches a terminal as it is, and figures read the same everywhere."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestra.model.text import clean, duration, money

from .streams import texts

RAW = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


@given(
    st.one_of(
        texts(),
        st.lists(st.sampled_from(["\x1b", "[", "]", "0", "m", "\x9b", "\\", "\x07", "P"])).map("".join),
    )
)
def test_what_is_clean_has_nothing_left_that_acts(text: str) -> None:
    assert RAW.findall(clean(text)) == []
    assert RAW.sub("", clean(text, newlines=True).replace("\n", "")) == clean(text, newlines=True).replace(
        "\n", ""
    )
    assert clean(clean(text)) == clean(text)
    clean(text).encode()


@given(st.text(st.characters(categories=["L", "N", "P", "S", "Zs"])))
def test_ordinary_text_stays_as_it_is(text: str) -> None:
    assert clean(text) == text


@pytest.mark.parametrize(
    ("foreign", "shown"),
    [
        ("a\x1b[1;31mred\x1b[0mb", "aredb"),
        ("\x1b]0;owned\x07x", "x"),
        ("\x1b]8;;http://evil\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x1b(Bx", "x"),
        ("\x9b31mx", "x"),
        ("\x1b\x1b[0m[31mx", r"\x1b[31mx"),
        ("\x1b]0;never ended, and what follows", r"\x1b]0;never ended, and what follows"),
        ("10%\r20%", r"10%\r20%"),
        ("a\u202eb", r"a\u202eb"),
        ("caf\udce9", r"caf\xe9"),
        ("a\ud800b", r"a\ud800b"),
        ("a\tb", "a    b"),
        ("a\r\nb\n", r"a\nb\n"),
        ("\x07\x7f", r"\x07\x7f"),
        ("grüße 日本 👩‍💻", "grüße 日本 👩‍💻"),
    ],
)
def test_foreign_text_is_shown_and_does_nothing(foreign: str, shown: str) -> None:
    assert clean(foreign) == shown


def test_newlines_are_kept_where_they_are_asked_for() -> None:
    assert clean("a\r\nb\n\x1b[2Jc", newlines=True) == "a\nb\nc"


@pytest.mark.parametrize("piece", ["\x1b]", "\x1b[", "\x9d", "\x1b]0;a", "\x1b ", "\x1b[0;"])
def test_cleaning_takes_linear_time(piece: str) -> None:
    began = time.perf_counter()
    clean(piece * 200_000)
    assert time.perf_counter() - began < 5


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0.0 s"),
        (0.44, "0.4 s"),
        (9.94, "9.9 s"),
        (9.96, "10 s"),
        (12, "12 s"),
        (59.6, "1 min 00 s"),
        (200, "3 min 20 s"),
        (3599.7, "1 h 00 min"),
        (3900, "1 h 05 min"),
        (-1, "0.0 s"),
        (None, "?"),
    ],
)
def test_durations(seconds: float | None, words: str) -> None:
    assert duration(seconds) == words


@pytest.mark.parametrize(
    ("usd", "words"), [(None, "?"), (0, "$0.00"), (0.001, "<$0.01"), (0.42, "$0.42"), (1204, "$1,204.00")]
)
def test_money(usd: float | None, words: str) -> None:
    assert money(usd) == words
