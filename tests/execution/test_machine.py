"""How this machine stands: what is read makes sense, and processors are judged over some time only."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

from orchestra.execution.machine import SPAN, LocalMachine
from tests.execution.shop import SkippingClock


def test_a_reading_makes_sense(tmp_path: Path) -> None:
    reading = LocalMachine(tmp_path / "not" / "there" / "yet", SkippingClock()).read()
    assert 0 < reading.memory < 1 and reading.memory_bytes > 2**26
    free = shutil.disk_usage(tmp_path).free
    assert abs(reading.disk_free - free) < max(free, 2**30) / 2
    assert reading.cpu is None, "nobody can know that at the first look"


def test_processors_are_judged_over_some_time(tmp_path: Path) -> None:
    clock = SkippingClock()
    machine = LocalMachine(tmp_path, clock)
    assert machine.read().cpu is None
    until = time.process_time() + 0.2
    while time.process_time() < until:
        pass
    assert machine.read().cpu is None, "a moment says nothing"
    clock.ahead = SPAN
    cpu = machine.read().cpu
    assert cpu is not None and 0 < cpu <= 1
    assert machine.read().cpu == cpu, "and until the next span is over it holds good"
