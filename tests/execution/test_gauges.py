"""What processes use and how the machine stands for memory, against processes and files that are known."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from orchestra.execution.gauges import Gauges, Load
from orchestra.execution.supervisor import descendants, processes

LIMIT = 30.0  # seconds after which a test gives up
LINUX = sys.platform == "linux"
MIB = 2**20

# A parent and two children, which hold 40, 60 and 80 MiB of their own; the last one computes a while.
FAMILY = """
import os, sys, time
def hold(size):
    held = bytearray(os.urandom(1)) * (size * 2**20)
    os.write(1, b"up\\n")
    sys.stdin.read()
    held.clear()
for size in (60, 80):
    if os.fork() == 0:
        end = time.process_time() + (0.5 if size == 80 else 0)
        while time.process_time() < end:
            pass
        hold(size)
        os._exit(0)
hold(40)
os.wait(), os.wait()
os.write(1, b"up\\n")
time.sleep(600)
"""


SUPERVISOR = "import subprocess, sys; subprocess.run([sys.executable, '-c', sys.argv[1]])"


@pytest.fixture
def family() -> Iterator[subprocess.Popen[bytes]]:
    """Stands for a supervisor: below it is the family."""
    argv = [sys.executable, "-c", SUPERVISOR, FAMILY]
    process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdin is not None and process.stdout is not None
    try:
        assert [process.stdout.readline() for _ in range(3)] == [b"up\n"] * 3
        yield process
    finally:
        for pid in descendants(processes(), process.pid):
            os.kill(pid, signal.SIGKILL)
        process.stdin.close()
        process.stdout.close()
        process.wait(LIMIT)


EVERYWHERE = Path("/nowhere")  # without /proc all is told by psutil
MEANS = pytest.mark.parametrize(
    "gauges", [Gauges(), Gauges(EVERYWHERE)] if LINUX else [Gauges()], ids=["proc", "psutil"][: 1 + LINUX]
)


@MEANS
def test_memory_is_that_of_all_together(family: subprocess.Popen[bytes], gauges: Gauges) -> None:
    loads = gauges.loads([family.pid, os.getpid()])
    # The rest is what three interpreters hold; what one of them shares with the others is counted once at best.
    assert 180 * MIB <= loads[family.pid].memory <= 180 * MIB + 60 * MIB
    assert loads[os.getpid()].memory >= loads[family.pid].memory


@pytest.mark.skipif(not LINUX, reason="only /proc tells what is shared")
def test_what_is_shared_counts_once(family: subprocess.Popen[bytes]) -> None:
    found = [psutil.Process(pid).memory_info() for pid in descendants(processes(), family.pid)]
    expected = sum(each.rss - each.shared for each in found) + max(each.shared for each in found)
    assert Gauges().loads([family.pid])[family.pid].memory == pytest.approx(expected, rel=0.02)
    assert expected < sum(each.rss for each in found)


@MEANS
def test_cpu_time_includes_those_that_have_ended(family: subprocess.Popen[bytes], gauges: Gauges) -> None:
    if not LINUX:
        pytest.skip("not told here")
    before = gauges.loads([family.pid])[family.pid].cpu_s
    assert 0.5 <= before < 10
    assert family.stdin is not None and family.stdout is not None
    family.stdin.close()
    # The parent has waited for both children.
    assert family.stdout.readline() == b"up\n"
    after = gauges.loads([family.pid])[family.pid]
    assert before <= after.cpu_s < before + 1
    assert after.memory < 80 * MIB


@MEANS
def test_what_a_supervisor_does_itself_is_not_its_commands(gauges: Gauges) -> None:
    burn = "import time\nwhile time.process_time() < 0.5: pass\nprint(flush=True); input()"
    busy = subprocess.Popen([sys.executable, "-c", burn], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert busy.stdout is not None and busy.stdout.readline()
    assert gauges.loads([busy.pid]) == {busy.pid: Load()}
    busy.communicate(b"\n")
    assert gauges.loads([busy.pid]) == {busy.pid: Load()}  # it is not there any more


# --- memory of the machine ---------------------------------------------------------------------------------------


def test_the_memory_of_this_machine() -> None:
    memory = psutil.virtual_memory()
    for gauges in (Gauges(), Gauges(EVERYWHERE)):
        assert gauges.memory_available() == pytest.approx(memory.available / memory.total, abs=0.1)
        assert gauges.memory_kills() >= 0


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


KILLS: list[tuple[str, dict[str, str], int]] = [
    ("", {}, 0),
    ("0::/\n", {"cgroup/memory.events": "low 0\noom 9\noom_kill 3\noom_group_kill 0\n"}, 3),
    (
        "0::/a/b: c\n",
        {"cgroup/a/b: c/memory.events": "oom_kill 4\n", "cgroup/memory.events": "oom_kill 9\n"},
        4,
    ),
    # Version 1, and both side by side.
    ("4:memory:/x\n1:cpu:/y\n", {"cgroup/memory/x/memory.oom_control": "under_oom 0\noom_kill 5\n"}, 5),
    ("4:cpu,memory:/x\n0::/\n", {"cgroup/memory/x/memory.oom_control": "oom_kill 5\n"}, 5),
    ("1:cpu:/\n0::/\n", {"cgroup/unified/memory.events": "oom_kill 6\n"}, 6),
    ("0::/\n", {"proc/vmstat": "pgfault 4\noom_kill 2\n", "cgroup/memory.events": "oom_kill 1\n"}, 3),
    ("0::/\n", {"proc/vmstat": "pgfault 4\n", "cgroup/memory.events": "oom_kill max\n"}, 0),
]


@pytest.mark.parametrize(("own", "files", "expected"), KILLS)
def test_how_many_were_killed(own: str, files: dict[str, str], expected: int, tmp_path: Path) -> None:
    write(tmp_path / "proc/self/cgroup", own)
    for path, text in files.items():
        write(tmp_path / path, text)
    assert Gauges(tmp_path / "proc", tmp_path / "cgroup").memory_kills() == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("MemTotal:       1000 kB\nMemFree:  10 kB\nMemAvailable:    50 kB\n", 0.05),
        ("MemTotal: 0 kB\nMemAvailable: 5 kB\n", None),
        ("MemTotal: 1000 kB\n", None),
    ],
)
def test_how_much_is_free(text: str, expected: float | None, tmp_path: Path) -> None:
    """Where the file does not tell, psutil does."""
    write(tmp_path / "meminfo", text)
    found = Gauges(tmp_path).memory_available()
    assert found == expected if expected is not None else 0.05 < found <= 1
