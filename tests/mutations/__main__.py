"""`python -m tests.mutations [--renew] [NAME...]`: is each patch noticed by a test? 1 where one is not.

With `--renew`, patches that no longer apply are merged with the code as it is, and written anew.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

from tests.mutations.patches import FOLDER, ROOT, Mutation, applies, read_all
from tests.mutations.runner import Verdict, copy_project, judge_all, objects_of, renew, tracked

RENEW = "python -m tests.mutations --renew"


def main() -> int:
    """The whole program: its exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutations", description=__doc__)
    parser.add_argument("--renew", action="store_true", help="write patches anew that no longer apply")
    parser.add_argument("names", nargs="*", metavar="NAME", help="patches, without .patch (default: all)")
    options = parser.parse_args()
    mutations = read_all()
    unknown = set(options.names) - {mutation.name for mutation in mutations}
    if unknown:
        parser.error(f"no such patch: {', '.join(sorted(unknown))}")
    chosen = [each for each in mutations if not options.names or each.name in options.names]
    with tempfile.TemporaryDirectory(prefix="mutations-") as work:
        return _renew(chosen, Path(work)) if options.renew else _judge(chosen, Path(work))


def _judge(chosen: list[Mutation], work: Path) -> int:
    began = time.monotonic()
    verdicts, wrong = judge_all(chosen, ROOT, work, _tell)
    if wrong:
        print(f"not green without any patch: {wrong}")
        return 1
    killed = sum(verdict.killed for verdict in verdicts)
    print(f"killed {killed} / {len(verdicts)} in {time.monotonic() - began:.0f} s")
    if any(verdict.by.startswith("it does not apply") for verdict in verdicts):
        print(f"renew what does not apply: {RENEW}, or edit the diff below its header")
    return 0 if killed == len(verdicts) else 1


def _tell(verdict: Verdict) -> None:
    what = "killed  " if verdict.killed else "ALIVE   "
    print(f"{what} {verdict.name:42} {verdict.seconds:4.1f} s  {verdict.by}", flush=True)


def _renew(chosen: list[Mutation], work: Path) -> int:
    copy = copy_project(ROOT, tracked(ROOT), work / "copy")
    left = 0
    for mutation in chosen:
        if not applies(mutation):
            continue
        diff = renew(mutation, copy, objects_of(ROOT))
        if diff is None:
            left += 1
            print(f"{mutation.name}: conflicts with the code as it is; edit its diff by hand")
        else:
            (FOLDER / f"{mutation.name}.patch").write_text(mutation.header + diff, "utf-8")
            print(f"{mutation.name}: renewed")
    return 1 if left else 0


if __name__ == "__main__":
    sys.exit(main())
