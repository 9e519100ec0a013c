"""A real repository in the place of the one in memory, for the same machines.

The engine works on a plain `Repository`; what the tests look at afterwards goes through one that remembers what
never changes, and takes refs as the double has them.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from pathlib import Path
from typing import Any, cast

from orchestra.model.ports import CommitRequest, RefUpdate
from orchestra.model.trees import Tree
from orchestra.vcs.memory import MemoryGit
from orchestra.vcs.repository import Repository
from tests.vcs.kit import Person as Owner

from .stage import Stage

ELSEWHERE = "refs/heads/elsewhere"


class Refs(MutableMapping[str, str]):
    """The refs of a repository as a mapping."""

    def __init__(self, git: Repository) -> None:
        self._git = git

    def __getitem__(self, ref: str) -> str:
        found = self._git.resolve(ref)
        if found is None:
            raise KeyError(ref)
        return found

    def __setitem__(self, ref: str, commit: str) -> None:
        assert self._git.update_refs((RefUpdate(ref, commit, force=True),))

    def __delitem__(self, ref: str) -> None:
        assert self._git.update_refs((RefUpdate(ref, None, force=True),))

    def __iter__(self) -> Iterator[str]:
        # That branch only holds the checkout, so that the others can be moved.
        return iter([ref for ref in self._git.refs_below("refs/") if ref != ELSEWHERE])

    def __len__(self) -> int:
        return len(list(iter(self)))


class RealGit(Repository):
    """A repository with what the double has beside the protocols."""

    @classmethod
    def at(cls, root: Path, env: Mapping[str, str]) -> RealGit:
        """The repository in a folder."""
        made = cast(RealGit, cls.open(root, env))
        made.known = {}
        made.contents_of = {}
        made.env = dict(env)
        return made

    known: dict[str, Tree]
    contents_of: dict[str, bytes]
    env: dict[str, str]

    @property
    def refs(self) -> Refs:
        """The refs."""
        return Refs(self)

    @property
    def commits(self) -> range:
        """As many as there are objects: what a null build must not add to."""
        words = self.command.run("count-objects", "-v").text.split()
        return range(int(words[1]) + int(words[words.index("in-pack:") + 1]))

    def tree(self, commit: str) -> Tree:
        """See `orchestra.model.ports.Git`; remembered."""
        if commit not in self.known:
            self.known[commit] = super().tree(commit)
        return self.known[commit]

    def read(self, ids: Sequence[str]) -> tuple[bytes, ...]:
        """See `orchestra.model.ports.Git`; remembered."""
        missing = [each for each in dict.fromkeys(ids) if each not in self.contents_of]
        self.contents_of.update(zip(missing, super().read(missing), strict=True))
        return tuple(self.contents_of[each] for each in ids)

    def contents(self, commit: str) -> Mapping[str, bytes]:
        """The files of a commit with their contents."""
        states = {path: state.split(" ")[1] for path, state in self.tree(commit).files.items()}
        return dict(zip(states, self.read(list(states.values())), strict=True))

    def commit_files(
        self, files: Mapping[str, bytes], parents: tuple[str, ...] = (), message: str = ""
    ) -> str:
        """Make a commit that holds exactly these files."""
        empty = self.command.run("hash-object", "-t", "tree", "-w", "--stdin", stdin=b"").text
        return self.commit(CommitRequest(empty, parents, message, tuple(files.items())))


class RealStage(Stage):
    """A stage on which every repository is a real one, in a folder that goes with the example."""

    folder: Path | None = None
    count = 0

    def repository(self) -> MemoryGit:
        """A new repository, in the double's place; what is checked out is a branch that nobody builds."""
        owner = Owner(self._home(), name=self._name(), init=("--initial-branch=elsewhere",))
        owner.commit("Begin elsewhere")
        return cast(MemoryGit, RealGit.at(owner.root, owner.env))

    def copy(self, git: MemoryGit) -> MemoryGit:
        """See `Stage`."""
        real = cast(RealGit, git)
        to = self._home() / self._name()
        shutil.copytree(real.root, to)
        return cast(MemoryGit, RealGit.at(to, real.env))

    def behind(self, git: Any) -> Any:
        """A repository that remembers nothing for the tests."""
        return Repository.open(git.root, git.env)

    def teardown(self) -> None:
        """Remove all of it."""
        shutil.rmtree(self._home(), ignore_errors=True)

    def _home(self) -> Path:
        if self.folder is None:
            self.folder = Path(tempfile.mkdtemp(prefix="orchestra-real-"))
        return self.folder

    def _name(self) -> str:
        self.count += 1
        return f"repository-{self.count}"
