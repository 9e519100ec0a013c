"""Capture: what an attempt did in its slot, as one commit on its base, whatever the agent did with git.

The tree is made with a private copy of the index from before the attempt, so that an agent's commits, staged
files, `skip-worktree` flags or broken index change nothing. What the agent committed itself stays reachable.
"""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from orchestra.model.errors import OrchestraError, environment_error
from orchestra.model.ports import CommitRequest, RefUpdate
from orchestra.vcs.command import GitFailedError, decode, encode
from orchestra.vcs.repository import Repository
from orchestra.vcs.slots import SLOT_FLAGS, Slot

RESCUED = "refs/orchestra/rescued/"


@dataclass(frozen=True, slots=True)
class Captured:
    """The commit that holds what an attempt did (None: it changed nothing), and the size of the files that it
    changed, in bytes, as they are now.
    """

    commit: str | None
    changed_bytes: int = 0


def capture(
    repository: Repository, slot: Slot, base: str, spared: tuple[str, ...], ref: str, message: str
) -> Captured:
    """Capture the slot's worktree as a commit on `base`, kept under `ref` at once.

    Raises OrchestraError where the worktree cannot be captured whole: nothing is left out in silence.
    """
    command = repository.command.at(slot.path)
    nested = _nested_repositories(repository, slot)
    if nested:
        raise OrchestraError(
            f"a git repository was left inside the worktree: {', '.join(nested)}",
            hint="git would record it as an empty link: make it a plain folder",
        )
    try:
        with tempfile.TemporaryDirectory(prefix="orchestra-") as folder:
            index = Path(folder) / "index"
            shutil.copy2(slot.saved_index, index)
            env = {"GIT_INDEX_FILE": str(index)}
            pathspecs = [":/", *(f":(exclude,top){_glob(path)}" for path in spared)]
            # `--ignore-errors` is left out: a file that cannot be added must fail the capture.
            command.run(
                "add", "-A", "--pathspec-from-file=-", "--pathspec-file-nul",
                stdin=encode("\0".join(pathspecs)), env=env, flags=SLOT_FLAGS,
            )  # fmt: skip
            tree = command.run("write-tree", env=env, flags=SLOT_FLAGS).text
        _keep_commits(repository, slot, base, ref)
        if tree == repository.command.run("rev-parse", f"{base}^{{tree}}").text:
            return Captured(None)
        commit = repository.commit(CommitRequest(tree, (base,), message))
        repository.update_refs((RefUpdate(ref, commit, force=True),))
        return Captured(commit, _changed_bytes(repository, base, commit))
    except GitFailedError as error:
        raise environment_error("cannot capture the result", causes=(str(error),)) from error
    except OSError as error:
        raise environment_error("cannot capture the result", causes=(str(error),)) from error


def rescue(repository: Repository, slot: Slot, attempt: str, spared: tuple[str, ...]) -> str | None:
    """Keep what an attempt that was cut off left in its slot; the ref that keeps it, None where there is nothing."""
    ref = RESCUED + attempt
    try:
        base = _base_of_slot(repository, slot)
        captured = capture(repository, slot, base, spared, ref, f"Left in a worktree by attempt {attempt}\n")
    except (OrchestraError, GitFailedError):
        # What cannot be captured whole is kept as it lies: the slot is put aside, not cleared.
        aside = slot.path.with_name(f"{slot.path.name}.rescued-{attempt}")
        slot.path.rename(aside)
        return str(aside)
    return ref if captured.commit else None


def _base_of_slot(repository: Repository, slot: Slot) -> str:
    """The commit that the slot was last reset to, by the index saved then."""
    env = {"GIT_INDEX_FILE": str(slot.saved_index)}
    tree = repository.command.at(slot.path).run("write-tree", env=env, flags=SLOT_FLAGS).text
    return repository.commit(CommitRequest(tree, (), "The base of an attempt that was cut off\n"))


def _nested_repositories(repository: Repository, slot: Slot) -> list[str]:
    """Folders that are repositories of their own: git lists them with a slash at the end."""
    out = repository.command.at(slot.path).run("ls-files", "-o", "--exclude-standard", "-z", flags=SLOT_FLAGS)
    return [path for path in decode(out.stdout).split("\0") if path.endswith("/")]


def _keep_commits(repository: Repository, slot: Slot, base: str, ref: str) -> None:
    """What the agent committed itself is kept beside the captured tree."""
    head = repository.command.at(slot.path).run("rev-parse", "--verify", "--quiet", "HEAD", allow=(0, 1, 128))
    if head.status == 0 and head.text != base:
        kept = RESCUED + ref.rsplit("/", 1)[-1]
        repository.update_refs((RefUpdate(kept, head.text, force=True),))


def _changed_bytes(repository: Repository, base: str, commit: str) -> int:
    raw = decode(
        repository.command.run(
            "diff-tree", "-r", "-z", "--no-renames", "--raw", "--no-abbrev", base, commit
        ).stdout
    )
    fields = raw.split("\0")
    ids = [meta.split(" ")[3] for meta in fields[0::2] if meta.startswith(":")]
    modes = [meta.split(" ")[1] for meta in fields[0::2] if meta.startswith(":")]
    blobs = [i for i, mode in zip(ids, modes, strict=True) if mode not in ("000000", "160000")]
    if not blobs:
        return 0
    out = repository.command.run(
        "cat-file", "--batch-check=%(objectsize)", stdin="".join(f"{i}\n" for i in blobs).encode()
    )
    return sum(int(size) for size in out.text.split("\n") if size.isdigit())


def _glob(path: str) -> str:
    """A pathspec that leaves out the path and all below it."""
    return path.rstrip("/")
