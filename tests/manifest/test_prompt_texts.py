"""The text of a prompt, without front matter and normalised, and the title that it gives its task."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestra.manifest.load import load
from orchestra.manifest.prompts import MAX_TITLE, split, title_of
from orchestra.manifest.text import read_bytes

from .kit import refused, write

TEXTS = [
    ("a\r\nb\rc\n\n\n", "a\nb\nc\n"),
    ("a  \n\tb\t \n\n c", "a\n\tb\n\n c\n"),
    ("\n\na", "\n\na\n"),
    ("\ufeffa", "a\n"),
    ("a\u2028b", "a\u2028b\n"),
    ("---\nname: x\n---\n\n\na", "a\n"),
    ("---\r\nname: x\r\n---\r\na", "a\n"),
    ("\ufeff---\nname: x\n---\na", "a\n"),
    ("---\n---\na\n---\nb", "a\n---\nb\n"),
    ("---  \n--- \na", "a\n"),
    ("---\nnever closed: {\n", "---\nnever closed: {\n"),
    ("----\na\n---\n", "----\na\n---\n"),
    ("\n---\nname: x\n---\na", "\n---\nname: x\n---\na\n"),
    ("a\n---\nb\n---\n", "a\n---\nb\n---\n"),
]


@pytest.mark.parametrize(("content", "text"), TEXTS)
def test_the_text_is_without_front_matter_and_normalised(content: str, text: str, tmp_path: Path) -> None:
    prompt = load(write(tmp_path, {"prompts/a.md": content})).tasks[0].prompt
    assert prompt is not None
    assert prompt.text == text


@given(st.text(st.sampled_from("-a \t\r\n#"), max_size=30))
def test_how_a_line_ends_does_not_matter(text: str) -> None:
    plain = text.replace("\r", "")
    front, rest = split(plain)
    assert (front is None) == (rest == plain)
    if front is not None:
        assert plain.startswith("---")
        assert front in plain


TITLES = [
    ("# Fix the parser\n\nIt is broken.", "Fix the parser"),
    ("Intro\n\n## Second  level ##\n", "Second level"),
    ("   ### Three", "Three"),
    ("    # Code\n", "# Code"),
    ("#NoHeading\n", "#NoHeading"),
    ("#\n# \nFirst line\n", "First line"),
    ("# Title #not closed", "Title #not closed"),
    ("```sh\n# a comment\n```\n\nRun it.\n", "Run it."),
    ("~~~~\n# a\n~~~\n# b\n~~~~\n# Real\n", "Real"),
    ("```sh\n# a\n``` no end\n# b\n```\n# Real\n", "Real"),
    ("```sh\n# only code\n```\n", "fallback"),
    ("```sh\n# never closed\n", "fallback"),
    ("\n\n  First line  \nSecond", "First line"),
    ("# A\x1b[31mB\u202eC\u200b D", "A[31mBC D"),
    ("# A\u2028B\u00a0C", "A B C"),
    ("# " + "word " * 14 + "xy", "word " * 14 + "xy"),
    ("# " + "word " * 15 + "xy", "word " * 13 + "word…"),
    ("# " + "x" * 80, "x" * 71 + "…"),
]


@pytest.mark.parametrize(("text", "title"), TITLES)
def test_titles(text: str, title: str) -> None:
    assert title_of(text, "fallback") == title
    assert len(title) <= MAX_TITLE


@given(st.text(max_size=200))
def test_a_title_is_one_short_line_without_anything_invisible(text: str) -> None:
    title = title_of(text, "fallback")
    assert title
    assert len(title) <= MAX_TITLE
    assert title.isprintable()
    assert title == title.strip()


def test_no_file_stays_open(tmp_path: Path) -> None:
    root = write(tmp_path, {f"prompts/{n}.md": "Do it." for n in range(20)})
    (root / "prompts" / "broken.md").write_bytes(b"\xff")
    folder = Path("/dev/fd")
    before = len(list(folder.iterdir()))
    refused(lambda: load(root))
    assert len(list(folder.iterdir())) == before


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs /proc")
def test_the_size_of_a_file_is_not_believed() -> None:
    """Files of /proc say that they are empty; a file may also grow while it is read."""
    path = "/proc/self/status"
    assert Path(path).stat().st_size == 0
    assert b"Threads:" in read_bytes(path, path, limit=100_000)
    assert "larger than" in refused(lambda: read_bytes(path, path, limit=100)).message
