"""The one git command builder: hermetic whatever the person's environment and configuration hold."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from orchestra.model.errors import ExitStatus, OrchestraError
from orchestra.model.ports import CommitRequest, RefUpdate
from orchestra.vcs.command import LOCAL_VARIABLES, GitCommand, GitFailedError, clean_environment
from orchestra.vcs.repository import Repository
from tests.vcs.kit import Bench, Person, calls

HOSTILE = {
    "GIT_DIR": "/nowhere/.git",
    "GIT_WORK_TREE": "/nowhere",
    "GIT_INDEX_FILE": "/nowhere/index",
    "GIT_OBJECT_DIRECTORY": "/nowhere/objects",
    "GIT_ALTERNATE_OBJECT_DIRECTORIES": "/nowhere/more",
    "GIT_COMMON_DIR": "/nowhere",
    "GIT_NAMESPACE": "elsewhere",
    "GIT_PREFIX": "src/",
    "GIT_CONFIG_COUNT": "1",
    "GIT_CONFIG_KEY_0": "core.bare",
    "GIT_CONFIG_VALUE_0": "true",
    "GIT_CONFIG_PARAMETERS": "'core.worktree=/nowhere'",
    "GIT_LITERAL_PATHSPECS": "1",
    "GIT_ICASE_PATHSPECS": "1",
    "GIT_ATTR_SOURCE": "no-such",
    "LC_ALL": "tlh.UTF-8",
    "LANGUAGE": "de",
    "GIT_EDITOR": "false",
    "GIT_TERMINAL_PROMPT": "1",
}


def test_the_local_variables_are_all_that_the_installed_git_names(person: Person) -> None:
    assert set(person.git("rev-parse", "--local-env-vars").split()) <= set(LOCAL_VARIABLES)


def test_an_environment_is_cleaned_of_them_and_of_nothing_else() -> None:
    kept = {"PATH": "/bin", "GIT_AUTHOR_NAME": "A", "GIT_SSH_COMMAND": "ssh", "GIT_ASKPASS": "ask"}
    unwanted = dict.fromkeys(
        (*LOCAL_VARIABLES, "GIT_CONFIG_KEY_0", "GIT_CONFIG_VALUE_0", "GIT_CONFIG_KEY_17"), "x"
    )
    assert clean_environment({**kept, **unwanted}) == kept


def test_a_hostile_environment_changes_nothing(person: Person) -> None:
    """As set by a hook, by `git -c` or by an alias from which orchestra is called."""
    head = person.head()
    person.env |= HOSTILE
    bench = Bench(person)
    slot = bench.prepare(head)
    (slot.path / "a [1]*").write_text("new\n")
    commit = bench.capture(slot).commit
    assert commit is not None
    repository = bench.repository
    assert repository.root == person.root
    assert set(repository.tree(commit).files) - set(repository.tree(head).files) == {"a [1]*"}
    merged = repository.merge(head, head, commit)
    assert merged.tree is not None
    assert repository.advance("refs/heads/main", head, commit).done
    assert (person.root / "a [1]*").read_text() == "new\n"
    for name in HOSTILE:
        del person.env[name]
    assert person.git("status", "--porcelain") == ""
    assert person.head() == commit


def test_git_speaks_english_and_asks_nobody(person: Person, tmp_path: Path) -> None:
    shown = tmp_path / "shown"
    person.git("config", "alias.show-env", "!env > " + str(shown))
    person.repository().command.run("show-env")
    env = dict(line.split("=", 1) for line in shown.read_text().splitlines() if "=" in line)
    assert env["LC_ALL"] == "C"
    assert env["GIT_TERMINAL_PROMPT"] == "0"
    assert env["GIT_EDITOR"] == "true"
    assert env["GIT_OPTIONAL_LOCKS"] == "0"


def test_a_file_that_looks_like_an_option_or_a_pattern_is_only_a_name(person: Person, bench: Bench) -> None:
    slot = bench.prepare()
    for name in ("--force", "-rf", ":(exclude)*", "*", "a b"):
        (slot.path / name).write_text(name)
    assert set(bench.captured(slot)) >= {"--force", "-rf", ":(exclude)*", "*", "a b", "README.md"}


HOOKS = (
    "pre-commit", "prepare-commit-msg", "commit-msg", "post-commit", "pre-merge-commit", "post-merge",
    "post-checkout", "reference-transaction", "post-rewrite", "post-index-change", "pre-rebase",
)  # fmt: skip


@pytest.mark.parametrize("where", ["in .git/hooks", "by core.hooksPath"])
def test_the_persons_hooks_do_not_run(person: Person, tmp_path: Path, where: str) -> None:
    ran = tmp_path / "ran"
    folder = person.root / ".git" / "hooks" if where == "in .git/hooks" else tmp_path / "hooks"
    if where != "in .git/hooks":
        person.git("config", "core.hooksPath", str(folder))
    folder.mkdir(exist_ok=True)
    for name in HOOKS:
        hook = folder / name
        hook.write_text(f"#!/bin/sh\necho {name} >> {ran}\nexit 1\n")
        hook.chmod(0o755)
    person.git("commit", "--allow-empty", "--message", "x", status=1)
    assert "pre-commit" in ran.read_text()  # they would run
    ran.unlink()

    head = person.head()
    bench = Bench(person)
    slot = bench.prepare()
    (slot.path / "new").write_text("new\n")
    result = bench.capture(slot).commit
    assert result is not None
    edits = ((".orchestra/lock/t.json", b"{}\n"),)
    commit = bench.repository.commit(CommitRequest(result, (head,), "Land\n", edits))
    bench.repository.update_refs((RefUpdate("refs/orchestra/x", commit),))
    assert bench.repository.advance("refs/heads/main", head, commit).done
    bench.prepare(commit)
    assert not ran.exists()
    assert person.head() == commit


def test_a_failure_names_command_status_and_what_git_said(person: Person) -> None:
    with pytest.raises(GitFailedError) as caught:
        person.repository().command.run("ls-tree", "no\x1b[31msuch\n")
    error = caught.value
    assert isinstance(error, OrchestraError)
    assert error.status == ExitStatus.ENVIRONMENT
    assert "git ls-tree no" in str(error) and "128" in str(error)
    assert "Not a valid object name" in "".join(error.causes)
    assert not any(ord(c) < 32 for text in (str(error), *error.causes) for c in text)
    assert len(str(GitFailedError(("x" * 5000,), 1, ""))) < 500


def test_a_killed_git_is_told_as_such(person: Person) -> None:
    person.git("config", "alias.die", "!kill -9 $PPID")
    with pytest.raises(GitFailedError, match="killed by signal 9"):
        person.repository().command.run("die")


def test_no_git_and_no_directory_are_errors_of_the_environment(tmp_path: Path) -> None:
    for directory, env, said in (
        (tmp_path / "none", dict(os.environ), "is not a directory"),
        (tmp_path, {"PATH": str(tmp_path)}, "git is not installed"),
    ):
        with pytest.raises(OrchestraError, match=said) as caught:
            GitCommand(directory, env).run("status")
        assert caught.value.status == ExitStatus.ENVIRONMENT
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(OrchestraError, match="file"):
        GitCommand(file).run("status")
    with pytest.raises(OrchestraError, match="cannot run git clean"):
        GitCommand(tmp_path).run("clean", *("x" * 100_000 for _ in range(100)))


def test_git_goes_on_when_the_terminal_interrupts(person: Person) -> None:
    """Ctrl-C reaches the whole foreground group: git must not be in it, or it leaves locks behind."""
    person.git("config", "alias.groups", "!ps -o pgid= -p $$")
    group = person.repository().command.run("groups").text.strip()
    assert int(group) != os.getpgrp()


def test_the_number_of_git_calls_is_small(person: Person, tmp_path: Path) -> None:
    """What is called for each attempt and each landing is counted, so that it cannot creep up unseen."""
    trace = tmp_path / "trace"
    head = person.head()
    bench = Bench(person)
    bench.prepare()
    person.env["GIT_TRACE2_EVENT"] = str(trace)
    bench = Bench(person)
    names = []

    def counted() -> None:
        names.append([next(word for word in argv[1:] if word in COUNTED) for argv in calls(trace)])
        trace.write_text("")

    trace.write_text("")
    slot = bench.pool.prepare(1, head)
    counted()
    (slot.path / "new").write_text("new\n")
    result = bench.capture(slot).commit
    counted()
    assert result is not None
    merged = bench.repository.merge(head, head, result).tree
    assert merged is not None
    edits = tuple((f".orchestra/lock/{name}.json", name.encode()) for name in "abc")
    landed = bench.repository.commit(CommitRequest(merged, (head,), "Land\n", edits))
    counted()
    assert bench.repository.advance("refs/heads/main", head, landed).done
    counted()
    assert names == [
        ["clean", "checkout"],
        [
            "add",
            "ls-files",
            "update-index",
            "write-tree",
            "diff-tree",
            "ls-tree",
            "commit-tree",
            "update-ref",
        ],
        ["rev-parse", "read-tree", "hash-object", "update-index", "write-tree", "config", "commit-tree"],
        ["rev-parse", "worktree", "merge", "rev-parse"],
    ]


COUNTED = {
    "add", "checkout", "clean", "commit-tree", "config", "diff-tree", "hash-object", "ls-files", "ls-tree",
    "merge", "merge-base", "merge-tree", "read-tree", "rev-parse", "update-index", "update-ref", "worktree",
    "write-tree",
}  # fmt: skip


def test_opening_says_why_a_place_is_no_repository(person: Person, tmp_path: Path) -> None:
    bare = tmp_path / "bare.git"
    person.git("clone", "--quiet", "--bare", str(person.root), str(bare))
    (tmp_path / "plain").mkdir()
    for place, said in (
        (tmp_path / "plain", "is not in a git repository"),
        (bare, "bare"),
        (tmp_path / "none", "is not a directory"),
        (person.root / ".git", "belongs to|is not in"),
    ):
        with pytest.raises(OrchestraError, match=said) as caught:
            Repository.open(place, person.env)
        assert caught.value.status == ExitStatus.ENVIRONMENT


@pytest.mark.parametrize("name", ["with space", "ünïcode", "[glob]*", "-dash", "quote'\"", "\udcff"])
def test_a_repository_of_any_name_works(tmp_path: Path, name: str) -> None:
    if sys.platform == "darwin" and name == "\udcff":
        pytest.skip("no such names here")
    person = Person(tmp_path, name=name)
    person.write("a", "1\n")
    head = person.commit()
    bench = Bench(person)
    slot = bench.prepare()
    (slot.path / "a").write_text("2\n")
    commit = bench.capture(slot).commit
    assert commit is not None
    assert bench.repository.advance("refs/heads/main", head, commit).done
    assert (person.root / "a").read_text() == "2\n"


def test_a_newline_in_the_path_of_a_repository_is_refused_in_words(tmp_path: Path) -> None:
    person = Person(tmp_path, name="new\nline")
    with pytest.raises(OrchestraError, match="newline"):
        person.repository()


def test_the_worktree_of_a_bare_repository_works(person: Person, tmp_path: Path) -> None:
    bare, work = tmp_path / "bare.git", tmp_path / "work"
    person.git("clone", "--quiet", "--bare", str(person.root), str(bare))
    person.git("worktree", "add", "--quiet", str(work), "main", cwd=bare)
    person.root = work
    bench = Bench(person)
    slot = bench.prepare()
    (slot.path / "new").write_text("new\n")
    commit = bench.capture(slot).commit
    assert commit is not None
    assert bench.repository.advance("refs/heads/main", person.head(), commit).done
    assert (work / "new").read_text() == "new\n"
    assert person.git("status", "--porcelain") == ""


def test_without_a_commit_it_says_so(tmp_path: Path) -> None:
    with pytest.raises(OrchestraError, match="no commit yet"):
        Person(tmp_path).repository().head()


def test_head_tells_commit_and_branch(person: Person) -> None:
    head = person.repository().head()
    assert (head.commit, head.branch) == (person.head(), "refs/heads/main")
    person.git("checkout", "--quiet", "--detach")
    assert person.repository().head().branch is None


def test_identity_that_is_missing_is_told(person: Person) -> None:
    assert person.repository().identity_problem() is None
    person.git("config", "--global", "--remove-section", "user")
    person.git("config", "user.useConfigOnly", "true")
    assert "auto-detection is disabled" in (person.repository().identity_problem() or "")


@pytest.mark.parametrize("good", [True, False])
def test_commits_are_signed_as_the_persons_git_is_set_and_kept_work_never(
    person: Person, tmp_path: Path, good: bool
) -> None:
    program = tmp_path / "gpg"
    answer = "cat > /dev/null; echo '[GNUPG:] SIG_CREATED ' >&2; echo SIGNATURE" if good else "exit 2"
    program.write_text(f"#!/bin/sh\n{answer}\n")
    program.chmod(0o755)
    person.git("config", "commit.gpgSign", "true")
    person.git("config", "gpg.program", str(program))
    head, bench = person.head(), Bench(person)
    slot = bench.prepare()
    (slot.path / "new").write_text("new\n")
    result = bench.capture(slot).commit
    assert result is not None
    assert "gpgsig" not in person.git("cat-file", "commit", result)
    request = CommitRequest(result, (head,), "Land\n")
    if good:
        assert bench.repository.signing_problem() is None
        assert "gpgsig SIGNATURE" in person.git("cat-file", "commit", bench.repository.commit(request))
    else:
        assert "gpg failed to sign" in (bench.repository.signing_problem() or "")
        with pytest.raises(OrchestraError) as caught:
            bench.repository.commit(request)
        assert any("gpg failed to sign" in cause for cause in caught.value.causes)


def test_a_lock_that_another_process_holds_is_a_failure_and_no_answer(person: Person) -> None:
    """False would mean that the ref has moved, and work kept by nothing else would be thought kept."""
    repository, head = person.repository(), person.head()
    update = RefUpdate("refs/orchestra/x", head, force=True)
    person.write(".git/refs/orchestra/x.lock", "")
    with pytest.raises(GitFailedError):
        repository.update_refs((update,))
    (person.root / ".git/refs/orchestra/x.lock").unlink()
    assert repository.update_refs((update,))
    with pytest.raises(GitFailedError):
        repository.update_refs((RefUpdate("refs/orchestra/x/y", head, force=True),))


def test_a_file_that_meets_a_folder_is_named_as_it_is(person: Person) -> None:
    repository, base = person.repository(), person.head()

    def commit(**files: bytes) -> str:
        edits = tuple((path.replace("_", "/"), content) for path, content in files.items())
        return repository.commit(CommitRequest(base, (base,), "x\n", edits))

    merged = repository.merge(base, commit(x=b"file\n"), commit(x_y=b"in a folder\n"))
    assert (merged.tree, merged.conflicts) == (None, ("x",))


def test_what_is_remembered_of_trees_is_never_old(person: Person) -> None:
    repository = person.repository()
    before = repository.tree("HEAD")
    person.write("new", "new\n")
    commit = person.commit()
    assert "new" not in before.files
    assert "new" in repository.tree("HEAD").files
    assert repository.tree(commit) is repository.tree(commit)


def test_uncommitted_paths_are_named(person: Person) -> None:
    person.write("README.md", "changed\n")
    person.write("d/new [1]", "new\n")
    person.write("x.ign", "ignored\n")
    person.git("rm", "--quiet", "src/parser.py")
    assert sorted(person.repository().uncommitted()) == ["README.md", "d/new [1]", "src/parser.py"]


def test_refs_are_listed_with_what_they_name(person: Person) -> None:
    head = person.head()
    person.git("update-ref", "refs/orchestra/a/b", head)
    person.git("branch", "orchestra/build-1")
    found = person.repository().refs_below("refs/orchestra/", "refs/heads/orchestra/")
    assert found == {"refs/orchestra/a/b": head, "refs/heads/orchestra/build-1": head}
    assert person.repository().refs_below("refs/none/") == {}


def test_reading_does_not_rewrite_the_persons_index(person: Person) -> None:
    index = person.root / ".git" / "index"
    os.utime(person.root / "README.md", (1, 1))  # its entry is stale now: `git status` would refresh it
    before = (index.read_bytes(), index.stat().st_mtime_ns)
    repository = person.repository()
    assert repository.uncommitted() == ()
    repository.head()
    assert (index.read_bytes(), index.stat().st_mtime_ns) == before
    subprocess.run(["git", "status"], cwd=person.root, env=person.env, capture_output=True, check=True)
    assert index.read_bytes() != before[0]  # as it would
