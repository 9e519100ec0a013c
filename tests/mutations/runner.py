"""Applies the patches to copies of the project, one after another in each, and runs the tests that must go red.

A patch is killed where one of its tests fails in its own course; a test that cannot be collected, set up or found
proves nothing. Without the patches all of these tests must be green, or red would mean nothing.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from xml.etree import ElementTree

from tests.mutations.patches import Mutation, apply

SECONDS = 60.0
"""How long the tests of one patch may take: one that makes them hang is noticed, too."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a patch: `killed` by the test `by`, or why not, and the seconds that it took."""

    name: str
    killed: bool
    by: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run of tests ended: the tests that failed in their own course, and what else is to be said."""

    failed: tuple[str, ...]
    trouble: str


def tracked(root: Path) -> tuple[str, ...]:
    """The files that belong to the project, as git lists them, new ones included."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=root,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    return tuple(path for path in listed.split("\0") if path and (root / path).is_file())


def copy_project(root: Path, files: Iterable[str], to: Path) -> Path:
    """Copy the files with their times; gives the copy."""
    for file in files:
        (to / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(root / file, to / file)
    # A repository of its own, so that none further up has a say in what `git apply` does.
    subprocess.run(["git", "init", "--quiet"], cwd=to, check=True)
    return to


def run_tests(copy: Path, tests: Sequence[str]) -> Outcome:
    """Run these tests in a copy until one fails."""
    report = copy / "report.xml"
    report.unlink(missing_ok=True)
    command = [
        *(sys.executable, "-m", "pytest", "-x", "-p", "no:cacheprovider", "-p", "_hypothesis_pytestplugin"),
        *("--hypothesis-seed=0", f"--junitxml={report}", f"--rootdir={copy}", *tests),
    ]
    # The copy's own code, wherever this project is installed from; and no plugins but the one that is asked for:
    # looking for them takes longer than most of these tests.
    env = {**os.environ, "PYTHONPATH": str(copy), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    process = subprocess.Popen(
        command,
        cwd=copy,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        output, _ = process.communicate(timeout=SECONDS)
    except subprocess.TimeoutExpired:
        # With what the tests started, which would hold the pipe open.
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        return Outcome((), f"no end after {SECONDS:.0f} s")
    status = process.returncode
    last = (output.strip().splitlines() or [""])[-1]
    if status not in (0, 1) or not report.is_file():
        return Outcome((), f"pytest ended with {status}: {last}")
    cases = ElementTree.parse(report).iter("testcase")
    failed = tuple(_identity(case) for case in cases if case.find("failure") is not None)
    return Outcome(failed, "" if failed or status == 0 else f"a test could not be set up: {last}")


def _identity(case: ElementTree.Element) -> str:
    return f"{case.get('classname', '').replace('.', '/')}.py::{case.get('name', '')}"


def judge(mutation: Mutation, copy: Path, number: int) -> Verdict:
    """Apply a patch to a copy, run its tests there, and take it back."""
    began = time.monotonic()
    before = {path: ((copy / path).read_bytes(), (copy / path).stat()) for path in mutation.paths}
    wrong = apply(mutation, copy)
    if wrong:
        return Verdict(mutation.name, False, f"it does not apply any more: {wrong}", time.monotonic() - began)
    for path in mutation.paths:
        # A second of its own: compiled code is told from another's by the size and the second of its source.
        os.utime(copy / path, (number, number))
    outcome = run_tests(copy, mutation.red)
    for path, (content, stat) in before.items():
        (copy / path).write_bytes(content)
        os.utime(copy / path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    seconds = time.monotonic() - began
    if outcome.failed:
        return Verdict(mutation.name, True, outcome.failed[0], seconds)
    return Verdict(mutation.name, False, outcome.trouble or "its tests stay green", seconds)


def judge_all(
    mutations: Sequence[Mutation], root: Path, work: Path, tell: Callable[[Verdict], None]
) -> tuple[tuple[Verdict, ...], str]:
    """Judge every patch, on as many copies as there are cores; and what is wrong without any of them, else ""."""
    files = tracked(root)
    count = max(1, min(os.cpu_count() or 1, len(mutations)))
    copies: SimpleQueue[Path] = SimpleQueue()
    every = [copy_project(root, files, work / str(number)) for number in range(count)]
    tests = sorted({test for mutation in mutations for test in mutation.red})
    with ThreadPoolExecutor(count) as threads:
        shares = [tests[number::count] for number in range(count)]
        # Without a test pytest would run them all.
        healthy = list(threads.map(run_tests, every, filter(None, shares)))
        for outcome in healthy:
            if outcome.failed or outcome.trouble:
                return (), ", ".join(outcome.failed) or outcome.trouble
        for copy in every:
            copies.put(copy)

        def one(numbered: tuple[int, Mutation]) -> Verdict:
            number, mutation = numbered
            copy = copies.get()
            try:
                verdict = judge(mutation, copy, number)
            finally:
                copies.put(copy)
            tell(verdict)
            return verdict

        return tuple(threads.map(one, enumerate(mutations, 1_000_000_000))), ""


def objects_of(root: Path) -> Path:
    """Where a repository keeps its objects."""
    words = ["git", "rev-parse", "--path-format=absolute", "--git-path", "objects"]
    return Path(subprocess.run(words, cwd=root, capture_output=True, text=True, check=True).stdout.strip())


def renew(mutation: Mutation, copy: Path, objects: Path) -> str | None:
    """The diff of a patch as it is on the code of a copy, by a three-way merge; None where only a person can say.

    `objects` is where the blobs lie on which the patch was made.
    """

    def git(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(["git", *words], cwd=copy, capture_output=True, text=True, check=False)

    (copy / ".git" / "objects" / "info" / "alternates").write_text(f"{objects}\n")
    git("add", "--all")
    tree = git("write-tree").stdout.strip()
    merged = apply(mutation, copy, "--3way", "--index") == ""
    diff = git("diff", "--full-index", "--no-color", tree, "--").stdout if merged else ""
    git("read-tree", "--reset", "-u", tree)
    return diff or None
