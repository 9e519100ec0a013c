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


# --- overlap, decided without a bound on the paths -------------------------------------------------------------

State = tuple[str, str, tuple[str, ...]]
"""Where reading a path has come to: what is going on, what is left of the segment's text, and the parts after it.

`name`: within a name that the segment must fit. `any`: within a name that `**` takes. `below`: all fits now.
"""

BELOW: State = ("below", "", ())


class Reader:
    """A pattern that reads paths one character at a time and knows all that may come of it.

    It follows the manual as `naive_match` does, but has finitely many states: so whether two patterns meet can
    be decided by walking through all pairs of states, however long the shortest common path would be.
    """

    def __init__(self, pattern: str) -> None:
        self.only_folders = pattern.endswith("/")
        self.start = _at_name(tuple(pattern.removesuffix("/").split("/")))
        self._steps: dict[tuple[frozenset[State], str], frozenset[State]] = {}

    def step(self, states: frozenset[State], char: str) -> frozenset[State]:
        """The states after one more character."""
        found = self._steps.get((states, char))
        if found is None:
            found = frozenset(after for state in states for after in _after(state, char))
            self._steps[states, char] = found
        return found

    def accepts(self, states: frozenset[State]) -> bool:
        """Whether a path that ends here is matched."""
        return any(state == BELOW or (_fits(state) and not self.only_folders) for state in states)


def naive_overlap(one: Reader, other: Reader, letters: str, *, twins: bool = False) -> bool:
    """Whether both match some path over the letters and `/`, of any length; `twins`: or one a twin by case."""
    names = [(mine, theirs) for mine in letters for theirs in letters if mine == theirs or twins]
    names = [pair for pair in names if pair[0].lower() == pair[1].lower()]
    todo = [(one.start, other.start, True)]
    seen = set(todo)
    while todo:
        mine, theirs, at_name = todo.pop()
        if not at_name and one.accepts(mine) and other.accepts(theirs):
            return True
        # No name is empty, so no slash follows another or begins a path.
        for my_char, their_char in names if at_name else (*names, ("/", "/")):
            after = one.step(mine, my_char), other.step(theirs, their_char), my_char == "/"
            if after[0] and after[1] and after not in seen:
                seen.add(after)
                todo.append(after)
    return False


def _at_name(parts: tuple[str, ...]) -> frozenset[State]:
    """The states at the beginning of a name, where these parts are left."""
    if not parts:
        return frozenset({BELOW})
    if len(parts[0]) < 2 or parts[0].strip("*"):
        return frozenset({("name", parts[0], parts[1:])})
    if len(parts) == 1:
        return frozenset({("any", "", ())})
    return _at_name(parts[1:]) | {("any", "", parts)}


def _after(state: State, char: str) -> frozenset[State]:
    kind, text, parts = state
    if kind == "below" or (kind == "any" and char != "/"):
        return frozenset({state})
    if char == "/":
        return _at_name(parts) if kind == "any" or not text.strip("*") else frozenset()
    found: set[State] = set()
    while text.startswith("*"):
        found.add((kind, text, parts))
        text = text[1:]
    end = text.index("]", 3 if text[1] in "!^" else 2) + 1 if text.startswith("[") else 1
    if text and _glob(text[:end], char):
        found.add((kind, text[end:], parts))
    return frozenset(found)


def _fits(state: State) -> bool:
    kind, text, parts = state
    return not parts and (kind == "any" or not text.strip("*"))
