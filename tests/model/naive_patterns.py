"""Path patterns told once more, as slowly and as plainly as gitignore's manual tells them: the tests' oracle."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product


def naive_match(pattern: str, path: str) -> bool:
    """Whether a pattern, anchored at the root, matches the file or one of the folders that it lies in."""
    only_folders = pattern.endswith("/")
    parts = tuple(pattern.removesuffix("/").split("/"))
    names = tuple(path.split("/"))
    ends = range(1, len(names) if only_folders else len(names) + 1)
    return any(_whole(parts, names[:end]) for end in ends)


def _whole(parts: tuple[str, ...], names: tuple[str, ...]) -> bool:
    if not parts:
        return not names
    if len(parts[0]) > 1 and not parts[0].strip("*"):
        if len(parts) == 1:
            return bool(names)
        return any(_whole(parts[1:], names[count:]) for count in range(len(names) + 1))
    return bool(names) and _glob(parts[0], names[0]) and _whole(parts[1:], names[1:])


def _glob(text: str, name: str) -> bool:
    if not text:
        return not name
    if text[0] == "*":
        return any(_glob(text[1:], name[count:]) for count in range(len(name) + 1))
    if not name:
        return False
    if text[0] == "?":
        return _glob(text[1:], name[1:])
    if text[0] == "[":
        end = text.index("]", 3 if text[1] in "!^" else 2)
        return _in_class(text[1:end], name[0]) and _glob(text[end + 1 :], name[1:])
    return text[0] == name[0] and _glob(text[1:], name[1:])


def _in_class(body: str, char: str) -> bool:
    negated = body[0] in "!^"
    found = False
    rest = body[1:] if negated else body
    while rest:
        if len(rest) >= 3 and rest[1] == "-":
            found |= rest[0] <= char <= rest[2]
            rest = rest[3:]
        else:
            found |= rest[0] == char
            rest = rest[1:]
    return found != negated


def all_texts(alphabet: str, longest: int) -> Iterator[str]:
    """Every text over the alphabet, from one character to that many."""
    for length in range(1, longest + 1):
        yield from ("".join(chars) for chars in product(alphabet, repeat=length))


def all_paths(alphabet: str, longest: int) -> tuple[str, ...]:
    """Every path of a file over the alphabet and `/`, up to that many characters."""
    return tuple(text for text in all_texts(f"{alphabet}/", longest) if "" not in text.split("/"))
