"""The board: which moves there are, who may start, and who waited for whom."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestra.model.graph import Graph, build_graph
from orchestra.model.outcomes import Final, Wait
from orchestra.model.tasks import Task
from orchestra.planning.board import Board, Card, Stage
from tests.model.kit import numbered, task, task_sets

MOVES = {
    ("waiting", "queued"), ("waiting", "settled"), ("queued", "running"), ("queued", "landing"),
    ("queued", "settled"), ("running", "landing"), ("running", "queued"), ("running", "settled"), ("landing", "queued"),
    ("landing", "settled"), ("settled", "waiting"),
}  # fmt: skip


def board_of(*tasks: Task, selected: str | None = None) -> tuple[Board, Graph]:
    graph = build_graph(numbered(*tasks))
    return Board(graph, frozenset(selected if selected is not None else graph.tasks)), graph


def settle(board: Board, name: str, final: Final = Final.LANDED, at: float = 0.0) -> None:
    board.move(board.card(name), Stage.SETTLED, at=at, final=final)


def queue(board: Board, *names: str, at: float = 0.0) -> None:
    for name in names:
        board.move(board.card(name), Stage.QUEUED, at=at)


@pytest.mark.parametrize(("before", "after"), list(product(Stage, Stage)))
@pytest.mark.parametrize("final", [None, Final.LANDED])
def test_only_these_moves_are_made(before: Stage, after: Stage, final: Final | None) -> None:
    board, _ = board_of(task("a"))
    card = board.card("a")
    card.stage = before
    allowed = (before.value, after.value) in MOVES and (final is not None) == (after is Stage.SETTLED)
    if allowed:
        board.move(card, after, at=5.0, final=final)
        assert card.stage is after and card.final is final
    else:
        with pytest.raises(AssertionError):
            board.move(card, after, at=5.0, final=final)
        assert card.stage is before


def test_a_task_is_decidable_when_all_before_it_are_settled_however_they_ended() -> None:
    board, _ = board_of(
        task("a", write=("a",)), task("b", write=("b",), read=("a",)), task("c", write=("c",), needs=("a",))
    )
    assert [card.name for card in board.decidable()] == ["a"]
    queue(board, "a")
    assert board.decidable() == ()
    settle(board, "a", Final.FAILED)
    assert [card.name for card in board.decidable()] == ["b", "c"]
    failed = board.failed_need("c")
    assert failed is not None and failed.name == "a"
    assert board.failed_need("b") is None, "an order by claims skips nobody"
    assert board.finals() == {"a": Final.FAILED, "b": Final.SKIPPED, "c": Final.SKIPPED}
    assert not board.settled()


def test_at_most_so_many_run_and_landing_takes_no_place() -> None:
    board, _ = board_of(task("a"), task("b"), task("c"))
    queue(board, "a", "b", "c")
    for name in ("a", "b"):
        found = board.startable(2)[0]
        assert found.name == name
        board.move(found, Stage.RUNNING, at=0.0)
    assert board.startable(2) == ()
    board.move(board.card("a"), Stage.LANDING, at=0.0)
    assert [card.name for card in board.startable(2)] == ["c"]
    assert board.count(Stage.RUNNING) == 1


def test_alone_means_that_nothing_else_is_under_way_not_even_at_the_landing() -> None:
    board, _ = board_of(task("a"), task("b"), task("c"))
    queue(board, "a", "b", "c")
    board.card("a").alone = True
    board.move(board.card("b"), Stage.RUNNING, at=0.0)
    board.move(board.card("b"), Stage.LANDING, at=0.0)
    (found,) = board.startable(3)
    assert found.name == "c"
    board.move(found, Stage.SETTLED, at=0.0, final=Final.FRESH)
    assert board.startable(3) == ()
    settle(board, "b")
    (found,) = board.startable(3)
    assert found.name == "a"
    board.move(found, Stage.RUNNING, at=0.0)
    assert board.startable(3) == ()
    board.move(found, Stage.LANDING, at=0.0)
    assert board.startable(3) == ()


def test_waits_are_split_by_their_causes() -> None:
    board, _ = board_of(
        task("a", write=("a",)), task("b", write=("b",), needs=("a",)), task("c", write=("a", "b"))
    )
    queue(board, "a", at=1.0)
    board.waited("verify", at=4.0)
    board.waited("verify", at=4.0)
    assert board.card("a").waits == [Wait("verify", 3.0)] and board.card("a").queued_at == 4.0
    board.move(board.card("a"), Stage.RUNNING, at=4.0)
    settle(board, "a", at=7.0)
    assert board.last_wait("b", 1.0) == Wait("needs", 6.0, "a")
    assert board.last_wait("b", 7.0) is None
    settle(board, "b", at=9.0)
    assert board.last_wait("c", 0.0) == Wait("write-write", 9.0, "b")
    assert board.card("b").waits == []


def test_who_needs_a_task_and_reads_what_it_writes_waits_for_the_need() -> None:
    """Else time that no better claims could spare would count as lost to claims."""
    board, _ = board_of(task("a", write=("a",)), task("b", write=("b",), read=("a",), needs=("a",)))
    queue(board, "a")
    board.move(board.card("a"), Stage.RUNNING, at=0.0)
    settle(board, "a", at=7.0)
    assert board.last_wait("b", 0.0) == Wait("needs", 7.0, "a")


@settings(max_examples=150, deadline=None)
@given(task_sets(), st.data())
def test_selected_tasks_keep_the_order_that_all_of_them_have(
    tasks: tuple[Task, ...], data: st.DataObject
) -> None:
    """Also where a task that is not selected goes between two that are."""
    graph = build_graph(tasks)
    names = [each.name for each in tasks]
    selected = graph.with_needs(data.draw(st.lists(st.sampled_from(names), min_size=1)))
    board = Board(graph, selected)
    settled: set[str] = set()
    while len(settled) < len(selected):
        free = {card.name for card in board.decidable()}
        assert free == {name for name in selected - settled if not (graph.before(name) & selected) - settled}
        card: Card = board.card(data.draw(st.sampled_from(sorted(free))))
        board.move(card, Stage.SETTLED, at=0.0, final=Final.FRESH)
        settled.add(card.name)
    assert board.settled() and [card.name for card in board] == [
        name for name in graph.order if name in selected
    ]
