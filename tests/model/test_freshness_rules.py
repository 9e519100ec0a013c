"""The rules of freshness one by one, each on a tree and an entry made for it: what counts, and what does not."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import pytest

from orchestra.model.entries import LockEntry
from orchestra.model.freshness import (
    Decision,
    Landing,
    Note,
    Reason,
    ReasonKind,
    Situation,
    State,
    agent_spec,
    decide,
    decide_all,
)
from orchestra.model.graph import build_graph
from orchestra.model.keys import NO_OUTPUTS, Parts, definition_of
from orchestra.model.reading import read_set
from orchestra.model.tasks import Prompt, Task
from orchestra.model.trees import Tree

from .kit import manifest, task

Files = Mapping[str, str]


def state(content: str, mode: str = "100644") -> str:
    """A file's state; whatever differs in one character differs."""
    return f"{mode} {content}"


def tree(files: Files) -> Tree:
    return Tree("c", {path: state(content) for path, content in files.items()})


def landed(
    one: Task,
    read: Files,
    outputs: Mapping[str, str | None],
    *,
    created: tuple[str, ...] = (),
    needs: Mapping[str, str] | None = None,
    rewrites: Files | None = None,
) -> LockEntry:
    """What a landing of the task recorded that saw these files."""
    files = tree(read)
    inputs = {path: files.files[path] for path in read_set(one, files)}
    return LockEntry(
        one.name,
        Parts(definition_of(one, agent_spec(one, manifest(one))), inputs, needs or {}),
        {path: None if content is None else state(content) for path, content in outputs.items()},
        frozenset(created),
        {path: state(content) for path, content in (rewrites or {}).items()},
    )


def situation(*tasks: Task, files: Files, entries: tuple[LockEntry, ...] = ()) -> Situation:
    written = manifest(*tasks)
    found = {entry.task: entry for entry in entries}
    return Situation(written, build_graph(written.tasks), tree(files), found)


def decided(at: Situation, name: str) -> Decision:
    return decide(at.graph.task(name), at)


def told(decision: Decision) -> list[str]:
    """Reasons and notes in words."""
    return [*map(str, decision.reasons), *(f"{note.kind}: {note.path}" for note in decision.notes)]


# --- the parts of the key ------------------------------------------------------------------------------------

READER = task("t", write=("out",), read=("src/**",))
SEEN = {"src/a": "1", "src/b": "1", "other": "1"}
DONE = landed(READER, SEEN, {"out": "1"}, created=("out",))


def test_nothing_changed() -> None:
    assert told(decided(situation(READER, files={**SEEN, "out": "1"}, entries=(DONE,)), "t")) == []


@pytest.mark.parametrize(
    ("files", "reasons"),
    [
        ({"src/a": "2"}, ["input-changed: src/a"]),
        ({"src/new": "1"}, ["input-changed: src/new"]),
        ({"other": "2", "new": "1"}, []),
        ({"src/a": "2", "src/b": "2"}, ["input-changed: src/a", "input-changed: src/b"]),
    ],
)
def test_content_and_membership_of_what_is_read_count_and_nothing_else(
    files: Files, reasons: list[str]
) -> None:
    at = situation(READER, files={**SEEN, "out": "1", **files}, entries=(DONE,))
    assert told(decided(at, "t")) == reasons


def test_an_absence_counts() -> None:
    files = {"src/a": "1", "other": "1", "out": "1"}
    decision = decided(situation(READER, files=files, entries=(DONE,)), "t")
    assert decision.reasons == (Reason(ReasonKind.INPUT_CHANGED, "src/b", state("1"), None),)


def test_a_mode_alone_counts() -> None:
    at = situation(READER, files={**SEEN, "out": "1"}, entries=(DONE,))
    executable = {**at.tree.files, "src/a": state("1", "100755")}
    decision = decided(replace(at, tree=Tree("c", executable)), "t")
    old, new = state("1"), state("1", "100755")
    assert decision.reasons == (Reason(ReasonKind.INPUT_CHANGED, "src/a", old, new),)


def test_what_it_writes_by_declaration_and_what_is_orchestra_s_is_no_input() -> None:
    one = task("t", write=("out",), shared=("log",), read=("**",))
    files = {"src/a": "1", "out": "1", "log": "1", ".orchestra/lock/t.json": "1", ".orchestra/x": "1"}
    decision = decided(situation(one, files=files), "t")
    assert set(decision.parts.inputs) == set(decision.seen) == {"src/a"}


def test_what_is_left_out_of_the_read_patterns_is_no_input() -> None:
    one = task("t", run="make", read=("**",), unread=("prompts/**",))
    assert read_set(one, tree({"a": "1", "prompts/b.md": "1"})) == ("a",)


def test_what_it_recorded_itself_for_an_input_counts_as_unchanged() -> None:
    one = task("t", run="make", read=("**",))
    entry = landed(one, {"src": "1"}, {"out": "1"}, created=("out",))
    files = {"src": "1", "out": "1"}
    decision = decided(situation(one, files=files, entries=(entry,)), "t")
    assert decision.fresh and decision.key == entry.key
    # What an attempt would see and record is another thing.
    assert set(decision.attempted.inputs) == {"src", "out"}
    edited = decided(situation(one, files={**files, "out": "2"}, entries=(entry,)), "t")
    # Told is what would have to come back.
    assert Reason(ReasonKind.INPUT_CHANGED, "out", state("1"), state("2")) in edited.reasons


LATER = task("later", write=("src/a",), needs=("t",))
BESIDE = task("beside", write=("elsewhere",))
BEFORE = task("before", write=("src/a",))


@pytest.mark.parametrize(
    ("other", "reasons"),
    [(LATER, []), (BEFORE, ["input-changed: src/a"]), (BESIDE, ["input-changed: src/a"])],
)
def test_what_a_task_ordered_after_it_recorded_for_an_input_counts_as_unchanged(
    other: Task, reasons: list[str]
) -> None:
    theirs = landed(other, SEEN, {"src/a": "by " + other.name})
    at = situation(
        READER, other, files={**SEEN, "out": "1", "src/a": f"by {other.name}"}, entries=(DONE, theirs)
    )
    assert told(decided(at, "t")) == reasons
    # Another content than that is news in any case.
    edited = replace(at, tree=tree({**SEEN, "out": "1", "src/a": "by hand"}))
    assert told(decided(edited, "t")) == ["input-changed: src/a"]


# --- needs ---------------------------------------------------------------------------------------------------

NEEDED = task("n", write=("made",))
NEEDING = task("t", write=("out",), needs=("n",))
MADE = landed(NEEDED, {}, {"made": "1"})
USED = landed(NEEDING, {}, {"out": "1"}, needs={"n": MADE.outputs_digest()})


def test_the_recorded_outputs_of_a_need_count_and_neither_its_key_nor_what_is_there_today() -> None:
    files = {"made": "by hand", "out": "1"}
    at = situation(NEEDED, NEEDING, files=files, entries=(MADE, USED))
    assert told(decided(at, "t")) == []
    # It ran again, for another reason, and made the same: early cutoff.
    again = replace(MADE, parts=replace(MADE.parts, definition={"prompt": "another"}))
    assert told(decided(replace(at, entries={"n": again, "t": USED}), "t")) == []
    other = replace(MADE, outputs={"made": state("2")})
    decision = decided(replace(at, entries={"n": other, "t": USED}), "t")
    old, new = MADE.outputs_digest(), other.outputs_digest()
    assert decision.reasons == (Reason(ReasonKind.NEED_CHANGED, "n", old, new),)


def test_a_need_that_is_new_or_gone_is_a_change() -> None:
    at = situation(NEEDED, replace(NEEDING, needs=()), files={"made": "1", "out": "1"}, entries=(MADE, USED))
    assert told(decided(at, "t")) == ["need-changed: n"]
    unused = replace(USED, parts=replace(USED.parts, needs={}))
    at = situation(NEEDED, NEEDING, files={"made": "1", "out": "1"}, entries=(MADE, unused))
    assert told(decided(at, "t")) == ["need-changed: n"]


def test_a_need_that_was_renamed_is_no_change_where_it_made_the_same() -> None:
    renamed, needing = task("m", write=("made",)), replace(NEEDING, needs=("m",))
    files = {"made": "1", "out": "1"}
    at = situation(renamed, needing, files=files, entries=(replace(MADE, task="m"), USED))
    assert told(decided(at, "t")) == []
    other = replace(MADE, task="m", outputs={"made": state("2")})
    at = situation(renamed, needing, files=files, entries=(other, USED))
    assert told(decided(at, "t")) == ["need-changed: m", "need-changed: n"]


def test_a_check_that_is_needed_has_no_outputs() -> None:
    needing = task("t", write=("out",), needs=("c",))
    entry = landed(needing, {}, {"out": "1"}, needs={"c": NO_OUTPUTS})
    at = situation(task("c", write=(), read=("**",)), needing, files={"out": "1", "x": "1"}, entries=(entry,))
    assert told(decided(at, "t")) == []


# --- what became of its outputs ------------------------------------------------------------------------------


def wrote(one: Task, outputs: Mapping[str, str | None], *, created: tuple[str, ...] = ()) -> LockEntry:
    return landed(one, {}, outputs, created=created)


ONE = task("one", write=("x",))
TWO = task("two", write=("x",))


def test_what_another_s_entry_holds_is_superseded_and_nothing_else_is() -> None:
    entries = (wrote(ONE, {"x": "1"}), wrote(TWO, {"x": "2"}))
    at = situation(ONE, TWO, files={"x": "2"}, entries=entries)
    assert decided(at, "one").notes == (Note("superseded", "x"),)
    assert decided(at, "two").notes == ()
    by_hand = replace(at, tree=tree({"x": "3"}))
    assert told(decided(by_hand, "one")) == told(decided(by_hand, "two")) == ["drifted: x"]


def test_superseded_is_stale_where_it_is_read_and_the_other_is_ordered_before() -> None:
    def says(*tasks: Task) -> list[str]:
        one = next(each for each in tasks if each.name == "one")
        rewrites = {"x": "1"} if one.claims.read else {}
        entries = (landed(one, {}, {"x": "1"}, rewrites=rewrites), wrote(TWO, {"x": "2"}))
        return told(decided(situation(*tasks, files={"x": "2"}, entries=entries), "one"))

    reads = task("one", write=("x",), read=("x",))
    assert says(TWO, reads) == ["input-changed: x"]
    assert says(TWO, ONE) == ["superseded: x"]
    # By manifest order the other comes after it, or it needs it.
    assert says(task("two", write=("x",), needs=("one",)), reads) == ["superseded: x"]
    assert says(ONE, TWO) == ["superseded: x"]


def test_what_it_created_and_is_gone_is_missing_unless_another_recorded_the_deletion() -> None:
    entries = (wrote(ONE, {"x": "1"}, created=("x",)),)
    at = situation(ONE, TWO, files={}, entries=entries)
    assert told(decided(at, "one")) == ["output-missing: x"]
    at = situation(ONE, TWO, files={}, entries=(*entries, wrote(TWO, {"x": None})))
    assert told(decided(at, "one")) == ["superseded: x"]
    # What it only edited is the person's to delete.
    at = situation(ONE, TWO, files={}, entries=(wrote(ONE, {"x": "1"}),))
    assert told(decided(at, "one")) == ["drifted: x"]


@pytest.mark.parametrize(
    ("run", "on_drift", "stale"),
    [
        (None, None, False),
        (None, "accept", False),
        (None, "rerun", True),
        ("make", None, True),
        ("make", "accept", False),
        ("make", "rerun", True),
    ],
)
def test_drift_is_accepted_for_prompts_and_not_for_commands_unless_it_is_written(
    run: str | None, on_drift: str | None, stale: bool
) -> None:
    one = task("t", write=("x",), run=run, on_drift=on_drift)  # type: ignore[arg-type]
    decision = decided(situation(one, files={"x": "2"}, entries=(wrote(one, {"x": "1"}),)), "t")
    assert told(decision) == ["drifted: x"] and decision.fresh is not stale
    if stale:
        assert decision.reasons == (Reason(ReasonKind.DRIFTED, "x", state("1"), state("2")),)


def test_what_it_reads_and_writes_is_recorded_as_it_stood_and_any_change_of_it_is_drift() -> None:
    one = task("t", write=("src/*",), read=("src/*",), run="fmt")
    entry = landed(one, {}, {"src/a": "A"}, rewrites={"src/a": "A", "src/b": "B"})
    for files, says in (
        ({"src/a": "A", "src/b": "B"}, []),
        ({"src/a": "A", "src/b": "2"}, ["drifted: src/b"]),
        ({"src/a": "A"}, ["drifted: src/b"]),
        ({"src/a": "A", "src/b": "B", "src/new": "1"}, ["drifted: src/new"]),
    ):
        assert told(decided(situation(one, files=files, entries=(entry,)), "t")) == says


# --- entries, verdicts, reasons ------------------------------------------------------------------------------


def test_an_entry_is_needed_and_for_a_check_a_green_verdict_for_its_key() -> None:
    check = task("c", write=(), read=("x",))
    at = situation(ONE, check, files={"x": "1"}, entries=(wrote(check, {}),))
    assert told(decided(at, "one")) == told(decided(at, "c")) == ["never-built"]
    key = decided(at, "c").key
    assert decided(replace(at, passed=lambda asked: asked == key), "c").fresh
    assert not decided(replace(at, passed=lambda asked: asked != key), "c").fresh


def test_each_part_of_the_definition_has_its_reason() -> None:
    prompt = Prompt("prompts/t.md", "Do more.\n", "Do more.")
    one = replace(task("t", write=("x",)), env=(("A", "1"),), check="true")
    for other, says in (
        (replace(one, prompt=prompt), ["prompt-changed: prompt"]),
        (replace(one, agent=None), ["agent-changed: agent"]),
        (replace(one, check="false"), ["definition-changed: check"]),
        (replace(one, check=None), ["definition-changed: check"]),
        (replace(one, env=(("A", "2"),)), ["definition-changed: env"]),
        (replace(one, priority=5, timeout=1.0, place=replace(one.place, line=9)), []),
    ):
        at = situation(other, files={"x": "1"}, entries=(wrote(one, {"x": "1"}),))
        assert told(decided(at, "t")) == says


def test_forced_is_a_reason_of_its_own_beside_others() -> None:
    at = situation(ONE, files={"x": "1"}, entries=(wrote(ONE, {"x": "1"}),))
    assert told(decide(ONE, at, forced=True)) == ["forced"]
    assert told(decide(ONE, replace(at, entries={}), forced=True)) == ["never-built", "forced"]


def test_who_needs_a_stale_one_is_blocked_and_who_needs_a_fresh_one_is_not() -> None:
    at = situation(NEEDED, NEEDING, files={"made": "1", "out": "1"}, entries=(MADE, USED))
    states = {name: one.state for name, one in decide_all(at).items()}
    assert states == {"n": State.FRESH, "t": State.FRESH}
    stale = replace(MADE, parts=replace(MADE.parts, definition={"prompt": "another"}))
    states = {
        name: one.state for name, one in decide_all(replace(at, entries={"n": stale, "t": USED})).items()
    }
    assert states == {"n": State.STALE, "t": State.BLOCKED}


# --- reverted ------------------------------------------------------------------------------------------------

TAKEN = task("t", write=("out",), read=("src",), needs=("n",))
GONE = landed(TAKEN, {"src": "1"}, {"out": "1", "kept": "0"}, needs={"n": MADE.outputs_digest()})
LANDING = Landing(GONE, {"out": state("1")}, "landed", "undone")
TODAY = {"src": "1", "made": "1", "out": "0", "kept": "0"}


def taken_back(
    one: Task = TAKEN, files: Files = TODAY, landing: Landing | None = LANDING, needed: LockEntry = MADE
) -> Situation:
    at = situation(NEEDED, one, files=files, entries=(needed,))
    return replace(at, undone=lambda name: landing if name == "t" else None)


def test_what_was_taken_back_is_reverted_where_nothing_else_changed() -> None:
    decision = decided(taken_back(), "t")
    assert decision.state is State.REVERTED and decision.settled and not decision.fresh
    assert decision.reasons == () and decision.reverted == LANDING
    older = replace(GONE, parts=replace(GONE.parts, definition={"prompt": "older"}))
    at = taken_back()
    assert decided(replace(at, entries={**at.entries, "t": older}), "t").state is State.REVERTED


PROMPT = Prompt("prompts/t.md", "Do more.\n", "Do more.")
NOT_REVERTED: list[tuple[str, Callable[[], Situation]]] = [
    ("the history knows nothing", lambda: taken_back(landing=None)),
    ("another prompt", lambda: taken_back(replace(TAKEN, prompt=PROMPT))),
    ("another input", lambda: taken_back(files={**TODAY, "src": "2"})),
    ("another need", lambda: taken_back(needed=replace(MADE, outputs={"made": state("2")}))),
    ("it had changed nothing", lambda: taken_back(landing=replace(LANDING, paths={}))),
    ("some of it is there", lambda: taken_back(files={**TODAY, "out": "1"})),
    ("rerun is written", lambda: taken_back(replace(TAKEN, on_drift="rerun"))),
]


@pytest.mark.parametrize("number", range(len(NOT_REVERTED)), ids=[name for name, _ in NOT_REVERTED])
def test_it_is_stale_where(number: int) -> None:
    _, make = NOT_REVERTED[number]
    decision = decided(make(), "t")
    assert decision.state is State.STALE and decision.reasons != ()


def test_part_of_what_was_taken_back_being_there_is_enough_to_be_stale() -> None:
    landing = replace(LANDING, paths={"out": state("1"), "more": state("1")})
    assert decided(taken_back(landing=landing, files={**TODAY, "more": "1"}), "t").state is State.STALE
    assert decided(taken_back(landing=landing), "t").state is State.REVERTED


def test_who_is_named_or_forced_runs_although_it_was_taken_back() -> None:
    at = taken_back()
    one = at.graph.task("t")
    assert told(decide(one, at, wanted=True)) == ["never-built"]
    assert told(decide(one, at, forced=True)) == ["never-built", "forced"]


def test_a_command_is_reverted_although_it_would_run_on_drift_unless_that_is_written() -> None:
    one = replace(task("t", write=("out",), run="make"), needs=())
    landing = Landing(wrote(one, {"out": "1"}), {"out": state("1")}, "landed", "undone")
    at = replace(situation(one, files={}), undone=lambda name: landing)
    assert decided(at, "t").state is State.REVERTED
    assert decided(replace(at, undone=lambda name: None), "t").state is State.STALE


def test_a_reverted_need_counts_with_the_outputs_that_it_last_landed() -> None:
    using = landed(NEEDING, {}, {"out": "1"}, needs={"n": MADE.outputs_digest()})
    at = situation(NEEDED, NEEDING, files={"out": "1"}, entries=(using,))
    landing = Landing(MADE, {"made": state("1")}, "landed", "undone")
    at = replace(at, undone=lambda name: landing if name == "n" else None)
    states = {name: one.state for name, one in decide_all(at).items()}
    assert states == {"n": State.REVERTED, "t": State.FRESH}


def test_what_it_read_of_a_result_that_was_taken_back_with_it_is_no_news() -> None:
    maker = task("n", write=("src",))
    made = landed(maker, {}, {"src": "1"}, created=("src",))
    reader = task("t", write=("out",), read=("src",))
    gone = landed(reader, {"src": "1"}, {"out": "1"}, created=("out",))
    landings = {
        "n": Landing(made, {"src": state("1")}, "c1", "u"),
        "t": Landing(gone, {"out": state("1")}, "c2", "u"),
    }
    at = replace(situation(maker, reader, files={}), undone=landings.get)
    assert {one.state for one in decide_all(at).values()} == {State.REVERTED}
    assert decided(at, "t").state is State.STALE
