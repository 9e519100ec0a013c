"""The parts of a watch: versions, numbers, failures, places, messages."""

from __future__ import annotations

import gc
import os
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestra.model.events import (
    AttemptStarted,
    Event,
    TaskFailed,
    TaskLanded,
    TaskRecorded,
    TaskRejected,
    TaskUnchanged,
)
from orchestra.model.freshness import Decision, State
from orchestra.model.graph import build_graph
from orchestra.model.outcomes import Final, Outcome
from orchestra.model.tasks import Claims, Limits, Manifest, Prompt, Task
from orchestra.reporting.watch_lines import WatchLines
from orchestra.watching.builder import Builder, WorkOrder
from orchestra.watching.failures import Failures, not_again
from orchestra.watching.places import Sources, places, waiting_for
from orchestra.watching.versions import Difference, Numbers, Sight, difference, is_own
from orchestra.watching.wire import Messages, packed, receive, send
from tests.reporting.samples import WATCH, instances, raw_characters, unhurried


def task(name: str, index: int = 0, text: str = "do\n", needs: tuple[str, ...] = ()) -> Task:
    return Task(name, index, Claims(), Prompt(f"prompts/{name}.md", text, name), needs=needs)


def sight(*tasks: Task, commit: str = "c1", branch: str = "refs/heads/main", **stamps: int) -> Sight:
    return Sight(Manifest(tasks, {}), commit, branch, {path: (at,) for path, at in stamps.items()})


# --- versions ------------------------------------------------------------------------------------------------


def test_a_difference_names_what_is_new_gone_and_changed() -> None:
    old = sight(task("a", 0), task("b", 1), task("c", 2))
    new = sight(task("b", 0, "else\n"), task("c", 1), task("d", 2), commit="c2", branch="refs/heads/x")
    assert difference(old, new) == Difference(("d",), ("a",), ("b",), False, "c2", "refs/heads/x")
    assert not difference(old, old)
    limited = replace(old, manifest=replace(old.manifest, limits=Limits(usd=1.0)))
    assert difference(old, limited) == Difference(settings=True)
    assert difference(None, new).added == ("b", "c", "d")


def test_own_is_what_was_landed_and_nothing_else() -> None:
    built = sight(task("a"), a=1, b=1)
    landed = sight(task("a", text="more\n"), commit="tip", a=2, b=1)

    def own(now: Sight, *paths: str) -> bool:
        return is_own(built, now, ["tip"], lambda written: written <= set(paths))

    assert own(replace(built, commit="tip"))
    assert not own(replace(built, commit="other"))
    assert not own(replace(built, commit="tip", branch="refs/heads/x"))
    assert own(landed, "a")
    assert not own(landed)
    # A person wrote another of them at the same time.
    assert not own(sight(task("a", text="more\n"), commit="tip", a=2, b=2), "a")
    # Nothing was written, and yet it is another manifest: nobody knows why, so it is built.
    assert not own(sight(task("a", text="more\n"), commit="tip", a=1, b=1), "a")


@given(st.lists(st.tuples(st.integers(0, 4), st.booleans()), max_size=30))
def test_numbers_are_equal_only_for_equal_sights(steps: list[tuple[int, bool]]) -> None:
    numbers, base, base_number = Numbers(), None, 0
    last: tuple[int, Sight] | None = None
    for which, becomes_base in steps:
        now = sight(task("a", text=f"{which}\n"))
        number = numbers.of(now, base)
        if base is not None:
            assert (number == base_number) == (now == base)
        if last is not None:
            assert (number == last[0]) == (now == last[1]) or now == base
        last = number, now
        if becomes_base:
            base, base_number = now, number


def test_sights_of_long_ago_are_let_go() -> None:
    numbers, base = Numbers(), sight(task("a"))
    numbers.of(base, None)
    for which in range(50):
        numbers.of(sight(task("a", text=f"{which}\n")), base)
    held = [each for each in gc.get_referrers(Sight) if type(each) is Sight and each is not base]
    assert len(held) <= 1


# --- failures ------------------------------------------------------------------------------------------------


def began(name: str, key: str) -> Event:
    return AttemptStarted(0.0, "b", name, f"{name}-1", 1, "script", "c", key)


def test_failures_are_remembered_by_key_until_they_are_over() -> None:
    known = Failures()
    for event in (
        began("a", "k1"),
        began("b", "k2"),
        began("c", "k3"),
        TaskFailed(0.0, "b", "a", "a-1", Outcome.CHECK_FAILED, "no"),
        TaskRejected(0.0, "b", "b", "b-1", "no", None),
        TaskFailed(0.0, "b", "c", "c-1", Outcome.NOT_STARTED, "no"),
    ):
        known.heard(event)
    assert dict(known.keys) == {"a": "k1", "b": "k2"}
    known.heard(TaskLanded(0.0, "b", "a", "a-2", "c", (), True))
    assert dict(known.keys) == {"b": "k2"}
    known.forget()
    assert not known.keys


@pytest.mark.parametrize(
    "over",
    [
        TaskLanded(0.0, "b", "a", "a-2", "c", (), True),
        TaskUnchanged(0.0, "b", "a", "a-2", Final.NO_CHANGE),
        TaskRecorded(0.0, "b", "a", Final.ADOPTED),
    ],
    ids=lambda event: event.name,
)
def test_a_failure_is_over_however_the_task_came_to_be_well(over: Event) -> None:
    known = Failures()
    known.heard(began("a", "k1"))
    known.heard(TaskFailed(0.0, "b", "a", "a-1", Outcome.CHECK_FAILED, "no"))
    assert known.keys
    known.heard(over)
    assert not known.keys


def test_what_failed_stays_out_with_what_needs_it_unless_something_before_it_runs() -> None:
    tasks = (task("x", 0), task("bad", 1, needs=("x",)), task("after", 2, needs=("bad",)), task("other", 3))
    graph = build_graph(tasks)

    def left_out(failed: dict[str, str], **states: State) -> set[str]:
        made = {
            each.name: instance(each.name, states.get(each.name, State.STALE), f"key-{each.name}")
            for each in tasks
        }
        return set(not_again(failed, made, graph))

    failed = {"bad": "key-bad"}
    assert left_out(failed, x=State.FRESH) == {"bad", "after"}
    assert left_out(failed) == set(), "x runs and may change what bad sees"
    assert left_out({"bad": "another"}, x=State.FRESH) == set()
    assert left_out(failed, x=State.FRESH, bad=State.FRESH) == set()
    assert left_out({**failed, "x": "key-x"}) == {"x", "bad", "after"}


def instance(name: str, state: State, key: str) -> Decision:
    made = Decision.__new__(Decision)
    parts = type("Parts", (), {"key": key})()
    for field in Decision.__dataclass_fields__:
        object.__setattr__(made, field, {"task": name, "state": state, "parts": parts}.get(field))
    return made


# --- places --------------------------------------------------------------------------------------------------


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A repository with much that does not matter."""
    found = tmp_path / "r"
    for folder in (
        "prompts/deep",
        "prompts/.hidden",
        "prompts/_parts",
        "node_modules/x",
        "src/a",
        ".git/objects/ab",
    ):
        (found / folder).mkdir(parents=True)
    (found / ".git/refs/heads/feature").mkdir(parents=True)
    for file in (
        "orchestra.yaml",
        "prompts/a.md",
        "prompts/deep/b.md",
        "prompts/README.txt",
        "node_modules/x/c.md",
    ):
        (found / file).write_text("x")
    return found


def sources(root: Path, **more: object) -> Sources:
    made = Sources(
        str(root),
        f"{root}/orchestra.yaml",
        ("prompts/**/*.md",),
        f"{root}/.git",
        f"{root}/.git",
        ("refs/heads/feature/x",),
    )
    return replace(made, **more)  # type: ignore[arg-type]


def watched(root: Path, **more: object) -> set[str]:
    found = places(
        sources(root, **more), lambda paths: frozenset(path for path in paths if "node_modules" in path)
    )
    return {os.path.relpath(path, root) for path, _, _ in found.folders}


def test_few_folders_are_watched(root: Path) -> None:
    git = {".git", ".git/refs", ".git/refs/heads", ".git/refs/heads/feature"}
    assert watched(root) == {".", "prompts", "prompts/deep", *git}
    anywhere = watched(root, prompts=("**/*.md",))
    assert anywhere == {".", "prompts", "prompts/deep", "src", "src/a", *git}
    checkout = watched(root, checkout=("src/**",))
    assert {"src", "src/a"} <= checkout
    assert not {path for path in checkout if "node_modules" in path or "objects" in path}


def test_repositories_within_the_repository_are_left_alone(root: Path) -> None:
    (root / "src/vendored/inner").mkdir(parents=True)
    assert "src/vendored/inner" in watched(root, checkout=None)
    (root / "src/vendored/.git").mkdir()
    assert not {path for path in watched(root, checkout=None) if "vendored/" in path}


def test_what_git_writes_for_itself_matters_never_even_where_all_files_do(root: Path) -> None:
    found = places(sources(root, checkout=None), lambda paths: frozenset())
    assert found.matters(str(root / "src/new.py")) and found.matters(str(root / ".git/HEAD"))
    for path in (".git/index", ".git/objects/ab/cd", ".git/FETCH_HEAD"):
        assert not found.matters(str(root / path)), path


@pytest.mark.parametrize(
    ("path", "matters"),
    [
        ("orchestra.yaml", True),
        ("orchestra.yml", True),
        ("prompts/a.md", True),
        ("prompts/deep/b.md", True),
        ("prompts/new.md", True),
        ("prompts", True),
        ("prompts/deep", True),
        ("prompts/gone-folder", True),
        (".git/HEAD", True),
        (".git/packed-refs", True),
        (".git/refs/heads/feature/x", True),
        (".git/reftable/tables.list", True),
        ("prompts/README.txt", False),
        ("prompts/.a.md.swp", False),
        ("prompts/_parts", False),
        ("notes.txt", False),
        ("src", False),
        (".git/index", False),
        (".git/index.lock", False),
        (".git/HEAD.lock", False),
        (".git/FETCH_HEAD", False),
        (".git/refs/heads/feature/x.lock", False),
        ("../elsewhere", False),
    ],
)
def test_only_what_a_build_sees_matters(root: Path, path: str, *, matters: bool) -> None:
    found = places(sources(root), lambda paths: frozenset())
    assert found.matters(os.path.normpath(root / path)) is matters


def test_what_links_lead_to_is_watched_where_it_lies(root: Path) -> None:
    (root / "texts").mkdir()
    (root / "texts/real.md").write_text("x")
    (root / "prompts/link.md").symlink_to("../texts/real.md")
    found = places(sources(root), lambda paths: frozenset())
    assert found.matters(str(root / "texts/real.md"))
    assert "texts" in watched(root)


def test_stamps_tell_what_was_written_made_and_replaced(root: Path) -> None:
    found = places(sources(root), lambda paths: frozenset())
    before = found.stamps()
    assert found.stamps() == before
    (root / "prompts/a.md").write_text("y")
    changed = found.stamps()
    assert {path for path in before if before[path] != changed[path]} == {str(root / "prompts/a.md")}
    (root / "prompts/deep/b.md").rename(root / "prompts/deep/c.md")
    assert found.stamps() != changed
    (root / "prompts").rename(root / "away")
    (root / "prompts/deep").mkdir(parents=True)
    assert places(sources(root), lambda paths: frozenset()).folders != found.folders


def test_a_folder_that_is_gone_is_awaited_above(tmp_path: Path) -> None:
    found = waiting_for(str(tmp_path / "a/b/c"))
    assert [path for path, _, _ in found.folders] == [str(tmp_path)]
    assert found.matters(str(tmp_path / "a"))
    assert not found.matters(str(tmp_path / "z"))


# --- messages ------------------------------------------------------------------------------------------------


@given(st.lists(st.text() | st.integers() | st.lists(st.booleans())), st.lists(st.integers(1, 50)))
def test_messages_arrive_whole_and_in_order_however_they_are_cut(
    values: list[object], cuts: list[int]
) -> None:
    found: list[object] = []
    stream, messages = b"".join(map(packed, values)), Messages()
    for cut in cuts:
        found += messages.feed(stream[:cut])
        stream = stream[cut:]
    found += messages.feed(stream)
    assert found == values


def test_a_message_larger_than_a_pipe_and_then_the_end() -> None:
    reader, writer = os.pipe()
    child = subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=writer)
    os.close(writer)
    assert child.stdin is not None
    send(child.stdin.fileno(), "x" * 10)
    child.stdin.close()
    assert receive(reader) == "x" * 10
    with pytest.raises(EOFError):
        receive(reader)
    child.wait()
    os.close(reader)


# --- lines ---------------------------------------------------------------------------------------------------


@unhurried
@given(st.data(), st.sampled_from(WATCH), st.booleans(), st.sampled_from([-1, 0, 1]))
def test_whatever_is_told_is_whole_lines_without_foreign_control(
    data: st.DataObject, kind: Any, color: bool, verbosity: int
) -> None:
    event = data.draw(instances(kind))
    written: list[str] = []
    if getattr(event, "errors", True) == ():
        return
    WatchLines(written.append, color=color, verbosity=verbosity).notify(event)
    text = "".join(written)
    assert text == "" or text.endswith("\n")
    assert not raw_characters(text, color)


# --- builds in processes of their own ------------------------------------------------------------------------


def test_a_build_that_is_over_leaves_nothing_in_the_watch() -> None:
    order = WorkOrder("/", None, None, None, True, False, Manifest((task("a"),), {}), (), None, None)
    builder = Builder("tests.watching.answering:main")
    # Nothing is collected by chance.
    gc.disable()
    try:
        builder.start(order)
        answers: list[Any] = []
        over = False
        while not over:
            found, over = builder.read()
            answers += found
        before = gc.get_stats()[2]["collections"]
        assert builder.finish() == 0 and answers == [order]
        # Only a full collection gives back the tuples that CPython keeps for later.
        assert gc.get_stats()[2]["collections"] == before + 1
    finally:
        gc.enable()
        builder.close()
