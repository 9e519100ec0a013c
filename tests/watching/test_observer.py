"""What keeps an eye on places: whatever is written while a look reads it, or before it was watched, rings the bell."""

from __future__ import annotations

import select
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestra.model.errors import OrchestraError
from orchestra.watching.observer import POLL, Observer
from orchestra.watching.places import Places, Sources, places


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder with a prompt."""
    (tmp_path / "prompts").mkdir()
    (tmp_path / ".git").mkdir()
    (tmp_path / "prompts/a.md").write_text("1")
    return tmp_path


@pytest.fixture
def observer() -> Iterator[Observer]:
    made = Observer(polling=True)
    yield made
    made.close()


def found(root: Path) -> Places:
    sources = Sources(
        str(root), f"{root}/orchestra.yaml", ("prompts/**/*.md",), f"{root}/.git", f"{root}/.git"
    )
    return places(sources, lambda paths: frozenset())


def refused(error: OrchestraError) -> None:
    raise error


def rings(observer: Observer) -> bool:
    """Whether the bell has been rung; makes it silent."""
    ready, _, _ = select.select([observer.bell.fd], [], [], 0)
    observer.heard()
    return bool(ready)


def test_what_is_written_while_it_is_read_calls_for_another_look(root: Path, observer: Observer) -> None:
    observer.adopt(found(root), observer.stamps(), refused)
    assert not rings(observer)
    before = observer.stamps()
    (root / "prompts/a.md").write_text("2, while a look reads it")
    observer.adopt(found(root), before, refused)
    assert rings(observer)
    observer.adopt(found(root), observer.stamps(), refused)
    assert not rings(observer)


def test_a_folder_that_was_not_watched_yet_calls_for_another_look(root: Path, observer: Observer) -> None:
    observer.adopt(found(root), observer.stamps(), refused)
    (root / "prompts/deep").mkdir()
    # It was there when the look began: what was written in it since then nobody saw.
    places_now = found(root)
    observer.adopt(places_now, places_now.stamps(), refused)
    assert rings(observer)


def test_a_beat_finds_what_no_notice_told(root: Path, observer: Observer) -> None:
    observer.adopt(found(root), {}, refused)
    observer.beat()
    assert not rings(observer)
    (root / "prompts/a.md").write_text("another")
    observer.beat()
    assert rings(observer)
    observer.beat()
    assert not rings(observer)


def test_where_notices_are_refused_it_polls_from_then_on(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import time

    from watchfiles import _rust_notify

    class Full:
        """The system's answer where all it allows is taken."""

        def __init__(self, *about: object) -> None:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(_rust_notify, "RustNotify", Full)
    told: list[OrchestraError] = []
    observer = Observer(polling=False)
    try:
        observer.adopt(found(root), {}, told.append)
        assert observer.polling and "sysctl" in (told[0].hint or "")
        assert observer.beat_at - time.monotonic() <= POLL + 1
        # It does not try, and tell, again.
        observer.adopt(found(root), observer.stamps(), told.append)
        assert len(told) == 1
    finally:
        observer.close()
