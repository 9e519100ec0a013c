"""The graph of tasks has the edges that section 6 asks for, no circle, and names circles of needs."""

from __future__ import annotations

import time
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestra.model.errors import ExitStatus, OrchestraError
from orchestra.model.graph import EdgeKind, Graph, build_graph
from orchestra.model.overlap import ClaimIndex
from orchestra.model.tasks import Access, Inferred, Task

from .claim_sets import claim_sets
from .kit import PATTERNS, numbered, task
from .naive_graph import NaiveGraph, meet, reads_after, share, write_alike


def pairs(graph: Graph, kind: EdgeKind) -> set[tuple[str, str]]:
    return {(edge.first, edge.then) for edge in graph.edges if edge.kind is kind}


@settings(max_examples=200, deadline=None)
@given(claim_sets())
def test_edges_are_those_of_the_design(tasks: tuple[Task, ...]) -> None:
    graph, naive = build_graph(tasks), NaiveGraph(tasks)
    assert pairs(graph, EdgeKind.NEED) == naive.needs
    assert pairs(graph, EdgeKind.READ) == naive.reads
    assert {(edge.first, edge.then) for edge in graph.dropped} == naive.dropped
    assert {edge.kind for edge in graph.dropped} <= {EdgeKind.READ}
    assert pairs(graph, EdgeKind.WRITE) == naive.writes
    assert pairs(graph, EdgeKind.SHARE) == naive.shares
    names = [each.name for each in tasks]
    assert list(graph.order) == naive.order(names)
    for name in names:
        assert graph.after(name) == {other for other in names if naive.leads(name, other)}
        assert graph.before(name) == {other for other in names if naive.leads(other, name)}
        assert {edge.first for edge in graph.incoming(name)} == {f for f, then in naive.edges if then == name}
        assert graph.tail(name) == naive.longest(name)


@settings(max_examples=200, deadline=None)
@given(claim_sets())
def test_what_follows_from_the_edges(tasks: tuple[Task, ...]) -> None:
    """The promises that the rest of the program builds on, whatever the edges are."""
    graph = build_graph(tasks)
    rank = {name: place for place, name in enumerate(graph.order)}
    assert sorted(rank) == sorted(each.name for each in tasks)
    for edge in graph.edges:
        assert rank[edge.first] < rank[edge.then]
    for name in graph.tasks:
        assert name not in graph.after(name), "a circle"
    for edge in graph.dropped:
        assert edge.first in graph.after(edge.then), "it closes no circle"
    for at, one in enumerate(tasks):
        for other in tasks[at + 1 :]:
            ordered = other.name in graph.after(one.name) or one.name in graph.after(other.name)
            assert ordered or not write_alike(one, other), "two writers of one file may run at once"
            assert ordered or not share(one, other), (
                "which of two that share lands first depends on the clock"
            )


@given(claim_sets(circles=True))
@settings(max_examples=150, deadline=None)
def test_circles_of_needs_are_named(tasks: tuple[Task, ...]) -> None:
    circular = NaiveGraph(tasks).circle
    try:
        build_graph(tasks)
    except OrchestraError as error:
        assert circular
        assert error.status is ExitStatus.USAGE and error.hint
        names = error.message.split(": ")[1].split(" → ")
        assert names[0] == names[-1] and len(set(names)) == len(names) - 1
        by_name = {each.name: each for each in tasks}
        for name, need in pairwise(names):
            assert need in by_name[name].needs
        assert error.hint.startswith(f"take `{names[1]}` out of the needs of `{names[0]}`")
    else:
        assert not circular


def test_a_circle_behind_many_ways_is_found_soon() -> None:
    """Each level is reached in two ways: who went them all would not come back."""
    tasks = []
    for level in range(40):
        below = (f"top{level + 1}",)
        tasks += [
            task(f"top{level}", needs=(f"left{level}", f"right{level}")),
            task(f"left{level}", needs=below),
            task(f"right{level}", needs=below),
        ]
    tasks += [task("top40", needs=("x",)), task("x", needs=("y",)), task("y", needs=("x",))]
    began = time.process_time()
    with pytest.raises(OrchestraError, match="x → y → x"):
        build_graph(numbered(*tasks))
    assert time.process_time() - began < 1


@settings(max_examples=200, deadline=None)
@given(claim_sets())
def test_the_index_finds_the_pairs_that_brute_force_finds(tasks: tuple[Task, ...]) -> None:
    index = ClaimIndex(tasks)
    numbers = range(len(tasks))
    readers = [(w, r) for w in numbers for r in numbers if w != r and reads_after(tasks[r], tasks[w])]
    writers = [(o, t) for o in numbers for t in numbers if o < t and write_alike(tasks[o], tasks[t])]
    assert list(index.writers_and_readers()) == readers
    assert list(index.writers_and_writers()) == writers
    sharers = [(o, t) for o in numbers for t in numbers if o < t and share(tasks[o], tasks[t])]
    assert list(index.sharers()) == sharers


@given(st.sampled_from(PATTERNS), st.sampled_from(PATTERNS))
def test_the_index_agrees_with_the_patterns_on_every_pair(one: str, other: str) -> None:
    tasks = numbered(task("x", write=(one,)), task("y", write=(), read=(other,)))
    assert bool(list(ClaimIndex(tasks).writers_and_readers())) is meet((one,), (other,))


# --- by name -------------------------------------------------------------------------------------------------


def graph_of(*tasks: Task) -> Graph:
    return build_graph(numbered(*tasks))


def edges_of(graph: Graph) -> set[str]:
    return {f"{edge.first} {edge.kind} {edge.then}" for edge in graph.edges}


def test_writers_go_before_readers_also_against_manifest_order() -> None:
    graph = graph_of(task("reader", write=("out",), read=("src/**",)), task("writer", write=("src/a",)))
    assert edges_of(graph) == {"writer write-read reader"}
    assert graph.order == ("writer", "reader")


def test_writers_of_one_file_go_in_manifest_order() -> None:
    graph = graph_of(*(task(name, write=("src/*",)) for name in ("c", "a", "b")))
    assert graph.order == ("c", "a", "b")
    assert graph.before("b") == {"a", "c"}


def test_two_that_read_what_the_other_writes_go_in_manifest_order_and_one_edge_is_dropped() -> None:
    graph = graph_of(task("one", write=("a",), read=("b",)), task("two", write=("b",), read=("a",)))
    assert edges_of(graph) == {"one write-read two"}
    assert [(edge.first, edge.then) for edge in graph.dropped] == [("two", "one")]


def test_needs_weigh_more_than_claims() -> None:
    fix = task("fix", write=("src/**",), needs=("report",))
    graph = graph_of(fix, task("report", write=("report.md",), read=("src/**",)))
    assert edges_of(graph) == {"report needs fix"}
    assert [(edge.first, edge.then) for edge in graph.dropped] == [("fix", "report")]


def test_unknown_claims_run_beside_others_but_before_what_reads_everything() -> None:
    graph = graph_of(
        task("all", write=(), read=("**",)),
        task("some", write=(), read=("src/**",)),
        task("unknown"),
        task("other"),
    )
    assert edges_of(graph) == {"unknown write-read all", "other write-read all"}


def test_a_command_without_claims_writes_and_reads_everything() -> None:
    def command(name: str) -> Task:
        return task(name, run="make", read=("**",), unread=("prompts/**",))

    graph = graph_of(
        command("one"), command("two"), task("docs", write=("docs/**",)), task("suite", write=())
    )
    assert graph.before("one") == {"docs"}
    assert graph.before("two") == {"one", "docs"}
    assert graph.before("suite") == frozenset()


def test_exclusive_excludes_even_what_writes_nothing() -> None:
    graph = graph_of(task("suite", write=()), task("alone", exclusive=True), task("unknown"))
    assert graph.before("alone") == {"suite"}
    assert graph.before("unknown") == {"alone", "suite"}


def test_a_task_that_reads_what_it_writes_does_not_wait_for_itself() -> None:
    graph = graph_of(task("format", run="fmt", write=("src/**",), read=("src/**",)))
    assert graph.edges == () and graph.dropped == ()


def test_who_shares_runs_side_by_side_and_lands_in_manifest_order() -> None:
    graph = graph_of(*(task(name, write=(), shared=("CHANGELOG.md",)) for name in ("c", "a", "b")))
    assert edges_of(graph) == {"c shared a", "c shared b", "a shared b"}
    assert graph.order == ("c", "a", "b") and graph.before("b") == {"a", "c"}


def test_who_claims_for_itself_what_others_share_goes_alone() -> None:
    graph = graph_of(
        task("one", write=("a",), shared=("log",)), task("two", write=("b",), shared=("log",)),
        task("own", write=("log",)),
    )  # fmt: skip
    assert edges_of(graph) == {"one write-write own", "two write-write own", "one shared two"}


def test_what_is_shared_is_read_after_all_who_write_it() -> None:
    graph = graph_of(
        task("reader", write=("out",), read=("log",)), *(task(n, write=(), shared=("log",)) for n in "ab")
    )
    assert edges_of(graph) == {"a write-read reader", "b write-read reader", "a shared b"}


def test_sharing_comes_last_and_yields_to_all_other_order() -> None:
    """By manifest order the first would land first; by what it reads it must not."""
    first = task("first", write=(), shared=("log",), read=("b",))
    graph = graph_of(first, task("second", write=("b",), shared=("log",)))
    assert edges_of(graph) == {"second write-read first"} and graph.dropped == ()


def test_inferred_claims_order_as_declared_ones_do() -> None:
    def inferred(name: str, **found: str) -> Task:
        accesses: tuple[Access, ...] = ("write", "read")
        return task(
            name, inferred=tuple(Inferred(found[each], each, 1, "") for each in accesses if each in found)
        )

    graph = graph_of(
        inferred("reader", read="src/a.py"),
        inferred("writer", write="src/a.py"),
        inferred("other", write="src/*"),
    )
    assert edges_of(graph) == {
        "writer write-read reader", "other write-read reader", "writer write-write other",
    }  # fmt: skip


def test_twins_are_one_file_to_the_order_on_every_machine() -> None:
    graph = graph_of(task("b", write=("Src/a.py",)), task("a", write=("src/A.py",)))
    assert edges_of(graph) == {"b write-write a"}


def test_with_needs_takes_needs_only() -> None:
    graph = graph_of(
        task("a", write=("a",)), task("b", write=("b",), needs=("a",)), task("c", write=("c",), needs=("b",)),
        task("d", write=("a",)),
    )  # fmt: skip
    assert graph.with_needs(["c"]) == {"a", "b", "c"}
    assert graph.with_needs(["d"]) == {"d"}
    assert graph.with_needs([]) == frozenset()


def test_a_thousand_tasks_with_claims_of_their_own_are_cheap() -> None:
    tasks = [task(f"t{n}", write=(f"src/m{n}/**",), read=(f"src/m{n - 1}/*.py",)) for n in range(1000)]
    began = time.process_time()
    graph = graph_of(*tasks)
    assert len(graph.edges) == 999
    assert time.process_time() - began < 5
