"""The last commit that is known to pass: found by what is remembered, and told by who made what came since."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from orchestra.integration.green import green_message, last_green
from orchestra.model.ports import CommitRequest
from orchestra.model.trailers import TASK_TRAILER
from orchestra.vcs.memory import MemoryGit
from tests.model.kit import task

from .world import World


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=8), st.integers(1, 9))
def test_it_is_that_of_a_naive_search(steps: list[tuple[bool, bool]], most: int) -> None:
    """Commits oldest first: whether each is the person's own, and known to pass."""
    git = MemoryGit()
    line: list[str] = []
    for number, (own, _) in enumerate(steps):
        tree = git.commit_files({"f": str(number).encode()}, message="tree")
        message = f"title {number}\n" + ("" if own else f"\n{TASK_TRAILER}: t\n")
        line.append(git.commit(CommitRequest(tree, tuple(line[-1:]), message)))
    known = {commit for commit, (_, passes) in zip(line, steps, strict=True) if passes}
    found = last_green(git, line[-1], lambda commit: commit in known, most)
    expected = next(
        (n for n in reversed(range(len(line))) if line[n] in known and len(line) - 1 - n < most), None
    )
    if expected is None:
        assert found is None
        return
    assert found is not None
    assert found.commit == line[expected]
    since = list(reversed(range(expected + 1, len(line))))
    assert [(one.commit, one.title, one.own) for one in found.since] == [
        (line[n], f"title {n}", steps[n][0]) for n in since
    ]
    assert ("--with-commits" in found.typed) == any(steps[n][0] for n in since)
    assert all(one.commit[:12] in green_message(found) for one in found.since)


def red_world() -> World:
    """`a` has landed; files named `bad` are red."""
    world = World.of(task("a", write=("a",)), verify="make check")
    world.green = lambda commit: "bad" not in world.files(commit)
    assert world.build().finished.ok
    return world


def test_a_red_base_names_the_command_that_goes_back() -> None:
    world = red_world()
    green = world.main
    world.edit({"bad": "1"})
    world.edit({"more": "1"})
    world.retask(*world.manifest.tasks, task("b", write=("b",)))
    (notice,) = world.build().notices
    assert notice.hint == (
        "make it pass on the branch, or: orchestra rollback --to-green --with-commits "
        f"(takes back 2 commits of yours since {green[:7]}, the last that passed)"
    )


def test_what_landed_since_is_counted_too_and_alone_needs_no_leave() -> None:
    world = red_world()
    # As where it was merged without `verify`.
    message = f"Make it\n\n{TASK_TRAILER}: c\n"
    world.git.refs[world.branch] = world.git.commit(
        CommitRequest(world.main, (world.main,), message, (("bad", b"1"),))
    )
    world.retask(*world.manifest.tasks, task("b", write=("b",)))
    (notice,) = world.build().notices
    assert "or: orchestra rollback --to-green (takes back 1 landed commit since " in (notice.hint or "")


def test_where_nothing_is_known_to_pass_no_way_back_is_named() -> None:
    world = World.of(task("a", write=("a",)), files={"bad": "1"}, verify="make check")
    world.green = lambda commit: "bad" not in world.files(commit)
    (notice,) = world.build().notices
    assert notice.hint == "make it pass on the branch first, or mend `integrate.verify` in orchestra.yaml"
