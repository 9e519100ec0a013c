"""I8, call by call: each directed build is cut off at each of its calls through a seam, and built again.

Then there are the same final tree, outcomes and refs as if nothing had been; nothing has landed twice, and no attempt
whose result was captured and not rejected has run again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import pytest

from orchestra.integration.branch import PARKED, PARKED_BRANCH, STOOD
from orchestra.integration.refs import CAPTURED, CHECKS, REJECTED, RESULTS
from orchestra.model.keys import key_in_ref
from orchestra.model.ports import AttemptOrder
from orchestra.model.trailers import ATTEMPT_TRAILER, TASK_TRAILER, read_result_message
from orchestra.model.trees import Tree
from orchestra.planning.simulate import Script
from tests.engine.world import Built, World

from .crashing import Crash, Fuse
from .directed import RUNS, Directed
from .test_crashes import key_of


def build(world: World, run: Directed, start: str) -> Built:
    """The build, cut off or not."""
    options: dict[str, Any] = dict(run.options)
    if options.get("detached"):
        options["detached"] = start
    return world.build(**options)


def landings(world: World, tip: str, start: str) -> tuple[Counter[str], frozenset[str]]:
    """How often each task was recorded in the history of the tip since the start, and the attempts that have landed:
    none of them twice.
    """
    found, attempts = Counter[str](), Counter[str]()
    todo, known = [tip], {start}
    while todo:
        commit = todo.pop()
        if commit not in known:
            known.add(commit)
            lines = world.git.message(commit).splitlines()
            found.update(line for line in lines if line.startswith(TASK_TRAILER))
            attempts.update(line for line in lines if line.startswith(ATTEMPT_TRAILER))
            todo += world.git.parents(commit)
    assert not [attempt for attempt, times in attempts.items() if times > 1]
    return found, frozenset(attempts)


def accounted(world: World) -> set[str]:
    """All refs but those of results that did not land, without what differs by build; nothing else may be there."""
    found: set[str] = set()
    for ref in world.git.refs:
        left = next((root for root in (PARKED_BRANCH, PARKED, STOOD) if ref.startswith(root)), None)
        if left is not None:
            found.add(left)
        elif ref.startswith(RESULTS):
            found.add(key_of(ref))
        elif ref.startswith(CHECKS) or ref == world.branch:
            found.add(ref)
        elif ref.startswith(CAPTURED):
            # Attempted in a state that is not today's; should that come back, it goes on.
            today = {key_in_ref(entry.parts.key) for entry in world.entries().values()}
            assert key_of(ref) not in today, ref
        else:
            # By which trees it came there may differ.
            assert ref.startswith((REJECTED, "refs/orchestra/verified/")), ref
    return found


def captured(world: World) -> dict[str, tuple[str | None, str]]:
    """The task and key of what each attempt of the last build did, as far as it was captured and not rejected."""
    refs = world.git.refs_below(CAPTURED, RESULTS)
    build = f"build-{world.builds:03}-"
    return {
        ref.rpartition("/")[2]: (read_result_message(world.git.message(commit))[0], key_of(ref))
        for ref, commit in refs.items()
        if ref.rpartition("/")[2].startswith(build)
    }


def never_again(world: World, kept: Mapping[str, tuple[str | None, str]]) -> None:
    """Let no attempt start of which a result is kept, unless that was rejected since."""
    behave = world.behave
    assert behave is not None

    def watched(order: AttemptOrder, tree: Tree) -> Script:
        for attempt, what in kept.items():
            if what == (order.task.name, key_of(order.keep)):
                assert REJECTED + attempt in world.git.refs, f"{order.task.name} runs again"
        return behave(order, tree)

    world.behave = watched


@pytest.mark.parametrize("name", RUNS)
def test_cut_off_at_any_call_and_built_again_it_is_as_if_nothing_had_been(name: str) -> None:
    run = RUNS[name]
    lucky, counting = run.begin(), Fuse()
    start, lucky.guard = lucky.main, counting.guard
    built = build(lucky, run, start)
    assert (built.finals, built.finished.ok) == (run.finals, run.ok)
    assert counting.calls > 20
    usual, (most, _) = accounted(lucky), landings(lucky, built.finished.tip, start)
    seen = None
    for call in range(counting.calls):
        unlucky = run.begin()
        assert unlucky.main == start
        unlucky.guard = Fuse(call).guard
        with pytest.raises(Crash):
            build(unlucky, run, start)
        left = (dict(unlucky.git.refs), len(unlucky.git.commits))
        if left == seen:
            # What is left is what the call before left: a question changes nothing.
            continue
        seen = left
        never_again(unlucky, captured(unlucky))
        unlucky.guard = Fuse().guard
        again = build(unlucky, run, start)
        assert again.finished.ok == run.ok
        files = World.all_files if run.settled else World.files
        assert files(unlucky, again.finished.tip) == files(lucky, built.finished.tip), call
        assert files(unlucky) == files(lucky), call
        tasks, attempts = landings(unlucky, again.finished.tip, start)
        assert not tasks - most, call
        refs = accounted(unlucky)
        assert refs == usual if run.settled else refs <= usual, call
        gone = (ref.removeprefix(REJECTED) for ref in unlucky.git.refs_below(REJECTED))
        assert {f"{ATTEMPT_TRAILER}: {attempt}" for attempt in gone}.isdisjoint(attempts), call
