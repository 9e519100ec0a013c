"""Artifacts: what an attempt made is copied, bounded and masked, and nothing from outside of its worktree."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from orchestra.execution import artifacts
from orchestra.execution.artifacts import Artifacts, artifacts_folder
from orchestra.model.masking import Mask
from orchestra.model.outcomes import Artifact
from tests.model.kit import task

SECRET = "sk-not-for-anybody"


class Place:
    """A worktree, and where its artifacts go."""

    def __init__(self, root: Path) -> None:
        self.root = root / "worktree"
        self.root.mkdir()
        self.kept = root / "kept"

    def write(self, path: str, text: str = "text") -> Path:
        """Write a file of the worktree."""
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        return file

    def begin(self, *patterns: str, write: tuple[str, ...] | None = None) -> Artifacts:
        """An attempt at a task with these artifacts begins."""
        of = replace(task("tests", write=write), artifacts=patterns)
        return Artifacts(self.root, of, self.kept, Mask([SECRET]))

    def copies(self) -> dict[str, str]:
        """By path what was kept."""
        found = [file for file in self.kept.rglob("*") if file.is_file()]
        return {str(file.relative_to(self.kept)): file.read_text() for file in found}


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """A worktree."""
    return Place(tmp_path)


def test_what_was_made_or_changed_is_kept_and_what_lay_there_is_not(place: Place) -> None:
    place.write("out/old.txt", "old")
    place.write("out/changed.txt", "before")
    attempt = place.begin("junit.xml", "out", "**/*.log")
    place.write("junit.xml", "<testsuite/>")
    place.write("out/changed.txt", "after, longer")
    place.write("out/deep/new.txt", "new")
    place.write("a/b/c.log", "log")
    place.write("a/b/c.txt", "no artifact")
    place.write(".git/hooks/x.log", "git's")
    assert [file.path for file in attempt.keep()] == [
        "a/b/c.log",
        "junit.xml",
        "out/changed.txt",
        "out/deep/new.txt",
    ]
    assert place.copies() == {
        "a/b/c.log": "log",
        "junit.xml": "<testsuite/>",
        "out/changed.txt": "after, longer",
        "out/deep/new.txt": "new",
    }
    assert (place.kept / "out" / "deep").stat().st_mode & 0o777 == 0o700


def test_only_what_nobody_claims_is_left_out_of_the_result(place: Place) -> None:
    attempt = place.begin("*.xml", "docs/**", write=("docs/**",))
    place.write("junit.xml")
    place.write("docs/page.html")
    assert attempt.unclaimed() == ("junit.xml",)
    assert {file.path for file in attempt.keep()} == {"junit.xml", "docs/page.html"}


def test_links_and_pipes_are_named_and_never_followed(place: Place, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret.xml").write_text("theirs")
    attempt = place.begin("*.xml", "out/**", "linked/secret.xml")
    (place.root / "link.xml").symlink_to(outside / "secret.xml")
    (place.root / "linked").symlink_to(outside)
    (place.root / "out").mkdir()
    (place.root / "out" / "folder").symlink_to(outside)
    os.mkfifo(place.root / "out" / "pipe")
    told = {file.path: file.problem for file in attempt.keep()}
    assert told == dict.fromkeys(("link.xml", "out/folder", "out/pipe"), "no regular file")
    assert place.copies() == {}
    # Nor do they get into the result.
    assert attempt.unclaimed() == ("link.xml", "out/folder", "out/pipe")


def test_a_folder_that_becomes_a_link_after_it_was_seen_is_not_followed(place: Place, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "a.xml").write_text("theirs")
    place.write("out/a.xml", "ours")
    (place.root / "out" / "a.xml").unlink()
    (place.root / "out").rmdir()
    (place.root / "out").symlink_to(tmp_path / "outside")
    with pytest.raises(OSError):
        artifacts._read(place.root, "out/a.xml")


def test_a_file_that_becomes_a_link_or_a_pipe_after_it_was_seen_is_not_read(
    place: Place, tmp_path: Path
) -> None:
    (tmp_path / "theirs").write_text("theirs")
    (place.root / "link").symlink_to(tmp_path / "theirs")
    os.mkfifo(place.root / "pipe")
    for path in ("link", "pipe", "."):
        with pytest.raises(OSError):
            artifacts._read(place.root, path)


def test_what_git_keeps_for_itself_is_no_artifact(place: Place) -> None:
    attempt = place.begin(".git", ".git/**", ".git/config", "sub/.git/*", "**/config")
    place.write(".git/config", "url = https://user:token@example.org")
    place.write("sub/.git/config", "the same")
    place.write("sub/config", "no secret")
    assert [file.path for file in attempt.keep()] == ["sub/config"]


def test_no_more_is_looked_at_than_a_build_can_wait_for(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(artifacts, "LOOKED_AT", 5)
    attempt = place.begin("out/*.xml")
    for number in range(10):
        place.write(f"out/{number}.xml")
    assert len(attempt.keep()) == 5


def test_what_is_too_large_or_too_many_is_named_and_not_kept(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(artifacts, "EACH", 10)
    monkeypatch.setattr(artifacts, "TOGETHER", 15)
    monkeypatch.setattr(artifacts, "COUNT", 4)
    attempt = place.begin("out")
    for name, length in {"a": 8, "b": 11, "c": 8, "d": 7, "e": 1, "f": 1}.items():
        place.write(f"out/{name}", "x" * length)
    assert attempt.keep() == (
        Artifact("out/a", 8),
        Artifact("out/b", 11, "larger than 10 bytes"),
        Artifact("out/c", 8, "more than 15 bytes together"),
        Artifact("out/d", 7),
        Artifact("out/e", 1, "more than 4 files"),
    )
    assert set(place.copies()) == {"out/a", "out/d"}


def test_secrets_are_masked_in_texts_and_other_bytes_are_as_they_were(place: Place) -> None:
    attempt = place.begin("out")
    place.write("out/log", f"key={SECRET}\n")
    raw = b"\xff\x00" + SECRET.encode()
    (place.root / "out" / "raw").write_bytes(raw)
    attempt.keep()
    assert (place.kept / "out" / "log").read_text() == "key=***\n"
    assert (place.kept / "out" / "raw").read_bytes() == raw


def test_only_those_of_the_last_attempt_stay(place: Place) -> None:
    first = place.begin("*.xml")
    place.write("one.xml")
    first.keep()
    second = place.begin("*.xml")
    place.write("two.xml")
    assert [file.path for file in second.keep()] == ["two.xml"]
    assert set(place.copies()) == {"two.xml"}


def test_a_copy_that_fails_spoils_only_itself(place: Place) -> None:
    attempt = place.begin("out")
    place.write("out/fine")
    gone = place.write("out/gone")
    made = attempt._made()
    gone.unlink()
    attempt._made = lambda: made  # type: ignore[method-assign]
    assert [(file.path, file.problem) for file in attempt.keep()] == [
        ("out/fine", ""),
        ("out/gone", "No such file or directory"),
    ]


def test_each_task_has_a_folder_of_its_own_below_that_of_the_build(tmp_path: Path) -> None:
    names = ["a", "a/b", "a%2Fb", "..", "ä b", "a b"]
    folders = {artifacts_folder(tmp_path, name) for name in names}
    assert len(folders) == len(names)
    assert all(
        folder.parent == tmp_path / "artifacts" for folder in folders - {tmp_path / "artifacts" / ".."}
    )
