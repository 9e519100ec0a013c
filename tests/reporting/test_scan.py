"""Claims as found: what is told of them, and that what is printed for the manifest says the same."""

from __future__ import annotations

from dataclasses import replace

import yaml
from hypothesis import given
from hypothesis import strategies as st

from orchestra.model.errors import Place
from orchestra.model.patterns import compile_pattern
from orchestra.model.tasks import Claims, Inferred, Prompt, Task
from orchestra.model.trees import Tree
from orchestra.reporting.scan import FILES, claims_found, scan_json, scan_text, scan_yaml

from .samples import raw_characters, texts, unhurried, validator

STATE = "100644 " + "0" * 40
TREE = Tree("c0", dict.fromkeys(("src/a.py", "src/b.py", "docs/x.md", "a"), STATE))
PATTERNS = st.sampled_from(("src/a.py", "src/**", "**/*.md", "new.txt", "a", "**"))
FOUND = st.builds(
    Inferred,
    PATTERNS,
    st.sampled_from(("write", "read")),
    st.integers(1, 99),
    st.sampled_from(("`a`", "#\n")),
)


def open_task(name: str, *found: Inferred, place: Place | None = None) -> Task:
    prompt = Prompt(f"prompts/{name}.md", "text\n", name)
    return Task(name, 0, Claims(inferred=found), prompt=prompt, place=place or Place(prompt.path))


def declared(name: str, claims: Claims) -> Task:
    return replace(
        open_task(name), claims=replace(claims, declared=True), place=Place("orchestra.yaml", 7, 3)
    )


def test_evidence_and_files() -> None:
    tasks = (
        open_task("find", Inferred("src/**", "write", 3, "`src/`"), Inferred("new", "read", 9, "`new`")),
        open_task("silent"),
        declared("check", Claims(write=(), read=("a",))),
        declared("alone", Claims(exclusive=True)),
        declared("share", Claims(write=("a",), shared=("LOG", "src/*"))),
        Task("order", 5, Claims(read=("**",)), run="make"),
    )
    assert scan_text(tasks, TREE).splitlines() == [
        "find  not declared; found in its prompt",
        "  writes  src/**  prompts/find.md:3: `src/`  (2 files: src/a.py, src/b.py)",
        "  reads   new     prompts/find.md:9: `new`  (no file yet)",
        "silent  not declared, and nothing was found in its prompt",
        "check  declared, orchestra.yaml:7:3: it writes nothing",
        "  reads   a  1 file",
        "alone  declared, orchestra.yaml:7:3: it runs alone",
        "share  declared, orchestra.yaml:7:3",
        "  writes  a      1 file",
        "  shares  LOG    no file yet",
        "  shares  src/*  2 files: src/a.py, src/b.py",
        "order  not declared: a command may write anything",
        "  reads   everything  4 files: a, docs/x.md and 2 more",
        "",
        "3 tasks of 6 declare nothing; what was found as text for the manifest: orchestra scan --yaml",
    ]
    text = scan_yaml(tasks, "orchestra.yaml")
    assert yaml.safe_load(text) == {"tasks": {"find": {"claims": {"write": ["src/**"], "read": ["new"]}}}}
    assert "# silent: nothing was found in prompts/silent.md" in text
    assert "    # writes src/**: prompts/find.md:3: `src/`" in text.splitlines()


def test_where_an_entry_is_already_it_is_said() -> None:
    task = open_task("find", Inferred("a", "write", 3, "`a`"), place=Place("orchestra.yaml", 12, 3))
    assert "has an entry already, at orchestra.yaml:12:3" in scan_yaml([task], "orchestra.yaml")
    assert "already" not in scan_yaml([open_task("find", *task.claims.inferred)], "orchestra.yaml")


def test_nothing_to_declare() -> None:
    assert yaml.safe_load(scan_yaml([open_task("silent")], "orchestra.yaml")) == {"tasks": {}}
    assert (
        scan_yaml([declared("check", Claims(write=()))], "o") == "# Every task declares its claims already."
    )


@unhurried
@given(st.lists(st.tuples(st.sampled_from(("one", "yes", "1", "a/b", "é")), st.lists(FOUND, max_size=4))))
def test_the_text_for_the_manifest_declares_what_was_found(said: list[tuple[str, list[Inferred]]]) -> None:
    tasks = [open_task(name, *found) for name, found in dict(said).items()]
    expected = {
        task.name: {"claims": {access: list(patterns) for access in ("write", "read")
                               if (patterns := task.claims.inferred_patterns(access))}}
        for task in tasks
        if task.claims.inferred
    }  # fmt: skip
    if tasks:
        assert yaml.safe_load(scan_yaml(tasks, "orchestra.yaml"))["tasks"] == expected


@given(st.lists(PATTERNS), st.lists(FOUND))
def test_files_are_those_that_match(patterns: list[str], found: list[Inferred]) -> None:
    for task in (declared("one", Claims(write=tuple(patterns))), open_task("two", *found)):
        for claim in claims_found(task, TREE):
            matching = [path for path in sorted(TREE.files) if compile_pattern(claim.pattern).matches(path)]
            assert list(claim.files) == matching


def test_json_is_that_of_the_schema_and_counts_what_it_leaves_out() -> None:
    many = Tree("c0", {f"f{number:03}": STATE for number in range(FILES + 20)})
    content = scan_json([declared("one", Claims(write=("*",))), open_task("two")], many)
    validator("scan").validate(content)
    claim = content["tasks"][0]["claims"][0]
    assert claim["matches"] == FILES + 20 and len(claim["files"]) == FILES and claim["line"] is None


@given(texts())
def test_no_foreign_text_reaches_the_terminal_raw(foreign: str) -> None:
    task = open_task(foreign, Inferred("a", "write", 1, foreign))
    tree = Tree("c0", {"a": STATE, foreign: STATE})
    text = scan_text([task, declared(foreign, Claims(read=("**",)))], tree)
    assert not raw_characters(text, False)
