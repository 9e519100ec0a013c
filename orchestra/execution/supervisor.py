"""Runs one command and outlives everything that the command started, so that nothing of an attempt is left over.

    python -I -S supervisor.py REPORT_FD ALIVE_FD GRACE [portable] -- ARGV...

The command runs in a session of its own, with the standard streams and the directory given. Over ALIVE_FD orchestra
says `T` (stop politely) or `K` (kill now); its end of file means that orchestra is gone, and is a `T`. A stop is
SIGTERM to the command's process group and every descendant, then SIGKILL after GRACE seconds. What a command leaves
behind when it ends by itself is stopped likewise. To REPORT_FD go two lines of JSON, {"pid": N} at the start and
{"status", "signal", "error", "cpu_s", "peak_bytes", "survivors", "left", "stopped"} at the end: `error` is null,
"not-found: WHY" or "not-executable: WHY"; `survivors` counts what had to be stopped after the command itself had
ended, `left` what could not be killed (another user's processes).

On Linux all orphans come back to this process (PR_SET_CHILD_SUBREAPER), so "no child left" is "no descendant left".
Elsewhere, and with `portable` (for tests), a daemon that leaves both group and tree before the end escapes. There is
one of these per attempt: it imports little (17 ms, 6 MB proportional) and sleeps until something happens.
"""
# Not pathlib: it would add half to the time that this takes to start.
# ruff: noqa: PTH110, PTH118, PTH123, PTH208

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import resource
import select
import signal
import sys
import time

PR_SET_CHILD_SUBREAPER = 36
LINGER = 0.1  # seconds: a command's own children may end a moment after it
SHORT = 1.0  # seconds of grace once the command itself has ended
GIVE_UP = 10.0  # seconds of SIGKILL without effect: another user's process, or one stuck in the kernel
AGAIN = 0.02  # seconds between two rounds of SIGKILL
IGNORED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)  # it ends when the command has ended

Table = dict[int, tuple[int, int, str]]  # process: its parent, its process group, the letter of its state


def processes() -> Table:
    """Every process that can be seen, from /proc; from `ps` where there is none."""
    if not os.path.exists("/proc/self/stat"):
        return processes_by_ps()
    table: Table = {}
    for name in filter(str.isdecimal, os.listdir("/proc")):
        try:
            with open(f"/proc/{name}/stat", "rb", buffering=0) as file:
                stat = file.read(1024)
        except OSError:
            continue  # it ended meanwhile
        # The program's name, in parentheses, may itself hold spaces and parentheses.
        state, parent, group = stat[stat.rindex(b")") + 2 :].split(None, 3)[:3]
        table[int(name)] = (int(parent), int(group), state.decode())
    return table


def processes_by_ps() -> Table:
    """The same from `ps`."""
    out, into = os.pipe()
    argv = ["ps", "-A", "-o", "pid=", "-o", "ppid=", "-o", "pgid=", "-o", "stat="]
    ps = os.posix_spawnp("ps", argv, os.environ, file_actions=[(os.POSIX_SPAWN_DUP2, into, 1)])
    os.close(into)
    with open(out, "rb") as pipe:
        rows = [line.split() for line in pipe.read().decode().splitlines()]
    os.waitpid(ps, 0)
    return {int(row[0]): (int(row[1]), int(row[2]), row[3][0]) for row in rows if int(row[0]) != ps}


def descendants(table: Table, root: int) -> set[int]:
    """All processes of the table below `root`, those included that have ended and were not waited for."""
    children: dict[int, list[int]] = {}
    for pid, (parent, _, _) in table.items():
        children.setdefault(parent, []).append(pid)
    found: set[int] = set()
    todo = [root]
    while todo:
        new = [pid for pid in children.get(todo.pop(), ()) if pid not in found]
        found.update(new)
        todo += new
    return found


def send(number: int, table: Table) -> None:
    """Sends a signal to descendants by their groups: each gets it once, and none is forked away from it."""
    # Their groups hold only descendants, as the command began a session. (0 and 1: our own group and everybody.)
    for target in {-group if group > 1 else pid for pid, (_, group, _) in table.items()}:
        with contextlib.suppress(OSError):  # it ended meanwhile, or is another user's
            os.kill(target, number)
    for pid in (pid for pid, row in table.items() if row[2] == "T"):
        with contextlib.suppress(OSError):
            os.kill(pid, signal.SIGCONT)  # what is stopped takes a SIGTERM only when it goes on


def start(argv: list[str]) -> tuple[int, str | None]:
    """Starts the command in a session of its own: its process, and why it could not be executed."""
    out, into = os.pipe()  # closed by a successful exec, else it carries the errno
    pid = os.fork()
    if pid == 0:
        try:
            os.setsid()
            for each in (*IGNORED, signal.SIGPIPE, signal.SIGXFSZ):  # Python ignores the last two
                signal.signal(each, signal.SIG_DFL)
            os.execvp(argv[0], argv)
        except OSError as error:
            os.write(into, str(error.errno).encode())
        finally:
            os._exit(127)
    os.close(into)
    with open(out, "rb") as pipe:
        number = int(pipe.read() or b"0")
    places = [argv[0]] if "/" in argv[0] else [os.path.join(d, argv[0]) for d in os.get_exec_path()]
    if number == errno.ENOENT and any(map(os.path.exists, places)):
        return pid, "not-executable: its interpreter is missing"
    kind = "not-found" if number in (errno.ENOENT, errno.ENOTDIR) else "not-executable"
    return pid, f"{kind}: {os.strerror(number)}" if number else None


class Supervisor:
    """The one command, and how far its ending has come."""

    def __init__(self, alive: int, grace: float, portable: bool) -> None:
        self.alive, self.grace, self.portable = alive, grace, portable
        self.pid = 0
        self.code: int | None = None  # the command's wait status, once it has ended
        self.childless, self.asked, self.stopped = False, "", False
        self.left, self.survivors = set[int](), set[int]()
        self.wake, wake = os.pipe()
        os.set_blocking(wake, False)
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)  # without a handler the pipe is not written
        for each in IGNORED:
            signal.signal(each, signal.SIG_IGN)

    def listen(self, timeout: float | None) -> None:
        """Waits until a child ended, orchestra spoke or the time is over, and takes notice of it."""
        poll = select.poll()  # not select(): that cannot take descriptors over 1023
        for fd in filter(lambda fd: fd >= 0, (self.wake, self.alive)):
            poll.register(fd, select.POLLIN)
        for fd, _ in poll.poll(None if timeout is None else max(0.0, timeout * 1000 + 1)):
            said = os.read(fd, 4096)
            if fd == self.alive:
                self.asked = "K" if b"K" in said or self.asked == "K" else "T"
                self.alive = fd if said else -1  # an end of file would be told again and again
        self.reap()

    def reap(self) -> None:
        """Waits for every child that has ended: the command, and orphans that came back to us."""
        pid, self.childless = -1, False
        while pid != 0:
            try:
                pid, code = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                self.childless = True
                return
            if pid == self.pid:
                self.code = code

    def look(self) -> Table:
        """What of the command and its descendants has not ended; remembered as `left`."""
        table = processes_by_ps() if self.portable else processes()
        mine = descendants(table, os.getpid()) | (self.left if self.portable else set())
        left = (pid for pid, (_, group, _) in table.items() if pid in mine or group == self.pid)
        self.left = {pid for pid in left if table[pid][2] not in "ZX"}
        return {pid: table[pid] for pid in self.left}

    def signal(self, number: int) -> None:
        """Sends a signal to everything that is left."""
        table = self.look()
        if self.code is not None:
            self.survivors |= self.left
        send(number, table)

    def gone(self) -> bool:
        """Whether the command and all that it started have ended."""
        return self.code is not None and self.childless and not (self.portable and self.look())

    def watch(self) -> None:
        """From the start of the command to the end of its last descendant."""
        while self.code is None and not self.asked:
            self.listen(None)
        self.stopped = self.code is None
        self.wait(0 if self.stopped else LINGER)
        if not self.gone() and self.asked != "K":
            self.signal(signal.SIGTERM)
            self.wait(self.grace if self.stopped else min(self.grace, SHORT))
        end = time.monotonic() + GIVE_UP
        while not self.gone() and time.monotonic() < end:
            self.signal(signal.SIGKILL)
            self.listen(AGAIN)
        self.left = set() if self.gone() else set(self.look())

    def wait(self, seconds: float) -> None:
        """Waits until nothing is left, the time is over, or orchestra says `K`."""
        end, ended = time.monotonic() + seconds, self.code is not None
        while not self.gone() and self.asked != "K" and (rest := end - time.monotonic()) > 0:
            # Only a subreaper is told of every end.
            self.listen(min(rest, AGAIN) if self.portable else rest)
            if self.code is not None and not ended:
                end, ended = min(end, time.monotonic() + SHORT), True

    def report(self, error: str | None) -> str:
        """The line that orchestra gets."""
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        code = None if self.code is None or error else os.waitstatus_to_exitcode(self.code)
        fields = {
            "status": "null" if code is None or code < 0 else code,
            "signal": "null" if code is None or code >= 0 else -code,
            "error": f'"{error}"' if error else "null",
            "cpu_s": round(used.ru_utime + used.ru_stime, 6),
            "peak_bytes": used.ru_maxrss * (1 if sys.platform == "darwin" else 1024),  # KiB on Linux
            "survivors": len(self.survivors),
            "left": len(self.left),
            "stopped": str(self.stopped).lower(),
        }
        # By hand: importing json costs as much as ctypes, and nothing here needs escaping.
        return "{" + ", ".join(f'"{name}": {value}' for name, value in fields.items()) + "}\n"


def tell(fd: int, line: str) -> None:
    """Writes a line to orchestra, which may be gone."""
    with contextlib.suppress(OSError):
        os.write(fd, line.encode())


def main(arguments: list[str]) -> None:
    """The whole program."""
    split = arguments.index("--")
    report, alive, grace, *words = arguments[:split]
    for fd in (int(report), int(alive)):
        os.set_inheritable(fd, False)
    portable = sys.platform != "linux" or "portable" in words
    if not portable:
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    supervisor = Supervisor(int(alive), float(grace), portable)
    supervisor.pid, error = start(arguments[split + 1 :])
    tell(int(report), f'{{"pid": {supervisor.pid}}}\n')
    # The streams are the command's: their end must come when it closes them. So is the directory, which may go.
    null = os.open(os.devnull, os.O_RDWR)
    for fd in (0, 1, 2):
        os.dup2(null, fd)
    os.chdir("/")
    supervisor.watch()
    tell(int(report), supervisor.report(error))
    os._exit(0)  # nothing to tidy up


if __name__ == "__main__":
    main(sys.argv[1:])
