"""The first figures: null build, overhead of a task, parallel against one after another, lines by package.

    python -m benchmarks.first_figures [--quick]

Everything is measured against a yardstick taken in the same run: CPU time against that of `python -c pass`, wall
time against the same build with `-j 1`.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parents[1]


def measured(argv: Sequence[str], cwd: Path, env: dict[str, str]) -> tuple[float, float]:
    """Wall and CPU seconds of a command and its children."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.perf_counter()
    done = subprocess.run(argv, cwd=cwd, env=env, capture_output=True, text=True, check=False)
    wall = time.perf_counter() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode not in (0, 1):
        raise SystemExit(f"{argv} ended with {done.returncode}: {done.stderr}")
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def median(argv: Sequence[str], cwd: Path, env: dict[str, str], runs: int) -> tuple[float, float]:
    """The medians of several runs."""
    taken = [measured(argv, cwd, env) for _ in range(runs)]
    return statistics.median(wall for wall, _ in taken), statistics.median(cpu for _, cpu in taken)


def repository(folder: Path, env: dict[str, str], tasks: int, script: str, files: int = 0) -> Path:
    """A repository with so many independent prompts, each of which runs `script` and writes one file."""
    (folder / "prompts").mkdir(parents=True)
    for number in range(files):
        path = folder / f"src/d{number % 100}/f{number}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{number}\n")
    for number in range(tasks):
        claims = f"claims: {{write: [out/{number}.txt]}}"
        body = f"```sh\n{script}\nmkdir -p out; echo {number} > out/{number}.txt\n```\n"
        (folder / f"prompts/t{number}.md").write_text(
            f"---\nagent: script\n{claims}\n---\n# Task {number}\n\n{body}"
        )
    for argv in (["init", "-q", "-b", "main"], ["add", "-A"], ["commit", "-q", "-m", "first"]):
        subprocess.run(["git", *argv], cwd=folder, env=env, check=True)
    return folder


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="orchestra's first figures")
    parser.add_argument("--quick", action="store_true", help="fewer runs: to see that it works")
    quick = parser.parse_args().quick
    runs = 3 if quick else 11
    orchestra = [sys.executable, "-m", "orchestra"]
    with tempfile.TemporaryDirectory() as name:
        home = Path(name)
        env = {
            **{key: value for key, value in os.environ.items() if not key.startswith("GIT_")},
            "HOME": str(home),
            "XDG_CACHE_HOME": str(home / "cache"),
            "PYTHONPATH": str(ROOT),
            "GIT_AUTHOR_NAME": "bench",
            "GIT_AUTHOR_EMAIL": "bench@localhost",
            "GIT_COMMITTER_NAME": "bench",
            "GIT_COMMITTER_EMAIL": "bench@localhost",
        }
        yard_wall, yard_cpu = median([sys.executable, "-c", "pass"], home, env, runs)
        print(f"python -c pass: {yard_cpu * 1000:.0f} ms CPU, {yard_wall * 1000:.0f} ms wall (the yardstick)")

        small = repository(home / "small", env, 6, "true")
        measured([*orchestra, "build"], small, env)
        wall, cpu = median([*orchestra, "build"], small, env, runs)
        print(
            f"null build, 6 tasks: {cpu * 1000:.0f} ms CPU ({cpu / yard_cpu:.1f}×), {wall * 1000:.0f} ms wall"
        )

        count, files = (20, 500) if quick else (1000, 10000)
        large = repository(home / "large", env, count, "true", files)
        wall, cpu = median([*orchestra, "status", "--json"], large, env, runs)
        print(f"status, {count} tasks over {files} files: {cpu * 1000:.0f} ms CPU ({cpu / yard_cpu:.1f}×)")

        tasks = 4 if quick else 16
        wait = repository(home / "overhead", env, tasks, "true")
        wall, cpu = measured([*orchestra, "build", "-j", "1"], wait, env)
        print(
            f"a task that does nothing: {cpu / tasks * 1000:.0f} ms CPU, {wall / tasks * 1000:.0f} ms wall, at -j 1"
        )

        seconds = 1 if quick else 3
        parallel = repository(home / "parallel", env, 8, f"sleep {seconds}")
        alone = repository(home / "alone", env, 8, f"sleep {seconds}")
        together, _ = measured([*orchestra, "build", "-j", "8"], parallel, env)
        one_by_one, _ = measured([*orchestra, "build", "-j", "1"], alone, env)
        print(
            f"8 independent tasks of {seconds} s: {together:.1f} s at -j 8, {one_by_one:.1f} s at -j 1:"
            f" {one_by_one / together:.1f}× faster"
        )

        demo, _ = measured([*orchestra, "demo", "demo-parallel"], home, env)
        single, _ = measured([*orchestra, "demo", "demo-single", "-j", "1"], home, env)
        print(f"demo: {demo:.1f} s, {single:.1f} s at -j 1: {single / demo:.1f}× faster")

    print("lines by package:")
    for package in sorted(path for path in (ROOT / "orchestra").iterdir() if path.is_dir()):
        lines = sum(len(path.read_text("utf-8").splitlines()) for path in package.glob("*.py"))
        if lines:
            print(f"  {package.name:12} {lines:6}")


if __name__ == "__main__":
    main()
