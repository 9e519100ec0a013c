"""Twins: paths that one machine keeps apart and another takes for one file, by case or Unicode form.

`Src/a.py` and `src/A.py` are one file on most Macs and on Windows, and so is `é` as one character or as two.
Which tasks claim the same files must not depend on the machine. So for their order, patterns are folded: where
two paths are twins, and each is matched by one of two patterns, then the folded patterns overlap. The other way
round they may err, as where names differ in their accents only: that costs some parallelism. What a pattern
matches stays exact.

Twins are what Unicode's canonical caseless matching takes for equal (The Unicode Standard, section 3.13, D145).
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from orchestra.model.patterns import (
    ANY,
    SLASH,
    SLASHED,
    Chars,
    Item,
    Pattern,
    items_meet,
    prefixes_agree,
)


def folded(path: str) -> str:
    """The same text for all twins of a path; another for all other paths."""
    if path.isascii():
        return path.lower()
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", path).casefold())


def twins(added: Iterable[str], files: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """For each added path the other files of a tree that cannot be checked out beside it, where there are any.

    Those are its twins, files that are twins of a folder above it, and files below a twin of the path itself.
    Two folders that are twins are let be: on such machines they become one.
    """
    paths = frozenset(added)
    here: dict[str, list[str]] = {}
    above: dict[str, list[str]] = {}
    for path in paths:
        name = folded(path)
        here.setdefault(name, []).append(path)
        for folder in _folders_of(name):
            above.setdefault(folder, []).append(path)
    found: dict[str, set[str]] = {}
    # By folder, since a tree has far fewer of them than files, and each result is looked at against the whole tree.
    over: dict[str, list[str]] = {}
    for path in files if paths else ():
        folder = path.rpartition("/")[0]
        if folder not in over:
            name = folded(folder)
            over[folder] = [other for each in (*_folders_of(name), name) for other in here.get(each, ())]
        name = folded(path)
        if name in here or name in above or over[folder]:
            for other in (*here.get(name, ()), *above.get(name, ()), *over[folder]):
                if other != path:
                    found.setdefault(other, set()).add(path)
    return {path: tuple(sorted(others)) for path, others in sorted(found.items())}


def _folders_of(path: str) -> list[str]:
    return [path[:at] for at, char in enumerate(path) if char == "/"]


@dataclass(frozen=True, slots=True)
class FoldedPattern:
    """A pattern over images (see `_image`): it matches the image of each path that the pattern matches.

    `literal_prefix` is the image of its text up to the first wildcard.
    """

    pattern: Pattern
    literal_prefix: str

    @property
    def is_literal(self) -> bool:
        """Whether it has no wildcard."""
        return self.pattern.is_literal

    @property
    def items(self) -> tuple[Item, ...]:
        """The items, which take images."""
        return _folded_items(self.pattern)

    def overlaps(self, other: FoldedPattern) -> bool:
        """Whether a path that one matches may be, or be a twin of, one that the other matches."""
        if self.is_literal and other.is_literal:
            shorter, longer = sorted((self.literal_prefix, other.literal_prefix), key=len)
            return longer.startswith(shorter) and longer[len(shorter) : len(shorter) + 1] in ("", "/")
        return prefixes_agree(self, other) and items_meet(self, other)


MARK = "\u0300"
"""What stands for every combining mark in an image."""

_IOTA = "\u03b9"

_RESTS = "filnst"

_REST = Chars(
    tuple((code, code) for code in range(128) if chr(code) not in f"{_RESTS}/"),
    negated=True,
)
"""What an image of one character may hold behind its first: these letters (`ß` is `ss`), and what is not ASCII."""

_ALONE = ((0x00, 0x2E), (0x30, 0x3A), (0x3F, 0x40), (0x5B, 0x5F), (0x7B, 0x7F))
"""Ranges of characters that begin the image of no other character."""

MAX_CLASS = 1024
"""How many characters of one class are folded one by one; a larger class counts as any character."""

MAX_LOOSE = 64
"""How many items whose images differ in length are folded exactly: time grows with the square of their number."""


@lru_cache(maxsize=8192)
def fold_pattern(pattern: Pattern) -> FoldedPattern:
    """The pattern over images that stands for a pattern when tasks are ordered."""
    return FoldedPattern(pattern, _images(pattern.literal_prefix))


@lru_cache(maxsize=8192)
def _folded_items(pattern: Pattern) -> tuple[Item, ...]:
    items: list[Item] = []
    for item in pattern.items:
        # Only groups around slashes can be skipped. They stay as they are, so that their lengths do.
        items += (item,) if item.chars.slash or item.many else _image_items(item.chars)
    if sum(item.chars == _REST for item in items) > MAX_LOOSE:
        prefix = _images(pattern.literal_prefix)
        return (*(Item(_one(char)) for char in prefix), Item(SLASHED, many=True))
    return tuple(items)


def _images(text: str) -> str:
    return text.lower() if text.isascii() else "".join(map(_image, text))


@lru_cache(maxsize=8192)
def _image(char: str) -> str:
    """What stands for one character, so that the images of twins, put together, are the same.

    A folded text cannot be made character by character, since normalisation puts combining marks in order. Here
    all marks are one, so their order is lost. Iota counts as a mark, since there is a mark that case folding
    turns into it (U+0345). No image is empty, and only that of the slash has a slash.
    """
    form = unicodedata.normalize("NFD", unicodedata.normalize("NFD", char).casefold())
    return "".join(MARK if unicodedata.combining(each) or each == _IOTA else each for each in form)


@lru_cache(maxsize=1024)
def _image_items(chars: Chars) -> tuple[Item, ...]:
    """Items that take the image of each character of the set."""
    if chars.single:
        return tuple(Item(_one(char)) for char in _image(chr(chars.ranges[0][0])))
    rest = Item(_REST, many=True)
    if chars.negated:
        return Item(Chars(_within(chars.ranges, _ALONE), negated=True)), rest
    if sum(high - low + 1 for low, high in chars.ranges) > MAX_CLASS:
        return Item(ANY), rest
    images = {_image(chr(code)) for low, high in chars.ranges for code in range(low, high + 1)} - {"/"}
    first = Item(Chars(_ranges({ord(image[0]) for image in images})))
    return (first, rest) if any(len(image) > 1 for image in images) else (first,)


def _one(char: str) -> Chars:
    return SLASH if char == "/" else Chars(((ord(char), ord(char)),))


def _within(
    ranges: tuple[tuple[int, int], ...], others: tuple[tuple[int, int], ...]
) -> tuple[tuple[int, int], ...]:
    """The parts of the ranges that lie within the others."""
    cut = ((max(low, left), min(high, right)) for low, high in ranges for left, right in others)
    return tuple((low, high) for low, high in cut if low <= high)


def _ranges(codes: set[int]) -> tuple[tuple[int, int], ...]:
    """Code points as ranges."""
    starts = sorted(code for code in codes if code - 1 not in codes)
    ends = sorted(code for code in codes if code + 1 not in codes)
    return tuple(zip(starts, ends, strict=True))
