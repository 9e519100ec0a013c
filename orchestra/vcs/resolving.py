"""Worktrees in which a person resolves a task's result by hand: opened, found again, captured, removed.

How an open one is known: `RECORD`, a file in the worktree's own git folder (`.git/worktrees/NAME/orchestra-resolve`),
says whose it is, and the ref `RESOLVE` + the task's file name keeps the result that is resolved. The worktrees lie in
the folder `FOLDER` beside the slots; no build looks at them, and whoever cleans up must leave them alone while the
record is there. A worktree there without a record was left half made, or half removed, and holds nobody's work.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from orchestra.model.errors import OrchestraError, environment_error
from orchestra.model.ports import RefUpdate
from orchestra.model.rescued import RESCUED
from orchestra.model.rescued import commits_ref as commits_of
from orchestra.vcs.capture import capture, rescue, snapshot
from orchestra.vcs.command import OBJECT_ID, GitFailedError, decode, encode
from orchestra.vcs.folders import remove
from orchestra.vcs.laying import lay_out
from orchestra.vcs.repository import Repository
from orchestra.vcs.slots import BASE, Slot
from orchestra.vcs.spared import Spared

RECORD = "orchestra-resolve"
RESOLVE = "refs/orchestra/resolve/"
"""By the task's file name: the result that an open worktree resolves."""
EDITED = "refs/orchestra/edited/"
"""By the attempt and `BY_HAND`: what a person made of a result, as it was when they last wanted to go on."""
BY_HAND = "-by-hand"
FOLDER = "resolve"


@dataclass(frozen=True, slots=True)
class Told:
    """What is noted of an open worktree.

    `attempt` made the `result`, which `ref` keeps. The worktree was laid out on the commit `base` as the tree `laid`,
    in which the `conflicts` hold markers. It was opened in the checkout `root`, for `branch` (None: detached).
    """

    task: str
    attempt: str
    ref: str
    result: str
    base: str
    laid: str
    conflicts: tuple[str, ...]
    branch: str | None
    root: str


@dataclass(frozen=True, slots=True)
class Resolution:
    """An open worktree. `there`: its folder is."""

    told: Told
    slot: Slot

    @property
    def there(self) -> bool:
        """Whether the worktree's folder is there: a person may have deleted it."""
        return self.slot.path.is_dir()

    @property
    def name(self) -> str:
        """With what refs that keep a person's work here end."""
        return self.told.attempt + BY_HAND


@dataclass(frozen=True, slots=True)
class Laid:
    """A merge laid out in a worktree: its tree, conflicts and all, and the paths that conflict."""

    tree: str
    conflicts: tuple[str, ...]


def file_name(task: str) -> str:
    """The name of a task as one part of a path: none holds an equals sign."""
    return task.replace("/", "=")


def find_open(common_dir: Path) -> Mapping[str, Resolution]:
    """All open worktrees by task; reads files only."""
    found: dict[str, Resolution] = {}
    for record in sorted((common_dir / "worktrees").glob(f"*/{RECORD}")):
        resolution = read_open(record.parent)
        if resolution is not None:
            found[resolution.told.task] = resolution
    return found


def read_open(git_dir: Path) -> Resolution | None:
    """The open worktree whose git folder that is; None where it is none."""
    try:
        values = json.loads((git_dir / RECORD).read_text("utf-8"))
        pointer = decode((git_dir / "gitdir").read_bytes()).removesuffix("\n")
        told = Told(**{**values, "conflicts": tuple(values["conflicts"])})
    except (OSError, ValueError, TypeError, KeyError):
        return None
    return Resolution(told, Slot(0, Path(pointer).parent, git_dir))


def note_open(repository: Repository, slot: Slot, told: Told) -> Resolution:
    """Write down that the worktree is open: from here on it is the person's."""
    repository.update_refs((RefUpdate(RESOLVE + file_name(told.task), told.result, force=True),))
    try:
        # As a whole or not at all.
        draft = slot.git_dir / f"{RECORD}.new"
        draft.write_text(json.dumps(asdict(told)), "utf-8")
        draft.replace(slot.git_dir / RECORD)
    except OSError as error:
        raise environment_error(f"cannot write to {slot.git_dir}", causes=(str(error),)) from error
    return Resolution(told, slot)


def lay_merge(
    repository: Repository,
    slot: Slot,
    spared: Spared,
    base: str,
    ours: str,
    theirs: str,
    names: tuple[str, str],
) -> Laid:
    """Lay out in the worktree, which stands at `ours`, what two commits changed since a base.

    Where they conflict the files hold markers, with the two `names` for the sides where git can resolve these, and
    the index holds both sides: git and editors show it as a conflict. Raises OrchestraError where git cannot.
    """
    sides = (ours, theirs)
    if repository.merge_base(ours, theirs) != base:
        # Their histories lead elsewhere: the base is given by parents made for it.
        sides = (repository.keep_snapshot(ours, base), repository.keep_snapshot(theirs, base))
    elif (repository.resolve(names[0]), repository.resolve(names[1])) == sides:
        sides = names
    argv = ("merge-tree", "--write-tree", "-z", "--no-messages", *sides)
    done = repository.command.run(*argv, allow=(0, 1))
    fields = [field for field in decode(done.stdout).split("\0") if field]
    # Status 1 is a conflict only if a tree was written: it also stands for errors.
    if not fields or not OBJECT_ID.fullmatch(fields[0].strip()):
        raise GitFailedError(argv, done.status, done.stderr)
    tree, stages = fields[0].strip(), fields[1:]
    conflicts = tuple(dict.fromkeys(line.split("\t", 1)[1] for line in stages))
    lay_out(repository, slot, spared, tree)
    if stages:
        # Nothing at all instead of what is merged, then each side of it.
        gone = [f"0 {'0' * len(tree)}\t{path}\0" for path in conflicts]
        lines = encode("".join([*gone, *(f"{line}\0" for line in stages)]))
        slot.git(repository.command).run("update-index", "-z", "--index-info", stdin=lines)
    return Laid(tree, conflicts)


def stand_on(repository: Repository, slot: Slot, base: str) -> None:
    """Let the worktree stand at another commit; its files stay. Where HEAD was before stays in its log."""
    try:
        slot.git(repository.command).run(
            "update-ref", "--no-deref", "--create-reflog", "-m", "orchestra: go on", "HEAD", base
        )
        _note_base(repository, slot, base)
    except OSError as error:
        raise environment_error(f"cannot write to {slot.git_dir}", causes=(str(error),)) from error


def base_of(repository: Repository, resolution: Resolution, tip: str) -> str:
    """The commit that the person's work stands on: where they merged or rebased onto newer commits of the branch, the
    newest of these.
    """
    base, head = resolution.told.base, _head(repository, resolution.slot)
    newer = repository.merge_base(head, tip) if head else None
    return newer if newer is not None and repository.is_ancestor(base, newer) else base


def take(repository: Repository, resolution: Resolution, base: str, spared: Spared) -> str:
    """Capture the worktree as a commit on `base`, kept under a ref at once.

    Raises OrchestraError where it cannot be captured whole.
    """
    slot = resolution.slot
    if slot.base != base:
        _note_base(repository, slot, base)
    _refuse_ignored(repository, slot, base, spared)
    message = f"What a person made of attempt {resolution.told.attempt}\n"
    ref = EDITED + resolution.name
    captured = capture(repository, slot, base, spared, ref, message, keep_unchanged=True)
    assert captured.commit is not None, "what is unchanged is kept too"
    return captured.commit


def is_as_laid(repository: Repository, resolution: Resolution, tree: str, spared: Spared) -> bool:
    """Whether the worktree's files are those of a tree, or of a commit; False where that cannot be told."""
    try:
        wanted = repository.command.run("rev-parse", f"{tree}^{{tree}}").text
        return snapshot(repository, resolution.slot, spared) == wanted
    except OrchestraError:
        return False


def commits_ref(resolution: Resolution) -> str:
    """The ref that keeps what the person committed in the worktree, once that was captured."""
    return commits_of(resolution.name)


def rescue_edits(repository: Repository, resolution: Resolution, spared: Spared) -> str | None:
    """Keep what the person made in the worktree: the ref that keeps it, or the folder to which it was put aside; None
    where there is nothing that is not kept.
    """
    slot, told = resolution.slot, resolution.told
    head = _head(repository, slot)
    moved = head is not None and head != told.base
    if not moved and (not resolution.there or is_as_laid(repository, resolution, told.laid, spared)):
        return None
    name, number = resolution.name, 1
    while repository.resolve(RESCUED + name) is not None:
        number += 1
        name = f"{resolution.name}-{number}"
    if not resolution.there:
        # The files are gone, by the person's own hand; what they committed is not.
        repository.update_refs((RefUpdate(RESCUED + name, head, force=True),))
        return RESCUED + name
    return rescue(repository, slot, name, spared)


def forget(repository: Repository, resolution: Resolution) -> None:
    """Remove the worktree and what says that it is open; what is to be kept of it was kept before."""
    slot = resolution.slot
    try:
        # First: without it nothing takes the worktree for a person's.
        (slot.git_dir / RECORD).unlink(missing_ok=True)
        remove(slot.path)
        if slot.git_dir.is_dir():
            remove(slot.git_dir)
    except OSError as error:
        hint = f"remove it yourself: git worktree remove -f -f {slot.path}"
        raise environment_error(f"cannot remove {slot.path}", causes=(str(error),), hint=hint) from error
    finally:
        repository.update_refs((RefUpdate(RESOLVE + file_name(resolution.told.task), None, force=True),))


def landed_since(
    repository: Repository, base: str, tip: str, paths: tuple[str, ...], most: int = 5
) -> tuple[tuple[str, str], ...]:
    """The commits after the base that changed one of the paths, newest first: each with its title."""
    specs = [f":(literal){path}" for path in paths]
    flags = ("-z", f"--max-count={most}", "--no-merges", "--format=%H %s")
    listed = repository.command.run("log", *flags, f"{base}..{tip}", "--", *specs)
    lines = (line.partition(" ") for line in decode(listed.stdout).split("\0") if line)
    return tuple((commit, title) for commit, _, title in lines)


def messages_below(repository: Repository, *prefixes: str) -> tuple[tuple[str, str, str], ...]:
    """All refs below the prefixes, each with its commit and that one's message, by one call of git."""
    form = "%(refname)%00%(objectname)%00%(contents)%00"
    out = repository.command.run("for-each-ref", f"--format={form}", "--", *prefixes).stdout
    # No message holds a NUL.
    fields = decode(out).split("\0")
    refs = (ref.removeprefix("\n") for ref in fields[0:-1:3])
    return tuple(zip(refs, fields[1::3], fields[2::3], strict=True))


def moved_on(resolution: Resolution, base: str, laid: Laid) -> Told:
    """What is noted once the worktree was laid out again on a newer commit."""
    return replace(resolution.told, base=base, laid=laid.tree, conflicts=laid.conflicts)


def _head(repository: Repository, slot: Slot) -> str | None:
    """The commit that is checked out in a worktree, also in one whose folder is gone."""
    env = {"GIT_DIR": str(slot.git_dir)}
    head = repository.command.run("rev-parse", "--verify", "--quiet", "HEAD", env=env, allow=(0, 1, 128))
    return head.text or None


def _note_base(repository: Repository, slot: Slot, base: str) -> None:
    """Let captures compare with that commit."""
    draft = slot.git_dir / "orchestra-index.new"
    shutil.rmtree(draft, ignore_errors=True)
    draft.unlink(missing_ok=True)
    slot.git(repository.command).run("read-tree", base, env={"GIT_INDEX_FILE": str(draft)})
    draft.replace(slot.saved_index)
    (slot.git_dir / BASE).write_text(base)


def _refuse_ignored(repository: Repository, slot: Slot, base: str, spared: Spared) -> None:
    """Raise OrchestraError where the person added files that are ignored: a capture leaves them out."""
    git = slot.git(repository.command)
    listed = decode(git.run("ls-files", "-z", "-c", "-i", "--exclude-standard").stdout)
    known = repository.tree(base).files
    added = sorted({path for path in listed.split("\0") if path and path not in known})
    added = [path for path in added if os.path.lexists(slot.path / path)]
    spare = {line.removeprefix("/") for line in spared.ignored()}
    added = [path for path in added if path not in spare]
    if added:
        more = f" and {len(added) - 5} more" if len(added) > 5 else ""
        raise OrchestraError(
            f"ignored files were added in {slot.path}: {', '.join(added[:5])}{more}",
            hint="ignored files never land: take them out (git rm --cached), or mend .gitignore there",
        )
