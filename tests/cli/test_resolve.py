"""`orchestra resolve`: what did not land is mended by hand, and lands as a build would have landed it."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from orchestra.model.trailers import result_message

from .scratch import Called, Scratch

pytestmark = pytest.mark.slow

ATTEMPT = "20261122-000000-aaaa-1"
REJECTED = f"refs/orchestra/rejected/{ATTEMPT}"


class Story:
    """A person with a task `b` whose result was rejected: it and the branch changed the same line of `f.txt`."""

    def __init__(self, scratch: Scratch, *, conflict: bool = True, yaml: str = "") -> None:
        self.scratch = scratch
        scratch.write("orchestra.yaml", yaml or "version: 1\nintegrate: {verify: 'test ! -e bad'}\n")
        scratch.prompt("b", "exit 1", "Make B", claims={"write": ["f.txt", "b.txt"], "read": ["in.txt"]})
        scratch.write("f.txt", "one\ntwo\nthree\n")
        scratch.write("in.txt", "in\n")
        base = scratch.commit("base")
        scratch.write("f.txt", "one\ntwo by b\nthree\n")
        scratch.write("b.txt", "b\n")
        scratch.git("add", "--all")
        tree = scratch.git("write-tree")
        message = result_message("b", ATTEMPT, "It is done.", ("in.txt",))
        scratch.git("update-ref", REJECTED, scratch.git("commit-tree", tree, "-p", base, "-m", message))
        scratch.git("reset", "--quiet", "--hard")
        if conflict:
            scratch.write("f.txt", "one\ntwo by me\nthree\n")
            scratch.commit("Mine")

    def resolve(self, *argv: str, cwd: Path | None = None) -> Called:
        """Call `orchestra resolve`."""
        return self.scratch.orchestra("resolve", *argv, cwd=cwd)

    def open(self) -> Path:
        """Open it; gives the worktree."""
        called = self.resolve("b")
        assert called.status == 0, called.stderr
        return self.place

    @property
    def place(self) -> Path:
        """The worktree."""
        (found,) = (self.scratch.home / ".cache" / "orchestra").glob("project-*/resolve/b")
        return found

    def landed(self, called: Called) -> None:
        """It landed: as a build would have done, with nothing left to do and nothing left behind."""
        scratch = self.scratch
        assert called.status == 0, called.stdout + called.stderr
        message = scratch.git("log", "-1", "--format=%B")
        assert message.startswith("Make B\n\nIt is done.\n\nOrchestra-Task: b\nOrchestra-Key: k1:")
        assert scratch.git("status", "--porcelain") == ""
        built = scratch.orchestra("build", "--json").finished
        assert built["ran"] == 0 and built["tasks"]["b"] == "fresh"
        assert scratch.git("for-each-ref", "refs/orchestra/resolve", "refs/orchestra/edited") == ""
        assert "/resolve/" not in scratch.git("worktree", "list")


@pytest.fixture
def story(scratch: Scratch) -> Story:
    """A result that conflicts."""
    return Story(scratch)


def git(place: Path, *argv: str) -> str:
    """Run git as the person does in the worktree."""
    return subprocess.run(["git", *argv], cwd=place, capture_output=True, text=True, check=True).stdout


def test_a_conflict_is_mended_and_lands(story: Story) -> None:
    assert "b was rejected\n  next:  orchestra resolve b\n" in story.resolve().stdout
    called = story.resolve("prompts/b.md")
    assert called.status == 0, called.stderr
    assert "Mine\n" in called.stdout and "conflict in f.txt:2, 6" in called.stdout
    assert "orchestra resolve --continue b" in called.stdout and "orchestra resolve --drop b" in called.stdout
    text = (story.place / "f.txt").read_text()
    assert "<<<<<<< main\ntwo by me\n=======\ntwo by b\n>>>>>>> orchestra/resolve/b\n" in text
    # Git knows both sides, as in a merge, and what did not conflict is there.
    assert git(story.place, "status", "--porcelain") == "A  b.txt\nUU f.txt\n"
    assert git(story.place, "show", ":2:f.txt", ":3:f.txt") == "one\ntwo by me\nthree\none\ntwo by b\nthree\n"

    before = story.scratch.head()
    refused = story.resolve("--continue")
    assert refused.status == 1 and "caused by: f.txt:2\ncaused by: f.txt:6\n" in refused.stderr
    assert story.scratch.head() == before

    (story.place / "f.txt").write_text("one\ntwo by both\nthree\n")
    # From within the worktree, where a person is at that moment.
    called = story.resolve("--continue", cwd=story.place)
    assert f"cd {story.scratch.root}" in called.stdout
    assert story.scratch.read("f.txt") == "one\ntwo by both\nthree\n" and story.scratch.read("b.txt") == "b\n"
    story.landed(called)
    assert "Nothing to resolve" in story.resolve().stdout


def test_commits_of_the_person_are_kept_and_the_history_says_who_it_was(story: Story) -> None:
    place = story.open()
    (place / "f.txt").write_text("first try\n")
    git(place, "commit", "--quiet", "-am", "first try")
    made = git(place, "rev-parse", "HEAD").strip()
    (place / "f.txt").write_text("one\ntwo by both\nthree\n")
    called = story.resolve("--continue", "b")
    assert "your commits there are kept: git log refs/orchestra/rescued/" in called.stdout
    story.landed(called)
    assert story.scratch.read("f.txt") == "one\ntwo by both\nthree\n"
    kept = story.scratch.git("for-each-ref", "--format=%(objectname)", "refs/orchestra/rescued")
    assert made in kept
    assert "person" in story.scratch.orchestra("history", "--task", "b").stdout


def test_what_fails_leaves_the_worktree_and_the_branch_as_they_are(scratch: Scratch) -> None:
    yaml = "version: 1\nintegrate: {verify: 'test ! -e bad'}\ntasks: {b: {prompt: prompts/b.md, check: test -e b.ok}}\n"
    story = Story(scratch, conflict=False, yaml=yaml)
    scratch.prompt("b", "exit 1", "Make B", claims={"write": ["f.txt", "b.*", "bad"]})
    scratch.commit()
    place, before = story.open(), scratch.head()
    called = story.resolve("--continue")
    assert called.status == 1 and "check `test -e b.ok`: exit status 1" in called.stdout
    assert f"next:  mend it in {place}, then: orchestra resolve --continue b" in called.stdout

    (place / "b.ok").touch()
    (place / "bad").touch()
    called = story.resolve("--continue")
    assert called.status == 1 and "`test ! -e bad` fails with it" in called.stdout

    (place / "bad").unlink()
    (place / "other.txt").touch()
    called = story.resolve("--continue")
    assert called.status == 1 and "`b` changed paths outside its claims: other.txt" in called.stderr
    assert scratch.head() == before and (place / "b.ok").exists()

    (place / "other.txt").unlink()
    story.landed(story.resolve("--continue"))


def test_what_the_branch_got_meanwhile_is_brought_in_first(story: Story) -> None:
    place = story.open()
    (place / "f.txt").write_text("one\ntwo by both\nthree\n")
    story.scratch.write("f.txt", "one\ntwo by me again\nthree\n")
    story.scratch.commit("Mine again")
    called = story.resolve("--continue")
    assert called.status == 1 and "main moved on meanwhile, and meets what you made" in called.stderr
    assert "caused by: f.txt:2, 6" in called.stderr
    assert (
        "two by both" in (place / "f.txt").read_text() and "two by me again" in (place / "f.txt").read_text()
    )

    (place / "f.txt").write_text("one\ntwo by all\nthree\n")
    story.scratch.write("in.txt", "other\n")
    story.scratch.commit("What it reads")
    called = story.resolve("--continue")
    assert called.status == 1 and "with it what `b` reads: in.txt" in called.stderr
    assert (place / "in.txt").read_text() == "other\n"
    # What it does not read is no news.
    story.scratch.write("elsewhere", "x\n")
    story.scratch.commit("Elsewhere")
    story.landed(story.resolve("--continue"))
    assert story.scratch.read("f.txt") == "one\ntwo by all\nthree\n"


def test_the_branch_may_be_merged_in_by_hand(story: Story) -> None:
    place = story.open()
    (place / "f.txt").write_text("one\ntwo by both\nthree\n")
    git(place, "commit", "--quiet", "--all", "-m", "done")
    story.scratch.write("f.txt", "zero\none\ntwo by me\nthree\n")
    story.scratch.write("in.txt", "other\n")
    story.scratch.commit("More")
    git(place, "merge", "--quiet", "main")
    story.landed(story.resolve("--continue"))
    assert story.scratch.read("f.txt") == "zero\none\ntwo by both\nthree\n"


def test_dropped_is_kept_and_no_more_offered(story: Story) -> None:
    place = story.open()
    (place / "f.txt").write_text("half of it\n")
    (place / "new.txt").write_text("new\n")
    result = story.scratch.git("rev-parse", REJECTED)
    called = story.resolve("--drop", cwd=place)
    assert called.status == 0, called.stderr
    assert not place.exists() and "/resolve/" not in story.scratch.git("worktree", "list")
    kept = f"refs/orchestra/rescued/{ATTEMPT}-by-hand"
    assert f"your work on it is kept: git show {kept}\n" in called.stdout
    assert story.scratch.git("show", f"{kept}:f.txt", f"{kept}:new.txt") == "half of it\nnew"
    assert story.scratch.git("rev-parse", f"refs/orchestra/dropped/{ATTEMPT}") == result
    assert f"git show refs/orchestra/dropped/{ATTEMPT}" in called.stdout
    assert "Nothing to resolve" in story.resolve().stdout
    assert story.resolve("b").status == 2


def test_a_build_leaves_an_open_worktree_alone(story: Story) -> None:
    place = story.open()
    (place / "notes").write_text("mine\n")
    (place / "f.txt").write_text("one\ntwo by both\nthree\n")
    assert story.scratch.orchestra("build", "--json").finished["failed"] == 1
    assert (place / "notes").read_text() == "mine\n"
    called = story.resolve("b")
    assert called.status == 0 and f"open in {place}" in called.stdout
    assert (place / "f.txt").read_text() == "one\ntwo by both\nthree\n"
    assert f"open   b  in {place}" in story.resolve().stdout
    for argv in (("status",), ("explain", "b")):
        said = story.scratch.orchestra(*argv).stdout
        assert f"b is being resolved in {place}; then: orchestra resolve --continue b\n" in said
    (place / "notes").unlink()
    story.landed(story.resolve("--continue"))


def test_what_was_killed_goes_on(story: Story) -> None:
    place = story.open()
    (place / "f.txt").write_text("one\ntwo by both\nthree\n")
    story.scratch.write("orchestra.yaml", "version: 1\nintegrate: {verify: 'test ! -e slow || sleep 60'}\n")
    story.scratch.commit("Slow")
    slow = story.scratch.home / "began"
    story.scratch.write(
        "orchestra.yaml",
        f"version: 1\nintegrate: {{verify: 'touch {slow}; test -e {slow}.on || sleep 60'}}\n",
    )
    with story.scratch.popen("resolve", "--continue", "b") as process:
        while not slow.exists():
            assert process.poll() is None, process.communicate()
        second = story.resolve("--continue")
        assert second.status == 3 and "another build is at work" in second.stderr
        process.send_signal(signal.SIGKILL)
    assert (place / "f.txt").read_text() == "one\ntwo by both\nthree\n"
    (story.scratch.home / "began.on").touch()
    story.scratch.commit("Slow verify")
    story.landed(story.resolve("--continue"))


def test_it_lands_on_the_tip_that_waits(story: Story) -> None:
    story.scratch.prompt("a", "echo a > a.txt", claims={"write": ["a.txt"]})
    story.scratch.commit()
    assert story.scratch.orchestra("build", "a", "--no-advance").status == 0
    place = story.open()
    assert (place / "a.txt").exists()
    (place / "f.txt").write_text("one\ntwo by both\nthree\n")
    story.landed(story.resolve("--continue"))
    assert story.scratch.read("a.txt") == "a\n"
    assert story.scratch.git("for-each-ref", "refs/heads/orchestra") == ""


@pytest.mark.parametrize("inside", [True, False])
def test_it_lands_on_the_branch_for_which_it_was_opened(story: Story, inside: bool) -> None:
    place = story.open()
    (place / "f.txt").write_text("one\ntwo by both\nthree\n")
    story.scratch.git("switch", "--quiet", "--create", "other")
    before = story.scratch.head()
    assert story.resolve("--continue", cwd=place if inside else None).status == 0
    assert story.scratch.head() == before
    story.scratch.git("switch", "--quiet", "main")
    assert story.scratch.read("f.txt") == "one\ntwo by both\nthree\n"


def test_ignored_files_that_were_added_are_refused(story: Story) -> None:
    place = story.open()
    (place / ".gitignore").write_text("*.log\n")
    (place / "f.txt").write_text("x\n")
    (place / "my.log").write_text("x\n")
    git(place, "add", "--force", "my.log")
    called = story.resolve("--continue")
    assert called.status == 2 and "ignored files were added in" in called.stderr and "my.log" in called.stderr


def deleted(place: Path) -> None:
    """The person deletes the folder."""
    subprocess.run(["rm", "-rf", str(place)], check=True)


def pruned(place: Path) -> None:
    """The person lets git forget the worktree."""
    git(place, "worktree", "remove", "--force", "--force", str(place))


@pytest.mark.parametrize("away", [deleted, pruned])
def test_a_worktree_that_is_gone_is_opened_anew(story: Story, away: Callable[[Path], None]) -> None:
    place = story.open()
    git(place, "commit", "--quiet", "--all", "-m", "with markers")
    made = git(place, "rev-parse", "HEAD").strip()
    away(place)
    assert story.resolve("--continue").status in (1, 2)
    assert story.open().joinpath("b.txt").exists()
    if away is deleted:
        assert made in story.scratch.git("for-each-ref", "refs/orchestra/rescued")
    assert story.resolve("--drop").status == 0


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        (("nobody",), "there is no task `nobody`"),
        (("--continue",), "nothing is open"),
        (("--continue", "b"), "`b` is not open"),
        (("--continue", "--drop", "b"), "give one of them"),
        (("b", "--wait"), "--wait goes with --continue"),
        (("check",), "`check` is a check task"),
        (("run",), "no result of `run` is kept"),
    ],
)
def test_wrong_questions_are_refused(scratch: Scratch, argv: tuple[str, ...], says: str) -> None:
    tasks = "tasks: {check: {run: 'true', claims: {write: []}}, run: {run: 'true', claims: {write: [r]}}}"
    story = Story(scratch, yaml=f"version: 1\n{tasks}\n")
    called = story.resolve(*argv)
    assert called.status == 2 and says in called.stderr
