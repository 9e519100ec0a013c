"""Samples of the machine: what they say, and that they become fewer."""

from __future__ import annotations

from math import inf
from pathlib import Path

from orchestra.execution.gauges import Gauges
from orchestra.execution.sampling import FIRST, Sampler
from orchestra.model.ports import Sampled
from orchestra.planning.simulate import ManualClock


def machine(folder: Path, busy: int, idle: int, *, available: int = 750) -> Gauges:
    """A machine whose processors have worked and idled so long, with 1000 kB of memory."""
    (folder / "stat").write_text(f"cpu  {busy} 0 0 {idle} 0 0 0 0 {busy} 0\ncpu0 1 1 1 1\n")
    (folder / "meminfo").write_text(f"MemTotal: 1000 kB\nMemAvailable: {available} kB\n")
    return Gauges(proc=folder)


def test_a_sample_tells_what_happened_since_the_last(tmp_path: Path) -> None:
    clock = ManualClock(50.0)
    sampler = Sampler(clock, machine(tmp_path, 100, 100))
    assert sampler.due == inf
    sampler.begin()
    assert sampler.due == 50.0 + FIRST
    machine(tmp_path, 130, 110)
    clock.seconds = 51.0
    assert sampler.take(7, 2) == Sampled(0.75, 0.25, 7, 2)
    machine(tmp_path, 130, 210, available=100)
    assert sampler.take(0, 0) == Sampled(0.0, 0.9, 0, 0)
    # No time has passed for the processors.
    assert sampler.take(0, 0).cpu is None


def test_a_second_command_changes_nothing(tmp_path: Path) -> None:
    clock = ManualClock()
    sampler = Sampler(clock, machine(tmp_path, 1, 1))
    sampler.begin()
    due = sampler.due
    clock.seconds = 0.5
    sampler.begin()
    assert sampler.due == due


def test_a_day_has_no_more_than_a_few_thousand(tmp_path: Path) -> None:
    clock = ManualClock()
    sampler = Sampler(clock, machine(tmp_path, 1, 1))
    sampler.begin()
    count = 0
    while sampler.due < 86400:
        clock.seconds = sampler.due
        sampler.take(0, 1)
        count += 1
        if count == 100:
            assert clock.seconds == 100.0
    assert 1000 < count < 3000


def test_the_machine_itself_can_be_read() -> None:
    worked, passed = Gauges().processors()
    assert 0 < worked <= passed
    assert Gauges(proc=Path("/nowhere")).processors()[1] > 0
