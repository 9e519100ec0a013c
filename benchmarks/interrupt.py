"""Seconds from an interrupt until it is quiet: orchestra is gone, and nothing that its agents started lives.

    python -m benchmarks.interrupt [--quick]

By way (SIGINT once, SIGINT twice, SIGTERM, `orchestra stop`) and by kind of agent: polite, deaf to SIGTERM, one that
leaves a deaf daemon in a session of its own, one that floods the pipe. Each time also as a share of the grace that
running attempts are given.
"""

from __future__ import annotations

import argparse
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import psutil

from orchestra.execution.process import GRACE

ROOT = Path(__file__).parents[1]
ORCHESTRA = (sys.executable, "-m", "orchestra")
BETWEEN = 0.3
"""Seconds between two signals of one kind: sooner they are one."""
LIMIT = 120.0

KINDS = ("polite", "deaf", "daemon", "flood")
WAYS = ("SIGINT", "SIGINT twice", "SIGTERM", "orchestra stop")

AGENT = """\
import os, signal, sys, time
kind, ready = sys.argv[1:]
if kind == "deaf":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
if kind == "daemon" and os.fork() == 0:
    os.setsid()
    if os.fork():
        os._exit(0)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    os.chdir("/")
    for fd in (0, 1, 2):
        os.dup2(os.open(os.devnull, os.O_RDWR), fd)
    open(ready + "-daemon", "x").close()
    while True:
        time.sleep(60)
while kind == "daemon" and not os.path.exists(ready + "-daemon"):
    time.sleep(0.01)
open(ready, "x").close()
while True:
    if kind == "flood":
        os.write(1, b"x" * 100 + b"\\n")
    else:
        time.sleep(60)
"""


def repository(folder: Path, env: dict[str, str], kinds: Sequence[str]) -> Path:
    """A repository with a task for each kind of agent."""
    folder.mkdir()
    (folder / "agent.py").write_text(AGENT)
    lines = ["version: 1", "tasks:"]
    for kind in kinds:
        command = f"exec {sys.executable} agent.py {kind} {folder.parent}/ready-{kind}"
        lines.append(f"  {kind}: {{run: {command!r}, claims: {{write: [{kind}.txt]}}}}")
    (folder / "orchestra.yaml").write_text("\n".join(lines) + "\n")
    for argv in (["init", "-q", "-b", "main"], ["add", "-A"], ["commit", "-q", "-m", "first"]):
        subprocess.run(["git", *argv], cwd=folder, env=env, check=True)
    return folder


def quiet_after(home: Path, env: dict[str, str], way: str, kinds: Sequence[str]) -> tuple[float, int]:
    """Seconds from the interrupt of a build with these agents until nothing of it lives, and how many had to end."""
    project = repository(home / "project", env, kinds)
    build = subprocess.Popen(
        [*ORCHESTRA, "build", "-j", str(len(kinds))], cwd=project, env=env, stdout=subprocess.DEVNULL
    )
    end = time.monotonic() + LIMIT
    while not all((home / f"ready-{kind}").exists() for kind in kinds):
        if build.poll() is not None or time.monotonic() > end:
            raise SystemExit(f"the agents did not start: {build.poll()}")
        time.sleep(0.01)
    alive = psutil.Process(build.pid).children(recursive=True)
    count = len(alive)
    began = time.monotonic()
    interrupt(build, way, project, env)
    while alive or build.poll() is None:
        if time.monotonic() > end:
            raise SystemExit(f"{way}: {alive} still lives after {LIMIT:g} s")
        alive = [process for process in alive if lives(process)]
        time.sleep(0.005)
    took = time.monotonic() - began
    if build.returncode != 130:
        raise SystemExit(f"{way}: orchestra ended with {build.returncode}")
    left = [
        process.pid
        for process in psutil.process_iter(["environ"])
        if (process.info["environ"] or {}).get("ORCHESTRA_ROOT") == str(project)
    ]
    if left:
        raise SystemExit(f"{way}: {left} were started after the interrupt and live still")
    return took, count


def interrupt(build: subprocess.Popen[bytes], way: str, project: Path, env: dict[str, str]) -> None:
    """End a build in one of the ways."""
    if way == "orchestra stop":
        subprocess.Popen([*ORCHESTRA, "stop"], cwd=project, env=env, stdout=subprocess.DEVNULL)
        return
    build.send_signal(signal.SIGTERM if way == "SIGTERM" else signal.SIGINT)
    if way == "SIGINT twice":
        time.sleep(BETWEEN)
        build.send_signal(signal.SIGINT)


def lives(process: psutil.Process) -> bool:
    """Whether it has not ended."""
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="seconds from an interrupt until it is quiet")
    parser.add_argument("--quick", action="store_true", help="all kinds in one build: to see that it works")
    quick = parser.parse_args().quick
    runs = 1 if quick else 3
    groups = [KINDS] if quick else [*((kind,) for kind in KINDS), KINDS]
    env = {key: value for key, value in os.environ.items() if not key.startswith(("GIT_", "ORCHESTRA_"))}
    busy = f"{os.getloadavg()[0]:.1f} processes wait for {os.cpu_count()} cores"
    print(f"running attempts are given {GRACE:g} s of grace; medians of {runs}; {busy}")
    for way in WAYS[:2] if quick else WAYS:
        for kinds in groups:
            taken = []
            for _ in range(runs):
                with tempfile.TemporaryDirectory() as name:
                    home = Path(name).resolve()
                    own = {
                        "HOME": str(home),
                        "XDG_CACHE_HOME": str(home / "cache"),
                        "PYTHONPATH": str(ROOT),
                        **{f"GIT_{who}_NAME": "bench" for who in ("AUTHOR", "COMMITTER")},
                        **{f"GIT_{who}_EMAIL": "bench@localhost" for who in ("AUTHOR", "COMMITTER")},
                    }
                    taken.append(quiet_after(home, {**env, **own}, way, kinds))
            seconds = statistics.median(took for took, _ in taken)
            most = max(took for took, _ in taken)
            name = "all together" if len(kinds) > 1 else kinds[0]
            print(
                f"{way:14} {name:12} {seconds:5.2f} s until quiet (at most {most:.2f}), {seconds / GRACE:.2f}"
                f" of the grace; {taken[0][1]} processes gone",
                flush=True,
            )


if __name__ == "__main__":
    main()
