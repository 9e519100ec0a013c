"""HTML and SVG from values: text is escaped because it is text, and only what was made here counts as markup. Pure.

Promises: whatever a text holds, it can neither open nor close an element, nor leave its attribute; no control
character and no half of a surrogate pair comes through.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from orchestra.model.text import clean

VOID = frozenset(("meta", "br", "input", "rect", "line", "path", "circle", "use", "polyline"))
"""Elements that have no content: of HTML without an end, of SVG closed in themselves."""

_SVG = frozenset(("rect", "line", "path", "circle", "use", "polyline"))


@dataclass(frozen=True, slots=True)
class Markup:
    """Markup that was made by `element`, safe to stand in a page as it is."""

    text: str


Content = Markup | str | None | Iterable["Content"]
"""What may stand in an element: markup, text (which is escaped), nothing, or several of these."""


def escaped(text: str) -> str:
    """Foreign text for an element or a quoted attribute; line ends are kept."""
    return (
        clean(text, newlines=True)
        .replace("&", "&amp;")
        .replace("<", "&lt;")
        .replace(">", "&gt;")
        .replace('"', "&quot;")
        .replace("'", "&#39;")
    )


def element(name: str, /, *content: Content, **attributes: str | float | bool | None) -> Markup:
    """An element. Of attributes `_` stands for `-` and one at the end is left out (`class_`); None and False leave the
    attribute out, True gives one without a value.
    """
    words = [name]
    for key, value in attributes.items():
        if value is None or value is False:
            continue
        attribute = key.rstrip("_").replace("_", "-")
        words.append(attribute if value is True else f'{attribute}="{_value(value)}"')
    begin = " ".join(words)
    if name in VOID:
        return Markup(f"<{begin}/>" if name in _SVG else f"<{begin}>")
    return Markup(f"<{begin}>{joined(content)}</{name}>")


def joined(content: Content) -> str:
    """The text of markup, with what is no markup escaped."""
    if content is None:
        return ""
    if isinstance(content, Markup):
        return content.text
    if isinstance(content, str):
        return escaped(content)
    return "".join(joined(item) for item in content)


def _value(value: str | float) -> str:
    if isinstance(value, str):
        return escaped(value)
    return f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)
