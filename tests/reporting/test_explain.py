"""One task explained: the reasons of the code that decided, what it waits for, what would make it run."""

from __future__ import annotations

from dataclasses import replace

from orchestra.model.entries import LockEntry
from orchestra.model.errors import Place
from orchestra.model.freshness import Decision, Landing, Reason, ReasonKind, Situation, State, decide_all
from orchestra.model.graph import Graph, build_graph
from orchestra.model.keys import Parts, definition_of
from orchestra.model.outcomes import Final
from orchestra.model.tasks import Claims, Inferred
from orchestra.model.trees import Tree
from orchestra.reporting.claims import claims_rows
from orchestra.reporting.explain import explain_json, explain_text, stale_needs

from .samples import manifest, task, validator

PLACE = Place("orchestra.yaml", 12, 3)
ALPHA = task("alpha", 0, write=("src/a.py",))
WRITER = task("writer", 1, write=("src/**",))
GAMMA = replace(
    task("gamma", 2, write=("g.txt", "h.txt"), read=("src/**", "lib.py"), needs=("alpha",)), place=PLACE
)
BETA = task("beta", 3, write=("g.txt",), needs=("gamma",))
LATER = task("later", 4, write=("g.txt",))
TASKS = (ALPHA, WRITER, GAMMA, BETA, LATER)
GRAPH = build_graph(TASKS)

OLD, NEW, BLOB = "100644 " + "a" * 40, "100644 " + "b" * 40, "100644 " + "c" * 40
TREE = Tree("c0", {"src/a.py": BLOB, "src/x.py": NEW, "g.txt": BLOB})


def entry(
    name: str, *, inputs: dict[str, str], needs: dict[str, str], outputs: dict[str, str | None]
) -> LockEntry:
    """What was recorded of a task whose definition has not changed."""
    return LockEntry(name, Parts(definition_of(GRAPH.task(name), None), inputs, needs), outputs)


ENTRY_ALPHA = entry("alpha", inputs={}, needs={}, outputs={"src/a.py": BLOB})
ENTRIES = {
    "alpha": ENTRY_ALPHA,
    "writer": entry("writer", inputs={}, needs={}, outputs={"src/x.py": NEW}),
    "gamma": entry(
        "gamma",
        inputs={"src/a.py": BLOB, "src/x.py": OLD, "lib.py": OLD},
        needs={"alpha": ENTRY_ALPHA.outputs_digest()},
        outputs={"g.txt": BLOB},
    ),
}
AT = Situation(manifest(*TASKS), GRAPH, TREE, ENTRIES)
DECISIONS = decide_all(AT)
KEY = DECISIONS["gamma"].key
PROMPT = definition_of(GAMMA, None)["prompt"]

STALE_TEXT = f"""\
gamma is stale
  lib.py gone: aaaaaaa → none
  src/x.py changed: aaaaaaa → bbbbbbb
last     rejected, tests fail
key      {KEY[:10]}
parts    definition: agent auto, prompt {PROMPT[:7]}
         inputs: 2 files
           src/a.py ccccccc
           src/x.py bbbbbbb
         needs: alpha {ENTRY_ALPHA.outputs_digest()[:7]}
claims   declared, orchestra.yaml:12:3
         writes g.txt, h.txt
         reads src/**, lib.py
after    alpha (fresh): it is needed, it writes what this one reads (src/a.py meets src/**)
         writer (fresh): it writes what this one reads (src/**)
next     orchestra build gamma"""

FRESH_TEXT = f"""\
alpha is fresh
key      {DECISIONS["alpha"].key[:10]}
parts    definition: agent auto, prompt {PROMPT[:7]}
         inputs: none
         needs: none
claims   declared, orchestra.yaml
         writes src/a.py
         reads nothing
next     it runs again when its agent or prompt changes
         it runs again when a file that it created goes missing
         it runs again when it is forced: orchestra build --force alpha"""


def on(graph: Graph) -> Situation:
    """The same tree and entries with other tasks."""
    return replace(AT, graph=graph)


def test_a_stale_task_is_explained_part_by_part() -> None:
    text = explain_text("gamma", DECISIONS, AT, {"gamma": (Final.REJECTED, "tests fail")})
    assert text == STALE_TEXT


def test_a_fresh_task_says_what_would_make_it_run() -> None:
    assert explain_text("alpha", DECISIONS, AT) == FRESH_TEXT


def test_colour_changes_nothing_but_colour() -> None:
    text = explain_text("alpha", DECISIONS, AT, color=True)
    assert text.startswith("alpha is \x1b[32mfresh\x1b[0m\n")
    assert text.replace("\x1b[32m", "").replace("\x1b[0m", "") == FRESH_TEXT


def test_what_would_make_a_task_run_follows_its_parts() -> None:
    decision = replace(DECISIONS["gamma"], state=State.FRESH, reasons=())
    text = explain_text("gamma", {**DECISIONS, "gamma": decision}, AT)
    assert (
        "it runs again when what it reads changes (src/**, lib.py), but for what it writes itself\n" in text
    )
    assert "it runs again when what alpha landed changes\n" in text
    assert "on_drift" not in text
    rerun = build_graph((ALPHA, WRITER, replace(GAMMA, on_drift="rerun")))
    text = explain_text("gamma", {"gamma": decision}, on(rerun))
    assert "it runs again when someone else changes what it wrote (on_drift: rerun)" in text


def test_a_blocked_task_names_the_stale_ones_that_it_needs_directly_or_not() -> None:
    decisions = {**DECISIONS, "beta": Decision("beta", State.BLOCKED, Parts({}))}
    text = explain_text("beta", decisions, AT)
    assert text.startswith(
        "beta is blocked\n"
        "  nothing of its own has changed; it needs what is stale: gamma\n"
        "  whether it has to run shows once that has landed\n"
    )
    assert stale_needs("beta", decisions, GRAPH) == ("gamma",)
    both = {**decisions, "alpha": Decision("alpha", State.STALE, Parts({}))}
    assert stale_needs("beta", both, GRAPH) == ("alpha", "gamma")


def test_writers_of_the_same_file_are_named() -> None:
    rows = explain_text("later", DECISIONS, AT).split("\n")
    assert "after    gamma (stale): it writes the same (g.txt)" in rows


def test_an_edge_that_would_close_a_circle_is_told() -> None:
    one = task("one", 0, write=("a",), read=("b",))
    two = task("two", 1, write=("b",), read=("a",))
    graph = build_graph((one, two))
    decisions = {name: Decision(name, State.FRESH, Parts({"prompt": "0"})) for name in ("one", "two")}
    assert (
        "after    not two, although it writes what this one reads (b): that would be a circle"
        in explain_text("one", decisions, on(graph)).split("\n")
    )
    assert explain_json("one", decisions, on(graph))["dropped"] == [
        {"task": "two", "edge": "write-read", "through": [{"first": "b", "then": "b"}]}
    ]


def test_claims_in_words() -> None:
    def words(claims: Claims, run: str | None = None) -> list[str]:
        plain = replace(ALPHA, claims=claims, run=run)
        decisions = {"alpha": Decision("alpha", State.FRESH, Parts({}))}
        rows = explain_text("alpha", decisions, on(build_graph((plain,)))).split("\n")
        start = next(n for n, row in enumerate(rows) if row.startswith("claims"))
        return [row[9:] for row in rows[start : start + 3]]

    unknown = [
        "not declared",
        "nobody said what it writes: it runs beside the others and meets them at landing",
        "reads nothing declared",
    ]
    assert words(Claims()) == unknown
    everything = Claims(read=("**",), unread=("orchestra.yaml", "prompts/**"))
    assert words(everything, run="make") == [
        "not declared",
        "writes anything, so that it runs alone among those that write",
        "reads everything, but not orchestra.yaml, prompts/**",
    ]
    check = words(Claims(write=(), read=("**",), declared=True))
    assert check[1:] == ["writes nothing (a check task)", "reads everything"]
    assert words(Claims(exclusive=True))[1] == "writes anything"


def test_many_reasons_are_counted() -> None:
    reasons = tuple(Reason(ReasonKind.INPUT_CHANGED, f"f{n}", OLD, NEW) for n in range(25))
    decision = Decision("alpha", State.STALE, Parts({}), reasons)
    text = explain_text("alpha", {"alpha": decision}, AT)
    assert text.count("aaaaaaa → bbbbbbb") == 20
    assert "  … and 5 more: orchestra explain alpha --json\n" in text


def test_json_of_one_task() -> None:
    content = explain_json("gamma", DECISIONS, AT)
    validator("explain").validate(content)
    assert content["key"] == KEY
    assert content["reasons"][0] == {"kind": "input-changed", "subject": "lib.py", "old": OLD, "new": None}
    assert content["parts"]["inputs"] == {"src/a.py": BLOB, "src/x.py": NEW}
    assert content["claims"]["place"] == "orchestra.yaml:12:3"
    assert content["needs"] == ["alpha"]
    assert content["stale_needs"] == []
    assert content["after"] == [
        {"task": "alpha", "edge": "needs", "through": [], "state": "fresh"},
        {
            "task": "alpha",
            "edge": "write-read",
            "through": [{"first": "src/a.py", "then": "src/**"}],
            "state": "fresh",
        },
        {
            "task": "writer",
            "edge": "write-read",
            "through": [{"first": "src/**", "then": "src/**"}],
            "state": "fresh",
        },
    ]


def test_claims_that_were_found_come_with_their_evidence() -> None:
    found = (
        Inferred("src/a.py", "write", 4, "`src/a.py` is named after \x1b[31mfix"),
        Inferred("src/b.py", "read", 7, "named"),
    )
    rows = claims_rows(task("one", inferred=found))
    assert rows == [
        "not declared; what was found in the prompt orders it",
        "writes src/a.py, and maybe more, which meets the others at landing",
        "reads nothing declared",
        "found: writes src/a.py  (prompts/one.md:4: `src/a.py` is named after fix)",
        "found: reads src/b.py  (prompts/one.md:7: named)",
    ]
    many = tuple(Inferred(f"f{n}", "read", n + 1, "named") for n in range(40))
    assert claims_rows(task("one", inferred=many))[-2:] == [
        "found: reads f19  (prompts/one.md:20: named)",
        "… and 20 claims more",
    ]


def test_shared_and_protected_claims_are_said_to_be_so() -> None:
    rows = claims_rows(task("one", write=(".github/workflows/ci.yml", "a"), shared=("LOG",)))
    assert rows[1:4] == [
        "writes .github/workflows/ci.yml, a",
        "shares LOG with others that share it",
        "of that, .github/workflows/ci.yml is protected, and open by allow_protected",
    ]
    assert claims_rows(task("one", write=(), shared=("LOG",)))[1] == "writes nothing else"


def test_inputs_that_later_tasks_wrote_count_as_unchanged_and_say_so() -> None:
    reader = task("reader", 0, write=("r.txt",), read=("in/*",))
    later = task("later", 1, write=("in/b", "in/c", "in/d"), needs=("reader",))
    graph = build_graph((reader, later))
    entries = {
        "reader": LockEntry(
            "reader", Parts(definition_of(reader, None), {"in/a": OLD, "in/b": OLD, "in/c": OLD}), {}
        ),
        "later": LockEntry(
            "later",
            Parts(definition_of(later, None), {}, {}),
            {"in/b": NEW, "in/c": None, "in/d": BLOB},
        ),
    }
    tree = Tree("c0", {"in/a": OLD, "in/b": NEW, "in/d": BLOB})
    at = Situation(manifest(reader, later), graph, tree, entries)
    decisions = decide_all(at)
    assert decisions["reader"].state is State.FRESH
    rows = explain_text("reader", decisions, at).split("\n")
    start = next(n for n, row in enumerate(rows) if "inputs:" in row)
    assert [row.strip() for row in rows[start : start + 5]] == [
        "inputs: 4 files",
        "in/a aaaaaaa",
        "in/b aaaaaaa → bbbbbbb counts as unchanged: written by later",
        "in/c aaaaaaa → none counts as unchanged: written by later",
        "in/d none → ccccccc counts as unchanged: written by later",
    ]
    assert explain_json("reader", decisions, at)["unchanged"][1] == {
        "path": "in/c",
        "recorded": OLD,
        "seen": None,
        "by": ["later"],
    }


def test_inputs_that_the_task_itself_wrote_count_as_unchanged_and_say_so() -> None:
    own = replace(task("own", read=("in/*",)), claims=Claims(read=("in/*",), declared=True))
    recorded = Parts(definition_of(own, None), {"in/a": OLD})
    at = Situation(
        manifest(own),
        build_graph((own,)),
        Tree("c0", {"in/a": NEW}),
        {"own": LockEntry("own", recorded, {"in/a": NEW})},
    )
    text = explain_text("own", decide_all(at), at)
    assert "in/a aaaaaaa → bbbbbbb counts as unchanged: written by own\n" in text


def test_a_reverted_task_says_by_whom_and_what_to_type() -> None:
    landing = Landing(ENTRIES["alpha"], {"src/a.py": BLOB}, "1" * 40, "2" * 40)
    at = replace(
        AT,
        tree=Tree("c0", {}),
        entries={},
        undone=lambda name: landing if name == "alpha" else None,
    )
    decisions = decide_all(at)
    assert decisions["alpha"].state is State.REVERTED
    rows = explain_text("alpha", decisions, at, {"alpha": (Final.REJECTED, "long ago")}).split("\n")
    assert rows[:3] == [
        "alpha is reverted",
        "  1111111 landed it and 2222222 took it back: nothing is left of it in src/a.py",
        "  it is left alone unless it is named; tasks that need it go on as if it were there",
    ]
    assert rows[-3:] == [
        "next     orchestra build alpha  (to have it again)",
        "         edit prompts/alpha.md  (to have something else)",
        "         orchestra build --adopt alpha  (to count what is there as done)",
    ]
    content = explain_json("alpha", decisions, at)
    validator("explain").validate(content)
    assert content["reverted"] == {"landed": "1" * 40, "undone": "2" * 40, "paths": {"src/a.py": BLOB}}


def test_of_many_tasks_that_go_before_the_first_are_named() -> None:
    tasks = tuple(task(f"t{n}", n, write=("same",)) for n in range(30))
    graph = build_graph(tasks)
    at = replace(AT, manifest=manifest(*tasks), graph=graph)
    decisions = {"t29": Decision("t29", State.FRESH, Parts({}))}
    rows = explain_text("t29", decisions, at).split("\n")
    assert sum("it writes the same (same)" in row for row in rows) == 20
    assert "         … and 9 tasks more" in rows


def test_one_that_runs_alone_says_so() -> None:
    tasks = (task("alone", 0, exclusive=True), task("free", 1))
    at = on(build_graph(tasks))
    text = explain_text("free", {"free": Decision("free", State.FRESH, Parts({}))}, at)
    assert "after    alone: one of the two runs alone\n" in text


def test_the_history_is_told_as_json_too() -> None:
    content = explain_json("gamma", DECISIONS, AT, {"gamma": (Final.FAILED, "timed out")})
    assert content["last"] == {"final": "failed", "why": "timed out"}
    assert explain_json("gamma", DECISIONS, AT)["last"] is None


def test_what_the_last_attempt_was_seen_to_read_and_what_of_it_is_not_declared() -> None:
    assert "observed" not in explain_text("gamma", DECISIONS, AT)
    text = explain_text("gamma", DECISIONS, AT, reads=("src/a.py", "g.txt", "docs/x.md", "z\x1b"))
    assert "observed its last attempt read src/a.py, g.txt, docs/x.md, z\\x1b\n" in text
    assert "not declared: docs/x.md, z\\x1b\n" in text and "`claims.read`" in text
    all_declared = explain_text("gamma", DECISIONS, AT, reads=("src/a.py", "g.txt"))
    assert "observed" in all_declared and "not declared" not in all_declared
    data = explain_json("gamma", DECISIONS, AT, reads=("src/a.py", "docs/x.md"))
    assert data["reads"] == {"observed": ["src/a.py", "docs/x.md"], "undeclared": ["docs/x.md"]}
    validator("explain").validate(data)
