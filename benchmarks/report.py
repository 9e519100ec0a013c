"""How long a report of a large build takes to write and to open, and how large it is.

    python -m benchmarks.report [--quick]

A build of 500 tasks (--quick: 100) is made up: its events as a build writes them, and a repository with a commit for
each task. The page is opened in a headless Chromium, where there is one.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.reporting.browser import browsing, chromium

SLOTS = 8
BUILD = "20260101-000000-aaaa"


def events(tasks: int, commits: list[str], chance: random.Random) -> Iterator[dict[str, Any]]:
    """The events of a build of so many tasks, one in ten of which fails."""
    now = 1_760_000_000.0
    names = [f"task-{number:04}" for number in range(tasks)]
    head = {"version": 1, "build": BUILD}
    yield {
        **head,
        "event": "build_started",
        "time": now,
        "tasks": names,
        "base": commits[0],
        "branch": "main",
        "jobs": SLOTS,
        "dry_run": False,
    }
    plans = [
        {
            "task": name,
            "title": f"Do the {number}th thing",
            "priority": 0,
            "before": [
                {"task": names[other], "kind": chance.choice(["needs", "write-read", "write-write"])}
                for other in sorted({chance.randrange(max(0, number - 40), number) for _ in range(2)})
            ]
            if number % 5 and number
            else [],
            "write": [f"src/{name}.py"],
            "read": ["src/shared/**"],
            "shared": [],
            "exclusive": False,
            "inferred": [],
        }
        for number, name in enumerate(names)
    ]
    yield {**head, "event": "build_planned", "time": now, "tasks": plans}
    free = [now] * SLOTS
    finals = {}
    for number, name in enumerate(names):
        slot = min(range(SLOTS), key=lambda index: free[index])
        start = free[slot] + 0.5
        length = chance.uniform(20, 600)
        end = free[slot] = start + length
        about = {**head, "task": name, "attempt": f"{BUILD}-{number}"}
        bad = number % 10 == 3
        yield {
            **about,
            "event": "attempt_started",
            "time": start,
            "number": 1,
            "agent": "claude",
            "base": commits[0],
            "key": "k1:0",
            "reasons": [{"kind": "never-built", "subject": None, "old": None, "new": None}],
            "waits": [{"cause": "slot", "seconds": chance.uniform(0, 300), "task": None}],
        }
        yield {**about, "event": "attempt_slot", "time": start, "slot": slot + 1, "log": f"/x/{name}.log"}
        lines = [f"line {line} of what {name} said & did <in> the end" for line in range(20)]
        yield {
            **about,
            "event": "attempt_finished",
            "time": end,
            "outcome": "failed" if bad else "success",
            "fault": "agent" if bad else None,
            "detail": "exit status 1" if bad else "",
            "seconds": length,
            "result": commits[number + 1],
            "tail": lines,
            "phases": [
                {"name": phase, "started": start + length * begin, "ended": start + length * until}
                for phase, begin, until in (
                    ("prepare", 0, 0.02),
                    ("agent", 0.02, 0.8),
                    ("check", 0.8, 0.98),
                    ("capture", 0.98, 1),
                )
            ],
            "usage": {"input_tokens": 90_000, "output_tokens": 4_000, "usd": 0.31},
            "exit_status": int(bad),
            "signal": None,
            "cpu_s": 12.5,
            "peak_bytes": 300 * 2**20,
            "changed_bytes": 4000,
            "reads": [],
            "artifacts": [],
        }
        finals[name] = "failed" if bad else "landed"
        if not bad:
            paths = [f"src/{name}.py"]
            landed = {"commit": commits[number + 1], "paths": paths, "verified": True}
            yield {**about, "event": "task_landed", "time": end + 0.3, **landed}
        else:
            why = {"outcome": "failed", "why": "exit status 1", "tail": lines, "log": f"/x/{name}.log"}
            yield {**about, "event": "task_failed", "time": end, **why}
    over = max(free)
    for index in range(1500):
        at = now + (over - now) * index / 1500
        cpu, held = chance.random(), chance.randrange(2**31)
        sample = {"cpu": cpu, "memory": 0.4, "held_bytes": held, "commands": SLOTS}
        yield {**head, "event": "machine_sampled", "time": at, **sample}
    tip = commits[-1]
    yield {**head, "event": "build_finished", "time": over, "ok": False, "tasks": finals, "tip": tip}


def repository(folder: Path, tasks: int) -> list[str]:
    """A repository with a commit for each task, each of 60 new lines; all commits, the first one first."""
    subprocess.run(["git", "init", "-q", "-b", "main", folder], check=True)
    stream = ["commit refs/heads/main\ncommitter A <a@b> 0 +0000\ndata 4\nbase\n"]
    for number in range(tasks):
        text = "".join(f"line {line} of file {number} & more <of> it\n" for line in range(60))
        head = f"commit refs/heads/main\ncommitter A <a@b> {number} +0000\ndata 4\nwork\n"
        stream.append(f"{head}M 100644 inline src/task-{number:04}.py\ndata {len(text)}\n{text}")
    subprocess.run(
        ["git", "-C", folder, "fast-import", "--quiet"], input="".join(stream).encode(), check=True
    )
    told = subprocess.run(
        ["git", "-C", folder, "rev-list", "--reverse", "main"], check=True, capture_output=True, text=True
    )
    return told.stdout.split()


def made_up(folder: Path, tasks: int) -> Path:
    """A repository in which such a build is recorded; the folder of the build."""
    commits = repository(folder, tasks)
    build = folder / ".git" / "orchestra" / "builds" / BUILD
    build.mkdir(parents=True)
    told = events(tasks, commits, random.Random(1))
    (build / "events.jsonl").write_text(
        "".join(json.dumps(event) + "\n" for event in sorted(told, key=lambda event: event["time"]))
    )
    return build


def main() -> None:
    """Measure, and print what came out."""
    tasks = 100 if "--quick" in sys.argv else 500
    with tempfile.TemporaryDirectory() as place:
        root = Path(place) / "repository"
        made_up(root, tasks)
        for form in ("html", "md", "json", "junit", "trace"):
            target = Path(place) / f"report.{form}"
            began = time.monotonic()
            command = ["orchestra", "report", "--format", form, "-o", target]
            subprocess.run([sys.executable, "-m", *command], cwd=root, check=True)
            seconds = time.monotonic() - began
            print(f"{tasks} tasks, {form:<5}: {seconds:.2f} s, {target.stat().st_size / 1e6:.2f} MB")
        if chromium() is None:
            print("no Chromium is installed: how long the page takes to open was not measured")
            return
        with browsing(Path(place) / "profile") as browser:
            browser.width(1280)
            opened = sorted(browser.open(Path(place) / "report.html") for _ in range(5))
            print(f"opened in Chromium: {opened[2]:.2f} s (median of 5; {opened[-1]:.2f} s the slowest)")
            print(f"complaints: {browser.complaints() or 'none'}")


if __name__ == "__main__":
    main()
