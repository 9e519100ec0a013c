"""What a slot's reset spares and a capture leaves out, as one list of ignore patterns for both."""

from __future__ import annotations

import re
from dataclasses import dataclass

_SPECIAL = re.compile(r"([\\*?\[])")


@dataclass(frozen=True, slots=True)
class Spared:
    """`patterns` are the manifest's, anchored at the root; `paths` name one file or folder each, to the letter.

    What is named stands for all that lies below it, too.
    """

    patterns: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()

    def also(self, patterns: tuple[str, ...]) -> Spared:
        """The same and what further patterns, anchored at the root too, match."""
        return Spared((*self.patterns, *patterns), self.paths)

    def also_paths(self, paths: tuple[str, ...]) -> Spared:
        """The same and these paths, to the letter."""
        return Spared(self.patterns, (*self.paths, *paths))

    def ignored(self) -> tuple[str, ...]:
        """Lines of a `.gitignore` at the root. Given to git as options they go before every other."""
        return (*(f"/{pattern}" for pattern in self.patterns), *map(as_ignored, self.paths))


def as_ignored(path: str) -> str:
    """The line of a `.gitignore` at the root that means just this path."""
    return "/" + _SPECIAL.sub(r"\\\1", path)
