"""The look at what builds left, on a real disk, and taking it away."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from orchestra.execution.leftovers import Grounds, survey, usage
from orchestra.execution.sweeping import Swept, sweep
from orchestra.integration.cleaning import DAY, Bounds, Item, Kind, Standing, choose
from orchestra.model.ports import RefUpdate
from tests.vcs.kit import Bench, Person

NOW = 2_000_000_000.0
YOUNG = NOW - DAY / 2


class Yard:
    """A repository with slots, and all about it that is looked at."""

    def __init__(self, home: Path) -> None:
        self.person = Person(home / "at")
        self.person.env["GIT_COMMITTER_DATE"] = f"{YOUNG:.0f} +0000"
        self.person.write("a.txt", "a\n")
        self.person.commit("first")
        self.bench = Bench(self.person)
        self.repository = self.bench.repository
        self.scratch = home / "tmp"
        self.scratch.mkdir()
        self.state = self.repository.state_folder
        self.at = Grounds(self.repository, self.bench.folder, (self.bench.folder.parent,), self.scratch)

    def file(self, path: Path, text: str = "x", age: float = 0.0) -> Path:
        """A file that was written so many seconds ago."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        os.utime(path, (NOW - age, NOW - age))
        return path

    def items(self) -> tuple[Item, ...]:
        standing = Standing(self.repository.is_ancestor, frozenset(), frozenset())
        return survey(self.at, standing, NOW)

    def found(self) -> dict[str, str]:
        """The kind of each, by its last name."""
        return {Path(item.name).name: item.kind.value for item in self.items()}

    def sweep(self, bounds: Bounds | None = None) -> Swept:
        goes = choose(self.items(), bounds or Bounds(older=0.0), NOW).goes
        return sweep(self.at, goes, self.bench.pool.spared, NOW)


@pytest.fixture
def yard(tmp_path: Path) -> Yard:
    return Yard(tmp_path)


def test_where_nothing_was_built_there_is_nothing(yard: Yard) -> None:
    assert yard.items() == ()
    assert yard.sweep() == Swept()


def test_logs_are_as_old_as_what_was_written_last(yard: Yard) -> None:
    builds = yard.state / "builds"
    yard.file(builds / "b-1" / "events.jsonl", age=50 * DAY)
    yard.file(builds / "b-2" / "events.jsonl", age=50 * DAY)
    yard.file(builds / "b-2" / "001-a.log", age=3 * DAY)
    (builds / "b-3").mkdir()
    assert yard.found() == {"b-1": "logs", "b-2": "logs", "b-3": "leftovers"}
    swept = yard.sweep(Bounds())
    assert {Path(item.name).name for item in swept.gone} == {"b-1", "b-3"}
    assert [path.name for path in builds.iterdir()] == ["b-2"]


def test_the_log_of_a_kept_rejection_stays(yard: Yard) -> None:
    from orchestra.model.trailers import result_message

    commit = yard.repository.keep_tree("HEAD", (yard.person.head(),), result_message("a", "b-1-4", "done"))
    yard.repository.update_refs((RefUpdate("refs/orchestra/rejected/b-1-4", commit),))
    yard.file(yard.state / "builds" / "b-1" / "004-a.log", age=50 * DAY)
    yard.file(yard.state / "builds" / "b-2" / "001-a.log", age=50 * DAY)
    standing = Standing(yard.repository.is_ancestor, frozenset({"a"}), frozenset())
    why = {Path(item.name).name: item.needed for item in survey(yard.at, standing, NOW)}
    assert why == {"b-1-4": "the newest rejection of a", "b-1": "the log of a kept rejection", "b-2": ""}


def test_what_is_cached_goes_and_what_is_being_written_does_not(yard: Yard) -> None:
    cache = yard.state / "cache"
    yard.file(cache / "manifest-1.json", age=50 * DAY)
    yard.file(cache / "manifest-2.json", age=40 * DAY)
    yard.file(cache / "front-matter-1.json", age=90 * DAY)
    yard.file(cache / "manifest-2.json.99.new", age=60.0)
    yard.file(cache / "manifest-3.json.99.new", age=2 * 3600.0)
    yard.file(yard.state / "history.db.damaged-1", age=40 * DAY)
    yard.file(yard.state / "history.db", age=400 * DAY)
    assert yard.found() == {
        "front-matter-1.json": "cache",
        "manifest-1.json": "cache",
        "manifest-2.json": "cache",
        "manifest-3.json.99.new": "leftovers",
        "history.db.damaged-1": "leftovers",
    }
    assert len(yard.sweep(Bounds()).gone) == 3
    # The newest of each is what every command reads.
    assert (
        set(yard.found()) == {"front-matter-1.json", "manifest-2.json"}
        and (yard.state / "history.db").exists()
    )


def test_temporary_files_of_ours_go_a_day_later(yard: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    def scratch(name: str, *files: str) -> None:
        folder = yard.scratch / name
        folder.mkdir()
        for file in files:
            (folder / file).write_text("x")

    scratch("orchestra-aaaaaaaa", "index", "index.lock")
    scratch("orchestra-bbbbbbbb", "blob-0", "blob-17")
    scratch("orchestra-cccccccc", "index", "notes.txt")
    scratch("orchestra-notes", "index")
    (yard.scratch / "orchestra-dddddddd").write_text('{"event":"task_failed"}\n')
    (yard.scratch / "orchestra-eeeeeeee").write_text("a person's")
    # The folders are of this moment: the look comes a day later, or just now.
    ours = {"orchestra-aaaaaaaa", "orchestra-bbbbbbbb", "orchestra-dddddddd"}
    assert yard.found() == dict.fromkeys(ours, "leftovers")
    now = (yard.scratch / "orchestra-aaaaaaaa").stat().st_mtime
    assert survey(yard.at, Standing(yard.repository.is_ancestor), now + 3600.0) == ()
    assert len(yard.sweep(Bounds()).gone) == 3
    assert {path.name for path in yard.scratch.iterdir()} == {
        "orchestra-cccccccc",
        "orchestra-notes",
        "orchestra-eeeeeeee",
    }


def test_worktrees_go_with_what_was_in_them_kept(yard: Yard) -> None:
    slot = yard.bench.prepare()
    yard.person.write("mine.txt", "mine\n", at=slot.path)
    assert yard.found() == {"slot-1": "slots"}
    swept = yard.sweep()
    assert len(swept.rescued) == 1 and swept.problems == ()
    assert yard.person.git("show", f"{swept.rescued[0]}:mine.txt") == "mine"
    assert not yard.bench.folder.exists()
    # What was kept just now is not among what goes.
    assert yard.sweep(Bounds(everything=True)).gone == ()


def test_a_worktree_in_which_a_process_stands_stays(yard: Yard) -> None:
    slot = yard.bench.prepare()
    with subprocess.Popen([sys.executable, "-c", "input()"], cwd=slot.path, stdin=subprocess.PIPE) as shell:
        (item,) = yard.items()
        assert item.needed == "a process works there"
        shell.communicate(b"\n")
    (item,) = yard.items()
    assert item.needed == ""


def test_half_made_and_half_taken_away_worktrees_go_at_any_age(yard: Yard) -> None:
    slot = yard.bench.prepare()
    (slot.git_dir / "orchestra-base").unlink()
    (yard.bench.folder / "slot-7.dropped").mkdir()
    (yard.bench.folder / "slot-8.damaged").mkdir()
    assert yard.found() == {"slot-1": "leftovers", "slot-7.dropped": "leftovers", "slot-8.damaged": "aside"}
    yard.sweep(Bounds(older=1e12))
    assert [path.name for path in yard.bench.folder.iterdir()] == ["slot-8.damaged"]


def test_stale_locks_go_and_those_of_a_person_stay(yard: Yard) -> None:
    ours = yard.person.write(".git/refs/orchestra/checks/k.lock", "")
    theirs = yard.person.write(".git/refs/heads/main.lock", "")
    assert yard.found() == {"k.lock": "leftovers"}
    assert [item.name for item in yard.sweep(Bounds()).gone] == [str(ours)]
    assert theirs.exists() and not ours.exists()


def orphan(yard: Yard, name: str, home: Path, *slots: str) -> Path:
    """A folder of worktrees of a repository at `home`."""
    folder = yard.bench.folder.parent / name
    for slot in slots or ("slot-1",):
        yard.file(folder / slot / ".git", f"gitdir: {home}/.git/worktrees/{slot}\n")
    return folder


def test_worktrees_of_repositories_that_are_gone_go_when_they_are_named(yard: Yard, tmp_path: Path) -> None:
    gone = orphan(yard, "gone-0123456789ab", tmp_path / "gone")
    alive = Person(tmp_path / "else")
    orphan(yard, "alive-0123456789ab", alive.root)
    orphan(yard, "away-0123456789ab", tmp_path / "unmounted" / "disk" / "it")
    orphan(yard, "gone-a-person-s", tmp_path / "gone")
    yard.file(orphan(yard, "gone-1123456789ab", tmp_path / "gone") / "notes.txt")
    (yard.bench.folder.parent / "empty-0123456789ab").mkdir()
    kinds = {item.name: item.needed for item in yard.items()}
    assert set(kinds) == {str(gone), str(gone.with_name("away-0123456789ab"))}
    assert kinds[str(gone)] == "" and "is a disk away?" in kinds[str(gone.with_name("away-0123456789ab"))]
    assert yard.sweep().gone == ()
    assert len(yard.sweep(Bounds(older=0.0, kinds=frozenset({Kind.ORPHANS}))).gone) == 1
    assert not gone.exists() and gone.with_name("alive-0123456789ab").exists()


def test_one_that_cannot_go_hides_no_other(yard: Yard) -> None:
    builds = yard.state / "builds"
    for name in ("b-1", "b-2"):
        yard.file(builds / name / "events.jsonl")
    items = yard.items()
    ghost = Item(Kind.LOGS, str(builds / "b-1" / "events.jsonl" / "below"), 0.0)
    commit = yard.person.head()
    moved = "refs/orchestra/results/k/1"
    yard.repository.update_refs((RefUpdate(moved, commit),))
    ref = Item(Kind.RESULTS, moved, 0.0, refs=((moved, "0" * 39 + "1"),))
    swept = sweep(yard.at, [ref, ghost, *items], yard.bench.pool.spared, NOW)
    assert {Path(item.name).name for item in swept.gone} >= {"b-1", "b-2"}
    assert [name for name, _ in swept.problems] == [moved]
    assert yard.repository.resolve(moved) == commit


def test_bytes_that_other_links_hold_are_not_counted(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "shared").write_bytes(os.urandom(100_000))
    (tmp_path / "in" / "own").write_bytes(os.urandom(50_000))
    whole = usage(tmp_path / "in")
    os.link(tmp_path / "in" / "shared", tmp_path / "in" / "again")
    assert whole - 8192 <= usage(tmp_path / "in") <= whole + 8192
    os.link(tmp_path / "in" / "shared", tmp_path / "elsewhere")
    assert usage(tmp_path / "in") < whole - 90_000
    (tmp_path / "link").symlink_to(tmp_path / "in")
    assert usage(tmp_path / "link") < 8192
    assert usage(tmp_path / "nothing") == 0
