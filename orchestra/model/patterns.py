"""Path patterns: what they match, and whether two of them can match one path (decided exactly).

Patterns are gitignore's without `!` and backslash, always anchored at the root: `*` and `?` stay within a
segment, `**` as a whole segment crosses segments, `[a-c]` is a class, and a pattern that names a folder
matches all below it. A text is parsed once, to segments: matching uses a regular expression of them, overlap
the product of two automata over characters (Rabin and Scott 1959). Both take time that is bounded by a small
power of the lengths, whatever the patterns.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Protocol

MAX_PATTERN = 4096
"""The longest pattern that is accepted, in characters."""


MAX_WILDCARDS = 32
"""The most stars in one pattern: overlap takes time that grows with their number."""


class PatternError(ValueError):
    """A pattern that is not one; the message says why and what to write instead."""


@dataclass(frozen=True, slots=True)
class Chars:
    """A set of characters: `ranges` of code points, or all others than those where `negated`.

    A slash is only in sets with `slash`.
    """

    ranges: tuple[tuple[int, int], ...]
    negated: bool = False
    slash: bool = False

    def meets(self, other: Chars) -> bool:
        """Whether some character is in both."""
        if self.slash and other.slash:
            return True
        if self.negated and other.negated:
            # Two finite sets left out of all of Unicode always leave something over.
            return True
        if self.negated:
            return other.meets(self)
        for low, high in self.ranges:
            if not other.negated:
                if any(low <= end and start <= high for start, end in other.ranges):
                    return True
            elif _uncovered(low, high, other.ranges):
                return True
        return False

    @property
    def single(self) -> bool:
        """Whether it is one character other than the slash."""
        return not self.negated and len(self.ranges) == 1 and self.ranges[0][0] == self.ranges[0][1]

    def sample(self) -> str:
        """A character of the set: a letter if there is one."""
        if self == SLASH:
            return "/"
        # Where no letter is in the set, one that begins a range is, or one beside a range that is left out.
        ends = (code for low, high in self.ranges for code in (low, high + 1, high + 2, low - 1, low - 2))
        for code in (*_LETTERS, *ends):
            if 0 < code <= MAX_CODE and self.meets(Chars(((code, code),))):
                return chr(code)
        return "x"

    def regex(self) -> str:
        """The same set as part of a regular expression."""
        if not self.ranges and self.negated:
            return "(?s:.)" if self.slash else "[^/]"
        body = "".join(
            f"{re.escape(chr(low))}-{re.escape(chr(high))}" if high > low else re.escape(chr(low))
            for low, high in self.ranges
        )
        if self.negated:
            return f"[^/{body}]"
        # Without the look-ahead a range such as [+-0] would take in the slash.
        return f"(?!/)[{body}]"


def _uncovered(low: int, high: int, ranges: tuple[tuple[int, int], ...]) -> bool:
    """Whether a character other than `/` between low and high lies in none of the ranges."""
    gaps = sorted((*ranges, (ord("/"), ord("/"))))
    at = low
    for left, right in gaps:
        if left > high:
            break
        if left > at:
            return True
        at = max(at, right + 1)
    return at <= high


_LETTERS = (ord("x"), *range(ord("a"), ord("z")), *range(ord("A"), ord("Z")))
MAX_CODE = 0x10FFFF

ANY = Chars((), negated=True)
SLASHED = Chars((), negated=True, slash=True)
SLASH = Chars((), slash=True)


@dataclass(frozen=True, slots=True)
class Item:
    """One item of a pattern: a set of characters, taken once or (`many`) any number of times.

    `skip` is how many of the items that follow may be left out together with this one: it makes groups such
    as the `(anything/)?` of a leading `**/`.
    """

    chars: Chars
    many: bool = False
    skip: int = 0


Segment = tuple[Item, ...] | None
"""The items of one segment; None is `**`."""


@dataclass(frozen=True, slots=True)
class Pattern:
    """A compiled pattern. `literal_prefix` is its text up to the first wildcard."""

    text: str
    literal_prefix: str
    items: tuple[Item, ...] = field(repr=False, compare=False)
    _segments: tuple[Segment, ...] = field(repr=False, compare=False)
    _inside: bool = field(repr=False, compare=False)
    _compiled: list[re.Pattern[str]] = field(default_factory=list, init=False, repr=False, compare=False)

    @property
    def is_literal(self) -> bool:
        """Whether it has no wildcard: it names one file, or a folder with all below it."""
        return self.literal_prefix == self.text.rstrip("/")

    def matches(self, path: str) -> bool:
        """Whether it matches that path of a file."""
        if not self._compiled:
            # Only now: most patterns of a manifest are ordered and never matched, and `re` takes its time.
            self._compiled.append(re.compile(_regex(self._segments, self._inside), re.DOTALL))
        return self._compiled[0].match(path) is not None

    def sample(self) -> str:
        """A short path that it matches, with `x` for wildcards."""
        path = ""
        at = 0
        while at < len(self.items):
            item = self.items[at]
            if item.skip:
                at += item.skip + 1
                continue
            # A star within a segment stands for a letter, since `.*` must not become the path `.`.
            if not item.many or item.chars == ANY:
                path += item.chars.sample()
            at += 1
        return path

    def overlaps(self, other: Pattern) -> bool:
        """Whether there is a path that both match."""
        return prefixes_agree(self, other) and items_meet(self, other)


@lru_cache(maxsize=8192)
def compile_pattern(text: str) -> Pattern:
    """Compile a pattern.

    Raises PatternError where the text is empty, absolute, leaves the root, or uses what is not supported.
    """
    names = _names(text)
    inside = text.endswith("/")
    if names[-1] == "**":
        # `a/**` is what lies below `a`, and `a/**/` what lies below the folders below it.
        names = [*names, "*"] if inside else names[:-1]
        inside = True
    segments = tuple(None if name == "**" else _segment_items(name) for name in names)
    wildcard = re.search(r"[*?\[]", text)
    prefix = text[: wildcard.start()] if wildcard else text.rstrip("/")
    return Pattern(text, prefix, _items(segments, inside), segments, inside)


def _names(text: str) -> list[str]:
    if not text or not text.strip():
        raise PatternError("an empty pattern: write a path such as `src/parser.py`")
    if len(text) > MAX_PATTERN:
        raise PatternError(f"a pattern of {len(text)} characters: at most {MAX_PATTERN} are accepted")
    if any(ord(c) < 32 or ord(c) == 127 for c in text):
        raise PatternError("a control character in a pattern")
    if text.startswith("/"):
        raise PatternError(f"`{text}` is absolute: patterns start at the root of the repository, without `/`")
    if text.startswith("!"):
        raise PatternError(f"`{text}`: exclusion with `!` is not supported: name what is meant")
    if "\\" in text:
        raise PatternError(f"`{text}`: a backslash is not supported: separate folders with `/`")
    body = text[:-1] if text.endswith("/") else text
    segments = body.split("/")
    if "" in segments:
        raise PatternError(f"`{text}` has an empty segment: write one `/` only")
    if "." in segments or ".." in segments:
        raise PatternError(f"`{text}` uses `.` or `..`: name the path from the root of the repository")
    merged: list[str] = []
    for segment in segments:
        if "**" in segment and segment != "**":
            # Git reads `a**b` as `a*b`: two stars cross folders only as a segment of their own.
            segment = re.sub(r"\*{2,}", "*", segment) if segment.strip("*") else "**"
        if segment == "**" and merged and merged[-1] == "**":
            continue
        merged.append(segment)
    if sum(segment.count("*") for segment in merged) > MAX_WILDCARDS:
        raise PatternError(f"more than {MAX_WILDCARDS} stars in one pattern: write several patterns")
    return merged


def _segment_items(segment: str) -> tuple[Item, ...]:
    items: list[Item] = []
    at = 0
    while at < len(segment):
        char = segment[at]
        if char == "*":
            items.append(Item(ANY, many=True))
            at += 1
        elif char == "?":
            items.append(Item(ANY))
            at += 1
        elif char == "[":
            chars, at = _char_class(segment, at)
            items.append(Item(chars))
        else:
            items.append(_literal(char))
            at += 1
    if all(item.many for item in items):
        # No name is empty: a segment of stars alone takes one character at least.
        return (Item(ANY), Item(ANY, many=True))
    return tuple(items)


@lru_cache(maxsize=1024)
def _literal(char: str) -> Item:
    return Item(Chars(((ord(char), ord(char)),)))


def _char_class(segment: str, start: int) -> tuple[Chars, int]:
    at = start + 1
    negated = at < len(segment) and segment[at] in "!^"
    if negated:
        at += 1
    ranges: list[tuple[int, int]] = []
    first = True
    while at < len(segment) and (segment[at] != "]" or first):
        first = False
        low = segment[at]
        if low == "[" and segment[at : at + 2] == "[:":
            raise PatternError(f"`{segment}`: named classes such as [:alpha:] are not supported")
        if at + 2 < len(segment) and segment[at + 1] == "-" and segment[at + 2] != "]":
            high = segment[at + 2]
            if high < low:
                raise PatternError(f"`{segment}`: the range {low}-{high} is the wrong way round")
            ranges.append((ord(low), ord(high)))
            at += 3
        else:
            ranges.append((ord(low), ord(low)))
            at += 1
    if at >= len(segment):
        raise PatternError(f"`{segment}`: `[` without `]`")
    return Chars(tuple(ranges), negated), at + 1


def _items(segments: tuple[Segment, ...], inside: bool) -> tuple[Item, ...]:
    """The automaton of a pattern; `inside`: it matches only what lies below."""
    items: list[Item] = []
    for segment in segments:
        if segment is None:
            # `**/` is nothing, or any folders with their slash.
            items += (Item(SLASHED, skip=2), Item(SLASHED, many=True), Item(SLASH))
        else:
            items += (*segment, Item(SLASH))
    below = (Item(SLASHED), Item(SLASHED, many=True))
    if segments:
        items[-1] = Item(SLASH, skip=0 if inside else len(below))
    return (*items, *below)


def _regex(segments: tuple[Segment, ...], inside: bool) -> str:
    """A regular expression for the beginning of a path.

    What stands between two stars, and between two `**`, is matched where it comes first and then kept (`?>`):
    if the rest fits after a later one, it fits after the first. So nothing is tried more than once.
    """
    parts: list[str] = []
    within = ""
    for number, segment in enumerate(segments):
        last = number == len(segments) - 1
        if segment is None:
            parts.append(f"{within}(?>(?:[^/]+/)*?")
            within = ")"
        else:
            parts.append(_segment_regex(segment) + ("" if last else "/"))
    parts.append(("/." if segments else ".") if inside else r"(?:/|\Z)")
    return "".join((*parts, within))


def _segment_regex(segment: tuple[Item, ...]) -> str:
    chunks = [""]
    for item in segment:
        if item.many:
            chunks.append("")
        else:
            chunks[-1] += item.chars.regex()
    if len(chunks) == 1:
        return chunks[0]
    first, *middle, last = chunks
    return "".join((first, *(f"(?>[^/]*?{chunk})" for chunk in middle), "[^/]*", last))


class Automaton(Protocol):
    """What overlap is decided on: items, and the text that all words begin with."""

    @property
    def literal_prefix(self) -> str:
        """The text up to the first wildcard."""
        ...

    @property
    def items(self) -> tuple[Item, ...]:
        """The items, one after the other."""
        ...


def prefixes_agree(one: Automaton, other: Automaton) -> bool:
    """A cheap test that settles most pairs: literal beginnings that differ never meet."""
    shorter = min(len(one.literal_prefix), len(other.literal_prefix))
    return one.literal_prefix[:shorter] == other.literal_prefix[:shorter]


@lru_cache(maxsize=65536)
def items_meet(one: Automaton, other: Automaton) -> bool:
    """Whether the languages of two patterns share a word: a walk over the product of their automata.

    Items only lead onwards or to themselves. So the positions of `one` are taken in order, each with the set
    of those of `other` at which one can be at the same time: a bit each.
    """
    positions = _Positions(other.items)
    end = len(one.items)
    reached = [0] * (end + 1)
    reached[0] = 1
    for at, item in enumerate(one.items):
        here = positions.onwards(reached[at])
        if not here:
            continue
        meeting = positions.meeting(item.chars)
        if item.many:
            before = 0
            while here != before:
                before = here
                here = positions.onwards(here | positions.taken(here & meeting))
            reached[at + 1] |= here
        else:
            reached[at + 1] |= positions.taken(here & meeting)
        if item.skip:
            reached[at + item.skip + 1] |= here
    return bool(positions.onwards(reached[end]) >> len(other.items) & 1)


class _Positions:
    """Sets of positions in a sequence of items, as bit masks; the last position is behind all items."""

    def __init__(self, items: tuple[Item, ...]) -> None:
        self._many = 0
        self._skips: dict[int, int] = defaultdict(int)
        self._single: dict[Chars, int] = defaultdict(int)
        self._others: dict[Chars, int] = defaultdict(int)
        for at, item in enumerate(items):
            bit = 1 << at
            self._many |= bit if item.many else 0
            if item.skip:
                self._skips[item.skip + 1] |= bit
            (self._single if item.chars.single else self._others)[item.chars] |= bit
        self._meeting: dict[Chars, int] = {}

    def meeting(self, chars: Chars) -> int:
        """The positions whose item takes one of these characters."""
        found = self._meeting.get(chars)
        if found is None:
            # One character meets no other: what is written out costs a look, however long it is.
            found = self._single.get(chars, 0) if chars.single else _mask_of(chars, self._single)
            found |= _mask_of(chars, self._others)
            self._meeting[chars] = found
        return found

    def taken(self, mask: int) -> int:
        """Where one is after a character was taken at each of the positions."""
        return (mask & ~self._many) << 1 | mask & self._many

    def onwards(self, mask: int) -> int:
        """The positions with all that can be reached from them without taking a character."""
        before = 0
        while mask != before:
            before = mask
            mask |= (mask & self._many) << 1
            for distance, skipping in self._skips.items():
                mask |= (mask & skipping) << distance
        return mask


def _mask_of(chars: Chars, masks: Mapping[Chars, int]) -> int:
    found = 0
    for other, mask in masks.items():
        if chars.meets(other):
            found |= mask
    return found


@dataclass(frozen=True, slots=True)
class PatternSet:
    """Several patterns that are meant together."""

    patterns: tuple[Pattern, ...]

    @classmethod
    def of(cls, texts: Iterable[str]) -> PatternSet:
        """Compile each text; raises PatternError."""
        return cls(tuple(compile_pattern(text) for text in texts))

    def matches(self, path: str) -> bool:
        """Whether one of them matches the path."""
        return any(pattern.matches(path) for pattern in self.patterns)

    def overlaps(self, other: PatternSet) -> bool:
        """Whether there is a path that both sets match."""
        return any(a.overlaps(b) for a in self.patterns for b in other.patterns)
