"""The duel: six tasks in one repository that make the usual orchestrators stumble, held to one bar."""

from __future__ import annotations

import os
import subprocess

import pytest

from tests.cli.scratch import Scratch

pytestmark = pytest.mark.slow

APPLY = """\
python3 - <<'EOF'
name = "notes" + ".txt"
lines = open(name).read().splitlines()
lines.insert(1, "{name}")
open(name, "w").write("\\n".join(lines) + "\\n")
EOF
"""

# Not a wait for something: the task that outlasts all others is part of the duel. Told by the process that tests,
# so that what another duel beside this one left or runs is never taken for ours.
HANG = f"sleep 6.{os.getpid():07}"


@pytest.fixture
def duel(scratch: Scratch) -> Scratch:
    scratch.write("notes.txt", "top\nbottom\n")
    scratch.write("calc.py", "def add(a, b):\n    return a + b\n")
    scratch.write(
        "test_calc.py",
        "import unittest\nfrom calc import add\n\n\nclass T(unittest.TestCase):\n"
        "    def test_add(self):\n        self.assertEqual(add(2, 3), 5)\n",
    )
    scratch.write(".gitignore", "__pycache__/\n")
    scratch.write("orchestra.yaml", "version: 1\nintegrate: {verify: python3 -m unittest -q}\n")
    # Nobody says what they write, and no path in them does: they meet at the landing.
    scratch.prompt("alpha", f"sleep 1\n{APPLY.format(name='alpha')}", "Insert alpha")
    scratch.prompt("beta", f"sleep 1\n{APPLY.format(name='beta')}", "Insert beta")
    scratch.prompt("gamma", "grep -c alpha notes.txt > gamma.txt", "Write down alpha", needs=["alpha"])
    scratch.prompt("breaker", "sed 's/a + b/a - b/' calc.py > c && mv c calc.py", "Break the tests")
    scratch.prompt("noop", "true", "Change nothing")
    scratch.prompt("hang", f"{HANG}; echo done > hang.txt", "Take long")
    scratch.commit("the duel")
    scratch.write("README.md", "dirty\n")
    scratch.write("untracked.txt", "untracked\n")
    return scratch


def test_the_duel(duel: Scratch) -> None:
    called = duel.orchestra("build", "-j", "6", "--json")
    finished = called.finished
    assert called.status == 1
    assert finished["tasks"] == {
        "alpha": "landed",
        "beta": "landed",
        "gamma": "landed",
        "breaker": "rejected",
        "noop": "no-change",
        "hang": "landed",
    }
    assert finished["advanced"]
    assert sorted(duel.read("notes.txt").split()) == ["alpha", "beta", "bottom", "top"]
    assert duel.read("gamma.txt") == "1\n"
    # One of the two conflicted, and went again on the new tip.
    assert {event["task"] for event in called.named("task_again")} & {"alpha", "beta"}
    assert duel.read("README.md") == "dirty\n"
    assert duel.read("untracked.txt") == "untracked\n"
    assert duel.git("status", "--porcelain") == "M README.md\n?? untracked.txt"
    assert_branch_is_green(duel)
    assert_nothing_left(duel)
    assert hanging() == []

    second = duel.orchestra("build", "--json")
    assert second.status == 1
    assert [event["task"] for event in second.named("attempt_started")] == ["breaker"]
    assert second.finished["fresh"] == 5
    assert_nothing_left(duel)


def test_prompts_that_name_the_file_go_one_after_the_other(duel: Scratch) -> None:
    for name in ("alpha", "beta"):
        duel.prompt(name, APPLY.format(name=name), f"Insert {name} into notes.txt")
    duel.commit("named")
    called = duel.orchestra("build", "-j", "6", "--json", "alpha", "beta")
    assert called.finished["tasks"] == {"alpha": "landed", "beta": "landed"}
    assert called.finished["ran"] == 2 and not called.named("task_again")
    assert duel.read("notes.txt").split() == ["top", "beta", "alpha", "bottom"]


def test_the_summary_names_the_culprit_and_what_to_type(duel: Scratch) -> None:
    called = duel.orchestra("build", "-j", "6", "alpha", "breaker", "noop")
    assert called.status == 1
    assert "rejected" in called.stdout and "breaker" in called.stdout
    assert "AssertionError: -1 != 5" in called.stdout
    assert "git show refs/orchestra/rejected/" in called.stdout
    assert "orchestra build breaker" in called.stdout
    kept = called.stdout.split("git show ")[1].split()[0]
    assert "-    return a + b" in duel.git("show", kept)


def assert_branch_is_green(scratch: Scratch) -> None:
    copy = scratch.home / "copy"
    scratch.git("clone", "--quiet", str(scratch.root), str(copy))
    done = subprocess.run(["python3", "-m", "unittest", "-q"], cwd=copy, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr


def assert_nothing_left(scratch: Scratch) -> None:
    assert scratch.lineage() == {"refs/heads/main"}
    worktrees = [
        line.split(" ", 1)[1]
        for line in scratch.git("worktree", "list", "--porcelain").splitlines()
        if line.startswith("worktree ")
    ]
    pooled = str(scratch.home / ".cache" / "orchestra")
    assert [path for path in worktrees if not path.startswith(pooled)] == [str(scratch.root)]
    assert not list((scratch.root / ".git").rglob("*.lock"))


def hanging() -> list[str]:
    """The processes of this machine that are our hanging task."""
    listed = subprocess.run(["ps", "-A", "-o", "args="], capture_output=True, text=True, check=True).stdout
    return [line for line in listed.splitlines() if line.startswith(HANG)]
