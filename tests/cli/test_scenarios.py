"""Builds as people have them, by name: real git, real processes, the `script` agent."""

from __future__ import annotations

from tests.cli.scratch import Called, Scratch


def final(called: Called) -> dict[str, str]:
    tasks = called.finished["tasks"]
    assert isinstance(tasks, dict)
    return tasks


def most_at_once(called: Called) -> int:
    """How many attempts were under way at the same time, at most."""
    now = most = 0
    for event in called.events:
        if event["event"] == "attempt_started":
            now += 1
            most = max(most, now)
        elif event["event"] == "attempt_finished":
            now -= 1
    return most


# Each waits until the others are there too: it succeeds only if all run at the same time.
MEET = """\
touch "$ORCHESTRA_ROOT/../here-$ORCHESTRA_TASK"
n=0
while [ $(ls "$ORCHESTRA_ROOT"/.. | grep -c '^here-') -lt 3 ]; do
  n=$((n + 1)); [ $n -lt 200 ] || exit 9; sleep 0.05
done
"""


def test_3_tasks_in_parallel(scratch: Scratch) -> None:
    for name in ("one", "two", "three"):
        scratch.prompt(name, f"{MEET}\necho {name} > {name}.txt", claims={"write": [f"{name}.txt"]})
    scratch.commit("prompts")
    called = scratch.orchestra("build", "-j", "3", "--json")
    assert called.status == 0, called.stdout + called.stderr
    assert final(called) == {"one": "landed", "two": "landed", "three": "landed"}
    assert most_at_once(called) == 3
    assert [scratch.read(f"{name}.txt") for name in ("one", "two", "three")] == ["one\n", "two\n", "three\n"]
    assert scratch.git("status", "--porcelain") == ""
    assert scratch.git("rev-list", "--count", "HEAD") == "5"


def test_5_tasks_parallel_and_sequential_mixed(scratch: Scratch) -> None:
    scratch.prompt("a", "echo a > a.txt", claims={"write": ["a.txt"]})
    scratch.prompt("b", "echo b > b.txt", claims={"write": ["b.txt"]})
    scratch.prompt("c", "cat a.txt b.txt > c.txt", needs=["a", "b"], claims={"write": ["c.txt"]})
    scratch.prompt("d", "cat c.txt > d.txt; echo d >> d.txt", needs=["c"], claims={"write": ["d.txt"]})
    scratch.prompt("e", "echo e >> a.txt", claims={"write": ["a.txt"]})
    scratch.commit("prompts")
    called = scratch.orchestra("build", "-j", "5", "--json")
    assert called.status == 0, called.stdout + called.stderr
    assert set(final(called).values()) == {"landed"}
    assert scratch.read("d.txt").endswith("b\nd\n")
    assert scratch.read("a.txt") == "a\ne\n"
    starts = [event["task"] for event in called.named("attempt_started")]
    ends = [event["task"] for event in called.named("task_landed")]
    assert starts.index("c") > max(starts.index("a"), starts.index("b"))
    assert ends.index("a") < ends.index("e")
    again = scratch.orchestra("build", "--json")
    assert (again.status, again.finished["ran"], again.finished["fresh"]) == (0, 0, 5)


def test_failure_in_the_middle_recovery_and_dependents(scratch: Scratch) -> None:
    scratch.prompt("base", "echo base > base.txt", claims={"write": ["base.txt"]})
    scratch.prompt(
        "middle", "echo partly > middle.txt; exit 3", needs=["base"], claims={"write": ["middle.txt"]}
    )
    scratch.prompt("leaf", "cat middle.txt > leaf.txt", needs=["middle"], claims={"write": ["leaf.txt"]})
    scratch.prompt("apart", "echo apart > apart.txt", claims={"write": ["apart.txt"]})
    scratch.commit("prompts")
    called = scratch.orchestra("build", "--json")
    assert called.status == 1
    assert final(called) == {"base": "landed", "middle": "failed", "leaf": "skipped", "apart": "landed"}
    (skipped,) = called.named("task_skipped")
    assert skipped["because"] == "middle"
    assert not (scratch.root / "middle.txt").exists()
    # What it had done is kept under a ref.
    kept = scratch.git("for-each-ref", "--format=%(refname)", "refs/orchestra/failed")
    assert kept and scratch.git("show", f"{kept}:middle.txt") == "partly"

    scratch.prompt("middle", "echo whole > middle.txt", needs=["base"], claims={"write": ["middle.txt"]})
    recovered = scratch.orchestra("build", "--json")
    assert recovered.status == 0
    assert final(recovered) == {"base": "fresh", "middle": "landed", "leaf": "landed", "apart": "fresh"}
    assert scratch.read("leaf.txt") == "whole\n"


def test_dirty_untracked_and_ignored_files_are_untouched(scratch: Scratch) -> None:
    scratch.write(".gitignore", "*.secret\n")
    scratch.write("notes.md", "as committed\n")
    scratch.prompt("fresh-file", "echo new > new.txt")
    # Each of these would overwrite what the person has in the way.
    scratch.prompt("over-dirty", "echo theirs > notes.md", needs=["fresh-file"])
    scratch.commit("prompts")
    scratch.write("README.md", "being edited\n")
    scratch.write("notes.md", "being edited too\n")
    scratch.write("untracked.txt", "mine\n")
    scratch.write("key.secret", "mine, ignored\n")
    scratch.git("add", "README.md")
    before = {p: scratch.read(p) for p in ("README.md", "notes.md", "untracked.txt", "key.secret")}
    called = scratch.orchestra("build", "--json")
    after = {p: scratch.read(p) for p in before}
    assert after == before
    assert scratch.git("diff", "--cached", "--name-only") == "README.md"
    assert scratch.read("new.txt") == "new\n"
    # What could not come to the branch waits on a branch of its own, and the next line to type is said.
    assert called.status == 1
    (behind,) = called.named("branch_behind")
    assert behind["paths"] == ["notes.md"]
    assert scratch.git("show", f"{behind['parked']}:notes.md") == "theirs"
    # Once the file is out of the way the next build needs no attempt to get there.
    scratch.git("checkout", "--", "notes.md")
    again = scratch.orchestra("build", "--json")
    assert (again.status, again.finished["ran"], again.finished["advanced"]) == (0, 0, True)
    assert scratch.read("notes.md") == "theirs\n"
    assert scratch.read("README.md") == "being edited\n"
    assert scratch.lineage() == {"refs/heads/main"}


def test_untracked_and_ignored_files_in_the_way_are_named(scratch: Scratch) -> None:
    scratch.prompt("untracked", "echo theirs > file.txt")
    scratch.prompt("ignored", "echo theirs > out.txt", needs=["untracked"])
    scratch.commit("prompts")
    scratch.write("file.txt", "mine\n")
    called = scratch.orchestra("build", "untracked", "--json")
    assert called.status == 1
    assert called.named("branch_behind")[0]["paths"] == ["file.txt"]
    assert scratch.read("file.txt") == "mine\n"
    (scratch.root / "file.txt").unlink()
    # Git would overwrite an ignored file without a word; only the person's checkout knows that it is one.
    scratch.write(".gitignore", "out.txt\n")
    scratch.write("out.txt", "mine\n")
    called = scratch.orchestra("build", "--json")
    assert called.status == 1
    assert called.named("branch_behind")[0]["paths"] == ["out.txt"]
    assert scratch.read("out.txt") == "mine\n"
    (scratch.root / "out.txt").unlink()
    assert scratch.orchestra("build").status == 0
    assert (scratch.read("file.txt"), scratch.read("out.txt")) == ("theirs\n", "theirs\n")


def test_a_second_build_does_nothing_at_all(scratch: Scratch) -> None:
    scratch.prompt("change", "echo x > x.txt")
    scratch.prompt("nothing", "true")
    scratch.commit("prompts")
    first = scratch.orchestra("build", "--json")
    assert final(first) == {"change": "landed", "nothing": "no-change"}
    before = scratch.everything()
    second = scratch.orchestra("build")
    assert (second.status, second.stdout.splitlines()[1:]) == (0, ["Nothing to do: 2 tasks are fresh."])
    assert scratch.everything() == before


def test_the_first_build_after_an_edit_runs_that_task_only(scratch: Scratch) -> None:
    scratch.prompt("one", "echo 1 > one.txt", claims={"write": ["one.txt"]})
    scratch.prompt("two", "echo 2 > two.txt", claims={"write": ["two.txt"], "read": ["data.txt"]})
    scratch.write("data.txt", "a\n")
    scratch.commit("prompts")
    assert scratch.orchestra("build").status == 0
    scratch.prompt("one", "echo 11 > one.txt", claims={"write": ["one.txt"]})
    called = scratch.orchestra("build", "--json")
    assert [event["task"] for event in called.named("attempt_started")] == ["one"]
    assert called.named("attempt_started")[0]["reasons"][0]["kind"] == "prompt-changed"
    scratch.write("data.txt", "b\n")
    scratch.commit("data")
    called = scratch.orchestra("build", "--json")
    assert [event["task"] for event in called.named("attempt_started")] == ["two"]
    reason = called.named("attempt_started")[0]["reasons"][0]
    assert (reason["kind"], reason["subject"]) == ("input-changed", "data.txt")
