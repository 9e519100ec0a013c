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
        (("a", "--to-green"), "name tasks or a build"),
        (("a", "--with-commits"), "--with-commits goes with --to-green"),
    ],
)
def test_wrong_questions_are_refused(landed: Scratch, argv: tuple[str, ...], says: str) -> None:
    called = landed.orchestra("rollback", *argv)
    assert called.status == 2 and says in called.stderr


def test_a_detached_head_has_no_branch_to_take_something_from(landed: Scratch) -> None:
    landed.git("checkout", "--quiet", "--detach")
    called = landed.orchestra("rollback", "c")
    assert called.status == 3 and "HEAD is detached" in called.stderr


def test_own_commits_that_broke_it_are_named_and_go_only_where_that_is_asked(landed: Scratch) -> None:
    green = landed.head()
    landed.write("bad", "it needs c\n")
    landed.git("rm", "--quiet", "c.txt")
    broken = landed.commit("Break it")
    before = landed.git("for-each-ref")
    landed.prompt("d", "echo d > d.txt")
    built = landed.orchestra("build", "--quiet")
    typed = "orchestra rollback --to-green --with-commits"
    assert (
        built.status == 1 and f"or: {typed} (takes back 1 commit of yours since {green[:7]}" in built.stdout
    )

    called = landed.orchestra("rollback", "--to-green")
    assert (
        called.status == 1 and f"caused by: {broken[:7]} Break it" in called.stderr and typed in called.stderr
    )
    called = landed.orchestra(*typed.split()[1:], "--dry-run")
    assert called.status == 0 and f"would take back your commit: Break it ({broken[:7]})" in called.stdout
    assert landed.git("for-each-ref") == before

    called = landed.orchestra(*typed.split()[1:])
    assert called.status == 0, called.stderr
    assert landed.git("rev-parse", "HEAD^") == broken
    assert landed.git("diff", "HEAD", green) == "" and landed.read("c.txt") == "c\n"
    assert (landed.root / "prompts" / "d.md").exists()
    shown = landed.orchestra("history").stdout
    assert f"1 commit of yours taken back by {landed.head()[:7]} on main" in shown
    again = landed.orchestra("rollback", "--to-green")
    assert again.status == 0 and "there is nothing to take back" in again.stdout


def test_what_landed_since_goes_and_own_commits_stay(landed: Scratch) -> None:
    green = landed.head()
    # Landed without verification, as where somebody switched it off for a while.
    yaml = landed.read("orchestra.yaml")
    landed.prompt("d", "rm -f c.txt; touch bad", claims={"write": ["c.txt", "bad"]})
    landed.write("mine", "1\n")
    landed.commit("Mine")
    landed.write("orchestra.yaml", "version: 1\n")
    assert landed.orchestra("build", "d").status == 0
    landed.write("orchestra.yaml", yaml)
    called = landed.orchestra("rollback", "--to-green")
    assert called.status == 0, called.stderr
    assert "taking back d: d (" in called.stdout and "keeping your commit: Mine (" in called.stdout
    assert landed.git("diff", "--name-only", green, "HEAD").split() == ["mine", "prompts/d.md"]
    assert "reverted  d" in landed.orchestra("status").stdout


def test_what_passed_and_fails_now_is_not_gone_back_to(landed: Scratch) -> None:
    """The machine is to blame, not what came since."""
    flag = landed.home / "broken"
    landed.write(
        "orchestra.yaml", f"version: 1\nintegrate: {{verify: 'test ! -e {flag} && test ! -e bad'}}\n"
    )
    landed.commit("Another verify")
    landed.prompt("d", "touch d.txt")
    assert landed.orchestra("build", "d").status == 0
    landed.write("bad", "")
    broken = landed.commit("Break it")
    flag.touch()
    called = landed.orchestra("rollback", "--to-green", "--with-commits")
    assert called.status == 1 and "fails there now" in called.stderr and "not to blame" in called.stderr
    assert landed.head() == broken


def test_what_waits_on_an_earlier_tip_is_not_overlooked(landed: Scratch) -> None:
    landed.prompt("d", "touch d.txt", claims={"write": ["d.txt"]})
    before = landed.commit()
    assert landed.orchestra("build", "--no-advance").status == 0
    (parked,) = landed.lineage() - {"refs/heads/main"}
    name = parked.removeprefix("refs/heads/")
    for argv in (("d",), ("--build", "last")):
        called = landed.orchestra("rollback", *argv)
        assert called.status == 1 and f"`d` has landed on {name}, which has not reached main" in called.stderr
        assert f"git branch -D {name}" in called.stderr
    # What is on the branch already can be taken back, and stays so when the rest arrives.
    assert landed.orchestra("rollback", "c").status == 0
    assert landed.git("rev-parse", "HEAD^") == before
    built = landed.orchestra("build", "--json")
    assert built.status == 0 and built.finished["ran"] == 0 and built.finished["tasks"]["c"] == "reverted"
    assert (landed.root / "d.txt").exists() and not (landed.root / "c.txt").exists()


def test_a_history_that_cannot_be_written_undoes_nothing(landed: Scratch) -> None:
    (landed.root / ".git" / "orchestra" / "history.db").unlink()
    (landed.root / ".git" / "orchestra" / "history.db").mkdir()
    called = landed.orchestra("rollback", "c")
    assert called.status == 0 and "warning: it is not recorded" in called.stderr
    assert not (landed.root / "c.txt").exists()
