"""Where orchestra may be called wrongly: command lines, repositories and states, each with what is to be said."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from pathlib import Path

from tests.cli.bad_texts import Call, case, v1
from tests.cli.scratch import Scratch

# --- the command line ----------------------------------------------------------------------------------------


def calling(*argv: str) -> Callable[[Scratch], Call]:
    def make(scratch: Scratch) -> Call:
        scratch.prompt("one", "true")
        scratch.commit()
        return Call(argv)

    return make


USAGE = {
    "a target with control characters": case(calling("build", "a\x1b[31mb\u202ec"), "there is no task"),
    "a target that looks like an option": case(calling("build", "--", "-x"), "there is no task `-x`"),
    "an option with control characters": case(calling("build", "--\x1b[31mx\u202e")),
    "a target that is no text": case(calling("build", "\udcff"), "there is no task"),
    "a target of 100,000 characters": case(calling("build", "x" * 100_000), "there is no task"),
    "another manifest that is not there": case(
        calling("-f", "no.yaml", "build"), "there is no file `no.yaml`"
    ),
    "another manifest with control characters": case(
        calling("-f", "a\x1b[31mb", "build"), "there is no file"
    ),
    "another folder that is not there": case(calling("-C", "nowhere", "build"), "nowhere", status=3),
    "another folder with control characters": case(calling("-C", "no\x1b[31m", "build"), status=3),
    "another folder that is a file": case(calling("-C", "README.md", "build"), "README.md", status=3),
}

# --- git -----------------------------------------------------------------------------------------------------


def no_repository(scratch: Scratch) -> Call:
    folder = scratch.home / "plain"
    (folder / "prompts").mkdir(parents=True)
    (folder / "prompts" / "one.md").write_text("# One\n")
    return Call(cwd=folder)


def bare(scratch: Scratch) -> Call:
    folder = scratch.home / "bare.git"
    scratch.git("clone", "--quiet", "--bare", ".", str(folder))
    return Call(cwd=folder)


def inside_git(scratch: Scratch) -> Call:
    return Call(cwd=scratch.root / ".git")


def no_commit(scratch: Scratch) -> Call:
    empty = Scratch(scratch.home, "empty")
    empty.prompt("one", "true")
    return Call(cwd=empty.root)


def parted(scratch: Scratch) -> None:
    """Two branches that change one file in two ways, and a task."""
    scratch.prompt("one", "true")
    scratch.commit()
    scratch.git("branch", "other")
    scratch.write("README.md", "one way\n")
    scratch.commit()
    scratch.git("checkout", "--quiet", "other")
    scratch.write("README.md", "another way\n")
    scratch.commit()


def in_a_merge(scratch: Scratch) -> None:
    parted(scratch)
    scratch.git("merge", "main", check=False)


def in_a_rebase(scratch: Scratch) -> None:
    parted(scratch)
    scratch.git("rebase", "main", check=False)


def in_a_cherry_pick(scratch: Scratch) -> None:
    parted(scratch)
    scratch.git("cherry-pick", "main", check=False)


def in_a_revert(scratch: Scratch) -> None:
    parted(scratch)
    scratch.git("revert", "--no-commit", "HEAD")


def in_a_series_of_patches(scratch: Scratch) -> None:
    parted(scratch)
    scratch.write("../x.patch", scratch.git("format-patch", "-1", "--stdout", "main") + "\n")
    scratch.git("am", "../x.patch", check=False)


def broken_head(scratch: Scratch) -> None:
    scratch.prompt("one", "true")
    (scratch.root / ".git" / "HEAD").write_text("nonsense\n")


def no_git(scratch: Scratch) -> Call:
    scratch.prompt("one", "true")
    return Call(env={"PATH": str(scratch.home)})


def identity_missing(scratch: Scratch) -> None:
    scratch.prompt("one", "true")
    scratch.git("config", "--unset", "user.email")
    scratch.git("config", "user.useConfigOnly", "true")


GIT = {
    "no repository": case(no_repository, "not in a git repository", "git init", status=3),
    "bare": case(bare, "bare repository", "git worktree add", status=3),
    "inside .git": case(inside_git, status=3),
    "no commit yet": case(no_commit, "no commit yet", "git commit", status=3),
    "in a merge": case(in_a_merge, "a merge is under way", "git merge --abort", status=3),
    "in a rebase": case(in_a_rebase, "a rebase is under way", "git rebase --abort", status=3),
    "in a cherry-pick": case(in_a_cherry_pick, "a cherry-pick is under way", status=3),
    "in a revert": case(in_a_revert, "a revert is under way", "git revert --abort", status=3),
    "in a series of patches": case(in_a_series_of_patches, "an am is under way", "git am --abort", status=3),
    "HEAD is nonsense": case(broken_head, status=3),
    "git is not there": case(no_git, "git is not installed", status=3),
    "no identity": case(identity_missing, "in whose name", "git config", status=3),
    "into -evil": case(calling("build", "--into", "-evil"), "`-evil`"),
    "into --help": case(calling("build", "--into=--help"), "`--help`"),
    "into HEAD:path": case(calling("build", "--into", "HEAD:README.md"), "`HEAD:README.md`"),
    "into HEAD^": case(calling("build", "--into", "HEAD^"), "`HEAD^`"),
    "into something with ESC": case(calling("build", "--into", "a\x1b[31mb"), "there is no branch"),
    "into an empty name": case(calling("build", "--into", ""), "there is no branch"),
    "integrate into -evil": case(v1('integrate: {into: "-evil"}'), "`-evil`"),
    "integrate into HEAD:path": case(v1('integrate: {into: "HEAD:README.md"}'), "`HEAD:README.md`"),
}

# --- state ---------------------------------------------------------------------------------------------------


def state(scratch: Scratch) -> Path:
    scratch.prompt("one", "true")
    scratch.commit()
    folder = scratch.root / ".git" / "orchestra"
    folder.mkdir()
    return folder


def history_of_the_future(scratch: Scratch) -> None:
    with sqlite3.connect(state(scratch) / "history.db") as database:
        database.execute("PRAGMA user_version = 999")
        database.execute("CREATE TABLE unheard_of (x)")
    database.close()


def history_is_a_link(scratch: Scratch) -> None:
    folder = state(scratch)
    target = scratch.home / "precious.db"
    with sqlite3.connect(target) as database:
        database.execute("CREATE TABLE precious (x)")
    database.close()
    (folder / "history.db").symlink_to(target)


def history_is_a_link_to_nowhere(scratch: Scratch) -> None:
    (state(scratch) / "history.db").symlink_to(scratch.home / "made-by-orchestra.db")


def history_is_a_folder(scratch: Scratch) -> None:
    (state(scratch) / "history.db").mkdir()


def history_is_a_pipe(scratch: Scratch) -> None:
    os.mkfifo(state(scratch) / "history.db")


def lock_is_a_link(scratch: Scratch) -> None:
    target = scratch.home / "precious.txt"
    target.write_text("precious\n")
    (state(scratch) / "building.json").symlink_to(target)


def state_is_a_file(scratch: Scratch) -> None:
    scratch.prompt("one", "true")
    (scratch.root / ".git" / "orchestra").write_text("in the way\n")


def entry(text: str) -> Callable[[Scratch], None]:
    def make(scratch: Scratch) -> None:
        scratch.prompt("one", "true")
        scratch.write(".orchestra/lock/one.json", text)
        scratch.commit()

    return make


ENTRY = ".orchestra/lock/one.json"
STATES = {
    "history of a newer version": case(history_of_the_future, "history.db", "newer orchestra", status=3),
    "history is a link": case(history_is_a_link, "history.db", "symbolic link", status=3),
    "history is a link to nowhere": case(
        history_is_a_link_to_nowhere, "history.db", "symbolic link", status=3
    ),
    "history is a folder": case(history_is_a_folder, "history.db", status=3),
    "history is a pipe": case(history_is_a_pipe, "history.db", status=3),
    "the lock is a link": case(lock_is_a_link, "building.json", status=3),
    "the state folder is a file": case(state_is_a_file, ".git/orchestra", status=3),
    "entry with conflict markers": case(
        entry('{\n<<<<<<< HEAD\n "a": 1\n=======\n "a": 2\n>>>>>>> other\n}\n'), f"{ENTRY}:2:1:", "git rm"
    ),
    "entry is no JSON": case(entry('{"version": 1,\n nonsense'), f"{ENTRY}:2:", "git rm"),
    "entry is empty": case(entry(""), ENTRY, "git rm"),
    "entry is a list": case(entry("[1]"), ENTRY, "git rm"),
    "entry without its parts": case(entry('{"version": 1}'), ENTRY, "git rm"),
    "entry nested too deeply": case(entry("[" * 100_000), ENTRY, "git rm"),
    "entry with control characters": case(entry('{"version": "\x1b[31m\\u001b[31m"}'), ENTRY),
    "entry of a newer version": case(entry('{"version": 99}'), ENTRY, "99", "upgrade"),
    "entry of a wild version": case(entry('{"version": "\\u001b[31m\\u202e"}'), ENTRY),
}
