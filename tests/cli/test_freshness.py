"""Freshness as a person meets it, from the command line on real git: reverts, renames, uncommitted changes."""

from __future__ import annotations

import pytest

from tests.cli.scratch import Scratch

pytestmark = pytest.mark.slow


def built(scratch: Scratch, *argv: str) -> dict[str, str]:
    """The final outcomes of a build that ends well."""
    called = scratch.orchestra("build", "--json", *argv)
    assert called.status == 0, called.stdout + called.stderr
    finals: dict[str, str] = called.finished["tasks"]
    return finals


def two(scratch: Scratch) -> None:
    """Two tasks of which the second needs the first, built."""
    scratch.write("README.md", "hello\n")
    scratch.prompt("first", "echo 1 > first.txt", claims={"write": ["first.txt"]})
    scratch.prompt("second", "cat first.txt > second.txt", claims={"write": ["second.txt"]}, needs=["first"])
    scratch.commit()
    assert built(scratch) == {"first": "landed", "second": "landed"}


def landed(scratch: Scratch, task: str) -> str:
    """The newest commit that landed a task."""
    return scratch.git("log", "-1", "--format=%H", f"--grep=Orchestra-Task: {task}")


def test_git_revert_is_understood(scratch: Scratch) -> None:
    two(scratch)
    commit = landed(scratch, "first")
    scratch.git("revert", "--no-edit", commit)
    assert built(scratch) == {"first": "reverted", "second": "fresh"}
    shown = scratch.orchestra("status", "--exit-code")
    assert shown.status == 0 and "reverted" in shown.stdout
    told = scratch.orchestra("explain", "first")
    assert "reverted" in told.stdout and commit[:7] in told.stdout
    assert "1 is reverted" in scratch.orchestra("build").stdout
    # Named, it is brought back from what was kept; and a revert of the revert would have done it too.
    dry = scratch.orchestra("build", "-n", "--json", "first")
    assert dry.finished["tasks"] == {"first": "replayed"} and dry.finished["ran"] == 0
    assert built(scratch, "first") == {"first": "replayed"}
    assert scratch.read("first.txt") == "1\n"
    assert built(scratch) == {"first": "fresh", "second": "fresh"}
    scratch.git("revert", "--no-edit", "HEAD")
    scratch.git("revert", "--no-edit", "HEAD")
    assert built(scratch) == {"first": "fresh", "second": "fresh"}


def test_a_reverted_merge_is_understood_too(scratch: Scratch) -> None:
    scratch.write("README.md", "hello\n")
    scratch.prompt("first", "echo 1 > first.txt", claims={"write": ["first.txt"]})
    scratch.commit()
    scratch.git("checkout", "-q", "-b", "feature")
    assert built(scratch) == {"first": "landed"}
    scratch.git("checkout", "-q", "main")
    scratch.git("merge", "-q", "--no-ff", "--no-edit", "feature")
    assert built(scratch) == {"first": "fresh"}
    scratch.git("revert", "--no-edit", "-m", "1", "HEAD")
    assert built(scratch) == {"first": "reverted"}


def test_a_rename_a_cherry_pick_a_rebase_and_a_squash_run_nothing(scratch: Scratch) -> None:
    two(scratch)
    start = scratch.git("rev-parse", "HEAD~2")
    scratch.git("mv", "prompts/first.md", "prompts/renamed.md")
    scratch.write("prompts/second.md", scratch.read("prompts/second.md").replace('"first"', '"renamed"'))
    scratch.commit("rename")
    finals = built(scratch)
    assert finals["renamed"] == "replayed" and finals["second"] in ("fresh", "replayed")
    # On another branch: the same commits with other parents and without their trailers.
    end = scratch.head()
    scratch.git("checkout", "-q", "-b", "other", start)
    scratch.write("else.txt", "1")
    scratch.commit("something else")
    scratch.git("cherry-pick", f"{start}..{end}")
    assert set(built(scratch).values()) == {"fresh"}
    scratch.git("checkout", "-q", "main")
    scratch.git("checkout", "-q", "-b", "squashed", start)
    scratch.git("merge", "-q", "--squash", "main")
    scratch.commit("all in one, without trailers")
    assert set(built(scratch).values()) == {"fresh"}
    scratch.git("rebase", "-q", "other", check=False)
    scratch.git("rebase", "--abort", check=False)
    scratch.git("checkout", "-q", "main")
    scratch.git("rebase", "-q", "--onto", "other~3", start, "main", check=False)
    scratch.git("rebase", "--abort", check=False)
    assert set(built(scratch).values()) == {"fresh"}


def test_uncommitted_changes_are_built_on_where_it_is_asked(scratch: Scratch) -> None:
    scratch.write("input.txt", "old\n")
    scratch.write(".gitignore", "*.ign\n")
    scratch.prompt("copy", "cp input.txt output.txt; ls > seen.txt", claims={"write": ["*.txt"], "read": []})
    head = scratch.commit()
    scratch.write("input.txt", "new\n")
    scratch.write("untracked.txt", "mine\n")
    scratch.write("ignored.ign", "mine\n")
    scratch.git("add", "untracked.txt")
    before = scratch.git("status", "--porcelain")
    assert built(scratch, "--include-dirty") == {"copy": "landed"}
    assert scratch.head() == head and scratch.git("status", "--porcelain") == before
    (branch,) = [name for name in scratch.lineage() if "orchestra/build-" in name]
    assert scratch.git("show", f"{branch}:output.txt") == "new"
    assert "untracked.txt" in scratch.git("show", f"{branch}:seen.txt")
    assert "ignored.ign" not in scratch.git("show", f"{branch}:seen.txt")
    # Only another such build takes it up.
    assert built(scratch, "--include-dirty") == {"copy": "fresh"}
    assert scratch.lineage() == {"refs/heads/main", branch}
    plain = scratch.orchestra("build", "--json")
    assert plain.finished["tasks"] == {"copy": "landed"}
    # And no other speaks of it as if it belonged to the branch.
    assert not [notice for notice in plain.named("notice") if "not taken up" in notice["message"]]
    assert scratch.git("show", "HEAD:output.txt") == "old"
    assert scratch.read("input.txt") == "new\n" and scratch.read("untracked.txt") == "mine\n"


def test_what_is_uncommitted_is_told_of_with_the_way_to_take_the_result(scratch: Scratch) -> None:
    scratch.write("input.txt", "old\n")
    scratch.prompt("copy", "cp input.txt output.txt", claims={"write": ["output.txt"], "read": ["input.txt"]})
    scratch.commit()
    scratch.write("input.txt", "new\n")
    called = scratch.orchestra("build", "--include-dirty")
    assert called.status == 0, called.stdout
    assert "uncommitted" in called.stdout and "not seen by tasks" not in called.stdout
    (hint,) = [line for line in called.stdout.splitlines() if "git restore" in line]
    words = hint[hint.index("git restore") :].split()
    scratch.git(*words[1:5])
    assert scratch.read("output.txt") == "new\n" and scratch.read("input.txt") == "new\n"


def test_adopt_runs_nothing_and_says_so(scratch: Scratch) -> None:
    scratch.write("README.md", "hello\n")
    scratch.prompt("first", "exit 1", claims={"write": ["first.txt"]})
    scratch.commit()
    scratch.write("first.txt", "by hand\n")
    scratch.commit("by hand")
    called = scratch.orchestra("build", "--adopt")
    assert called.status == 0 and "adopted" in called.stdout
    assert scratch.read("first.txt") == "by hand\n"
    assert built(scratch) == {"first": "fresh"}
    both = scratch.orchestra("build", "--adopt", "--force")
    assert both.status == 2 and "--adopt" in both.stderr


def test_a_bad_merge_of_two_entries_is_a_clear_error(scratch: Scratch) -> None:
    two(scratch)
    path = ".orchestra/lock/first.json"
    text = scratch.read(path)
    scratch.write(path, f"<<<<<<< HEAD\n{text}=======\n{text}>>>>>>> other\n")
    scratch.commit("a bad merge")
    for command in (("build",), ("status",), ("explain", "first")):
        called = scratch.orchestra(*command)
        assert called.status == 2 and f"{path}:1:1" in called.stderr and "conflict markers" in called.stderr
        assert "Traceback" not in called.stderr
    scratch.git("rm", "-q", "-f", path)
    scratch.git("commit", "-qm", "take none")
    assert built(scratch) == {"first": "replayed", "second": "fresh"}


def test_shared_files_are_merged_in_manifest_order(scratch: Scratch) -> None:
    scratch.write("CHANGES.md", "# Changes\n\ntop\n\n\n\n\n\n\n\nend\n")
    for name, line in (("above", "/top/i"), ("below", "/end/i")):
        claims = {"write": [f"{name}.txt"], "shared": ["CHANGES.md"]}
        scratch.prompt(name, f"sed -i '{line}{name}' CHANGES.md; echo {name} > {name}.txt", claims=claims)
    scratch.commit()
    assert built(scratch, "-j", "2") == {"above": "landed", "below": "landed"}
    text = scratch.read("CHANGES.md")
    assert "above\ntop" in text and "below\nend" in text
    order = scratch.git("log", "--format=%(trailers:key=Orchestra-Task,valueonly)", "--reverse").split()
    assert order == ["above", "below"]
    assert built(scratch) == {"above": "fresh", "below": "fresh"}
