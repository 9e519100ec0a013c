"""How well claims inferred from prompts agree with what was really changed, and what they cost.

    python -m benchmarks.inference [--clones DIR]

The prompts are those of `../shared/corpora` (tasks of public repositories, with the files that their commits
changed); without that folder only the cost is measured. `--clones` names a folder with bare or other clones as
`OWNER+NAME/repo` or `OWNER/NAME`: then each prompt is read against the tree on which its work began. Without
it, the tree is what the corpus itself tells of the repository, which makes names look more unique than they are.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestra.analysis.infer import infer
from orchestra.model.patterns import PatternSet, compile_pattern
from orchestra.model.tasks import Claims, Inferred, Manifest, Prompt, Task
from orchestra.model.trees import Tree

CORPORA = Path(__file__).parents[2] / "shared" / "corpora"


@dataclass(frozen=True, slots=True)
class Row:
    """A prompt with the repository's files before the work and the paths that the work changed."""

    name: str
    text: str
    files: tuple[str, ...]
    changed: frozenset[str]


def inferred(text: str, files: tuple[str, ...]) -> tuple[Inferred, ...]:
    """What is inferred from one prompt."""
    task = Task("task", 0, Claims(), prompt=Prompt("prompts/task.md", text, "Task"))
    return infer(Manifest((task,), {}), tree_of(files)).tasks[0].claims.inferred


def tree_of(files: tuple[str, ...]) -> Tree:
    """A tree of those files; their content does not matter."""
    return Tree("base", dict.fromkeys(files, "100644 blob"))


def rows(clones: Path | None) -> Iterator[Row]:
    """The rows of the corpus whose tree is known."""
    lines = (CORPORA / "prompt_files.jsonl").read_text("utf-8").splitlines()
    data = [json.loads(line) for line in lines]
    told: dict[str, set[str]] = defaultdict(set)
    for each in data:
        told[each["repo"]] |= existing(each)
    for each in data:
        if clones is None:
            files = tuple(told[each["repo"]] - added(each))
        else:
            files = listed(clones, each["repo"], each["base_commit"])
        if files:
            text = each["prompt_text"].replace("\r\n", "\n")
            yield Row(each["id"], text, files, frozenset(changed(each)))


def changed(data: dict[str, Any]) -> set[str]:
    """The paths that the work changed, those that every work changes left out."""
    files = [each for each in data["files_changed"] if "noise" not in each]
    return {path for each in files for path in (each["path"], each.get("old_path")) if path}


def added(data: dict[str, Any]) -> set[str]:
    """The paths that the work made."""
    return {each["path"] for each in data["files_changed"] if each["status"] in ("A", "R")}


def existing(data: dict[str, Any]) -> set[str]:
    """The paths of which a row tells that they exist at some time."""
    named = {
        each["resolved"] for each in data["explicit_paths_mentioned"] if each["kind"] in ("exact", "suffix")
    }
    return changed(data) | named


def listed(clones: Path, repo: str, commit: str) -> tuple[str, ...]:
    """The files of a commit; none where there is no such clone or commit."""
    places = (clones / repo.replace("/", "+") / "repo", clones / repo)
    folder = next((place for place in places if place.is_dir()), None)
    if folder is None:
        return ()
    argv = ["git", "-C", str(folder), "ls-tree", "-r", "-z", "--name-only", "--full-tree", commit]
    done = subprocess.run(argv, capture_output=True, check=False)
    return tuple(filter(None, done.stdout.decode("utf-8", "surrogateescape").split("\0")))


def kind_of(claim: Inferred) -> str:
    """What the figures are counted by: the access, and how the pattern was found."""
    if claim.evidence.startswith("tests for"):
        return f"{claim.access}, tests of a file"
    how = claim.evidence.rpartition("`")[2].removeprefix(": ") or "as written"
    if claim.pattern.endswith("/**"):
        how = "a folder"
    elif "*" in claim.pattern:
        how = "a pattern"
    return f"{claim.access}, {how}"


def measure(found: list[Row], claims: dict[str, tuple[Inferred, ...]]) -> None:
    """Print how claims and changed files agree."""
    right, all_of = Counter[str](), Counter[str]()
    covered = named = total = 0
    for row in found:
        for claim in claims[row.name]:
            hits = any(map(compile_pattern(claim.pattern).matches, row.changed))
            for kind in (claim.access, kind_of(claim)):
                all_of[kind] += 1
                right[kind] += hits
        patterns = [(claim.access, compile_pattern(claim.pattern)) for claim in claims[row.name]]
        total += len(row.changed)
        covered += sum(any(a == "write" and p.matches(path) for a, p in patterns) for path in row.changed)
        named += sum(any(p.matches(path) for _, p in patterns) for path in row.changed)
    print(
        f"{len(found)} prompts, {total} changed files, of which {named} lie in some claim, {covered} in a write claim"
    )
    print(f"\n{'claims':44}{'all':>6}{'changed':>9}{'share':>7}")
    for kind in sorted(all_of):
        print(f"{kind:44}{all_of[kind]:6}{right[kind]:9}{right[kind] / all_of[kind]:7.2f}")


def measure_pairs(claims: dict[str, tuple[Inferred, ...]]) -> None:
    """Print how overlap of write claims and overlap of changed files agree, for tasks near in time."""
    counts = Counter[tuple[bool, bool]]()
    writes = {
        name: PatternSet.of(claim.pattern for claim in found if claim.access == "write")
        for name, found in claims.items()
    }
    for line in (CORPORA / "task_pairs.jsonl").read_text("utf-8").splitlines():
        pair = json.loads(line)
        if pair["a"] in writes and pair["b"] in writes:
            counts[writes[pair["a"]].overlaps(writes[pair["b"]]), pair["overlap"]] += 1
    said, true = counts[True, True] + counts[True, False], counts[True, True] + counts[False, True]
    print(
        f"\n{sum(counts.values())} pairs: {said} said to overlap, {true} do, {counts[True, True]} of them said"
    )
    print(
        f"precision {counts[True, True] / max(1, said):.2f}, recall {counts[True, True] / max(1, true):.2f}"
    )


def cpu_seconds(who: int) -> float:
    """CPU seconds of this process or of its children so far."""
    used = resource.getrusage(who)
    return used.ru_utime + used.ru_stime


def measure_cost() -> None:
    """Print the CPU time for 1,000 prompts of 2 KB over 10,000 files, against that of `python -c pass`."""
    chance = random.Random(1)
    files = [f"src/d{n % 100}/f{n}.py" for n in range(9000)]
    files += [f"tests/d{n % 10}/test_f{n}.py" for n in range(998)] + ["CONVENTIONS.md", "Makefile"]
    words = (
        "the",
        "parser",
        "should",
        "return",
        "a",
        "value",
        "where",
        "its",
        "input",
        "is",
        "empty",
        "e.g.",
    )
    tasks: list[Task] = []
    for number in range(1000):
        text = f"# Task\n\nFollow CONVENTIONS.md. Fix `{files[number]}`; add tests for {files[number + 1]}.\n"
        while len(text) < 2000:
            text += " ".join(chance.choices(words, k=14)) + ".\n"
            if chance.random() < 0.15:
                text += f"See {chance.choice(files)}.\n"
        tasks.append(Task(f"t{number}", number, Claims(), prompt=Prompt(f"prompts/t{number}.md", text, "T")))
    manifest, tree = Manifest(tuple(tasks), {}), tree_of(tuple(files))
    taken, yardstick = [], []
    for _ in range(5):
        before = cpu_seconds(resource.RUSAGE_SELF)
        infer(manifest, tree)
        taken.append(cpu_seconds(resource.RUSAGE_SELF) - before)
        before = cpu_seconds(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, "-c", "pass"], check=True)
        yardstick.append(cpu_seconds(resource.RUSAGE_CHILDREN) - before)
    print(
        f"\n1,000 prompts of 2 KB over 10,000 files: {min(taken) * 1000:.0f} ms of CPU, "
        f"{min(taken) / min(yardstick):.1f} times `python -c pass` ({min(yardstick) * 1000:.0f} ms)"
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--clones", type=Path, help="a folder with clones of the corpus's repositories")
    options = parser.parse_args()
    if CORPORA.is_dir():
        found = list(rows(options.clones))
        claims = {row.name: inferred(row.text, row.files) for row in found}
        measure(found, claims)
        measure_pairs(claims)
    else:
        print(f"skipped what needs prompts with known results: there is no {CORPORA}")
    measure_cost()


if __name__ == "__main__":
    main()
