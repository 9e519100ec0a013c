"""One task explained: the reasons of the code that decided, what it waits for, what would make it run."""

from __future__ import annotations

from dataclasses import replace

from orchestra.model.entries import LockEntry
from orchestra.model.errors import Place
from orchestra.model.freshness import Decision, Reason, ReasonKind, Situation, State, decide_all
from orchestra.model.graph import build_graph
from orchestra.model.keys import Parts, definition_of
from orchestra.model.outcomes import Final
from orchestra.model.tasks import Claims
from orchestra.model.trees import Tree
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
DECISIONS = decide_all(Situation(manifest(*TASKS), GRAPH, TREE, ENTRIES))
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
after    alpha (fresh): it is needed, it writes what this one reads
         writer (fresh): it writes what this one reads
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


def test_a_stale_task_is_explained_part_by_part() -> None:
    text = explain_text("gamma", DECISIONS, GRAPH, {"gamma": (Final.REJECTED, "tests fail")})
    assert text == STALE_TEXT


def test_a_fresh_task_says_what_would_make_it_run() -> None:
    assert explain_text("alpha", DECISIONS, GRAPH) == FRESH_TEXT


def test_colour_changes_nothing_but_colour() -> None:
    text = explain_text("alpha", DECISIONS, GRAPH, color=True)
    assert text.startswith("alpha is \x1b[32mfresh\x1b[0m\n")
    assert text.replace("\x1b[32m", "").replace("\x1b[0m", "") == FRESH_TEXT


def test_what_would_make_a_task_run_follows_its_parts() -> None:
    decision = replace(DECISIONS["gamma"], state=State.FRESH, reasons=())
    text = explain_text("gamma", {**DECISIONS, "gamma": decision}, GRAPH)
    assert "it runs again when a file of src/**, lib.py changes that it does not write itself\n" in text
    assert "it runs again when what alpha landed changes\n" in text
    assert "on_drift" not in text
    rerun = build_graph((ALPHA, WRITER, replace(GAMMA, on_drift="rerun")))
    text = explain_text("gamma", {"gamma": decision}, rerun)
    assert "it runs again when someone else changes what it wrote (on_drift: rerun)" in text


def test_a_blocked_task_names_the_stale_ones_that_it_needs_directly_or_not() -> None:
    decisions = {**DECISIONS, "beta": Decision("beta", State.BLOCKED, Parts({}))}
    text = explain_text("beta", decisions, GRAPH)
    assert text.startswith(
        "beta is blocked\n"
        "  nothing of its own has changed; it needs what is stale: gamma\n"
        "  whether it has to run shows once that has landed\n"
    )
    assert stale_needs("beta", decisions, GRAPH) == ("gamma",)
    both = {**decisions, "alpha": Decision("alpha", State.STALE, Parts({}))}
    assert stale_needs("beta", both, GRAPH) == ("alpha", "gamma")


def test_writers_of_the_same_file_are_named() -> None:
    rows = explain_text("later", DECISIONS, GRAPH).split("\n")
    assert "after    gamma (stale): it writes the same" in rows


def test_an_edge_that_would_close_a_circle_is_told() -> None:
    one = task("one", 0, write=("a",), read=("b",))
    two = task("two", 1, write=("b",), read=("a",))
    graph = build_graph((one, two))
    decisions = {name: Decision(name, State.FRESH, Parts({"prompt": "0"})) for name in ("one", "two")}
    assert "after    not two, although it writes what this one reads: that would be a circle" in explain_text(
        "one", decisions, graph
    ).split("\n")
    assert explain_json("one", decisions, graph)["dropped"] == ["two"]


def test_claims_in_words() -> None:
    def words(claims: Claims, run: str | None = None) -> list[str]:
        plain = replace(ALPHA, claims=claims, run=run)
        decisions = {"alpha": Decision("alpha", State.FRESH, Parts({}))}
        rows = explain_text("alpha", decisions, build_graph((plain,))).split("\n")
        start = next(n for n, row in enumerate(rows) if row.startswith("claims"))
        return [row[9:] for row in rows[start : start + 3]]

    unknown = ["not declared", "writes nobody said: it meets the others at landing", "reads nothing declared"]
    assert words(Claims()) == unknown
    everything = Claims(read=("**",), unread=("orchestra.yaml", "prompts/**"))
    assert words(everything, run="make") == [
        "not declared",
        "writes anything",
        "reads everything, but not orchestra.yaml, prompts/**",
    ]
    check = words(Claims(write=(), read=("**",), declared=True))
    assert check[1:] == ["writes nothing (a check task)", "reads everything"]
    assert words(Claims(exclusive=True))[1] == "writes anything"


def test_many_reasons_are_counted() -> None:
    reasons = tuple(Reason(ReasonKind.INPUT_CHANGED, f"f{n}", OLD, NEW) for n in range(25))
    decision = Decision("alpha", State.STALE, Parts({}), reasons)
    text = explain_text("alpha", {"alpha": decision}, GRAPH)
    assert text.count("aaaaaaa → bbbbbbb") == 20
    assert "  … and 5 more: orchestra explain alpha --json\n" in text


def test_json_of_one_task() -> None:
    content = explain_json("gamma", DECISIONS, GRAPH)
    validator("explain").validate(content)
    assert content["key"] == KEY
    assert content["reasons"][0] == {"kind": "input-changed", "subject": "lib.py", "old": OLD, "new": None}
    assert content["parts"]["inputs"] == {"src/a.py": BLOB, "src/x.py": NEW}
    assert content["claims"]["place"] == "orchestra.yaml:12:3"
    assert content["needs"] == ["alpha"]
    assert content["stale_needs"] == []
    assert content["after"] == [
        {"task": "alpha", "edge": "needs", "state": "fresh"},
        {"task": "alpha", "edge": "write-read", "state": "fresh"},
        {"task": "writer", "edge": "write-read", "state": "fresh"},
    ]
