"""One YAML document as plain data, with the position of every key and value.

Strict on purpose: what YAML 1.1 and 1.2 read in two ways, or what makes a small text large (aliases), is
refused with its place instead of guessed at. Scalars follow the core rules of YAML 1.2. Nothing recurses.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, NamedTuple

import yaml

from orchestra.manifest.problems import DataPath, Problem, show
from orchestra.manifest.text import MAX_DOCUMENT, decode
from orchestra.model.errors import ExitStatus, OrchestraError, Place, usage_error

MAX_DEPTH = 32
MAX_DIGITS = 100
"""The longest integer; Python itself refuses to read one of more than 4,300 digits."""
LONGEST_KEY = 1_000
"""YAML looks for the `:` behind a key no further than this (1,024 characters, those of quotes included)."""

# Control characters, and the three line breaks that YAML 1.1 knows and 1.2 (like most editors) does not.
_REFUSED = re.compile("[^\t\n\r\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_WORDS: dict[str, bool | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_INTEGER = re.compile("[-+]?[0-9]+")
_BASED = re.compile("0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_INFINITY = re.compile(r"[-+]?\.(?:inf|Inf|INF)")
_NAN = frozenset((".nan", ".NaN", ".NAN"))
_NUMBER_BEGINS = frozenset("+-.0123456789")
_NOTHING: Mapping[str | int, Any] = MappingProxyType({})


class Node(NamedTuple):
    """Where a value and its key stand, how a scalar was written, and the nodes below."""

    line: int
    column: int
    key_line: int
    key_column: int
    written: str | None
    below: Mapping[str | int, Node]


@dataclass(frozen=True, slots=True)
class Document:
    """A document: `data` is made of dict, list, str, int, float, bool and None."""

    file: str
    data: Any
    root: Node = field(repr=False)

    def place(self, path: DataPath, *, key: bool = False) -> Place:
        """The place of the value at a path, or of its `key`; of the last part that exists."""
        node = self.root
        for part in path:
            if part not in node.below:
                key = False
                break
            node = node.below[part]
        if key and node.key_line:
            return Place(self.file, node.key_line, node.key_column)
        return Place(self.file, node.line, node.column)

    def locate(self, problem: Problem) -> Place:
        """The place that a problem of this document is about."""
        return self.place(problem.path, key=problem.on_key)

    def written(self, path: DataPath) -> str:
        """A scalar as it was written, such as `0x10` for 16; KeyError where there is none."""
        node = self.root
        for part in path:
            node = node.below[part]
        if node.written is None:
            raise KeyError(path)
        return node.written


def parse(data: bytes, file: str) -> Document:
    """Read a file of one document; an empty one is None.

    Raises OrchestraError with the place of whatever is not UTF-8, not YAML, or not accepted.
    """
    if len(data) > MAX_DOCUMENT:
        raise usage_error(
            f"the file is larger than {MAX_DOCUMENT // 1024**2} MiB",
            place=Place(file),
            hint="is it the right file? long texts belong into prompts",
        )
    return parse_text(decode(data, file), file)


def parse_text(text: str, file: str, *, first_line: int = 1) -> Document:
    """Read one document out of a text that begins at that line of the file.

    Raises OrchestraError with the place of whatever is not YAML or not accepted.
    """
    refused = _REFUSED.search(text)
    if refused:
        raise _refused_character(text, refused.start(), file, first_line)
    builder = _Builder(file, first_line)
    # The C parser is about ten times faster; PyYAML can be built without it.
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        for event in yaml.parse(text, Loader=loader):
            builder.take(event)
    except yaml.MarkedYAMLError as error:
        raise _syntax_error(error, text, file, first_line) from None
    except (yaml.YAMLError, ValueError, OverflowError) as error:
        # PyYAML's own parser lets the last two out for escapes and directives with enormous numbers.
        first = str(error).splitlines()[0] if str(error) else "it cannot be read"
        raise usage_error(
            f"not valid YAML: {show(first)}", place=Place(file), hint="check escapes and directives"
        ) from None
    return Document(file, builder.data, builder.root)


def resolve(text: str) -> str | int | float | bool | None:
    """What a plain scalar means by the core rules of YAML 1.2; ValueError for too long an integer."""
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in _NUMBER_BEGINS:
        return text
    if _INTEGER.fullmatch(text) or _BASED.fullmatch(text):
        if len(text) > MAX_DIGITS:
            raise ValueError(f"a number of more than {MAX_DIGITS} digits")
        if _BASED.fullmatch(text):
            return int(text[2:], 8 if text[1] == "o" else 16)
        return int(text)
    if _FLOAT.fullmatch(text):
        return float(text)
    if _INFINITY.fullmatch(text):
        return float("-inf" if text[0] == "-" else "inf")
    if text in _NAN:
        return float("nan")
    return text


@dataclass(slots=True)
class _Frame:
    """A mapping or list that is not closed yet; `key` is the key that waits for its value."""

    data: Any
    below: dict[str | int, Node]
    key: str | None = None
    key_line: int = 0
    key_column: int = 0


class _Builder:
    """Takes the parser's events one by one and builds data and positions."""

    def __init__(self, file: str, first_line: int) -> None:
        self.data: Any = None
        self.root = Node(first_line, 1, 0, 0, None, _NOTHING)
        self._file = file
        self._first_line = first_line
        self._frames: list[_Frame] = []
        self._documents = 0

    def take(self, event: Any) -> None:
        if isinstance(event, yaml.NodeEvent):
            self._check(event)
            frame = self._frames[-1] if self._frames else None
            if frame is not None and isinstance(frame.data, dict) and frame.key is None:
                self._key(event, frame)
            elif isinstance(event, yaml.ScalarEvent):
                self._attach(self._scalar(event), event, event.value, _NOTHING)
            else:
                self._open(event)
        elif isinstance(event, yaml.CollectionEndEvent):
            self._frames.pop()
        elif isinstance(event, yaml.DocumentStartEvent):
            self._document(event)

    def _check(self, event: Any) -> None:
        """Refuse what makes a node more than it looks like."""
        if isinstance(event, yaml.AliasEvent):
            name = show(event.anchor or "")
            raise self._error(f"the alias `*{name}`", event, f'write the value out, or quote it: "*{name}"')
        if event.anchor is not None:
            name = show(event.anchor)
            raise self._error(f"the anchor `&{name}`", event, f'remove it, or quote the value: "&{name} …"')
        if event.tag is not None:
            tag = show(event.tag.replace("tag:yaml.org,2002:", "!!"))
            raise self._error(f"the tag `{tag}`", event, "remove it, or quote a value that begins with `!`")

    def _error(self, what: str, event: Any, hint: str) -> OrchestraError:
        return usage_error(f"{what} is not accepted here", place=self._place(event), hint=hint)

    def _place(self, event: Any) -> Place:
        mark = event.start_mark
        return Place(self._file, mark.line + self._first_line, mark.column + 1)

    def _document(self, event: Any) -> None:
        self._documents += 1
        if self._documents > 1:
            raise usage_error(
                "a second document begins here",
                place=self._place(event),
                hint="keep one document to a file: remove the `---`",
            )
        if event.tags or event.version not in (None, (1, 2)):
            raise usage_error(
                "a `%` directive is not accepted: the file is read as YAML 1.2",
                place=self._place(event),
                hint="remove the lines that begin with `%`",
            )

    def _key(self, event: Any, frame: _Frame) -> None:
        place = self._place(event)
        if not isinstance(event, yaml.ScalarEvent):
            kind = "a mapping" if isinstance(event, yaml.MappingStartEvent) else "a list"
            raise usage_error(
                f"a key must be text, but this is {kind}",
                place=place,
                hint='put a text that begins with `{` or `[` in quotes: "{prompt_file}"',
            )
        key = self._scalar(event)
        if not isinstance(key, str):
            written = show(event.value)
            raise usage_error(
                f"a key must be text, but `{written}` is not"
                if written
                else "there is no key before this `:`",
                place=place,
                hint=f'put it in quotes: "{written}"' if written else "write `KEY: VALUE`",
            )
        if key in frame.data:
            first = frame.below[key]
            raise usage_error(
                f"`{show(key)}` is given twice",
                place=place,
                hint=f"keep one: the first is at {Place(self._file, first.key_line, first.key_column)}",
            )
        frame.key = key
        frame.key_line, frame.key_column = place.line, place.column

    def _scalar(self, event: Any) -> Any:
        text: str = event.value
        # `implicit[0]` holds for plain scalars only: what is quoted is text.
        if event.implicit[0]:
            try:
                return resolve(text)
            except ValueError as error:
                raise usage_error(
                    str(error), place=self._place(event), hint="put it in quotes if it is text"
                ) from None
        if "\0" in text or (not text.isascii() and any("\ud800" <= c <= "\udfff" for c in text)):
            raise usage_error(
                "an escape that stands for NUL or for half a character",
                place=self._place(event),
                hint="remove it: no command, path or prompt can hold it",
            )
        return text

    def _open(self, event: Any) -> None:
        if len(self._frames) == MAX_DEPTH:
            raise usage_error(
                f"more than {MAX_DEPTH} levels of nesting",
                place=self._place(event),
                hint="check brackets and indentation: no key of orchestra lies that deep",
            )
        data: Any = {} if isinstance(event, yaml.MappingStartEvent) else []
        below: dict[str | int, Node] = {}
        self._attach(data, event, None, below)
        self._frames.append(_Frame(data, below))

    def _attach(self, value: Any, event: Any, written: str | None, below: Mapping[str | int, Node]) -> None:
        line, column = event.start_mark.line + self._first_line, event.start_mark.column + 1
        if not self._frames:
            self.data = value
            self.root = Node(line, column, 0, 0, written, below)
            return
        frame = self._frames[-1]
        node = Node(line, column, frame.key_line, frame.key_column, written, below)
        if frame.key is None:
            frame.below[len(frame.data)] = node
            frame.data.append(value)
        else:
            frame.below[frame.key] = node
            frame.data[frame.key] = value
            frame.key = None


def _refused_character(text: str, offset: int, file: str, first_line: int) -> OrchestraError:
    before = text[:offset].replace("\r\n", "\n").replace("\r", "\n")
    code = f"U+{ord(text[offset]):04X}"
    return usage_error(
        f"the invisible character {code} is not accepted",
        place=Place(file, before.count("\n") + first_line, len(before) - before.rfind("\n")),
        hint=f'remove it, or write it as "\\u{ord(text[offset]):04x}" in double quotes',
    )


def _syntax_error(error: yaml.MarkedYAMLError, text: str, file: str, first_line: int) -> OrchestraError:
    mark = error.problem_mark or error.context_mark
    place = Place(file, mark.line + first_line, mark.column + 1) if mark else Place(file)
    problem, context = error.problem or "it cannot be read", error.context or ""
    lines = text.split("\n")
    line = lines[mark.line] if mark and mark.line < len(lines) else ""
    at = line[mark.column : mark.column + 1] if mark else ""
    return OrchestraError(
        f"not valid YAML: {show(problem)}",
        ExitStatus.USAGE,
        place,
        tuple(_context(error, context, file, first_line)),
        " ".join(_syntax_hint(problem, context, at, mark.column if mark else 0)),
    )


def _context(error: yaml.MarkedYAMLError, context: str, file: str, first_line: int) -> Iterator[str]:
    mark = error.context_mark
    if context and mark and error.problem_mark:
        yield f"{context} that begins at {Place(file, mark.line + first_line, mark.column + 1)}"


def _syntax_hint(problem: str, context: str, at: str, column: int) -> Iterator[str]:
    if "alias" in context or "anchor" in context:
        yield 'put a value that begins with `*` or `&` in quotes: "*.py"'
    elif at == "\t":
        yield "indent with spaces, not with tabs"
    elif "cannot start any token" in problem:
        yield f'put a value that begins with `{at}` in quotes: "{at}…"'
    elif "mapping values are not allowed" in problem and at == ":" and column > LONGEST_KEY:
        yield f"is the key before it too long? it may have about {LONGEST_KEY:,} characters"
    elif "mapping values are not allowed" in problem:
        yield 'put a value that holds `: ` in quotes: "a: b"; otherwise check the indentation'
    else:
        yield "check indentation, quotes and brackets here and just above"
