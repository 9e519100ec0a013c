"""YAML documents: what is accepted means what YAML 1.2 says, what is refused is refused at its place."""

from __future__ import annotations

import json
import math
import re
import subprocess
import sys
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from orchestra.manifest.document import MAX_DEPTH, parse, parse_text
from orchestra.manifest.text import MAX_DOCUMENT
from orchestra.model.errors import OrchestraError, Place

from .kit import refused

SCALARS = [
    ("null", None),
    ("~", None),
    ("Null", None),
    ("", None),
    ("nuLL", "nuLL"),
    ("true", True),
    ("False", False),
    ("TRUE", True),
    ("tRue", "tRue"),
    ("on", "on"),
    ("no", "no"),
    ("yes", "yes"),
    ("off", "off"),
    ("y", "y"),
    ("0", 0),
    ("-12", -12),
    ("+12", 12),
    ("012", 12),
    ("0o17", 15),
    ("-0o17", "-0o17"),
    ("0x1F", 31),
    ("0b11", "0b11"),
    ("1_000", "1_000"),
    ("1:30", "1:30"),
    ("190:20:30", "190:20:30"),
    ("2001-12-14", "2001-12-14"),
    ("2001-12-14t21:59:43.10-05:00", "2001-12-14t21:59:43.10-05:00"),
    ("1.5", 1.5),
    ("1.", 1.0),
    (".5", 0.5),
    ("1e3", 1000.0),
    ("-1E-2", -0.01),
    (".inf", math.inf),
    ("-.INF", -math.inf),
    ("+.inf", math.inf),
    (".", "."),
    ("-", [None]),
    ("+", "+"),
    ("1.2.3", "1.2.3"),
    ("45m", "45m"),
    ("'12'", "12"),
    ('"null"', "null"),
    ("''", ""),
    ("=", "="),
    ("<<", "<<"),
    ("|\n  true", "true"),
]


@pytest.mark.parametrize(("text", "value"), SCALARS)
def test_scalars_follow_the_core_rules_of_yaml_1_2(text: str, value: object) -> None:
    result = parse_text(f"a: {text}" if text != "-" else "a:\n  -", "f").data["a"]
    assert result == value
    assert type(result) is type(value)


def test_not_a_number_is_one_float() -> None:
    assert all(math.isnan(parse_text(text, "f").data) for text in (".nan", ".NaN", ".NAN"))


REFUSED = [
    ("a: *py", "f:1:4: the alias `*py` is not accepted here", 'quote it: "*py"'),
    ("a: *.py", "f:1:5: not valid YAML: did not find expected alphabetic or numeric character", '"*.py"'),
    ("a: &.x", "f:1:5: not valid YAML: did not find expected alphabetic or numeric character", '"*.py"'),
    ("a: &x 1", "f:1:4: the anchor `&x` is not accepted here", "remove it"),
    ("a: &x [1]", "f:1:4: the anchor `&x` is not accepted here", "remove it"),
    ("&x a: 1", "f:1:1: the anchor `&x` is not accepted here", "remove it"),
    ("a: !!str 1", "f:1:4: the tag `!!str` is not accepted here", "remove it"),
    ("a: !mine {}", "f:1:4: the tag `!mine` is not accepted here", "remove it"),
    ("a: ! 1", "f:1:4: the tag `!` is not accepted here", "remove it"),
    ("!!map {a: 1}", "f:1:1: the tag `!!map` is not accepted here", "remove it"),
    ("a: 1\nb:\n  c: 1\n  c: 2", "f:4:3: `c` is given twice", "the first is at f:3:3"),
    ("{a: 1, 'a': 2}", "f:1:8: `a` is given twice", "the first is at f:1:2"),
    ("1: a", "f:1:1: a key must be text, but `1` is not", 'in quotes: "1"'),
    ("a:\n  true: b", "f:2:3: a key must be text, but `true` is not", 'in quotes: "true"'),
    ("?\n: b", "f:1:2: there is no key before this `:`", "KEY: VALUE"),
    ("? [a]\n: 1", "f:1:3: a key must be text, but this is a list", "quotes"),
    ("a: {{b}}", "f:1:5: a key must be text, but this is a mapping", '"{prompt_file}"'),
    ("---\na\n---\nb", "f:3:1: a second document begins here", "remove the `---`"),
    ("a: 1\n...\n---\nb", "f:3:1: a second document begins here", "remove the `---`"),
    ("%YAML 1.1\n---\na", "f:1:1: a `%` directive is not accepted: the file is read as YAML 1.2", "remove"),
    ("%TAG ! x\n---\na", "f:1:1: a `%` directive is not accepted: the file is read as YAML 1.2", "remove"),
    ("a: b: c", "f:1:5: not valid YAML: mapping values are not allowed in this context", "in quotes"),
    ("a:\n\t- b", "f:2:1: not valid YAML: found character that cannot start any token", "with spaces"),
    ("a: @b", "f:1:4: not valid YAML: found character that cannot start any token", "begins with `@`"),
    ("a: [1", "f:2:1: not valid YAML: did not find expected ',' or ']'", "brackets"),
    ("é: 'x", "f:1:6: not valid YAML: found unexpected end of stream", "quotes"),
    ("a: " + "1" * 101, "f:1:4: a number of more than 100 digits", "quotes"),
    ('a: "\\0"', "f:1:4: an escape that stands for NUL or for half a character", "remove it"),
    ("a: b\n# \x07", "f:2:3: the invisible character U+0007 is not accepted", '"\\u0007"'),
    ("a: é\u2028", "f:1:5: the invisible character U+2028 is not accepted", '"\\u2028"'),
    ("a: \x85b", "f:1:4: the invisible character U+0085 is not accepted", '"\\u0085"'),
    ("x:\n " + "[" * 40 + "]" * 40, "f:2:33: more than 32 levels of nesting", "brackets"),
]


@pytest.mark.parametrize(("text", "error", "hint"), REFUSED)
def test_what_is_refused_is_named_with_its_place(text: str, error: str, hint: str) -> None:
    caught = refused(lambda: parse(text.encode(), "f"))
    assert str(caught) == error
    assert hint in (caught.hint or "")


BYTES = [
    (b"a: 1\nb: \0", "f:2:4: a NUL byte: this is not a text file"),
    (b"\0a: 1", "f:1:1: a NUL byte: this is not a text file"),
    (b"a: \xc3\xa9\xff", "f:1:5: the byte 0xff is not UTF-8"),
    (b"\n\n\xe9t\xe9", "f:3:1: the byte 0xe9 is not UTF-8"),
    ("a: 1".encode("utf-16"), "f:1:1: the file is UTF-16"),
    (b"\xfe\xff\0a", "f:1:1: the file is UTF-16"),
    ("a: 1".encode("utf-16-le"), "f:1:2: a NUL byte: this is not a text file"),
    (b"#" * (MAX_DOCUMENT + 1), "f: the file is larger than 5 MiB"),
]


@pytest.mark.parametrize(("data", "error"), BYTES, ids=[error for _, error in BYTES])
def test_bytes_that_are_no_text_are_refused(data: bytes, error: str) -> None:
    assert str(refused(lambda: parse(data, "f"))) == error


def test_the_bounds_themselves_are_accepted() -> None:
    assert parse(b"#" * MAX_DOCUMENT, "f").data is None
    assert parse_text("9" * 100, "f").data == 10**100 - 1
    nested = parse_text("[" * MAX_DEPTH + "]" * MAX_DEPTH, "f").data
    for _ in range(MAX_DEPTH - 1):
        nested = nested[0]
    assert nested == []


def test_a_byte_order_mark_is_no_part_of_the_text() -> None:
    assert parse("\ufeffa: 1".encode(), "f").place(("a",), key=True) == Place("f", 1, 1)


def test_the_version_that_is_meant_anyway_may_be_said() -> None:
    assert parse_text("%YAML 1.2\n---\na: 1\n...\n", "f").data == {"a": 1}


def test_a_syntax_error_says_where_the_thing_began() -> None:
    caught = refused(lambda: parse_text("a: 1\nb:\n - [c\n", "f"))
    assert caught.causes == ("while parsing a flow sequence that begins at f:3:4",)


def test_every_key_and_value_has_its_place() -> None:
    document = parse_text("a: 1\nb:\n  - x\n  - {c: é, d: [0x10]}\n", "f")
    assert document.place(()) == Place("f", 1, 1)
    assert document.place((), key=True) == Place("f", 1, 1)
    assert parse_text("# c\n", "f").place((), key=True) == Place("f", 1, 1)
    assert parse_text("\n  {}", "f").place((), key=True) == Place("f", 2, 3)
    assert document.place(("a",)) == Place("f", 1, 4)
    assert document.place(("a",), key=True) == Place("f", 1, 1)
    assert document.place(("b", 0)) == Place("f", 3, 5)
    assert document.place(("b", 1, "d"), key=True) == Place("f", 4, 12)
    assert document.place(("b", 1, "d", 0)) == Place("f", 4, 16)
    assert document.written(("b", 1, "d", 0)) == "0x10"
    # What is not there is placed where it would have been.
    assert document.place(("b", 7, "x")) == Place("f", 2 + 1, 3)
    with pytest.raises(KeyError):
        document.written(("b",))


def test_a_text_can_begin_further_down_its_file() -> None:
    document = parse_text("a: 1\nb: 2", "f", first_line=10)
    assert document.place(("b",)) == Place("f", 11, 4)
    assert str(refused(lambda: parse_text("a: 1\na: 2", "f", first_line=10))) == "f:11:1: `a` is given twice"
    assert str(refused(lambda: parse_text("a: 1\n b: @", "f", first_line=10))).startswith("f:11:3: ")


# Text that YAML 1.1 (which safe_dump writes) and 1.2 read in two ways.
_AMBIGUOUS = re.compile(r"0o?[0-7]+|[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_TEXTS = st.text(st.characters(codec="utf-8"), max_size=20).filter(
    lambda text: "\0" not in text and not _AMBIGUOUS.fullmatch(text)
)


def _trees(floats: st.SearchStrategy[float]) -> st.SearchStrategy[Any]:
    """Data as JSON has it."""
    return st.recursive(
        st.none() | st.booleans() | st.integers(-(10**30), 10**30) | floats | _TEXTS,
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_TEXTS, inner, max_size=4),
        max_leaves=20,
    )


class _NoAliases(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        return True


@given(_trees(st.floats(allow_nan=False)), st.booleans())
def test_what_yaml_writes_is_read_back(data: Any, flow: bool) -> None:
    text = yaml.dump(data, Dumper=_NoAliases, default_flow_style=flow)
    assert parse_text(text, "f").data == data


@given(_trees(st.floats(allow_nan=False, allow_infinity=False)))
def test_json_is_yaml(data: Any) -> None:
    text = json.dumps(data)
    # JSON writes what lies above U+FFFF as two escapes, which YAML does not know.
    if not re.search(r"\\ud[89ab]", text):
        assert parse_text(text, "f").data == data


@given(st.binary(max_size=200) | st.text(max_size=100).map(lambda text: text.encode("utf-8", "replace")))
def test_random_bytes_raise_nothing_else(data: bytes) -> None:
    try:
        parse(data, "f")
    except OrchestraError as error:
        assert error.hint
        assert error.place is not None


_YAML_LIKE = st.lists(
    st.sampled_from(
        [*"[]{}:,-?&*!|>'\"%@`#~\n\t \\a1.", "---\n", "...\n", ": ", "- ", "\\u", "<<", "!!int "]
    ),
    max_size=40,
).map("".join)


@given(_YAML_LIKE)
def test_yaml_like_noise_raises_nothing_else_and_never_lies_outside_the_text(text: str) -> None:
    try:
        parse_text(text, "f")
    except OrchestraError as error:
        assert error.hint
        assert error.place is not None
        assert 1 <= error.place.line <= text.count("\n") + 2


def test_without_the_c_library_the_same_is_read() -> None:
    """PyYAML can be built without libyaml; then its own parser serves, with the same places."""
    program = """
import sys
sys.modules["yaml._yaml"] = None
import yaml
from orchestra.manifest.document import parse
from orchestra.model.errors import OrchestraError
assert not yaml.__with_libyaml__
document = parse(b"a:\\n  - {b: 0x10}\\n", "f")
print(document.data, document.place(("a", 0, "b")))
for text in (b"a: 1\\na: 2", b"a: *x", b'a: "\\\\ud800"', b'a: "\\\\UFFFFFFFF"', b"%YAML 1.1\\n---\\na",
             b"[" * 50, b"a: b: c", b"a: !x 1", b"%YAML 1." + b"9" * 5000 + b"\\n---\\na"):
    try:
        print(parse(text, "f").data)
    except OrchestraError as error:
        print(error if error.place.line else f"{error.place}: no place")
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [
        "{'a': [{'b': 16}]} f:2:9",
        "f:2:1: `a` is given twice",
        "f:1:4: the alias `*x` is not accepted here",
        "f:1:4: an escape that stands for NUL or for half a character",
        "f: no place",
        "f:1:1: a `%` directive is not accepted: the file is read as YAML 1.2",
        "f:1:33: more than 32 levels of nesting",
        "f:1:5: not valid YAML: mapping values are not allowed here",
        "f:1:4: the tag `!x` is not accepted here",
        "f: no place",
    ]
