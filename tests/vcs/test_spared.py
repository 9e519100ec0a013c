"""What setup, copy and keep make survives resets, is never captured, and is made again when its inputs change."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from orchestra.model.errors import OrchestraError
from tests.vcs.kit import Bench, Person, on_disk, plain

FILES = plain(
    {"README.md": "A project\n", "src/parser.py": "print('parse')\n", ".gitignore": "*.ign\nign/\n"}
)
ODD = [
    "a[1]",
    "b*",
    "c?",
    "d\\e",
    " lead",
    "trail ",
    "#hash",
    "!bang",
    "-dash",
    "new\nline",
    "tab\t",
    "q\"'",
    "é",
]


# --- setup ---------------------------------------------------------------------------------------------------

SETUP = "mkdir -p deps ign/x gen; echo 1 > deps/a; echo 1 > ign/x/y; echo 1 > one.ign; echo 1 > gen/made"


def test_what_setup_makes_survives_and_is_never_captured(person: Person) -> None:
    bench = Bench(person, setup=SETUP)
    made = plain({"deps/a": "1\n", "ign/x/y": "1\n", "one.ign": "1\n", "gen/made": "1\n"})
    slot = bench.prepare()
    assert bench.set_up(slot)
    for _ in range(2):
        person.sh("echo 2 > deps/a; echo 2 > ign/x/y; echo new > new; echo junk > junk.ign", slot.path)
        assert bench.captured(slot) == {**FILES, **plain({"new": "new\n"})}
        slot = bench.prepare()
        assert not bench.set_up(slot)
        changed = {**made, **plain({"deps/a": "2\n", "ign/x/y": "2\n"})}
        assert on_disk(slot.path) == {**FILES, **changed}
        assert sorted(bench.status(slot)) == ["!! ign/", "!! one.ign", "?? deps/", "?? gen/"]


def test_an_attempts_own_file_beside_what_setup_made_is_captured(person: Person) -> None:
    bench = Bench(person, setup="mkdir -p gen ign; echo 1 > gen/made; echo 1 > ign/made")
    slot = bench.prepare()
    bench.set_up(slot)
    person.sh("echo own > gen/own; echo 2 > gen/made", slot.path)
    assert bench.captured(slot) == {**FILES, **plain({"gen/own": "own\n"})}
    slot = bench.prepare()
    assert set(on_disk(slot.path)) == {*FILES, "gen/made", "ign/made"}


def test_what_setup_does_to_tracked_files_is_undone(person: Person) -> None:
    """A package manager that rewrites its lock file must not make that every attempt's work."""
    bench = Bench(
        person, setup="echo x >> README.md; rm -r src; mkdir README.d; git add -A; chmod +x .gitignore"
    )
    slot = bench.prepare()
    bench.set_up(slot)
    assert on_disk(slot.path) == FILES
    assert bench.capture(slot).commit is None
    assert bench.prepare().path and not bench.set_up(bench.prepare())


def test_a_folder_that_setup_puts_for_a_file_is_undone(person: Person) -> None:
    bench = Bench(person, setup="rm README.md; mkdir README.md; rm -r src; ln -s /nowhere src")
    slot = bench.prepare()
    bench.set_up(slot)
    assert on_disk(slot.path) == FILES


def test_a_setup_that_makes_very_many_files_is_noted_by_folder(person: Person) -> None:
    bench = Bench(
        person, setup="mkdir -p many/x src/y; for n in $(seq 250); do : > many/x/$n; : > src/y/$n; done"
    )
    slot = bench.prepare()
    bench.set_up(slot)
    assert len(bench.pool.spared(slot).paths) == 2
    (slot.path / "src" / "own").write_text("own\n")
    assert bench.captured(slot) == {**FILES, **plain({"src/own": "own\n"})}
    assert len(on_disk(bench.prepare().path)) == len(FILES) + 500


def test_setup_runs_again_when_its_command_or_inputs_change(person: Person) -> None:
    person.write("lock.txt", "1\n")
    person.write("other.txt", "1\n")
    old = person.commit()
    setup = {"setup": "echo run >> runs.ign", "setup_inputs": ("lock*", "sub/**")}
    slot = Bench(person, **setup).prepare()
    assert Bench(person, **setup).set_up(slot)
    assert not Bench(person, **setup).set_up(Bench(person, **setup).prepare())
    person.write("other.txt", "2\n")
    bench = Bench(person, **setup)
    assert not bench.set_up(bench.prepare(person.commit()))
    for path, content in (("lock.txt", "2\n"), ("sub/deep/x", "new\n")):
        person.write(path, content)
        commit = person.commit()
        assert bench.set_up(bench.prepare(commit))
        assert not bench.set_up(bench.prepare(commit))
    assert bench.set_up(bench.prepare(old))
    other = Bench(person, setup="echo other >> runs.ign", setup_inputs=("lock*", "sub/**"))
    assert other.set_up(other.prepare(old))
    assert (slot.path / "runs.ign").read_text() == "run\n" * 4 + "other\n"


def test_each_slot_is_set_up(person: Person) -> None:
    bench = Bench(person, setup="touch x.ign")
    assert bench.set_up(bench.prepare(number=1))
    assert bench.set_up(bench.prepare(number=2))


def test_before_a_check_it_runs_again_only_where_the_attempt_changed_its_inputs(person: Person) -> None:
    for name in ODD:
        person.write(f"in/{name}", name)
    (person.root / "in" / "link").symlink_to("../README.md")
    person.write("in/crlf", "a\r\nb\r\n")
    person.git("config", "core.autocrlf", "input")
    person.commit()
    bench = Bench(person, setup="echo run >> runs.ign", setup_inputs=("in/**",))
    slot = bench.prepare()
    assert bench.set_up(slot)
    assert not bench.set_up(slot, pristine=False)
    (slot.path / "README.md").write_text("changed\n")
    assert not bench.set_up(slot, pristine=False)
    for change in ("echo x > 'in/a[1]'", "rm 'in/b*'", "mkdir -p in/d; echo y > in/d/e"):
        person.sh(change, slot.path)
        assert bench.set_up(slot, pristine=False), change
        assert not bench.set_up(slot, pristine=False)
    slot = bench.prepare()
    assert bench.set_up(slot)


def test_a_second_setup_does_not_take_the_attempts_work_for_its_own(person: Person) -> None:
    person.write("lock", "1\n")
    person.commit()
    bench = Bench(person, setup="mkdir -p deps; echo 1 > deps/a; echo x >> README.md", setup_inputs=("lock",))
    slot = bench.prepare()
    bench.set_up(slot)
    person.sh(
        "echo 2 > lock; echo new > new; mkdir d; echo x > d/x; echo st > staged; git add staged", slot.path
    )
    assert bench.set_up(slot, pristine=False)
    new = plain(
        {"lock": "2\n", "new": "new\n", "d/x": "x\n", "staged": "st\n", "README.md": "A project\nx\n"}
    )
    assert bench.captured(slot) == {**FILES, **new}


def test_setup_that_made_what_a_later_commit_holds_gives_it_up(person: Person) -> None:
    bench = Bench(person, setup="mkdir -p gen; echo made > gen/a; echo made > gen/b")
    slot = bench.prepare()
    bench.set_up(slot)
    person.write("gen/a", "tracked\n")
    commit = person.commit()
    slot = bench.prepare(commit)
    assert on_disk(slot.path) == {**person.committed(commit), **plain({"gen/b": "made\n"})}
    assert bench.set_up(slot)
    assert (slot.path / "gen" / "a").read_text() == "tracked\n"
    (slot.path / "gen" / "a").write_text("changed\n")
    assert bench.captured(slot)["gen/a"] == ("100644", b"changed\n")


@pytest.mark.parametrize("name", ODD)
def test_names_of_what_setup_made_are_meant_to_the_letter(person: Person, name: str) -> None:
    bench = Bench(person, setup="true")
    slot = bench.prepare()
    mark = bench.pool.setup_due(slot)
    assert mark is not None
    before = bench.pool.untracked(slot)
    (slot.path / "d").mkdir()
    (slot.path / name).write_text("made\n")
    (slot.path / "d" / name).write_text("made\n")
    bench.pool.setup_done(slot, mark, before, pristine=True)
    near = [n for n in ("a1", "bx", "cx", "d/x", "lead", "trail", "new", "é2") if n != name]
    for other in near:
        (slot.path / other).write_text("own\n")
    assert set(bench.captured(slot)) == {*FILES, *near}
    assert set(on_disk(bench.prepare().path)) == {*FILES, name, f"d/{name}"}


# --- keep ----------------------------------------------------------------------------------------------------


def test_what_is_kept_survives_and_is_never_captured(person: Person) -> None:
    bench = Bench(person, keep=(".venv", "cache/", "*.db", "deep/**/keep", "dir?/x"))
    slot = bench.prepare()
    kept = [".venv/a/b", "cache/x", "one.db", "deep/keep", "deep/a/b/keep/c", "dir1/x/y"]
    gone = ["a/.venv/x", "cache2/x", "sub/one.db", "deep/a/drop", "dir12/x", "dir1/z"]
    for path in (*kept, *gone):
        (slot.path / path).parent.mkdir(parents=True, exist_ok=True)
        (slot.path / path).write_text(path)
    assert set(bench.captured(slot)) == {*FILES, *gone}
    assert set(on_disk(bench.prepare().path)) == {*FILES, *kept}


def test_a_repository_in_what_is_kept_is_in_nobodys_way(person: Person) -> None:
    bench = Bench(person, keep=(".venv",))
    slot = bench.prepare()
    person.sh("git init -q .venv/src/pkg; touch .venv/src/pkg/x new", slot.path)
    assert set(bench.captured(slot)) == {*FILES, "new"}
    assert (bench.prepare().path / ".venv/src/pkg/x").exists()


# --- copy ----------------------------------------------------------------------------------------------------


def test_copies_are_there_are_todays_and_are_never_captured(person: Person) -> None:
    person.write(".env", "KEY=1\n")
    person.write("conf/local.toml", "a = 1\n")
    person.write("conf/deep/x", "x\n").chmod(0o755)
    person.write("data/one.csv", "1\n")
    person.write("data/skip.txt", "no\n")
    bench = Bench(person, copy=(".env", "conf", "data/*.csv", "no-such", "README.md"))
    slot = bench.prepare()
    copies = {
        **plain({".env": "KEY=1\n", "conf/local.toml": "a = 1\n", "data/one.csv": "1\n"}),
        "conf/deep/x": ("100755", b"x\n"),
    }
    assert on_disk(slot.path) == {**FILES, **copies}
    person.sh(
        "echo K=2 > .env; rm -r conf; echo conf > conf; ln -sf /nowhere data/one.csv; touch data/new",
        slot.path,
    )
    captured = set(bench.captured(slot))
    assert captured == {*FILES, "data/new"}
    assert on_disk(bench.prepare().path) == {**FILES, **copies}
    person.write(".env", "KEY=3\n")
    (person.root / "data/one.csv").unlink()
    now = on_disk(bench.prepare().path)
    assert now[".env"] == ("100644", b"KEY=3\n")
    assert "data/one.csv" not in now  # gone at the person's, gone here
    assert (person.root / ".env").read_text() == "KEY=3\n"


def test_tracked_files_stay_the_commits_also_beside_copies(person: Person) -> None:
    person.write("conf/app.toml", "tracked\n")
    commit = person.commit()
    person.write("conf/app.toml", "not committed\n")
    person.write("conf/local.toml", "local\n")
    bench = Bench(person, copy=("conf", "conf/app.toml"))
    slot = bench.prepare(commit)
    assert on_disk(slot.path)["conf/app.toml"] == ("100644", b"tracked\n")
    assert on_disk(slot.path)["conf/local.toml"] == ("100644", b"local\n")
    (slot.path / "conf/app.toml").write_text("by the agent\n")
    captured = bench.captured(slot)
    assert captured["conf/app.toml"] == ("100644", b"by the agent\n")
    assert "conf/local.toml" not in captured


def test_no_copy_is_written_through_a_link(person: Person, tmp_path: Path) -> None:
    """`npm link` and its like put links to a person's own folders where a copy would go."""
    outside = tmp_path / "outside"
    outside.mkdir()
    for name in ("a", "b", "hard"):
        (outside / name).write_text("precious\n")
    person.write("deps/pkg/a", "copy\n")
    person.write("deps/b", "copy\n")
    person.write("deps/hard", "copy\n")
    person.write("top.ign", "copy\n")
    bench = Bench(person, copy=("deps", "top.ign"))
    slot = bench.prepare()
    person.sh(
        f"rm -r deps/pkg; ln -s {outside} deps/pkg; ln -sf {outside}/b deps/b; ln -f {outside}/hard deps/hard;"
        f"ln -sf {outside}/a top.ign",
        slot.path,
    )
    slot = bench.prepare()
    assert on_disk(slot.path)["deps/pkg/a"] == ("100644", b"copy\n")
    assert on_disk(slot.path)["top.ign"] == ("100644", b"copy\n")
    assert [(outside / name).read_text() for name in ("a", "b", "hard")] == ["precious\n"] * 3
    # A link on the way, which a reset spares because the person asked to keep it.
    keeping = Bench(person, copy=("deps/pkg/a",), keep=("deps",))
    person.sh(
        f"rm -rf deps; ln -s {outside} deps; mkdir -p {outside}/pkg; echo precious > {outside}/pkg/a",
        slot.path,
    )
    keeping.prepare()
    assert (outside / "pkg" / "a").read_text() == "precious\n"


def test_links_pipes_and_odd_names_among_what_is_copied(person: Person, tmp_path: Path) -> None:
    (tmp_path / "shared.env").write_text("SHARED=1\n")
    (person.root / ".env").symlink_to("../shared.env")
    person.write("deps/real", "real\n")
    (person.root / "deps/link").symlink_to("real")
    (person.root / "deps/dangling").symlink_to("nowhere")
    os.mkfifo(person.root / "deps/pipe")
    for name in ODD:
        person.write(f"deps/{name}", name)
    person.write("a[1].ign", "odd\n")
    bench = Bench(person, copy=(".env", "deps", "a[[]1].ign"))
    for _ in range(2):
        slot = bench.prepare()
        found = on_disk(slot.path)
        assert found[".env"] == ("100644", b"SHARED=1\n")  # a relative link would lead nowhere from there
        assert found["deps/link"] == ("120000", b"real")
        assert found["deps/dangling"] == ("120000", b"nowhere")
        assert found["a[1].ign"] == ("100644", b"odd\n")
        assert {f"deps/{name}" for name in ODD} <= set(found)
        assert bench.capture(slot).commit is None


def test_setup_may_add_to_a_copied_folder(person: Person) -> None:
    person.write("deps/a", "a\n")
    bench = Bench(person, copy=("deps",), setup="echo b > deps/b; echo x >> deps/a")
    slot = bench.prepare()
    assert bench.set_up(slot)
    slot = bench.prepare()
    assert not bench.set_up(slot)
    assert {"deps/a", "deps/b"} <= set(on_disk(slot.path))


def test_copies_that_cannot_be_read_are_told(person: Person) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may read everything")
    person.write(".env", "KEY=1\n").chmod(0)
    with pytest.raises(OrchestraError, match="cannot prepare the worktree") as caught:
        Bench(person, copy=(".env",)).prepare()
    assert ".env" in "".join(caught.value.causes)


# --- submodules ----------------------------------------------------------------------------------------------


@pytest.fixture
def outer(tmp_path: Path) -> Person:
    """A repository with a submodule at `sub`, which slots populate by setup."""
    inner = Person(tmp_path, name="inner")
    inner.write("x", "1\n")
    inner.commit()
    person = Person(tmp_path, name="outer")
    person.git("config", "--global", "protocol.file.allow", "always")
    person.git("submodule", "--quiet", "add", "../inner", "sub")
    person.write("y", "1\n")
    person.write(".gitignore", "*.ign\n")
    person.commit()
    return person


POPULATE = "git submodule --quiet update --init; echo run >> runs.ign"


def test_submodules_are_populated_once_and_reset_when_they_were_changed(outer: Person) -> None:
    bench = Bench(outer, setup=POPULATE)
    slot = bench.prepare()
    assert bench.set_up(slot)
    assert (slot.path / "sub" / "x").read_text() == "1\n"
    assert bench.capture(slot).commit is None
    slot = bench.prepare()
    assert not bench.set_up(slot)
    for change in (
        "echo 2 > sub/x",
        "echo new > sub/new",
        "rm sub/.git",
        "cd sub; git commit -q --allow-empty -m x",
    ):
        outer.sh(change, slot.path)
        slot = bench.prepare()
        assert bench.set_up(slot), change
        assert on_disk(slot.path / "sub") == plain({"x": "1\n"})
        assert bench.status(slot) == ["!! runs.ign"]


def test_changes_inside_a_submodule_are_refused_and_not_passed_over(outer: Person) -> None:
    bench = Bench(outer, setup=POPULATE)
    for change in ("echo 2 > sub/x", "echo new > sub/new", "rm sub/.git", "rm sub/x"):
        slot = bench.prepare()
        bench.set_up(slot)
        outer.sh(change, slot.path)
        with pytest.raises(OrchestraError, match="sub"):
            bench.capture(slot)
    slot = bench.prepare()
    bench.set_up(slot)
    outer.sh("cd sub; echo 2 > x; git commit -qam own", slot.path)
    with pytest.raises(OrchestraError, match="only this worktree has: sub"):
        bench.capture(slot)


def test_files_in_a_submodule_that_is_not_populated_are_refused(outer: Person) -> None:
    bench = Bench(outer)
    slot = bench.prepare()
    assert bench.capture(slot).commit is None
    (slot.path / "sub" / "own").write_text("own\n")
    with pytest.raises(OrchestraError, match="inside a submodule: sub"):
        bench.capture(slot)
    slot = bench.prepare()
    assert list((slot.path / "sub").iterdir()) == []


def test_a_submodule_may_move_to_a_commit_that_its_remote_has(outer: Person, tmp_path: Path) -> None:
    inner = tmp_path / "inner"
    outer.sh("echo 2 > x; git commit -qam 2", inner)
    bench = Bench(outer, setup=POPULATE)
    slot = bench.prepare()
    bench.set_up(slot)
    outer.sh("cd sub; git fetch -q; git checkout -q origin/HEAD", slot.path)
    commit = outer.git("rev-parse", "HEAD", cwd=inner).encode()
    assert bench.captured(slot)["sub"] == ("160000", commit)


def test_a_new_submodule_is_captured_with_its_declaration(outer: Person) -> None:
    bench = Bench(outer)
    slot = bench.prepare()
    outer.sh(f"git submodule --quiet add {outer.home}/inner more", slot.path)
    captured = bench.captured(slot)
    assert captured["more"][0] == "160000"
    assert b"more" in captured[".gitmodules"][1]
