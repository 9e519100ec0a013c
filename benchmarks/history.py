"""What questions to a long history cost: `orchestra history` over a million attempts.

    python -m benchmarks.history [--quick] [--attempts N] [--keep FILE]

It fills a database as orchestra writes it (20,000 builds of 50 attempts over 200 tasks, four agents and 400 days),
and prints for each question the CPU seconds of the whole command and their ratio to `python -c pass`, the least of
three. `--quick` takes 20,000 attempts and ends with 1 where statistics take more than a second. `--old` also brings a
database of the schema before the sums up to date.
"""

from __future__ import annotations

import argparse
import random
import resource
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

from orchestra.history.database import open_history
from orchestra.history.migrations import MIGRATIONS, migrate

DAY = 86_400
NOW = 1_800_000_000.0
OUTCOMES = ("success",) * 17 + ("no-change", "failed", "check-failed")
OLD = 4
"""Migrations before the sums."""


def fill(
    path: Path, attempts: int, *, version: int, days: int = 400, tasks: int = 200, each: int = 50
) -> None:
    """Write a history of so many attempts, in the schema of a version."""
    rng = random.Random(7)
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        migrate(db, MIGRATIONS[:version])
        db.execute("PRAGMA synchronous = OFF")
        db.execute("BEGIN")
        db.execute("INSERT INTO selections (id, digest, tasks) VALUES (1, 'd', '[]')")
        builds = max(1, attempts // each)
        for number in range(builds):
            began = NOW - days * DAY * (1 - number / builds)
            build = f"{time.strftime('%Y%m%d-%H%M%S', time.gmtime(began))}-{number:06x}"
            db.execute(
                "INSERT INTO builds (build, started, finished, pid, version, base, branch, jobs, selection_id,"
                " selected, ok, advanced, interrupted, ran, replayed, fresh, landed, no_change, passed, failed,"
                " rejected, skipped, wall_s, sequential_s, speedup, usd, tokens, tip) VALUES"
                " (?, ?, ?, 1, '0.1', 'c0', 'main', 8, 1, 200, 1, 1, 0, ?, 0, 150, 40, 0, 0, 10, 0, 0, 600, 2400, 4.0,"
                " 5, 1000, 'c1')",
                (build, began, began + 600, each),
            )
            db.executemany(
                "INSERT INTO attempts (build, attempt, task, number, agent, base, key, started, finished, slot,"
                " outcome, seconds, input_tokens, output_tokens, usd, cpu_s, peak_bytes) VALUES"
                " (?, ?, ?, 1, ?, 'c0', ?, ?, ?, ?, ?, ?, 1000, 200, 0.1, 3, 50000000)",
                [
                    (
                        *(build, f"{build}-{place}", f"task-{rng.randrange(tasks)}", f"agent-{place % 4}"),
                        *(f"k1:{rng.getrandbits(256):064x}", began + place, began + place + 50, place % 8),
                        *(rng.choice(OUTCOMES), rng.lognormvariate(4, 0.5)),
                    )
                    for place in range(each)
                ],
            )
        db.execute("COMMIT")


def cpu_of(argv: Sequence[str], directory: Path) -> float:
    """User and system seconds of a command, the least of three runs."""
    least = float("inf")
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(argv, cwd=directory, stdout=subprocess.DEVNULL, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        least = min(least, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return least


def timed(work: Callable[[], object]) -> float:
    """CPU seconds of this process for some work."""
    before = time.process_time()
    work()
    return time.process_time() - before


QUESTIONS: tuple[tuple[str, ...], ...] = (
    ("--stats",),
    ("--stats", "--since", "2026-06-01T13:00"),
    ("--stats", "--task", "task-7"),
    ("--stats", "--agent", "agent-1", "--outcome", "failed"),
    (),
    ("last",),
    ("--task", "task-7"),
    ("--sql", "SELECT * FROM task_view"),
)


def main() -> None:
    """Fill, ask, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--attempts", type=int)
    parser.add_argument("--old", action="store_true")
    parser.add_argument("--keep", type=Path)
    options = parser.parse_args()
    attempts = options.attempts or (20_000 if options.quick else 1_000_000)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        subprocess.run(["git", "init", "-q", "."], cwd=root, check=True)
        state = root / ".git" / "orchestra"
        state.mkdir(mode=0o700)
        path = state / "history.db"
        if options.old:
            old = root / "old.db"
            fill(old, attempts, version=OLD)
            spent = timed(lambda: open_history(old).close())
            print(f"brought up to date from version {OLD}: {spent:.1f} s CPU")
            old.unlink()
        spent = timed(lambda: fill(path, attempts, version=len(MIGRATIONS)))
        print(f"{attempts:,} attempts: {path.stat().st_size / 2**20:,.0f} MiB, filled in {spent:.0f} s CPU")
        with closing(sqlite3.connect(path)) as db:
            (sums,) = db.execute("SELECT count(*) FROM attempt_sums").fetchone()
        print(f"{sums:,} sums")
        bare = cpu_of([sys.executable, "-c", "pass"], root)
        program = [sys.executable, "-m", "orchestra", "history"]
        costs = {question: cpu_of([*program, *question], root) for question in QUESTIONS}
        for question, cost in costs.items():
            print(
                f"{cost:7.3f} s CPU  {cost / bare:6.1f} × python -c pass  history {' '.join(question)}".rstrip()
            )
        if options.keep:
            shutil.move(path, options.keep)


if __name__ == "__main__":
    main()
