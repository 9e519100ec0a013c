"""Reads from git what it alone tells of attempts: landed commits of all branches, and the results that refs keep."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from orchestra.model.traces import Person, Trace, kept_by, landed_by
from orchestra.model.trailers import ATTEMPT_TRAILER
from orchestra.vcs.command import decode
from orchestra.vcs.repository import Repository

# %x1e stands between commits: no message that git lets through the command line holds one, and where another tool wrote
# one all the same, what follows it is no line of ours.
_FORMAT = "--format=tformat:%x1e%H%x1f%P%x1f%ct%x1f%cn%x1f%ce%x1f%B"
_KEPT = tuple(f"refs/orchestra/{kind}/" for kind in ("results", "captured", "rejected", "failed"))


def read_traces(repository: Repository) -> tuple[Trace, ...]:
    """All traces, oldest first; of what several commits or refs tell of an attempt, each.

    Raises OrchestraError where git fails.
    """
    found = []
    for commit, base, time, person, message in _commits(
        repository, "--branches", "HEAD", f"--grep=^{ATTEMPT_TRAILER}: ", "--topo-order", "--reverse"
    ):
        told = landed_by(message)
        if told is not None:
            task, key, attempt = told
            found.append(Trace("landed", task, attempt, key, commit, base, time, person))
    refs = repository.refs_below(*_KEPT)
    known = {told[0]: told for told in _named(repository, refs.values())}
    kept = []
    for ref, commit in refs.items():
        if commit not in known:
            continue
        _, base, time, person, message = known[commit]
        told_by_ref = kept_by(ref, message)
        if told_by_ref is not None:
            kind, task, key_told, attempt = told_by_ref
            kept.append(Trace(kind, task, attempt, key_told, commit, base, time, person, ref))
    # An attempt comes before what landed of it.
    return tuple(sorted((*kept, *found), key=lambda trace: (trace.time, trace.kind == "landed")))


def read_people(repository: Repository, commits: Iterable[str]) -> Mapping[str, Person]:
    """Who committed each of these commits; those that are no longer there are left out."""
    return {commit: person for commit, _, _, person, _ in _named(repository, commits)}


_Told = tuple[str, str, float, Person, str]


def _named(repository: Repository, commits: Iterable[str]) -> Iterator[_Told]:
    """Those of the named commits that are there."""
    wanted = sorted(set(commits))
    lines = "".join(f"{commit}^{{commit}}\n" for commit in wanted if commit.isalnum())
    out = repository.command.run(
        "cat-file", "--batch-check=%(objectname) %(objecttype)", stdin=lines.encode()
    ).text
    there = [name for name, _, kind in (line.partition(" ") for line in out.split("\n")) if kind == "commit"]
    if there:
        yield from _commits(repository, "--no-walk=unsorted", "--stdin", stdin="\n".join(there))


def _commits(repository: Repository, *argv: str, stdin: str = "") -> Iterator[_Told]:
    if "HEAD" in argv and repository.resolve("HEAD") is None:
        argv = tuple(word for word in argv if word != "HEAD")
    out = decode(
        repository.command.run("log", "--no-show-signature", _FORMAT, *argv, stdin=stdin.encode()).stdout
    )
    for told in out.split("\x1e")[1:]:
        fields = told.split("\x1f", 5)
        if len(fields) == 6:
            commit, parents, time, name, email, message = fields
            base = parents.split(" ")[0]
            yield commit, base, float(time), Person(name, email), message.rstrip("\n") + "\n"
