"""The repository as the engine sees it: refs, trees, blobs, merges, commits.

Git is asked each time: nothing that could change is remembered, only the trees of a few commits.
"""

from __future__ import annotations

import re
import tempfile
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from orchestra.model.authors import Author
from orchestra.model.errors import environment_error
from orchestra.model.ports import Advance, CommitRequest, Merged, PastChange, Placed, RefUpdate
from orchestra.model.text import clean
from orchestra.model.trees import FileState, Tree
from orchestra.vcs.advance import advance_branch
from orchestra.vcs.changes import parse_changes
from orchestra.vcs.command import (
    MINIMUM_GIT,
    OBJECT_ID,
    OWN_FLAGS,
    GitCommand,
    GitFailedError,
    decode,
    encode,
)
from orchestra.vcs.placing import place_branch

STATE_FOLDER = "orchestra"
REGULAR = "100644"
TREES = 8
"""How many trees are remembered: those of the tip, a few bases and results."""


@dataclass(frozen=True, slots=True)
class Head:
    """What is checked out: the commit and its branch (`refs/heads/...`, None where detached)."""

    commit: str
    branch: str | None


class Repository:
    """One repository and the worktree from which orchestra was called. Implements the Git protocol."""

    def __init__(self, command: GitCommand, root: Path, git_dir: Path, common_dir: Path) -> None:
        self.command = command
        self.root = root
        self.git_dir = git_dir
        self.common_dir = common_dir
        self._own = command.at(root, flags=OWN_FLAGS)
        self._trees: OrderedDict[str, Tree] = OrderedDict()

    @classmethod
    def open(cls, directory: Path, environ: Mapping[str, str] | None = None) -> Repository:
        """The repository that holds the directory; raises OrchestraError (exit status 3) where none does."""
        command = GitCommand(directory, environ)
        try:
            found = command.run(
                "rev-parse", "--path-format=absolute", "--show-toplevel", "--git-dir", "--git-common-dir"
            )
        except GitFailedError as error:
            raise _not_usable(directory, error) from error
        paths = [Path(line) for line in found.text.split("\n")]
        if len(paths) != 3:
            raise environment_error(f"{directory}: a repository whose path holds a newline is not supported")
        top, git_dir, common = paths
        return cls(command.at(top), top, git_dir, common)

    @property
    def state_folder(self) -> Path:
        """Where history, logs and caches lie: inside the common git directory, shared by all worktrees."""
        return self.common_dir / STATE_FOLDER

    def head(self) -> Head:
        """What is checked out; raises OrchestraError where there is no commit yet."""
        try:
            commit, name = self.command.run("rev-parse", "HEAD", "--symbolic-full-name", "HEAD").text.split(
                "\n"
            )
        except GitFailedError as error:
            raise environment_error(
                "the repository has no commit yet",
                hint="git add -A && git commit -m 'first commit'",
            ) from error
        return Head(commit, None if name == "HEAD" else name)

    def require_version(self) -> None:
        """Raise OrchestraError where git is too old."""
        text = self.command.run("--version").text
        match = re.search(r"(\d+)\.(\d+)", text)
        if match is None or (int(match[1]), int(match[2])) < MINIMUM_GIT:
            raise environment_error(
                f"{text} is too old",
                hint="install git 2.38 or newer (on Ubuntu 22.04: the git-core PPA)",
            )

    # --- the Git protocol ------------------------------------------------------------------------------------

    def resolve(self, ref: str) -> str | None:
        """See `orchestra.model.ports.Git`."""
        done = self.command.run(
            "rev-parse", "--verify", "--quiet", "--end-of-options", ref, allow=(0, 1, 128)
        )
        return done.text if done.status == 0 and done.text else None

    def tree(self, commit: str) -> Tree:
        """See `orchestra.model.ports.Git`."""
        found = self._trees.get(commit)
        if found is not None:
            self._trees.move_to_end(commit)
            return found
        out = decode(self.command.run("ls-tree", "-r", "-z", "--full-tree", commit).stdout)
        files: dict[str, FileState] = {}
        for record in out.split("\0"):
            if record:
                meta, path = record.split("\t", 1)
                mode, _, object_id = meta.split(" ")
                files[path] = f"{mode} {object_id}"
        tree = Tree(commit, files)
        # What an object id stands for never changes; what a ref does may.
        if OBJECT_ID.fullmatch(commit):
            self._trees[commit] = tree
            if len(self._trees) > TREES:
                self._trees.popitem(last=False)
        return tree

    def read(self, ids: Sequence[str]) -> tuple[bytes, ...]:
        """See `orchestra.model.ports.Git`."""
        if not ids:
            return ()
        out = self.command.run("cat-file", "--batch", stdin="".join(f"{i}\n" for i in ids).encode()).stdout
        contents: list[bytes] = []
        at = 0
        for object_id in ids:
            end = out.index(b"\n", at)
            header = out[at:end].split(b" ")
            if len(header) != 3:
                raise GitFailedError(("cat-file", object_id), 0, decode(out[at:end]))
            size = int(header[2])
            contents.append(out[end + 1 : end + 1 + size])
            at = end + 1 + size + 1
        return tuple(contents)

    def merge(self, base: str, ours: str, theirs: str) -> Merged:
        """See `orchestra.model.ports.Git`."""
        trees = [f"{commit}^{{tree}}" for commit in (base, ours, theirs)]
        before, one, other = self.command.run("rev-parse", *trees).text.split("\n")
        if before in (one, other):
            # Only one of them changed anything.
            return Merged(other if before == one else one)
        if self.command.run("merge-base", "--all", ours, theirs, allow=(0, 1)).text != base:
            # Their histories lead elsewhere: the base is given by parents made for it (`--merge-base` needs
            # git 2.40).
            root = self._bare_commit(base)
            ours, theirs = self._bare_commit(ours, root), self._bare_commit(theirs, root)
        done = self.command.run(
            "merge-tree", "--write-tree", "-z", "--name-only", "--no-messages", ours, theirs, allow=(0, 1)
        )
        fields = [field for field in decode(done.stdout).split("\0") if field]
        # Status 1 is a conflict only if a tree was written: it also stands for errors.
        if not fields or not OBJECT_ID.fullmatch(fields[0].strip()):
            raise GitFailedError(("merge-tree", ours, theirs), done.status, done.stderr)
        if done.status == 0:
            return Merged(fields[0].strip())
        # Where a file meets a folder, git moves the file aside and names it after the commit.
        aside = re.compile(rf"~(?:{ours}|{theirs})(?:_\d+)?$")
        return Merged(None, tuple(dict.fromkeys(aside.sub("", path) for path in fields[1:])))

    def commit(self, request: CommitRequest) -> str:
        """See `orchestra.model.ports.Git`."""
        tree = self._edited_tree(request.tree, request.edits) if request.edits else request.tree
        author = request.author
        by = {} if author is None else {"GIT_AUTHOR_NAME": author.name, "GIT_AUTHOR_EMAIL": author.email}
        return self._commit_tree(tree, request.parents, request.message, sign=self.signs(), env=by)

    def update_refs(self, updates: tuple[RefUpdate, ...]) -> bool:
        """See `orchestra.model.ports.Git`."""
        if not updates:
            return True
        stdin = encode("".join(_line(update) for update in updates))
        done = self.command.run("update-ref", "--stdin", "-z", stdin=stdin, allow=(0, 1, 128))
        if done.status == 0:
            return True
        # A ref that moved is an answer; a lock that another process holds, or a full disk, is a failure.
        if any(not update.force and self.resolve(update.ref) != update.old for update in updates):
            return False
        raise GitFailedError(("update-ref", "--stdin"), done.status, done.stderr)

    def advance(self, branch: str, old: str, new: str) -> Advance:
        """See `orchestra.model.ports.Git`."""
        advanced = advance_branch(self, branch, old, new)
        if advanced.moved_to is None:
            return advanced
        return replace(advanced, descends=self.is_ancestor(old, advanced.moved_to))

    # --- the past --------------------------------------------------------------------------------------------

    def refs_below(self, *prefixes: str) -> Mapping[str, str]:
        """See `orchestra.model.ports.Past`."""
        out = self.command.run("for-each-ref", "--format=%(objectname) %(refname)", "--", *prefixes).text
        pairs = (line.partition(" ") for line in out.split("\n") if line)
        return {ref: object_id for object_id, _, ref in pairs}

    def is_ancestor(self, old: str, new: str) -> bool:
        """See `orchestra.model.ports.Past`."""
        return self.command.run("merge-base", "--is-ancestor", old, new, allow=(0, 1)).status == 0

    def merge_base(self, one: str, other: str) -> str | None:
        """See `orchestra.model.ports.Past`."""
        return self.command.run("merge-base", one, other, allow=(0, 1)).text or None

    def changes(self, commit: str, folder: str) -> Mapping[str, tuple[PastChange, ...]]:
        """See `orchestra.model.ports.Past`."""
        out = self.command.run(
            "log",
            "--first-parent",
            "--diff-merges=first-parent",
            "--raw",
            "--no-abbrev",
            "--no-renames",
            "-z",
            "--format=tformat:%H %P",
            commit,
            "--",
            folder,
        ).stdout
        return parse_changes(decode(out))

    def message(self, commit: str) -> str:
        """See `orchestra.model.ports.Past`."""
        return decode(self.command.run("log", "-1", "--format=%B", commit).stdout).rstrip("\n") + "\n"

    def parents(self, commit: str) -> tuple[str, ...]:
        """See `orchestra.model.ports.Past`."""
        return tuple(self.command.run("log", "-1", "--format=%P", commit).text.split())

    # --- the shelf -------------------------------------------------------------------------------------------

    def place(self, branch: RefUpdate, memory: RefUpdate) -> Placed:
        """See `orchestra.model.ports.Shelf`."""
        return place_branch(self, branch, memory)

    def author(self, commit: str) -> Author | None:
        """See `orchestra.model.ports.Shelf`."""
        name, email = decode(self.command.run("log", "-1", "--format=%an%x00%ae", commit).stdout).split("\0")
        author = Author(name, email.rstrip("\n"))
        person = self.command.run("var", "GIT_AUTHOR_IDENT").text.rpartition(">")[0]
        return None if person == f"{author.name} <{author.email}" else author

    # --- beside the protocols --------------------------------------------------------------------------------

    def keep_tree(self, tree: str, parents: tuple[str, ...], message: str) -> str:
        """A commit that keeps what an attempt did: never signed, since it is no commit of the person's."""
        return self._commit_tree(tree, parents, message, sign=False)

    def keep_snapshot(self, tree: str, parent: str) -> str:
        """A commit that holds a snapshot of the checkout: in nobody's name and without a time, so that the same
        state gives the same commit.
        """
        return self._bare_commit(tree, parent)

    def identity_problem(self) -> str | None:
        """Why commits cannot be made in the person's name, None where they can."""
        done = self.command.run("var", "GIT_COMMITTER_IDENT", allow=(0, 1, 128))
        if done.status == 0:
            return None
        lines = clean(done.stderr, newlines=True).split("\n")
        return next((line for line in lines if line.startswith("fatal:")), "no identity")

    def signing_problem(self) -> str | None:
        """Why commits cannot be signed as the person's git asks, None where they can or need not be."""
        if not self.signs():
            return None
        try:
            self._commit_tree("HEAD", (), "Can this be signed?\n", sign=True)
        except GitFailedError as error:
            return "; ".join(error.causes) or str(error)
        return None

    def uncommitted(self) -> tuple[str, ...]:
        """The paths of the checkout that differ from HEAD or are untracked (ignored files left out)."""
        out = self.command.run("status", "--porcelain", "-z", "--untracked-files=all", "--no-renames")
        return tuple(record[3:] for record in decode(out.stdout).split("\0") if record)

    def signs(self) -> bool:
        """Whether the person's git signs commits: `commit-tree` does not look by itself."""
        done = self.command.run("config", "--type=bool", "--get", "commit.gpgSign", allow=(0, 1))
        return done.text == "true"

    def _commit_tree(
        self,
        tree: str,
        parents: tuple[str, ...],
        message: str,
        *,
        sign: bool,
        env: Mapping[str, str] | None = None,
    ) -> str:
        flags = ("-S",) if sign else ()
        words = [word for parent in parents for word in ("-p", parent)]
        text = message.encode("utf-8", "replace")
        return self.command.run(
            "commit-tree", *flags, *words, "-F", "-", f"{tree}^{{tree}}", stdin=text, env=env
        ).text

    def _bare_commit(self, commit: str, *parents: str) -> str:
        """A commit that nobody will see: the tree of another with other parents."""
        words = [word for parent in parents for word in ("-p", parent)]
        identity = {
            f"GIT_{role}_{what}": value
            for role in ("AUTHOR", "COMMITTER")
            for what, value in (("NAME", "orchestra"), ("EMAIL", "orchestra@localhost"), ("DATE", "@0 +0000"))
        }
        return self.command.run("commit-tree", *words, f"{commit}^{{tree}}", env=identity).text

    def _edited_tree(self, tree: str, edits: tuple[tuple[str, bytes | None], ...]) -> str:
        with tempfile.TemporaryDirectory(prefix="orchestra-") as folder:
            env = {"GIT_INDEX_FILE": str(Path(folder) / "index")}
            self._own.run("read-tree", f"{tree}^{{tree}}", env=env)
            blobs = self._blobs([content for _, content in edits if content is not None], Path(folder))
            lines = [
                f"0 {'0' * len(tree)}\t{path}\0"
                if content is None
                else f"{REGULAR} {blobs[content]}\t{path}\0"
                for path, content in edits
            ]
            self._own.run("update-index", "-z", "--index-info", stdin=encode("".join(lines)), env=env)
            return self._own.run("write-tree", env=env).text

    def _blobs(self, contents: Sequence[bytes], folder: Path) -> Mapping[bytes, str]:
        """Store blobs, all by one command; gives their ids by content."""
        paths = [folder / f"blob-{number}" for number in range(len(contents))]
        for path, content in zip(paths, contents, strict=True):
            path.write_bytes(content)
        stdin = encode("".join(f"{path}\n" for path in paths))
        ids = self._own.run("hash-object", "-w", "--no-filters", "--stdin-paths", stdin=stdin).text
        return dict(zip(contents, ids.split("\n") if ids else (), strict=True))


def _line(update: RefUpdate) -> str:
    """The update in the words of `git update-ref --stdin -z`."""
    if update.new is None:
        if not update.force and update.old is None:
            return f"verify {update.ref}\0\0"
        return f"delete {update.ref}\0{'' if update.force else update.old}\0"
    if not update.force and update.old is None:
        return f"create {update.ref}\0{update.new}\0"
    return f"update {update.ref}\0{update.new}\0{'' if update.force else update.old}\0"


def _not_usable(directory: Path, error: GitFailedError) -> Exception:
    # The second is what git says because of our own `safe.bareRepository=explicit`.
    if "must be run in a work tree" in error.stderr or "cannot use bare repository" in error.stderr:
        return environment_error(
            f"{directory} belongs to a bare repository",
            hint="call orchestra in a worktree of it: git worktree add ../work",
        )
    if "dubious ownership" in error.stderr:
        return environment_error(
            f"git does not trust the owner of {directory}",
            causes=error.causes[:1],
            hint=f"if you do: git config --global --add safe.directory {directory}",
        )
    return environment_error(
        f"{directory} is not in a git repository",
        causes=error.causes[-1:],
        hint="go into one, or make one: git init && git add -A && git commit -m 'first commit'",
    )
