"""An error as a person reads it: `error:`, then `caused by:`, then `hint:`; nothing foreign reaches the terminal raw.

Pure.
"""

from __future__ import annotations

from orchestra.model.errors import OrchestraError
from orchestra.model.text import clean
from orchestra.reporting.words import Style, paint


def render_error(error: OrchestraError, color: bool = False) -> str:
    """The error and the others that came with it, in lines, without a newline at the end."""
    lines: list[str] = []
    todo = [error]
    while todo:
        one = todo.pop()
        lines += _labelled("error", str(one), Style.BAD, color)
        for cause in one.causes:
            lines += _labelled("caused by", cause, Style.DIM, color)
        if one.hint:
            lines += _labelled("hint", one.hint, Style.WARN, color)
        todo += reversed(one.others)
    return "\n".join(lines)


def _labelled(label: str, text: str, style: Style, color: bool) -> list[str]:
    """The text after its label; further lines of it (what git said) are indented."""
    first, *more = clean(text.strip(), newlines=True).split("\n")
    return [f"{paint(label + ':', style, color)} {first}".rstrip(), *(f"  {line}".rstrip() for line in more)]
