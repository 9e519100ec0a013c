"""Worktrees and refs of earlier builds: found, kept from loss, and taken away."""

from __future__ import annotations

import shutil
from hashlib import sha256
from pathlib import Path

import pytest

from orchestra.model.ports import RefUpdate
from orchestra.vcs.clearing import DROPPED, all_refs, alone, drop_refs, pooled, strangers, take_away
from orchestra.vcs.slots import Slot, SlotPool
from tests.vcs.kit import Bench, Person

RESULT = "refs/orchestra/results/k/b-1"


def away(bench: Bench, name: str = "clean-1") -> tuple[str, ...]:
    """Take all pooled worktrees away."""
    kept: tuple[str, ...] = ()
    for found in pooled(bench.repository, bench.folder):
        kept += take_away(bench.repository, found, bench.pool.spared(found.slot), name)
    return kept


def nothing_is_left(bench: Bench) -> None:
    assert pooled(bench.repository, bench.folder) == ()
    assert bench.person.git("worktree", "list").count("\n") == 0
    assert not bench.folder.exists()
    assert "error" not in bench.person.git("fsck", "--strict")


def test_a_worktree_as_it_was_made_leaves_nothing(bench: Bench) -> None:
    bench.prepare()
    bench.prepare(number=2)
    assert [each.slot.number for each in pooled(bench.repository, bench.folder)] == [1, 2]
    assert away(bench) == ()
    nothing_is_left(bench)
    assert bench.person.refs("refs/orchestra/") == {}


def test_what_a_person_put_there_is_kept(bench: Bench, person: Person) -> None:
    slot = bench.prepare()
    person.write("mine.txt", "mine\n", at=slot.path)
    person.write("x.ign", "ignored\n", at=slot.path)
    assert away(bench) == ("refs/orchestra/rescued/clean-1",)
    nothing_is_left(bench)
    assert person.git("show", "refs/orchestra/rescued/clean-1:mine.txt") == "mine"
    assert "x.ign" not in person.committed("refs/orchestra/rescued/clean-1")


def test_what_an_attempt_left_that_was_cut_off_is_kept_in_its_name(bench: Bench, person: Person) -> None:
    slot = bench.prepare()
    bench.pool.mark_in_use(slot, "b-7")
    person.write("half.txt", "half\n", at=slot.path)
    assert away(bench) == ("refs/orchestra/rescued/b-7",)
    assert person.git("show", "refs/orchestra/rescued/b-7:half.txt") == "half"


def test_what_was_captured_is_not_kept_twice(bench: Bench, person: Person) -> None:
    slot = bench.prepare()
    person.write("done.txt", "done\n", at=slot.path)
    person.commit("the agent's own", cwd=slot.path)
    bench.capture(slot, RESULT)
    before = person.refs("refs/orchestra/")
    assert RESULT in before and "refs/orchestra/rescued/b-1-commits" in before
    assert away(bench) == ()
    assert person.refs("refs/orchestra/") == before


def test_commits_that_no_ref_holds_are_kept(bench: Bench, person: Person) -> None:
    slot = bench.prepare()
    person.write("a.txt", "a\n", at=slot.path)
    made = person.commit("made there", cwd=slot.path)
    person.git("reset", "--quiet", "--hard", "HEAD^", cwd=slot.path)
    assert away(bench) == ("refs/orchestra/rescued/clean-1-commits",)
    assert person.git("merge-base", "--is-ancestor", made, "refs/orchestra/rescued/clean-1-commits") == ""


def test_commits_are_kept_also_where_the_folder_is_gone(bench: Bench, person: Person) -> None:
    slot = bench.prepare()
    made = person.commit("made there", cwd=slot.path)
    shutil.rmtree(slot.path)
    assert away(bench) == ("refs/orchestra/rescued/clean-1-commits",)
    assert person.head("refs/orchestra/rescued/clean-1-commits") == made
    nothing_is_left(bench)


def test_what_git_cannot_hold_is_put_aside_with_its_commits_kept(bench: Bench, person: Person) -> None:
    slot = bench.prepare()
    made = person.commit("made there", cwd=slot.path)
    person.git("init", "--quiet", str(slot.path / "nested"))
    person.write("nested/work.txt", "work\n", at=slot.path)
    aside = bench.folder / "slot-1.rescued-clean-1"
    assert away(bench) == (str(aside), "refs/orchestra/rescued/clean-1-commits")
    assert (aside / "nested/work.txt").read_text() == "work\n"
    assert person.head("refs/orchestra/rescued/clean-1-commits") == made
    assert strangers(bench.folder, ()) == ((aside,), ())


def test_an_agents_own_repository_in_the_place_of_a_worktree_is_put_aside(
    bench: Bench, person: Person
) -> None:
    slot = bench.prepare()
    (slot.path / ".git").unlink()
    person.git("init", "--quiet", str(slot.path))
    (kept,) = away(bench)
    assert (Path(kept) / ".git" / "HEAD").exists()
    assert pooled(bench.repository, bench.folder) == ()


@pytest.mark.parametrize("harm", ["no-gitdir", "no-lock", "no-base", "no-folder"])
def test_a_worktree_that_was_half_made_or_half_taken_away_goes(bench: Bench, harm: str) -> None:
    slot = bench.prepare()
    match harm:
        case "no-gitdir":
            (slot.git_dir / "gitdir").unlink()
        case "no-lock":
            (slot.git_dir / "locked").unlink()
        case "no-base":
            (slot.git_dir / "orchestra-base").unlink()
            slot.saved_index.unlink()
        case _:
            shutil.rmtree(slot.path)
    assert len(pooled(bench.repository, bench.folder)) == 1
    assert away(bench) == ()
    nothing_is_left(bench)


def test_what_cannot_be_compared_any_more_is_put_aside(bench: Bench, person: Person) -> None:
    slot = bench.prepare()
    person.write("mine.txt", "mine\n", at=slot.path)
    slot.saved_index.unlink()
    (kept,) = away(bench)
    assert (Path(kept) / "mine.txt").read_text() == "mine\n"


def test_worktrees_that_are_not_ours_are_not_found(bench: Bench, person: Person, tmp_path: Path) -> None:
    person.git("worktree", "add", "--quiet", "--detach", str(tmp_path / "slot-1"))
    person.git("worktree", "add", "--quiet", "--detach", str(tmp_path / "mine"))
    person.git("worktree", "lock", "--reason", "orchestra slot", str(tmp_path / "mine"))
    bench.folder.mkdir(parents=True)
    (bench.folder / "resolve-a").mkdir()
    assert pooled(bench.repository, bench.folder) == ()
    assert strangers(bench.folder, ()) == ((), ())


def test_where_a_person_resolves_is_not_touched(bench: Bench, person: Person) -> None:
    """Made as slots are, for a task that is called like one."""
    repository = bench.repository
    place = bench.folder / "resolve"
    pool = SlotPool(
        repository.command, repository.root, repository.common_dir, place, bench.worktrees, _none, "slot-3"
    )
    pool.prepare(0, person.head())
    assert (place / "slot-3").is_dir()
    assert pooled(repository, bench.folder) == ()


def _none(slot: Slot, attempt: str) -> None:
    """Nothing is rescued here."""


def test_a_copy_of_the_repository_does_not_touch_the_worktrees_of_its_original(
    bench: Bench, person: Person, tmp_path: Path
) -> None:
    slot = bench.prepare()
    shutil.copytree(person.root, tmp_path / "copy")
    other = Person(tmp_path / "elsewhere", env=person.env)
    shutil.copytree(person.root / ".git", other.root / ".git", dirs_exist_ok=True)
    copied = Bench(other)
    assert pooled(copied.repository, copied.folder) == ()
    assert slot.path.is_dir()
    # Moved, they are its own: where the original is gone.
    shutil.rmtree(person.root)
    assert [each.slot.path for each in pooled(copied.repository, copied.folder)] == [slot.path]


def test_worktrees_that_lie_elsewhere_are_found(person: Person) -> None:
    old = Bench(person, dir="../worktrees")
    slot = old.prepare()
    now = Bench(person)
    assert [each.slot.path for each in pooled(now.repository, now.folder)] == [slot.path]


def test_what_is_half_taken_away_is_told_from_what_was_put_aside(bench: Bench) -> None:
    names = (
        "slot-1",
        "slot-2",
        f"slot-3{DROPPED}",
        f"slot-3{DROPPED}-2",
        "slot-4.damaged",
        "slot-5.rescued-b-1.dropped",
    )
    for name in (*names, "notes", "slot-x"):
        (bench.folder / name).mkdir(parents=True)
    aside, dropped = strangers(bench.folder, {(bench.folder / "slot-1").resolve()})
    assert [path.name for path in aside] == ["slot-2", "slot-4.damaged", "slot-5.rescued-b-1.dropped"]
    assert [path.name for path in dropped] == [f"slot-3{DROPPED}", f"slot-3{DROPPED}-2"]


def test_the_bytes_of_a_commit_are_those_that_nothing_else_keeps(person: Person) -> None:
    base = person.head()
    person.write("big.bin", b"".join(sha256(bytes([n])).digest() for n in range(256)))
    big = person.commit("big")
    person.write("small.txt", "small\n")
    small = person.commit("small")
    repository = person.repository()
    # The newer one holds the file too: without the older one alone, little is freed.
    sizes = alone(repository, [small, big], [base])
    assert sizes[small] > 8_000 > 500 > sizes[big] > 50
    (own,) = alone(repository, [big], [base]).values()
    blob = person.head(f"{big}:big.bin")
    told = person.git("cat-file", "--batch-check=%(objectsize:disk)", stdin=blob)
    assert 50 < own - int(told) < 500
    assert alone(repository, [big], [small]) == {big: 0}
    assert alone(repository, [], [base]) == {}


def test_refs_that_moved_meanwhile_stay_and_hide_no_others(person: Person) -> None:
    one, other = person.head(), person.commit("second")
    repository = person.repository()
    for name in ("a", "b", "c"):
        assert repository.update_refs((RefUpdate(f"refs/orchestra/results/{name}", one),))
    groups = [
        (RefUpdate("refs/orchestra/results/a", None, one),),
        (
            RefUpdate("refs/orchestra/results/b", None, one),
            RefUpdate("refs/orchestra/results/c", None, other),
        ),
    ]
    assert drop_refs(repository, groups) == ("refs/orchestra/results/b", "refs/orchestra/results/c")
    assert set(person.refs("refs/orchestra/")) == {"refs/orchestra/results/b", "refs/orchestra/results/c"}
    assert drop_refs(repository, groups[:0]) == ()


def test_branches_in_use_are_told(person: Person, tmp_path: Path) -> None:
    person.commit("second")
    for name in ("held", "rebased"):
        person.git("branch", name)
    place = tmp_path / "with\na newline"
    person.git("worktree", "add", "--quiet", str(place), "held")
    person.git("checkout", "--quiet", "rebased")
    person.git("rebase", "--quiet", "--exec", "false", "HEAD^", status=1)
    told = {ref.name.removeprefix("refs/heads/"): ref.held for ref in all_refs(person.repository())}
    assert told["held"] == str(place)
    assert told["rebased"] and told["main"] == ""


def test_a_ref_is_as_old_as_its_commit_unless_it_was_written_later(person: Person) -> None:
    person.env["GIT_COMMITTER_DATE"] = "1000000000 +0000"
    person.commit("long ago")
    repository = person.repository()
    repository.update_refs((RefUpdate(RESULT, person.head()),))
    (written,) = (ref.used for ref in all_refs(repository) if ref.name == RESULT)
    assert written > 1_500_000_000
    person.git("pack-refs", "--all")
    (packed,) = (ref.used for ref in all_refs(repository) if ref.name == RESULT)
    assert packed == 1_000_000_000


def test_a_slot_is_one(bench: Bench) -> None:
    assert isinstance(pooled(bench.repository, bench.folder), tuple)
    slot = bench.prepare()
    (found,) = pooled(bench.repository, bench.folder)
    assert found.slot == Slot(1, slot.path, slot.git_dir)
    assert found.there and found.whole and found.attempt is None
