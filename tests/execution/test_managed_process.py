"""A managed process: what the event loop sees of a command, with real processes."""

from __future__ import annotations

import os
import selectors
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestra.execution.process import PATIENCE, ROUND, LineSplitter, ManagedProcess
from orchestra.execution.supervisor import processes
from orchestra.model.errors import ExitStatus, OrchestraError
from orchestra.model.outcomes import Exit

LIMIT = 30.0  # seconds after which a test gives up
LINUX = sys.platform == "linux"


class Driver:
    """A small event loop around one process, which keeps all lines."""

    def __init__(self, argv: list[str], cwd: Path, env: dict[str, str] | None = None, **more: object) -> None:
        env = dict(os.environ) if env is None else env
        self.process = ManagedProcess(argv, cwd=str(cwd), env=env, **more)  # type: ignore[arg-type]
        self.out: list[str] = []
        self.err: list[str] = []
        self._selector = selectors.DefaultSelector()
        for fd in self.process.fds:
            self._selector.register(fd, selectors.EVENT_READ)

    def until(self, met: Callable[[], object], limit: float = LIMIT) -> None:
        """Turns the loop until the condition is met."""
        end = time.monotonic() + limit
        while not met():
            rest = end - time.monotonic()
            assert rest > 0, f"not met: out {self.out[-5:]}, err {self.err[-5:]}, {self.process.finished}"
            for key, _ in self._selector.select(min(rest, 0.05)):
                self.take(key.fd)
            if time.monotonic() >= (self.process.deadline() or end):
                for fd in self.process.fds:
                    self.take(fd, final=True)

    def take(self, fd: int, final: bool = False) -> None:
        lines = self.process.take(fd, final)
        assert not lines or fd != self.process.report
        (self.out if fd == self.process.stdout else self.err).extend(lines)
        if fd not in self.process.fds:
            self._selector.unregister(fd)

    def finish(self) -> Exit:
        self.until(lambda: self.process.finished)
        assert self.process.finished is not None
        return self.process.finished

    def close(self) -> None:
        self._selector.close()
        self.process.close()


@pytest.fixture(
    params=[False, True] if LINUX else [True], ids=lambda portable: "portable" if portable else ""
)
def start(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Callable[..., Driver]]:
    """Starts commands, in a directory of the test, and closes them at its end; by each of the two means."""
    started: list[Driver] = []

    def go(*argv: str, cwd: Path = tmp_path, **more: object) -> Driver:
        # As an attempt's commands are marked.
        env = {**os.environ, "ORCHESTRA_ROOT": str(tmp_path), "ORCHESTRA_ATTEMPT": f"{len(started)}"}
        more = {"env": env, "portable": request.param} | more
        started.append(Driver(list(argv), cwd, **more))  # type: ignore[arg-type]
        return started[-1]

    yield go
    for driver in started:
        driver.close()


Start = Callable[..., Driver]


def alive(pid: int) -> bool:
    """Whether a process runs (and is not only waited for)."""
    return processes().get(pid, (0, 0, "Z"))[2] not in "ZX"


def test_success(start: Start, tmp_path: Path) -> None:
    driver = start("sh", "-c", "pwd; echo err >&2; printf 'no newline'; cat")
    ended = driver.finish()
    assert ended.ok and ended == Exit(0, cpu_s=ended.cpu_s, peak_bytes=ended.peak_bytes)
    assert driver.out == [str(tmp_path.resolve()), "no newline"]
    assert driver.err == ["err"]
    assert driver.process.problem is None
    assert driver.process.fds == ()
    assert driver.process.deadline() is None


@pytest.mark.parametrize(
    ("command", "status", "number"), [("exit 3", 3, None), ("kill -SEGV $$", None, signal.SIGSEGV)]
)
def test_failure(start: Start, command: str, status: int | None, number: int | None) -> None:
    ended = start("sh", "-c", command).finish()
    assert (ended.status, ended.signal, ended.stopped, ended.ok) == (status, number, None, False)


def test_standard_input_is_the_file_and_then_its_end(start: Start, tmp_path: Path) -> None:
    (tmp_path / "prompt").write_text("Do it.\n" * 20_000)
    driver = start("wc", "-c", stdin_file=str(tmp_path / "prompt"))
    assert driver.finish().ok
    assert driver.out[0].strip() == "140000"


def test_environment_is_exactly_the_one_given(start: Start) -> None:
    env = {"PATH": os.environ["PATH"], "LC_ALL": "C", "ODD": "a\n\udcff=b", "PYTHONHOME": "/nowhere"}
    driver = start(sys.executable, "-E", "-c", "import os; print(ascii(sorted(os.environ.items())))", env=env)
    assert driver.finish().ok, driver.err
    assert driver.out == [ascii(sorted(env.items()))]


@pytest.mark.skipif(not LINUX, reason="/proc")
def test_nothing_of_ours_is_inherited(start: Start) -> None:
    driver = start("sh", "-c", "ls /proc/self/fd; exec grep -E 'Sig(Ign|Blk)' /proc/self/status")
    assert driver.finish().ok
    assert driver.out[:-2] == ["0", "1", "2", "3"]  # 3 is the directory that ls reads
    assert [int(row.split()[1], 16) for row in driver.out[-2:]] == [0, 0], driver.out


def test_missing_program(start: Start) -> None:
    driver = start("no-such-program", "x")
    assert driver.finish().status == 127
    assert driver.process.problem == "no-such-program: not found"
    assert driver.err == []


def test_programs_that_cannot_be_executed(start: Start, tmp_path: Path) -> None:
    for name, text, mode, why in (
        ("plain", "#!/bin/sh\n", 0o644, "Permission denied"),
        ("broken", "#!/no/such/interpreter\n", 0o755, "its interpreter is missing"),
        ("garbage", "\x01\x02", 0o755, "Exec format error"),
    ):
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(mode)
        driver = start(f"./{name}")
        assert driver.finish().status == 126
        assert driver.process.problem == f"./{name}: cannot be executed: {why}"


def test_what_a_start_needs_and_is_not_there(tmp_path: Path) -> None:
    fds = set(Path("/dev/fd").iterdir())
    for argv, cwd, stdin_file, words in (
        (["true"], tmp_path / "none", None, "no directory"),
        (["true"], tmp_path, str(tmp_path / "none"), "cannot read"),
        (["tr\0ue"], tmp_path, None, "cannot start"),
    ):
        with pytest.raises(OrchestraError, match=words) as caught:
            ManagedProcess(argv, cwd=str(cwd), env={}, stdin_file=stdin_file)
        assert caught.value.status is ExitStatus.ENVIRONMENT
    assert len(set(Path("/dev/fd").iterdir())) == len(fds)


def test_closing_gives_everything_back(tmp_path: Path) -> None:
    fds = len(list(Path("/dev/fd").iterdir()))
    for _ in range(5):
        driver = Driver(["true"], tmp_path)
        driver.finish()
        driver.close()
        driver.close()
    assert len(list(Path("/dev/fd").iterdir())) == fds
    with pytest.raises(ChildProcessError):
        os.waitpid(driver.process.supervisor_pid, 0)


def test_closing_what_runs_ends_it(tmp_path: Path) -> None:
    driver = Driver(["sh", "-c", "trap '' TERM; echo $$; while :; do sleep 60; done"], tmp_path)
    driver.until(lambda: driver.out)
    with closing(driver):
        pass
    assert not alive(int(driver.out[0]))


# Double fork and a session of its own; says its process, then ignores SIGTERM for ever.
DAEMON = """
import os, signal, sys, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        os.write(1, b"%d\\n" % os.getpid())
        while True:
            time.sleep(60)
    os._exit(0)
os.wait()
"""


def test_a_daemon_that_ignores_sigterm_is_gone_after_success(start: Start) -> None:
    driver = start(sys.executable, "-c", DAEMON, grace=0.1)
    ended = driver.finish()
    assert ended.status == 0 and ended.ok and ended.survivors == 1
    assert not alive(int(driver.out[0]))


def test_nothing_survives_a_stop(start: Start) -> None:
    more = "import time\nos.write(1, b'%d\\n' % os.getpid())\nwhile True: time.sleep(60)"
    driver = start(sys.executable, "-c", DAEMON * 2 + more, grace=0.2)
    driver.until(lambda: len(driver.out) == 3)  # two daemons and the command
    driver.process.stop("timeout")
    ended = driver.finish()
    assert (ended.stopped, ended.signal, ended.ok) == ("timeout", signal.SIGTERM, False)
    assert not [line for line in driver.out if alive(int(line))]


def test_background_children_that_end_at_once_are_no_survivors(start: Start) -> None:
    assert start("sh", "-c", "sleep 0.01 & exit 0").finish().survivors == 0
    assert start("sh", "-c", "sleep 60 & exit 0").finish().survivors == 1


def test_a_polite_stop_lets_it_end_as_it_wants_and_is_no_success(start: Start) -> None:
    driver = start("sh", "-c", "trap 'echo bye; exit 0' TERM; echo ready; while :; do sleep 0.05; done")
    driver.until(lambda: driver.out)
    driver.process.stop("interrupt")
    driver.process.stop("timeout")  # the first reason stays
    ended = driver.finish()
    assert (ended.status, ended.stopped, ended.ok) == (0, "interrupt", False)
    assert driver.out == ["ready", "bye"]


def test_tools_in_a_session_of_their_own_are_asked_too(start: Start) -> None:
    # What agents do with the commands that they run: killpg would not reach them.
    tool = "import os, signal, time\nos.setsid()\n"
    tool += "def bye(*_): print('tool ends', flush=True); os._exit(0)\n"
    tool += "signal.signal(signal.SIGTERM, bye)\nprint('up', flush=True)\nwhile True: time.sleep(60)"
    driver = start("sh", "-c", '"$0" -c "$1" & wait; wait', sys.executable, tool)
    driver.until(lambda: driver.out)
    driver.process.stop("timeout")
    driver.finish()
    assert driver.out == ["up", "tool ends"]


def test_who_ignores_sigterm_is_killed_after_the_grace(start: Start) -> None:
    driver = start("sh", "-c", "trap '' TERM; echo ready; while :; do sleep 60; done", grace=0.2)
    driver.until(lambda: driver.out)
    began = time.monotonic()
    driver.process.stop("stall")
    ended = driver.finish()
    assert (ended.signal, ended.stopped) == (signal.SIGKILL, "stall")
    assert time.monotonic() - began >= 0.2


def test_kill_does_not_wait_for_the_grace(start: Start) -> None:
    driver = start("sh", "-c", "trap '' TERM; echo ready; while :; do sleep 60; done", grace=3600.0)
    driver.until(lambda: driver.out)
    driver.process.stop("interrupt")
    driver.process.kill("interrupt again")
    ended = driver.finish()
    assert (ended.signal, ended.stopped) == (signal.SIGKILL, "interrupt")


def test_what_is_suspended_can_be_stopped_politely(start: Start) -> None:
    driver = start("sh", "-c", "trap 'echo bye; exit 0' TERM; echo $$; while :; do sleep 0.05; done")
    driver.until(lambda: driver.out)
    os.kill(int(driver.out[0]), signal.SIGSTOP)
    driver.until(lambda: processes()[int(driver.out[0])][2] == "T")
    driver.process.stop("timeout")
    assert driver.finish().status == 0
    assert driver.out[1:] == ["bye"]


def test_a_stop_after_the_end_changes_nothing(start: Start) -> None:
    driver = start("true")
    driver.until(lambda: driver.process.report not in driver.process.fds)
    driver.process.stop("timeout")
    ended = driver.finish()
    assert ended.ok and ended.stopped is None


def test_a_flood_of_output_is_taken_whole(start: Start) -> None:
    each = "import sys\nfor n in range(100_000): print(f'{n:060}', file=sys.std%s)\n"
    both = f"import threading\nt = threading.Thread(target=lambda: exec({each % 'err'!r})); t.start()\n"
    driver = start(sys.executable, "-c", both + each % "out" + "t.join()")
    assert driver.finish().ok
    assert [int(line) for line in driver.out] == list(range(100_000))
    assert len(driver.err) == 100_000


def test_a_flood_is_taken_in_small_parts_so_that_others_have_their_turn(start: Start) -> None:
    driver = start("yes")
    driver.until(lambda: driver.out)
    while driver.process.taken <= 5 * ROUND:
        before = driver.process.taken
        driver.take(driver.process.stdout)
        assert driver.process.taken - before <= ROUND
    # At the end all that the pipe holds is taken.
    driver.process.kill("enough")
    driver.until(lambda: driver.process.report not in driver.process.fds)
    driver.until(lambda: driver.process.finished)


def test_who_closes_its_output_early_is_still_waited_for(start: Start, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    driver = start("sh", "-c", "echo last; exec >&- 2>&-; read word < fifo; exit $word")
    driver.until(lambda: driver.process.fds == (driver.process.report,))
    assert driver.process.finished is None
    (tmp_path / "fifo").write_text("5\n")
    assert driver.finish().status == 5
    assert driver.out == ["last"]


@pytest.mark.skipif(not LINUX, reason="orphans come back only on Linux")
@pytest.mark.parametrize("start", [False], indirect=True)
def test_cpu_time_counts_grandchildren_and_orphans(start: Start) -> None:
    burn = "import time\nwhile time.process_time() < 0.3: pass\n"
    orphan = (
        f"import os\nif os.fork() == 0:\n    os.setsid()\n    if os.fork(): os._exit(0)\n    exec({burn!r})\n"
    )
    # The last part ends when nobody holds its pipe any more: when the orphan has ended.
    script = '"$0" -c "$1" & (sh -c \'"$0" -c "$1"; :\' "$0" "$1"); wait; x=$("$0" -c "$2")'
    ended = start("sh", "-c", script, sys.executable, burn, orphan).finish()
    assert ended.status == 0
    assert 0.9 <= ended.cpu_s < 10


def test_peak_is_that_of_the_largest(start: Start) -> None:
    big = start("sh", "-c", '"$0" -c "x = bytearray(1) * 100_000_000"; :', sys.executable).finish()
    small = start("true").finish()
    assert 100_000_000 <= big.peak_bytes < 300_000_000
    assert 0 < small.peak_bytes < 50_000_000


def test_the_supervisor_outlives_signals(start: Start, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    driver = start("sh", "-c", "echo ready; read word < fifo")
    driver.until(lambda: driver.out)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
        os.kill(driver.process.supervisor_pid, number)
    (tmp_path / "fifo").write_text("go\n")
    assert driver.finish().ok


def test_a_lost_supervisor_is_an_ending_too_and_what_it_watched_is_killed(start: Start) -> None:
    more = "import time\nos.write(1, b'%d\\n' % os.getpid())\nwhile True: time.sleep(60)"
    driver = start(sys.executable, "-c", DAEMON + more)
    driver.until(lambda: len(driver.out) == 2)  # the daemon and the command
    os.kill(driver.process.supervisor_pid, signal.SIGKILL)
    assert driver.finish() == Exit(None, signal=9, transient=True)
    assert driver.process.problem == f"the supervisor of {sys.executable} was lost"
    driver.until(lambda: not any(alive(int(line)) for line in driver.out))


# Under a mark of its own, with a neighbour that bears the same: what it starts bears no other.
NESTED = """
import os, select, subprocess
from orchestra.execution.process import ManagedProcess
from orchestra.execution.supervisor import descendants, processes
neighbour = subprocess.Popen(["sleep", "60"], start_new_session=True)
argv = ["sh", "-c", "sleep 60 & setsid sleep 60 & echo up; wait"]
process = ManagedProcess(argv, cwd="/", env=dict(os.environ), portable=True)
while not process.taken:
    select.select([process.stdout], [], [])
    process.take(process.stdout)
process.kill("closed")
while process.finished is None:
    for fd in select.select(process.fds, [], [])[0]:
        process.take(fd)
assert descendants(processes(), os.getpid()) == {neighbour.pid}
assert neighbour.poll() is None
neighbour.kill()
print("well")
"""


def test_where_nothing_marks_a_command_its_tree_is_ended_and_nobody_else(tmp_path: Path) -> None:
    """So it is where orchestra's own tests are an attempt of orchestra's."""
    own = {"ORCHESTRA_ROOT": "/x", "ORCHESTRA_ATTEMPT": "outer"}
    driver = Driver([sys.executable, "-c", NESTED], tmp_path, {**os.environ, **own})
    with closing(driver):
        assert driver.finish().ok, driver.err
    assert driver.out == ["well"]


@pytest.mark.skipif(not LINUX, reason="/proc")
def test_a_pipe_that_somebody_else_holds_is_given_up_after_a_while(start: Start, tmp_path: Path) -> None:
    now = time.monotonic() + 1e6
    os.mkfifo(tmp_path / "fifo")
    driver = start("sh", "-c", "echo $$; read word < fifo; printf end", clock=lambda: now)
    driver.until(lambda: driver.out)
    held = os.open(f"/proc/{driver.out[0]}/fd/1", os.O_WRONLY)  # we are out of the supervisor's reach
    (tmp_path / "fifo").write_text("go\n")
    driver.until(lambda: driver.process.deadline() is not None)
    assert driver.process.deadline() == now + PATIENCE
    driver.until(lambda: driver.process.fds == (driver.process.stdout,))
    with pytest.raises(AssertionError):
        driver.until(lambda: driver.process.finished, limit=0.1)
    driver.take(driver.process.stdout, final=True)
    assert driver.finish().ok
    assert driver.out[1:] == ["end"]
    assert driver.process.deadline() is None
    os.close(held)


@settings(deadline=None)
@given(
    st.lists(st.binary(max_size=9) | st.sampled_from([b"\n", b"\r\n", "ü".encode(), b"\xff"]), max_size=20)
)
def test_lines_do_not_depend_on_how_the_bytes_arrive(chunks: list[bytes]) -> None:
    whole, pieces = LineSplitter(), LineSplitter()
    text = b"".join(chunks)
    expected = [part.decode("utf-8", "replace").removesuffix("\r") for part in text.split(b"\n")]
    if not text or text.endswith(b"\n"):
        expected.pop()
    assert whole.feed(text) + whole.finish() == expected
    assert [line for chunk in chunks for line in pieces.feed(chunk)] + pieces.finish() == expected


def test_a_line_over_the_bound_is_cut() -> None:
    splitter = LineSplitter(limit=4)
    lines = [line for chunk in (b"ab", b"cdef", b"ghi\nxy", b"\n12345") for line in splitter.feed(chunk)]
    assert lines + splitter.finish() == ["abcd", "xy", "1234"]
