"""Patterns mean what gitignore's mean, and two of them overlap exactly where some path matches both."""

from __future__ import annotations

import subprocess
import time
from itertools import product
from pathlib import Path

import pathspec
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from orchestra.model.patterns import (
    MAX_PATTERN,
    MAX_WILDCARDS,
    Pattern,
    PatternError,
    PatternSet,
    compile_pattern,
)

from .naive_patterns import Reader, all_paths, all_texts, naive_match, naive_overlap

# --- what they match -----------------------------------------------------------------------------------------

NAMES = st.text("aab.-x ]^é\n\udc80", min_size=1, max_size=4).filter(lambda name: name.strip(".") != "")
PATHS = st.lists(NAMES, min_size=1, max_size=4).map("/".join)
CLASSES = (
    "[ab]",
    "[!a]",
    "[^x.]",
    "[a-c]",
    "[]a]",
    "[!]a]",
    "[a-]",
    "[b-x-]",
    "[+-0]",
    "[ -~]",
    "[!-z]",
    "[[]",
    "[é-ü]",
)


def generalised(name: str, choices: list[int]) -> str:
    """A segment that matches the name and perhaps others, as the choices have it."""
    if choices[0] == 0:
        return "*"
    text = ""
    for char, choice in zip(name, choices[1:], strict=False):
        wilder = ("?", "*", "*?", f"*{char}", *(each for each in CLASSES if naive_match(each, char)))
        text += wilder[choice] if choice < len(wilder) else char
    return text + name[len(choices) - 1 :] + ("*" if choices[0] == 1 else "")


@st.composite
def patterns_for(draw: st.DrawFn, path: str) -> str:
    """A pattern that matches the path, by itself or as that of a folder."""
    names = path.split("/")
    if draw(st.integers(0, 3)) == 0:
        names = names[: draw(st.integers(1, len(names)))]
    choices = st.lists(st.integers(0, 15), min_size=3, max_size=5)
    segments = [name if draw(st.booleans()) else generalised(name, draw(choices)) for name in names]
    for _ in range(draw(st.integers(0, 2))):
        start = draw(st.integers(0, len(segments)))
        segments[start : draw(st.integers(start, len(segments)))] = ["**"]
    folder = len(names) < path.count("/") + 1 and segments[-1] != "**" and draw(st.booleans())
    pattern = "/".join(segments) + ("/" if folder else "")
    assume(pattern.strip() and "\n" not in pattern and naive_match(pattern, path))
    return pattern


PATTERNS = PATHS.flatmap(patterns_for)
CASES = st.one_of(
    PATHS.flatmap(lambda path: st.tuples(patterns_for(path), st.just(path))), st.tuples(PATTERNS, PATHS)
)


@settings(max_examples=150, deadline=None)
@given(CASES)
@example(("**/", "a"))
@example(("**/", "a/b"))
@example(("a/**/", "a/b"))
@example(("a/**/", "a/b/c"))
@example(("a/**", "a"))
@example(("*a*a*b", "aaab"))
@example(("*a*b/**/a*b/c", "xab/x/ab/axb/c/d"))
@example(("**/a/b/**/c", "a/a/b/b/c"))
def test_a_pattern_matches_what_the_manual_says(case: tuple[str, str]) -> None:
    pattern, path = case
    assert compile_pattern(pattern).matches(path) is naive_match(pattern, path)


@pytest.mark.parametrize(
    ("alphabet", "longest", "letters", "path_length"), [("a/*", 5, "a", 9), ("ab*?", 4, "ab", 5)]
)
def test_every_short_pattern_matches_what_the_manual_says(
    alphabet: str, longest: int, letters: str, path_length: int
) -> None:
    paths = all_paths(letters, path_length)
    for pattern in valid(list(all_texts(alphabet, longest))):
        for path in paths:
            assert pattern.matches(path) is naive_match(pattern.text, path), (pattern.text, path)


@settings(max_examples=150, deadline=None)
@given(CASES)
def test_a_pattern_matches_what_pathspec_says(case: tuple[str, str]) -> None:
    """The oracle is pathspec, with `/` before the pattern: ours are always anchored.

    Left out: spaces at the end, which gitignore strips and a claim keeps; line ends in paths, at which
    pathspec's expressions stop; and what pathspec and git read differently: ranges and negations that would
    take in the slash, and segments of three stars or more. For those, git is asked below.
    """
    pattern, path = case
    assume(pattern == pattern.rstrip() and "\n" not in path)
    assume("[+-0]" not in pattern and "[ -~]" not in pattern and "***" not in pattern)
    assume("/" not in path or not ("[!" in pattern or "[^" in pattern))
    oracle = pathspec.GitIgnoreSpec.from_lines([f"/{pattern}"])
    assert compile_pattern(pattern).matches(path) is oracle.match_file(path)


GIT_PATTERNS = (
    "a", "a/", "a/b", "a/*", "a/**", "a/**/", "**", "**/", "*", "*/", "**/a", "**/a/", "a/**/b", "a/**/b/",
    "?", "??", "a?", "a*", "*a", "*a*b", "a**b", "***", "***/a", "a/***", "*/a", "*/*", "*/*/", "?/?",
    "[ab]", "[!a]", "[^a]", "[a-c]", "[]a]", "[!]a]", "[a-]", "[+-0]", "[+-0]b", "a[!b]", "a[+-0]b",
    ".a", ".*", "*.a", "a.b", "**/*a/b", "**/a/**/b", "a/**/**/b", "*a/**/b*", "[[]", "[a[]",
    "-a", "#a", "a b", "a+b", "(a)", "a|b", "{a,b}", "$a", "^a", "***/**", "a/****/b", "a***", "[ -~]", "[!-z]",
)  # fmt: skip
GIT_PATHS = (
    *all_paths("ab", 5), "a/a/a/b", "a/b/a/b", "b/a/a/b/a", ".a", ".a/b", "a.b", "a.b/a", "x.a", "-", "a-", "]", "[",
    "]/a", "a]", "-a", "#a", "a b", "a+b", "(a)", "a|b", "{a,b}", "$a", "^a", "^", "a0b", "a.b", "0", "0b", "+b",
)  # fmt: skip


@pytest.mark.parametrize("pattern", GIT_PATTERNS)
def test_a_pattern_matches_what_git_says(pattern: str, git_folder: Path) -> None:
    """The last word has git itself, on files that are not there, so that nothing but the path can count.

    ASCII only: git's `?` takes one byte, ours one character.
    """
    (git_folder / ".git" / "info" / "exclude").write_text(f"/{pattern}\n")
    said = subprocess.run(
        ["git", "-c", "core.excludesFile=/dev/null", "check-ignore", "--no-index", "--stdin", "-z"],
        cwd=git_folder,
        input="\0".join(GIT_PATHS).encode(),
        capture_output=True,
        check=False,
    )
    assert said.returncode in (0, 1), said.stderr
    matched = set(said.stdout.decode().split("\0")) - {""}
    compiled = compile_pattern(pattern)
    assert {path for path in GIT_PATHS if compiled.matches(path)} == matched


@pytest.fixture(scope="module")
def git_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("ignored")
    subprocess.run(["git", "init", "-q", str(folder)], check=True)
    return folder


@settings(max_examples=100, deadline=None)
@given(PATTERNS)
@example("[!a-ÿ]")
@example("[!x]*")
@example("[!.-9]")
@example(".*")
@example("**/.?")
@example("a/**/")
@example("[!+-.]")
@example("[!A-z]")
@example("[!.-z]")
@example("[!!-z]")
def test_a_sample_is_a_path_that_matches(pattern: str) -> None:
    compiled = compile_pattern(pattern)
    sample = compiled.sample()
    assert compiled.matches(sample)
    assert naive_match(pattern, sample)
    assert not {"", ".", ".."} & set(sample.split("/"))


@settings(deadline=None)
@given(CASES)
def test_a_literal_beginning_is_one(case: tuple[str, str]) -> None:
    pattern, path = case
    compiled = compile_pattern(pattern)
    assert compiled.is_literal is not any(char in pattern for char in "*?[")
    if compiled.matches(path):
        assert path.startswith(compiled.literal_prefix)


# --- overlap -------------------------------------------------------------------------------------------------


def valid(texts: list[str]) -> list[Pattern]:
    found = []
    for text in texts:
        try:
            found.append(compile_pattern(text))
        except PatternError:
            continue
    return found


def assert_exact(patterns: list[Pattern], paths: tuple[str, ...]) -> None:
    """Every pair of the patterns overlaps just where one of the paths matches both."""
    masks = [sum(1 << at for at, path in enumerate(paths) if each.matches(path)) for each in patterns]
    for at, (one, met) in enumerate(zip(patterns, masks, strict=True)):
        for other, other_met in zip(patterns[at:], masks[at:], strict=True):
            assert one.overlaps(other) is bool(met & other_met), (one.text, other.text)


@pytest.mark.parametrize(
    ("alphabet", "longest", "letters", "path_length"),
    [("a/*", 5, "a", 12), ("ab/*?", 3, "ab", 7), ("a/?*", 4, "a", 9)],
)
def test_overlap_is_exact(alphabet: str, longest: int, letters: str, path_length: int) -> None:
    """Every pair of patterns up to a length, against every path that could show that they meet."""
    patterns = valid(list(all_texts(alphabet, longest)))
    assert len(patterns) > 80
    assert_exact(patterns, all_paths(letters, path_length))


def test_classes_meet_nowhere_where_only_the_slash_is_left_to_them() -> None:
    assert_exact(valid(["a[.-0]", "a[!.0]", "a[!.-0]", "a[.0]", "a[--0]", "a[!-.0]"]), all_paths("a-.0b", 4))


def test_overlap_is_exact_with_classes() -> None:
    firsts = ("", "a", "*", "?", "[ab]", "[!a]", "[!ab]", "[b-c]", "a/", "**/", "*/")
    seconds = ("a", "[ab]", "[!a]", "[!abc]", "[!b-c]", "[!ab]*", "[bc]", "**", "*[c]")
    assert_exact(valid([f + s for f in firsts for s in seconds]), all_paths("abcd", 6))


TOKENS = ("a", "b", "/", "*", "?", "**", "[ab]", "[!a]")
LETTERS = "abc"
"""One letter for each set of letters that those tokens tell apart."""


def patterns_of(tokens: tuple[str, ...], most: int) -> list[Pattern]:
    """Every pattern of up to that many tokens, one for each that means something else."""
    texts = ("".join(some) for count in range(1, most + 1) for some in product(tokens, repeat=count))
    return list({compiled.items: compiled for compiled in valid(list(dict.fromkeys(texts)))}.values())


@pytest.mark.parametrize(
    ("tokens", "most", "at_least"), [(TOKENS, 3, 300), (("a", "/", "*", "**", "[!a]"), 4, 200)]
)
def test_every_pattern_of_some_tokens_overlaps_just_where_it_should(
    tokens: tuple[str, ...], most: int, at_least: int
) -> None:
    """The proof of overlap on a small alphabet, in three steps, each by what is simpler than the last.

    What a pattern matches is the naive match, on every path up to a length. On the same paths the naive reader,
    which knows no length, says the same. And every pair of patterns overlaps where both match one of the paths,
    or, where there is none, as two naive readers decide who read paths of all lengths.
    """
    patterns = patterns_of(tokens, most)
    assert len(patterns) >= at_least
    paths = all_paths(LETTERS, 4)
    readers = [Reader(pattern.text) for pattern in patterns]
    masks = []
    for pattern, reader in zip(patterns, readers, strict=True):
        mask = 0
        for at, path in enumerate(paths):
            matched = naive_match(pattern.text, path)
            assert pattern.matches(path) is matched, (pattern.text, path)
            assert accepts(reader, path) is matched, (pattern.text, path)
            mask |= matched << at
        masks.append(mask)
    for at, (one, reader, met) in enumerate(zip(patterns, readers, masks, strict=True)):
        for other, other_reader, other_met in zip(patterns[at:], readers[at:], masks[at:], strict=True):
            expected = bool(met & other_met) or naive_overlap(reader, other_reader, LETTERS)
            assert one.overlaps(other) is expected, (one.text, other.text)


def accepts(reader: Reader, path: str) -> bool:
    states = reader.start
    for char in path:
        states = reader.step(states, char)
    return reader.accepts(states)


LONGER = (
    st.lists(st.sampled_from(TOKENS), min_size=3, max_size=9).map("".join).filter(lambda t: bool(valid([t])))
)


@settings(max_examples=400, deadline=None)
@given(LONGER, LONGER)
def test_longer_patterns_overlap_just_where_they_should(one: str, other: str) -> None:
    expected = naive_overlap(Reader(one), Reader(other), LETTERS)
    assert compile_pattern(one).overlaps(compile_pattern(other)) is expected


@settings(max_examples=150, deadline=None)
@given(PATHS.flatmap(lambda path: st.tuples(patterns_for(path), patterns_for(path))))
def test_overlap_is_never_missed(pair: tuple[str, str]) -> None:
    one, other = (compile_pattern(text) for text in pair)
    assert one.overlaps(other)
    assert other.overlaps(one)


@settings(max_examples=100, deadline=None)
@given(PATTERNS, PATTERNS)
def test_overlap_is_symmetric(first: str, second: str) -> None:
    one, other = compile_pattern(first), compile_pattern(second)
    assert one.overlaps(other) is other.overlaps(one)
    assert one.overlaps(other) or not (one.matches(other.sample()) or other.matches(one.sample()))


def test_sets_match_and_overlap_where_one_of_theirs_does() -> None:
    docs, code = PatternSet.of(["docs/**", "README.md"]), PatternSet.of(["src/**", "*.md"])
    assert docs.matches("README.md") and docs.matches("docs/a/b") and not docs.matches("src/a")
    assert docs.overlaps(code) and code.overlaps(docs)
    assert not docs.overlaps(PatternSet.of(["src/**"]))
    assert not PatternSet.of([]).overlaps(code) and not PatternSet.of([]).matches("a")


# --- what is no pattern, and what it costs -------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "", " ", "/", "/a", "!a", "a\\b", "a//b", "a//", "//", "./a", "a/./b", "..", "../a", "a/..", "a/../b", ".",
        "a\nb", "a\0b", "\x7f", "[", "[a", "a/[b", "[]", "[!]", "[b-a]", "[[:alpha:]]", "a/[/]/b",
        "x" * (MAX_PATTERN + 1), "/".join(["*"] * (MAX_WILDCARDS + 1)),
    ],
)  # fmt: skip
def test_what_is_no_pattern_is_refused(text: str) -> None:
    with pytest.raises(PatternError) as caught:
        compile_pattern(text)
    assert str(caught.value)


NASTY_MATCHES = [
    ("*a" * 16 + "b", "a" * 250),
    ("*a*" * 10 + "/b", "a" * 250 + "/c"),
    ("**/a/" * 14 + "b", "a/" * 120 + "c"),
    ("**/*a/" * 8 + "b", "aaa/" * 100 + "c"),
    ("**/*a*a*/" * 5 + "b", "aaaaaaaa/" * 100 + "c"),
    ("*" + "?" * 200 + "b", "a" * 250),
]


@pytest.mark.parametrize(("pattern", "path"), NASTY_MATCHES, ids=lambda text: text[:12])
def test_matching_takes_bounded_time(pattern: str, path: str) -> None:
    compiled = compile_pattern(pattern)
    began = time.process_time()
    assert not compiled.matches(path)
    assert time.process_time() - began < 0.5


NASTY_OVERLAPS = [
    ("*" + "a" * (MAX_PATTERN - 2) + "b", "*" + "a" * (MAX_PATTERN - 2) + "c"),
    ("*a" * 31 + "b", "a*" * 31 + "c"),
    ("?" * 200 + "*" * 1 + "b", "*" + "?" * 300 + "c"),
    ("**/*a/" * 10 + "[!a-z]", "**/a*/" * 10 + "[a-z]/[a-z]*"),
    ("*[a-f]" * 30 + "x", "[!g-z]*" * 30 + "y"),
    ("*" + "".join(chr(0x4E00 + n) for n in range(MAX_PATTERN - 2)) + "b", "*" + "a" * 200 + "c"),
]


@pytest.mark.parametrize(("one", "other"), NASTY_OVERLAPS, ids=lambda text: text[:12])
def test_overlap_takes_bounded_time(one: str, other: str) -> None:
    first, second = compile_pattern(one), compile_pattern(other)
    began = time.process_time()
    first.overlaps(second)
    assert time.process_time() - began < 2.0
