"""A person's repository in a temporary folder, slots of it, and what lies in folders and trees, for the tests."""

from __future__ import annotations

import os
import stat
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from orchestra.model.tasks import Worktrees
from orchestra.vcs.capture import Captured, capture, rescue
from orchestra.vcs.repository import Repository
from orchestra.vcs.slots import Slot, SlotPool, slots_folder

Files = dict[str, tuple[str, bytes]]
"""By path: the mode as git writes it, and the content (of a symbolic link: where it leads)."""

KEEP = "refs/orchestra/results/test/a-1"


def environment(home: Path) -> dict[str, str]:
    """An environment in which nothing of the machine's person is seen."""
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("GIT_", "ORCHESTRA_", "XDG_", "CLAUDE"))
    }
    return {**inherited, "HOME": str(home), "GIT_CONFIG_NOSYSTEM": "1", "NO_COLOR": "1"}


@dataclass
class Person:
    """A person with a repository below their home. Its branch is `main`."""

    home: Path
    name: str = "project"
    init: tuple[str, ...] = ()
    env: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.root = self.home / self.name
        self.root.mkdir(parents=True)
        self.env = {**environment(self.home), **self.env}
        self.git("init", "--quiet", "--initial-branch=main", *self.init)
        self.git("config", "--global", "user.name", "A Person")
        self.git("config", "--global", "user.email", "person@example.org")

    def git(self, *argv: str, cwd: Path | None = None, status: int | None = 0, stdin: str = "") -> str:
        """Run git as the person does; gives what it printed. `status` None: whatever comes."""
        done = subprocess.run(
            ["git", *argv],
            cwd=cwd or self.root,
            env=self.env,
            capture_output=True,
            input=stdin.encode(),
            check=False,
        )
        assert status is None or done.returncode == status, (argv, done.returncode, done.stderr)
        return os.fsdecode(done.stdout).removesuffix("\n")

    def sh(self, script: str, cwd: Path | None = None) -> str:
        """Run a shell script as the person, or an agent, does."""
        done = subprocess.run(
            ["sh", "-e", "-c", script],
            cwd=cwd or self.root,
            env=self.env,
            capture_output=True,
            check=False,
        )
        assert done.returncode == 0, (script, done.stderr)
        return os.fsdecode(done.stdout)

    def write(self, path: str, content: str | bytes, at: Path | None = None) -> Path:
        """Write a file of the checkout."""
        file = (at or self.root) / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content.encode() if isinstance(content, str) else content)
        return file

    def commit(self, message: str = "work", cwd: Path | None = None) -> str:
        """Commit all; gives the commit."""
        self.git("add", "--all", cwd=cwd)
        self.git("commit", "--quiet", "--allow-empty", "--message", message, cwd=cwd)
        return self.git("rev-parse", "HEAD", cwd=cwd)

    def head(self, name: str = "HEAD") -> str:
        """The commit that a name stands for."""
        return self.git("rev-parse", "--verify", name)

    def refs(self, prefix: str) -> dict[str, str]:
        """The refs below a prefix."""
        out = self.git("for-each-ref", "--format=%(refname) %(objectname)", prefix)
        return dict(line.split(" ", 1) for line in out.splitlines())

    def repository(self) -> Repository:
        """The repository as orchestra opens it."""
        return Repository.open(self.root, self.env)

    def committed(self, commit: str) -> Files:
        """The files of a commit, read by git's own plumbing; of a submodule the commit."""
        out = subprocess.run(
            ["git", "ls-tree", "-r", "-z", commit],
            cwd=self.root,
            env=self.env,
            capture_output=True,
            check=True,
        ).stdout
        entries = [record.split(b"\t", 1) for record in out.split(b"\0") if record]
        found: Files = {}
        for meta, path in entries:
            mode, kind, object_id = meta.decode().split(" ")
            content = object_id.encode()
            if kind == "blob":
                content = subprocess.run(
                    ["git", "cat-file", "blob", object_id], cwd=self.root, capture_output=True, check=True
                ).stdout
            found[os.fsdecode(path)] = (mode, content)
        return found


class Bench:
    """The slots of a person's repository, with what a build does with them."""

    def __init__(self, person: Person, **worktrees: object) -> None:
        self.person = person
        self.repository = person.repository()
        self.worktrees = Worktrees(**worktrees)  # type: ignore[arg-type]
        self.rescued: list[str | None] = []
        self.folder = slots_folder(
            self.repository.common_dir, self.repository.root, self.worktrees.dir, person.env
        )
        self.pool = SlotPool(
            self.repository.command,
            self.repository.root,
            self.repository.common_dir,
            self.folder,
            self.worktrees,
            self._rescue,
        )

    def _rescue(self, slot: Slot, attempt: str) -> None:
        self.rescued.append(rescue(self.repository, slot, attempt, self.pool.spared(slot)))

    def prepare(self, commit: str | None = None, number: int = 1) -> Slot:
        """The slot at a commit (the person's HEAD)."""
        return self.pool.prepare(number, commit or self.person.head())

    def set_up(self, slot: Slot, *, pristine: bool = True) -> bool:
        """Run setup where it is due, as an attempt does; whether it was."""
        mark = self.pool.setup_due(slot, lambda: self.repository.tree(slot.base or "")) if pristine else None
        mark = mark if pristine else self.pool.setup_due(slot)
        if mark is None:
            return False
        before = self.pool.untracked(slot)
        self.person.sh(self.worktrees.setup or "", cwd=slot.path)
        self.pool.setup_done(slot, mark, before, pristine=pristine)
        return True

    def capture(self, slot: Slot, ref: str = KEEP) -> Captured:
        """Capture the slot on its base."""
        assert slot.base is not None
        spared = self.pool.spared(slot)
        return capture(self.repository, slot, slot.base, spared, ref, "Attempt a-1 at task\n")

    def captured(self, slot: Slot, ref: str = KEEP) -> Files:
        """The files of the captured tree: of the base, where nothing changed."""
        commit = self.capture(slot, ref).commit
        return self.person.committed(commit or slot.base or "")

    def status(self, slot: Slot) -> list[str]:
        """What git says of the slot, ignored paths included, to a person who looks."""
        out = self.person.git("status", "--porcelain", "-z", "--ignored", cwd=slot.path)
        return [record for record in out.split("\0") if record]


def on_disk(folder: Path) -> Files:
    """All regular files and links below a folder, `.git` left out."""
    found: Files = {}
    for at, folders, names in os.walk(folder):
        links = [name for name in folders if (Path(at) / name).is_symlink()]
        folders[:] = [name for name in folders if name not in (".git", *links)]
        for name in (*names, *links):
            path = Path(at) / name
            mode = path.lstat().st_mode
            if name == ".git":
                continue
            if stat.S_ISLNK(mode):
                found[str(path.relative_to(folder))] = ("120000", os.readlink(os.fsencode(path)))  # noqa: PTH115
            elif stat.S_ISREG(mode):
                kind = "100755" if mode & stat.S_IXUSR else "100644"
                found[str(path.relative_to(folder))] = (kind, path.read_bytes())
    return found


def plain(files: Mapping[str, str]) -> Files:
    """Regular files with these texts."""
    return {path: ("100644", text.encode()) for path, text in files.items()}


def calls(trace: Path) -> list[list[str]]:
    """The git commands, without what they started themselves, that were traced to a file (GIT_TRACE2_EVENT)."""
    import json

    found = []
    for line in trace.read_text().splitlines():
        event = json.loads(line)
        if event["event"] == "start" and "/" not in event["sid"]:
            found.append(event["argv"])
    return found
