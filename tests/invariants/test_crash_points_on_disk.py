"""I8 on disk: a whole build with real git, slots, processes and history, cut off at each of its calls and built again.

There are some 280 calls, every command of git among them; here every fourth is tried, `ORCHESTRA_TEST_CRASHES=all`
tries all. After each the history is left, deleted, truncated or overwritten in turn.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections import Counter
from pathlib import Path

import pytest

from orchestra.model.trailers import TASK_TRAILER
from tests.cli.test_kill import processes_in
from tests.vcs.kit import Person, environment

from .crashing import Crash, Fuse
from .whole import Workplace

pytestmark = pytest.mark.slow

PARTS = 8
"""Tests that share the calls, so that they spread over the cores."""
STRIDE = 1 if os.environ.get("ORCHESTRA_TEST_CRASHES") == "all" else 4
DAMAGES = ("nothing", "delete", "truncate", "garbage")

MANIFEST = """\
version: 1
defaults: {agent: script}
integrate: {verify: test ! -e red}
tasks:
  base: {prompt: prompts/base.md, claims: {write: [base]}}
  reader: {prompt: prompts/reader.md, needs: [base], claims: {write: [reader], read: [base, data]}}
  writer: {prompt: prompts/writer.md, claims: {write: [data]}}
  idle: {prompt: prompts/idle.md, claims: {write: [idle]}}
  look: {run: "%(note)s; test -e reader", claims: {write: [], read: [reader]}, needs: [reader]}
"""
SCRIPTS = {
    # An agent that commits, and leaves something that would run for ever.
    "base": "echo 1 > base; git add base; git commit -qm mine; setsid sleep 600 &",
    "reader": "cat base data > reader",
    "writer": "echo 2 > data",
    "idle": "true",
}
LANDED = {"base": "1\n", "data": "2\n", "reader": "1\n2\n"}


def project(home: Path) -> Workplace:
    """A repository whose tasks note outside of it that they ran."""
    owner = Person(home)
    note = 'echo x >> "$ORCHESTRA_ROOT/../ran-$ORCHESTRA_TASK"'
    owner.write("orchestra.yaml", MANIFEST % {"note": note.replace('"', '\\"')})
    owner.write("data", "1\n")
    for name, script in SCRIPTS.items():
        owner.write(f"prompts/{name}.md", f"# {name}\n\n```sh\n{note}\n{script}\n```\n")
    owner.commit()
    return Workplace(owner.root, owner.env)


def again(home: Path, template: Path) -> tuple[Workplace, Person]:
    """A copy of that repository, in which nothing was built yet."""
    shutil.copytree(template, home)
    owner = object.__new__(Person)
    owner.home, owner.root, owner.env = home, home / "project", environment(home)
    return Workplace(owner.root, owner.env), owner


def runs(home: Path) -> Counter[str]:
    """How often each task ran."""
    return Counter({path.name[4:]: len(path.read_text().split()) for path in home.glob("ran-*")})


def landed(owner: Person, start: str) -> list[str]:
    """The tasks that landed since then, or were recorded, in order of their names."""
    told = owner.git("log", f"--format=%(trailers:key={TASK_TRAILER},valueonly)", f"{start}..main")
    return sorted(told.split())


def captured(owner: Person) -> set[str]:
    """The tasks of which results wait for their landing."""
    wanted = f"--format=%(contents:trailers:key={TASK_TRAILER},valueonly)"
    return set(
        owner.git("for-each-ref", wanted, "refs/orchestra/captured/", "refs/orchestra/results/").split()
    )


def nothing_is_left(owner: Person) -> None:
    """No process, lock, worktree, branch or ref, but what is kept on purpose."""
    assert processes_in(owner.home) == []
    assert [str(path) for path in (owner.root / ".git").rglob("*.lock")] == []
    slots = str(owner.home / ".cache" / "orchestra")
    listed = owner.git("worktree", "list", "--porcelain").splitlines()
    worktrees = [line.removeprefix("worktree ") for line in listed if line.startswith("worktree ")]
    assert [path for path in worktrees if not path.startswith(slots)] == [str(owner.root)]
    kept = {"results", "checks", "verified", "rescued", "failed"}
    refs = owner.refs("refs/orchestra/")
    assert {ref.split("/")[2] for ref in refs} <= kept, sorted(refs)
    assert set(owner.refs("refs/heads/")) == {"refs/heads/main"}
    assert owner.git("status", "--porcelain") == ""
    assert owner.git("fsck", "--connectivity-only", "--no-dangling") == ""


@pytest.mark.parametrize("part", range(PARTS))
def test_cut_off_at_any_call_and_built_again_it_is_as_if_nothing_had_been(part: int, tmp_path: Path) -> None:
    template = tmp_path / "template"
    template.mkdir()
    project(template)
    place, owner = again(tmp_path / "lucky", template)
    start, counting = owner.head(), Fuse()
    assert place.build(counting, jobs=2).ok
    files, order = owner.git("ls-tree", "-r", "main"), landed(owner, start)
    assert {path: (owner.root / path).read_text() for path in LANDED} == LANDED
    assert order == ["base", "idle", "reader", "writer"]
    nothing_is_left(owner)
    # How often is asked what happens depends on the machine: some calls more than were counted.
    for call in range(part * STRIDE, counting.calls, PARTS * STRIDE):
        home = tmp_path / f"call-{call}"
        place, owner = again(home, template)
        with contextlib.suppress(Crash):
            place.build(Fuse(call), jobs=2)
        assert processes_in(home) == []
        waiting, before = captured(owner), runs(home)
        place.damage(DAMAGES[call // (PARTS * STRIDE) % len(DAMAGES)])
        assert place.build(Fuse(), jobs=2).ok, call
        assert place.recorded() > 0
        assert owner.git("ls-tree", "-r", "main") == files, call
        assert landed(owner, start) == order, call
        after = runs(home)
        assert {name for name in waiting if after[name] > before[name]} == set(), call
        assert max(after.values()) <= 2
        nothing_is_left(owner)
        assert place.build(Fuse(), jobs=2).ran == 0
        assert runs(home) == after
        shutil.rmtree(home)
