"""Repositories of every shape that people have: a build lands in each, and the build after it has nothing to do."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.scratch import Called, Scratch

pytestmark = pytest.mark.slow


def ready(scratch: Scratch) -> None:
    """Commit a prompt whose task writes `x.txt`."""
    scratch.prompt("one", "echo x > x.txt", claims={"write": ["x.txt"]})
    scratch.commit("a prompt")


def lands_once(scratch: Scratch, root: Path | None = None) -> None:
    """Build: it lands and the checkout has it. Build again: nothing runs and nothing changes."""
    root = root or scratch.root
    called = scratch.orchestra("build", "--json", cwd=root)
    assert called.status == 0, called
    assert (called.finished["landed"], called.finished["advanced"]) == (1, True)
    assert (root / "x.txt").read_bytes().split() == [b"x"]
    assert status_of(scratch, root) == ""
    does_nothing(scratch, root)


def does_nothing(scratch: Scratch, root: Path | None = None) -> None:
    """Build: nothing runs, nothing changes."""
    before = scratch.everything()
    again = scratch.orchestra("build", "--json", cwd=root)
    assert (again.status, again.finished["ran"], again.finished["fresh"]) == (0, 0, 1), again
    assert scratch.everything() == before


def status_of(scratch: Scratch, root: Path) -> str:
    """What git says is not committed there."""
    done = subprocess.run(
        ["git", "status", "--porcelain"],
        cwd=root,
        env=scratch.env,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def test_a_shallow_clone(scratch: Scratch) -> None:
    ready(scratch)
    scratch.git("clone", "--quiet", "--depth=1", f"file://{scratch.root}", str(scratch.home / "shallow"))
    clone = scratch.home / "shallow"
    for name, value in (("user.name", "A Person"), ("user.email", "person@example.org")):
        subprocess.run(["git", "config", name, value], cwd=clone, env=scratch.env, check=True)
    lands_once(scratch, clone)
    assert (clone / ".git" / "shallow").exists()


def test_without_a_home(scratch: Scratch) -> None:
    ready(scratch)
    del scratch.env["HOME"]
    lands_once(scratch)
    # The slots have nowhere else to lie, and git does not see them.
    assert (scratch.root / ".orchestra" / "worktrees" / "slot-1").is_dir()


def test_a_linked_worktree_of_a_bare_repository(scratch: Scratch) -> None:
    ready(scratch)
    bare, work = scratch.home / "bare.git", scratch.home / "work"
    scratch.git("clone", "--quiet", "--bare", ".", str(bare))
    scratch.git("--git-dir", str(bare), "worktree", "add", "--quiet", str(work), "main")
    for name, value in (("user.name", "A Person"), ("user.email", "person@example.org")):
        scratch.git("--git-dir", str(bare), "config", name, value)
    lands_once(scratch, work)
    assert (bare / "orchestra" / "history.db").exists()
    assert scratch.git("--git-dir", str(bare), "show", "main:x.txt") == "x"


def test_a_detached_head(scratch: Scratch) -> None:
    ready(scratch)
    scratch.git("checkout", "--quiet", "--detach")
    head = scratch.head()
    called = scratch.orchestra("build", "--json")
    assert (called.status, called.finished["landed"], called.finished["advanced"]) == (0, 1, False)
    (branch,) = scratch.lineage() - {"refs/heads/main"}
    assert scratch.git("show", f"{branch}:x.txt") == "x"
    assert (scratch.head(), scratch.git("rev-parse", "main")) == (head, head)
    does_nothing(scratch)


def test_without_a_terminal_and_on_one(scratch: Scratch) -> None:
    ready(scratch)
    # A session of its own has no terminal, not even /dev/tty.
    done = subprocess.run(
        [sys.executable, "-m", "orchestra", "build"],
        cwd=scratch.root,
        env={**scratch.env, "TERM": ""},
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
        start_new_session=True,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "\x1b" not in done.stdout
    does_nothing(scratch)
    ours, theirs = pty.openpty()
    on_one = subprocess.run(
        [sys.executable, "-m", "orchestra", "status"],
        cwd=scratch.root,
        env=scratch.env,
        stdout=theirs,
        check=False,
    )
    os.close(theirs)
    shown = os.read(ours, 10_000)
    os.close(ours)
    assert on_one.returncode == 0
    assert b"one" in shown


@pytest.mark.parametrize(
    "name", ["with spaces", "prøjekt 文 🎼", "-dash", 'it\'s "quoted" $(id) %s *', "back\\slash"]
)
def test_repositories_of_any_name(tmp_path: Path, name: str) -> None:
    scratch = Scratch(tmp_path, f"of {name}/{name}")
    scratch.write("README.md", "A project\n")
    ready(scratch)
    lands_once(scratch)


def test_files_of_any_name(scratch: Scratch) -> None:
    names = [
        "with spaces.txt",
        "文 🎼.txt",
        "-dash",
        'quo"ted',
        "$(id)",
        "back\\slash",
        "tab\there",
        "new\nline",
    ]
    script = "\n".join(f"cp x.txt '{name}'" for name in (f"./{name}" for name in names[:-1]))
    scratch.prompt(
        "one", f"echo x > x.txt\n{script}\ncp x.txt \"$(printf 'new\\nline')\"\nmkdir 'a b'; cp x.txt 'a b/ü'"
    )
    scratch.commit()
    lands_once(scratch)
    for name in (*names, "a b/ü"):
        assert scratch.read(name) == "x\n", name


def test_filters_as_lfs_has_them(scratch: Scratch) -> None:
    # What git-lfs does: the repository holds a pointer, the checkout the content. The filter is required, and
    # where its store has no such content, it fails.
    store = scratch.home / "store"
    store.mkdir()
    clean = scratch.home / "clean"
    clean.write_text(
        f"#!/bin/sh\ncat > '{store}/new'\nid=$(git hash-object --no-filters '{store}/new')\n"
        f"mv '{store}/new' '{store}'/$id\necho pointer $id\n"
    )
    smudge = scratch.home / "smudge"
    smudge.write_text(f"#!/bin/sh\nread word id\ntest \"$word\" = pointer && cat '{store}'/$id\n")
    for name in ("clean", "smudge"):
        (scratch.home / name).chmod(0o755)
        scratch.git("config", f"filter.lfs.{name}", f"'{scratch.home / name}'")
    scratch.git("config", "filter.lfs.required", "true")
    scratch.write(".gitattributes", "*.bin filter=lfs diff=lfs merge=lfs -text\n")
    scratch.write("data.bin", "much\n")
    scratch.prompt("one", "echo x > x.txt; cat data.bin data.bin > more.bin")
    scratch.commit()
    assert scratch.git("show", "HEAD:data.bin").startswith("pointer ")
    lands_once(scratch)
    assert scratch.git("show", "HEAD:more.bin").startswith("pointer ")
    assert scratch.read("more.bin") == "much\nmuch\n"
    assert scratch.read("data.bin") == "much\n"


@pytest.mark.parametrize("setting", ["true", "input"])
def test_line_endings(scratch: Scratch, setting: str) -> None:
    scratch.git("config", "core.autocrlf", setting)
    scratch.write("README.md", "A\r\nproject\r\n" if setting == "true" else "A\nproject\n")
    scratch.prompt("one", "printf 'x\\r\\n' > x.txt")
    scratch.commit()
    lands_once(scratch)
    assert scratch.git("cat-file", "blob", "HEAD:x.txt") == "x"
    assert scratch.git("cat-file", "-s", "HEAD:x.txt") == "2"
    assert (scratch.root / "x.txt").read_bytes() == (b"x\r\n" if setting == "true" else b"x\n")


@pytest.mark.parametrize("cone", ["--cone", "--no-cone"])
def test_a_sparse_checkout(scratch: Scratch, cone: str) -> None:
    scratch.write("kept/a.txt", "a\n")
    scratch.write("left/b.txt", "b\n")
    # The slot is full: what the person does not have on disk is there for the agent.
    scratch.prompt("one", "cat left/b.txt > left/c.txt; echo x > x.txt")
    scratch.commit()
    scratch.git(
        "sparse-checkout", "set", cone, *(["/*", "!/left/"] if cone == "--no-cone" else ["kept", "prompts"])
    )
    lands_once(scratch)
    assert scratch.git("show", "HEAD:left/c.txt") == "b"
    assert not (scratch.root / "left").exists()
    assert (scratch.root / "kept" / "a.txt").exists()


def test_submodules(scratch: Scratch) -> None:
    library = Scratch(scratch.home, "library")
    library.write("lib.txt", "lib\n")
    library.commit()
    scratch.git("config", "--global", "protocol.file.allow", "always")
    scratch.git("submodule", "--quiet", "add", str(library.root), "vendor")
    scratch.write("orchestra.yaml", "version: 1\nworktrees: {setup: git submodule update --init --quiet}\n")
    scratch.prompt("one", "cat vendor/lib.txt > copy.txt; echo x > x.txt")
    scratch.commit()
    lands_once(scratch)
    assert scratch.read("copy.txt") == "lib\n"
    assert scratch.git("rev-parse", "HEAD:vendor") == library.head()
    assert scratch.git("submodule", "status").startswith(library.head())


def test_a_repository_with_sha_256(tmp_path: Path) -> None:
    scratch = Scratch(tmp_path)
    scratch.git("init", "--quiet", "--object-format=sha256", "--initial-branch=main", str(tmp_path / "wide"))
    wide = tmp_path / "wide"
    (wide / "prompts").mkdir()
    scratch.prompt("one", "echo x > x.txt")
    (wide / "prompts" / "one.md").write_text(scratch.read("prompts/one.md"))
    for argv in (
        ("config", "user.name", "A Person"),
        ("config", "user.email", "person@example.org"),
        ("add", "--all"),
        ("commit", "--quiet", "--message", "first"),
    ):
        subprocess.run(["git", *argv], cwd=wide, env=scratch.env, check=True)
    lands_once(scratch, wide)


def test_called_from_a_folder_within_and_through_a_link(scratch: Scratch) -> None:
    scratch.write("deep/er/file", "")
    ready(scratch)
    (scratch.home / "link").symlink_to(scratch.root)
    called = scratch.orchestra("build", "--json", cwd=scratch.home / "link" / "deep" / "er")
    assert (called.status, called.finished["landed"]) == (0, 1)
    assert scratch.read("x.txt") == "x\n"
    does_nothing(scratch, scratch.root)
    does_nothing(scratch, scratch.home / "link" / "deep")


def test_called_by_a_hook_of_git(scratch: Scratch) -> None:
    # A hook runs with variables that bind git to the repository, and to an index that is being written.
    ready(scratch)
    hook = scratch.root / ".git" / "hooks" / "post-commit"
    hook.write_text(f"#!/bin/sh\n'{sys.executable}' -m orchestra build --json > '{scratch.home}/events'\n")
    hook.chmod(0o755)
    scratch.write("other.txt", "other\n")
    scratch.commit()
    hook.unlink()
    called = Called(0, (scratch.home / "events").read_text(), "")
    assert (called.finished["landed"], called.finished["advanced"]) == (1, True)
    assert scratch.read("x.txt") == "x\n"
    assert status_of(scratch, scratch.root) == ""
    does_nothing(scratch)
