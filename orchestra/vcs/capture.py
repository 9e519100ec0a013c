"""Capture: what an attempt did in its slot, as one commit on its base, whatever the agent did with git.

The tree is made with a private copy of the index from before the attempt, so that an agent's commits, staged
files, `skip-worktree` flags or broken index change nothing. What cannot be captured whole is refused, never left
out in silence. What the agent committed itself stays reachable.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from orchestra.model.errors import OrchestraError, environment_error
from orchestra.model.ports import RefUpdate
from orchestra.model.rescued import RESCUED, commits_message, commits_ref
from orchestra.model.text import clean
from orchestra.vcs.command import OBJECT_ID, GitCommand, GitFailedError, decode, encode
from orchestra.vcs.folders import put_aside
from orchestra.vcs.repository import Repository
from orchestra.vcs.slots import Slot
from orchestra.vcs.spared import Spared
from orchestra.vcs.submodules import LINK, hidden_changes, unpublished

NAMED = 5
"""How many paths an error names."""


@dataclass(frozen=True, slots=True)
class Captured:
    """The commit that holds what an attempt did (None: nothing was kept), whether it changed anything, and the
    size of the files that it changed, in bytes, as they are now.
    """

    commit: str | None
    changed_bytes: int = 0
    changed: bool = False


@dataclass(frozen=True, slots=True)
class _Changed:
    """One path that the captured tree has otherwise than the base: modes and ids before and after."""

    path: str
    before: str
    after: str
    commit: str


def capture(
    repository: Repository,
    slot: Slot,
    base: str,
    spared: Spared,
    ref: str,
    message: str,
    *,
    keep_unchanged: bool = False,
) -> Captured:
    """Capture the slot's worktree as a commit on `base`, kept under `ref` at once; with `keep_unchanged` also where
    it is as it was.

    Raises OrchestraError where the worktree cannot be captured whole: nothing is left out in silence.
    """

    def once() -> Captured:
        _refuse_gone(repository, slot)
        slot.mend_head()
        tree = _tree(slot.git(repository.command), slot, spared)
        changes = _changes(repository, base, tree)
        _refuse_hidden(repository, slot, tree, changes)
        keep_commits(repository, slot, base, ref.rsplit("/", 1)[-1])
        if not changes and not keep_unchanged:
            return Captured(None)
        commit = repository.keep_tree(tree, (base,), message)
        repository.update_refs((RefUpdate(ref, commit, force=True),))
        return Captured(commit, sum(_size(slot.path / change.path) for change in changes), bool(changes))

    try:
        try:
            return once()
        except GitFailedError:
            # A `git gc --prune=now` of somebody else takes what no ref names yet, and git itself can be killed;
            # the files are still there.
            return once()
    except GitFailedError as error:
        raise environment_error("cannot capture the result", causes=(str(error), *error.causes)) from error
    except OSError as error:
        raise environment_error("cannot capture the result", causes=(str(error),)) from error


def rescue(repository: Repository, slot: Slot, attempt: str, spared: Spared) -> str | None:
    """Keep what an attempt that was cut off left in its slot; the ref that keeps it, None where there is nothing.

    What cannot be captured whole is kept as it lies: the slot is put aside, and the folder given.
    """
    if not os.path.lexists(slot.path):
        return None
    ref = RESCUED + attempt
    try:
        base = slot.base
        if base is None:
            raise environment_error(f"it is not known from where {slot.path} started")
        captured = capture(repository, slot, base, spared, ref, f"Left in a worktree by attempt {attempt}\n")
    except OrchestraError:
        return str(put_aside(slot.path, f"{slot.path.name}.rescued-{attempt}"))
    return ref if captured.commit else None


def snapshot(repository: Repository, slot: Slot, spared: Spared) -> str:
    """The tree that a capture would find now; nothing is kept. Raises OrchestraError where git cannot."""
    try:
        return _tree(slot.git(repository.command), slot, spared)
    except OSError as error:
        raise environment_error("cannot look at the worktree", causes=(str(error),)) from error


def _tree(git: GitCommand, slot: Slot, spared: Spared) -> str:
    """The worktree's files as a tree."""
    with tempfile.TemporaryDirectory(prefix="orchestra-") as folder:
        index = Path(folder) / "index"
        shutil.copy2(slot.saved_index, index)
        env = {"GIT_INDEX_FILE": str(index)}
        git.run("add", "--update", env=env)
        # `git add -A` will not do: it takes an excluded path that is ignored for one that was asked for, and fails.
        spare = [f"--exclude={line}" for line in spared.ignored()]
        others = git.run("ls-files", "-o", "-z", "--exclude-standard", *spare, env=env)
        new = [path for path in decode(others.stdout).split("\0") if path]
        # A slash at the end: git lists a repository by its folder.
        nested = [path.rstrip("/") for path in new if path.endswith("/")]
        if nested:
            _refuse_nested(set(nested) - _declared_submodules(git, slot))
        if new:
            stdin = encode("".join(path.rstrip("/") + "\0" for path in new))
            # `--replace`: a link that leads to itself, where a folder was, leaves what was in that undecided.
            added = git.run("update-index", "--add", "--replace", "-z", "--stdin", stdin=stdin, env=env)
            if "Ignoring path" in added.stderr:
                # A name such as `.GIT`: git leaves it out and calls that a success.
                raise OrchestraError("cannot capture the result", causes=(clean(added.stderr.strip()),))
        return git.run("write-tree", env=env).text


def _refuse_gone(repository: Repository, slot: Slot) -> None:
    """Raise OrchestraError where there is no worktree any more."""
    if not repository.common_dir.is_dir():
        raise environment_error(f"the repository was moved or deleted: {repository.root}")
    if not slot.git_dir.is_dir():
        raise environment_error(f"the worktree was taken off git's list: {slot.path}")
    if not slot.path.is_dir():
        raise OrchestraError(f"the worktree was deleted: {slot.path}")


def _changes(repository: Repository, base: str, tree: str) -> tuple[_Changed, ...]:
    out = repository.command.run("diff-tree", "-r", "-z", "--no-renames", "--raw", "--no-abbrev", base, tree)
    fields = decode(out.stdout).split("\0")
    changes: list[_Changed] = []
    for meta, path in zip(fields[0::2], fields[1::2], strict=False):
        before, after, _, commit, _ = meta.removeprefix(":").split(" ")
        changes.append(_Changed(path, before, after, commit))
    return tuple(changes)


def _refuse_hidden(repository: Repository, slot: Slot, tree: str, changes: tuple[_Changed, ...]) -> None:
    """Raise OrchestraError where the worktree holds work that the tree does not."""
    links: list[str] = []
    inside: list[str] = []
    folders = repository.command.run("ls-tree", "-r", "-d", "-z", "--full-tree", tree)
    for record in decode(folders.stdout).split("\0"):
        meta, _, path = record.partition("\t")
        if meta.startswith(LINK):
            links.append(path)
        elif path and os.path.lexists(slot.path / path / ".git"):
            inside.append(path)
    _refuse_nested(inside)
    hidden = hidden_changes(repository.command, slot, links)
    if hidden:
        raise OrchestraError(
            f"files were changed inside a submodule: {_named(hidden)}",
            hint="a task can change only which commit a submodule stands at",
        )
    moved = {change.path: change.commit for change in changes if change.after == LINK}
    unknown = unpublished(repository.command, slot, moved)
    if unknown:
        raise OrchestraError(
            f"a submodule stands at a commit that only this worktree has: {_named(unknown)}",
            hint="push it to the submodule's remote first",
        )


def _refuse_nested(paths: Iterable[str]) -> None:
    nested = sorted(paths)
    if nested:
        raise OrchestraError(
            f"a git repository was left inside the worktree: {_named(nested)}",
            hint="git would record it as an empty link: make it a plain folder",
        )


def _declared_submodules(git: GitCommand, slot: Slot) -> frozenset[str]:
    """The paths that `.gitmodules` in the worktree names."""
    if not (slot.path / ".gitmodules").is_file():
        return frozenset()
    pattern = r"^submodule\..*\.path$"
    found = git.run("config", "-z", "--file", ".gitmodules", "--get-regexp", pattern, allow=(0, 1))
    return frozenset(record.partition("\n")[2] for record in decode(found.stdout).split("\0"))


def keep_commits(repository: Repository, slot: Slot, base: str, attempt: str) -> None:
    """What the agent committed itself is kept beside the captured tree, also what it went back from."""
    if _head_never_moved(slot, base):
        return
    git = slot.git(repository.command)
    head = git.run("rev-parse", "--verify", "--quiet", "HEAD", allow=(0, 1, 128)).text
    stdin = "\n".join({base, head, *_where_head_was(git, slot)} - {""})
    known = git.run("rev-list", "--no-walk", "--ignore-missing", "--stdin", stdin=stdin.encode()).text
    tips = git.run("merge-base", "--independent", *known.split("\n")).text.split("\n")
    made = tuple(tip for tip in tips if tip != base)
    if not made:
        return
    kept = made[0]
    if made != (head,):
        # One ref for all: an amended commit and what it was before have no line in common.
        parents = dict.fromkeys((head or base, *made))
        kept = repository.keep_tree(made[0], tuple(parents), commits_message(attempt))
    repository.update_refs((RefUpdate(commits_ref(attempt), kept, force=True),))


def _head_never_moved(slot: Slot, base: str) -> bool:
    """Whether the slot's HEAD stands where the reset left it and never left: read without a call of git."""
    try:
        return (slot.git_dir / "HEAD").read_text().strip() == base and not (
            slot.git_dir / "logs" / "HEAD"
        ).exists()
    except (OSError, ValueError):
        return False


def _where_head_was(git: GitCommand, slot: Slot) -> list[str]:
    """All commits at which HEAD stood since the reset."""
    try:
        lines = decode((slot.git_dir / "logs" / "HEAD").read_bytes()).split("\n")
    except OSError:
        # Git may keep its logs elsewhere, or none.
        return git.run("log", "-g", "--format=%H", "HEAD", "--", allow=(0, 128)).text.split("\n")
    ids = (word for line in lines for word in line.split(" ", 2)[:2])
    return [word for word in ids if OBJECT_ID.fullmatch(word) and word.strip("0")]


def _size(path: Path) -> int:
    try:
        return path.lstat().st_size
    except OSError:
        return 0


def _named(paths: list[str]) -> str:
    more = f" and {len(paths) - NAMED} more" if len(paths) > NAMED else ""
    return ", ".join(paths[:NAMED]) + more
