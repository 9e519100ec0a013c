"""Plans: rows that keep all edges and are the engine's, overlaps with what they stand on, the critical path."""

from __future__ import annotations

import json
from dataclasses import replace

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from orchestra.model.events import AttemptStarted
from orchestra.model.graph import EdgeKind, Graph, build_graph
from orchestra.model.outcomes import Final
from orchestra.model.tasks import Task
from orchestra.reporting.dry_run import dry_run_text
from orchestra.reporting.outlook import Action, Outlook, Prospect, foresee
from orchestra.reporting.plan import dropped, overlaps, plan_json, plan_text
from tests.model.kit import task as kit_task
from tests.model.kit import task_sets

from .foreseen import MANY, outlook_of, simulated
from .samples import histories, instances, raw_characters, task, texts, unhurried, validator
from .stories import C0, NEVER

PLAN = validator("plan")
THOROUGH = settings(max_examples=150, deadline=None)

TASKS = (
    kit_task("tokens", 0, write=("src/tokens.py",)),
    kit_task("parser", 1, write=("src/parser.py",), read=("src/tokens.py",), needs=("tokens",)),
    kit_task("docs", 2, write=("docs/*.md",)),
    kit_task("index", 3, write=("docs/index.md",), read=("lib/**",)),
    kit_task("lib", 4, write=("lib/a.py",), read=("docs/index.md",)),
)

TEXT = """\
5 of 5 tasks would run, up to 4 at once
  1  docs    never built
  1  tokens  never built
  2  index   never built
  2  parser  never built
  3  lib     never built

overlaps       tokens → parser  needs, src/tokens.py (write-read)
               index → lib      docs/index.md (write-read)
               docs → index     docs/*.md meets docs/index.md (write-write)
dropped        lib → index  lib/a.py meets lib/** (write-read) would close a circle
critical path  3 of 5: docs → index → lib"""


def test_a_plan_of_a_few_tasks() -> None:
    outlook, graph = outlook_of(*TASKS, jobs=4)
    assert plan_text(outlook, graph) == TEXT


def test_a_plan_begins_as_a_dry_run_reads() -> None:
    outlook, graph = outlook_of(*TASKS, jobs=4)
    assert TEXT.startswith(dry_run_text(outlook, graph) + "\n\n")


def test_colour_changes_nothing_but_colour() -> None:
    text = plan_text(*outlook_of(*TASKS, jobs=4), color=True)
    assert "\x1b[2mcritical path\x1b[0m  3 of 5" in text
    assert text.replace("\x1b[2m", "").replace("\x1b[0m", "") == TEXT


def test_on_a_narrow_terminal_every_line_fits() -> None:
    text = plan_text(*outlook_of(*TASKS, jobs=4), width=40)
    assert max(len(line) for line in text.split("\n")) == 40
    assert "overlaps       tokens → parser  needs, …" in text


def test_what_is_fresh_is_named_and_what_may_run_says_on_what_it_depends() -> None:
    outlook, graph = outlook_of(*TASKS[:2], TASKS[2], built=("docs", "tokens"))
    lines = plan_text(outlook, graph).split("\n")
    assert lines[:2] == [
        f"1 of 3 tasks would run, up to {MANY} at once; 2 are fresh",
        "  1  parser  never built",
    ]
    assert "fresh          tokens, docs" in lines
    assert not any(line.startswith("critical path") for line in lines)


def test_a_check_task_that_is_green_runs_only_if_others_change_what_it_reads() -> None:
    work = kit_task("work", 0, write=("src/a.py",))
    suite = kit_task("suite", 1, write=(), read=("src/**",), needs=("work",))
    early = kit_task("early", 2, write=(), read=("docs/**",))
    docs = kit_task("docs", 3, write=("docs/a.md",), needs=("early",))
    tasks, green = (work, suite, early, docs), frozenset({"suite", "early"})
    outlook, _ = outlook_of(*tasks, quiet=green)
    found = {prospect.task: (prospect.action, prospect.depends) for prospect in outlook.prospects}
    assert found["suite"] == (Action.MAYBE, ("work",))
    # It goes before what writes its inputs, and has to pass once more after it.
    assert found["early"] == (Action.MAYBE, ("docs",))
    outlook, _ = outlook_of(*tasks)
    assert all(prospect.action is Action.RUN for prospect in outlook.prospects)


def test_targets_leave_out_what_they_do_not_need() -> None:
    outlook, graph = outlook_of(*TASKS, targets=("parser",))
    assert [prospect.task for prospect in outlook.prospects] == ["tokens", "parser"]
    assert {overlap.edge.then for overlap in overlaps(outlook, graph)} == {"parser"}
    assert dropped(outlook, graph) == ()


def test_nothing_to_do_is_still_a_plan_of_overlaps() -> None:
    outlook, graph = outlook_of(*TASKS[:2], built=("parser",))
    assert plan_text(outlook, graph).split("\n") == [
        "Nothing to do: 2 tasks are fresh.",
        "",
        "fresh          tokens, parser",
        "overlaps       tokens → parser  needs, src/tokens.py (write-read)",
    ]


def prospects(*many: Prospect) -> Outlook:
    """An outlook of these."""
    return Outlook(C0, "main", 4, many)


def test_what_is_replayed_recorded_or_reverted_is_no_attempt() -> None:
    graph = build_graph(tuple(task(name, n, write=(name,)) for n, name in enumerate("abcde")))
    outlook = prospects(
        Prospect("a", Action.RUN, 1, NEVER),
        Prospect("b", Action.REPLAY, 1, why="attempted in this very state before"),
        Prospect("c", Action.RECORD, 1, why=Final.ADOPTED.value),
        Prospect("d", Action.RECORD, 1, why=Final.REPLAYED.value),
        Prospect("e", Action.REVERTED),
    )
    assert plan_text(outlook, graph).split("\n") == [
        "1 of 5 tasks would run, up to 4 at once; 1 would be replayed; 2 would only be recorded; 1 is reverted",
        "  1  a  never built",
        "  1  b  replayed: attempted in this very state before",
        "  1  c  recorded as fresh, nothing runs",
        "  1  d  all that it did is there already",
        "",
        "reverted       e",
    ]
    assert outlook.running == {"a"}
    PLAN.validate(plan_json(outlook, graph))


def test_only_reverted_tasks_are_nothing_to_do() -> None:
    outlook = prospects(Prospect("a", Action.REVERTED), Prospect("b", Action.FRESH))
    graph = build_graph((task("a", 0, write=("a",)), task("b", 1, write=("b",))))
    assert plan_text(outlook, graph).startswith("Nothing to do: 1 task is fresh, 1 is reverted.\n")


def chain(number: int) -> tuple[Task, ...]:
    """Tasks that all write one file, so that each waits for all before it."""
    return tuple(kit_task(f"t{n}", n, write=("LOG", f"f{n}")) for n in range(number))


def test_a_long_chain_is_folded() -> None:
    lines = plan_text(*outlook_of(*chain(60))).split("\n")
    assert lines[:3] == [
        f"60 of 60 tasks would run, up to {MANY} at once",
        "   1  t0  never built",
        "   2  t1  never built",
    ]
    assert lines[21] == "  … 40 tasks more in rows 21 to 60: orchestra plan --json"
    assert "overlaps       59 pairs: LOG (write-write)" in lines
    ends = "t0 → t1 → t2 → t3 → 52 more → t56 → t57 → t58 → t59"
    assert lines[-1] == f"critical path  60 of 60: {ends}"
    assert len(lines) < 40


def test_wide_rows_are_folded_with_their_reasons_counted() -> None:
    wide = tuple(kit_task(f"w{n}", n, write=(f"w{n}",)) for n in range(40))
    last = kit_task("last", 40, write=("z",), read=("w*",))
    lines = plan_text(*outlook_of(*wide, last, built=("w0", "w1"))).split("\n")
    assert lines[1:3] == [
        "  1  38 tasks  never built: w2, w3, w4, w5, w6 and 33 more",
        "  2  last  never built",
    ]
    assert "fresh          w0, w1" in lines
    assert sum("meets w* (write-read)" in line for line in lines) == 12
    assert "               … and 28 pairs more: orchestra plan --json" in lines
    assert len(lines) < 40


def test_folded_reasons_are_of_kinds() -> None:
    tasks = tuple(kit_task(f"t{n}", n, write=(f"f{n}",)) for n in range(40))
    mixed = [Prospect(one.name, Action.RUN, 1, NEVER) for one in tasks[:30]]
    mixed += [Prospect(one.name, Action.MAYBE, 1, depends=("t0",)) for one in tasks[30:39]]
    mixed += [Prospect("t39", Action.MAYBE, depends=("t0",))]
    lines = dry_run_text(prospects(*mixed), build_graph(tasks)).split("\n")
    assert lines[1:] == [
        "  1  39 tasks  30 never built, 9 only if others change: t0, t1, t2, t3, t4 and 34 more",
        "  -  t39  only if t0 changes its output",
    ]


def test_json_of_a_plan() -> None:
    outlook, graph = outlook_of(*TASKS, jobs=4)
    content = plan_json(outlook, graph)
    PLAN.validate(content)
    assert json.loads(json.dumps(content)) == content
    assert content["rows"] == [["docs", "tokens"], ["index", "parser"], ["lib"]]
    assert [item["task"] for item in content["tasks"]] == list(graph.order)
    assert content["tasks"][0]["action"] == "run" and content["tasks"][0]["row"] == 1
    assert content["edges"][1] == {
        "first": "tokens",
        "then": "parser",
        "edge": "write-read",
        "through": [{"first": "src/tokens.py", "then": "src/tokens.py"}],
        "implied": False,
    }
    assert content["dropped"] == [
        {
            "first": "lib",
            "then": "index",
            "edge": "write-read",
            "through": [{"first": "lib/a.py", "then": "lib/**"}],
        }
    ]
    assert content["critical_path"] == ["docs", "index", "lib"]
    assert (content["branch"], content["jobs"]) == ("main", 4)


@THOROUGH
@given(task_sets())
def test_rows_are_those_of_the_engine_and_keep_every_edge(tasks: tuple[Task, ...]) -> None:
    events, graph = simulated(*tasks)
    outlook = foresee(events, graph)
    assert outlook is not None
    first_starts = list(dict.fromkeys(event.task for event in events if isinstance(event, AttemptStarted)))
    assert [name for row in outlook.rows for name in row] == first_starts
    assert [prospect.task for prospect in outlook.prospects] == first_starts, "nothing has been built yet"
    place = {name: number for number, row in enumerate(outlook.rows) for name in row}
    for edge in graph.edges:
        assert place[edge.first] < place[edge.then] or edge.kind is EdgeKind.SHARE
    # As many attempts at once as there are tasks: only the longest chain makes it long.
    critical = plan_json(outlook, graph)["critical_path"]
    assert len(critical) == len(outlook.rows)
    assert [place[name] for name in critical] == list(range(len(critical)))


@THOROUGH
@given(task_sets(), st.integers(1, 3), st.data())
def test_rows_of_a_later_build_with_few_at_once(
    tasks: tuple[Task, ...], jobs: int, data: st.DataObject
) -> None:
    # What nobody said is found out at the end, and then a task may run after those that need it.
    assume(all(one.claims.write is not None or one.claims.exclusive or one.run for one in tasks))
    built = data.draw(st.lists(st.sampled_from([one.name for one in tasks]), max_size=3, unique=True))
    outlook, graph = outlook_of(*tasks, jobs=jobs, built=tuple(built))
    place = {prospect.task: prospect.row for prospect in outlook.prospects}
    assert all(1 <= len(row) <= jobs for row in outlook.rows)
    for name, row in place.items():
        for other in graph.before(name):
            if graph.task(other).claims.is_check:
                continue  # it may have to pass once more, at the end
            before = place[other]
            assert row is None or before is None or before < row
    assert len(plan_json(outlook, graph)["critical_path"]) <= len(outlook.rows)


@st.composite
def outlooks(draw: st.DrawFn) -> tuple[Outlook, Graph]:
    """Anything foreseen of tasks with foreign names."""
    names = draw(st.lists(texts().filter(bool), min_size=1, max_size=5, unique=True))
    patterns = st.lists(st.sampled_from(["a", "**", "b/*"]), max_size=2, unique=True).map(tuple)
    tasks = tuple(
        task(
            name,
            index,
            write=draw(st.one_of(st.none(), patterns)),
            read=draw(patterns),
            shared=draw(st.sampled_from([(), ("LOG",)])),
            needs=tuple(names[index - 1 : index]) if draw(st.booleans()) else (),
        )
        for index, name in enumerate(names)
    )
    made = [replace(draw(instances(Prospect)), task=name) for name in names]
    rows = [replace(one, row=draw(st.one_of(st.none(), st.integers(1, 3)))) for one in made]
    return Outlook(draw(texts()), draw(st.one_of(st.none(), texts())), 2, tuple(rows)), build_graph(tasks)


@unhurried
@given(outlooks(), st.booleans(), st.sampled_from([None, 20, 80]))
def test_anything_reads_clean_and_keeps_to_the_schema(
    foreseen: tuple[Outlook, Graph], color: bool, width: int | None
) -> None:
    assert raw_characters(plan_text(*foreseen, color=color, width=width), color) == []
    content = plan_json(*foreseen)
    assert PLAN.is_valid(content)
    assert json.loads(json.dumps(content)) == content


@unhurried
@given(histories())
def test_any_events_are_read(events: list[object]) -> None:
    graph = build_graph((task("alpha"), task("beta", 1, needs=("alpha",)), task("x" * 90, 2, read=("**",))))
    outlook = foresee(events, graph)  # type: ignore[arg-type]
    if outlook is not None:
        assert PLAN.is_valid(plan_json(replace(outlook, jobs=max(1, outlook.jobs)), graph))
