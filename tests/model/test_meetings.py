"""What an edge stands on is what the graph was built by; what is implied, and the longest chain, by brute force."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from orchestra.model.graph import Edge, EdgeKind, Graph, build_graph
from orchestra.model.meetings import Meeting, implied, longest_chain, meetings
from orchestra.model.tasks import Inferred, Task

from .kit import PATTERNS, task, task_sets
from .naive_graph import matched

SETTINGS = settings(max_examples=200, deadline=None)


@st.composite
def sharing(draw: st.DrawFn) -> tuple[Task, ...]:
    """Tasks of every kind, of which some share what they write and some are known by inference only."""
    some = st.lists(st.sampled_from(PATTERNS), max_size=2, unique=True).map(tuple)
    tasks: list[Task] = []
    for one in draw(task_sets()):
        claims = one.claims
        if claims.write and draw(st.booleans()):
            shared = draw(some)
            write = tuple(text for text in claims.write if text not in shared)
            claims = replace(claims, write=write, shared=shared)
        elif claims.write is None and one.prompt and draw(st.booleans()):
            found = [Inferred(text, "write", 1, "named") for text in draw(some)]
            found += [Inferred(text, "read", 1, "named") for text in draw(some)]
            claims = replace(claims, inferred=tuple(found))
        tasks.append(replace(one, claims=claims))
    return tuple(tasks)


@SETTINGS
@given(sharing())
def test_every_edge_stands_on_patterns_that_meet(tasks: tuple[Task, ...]) -> None:
    graph = build_graph(tasks)
    for edge in (*graph.edges, *graph.dropped):
        first, then = graph.task(edge.first), graph.task(edge.then)
        found = meetings(edge, graph)
        assert len(set(found)) == len(found)
        for meeting in found:
            if meeting.first is None:
                assert first.claims.write is None and "**" in then.claims.read
            else:
                assert matched(meeting.first) & matched(meeting.then)
        if not found:
            alone = first.claims.exclusive or then.claims.exclusive
            assert edge.kind is EdgeKind.NEED or (edge.kind is EdgeKind.WRITE and alone)


def test_the_patterns_of_an_edge_are_those_that_meet_and_no_others() -> None:
    one = task("one", 0, write=("src/*.py", "docs/a.md"), shared=("LOG",))
    other = task("other", 1, write=("LOG",), read=("src/a.py", "docs/**", "lib/**"), shared=("src/b.py",))
    graph = build_graph((one, other))
    (read,) = [edge for edge in graph.edges if edge.kind is EdgeKind.READ]
    assert meetings(read, graph) == (Meeting("src/*.py", "src/a.py"), Meeting("docs/a.md", "docs/**"))
    # No edge of the graph, since reading orders them already; what would it stand on?
    write = Edge("one", "other", EdgeKind.WRITE)
    assert meetings(write, graph) == (Meeting("src/*.py", "src/b.py"), Meeting("LOG", "LOG"))


def test_inferred_patterns_count_as_they_do_in_the_graph() -> None:
    found = (Inferred("a.py", "write", 3, "named"), Inferred("b.py", "read", 4, "named"))
    graph = build_graph((task("one", 0, inferred=found), task("two", 1, write=("a.py",))))
    (edge,) = graph.edges
    assert (edge.kind, meetings(edge, graph)) == (EdgeKind.WRITE, (Meeting("a.py", "a.py"),))


def test_whoever_reads_everything_meets_what_nobody_claimed() -> None:
    graph = build_graph((task("one", 0), task("all", 1, write=(), read=("**",))))
    (edge,) = graph.edges
    assert meetings(edge, graph) == (Meeting(None, "**"),)


def leads(edges: set[Edge], first: str, then: str) -> bool:
    """Whether a way along the edges leads from one task to another."""
    return any(edge.then == then or leads(edges, edge.then, then) for edge in edges if edge.first == first)


@SETTINGS
@given(sharing())
def test_without_the_implied_edges_everything_is_ordered_as_before(tasks: tuple[Task, ...]) -> None:
    graph = build_graph(tasks)
    edges = set(graph.edges)
    left_out = implied(graph.edges, graph.order)
    assert left_out <= edges
    assert not any(edge.kind is EdgeKind.NEED for edge in left_out)
    strong = {edge for edge in edges if edge.kind is not EdgeKind.SHARE}
    kept = edges - left_out
    for edge in left_out:
        through = kept if edge.kind is EdgeKind.SHARE else kept & strong
        assert leads(through, edge.first, edge.then), "not implied at all"
    for edge in kept:
        around = (edges if edge.kind is EdgeKind.SHARE else strong) - {edge}
        detours = [one for one in around if one.first == edge.first and one.then != edge.then]
        if edge.kind is not EdgeKind.NEED:
            assert not any(leads(around, one.then, edge.then) for one in detours), "implied after all"


def ends(graph: Graph, counted: frozenset[str], name: str) -> int:
    """When a task has landed if each of the counted takes one, told once more."""
    incoming = graph.incoming(name)
    starts = max((ends(graph, counted, e.first) for e in incoming if e.kind is not EdgeKind.SHARE), default=0)
    landings = [ends(graph, counted, e.first) for e in incoming if e.kind is EdgeKind.SHARE]
    return max([starts + (name in counted), *landings])


@SETTINGS
@given(sharing(), st.data())
def test_no_chain_is_longer_than_the_longest(tasks: tuple[Task, ...], data: st.DataObject) -> None:
    graph = build_graph(tasks)
    counted = frozenset(data.draw(st.lists(st.sampled_from(graph.order), unique=True)))
    chain = longest_chain(graph, counted)
    assert set(chain) <= counted and len(set(chain)) == len(chain)
    for first, then in pairwise(chain):
        assert then in graph.after(first)
    assert len(chain) == max(ends(graph, counted, name) for name in graph.order)


def test_who_shares_does_not_wait_but_its_dependents_do() -> None:
    slow = task("slow", 0, write=("a",), shared=("LOG",), needs=("first",))
    quick = task("quick", 1, write=("b",), shared=("LOG",))
    graph = build_graph(
        (slow, quick, task("then", 2, write=("c",), needs=("quick",)), task("first", 3, write=("d",)))
    )
    everyone = frozenset(graph.tasks)
    assert longest_chain(graph, everyone) == ("first", "slow", "then")
    assert longest_chain(graph, everyone - {"first"}) == ("quick", "then")
    assert longest_chain(graph, frozenset()) == ()


def test_landings_that_are_only_ordered_imply_no_start() -> None:
    tasks = (
        task("one", 0, write=("a",), shared=("LOG",)),
        task("two", 1, write=("b",), shared=("LOG",)),
        task("three", 2, write=("a",), needs=("two",)),
    )
    graph = build_graph(tasks)
    assert {(e.first, e.then, e.kind) for e in graph.edges} == {
        ("one", "two", EdgeKind.SHARE),
        ("two", "three", EdgeKind.NEED),
        ("one", "three", EdgeKind.WRITE),
    }
    assert implied(graph.edges, graph.order) == frozenset()
