"""Where a prompt names what can be a path: the words, their line, and what is said around them.

Markdown is read as people write it: code spans, quotes, links, fenced blocks and plain words. What stands in a
comment is not said. Nothing here knows the tree.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass

BEFORE = 160
AFTER = 80
"""How much of the text on each side of a mention is looked at, in characters."""

ABOVE = 4000
"""How far above a mention its heading, or the line that opens its list, can stand, in characters."""

PATH = "¤"
"""What stands for a path, or for what looks like one, among the words around a mention."""


@dataclass(frozen=True, slots=True)
class Mention:
    """Words that can be a path, and where they stand: offsets in the text and its line, from 1.

    `marked`: as code, quoted or linked. `fenced`: in a fenced block.
    """

    words: str
    start: int
    end: int
    line: int
    marked: bool
    fenced: bool


@dataclass(frozen=True, slots=True)
class Lead:
    """What leads to a line: the heading above (lower case), and the words of the line that opened its list."""

    heading: str = ""
    words: tuple[str, ...] = ()


@dataclass(slots=True)
class Page:
    """The text of a prompt, with what of it is looked up again and again."""

    text: str
    _fences: tuple[tuple[int, int], ...] = ()
    _marks: list[re.Match[str]] | None = None
    _counted: tuple[int, int] = (0, 1)

    @classmethod
    def of(cls, text: str) -> Page:
        """That text, with its comments blanked; lines stay where they are."""
        text = _without_comments(text)
        return cls(text, tuple(_fences(text)))

    def candidates(self, plain_names: frozenset[str]) -> list[tuple[int, str]]:
        """Everything that can be a path, as offset and raw text, in order; `plain_names` hold no dot."""
        found = list(_tokens(self.text))
        count = len(found)
        for words in (_CAPITALISED, _CODE_WORD):
            # The words alone come several times faster than with their places, and seldom one is a file.
            names = plain_names.intersection(words.findall(self.text))
            if names:
                found += [(m.start(1), m[1]) for m in words.finditer(self.text) if m[1] in names]
        return sorted(set(found)) if len(found) > count else found

    def mention(self, words: str, start: int) -> Mention:
        """The mention of these words at an offset; asked for in order, the lines are counted once."""
        at, line = self._counted
        line = line + self.text.count("\n", at, start) if start >= at else self.text.count("\n", 0, start) + 1
        self._counted = (start, line)
        before = self.text[max(0, start - 2) : start]
        marked = before[-1:] in _MARKS or before == "]("
        return Mention(words, start, start + len(words), line, marked, self._fenced(start))

    def _fenced(self, start: int) -> bool:
        at = bisect_right(self._fences, start, key=lambda fence: fence[0]) - 1
        return at >= 0 and start < self._fences[at][1]

    def before(self, mention: Mention) -> tuple[str, ...]:
        """The words of the clause up to the mention: lower case, `¤` for each path, `,` for each pause."""
        text = self.text[max(0, mention.start - BEFORE) : mention.start]
        if mention.fenced:
            text = text.rpartition("\n")[2]
        at = 0
        for match in _BOUNDARY.finditer(text):
            at = match.end()
        text = text[at:].lower().rstrip(_OPENING)
        if "(" in text:
            text = _ASIDE.sub(" ", text).rpartition("(")[2]
        words = _words(text)
        for at in range(len(words) - 1, -1, -1):
            if words[at] in _TURNS:
                return words[at + 1 :]
        return words

    def after(self, mention: Mention) -> tuple[str, ...]:
        """The words of the clause behind the mention."""
        text = self.text[mention.end : mention.end + AFTER]
        match = _BOUNDARY.search(text)
        return _words((text[: match.start()] if match else text).lower())

    def says_behind(self, mention: Mention, hint: re.Pattern[str]) -> bool:
        """Whether some of these words stand soon behind the mention: cheaper than to take all words apart."""
        return hint.search(self.text, mention.end, mention.end + AFTER) is not None

    def lead(self, mention: Mention) -> Lead:
        """What stands above the list that the mention is an item of, and the heading above."""
        if self._marks is None:
            self._marks = list(_MARK.finditer(self.text))
        start = self.text.rfind("\n", 0, mention.start) + 1
        words: tuple[str, ...] | None = None
        for at in range(bisect_left(self._marks, start, key=re.Match.start) - 1, -1, -1):
            mark = self._marks[at]
            if mark.end() < start - ABOVE:
                break
            title = _HEADING.fullmatch(mark[0][:BEFORE])
            if title:
                heading = " ".join(_words((title[1] or title[2] or "").lower()))
                return Lead(heading, words or ())
            if words is None:
                words = _words(mark[0][-BEFORE:].lower()) if self._opens(mark, mention) else ()
        return Lead("", words or ())

    def _opens(self, mark: re.Match[str], mention: Mention) -> bool:
        """Whether from a line that ends in a colon down to the mention there are only items of its list."""
        depth = len(mark[0]) - len(mark[0].lstrip())
        for line in self.text[mark.end() + 1 : mention.start + 1].split("\n"):
            body = line.lstrip()
            if body and len(line) - len(body) <= depth and not _ITEM.match(body):
                return False
        return True


def clean(raw: str) -> str:
    """A candidate without the punctuation and emphasis around it."""
    words = raw.strip("<>").rstrip(".:!?&")
    if words[:1] == "[" and (not words.endswith("]") or words.count("[") == 1):
        words = words.removeprefix("[").removesuffix("]")
    elif words.endswith("]") and "[" not in words:
        words = words[:-1]
    if words.startswith("*") and words.endswith("*"):
        words = words.strip("*")
    elif words.endswith("*") and not _WILDCARD_END.search(words):
        words = words.rstrip("*")
    return words.rstrip(".:!?")


def _without_comments(text: str) -> str:
    """The text with blanks for each comment that has an end."""
    parts: list[str] = []
    at = 0
    while (start := text.find("<!--", at)) >= 0 and (end := text.find("-->", start)) >= 0:
        parts += (text[at:start], _BLACK.sub(" ", text[start : end + 3]))
        at = end + 3
    return "".join((*parts, text[at:])) if parts else text


def _tokens(text: str) -> Iterator[tuple[int, str]]:
    """Runs of what paths are made of that hold a slash or a dot: what lies around each of those."""
    backwards = text[::-1]
    over = 0
    for seed in _SEED.finditer(text):
        at = seed.start()
        if at < over:
            continue
        head = _HEAD.match(backwards, len(text) - at)
        tail = _TAIL.match(text, at)
        # Both match at least the empty text; asking keeps that where it is seen.
        start = max(over, at - len(head[0])) if head else at
        end = tail.end() if tail else at + 1
        over = end
        raw = text[start:end]
        if "://" in raw:
            # All of a URL, also what stands behind a `=` or a parenthesis in it.
            behind = _URL_END.search(text, start)
            over = behind.start() if behind else len(text)
        else:
            yield start, raw


def _words(text: str) -> tuple[str, ...]:
    return tuple([PATH if m[1] else "," if m[2] else m[0] for m in _WORD.finditer(text)])


def _fences(text: str) -> Iterator[tuple[int, int]]:
    """The offsets of fenced blocks, without the lines that open and close them."""
    if "```" not in text and "~~~" not in text:
        return
    fence = ""
    start = 0
    for match in _FENCE.finditer(text):
        if not fence:
            fence, start = match[1], match.end()
        elif match[1].startswith(fence) and not match[2].strip():
            yield start, match.start()
            fence = ""
    if fence:
        yield start, len(text)


_PART = r"\w@~$%+\-*?\[\]<>\\#:^!&{}"
_RUN = rf"[{_PART}./]"
_SEED = re.compile(r"[./](?:(?<=/)|(?=[\w*{\[./]))")
_HEAD = re.compile(rf"[{_PART}]*+")
_TAIL = re.compile(r"(?:[\w@~$%+\-*?\[\]<>\\#:^!&./]|\{[^\s{}]*\}|[{}]|(?<=/)\([\w.-]+\))*+")
_CAPITALISED = re.compile(rf"([A-Z](?<!{_RUN}.)[\w-]+)(?![\w/@-]|\.\w)")
_CODE_WORD = re.compile(r"`([\w-]+)`")
_URL_END = re.compile(r"[\s`\"'<>]")
_MARKS = tuple("`'\"“‘")
_BLACK = re.compile(r"[^\n]")
_FENCE = re.compile(r"^[ \t]*(`{3,}|~{3,})(.*)$", re.MULTILINE)
_MARK = re.compile(r"^(?:#{1,6}[ \t].*|.*+(?<=[:*]))$", re.MULTILINE)
"""A heading, or a line that can open a list."""

_HEADING = re.compile(r"#{1,6}[ \t]+(.*?)[ \t:#]*|\*\*([^*]+?):?\*\*:?")
_ITEM = re.compile(r"(?:[-*+]|\d+[.)])[ \t]")
_BOUNDARY = re.compile(
    r"[\n.;!?|](?:(?<=\n)[ \t]*(?:(?=\n)|(?:[-*+>|]|\d+[.)]|#{1,6})[ \t])|(?<=\|)"
    r"|(?<=[.;!?])(?<!e\.g\.)(?<!i\.e\.)(?=\s))"
)
"""Where a clause ends: a paragraph, an item, a row, a sentence."""

_TURNS = frozenset(("but", "then"))
"""Words at which a clause ends too."""

_ASIDE = re.compile(r"\([^()]*\)")
_OPENING = " \t\n`'\"“‘*_([:"
_WILDCARD_END = re.compile(r"[/*._-]\*\Z")
_WORD = re.compile(r"(`[^`\n]*`|[\w-]*[./][\w./*-]+)|(,|:(?=\s)|[–—]|\s-(?=\s))|[a-z][a-z'’-]*")
