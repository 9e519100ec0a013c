"""Whatever a text holds, it stays a text."""

from __future__ import annotations

from html.parser import HTMLParser

from hypothesis import example, given
from hypothesis import strategies as st

from orchestra.model.text import clean
from orchestra.reporting.report.markup import Markup, element, joined
from tests.reporting.samples import raw_characters, texts

from .kit import HOSTILE


class Reader(HTMLParser):
    """Reads a page into what it holds."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.ends: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """An element begins."""
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        """An element ends."""
        self.ends.append(tag)

    def handle_data(self, data: str) -> None:
        """Text between elements."""
        self.text += data


def read(page: str) -> Reader:
    """The page as a browser takes it apart."""
    reader = Reader()
    reader.feed(page)
    reader.close()
    return reader


@example("&lt;b&gt; &amp;amp; &#60;i&#62; &quot")
@given(st.one_of(texts(), st.text("<>&\"'/= sc\n"), st.just(HOSTILE)))
def test_any_text_comes_out_as_it_went_in_and_makes_no_element(text: str) -> None:
    made = element("p", text, element("b", text), title=text)
    found = read(made.text)
    safe = clean(text, newlines=True)
    assert found.tags == [("p", {"title": safe}), ("b", {})]
    assert found.ends == ["b", "p"]
    assert found.text == safe + safe
    assert raw_characters(made.text, color=False) == []


def test_attributes() -> None:
    made = element("input", type="checkbox", class_="a", aria_label="b", checked=True, hidden=False, id=None)
    assert made.text == '<input type="checkbox" class="a" aria-label="b" checked>'
    assert element("rect", x=1.5, y=2.0, width=1 / 3).text == '<rect x="1.5" y="2" width="0.33"/>'


def test_content_may_be_nested_and_markup_is_not_escaped_twice() -> None:
    assert joined(["a<", [Markup("<b>x</b>"), None], ("c",)]) == "a&lt;<b>x</b>c"
