"""The contract of the Git protocol, held by the repository (also one of SHA-256) and by its double in memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestra.model.ports import CommitRequest, Git, RefUpdate
from orchestra.vcs.memory import MemoryGit
from tests.vcs.kit import Person

FILE = "100644"
REF = "refs/orchestra/some/ref"
OTHER = "refs/orchestra/other"
BRANCH = "refs/heads/side"
KINDS = ("memory", "sha1", "sha256")


class Store:
    """A Git with one empty commit, filled by the protocol alone."""

    def __init__(self, git: Git, root: str) -> None:
        self.git = git
        self.root = root

    def commit(self, files: Mapping[str, bytes | None], on: str | None = None) -> str:
        """A commit on another (the empty one) that writes these files, and removes those that are None."""
        parent = on or self.root
        return self.git.commit(CommitRequest(parent, (parent,), "A change\n", tuple(files.items())))

    def files(self, tree: str | None) -> dict[str, bytes]:
        """The contents of the files of a commit or tree, all of which are regular."""
        assert tree is not None
        states = [state.split(" ") for state in self.git.tree(tree).files.values()]
        assert all(mode == FILE for mode, _ in states)
        return dict(zip(self.git.tree(tree).files, self.git.read([i for _, i in states]), strict=True))


def make_store(kind: str, folder: Path) -> Store:
    if kind == "memory":
        memory = MemoryGit()
        return Store(memory, memory.commit_files({}))
    person = Person(folder, init=(f"--object-format={kind}",))
    person.git("commit", "--quiet", "--allow-empty", "--message", "nothing yet")
    return Store(person.repository(), person.head())


@pytest.fixture(params=KINDS)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    return make_store(request.param, tmp_path)


# --- resolve, tree, read, commit -----------------------------------------------------------------------------


def test_a_ref_resolves_to_its_commit_and_a_commit_to_itself(store: Store) -> None:
    commit = store.commit({"a": b"1\n"})
    assert store.git.resolve(REF) is None
    assert store.git.update_refs((RefUpdate(REF, commit),))
    assert store.git.resolve(REF) == commit
    assert store.git.resolve(commit) == commit


@pytest.mark.parametrize("ref", ["refs/heads/no-such", "refs/orchestra/-evil", "-evil", "refs/heads/a b"])
def test_what_is_no_ref_resolves_to_nothing(store: Store, ref: str) -> None:
    assert store.git.resolve(ref) is None


def test_a_tree_tells_mode_and_id_of_every_file(store: Store) -> None:
    paths = {"a": b"1\n", "d/b": b"2\n", "d/é\n\t": b"3\n", "-x": b"4\n", "[*]?": b"5\n", "d/\udcff": b"6\n"}
    commit = store.commit(paths)
    tree = store.git.tree(commit)
    assert set(tree.files) == set(paths)
    assert tree.commit == commit
    assert store.files(commit) == paths
    assert store.git.tree(store.root).files == {}


def test_equal_contents_have_equal_states_and_other_contents_others(store: Store) -> None:
    tree = store.git.tree(store.commit({"a": b"1\n", "b": b"1\n", "c": b"2\n"}))
    assert tree.state("a") == tree.state("b") != tree.state("c")


def test_contents_are_read_in_the_order_asked_for(store: Store) -> None:
    contents = [b"", b"\0\xff\r\n", b"x" * 100_000, b"no newline", b"\n\n"]
    commit = store.commit({str(number): content for number, content in enumerate(contents)})
    ids = [store.git.tree(commit).files[str(n)].split(" ")[1] for n in (4, 2, 0, 1, 3, 0)]
    assert store.git.read(ids) == tuple(contents[n] for n in (4, 2, 0, 1, 3, 0))
    assert store.git.read([]) == ()


def test_edits_write_replace_and_remove(store: Store) -> None:
    first = store.commit({"a": b"1\n", "d/b": b"2\n", "c": b"3\n"})
    second = store.commit({"a": b"changed\n", "d/b": None, "e/f": b"new\n", "never": None}, on=first)
    assert store.files(second) == {"a": b"changed\n", "c": b"3\n", "e/f": b"new\n"}
    assert store.files(first) == {"a": b"1\n", "d/b": b"2\n", "c": b"3\n"}


def test_many_edits_at_once_some_of_them_alike(store: Store) -> None:
    files = {f"lock/{number}.json": b"%d\n" % (number % 7) for number in range(60)}
    assert store.files(store.commit(files)) == files


def test_a_commit_is_made_of_a_commit_or_a_tree_and_moves_no_ref(store: Store) -> None:
    one, other = store.commit({"a": b"1\n"}), store.commit({"b": b"2\n"})
    tree = store.git.merge(store.root, one, other).tree
    assert tree is not None
    store.git.update_refs((RefUpdate(REF, one),))
    for source in (tree, store.git.commit(CommitRequest(tree, (one, other), "Merged\n"))):
        commit = store.git.commit(CommitRequest(source, (one,), "Again\n", (("c", b"3\n"),)))
        assert store.files(commit) == {"a": b"1\n", "b": b"2\n", "c": b"3\n"}
    assert store.git.resolve(REF) == one


# --- merge ---------------------------------------------------------------------------------------------------

BASE = {"a": b"a\n", "b": b"b\n"}


@pytest.mark.parametrize(
    ("ours", "theirs", "merged"),
    [
        ({"a": b"ours\n"}, {"b": b"theirs\n"}, {"a": b"ours\n", "b": b"theirs\n"}),
        ({"a": b"ours\n"}, {}, {"a": b"ours\n", "b": b"b\n"}),
        ({}, {"a": b"theirs\n"}, {"a": b"theirs\n", "b": b"b\n"}),
        ({}, {}, BASE),
        ({"a": None}, {"c": b"c\n"}, {"b": b"b\n", "c": b"c\n"}),
        ({"a": None}, {"a": None}, {"b": b"b\n"}),
        ({"a": b"same\n"}, {"a": b"same\n"}, {"a": b"same\n", "b": b"b\n"}),
        ({"d/c": b"same\n"}, {"d/c": b"same\n"}, {**BASE, "d/c": b"same\n"}),
        ({"a": b"ours\n"}, {"a": b"theirs\n"}, ("a",)),
        ({"a": b"ours\n"}, {"a": None}, ("a",)),
        ({"a": None, "b": b"ours\n"}, {"a": b"theirs\n", "b": None}, ("a", "b")),
        ({"d/c": b"ours\n"}, {"d/c": b"theirs\n"}, ("d/c",)),
        ({"-c\n*": b"ours\n"}, {"-c\n*": b"theirs\n"}, ("-c\n*",)),
    ],
)
def test_merging_file_by_file(
    store: Store,
    ours: Mapping[str, bytes | None],
    theirs: Mapping[str, bytes | None],
    merged: Mapping[str, bytes] | tuple[str, ...],
) -> None:
    base = store.commit(BASE)
    done = store.git.merge(base, store.commit(ours, on=base), store.commit(theirs, on=base))
    if isinstance(merged, tuple):
        assert (done.tree, tuple(sorted(done.conflicts))) == (None, merged)
    else:
        assert (store.files(done.tree), done.conflicts) == (merged, ())


def test_the_base_is_the_one_given_and_not_what_history_says(store: Store) -> None:
    """A person may rewrite the history on which a result was made."""
    base = store.commit(BASE)
    apart = store.commit({**BASE, "a": b"ours\n"})
    theirs = store.commit({"b": b"theirs\n"}, on=base)
    # By history their common ancestor is the empty commit: every file would be added by both.
    merged = store.git.merge(base, apart, theirs)
    assert store.files(merged.tree) == {"a": b"ours\n", "b": b"theirs\n"}


contents = st.sampled_from([None, 1, 2, 3])
versions = st.fixed_dictionaries(dict.fromkeys(("a", "b", "d/c", "d/e/f"), contents))


@pytest.fixture(scope="module", params=KINDS[:2])
def shared(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    yield make_store(request.param, tmp_path_factory.mktemp("shared"))


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(base=versions, ours=versions, theirs=versions)
def test_merging_whatever_three_versions(
    shared: Store, base: dict[str, int | None], ours: dict[str, int | None], theirs: dict[str, int | None]
) -> None:
    """One line a file, and no two alike: there git's lines and renames say what whole files say."""

    def commit(files: dict[str, int | None], on: str | None = None) -> str:
        edits = {p: None if v is None else f"{p} in version {v}\n".encode() for p, v in files.items()}
        return shared.commit(edits, on)

    expected: dict[str, int] = {}
    conflicts: list[str] = []
    for path in base:
        one, other = ours[path], theirs[path]
        if one != other and base[path] not in (one, other):
            conflicts.append(path)
        taken = other if one == base[path] else one
        if taken is not None:
            expected[path] = taken
    start = commit(base)
    merged = shared.git.merge(start, commit(ours, start), commit(theirs, start))
    assert sorted(merged.conflicts) == sorted(conflicts)
    if conflicts:
        assert merged.tree is None
    else:
        files = {p: f"{p} in version {v}\n".encode() for p, v in expected.items()}
        assert shared.files(merged.tree) == files


# --- refs ----------------------------------------------------------------------------------------------------


def test_refs_move_only_from_where_they_are_expected(store: Store) -> None:
    git, one, other = store.git, store.commit({"a": b"1\n"}), store.commit({"a": b"2\n"})
    assert not git.update_refs((RefUpdate(REF, one, other),))
    assert git.resolve(REF) is None
    assert git.update_refs((RefUpdate(REF, one),))
    assert not git.update_refs((RefUpdate(REF, other),))
    assert not git.update_refs((RefUpdate(REF, other, other),))
    assert git.resolve(REF) == one
    assert git.update_refs((RefUpdate(REF, other, one),))
    assert git.resolve(REF) == other


def test_refs_are_deleted_only_where_they_are_expected(store: Store) -> None:
    git, one, other = store.git, store.commit({"a": b"1\n"}), store.commit({"a": b"2\n"})
    git.update_refs((RefUpdate(REF, one),))
    assert not git.update_refs((RefUpdate(REF, None, other),))
    assert not git.update_refs((RefUpdate(REF, None),))
    assert git.resolve(REF) == one
    assert git.update_refs((RefUpdate(REF, None, one),))
    assert git.resolve(REF) is None
    assert not git.update_refs((RefUpdate(REF, None, one),))
    assert git.update_refs((RefUpdate(REF, None),))


def test_force_looks_at_no_old_value(store: Store) -> None:
    git, one, other = store.git, store.commit({"a": b"1\n"}), store.commit({"a": b"2\n"})
    assert git.update_refs((RefUpdate(REF, one, force=True),))
    assert git.update_refs((RefUpdate(REF, other, one, force=True), RefUpdate(OTHER, None, force=True)))
    assert git.resolve(REF) == other
    assert git.update_refs((RefUpdate(REF, None, force=True),))
    assert git.resolve(REF) is None


def test_all_refs_move_or_none(store: Store) -> None:
    git, one, other = store.git, store.commit({"a": b"1\n"}), store.commit({"a": b"2\n"})
    git.update_refs((RefUpdate(REF, one),))
    assert not git.update_refs((RefUpdate(OTHER, one), RefUpdate(REF, other, other)))
    assert not git.update_refs((RefUpdate(OTHER, one, force=True), RefUpdate(REF, other)))
    assert (git.resolve(REF), git.resolve(OTHER)) == (one, None)
    assert git.update_refs((RefUpdate(OTHER, one), RefUpdate(REF, None, one)))
    assert (git.resolve(REF), git.resolve(OTHER)) == (None, one)
    assert git.update_refs(())


# --- advance -------------------------------------------------------------------------------------------------


def test_a_branch_advances_from_where_it_stands(store: Store) -> None:
    old = store.commit({"a": b"1\n"})
    new = store.commit({"a": b"2\n"}, on=old)
    store.git.update_refs((RefUpdate(BRANCH, old),))
    done = store.git.advance(BRANCH, old, new)
    assert (done.done, done.moved_to, done.in_the_way) == (True, None, ())
    assert store.git.resolve(BRANCH) == new


def test_a_branch_that_moved_on_stays_and_says_so(store: Store) -> None:
    old = store.commit({"a": b"1\n"})
    mine, new = store.commit({"b": b"mine\n"}, on=old), store.commit({"a": b"2\n"}, on=old)
    store.git.update_refs((RefUpdate(BRANCH, mine),))
    done = store.git.advance(BRANCH, old, new)
    assert (done.done, done.moved_to, done.descends) == (False, mine, True)
    assert done.message
    assert store.git.resolve(BRANCH) == mine


def test_a_branch_that_was_rewritten_stays_and_says_so(store: Store) -> None:
    old = store.commit({"a": b"1\n"})
    apart, new = store.commit({"c": b"3\n"}), store.commit({"a": b"2\n"}, on=old)
    store.git.update_refs((RefUpdate(BRANCH, apart),))
    done = store.git.advance(BRANCH, old, new)
    assert (done.done, done.moved_to, done.descends) == (False, apart, False)
    assert store.git.resolve(BRANCH) == apart


def test_a_branch_that_was_deleted_stays_so(store: Store) -> None:
    old = store.commit({"a": b"1\n"})
    done = store.git.advance(BRANCH, old, store.commit({"a": b"2\n"}, on=old))
    assert (done.done, done.moved_to) == (False, None)
    assert store.git.resolve(BRANCH) is None
