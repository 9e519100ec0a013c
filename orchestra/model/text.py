"""Text for people: foreign text made harmless, durations and money in words. The same value always reads the same.

Pure. What `clean` returns never moves a cursor, changes a colour, rings a bell or reorders what stands beside it.
"""

from __future__ import annotations

import re

UNKNOWN = "?"
"""How an unknown value reads."""

# One pattern, one pass: what a removal leaves behind can never join into a new sequence. No class holds a
# control character, so that each try stops at the next one and the whole stays linear.
_FOREIGN = re.compile(
    r"(?P<string>(?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f])[^\x00-\x1f\x7f-\x9f]*(?:\x07|\x1b\\|\x9c))"
    r"|(?P<sequence>(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~])"
    r"|(?P<escape>\x1b[ -/]*[0-OQ-WYZ`-~])"
    r"|(?P<newline>\r?\n)"
    r"|(?P<tab>\t)"
    # C0, DEL and C1; marks, embeddings, overrides and isolates of direction; line and paragraph
    # separators; halves of surrogate pairs, by which Python carries bytes that are not UTF-8.
    r"|(?P<other>[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff])"
)


def clean(text: str, *, newlines: bool = False) -> str:
    r"""Foreign text (task names, details, paths, log lines) in a form that is safe on a terminal.

    Escape sequences are removed; every other control character, change of direction and byte that is no
    UTF-8 is shown as an escape (`\x07`, `\u202e`); a tab becomes four spaces. Line ends are kept with
    `newlines`, else shown as `\n`, so that the result is one line. Applied twice, it changes nothing more.
    """

    def harmless(match: re.Match[str]) -> str:
        found = match.group()
        match match.lastgroup:
            case "string" | "sequence" | "escape":
                return ""
            case "newline":
                return "\n" if newlines else r"\n"
            case "tab":
                return "    "
        return _escaped(found)

    return _FOREIGN.sub(harmless, text)


def _escaped(character: str) -> str:
    if character == "\r":
        return r"\r"
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:
        code -= 0xDC00  # `surrogateescape`: the byte itself says more
    return f"\\x{code:02x}" if code <= 0xFF else f"\\u{code:04x}"


def duration(seconds: float | None) -> str:
    """A duration in words: `0.4 s`, `12 s`, `3 min 20 s`, `1 h 05 min`; None is `?`."""
    if seconds is None:
        return UNKNOWN
    seconds = max(seconds, 0.0)
    if round(seconds, 1) < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    minutes = round(seconds / 60)
    return f"{minutes // 60} h {minutes % 60:02d} min"


def money(usd: float | None) -> str:
    """An amount of US dollars: `$0.42`, `$1,204.00`, `<$0.01`; None is `?`, which is not `$0.00`."""
    if usd is None:
        return UNKNOWN
    if 0 < usd < 0.01:
        return "<$0.01"
    return f"${usd:,.2f}"


def size(count: int) -> str:
    """A number of bytes in words: `512 bytes`, `1.5 MiB`, `25 GiB`."""
    value, units = float(count), ["bytes", "KiB", "MiB", "GiB", "TiB"]
    while value >= 1024 and len(units) > 1:
        value /= 1024
        del units[0]
    return f"{value:.0f} {units[0]}" if units[0] == "bytes" or value >= 10 else f"{value:.1f} {units[0]}"


def count(number: int, noun: str) -> str:
    """A number with its noun: `1 file`, `1,204 files`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
