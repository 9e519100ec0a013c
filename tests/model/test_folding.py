"""Twins, paths that some machines take for one file, never hide an overlap; what folding costs is little."""

from __future__ import annotations

import sys
import time
import unicodedata
from itertools import product

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from orchestra.model.folding import (
    _ALONE,
    _REST,
    MAX_CLASS,
    MAX_LOOSE,
    FoldedPattern,
    _image,
    fold_pattern,
    folded,
    twins,
)
from orchestra.model.overlap import ClaimIndex
from orchestra.model.patterns import Chars, compile_pattern
from orchestra.model.tasks import Task

from .kit import numbered, task
from .naive_patterns import Reader, naive_overlap
from .test_patterns import NASTY_OVERLAPS, patterns_for, valid

# --- twins ---------------------------------------------------------------------------------------------------

TELLING = "aAkKsSßẞſﬆﬁﬀKéÉıİi̇ιΙᾳᾼάάσςΣ한\u0300\u0301\u0316\u0344\u0345\u0323ǰŉ0_.-;\u037e`\u1fef\udc80 "
"""Characters that fold to others, to several, to none of their own, or move when text is normalised."""

TEXTS = st.text(TELLING, min_size=1, max_size=5)
NAMES = TEXTS.filter(lambda name: name.strip(".") != "" and name.strip() != "")
PATHS = st.lists(NAMES, min_size=1, max_size=3).map("/".join)


def caseless(text: str) -> str:
    """Definition D145 of the Unicode Standard: what is equal so is a twin."""
    return unicodedata.normalize("NFD", unicodedata.normalize("NFD", text).casefold())


def simply(text: str) -> str:
    """Another reading of twins, which some file systems have: folded first, and normalised then."""
    return unicodedata.normalize("NFC", text.casefold())


@st.composite
def twin_of(draw: st.DrawFn, text: str) -> str:
    """The text itself or a twin of it."""
    spellings = [{char} for char in text]
    for char, found in zip(text, spellings, strict=True):
        found |= {char.lower(), char.upper(), char.casefold(), char.swapcase(), char.title()}
        found |= {other for other in TELLING if caseless(other) == caseless(char)}
    made = "".join(draw(st.sampled_from(sorted(found))) for found in spellings)
    made = draw(st.sampled_from([made, *(unicodedata.normalize(form, made) for form in ("NFC", "NFD"))]))
    return made if caseless(made) == caseless(text) or simply(made) == simply(text) else text


@given(TEXTS.flatmap(lambda text: st.tuples(st.just(text), twin_of(text))) | st.tuples(TEXTS, TEXTS))
@settings(max_examples=300, deadline=None)
@example(("é", "e\u0301"))
@example(("a", "à"))
@example(("\u0316\u0301", "\u0301\u0316"))
def test_a_folded_text_is_the_same_for_twins_and_for_no_others(pair: tuple[str, str]) -> None:
    one, other = pair
    assert (folded(one) == folded(other)) is (caseless(one) == caseless(other))


@given(TEXTS.flatmap(lambda text: st.tuples(st.just(text), twin_of(text))))
@settings(max_examples=500, deadline=None)
@example(("α\u0345\u0301", "α\u0301\u0345"))
@example(("ᾴ", "άι"))
@example(("α\u0345\u0301", "αί"))
def test_images_of_twins_are_the_same(pair: tuple[str, str]) -> None:
    one, other = ("".join(map(_image, text)) for text in pair)
    assert one == other


def test_what_the_folding_of_patterns_takes_for_granted_holds_for_every_character() -> None:
    """All of Unicode, as this Python knows it: the constants of the module are looked up nowhere else."""
    for code in range(sys.maxunicode + 1):
        char = chr(code)
        image = _image.__wrapped__(char)
        assert image and ("/" not in image or char == "/"), hex(code)
        assert all(_REST.meets(Chars(((ord(rest), ord(rest)),))) for rest in image[1:]), hex(code)
        assert image[0] == char or not any(low <= ord(image[0]) <= high for low, high in _ALONE), hex(code)


def test_files_that_cannot_lie_side_by_side_are_found() -> None:
    tree = ["src/a.py", "Src/b.py", "docs", "e\u0301", "README.md", "lib/x"]
    assert twins(["Src/b.py", "lib/x"], tree) == {}
    assert twins(["src/A.py"], [*tree, "src/A.py"]) == {"src/A.py": ("src/a.py",)}
    assert twins(["SRC/A.PY"], [*tree, "SRC/A.PY"]) == {"SRC/A.PY": ("src/a.py",)}
    assert twins(["\u00e9"], [*tree, "\u00e9"]) == {"\u00e9": ("e\u0301",)}
    assert twins(["Docs/new"], [*tree, "Docs/new"]) == {"Docs/new": ("docs",)}
    assert twins(["LIB"], [*tree, "LIB"]) == {"LIB": ("lib/x",)}
    assert twins(["x", "X"], [*tree, "x", "X"]) == {"x": ("X",), "X": ("x",)}
    assert twins([], [*tree, "src/A.py"]) == {}


SMALL = st.lists(st.text("aAß/", min_size=1, max_size=4), max_size=5, unique=True).map(
    lambda texts: [text for text in texts if "" not in text.split("/")]
)


@given(SMALL, st.data())
def test_twins_are_those_of_the_definition(files: list[str], data: st.DataObject) -> None:
    added = data.draw(st.lists(st.sampled_from(files), unique=True)) if files else []

    def clash(one: str, other: str) -> bool:
        mine, theirs = caseless(one), caseless(other)
        return mine == theirs or mine.startswith(f"{theirs}/") or theirs.startswith(f"{mine}/")

    expected = {path: {other for other in files if other != path and clash(path, other)} for path in added}
    assert {path: set(others) for path, others in twins(added, files).items()} == {
        path: others for path, others in expected.items() if others
    }


# --- folded patterns -----------------------------------------------------------------------------------------


def fold(text: str) -> FoldedPattern:
    return fold_pattern(compile_pattern(text))


@st.composite
def patterns_that_must_meet(draw: st.DrawFn) -> tuple[str, str]:
    """Two patterns: one matches a path, the other a twin of it."""
    path = draw(PATHS)
    twin = "/".join(draw(twin_of(name)) for name in path.split("/"))
    return draw(patterns_for(path)), draw(patterns_for(twin))


@settings(max_examples=300, deadline=None)
@given(patterns_that_must_meet())
@example(("?", "ss"))
@example(("[À-ü]", "SS"))
@example(("a?[\u0316]", "a\u0316\u0301"))
@example(("src/é*", "src/e*"))
@example(("x?", "ẍ"))
@example(("[!a]", "a"))
@example(("[ß]x", "SSx"))
@example(("[!0-9]t", "\ufb06"))
@example(("[k]", "\u212a"))
def test_an_overlap_of_twins_is_never_missed(pair: tuple[str, str]) -> None:
    one, other = pair
    assert fold(one).overlaps(fold(other)), pair
    assert fold(other).overlaps(fold(one)), pair


def test_patterns_of_few_tokens_overlap_just_where_they_or_their_twins_do() -> None:
    """Folding adds those overlaps that twins by case need and no others.

    Where a letter is left open, by `?` or `[!b]`, it may add more: beside ASCII, `?` takes what has other twins.
    """
    tokens = ("a", "B", "/", "*", "**", "[aB]", "[!b]")
    texts = ["".join(some) for count in (1, 2, 3) for some in product(tokens, repeat=count)]
    texts += ["?", "a?", "?b", "0", "[!0]", "a[!0]", "[!0]B"]
    patterns = list({pattern.items: pattern for pattern in valid(texts)}.values())
    assert len(patterns) > 150
    readers = [Reader(pattern.text) for pattern in patterns]
    for at, (one, reader) in enumerate(zip(patterns, readers, strict=True)):
        for other, other_reader in zip(patterns[at:], readers[at:], strict=True):
            found = fold_pattern(one).overlaps(fold_pattern(other))
            if not found or not {"?", "!"} & {*one.text, *other.text}:
                expected = naive_overlap(reader, other_reader, "abABx0", twins=True)
                assert found is expected, (one.text, other.text)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("e", "é"), ("résumé", "resume"), ("é/**", "e/x"), ("src/é*x", "src/e?"), ("file?.txt", "file10.txt"),
        ("file?.txt", "file.txt"), ("[!.]*/x", ".git*/x"), ("[0-9]", "[a-z]"), ("[A-C]x", "[d-z]x"), ("a?b", "ab"),
        ("src/a", "src/ab"), ("[!_]", "_"), ("?.py", "ab.py"),
    ],
)  # fmt: skip
def test_what_has_no_twins_in_common_is_kept_apart(one: str, other: str) -> None:
    assert not fold(one).overlaps(fold(other))
    assert not fold(other).overlaps(fold(one))


def test_large_classes_and_many_wildcards_are_folded_on_the_safe_side() -> None:
    large = f"[\u4e00-{chr(0x4E00 + MAX_CLASS)}]x"
    assert fold(large).overlaps(fold("\u4e00x")) and fold(large).overlaps(fold("ssx"))
    loose = "src/" + "?" * (MAX_LOOSE + 1)
    assert fold(loose).overlaps(fold("SRC/" + "ß" * (MAX_LOOSE + 1)))
    assert fold(loose).overlaps(fold("src/x")), (
        "more than can be told apart cheaply counts as everything there"
    )
    assert not fold(loose).overlaps(fold("lib/" + "x" * (MAX_LOOSE + 1)))


NASTY = [
    *NASTY_OVERLAPS,
    ("?" * 4096, "?" * 4095 + "a"),
    ("?" * MAX_LOOSE + "a", "?*" * 30 + "b"),
    ("[à-ü]" * MAX_LOOSE + "b", "[à-ü]" * MAX_LOOSE + "c"),
    ("한" * 4095 + "b", "*" + "한" * 4094 + "c"),
    ("[ -\ud7ff]" * 400, "[!-\ud7ff]" * 400),
]


@pytest.mark.parametrize(
    ("one", "other"), NASTY, ids=lambda text: text[:12].encode("ascii", "replace").decode()
)
def test_folded_overlap_takes_bounded_time(one: str, other: str) -> None:
    first, second = compile_pattern(one), compile_pattern(other)
    began = time.process_time()
    fold_pattern(first).overlaps(fold_pattern(second))
    assert time.process_time() - began < 2.0


# --- the order of tasks --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Src/a.py", "src/A.py"),
        ("caf\u00e9/**", "cafe\u0301/x"),
        ("SRC/*.py", "src/[!b].py"),
        ("Docs", "docs/x/y"),
    ],
)
def test_claims_on_twins_order_tasks_in_every_way(one: str, other: str) -> None:
    def index(mine: str, theirs: str) -> ClaimIndex:
        return ClaimIndex(numbered(claiming("x", mine, one), claiming("y", theirs, other)))

    assert list(index("write", "write").writers_and_writers()) == [(0, 1)]
    assert list(index("write", "shared").writers_and_writers()) == [(0, 1)]
    assert list(index("shared", "write").writers_and_writers()) == [(0, 1)]
    assert list(index("shared", "shared").sharers()) == [(0, 1)]
    assert list(index("read", "write").writers_and_readers()) == [(1, 0)]
    assert list(index("read", "shared").writers_and_readers()) == [(1, 0)]


def claiming(name: str, kind: str, pattern: str) -> Task:
    write, read, shared = ((pattern,) if each == kind else () for each in ("write", "read", "shared"))
    return task(name, write=write, read=read, shared=shared)
