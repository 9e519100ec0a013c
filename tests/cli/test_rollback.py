"""`orchestra rollback`: a new verified commit, the checkout with it, or nothing at all."""

from __future__ import annotations

import pytest

from .scratch import Scratch

pytestmark = pytest.mark.slow


@pytest.fixture
def landed(scratch: Scratch) -> Scratch:
    """A repository in which `a`, `b` that needs it, and `c` have landed; `bad` without `c` is red."""
    scratch.write("orchestra.yaml", "version: 1\nintegrate: {verify: 'test -e c.txt || ! test -e bad'}\n")
    scratch.prompt("a", "echo a > a.txt", claims={"write": ["a.txt"]})
    scratch.prompt("b", "echo b > b.txt", claims={"write": ["b.txt"]}, needs=["a"])
    scratch.prompt("c", "echo c > c.txt", claims={"write": ["c.txt"]})
    scratch.commit()
    assert scratch.orchestra("build").status == 0
    return scratch


def test_what_landed_is_taken_back_with_the_checkout(landed: Scratch) -> None:
    before = landed.git("rev-parse", "HEAD")
    called = landed.orchestra("rollback", "c")
    assert called.status == 0, called.stderr
    assert "taking back c: c (" in called.stdout and "without c" in called.stdout
    assert landed.git("rev-parse", "HEAD^") == before
    assert not (landed.root / "c.txt").exists() and landed.git("status", "--porcelain") == ""
    assert "reverted  c" in landed.orchestra("status").stdout
    built = landed.orchestra("build", "--json")
    assert built.status == 0 and built.finished["ran"] == 0


def test_a_build_is_taken_back_by_one_command(landed: Scratch) -> None:
    called = landed.orchestra("rollback", "--build", "last")
    assert called.status == 0, called.stderr
    assert not list(landed.root.glob("*.txt"))
    assert landed.orchestra("build", "--json").finished["ran"] == 0


def test_dependents_are_named_and_go_only_where_that_is_asked(landed: Scratch) -> None:
    before = landed.git("rev-parse", "HEAD")
    called = landed.orchestra("rollback", "a")
    assert (
        called.status == 2
        and "b needs what would go" in called.stderr
        and "--with-dependents" in called.stderr
    )
    assert landed.git("rev-parse", "HEAD") == before
    assert landed.orchestra("rollback", "a", "--with-dependents").status == 0
    assert [path.name for path in landed.root.glob("*.txt")] == ["c.txt"]


def test_a_tree_that_fails_is_not_landed(landed: Scratch) -> None:
    landed.write("bad", "it needs c\n")
    before = landed.commit()
    called = landed.orchestra("rollback", "c")
    assert called.status == 1 and "fails without them: main stays where it is" in called.stderr
    assert landed.git("rev-parse", "HEAD") == before and (landed.root / "c.txt").exists()


def test_what_overlaps_with_later_work_is_shown_and_nothing_is_done(landed: Scratch) -> None:
    landed.write("c.txt", "changed since\n")
    before = landed.commit()
    called = landed.orchestra("rollback", "c")
    assert called.status == 1 and "later commits changed the same lines of c.txt" in called.stderr
    assert landed.git("rev-parse", "HEAD") == before


def test_files_in_the_way_keep_the_branch(landed: Scratch) -> None:
    before = landed.git("rev-parse", "HEAD")
    landed.write("c.txt", "not committed\n")
    called = landed.orchestra("rollback", "c")
    assert called.status == 1 and "your files are in the way: c.txt" in called.stderr
    assert landed.git("rev-parse", "HEAD") == before and landed.read("c.txt") == "not committed\n"


def test_a_dry_run_changes_nothing(landed: Scratch) -> None:
    before = landed.git("for-each-ref")
    called = landed.orchestra("rollback", "c", "-n")
    assert called.status == 0 and "would take back c" in called.stdout
    assert landed.git("for-each-ref") == before and (landed.root / "c.txt").exists()


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        ((), "name tasks or a build"),
        (("a", "--build", "last"), "name tasks or a build"),
        (("nobody",), "there is no task `nobody`"),
        (("--build", "1999"), "nothing of build 1999 stands here"),
    ],
)
def test_wrong_questions_are_refused(landed: Scratch, argv: tuple[str, ...], says: str) -> None:
    called = landed.orchestra("rollback", *argv)
    assert called.status == 2 and says in called.stderr


def test_a_detached_head_has_no_branch_to_take_something_from(landed: Scratch) -> None:
    landed.git("checkout", "--quiet", "--detach")
    called = landed.orchestra("rollback", "c")
    assert called.status == 3 and "HEAD is detached" in called.stderr
