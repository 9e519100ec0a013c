"""What a watch sees when it looks: manifest and prompts on the disk, the branch, what git is in the middle of."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from orchestra.cli.options import Project, Settings
from orchestra.model.errors import OrchestraError
from orchestra.model.tasks import Manifest
from orchestra.vcs.advance import checkouts_of, finish_or_drop, git_dir_of, rebased_in, said_of, under_way
from orchestra.vcs.command import decode, encode
from orchestra.vcs.repository import Head, Repository
from orchestra.watching.builder import WorkOrder, troubles
from orchestra.watching.places import Places, Sources, places, stamp, waiting_for
from orchestra.watching.session import Look
from orchestra.watching.versions import Sight


class DiskLooker:
    """Implements Looker for the builds that `order` describes."""

    def __init__(self, order: WorkOrder, root: Path, manifest: str, targets: tuple[str, ...]) -> None:
        """`manifest` is the path of the manifest, whether or not there is one."""
        self._order = order
        self._root = root
        self._manifest = manifest
        self._targets = targets
        self._good: Sight | None = None
        self._prompts: tuple[str, ...] = Manifest((), {}).prompts

    def look(self) -> Look:
        """See Looker."""
        if not self._root.is_dir():
            return Look(waiting_for(str(self._root)), gone=True)
        order = self._order
        project = Project(
            Settings(),
            directory=order.directory if Path(order.directory).is_dir() else str(self._root),
            file=order.file,
            agent=order.agent,
            into=order.into,
            advance=order.advance,
            include_dirty=order.include_dirty,
        )
        try:
            repository = project.repository
            head = repository.head()
        except OrchestraError as error:
            return Look(self._without_git(), self._good, troubles(error))
        busy = _in_the_middle(repository, head)
        if busy is not None:
            return Look(self._places(repository, head, self._good), busy=busy)
        before = self._stamps(repository)
        try:
            manifest = project.written
        except OrchestraError as error:
            good = self._good
            sight = None if good is None else replace(good, commit=head.commit, branch=head.branch)
            return Look(self._places(repository, head, good), sight, troubles(error))
        self._prompts = manifest.prompts
        commit = head.commit
        try:
            target = project.target
            if order.advance and target.branch is not None and target.branch != head.branch:
                busy = _elsewhere(repository, target.branch)
                if busy is not None:
                    return Look(self._places(repository, target, self._good), busy=busy)
            commit = target.commit
            if order.include_dirty:
                from orchestra.vcs.snapshot import snapshot

                commit = snapshot(repository, commit)
        except OrchestraError as error:
            return Look(self._places(repository, head, self._good), None, troubles(error))
        found = self._places(repository, target, Sight(manifest, commit, target.branch))
        # What was not known before was not read before either.
        stamps = {path: before.get(path, stamp(path)) for path in found.files}
        self._good = Sight(manifest, commit, target.branch, stamps)
        return Look(found, self._good)

    def as_landed(self, paths: frozenset[str], tip: str) -> bool:
        """See Looker."""
        repository = Repository.open(self._root)
        listed = sorted(f":(top,literal){path}" for path in paths)
        done = repository.command.run("diff", "--quiet", "--no-ext-diff", tip, "--", *listed, allow=(0, 1))
        return done.status == 0

    # --- within ----------------------------------------------------------------------------------------------

    def _stamps(self, repository: Repository) -> dict[str, tuple[int, ...]]:
        sources = Sources(
            str(self._root),
            self._manifest,
            self._prompts,
            str(repository.git_dir),
            str(repository.common_dir),
        )
        return {
            path: stamp(path) for path in places(sources, lambda paths: _ignored(repository, paths)).files
        }

    def _places(self, repository: Repository, head: Head, sight: Sight | None) -> Places:
        checkout: tuple[str, ...] | None = ()
        if self._order.include_dirty:
            checkout = _counting(sight.manifest) if sight is not None else None
        sources = Sources(
            str(self._root),
            self._manifest,
            self._prompts,
            str(repository.git_dir),
            str(repository.common_dir),
            tuple(ref for ref in (head.branch,) if ref is not None),
            checkout,
        )
        return places(sources, lambda paths: _ignored(repository, paths))

    def _without_git(self) -> Places:
        """Where to look while there is no repository, or none with a commit."""
        root, git = str(self._root), f"{self._root}/.git"
        sources = Sources(root, self._manifest, self._prompts, git, git, ("refs/heads/main",))
        found = places(sources, lambda paths: frozenset())
        return replace(found, exact=found.exact | {git})


def _counting(manifest: Manifest) -> tuple[str, ...] | None:
    """The patterns of the files that decide what is fresh; None: of all."""
    found = {text for task in manifest.tasks for text in (*task.claims.read, *(task.claims.writable or ()))}
    if any(task.claims.write is None and task.run is not None for task in manifest.tasks):
        return None
    return tuple(sorted({*found, *manifest.context}))


def _in_the_middle(repository: Repository, head: Head) -> str | None:
    """What git is in the middle of, in words: a person's rebase, or a command that is changing the checkout now."""
    what = under_way(repository.git_dir)
    if what is not None:
        return f"{said_of(what, repository.root)}: {finish_or_drop(what)}"
    rebased = rebased_in(repository.common_dir, head.branch) if head.branch is not None else None
    if rebased is not None:
        return f"{said_of('rebase', rebased)}: {finish_or_drop('rebase')}"
    lock = repository.git_dir / "index.lock"
    if lock.exists():
        return f"git is at work: {lock} exists (if no git is, remove it)"
    return None


def _elsewhere(repository: Repository, branch: str) -> str | None:
    """What git is in the middle of where a branch is checked out that is not the one here, in words."""
    rebased = rebased_in(repository.common_dir, branch)
    if rebased is not None:
        return f"{said_of('rebase', rebased)}: {finish_or_drop('rebase')}"
    for place in checkouts_of(repository.command, branch):
        what = under_way(git_dir_of(repository.command.at(place))) if place.is_dir() else None
        if what is not None:
            return f"{said_of(what, place)}: {finish_or_drop(what)}"
    return None


def _ignored(repository: Repository, paths: list[str]) -> frozenset[str]:
    stdin = encode("".join(f"{path}\0" for path in paths))
    done = repository.command.run("check-ignore", "-z", "--stdin", stdin=stdin, allow=(0, 1, 128))
    return frozenset(decode(done.stdout).split("\0"))
