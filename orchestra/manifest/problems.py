"""What is wrong in a manifest, said before it is known at which line, and how that becomes one error.

Checks work on plain data, which has no positions (most loads come from a cache that holds none), so each
names the path of the value it is about; only where something is wrong is the text read again for its place.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from orchestra.model.errors import ExitStatus, OrchestraError, Place

DataPath = tuple[str | int, ...]
"""The way to a value: keys of mappings and numbers of list items (from 0)."""

MAX_OTHERS = 10
"""How many further errors are told beside the first."""

MAX_SHOWN = 60
"""The longest piece of foreign text in a message, in characters."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong.

    `path` leads to the value in `file` (None: the manifest); `on_key`: it is about the key, not the value.
    `place` is set where the place is known already. `because` are what lies beneath it, each with its place.
    """

    message: str
    path: DataPath = ()
    on_key: bool = False
    hint: str | None = None
    file: str | None = None
    place: Place | None = None
    because: tuple[Problem, ...] = ()


Locate = Callable[[Problem], Place]


def to_error(
    problems: Iterable[Problem], locate: Locate, made: Iterable[OrchestraError] = ()
) -> OrchestraError:
    """One error out of at least one: the first by position, at most `MAX_OTHERS` more beside it.

    `made` are errors that have their place already. Problems of the manifest come before those of prompts.
    """
    placed = [(problem.place or locate(problem), problem) for problem in dict.fromkeys(problems)]
    ranked: list[tuple[tuple[bool, str, int, int], Problem | OrchestraError]] = [
        (_rank(place, problem.file is not None or problem.place is not None), problem)
        for place, problem in placed
    ]
    for error in made:
        for each in (error, *error.others):
            ranked.append((_rank(each.place or Place(""), True), each))
    ranked.sort(key=lambda pair: pair[0])
    errors = [_error(each, locate) for _, each in ranked[: MAX_OTHERS + 1]]
    errors[0].others = tuple(errors[1:])
    return errors[0]


def _rank(place: Place, of_prompt: bool) -> tuple[bool, str, int, int]:
    return of_prompt, place.file, place.line, place.column


def _error(each: Problem | OrchestraError, locate: Locate) -> OrchestraError:
    if isinstance(each, OrchestraError):
        return OrchestraError(each.message, each.status, each.place, each.causes, each.hint)
    causes = tuple(f"{locate(cause)}: {cause.message}" for cause in each.because)
    place = each.place or locate(each)
    return OrchestraError(each.message, ExitStatus.USAGE, place, causes, each.hint)


def show(text: str, most: int = MAX_SHOWN) -> str:
    """A piece of foreign text as it may stand in a message: on one line, not too long, nothing invisible."""
    if len(text) > most:
        text = text[: most - 1] + "…"
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def nearest(word: str, choices: Iterable[str]) -> str | None:
    """The choice that the word was probably meant to be, None where none is near."""
    # Imported here: only errors need it.
    from difflib import get_close_matches

    by_fold = {choice.casefold(): choice for choice in choices}
    found = get_close_matches(word[:MAX_SHOWN].casefold(), by_fold, n=1, cutoff=0.6)
    return by_fold[found[0]] if found else None


def listing(words: Iterable[str], *, most: int = 20) -> str:
    """Words as a list for a message, each in backticks."""
    all_words = [f"`{show(word)}`" for word in words]
    rest = len(all_words) - most
    return ", ".join(all_words[:most]) + (f" and {rest} more" if rest > 0 else "")
