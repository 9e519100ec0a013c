"""`orchestra clean`: shows, asks, frees; and after it all is as fresh as it was."""

from __future__ import annotations

import json
import os
import pty
import random
import signal
import subprocess
import sys
import time
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from orchestra.manifest.schema import schema_text

from .scratch import Scratch

pytestmark = pytest.mark.slow

SCHEMA = Draft202012Validator(json.loads(schema_text("clean.schema.json")))


@pytest.fixture
def built(scratch: Scratch) -> Scratch:
    """A repository in which two tasks have landed, a check has passed and one was rejected."""
    scratch.write(
        "orchestra.yaml",
        "version: 1\nintegrate: {verify: 'test ! -e red'}\ntasks:\n"
        "  lint: {run: 'test -e a.txt', needs: [a], claims: {write: [], read: ['*.txt']}}\n",
    )
    for name in ("a", "b"):
        scratch.prompt(name, f"echo {name} > {name}.txt", claims={"write": [f"{name}.txt"]})
    scratch.prompt("r", "echo r > elsewhere.txt", claims={"write": ["r.txt"]})
    scratch.commit()
    assert scratch.orchestra("build").status == 1
    return scratch


def looked(scratch: Scratch, *argv: str) -> dict[str, Any]:
    """What `clean --json` says."""
    called = scratch.orchestra("clean", "--json", *argv)
    assert called.status == 0, called.stderr
    said: dict[str, Any] = json.loads(called.stdout)
    SCHEMA.validate(said)
    return said


def count(said: dict[str, Any], key: str) -> dict[str, int]:
    """How many of each kind go, or stay."""
    return {kind["kind"]: kind[key]["count"] for kind in said["kinds"] if kind[key]["count"]}


def settle(scratch: Scratch) -> None:
    """Wait until no process works in a slot any more."""
    while "a process works there" in scratch.orchestra("clean", "slots", "-v").stdout:
        time.sleep(0.1)


def fresh_as_before(scratch: Scratch) -> None:
    """What is fresh stays fresh, and git finds nothing wrong."""
    again = scratch.orchestra("build", "a", "b", "lint", "--json")
    assert again.status == 0 and again.finished["ran"] == 0 and again.finished["fresh"] == 3
    assert "error" not in scratch.git("fsck", "--strict")


def test_what_is_young_or_needed_stays_and_all_is_fresh_after(built: Scratch) -> None:
    before = built.everything(), built.git("for-each-ref")
    said = looked(built)
    assert count(said, "goes") == {} and said["done"] is False
    all_of_it = looked(built, "--all")
    assert (built.everything(), built.git("for-each-ref")) == before
    goes = count(all_of_it, "goes")
    assert goes["slots"] >= 1 and goes["results"] == 2
    assert {"rejected", "logs"}.isdisjoint(goes)
    assert {each["needed"] for each in all_of_it["items"] if not each["goes"]} == {
        "the newest rejection of r",
        "the log of a kept rejection",
        "a verdict that holds now",
        "every command reads it",
    }
    done = looked(built, "--all", "--yes")
    assert done["done"] and done["ok"] and count(done, "goes") == goes and done["rescued"] == []
    assert built.git("worktree", "list").count("\n") == 0
    assert not list((built.home / ".cache" / "orchestra").iterdir())
    fresh_as_before(built)


def test_where_nobody_can_be_asked_it_says_what_to_type(built: Scratch) -> None:
    before = built.git("for-each-ref")
    for argv in (("--all",), ("--all", "-n"), ("-nv", "--all", "--yes")):
        called = built.orchestra("clean", *argv)
        assert called.status == 0 and built.git("for-each-ref") == before
        last = called.stdout.splitlines()[-1]
        assert last.startswith("Nothing was changed. To let it go: orchestra clean ")
        typed = last.partition("orchestra clean ")[2].split()
        assert sorted(typed) == sorted({"--all", "--yes", *(["-v"] if "-nv" in argv else [])})
    assert "gone" in built.orchestra("clean", *typed).stdout
    assert built.orchestra("clean", "results").stdout.startswith("Nothing to clean.")


@pytest.mark.parametrize("answer", ["y", "n"])
def test_on_a_terminal_it_asks(built: Scratch, answer: str) -> None:
    reader, writer = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "orchestra", "clean", "--all", "results"],
        cwd=built.root, env=built.env, stdin=writer, stdout=writer, stderr=writer,
    ) as asking:  # fmt: skip
        os.close(writer)
        said = b""
        while b"Let it go?" not in said:
            said += os.read(reader, 1000)
        os.write(reader, f"{answer}\n".encode())
        assert asking.wait(30) == 0
        said += os.read(reader, 1000)
    os.close(reader)
    assert (b"2 things gone" in said) is (answer == "y")
    assert (built.git("for-each-ref", "refs/orchestra/results") == "") is (answer == "y")


def test_parked_tips_stay_until_they_are_taken_up(built: Scratch) -> None:
    built.prompt("c", "echo c > c.txt", claims={"write": ["c.txt"]})
    built.commit()
    built.orchestra("build", "c", "--no-advance")
    (parked,) = built.lineage() - {"refs/heads/main"}
    assert count(looked(built, "tips", "--all", "--yes"), "goes") == {}
    built.git("merge", "--quiet", parked)
    said = looked(built, "tips", "--yes")
    assert [each["name"] for each in said["items"]] == [parked]
    assert built.lineage() == {"refs/heads/main"}
    assert built.git("for-each-ref", "refs/orchestra/parked", "refs/orchestra/stood") == ""


def test_entries_of_tasks_that_left_go_by_a_commit_of_their_own(built: Scratch) -> None:
    (built.root / "prompts" / "b.md").unlink()
    head = built.commit()
    assert "1 lock entry of tasks that left the manifest" in built.orchestra("clean").stdout
    assert count(looked(built, "--all", "--yes"), "goes").get("entries") is None and built.head() == head
    built.write("dirty.txt", "mine\n")
    called = built.orchestra("clean", "entries", "--yes")
    assert called.status == 0 and "without the lock entries of b" in called.stderr
    assert built.git("rev-parse", "HEAD^") == head
    assert built.git("show", "--format=", "--name-only", "HEAD") == ".orchestra/lock/b.json"
    assert built.git("status", "--porcelain") == "?? dirty.txt"
    assert built.orchestra("build", "a", "lint", "--json").finished["ran"] == 0
    assert built.orchestra("clean", "entries", "--yes").stdout == "Nothing to clean.\n"


def test_entries_stay_where_the_branch_cannot_move(built: Scratch) -> None:
    (built.root / "prompts" / "b.md").unlink()
    built.commit()
    built.write(".orchestra/lock/b.json", "mine\n")
    refs = built.git("for-each-ref")
    called = built.orchestra("clean", "entries", "slots", "--all", "--yes")
    assert called.status == 1 and "your files are in the way: .orchestra/lock/b.json" in called.stderr
    assert built.git("for-each-ref") == refs and looked(built, "slots", "--all")["kinds"]
    built.git("checkout", "--quiet", "--", ".orchestra")
    built.git("checkout", "--quiet", "--detach")
    called = built.orchestra("clean", "entries", "--yes")
    assert called.status == 3 and "HEAD is detached" in called.stderr


def test_what_is_being_resolved_is_not_touched(built: Scratch) -> None:
    rejected = built.git("for-each-ref", "--format=%(objectname)", "refs/orchestra/rejected")
    built.git("update-ref", "refs/orchestra/resolve/r", rejected)
    (built.root / "prompts" / "r.md").unlink()
    built.commit()
    assert count(looked(built, "rejected", "--older-than", "0s", "--yes"), "goes") == {}
    assert built.git("rev-parse", "refs/orchestra/resolve/r") == rejected
    built.git("update-ref", "-d", "refs/orchestra/resolve/r")
    assert count(looked(built, "rejected", "--older-than", "0s", "--yes"), "goes") == {"rejected": 1}


def test_while_a_build_is_at_work_nothing_goes(built: Scratch) -> None:
    built.prompt("slow", "echo 1 > slow.txt; sleep 60", claims={"write": ["slow.txt"]})
    built.commit()
    with built.popen("build", "slow", "--json") as building:
        assert building.stdout is not None
        while '"attempt_started"' not in building.stdout.readline():
            pass
        called = built.orchestra("clean", "--all", "--yes")
        assert called.status == 3 and "another build is at work" in called.stderr
        shown = built.orchestra("clean", "--all")
        assert shown.status == 0 and "A build is at work: process" in shown.stdout
        building.send_signal(signal.SIGINT)
        building.communicate()


def test_a_build_that_was_killed_leaves_nothing_behind_and_loses_nothing(built: Scratch) -> None:
    built.prompt("slow", "echo half > slow.txt; sleep 60", claims={"write": ["slow.txt"]})
    built.commit()
    with built.popen("build", "slow", "--ui", "none") as building:
        while not list((built.home / ".cache" / "orchestra").glob("*/slot-*/slow.txt")):
            assert building.poll() is None
            time.sleep(0.05)
        building.kill()
        building.communicate()
    built.write(".git/refs/orchestra/checks/stale.lock", "")
    settle(built)
    said = looked(built, "--all", "--yes")
    (kept,) = said["rescued"]
    assert built.git("show", f"{kept}:slow.txt") == "half"
    assert (
        count(looked(built), "goes") == {}
        and not (built.root / ".git/refs/orchestra/checks/stale.lock").exists()
    )
    fresh_as_before(built)


@pytest.mark.parametrize("seed", range(2))
def test_killed_at_any_moment_it_is_finished_by_the_next(built: Scratch, seed: int) -> None:
    slots = built.home / ".cache" / "orchestra"
    (place,) = slots.iterdir()
    for number in range(400):
        (place / "slot-1" / f"mine-{number}.txt").write_text(f"{number}\n")
    rng = random.Random(seed)
    for _ in range(3):
        with built.popen("clean", "--all", "--yes") as cleaning:
            time.sleep(rng.uniform(0.15, 0.6))
            cleaning.kill()
            cleaning.communicate()
    # A git that outlived its parent may still be at work in the slot, which then stays, and says so.
    settle(built)
    assert looked(built, "--all", "--yes")["ok"]
    assert count(looked(built, "--all"), "goes") == {}
    assert built.git("worktree", "list").count("\n") == 0 and not list(slots.iterdir())
    rescued = built.git("for-each-ref", "--format=%(refname)", "refs/orchestra/rescued").splitlines()
    assert any(built.git("show", f"{ref}:mine-399.txt", check=False) == "399" for ref in rescued)
    fresh_as_before(built)


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        (("slot",), "nothing called `slot`"),
        (("--older-than", "x"), "an age such as 12h, 30d or 8w"),
        (("--older-than", "-1d"), "an age such as"),
        (("--keep-size", "3"), "a size such as 500MiB or 2GiB"),
    ],
)
def test_wrong_questions_are_refused(scratch: Scratch, argv: tuple[str, ...], says: str) -> None:
    called = scratch.orchestra("clean", *argv)
    assert called.status == 2 and says in called.stderr


def test_a_manifest_that_cannot_be_read_keeps_what_it_might_need(built: Scratch) -> None:
    built.write("orchestra.yaml", "version: [\n")
    called = built.orchestra("clean", "--all", "--yes")
    assert called.status == 0 and "the manifest cannot be read" in called.stderr
    built.git("checkout", "--quiet", "--", "orchestra.yaml")
    fresh_as_before(built)
    assert built.git("for-each-ref", "refs/orchestra/rejected") != ""


def test_where_nothing_was_committed_there_is_nothing(scratch: Scratch) -> None:
    other = Scratch(scratch.home, "unborn")
    called = other.orchestra("clean", "--all", "--yes")
    assert called.status == 0 and called.stdout == "Nothing to clean.\n"


def test_old_reports_go_with_the_logs(built: Scratch) -> None:
    page = built.root / ".git" / "orchestra" / "reports" / "b.html"
    page.parent.mkdir()
    page.write_text("<html>")
    assert looked(built, "logs", "--yes")["done"] and page.exists(), "it is young"
    os.utime(page, (0, 0))
    assert looked(built, "logs", "--yes")["done"] and not page.exists()
