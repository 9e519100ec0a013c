"""Slots: made outside the repository, reset exactly whatever an agent did, with what setup, copy and keep spare."""

from __future__ import annotations

import os
import shutil
import stat
from pathlib import Path

import pytest

from orchestra.model.errors import OrchestraError
from orchestra.vcs.slots import slots_folder
from tests.vcs.kit import Bench, Person, on_disk, plain

FILES = plain(
    {"README.md": "A project\n", "src/parser.py": "print('parse')\n", ".gitignore": "*.ign\nign/\n"}
)


# --- where they lie ------------------------------------------------------------------------------------------


def test_slots_lie_in_the_cache_of_the_person(person: Person, tmp_path: Path) -> None:
    common = person.root / ".git"
    by_home = slots_folder(common, person.root, None, {"HOME": "/home/a"})
    assert by_home.parent == Path("/home/a/.cache/orchestra")
    assert by_home.name.startswith("project-")
    by_cache = slots_folder(common, person.root, None, {"HOME": "/home/a", "XDG_CACHE_HOME": "/cache"})
    assert by_cache == Path("/cache/orchestra") / by_home.name
    # The specification: a relative path is to be ignored.
    relative = {"HOME": "/home/a", "XDG_CACHE_HOME": "cache"}
    assert slots_folder(common, person.root, None, relative) == by_home
    other = Person(tmp_path / "other")
    assert slots_folder(other.root / ".git", other.root, None, {"HOME": "/home/a"}) != by_home


@pytest.mark.parametrize("configured", ["../slots", "slots [1]", "~/slots", "/absolute"])
def test_a_configured_folder_moves_them_and_two_repositories_may_name_the_same(
    person: Person, monkeypatch: pytest.MonkeyPatch, configured: str
) -> None:
    monkeypatch.setenv("HOME", str(person.home))
    places = {
        "../slots": person.home / "slots",
        "slots [1]": person.root / "slots [1]",
        "~/slots": person.home / "slots",
        "/absolute": Path("/absolute"),
    }
    one = slots_folder(person.root / ".git", person.root, configured, person.env)
    other = slots_folder(person.home / "other" / ".git", person.root, configured, person.env)
    assert one.parent == other.parent == places[configured]
    assert one != other


@pytest.mark.parametrize("configured", [None, "slots [1]"])
def test_without_a_home_they_lie_inside_and_git_does_not_see_them(
    person: Person, configured: str | None
) -> None:
    exclude = person.write(".git/info/exclude", "mine\nno newline at the end")
    if configured is None:
        del person.env["HOME"]
    bench = Bench(person, dir=configured)
    slot = bench.prepare()
    assert slot.path.is_relative_to(person.root)
    assert on_disk(slot.path) == FILES
    assert person.git("status", "--porcelain", "--untracked-files=all") == ""
    assert exclude.read_text().startswith("mine\nno newline at the end\n/")
    Bench(person, dir=configured).prepare(number=2)
    assert len(exclude.read_text().splitlines()) == 3


def test_the_folder_is_only_for_its_owner(bench: Bench) -> None:
    bench.prepare()
    assert stat.S_IMODE(bench.folder.stat().st_mode) == 0o700


def test_a_cache_behind_a_link_is_fine(person: Person) -> None:
    (person.home / "elsewhere").mkdir()
    (person.home / ".cache").symlink_to(person.home / "elsewhere")
    bench = Bench(person)
    first = bench.prepare()
    mark = first.git_dir / "mark"
    mark.touch()
    bench.prepare()
    assert mark.exists()  # found again, not made anew


# --- made and numbered ---------------------------------------------------------------------------------------


def test_a_slot_is_a_locked_detached_worktree_with_the_files_of_the_commit(
    person: Person, bench: Bench
) -> None:
    slot = bench.prepare()
    assert on_disk(slot.path) == FILES
    assert person.git("status", "--porcelain", "--ignored", cwd=slot.path) == ""
    listed = person.git("worktree", "list", "--porcelain").split("\n\n")[1]
    assert "detached" in listed and "locked orchestra slot" in listed
    assert person.git("rev-parse", "HEAD", cwd=slot.path) == person.head()
    assert person.git("symbolic-ref", "HEAD") == "refs/heads/main"


def test_numbers_are_small_and_never_shared(bench: Bench) -> None:
    assert [bench.pool.acquire() for _ in range(3)] == [1, 2, 3]
    bench.pool.release(2)
    assert [bench.pool.acquire(), bench.pool.acquire()] == [2, 4]


def test_slots_stand_at_commits_of_their_own(person: Person, bench: Bench) -> None:
    old = person.head()
    person.write("new", "new\n")
    person.write("README.md", "Another\n")
    new = person.commit()
    one, two = bench.prepare(old, 1), bench.prepare(new, 2)
    assert on_disk(one.path) == FILES
    assert on_disk(two.path) == {**FILES, **plain({"new": "new\n", "README.md": "Another\n"})}
    for number, commit in ((1, new), (2, old), (1, old)):
        slot = bench.prepare(commit, number)
        assert on_disk(slot.path) == person.committed(commit)
        assert bench.status(slot) == []


def test_a_commit_that_is_none_is_told(bench: Bench) -> None:
    bench.prepare()
    for number in (1, 2):
        with pytest.raises(OrchestraError, match="cannot prepare the worktree") as caught:
            bench.prepare("1" * 40, number)
        assert caught.value.causes
    assert on_disk(bench.prepare(number=1).path) == FILES


# --- reset ---------------------------------------------------------------------------------------------------

TRICKS = {
    "modified": "echo more >> README.md",
    "staged": "echo more >> README.md; git add -A; echo again >> README.md",
    "deleted": "rm -r src README.md",
    "removed from the index": "git rm -rq --cached .",
    "untracked": "mkdir -p a/b; touch new a/b/c",
    "ignored": "mkdir ign; touch x.ign ign/y src/z.ign",
    "executable": "chmod +x README.md",
    "unreadable": "chmod 000 README.md; chmod 500 src",
    "link for a file": "rm README.md; ln -s src/parser.py README.md",
    "link for a folder": "mv src elsewhere; ln -s elsewhere src",
    "link to itself for a folder": "rm -r src; ln -s src/x src",
    "folder for a file": "rm README.md; mkdir README.md; touch README.md/x",
    "file for a folder": "rm -r src; touch src",
    "pipe for a file": "rm README.md; mkfifo README.md fifo",
    "skip-worktree": "git update-index --skip-worktree README.md; echo more >> README.md",
    "assume-unchanged": "git update-index --assume-unchanged README.md; echo more >> README.md",
    "commit": "echo more >> README.md; git commit -qam x",
    "amended": "echo more >> README.md; git commit -qa --amend -m x",
    "branch": "git switch -qc agents-own; echo more > new; git add -A; git commit -qm x",
    "orphan": "git checkout -q --orphan void; git rm -rfq .",
    "merge in conflict": "git switch -qc one; echo 1 > README.md; git commit -qam 1; git switch -q --detach HEAD~;"
    "echo 2 > README.md; git commit -qam 2; git merge -q one || true",
    "rebase in conflict": "git switch -qc one; echo 1 > README.md; git commit -qam 1; git switch -qc two HEAD~;"
    "echo 2 > README.md; git commit -qam 2; git rebase -q one || true",
    "cherry-pick in conflict": "git switch -qc one; echo 1 > README.md; git commit -qam 1;"
    "git switch -q --detach HEAD~; echo 2 > README.md; git commit -qam 2; git cherry-pick one || true",
    "bisect": "git commit -q --allow-empty -m x; git bisect start -q HEAD HEAD~",
    "sparse": "git sparse-checkout set --no-cone /README.md; git config --worktree core.sparseCheckout true",
    "stash": "echo more >> README.md; git stash -q",
    "stale locks": 'touch "$(git rev-parse --git-path index.lock)" "$(git rev-parse --git-path HEAD.lock)"',
    "HEAD gone": "git update-ref -d HEAD; touch new",
    "HEAD broken": 'echo nonsense > "$(git rev-parse --git-path HEAD)"',
    "index gone": 'rm "$(git rev-parse --git-path index)"',
    "index broken": 'echo nonsense > "$(git rev-parse --git-path index)"',
    "nested repository": "git init -q inner; touch inner/x",
    "nested repository with a commit": "git init -q inner; cd inner; git commit -q --allow-empty -m x",
    "no pointer": "rm .git; touch new",
    "pointer elsewhere": "echo 'gitdir: /nowhere' > .git; touch new",
    "own attributes": "echo '* text eol=crlf' > .gitattributes; git add -A; git commit -qm x; touch README.md",
}


@pytest.mark.parametrize("trick", TRICKS)
def test_a_reset_undoes(person: Person, bench: Bench, trick: str) -> None:
    slot = bench.prepare()
    git_dir = slot.git_dir
    person.sh(TRICKS[trick].replace("|| true", "|| :"), cwd=slot.path)
    again = bench.prepare()
    assert on_disk(again.path) == FILES
    assert bench.status(again) == []
    assert person.git("rev-parse", "HEAD", cwd=again.path) == person.head()
    assert "nothing to commit" in person.git("status", cwd=again.path)
    for name in ("merging", "rebas", "bisect", "cherry", "sparse"):
        assert name not in person.git("status", cwd=again.path).lower()
    # Reset and not made anew: that would cost a hundred times as much.
    assert again.git_dir == git_dir
    assert person.git("status", "--porcelain", "--ignored") == ""
    person.git("reset", "--hard", "--quiet", cwd=again.path)
    assert on_disk(again.path) == FILES


def test_a_reset_slot_is_not_a_new_one(bench: Bench) -> None:
    slot = bench.prepare()
    before = (slot.path / "src/parser.py").stat().st_ino
    (slot.path / "README.md").write_text("changed")
    assert (bench.prepare().path / "src/parser.py").stat().st_ino == before


def test_agents_own_branches_do_not_move_with_the_slot(person: Person, bench: Bench) -> None:
    slot = bench.prepare()
    person.sh("git switch -qc agents-own; touch new; git add -A; git commit -qm x", cwd=slot.path)
    kept = person.head("agents-own")
    bench.prepare()
    assert person.head("agents-own") == kept != person.head()


@pytest.mark.parametrize("how", ["config", "worktree config"])
def test_slots_are_full_where_the_persons_checkout_is_sparse(person: Person, how: str) -> None:
    if how == "config":
        person.git("config", "core.sparseCheckout", "true")
        person.write(".git/info/sparse-checkout", "/README.md\n")
        person.git("read-tree", "-mu", "HEAD")
    else:
        person.git("sparse-checkout", "set", "--no-cone", "/README.md")
    assert not (person.root / "src").exists()
    bench = Bench(person)
    for _ in range(2):
        slot = bench.prepare()
        assert on_disk(slot.path) == FILES
        # An agent's own git must not take the rest of the files for gone.
        person.sh("git reset -q --hard; git checkout -q .", cwd=slot.path)
        assert on_disk(slot.path) == FILES
    assert not (person.root / "src").exists()


@pytest.mark.parametrize(
    "setting",
    [
        "core.splitIndex=true", "core.untrackedCache=true", "core.ignoreStat=true", "core.fsmonitor=true",
        "index.version=4", "feature.manyFiles=true", "core.trustctime=false", "core.checkStat=minimal",
        "worktree.useRelativePaths=true", "submodule.recurse=true", "add.ignoreErrors=true",
        "status.showUntrackedFiles=no", "core.quotePath=false", "checkout.workers=4", "clean.requireForce=true",
        "core.sharedRepository=group", "core.preloadIndex=false", "status.relativePaths=false",
    ],
)  # fmt: skip
def test_no_setting_of_the_person_is_in_the_way(person: Person, setting: str) -> None:
    person.git("config", *setting.split("="))
    bench = Bench(person)
    slot = bench.prepare()
    for turn in range(2):
        before = (slot.path / "README.md").stat()
        (slot.path / "README.md").write_text("B project\n")
        # Same size, same time: an agent's tool may restore it.
        os.utime(slot.path / "README.md", ns=(before.st_atime_ns, before.st_mtime_ns))
        (slot.path / "new").write_text("new\n")
        expected = {**FILES, **plain({"README.md": "B project\n", "new": "new\n"})}
        assert bench.captured(slot) == expected, turn
        slot = bench.prepare()
        assert on_disk(slot.path) == FILES
        assert bench.status(slot) == [] or "no" in setting
    assert not list((person.root / ".git").glob("sharedindex.*"))


# --- damage --------------------------------------------------------------------------------------------------


def put_aside(bench: Bench) -> list[Path]:
    return sorted(path for path in bench.folder.iterdir() if path.name not in ("slot-1", "slot-2"))


def damage_git_dir(slot_path: Path, git_dir: Path) -> None:
    for name in ("HEAD", "commondir"):
        (git_dir / name).write_text("nonsense\n")


@pytest.mark.parametrize(
    "damage",
    ["folder gone", "registration gone", "both gone", "saved index gone", "own repository", "file", "link",
     "dangling link", "git folder broken", "half made", "empty"],
)  # fmt: skip
def test_a_damaged_slot_makes_way_for_a_new_one(person: Person, bench: Bench, damage: str) -> None:
    slot, other = bench.prepare(), bench.prepare(number=2)
    (slot.path / "work").write_text("work\n")
    kept: list[str] = []
    match damage:
        case "folder gone":
            shutil.rmtree(slot.path)
        case "registration gone":
            shutil.rmtree(slot.git_dir)
            kept = ["work"]
        case "both gone":
            shutil.rmtree(slot.path)
            shutil.rmtree(slot.git_dir)
        case "saved index gone":
            slot.saved_index.unlink()
        case "own repository":
            person.sh("rm .git; git init -q; git add -A; git commit -qm x", cwd=slot.path)
            kept = [".git", "work"]
        case "file" | "link" | "dangling link":
            shutil.rmtree(slot.path)
            target = other.path if damage == "link" else person.home / "nowhere"
            slot.path.touch() if damage == "file" else slot.path.symlink_to(target)
        case "git folder broken":
            damage_git_dir(slot.path, slot.git_dir)
        case "half made":
            for name in ("orchestra-index", "orchestra-base", "index"):
                (slot.git_dir / name).unlink()
        case "empty":
            shutil.rmtree(slot.path)
            slot.path.mkdir()
    again = bench.prepare()
    assert on_disk(again.path) == FILES
    assert bench.status(again) == []
    assert not again.path.is_symlink()
    assert on_disk(other.path) == FILES
    aside = put_aside(bench)
    assert bool(aside) == bool(kept)
    for name in kept:
        assert (aside[0] / name).exists()
    if kept and ".git" not in kept:
        # It leads nowhere: git there must not work in the slot that took its place.
        assert not (aside[0] / ".git").exists()
    assert on_disk(bench.prepare().path) == FILES
    assert len(person.git("worktree", "list").splitlines()) == 3


def test_what_is_no_slot_is_not_deleted(bench: Bench) -> None:
    theirs = bench.folder / "slot-1" / "theirs"
    theirs.parent.mkdir(parents=True)
    theirs.write_text("mine\n")
    for turn in (1, 2):
        shutil.rmtree(bench.prepare().git_dir)
        assert len(put_aside(bench)) == turn
    assert (bench.folder / "slot-1.damaged" / "theirs").read_text() == "mine\n"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_read_only_folders_do_not_stop_a_reset(person: Person, bench: Bench) -> None:
    """Go's module cache, for one, is made of them."""
    slot = bench.prepare()
    person.sh(
        "mkdir -p cache/mod; touch cache/mod/x; chmod 500 cache/mod cache src; chmod 000 README.md", slot.path
    )
    again = bench.prepare()
    assert on_disk(again.path) == FILES
    assert again.git_dir == slot.git_dir


# --- work that was cut off -----------------------------------------------------------------------------------


def test_uncaptured_work_is_kept_before_the_reset(person: Person, bench: Bench) -> None:
    slot = bench.prepare()
    bench.pool.mark_in_use(slot, "b-7")
    person.sh("echo more >> README.md; git commit -qam own; echo x > new; rm -r src", cwd=slot.path)
    own = person.git("rev-parse", "HEAD", cwd=slot.path)
    base = person.head()
    person.write("later", "later\n")
    person.commit()
    again = Bench(person)
    assert on_disk(again.prepare().path) == {**FILES, **plain({"later": "later\n"})}
    assert again.rescued == ["refs/orchestra/rescued/b-7"]
    expected = plain({"README.md": "A project\nmore\n", "new": "x\n", ".gitignore": "*.ign\nign/\n"})
    assert person.committed("refs/orchestra/rescued/b-7") == expected
    # It stands on the commit that the attempt started from: it can be merged, and its diff is what was done.
    assert person.head("refs/orchestra/rescued/b-7^") == base
    assert person.refs("refs/orchestra/rescued/")["refs/orchestra/rescued/b-7-commits"] == own
    again.prepare()
    assert len(again.rescued) == 1


def test_nothing_is_rescued_where_nothing_was_done_or_all_is_captured(person: Person, bench: Bench) -> None:
    slot = bench.prepare()
    bench.pool.mark_in_use(slot, "b-1")
    slot = bench.prepare()
    assert bench.rescued == [None]
    bench.pool.mark_in_use(slot, "b-2")
    (slot.path / "new").write_text("new\n")
    bench.capture(slot)
    bench.pool.mark_in_use(slot, None)
    bench.prepare()
    assert bench.rescued == [None]
    assert person.refs("refs/orchestra/rescued/") == {}


@pytest.mark.parametrize("kind", ["nested repository", "saved index gone"])
def test_what_cannot_be_rescued_whole_is_put_aside_as_it_lies(
    person: Person, bench: Bench, kind: str
) -> None:
    slot = bench.prepare()
    bench.pool.mark_in_use(slot, "b-7")
    person.sh("git init -q inner; echo x > inner/x; echo y > y", cwd=slot.path)
    if kind == "saved index gone":
        slot.saved_index.unlink()
    assert on_disk(bench.prepare().path) == FILES
    aside = bench.folder / "slot-1.rescued-b-7"
    assert bench.rescued == [str(aside)]
    assert (aside / "inner" / "x").read_text() == "x\n"
    assert (aside / "y").read_text() == "y\n"
    assert not (aside / ".git").exists()


def test_a_slot_that_is_gone_has_nothing_to_rescue(bench: Bench) -> None:
    slot = bench.prepare()
    bench.pool.mark_in_use(slot, "b-7")
    shutil.rmtree(slot.path)
    assert on_disk(bench.prepare().path) == FILES
    assert bench.rescued == [None]
