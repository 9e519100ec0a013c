"""Runs one command and outlives everything that the command started, so that nothing of an attempt is left over.

    python -I -S supervisor.py REPORT_FD ALIVE_FD GRACE [portable FOLDER [NAME=VALUE...]] -- ARGV...

The command runs in a session of its own, with the standard streams and the directory given. Over ALIVE_FD orchestra
says `T` (stop politely) or `K` (kill now); its end of file means that orchestra is gone, and is a `T`. A stop is
SIGTERM to the command's process group and every descendant, then SIGKILL after GRACE seconds. What a command leaves
behind when it ends by itself is stopped likewise. To REPORT_FD go two lines of JSON, {"pid": N} at the start and
{"status", "signal", "error", "errno", "cpu_s", "peak_bytes", "survivors", "left", "stopped"} at the end: `error` is
null, "not-found: WHY", "not-executable: WHY" or "not-started: WHY", and `errno` its number; `survivors` counts what
had to be stopped after the command itself had ended, `left` what could not be killed (another user's processes).

On Linux all orphans come back to this process (PR_SET_CHILD_SUBREAPER), so "no child left" is "no descendant left".
With `portable`, where there is no such means, psutil (in FOLDER) is asked: what belongs to the command is below it, or
in its group, or was seen to be so once, or bears all of NAME=VALUE in its environment. Who leaves group and tree within
a second and its environment too escapes then; and by either means what a service of the machine starts for the command.

There is one of these per attempt: it imports little (17 ms, 6 MB proportional) and sleeps until something happens
(`portable`: it wakes once a second). What it runs is the kernel's first choice where memory runs out; itself it is not.
"""
# Not pathlib: it would add half to the time that this takes to start.
# ruff: noqa: PTH118, PTH123, PTH208

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

TYPE_CHECKING = False  # importing typing would cost more than all the rest
if TYPE_CHECKING:
    import psutil

PR_SET_CHILD_SUBREAPER = 36
LINGER = 0.1  # seconds: a command's own children may end a moment after it
SHORT = 1.0  # seconds of grace once the command itself has ended
GIVE_UP = 10.0  # seconds of SIGKILL without effect: another user's process, or one stuck in the kernel
AGAIN = 0.02  # seconds between two rounds of SIGKILL
WALK = 1.0  # seconds between two walks that remember who belongs to the command
SHARE = 50  # a walk is followed by a rest of at least so many times the CPU time that it took
EXPENDABLE = 500  # of 1,000, added to the share of memory by which the kernel chooses whom to kill
IGNORED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)  # it ends when the command has ended

Table = dict[int, tuple[int, int, str]]  # process: its parent, its process group, the letter of its state


def processes() -> Table:
    """Every process that can be seen, from /proc."""
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


def descendants(table: Table, *roots: int) -> set[int]:
    """All processes of the table below `roots`, those included that have ended and were not waited for."""
    children: dict[int, list[int]] = {}
    for pid, (parent, _, _) in table.items():
        children.setdefault(parent, []).append(pid)
    found: set[int] = set()
    todo = [*roots]
    while todo:
        new = [pid for pid in children.get(todo.pop(), ()) if pid not in found]
        found.update(new)
        todo += new
    return found


class Walk:
    """Finds what belongs to a command by all that a portable program can see; each look remembers for the next."""

    def __init__(self, mark: list[tuple[str, str]]) -> None:
        """`mark`: variables that together tell the command's processes from all others; [] where none do."""
        self.mark = mark
        # With the time of its start: numbers are used again.
        self.ours, self.others = dict[int, float](), dict[int, float]()
        self.rest, self.pause = WALK, AGAIN  # seconds until the next look: while it works, and while it ends

    def look(self, root: int, group: int) -> Table:
        """The processes below `root` (0: none), in `group`, seen to be there before, or bearing the mark."""
        import psutil

        began = time.process_time()
        table: Table = {}
        found, births = dict[int, psutil.Process](), dict[int, float]()
        letters = {psutil.STATUS_ZOMBIE: "Z", psutil.STATUS_DEAD: "X", psutil.STATUS_STOPPED: "T"}
        for process in psutil.process_iter():
            try:
                with process.oneshot():
                    pid = process.pid
                    row = process.ppid(), os.getpgid(pid), letters.get(process.status(), "S")
                    births[pid] = process.create_time()
            except (psutil.Error, OSError):
                continue  # it ended meanwhile
            table[pid], found[pid] = row, process
        known = {pid for pid, birth in self.ours.items() if births.get(pid) == birth}
        known |= {pid for pid, row in table.items() if group and row[1] == group}
        known |= {pid for pid, process in found.items() if self.bears(process, births[pid])}
        known |= descendants(table, *known, *filter(None, (root,)))
        known.discard(os.getpid())
        self.ours = {pid: births[pid] for pid in known}
        self.others = {pid: birth for pid, birth in self.others.items() if births.get(pid) == birth}
        took = time.process_time() - began
        self.rest, self.pause = max(WALK, SHARE * took), max(AGAIN, 4 * took)
        return {pid: table[pid] for pid in known if table[pid][2] not in "ZX"}

    def bears(self, process: psutil.Process, birth: float) -> bool:
        """Whether a process has the mark in its environment, as that was when its program began."""
        if not self.mark or process.pid == os.getpid() or self.others.get(process.pid) == birth:
            return False
        import psutil

        try:
            environ = process.environ()
        except (psutil.Error, OSError):
            return False  # it ended, is another user's, or is exchanging its program just now
        if environ and any(environ.get(name) != value for name, value in self.mark):
            self.others[process.pid] = birth
        return all(environ.get(name) == value for name, value in self.mark)


def send(number: int, table: Table) -> None:
    """Sends a signal to descendants by their groups: each gets it once, and none is forked away from it."""
    # Their groups hold only descendants, as the command began a session. (0 and 1: our own group and everybody.)
    for target in {-group if group > 1 else pid for pid, (_, group, _) in table.items()}:
        with contextlib.suppress(OSError):  # it ended meanwhile, or is another user's
            os.kill(target, number)
    for pid in (pid for pid, row in table.items() if row[2] == "T"):
        with contextlib.suppress(OSError):
            os.kill(pid, signal.SIGCONT)  # what is stopped takes a SIGTERM only when it goes on


def start(argv: list[str]) -> tuple[int, str | None, int]:
    """Starts the command in a session of its own: its process (0: none), and why it could not be executed."""
    out, into = os.pipe()  # closed by a successful exec, else it carries the errno
    try:
        pid = os.fork()
    except OSError as error:
        return 0, f"not-started: {error.strerror}", error.errno or 0
    if pid == 0:
        try:
            os.setsid()
            with contextlib.suppress(OSError, ValueError), open("/proc/self/oom_score_adj", "r+b", 0) as file:
                adjusted = int(file.read())
                file.write(b"%d" % max(adjusted, EXPENDABLE))
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
        return pid, "not-executable: its interpreter is missing", number
    kind = "not-found" if number in (errno.ENOENT, errno.ENOTDIR) else "not-executable"
    return pid, f"{kind}: {os.strerror(number)}" if number else None, number


class Supervisor:
    """The one command, and how far its ending has come."""

    def __init__(self, alive: int, grace: float, walk: Walk | None) -> None:
        """`walk` finds what belongs to the command where orphans do not come back."""
        self.alive, self.grace, self.walk = alive, grace, walk
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
        if self.walk is not None:
            left = self.walk.look(os.getpid(), self.pid)
        else:
            table = processes()
            mine = descendants(table, os.getpid())
            left = {pid: row for pid, row in table.items() if pid in mine or row[1] == self.pid}
            left = {pid: row for pid, row in left.items() if row[2] not in "ZX"}
        self.left = set(left)
        return left

    def signal(self, number: int) -> None:
        """Sends a signal to everything that is left."""
        table = self.look()
        if self.code is not None:
            self.survivors |= self.left
        send(number, table)

    def gone(self) -> bool:
        """Whether the command and all that it started have ended."""
        return self.code is not None and self.childless and not (self.walk is not None and self.look())

    def watch(self) -> None:
        """From the start of the command to the end of its last descendant."""
        while self.code is None and not self.asked:
            if self.walk is not None:
                self.look()
            self.listen(None if self.walk is None else self.walk.rest)
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
            self.listen(rest if self.walk is None else min(rest, self.walk.pause))
            if self.code is not None and not ended:
                end, ended = min(end, time.monotonic() + SHORT), True

    def report(self, error: str | None, number: int) -> str:
        """The line that orchestra gets."""
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        code = None if self.code is None or error else os.waitstatus_to_exitcode(self.code)
        fields = {
            "status": "null" if code is None or code < 0 else code,
            "signal": "null" if code is None or code >= 0 else -code,
            "error": f'"{error}"' if error else "null",
            "errno": number,
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
    walk = None
    if words:
        sys.path.append(words[1])
        walk = Walk([(name, value) for name, _, value in (word.partition("=") for word in words[2:])])
    else:
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    supervisor = Supervisor(int(alive), float(grace), walk)
    supervisor.pid, error, number = start(arguments[split + 1 :])
    tell(int(report), f'{{"pid": {supervisor.pid}}}\n')
    # The streams are the command's: their end must come when it closes them. So is the directory, which may go.
    null = os.open(os.devnull, os.O_RDWR)
    for fd in (0, 1, 2):
        os.dup2(null, fd)
    os.chdir("/")
    if supervisor.pid:
        supervisor.watch()
    tell(int(report), supervisor.report(error, number))
    os._exit(0)  # nothing to tidy up


if __name__ == "__main__":
    main(sys.argv[1:])
