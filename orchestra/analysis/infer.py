"""First inference: the paths that a prompt names become claims, with the words that say so.

It promises to be pure and deterministic, to take any text, to name no protected path as written, and to claim
nothing where a name leads to several places.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, replace

from orchestra.analysis.judging import Said, Stance, judge
from orchestra.analysis.mentions import Mention, Page, clean
from orchestra.analysis.places import How, Place, Places, conventional_tests, is_test
from orchestra.model.patterns import PatternSet
from orchestra.model.protected import NEVER, PROTECTED, names_protected
from orchestra.model.tasks import Inferred, Manifest, Prompt, Task
from orchestra.model.trees import Tree

MAX_MENTIONS = 2000
"""How many mentions of paths are looked at in one prompt: what names more is a list of files, and no sentence."""


def infer(manifest: Manifest, tree: Tree) -> Manifest:
    """The same manifest, with inferred claims for each prompt whose task declares none.

    Where the manifest's triggers name `inferred`, what such a task was found to read counts among the reads
    that are part of its key, without what it was found to write.
    """
    if all(task.claims.declared or task.prompt is None for task in manifest.tasks):
        return manifest
    analysis = _Analysis(manifest, tree)
    triggered = "inferred" in manifest.triggers
    return replace(manifest, tasks=tuple(_with_claims(task, analysis, triggered) for task in manifest.tasks))


def _with_claims(task: Task, analysis: _Analysis, triggered: bool) -> Task:
    if task.claims.declared or task.prompt is None:
        return task
    claims = replace(task.claims, inferred=analysis.claims_of(task.prompt))
    if triggered:
        claims = replace(
            claims, read=claims.inferred_patterns("read"), unread=claims.inferred_patterns("write")
        )
    return replace(task, claims=claims)


@dataclass(frozen=True, slots=True)
class _Found:
    stance: Stance
    line: int
    evidence: str


class _Analysis:
    """What all prompts of one manifest share: the names in the tree, and what may not be written."""

    def __init__(self, manifest: Manifest, tree: Tree) -> None:
        self._places = Places(tree.files)
        self._allowed = manifest.allow_protected
        self._prompts = frozenset(task.prompt.path for task in manifest.tasks if task.prompt)
        self._prompt_patterns = PatternSet.of(manifest.prompts)
        self._writable: dict[str, bool] = {}
        self._read: dict[str, tuple[str, int, tuple[Place, ...]]] = {}
        self._guarded = PatternSet.of(
            t for t in (*PROTECTED, *NEVER) if not t.removeprefix("**/").startswith(".")
        )

    def claims_of(self, prompt: Prompt) -> tuple[Inferred, ...]:
        """What a prompt's text says that its task writes and reads, in the order in which it says so."""
        found: dict[str, _Found] = {}
        page = Page.of(prompt.text)
        mentions = 0
        for start, raw in page.candidates(self._places.plain_names):
            read = self._read.get(raw)
            if read is None:
                words = clean(raw)
                read = self._read[raw] = (words, raw.find(words), self._places.resolve(words))
            words, offset, places = read
            if places:
                mentions += 1
                if mentions > MAX_MENTIONS:
                    break
                mention = page.mention(words, start + offset)
                said = judge(page, mention)
                line = mention.line + prompt.first_line - 1
                for place in places:
                    if _counts(place, mention, said):
                        self._add(found, place, said, line, words)
        written = [pattern for pattern, one in found.items() if one.stance is Stance.WRITE]
        return tuple(
            Inferred(pattern, "write" if one.stance is Stance.WRITE else "read", one.line, one.evidence)
            for pattern, one in found.items()
            if not _is_setting(pattern, one.stance, written)
        )

    def _add(self, found: dict[str, _Found], place: Place, said: Said, line: int, words: str) -> None:
        """Keep what is said of a place, and where it asks for tests of a file, that those are written."""
        stance = said.stance or Stance.WRITE
        if stance is Stance.TESTED and is_test(place.pattern):
            # As in `add tests for the parser in tests/test_parser.py`.
            stance = Stance.WRITE
        if stance is not Stance.WRITE or self._may_write(place):
            evidence = f"`{words}`{_BECAUSE.get(place.how, '')}"
            _keep(found, place.pattern, _Found(stance, line, evidence))
        if stance is Stance.TESTED and place.path:
            tests = self._tests_of(place.path)
            if tests and self._may_write(tests):
                _keep(found, tests.pattern, _Found(Stance.WRITE, line, f"tests for `{words}`"))

    def _tests_of(self, path: str) -> Place | None:
        """The file that holds the tests of another, where there is exactly one that is named so."""
        found = {only for name in conventional_tests(path) if (only := self._places.only(name))}
        places = self._places.resolve(found.pop()) if len(found) == 1 else ()
        return places[0] if places else None

    def _may_write(self, place: Place) -> bool:
        """Whether a task may write there at all; prompts are nobody's to write."""
        known = self._writable.get(place.pattern)
        if known is None:
            path = place.path or place.pattern
            known = self._writable[place.pattern] = not (
                path in self._prompts
                or self._prompt_patterns.matches(path)
                or (not self._is_plain(place.pattern) and names_protected(place.pattern, self._allowed))
            )
        return known

    def _is_plain(self, pattern: str) -> bool:
        """Whether a pattern names, at a glance, nothing protected, so that most need not be compiled.

        Most protected patterns ask for a name that begins with a dot; the others are tried, on what lies below
        too: they match that wherever they match the path itself.
        """
        if "*" in pattern or "/." in pattern or pattern[0] == "." or not pattern.isascii():
            return False
        return not self._guarded.matches(f"{pattern.lower()}/x")


def _counts(place: Place, mention: Mention, said: Said) -> bool:
    """Whether what was named there is likely to be meant as a path."""
    if mention.fenced:
        # Code is full of names that only look like paths.
        return place.path is not None
    if place.how is How.NEW_IF_MADE:
        return said.creates and (mention.marked or not _PRODUCT.fullmatch(mention.words))
    if place.how is How.FOLDER and "/" not in place.pattern.removesuffix("/**"):
        # `src/` is named to say where things are, more often than to say that all of it changes.
        return said.stance is not None
    return True


def _is_setting(pattern: str, stance: Stance, written: Collection[str]) -> bool:
    """Whether a folder only says where something that the prompt names too is written."""
    if stance is Stance.UNTOUCHED or not pattern.endswith("/**"):
        return False
    inside = pattern.removesuffix("**")
    return any(other != pattern and other.startswith(inside) for other in written)


_PRODUCT = re.compile(r"[A-Z]\w*\.js")
"""Names such as Node.js and Vue.js."""

_BECAUSE = {
    How.ONLY_NAME: ": the only file of that name",
    How.ONLY_END: ": the only path that ends so",
    How.NEW: ": new, in a folder that exists",
    How.NEW_IF_MADE: ": to be made",
}


def _keep(found: dict[str, _Found], pattern: str, one: _Found) -> None:
    """Keep what counts most of all that is said of a pattern, and of that the first."""
    before = found.get(pattern)
    if before is None or one.stance > before.stance:
        found[pattern] = one
