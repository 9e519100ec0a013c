"""Slots: pooled worktrees outside the repository, each reset to the exact commit that an attempt starts from.

A reset slot costs a hundredth of a new worktree. What `setup` and `copy` made, and what `keep` names, survives
the reset and is never captured; all else that is not in the commit goes, after it was rescued to a ref if an
attempt was cut off before its capture. A slot that is damaged beyond a reset makes way for a new one.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from orchestra.model.errors import OrchestraError, environment_error
from orchestra.model.keys import digest
from orchestra.model.patterns import PatternSet
from orchestra.model.tasks import Worktrees
from orchestra.model.trees import STATE_FOLDER, Tree
from orchestra.vcs.command import OBJECT_ID, OWN_FLAGS, GitCommand, decode, encode
from orchestra.vcs.copies import copy_in
from orchestra.vcs.folders import make_writable, put_aside, remove
from orchestra.vcs.spared import Spared, as_ignored
from orchestra.vcs.submodules import empty_submodules, note_submodules

SAVED_INDEX = "orchestra-index"
BASE = "orchestra-base"
KEPT_PATHS = "orchestra-kept"
COPIED_PATHS = "orchestra-copied"
SETUP_MARK = "orchestra-setup"
IN_USE = "orchestra-attempt"
SAVED_CONFIG = "orchestra-config"

UNDER_WAY = (
    "rebase-merge", "rebase-apply", "sequencer", "BISECT_*", "REVERT_HEAD", "CHERRY_PICK_HEAD", "MERGE_*",
    "AUTO_MERGE", "SQUASH_MSG",
    # Whoever held a lock is dead: the supervisor left no process of the last attempt.
    "*.lock",
    # An agent may have made its worktree a sparse one.
    "info/sparse-checkout",
)  # fmt: skip
"""What an agent may leave in a worktree's git folder that would change what git does there next."""

MANY = 200
"""Files that a setup made and git does not ignore: from here on they are noted by folder, not one by one."""


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

    def git(self, command: GitCommand) -> GitCommand:
        """Git in the slot, whatever became of its `.git`: git would look for another one further up."""
        env = {"GIT_DIR": str(self.git_dir), "GIT_WORK_TREE": str(self.path)}
        return command.at(self.path, flags=OWN_FLAGS, env=env)

    @property
    def base(self) -> str | None:
        """The commit that it was last reset to."""
        return _read_text(self.git_dir / BASE)

    def mend_head(self) -> None:
        """Put a HEAD there where an agent left none (`git update-ref -d HEAD`): without it git sees no repository."""
        head = self.git_dir / "HEAD"
        text = _read_text(head) or ""
        if self.base and not text.startswith("ref: ") and not OBJECT_ID.fullmatch(text.strip()):
            head.write_text(self.base + "\n")


def slots_folder(common_dir: Path, root: Path, configured: str | None, environ: Mapping[str, str]) -> Path:
    """Where the slots of a repository lie.

    Outside of it, because agents would load its instructions twice and editors index every copy; inside
    (`.orchestra/worktrees`) only where there is no home.
    """
    identity = hashlib.sha256(os.fsencode(common_dir.resolve())).hexdigest()[:12]
    name = f"{root.name}-{identity}"
    if configured is not None:
        # Two repositories may name the same folder.
        return (root / Path(configured).expanduser()).resolve() / name
    cache = environ.get("XDG_CACHE_HOME") or ""
    home = environ.get("HOME") or ""
    if Path(cache).is_absolute():
        base = Path(cache)
    elif home:
        base = Path(home) / ".cache"
    else:
        return root / ".orchestra" / "worktrees"
    return base / "orchestra" / name


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
        named: str = "slot-{}",
    ) -> None:
        """`rescue` is called with a slot and an attempt's name before what was not captured is cleared; `named` is
        what the folders of slots are called, with their numbers for `{}`.
        """
        self._command = command
        self._root = root
        self._common = common_dir
        # As git notes it: without symbolic links.
        self._folder = folder.resolve()
        self._worktrees = worktrees
        self._rescue = rescue
        self._named = named
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
        path = self._folder / self._named.replace("{}", str(number))
        with _told(f"cannot prepare the worktree {path}"):
            slot = self._registered(number, path)
            if slot is not None:
                self._rescue_leftovers(slot)
            if slot is None or not self._in_order(slot) or not self._reset(slot, commit):
                slot = self._create(slot, number, path, commit)
            # With its times, by which git knows what may have changed in the same moment.
            shutil.copy2(slot.index, slot.saved_index)
            (slot.git_dir / BASE).write_text(commit)
            # From here on it tells where an agent took HEAD.
            (slot.git_dir / "logs" / "HEAD").unlink(missing_ok=True)
            self._copy(slot)
        return slot

    def setup_due(self, slot: Slot, tree: Callable[[], Tree] | None = None) -> str | None:
        """The mark that a setup will leave, None where `setup` need not run in the slot.

        It is due where its command or `setup_inputs` changed: as they are in the tree, or without one as they
        stand in the worktree. Of symbolic links only what they lead to counts.
        """
        worktrees = self._worktrees
        if worktrees.setup is None:
            return None
        inputs: Mapping[str, str] = {}
        if worktrees.setup_inputs:
            patterns = PatternSet.of(worktrees.setup_inputs)
            inputs = self._on_disk(slot, patterns) if tree is None else _in_tree(tree(), patterns)
        mark = digest([worktrees.setup, inputs])
        return None if _read_text(slot.git_dir / SETUP_MARK) == mark else mark

    def untracked(self, slot: Slot) -> frozenset[str]:
        """All paths that the base does not hold, ignored ones included; folders that are ignored as one."""
        return self._strangers(slot, "--untracked-files=all")

    def setup_done(self, slot: Slot, mark: str, before: frozenset[str], *, pristine: bool) -> None:
        """Remember what setup made since `before`, and that it need not run again.

        Where the worktree was `pristine`, what setup did to tracked files is undone: it is no attempt's work.
        """
        with _told(f"cannot note what the setup made in {slot.path}"):
            if pristine:
                shutil.copy2(slot.saved_index, slot.index)
                slot.git(self._command).run("checkout-index", "-qfau")
                shutil.copy2(slot.index, slot.saved_index)
            made = self.untracked(slot) - before
            if len(made) > MANY:
                # What was there before stands in no folder that setup alone made.
                folders = self._strangers(slot, "--untracked-files=normal")
                made = frozenset(f for f in folders if not any(_within(path, f) for path in before))
            _write_names(slot.git_dir / KEPT_PATHS, {*self._kept(slot), *made})
            note_submodules(self._command, slot)
            (slot.git_dir / SETUP_MARK).write_text(mark)

    def spared(self, slot: Slot) -> Spared:
        """What survives a reset and is never captured."""
        copied = _read_names(slot.git_dir / COPIED_PATHS)
        return Spared(self._worktrees.keep, (*copied, *self._kept(slot)))

    def mark_in_use(self, slot: Slot, attempt: str | None) -> None:
        """Note whose uncaptured work is in the slot; None once it is captured."""
        mark = slot.git_dir / IN_USE
        with _told(f"cannot note who works in {slot.path}"):
            if attempt is None:
                mark.unlink(missing_ok=True)
            else:
                mark.write_text(attempt)

    # --- within ----------------------------------------------------------------------------------------------

    def _registered(self, number: int, path: Path) -> Slot | None:
        """The slot as git has it on its list of worktrees, whatever became of its folder."""
        for git_dir in sorted((self._common / "worktrees").glob("*")):
            if (_read_text(git_dir / "gitdir") or "").removesuffix("\n") == str(path / ".git"):
                return Slot(number, path, git_dir)
        return None

    def _in_order(self, slot: Slot) -> bool:
        """Whether it can be reset; a `.git` that an agent removed or bent is put right."""
        pointer = slot.path / ".git"
        if slot.path.is_symlink() or not slot.path.is_dir() or not slot.saved_index.is_file():
            return False
        if pointer.is_dir() and not pointer.is_symlink():
            # An agent's own repository, whose history is nowhere else.
            return False
        text = f"gitdir: {slot.git_dir}\n"
        if pointer.is_symlink() or _read_text(pointer) != text:
            pointer.unlink(missing_ok=True)
            pointer.write_bytes(encode(text))
        return True

    def _create(self, old: Slot | None, number: int, path: Path, commit: str) -> Slot:
        if os.path.lexists(path):
            if old is None or (path / ".git").is_dir():
                # Nothing of ours as far as can be told, or an agent's own repository: not deleted.
                put_aside(path, f"{path.name}.damaged")
            else:
                # Half made, or damaged after its work was captured or rescued.
                remove(path)
        if old is not None:
            remove(old.git_dir)
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if self._folder.is_relative_to(self._root):
            self._exclude()
        self._command.at(self._root, flags=OWN_FLAGS).run(
            "worktree", "add", "--quiet", "-f", "-f", "--detach", "--lock", "--reason", "orchestra slot",
            str(path), commit,
        )  # fmt: skip
        slot = self._registered(number, path)
        if slot is None:
            raise environment_error("git does not list the worktree that it made")
        config = slot.git_dir / "config.worktree"
        if config.exists():
            # Taken over from a person's checkout that is sparse: an agent's own git must not heed it here.
            self._command.run("config", "--file", str(config), "core.sparseCheckout", "false")
            shutil.copy2(config, slot.git_dir / SAVED_CONFIG)
        return slot

    def _exclude(self) -> None:
        """Keep slots inside the repository out of the person's status."""
        exclude = self._common / "info" / "exclude"
        line = as_ignored(self._folder.relative_to(self._root).as_posix()) + "/"
        present = _read_text(exclude) or ""
        if line not in present.split("\n"):
            exclude.parent.mkdir(exist_ok=True)
            text = present + ("" if present.endswith("\n") or not present else "\n") + line + "\n"
            exclude.write_bytes(encode(text))

    def _rescue_leftovers(self, slot: Slot) -> None:
        attempt = _read_text(slot.git_dir / IN_USE)
        if attempt:
            self._rescue(slot, attempt.strip())
            self.mark_in_use(slot, None)

    def _reset(self, slot: Slot, commit: str) -> bool:
        """Bring the slot to the commit; whether that could be done."""
        try:
            self._reset_once(slot, commit)
        except (OrchestraError, OSError):
            # Folders that an agent or its tools made read-only are the common reason.
            make_writable(slot.path)
            try:
                self._reset_once(slot, commit)
            except (OrchestraError, OSError):
                return False
        return True

    def _reset_once(self, slot: Slot, commit: str) -> None:
        for pattern in UNDER_WAY:
            for leftover in slot.git_dir.glob(pattern):
                remove(leftover)
        remove(slot.git_dir / "config.worktree")
        if (slot.git_dir / SAVED_CONFIG).exists():
            shutil.copy2(slot.git_dir / SAVED_CONFIG, slot.git_dir / "config.worktree")
        shutil.copy2(slot.saved_index, slot.index)
        slot.mend_head()
        git = slot.git(self._command)
        # First of all the links that an agent put in the place of folders: git would look for files behind them.
        self._clean(slot)
        git.run("checkout", "-qf", "--detach", commit)
        if empty_submodules(self._command, slot):
            (slot.git_dir / SETUP_MARK).unlink(missing_ok=True)
        if self._drop_kept_that_is_tracked(slot):
            self._clean(slot)

    def _clean(self, slot: Slot) -> None:
        spared = [word for line in self.spared(slot).ignored() for word in ("-e", line)]
        slot.git(self._command).run("clean", "-ffdxq", *spared)

    def _drop_kept_that_is_tracked(self, slot: Slot) -> bool:
        """What setup made once and the commit now holds is the commit's: an attempt may change it. Whether there was
        such.
        """
        kept = self._kept(slot)
        if not kept:
            return False
        specs = [f":(literal){path}" for path in kept]
        tracked = slot.git(self._command).run("ls-files", "-z", "--", *specs).stdout
        paths = [path for path in decode(tracked).split("\0") if path]
        if paths:
            left = {name for name in kept if not any(_within(path, name) for path in paths)}
            _write_names(slot.git_dir / KEPT_PATHS, left)
            (slot.git_dir / SETUP_MARK).unlink(missing_ok=True)
        return bool(paths)

    def _copy(self, slot: Slot) -> None:
        """Bring the person's untracked files that `copy` names into the slot."""
        noted = slot.git_dir / COPIED_PATHS
        before = _read_names(noted)
        if self._worktrees.copy or before:
            git = slot.git(self._command)
            _write_names(noted, copy_in(git, self._root, slot.path, self._worktrees.copy, before))

    def _strangers(self, slot: Slot, how: str) -> frozenset[str]:
        # By the saved index: an agent may have staged what it made. Nothing is written, so it stays as it is.
        env = {"GIT_INDEX_FILE": str(slot.saved_index)}
        listed = slot.git(self._command).run(
            "status", "--porcelain", "-z", "--no-renames", "--ignored=matching", how, env=env
        )
        records = decode(listed.stdout).split("\0")
        return frozenset(record[3:].rstrip("/") for record in records if record[:2] in ("??", "!!"))

    def _on_disk(self, slot: Slot, patterns: PatternSet) -> dict[str, str]:
        """The ids that the files in the worktree which match would have."""
        git = slot.git(self._command)
        listed = git.run("ls-files", "-c", "-o", "--exclude-standard", "-z")
        paths = sorted(
            {
                path
                for path in decode(listed.stdout).split("\0")
                if path and not path.startswith(STATE_FOLDER) and patterns.matches(path)
                if (slot.path / path).is_file() and not (slot.path / path).is_symlink()
            }
        )
        # A name that begins with a quotation mark is read as git would print it: so may hold a newline.
        quoted = (path.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") for path in paths)
        stdin = encode("".join(f'"{path}"\n' for path in quoted))
        ids = git.run("hash-object", "--stdin-paths", stdin=stdin).text
        return dict(zip(paths, ids.split("\n") if ids else (), strict=True))

    def _kept(self, slot: Slot) -> tuple[str, ...]:
        return _read_names(slot.git_dir / KEPT_PATHS)


@contextmanager
def _told(what: str) -> Iterator[None]:
    """Tells a person what could not be done when git or the disk refuses."""
    try:
        yield
    except OrchestraError as error:
        raise environment_error(what, causes=(str(error), *error.causes), hint=error.hint) from error
    except OSError as error:
        raise environment_error(what, causes=(str(error),)) from error


def _in_tree(tree: Tree, patterns: PatternSet) -> dict[str, str]:
    """The ids of the regular files of a tree which match."""
    states = ((path, tree.files[path].split(" ")) for path in tree.matching(patterns))
    return {path: state[1] for path, state in states if state[0].startswith("100")}


def _within(path: str, folder: str) -> bool:
    """Whether the path is that of the folder, or of something in it."""
    return path == folder or path.startswith(folder + "/")


def _read_text(path: Path) -> str | None:
    try:
        return decode(path.read_bytes())
    except OSError:
        return None


def _read_names(path: Path) -> tuple[str, ...]:
    text = _read_text(path)
    return tuple(text.split("\0")) if text else ()


def _write_names(path: Path, names: set[str]) -> None:
    path.write_bytes(encode("\0".join(sorted(names))))
