"""`orchestra watch` with real git and real files: what starts a build, what starts none, and what it survives."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys

import pytest

from tests.cli.scratch import Scratch
from tests.cli.watching import LIMIT, Watch, children, outlive, waits, writes
from tests.reporting.samples import validator

pytestmark = pytest.mark.slow


@pytest.fixture
def project(scratch: Scratch) -> Scratch:
    """A repository with two tasks."""
    writes(scratch, "a")
    writes(scratch, "b")
    scratch.commit()
    return scratch


def test_it_builds_at_once_and_then_what_changes(project: Scratch) -> None:
    with Watch(project) as watch:
        first = watch.built()
        assert (first["landed"], first["advanced"]) == (2, True)
        # A prompt is saved as editors do it, a new one comes, another goes.
        writes(project, "a", "2")
        assert watch.event("change_seen")["changed"] == ["a"]
        assert watch.built()["landed"] == 1
        assert project.read("a.txt") == "2\n"
        writes(project, "c")
        assert watch.event("change_seen")["added"] == ["c"]
        assert watch.built()["landed"] == 1
        (project.root / "prompts/b.md").unlink()
        seen = watch.event("change_seen")
        assert (seen["removed"], seen["effect"]) == (["b"], "build")
        assert set(watch.built()["tasks"]) == {"a", "c"}
        # The person commits all of that: nothing is stale, so nothing runs.
        commit = project.commit()
        assert watch.event("change_seen")["commit"] == commit
        assert watch.built()["ran"] == 0
        watch.signal(signal.SIGINT)
        assert watch.ends() == 130
    assert watch.count("build_started") == 5
    assert watch.told[0]["event"] == "watch_started"
    assert watch.told[-1] == {**watch.told[-1], "event": "watch_stopped", "builds": 5}
    for event in watch.told:
        validator("events").validate(event)


def test_an_editor_s_dance_is_one_change_and_what_says_the_same_is_none(project: Scratch) -> None:
    path = project.root / "prompts/a.md"
    with Watch(project) as watch:
        watch.built()
        text = path.read_text()
        # vim: can it write here? a backup, a new file under the old name, its mode, the backup gone.
        for _ in range(2):
            (project.root / "prompts/4913").write_text("")
            (project.root / "prompts/4913").unlink()
            path.rename(project.root / "prompts/a.md~")
            path.write_text("")
            path.write_text(text)
            path.chmod(0o644)
            (project.root / "prompts/a.md~").unlink()
            (project.root / "prompts/.a.md.swp").write_text("x")
        # Only now something that counts: were one of the above a change, there would be two.
        writes(project, "b", "2")
        assert watch.event("change_seen")["changed"] == ["b"]
        watch.built()
    assert watch.count("change_seen") == 1
    assert watch.count("build_started") == 2
    assert watch.count("watch_trouble") == 0


def test_a_rebase_and_a_checkout_of_many_files_are_one_change_when_they_are_over(project: Scratch) -> None:
    with Watch(project) as watch:
        watch.built()
        for number in range(1000):
            project.write(f"many/{number}.txt", "x\n")
        project.write("prompts/many.md", "---\nagent: script\n---\n# Many\n\n```sh\ntouch many.out\n```\n")
        project.git("checkout", "-q", "-b", "many")
        project.commit()
        project.git("checkout", "-q", "main")
        writes(project, "b", "0")
        watch.built()
        assert watch.count("build_started") == 2
        project.git("checkout", "-q", "--force", "many")
        seen = watch.event("change_seen", branch="many")
        assert "many" in seen["added"]
        assert watch.built()["advanced"]
        # A merge that stops at a conflict is waited for.
        project.write("a.txt", "theirs\n")
        project.commit()
        watch.built()
        project.git("checkout", "-q", "main")
        watch.event("change_seen", branch="main")
        watch.built()
        project.write("a.txt", "ours\n")
        project.commit()
        watch.built()
        project.git("merge", "-q", "many", check=False)
        writes(project, "b", "2")
        waiting = watch.event("watch_waiting", why="git")
        assert "merge" in waiting["message"]
        started = watch.count("build_started")
        project.write("a.txt", "both\n")
        project.git("add", "--all")
        project.git("commit", "-q", "-m", "merged")
        watch.built()
        assert watch.count("build_started") == started + 1
        assert project.read("b.txt") == "2\n"


def test_what_changes_while_it_runs_is_built_afterwards_and_says_so(scratch: Scratch) -> None:
    waits(scratch, "slow")
    scratch.commit()
    with Watch(scratch) as watch:
        watch.event("phase_started", phase="agent")
        writes(scratch, "slow", "2")
        seen = watch.event("change_seen")
        assert (seen["effect"], seen["again"]) == ("queued", ["slow"])
        (scratch.home / "go").touch()
        assert watch.event("build_finished")["landed"] == 1
        assert watch.built()["landed"] == 1
        assert scratch.read("slow.txt") == "2\n"
    assert watch.count("build_started") == 2
    # That the first build moved the branch is no change that anybody is told of.
    assert watch.count("change_seen") == 1


def test_restart_ends_the_build_and_begins_another(scratch: Scratch) -> None:
    waits(scratch, "slow")
    scratch.commit()
    with Watch(scratch, "--on-busy", "restart") as watch:
        watch.event("phase_started", phase="agent")
        writes(scratch, "slow", "2")
        assert watch.event("change_seen")["effect"] == "restart"
        assert watch.event("build_finished")["interrupted"]
        assert watch.built()["landed"] == 1
        assert scratch.read("slow.txt") == "2\n"


def test_a_commit_does_not_restart_a_build_which_follows_the_branch_by_itself(scratch: Scratch) -> None:
    waits(scratch, "slow")
    scratch.write("orchestra.yaml", "version: 1\n")
    scratch.commit()
    with Watch(scratch, "--on-busy", "restart") as watch:
        watch.event("phase_started", phase="agent")
        scratch.write("notes.txt", "new\n")
        scratch.commit()
        # What is told of this shows that it has looked.
        scratch.write("orchestra.yaml", "version: 0\n")
        watch.event("watch_trouble")
        scratch.write("orchestra.yaml", "version: 1\n")
        (scratch.home / "go").touch()
        finished = watch.event("build_finished")
        assert (finished["interrupted"], finished["landed"]) == (False, 1)


def test_ignore_leaves_it_to_the_next_change(scratch: Scratch) -> None:
    waits(scratch, "slow")
    writes(scratch, "other")
    scratch.commit()
    with Watch(scratch, "--on-busy", "ignore") as watch:
        watch.event("phase_started", phase="agent", task="slow")
        writes(scratch, "slow", "2")
        (scratch.home / "go").touch()
        watch.event("build_finished")
        watch.event("change_seen", effect="ignored")
        assert scratch.read("slow.txt") == "1\n"
        writes(scratch, "other", "2")
        assert watch.built()["landed"] == 2
        assert scratch.read("slow.txt") == "2\n"
    assert watch.count("build_started") == 2


def test_what_is_broken_is_told_with_its_place_and_the_last_good_one_goes_on(project: Scratch) -> None:
    with Watch(project) as watch:
        watch.built()
        project.write("orchestra.yaml", "version: 1\ntasks: {a: {promt: x}}\n")
        trouble = watch.event("watch_trouble")
        assert trouble["last_good"] is True
        first = trouble["errors"][0]
        assert (first["file"], first["line"]) == ("orchestra.yaml", 2)
        assert first["column"] > 1
        assert first["hint"]
        # A commit is built by what could last be read.
        project.git("rm", "-q", "a.txt")
        project.git("commit", "-q", "-m", "without it")
        assert watch.built()["tasks"]["a"] in ("landed", "replayed")
        project.write("orchestra.yaml", "version: 1\n")
        assert watch.built()["ran"] == 0
        # A prompt too: it is empty for longer than anybody waits.
        project.write("prompts/b.md", "")
        trouble = watch.event("watch_trouble")
        assert trouble["errors"][0]["file"] == "prompts/b.md"
        writes(project, "b", "2")
        assert watch.built()["landed"] == 1
    # Though it looked again in between, what is wrong is told once.
    assert watch.count("watch_trouble") == 2


def test_without_a_manifest_that_can_be_read_it_waits_for_one(scratch: Scratch) -> None:
    with Watch(scratch) as watch:
        assert "no `orchestra.yaml`" in watch.event("watch_trouble")["errors"][0]["message"]
        watch.event("watch_waiting", why="manifest")
        writes(scratch, "a")
        assert watch.built()["landed"] == 1
        watch.signal(signal.SIGTERM)
        assert watch.ends() == 130


def test_it_survives_the_folder_s_going_and_coming(project: Scratch) -> None:
    with Watch(project) as watch:
        watch.built()
        # First that of the prompts.
        aside = project.home / "aside"
        (project.root / "prompts").rename(aside)
        watch.event("watch_trouble")
        aside.rename(project.root / "prompts")
        watch.idle()
        writes(project, "a", "2")
        assert watch.built()["landed"] == 1
        # Then all of it: copied, so that nothing of it is the same.
        shutil.copytree(project.root, aside, symlinks=True)
        shutil.rmtree(project.root)
        watch.event("watch_waiting", why="folder")
        aside.rename(project.root)
        writes(project, "a", "3")
        watch.event("change_seen")
        assert watch.built()["landed"] == 1
        assert project.read("a.txt") == "3\n"


def test_what_a_task_landed_of_its_own_prompts_starts_nothing(scratch: Scratch) -> None:
    scratch.write(
        "orchestra.yaml", "version: 1\nallow_protected: ['prompts/**']\ndefaults: {agent: script}\n"
    )
    scratch.write(
        "prompts/self.md",
        "---\nclaims: {write: ['prompts/**', out.txt]}\n---\n# Self\n\n```sh\n"
        "echo >> prompts/self.md 'More.'; date +%N > out.txt\n```\n",
    )
    writes(scratch, "other")
    scratch.commit()
    with Watch(scratch) as watch:
        assert watch.built()["landed"] == 2
        assert "More." in scratch.read("prompts/self.md")
        writes(scratch, "other", "2")
        assert watch.event("change_seen")["changed"] == ["other"]
        watch.built()
    assert watch.count("change_seen") == 1


def test_an_edit_that_is_taken_back_while_it_is_built_is_built_again(scratch: Scratch) -> None:
    writes(scratch, "b")
    waits(scratch, "slow")
    scratch.commit()
    writes(scratch, "b", "2")
    with Watch(scratch) as watch:
        watch.event("task_landed", task="b")
        # It stands as in the commit that landed, and yet it is nothing that a task wrote.
        scratch.git("checkout", "-q", "--", "prompts/b.md")
        seen = watch.event("change_seen")
        assert (seen["effect"], seen["changed"], seen["again"]) == ("queued", ["b"], ["b"])
        (scratch.home / "go").touch()
        watch.event("build_finished")
        watch.built()
        assert scratch.read("b.txt") == "1\n"


def test_polling_sees_the_same(project: Scratch) -> None:
    with Watch(project, "--poll", "--debounce", "100ms") as watch:
        watch.built()
        assert watch.told[0]["polling"] is True
        writes(project, "a", "2")
        assert watch.built()["landed"] == 1
        project.prompt("deep/er/c", "touch c.txt", claims={"write": ["c.txt"]})
        assert watch.built()["landed"] == 1


WITHOUT_NOTICES = (
    "unshare", "--user", "--map-root-user", "sh", "-c",
    'echo 0 > /proc/sys/user/max_inotify_instances && exec "$@"', "sh",
)  # fmt: skip


def test_where_the_system_gives_no_more_notices_it_says_so_and_polls(project: Scratch) -> None:
    tried = subprocess.run([*WITHOUT_NOTICES, "true"], capture_output=True, check=False)
    if tried.returncode != 0:
        pytest.skip("needs a user namespace of its own")
    with Watch(project, within=WITHOUT_NOTICES) as watch:
        trouble = watch.event("watch_trouble")["errors"][0]
        assert "polling instead" in trouble["message"]
        assert "fs.inotify.max_user_watches" in trouble["hint"]
        watch.built()
        writes(project, "a", "2")
        assert watch.built()["landed"] == 1


def test_uncommitted_changes_count_where_they_are_included(scratch: Scratch) -> None:
    scratch.write("src/in.txt", "1\n")
    scratch.prompt("copy", "cat src/in.txt > out.txt", claims={"read": ["src/**"], "write": ["out.txt"]})
    scratch.commit()
    with Watch(scratch, "--include-dirty") as watch:
        watch.built()
        scratch.write("src/in.txt", "2\n")
        assert watch.built()["landed"] == 1
        scratch.write("src/new/file.txt", "2\n")
        assert watch.built()["ran"] == 1
        # What no task claims is nobody's concern.
        scratch.write("src/../notes.txt", "2\n")
        scratch.write("src/in.txt", "3\n")
        watch.built()
    assert watch.count("build_started") == 4
    assert not (scratch.root / "out.txt").exists()


def test_targets_and_their_needs_alone_are_built(project: Scratch) -> None:
    with Watch(project, "b") as watch:
        assert set(watch.built()["tasks"]) == {"b"}
        writes(project, "b", "2")
        assert watch.built()["landed"] == 1


def test_what_failed_is_not_tried_again_before_something_changed_for_it(scratch: Scratch) -> None:
    writes(scratch, "a")
    scratch.prompt("bad", "test -e mended && touch bad.txt", claims={"write": ["bad.txt"]})
    scratch.prompt("after", "touch after.txt", claims={"write": ["after.txt"]}, needs=["bad"])
    scratch.commit()
    with Watch(scratch) as watch:
        first = watch.built()
        assert (first["failed"], first["landed"], first["skipped"]) == (1, 1, 1)
        writes(scratch, "a", "2")
        assert "after, bad" in watch.event("notice")["message"]
        second = watch.built()
        assert (second["ran"], second["landed"]) == (1, 1)
        # Changed itself, it is tried.
        scratch.prompt("bad", "test -e mended && touch bad.txt #", claims={"write": ["bad.txt"]})
        assert watch.built()["failed"] == 1
        # A commit may mend what no key tells of.
        scratch.write("mended", "")
        scratch.commit()
        assert watch.built()["landed"] == 2


def test_a_target_that_is_none_is_a_slip_of_the_command_line(project: Scratch) -> None:
    done = project.orchestra("watch", "nosuch")
    assert done.status == 2
    assert "there is no task `nosuch`" in done.stderr
    assert project.orchestra("watch", "--debounce", "3").status == 2


def test_another_build_at_work_is_waited_for(scratch: Scratch) -> None:
    waits(scratch, "slow")
    scratch.commit()
    build = scratch.popen("build")
    with Watch(scratch) as watch:
        waiting = watch.event("watch_waiting", why="build")
        assert "another build is at work" in waiting["message"]
        (scratch.home / "go").touch()
        assert watch.built()["ran"] == 0
    build.communicate(timeout=60)
    assert build.returncode == 0


def test_stop_ends_the_build_and_the_watch_goes_on(scratch: Scratch) -> None:
    waits(scratch, "slow")
    scratch.commit()
    with Watch(scratch) as watch:
        watch.event("phase_started", phase="agent")
        assert scratch.orchestra("stop").status == 0
        assert watch.event("build_finished")["interrupted"]
        watch.idle()
        writes(scratch, "slow", "2")
        assert watch.built()["landed"] == 1


def test_killed_it_takes_its_build_with_it(scratch: Scratch) -> None:
    waits(scratch, "slow")
    scratch.commit()
    with Watch(scratch) as watch:
        watch.event("phase_started", phase="agent")
        started = children(watch.process.pid)
        watch.signal(signal.SIGKILL)
        watch.ends()
        assert started and not outlive(started)
        # Who comes next is not kept waiting by what is left of it.
        (scratch.home / "go").touch()
        done = scratch.orchestra("build", "--wait", "--json")
        assert done.finished["ok"]


def test_a_build_that_is_killed_is_told_and_the_watch_goes_on(scratch: Scratch) -> None:
    waits(scratch, "slow")
    scratch.commit()
    with Watch(scratch) as watch:
        watch.event("phase_started", phase="agent")
        holder = json.loads((scratch.root / ".git/orchestra/building.json").read_text())
        os.kill(holder["pid"], signal.SIGKILL)
        (trouble,) = watch.event("watch_trouble")["errors"]
        assert "was killed by signal 9" in trouble["message"] and trouble["hint"]
        watch.idle()
        (scratch.home / "go").touch()
        writes(scratch, "other")
        assert watch.built()["landed"] == 2


def test_where_nobody_reads_any_more_it_ends_with_its_build(scratch: Scratch) -> None:
    waits(scratch, "slow")
    scratch.commit()
    command = [sys.executable, "-m", "orchestra", "watch", "--json"]
    with subprocess.Popen(
        command, cwd=scratch.root, env=scratch.env, stdout=subprocess.PIPE, text=True
    ) as watch:
        assert watch.stdout is not None
        while json.loads(watch.stdout.readline())["event"] != "phase_started":
            pass
        started = children(watch.pid)
        watch.stdout.close()
        try:
            watch.wait(LIMIT)
        finally:
            watch.kill()
    assert started and not outlive(started)


def test_a_worktree_and_a_name_with_spaces_are_watched_too(project: Scratch) -> None:
    project.git("worktree", "add", "-q", "-b", "side/branch", str(project.home / "an other"))
    other = Scratch.__new__(Scratch)
    other.home, other.name, other.env, other.root = (
        project.home,
        "an other",
        project.env,
        project.home / "an other",
    )
    with Watch(other) as watch:
        watch.built()
        other.prompt("a b", "touch 'a b.txt'", claims={"write": ["a b.txt"]})
        assert watch.event("change_seen")["added"] == ["a-b"]
        assert watch.built()["landed"] == 1
        (other.root / "b.txt").unlink()
        other.commit()
        assert watch.event("change_seen")["commit"] == other.head()
        assert watch.built()["landed"] + watch.told[-2].get("replayed", 0) >= 1
