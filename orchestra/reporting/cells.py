"""How many columns of a terminal text takes. Pure, and light: the first words on a terminal need it."""

from __future__ import annotations

import re
import unicodedata

_COLORS = re.compile("\x1b\\[[0-9]*m")


def cells(text: str) -> int:
    """How many columns clean text takes at most."""
    return len(text) if text.isascii() else sum(map(cell, text))


def cell(character: str) -> int:
    """How many columns a character takes at most: those of East Asian scripts and pictures two, accents none."""
    if unicodedata.east_asian_width(character) in "WF":
        return 2
    return 0 if unicodedata.combining(character) else 1


def columns(line: str) -> int:
    """How many columns a line takes that has our colours."""
    return cells(_COLORS.sub("", line))
