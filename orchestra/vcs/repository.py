"""The repository as the engine sees it: refs, trees, blobs, merges, commits.

Git is asked each time: nothing that could change is remembered.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from orchestra.model.errors import environment_error
from orchestra.model.ports import Advance, CommitRequest, Merged, RefUpdate
from orchestra.model.trees import FileState, Tree
from orchestra.vcs.advance import advance_branch
from orchestra.vcs.command import MINIMUM_GIT, GitCommand, GitFailedError, decode, encode

STATE_FOLDER = "orchestra"
REGULAR = "100644"


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
        top, git_dir, common = found.text.split("\n")
        return cls(command.at(Path(top)), Path(top), Path(git_dir), Path(common))

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

    def refs(self, *prefixes: str) -> Mapping[str, str]:
        """All refs below the prefixes, with the object ids that they name."""
        out = self.command.run("for-each-ref", "--format=%(objectname) %(refname)", "--", *prefixes).text
        return {line[41:]: line[:40] for line in out.split("\n") if line} if out else {}

    # --- the Git protocol ------------------------------------------------------------------------------------

    def resolve(self, ref: str) -> str | None:
        """See `orchestra.model.ports.Git`."""
        done = self.command.run(
            "rev-parse", "--verify", "--quiet", "--end-of-options", ref, allow=(0, 1, 128)
        )
        return done.text if done.status == 0 and done.text else None

    def tree(self, commit: str) -> Tree:
        """See `orchestra.model.ports.Git`."""
        out = decode(self.command.run("ls-tree", "-r", "-z", "--full-tree", commit).stdout)
        files: dict[str, FileState] = {}
        for record in out.split("\0"):
            if record:
                meta, path = record.split("\t", 1)
                mode, _, object_id = meta.split(" ")
                files[path] = f"{mode} {object_id}"
        return Tree(commit, files)

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
        # The base is given by parents made for it: `--merge-base` needs git 2.40, and the histories of two
        # commits may lead elsewhere where the person rewrote theirs.
        root = self._bare_commit(base)
        ours, theirs = self._bare_commit(ours, root), self._bare_commit(theirs, root)
        done = self.command.run(
            "merge-tree", "--write-tree", "-z", "--name-only", "--no-messages", ours, theirs, allow=(0, 1)
        )
        fields = [field for field in decode(done.stdout).split("\0") if field]
        # Status 1 is a conflict only if a tree was written: it also stands for errors.
        if not fields or not re.fullmatch(r"[0-9a-f]{40,64}", fields[0].strip()):
            raise GitFailedError(("merge-tree", ours, theirs), done.status, done.stderr)
        if done.status == 0:
            return Merged(fields[0].strip())
        return Merged(None, tuple(dict.fromkeys(fields[1:])))

    def commit(self, request: CommitRequest) -> str:
        """See `orchestra.model.ports.Git`."""
        tree = self._edited_tree(request.tree, request.edits) if request.edits else request.tree
        sign = ("-S",) if self.signs() else ()
        parents = [word for parent in request.parents for word in ("-p", parent)]
        message = request.message.encode("utf-8", "replace")
        return self.command.run(
            "commit-tree", *sign, *parents, "-F", "-", f"{tree}^{{tree}}", stdin=message
        ).text

    def update_refs(self, updates: tuple[RefUpdate, ...]) -> bool:
        """See `orchestra.model.ports.Git`."""
        lines: list[str] = []
        for update in updates:
            old = "" if update.force else (update.old or "0" * 40)
            if update.new is None:
                lines.append(f"delete {update.ref}\0{old}\0")
            else:
                lines.append(f"update {update.ref}\0{update.new}\0{old}\0")
        done = self.command.run(
            "update-ref", "--stdin", "-z", stdin=encode("".join(lines)), allow=(0, 1, 128)
        )
        if done.status != 0 and "cannot lock ref" not in done.stderr:
            raise GitFailedError(("update-ref", "--stdin"), done.status, done.stderr)
        return done.status == 0

    def advance(self, branch: str, old: str, new: str) -> Advance:
        """See `orchestra.model.ports.Git`."""
        head = self.resolve(branch)
        advanced = advance_branch(self, branch, old, new) if head == old else Advance(False, moved_to=head)
        if advanced.moved_to is None:
            return advanced
        descends = self.is_ancestor(old, advanced.moved_to)
        return replace(advanced, descends=descends, message="the branch moved meanwhile")

    # --- beside the protocol ---------------------------------------------------------------------------------

    def is_ancestor(self, old: str, new: str) -> bool:
        """Whether `old` is in the history of `new`, or is `new`."""
        return self.command.run("merge-base", "--is-ancestor", old, new, allow=(0, 1)).status == 0

    def merge_base(self, one: str, other: str) -> str | None:
        """The best common ancestor of two commits, None where there is none."""
        return self.command.run("merge-base", one, other, allow=(0, 1)).text or None

    def identity_problem(self) -> str | None:
        """Why commits cannot be made in the person's name, None where they can."""
        done = self.command.run("var", "GIT_COMMITTER_IDENT", allow=(0, 1, 128))
        if done.status == 0:
            return None
        return next((line for line in done.stderr.split("\n") if line.startswith("fatal:")), "no identity")

    def uncommitted(self) -> tuple[str, ...]:
        """The paths of the checkout that differ from HEAD or are untracked (ignored files left out)."""
        out = self.command.run("status", "--porcelain", "-z", "--untracked-files=all", "--no-renames")
        return tuple(record[3:] for record in decode(out.stdout).split("\0") if record)

    def signs(self) -> bool:
        """Whether the person's git signs commits: `commit-tree` does not look by itself."""
        done = self.command.run("config", "--type=bool", "--get", "commit.gpgSign", allow=(0, 1))
        return done.text == "true"

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
            self.command.run("read-tree", f"{tree}^{{tree}}", env=env)
            lines: list[str] = []
            for path, content in edits:
                if content is None:
                    lines.append(f"0 {'0' * 40}\t{path}\0")
                else:
                    blob = self.command.run("hash-object", "-w", "--stdin", stdin=content).text
                    lines.append(f"{REGULAR} {blob}\t{path}\0")
            self.command.run("update-index", "-z", "--index-info", stdin=encode("".join(lines)), env=env)
            return self.command.run("write-tree", env=env).text


def _not_usable(directory: Path, error: GitFailedError) -> Exception:
    if "must be run in a work tree" in error.stderr:
        return environment_error(
            f"{directory} belongs to a bare repository",
            hint="call orchestra in a worktree of it: git worktree add ../work",
        )
    if "dubious ownership" in error.stderr:
        return environment_error(
            f"git does not trust the owner of {directory}", causes=(error.stderr.strip().split("\n")[0],)
        )
    if not directory.is_dir():
        return environment_error(f"{directory} is not a directory")
    return environment_error(
        f"{directory} is not in a git repository",
        causes=(error.stderr.strip().split("\n")[-1],),
        hint="go into one, or make one: git init && git add -A && git commit -m 'first commit'",
    )
