"""Events as JSON Lines: one a line, plain ASCII, at once; no reader and no disk can end a build."""

from __future__ import annotations

import errno
import io
import json
import os
from pathlib import Path

import pytest
from hypothesis import given

from orchestra.model.events import (
    AttemptSlot,
    BranchAdvanced,
    BuildFinished,
    BuildStarted,
    Event,
    Notice,
    TaskDecided,
    TaskLanded,
    to_json,
)
from orchestra.model.freshness import State
from orchestra.reporting.jsonl import EventsFile, JsonLines, line
from orchestra.reporting.output import Output

from .samples import events, unhurried

STARTED = BuildStarted(1.5, "b1", ("alpha",), "c0", "main", 2)
DECIDED = TaskDecided(1.6, "b1", "alpha", State.FRESH, "k1:0", "c0")
NOTICE = Notice(1.7, "b1", "README.md is not seen by tasks")
SLOT = AttemptSlot(1.8, "b1", "alpha", "a1", 0, "log")
FINISHED = BuildFinished(
    2.0, "b1", True, True, False, {}, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0.5, 0.0, None, None, None, "c0"
)


class Full(io.StringIO):
    """A stream on a full disk; counts how often it was tried."""

    tries = 0

    def write(self, text: str, /) -> int:
        """Fail."""
        self.tries += 1
        raise OSError(errno.ENOSPC, "No space left on device")


def test_one_event_is_one_line_of_json() -> None:
    stream = io.StringIO()
    JsonLines(stream).notify(STARTED)
    assert stream.getvalue() == (
        '{"event":"build_started","version":1,"time":1.5,"build":"b1","tasks":["alpha"],"base":"c0",'
        '"branch":"main","jobs":2,"dry_run":false}\n'
    )


@unhurried
@given(events())
def test_every_event_is_ascii_on_one_line_and_reads_back_the_same(event: Event) -> None:
    text = line(event)
    assert text.isascii()
    assert text.endswith("\n")
    assert text.count("\n") == 1
    assert json.loads(text) == to_json(event)


def test_odd_bytes_of_paths_survive_any_encoding() -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii")
    JsonLines(stream).notify(TaskLanded(1.0, "b", "t", "a", "c", ("caf\udce9",), True))
    assert json.loads(raw.getvalue())["paths"] == ["caf\udce9"]


def test_each_line_is_flushed(tmp_path: Path) -> None:
    path = tmp_path / "out"
    with path.open("w") as stream:
        listener = JsonLines(stream)
        listener.notify(STARTED)
        assert path.read_text() == line(STARTED)
        listener.notify(NOTICE)
        assert path.read_text() == line(STARTED) + line(NOTICE)


def test_a_reader_that_went_away_makes_it_quiet() -> None:
    told: list[OSError] = []
    read, write = os.pipe()
    os.close(read)
    stream = os.fdopen(write, "w")
    listener = JsonLines(stream, told.append)
    listener.notify(STARTED)
    listener.notify(NOTICE)
    assert listener.closed
    assert told == []
    with pytest.raises(BrokenPipeError):
        stream.close()


def test_a_full_disk_is_told_once() -> None:
    told: list[OSError] = []
    stream = Full()
    listener = JsonLines(stream, told.append)
    for _ in range(3):
        listener.notify(STARTED)
    assert [error.errno for error in told] == [errno.ENOSPC]
    assert stream.tries == 1


def test_an_encoding_without_arrows_gets_plain_ones() -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii")
    Output(stream).write("a → b … é\n")
    assert raw.getvalue() == b"a -> b ... \\xe9\n"


def test_a_null_build_leaves_no_folder(tmp_path: Path) -> None:
    listener = EventsFile(tmp_path / "builds" / "b1" / "events.jsonl", _never)
    for event in (STARTED, DECIDED, NOTICE, FINISHED):
        listener.notify(event)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("first", [SLOT, BranchAdvanced(1.9, "b1", "main", "c0", "c1")])
def test_the_first_event_that_counts_brings_all_before_it(tmp_path: Path, first: Event) -> None:
    path = tmp_path / "builds" / "b1" / "events.jsonl"
    listener = EventsFile(path, _never)
    for event in (STARTED, DECIDED, NOTICE):
        listener.notify(event)
    assert not path.exists()
    listener.notify(first)
    assert path.read_text() == "".join(map(line, (STARTED, DECIDED, NOTICE, first)))
    listener.notify(FINISHED)
    assert path.read_text().splitlines()[-1] == line(FINISHED).strip()
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_nothing_is_written_after_the_end(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    listener = EventsFile(path, _never)
    for event in (STARTED, SLOT, FINISHED, SLOT):
        listener.notify(event)
    assert path.read_text() == "".join(map(line, (STARTED, SLOT, FINISHED)))


def test_closing_early_keeps_what_stands_and_drops_what_waits(tmp_path: Path) -> None:
    kept, dropped = EventsFile(tmp_path / "kept", _never), EventsFile(tmp_path / "dropped", _never)
    kept.notify(SLOT)
    dropped.notify(STARTED)
    for listener in (kept, dropped):
        listener.close()
        listener.notify(SLOT)
    assert (tmp_path / "kept").read_text() == line(SLOT)
    assert not (tmp_path / "dropped").exists()


def test_a_folder_that_cannot_be_made_is_told_once(tmp_path: Path) -> None:
    (tmp_path / "builds").write_text("a file in the way")
    told: list[OSError] = []
    listener = EventsFile(tmp_path / "builds" / "b1" / "events.jsonl", told.append)
    for event in (STARTED, SLOT, SLOT, FINISHED):
        listener.notify(event)
    assert len(told) == 1


def _never(error: OSError) -> None:
    raise error
