"""What a result may touch: shared and inferred claims, twins, and every kind of change that git knows."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestra.integration.audit import Violation, audit
from orchestra.model.events import TaskAgain, TaskRejected
from orchestra.model.tasks import Inferred, Manifest, Task
from orchestra.model.trees import Change, Tree, differences
from tests.model.kit import PATTERNS, manifest, task
from tests.model.naive_graph import PATHS
from tests.model.oracle import any_match
from tests.vcs.kit import Person

from .world import Files, World

FILE = "100644 1"
EMPTY = Tree("1", {})


def found(one: Task, *paths: str, among: Manifest | None = None) -> Violation | None:
    """What the audit says of a task that changed these paths."""
    changes = tuple(Change(path, FILE, "100644 2") for path in paths)
    return audit(one, changes, among or manifest(one), EMPTY)


def inferring(name: str, *write: str, read: tuple[str, ...] = ()) -> Task:
    """A task whose claims were inferred."""
    reads = tuple(Inferred(text, "read", 1, "said so") for text in read)
    return task(name, inferred=(*reads, *(Inferred(text, "write", 1, "said so") for text in write)))


# --- shared claims -------------------------------------------------------------------------------------------


def test_what_is_shared_may_be_written() -> None:
    one = task("one", write=("src/**",), shared=("CHANGELOG.md",))
    assert found(one, "src/a", "CHANGELOG.md") is None
    other = found(one, "src/a", "CHANGELOG.md", "README.md")
    assert other is not None and other.paths == ("README.md",) and "outside its claims" in other.why


def test_who_only_shares_is_no_check_task() -> None:
    one = task("one", write=(), shared=("log",))
    assert found(one, "log") is None
    other = found(one, "x")
    assert other is not None and "declares that it writes nothing" not in other.why
    check = found(task("check", write=()), "log")
    assert check is not None and "declares that it writes nothing" in check.why


def test_a_shared_claim_opens_nothing_that_is_protected() -> None:
    other = found(task("one", write=(), shared=(".github/**",)), ".github/x")
    assert other is not None and "protected" in other.why


# --- inferred claims -----------------------------------------------------------------------------------------


def test_outside_inferred_claims_is_accepted_what_no_one_else_claims() -> None:
    one = inferring("one", "src/a")
    among = manifest(one, task("other", write=("docs/**",)), inferring("third", "lib/x"), task("unknown"))
    assert found(one, "src/a", "src/b", "new/file", among=among) is None


@pytest.mark.parametrize(
    "owner",
    [
        task("owner", write=("docs/**",)), task("owner", write=(), shared=("docs/a",)), inferring("owner", "docs/*"),
        task("owner", write=("docs/a",), run="make"),
    ],
    ids=["declared", "shared", "inferred", "command"],
)  # fmt: skip
def test_outside_inferred_claims_is_refused_what_another_claims_to_write(owner: Task) -> None:
    one = inferring("one", "src/a")
    refused = found(one, "src/a", "docs/a", "new", among=manifest(one, owner))
    assert refused is not None
    assert refused.paths == ("docs/a",) and "`owner` claims" in refused.why and refused.hint


def test_what_others_only_read_or_what_it_may_write_itself_is_no_ones_to_refuse() -> None:
    one = inferring("one", "docs/a", read=("src/**",))
    readers = (task("reads", write=(), read=("src/**",)), inferring("infers", read=("src/**",)))
    among = manifest(one, *readers, task("same", write=("docs/**",)))
    assert found(one, "docs/a", "src/x", among=among) is None


def test_all_who_claim_are_named() -> None:
    one = inferring("one", "src/a")
    among = manifest(one, task("docs", write=("docs/**",)), task("lib", write=("lib/**",)))
    refused = found(one, "docs/a", "lib/b", "lib/c", among=among)
    assert refused is not None
    assert refused.why == "changed paths that `docs`, `lib` claim"
    assert refused.paths == ("docs/a", "lib/b", "lib/c")


SOME_PATTERNS = st.lists(st.sampled_from(PATTERNS), max_size=2, unique=True).map(tuple)


@settings(deadline=None)
@given(
    st.lists(st.sampled_from(PATHS[:60]), max_size=4, unique=True),
    SOME_PATTERNS,
    st.lists(st.tuples(SOME_PATTERNS, st.booleans()), max_size=3),
)
def test_inferred_claims_are_judged_as_the_design_says(
    paths: list[str], own: tuple[str, ...], others: list[tuple[tuple[str, ...], bool]]
) -> None:
    one = inferring("one", *own)
    rest = [
        task(f"t{at}", write=write) if declared else inferring(f"t{at}", *write)
        for at, (write, declared) in enumerate(others)
    ]
    refused = found(one, *paths, among=manifest(one, *rest))
    theirs = [path for path in paths if any(any_match(write, path) for write, _ in others)]
    expected = [path for path in theirs if own and not any_match(own, path)]
    assert sorted(refused.paths if refused else ()) == sorted(expected)


# --- twins ---------------------------------------------------------------------------------------------------


def audited(before: dict[str, str], after: dict[str, str]) -> Violation | None:
    """What the audit says of a change from some files to others by a task of which nothing is known."""
    now = Tree("2", after)
    return audit(task("t"), differences(Tree("1", before), now), manifest(), now)


@pytest.mark.parametrize(
    ("there", "new", "named"),
    [
        ("src/a.py", "src/A.py", ("src/A.py", "src/a.py")),
        ("Src/a.py", "src/A.PY", ("Src/a.py", "src/A.PY")),
        ("caf\u00e9", "cafe\u0301", ("cafe\u0301", "caf\u00e9")),
        ("straße", "STRASSE", ("STRASSE", "straße")),
        ("docs", "Docs/x", ("Docs/x", "docs")),
        ("Docs/x", "docs", ("Docs/x", "docs")),
    ],
)
def test_a_new_path_that_is_the_twin_of_another_is_refused(
    there: str, new: str, named: tuple[str, ...]
) -> None:
    refused = audited({there: FILE}, {there: FILE, new: FILE})
    assert refused is not None
    assert refused.paths == named and "rename one" in refused.hint and "case" in refused.why


def test_two_new_twins_are_refused() -> None:
    refused = audited({}, {"x": FILE, "X": FILE})
    assert refused is not None and refused.paths == ("X", "x")


def test_twins_that_were_there_before_may_be_changed_and_stay() -> None:
    twins = {"Makefile": FILE, "makefile": FILE}
    assert audited(twins, {"Makefile": "100644 2", "makefile": "100755 1", "new": FILE}) is None


def test_a_rename_that_changes_case_only_leaves_one_path_and_is_accepted() -> None:
    assert audited({"readme.md": FILE}, {"README.md": FILE}) is None
    assert audited({"docs": FILE}, {"Docs/x": FILE}) is None


def test_folders_that_are_twins_can_be_checked_out_and_are_accepted() -> None:
    assert audited({"src/a": FILE}, {"src/a": FILE, "Src/b": FILE}) is None


def test_a_third_spelling_is_refused_also_where_two_were_there() -> None:
    twins = {"ab": FILE, "Ab": FILE}
    refused = audited(twins, {**twins, "AB": FILE})
    assert refused is not None and refused.paths == ("AB", "Ab", "ab")


def test_claims_do_not_open_the_way_to_twins() -> None:
    now = Tree("2", {"a": FILE, "A": FILE})
    changes = differences(Tree("1", {"a": FILE}), now)
    assert audit(task("t", write=("**",)), changes, manifest(), now) is not None
    outside = audit(task("t", write=("b",)), changes, manifest(), now)
    assert outside is not None and "claims" in outside.why, "what is graver is told first"


def test_twins_from_two_tasks_meet_at_landing_like_a_conflict() -> None:
    """Neither result holds both: only the tree in which they meet does, and that one may not land."""
    world = World.of(task("one"), task("two"))

    def evading(files: Files) -> dict[str, str]:
        return {"beside": "2"} if "notes" in files else {"Notes": "2"}

    world.does = {"one": lambda files: {"notes": "1"}, "two": evading}
    built = world.build(jobs=2)
    assert built.finals == {"one": "landed", "two": "landed"}
    assert world.files() == {"README": "hello", "notes": "1", "beside": "2"}
    (again,) = built.of(TaskAgain)
    assert again.task == "two" and "Notes" in again.why and "notes" in again.why


def test_who_makes_a_twin_again_and_again_is_rejected() -> None:
    world = World.of(task("one"), task("two"))
    world.does = {"one": lambda files: {"notes": "1"}, "two": lambda files: {"Notes": "2"}}
    built = world.build(jobs=2)
    assert built.finals == {"one": "landed", "two": "rejected"}
    assert world.files() == {"README": "hello", "notes": "1"}
    (rejected,) = built.of(TaskRejected)
    assert rejected.task == "two"


# --- every kind of change, as git has it ---------------------------------------------------------------------

A, B = "1" * 40, "2" * 40


@pytest.fixture
def person(tmp_path: Path) -> Iterator[Person]:
    """A repository with a file, a program, symlinks and a submodule."""
    one = Person(tmp_path)
    one.write("file", "text\n")
    one.write("other", "other\n")
    one.write("dir/x", "x\n")
    one.sh("ln -s file link; ln -s dir folder")
    one.git("add", "--all")
    one.git("update-index", "--add", "--cacheinfo", f"160000,{A},sub")
    one.git("commit", "--quiet", "--message", "first")
    yield one


CHANGES = {
    "written": ("echo more >> file", ("file",)),
    "deleted": ("rm file", ("file",)),
    "renamed": ("mv file moved", ("file", "moved")),
    "made a program": ("chmod +x file", ("file",)),
    "link led elsewhere": ("ln -sfn other link", ("link",)),
    "folder led elsewhere": ("ln -sfn . folder", ("folder",)),
    "link made a file": ("rm link; cp file link", ("link",)),
    "file made a link": ("rm other; ln -s file other", ("other",)),
    "link made": ("ln -s nowhere new", ("new",)),
    "link deleted": ("rm link", ("link",)),
    "folder made a link": ("rm -r dir; ln -s file dir", ("dir", "dir/x")),
    "submodule moved": (f"git update-index --cacheinfo 160000,{B},sub", ("sub",)),
    "submodule made": (f"git update-index --add --cacheinfo 160000,{B},more", ("more",)),
    "submodule removed": ("git update-index --force-remove sub", ("sub",)),
    "submodule made a folder": (
        "git update-index --force-remove sub; mkdir sub; echo 1 > sub/x",
        ("sub", "sub/x"),
    ),
    "nothing": ("touch file", ()),
}


@pytest.mark.parametrize("kind", CHANGES)
def test_every_kind_of_change_counts_as_touched(kind: str, person: Person) -> None:
    """A task that claims none of the paths is told all of them, one that claims them all is let through."""
    script, paths = CHANGES[kind]
    before = person.head()
    keeping = "" if "submodule" in kind else f"git update-index --add --cacheinfo 160000,{A},sub"
    # Git itself would take the missing folder of the submodule for its deletion.
    person.sh(f"{script}\ngit add --all -- . ':!sub' ':!more'\n{keeping}")
    if "sub/x" in paths:
        person.git("add", "sub/x")
    person.git("commit", "--quiet", "--allow-empty", "--message", "second")
    git = person.repository()
    after = git.tree(person.head())
    changes = differences(git.tree(before), after)
    assert tuple(change.path for change in changes) == paths
    refused = audit(task("t", write=("elsewhere",)), changes, manifest(), after)
    assert (refused.paths if refused else ()) == paths
    for left_out in paths:
        claimed = tuple(path for path in paths if path != left_out and not left_out.startswith(f"{path}/"))
        one = audit(task("t", write=("elsewhere", *claimed)), changes, manifest(), after)
        assert one is not None and left_out in one.paths
    assert audit(task("t", write=("elsewhere", *paths)), changes, manifest(), after) is None
    check = audit(task("t", write=()), changes, manifest(), after)
    assert (check.paths if check else ()) == paths
