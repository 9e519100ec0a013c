"""A snapshot of the person's checkout: a commit of all that is tracked or new there, made without touching anything.

The same state gives the same commit, so that a later build finds what an earlier one did with it.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from orchestra.model.ports import RefUpdate
from orchestra.vcs.command import decode, encode
from orchestra.vcs.repository import Repository

SNAPSHOTS = "refs/orchestra/snapshots/"


def snapshot(repository: Repository, head: str) -> str:
    """The commit on `head` that holds the checkout as it is, named by no ref; `head` where nothing differs.

    Ignored files and repositories within it are left out. Raises GitFailedError.
    """
    tree = _tree(repository)
    if tree == repository.command.run("rev-parse", f"{head}^{{tree}}").text:
        return head
    return repository.keep_snapshot(tree, head)


def kept(commit: str) -> RefUpdate:
    """The ref that keeps a snapshot from being dropped by git."""
    return RefUpdate(SNAPSHOTS + commit, commit, force=True)


def _tree(repository: Repository) -> str:
    git = repository.command
    with tempfile.TemporaryDirectory(prefix="orchestra-") as folder:
        index, own = Path(folder) / "index", repository.git_dir / "index"
        env = {"GIT_INDEX_FILE": str(index)}
        if own.exists():
            # With its time: git takes a same-size edit that is not younger than the index for none.
            shutil.copy2(own, index)
        else:
            git.run("read-tree", "HEAD", env=env)
        git.run("add", "--update", "--", ":/", env=env)
        others = git.run("ls-files", "-o", "-z", "--exclude-standard", env=env)
        # A slash at the end: a repository of its own.
        new = [path for path in decode(others.stdout).split("\0") if path and not path.endswith("/")]
        if new:
            stdin = encode("".join(f"{path}\0" for path in new))
            git.run("update-index", "--add", "--replace", "-z", "--stdin", stdin=stdin, env=env)
        return git.run("write-tree", env=env).text
