"""A plan for Graphviz: it parses whatever tasks are called, and says what the plan says."""

from __future__ import annotations

import html
import re
from dataclasses import dataclass

from hypothesis import given

from orchestra.model.graph import Graph, build_graph
from orchestra.model.text import clean
from orchestra.reporting.dot import plan_dot
from orchestra.reporting.outlook import Action, Outlook, Prospect
from orchestra.reporting.plan import dropped, overlaps
from tests.model.kit import task as kit_task

from .foreseen import outlook_of
from .samples import raw_characters, task, unhurried
from .stories import C0
from .test_plan import TASKS, outlooks

# The grammar of https://graphviz.org/doc/info/lang.html, as far as it is used: in a quoted string the only
# escape is that of the quote; what else a backslash means is left to the attribute.
ID = r'(?:[A-Za-z_][A-Za-z_0-9]*|-?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)|"(?:[^"\\]|\\.)*")'
ATTRIBUTES = rf"\[(?P<attributes>{ID}={ID}(?:, {ID}={ID})*)\]"
STATEMENT = re.compile(rf"  (?P<first>{ID})(?: -> (?P<then>{ID}))? {ATTRIBUTES};", re.DOTALL)
SETTING = re.compile(rf"  {ID}={ID};")


@dataclass(frozen=True)
class Parsed:
    """The nodes and edges of a picture with their attributes."""

    nodes: dict[str, dict[str, str]]
    edges: list[tuple[str, str, dict[str, str]]]


def parse(text: str) -> Parsed:
    """Read a picture; fails on whatever the grammar does not allow."""
    lines = text.split("\n")
    assert (lines[0], lines[-1]) == ("digraph plan {", "}")
    parsed = Parsed({}, [])
    for line in lines[1:-1]:
        if SETTING.fullmatch(line):
            continue
        found = STATEMENT.fullmatch(line)
        assert found, line
        pairs = re.findall(rf"({ID})=({ID})", found["attributes"])
        attributes = {name: shown(value) for name, value in pairs}
        if found["then"]:
            assert {found["first"], found["then"]} <= set(parsed.nodes), "an edge before its nodes"
            parsed.edges.append((found["first"], found["then"], attributes))
        elif found["first"] not in ("node", "edge"):
            parsed.nodes[found["first"]] = attributes
    return parsed


def shown(value: str) -> str:
    """What Graphviz shows for a value: escapes of strings, then those of labels, then entities."""
    if not value.startswith('"'):
        return value
    inner = value[1:-1].replace('\\"', '"')
    assert not re.search(r"\\[^\\]", inner.replace("\\\\", "")), "a label's own escape"
    return html.unescape(inner.replace("\\\\", "\\"))


def test_nodes_say_what_becomes_of_them_and_edges_why() -> None:
    outlook, graph = outlook_of(*TASKS, jobs=4, built=("docs",))
    picture = parse(plan_dot(outlook, graph))
    labels = {node: attributes["label"] for node, attributes in picture.nodes.items()}
    assert list(labels.values()) == list(graph.order)
    looks = {attributes["label"]: attributes for attributes in picture.nodes.values()}
    assert looks["docs"]["tooltip"] == "fresh"
    assert looks["tokens"]["tooltip"] == "row 1, run"
    assert looks["docs"]["fillcolor"] != looks["tokens"]["fillcolor"]
    edges = [(labels[first], labels[then], how["label"]) for first, then, how in picture.edges]
    assert edges == [
        ("tokens", "parser", "needs"),
        ("tokens", "parser", "write-read"),
        ("index", "lib", "write-read"),
        ("docs", "index", "write-write"),
        ("lib", "index", "dropped"),
    ]
    *_, last = picture.edges
    assert last[2]["constraint"] == "false"
    assert last[2]["tooltip"] == "lib/a.py meets lib/** (write-read) would close a circle"


def test_kinds_of_edges_and_fates_look_different() -> None:
    tasks = (
        task("a", 0, write=("x",), shared=("LOG",)),
        task("b", 1, write=("x",)),
        task("c", 2, write=("y",), read=("x",)),
        task("d", 3, write=("z",), shared=("LOG",)),
        task("e", 4, write=("w",), needs=("d",)),
    )
    graph = build_graph(tasks)
    actions = (Action.RUN, Action.MAYBE, Action.REPLAY, Action.FRESH, Action.REVERTED)
    outlook = Outlook(C0, None, 1, tuple(Prospect(t.name, a) for t, a in zip(tasks, actions, strict=True)))
    picture = parse(plan_dot(outlook, graph))
    assert len({(how["style"], how["fillcolor"]) for how in picture.nodes.values()}) == len(actions)
    by_kind = {how["label"]: (how["style"], how.get("color")) for _, _, how in picture.edges}
    assert set(by_kind) == {"needs", "write-read", "write-write", "shared"}
    assert len(set(by_kind.values())) == 4


def test_names_are_no_syntax() -> None:
    names = ('"];evil [', "back\\slash\\N", "&lt;b&gt;", "new\nline", "\x1b[31mred", "ends in \\", "{a|b}")
    graph = build_graph(tuple(task(name, n, write=(f"f{n}",)) for n, name in enumerate(names)))
    outlook = Outlook(C0, "main", 1, tuple(Prospect(name, Action.FRESH) for name in names))
    picture = parse(plan_dot(outlook, graph))
    assert [how["label"] for how in picture.nodes.values()] == [clean(name) for name in names]


def test_edges_that_others_imply_are_left_out() -> None:
    same = tuple(kit_task(f"t{n}", n, write=("LOG",)) for n in range(6))
    picture = parse(plan_dot(*outlook_of(*same)))
    assert [(first, then) for first, then, _ in picture.edges] == [(f"n{n}", f"n{n + 1}") for n in range(5)]


@unhurried
@given(outlooks())
def test_anything_parses_with_every_task_and_every_edge(foreseen: tuple[Outlook, Graph]) -> None:
    outlook, graph = foreseen
    text = plan_dot(outlook, graph)
    assert raw_characters(text, False) == []
    picture = parse(text)
    assert [how["label"] for how in picture.nodes.values()] == [clean(name) for name in graph.order]
    said = sum(not overlap.implied for overlap in overlaps(outlook, graph))
    assert len(picture.edges) == said + len(dropped(outlook, graph))
