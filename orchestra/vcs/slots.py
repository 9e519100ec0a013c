"""Slots: pooled worktrees outside the repository, each reset to the exact commit that an attempt starts from.

A reset slot costs a hundredth of a new worktree. What `setup` and `copy` made, and what `keep` names, survives
the reset and is never captured; all else that is not in the commit goes, after it was rescued to a ref if an
attempt was cut off before its capture.
"""

from __future__ import annotations

import glob
import hashlib
import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from orchestra.model.errors import environment_error
from orchestra.model.keys import digest
from orchestra.model.patterns import PatternSet
from orchestra.model.tasks import Worktrees
from orchestra.model.trees import Tree
from orchestra.vcs.command import GitCommand, GitFailedError, decode

SLOT_FLAGS = (
    # Slots are full worktrees also where the person's own is sparse.
    "-c", "core.sparseCheckout=false",
)  # fmt: skip

SAVED_INDEX = "orchestra-index"
KEPT_PATHS = "orchestra-kept"
SETUP_MARK = "orchestra-setup"
IN_USE = "orchestra-attempt"


@dataclass(frozen=True, slots=True)
class Slot:
    """A pooled worktree: its small number, its folder, its own git folder."""

    number: int
    path: Path
    git_dir: Path

    @property
    def index(self) -> Path:
        """The index that git uses in the slot."""
        return self.git_dir / "index"

    @property
    def saved_index(self) -> Path:
        """The index as it was right after the reset: an agent's tricks with the other cannot reach it."""
        return self.git_dir / SAVED_INDEX


def slots_folder(common_dir: Path, root: Path, configured: str | None, environ: Mapping[str, str]) -> Path:
    """Where the slots of a repository lie.

    Outside of it, because agents would load its instructions twice and editors index every copy; inside
    (`.orchestra/worktrees`) only where there is no home.
    """
    if configured is not None:
        return (root / Path(configured).expanduser()).resolve()
    cache = environ.get("XDG_CACHE_HOME") or ""
    home = environ.get("HOME") or ""
    if Path(cache).is_absolute():
        base = Path(cache)
    elif home:
        base = Path(home) / ".cache"
    else:
        return root / ".orchestra" / "worktrees"
    identity = hashlib.sha256(os.fsencode(common_dir.resolve())).hexdigest()[:12]
    return base / "orchestra" / f"{root.name}-{identity}"


class SlotPool:
    """The slots of one repository. One process at a time works with them (the build's lock sees to it)."""

    def __init__(
        self,
        command: GitCommand,
        root: Path,
        common_dir: Path,
        folder: Path,
        worktrees: Worktrees,
        rescue: Callable[[Slot, str], None],
    ) -> None:
        """`rescue` is called with a slot and an attempt's name before what was not captured is cleared."""
        self._command = command
        self._root = root
        self._common = common_dir
        self._folder = folder
        self._worktrees = worktrees
        self._rescue = rescue
        self._free: set[int] = set()
        self._taken: set[int] = set()

    def acquire(self) -> int:
        """The smallest number that is not in use."""
        number = 1
        while number in self._taken:
            number += 1
        self._taken.add(number)
        return number

    def release(self, number: int) -> None:
        """Give a number back."""
        self._taken.discard(number)

    def prepare(self, number: int, commit: str) -> Slot:
        """The slot of that number, standing exactly at the commit; raises OrchestraError where it cannot."""
        path = self._folder / f"slot-{number}"
        try:
            slot = self._existing(number, path)
            if slot is None:
                slot = self._create(number, path, commit)
            else:
                self._rescue_leftovers(slot)
                self._reset(slot, commit)
            shutil.copy2(slot.index, slot.saved_index)
            self._copy_in(slot)
        except GitFailedError as error:
            raise environment_error(f"cannot prepare the worktree {path}", causes=(str(error),)) from error
        except OSError as error:
            raise environment_error(f"cannot prepare the worktree {path}", causes=(str(error),)) from error
        return slot

    def setup_due(self, slot: Slot, tree: Tree | None = None) -> str | None:
        """The mark that a setup will leave, None where `setup` need not run in the slot.

        It is due where its command or `setup_inputs` changed: as they are in the tree, or without one as they
        stand in the worktree.
        """
        worktrees = self._worktrees
        if worktrees.setup is None:
            return None
        patterns = PatternSet.of(worktrees.setup_inputs)
        if tree is None:
            inputs = self._on_disk(slot, patterns) if worktrees.setup_inputs else {}
        else:
            inputs = {path: tree.files[path].split(" ")[1] for path in tree.matching(patterns)}
        mark = digest([worktrees.setup, inputs])
        return None if _read_text(slot.git_dir / SETUP_MARK) == mark else mark

    def untracked(self, slot: Slot) -> frozenset[str]:
        """All paths that are not in the index, ignored ones included, whole folders as one."""
        listed = self._command.at(slot.path).run("ls-files", "-o", "--directory", "-z", flags=SLOT_FLAGS)
        return frozenset(path.rstrip("/") for path in decode(listed.stdout).split("\0") if path)

    def setup_done(self, slot: Slot, mark: str, before: frozenset[str], *, pristine: bool) -> None:
        """Remember what setup made since `before`, and that it need not run again.

        Where the worktree was `pristine`, what setup did to tracked files is undone: it is no attempt's work.
        """
        if pristine:
            command = self._command.at(slot.path)
            shutil.copy2(slot.saved_index, slot.index)
            command.run("checkout", "-qf", "HEAD", "--", ".", flags=SLOT_FLAGS)
            shutil.copy2(slot.index, slot.saved_index)
        kept = sorted({*self._kept(slot), *(self.untracked(slot) - before)})
        (slot.git_dir / KEPT_PATHS).write_text("\0".join(kept), "utf-8", "surrogateescape")
        (slot.git_dir / SETUP_MARK).write_text(mark)

    def spared(self, slot: Slot) -> tuple[str, ...]:
        """Paths and patterns that survive a reset and are never captured."""
        return (*self._worktrees.keep, *self._worktrees.copy, *self._kept(slot))

    def mark_in_use(self, slot: Slot, attempt: str | None) -> None:
        """Note whose uncaptured work is in the slot; None once it is captured."""
        mark = slot.git_dir / IN_USE
        if attempt is None:
            mark.unlink(missing_ok=True)
        else:
            mark.write_text(attempt)

    # --- within ----------------------------------------------------------------------------------------------

    def _existing(self, number: int, path: Path) -> Slot | None:
        """The slot if it is a worktree of this repository in good order."""
        pointer = _read_text(path / ".git")
        if pointer is None or not pointer.startswith("gitdir: "):
            return None
        git_dir = Path(pointer.removeprefix("gitdir: ").strip())
        if git_dir.parent != self._common / "worktrees" or not (git_dir / SAVED_INDEX).is_file():
            return None
        return Slot(number, path, git_dir)

    def _create(self, number: int, path: Path, commit: str) -> Slot:
        if path.exists():
            # Damaged: not a worktree any more. It is put aside, not deleted.
            aside = path.with_name(f"{path.name}.damaged-{os.getpid()}")
            path.rename(aside)
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if self._folder.is_relative_to(self._root):
            self._exclude()
        self._command.run(
            "worktree", "add", "--quiet", "-f", "-f", "--detach", "--lock", "--reason", "orchestra slot",
            str(path), commit, flags=SLOT_FLAGS,
        )  # fmt: skip
        pointer = (path / ".git").read_text()
        git_dir = Path(pointer.removeprefix("gitdir: ").strip())
        return Slot(number, path, git_dir)

    def _exclude(self) -> None:
        """Keep slots inside the repository out of the person's status."""
        exclude = self._common / "info" / "exclude"
        line = "/" + self._folder.relative_to(self._root).as_posix() + "/"
        present = _read_text(exclude) or ""
        if line not in present.split("\n"):
            exclude.parent.mkdir(exist_ok=True)
            exclude.write_text(
                present + ("" if present.endswith("\n") or not present else "\n") + line + "\n"
            )

    def _rescue_leftovers(self, slot: Slot) -> None:
        attempt = _read_text(slot.git_dir / IN_USE)
        if attempt:
            self._rescue(slot, attempt.strip())
            self.mark_in_use(slot, None)

    def _reset(self, slot: Slot, commit: str) -> None:
        # Whoever held this lock is dead: the supervisor left no process of the last attempt.
        (slot.git_dir / "index.lock").unlink(missing_ok=True)
        for leftover in ("rebase-merge", "rebase-apply", "sequencer"):
            shutil.rmtree(slot.git_dir / leftover, ignore_errors=True)
        for leftover in ("BISECT_LOG", "REVERT_HEAD", "CHERRY_PICK_HEAD", "MERGE_HEAD", "MERGE_MSG"):
            (slot.git_dir / leftover).unlink(missing_ok=True)
        shutil.copy2(slot.saved_index, slot.index)
        command = self._command.at(slot.path)
        command.run("checkout", "-qf", "--detach", commit, flags=SLOT_FLAGS)
        spared = [word for path in self.spared(slot) for word in ("-e", "/" + _escaped(path))]
        command.run("clean", "-ffdxq", *spared, flags=SLOT_FLAGS)

    def _copy_in(self, slot: Slot) -> None:
        """Bring the person's untracked files that `copy` names into the slot; tracked ones stay the commit's."""
        for pattern in self._worktrees.copy:
            for name in sorted(glob.glob(pattern, root_dir=self._root, recursive=True)):  # noqa: PTH207
                source, target = self._root / name, slot.path / name
                tracked = self._command.at(slot.path).run("ls-files", "-z", "--", f":(literal){name}")
                if tracked.stdout or not target.resolve().is_relative_to(slot.path.resolve()):
                    continue
                target.parent.mkdir(parents=True, exist_ok=True)
                if source.is_dir():
                    shutil.copytree(source, target, symlinks=True, dirs_exist_ok=True)
                else:
                    shutil.copy2(source, target)

    def _on_disk(self, slot: Slot, patterns: PatternSet) -> dict[str, str]:
        """The ids that the files in the worktree which match would have."""
        command = self._command.at(slot.path)
        listed = command.run("ls-files", "-c", "-o", "--exclude-standard", "-z", flags=SLOT_FLAGS)
        paths = sorted(
            {
                path
                for path in decode(listed.stdout).split("\0")
                if path and patterns.matches(path) and (slot.path / path).is_file()
            }
        )
        ids = {}
        for path in paths:
            ids[path] = command.run("hash-object", "--", path).text
        return ids

    def _kept(self, slot: Slot) -> tuple[str, ...]:
        text = _read_text(slot.git_dir / KEPT_PATHS)
        return tuple(text.split("\0")) if text else ()


def _read_text(path: Path) -> str | None:
    try:
        return path.read_text("utf-8", "surrogateescape")
    except OSError:
        return None


def _escaped(path: str) -> str:
    """A path or pattern for `git clean -e`: a backslash and a leading `#` or `!` would be special there."""
    return path.replace("\\", "\\\\").rstrip("/")
