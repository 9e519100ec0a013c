"""Calls of orchestra by a process that has its modules loaded and forks for each call: most of a call is start-up.

What such a call sees is what a process of its own would see: arguments, folder, environment, standard streams, signals,
exit status. What differs: modules are loaded, and the seed of hashes is that of the server. Settings that Python reads
as it starts cannot be given to it: a call that brings others has to be a process of its own (`fits`).
"""

from __future__ import annotations

import atexit
import functools
import gc
import importlib
import json
import os
import selectors
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import NoReturn

ROOT = Path(__file__).parents[2]
_AT_START = ("PYTHON", "LC_", "LANG", "LD_", "TZ", "MALLOC_")
_SIZE = struct.Struct("!I")
_STATUS = struct.Struct("!i")


class Server:
    """The process that forks, and the way to it. Not for several threads."""

    def __init__(self) -> None:
        self._env = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
        self._socket, other = socket.socketpair()
        with other:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.cli.forking", str(other.fileno())],
                cwd=ROOT,
                env=self._env,
                pass_fds=(other.fileno(),),
                stdin=subprocess.DEVNULL,
            )

    def close(self) -> None:
        """End it."""
        self._socket.close()
        self._process.wait()

    def fits(self, env: Mapping[str, str]) -> bool:
        """Whether a call with this environment would be what a process of its own is."""
        return _settings(env) == _settings(self._env)

    def call(
        self, argv: tuple[str, ...], cwd: Path, env: Mapping[str, str], timeout: float
    ) -> tuple[int, bytes, bytes]:
        """Call `orchestra` with nothing on standard input; gives exit status (-N: by signal N), output and errors.

        Raises TimeoutError, and ends the call, where it is not over in so many seconds.
        """
        nothing = os.open(os.devnull, os.O_RDONLY)
        out, out_end = os.pipe()
        err, err_end = os.pipe()
        asked = json.dumps([list(argv), str(cwd), dict(env)]).encode()
        try:
            socket.send_fds(self._socket, [_SIZE.pack(len(asked))], [nothing, out_end, err_end])
        finally:
            for fd in (nothing, out_end, err_end):
                os.close(fd)
        self._socket.sendall(asked)
        (pid,) = _STATUS.unpack(_received(self._socket, _STATUS.size))
        output = _read_all((out, err), pid, time.monotonic() + timeout)
        (status,) = _STATUS.unpack(_received(self._socket, _STATUS.size))
        if output is None:
            raise TimeoutError(f"orchestra {' '.join(argv)} is not over after {timeout:g} s")
        return status, *output


@functools.cache
def server() -> Server:
    """The server of this process, started when first asked for."""
    found = Server()
    atexit.register(found.close)
    return found


def _settings(env: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in env.items() if name.startswith(_AT_START)}


def _read_all(fds: tuple[int, int], pid: int, end: float) -> tuple[bytes, bytes] | None:
    """All that comes until both are closed; None where that takes too long, and the process is killed."""
    found: dict[int, list[bytes]] = {fd: [] for fd in fds}
    late = False
    with selectors.DefaultSelector() as selector:
        for fd in fds:
            selector.register(fd, selectors.EVENT_READ)
        while selector.get_map():
            ready = selector.select(max(0.0, end - time.monotonic()))
            if not ready:
                late = True
                break
            for key, _ in ready:
                piece = os.read(key.fd, 65536)
                found[key.fd].append(piece)
                if not piece:
                    selector.unregister(key.fd)
    for fd in fds:
        os.close(fd)
    if late:
        os.kill(pid, signal.SIGKILL)
        return None
    return b"".join(found[fds[0]]), b"".join(found[fds[1]])


def _received(connection: socket.socket, size: int) -> bytes:
    """So many bytes; raises EOFError where the other side has gone."""
    found = b""
    while len(found) < size:
        piece = connection.recv(size - len(found))
        if not piece:
            raise EOFError
        found += piece
    return found


# --- the server's side ---------------------------------------------------------------------------------------------


def _load() -> None:
    """Import what orchestra may import, so that no call has to."""
    names = [
        ".".join(path.relative_to(ROOT).with_suffix("").parts) for path in ROOT.glob("orchestra/**/*.py")
    ]
    left_out = ("__main__", "script_runner", "supervisor", "watch")
    for name in sorted(names):
        if name.rpartition(".")[2] not in left_out:
            importlib.import_module(name.removesuffix(".__init__"))
    for name in (
        "yaml",
        "jsonschema",
        "sqlite3",
        "sqlite_utils",
        "psutil",
        "selectors",
        "tempfile",
        "difflib",
    ):
        importlib.import_module(name)


def _serve(connection: socket.socket) -> None:
    """Fork for each call and tell its end, until the other side has gone."""
    while True:
        try:
            size, fds, _, _ = socket.recv_fds(connection, _SIZE.size, 3)
            asked = _received(connection, _SIZE.unpack(size)[0]) if size else b""
        except (EOFError, ConnectionError):
            return
        if not asked:
            return
        pid = os.fork()
        if pid == 0:
            connection.close()
            _become(asked, fds)
        for fd in fds:
            os.close(fd)
        connection.sendall(_STATUS.pack(pid))
        _, status = os.waitpid(pid, 0)
        connection.sendall(_STATUS.pack(os.waitstatus_to_exitcode(status)))


def _become(asked: bytes, fds: list[int]) -> NoReturn:
    """Be the call: with its streams, its folder and its environment."""
    argv, cwd, env = json.loads(asked)
    for number, fd in enumerate(fds):
        os.dup2(fd, number)
        os.close(fd)
    sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stdout = open(1, "w", encoding=sys.stdout.encoding, closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", encoding=sys.stderr.encoding, errors="backslashreplace", closefd=False)  # noqa: SIM115
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(env)
    main = importlib.import_module("orchestra.cli.main").main
    sys.argv = [str(ROOT / "orchestra" / "__main__.py"), *argv]
    sys.path[0] = cwd
    main()
    sys.exit(0)


if __name__ == "__main__":
    _load()
    gc.collect()
    gc.freeze()
    with socket.socket(fileno=int(sys.argv[1])) as at_work:
        _serve(at_work)
