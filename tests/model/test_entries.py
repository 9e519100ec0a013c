"""A lock entry is the same after it was written and read, and what is none is told with its place."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import TypeVar

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from orchestra.model.entries import LockEntry, lock_path, lock_paths, parse, render, task_of
from orchestra.model.errors import ExitStatus, OrchestraError
from orchestra.model.keys import Parts
from orchestra.model.trees import Tree

T = TypeVar("T")

# As git gives them: bytes that are no UTF-8 come as halves of surrogate pairs.
PATHS = (
    st.binary(min_size=1, max_size=8)
    .filter(lambda b: b"\0" not in b)
    .map(lambda b: b.decode("utf-8", "surrogateescape"))
)
IDS = st.sampled_from(["0" * 40, "a1" * 20, "f" * 64])
STATES = st.builds(
    lambda mode, object_id: f"{mode} {object_id}", st.sampled_from(["100644", "100755", "120000"]), IDS
)
TEXTS = st.text(max_size=8)
ENTRIES = st.builds(
    LockEntry,
    st.just("task"),
    st.builds(
        Parts,
        st.dictionaries(TEXTS, TEXTS, max_size=3),
        st.dictionaries(PATHS, STATES, max_size=3),
        st.dictionaries(TEXTS, TEXTS, max_size=3),
    ),
    st.dictionaries(PATHS, st.one_of(st.none(), STATES), max_size=3),
    st.frozensets(PATHS, max_size=3),
    st.dictionaries(PATHS, STATES, max_size=2),
    st.frozensets(PATHS, max_size=2),
)


@given(ENTRIES)
@settings(deadline=None)
@example(
    LockEntry(
        "task", Parts({}), {"\udcff": None, "\U0001f600\udc80": "100644 " + "0" * 40}, frozenset({"\udcff"})
    )
)
def test_an_entry_comes_back_as_it_was(entry: LockEntry) -> None:
    content = render(entry)
    assert parse("task", content) == entry
    assert render(parse("task", content)) == content
    assert content.isascii() and content.endswith(b"}\n")


def turned_round(mapping: Mapping[str, T]) -> dict[str, T]:
    return dict(reversed(list(mapping.items())))


@given(ENTRIES)
@settings(deadline=None)
def test_an_entry_is_the_same_text_in_whatever_order_it_was_made(entry: LockEntry) -> None:
    was = entry.parts
    turned = LockEntry(
        entry.task,
        Parts(turned_round(was.definition), turned_round(was.inputs), turned_round(was.needs)),
        turned_round(entry.outputs),
        frozenset(sorted(entry.created, reverse=True)),
        turned_round(entry.rewrites),
        frozenset(sorted(entry.observed, reverse=True)),
    )  # fmt: skip
    assert render(turned) == render(entry)
    assert turned.key == entry.key and turned.outputs_digest() == entry.outputs_digest()


def test_a_path_a_line_so_that_diffs_are_small() -> None:
    state = "100644 " + "a" * 40
    entry = LockEntry("t", Parts({}), {f"src/{n}": state for n in range(20)}, frozenset())
    changed = replace(entry, outputs={**entry.outputs, "src/7": None})
    lines, others = render(entry).splitlines(), render(changed).splitlines()
    assert sum(one != other for one, other in zip(lines, others, strict=True)) == 1


GOOD = render(
    LockEntry(
        "t",
        Parts({"prompt": "1"}, {"src/a": "100644 " + "a" * 40}, {"u": "2"}),
        {"out": "100644 " + "b" * 40, "gone": None},
        frozenset({"out"}),
    )
)


def refused(content: bytes) -> OrchestraError:
    with pytest.raises(OrchestraError) as caught:
        parse("t", content)
    error = caught.value
    assert error.status is ExitStatus.USAGE and error.hint
    assert error.place is not None and error.place.file == ".orchestra/lock/t.json"
    return error


def test_a_bad_merge_is_told_with_its_line_and_the_way_out() -> None:
    lines = GOOD.splitlines(keepends=True)
    both = b"".join(
        [*lines[:3], b"<<<<<<< HEAD\n", *lines[3:5], b"=======\n", b">>>>>>> other\n", *lines[5:]]
    )
    error = refused(both)
    assert str(error) == ".orchestra/lock/t.json:4:1: the lock entry holds conflict markers"
    assert "git rm .orchestra/lock/t.json" in (error.hint or "")


def test_what_is_not_json_is_told_with_its_line() -> None:
    error = refused(GOOD.replace(b'"out"', b'"out'))
    assert error.place is not None and error.place.line > 1
    assert "is not JSON" in error.message


def test_an_entry_of_a_later_version_is_not_guessed_at() -> None:
    error = refused(GOOD.replace(b'"version": 1', b'"version": 2'))
    assert "version 2" in error.message and error.hint == "upgrade orchestra"


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("definition", None), ("definition", ["x"]), ("definition", {"prompt": 1}), ("inputs", {"a": "100644"}),
        ("inputs", {"a": None}), ("inputs", {"a": "100644 " + "A" * 40}), ("needs", {"u": None}), ("outputs", {"a": 1}),
        ("outputs", {"a": "100644 " + "a" * 40 + "\n"}), ("outputs", "x"), ("created", "out"), ("created", {"out": 1}),
        ("created", [1]), ("created", None), ("rewrites", {"a": None}), ("rewrites", []), ("version", "1"),
    ],
)  # fmt: skip
def test_what_is_no_entry_is_refused(key: str, value: object) -> None:
    refused(json.dumps({**json.loads(GOOD), key: value}).encode())


@pytest.mark.parametrize(
    "key", ["version", "definition", "inputs", "needs", "outputs", "created", "rewrites"]
)
def test_an_entry_with_a_part_missing_is_refused(key: str) -> None:
    refused(json.dumps({name: value for name, value in json.loads(GOOD).items() if name != key}).encode())


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"null", b"1", b"\xff\xfe", b"[" * 100_000, b"9" * 10_000, b'"\xff"']
)
def test_rubbish_is_refused(content: bytes) -> None:
    refused(content)


VALUES = st.recursive(
    st.none() | st.integers() | st.text(max_size=3),
    lambda inner: st.dictionaries(
        st.sampled_from(["version", "inputs", "outputs", "created"]), inner, max_size=3
    ),
    max_leaves=6,
)


@given(st.binary(max_size=40) | VALUES.map(lambda value: json.dumps(value).encode()))
@settings(deadline=None)
def test_anything_is_an_entry_or_refused(content: bytes) -> None:
    try:
        parse("t", content)
    except OrchestraError as error:
        assert error.place is not None


def test_entries_lie_where_their_tasks_are_named() -> None:
    tree = Tree(
        "c",
        {
            ".orchestra/lock/a.json": "",
            ".orchestra/lock/b.txt": "",
            ".orchestra/other.json": "",
            "a.json": "",
        },
    )
    assert lock_paths(tree) == (lock_path("a"),)
    assert task_of(lock_path("some-task")) == "some-task"
