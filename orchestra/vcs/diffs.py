"""What changed between two commits, as git shows it, for many pairs at once and never more than a page can hold.

Promises: commits that are gone spoil nothing but their own diff; big files are only named; the memory that it takes is
bounded, whatever was changed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from orchestra.vcs.command import OBJECT_ID, GitFailedError, decode
from orchestra.vcs.repository import Repository

LINES = 400
"""Lines of one diff that are kept."""

CHARACTERS = 24_000
"""Characters of one diff that are kept."""

TOTAL = 1_500_000
"""Characters of all diffs together; what comes later is left out."""

TOGETHER = 16
"""Pairs that one call of git compares."""

BIG = "128k"
"""Files from this size on are named, and not compared line by line."""


@dataclass(frozen=True, slots=True)
class Pair:
    """What to compare under a name: the commit `new` with `old` (None: with its first parent)."""

    name: str
    new: str
    old: str | None = None


@dataclass(frozen=True, slots=True)
class Compared:
    """A diff, bounded; `cut`: there is more. `problem` says why there is none."""

    text: str = ""
    cut: bool = False
    problem: str = ""


def compared(
    repository: Repository, pairs: Sequence[Pair], leave_out: Sequence[str] = ()
) -> Mapping[str, Compared]:
    """By name the diff of each pair; `leave_out` are folders and files that are no part of any."""
    trees = _trees(repository, pairs)
    found = {pair.name: _GONE for pair in pairs if pair.name not in trees}
    names, room = tuple(trees), TOTAL
    for at in range(0, len(names), TOGETHER):
        some = names[at : at + TOGETHER]
        if room <= 0:
            found |= dict.fromkeys(some, _FULL)
            continue
        for name, text in zip(
            some, _texts(repository, [trees[name] for name in some], leave_out), strict=True
        ):
            found[name] = _UNREADABLE if text is None else _bounded(text, room)
            room -= len(found[name].text)
    return found


_Trees = tuple[str, str]
"""The ids of the trees before and after."""

_GONE = Compared(problem="its commits are no longer in the repository")
_UNREADABLE = Compared(problem="some of its files are no longer in the repository")
_FULL = Compared(problem="the report is full")


def _trees(repository: Repository, pairs: Sequence[Pair]) -> Mapping[str, _Trees]:
    """By name the trees of the pairs whose commits are there."""
    plain = [pair for pair in pairs if all(map(OBJECT_ID.fullmatch, (pair.new, pair.old or pair.new)))]
    if not plain:
        return {}
    words = [
        word for pair in plain for word in (f"{pair.old or f'{pair.new}^1'}^{{tree}}", f"{pair.new}^{{tree}}")
    ]
    stdin = "".join(f"{word}\n" for word in words).encode()
    lines = repository.command.run("cat-file", "--batch-check", stdin=stdin).text.split("\n")
    ids = [line.partition(" tree ")[0] if " tree " in line else None for line in lines]
    return {
        pair.name: (before, after)
        for pair, before, after in zip(plain, ids[0::2], ids[1::2], strict=True)
        if before is not None and after is not None
    }


def _texts(repository: Repository, pairs: Sequence[_Trees], leave_out: Sequence[str]) -> Iterator[str | None]:
    """The diffs in the order of the pairs: all by one call of git, or one by one where that fails."""
    try:
        yield from _asked(repository, pairs, leave_out)
    except GitFailedError:
        for pair in pairs:
            try:
                yield _asked(repository, [pair], leave_out)[0]
            except GitFailedError:
                # A folder or a file of it is gone, though its tree is there.
                yield None


def _asked(repository: Repository, pairs: Sequence[_Trees], leave_out: Sequence[str]) -> list[str]:
    """The diffs in the order of the pairs. Raises GitFailedError."""
    git = repository.command.at(repository.command.directory, flags=("-c", f"core.bigFileThreshold={BIG}"))
    heads = [" ".join(pair) for pair in pairs]
    stdin = "".join(f"{head}\n" for head in heads).encode()
    options = ("--stdin", "-r", "-p", "-M", "--no-color", "--no-ext-diff", "--no-textconv")
    out = git.run("diff-tree", *options, "--", ".", *(f":(exclude){path}" for path in leave_out), stdin=stdin)
    texts: list[list[str]] = []
    for line in decode(out.stdout).split("\n"):
        # What stands in a file stands behind a sign: a line that is the pair itself is git's.
        if len(texts) < len(heads) and line == heads[len(texts)]:
            texts.append([])
        elif texts:
            texts[-1].append(line)
    return ["\n".join(lines).strip("\n") for lines in texts]


def _bounded(text: str, room: int) -> Compared:
    kept = "\n".join(text.split("\n")[:LINES])[: min(CHARACTERS, room)]
    return Compared(kept, cut=len(kept) < len(text))
