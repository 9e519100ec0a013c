"""Values to test with: every kind of event from its own type annotations, and texts as foreign as they come."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from functools import cache
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy
from jsonschema import Draft202012Validator

from orchestra.model.events import BuildFinished, BuildStarted, Event
from orchestra.model.freshness import Note
from orchestra.model.graph import Graph, build_graph
from orchestra.model.tasks import Claims, Inferred, Manifest, Prompt, Task
from orchestra.model.watch_events import ChangeSeen, WatchStarted, WatchStopped, WatchTrouble, WatchWaiting

unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""For a machine that others keep busy: slow is not wrong."""

SCHEMAS = Path(__file__).parents[2] / "schema"

NASTY = (
    "\x1b[31m",
    "\x1b]0;title\x07",
    "\r",
    "\n",
    "\t",
    "\x9b2J",
    "\u202e",
    "\udc80",
    "\x00",
    "\x7f",
    "\x1b",
)
HEX = "0123456789abcdef" * 3


def texts() -> SearchStrategy[str]:
    """Any text: lone surrogates, control characters and terminal sequences included."""
    piece = st.one_of(st.sampled_from(NASTY), st.text(st.characters(), max_size=8))
    return st.lists(piece, max_size=4).map("".join)


def identities() -> SearchStrategy[str]:
    """A commit or a digest, or what ought to be one."""
    return st.one_of(st.text("0123456789abcdef", min_size=40, max_size=40), texts())


def _names() -> SearchStrategy[str]:
    # A few names, so that events of one sequence speak of the same tasks.
    return st.one_of(st.sampled_from(["alpha", "beta", "be ta", "\x1b[2Jgamma\n", "x" * 90]), texts())


BY_FIELD: Mapping[str, SearchStrategy[Any]] = {
    "task": _names(),
    "because": _names(),
    "attempt": st.sampled_from(["a1", "a2"]),
    "commit": identities(),
    "old": identities(),
    "new": identities(),
    "tip": identities(),
}


def values(annotation: Any, field: str = "") -> SearchStrategy[Any]:
    """Any value of a type of the model; fields that name things draw from a few names."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin in (Union, UnionType):
        present = [values(item, field) for item in arguments if item is not NoneType]
        return st.one_of(st.none(), *present) if NoneType in arguments else st.one_of(present)
    if origin is Literal:
        return st.sampled_from(arguments)
    if origin is tuple:
        return st.lists(values(arguments[0], "task" if field == "tasks" else ""), max_size=4).map(tuple)
    if origin is frozenset:
        return st.frozensets(values(arguments[0]), max_size=3)
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return st.dictionaries(values(arguments[0], "task"), values(arguments[1]), max_size=4)
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return st.sampled_from(list(annotation))
    if is_dataclass(annotation) and isinstance(annotation, type):
        return instances(annotation)
    plain: Mapping[Any, Callable[[], SearchStrategy[Any]]] = {
        str: lambda: BY_FIELD.get(field, texts()),
        bool: st.booleans,
        int: lambda: st.integers(0, 10**7),
        float: lambda: st.floats(0, 1e9, allow_nan=False),
    }
    return plain[annotation]()


@cache
def instances(of: Any) -> SearchStrategy[Any]:
    """Any instance of a dataclass of the model; made once a type, since to read annotations takes time."""
    hints = get_type_hints(of)
    given = {item.name: values(hints[item.name], item.name) for item in fields(of)}
    if of is Note:
        given["kind"] = st.sampled_from(["drifted", "superseded"])
    return st.builds(of, **given)


WATCH: tuple[type[Event], ...] = (WatchStarted, ChangeSeen, WatchTrouble, WatchWaiting, WatchStopped)
"""What a watch tells between its builds."""


def kinds() -> tuple[type[Event], ...]:
    """Every kind of event in the code."""
    # A dataclass with slots is made twice; the first one, without, may still be listed.
    return tuple(kind for kind in Event.__subclasses__() if "__slots__" in vars(kind))


def events() -> SearchStrategy[Event]:
    """Any event of any kind."""
    every: tuple[Any, ...] = kinds()
    return st.one_of([instances(kind) for kind in every])


def histories() -> SearchStrategy[list[Event]]:
    """Events in any order, sensible or not, now and then with a beginning and an end."""
    middle = st.lists(events(), max_size=12)
    whole = st.tuples(instances(BuildStarted), middle, instances(BuildFinished))
    return st.one_of(middle, whole.map(lambda parts: [parts[0], *parts[1], parts[2]]))


_COLORS = re.compile(r"\x1b\[(?:31|32|33|2|0)m")
_RAW = re.compile(
    r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]", re.DOTALL
)


def raw_characters(text: str, color: bool) -> list[str]:
    """What must never reach a terminal; our own colours do not count where they were asked for."""
    return _RAW.findall(_COLORS.sub("", text) if color else text)


def schema(name: str) -> dict[str, Any]:
    """One of the schemas."""
    content: dict[str, Any] = json.loads((SCHEMAS / f"{name}.schema.json").read_text())
    return content


def validator(name: str) -> Draft202012Validator:
    """A validator for one of the schemas."""
    return Draft202012Validator(schema(name))


def undescribed(node: object, where: str = "") -> list[str]:
    """The properties and definitions of a schema that say nothing about what they are."""
    missing: list[str] = []
    if isinstance(node, dict):
        for group in ("properties", "$defs"):
            for name, item in node.get(group, {}).items():
                if not item.get("description"):
                    missing.append(f"{where}/{group}/{name}")
        for name, item in node.items():
            missing += undescribed(item, f"{where}/{name}")
    elif isinstance(node, list):
        for number, item in enumerate(node):
            missing += undescribed(item, f"{where}/{number}")
    return missing


def open_objects(node: object, where: str = "") -> list[str]:
    """The objects of a schema that let unknown keys pass."""
    found: list[str] = []
    if isinstance(node, dict):
        if (
            "properties" in node
            and node.get("type") == "object"
            and node.get("additionalProperties") is not False
        ):
            found.append(where or "/")
        for name, item in node.items():
            found += open_objects(item, f"{where}/{name}")
    return found


def task(
    name: str,
    index: int = 0,
    *,
    write: tuple[str, ...] | None = None,
    read: tuple[str, ...] = (),
    needs: tuple[str, ...] = (),
    run: str | None = None,
    exclusive: bool = False,
    shared: tuple[str, ...] = (),
    inferred: tuple[Inferred, ...] = (),
) -> Task:
    """A task with little said about it."""
    return Task(
        name,
        index,
        Claims(
            write=write,
            read=read,
            shared=shared,
            exclusive=exclusive,
            declared=write is not None,
            inferred=inferred,
        ),
        prompt=None if run else Prompt(f"prompts/{name}.md", "Do it.", "Do it"),
        run=run,
        needs=needs,
    )


def manifest(*tasks: Task) -> Manifest:
    """A manifest of these tasks."""
    return Manifest(tasks, agents={})


def graph(*tasks: Task) -> Graph:
    """The graph of these tasks."""
    return build_graph(tasks)
