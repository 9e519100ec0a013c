"""Reads JUnit XML that a task left, which may be anything: with a parser that knows no entities and no DTD. Pure.

Promises: a document that declares a type or an entity is refused before anything of it is expanded, and so is one that
is nested too deeply or holds too much; what is read is bounded in size whatever the document says.
"""

from __future__ import annotations

from xml.parsers import expat

from orchestra.reporting.report.contents import JUnitCase, JUnitFile

DEPTH = 64
CASES = 20_000
"""Tests of one file."""

WORDS = 8_000
"""Characters of what one test said."""


class _RefusedError(Exception):
    """The document is not read any further."""


class _OtherError(Exception):
    """It is XML, and no JUnit."""


def read_junit(task: str, path: str, content: bytes) -> JUnitFile | None:
    """The tests of a JUnit file; None where it is another kind of XML. What cannot be read says so in `problem`."""
    reader = _Reader()
    # Without an encoding of its own: expat goes by the declaration, and refuses what it does not know.
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = _refuse
    parser.EntityDeclHandler = _refuse
    parser.StartElementHandler = reader.begin
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.text
    try:
        parser.Parse(content, True)
    except _OtherError:
        return None
    except (_RefusedError, expat.ExpatError, ValueError) as error:
        if not reader.began and "junit" not in path.lower():
            return None  # nothing says that it was to hold tests
        return JUnitFile(task, path, tuple(reader.cases), f"cannot be read: {error}")
    return JUnitFile(task, path, tuple(reader.cases))


def _refuse(*about: object) -> None:
    raise _RefusedError("it declares a document type")


class _Reader:
    """Takes the events of the parser."""

    def __init__(self) -> None:
        self.cases: list[JUnitCase] = []
        self.began = False
        self._open: list[str] = []
        self._suites: list[str] = []
        self._case: dict[str, str] | None = None
        self._state = "passed"
        self._message = ""
        self._words: list[str] = []
        self._room = WORDS

    def begin(self, name: str, attributes: dict[str, str]) -> None:
        """An element begins."""
        name = name.rpartition(":")[2]
        if not self._open and name not in ("testsuites", "testsuite"):
            raise _OtherError
        self.began = True
        self._open.append(name)
        if len(self._open) > DEPTH:
            raise _RefusedError("it is nested too deeply")
        match name:
            case "testsuite":
                self._suites.append(attributes.get("name", ""))
            case "testcase":
                if len(self.cases) >= CASES:
                    raise _RefusedError(f"it has more than {CASES:,} tests")
                self._case, self._state, self._message = attributes, "passed", ""
                self._words, self._room = [], WORDS
            case "failure" | "error" | "skipped" if self._case is not None:
                if self._state in ("passed", "skipped"):
                    self._state = "failed" if name == "failure" else name
                    self._message = attributes.get("message", "")[:WORDS]

    def text(self, text: str) -> None:
        """Text within an element; only what failures and the like say is kept."""
        if self._room > 0 and self._case is not None and self._open[-1] in ("failure", "error", "skipped"):
            self._words.append(text[: self._room])
            self._room -= len(text)

    def end(self, name: str) -> None:
        """An element ends."""
        closed = self._open.pop()
        if closed == "testsuite":
            self._suites.pop()
        elif closed == "testcase" and self._case is not None:
            case, self._case = self._case, None
            words = "".join(self._words).strip("\n")
            if self._message and not words.startswith(self._message):
                words = f"{self._message}\n{words}".strip("\n")
            self.cases.append(
                JUnitCase(
                    (self._suites[-1] if self._suites else "")[:WORDS],
                    case.get("classname", "")[:WORDS],
                    case.get("name", "")[:WORDS],
                    _seconds(case.get("time", "")),
                    self._state,
                    words[:WORDS],
                )
            )


def _seconds(text: str) -> float:
    try:
        value = float(text.replace(",", ""))
    except ValueError:
        return 0.0
    return value if 0 <= value < 1e9 else 0.0
