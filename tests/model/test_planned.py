"""What a build tells of its tasks before it starts: all needs, and no edge that others imply."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from orchestra.model.graph import Edge, EdgeKind, build_graph
from orchestra.model.planned import MOST, Before, planned
from tests.model.kit import NAMES, numbered, task

PATHS = ("a", "b", "src/**", "src/x", "docs")


@st.composite
def graphs(draw: st.DrawFn) -> object:
    """Graphs of tasks that need earlier ones, and write and read the same few places."""
    tasks = []
    for at, name in enumerate(NAMES):
        needs = tuple(draw(st.lists(st.sampled_from(NAMES[:at]), unique=True, max_size=3))) if at else ()
        write = draw(st.none() | st.lists(st.sampled_from(PATHS), max_size=2).map(tuple))
        read = tuple(draw(st.lists(st.sampled_from(PATHS), max_size=2)))
        tasks.append(task(name, write=write, read=read if write is not None else (), needs=needs))
    return build_graph(numbered(*tasks))


def reached(edges: set[tuple[str, str]]) -> set[tuple[str, str]]:
    """All pairs that edges order, directly or not: the slow way."""
    while True:
        more = {(a, d) for a, b in edges for c, d in edges if b == c} - edges
        if not more:
            return edges
        edges |= more


@given(graphs())
def test_direct_edges_order_the_same_and_none_of_them_follows_from_others(graph: object) -> None:
    every = {(edge.first, edge.then) for edge in graph.edges}  # type: ignore[attr-defined]
    direct = [edge for name in NAMES for edge in graph.direct(name)]  # type: ignore[attr-defined]
    assert reached({(edge.first, edge.then) for edge in direct}) == reached(set(every))
    needs = {edge for edge in graph.edges if edge.kind is EdgeKind.NEED}  # type: ignore[attr-defined]
    assert needs <= set(direct)
    assert len({(edge.first, edge.then) for edge in direct}) == len(direct)
    for edge in direct:
        if edge.kind is not EdgeKind.NEED:
            others = every - {(edge.first, edge.then)}
            assert (edge.first, edge.then) not in reached(set(others))


def test_a_plan_tells_titles_claims_and_edges_among_the_selected() -> None:
    tasks = numbered(
        task("a", write=("src/a.py",), read=("docs/**",)),
        task("b", write=tuple(f"f{n}" for n in range(MOST + 5)), needs=("a",), priority=3),
        task("c", write=("src/**",), needs=("b",)),
    )
    graph = build_graph(tasks)
    a, b, c = planned(graph, ("a", "b", "c"))
    assert (a.task, a.title, a.before, a.write, a.read) == ("a", "Do a.", (), ("src/a.py",), ("docs/**",))
    assert b.before == (Before("a", EdgeKind.NEED),) and b.priority == 3 and len(b.write or ()) == MOST
    # That they write the same follows from what they need.
    assert c.before == (Before("b", EdgeKind.NEED),)
    (only,) = planned(graph, ("c",))
    assert only.before == ()
    assert Edge("a", "b", EdgeKind.NEED) in graph.edges
