"""Git in memory: the double of the repository, for tests and for builds that are only simulated.

Trees are mappings, merges are three-way by file. It passes the same contract tests as the real one where both
can say something: a conflict within a file is a conflict here even if git could merge its lines.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from orchestra.model.authors import Author
from orchestra.model.ports import Advance, CommitRequest, Merged, PastChange, Placed, RefUpdate, Store
from orchestra.model.trees import FileState, Tree, differences

REGULAR = "100644"


@dataclass(frozen=True, slots=True)
class _Commit:
    tree: str
    parents: tuple[str, ...]
    message: str
    author: Author | None = None


@dataclass(slots=True)
class MemoryGit:
    """Implements Git, Past and Shelf on dictionaries; nothing is checked out here.

    Laid over the repository `behind` it, it knows all that is there, and changes nothing of it.
    """

    trees: dict[str, Mapping[str, FileState]] = field(default_factory=dict)
    blobs: dict[str, bytes] = field(default_factory=dict)
    commits: dict[str, _Commit] = field(default_factory=dict)
    refs: dict[str, str] = field(default_factory=dict)
    behind: Store | None = None
    _count: int = 0
    _gone: set[str] = field(default_factory=set)

    def write(self, content: bytes) -> str:
        """Store a blob; gives its id."""
        object_id = hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()
        self.blobs[object_id] = content
        return object_id

    def commit_files(
        self, files: Mapping[str, bytes], parents: tuple[str, ...] = (), message: str = ""
    ) -> str:
        """Make a commit that holds exactly these files."""
        states = {path: f"{REGULAR} {self.write(content)}" for path, content in files.items()}
        return self._commit(self._store(states), parents, message)

    def contents(self, commit: str) -> Mapping[str, bytes]:
        """The files of a commit with their contents."""
        return {path: self.blobs[state.split(" ")[1]] for path, state in self.tree(commit).files.items()}

    def resolve(self, ref: str) -> str | None:
        """See `orchestra.model.ports.Git`."""
        if ref in self.refs:
            return self.refs[ref]
        if ref in self.commits:
            return ref
        return None if self.behind is None or ref in self._gone else self.behind.resolve(ref)

    def tree(self, commit: str) -> Tree:
        """See `orchestra.model.ports.Git`."""
        return Tree(commit, self.trees[self._tree_id(commit)])

    def read(self, ids: Sequence[str]) -> tuple[bytes, ...]:
        """See `orchestra.model.ports.Git`."""
        missing = [object_id for object_id in ids if object_id not in self.blobs]
        if missing and self.behind is not None:
            self.blobs.update(zip(missing, self.behind.read(missing), strict=True))
        return tuple(self.blobs[object_id] for object_id in ids)

    def merge(self, base: str, ours: str, theirs: str) -> Merged:
        """See `orchestra.model.ports.Git`."""
        before = self.tree(base).files
        one, other = self.tree(ours).files, self.tree(theirs).files
        merged: dict[str, FileState] = {}
        conflicts: list[str] = []
        for path in sorted({*before, *one, *other}):
            was, mine, theirs_now = before.get(path), one.get(path), other.get(path)
            if mine == theirs_now or theirs_now == was:
                value = mine
            elif mine == was:
                value = theirs_now
            else:
                conflicts.append(path)
                continue
            if value is not None:
                merged[path] = value
        if conflicts:
            return Merged(None, tuple(conflicts))
        return Merged(self._store(merged))

    def commit(self, request: CommitRequest) -> str:
        """See `orchestra.model.ports.Git`."""
        files = dict(self.trees[self._tree_id(request.tree)])
        for path, content in request.edits:
            if content is None:
                files.pop(path, None)
            else:
                files[path] = f"{REGULAR} {self.write(content)}"
        return self._commit(self._store(files), request.parents, request.message, request.author)

    def update_refs(self, updates: tuple[RefUpdate, ...]) -> bool:
        """See `orchestra.model.ports.Git`."""
        if any(not update.force and self._ref(update.ref) != update.old for update in updates):
            return False
        for update in updates:
            if update.new is None:
                self.refs.pop(update.ref, None)
                self._gone.add(update.ref)
            else:
                self.refs[update.ref] = update.new
        return True

    def advance(self, branch: str, old: str, new: str) -> Advance:
        """See `orchestra.model.ports.Git`."""
        head = self._ref(branch)
        if head != old:
            if head is None:
                return Advance(False)
            descends = self.is_ancestor(old, head)
            return Advance(False, moved_to=head, descends=descends, message="the branch moved meanwhile")
        self.refs[branch] = new
        return Advance(True)

    def is_ancestor(self, old: str, new: str) -> bool:
        """See `orchestra.model.ports.Past`."""
        if self.behind is not None and new not in self.commits:
            return self.behind.is_ancestor(old, new)
        return old in self._history(new)

    def merge_base(self, one: str, other: str) -> str | None:
        """See `orchestra.model.ports.Past`."""
        common = self._history(one) & self._history(other)
        best = [c for c in self.commits if c in common and len(common & self._descendants(c, common)) == 1]
        return best[-1] if best else None

    def refs_below(self, *prefixes: str) -> Mapping[str, str]:
        """See `orchestra.model.ports.Past`."""
        roots = tuple(prefix.rstrip("/") + "/" for prefix in prefixes)
        refs = {ref: commit for ref, commit in sorted(self.refs.items()) if ref.startswith(roots)}
        if self.behind is not None:
            others = self.behind.refs_below(*prefixes).items()
            refs = {ref: commit for ref, commit in others if ref not in self._gone} | refs
        return refs

    def changes(self, commit: str, folder: str) -> Mapping[str, tuple[PastChange, ...]]:
        """See `orchestra.model.ports.Past`."""
        found: dict[str, list[PastChange]] = {}
        at: str | None = commit
        while at is not None:
            if self.behind is not None and at not in self.commits:
                for path, earlier in self.behind.changes(at, folder).items():
                    found.setdefault(path, []).extend(earlier)
                break
            parents = self.commits[at].parents
            parent = parents[0] if parents else None
            before = self.tree(parent) if parent is not None else Tree("", {})
            for change in differences(before, self.tree(at)):
                if change.path.startswith(folder):
                    past = PastChange(at, parent, change.before, change.after)
                    found.setdefault(change.path, []).append(past)
            at = parent
        return {path: tuple(changes) for path, changes in found.items()}

    def message(self, commit: str) -> str:
        """See `orchestra.model.ports.Past`."""
        if self.behind is not None and commit not in self.commits:
            return self.behind.message(commit)
        return self.commits[commit].message

    def parents(self, commit: str) -> tuple[str, ...]:
        """See `orchestra.model.ports.Past`."""
        if self.behind is not None and commit not in self.commits:
            return self.behind.parents(commit)
        return self.commits[commit].parents

    def place(self, branch: RefUpdate, memory: RefUpdate) -> Placed:
        """See `orchestra.model.ports.Shelf`."""
        name = branch.ref.removeprefix("refs/heads/")
        if any(other.startswith(f"{branch.ref}/") for other in self.refs):
            return Placed(False, f"there are branches below {name}/")
        parts = branch.ref.split("/")
        if any("/".join(parts[:end]) in self.refs for end in range(3, len(parts))):
            return Placed(False, "a branch has the name of its folder")
        return Placed(True) if self.update_refs((branch, memory)) else Placed(False, "it moved meanwhile")

    def author(self, commit: str) -> Author | None:
        """See `orchestra.model.ports.Shelf`."""
        if self.behind is not None and commit not in self.commits:
            return self.behind.author(commit)
        return self.commits[commit].author

    def _ref(self, ref: str) -> str | None:
        return self.refs[ref] if ref in self.refs else self.resolve(ref)

    def _tree_id(self, name: str) -> str:
        if name in self.commits:
            return self.commits[name].tree
        if name not in self.trees and self.behind is not None:
            self.trees[name] = self.behind.tree(name).files
        return name

    def _store(self, files: Mapping[str, FileState]) -> str:
        text = "\0".join(f"{path}\t{files[path]}" for path in sorted(files))
        tree = hashlib.sha1(text.encode("utf-8", "surrogateescape"), usedforsecurity=False).hexdigest()
        self.trees[tree] = dict(files)
        return tree

    def _commit(self, tree: str, parents: tuple[str, ...], message: str, author: Author | None = None) -> str:
        # Numbered, since two commits of the same content are two commits.
        self._count += 1
        text = f"{self._count} {tree} {parents} {message}"
        commit = hashlib.sha1(text.encode("utf-8", "surrogateescape"), usedforsecurity=False).hexdigest()
        self.commits[commit] = _Commit(tree, parents, message, author)
        return commit

    def _descendants(self, commit: str, among: set[str]) -> set[str]:
        return {other for other in among if commit in self._history(other)}

    def _history(self, commit: str) -> set[str]:
        seen: set[str] = set()
        todo = [commit]
        while todo:
            name = todo.pop()
            if name not in seen:
                seen.add(name)
                todo += self.commits[name].parents if name in self.commits else ()
        return seen
