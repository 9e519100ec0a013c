"""What must hold after every build, whatever it was: the invariants that need no second world."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from orchestra.integration.line import Line
from orchestra.integration.refs import KEPT, PUT, REJECTED
from orchestra.model.entries import LockEntry
from orchestra.model.events import (
    AttemptFinished,
    AttemptStarted,
    TaskAgain,
    TaskLanded,
    TaskRejected,
    TaskReplayed,
)
from orchestra.model.freshness import Reason, ReasonKind, Situation, State, decide, decide_all
from orchestra.model.graph import build_graph
from orchestra.model.trailers import ATTEMPT_TRAILER
from orchestra.model.trees import Tree, differences
from orchestra.reporting.explain import explain_text, stale_needs
from tests.engine.world import Built, Passed, World

SETTLED = ("fresh", "reverted")
NAMED = "refs/heads/feature/"
"""Below it: the branches that keep results, where there are to be any."""


def heads(world: World) -> dict[str, str]:
    """The person's branches."""
    ours = ("refs/heads/orchestra/", NAMED)
    return {
        ref: commit
        for ref, commit in world.git.refs.items()
        if ref.startswith("refs/heads/") and not ref.startswith(ours)
    }


def nothing_is_lost(world: World, before: dict[str, str]) -> None:
    """I9: every commit, so every blob, that the person's branches had is still in their history."""
    after = heads(world)
    assert after.keys() == before.keys()
    for ref, commit in before.items():
        assert world.git.is_ancestor(commit, after[ref]), f"{ref} lost commits"
        assert ref == world.branch or after[ref] == commit, f"{ref} is none of its business"


def all_is_settled(world: World, built: Built, commit: str) -> None:
    """I2: where a build ended well, the oracle finds every selected task fresh, or reverted."""
    told = world.oracle(commit).all()
    found = {name: told[name].state for name in built.finished.tasks}
    assert {name: state for name, state in found.items() if state not in SETTLED} == {}


def nothing_more_runs(world: World, targets: Iterable[str], **options: object) -> None:
    """I1: the same build once more starts no attempt, writes no commit, moves no ref."""
    refs, commits = dict(world.git.refs), len(world.git.commits)
    again = world.build(*targets, **options)  # type: ignore[arg-type]
    assert again.ran == []
    assert set(again.finals.values()) <= set(SETTLED), again.finals
    assert dict(world.git.refs) == refs
    assert len(world.git.commits) == commits


def replayed_as_recorded(world: World, built: Built) -> None:
    """I12: what a replay landed of each path is what the attempt had made of it."""
    landed = {event.attempt: event.commit for event in built.of(TaskLanded)}
    for event in built.of(TaskReplayed):
        if event.attempt in landed:
            base = world.git.tree(world.git.parents(event.result)[0])
            made, tree = world.git.tree(event.result), world.git.tree(landed[event.attempt])
            for change in differences(base, made):
                assert tree.state(change.path) == change.after


def entries_say_what_was_done(world: World, built: Built) -> None:
    """What landed is recorded: all that the task ever changed, as it left it, and what of it it created."""
    bases = {event.attempt: event.base for event in built.of(AttemptStarted)}
    results = {event.attempt: event.result for event in built.of(AttemptFinished)}
    for landed in built.of(TaskLanded):
        result = results.get(landed.attempt)
        if result is None:
            continue  # a replay: its entry is recorded on another commit than its base
        before, after = world.git.tree(bases[landed.attempt]), world.git.tree(landed.commit)
        changed = {change.path for change in differences(before, world.git.tree(result))}
        earlier = world.entries(world.git.parents(landed.commit)[0]).get(landed.task)
        known = dict(earlier.outputs) if earlier else {}
        entry = world.entries(landed.commit)[landed.task]
        assert dict(entry.outputs) == {
            path: (after if path in changed else before).state(path) for path in {*changed, *known}
        }
        created = {path for path in changed - known.keys() if before.state(path) is None}
        created |= earlier.created if earlier else set()
        assert entry.created == {path for path in created if entry.outputs[path] is not None}


def landed_as_asked(world: World, built: Built) -> None:
    """What lands has the tip as its first parent, and by a merge the second leads from the base to the result."""
    bases = {event.attempt: event.base for event in built.of(AttemptStarted)}
    results = {event.attempt: event.result for event in built.of(AttemptFinished)}
    wanted, git = world.manifest.integrate, world.git
    for landed in built.of(TaskLanded):
        others = git.parents(landed.commit)[1:]
        assert len(others) == (wanted.strategy == "merge")
        assert git.author(landed.commit) is None or wanted.author == "agent"
        result = results.get(landed.attempt)
        if others and result is not None:
            assert git.is_ancestor(bases[landed.attempt], others[0])
            assert world.files(others[0]) == world.files(result)
            assert all(
                "secret" not in world.files(commit)
                for commit in world.first_parents(others[0])
                if commit != bases[landed.attempt]
            )


def branches_keep_results(world: World, built: Built) -> None:
    """What landed, or was rejected, stands on its branch as its attempt left it, with an entry; we know where we put
    each, and nothing is left over.
    """
    template, git = world.manifest.integrate.branch, world.git
    refs = dict(git.refs)
    put = {ref.removeprefix(PUT): commit for ref, commit in refs.items() if ref.startswith(PUT)}
    named = {ref.removeprefix("refs/heads/"): at for ref, at in refs.items() if ref.startswith(NAMED)}
    assert put.items() == named.items()
    assert not any(ref.startswith(KEPT) for ref in refs)
    if template is None:
        assert named == {}
        return
    results = {event.attempt: event.result for event in built.of(AttemptFinished)}
    last = {event.task: event for event in built.events if isinstance(event, TaskLanded | TaskRejected)}
    for task, event in last.items():
        at = named[template.format(task=task, build=event.build)]
        result = results.get(event.attempt)
        if result is not None:
            assert world.files(at) == world.files(result)
            assert f"{ATTEMPT_TRAILER}: {event.attempt}" in git.message(at)
            assert task in world.entries(at)


def turned_down(built: Built) -> set[str]:
    """The attempts whose results were rejected for good: not those that were only spoiled by the branch itself."""
    rejected = {event.attempt for event in built.of(TaskRejected) if (event.kept or "").startswith(REJECTED)}
    return rejected | {event.attempt for event in built.of(TaskAgain)}


def explained(world: World) -> None:
    """I13: what is stale says why, by the path, task or part; with exactly that undone it is fresh.

    And the oracle says the same of every task.
    """
    line = Line(world.git, world.main)
    graph, passed = build_graph(world.manifest.tasks), Passed(world.git)
    at = Situation(world.manifest, graph, line.tree, line.entries, passed.knows, line.undone)
    decisions = decide_all(at)
    told = world.oracle().all()
    gone = {name: decision.reverted.entry for name, decision in decisions.items() if decision.reverted}
    for name, decision in decisions.items():
        assert decision.state.value == told[name].state, name
        assert {(str(reason.kind), reason.subject) for reason in decision.reasons} == told[name].reasons
        if decision.state is State.BLOCKED:
            assert stale_needs(name, decisions, graph)
        if decision.state is not State.STALE:
            continue
        assert decision.reasons
        text = explain_text(name, decisions, at)
        assert all(reason.subject is None or reason.subject in text for reason in decision.reasons)
        if ReasonKind.NEVER_BUILT not in {reason.kind for reason in decision.reasons}:
            tree, entry = undone(line.tree, line.entries[name], decision.reasons)
            before = replace(at, tree=tree, entries={**line.entries, name: entry}, reverted=gone)
            assert decide(world.manifest.task(name), before).fresh


def undone(tree: Tree, entry: LockEntry, reasons: tuple[Reason, ...]) -> tuple[Tree, LockEntry]:
    """The tree and the entry, had what the reasons name not happened."""
    files, definition, needs = dict(tree.files), dict(entry.parts.definition), dict(entry.parts.needs)
    for reason in reasons:
        place, value = {
            ReasonKind.INPUT_CHANGED: (files, reason.old),
            ReasonKind.DRIFTED: (files, reason.old),
            ReasonKind.OUTPUT_MISSING: (files, reason.old),
            ReasonKind.NEED_CHANGED: (needs, reason.new),
        }.get(reason.kind, (definition, reason.new))
        if value is None:
            place.pop(reason.subject or "", None)
        else:
            place[reason.subject or ""] = value
    parts = replace(entry.parts, definition=definition, needs=needs)
    return Tree("", files), replace(entry, parts=parts)
