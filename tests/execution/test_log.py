"""The log of an attempt: bounded on disk and in memory, and true about what it leaves out."""

from __future__ import annotations

import re
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestra.execution.log import HEAD_BYTES, LINE, LINE_BYTES, TAIL, TAIL_BYTES, AttemptLog
from orchestra.model.agents import AgentEvent

MARK = re.compile(r"== ([0-9,]+) bytes of output are left out here\n")


def test_what_is_written_can_be_read_at_once(tmp_path: Path) -> None:
    log = AttemptLog(tmp_path / "logs" / "a.log")
    log.phase("agent", "run it")
    log.line("said \udcff")
    assert log.path.read_text() == "== agent: run it\nsaid \\udcff\n"
    log.event(AgentEvent("text", "one\ntwo"))
    log.event(AgentEvent("tool", "why", "Edit", ("a", "b")))
    log.event(AgentEvent("usage", "42"))
    assert log.tail == ("said \udcff", "one", "two", "→ Edit a b")
    log.phase("check", "look")
    assert list(log.tail) == []
    log.close()
    log.close()
    assert log.path.read_text().endswith("two\n→ Edit a b\n== check: look\n")
    assert log.problem is None


def test_what_must_not_be_written_is_not(tmp_path: Path) -> None:
    log = AttemptLog(tmp_path / "a.log", mask=lambda text: text.replace("secret", "***"))
    log.phase("agent", "run secret")
    log.line("a secret")
    log.event(AgentEvent("text", "one secret\ntwo"))
    log.close()
    assert log.tail == ("a ***", "one ***", "two")
    assert log.path.read_text() == "== agent: run ***\na ***\none ***\ntwo\n"


def test_a_short_log_is_whole(tmp_path: Path) -> None:
    log = AttemptLog(tmp_path / "a.log")
    lines = [f"line {number}" for number in range(10_000)]
    for line in lines:
        log.line(line)
    log.close()
    assert log.path.read_text().splitlines() == lines
    assert log.tail == tuple(lines[-TAIL:])


@settings(deadline=None, max_examples=150)
@given(
    st.lists(st.text("aé\udcff ", max_size=30), max_size=60),
    st.integers(0, 200),
    st.integers(40, 120),
    st.integers(0, 50),
)
def test_beginning_and_end_are_kept_and_the_rest_is_counted(
    tmp_path_factory: pytest.TempPathFactory, lines: list[str], head: int, end: int, before: int
) -> None:
    """Against the whole text; also in a file that another log has begun."""
    path = tmp_path_factory.mktemp("log") / "a.log"
    path.write_bytes(b"b" * before + b"\n" * (before > 0))
    log = AttemptLog(path, head, end)
    whole = path.read_bytes()
    begun = len(whole)
    for line in lines:
        log.line(line)
        whole += line.encode("utf-8", "backslashreplace") + b"\n"
    log.close()
    found = path.read_bytes()
    marks = list(re.finditer(rb"== ([0-9,]+) bytes of output are left out here\n", found))
    if not marks:
        assert found == whole
        assert len(whole) <= max(head, begun) + 2 * end + 200
        return
    (mark,) = marks
    kept, rest = found[: mark.start()], found[mark.end() :]
    assert whole.startswith(kept) and whole.endswith(rest)
    # Both are whole lines.
    assert all(not part or part.endswith(b"\n") for part in (kept, whole[: len(whole) - len(rest)], rest))
    assert int(mark[1].replace(b",", b"")) == len(whole) - len(kept) - len(rest) > 0
    # As much as fits: one line more would not have.
    following = whole[len(kept) :].split(b"\n")[0]
    assert len(kept) <= max(head, begun) and len(kept) + len(following) + 1 > head
    longest = max(map(len, whole.split(b"\n"))) + 1
    assert end - longest < len(rest) <= 2 * end


def test_a_flood_is_bounded_on_disk_and_in_memory(tmp_path: Path) -> None:
    log = AttemptLog(tmp_path / "a.log", 100_000, 100_000)
    log.line("the first")
    line = "x" * 10_000
    tracemalloc.start()
    try:
        for _ in range(5_000):
            log.line(line)
            assert log.path.stat().st_size <= 310_100
        log.line("the last")
        assert tracemalloc.get_traced_memory()[1] < 2_000_000
    finally:
        tracemalloc.stop()
    log.close()
    text = log.path.read_text()
    assert text.startswith("the first\nxxx") and text.endswith("xxx\nthe last\n")
    mark = MARK.search(text)
    assert mark is not None and len(MARK.findall(text)) == 1
    left_out = int(mark[1].replace(",", ""))
    assert left_out + len(text) - len(mark[0]) == 10 + 5_000 * 10_001 + 9
    assert HEAD_BYTES >= 2**20 and TAIL_BYTES >= 2**20


def test_it_stays_the_same_file_for_who_reads_along(tmp_path: Path) -> None:
    log = AttemptLog(tmp_path / "a.log", 100, 1_000)
    number = log.path.stat().st_ino
    for _ in range(1_000):
        log.line("x" * 99)
    assert log.path.stat().st_ino == number
    log.close()


def test_endless_lines_are_cut(tmp_path: Path) -> None:
    log = AttemptLog(tmp_path / "a.log")
    log.line("é" * 4_000_000)
    log.line("next")
    log.close()
    long, following, _ = log.path.read_text().split("\n")
    assert long == "é" * (LINE_BYTES // 2) + f"… ({8_000_000 - LINE_BYTES:,} bytes more)"
    assert following == "next"
    assert log.tail == ("é" * (LINE - 1) + "…", "next")


def test_what_cannot_be_written_is_lost_and_told(tmp_path: Path) -> None:
    log = AttemptLog(tmp_path)
    log.line("said")
    assert log.tail == ("said",)
    assert log.problem == f"cannot write {tmp_path}: Is a directory"


def test_a_repository_that_is_gone_is_not_begun_again(tmp_path: Path) -> None:
    state = tmp_path / "moved" / ".git" / "orchestra"
    log = AttemptLog(state / "builds" / "b1" / "a.log")
    log.line("lost")
    assert "No such file" in (log.problem or "") and list(tmp_path.iterdir()) == []
    # But a person may delete what orchestra keeps.
    state.parent.mkdir(parents=True)
    log = AttemptLog(state / "builds" / "b1" / "a.log")
    log.close()
    assert log.problem is None and (state / "builds" / "b1" / "a.log").is_file()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_a_full_disk_is_told_once_and_stops_nothing(tmp_path: Path) -> None:
    (tmp_path / "a.log").symlink_to("/dev/full")
    log = AttemptLog(tmp_path / "a.log")
    for number in range(3):
        log.line(f"said {number}")
    assert log.tail == ("said 0", "said 1", "said 2")
    assert log.problem == f"cannot write {tmp_path}/a.log: No space left on device"
    log.close()
