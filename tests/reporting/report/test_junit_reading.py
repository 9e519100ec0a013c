"""JUnit files from anywhere: what they say is read, what they try is refused."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestra.reporting.report.contents import JUnitFile
from orchestra.reporting.report.junit_reading import CASES, DEPTH, WORDS, read_junit


def read(text: str | bytes, name: str = "junit.xml") -> JUnitFile | None:
    """The tests of a document."""
    return read_junit("task", name, text if isinstance(text, bytes) else text.encode())


WHOLE = """<?xml version="1.0" encoding="utf-8"?>
<testsuites><testsuite name="pytest" tests="4">
<testcase classname="tests.a" name="good" time="0.25"/>
<testcase classname="tests.a" name="bad" time="1,000.5"><failure message="no">no
E  1 == 2 &lt;x&gt;</failure><system-out>much</system-out></testcase>
<testcase classname="tests.a" name="torn" time="x"><error message="gone">Traceback</error></testcase>
<testsuite name="inner"><testcase name="left out"><skipped message="not today"/></testcase></testsuite>
</testsuite></testsuites>"""


def test_states_words_and_times() -> None:
    found = read(WHOLE)
    assert found is not None and not found.problem
    told = [(case.suite, case.name, case.state, case.seconds, case.words) for case in found.cases]
    assert told == [
        ("pytest", "good", "passed", 0.25, ""),
        ("pytest", "bad", "failed", 1000.5, "no\nE  1 == 2 <x>"),
        ("pytest", "torn", "error", 0.0, "gone\nTraceback"),
        ("inner", "left out", "skipped", 0.0, "not today"),
    ]
    assert [found.count(state) for state in ("passed", "failed", "error", "skipped")] == [1, 1, 1, 1]


def test_the_first_that_went_wrong_says_how_it_ended() -> None:
    found = read(
        "<testsuite>"
        "<testcase name='a'><failure message='first'/><error message='then'/><skipped/></testcase>"
        "<testcase name='b'><skipped message='first'/><error message='then'/></testcase>"
        "</testsuite>"
    )
    assert found is not None
    assert [(case.state, case.words) for case in found.cases] == [("failed", "first"), ("error", "then")]


def test_a_test_belongs_to_the_suite_in_which_it_stands() -> None:
    found = read(
        "<testsuites><testsuite name='outer'><testcase name='1'/><testsuite name='inner'><testcase name='2'/>"
        "</testsuite><testcase name='3'/></testsuite><testsuite><testcase name='4'/></testsuite></testsuites>"
    )
    assert found is not None
    assert [case.suite for case in found.cases] == ["outer", "inner", "outer", ""]


@pytest.mark.parametrize("told", ["-1", "nan", "inf", "1e300", "soon", ""])
def test_a_time_that_is_none_counts_nothing(told: str) -> None:
    found = read(f"<testsuite><testcase name='a' time='{told}'/></testsuite>")
    assert found is not None and [case.seconds for case in found.cases] == [0.0]


def test_other_xml_is_no_test_report() -> None:
    assert read("<coverage line-rate='1'><packages/></coverage>") is None
    assert read("<a><testsuite/></a>") is None
    # Nor is what is no XML at all, unless its name says that it was to be one.
    assert read("", "notes.xml") is None and read("text", "notes.xml") is None
    empty = read("", "out/JUnit.xml")
    assert empty is not None and empty.problem == "cannot be read: no element found: line 1, column 0"
    torn = read("<testsuite>", "notes.xml")
    assert torn is not None and torn.problem


BOMB = (
    "<?xml version='1.0'?><!DOCTYPE testsuites [<!ENTITY a 'aaaaaaaaaa'>"
    + "".join(f"<!ENTITY {chr(98 + n)} '{f'&{chr(97 + n)};' * 10}'>" for n in range(12))
    + "]><testsuites><testsuite name='&m;'/></testsuites>"
)


@pytest.mark.parametrize(
    "text",
    [
        BOMB,
        "<!DOCTYPE x SYSTEM 'file:///etc/passwd'><testsuite name='s'/>",
        "<!DOCTYPE x [<!ENTITY f SYSTEM 'file:///etc/passwd'>]><testsuite><testcase name='&f;'/></testsuite>",
        "<!DOCTYPE x [<!ENTITY % p SYSTEM 'http://localhost/x'> %p;]><testsuite/>",
    ],
)
def test_entities_and_document_types_are_refused_before_they_are_expanded(text: str) -> None:
    began = time.process_time()
    found = read(text)
    assert found is not None and found.problem == "cannot be read: it declares a document type"
    assert found.cases == () and time.process_time() - began < 1


def test_what_is_nested_too_deeply_or_holds_too_much_is_cut() -> None:
    deep = read("<testsuite>" * (DEPTH + 1) + "</testsuite>" * (DEPTH + 1))
    assert deep is not None and "nested too deeply" in deep.problem
    many = read(f"<testsuite>{'<testcase/>' * (CASES + 5)}</testsuite>")
    assert many is not None and len(many.cases) == CASES and "more than" in many.problem
    long = read(
        f"<testsuite><testcase name='{'n' * 20000}'><failure>{'x' * 100000}</failure></testcase></testsuite>"
    )
    assert long is not None and len(long.cases[0].words) == len(long.cases[0].name) == WORDS


def test_of_a_torn_file_the_beginning_is_read() -> None:
    found = read(WHOLE[: WHOLE.index('<testcase classname="tests.a" name="torn"')])
    assert found is not None and [case.name for case in found.cases] == ["good", "bad"]
    assert found.problem.startswith("cannot be read: ")


@given(st.binary(max_size=60), st.integers(0, len(WHOLE)))
def test_any_bytes_are_read_or_refused(piece: bytes, at: int) -> None:
    whole = WHOLE.encode()
    for content in (piece, whole[:at] + piece + whole[at:]):
        found = read(content)
        assert found is None or len(found.cases) <= 5
