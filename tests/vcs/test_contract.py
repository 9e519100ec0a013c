"""The contract of the seams Git and Past, held by the repository (also one of SHA-256) and by its double in memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestra.model.ports import CommitRequest, Git, Past, PastChange, RefUpdate
from orchestra.vcs.memory import MemoryGit
from tests.vcs.kit import Person

FILE = "100644"
REF = "refs/orchestra/some/ref"
OTHER = "refs/orchestra/other"
BRANCH = "refs/heads/side"
KINDS = ("memory", "sha1", "sha256")


class Store:
    """A Git with one empty commit, filled by the protocol alone, and what it remembers."""

    def __init__(self, git: Git, past: Past, root: str) -> None:
        self.git = git
        self.past = past
        self.root = root
        self.joined = 0

    def commit(self, files: Mapping[str, bytes | None], on: str | None = None) -> str:
        """A commit on another (the empty one) that writes these files, and removes those that are None."""
        parent = on or self.root
        return self.git.commit(CommitRequest(parent, (parent,), "A change\n", tuple(files.items())))

    def join(self, *parents: str, files: Mapping[str, bytes | None] | None = None) -> str:
        """A commit on these parents (none: a root) with the tree of the first, or an empty one, and these files."""
        # Numbered, since for git what is alike and of the same second is one commit.
        self.joined += 1
        tree, message = parents[0] if parents else self.root, f"Joined {self.joined}\n"
        return self.git.commit(CommitRequest(tree, parents, message, tuple((files or {}).items())))

    def files(self, tree: str | None) -> dict[str, bytes]:
        """The contents of the files of a commit or tree, all of which are regular."""
        assert tree is not None
        states = [state.split(" ") for state in self.git.tree(tree).files.values()]
        assert all(mode == FILE for mode, _ in states)
        return dict(zip(self.git.tree(tree).files, self.git.read([i for _, i in states]), strict=True))


def make_store(kind: str, folder: Path) -> Store:
    if kind == "memory":
        memory = MemoryGit()
        return Store(memory, memory, memory.commit_files({}))
    person = Person(folder, init=(f"--object-format={kind}",))
    person.git("commit", "--quiet", "--allow-empty", "--message", "nothing yet")
    repository = person.repository()
    return Store(repository, repository, person.head())


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


# --- the past ------------------------------------------------------------------------------------------------

FOLDER = ".orchestra/lock/"
ENTRY = f"{FOLDER}é x.json"


def test_refs_are_told_below_prefixes_only(store: Store) -> None:
    one, other = store.commit({"a": b"1\n"}), store.commit({"a": b"2\n"})
    refs = {"refs/orchestra/tips/b1/x": one, "refs/orchestra/tips/b2": other, "refs/orchestra/parked/b1": one}
    beside = {"refs/orchestra/tipsy": one, "refs/heads/orchestra/build-1": other}
    assert store.git.update_refs(tuple(RefUpdate(r, c) for r, c in {**refs, **beside}.items()))
    assert store.past.refs_below("refs/orchestra/tips/") == {r: c for r, c in refs.items() if "/tips/" in r}
    assert store.past.refs_below("refs/orchestra/tips/", "refs/orchestra/parked/") == refs
    assert store.past.refs_below("refs/heads/orchestra/") == {"refs/heads/orchestra/build-1": other}
    assert store.past.refs_below("refs/orchestra/none/") == {}


def test_ancestors_are_found_through_every_parent(store: Store) -> None:
    first = store.commit({"a": b"1\n"})
    left, right = store.commit({"b": b"2\n"}, first), store.commit({"c": b"3\n"}, first)
    merged, apart = store.join(left, right), store.join(files={"a": b"1\n"})
    for old in (store.root, first, left, right, merged):
        assert store.past.is_ancestor(old, merged)
    for old, new in ((merged, left), (left, right), (right, first), (apart, merged), (merged, apart)):
        assert not store.past.is_ancestor(old, new)


def test_the_merge_base_is_the_best_common_ancestor(store: Store) -> None:
    first = store.commit({"a": b"1\n"})
    left, right = store.commit({"b": b"2\n"}, first), store.commit({"c": b"3\n"}, first)
    later = store.commit({"b": b"3\n"}, left)
    assert store.past.merge_base(later, right) == store.past.merge_base(right, later) == first
    assert store.past.merge_base(left, later) == store.past.merge_base(later, left) == left
    assert store.past.merge_base(left, left) == left
    # What was merged in counts: the newest that both have.
    assert store.past.merge_base(store.join(right, left), later) == left
    assert store.past.merge_base(store.join(files={"x": b"1\n"}), later) is None
    # Where each was merged into the other there are two, and one of them is told.
    assert store.past.merge_base(store.join(left, right), store.join(right, left)) in (left, right)


def test_messages_and_parents_are_told(store: Store) -> None:
    text = "Título\n\nBody, – with a line.\n\nOrchestra-Task: a b\nOrchestra-Key: k1:0\n"
    one = store.git.commit(CommitRequest(store.root, (store.root,), text))
    merged = store.join(one, store.root)
    assert store.past.message(one) == text
    assert (store.past.parents(store.root), store.past.parents(one)) == ((), (store.root,))
    assert store.past.parents(merged) == (one, store.root)
    assert store.past.parents(store.join(store.root, one)) == (store.root, one)


def test_changes_of_files_are_told_newest_first_with_what_was_before(store: Store) -> None:
    commits = [store.root]
    for content in (b"1\n", b"2\n", None, b"1\n"):
        commits.append(store.commit({ENTRY: content, "beside": content}, commits[-1]))
        commits.append(store.commit({"other": content, ".orchestra/lockers": content}, commits[-1]))
    states = [store.git.tree(commit).state(ENTRY) for commit in commits]
    expected = tuple(PastChange(commits[n], commits[n - 1], states[n - 1], states[n]) for n in (7, 5, 3, 1))
    assert store.past.changes(commits[-1], FOLDER) == {ENTRY: expected}
    assert store.past.changes(commits[4], FOLDER) == {ENTRY: expected[2:]}
    assert store.past.changes(store.root, FOLDER) == {}
    assert expected[0].after == expected[3].after is not None and expected[0].before is None


def test_changes_are_those_of_the_first_parents(store: Store) -> None:
    """What a merge brought in, it brought in: the commits of the other side are not asked."""
    main = store.commit({"a": b"1\n", f"{FOLDER}x": b"0\n"})
    side = store.commit({f"{FOLDER}x": b"2\n"}, store.commit({f"{FOLDER}x": b"1\n"}, main))
    main = store.commit({f"{FOLDER}y": b"1\n"}, main)
    merged = store.git.merge(store.past.merge_base(main, side) or "", main, side).tree
    assert merged is not None
    joined = store.git.commit(CommitRequest(merged, (main, side), "Merged\n"))
    x, y = (store.past.changes(joined, FOLDER)[f"{FOLDER}{name}"] for name in "xy")
    assert [change.commit for change in x][:1] == [joined] and len(x) == 2
    assert (x[0].parent, x[0].before) == (main, store.git.tree(main).state(f"{FOLDER}x"))
    assert x[0].after == store.git.tree(side).state(f"{FOLDER}x")
    assert [change.commit for change in y] == [main]


def test_a_root_that_holds_files_changed_them(store: Store) -> None:
    root = store.join(files={ENTRY: b"1\n"})
    change = PastChange(root, None, None, store.git.tree(root).state(ENTRY))
    assert store.past.changes(root, FOLDER) == {ENTRY: (change,)}


shapes = st.lists(
    st.tuples(
        st.lists(st.integers(0, 9), max_size=2), st.sampled_from("xyz"), st.sampled_from([b"1", b"2", None])
    ),
    min_size=1,
    max_size=5,
)


@settings(max_examples=10, deadline=None)
@given(shapes)
def test_whatever_the_history_both_tell_the_same(
    both: tuple[Store, Store], shape: list[tuple[list[int], str, bytes | None]]
) -> None:
    """Commit by commit the same history in both: then every answer is the same, with the ids translated."""
    memory, real = both
    ids = {memory.root: real.root}
    commits = [memory.root]
    for chosen, name, content in shape:
        parents = tuple(dict.fromkeys(commits[number % len(commits)] for number in chosen))
        edits = {f"{FOLDER}{name}": content, name: content}
        made = memory.join(*parents, files=edits)
        ids[made] = real.join(*(ids[parent] for parent in parents), files=edits)
        commits.append(made)
    for one in commits:
        assert real.past.parents(ids[one]) == tuple(ids[parent] for parent in memory.past.parents(one))
        assert translated(memory, one, ids) == real.past.changes(ids[one], FOLDER)
        for other in commits[-1:]:
            assert memory.past.is_ancestor(one, other) == real.past.is_ancestor(ids[one], ids[other])
            base = memory.past.merge_base(one, other)
            found = real.past.merge_base(ids[one], ids[other])
            assert (base is None) == (found is None)
            if base is not None and ids[base] != found:
                assert both_are_best(real, ids[base], found or "")


def translated(memory: Store, commit: str, ids: Mapping[str, str]) -> dict[str, tuple[PastChange, ...]]:
    """The changes that the double tells, with the ids of the real commits."""
    return {
        path: tuple(PastChange(ids[c.commit], c.parent and ids[c.parent], c.before, c.after) for c in changes)
        for path, changes in memory.past.changes(commit, FOLDER).items()
    }


def both_are_best(store: Store, one: str, other: str) -> bool:
    """Whether neither of two common ancestors is in the history of the other, so that either may be told."""
    return not store.past.is_ancestor(one, other) and not store.past.is_ancestor(other, one)


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> tuple[Store, Store]:
    """The double and a repository, for examples that only add to them."""
    return make_store("memory", tmp_path_factory.mktemp("memory")), make_store(
        "sha1", tmp_path_factory.mktemp("both")
    )
