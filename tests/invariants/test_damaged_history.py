"""The database is history alone: deleted, cut or overwritten at any moment, it changes nothing that is built.

The repository is in memory, the database is SQLite's, on disk.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from orchestra.history.recorder import Recorder
from orchestra.model.events import Event
from tests.engine.world import Built, Witness, World

from .crashing import Crash, Fuse
from .directed import RUNS

# Each of its builds waits for the disk some ten times.
pytestmark = pytest.mark.slow

RUN = RUNS["one at a time"]
GARBAGE = b"SQLite format 3\0" + b"\xff" * 4096


def delete(history: Path) -> None:
    """All that belongs to it is gone."""
    for file in history.parent.glob("history.db*"):
        file.unlink()


def truncate(history: Path) -> None:
    """The second half is gone."""
    if history.exists():
        with history.open("r+b") as file:
            file.truncate(history.stat().st_size // 2)


def overwrite(history: Path) -> None:
    """Nothing makes sense in it, nor in what was not brought into it yet."""
    for file in (history, history.with_name("history.db-wal")):
        if file.exists():
            with file.open("r+b") as written:
                written.write(GARBAGE * (file.stat().st_size // len(GARBAGE) + 1))


DAMAGES = pytest.mark.parametrize("damage", [delete, truncate, overwrite])


class Meddling(Fuse):
    """Does something before one of the calls, and lets it through."""

    def __init__(self, at: int, meddle: Callable[[], None]) -> None:
        super().__init__()
        self._moment = at
        self._meddle = meddle

    def call(self, method: Callable[..., Any], *args: Any, **options: Any) -> Any:
        """See `Fuse`."""
        if self.calls == self._moment:
            self._meddle()
        return super().call(method, *args, **options)


class Both:
    """A witness, and a recorder that hears the same."""

    def __init__(self, witness: Witness, recorder: Recorder) -> None:
        self._heard_by = (witness, recorder)

    def notify(self, event: Event) -> None:
        """Tell both."""
        for each in self._heard_by:
            each.notify(event)


def build(world: World, history: Path, fuse: Fuse) -> Built:
    """A build that is recorded."""
    warnings: list[str] = []
    recorder = Recorder.open(history, on_error=warnings.append)
    world.guard = lambda seam: fuse.guard(Both(seam, recorder) if isinstance(seam, Witness) else seam)
    with contextlib.closing(recorder):
        built = world.build(**RUN.options)
    assert len(warnings) <= 2, warnings
    return built


def recorded(history: Path) -> list[str]:
    """The builds that the history knows."""
    with contextlib.closing(sqlite3.connect(history)) as connection:
        return [name for (name,) in connection.execute("SELECT build FROM builds ORDER BY build")]


def undisturbed(folder: Path) -> tuple[World, int]:
    """What comes of it, and by how many calls."""
    world, counting = RUN.begin(), Fuse()
    assert build(world, folder / "history.db", counting).finals == RUN.finals
    assert recorded(folder / "history.db") == ["build-001"]
    return world, counting.calls


@DAMAGES
def test_after_a_crash(damage: Callable[[Path], None], tmp_path: Path) -> None:
    lucky, calls = undisturbed(tmp_path)
    seen = None
    for call in range(calls):
        history = tmp_path / str(call) / "history.db"
        world = RUN.begin()
        with pytest.raises(Crash):
            build(world, history, Fuse(call))
        left = (dict(world.git.refs), len(world.git.commits))
        if left != seen:
            seen = left
            damage(history)
            assert build(world, history, Fuse()).finished.ok, call
            assert world.all_files() == lucky.all_files(), call
            assert "build-002" in recorded(history), call


@DAMAGES
def test_while_the_build_goes_on(damage: Callable[[Path], None], tmp_path: Path) -> None:
    lucky, calls = undisturbed(tmp_path)
    for call in range(0, calls, 6):
        history = tmp_path / str(call) / "history.db"
        world = RUN.begin()
        built = build(world, history, Meddling(call, lambda at=history: damage(at)))  # type: ignore[misc]
        assert built.finals == RUN.finals, call
        assert world.all_files() == lucky.all_files(), call
        # The next one has a history again.
        world.edit({"data": "2"})
        assert build(world, history, Fuse()).finished.ok, call
        assert "build-002" in recorded(history), call
