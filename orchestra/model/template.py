"""Templates of the manifest: text with `{field}`s, where `{{` and `}}` stand for braces. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping

BRANCH_FIELDS = ("task", "build")
"""What `integrate.branch` may hold in braces."""

MESSAGE_FIELDS = ("task", "title", "body", "build", "agent")
"""What `integrate.message` may hold in braces."""

_PIECE = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")


def fields_of(template: str) -> tuple[str, ...]:
    """The fields in the order in which they stand, as written.

    Raises ValueError, with the brace, where one stands alone.
    """
    found: list[str] = []
    for piece in _PIECE.finditer(template):
        if piece[0] in ("{", "}"):
            raise ValueError(piece[0])
        if piece[1] is not None:
            found.append(piece[1])
    return tuple(found)


def fill(template: str, values: Mapping[str, str]) -> str:
    """The text with each field's value in its place: what a value holds in braces stays as it is.

    The template must be a checked one: KeyError where there is no value of that name.
    """

    def value(piece: re.Match[str]) -> str:
        return values[piece[1]] if piece[1] is not None else piece[0][0]

    return _PIECE.sub(value, template)
