"""The state of all tasks on one screen, and as JSON that keeps to its schema."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from orchestra.model.entries import LockEntry
from orchestra.model.freshness import Decision, Landing, Note, Reason, ReasonKind, Situation, State
from orchestra.model.graph import build_graph
from orchestra.model.keys import Parts
from orchestra.model.outcomes import Final
from orchestra.model.tasks import Claims, Inferred, Manifest, Task
from orchestra.model.trees import Tree
from orchestra.reporting.explain import explain_json, explain_text
from orchestra.reporting.status import AT_MOST, EACH, Last, listed, status_json, status_text

from .samples import instances, manifest, raw_characters, task, texts, unhurried, validator

STATUS, EXPLAIN = validator("status"), validator("explain")
PARTS = Parts({"prompt": "0" * 64})
PROMPT = Reason(ReasonKind.PROMPT_CHANGED, "prompt", "0" * 64, "1" * 64)

TASKS = (
    task("alpha", 0, write=("src/a.py",)),
    task("add-tokens", 1, write=("src/tokens.py",)),
    task("gamma", 2, write=("g.txt",), read=("src/**",), needs=("alpha", "add-tokens")),
    task("suite", 3, write=(), read=("**",)),
    task("docs", 4, write=("docs/**",)),
)
DECISIONS = {
    "alpha": Decision("alpha", State.FRESH, PARTS),
    "add-tokens": Decision("add-tokens", State.STALE, PARTS, (PROMPT,)),
    "gamma": Decision("gamma", State.BLOCKED, PARTS),
    "suite": Decision("suite", State.STALE, PARTS, (Reason(ReasonKind.NEVER_BUILT),)),
    "docs": Decision(
        "docs",
        State.FRESH,
        PARTS,
        (),
        (Note("drifted", "docs/a.md"), Note("superseded", "docs/c.md"), Note("drifted", "docs/b.md")),
    ),
}
LAST = {
    "add-tokens": (Final.REJECTED, "tests fail"),
    "alpha": (Final.FAILED, "x"),
    "suite": (Final.LANDED, "y"),
}

TEXT = """\
fresh     alpha
stale     add-tokens  prompt changed  (last: rejected, tests fail)
blocked   gamma       needs add-tokens
stale     suite       not passed as it is now
fresh     docs        drifted: docs/a.md, docs/b.md; superseded: docs/c.md
5 tasks: 2 fresh, 2 stale, 1 blocked; 1 drifted, 1 superseded"""


def status(tasks: tuple[Task, ...], decisions: Mapping[str, Decision], last: Last | None = None) -> str:
    """The text for these tasks."""
    return status_text(decisions, build_graph(tasks), manifest(*tasks), last)


def many(number: int, stale: int) -> tuple[tuple[Task, ...], dict[str, Decision]]:
    """Tasks of which the last ones are stale."""
    tasks = tuple(task(f"t{n}", n, write=(f"f{n}",)) for n in range(number))
    decisions = {
        item.name: Decision(item.name, State.STALE, PARTS, (PROMPT,))
        if item.index >= number - stale
        else Decision(item.name, State.FRESH, PARTS)
        for item in tasks
    }
    return tasks, decisions


def test_a_few_tasks_have_a_line_each() -> None:
    assert status(TASKS, DECISIONS, LAST) == TEXT


def test_colour_changes_nothing_but_colour() -> None:
    text = status_text(DECISIONS, build_graph(TASKS), manifest(*TASKS), LAST, color=True)
    assert "\x1b[32mfresh   \x1b[0m  alpha" in text
    for code in ("32", "33", "2", "0"):
        text = text.replace(f"\x1b[{code}m", "")
    assert text == TEXT


def test_no_tasks() -> None:
    assert status((), {}) == "No tasks."


def test_up_to_thirty_tasks_are_all_listed_and_of_more_only_those_that_are_not_fresh() -> None:
    assert status(*many(EACH, 1)).count("\n") == EACH
    text = status(*many(EACH + 1, 2)).split("\n")
    assert text == [
        "stale     t29  prompt changed",
        "stale     t30  prompt changed",
        "31 tasks: 29 fresh, 2 stale",
    ]


def test_five_hundred_tasks_fit_one_screen() -> None:
    text = status(*many(500, 350)).split("\n")
    assert len(text) == AT_MOST
    assert text[-2:] == ["… and 312 more: orchestra status --json", "500 tasks: 150 fresh, 350 stale"]


def test_nothing_is_cut_for_the_sake_of_one_line() -> None:
    for stale in (AT_MOST - 2, AT_MOST - 1):
        text = status(*many(100, stale)).split("\n")
        assert len(text) == stale + 1
        assert "more" not in text[-2]


def test_of_many_tasks_those_whose_notes_are_not_shown_are_counted() -> None:
    tasks, decisions = many(40, 1)
    decisions["t3"] = replace(decisions["t3"], notes=(Note("drifted", "f3"), Note("drifted", "g3")))
    assert status(tasks, decisions).split("\n")[-1] == "40 tasks: 39 fresh, 1 stale; 1 drifted"


def test_reverted_tasks_say_by_which_commits() -> None:
    entry = LockEntry("t0", PARTS, {"f0": "100644 " + "a" * 40})
    landing = Landing(entry, {"f0": "100644 " + "a" * 40}, "1" * 40, "2" * 40)
    tasks, decisions = many(2, 1)
    decisions["t0"] = Decision("t0", State.REVERTED, PARTS, reverted=landing)
    failed = {"t0": (Final.FAILED.value, "long ago")}
    assert status(tasks, decisions, failed) == (
        "reverted  t0  1111111 was taken back by 2222222\n"
        "stale     t1  prompt changed\n"
        "2 tasks: 1 stale, 1 reverted"
    )
    # Whoever needs it goes on; whoever needs a blocked one waits for that.
    needing = (tasks[0], task("then", 1, needs=("t0", "t1")), task("t1", 2))
    decisions["then"] = Decision("then", State.BLOCKED, PARTS)
    assert "blocked   then  needs t1\n" in status(needing, decisions)


def test_on_a_narrow_terminal_every_line_fits() -> None:
    tasks, decisions = many(3, 2)
    long = replace(tasks[2], name="a-name-that-is-far-too-long-for-a-narrow-terminal")
    every = {**decisions, long.name: replace(decisions["t2"], task=long.name, reasons=(PROMPT,) * 4)}
    del every["t2"]
    tasks = (*tasks[:2], long)
    text = status_text(every, build_graph(tasks), manifest(*tasks), width=44)
    assert max(len(line) for line in text.split("\n")) <= 44
    assert "a-name-that-is-…  prompt changed,…" in text
    assert long.name[:39] + "…" in status(tasks, every), "what goes to a file is not cut for a terminal"


def test_only_what_has_a_line_is_worth_asking_about() -> None:
    tasks, decisions = many(500, 350)
    shown = listed(decisions, manifest(*tasks))
    assert shown == tuple(f"t{n}" for n in range(150, 150 + AT_MOST - 2))
    few, theirs = many(5, 1)
    assert listed(theirs, manifest(*few)) == tuple(f"t{n}" for n in range(5))


def test_of_many_tasks_the_stale_ones_come_first() -> None:
    tasks, decisions = many(40, 2)
    decisions["t0"] = Decision("t0", State.BLOCKED, PARTS)
    assert [line.split()[0] for line in status(tasks, decisions).split("\n")] == [
        "stale",
        "stale",
        "blocked",
        "40",
    ]


def test_json_of_all_tasks() -> None:
    content = status_json(DECISIONS, manifest(*TASKS))
    STATUS.validate(content)
    assert content["version"] == 1
    assert [item["task"] for item in content["tasks"]] == [item.name for item in TASKS]
    assert content["tasks"][1] == {
        "task": "add-tokens",
        "state": "stale",
        "notes": [],
        "reasons": [{"kind": "prompt-changed", "subject": "prompt", "old": "0" * 64, "new": "1" * 64}],
        "claims": {
            "write": ["src/tokens.py"],
            "read": [],
            "unread": [],
            "shared": [],
            "declared": True,
            "exclusive": False,
            "inferred": [],
        },
        "needs": [],
    }
    assert content["tasks"][4]["notes"] == ["drifted", "superseded"]


def test_json_tells_unknown_claims_from_none() -> None:
    tasks = (task("prompt"), task("check", 1, write=()))
    decisions = {item.name: Decision(item.name, State.FRESH, PARTS) for item in tasks}
    claims = [item["claims"] for item in status_json(decisions, manifest(*tasks))["tasks"]]
    assert [item["write"] for item in claims] == [None, []]


@st.composite
def situations(draw: st.DrawFn) -> tuple[tuple[Task, ...], dict[str, Decision], dict[str, tuple[str, str]]]:
    """Tasks with foreign names, any decisions about them, any last outcomes."""
    names = draw(st.lists(texts().filter(bool), max_size=4, unique=True))
    foreign = st.builds(
        Inferred,
        st.sampled_from(["a.txt", "a*"]),
        st.sampled_from(["write", "read"]),
        st.integers(1, 9),
        texts(),
    )
    every = {name: draw(instances(Decision)) for name in names}
    tasks = tuple(
        Task(
            name,
            index,
            Claims(
                write=draw(st.sampled_from([None, (), ("a.txt",), ("src/**",), (".github/**",)])),
                read=("src/**",),
                shared=draw(st.sampled_from([(), ("LOG",)])),
                inferred=draw(st.lists(foreign, max_size=2).map(tuple)),
            ),
            run=draw(texts()),
            needs=tuple(
                draw(st.lists(st.sampled_from(names[:index]), max_size=2, unique=True)) if index else ()
            ),
            on_drift=draw(st.sampled_from(["accept", "rerun"])),
        )
        for index, name in enumerate(names)
    )
    decisions = {
        name: replace(made, task=name, reverted=made.reverted if made.state is State.REVERTED else None)
        for name, made in every.items()
    }
    last = (
        draw(
            st.dictionaries(
                st.sampled_from(names), st.tuples(st.sampled_from([final.value for final in Final]), texts())
            )
        )
        if names
        else {}
    )
    return tasks, decisions, last


@unhurried
@given(situations(), st.booleans())
def test_anything_reads_clean_and_keeps_to_the_schemas(
    situation: tuple[tuple[Task, ...], dict[str, Decision], dict[str, tuple[str, str]]], color: bool
) -> None:
    tasks, decisions, last = situation
    graph = build_graph(tasks)
    assert raw_characters(status_text(decisions, graph, Manifest(tasks, {}), last, color), color) == []
    content = status_json(decisions, Manifest(tasks, {}))
    assert STATUS.is_valid(content)
    assert json.loads(json.dumps(content)) == content
    for name in decisions:
        at = Situation(Manifest(tasks, {}), graph, Tree("c0", {}), {})
        assert raw_characters(explain_text(name, decisions, at, last, color), color) == []
        explained = explain_json(name, decisions, at, last)
        assert EXPLAIN.is_valid(explained)
        assert json.loads(json.dumps(explained)) == explained
