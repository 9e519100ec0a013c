"""What an agent was seen to read: paths as its tools name them, as files of the repository."""

from __future__ import annotations

import posixpath
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from orchestra.execution.reads import MOST, Observed, within
from orchestra.model.agents import AgentEvent
from orchestra.model.trees import Tree
from tests.execution.scripted import Run, ScriptedAgent
from tests.execution.shop import Shop, prompted
from tests.vcs.kit import Person

PARTS = st.lists(st.sampled_from(["a", "B", "..", ".", "", "slot", "w"]), max_size=6)


def naive(path: str, root: str) -> str | None:
    """Walks the path part by part."""
    at = [] if path.startswith("/") else root.split("/")[1:]
    for part in path.split("/"):
        if part == "..":
            at = at[:-1]
        elif part not in ("", "."):
            at = [*at, part]
    below = root.split("/")[1:]
    return "/".join(at[len(below) :]) if at[: len(below)] == below and len(at) > len(below) else None


@given(PARTS, st.booleans())
def test_paths_are_taken_relative_to_the_worktree_and_none_from_outside(
    parts: list[str], absolute: bool
) -> None:
    path = ("/" if absolute else "") + "/".join(parts).lstrip("/")
    expected = naive(path, "/w/slot") if path else None
    assert within(path, ["/w/slot"]) == expected
    assert expected is None or not expected.startswith("../")
    whole = posixpath.join("/w/slot", path)
    assert not path or within(whole, ["/w/slot"]) == expected


def seen(observed: Observed, *paths: str, access: str = "read") -> None:
    observed.see([AgentEvent("tool", name="Read", paths=paths, access=access)])  # type: ignore[arg-type]


def test_only_regular_files_of_the_base_that_are_not_orchestras(tmp_path: Path) -> None:
    observed = Observed(tmp_path)
    states = {"a": "100644 1", "x": "100755 1", "link": "120000 1", "module": "160000 1", "d/f": "100644 2"}
    tree = Tree("c", {**states, ".orchestra/lock/t.json": "100644 3"})
    seen(observed, "link", "module", "d", "A", "new", ".orchestra/lock/t.json", "x")
    seen(observed, f"{tmp_path}/d/../a", "./d//f", access="write")
    seen(observed, "a", access="")
    assert observed.files(tree) == ("a", "d/f", "x")


def test_a_link_to_the_worktree_leads_there_too(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    observed = Observed(tmp_path / "link")
    seen(observed, f"{tmp_path}/link/a", f"{tmp_path}/real/b", f"{tmp_path}/c")
    assert observed.files(Tree("c", dict.fromkeys("abc", "100644 1"))) == ("a", "b")


def test_it_is_bounded(tmp_path: Path) -> None:
    observed = Observed(tmp_path)
    names = [f"f{number}" for number in range(MOST + 5)]
    seen(observed, *names)
    assert len(observed.files(Tree("c", dict.fromkeys(names, "100644 1")))) == MOST


def test_an_attempt_tells_what_was_read_in_all_its_rounds_but_not_by_its_review(person: Person) -> None:
    for path in ("a", "b", "c", "d"):
        person.write(path, "x\n")
    person.commit()
    worker = ScriptedAgent(
        Run("echo @read $PWD/b nothing ../../x; echo 1 > f"),
        Run("echo @write a; echo 2 >> f; echo x > new; echo @read new"),
    )
    judge = ScriptedAgent(Run("""echo @read c; echo '{"verdict": "pass"}'"""))
    shop = Shop(person, adapters={"worker": worker, "judge": judge})
    ended = shop.attempt(prompted("x", "worker", check="grep 2 f", review="judge"))
    assert (ended.outcome.value, ended.reads) == ("success", ("a", "b"))
