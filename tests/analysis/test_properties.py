"""What inference promises for any text and any tree."""

from __future__ import annotations

import re
from pathlib import Path
from time import process_time

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from orchestra.analysis.infer import infer
from orchestra.manifest.load import load
from orchestra.model.patterns import compile_pattern
from orchestra.model.protected import names_never_writable, names_protected
from orchestra.model.tasks import Claims, Inferred, Manifest

from .test_infer import manifest_of, tree_of

NAMES = (
    "src", "a.py", "b.ts", "test_a.py", "a.test.ts", "Makefile", "prompts", ".git", ".github", "orchestra.yaml",
    ".orchestra", "[id].tsx", "x*y.md", "!no.md", "back\\slash.c", "what?.md", "ünï.py", ".env", "docs", "a b.md",
    "(auth)", "tab\there", "x.", "..", "-", "a.py.py", "\udcff.py", "{a,b}.py", ":x", "*", ".CLAUDE", "Orchestra.YAML",
)  # fmt: skip
"""Parts of paths: common ones, protected ones, and those that trip patterns up."""

PIECES = (
    *NAMES, "/", "./", "../", "**", "*", "`", "```", "~~~", "\n", "\n\n", "- ", "# ", "> ", "<!--", "-->", "(",
    ")", "[",
    "](", "{", "}", ",", ".", ":", ": ", "; ", "|", "@", "://", " ", " ", " ", "see ", "read ", "create ",
    "do not change ", "tests for ", "fix ", " and ", " to ", "in ", "leave ", " alone", "use ", "as ", "References",
    "\r", "\x00", "\u2028", "'",
)  # fmt: skip
"""Pieces of prompts: parts of paths, markup and cues, to be thrown together."""

paths = st.lists(st.sampled_from(NAMES), min_size=1, max_size=3).map("/".join)
trees = st.lists(paths, max_size=10, unique=True)


@st.composite
def prompts(draw: st.DrawFn, files: list[str]) -> str:
    """The text of a prompt: pieces, and what leads into the tree; or any text at all."""
    ends = [path.split("/", at)[-1] for path in files for at in range(path.count("/") + 1)]
    folders = [f"{path[: match.start()]}/" for path in files for match in re.finditer("/", path)]
    led = (*ends, *folders, *(f"{folder}new.py" for folder in folders), "src/new.py", "src/*.md", "new.ts")
    around = st.sampled_from(
        ("{}", " {} ", "`{}`", "fix {}. ", " see `{}`", "\n- {}", "create `{}`", "[]({})")
    )
    named = st.builds(str.format, around, st.sampled_from(led))
    pieces = st.lists(st.one_of(named, named, st.sampled_from(PIECES)), max_size=15).map("".join)
    return draw(st.one_of(pieces, pieces, pieces, st.text(max_size=100)))


@st.composite
def cases(draw: st.DrawFn, count: int = 1) -> tuple[list[str], list[str]]:
    """The texts of so many prompts, and the files of a tree."""
    files = draw(trees)
    return [draw(prompts(files)) for _ in range(count)], files


triggers = st.sampled_from([(), ("inferred",)])


def claims_of(text: str, files: list[str]) -> tuple[Inferred, ...]:
    return infer(manifest_of(text), tree_of(files)).tasks[0].claims.inferred


@settings(max_examples=500, deadline=None)
@given(cases(), st.sampled_from([(), ("**",), (".github/**", "prompts")]))
@example((["fix src/"], ["src/\udcff.py"]), ())
@example((["x.. `x..` (x.)"], []), ())
@example((["src/new.py"], ["back\\slash.c/src/a.py"]), ())
@example((["src/new.py"], ["[x]*/src/a.py"]), ())
@example((["# : :\n\nsrc/a.py"], ["src/a.py"]), ())
@example((["fix a.py"], ["/".join(["*" * 40, "?" * 4000, "a.py"])]), ())
@example((["fix a.py"], ["/".join(["x" * 100] * 50 + ["a.py"])]), ())
def test_any_text_gives_claims_that_hold(case: tuple[list[str], list[str]], allowed: tuple[str, ...]) -> None:
    (text,), files = case
    manifest = manifest_of(text, allow_protected=allowed)
    claims = infer(manifest, tree_of(files)).tasks[0].claims
    patterns = [claim.pattern for claim in claims.inferred]
    assert len(patterns) == len(set(patterns))
    lines = text.split("\n")
    for claim in claims.inferred:
        compiled = compile_pattern(claim.pattern)
        assert not compiled.matches("far/away/file.py"), "too broad"
        if claim.access == "write":
            assert not names_protected(claim.pattern, allowed)
            assert not names_never_writable(claim.pattern)
            assert not compile_pattern("prompts/**/*.md").matches(claim.pattern)
        words = re.fullmatch(r"(?:tests for )?`(.+)`(?:: [a-z ,]+)?", claim.evidence, re.DOTALL)
        assert words
        assert words[1] in lines[claim.line - 1]


@settings(deadline=None)
@given(cases(), triggers)
def test_it_is_a_function_of_the_text_and_the_names(
    case: tuple[list[str], list[str]], triggers: tuple[str, ...]
) -> None:
    (text,), files = case
    manifest = manifest_of(text, text, triggers=triggers)
    once = infer(manifest, tree_of(files))
    for order in (sorted(files), sorted(files, reverse=True), sorted(files, key=lambda path: path[::-1])):
        assert infer(manifest, tree_of(order)) == once
    assert infer(once, tree_of(files)) == once
    one, other = once.tasks
    assert one.claims == other.claims
    if triggers:
        assert one.claims.read == one.claims.inferred_patterns("read")
        assert one.claims.unread == one.claims.inferred_patterns("write")
    else:
        assert one.claims == Claims(inferred=one.claims.inferred)


@settings(deadline=None)
@given(cases(count=2))
def test_prompts_do_not_tell_of_each_other(case: tuple[list[str], list[str]]) -> None:
    texts, files = case
    together = infer(manifest_of(*texts), tree_of(files))
    alone = [claims_of(text, files) for text in texts]
    assert [task.claims.inferred for task in together.tasks] == alone


words = st.text(st.sampled_from("bdgkmz \n"), max_size=60)
names = st.text(st.sampled_from("abcXYZ_-09"), min_size=2, max_size=8).map(lambda name: f"n{name}.py")
folders = st.lists(
    st.text(st.sampled_from("abcXYZ_-09"), min_size=1, max_size=5).map("d{}".format), max_size=3
)
wraps = st.sampled_from(
    ["{}", "`{}`", '"{}"', "({})", "**{}**", "[it]({})", "{}:12", "./{}", "{}.", "{}'s", "<{}>", "| {} |"]
)


@settings(deadline=None)
@given(words, words, folders, names, wraps, trees)
def test_a_planted_path_is_found(
    before: str, after: str, folder: list[str], name: str, wrap: str, files: list[str]
) -> None:
    path = "/".join((*folder, name))
    text = f"{before}\n{wrap.format(path)} {after}"
    (claim,) = claims_of(text, [*files, path])
    assert (claim.pattern, claim.access) == (path, "write")
    assert claim.line == before.count("\n") + 2


@settings(deadline=None)
@given(words, st.lists(folders.map("/".join).filter(bool), unique=True, max_size=4), names)
def test_a_name_counts_only_where_one_file_bears_it(before: str, within: list[str], name: str) -> None:
    files = [f"{folder}/{name}" for folder in within]
    claims = claims_of(f"{before} {name}", files)
    assert [claim.pattern for claim in claims] == (files if len(files) == 1 else [])


HOSTILE = (
    "<!--",
    "<!-- -->",
    "Files:\n- a.py\n",
    "a.py:\n",
    "`a.py` and ",
    "(a.py ",
    "```\n",
    "{a,",
    "/(a",
    "# : : ",
    "N1 ",
    "/.",
)


@pytest.mark.parametrize("piece", HOSTILE)
def test_a_mebibyte_of_anything_takes_seconds_at_most(piece: str) -> None:
    text = piece * (2**20 // len(piece))
    before = process_time()
    claims_of(text, ["a.py", *(f"d/N{number}" for number in range(5000))])
    assert process_time() - before < 10


FRONTS = (
    "",
    "---\npriority: 1\n---\n",
    "---\nname: x\n---\n\n\n",
    "---\r\nname: x\r\n\r\n---\r\n\r\n",
    "---\n---\n",
    "\n\n",
)


def test_the_line_is_that_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "prompts").mkdir()
    for number, front in enumerate(FRONTS):
        text = f"{front}# Title\n\nSome words.  \nFix `src/a.py`.\n\n\n"
        (tmp_path / f"prompts/p{number}.md").write_bytes(text.encode())
    for task in infer(load(tmp_path), tree_of(["src/a.py"])).tasks:
        (claim,) = task.claims.inferred
        assert task.prompt
        lines = (tmp_path / task.prompt.path).read_text("utf-8").split("\n")
        assert "src/a.py" in lines[claim.line - 1]
        assert lines[task.prompt.first_line - 1 :][0] == task.prompt.text.split("\n")[0]


def test_an_empty_manifest_stays_empty() -> None:
    assert infer(Manifest((), {}), tree_of([])) == Manifest((), {})
