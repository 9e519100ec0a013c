"""Phrases of prompts, and the claims that follow from them: one table a rule."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import pytest

from orchestra.analysis.infer import MAX_MENTIONS, infer
from orchestra.model.graph import EdgeKind, build_graph
from orchestra.model.tasks import Claims, Inferred, Manifest, Prompt, Task
from orchestra.model.trees import Tree

FILES = (
    "CONVENTIONS.md",
    "LICENSE",
    "Makefile",
    "README.md",
    "app/[id]/page.tsx",
    "app/(auth)/login.tsx",
    "docs/guide.md",
    "docs/README.md",
    "src/api/routes.py",
    "src/legacy/old.py",
    "src/lexer.py",
    "src/parser.py",
    "src/tokens.py",
    "src/web/routes.py",
    "tests/test_parser.py",
    "tools/justfile",
    ".github/workflows/ci.yml",
    ".gitignore",
    "prompts/other.md",
)


def tree_of(files: Iterable[str]) -> Tree:
    """A tree of those files."""
    return Tree("base", dict.fromkeys(files, "100644 blob"))


def manifest_of(*texts: str, **changes: object) -> Manifest:
    """A manifest of tasks with these prompts, about which nothing is declared."""
    tasks = tuple(
        Task(f"t{index}", index, Claims(), prompt=Prompt(f"prompts/t{index}.md", text, "T"))
        for index, text in enumerate(texts)
    )
    return replace(Manifest(tasks, {}), **changes)  # type: ignore[arg-type]


def found(text: str, files: Iterable[str] = FILES, **changes: object) -> tuple[Inferred, ...]:
    """What is inferred from one prompt."""
    return infer(manifest_of(text, **changes), tree_of(files)).tasks[0].claims.inferred


def told(text: str, files: Iterable[str] = FILES) -> str:
    """The claims of one prompt in short: `w` for write, `r` for read, sorted."""
    return " ".join(sorted(f"{claim.access[0]}:{claim.pattern}" for claim in found(text, files)))


WHERE = [
    # Explicit paths, however they are written.
    ("Fix `src/parser.py`.", "w:src/parser.py"),
    ("Fix src/parser.py.", "w:src/parser.py"),
    ("Fix ./src/parser.py, please", "w:src/parser.py"),
    ('Fix "src/parser.py"', "w:src/parser.py"),
    ("Fix 'src/parser.py'", "w:src/parser.py"),
    ("Fix “src/parser.py”", "w:src/parser.py"),
    ("Fix (src/parser.py)!", "w:src/parser.py"),
    ("Fix [the parser](src/parser.py).", "w:src/parser.py"),
    ("Fix [src/parser.py](src/parser.py#L3).", "w:src/parser.py"),
    ("Fix **src/parser.py** and *src/lexer.py*", "w:src/lexer.py w:src/parser.py"),
    ("Fix <src/parser.py>", "w:src/parser.py"),
    ("| src/parser.py | slow |", "w:src/parser.py"),
    ("What is wrong with src/parser.py?", "w:src/parser.py"),
    ("src/parser.py's errors have no line", "w:src/parser.py"),
    ("src/parser.py:42 fails", "w:src/parser.py"),
    ("src/parser.py#L10-L12 fails", "w:src/parser.py"),
    ("src/parser.py::Parser.parse fails", "w:src/parser.py"),
    ("Look into @src/parser.py", "w:src/parser.py"),
    ("Fix src/{parser,lexer}.py", "w:src/lexer.py w:src/parser.py"),
    ("--config=src/parser.py", "w:src/parser.py"),
    ("src/parser.py,src/lexer.py", "w:src/lexer.py w:src/parser.py"),
    ("Fix `app/[id]/page.tsx`", "w:app/[[]id]/page.tsx"),
    ("Fix app/(auth)/login.tsx", "w:app/(auth)/login.tsx"),
    # By unique name or end; several: nothing.
    ("Fix parser.py", "w:src/parser.py"),
    ("Fix `old.py`", "w:src/legacy/old.py"),
    ("Fix legacy/old.py", "w:src/legacy/old.py"),
    ("Fix routes.py", ""),
    ("Fix api/routes.py", "w:src/api/routes.py"),
    ("Fix README.md", "w:README.md"),
    ("Fix xparser.py", ""),
    ("Fix rc/parser.py", ""),
    # Names without a dot, only if a file bears them.
    ("Fix the Makefile", "w:Makefile"),
    ("Update LICENSE.", "w:LICENSE"),
    ("Fix the Dockerfile", ""),
    ("Fix the MakefileX and XMakefile", ""),
    ("Fix `justfile`", "w:tools/justfile"),
    ("Fix the justfile", ""),
    # Folders.
    ("Clean up src/api/", "w:src/api/**"),
    ("Clean up `src/api`", "w:src/api/**"),
    ("Clean up src/", "w:src/**"),
    ("The code is in src/ of course", ""),
    ("Clean up `src`", ""),
    ("Clean up legacy/", "w:src/legacy/**"),
    ("Clean up src/, mostly src/parser.py", "w:src/parser.py"),
    ("Read src/ and fix src/parser.py", "w:src/parser.py"),
    ("Create src/new/ for it", "w:src/new/**"),
    ("Create `other/new/` for it", "w:other/new/**"),
    ("In other/new/ it is", ""),
    # Patterns.
    ("Type all of tests/**/*.py", "w:tests/**/*.py"),
    ("Type `src/*.py`", "w:src/*.py"),
    ("Type `src/test_*`", "w:src/test_*"),
    ("Type **/*.py, `**`, `*`, *.py and /**", ""),
    ("Type nowhere/*.py", ""),
    ("Call `f(*args, **kwargs)` as 2**3 says", ""),
    # Files that do not exist yet.
    ("It belongs into src/printer.py", "w:src/printer.py"),
    ("It belongs into api/views.py", "w:src/api/views.py"),
    ("Create NOTES.md", "w:NOTES.md"),
    ("Add `pkg/new/thing.py`", "w:pkg/new/thing.py"),
    ("Write a new file `hello.txt`", "w:hello.txt"),
    ("There is hello.txt, and pkg/new/thing.py", ""),
    ("Add Node.js support and Vue.js", ""),
    ("Add `Node.js`", "w:Node.js"),
    ("Create github.com/me/thing.go", ""),
    # What only looks like a path.
    ("Add https://example.com/src/parser.py", ""),
    ("Add https://example.com/?file=src/parser.py&x=(src/lexer.py)", ""),
    ("Bump 1.2.3 to v1.3.0, e.g. by pip, i.e. os.path and/or self.x", ""),
    ("Add os.path, obj.method and config.get", ""),
    ("Fix /src/parser.py and /etc/hosts", ""),
    ("Fix ../src/parser.py, ~/src/parser.py, $HOME/src/parser.py and $(pwd)/src/parser.py", ""),
    ("Fix src/../src/parser.py", ""),
    ("Add C:/src/parser.py and src\\parser.py", ""),
    ("Add src/<name>.py and src/{name}.py and src/$NAME.py", ""),
    ("Mail me@example.com", ""),
    ("Add .git/config and .git/hooks/x.sh and .orchestra/lock/t.json", ""),
    ("<!-- src/parser.py -->Fix `src/lexer.py`<!--\nsrc/tokens.py\n-->", "w:src/lexer.py"),
    ("Put <!-- into src/parser.py", "w:src/parser.py"),
    # Fenced blocks: what exists.
    ("```sh\nsed -i s/a/b/ src/parser.py\n```", "w:src/parser.py"),
    ("```sh\necho > src/new.py; rm -r src/api/ src/*.py\n```\n", ""),
    ("~~~\n```\nadd src/new.py\n~~~\nAdd src/other.py", "w:src/other.py"),
]


@pytest.mark.parametrize(("text", "claims"), WHERE)
def test_what_a_path_leads_to(text: str, claims: str) -> None:
    assert told(text) == claims


ACCESS = [
    # Read: a cue closes before it.
    ("Follow CONVENTIONS.md. Fix src/parser.py", "r:CONVENTIONS.md w:src/parser.py"),
    ("Fix src/parser.py (see docs/guide.md) and src/lexer.py", "r:docs/guide.md w:src/lexer.py w:src/parser.py"),
    ("Fix src/parser.py (see docs/guide.md", "r:docs/guide.md w:src/parser.py"),
    ("Read `src/lexer.py`, `src/tokens.py` and docs/guide.md", "r:docs/guide.md r:src/lexer.py r:src/tokens.py"),
    ("Read src/lexer.py and change src/parser.py", "r:src/lexer.py w:src/parser.py"),
    ("Fix src/parser.py according to docs/guide.md", "r:docs/guide.md w:src/parser.py"),
    ("Fix src/parser.py as described in docs/guide.md", "r:docs/guide.md w:src/parser.py"),
    ("Fix src/parser.py as in src/lexer.py", "r:src/lexer.py w:src/parser.py"),
    ("Write src/printer.py, similar to src/parser.py", "r:src/parser.py w:src/printer.py"),
    ("Write src/printer.py based on the code in src/parser.py", "r:src/parser.py w:src/printer.py"),
    ("Write src/printer.py using src/tokens.py", "r:src/tokens.py w:src/printer.py"),
    ("Write src/printer.py like src/parser.py", "r:src/parser.py w:src/printer.py"),
    ("Change src/parser.py to use src/tokens.py", "r:src/tokens.py w:src/parser.py"),
    ("Change src/parser.py so that it reads from src/tokens.py", "r:src/tokens.py w:src/parser.py"),
    ("Implement step 2 from docs/guide.md", "r:docs/guide.md"),
    ("Stick to CONVENTIONS.md, respect docs/guide.md", "r:CONVENTIONS.md r:docs/guide.md"),
    ("Make src/parser.py consistent with src/lexer.py", "r:src/lexer.py w:src/parser.py"),
    ("Context: docs/guide.md", "r:docs/guide.md"),
    ("Run `pytest tests/test_parser.py`", "r:tests/test_parser.py"),
    ("Use src/parser.py as a template for src/printer.py", "r:src/parser.py w:src/printer.py"),
    ("src/lexer.py is here for reference", "r:src/lexer.py"),
    ("Please see\n`docs/guide.md`\nand fix it", "r:docs/guide.md"),
    ("Read these:\n\n- src/lexer.py\n- src/tokens.py\n\nFix src/parser.py",
     "r:src/lexer.py r:src/tokens.py w:src/parser.py"),
    ("## References\n\n- docs/guide.md\n\n## Task\n\n- src/parser.py", "r:docs/guide.md w:src/parser.py"),
    ("See .github/workflows/ci.yml", "r:.github/workflows/ci.yml"),
    # Written all the same: the cue belongs to something else.
    ("Add a function like foo to src/parser.py", "w:src/parser.py"),
    ("Add a reference to src/parser.py", "w:src/parser.py"),
    ("Fix the read path in src/parser.py", "w:src/parser.py"),
    ("Fix import cycles in src/parser.py", "w:src/parser.py"),
    ("Use the new tokens in src/parser.py", "w:src/parser.py"),
    ("Replace all use of foo in src/parser.py", "w:src/parser.py"),
    ("Create the following file: src/printer.py", "w:src/printer.py"),
    ("Following CONVENTIONS.md, make src/parser.py faster", "r:CONVENTIONS.md w:src/parser.py"),
    ("Read it. src/parser.py is slow", "w:src/parser.py"),
    ("Read the manual of the tool that we all like so very much for src/parser.py", "w:src/parser.py"),
    ("Move the helpers from src/lexer.py to src/tokens.py", "w:src/lexer.py w:src/tokens.py"),
    ("Read this:\n- docs/guide.md\n\nsrc/parser.py is slow:\n- very", "r:docs/guide.md w:src/parser.py"),
    # Left alone: only where that is said of the path itself.
    ("Do not change src/lexer.py", "r:src/lexer.py"),
    ("Don't touch `src/lexer.py`, src/tokens.py or anything in src/api/.",
     "r:src/api/** r:src/lexer.py r:src/tokens.py"),
    ("Fix src/parser.py without changing the file src/lexer.py", "r:src/lexer.py w:src/parser.py"),
    ("src/lexer.py must not be changed", "r:src/lexer.py"),
    ("Leave src/lexer.py as it is", "r:src/lexer.py"),
    ("src/lexer.py needs no changes", "r:src/lexer.py"),
    ("There are no changes to src/lexer.py", "r:src/lexer.py"),
    ("## Do not touch\n- src/lexer.py", "r:src/lexer.py"),
    ("Do not touch:\n- src/lexer.py", "r:src/lexer.py"),
    ("Fix it without changing the API of src/parser.py", "w:src/parser.py"),
    ("Do not change anything outside src/api/", "w:src/api/**"),
    ("Changing src/parser.py alone is not enough", "w:src/parser.py"),
    # Both ways: writing counts more than reading, leaving alone more than writing.
    ("Read src/parser.py. Fix src/parser.py", "w:src/parser.py"),
    ("Fix src/parser.py. Read src/parser.py", "w:src/parser.py"),
    ("Fix src/parser.py. Do not touch src/parser.py", "r:src/parser.py"),
    ("Do not touch src/parser.py. Fix src/parser.py", "r:src/parser.py"),
    ("Clean up src/api/, but do not touch src/api/routes.py", "r:src/api/routes.py w:src/api/**"),
    ("Fix src/parser.py, but do not touch src/", "r:src/** w:src/parser.py"),
    # Tests.
    ("Write tests for src/parser.py", "r:src/parser.py w:tests/test_parser.py"),
    ("Add unit tests for the code in src/parser.py", "r:src/parser.py w:tests/test_parser.py"),
    ("Write tests for src/lexer.py in tests/test_lexer.py", "r:src/lexer.py w:tests/test_lexer.py"),
    ("Write tests for src/lexer.py", "r:src/lexer.py"),
    ("Add tests for the parser in tests/test_parser.py", "w:tests/test_parser.py"),
    ("Write tests for src/parser.py. Fix src/parser.py", "w:src/parser.py w:tests/test_parser.py"),
    # Protected paths are never written.
    ("Fix .github/workflows/ci.yml, .gitignore, ci.yml and .vscode/settings.json", ""),
    ("Create orchestra.yaml, Prompts/new.md and prompts/other.md", ""),
    ("Clean up prompts/ and .github/workflows/", ""),
]  # fmt: skip


@pytest.mark.parametrize(("text", "claims"), ACCESS)
def test_whether_it_is_written_or_read(text: str, claims: str) -> None:
    assert told(text) == claims


EVIDENCE = [
    ("Fix `src/parser.py`", "`src/parser.py`"),
    ("Fix ./src/parser.py:3", "`./src/parser.py:3`"),
    ("Fix parser.py", "`parser.py`: the only file of that name"),
    ("Fix api/routes.py", "`api/routes.py`: the only path that ends so"),
    ("Fix legacy/", "`legacy/`: the only path that ends so"),
    ("Fix src/printer.py", "`src/printer.py`: new, in a folder that exists"),
    ("Create NOTES.md", "`NOTES.md`: to be made"),
    ("Fix src/*.py", "`src/*.py`"),
]


@pytest.mark.parametrize(("text", "evidence"), EVIDENCE)
def test_the_evidence_is_the_words_and_how_they_led_there(text: str, evidence: str) -> None:
    assert [claim.evidence for claim in found(text)] == [evidence]


def test_tests_that_nobody_named_say_whose_they_are() -> None:
    read, written = found("Write tests for parser.py")
    assert read == Inferred("src/parser.py", "read", 1, "`parser.py`: the only file of that name")
    assert written == Inferred("tests/test_parser.py", "write", 1, "tests for `parser.py`")


def test_the_line_is_that_of_what_counts() -> None:
    text = "# Faster\n\nSee `src/parser.py`,\nand src/lexer.py.\n\nFix src/parser.py. Fix it.\nFix src/parser.py.\n"
    assert [(claim.pattern, claim.line) for claim in found(text)] == [
        ("src/parser.py", 6),
        ("src/lexer.py", 4),
    ]


def test_a_list_of_thousands_of_files_is_read_to_some_point_only() -> None:
    files = [f"src/f{number}.py" for number in range(MAX_MENTIONS + 1)]
    assert len(found("\n".join(files), files)) == MAX_MENTIONS


def test_two_files_of_tests_by_that_name_are_none() -> None:
    files = (*FILES, "more/test_parser.py")
    assert told("Write tests for src/parser.py", files) == "r:src/parser.py"


def test_other_languages_name_their_tests_in_their_way() -> None:
    for name, test in (
        ("a.go", "a_test.go"),
        ("a.ts", "a.test.ts"),
        ("a.js", "a.spec.js"),
        ("A.cs", "ATests.cs"),
    ):
        assert told(f"Write tests for {name}", (f"src/{name}", f"x/{test}")) == f"r:src/{name} w:x/{test}"


def test_protected_paths_that_are_allowed_can_be_written() -> None:
    (claim,) = found("Fix .github/workflows/ci.yml", allow_protected=(".github/**",))
    assert (claim.pattern, claim.access) == (".github/workflows/ci.yml", "write")
    assert not found("Fix .orchestra/x.json", (*FILES, ".orchestra/x.json"), allow_protected=("**",))


def test_prompts_are_nobodys_to_write_wherever_they_lie() -> None:
    files = ("ideas/a.txt", "ideas/[b].txt", "ideas/c.md")
    text = "Fix ideas/a.txt, ideas/[b].txt, ideas/new.txt and ideas/c.md. See ideas/a.txt"
    claims = found(text, files, prompts=("ideas/*.txt",))
    assert [(claim.pattern, claim.access) for claim in claims] == [
        ("ideas/c.md", "write"),
        ("ideas/a.txt", "read"),
    ]


def test_a_prompt_that_only_its_task_names_is_spared_too() -> None:
    (task,) = manifest_of("Fix notes/plan.md and notes/list.md").tasks
    other = Task("plan", 1, Claims(declared=True), prompt=Prompt("notes/plan.md", "Plan.", "Plan"))
    files = ("notes/plan.md", "notes/list.md")
    claims = infer(Manifest((task, other), {}), tree_of(files)).tasks[0].claims
    assert claims.inferred_patterns("write") == ("notes/list.md",)


def test_protected_files_of_tests_are_not_written() -> None:
    assert (
        told("Write tests for src/parser.py", ("src/parser.py", ".github/test_parser.py"))
        == "r:src/parser.py"
    )


def test_only_prompts_without_declared_claims_are_looked_at() -> None:
    text = "Fix src/parser.py, see src/lexer.py"
    one = manifest_of(text).tasks[0]
    others = (
        replace(one, claims=Claims(declared=True)),
        replace(one, claims=Claims(write=("a",), declared=True)),
        replace(one, prompt=None, run="make", claims=Claims(read=("**",))),
    )
    before = Manifest((one, *others), {})
    after = infer(before, tree_of(FILES))
    assert after.tasks[1:] == others
    assert after.tasks[0].claims.inferred_patterns("write") == ("src/parser.py",)
    assert (after.tasks[0].claims.read, after.tasks[0].claims.unread, after.tasks[0].claims.write) == (
        (),
        (),
        None,
    )
    assert replace(after, tasks=before.tasks) == before


def test_the_trigger_makes_inferred_reads_part_of_the_key() -> None:
    manifest = manifest_of("Fix src/parser.py, see src/lexer.py", "Do it.", triggers=("inferred",))
    claims, nothing = (task.claims for task in infer(manifest, tree_of(FILES)).tasks)
    assert (claims.read, claims.unread, claims.declared) == (("src/lexer.py",), ("src/parser.py",), False)
    assert nothing == Claims()


def test_a_bare_folder_of_prompts_orders_itself() -> None:
    texts = (
        "Use src/printer.py in src/main.py. Follow CONVENTIONS.md.",
        "Create src/printer.py. Follow CONVENTIONS.md.",
        "Fix `parser.py`. Follow CONVENTIONS.md.",
        "Speed up src/parser.py. Follow CONVENTIONS.md.",
        "Write tests for the lexer in src/lexer.py. Follow CONVENTIONS.md.",
    )
    graph = build_graph(infer(manifest_of(*texts), tree_of((*FILES, "src/main.py"))).tasks)
    edges = {(edge.first, edge.then, edge.kind) for edge in graph.edges}
    assert edges == {("t1", "t0", EdgeKind.READ), ("t2", "t3", EdgeKind.WRITE)}
