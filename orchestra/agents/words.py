"""Foreign text made fit to show: whatever an agent printed becomes bounded, printable, encodable text.

Promises: the result holds no control characters, no terminal sequences, no direction marks and no lone
surrogates, so it can be written to any terminal, log or database.
"""

from __future__ import annotations

import re

TEXT_LIMIT = 4_000
"""Characters of one event's text: enough for a paragraph, far from filling the record of a build."""

LINE_LIMIT = 300
"""Characters of a detail or summary: about three lines of a terminal."""

# Colour and cursor sequences (CSI), window titles and links (OSC), and the two-character escapes. Dropping only
# the escape character would leave "[31m" behind.
_SEQUENCES = re.compile(r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[@-Z\\-_]")


def clean(text: str, limit: int = TEXT_LIMIT) -> str:
    """`text` with its lines and tabs kept, everything unprintable dropped, cut at `limit` characters."""
    # Cut before looking at it: a line may be megabytes long. Sequences are short, so four times is enough.
    shown = _SEQUENCES.sub("", text[: 4 * limit].replace("\r\n", "\n"))
    kept = "".join(c if c.isprintable() or c in "\n\t" else (" " if c.isspace() else "") for c in shown)
    return _cut(kept, limit, more=len(text) > 4 * limit)


def one_line(text: str, limit: int = LINE_LIMIT) -> str:
    """`text` as one line: runs of white space become a space, the rest as `clean`."""
    return _cut(" ".join(clean(text, 4 * limit).split()), limit)


def _cut(text: str, limit: int, more: bool = False) -> str:
    """`text` in at most `limit` characters; an ellipsis says where something is missing."""
    if len(text) > limit or more:
        return text[: limit - 1].rstrip() + "…"
    return text
