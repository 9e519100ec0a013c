"""Claims are put where symbolic links lead, as the file system says, and refused where that is nowhere of ours."""

from __future__ import annotations

import errno
import os
import tempfile
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from orchestra.model.errors import ExitStatus, OrchestraError, Place
from orchestra.model.patterns import PatternSet
from orchestra.model.places import MAX_LINKS, place_claims
from orchestra.model.tasks import Claims, Inferred, Manifest, Task
from orchestra.model.trees import Tree

from .kit import manifest, task

FILE = "100644 f"
MODULE = "160000 m"


def tree_of(links: Mapping[str, str], *files: str, modules: tuple[str, ...] = ()) -> Tree:
    """A tree with these links (by path: where they lead), files and submodules. An id tells the target."""
    states = {path: f"120000 to:{target}" for path, target in links.items()}
    return Tree("1", {**states, **dict.fromkeys(files, FILE), **dict.fromkeys(modules, MODULE)})


def target_of(object_id: str) -> str:
    return object_id.removeprefix("to:")


def placed(one: Task, tree: Tree, *, allowed: tuple[str, ...] = ()) -> Claims:
    """The claims of a task on a tree."""
    found = place_claims(replace(manifest(one), allow_protected=allowed), tree, target_of)
    return found.tasks[0].claims


def refused(one: Task, tree: Tree) -> OrchestraError:
    with pytest.raises(OrchestraError) as caught:
        place_claims(manifest(one), tree, target_of)
    error = caught.value
    assert error.status is ExitStatus.USAGE and error.place == one.place
    assert f"`{one.name}`" in error.message and error.hint
    return error


TREE = tree_of(
    {
        "link": "real", "deep/up": "../real", "again": "link", "here": ".", "out": "../elsewhere", "abs": "/etc",
        "one": "two", "two": "one", "self": "self/x", "dangling": "nowhere/yet", "file": "real/x.py",
        "real/back": "..", "into": "sub/x", "module": "sub", "twice": "file", "star": "odd/*", "real/self": ".",
        "secret": ".github", "mixed": "again/inner/.././inner",
    },
    "real/x.py", "real/y.py", "real/inner/z.py", "odd/*/a", "plain/a", ".github/w", "deep/a",
    modules=("sub", "deep/mod"),
)  # fmt: skip


# --- through a link ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("claim", "put"),
    [
        ("link/x.py", "real/x.py"), ("link/**", "real/**"), ("link/", "real/"), ("link/*.py", "real/*.py"),
        ("deep/up/x.py", "real/x.py"), ("again/inner/z.py", "real/inner/z.py"), ("here/plain/a", "plain/a"),
        ("here/", "**"), ("here/**", "**"), ("here/*.py", "*.py"), ("real/back/plain/a", "plain/a"),
        ("real/back/real/back/link/x.py", "real/x.py"), ("dangling/x", "nowhere/yet/x"), ("star/a", "odd/?/a"),
        ("mixed/z.py", "real/inner/z.py"), ("link/[xy].py", "real/[xy].py"), ("link/in*/z.py", "real/in*/z.py"),
        ("real/x.py", "real/x.py"), ("lin?/x.py", "lin?/x.py"), ("links/x", "links/x"), ("plain/**", "plain/**"),
        ("nothing/there", "nothing/there"), ("sub", "sub"), ("deep/mod", "deep/mod"), ("link/back/plain/", "plain/"),
    ],
)  # fmt: skip
def test_a_claim_through_a_link_is_put_where_it_leads(claim: str, put: str) -> None:
    assert placed(task("t", write=(claim,)), TREE).write == (put,)
    assert placed(task("t", write=(), shared=(claim,)), TREE).shared == (put,)
    assert placed(task("t", write=("own",), read=(claim,)), TREE).read[0] == put
    assert placed(task("t", run="x", read=("**",), unread=(claim,)), TREE).unread == (put,)
    one = placed(task("t", inferred=(Inferred(claim, "write", 3, "said"),)), TREE)
    assert one.inferred[0] == Inferred(put, "write", 3, "said")


@pytest.mark.parametrize("claim", ["out/x", "abs/passwd", "out/**", "abs/", "here/out/x", "real/back/out/x"])
def test_a_claim_that_leads_out_of_the_repository_is_refused(claim: str) -> None:
    for one in claiming(claim):
        error = refused(one, TREE)
        assert f"`{claim}`" in error.message and "out of the repository" in error.message


@pytest.mark.parametrize("claim", ["one/x", "self/x", "two/**"])
def test_a_claim_that_leads_in_a_circle_is_refused(claim: str) -> None:
    for one in claiming(claim):
        assert "leads nowhere" in refused(one, TREE).message


@pytest.mark.parametrize(
    "claim", ["sub/x", "sub/**", "sub/", "deep/mod/a/b", "into/y", "module/x", "module/", "here/sub/x"]
)
def test_a_claim_inside_a_submodule_is_refused_and_told_what_to_claim(claim: str) -> None:
    name = "deep/mod" if "mod/" in claim and "deep" in claim else "sub"
    for one in claiming(claim):
        error = refused(one, TREE)
        assert f"inside the submodule `{name}`" in error.message
        assert error.hint is not None and error.hint.startswith(f"claim `{name}` itself")


def claiming(claim: str) -> tuple[Task, ...]:
    """A task for each way of declaring a claim; what is wrong is told with the place of the task."""
    place = Place("orchestra.yaml", 7, 3)
    tasks = (
        task("t", write=(claim,)), task("t", write=(), shared=(claim,)), task("t", write=("a",), read=(claim,)),
    )  # fmt: skip
    return tuple(replace(one, place=place) for one in tasks)


def test_chains_are_followed_as_far_as_the_system_follows_them() -> None:
    links = {f"l{n}": f"l{n + 1}" for n in range(MAX_LINKS)}
    assert placed(task("t", write=("l0/x",)), tree_of(links)).write == (f"l{MAX_LINKS}/x",)
    links = {f"l{n}": f"l{n + 1}" for n in range(MAX_LINKS + 1)}
    assert "too many" in refused(task("t", write=("l0/x",)), tree_of(links)).message


def test_a_claim_that_turns_out_to_be_protected_is_refused_unless_it_is_opened_or_only_read() -> None:
    one = task("t", write=("secret/w",))
    error = refused(one, TREE)
    assert "`secret/w`" in error.message and "`.github/w`" in error.message and "protected" in error.message
    assert placed(one, TREE, allowed=(".github/**",)).write == (".github/w",)
    assert placed(task("t", write=("a",), read=("secret/w",)), TREE).read == (".github/w",)


def test_inferred_claims_are_put_right_or_left_out_and_never_refused() -> None:
    found = placed(
        task(
            "t",
            inferred=tuple(
                Inferred(text, "write", 1, "") for text in ("out/x", "one/x", "sub/x", "deep/mod/a", "ok")
            ),
        ),
        TREE,
    )
    assert [each.pattern for each in found.inferred] == ["sub", "deep/mod", "ok"]


def test_what_no_pattern_can_say_stands_as_any_character() -> None:
    tree = tree_of({"a": "!x\\y[z]?"}, "!x\\y[z]?/f")
    (put,) = placed(task("t", write=("a/f",)), tree).write or ()
    assert put == "?x?y?z]?/f" and PatternSet.of((put,)).matches("!x\\y[z]?/f")


# --- a link itself -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("claim", "more"),
    [
        ("file", ("real/x.py",)), ("twice", ("file", "real/x.py")), ("link", ("real",)),
        ("again", ("link", "real")), ("module", ("sub",)), ("into", ("sub",)), ("out", ()), ("abs", ()),
        ("one", ()), ("dangling", ()), ("fil?", ("real/x.py",)), ("plain", ()), ("**", ()), ("*", ()),
        ("deep/*", ("real",)), ("deep/**", ("real",)), ("here", ("**",)), ("real/back", ("**",)), ("real", ()),
        ("secret", (".github",)),
    ],
)  # fmt: skip
def test_who_reads_a_link_reads_what_it_leads_to(claim: str, more: tuple[str, ...]) -> None:
    assert placed(task("t", write=("own",), read=(claim,)), TREE).read == (claim, *more)
    one = placed(task("t", inferred=(Inferred(claim, "read", 3, "said"),)), TREE)
    assert one.inferred == tuple(Inferred(text, "read", 3, "said") for text in (claim, *more))


def test_links_behind_links_are_followed_and_nothing_is_added_twice() -> None:
    tree = tree_of({"a": "dir", "dir/b": "../other/f", "other/c": "../a"}, "dir/x", "other/f")
    assert placed(task("t", write=("own",), read=("a",)), tree).read == ("a", "dir", "other/f")
    assert placed(task("t", write=("own",), read=("a", "other")), tree).read == ("a", "other", "dir")


@pytest.mark.parametrize(
    ("claim", "more"),
    [
        ("file", ("real/x.py",)), ("twice", ("real/x.py",)), ("fil?", ("real/x.py",)), ("link", ("real",)),
        ("lin?", ()), ("again", ("real",)), ("module", ("sub",)), ("modul?", ()), ("deep/**", ()), ("out", ()),
        ("dangling", ()), ("one", ()), ("secret", ()), ("*", ()), ("**", ()),
    ],
)  # fmt: skip
def test_who_writes_a_link_to_a_file_writes_the_file_too(claim: str, more: tuple[str, ...]) -> None:
    """A folder is opened only where the link is named."""
    assert placed(task("t", write=(claim,)), TREE).write == (claim, *more)
    assert placed(task("t", write=(), shared=(claim,)), TREE).shared == (claim, *more)
    one = placed(task("t", inferred=(Inferred(claim, "write", 3, "said"),)), TREE)
    assert one.inferred == tuple(Inferred(text, "write", 3, "said") for text in (claim, *more))


def test_what_is_claimed_anyway_is_not_claimed_again() -> None:
    found = placed(task("t", write=("file", "real/**"), shared=("twice",)), TREE)
    assert (found.write, found.shared) == (("file", "real/**"), ("twice",))
    assert placed(task("t", write=("real/x.py", "link/x.py")), TREE).write == ("real/x.py",)


# --- what stays as it is -------------------------------------------------------------------------------------


def test_the_same_manifest_comes_back_where_nothing_changes() -> None:
    one = manifest(
        task("t", write=("src/**",), read=("a", "lib/*")), task("u"), task("v", run="x", read=("**",))
    )
    assert place_claims(one, tree_of({}, "src/a"), target_of) is one
    assert place_claims(one, tree_of({"link": "src"}, "src/a", modules=("sub",)), target_of) is one


def test_all_else_of_a_task_stays_as_it_is() -> None:
    before = task("t", write=("link/x.py",), read=("a",), needs=("u",), priority=3)
    others = (task("u", write=("plain/**",)), task("w", exclusive=True))
    after = place_claims(manifest(before, *others), TREE, target_of)
    assert after.tasks[0] == replace(before, claims=replace(before.claims, write=("real/x.py",)))
    kept = manifest(before, *others).tasks[1:]
    assert after.tasks[1:] == kept


def test_unknown_claims_stay_unknown() -> None:
    assert placed(task("t"), TREE) == Claims()
    assert placed(task("t", exclusive=True), TREE) == Claims(exclusive=True, declared=True)


def big_manifest() -> Manifest:
    return manifest(
        *(task(f"t{n}", write=(f"src/m{n}/**",), read=(f"src/m{n}/a.py", "docs/*.md")) for n in range(1000))
    )


def test_a_tree_without_links_costs_one_look_and_one_with_some_little() -> None:
    one = big_manifest()
    files = [f"src/m{n}/f{m}.py" for n in range(1000) for m in range(10)]
    plain, linked = tree_of({}, *files), tree_of({f"docs/l{n}.md": "../README.md" for n in range(50)}, *files)
    took = []
    for tree in (plain, linked):
        place_claims(one, tree, target_of)
        began = time.process_time()
        place_claims(one, tree, target_of)
        took.append(time.process_time() - began)
    assert took[0] < 0.05
    assert took[1] < 1


# --- the file system has the last word -----------------------------------------------------------------------

NAMES = ("a", "b", "c")
ENTRIES = st.recursive(
    st.one_of(
        st.none(), st.lists(st.sampled_from([*NAMES, "..", "..", "."]), min_size=1, max_size=4).map("/".join)
    ),
    lambda inner: st.dictionaries(st.sampled_from(NAMES), inner, min_size=1, max_size=3),
    max_leaves=9,
)
"""A file (None), a link (its target), or a folder (its entries)."""

Entry = None | str | dict[str, "Entry"]


def lay(entry: Entry, at: Path, path: str, files: dict[str, str]) -> None:
    """Make an entry on disk and note its files as git would."""
    if isinstance(entry, dict):
        at.mkdir()
        for name, inner in entry.items():
            lay(inner, at / name, f"{path}/{name}".lstrip("/"), files)
    elif isinstance(entry, str):
        at.symlink_to(entry)
        files[path] = f"120000 to:{entry}"
    else:
        at.write_text("")
        files[path] = FILE


def real(root: Path, path: str) -> str | None:
    """Where a path leads, relative to the root; None out of it or in a circle."""
    try:
        found = os.path.realpath(root / path, strict=True)
    except OSError as error:
        if error.errno == errno.ELOOP:
            return None
        found = os.path.realpath(root / path)
        if any(part.is_symlink() for part in (Path(found), *Path(found).parents)):
            # A circle that leads through what is not there.
            return None
    return os.path.relpath(found, root) if (found + "/").startswith(f"{root}/") else None


@settings(max_examples=150, deadline=None)
@example({"b": "a/../b"}, ["b"])
@example({"a": "b/../a"}, ["a", "a"])
@given(
    st.dictionaries(st.sampled_from(NAMES), ENTRIES, min_size=1, max_size=3),
    st.lists(st.sampled_from(NAMES), min_size=1, max_size=4),
)
def test_claims_lead_where_the_file_system_leads(entries: dict[str, Entry], names: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder).resolve() / "above" / "root"
        root.parent.mkdir()
        files: dict[str, str] = {}
        lay(entries, root, "", files)
        tree = Tree("1", files)
        path = "/".join(names)
        expected = real(root, path)
        one = task("t", write=("own",), read=(f"{path}/*.x",))
        if expected is None:
            refused(one, tree)
        else:
            put = f"{expected}/*.x" if expected != "." else "*.x"
            assert placed(one, tree).read == (put,)
        reads_what_is_behind(root, tree, path)


def reads_what_is_behind(root: Path, tree: Tree, path: str) -> None:
    """Who reads a path reads every file that can be reached there, whatever links lead to it."""
    parent = real(root, os.path.dirname(path) or ".")  # noqa: PTH120
    if parent is None:
        return
    read = PatternSet.of(placed(task("t", write=("own",), read=(path,)), tree).read)
    start = os.path.normpath(os.path.join(parent, os.path.basename(path)))  # noqa: PTH118, PTH119
    todo, seen = [start], set[str]()
    while todo:
        here = todo.pop()
        if here in seen:
            continue
        seen.add(here)
        if os.path.islink(root / here):  # noqa: PTH114
            assert read.matches(here)
            led = real(root, here)
            around = led is not None and (led == "." or here.startswith(f"{led}/"))
            if led is not None and (root / led).exists() and (not around or here == start):
                todo.append(led)
        elif (root / here).is_dir():
            todo += [os.path.normpath(f"{here}/{name}") for name in os.listdir(root / here)]  # noqa: PTH208
        elif (root / here).exists():
            assert read.matches(here), f"{here} can be reached and is not read"
