"""What the processes of running commands use, and how the machine stands for memory: readings from outside.

Everything is read from /proc, or by psutil where there is none; nothing here waits, and what cannot be read counts
as nothing.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from orchestra.execution.supervisor import descendants


@dataclass(frozen=True, slots=True)
class Load:
    """What all processes of a command use together.

    `cpu_s`: seconds of user and system time since they began, those that have ended included (where the platform
    tells). `memory`: bytes resident at this moment, what is shared counted once, at the largest share.
    """

    cpu_s: float = 0.0
    memory: int = 0


@dataclass(frozen=True, slots=True)
class _Process:
    """A process: its parent, the CPU seconds of its own and of children that it waited for, and its resident bytes."""

    parent: int
    own_s: float
    children_s: float
    resident: int


@dataclass(frozen=True, slots=True)
class Gauges:
    """The machine's own files, or others that look like them."""

    proc: Path = Path("/proc")
    cgroups: Path = Path("/sys/fs/cgroup")

    def loads(self, supervisors: Iterable[int]) -> dict[int, Load]:
        """By supervisor: what the processes below it use. One look at the machine serves all of them."""
        table, shared = self._processes()
        # The third is the letter of a state, which nobody asks for here.
        tree = {pid: (process.parent, 0, "") for pid, process in table.items()}
        return {root: _sum(table, descendants(tree, root), root, shared) for root in supervisors}

    def memory_available(self) -> float:
        """The share of the machine's memory (0 to 1) that can be had without swapping."""
        rows = dict(_pairs(_read(f"{self.proc}/meminfo")))
        if b"MemAvailable:" in rows and rows.get(b"MemTotal:"):
            return rows[b"MemAvailable:"] / rows[b"MemTotal:"]
        import psutil

        memory = psutil.virtual_memory()
        return memory.available / memory.total

    def processors(self) -> tuple[float, float]:
        """The time that all processors together have worked, and that has passed for them, in a unit of the machine's
        own.
        """
        words = _read(f"{self.proc}/stat").partition(b"\n")[0].split()
        if words[:1] == [b"cpu"] and len(words) > 5 and all(map(bytes.isdigit, words[1:])):
            # user nice system idle iowait irq softirq steal; what guests take is counted as user time already.
            times = [float(word) for word in words[1:9]]
            return sum(times) - times[3] - times[4], sum(times)
        import psutil

        spent = psutil.cpu_times()
        total = sum(spent) - getattr(spent, "guest", 0.0) - getattr(spent, "guest_nice", 0.0)
        return total - spent.idle - getattr(spent, "iowait", 0.0), total

    def memory_kills(self) -> int:
        """How many processes the kernel has killed so far for want of memory: on the machine, and in our cgroup."""
        kills = dict(_pairs(_read(f"{self.proc}/vmstat"))).get(b"oom_kill", 0)
        for line in _read(f"{self.proc}/self/cgroup").decode(errors="surrogateescape").splitlines():
            _, controllers, path = line.split(":", 2)
            if not controllers:
                # Version 2, alone or beside version 1.
                files = [f"{self.cgroups}{path}/memory.events", f"{self.cgroups}/unified{path}/memory.events"]
            elif "memory" in controllers.split(","):
                files = [f"{self.cgroups}/memory{path}/memory.oom_control"]
            else:
                continue
            kills += sum(dict(_pairs(_read(file))).get(b"oom_kill", 0) for file in files)
        return kills

    def _processes(self) -> tuple[dict[int, _Process], Callable[[int], int]]:
        """All processes, and what tells how many bytes of one are shared with others or with files."""
        root = str(self.proc)
        if not os.path.exists(f"{root}/self/stat"):  # noqa: PTH110 - as below
            return dict(_by_psutil()), lambda pid: 0
        tick, page = os.sysconf("SC_CLK_TCK"), os.sysconf("SC_PAGE_SIZE")
        table: dict[int, _Process] = {}
        for name in filter(str.isdecimal, os.listdir(root)):  # noqa: PTH208 - a third of the time of pathlib
            stat = _read(f"{root}/{name}/stat")
            if stat:
                # The program's name, in parentheses, may itself hold spaces and parentheses.
                fields = stat[stat.rindex(b")") + 2 :].split(None, 22)
                user, system, users, systems = map(int, fields[11:15])
                own, children = (user + system) / tick, (users + systems) / tick
                table[int(name)] = _Process(int(fields[1]), own, children, int(fields[21]) * page)

        def shared(pid: int) -> int:
            statm = _read(f"{root}/{pid}/statm").split()
            return int(statm[2]) * page if statm else 0

        return table, shared


def _sum(
    table: Mapping[int, _Process], below: Iterable[int], root: int, shared: Callable[[int], int]
) -> Load:
    found = [(pid, table[pid]) for pid in below]
    cpu = sum(process.own_s + process.children_s for _, process in found)
    # What the supervisor does itself is not the command's, but it waits for orphans.
    cpu += table[root].children_s if root in table else 0.0
    shares = [min(shared(pid), process.resident) for pid, process in found]
    memory = sum(process.resident for _, process in found) - sum(shares) + max(shares, default=0)
    return Load(cpu, memory)


def _by_psutil() -> Iterator[tuple[int, _Process]]:
    import psutil

    for process in psutil.process_iter(["ppid", "cpu_times", "memory_info"]):
        info = process.info
        cpu, memory = info["cpu_times"], info["memory_info"]
        own = cpu.user + cpu.system if cpu else 0.0
        children = cpu.children_user + cpu.children_system if cpu else 0.0
        yield process.pid, _Process(info["ppid"] or 0, own, children, memory.rss if memory else 0)


def _pairs(text: bytes) -> Iterator[tuple[bytes, int]]:
    """Rows of a name and a whole number, whatever follows."""
    for row in text.splitlines():
        words = row.split()
        if len(words) > 1 and words[1].isdigit():
            yield words[0], int(words[1])


def _read(path: str) -> bytes:
    """A small file's bytes; nothing where it cannot be read, as that of a process that has ended meanwhile."""
    try:
        with open(path, "rb", buffering=0) as file:  # noqa: PTH123 - as above
            return file.read(65536)
    except OSError:
        return b""
