"""Preflight: what would cost an agent's work later is refused before anything starts, and in words."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from orchestra.agents.registry import make_agent
from orchestra.agents.run import RunCommand
from orchestra.execution.preflight import Preflight
from orchestra.execution.workshop import Workshop
from orchestra.model.errors import ExitStatus, OrchestraError
from orchestra.model.tasks import AgentSpec, Claims, Prompt, Task
from tests.vcs.kit import Bench, Person

MAIN = "refs/heads/main"


class NoClock:
    """Preflight asks for no time."""

    def now(self) -> float:
        raise NotImplementedError

    def monotonic(self) -> float:
        raise NotImplementedError


@dataclass
class Check:
    """A preflight of a person's repository, with the notices that it gave."""

    person: Person
    branch: str | None = MAIN
    agents: dict[str, AgentSpec] = field(default_factory=dict)
    notices: list[str] = field(default_factory=list)
    disk: int = 0

    def __call__(self, *tasks: Task) -> list[str]:
        bench = Bench(self.person)
        shop = Workshop(
            bench.repository,
            bench.pool,
            "build-1",
            NoClock(),
            self.person.env,
            "",
            lambda task: None if task.run is not None else self.agents.get(task.agent or ""),
            lambda task, spec: make_agent(spec) if spec is not None else RunCommand(task.run or ""),
        )
        flight = Preflight(
            shop,
            self.branch,
            bench.folder,
            ("prompts/**/*.md",),
            lambda m, _: self.notices.append(m),
            disk=self.disk,
        )
        flight.check(tasks or (Task("task", 0, Claims(write=("src/**",)), run="true"),))
        return self.notices

    def refused(self, *tasks: Task) -> OrchestraError:
        with pytest.raises(OrchestraError) as caught:
            self(*tasks)
        assert caught.value.status == ExitStatus.ENVIRONMENT
        return caught.value


def test_where_all_is_well_nothing_is_said(person: Person) -> None:
    before = person.git("for-each-ref"), os.listdir(person.home)  # noqa: PTH208
    assert Check(person)() == []
    assert (person.git("for-each-ref"), os.listdir(person.home)) == before  # noqa: PTH208


def test_without_an_identity_no_commit_could_be_made(person: Person) -> None:
    person.git("config", "--global", "--remove-section", "user")
    person.git("config", "user.useConfigOnly", "true")
    error = Check(person).refused()
    assert "in whose name" in str(error) and error.causes and "user.email" in (error.hint or "")


def test_a_key_that_cannot_sign_is_found_before_anything_costs(person: Person) -> None:
    person.git("config", "commit.gpgSign", "true")
    person.git("config", "gpg.program", "false")
    error = Check(person).refused()
    assert "cannot sign" in str(error) and "gpg failed to sign" in error.causes[0]


CONFLICT = (
    "git switch -qc one; echo 1 > x; git add x; git commit -qm 1;"
    "git switch -q main; echo 2 > x; git add x; git commit -qm 2"
)


@pytest.mark.parametrize(
    ("what", "script"),
    [
        ("merge", "git merge -q one || :"),
        ("rebase", "git rebase -q one || :"),
        ("rebase", "git rebase -q --apply one || :"),
        ("cherry-pick", "git cherry-pick one || :"),
        ("revert", "git revert --no-edit HEAD~ || :"),
        ("am", "git format-patch -1 --stdout one | git am -q || :"),
    ],
)
@pytest.mark.parametrize("where", ["here", "in another worktree"])
def test_what_is_under_way_is_to_be_finished_first(
    person: Person, tmp_path: Path, what: str, script: str, where: str
) -> None:
    at = person.root
    person.sh(CONFLICT)
    if where != "here":
        at = tmp_path / "other"
        person.git("switch", "--quiet", "--create", "mine")
        person.git("worktree", "add", "--quiet", str(at), "main")
    if what == "revert":
        person.sh("echo 3 > x; git commit -qam 3; echo 4 > x; git commit -qam 4", at)
    person.sh(script, at)
    error = Check(person).refused()
    assert f" {what} is under way" in str(error)
    assert f"git {what} --abort" in (error.hint or "")
    if where == "here":
        # Also where no branch is to be moved: HEAD is no place to start from.
        assert f" {what} is under way" in str(Check(person, branch=None).refused())
    elif what != "rebase":
        assert Check(person, branch=None)() == []
    person.git(what, "--abort", cwd=at)
    assert Check(person)() == []


def test_a_checkout_that_is_gone_is_told(person: Person, tmp_path: Path) -> None:
    person.git("switch", "--quiet", "--create", "mine")
    person.git("worktree", "add", "--quiet", str(tmp_path / "other"), "main")
    shutil.rmtree(tmp_path / "other")
    error = Check(person).refused()
    assert "which is gone" in str(error) and "prune" in (error.hint or "")


def test_agents_that_are_missing_are_named_with_who_needs_them(person: Person) -> None:
    prompt = Prompt("prompts/x.md", "x", "X")
    agents = {"local": AgentSpec("local", "command", command=("no-such-program",))}
    tasks = [Task(f"t{n}", n, Claims(write=()), prompt=prompt, agent="local") for n in range(5)]
    error = Check(person, agents=agents).refused(*tasks)
    assert "no-such-program" in str(error) and "t0, t1, t2 and 2 more" in str(error)
    error = Check(person).refused(*tasks)
    assert "no coding agent is installed" in str(error) and error.hint


def test_uncommitted_changes_that_tasks_do_not_see_are_named_and_not_refused(person: Person) -> None:
    person.write("README.md", "changed\n")
    person.write("src/parser.py", "changed\n")
    person.write("src/new", "new\n")
    person.write("src/x.ign", "ignored\n")
    assert Check(person)() == ["not seen by tasks, because not committed: src/parser.py, src/new"]
    everything = Task("t", 0, Claims(), run="true")
    for number in range(10):
        person.write(f"src/many/{number}", "x\n")
    (notice,) = Check(person)(everything)
    assert notice.startswith("not seen by tasks") and notice.endswith(" and 8 more")


def test_too_little_room_is_told(person: Person) -> None:
    error = Check(person, disk=2**62).refused()
    assert "MiB are free at" in str(error)
    assert "`limits.disk` asks for 4,398,046,511,104 MiB" in (error.hint or "")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written_is_told(person: Person) -> None:
    (person.home / ".cache").mkdir(0o500)
    assert "cannot be written" in str(Check(person).refused())


def test_the_agent_of_a_review_is_looked_for_too(person: Person) -> None:
    agents = {
        "here": AgentSpec("here", "script"),
        "judge": AgentSpec("judge", "command", command=("no-such",)),
    }
    task = Task("task", 0, Claims(), prompt=Prompt("p.md", "x", "x"), agent="here", review="judge")
    with pytest.raises(OrchestraError, match=r"agent judge needs no-such, .* \(needed by task\)"):
        Check(person, agents=agents)(task)
