"""Capture: the tree is the worktree's files that git does not ignore, whatever was done with git, or it is refused."""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path

import pytest

from orchestra.model.errors import OrchestraError
from orchestra.model.rescued import COMMITS, RESCUED, commits_message
from tests.vcs.kit import KEEP, Bench, Person, on_disk, plain

FILES = plain(
    {"README.md": "A project\n", "src/parser.py": "print('parse')\n", ".gitignore": "*.ign\nign/\n"}
)
OWN = RESCUED + "a-1" + COMMITS

# --- what an agent did with files ----------------------------------------------------------------------------

CHANGES = {
    "modified": "echo more >> README.md",
    "same content again": "cp README.md x; cat x > README.md; rm x",
    "touched": "touch README.md",
    "deleted": "rm -r src README.md",
    "all deleted": "rm -r src README.md .gitignore",
    "new": "mkdir -p a/b; echo 1 > a/b/c; : > empty",
    "ignored": "mkdir ign; echo 1 > ign/x; echo 1 > x.ign; echo 1 > new",
    "no longer ignored": "mkdir ign; echo 1 > ign/x; echo 1 > x.ign; : > .gitignore",
    "ignored from now on": "echo 1 > new; echo 2 > kept; echo new >> .gitignore",
    "renamed": "mv src lib; mv README.md README",
    "executable": "chmod +x README.md; echo '#!' > run; chmod +x run",
    "permissions that git does not hold": "chmod 600 README.md; chmod 777 src",
    "links": "ln -s README.md link; ln -s src dir; ln -s nowhere broken; ln -s /etc/passwd out",
    "link for a file": "rm README.md; ln -s src/parser.py README.md",
    "link for a folder": "mv src elsewhere; ln -s elsewhere src",
    "link to itself for a folder": "rm -r src; ln -s src/x src",
    "link out for a folder": "rm -r src; ln -s / src",
    "folder for a file": "rm README.md; mkdir README.md; echo 1 > README.md/x",
    "file for a folder": "rm -r src; echo 1 > src",
    "hard links": "ln README.md other; echo more >> other",
    "pipe": "mkfifo fifo; echo 1 > new",
    "empty folders": "mkdir -p e/f/g",
    "large": "head -c 3000000 /dev/zero > large",
    "leading dashes": "echo 1 > ./-rf; mkdir ./--all; echo 1 > ./--all/-x",
    "magic names": "mkdir :; for name in ':(exclude)README.md' :/x ':!x' '*' '[a]?'; do echo 1 > \"$name\"; done",
    "odd names": "echo 1 > 'new\nline'; echo 1 > 'tab\t'; echo 1 > ' '; echo 1 > 'q\"\\'; echo 1 > '#a'; echo 1 > é",
    "deep": "mkdir -p a/b/c/d/e/f/g/h/i/j; echo 1 > a/b/c/d/e/f/g/h/i/j/k",
    "case": "echo 1 > readme.md; mkdir SRC; echo 1 > SRC/parser.py",
    "twins by Unicode form": "echo 1 > \u00e9; echo 2 > e\u0301",
}

# --- what an agent did with git ------------------------------------------------------------------------------

TRICKS = {
    "committed": "echo 1 > new; git add -A; git commit -qm own; echo 2 > later",
    "committed and deleted again": "echo 1 > new; git add -A; git commit -qm own; rm new",
    "amended the base": "echo more >> README.md; git commit -qa --amend -m own",
    "staged half": "echo 1 > a; git add a; echo 2 > a; echo 3 > b; git rm -q --cached README.md",
    "staged and deleted": "echo 1 > a; git add a; rm a; git rm -q src/parser.py; mkdir src; echo 1 > src/parser.py",
    "reset hard": "echo 1 > new; git add -A; git commit -qm own; git reset -q --hard HEAD~; echo 1 > other",
    "reset mixed": "echo 1 > new; git add -A; git commit -qm own; git reset -q HEAD~",
    "skip-worktree": "git update-index --skip-worktree README.md; echo more >> README.md",
    "skip-worktree and deleted": "git update-index --skip-worktree README.md; rm README.md",
    "assume-unchanged": "git update-index --assume-unchanged README.md; echo more >> README.md",
    "intent to add": "echo 1 > new; git add -N new",
    "branch": "git switch -qc mine; echo 1 > new; git add -A; git commit -qm own",
    "orphan": "git checkout -q --orphan void; git rm -rfq .; echo 1 > only",
    "stash": "echo more >> README.md; echo 1 > new; git stash -qu; echo 2 > after",
    "conflict": "git switch -qc one; echo 1 > README.md; git commit -qam 1; git switch -q --detach HEAD~;"
    "echo 2 > README.md; git commit -qam 2; git merge -q one || :",
    "rebase": "git switch -qc one; echo 1 > README.md; git commit -qam 1; git switch -qc two HEAD~;"
    "echo 2 > README.md; git commit -qam 2; git rebase -q one || :",
    "index lock": 'touch "$(git rev-parse --git-path index.lock)"; echo 1 > new',
    "index gone": 'rm "$(git rev-parse --git-path index)"; echo 1 > new',
    "index broken": 'echo nonsense > "$(git rev-parse --git-path index)"; echo 1 > new',
    "HEAD gone": "git commit -q --allow-empty -m own; git update-ref -d HEAD; echo 1 > new",
    "HEAD broken": 'echo nonsense > "$(git rev-parse --git-path HEAD)"; echo 1 > new',
    "no pointer": "rm .git; echo 1 > new",
    "pointer elsewhere": "echo 'gitdir: /nowhere' > .git; echo 1 > new",
    "own repository": "rm .git; git init -q; echo 1 > new; git add -A; git commit -qm own",
    "gone from git": "git rm -rq --cached .; git commit -qm 'all gone'",
    "ignored but added": "echo 1 > x.ign; git add -f x.ign; git commit -qm own",
    "made sparse": "git sparse-checkout set --no-cone /src; git sparse-checkout disable; echo 1 > new",
    "cleaned": "echo 1 > new; git clean -fdxq; echo 1 > other",
    "worktree config": "git config core.ignoreStat true; git config core.fileMode false; chmod +x README.md; "
    "git config core.fileMode true; git checkout -q .; echo more >> README.md",
}


@pytest.mark.parametrize("script", [*CHANGES.values(), *TRICKS.values()], ids=[*CHANGES, *TRICKS])
def test_the_captured_tree_is_what_lies_in_the_worktree(person: Person, bench: Bench, script: str) -> None:
    base = person.head()
    slot = bench.prepare()
    person.sh(script, slot.path)
    lies = on_disk(slot.path)
    ignored = () if lies.get(".gitignore") == ("100644", b"") else ("ign/",)
    expected = {
        path: file
        for path, file in lies.items()
        if not path.startswith(ignored) and (not ignored or not path.endswith(".ign"))
    }
    if ".gitignore" not in lies or b"new" in lies[".gitignore"][1]:
        expected.pop("new", None)
    captured = bench.capture(slot)
    assert person.committed(captured.commit or base) == expected
    assert (captured.commit is None) == (expected == FILES)
    if captured.commit is not None:
        assert person.refs(KEEP) == {KEEP: captured.commit}
        assert person.git("rev-list", "--parents", "-1", captured.commit) == f"{captured.commit} {base}"
    # Nothing of the person's was touched by looking.
    assert person.git("status", "--porcelain") == ""
    assert person.head() == base
    # And a second look says the same.
    assert bench.capture(slot).commit == captured.commit or captured.commit is not None


@pytest.mark.skipif(sys.platform == "darwin", reason="no such names there")
def test_names_that_are_no_text_are_captured_as_they_are(person: Person, bench: Bench) -> None:
    slot = bench.prepare()
    names = [b"\xff\xfe", b"d/\xe9", b"\x01\x1b[31m", b"x" * 255, b"\r\n"]
    for name in names:
        path = os.path.join(os.fsencode(slot.path), name)  # noqa: PTH118
        os.makedirs(os.path.dirname(path), exist_ok=True)  # noqa: PTH103, PTH120
        with open(path, "wb") as file:  # noqa: PTH123
            file.write(name)
    captured = bench.captured(slot)
    assert captured == {**FILES, **{os.fsdecode(name): ("100644", name) for name in names}}
    assert bench.status(bench.prepare()) == []


def test_a_socket_is_no_file(person: Person, bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    slot = bench.prepare()
    monkeypatch.chdir(slot.path)  # the path of a socket must be short
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("ipc")
        assert bench.capture(slot).commit is None
        assert on_disk(bench.prepare().path) == FILES


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
@pytest.mark.parametrize("script", ["echo 1 > new; chmod 0 new", "echo 1 > README.md; chmod 0 README.md"])
def test_what_cannot_be_read_is_named(person: Person, bench: Bench, script: str) -> None:
    slot = bench.prepare()
    person.sh(script, slot.path)
    with pytest.raises(OrchestraError, match="cannot capture") as caught:
        bench.capture(slot)
    assert "Permission denied" in "".join(caught.value.causes)


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("mkdir -p sub/.GIT; echo 1 > sub/.GIT/config", "sub/.GIT/config"),
        ("rm README.md; mkfifo README.md", "README.md: can only add regular files"),
        ('echo nonsense > "$(git rev-parse --git-path commondir)"; echo 1 > new', "not a git repository"),
        ('rm "$(git rev-parse --git-path orchestra-index)"; echo 1 > new', "orchestra-index"),
    ],
)
def test_what_git_cannot_take_is_told(person: Person, bench: Bench, script: str, said: str) -> None:
    slot = bench.prepare()
    person.sh(script, slot.path)
    with pytest.raises(OrchestraError, match="cannot capture") as caught:
        bench.capture(slot)
    assert said in "".join(caught.value.causes)
    assert on_disk(bench.prepare().path) == FILES


def test_an_object_that_an_agent_replaced_is_still_what_it_was(person: Person, bench: Bench) -> None:
    base = person.head()
    slot = bench.prepare()
    person.sh(
        "echo 1 > README.md; git commit -qam 1; git replace HEAD~ HEAD; git checkout -q HEAD~", slot.path
    )
    (slot.path / "README.md").write_text("2\n")
    commit = bench.capture(slot).commit
    assert commit is not None
    bench.prepare(base)
    person.git("replace", "--delete", base)
    assert person.committed(commit) == {**FILES, **plain({"README.md": "2\n"})}
    assert person.git("diff", "--name-only", base, commit) == "README.md"


def test_a_worktree_that_is_gone_is_told(person: Person, bench: Bench) -> None:
    slot = bench.prepare()
    person.sh('rm -rf "$PWD"', slot.path)
    with pytest.raises(OrchestraError, match="the worktree was deleted: "):
        bench.capture(slot)
    assert on_disk(bench.prepare().path) == FILES


def test_git_further_up_is_never_taken_for_the_worktrees(person: Person, tmp_path: Path) -> None:
    """A home under git, or slots inside the repository: without its `.git` a slot would be part of that."""
    del person.env["HOME"]
    person.git("config", "user.name", "A Person")
    person.git("config", "user.email", "person@example.org")
    bench = Bench(person)
    slot = bench.prepare()
    assert slot.path.is_relative_to(person.root)
    person.write("precious", "not committed\n")
    person.sh("rm .git; echo 1 > new", slot.path)
    assert bench.captured(slot) == {**FILES, **plain({"new": "1\n"})}
    assert on_disk(bench.prepare().path) == FILES
    assert (person.root / "precious").read_text() == "not committed\n"


# --- repositories within ---------------------------------------------------------------------------------------

NESTED = {
    "without a commit": "git init -q inner; echo 1 > inner/x",
    "with a commit": "git init -q inner; cd inner; echo 1 > x; git add x; git commit -qm own",
    "empty": "git init -q inner",
    "in a folder that is tracked": "cd src; git init -q",
    "in a folder that is tracked, with a commit": "cd src; git init -q; git add -A; git commit -qm own",
    "deep": "mkdir -p a/b; git init -q a/b/inner; echo 1 > a/x",
    "staged": "git init -q inner; cd inner; git commit -q --allow-empty -m own; cd ..; git add inner",
    "a clone": 'git clone -q "$(git rev-parse --git-common-dir)" inner',
    "a worktree": "git worktree add -q inner",
    "a pointer": "mkdir inner; echo 'gitdir: ../elsewhere' > inner/.git; echo 1 > inner/x",
    "several": "for n in 1 2 3 4 5 6 7; do git init -q inner$n; done",
}


@pytest.mark.parametrize("kind", NESTED)
def test_a_repository_within_is_refused_and_named(person: Person, bench: Bench, kind: str) -> None:
    slot = bench.prepare()
    person.sh(NESTED[kind], slot.path)
    with pytest.raises(OrchestraError, match="a git repository was left inside the worktree") as caught:
        bench.capture(slot)
    name = "src" if "tracked" in kind else "a/b/inner" if kind == "deep" else "inner"
    assert name in str(caught.value)
    if kind == "several":
        assert str(caught.value).endswith("inner5 and 2 more")
    assert caught.value.hint
    # Until it is gone.
    person.sh(f"rm -rf {name}*/.git {name}/.git", slot.path)
    assert bench.captured(slot) == {p: f for p, f in on_disk(slot.path).items() if p not in (".git",)}


def test_a_repository_in_an_ignored_folder_is_in_nobodys_way(person: Person, bench: Bench) -> None:
    slot = bench.prepare()
    person.sh("mkdir ign; git init -q ign/inner; touch ign/inner/x", slot.path)
    assert bench.capture(slot).commit is None


# --- line endings and filters ----------------------------------------------------------------------------------


def test_line_endings_are_normalised_as_the_person_has_it(tmp_path: Path) -> None:
    person = Person(tmp_path)
    person.git("config", "core.autocrlf", "true")
    person.git("config", "core.safecrlf", "true")
    person.write("text", "a\r\nb\r\n")
    person.write("other", "a\r\n")
    person.commit()
    bench = Bench(person)
    slot = bench.prepare()
    assert (slot.path / "text").read_bytes() == b"a\r\nb\r\n"
    assert bench.capture(slot).commit is None
    (slot.path / "text").write_bytes(b"a\nb\nc\n")
    (slot.path / "new").write_bytes(b"x\r\ny\n")
    expected = plain({"text": "a\nb\nc\n", "other": "a\n", "new": "x\ny\n"})
    assert bench.captured(slot) == expected
    slot = bench.prepare()
    assert bench.status(slot) == []
    assert (slot.path / "text").read_bytes() == b"a\r\nb\r\n"


def test_filters_do_their_work(tmp_path: Path) -> None:
    """As git-lfs is one: the worktree holds the content, the tree what the filter makes of it."""
    person = Person(tmp_path)
    person.git("config", "filter.rot.clean", "tr a-z n-za-m")
    person.git("config", "filter.rot.smudge", "tr a-z n-za-m")
    person.git("config", "filter.rot.required", "true")
    person.write(".gitattributes", "*.rot filter=rot\n")
    person.write("a.rot", "hello\n")
    person.commit()
    assert person.committed("HEAD")["a.rot"] == ("100644", b"uryyb\n")
    bench = Bench(person)
    slot = bench.prepare()
    assert (slot.path / "a.rot").read_text() == "hello\n"
    assert bench.capture(slot).commit is None
    (slot.path / "b.rot").write_text("hello\n")
    assert bench.captured(slot)["b.rot"] == ("100644", b"uryyb\n")
    person.git("config", "filter.rot.clean", "false")
    (slot.path / "c.rot").write_text("hello\n")
    with pytest.raises(OrchestraError, match="cannot capture") as caught:
        bench.capture(slot)
    assert "rot" in "".join(caught.value.causes)


# --- what the agent committed ------------------------------------------------------------------------------------


def reachable(person: Person, ref: str) -> set[str]:
    return set(person.git("rev-list", ref).splitlines())


@pytest.mark.parametrize(
    "script",
    [
        "git commit -qm one",
        "git commit -qm one; say; echo 2 > b; git add b; git commit -qm two",
        "git commit -qm one; say; git commit -q --amend -m other",
        "git commit -qm one; say; git reset -q --hard HEAD~",
        "git commit -qm one; say; git switch -qc mine HEAD~; git commit -q --allow-empty -m two",
        "git commit -qm one; say; git checkout -q --orphan void; git commit -qm three",
        "git commit -qm one; say; git checkout -q --orphan void",
        "git commit -qm one; say; git branch side; git reset -q --hard HEAD~; git commit -q --allow-empty -m x",
    ],
)
@pytest.mark.parametrize("logged", [True, False])
def test_what_the_agent_committed_stays_reachable(
    person: Person, bench: Bench, script: str, logged: bool
) -> None:
    if not logged:
        person.git("config", "core.logAllRefUpdates", "false")
        if "reset" in script or "orphan" in script or "amend" in script or "switch" in script:
            pytest.skip("git itself keeps no trace of it")
    base = person.head()
    slot = bench.prepare()
    say = f"say() {{ git rev-parse HEAD >> {person.home}/made; }}; echo 1 > a; git add -A;"
    person.sh(f"{say} {script}; say 2> {person.home}/void || :", slot.path)
    bench.capture(slot)
    made = {line for line in (person.home / "made").read_text().splitlines() if len(line) == 40} - {base}
    assert made
    bench.prepare()
    person.git("reflog", "expire", "--expire=now", "--all")
    person.git("branch", "-D", "mine", "side", status=None)
    person.git("gc", "--quiet", "--prune=now")
    assert made <= reachable(person, OWN)


@pytest.mark.parametrize(
    ("script", "several"),
    [
        ("git commit -q --allow-empty -m one; git commit -q --allow-empty -m two", False),
        ("git commit -q --allow-empty -m one; git commit -q --amend --allow-empty -m two", True),
        ("git switch -qc mine; git commit -q --allow-empty -m one; git switch -q --detach HEAD~", True),
        ("git commit -q --allow-empty -m one; git reset -q --soft HEAD~", True),
    ],
)
def test_where_the_agent_left_its_head_is_known(
    person: Person, bench: Bench, script: str, several: bool
) -> None:
    slot = bench.prepare()
    person.sh(script, slot.path)
    head = person.git("rev-parse", "HEAD", cwd=slot.path)
    bench.capture(slot)
    said = person.git("log", "-1", "--format=%B", OWN).strip() + "\n"
    assert (said == commits_message("a-1")) == several
    assert person.head(f"{OWN}^1" if several else OWN) == head


def test_no_ref_is_made_where_the_agent_committed_nothing(person: Person, bench: Bench) -> None:
    person.write("later", "x\n")
    head = person.commit()
    for script in ("echo 1 > a", "git switch -qc mine", "git checkout -q HEAD~", "git reset -q --hard HEAD~"):
        slot = bench.prepare(head)
        person.sh(script, slot.path)
        bench.capture(slot)
        assert person.refs(RESCUED) == {}, script


def test_what_one_attempt_committed_is_not_anothers(person: Person, bench: Bench) -> None:
    slot = bench.prepare()
    person.sh("git commit -q --allow-empty -m own", slot.path)
    bench.capture(slot)
    assert set(person.refs(RESCUED)) == {OWN}
    slot = bench.prepare()
    (slot.path / "new").write_text("x\n")
    bench.capture(slot, "refs/orchestra/results/test/a-2")
    assert set(person.refs(RESCUED)) == {OWN}


# --- what is told ----------------------------------------------------------------------------------------------


def test_the_size_is_that_of_the_files_that_were_changed(person: Person, bench: Bench) -> None:
    slot = bench.prepare()
    person.sh("printf 12345 > README.md; printf 123 > new; rm -r src; printf 1 > x.ign", slot.path)
    assert bench.capture(slot).changed_bytes == 8


def test_results_outlive_housekeeping(person: Person, bench: Bench) -> None:
    slot = bench.prepare()
    (slot.path / "new").write_text("x\n")
    commit = bench.capture(slot).commit
    bench.prepare()
    person.git("gc", "--quiet", "--prune=now")
    assert commit is not None and "new" in person.committed(commit)


def test_the_commit_is_the_persons_with_the_message_given(person: Person, bench: Bench) -> None:
    slot = bench.prepare()
    (slot.path / "new").write_text("x\n")
    commit = bench.capture(slot).commit or ""
    assert person.git("log", "-1", "--format=%an %ae %cn %s", commit) == (
        "A Person person@example.org A Person Attempt a-1 at task"
    )
