"""Advance: the person's branch moves with its checkout or not at all, and nothing of theirs is overwritten."""

from __future__ import annotations

import os
import shlex
import shutil
from pathlib import Path

import pytest

from orchestra.model.ports import Advance, CommitRequest
from orchestra.vcs.advance import checkout_of, rebased_in
from tests.vcs.kit import Files, Person, on_disk

MAIN = "refs/heads/main"
CHANGES: tuple[tuple[str, bytes | None], ...] = (
    ("README.md", b"By orchestra\n"),
    ("new", b"new\n"),
    ("deep/er/new", b"new\n"),
    ("src/parser.py", None),
)


class Scene:
    """A person at work on `main`, and a verified commit on top of it."""

    def __init__(self, person: Person, changes: tuple[tuple[str, bytes | None], ...] = CHANGES) -> None:
        self.person = person
        self.old = person.head("main")
        repository = person.repository()
        self.new = repository.commit(CommitRequest(self.old, (self.old,), "Landed\n", changes))

    def advance(self, branch: str = MAIN) -> Advance:
        return self.person.repository().advance(branch, self.old, self.new)

    def snapshot(self) -> tuple[Files, str, bytes, str]:
        """All that is the person's: files, status, index, HEAD."""
        person = self.person
        index = (person.root / ".git" / "index").read_bytes()
        status = person.git("status", "--porcelain", "--ignored")
        # `git status` may have brought the index up to date: what it says is what counts then.
        index = index if status == "" else person.git("ls-files", "-s").encode()
        return (
            on_disk(person.root),
            status,
            index,
            person.git("rev-parse", "HEAD", "--symbolic-full-name", "HEAD"),
        )


@pytest.fixture
def scene(person: Person) -> Scene:
    return Scene(person)


# --- it moves --------------------------------------------------------------------------------------------------


def test_the_checkout_moves_with_its_branch(scene: Scene, person: Person) -> None:
    assert scene.advance() == Advance(True)
    assert person.head("main") == person.head() == scene.new
    assert on_disk(person.root) == person.committed(scene.new)
    assert person.git("status", "--porcelain", "--ignored") == ""
    assert person.git("symbolic-ref", "HEAD") == MAIN
    assert person.git("reflog", "-1", "--format=%gs") == "orchestra: Fast-forward"


def test_a_branch_in_another_worktree_moves_there(scene: Scene, person: Person, tmp_path: Path) -> None:
    other = tmp_path / "other [1]"
    person.git("switch", "--quiet", "--create", "mine")
    person.git("worktree", "add", "--quiet", str(other), "main")
    person.write("README.md", "dirty here\n")
    before = scene.snapshot()
    assert scene.advance() == Advance(True)
    assert on_disk(other) == person.committed(scene.new)
    assert person.git("status", "--porcelain", cwd=other) == ""
    assert scene.snapshot() == before


def test_a_branch_that_is_checked_out_nowhere_moves_alone(scene: Scene, person: Person) -> None:
    person.git("switch", "--quiet", "--detach")
    person.write("README.md", "dirty here\n")
    before = scene.snapshot()
    assert scene.advance() == Advance(True)
    assert person.head("main") == scene.new
    assert scene.snapshot() == before


def test_what_is_elsewhere_stays_as_it_is(scene: Scene, person: Person) -> None:
    """Dirty, staged, deleted, untracked and ignored: all of it apart from what moves."""
    for name in ("staged", "dirty", "both", "gone"):
        person.write(name, "1\n")
    person.commit()
    scene = Scene(person)
    person.write("staged", "2\n")
    person.write("both", "2\n")
    person.write("added", "2\n")
    person.git("add", "staged", "both", "added")
    person.write("dirty", "3\n")
    person.write("both", "3\n")
    (person.root / "gone").unlink()
    person.write("untracked", "4\n")
    person.write("deep/mine", "4\n")
    person.write("x.ign", "5\n")
    person.git("stash", "list")
    before = person.git("status", "--porcelain", "--ignored", "--untracked-files=all")
    files = on_disk(person.root)
    assert scene.advance() == Advance(True)
    assert person.git("status", "--porcelain", "--ignored", "--untracked-files=all") == before
    changed = {path: person.committed(scene.new)[path] for path, content in CHANGES if content is not None}
    assert on_disk(person.root) == {**{p: f for p, f in files.items() if p != "src/parser.py"}, **changed}
    assert person.git("show", ":both") == "2"


def test_a_file_that_is_the_same_already_is_in_nobodys_way(scene: Scene, person: Person) -> None:
    person.write("README.md", "By orchestra\n")
    person.git("add", "README.md")
    assert scene.advance() == Advance(True)
    assert person.git("status", "--porcelain") == ""


def test_files_that_were_only_touched_are_in_nobodys_way(scene: Scene, person: Person) -> None:
    os.utime(person.root / "README.md", (1, 1))
    os.utime(person.root / "src" / "parser.py", (1, 1))
    assert scene.advance() == Advance(True)


def test_a_sparse_checkout_stays_sparse(person: Person) -> None:
    person.git("sparse-checkout", "set", "--no-cone", "/README.md", "/new")
    scene = Scene(person, (*CHANGES[:3], ("src/other.py", b"x\n"), ("src/parser.py", b"changed\n")))
    assert scene.advance() == Advance(True)
    assert set(on_disk(person.root)) == {"README.md", "new"}
    assert person.git("status", "--porcelain") == ""
    assert person.git("show", "HEAD:src/other.py") == "x"


# --- it is refused ---------------------------------------------------------------------------------------------

IN_THE_WAY = {
    "dirty": ("echo mine >> README.md", ("README.md",)),
    "staged": ("echo mine >> README.md; git add README.md", ("README.md",)),
    "staged and changed back": ("echo mine > README.md; git add README.md; echo 'A project' > README.md", None),
    "dirty where it is deleted": ("echo mine >> src/parser.py", ("src/parser.py",)),
    "untracked": ("echo mine > new", ("new",)),
    "ignored": ("echo /new >> .git/info/exclude; echo mine > new", ("new",)),
    "ignored by the person's own file": ("git config core.excludesFile ../ig; echo new > ../ig; echo me > new", None),
    "ignored folder in the way": ("echo /deep >> .git/info/exclude; mkdir deep; echo mine > deep/er", None),
    "untracked file for a folder": ("echo mine > deep", ("deep",)),
    "untracked folder for a file": ("mkdir new; echo mine > new/x", ("new",)),
    "ignored folder for a file": ("mkdir new; echo mine > new/x.ign", ("new",)),
    "untracked in the folder": ("mkdir -p deep/er; echo mine > deep/er/new", ("deep/er/new",)),
    "several": ("for f in README.md new src/parser.py; do echo me >> $f; done", ("README.md", "new", "src/parser.py")),
    "link": ("ln -s README.md new", ("new",)),
    "link for a folder": ("ln -s src deep", ("deep",)),
    "executable now": ("chmod +x README.md", ("README.md",)),
    "merge under way": (
        "git switch -qc one; git commit -q --allow-empty -m x; git switch -q main; git merge -q --no-ff --no-commit -",
        (),
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", IN_THE_WAY)
def test_what_is_in_the_way_is_named_and_not_touched(scene: Scene, person: Person, kind: str) -> None:
    script, paths = IN_THE_WAY[kind]
    person.sh(script)
    before = scene.snapshot()
    done = scene.advance()
    assert not done.done and done.moved_to is None
    assert done.message and "\n" not in done.message
    if paths is not None:
        assert tuple(sorted(done.in_the_way)) == paths
    assert scene.snapshot() == before
    assert person.head("main") == scene.old


@pytest.mark.parametrize(
    "name", ["a b", "é", "new\nline", "tab\t", "-dash", "Please move", "\udcff", "q\"'\\"]
)
def test_a_file_in_the_way_is_named_to_the_letter(person: Person, name: str) -> None:
    scene = Scene(person, ((name, b"by orchestra\n"), (f"d/{name}", b"by orchestra\n")))
    person.write(name, "mine\n")
    person.write(f"d/{name}", "mine\n")
    done = scene.advance()
    assert set(done.in_the_way) == {name, f"d/{name}"}
    assert not any(ord(c) < 32 for c in done.message)
    assert (person.root / name).read_text() == "mine\n"


def test_it_goes_on_once_the_way_is_free(scene: Scene, person: Person) -> None:
    person.write("new", "mine\n")
    assert not scene.advance().done
    (person.root / "new").unlink()
    assert scene.advance() == Advance(True)


def test_unmerged_files_are_no_place_to_advance(scene: Scene, person: Person) -> None:
    person.sh("git switch -qc one; echo 1 > x; git add x; git commit -qm 1; git switch -q main")
    person.sh("echo 2 > x; git add x; git commit -qm 2; git merge -q one || :")
    assert "AA x" in person.git("status", "--porcelain")
    before = person.git("status", "--porcelain"), on_disk(person.root)
    done = Scene(person).advance()
    assert not done.done and done.message
    assert (person.git("status", "--porcelain"), on_disk(person.root)) == before


# --- it has moved ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("script", "descends"),
    [
        ("git commit -q --allow-empty -m more", True),
        ("git commit -q --amend -m other", False),
        ("git switch -q --detach; git branch -qf main $(git commit-tree -m x HEAD^{tree})", False),
        ("git switch -q --detach; git commit -q --allow-empty -m more; git branch -qf main HEAD", True),
    ],
)
def test_a_branch_that_moved_is_told_and_left(
    scene: Scene, person: Person, script: str, descends: bool
) -> None:
    person.sh(script)
    before, head = scene.snapshot(), person.head("main")
    done = scene.advance()
    assert (done.done, done.moved_to, done.descends, done.in_the_way) == (False, head, descends, ())
    assert scene.snapshot() == before
    assert person.head("main") == head


def test_a_branch_that_was_renamed_away_is_told(scene: Scene, person: Person) -> None:
    person.git("branch", "--move", "trunk")
    done = scene.advance()
    assert (done.done, done.moved_to) == (False, None)
    assert "deleted" in done.message
    assert person.head("trunk") == scene.old


# --- the person's other worktrees --------------------------------------------------------------------------------


def test_a_branch_that_is_being_rebased_is_left(scene: Scene, person: Person, tmp_path: Path) -> None:
    """Git shows it as checked out nowhere, and gives it its new place when the rebase ends."""
    other = tmp_path / "other"
    person.git("switch", "--quiet", "--create", "mine")
    person.git("worktree", "add", "--quiet", str(other), "main")
    person.sh("echo 1 > x; git add x; git commit -qm 1")
    person.sh("echo 2 > x; git add x; git commit -qm 2; git rebase -q mine || :", cwd=other)
    scene = Scene(person)
    assert checkout_of(person.repository().command, MAIN) is None
    assert rebased_in(person.repository().common_dir, MAIN) == other
    done = scene.advance()
    assert not done.done and f"rebased in {other}" in done.message
    assert person.head("main") == scene.old
    person.git("rebase", "--abort", cwd=other)
    assert rebased_in(person.repository().common_dir, MAIN) is None
    assert scene.advance() == Advance(True)
    assert on_disk(other) == person.committed(scene.new)


def test_a_checkout_that_is_gone_is_told(scene: Scene, person: Person, tmp_path: Path) -> None:
    """It may lie on a disk that comes back."""
    other = tmp_path / "other"
    person.git("switch", "--quiet", "--create", "mine")
    person.git("worktree", "add", "--quiet", str(other), "main")
    shutil.rmtree(other)
    done = scene.advance()
    assert not done.done and "git worktree prune" in done.message
    assert person.head("main") == scene.old
    person.git("worktree", "prune")
    assert scene.advance() == Advance(True)


def test_a_branch_in_two_worktrees_is_left(scene: Scene, person: Person, tmp_path: Path) -> None:
    other = tmp_path / "other"
    person.git("worktree", "add", "--quiet", "--force", str(other), "main")
    done = scene.advance()
    assert not done.done and str(other) in done.message
    assert person.head("main") == scene.old


# --- the person's configuration ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "setting",
    [
        "merge.ff=no", "merge.ff=only", "merge.autoStash=true", "pull.rebase=true", "pull.ff=only",
        "commit.gpgSign=true", "merge.verifySignatures=true", "branch.main.mergeOptions=--squash",
        "branch.main.mergeOptions=--no-commit", "branch.main.mergeOptions=-s ours",
        "branch.main.mergeOptions=--no-ff --autostash --verify-signatures", "core.splitIndex=true",
        "core.untrackedCache=true", "rebase.autoStash=true", "merge.log=true", "merge.stat=true",
        "core.logAllRefUpdates=false", "advice.commitBeforeMerge=false", "submodule.recurse=true",
        "core.preferSymlinkRefs=false", "merge.defaultToUpstream=false", "rerere.enabled=true",
    ],
)  # fmt: skip
def test_no_setting_of_the_person_changes_how_it_moves(scene: Scene, person: Person, setting: str) -> None:
    person.git("config", "gpg.program", "false")
    person.git("config", *setting.split("=", 1))
    person.write("README.md", "mine\n")
    before = scene.snapshot()
    done = scene.advance()
    assert (done.done, done.in_the_way) == (False, ("README.md",))
    assert scene.snapshot() == before
    person.git("checkout", "--quiet", "README.md")
    person.write(".gitignore", "mine\n")
    assert scene.advance() == Advance(True)
    assert person.head("main") == person.head() == scene.new
    assert person.git("status", "--porcelain").split() == ["M", ".gitignore"]
    assert person.git("stash", "list") == ""


@pytest.mark.parametrize("name", ["feature/x", "a=b", "a.b", "ünï", "a'b\"", "mergeOptions"])
def test_branches_of_any_name_move(person: Person, name: str) -> None:
    person.git("branch", "--move", "main", name)
    person.write("x", "1\n")
    old = person.commit()
    new = person.repository().commit(CommitRequest(old, (old,), "Landed\n", (("x", b"2\n"),)))
    assert person.repository().advance(f"refs/heads/{name}", old, new) == Advance(True)
    assert (person.root / "x").read_text() == "2\n"


# --- at the very moment ------------------------------------------------------------------------------------------


def in_between(person: Person, command: str, before: str = "", then: str = "") -> None:
    """Let the person do something just before and just after orchestra's next git `command`."""
    real = shutil.which("git")
    assert real is not None
    folder, once = person.home / "bin", person.home / "once"
    folder.mkdir()
    once.touch()
    theirs = (
        f"PATH={shlex.quote(os.environ['PATH'])}; export PATH; unset GIT_OPTIONAL_LOCKS; cd {person.root}"
    )
    wrapper = folder / "git"
    wrapper.write_text(
        "#!/bin/sh\n"
        f'for word; do if [ "$word" = {command} ] && [ -e {once} ]; then\n'
        f"  rm {once}\n"
        f"  ( {theirs}; {before} ) > {person.home}/said 2>&1 < /dev/null\n"
        f'  {real} "$@"; status=$?\n'
        f"  ( {theirs}; {then} ) > {person.home}/said 2>&1 < /dev/null\n"
        "  exit $status\n"
        f'fi; done\nexec {real} "$@"\n'
    )
    wrapper.chmod(0o755)
    person.env["PATH"] = f"{folder}:{os.environ['PATH']}"


def undo(person: Person) -> None:
    assert not (person.home / "once").exists(), "it never happened"
    person.env["PATH"] = os.environ["PATH"]


def test_a_branch_switched_to_just_before_does_not_move(scene: Scene, person: Person) -> None:
    """Between looking where the branch is checked out and moving it: the checkout is another's then."""
    person.write("mine", "untracked\n")
    in_between(person, "merge", "git switch -q -c feature")
    done = scene.advance()
    undo(person)
    assert done == Advance(True)
    assert person.head("main") == scene.new
    assert person.head("feature") == scene.old
    assert person.git("symbolic-ref", "HEAD") == "refs/heads/feature"
    assert person.git("status", "--porcelain") == "?? mine"
    assert "README.md" in on_disk(person.root) and "new" not in on_disk(person.root)


def test_an_older_branch_switched_to_just_before_does_not_move(person: Person) -> None:
    person.git("branch", "older")
    person.write("more", "1\n")
    person.commit()
    scene = Scene(person)
    person.write("README.md", "dirty\n")
    scene = Scene(person, (("new", b"1\n"),))
    in_between(person, "merge", "git switch -q older")
    done = scene.advance()
    undo(person)
    assert done == Advance(True)
    assert person.head("older") == person.head("main~2")
    assert person.git("symbolic-ref", "HEAD") == "refs/heads/older"
    assert person.git("status", "--porcelain") in ("M README.md", " M README.md")
    assert set(on_disk(person.root)) == {".gitignore", "README.md", "src/parser.py"}


def test_a_branch_that_holds_the_commit_already_is_not_undone(scene: Scene, person: Person) -> None:
    """Git calls that a success too, without having moved anything."""
    person.git("branch", "ahead", scene.new)
    person.git("reset", "--quiet", "--hard", "HEAD")  # leaves an ORIG_HEAD
    in_between(person, "merge", "git switch -q ahead")
    done = scene.advance()
    undo(person)
    assert done == Advance(True)
    assert person.head("ahead") == person.head("main") == scene.new
    assert person.git("status", "--porcelain") == ""


def test_a_detached_head_just_before_does_not_move(scene: Scene, person: Person) -> None:
    in_between(person, "merge", "git switch -q --detach")
    done = scene.advance()
    undo(person)
    assert done == Advance(True)
    assert (person.head(), person.head("main")) == (scene.old, scene.new)
    assert person.git("status", "--porcelain") == ""


def test_a_commit_just_before_is_not_lost(scene: Scene, person: Person) -> None:
    in_between(person, "merge", "git commit -q --allow-empty -m mine")
    done = scene.advance()
    undo(person)
    assert (done.done, done.moved_to, done.descends) == (False, person.head("main"), True)
    assert person.git("log", "-1", "--format=%s") == "mine"
    assert person.git("status", "--porcelain") == ""


def test_a_commit_just_after_is_not_lost(scene: Scene, person: Person) -> None:
    in_between(person, "merge", then="git commit -q --allow-empty -m mine")
    done = scene.advance()
    undo(person)
    assert done == Advance(True)
    assert person.head("main~") == scene.new
    assert person.git("status", "--porcelain") == ""


def test_a_branch_checked_out_just_before_it_moves_alone(scene: Scene, person: Person) -> None:
    """The other way round: a ref that moves below a checkout would leave the inverse of the change there."""
    person.git("switch", "--quiet", "--create", "mine")
    in_between(person, "update-ref", "git switch -q main")
    done = scene.advance()
    undo(person)
    assert done == Advance(True)
    assert person.head("main") == person.head() == scene.new
    assert person.git("status", "--porcelain") == ""
    assert on_disk(person.root) == person.committed(scene.new)


def test_a_branch_checked_out_just_after_it_moved_is_fine(scene: Scene, person: Person) -> None:
    person.git("switch", "--quiet", "--create", "mine")
    in_between(person, "update-ref", then="git switch -q main")
    done = scene.advance()
    undo(person)
    assert done == Advance(True)
    assert person.head() == scene.new
    assert person.git("status", "--porcelain") == ""


def test_a_branch_moved_by_mistake_is_put_back_though_they_switched_on(scene: Scene, person: Person) -> None:
    in_between(person, "merge", "git switch -q -c feature", then="git switch -q -c third main")
    done = scene.advance()
    undo(person)
    assert done == Advance(True)
    assert person.head("main") == scene.new
    assert person.head("feature") == person.head("third") == scene.old
    assert person.git("symbolic-ref", "HEAD") == "refs/heads/third"
    assert person.git("status", "--porcelain") == ""
