"""Errors as a person reads them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from orchestra.model.errors import ExitStatus, OrchestraError, Place
from orchestra.reporting.errors import render_error

from .samples import raw_characters, texts, unhurried

SECOND = OrchestraError("tasks.b: unknown key", place=Place("orchestra.yaml", 9, 3))
ERROR = OrchestraError(
    "cannot make a worktree",
    ExitStatus.ENVIRONMENT,
    Place("orchestra.yaml", 3, 5),
    ("git ended with exit status 128", "fatal: bad object\ndid you fetch?\n"),
    "run `git fsck`",
    (SECOND,),
)

TEXT = """\
error: orchestra.yaml:3:5: cannot make a worktree
caused by: git ended with exit status 128
caused by: fatal: bad object
  did you fetch?
hint: run `git fsck`
error: orchestra.yaml:9:3: tasks.b: unknown key"""


def test_an_error_with_all_its_parts() -> None:
    assert render_error(ERROR) == TEXT


def test_colours_mark_the_labels_only() -> None:
    text = render_error(ERROR, color=True)
    assert text.startswith("\x1b[31merror:\x1b[0m orchestra.yaml:3:5: cannot")
    assert "\n\x1b[2mcaused by:\x1b[0m git" in text
    assert "\n\x1b[33mhint:\x1b[0m run" in text


def test_others_come_in_order_after_it() -> None:
    third = OrchestraError("third", others=(OrchestraError("fourth"),))
    text = render_error(
        OrchestraError("first", others=(OrchestraError("second"), third, OrchestraError("last")))
    )
    assert text.split("\n") == [f"error: {name}" for name in ("first", "second", "third", "fourth", "last")]


def test_control_characters_are_cleaned() -> None:
    assert render_error(OrchestraError("a\x1b[2Jb\x07", place=Place("\x01x"))) == "error: \\x01x: ab\\x07"


def _errors() -> st.SearchStrategy[OrchestraError]:
    places = st.none() | st.builds(Place, texts(), st.integers(0, 9), st.integers(0, 9))
    causes = st.lists(texts(), max_size=3).map(tuple)
    plain = st.builds(
        OrchestraError, texts(), st.sampled_from(ExitStatus), places, causes, st.none() | texts()
    )
    return st.builds(
        OrchestraError,
        texts(),
        st.sampled_from(ExitStatus),
        places,
        causes,
        st.none() | texts(),
        st.lists(plain, max_size=2).map(tuple),
    )


@unhurried
@given(_errors(), st.booleans())
def test_any_error_reads_clean(error: OrchestraError, color: bool) -> None:
    assert raw_characters(render_error(error, color), color) == []
