"""A person at work in their checkout in the middle of a build: a right result or a clear refusal, and nothing is lost.

What they do is done by the build itself, in their checkout: while the agent works, while its check runs, or while its
result is verified, just before it lands and the branch moves. So each act falls into the same moment every time, and
what the person had right after it can be told from what they have when the build has ended.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest
from _pytest.mark.structures import ParameterSet

from tests.cli.scratch import Called, Scratch

pytestmark = pytest.mark.slow

AGENT, CHECK, VERIFY = "agent", "check", "verify"

ACT = """\
set -eu
[ "$1" = {moment} ] || exit 0
mkdir "$HOME/once" 2>/dev/null || exit 0
cd "$ORCHESTRA_ROOT"
exec >"$HOME/said" 2>&1
{does}
cp -a "{where}" "$HOME/then"
"""
"""Done once, at the moment that was chosen; a copy shows what the person has then."""

PARKED = "$(git for-each-ref --format='%(refname:short)' refs/heads/orchestra)"
REMOVE_SLOTS = """\
for place in $(git worktree list --porcelain | sed -n 's/^worktree //p' | grep /slot-); do
  git worktree remove -f -f "$place"
done"""
REFUSING_HOOKS = """\
for hook in pre-commit pre-merge-commit post-merge reference-transaction; do
  printf '#!/bin/sh\\nexit 1\\n' > .git/hooks/$hook; chmod +x .git/hooks/$hook
done"""


@dataclass(frozen=True, slots=True)
class Then:
    """How the build ends (`status`, what is `said`), what the person types (`mend`), and how many attempts the next
    build starts (`ran`), which ends well.
    """

    status: int = 0
    said: tuple[str, ...] = ()
    mend: str = ""
    ran: int = 0


@dataclass(frozen=True, slots=True)
class Act:
    """What the person does, and what comes of it where it falls into an attempt (None: not tried), and where into
    the verification of its result. `where` is the place of the checkout after it.
    """

    does: str
    attempt: Then | None
    verify: Then | None
    where: str = "$ORCHESTRA_ROOT"


def either(does: str, status: int = 0, *said: str, mend: str = "", ran: int = 0) -> Act:
    """An act of which the same comes at any moment."""
    then = Then(status, said, mend, ran)
    return Act(does, then, then)


def held_up(what: str, does: str, mend: str) -> Act:
    """An act in the middle of which the person is when the branch is to move."""
    said = (
        f"not advanced  main: {what} ",
        " --continue) or drop it (git ",
        " --abort), then: orchestra build",
    )
    return either(does, 1, *said, mend=mend)


def in_the_way(does: str, path: str, mend: str) -> Act:
    """An act that puts something where a task lands."""
    return either(does, 1, f"not advanced  main: your files are in the way ({path}); ", mend=mend)


WELL = Then()
REWRITTEN = ("not advanced  main: the branch was rewritten meanwhile; ", "next:  orchestra build")
DELETED = ("not advanced  main: the branch was deleted meanwhile; ", "next:  git merge orchestra/build-")
MERGE = f"git merge -q {PARKED}"
NAMELESS = "git config --unset user.email; git config user.useConfigOnly true"
NAMED = "git config user.email person@example.org"
UNCAPTURED = ("cannot capture the result; ", "Author identity unknown", "next:  orchestra build ")
UNSIGNED = ("gpg failed to sign the data", "hint: mend that, then: orchestra build")
EDIT = "git stash -q; GIT_SEQUENCE_EDITOR='sed -i.bak 1s/^pick/edit/' git rebase -q -i"
MEND_RED = "git rm -q red; git commit -qm mended"

ACTS = {
    # --- the branch
    "commits": either("echo 1 > mine.txt; git add mine.txt; git commit -qm mine"),
    "commits where a task lands": Act(
        "echo mine > first.txt; git add first.txt; git commit -qm mine",
        Then(said=("once more: conflicts with what landed meanwhile in first.txt",)),
        Then(
            1,
            ("your new commits conflict with what landed in first.txt; ", "next:  git merge orchestra/build-"),
            f"git merge -q -X theirs {PARKED}",
        ),
    ),
    "commits what is red": Act(
        "echo 1 > red; git add red; git commit -qm red",
        Then(1, ("fails on your new commits, also without it", "next:  make it pass on the branch, "), MEND_RED, 1),
        Then(1, ("your new commits together with what landed fail verification; ",), MEND_RED),
    ),
    "amends": Act("git commit -q --amend -m amended", WELL, Then(1, REWRITTEN)),
    "rebases": Act("git rebase -q --autostash side", WELL, Then(1, REWRITTEN)),
    "drops a commit": Act("git reset -q --keep HEAD~1", WELL, Then(1, REWRITTEN)),
    "merges": either("git merge -q --no-edit side"),
    "deletes the branch": either("git checkout -q --detach; git branch -qD main", 1, *DELETED, mend=MERGE),
    "renames the branch": either("git branch -m main trunk", 1, *DELETED, mend=MERGE),
    # --- the checkout
    "switches": either("git checkout -q side", mend="git checkout -q main"),
    "creates a branch": either("git checkout -qb new"),
    "detaches": either("git checkout -q --detach", mend="git checkout -q main"),
    "starts an orphan": either(
        "git stash -q; git checkout -q --orphan new", mend="git checkout -qf main; git stash pop -q"
    ),
    "adds a worktree": either('git worktree add -q "$HOME/elsewhere" side'),
    "moves the branch to a worktree": either(
        'git checkout -q side; git worktree add -q "$HOME/elsewhere" main',
        mend='git worktree remove "$HOME/elsewhere"; git checkout -q main',
    ),
    "makes it sparse": either("git sparse-checkout set prompts"),
    # --- in the middle of something
    "merge open": held_up("a merge is under way in", "git merge -q --no-commit --no-ff side", "git commit -qm merged"),
    "cherry-pick open": held_up(
        "a cherry-pick is under way in",
        "git stash -q; git cherry-pick clash || true",
        "git cherry-pick --abort; git stash pop -q",
    ),
    "rebase open": held_up("the branch is being rebased", f"{EDIT} HEAD~1", "git rebase --abort; git stash pop -q"),
    "rebase open, then finished": held_up(
        "the branch is being rebased", f"{EDIT} side", "git rebase --continue; git stash pop -q"
    ),
    # --- stashes and files
    "stashes": either("echo mine > first.txt; git add first.txt; git stash -q"),
    "pops": in_the_way(
        "echo mine > first.txt; git add first.txt; git stash -q; git stash pop -q --index", "first.txt", "git stash -q"
    ),
    "adds an untracked file": in_the_way("echo mine > first.txt", "first.txt", "mv first.txt mine.txt"),
    "adds an ignored file": Act(
        "echo first.txt >> .git/info/exclude; echo mine > first.txt",
        None,
        Then(1, ("your files are in the way (first.txt); ",), "mv first.txt mine.txt"),
    ),
    "adds a folder": in_the_way("mkdir first.txt; echo mine > first.txt/x", "first.txt", "mv first.txt mine"),
    "edits a tracked file": in_the_way("echo mine >> notes.txt", "notes.txt", "git commit -qm mine notes.txt"),
    "stages a tracked file": in_the_way("echo mine >> notes.txt; git add notes.txt", "notes.txt", "git stash -q"),
    "deletes files": either("rm -rf prompts .gitignore README.md", mend="git checkout -q -- prompts"),
    # --- what was read when the build began
    "edits the manifest": either("echo 'defaults: {priority: 1}' >> orchestra.yaml"),
    "deletes the manifest": either("rm orchestra.yaml", mend="git checkout -q orchestra.yaml"),
    "breaks the manifest": either("echo '[' > orchestra.yaml", mend="git checkout -q orchestra.yaml"),
    "edits a prompt": either("echo 'Better.' >> prompts/second.md", ran=1),
    "commits a prompt": either("echo 'Better.' >> prompts/second.md; git commit -qm prompt prompts", ran=1),
    "deletes a prompt": either("rm prompts/second.md", mend="git checkout -q prompts"),
    # --- settings
    "changes the address": either("git config user.email other@example.org"),
    "loses the address": Act(NAMELESS, Then(1, UNCAPTURED, NAMED, 2), Then(1, UNCAPTURED, NAMED, 1)),
    "changes line endings": either("git config core.autocrlf true"),
    "asks for signatures": Act(
        "git config commit.gpgSign true; git config gpg.program false",
        Then(3, UNSIGNED, "git config commit.gpgSign false", 1),
        Then(3, UNSIGNED, "git config commit.gpgSign false"),
    ),
    "installs hooks that refuse": either(REFUSING_HOOKS, mend="rm .git/hooks/*"),
    # --- housekeeping
    "collects garbage": either("git gc -q --prune=now"),
    "packs refs": either("git pack-refs --all --prune"),
    "prunes worktrees": either("git worktree prune"),
    "deletes orchestra's refs": either(
        "git for-each-ref --format='delete %(refname)' refs/orchestra | git update-ref --stdin"
    ),
    "deletes orchestra's state": either("rm -rf .git/orchestra"),
    "deletes the worktrees": Act(
        'rm -rf "$HOME/.cache/orchestra"',
        Then(1, ("its changes were not kept: the worktree was deleted: ",), ran=2),
        WELL,
    ),
    "removes the worktrees": Act(
        REMOVE_SLOTS, Then(1, ("its changes were not kept: the worktree was taken off git's list: ",), ran=2), WELL
    ),
    "leaves a lock on the index": either(
        "touch -d @0 .git/index.lock",
        1,
        "the index is locked: ",
        "rm {root}/.git/index.lock, then: orchestra build",
        mend="rm .git/index.lock",
    ),
    "moves the repository": Act(
        'mv "$ORCHESTRA_ROOT" "$HOME/moved"; mkdir "$ORCHESTRA_ROOT"',
        Then(1, ("the repository was moved or deleted: ", "next:  orchestra build first"), ran=2),
        Then(3, ("fatal: not a git repository", "hint: mend that, then: orchestra build"), ran=1),
        where="$HOME/moved",
    ),
}  # fmt: skip

REWRITES = ("amends", "rebases", "drops a commit", "rebase open, then finished")
AT_THE_CHECK = ("commits", "switches", "stages a tracked file")


def cases() -> list[ParameterSet]:
    """Each act at each moment at which something of its own may come of it."""
    found: list[ParameterSet] = []
    for name, act in ACTS.items():
        moments = {
            AGENT: act.attempt,
            VERIFY: act.verify,
            **({CHECK: act.attempt} if name in AT_THE_CHECK else {}),
        }
        for moment, then in moments.items():
            if then is not None:
                found.append(pytest.param(name, moment, then, id=f"{name} ({moment})"))
    return found


def project(home: Path, moment: str, act: Act) -> Scratch:
    """Two tasks, the second of which needs the first, and a person with all kinds of work that is not committed."""
    scratch = Scratch(home)
    scratch.write("README.md", "A project\n")
    scratch.write(".gitignore", "*.env\n")
    scratch.commit("first")
    for branch in ("side", "clash"):
        scratch.git("checkout", "-qb", branch, "main")
        scratch.write("notes.txt" if branch == "clash" else "side.txt", "another\n")
        scratch.commit(branch)
    scratch.git("checkout", "-q", "main")
    script = home / "act.sh"
    script.write_text(ACT.format(moment=moment, does=act.does, where=act.where))
    scratch.write("notes.txt", "a\nb\nc\nd\n")
    scratch.write(
        "orchestra.yaml",
        "version: 1\nintegrate:\n"
        f"  verify: test ! -e red && {{ test ! -e first.txt || sh {script} {VERIFY}; }}\n"
        "tasks:\n  first:\n    prompt: prompts/first.md\n    agent: script\n"
        f"    check: sh {script} {CHECK}\n    claims: {{write: [first.txt, notes.txt]}}\n",
    )
    scratch.prompt(
        "first", f"sh {script} {AGENT}; echo x > first.txt; sed s/a/A/ notes.txt > n; mv n notes.txt"
    )
    scratch.prompt("second", "cp first.txt second.txt", needs=["first"], claims={"write": ["second.txt"]})
    scratch.commit("the project")
    scratch.write("late.txt", "an afterthought\n")
    scratch.commit("an afterthought")
    scratch.write("README.md", "put away\n")
    scratch.git("stash")
    scratch.write("README.md", "being edited\n")
    scratch.write("untracked.txt", "untracked\n")
    scratch.write("secret.env", "ignored\n")
    return scratch


@pytest.mark.parametrize(("name", "moment", "then"), cases())
def test_in_the_middle_of_a_build_a_person(tmp_path: Path, name: str, moment: str, then: Then) -> None:
    act = ACTS[name]
    scratch = project(tmp_path, moment, act)
    root, last = scratch.root, scratch.head()
    called = scratch.orchestra("build", "-j1")
    said = (tmp_path / "said").read_text() if (tmp_path / "said").exists() else "it never came to it"
    assert (tmp_path / "then").is_dir(), (said, called)
    assert called.status == then.status, called
    told = called.stdout + called.stderr
    assert "Traceback" not in told
    for words in then.said:
        assert words.format(root=root) in told, told
    if act.where != "$ORCHESTRA_ROOT":
        scratch.root = tmp_path / Path(act.where).name
    nothing_is_lost(scratch, tmp_path / "then")
    sh(scratch, then.mend)
    ends_well(scratch.orchestra("build", "-j1", "--json"), scratch, then.ran)
    if name in REWRITES:
        # What they dropped does not come back with what landed.
        assert last not in scratch.git("rev-list", "HEAD").split()


def nothing_is_lost(scratch: Scratch, before: Path) -> None:
    """All that the person had is there: files as they were, what is staged, branches, stashes, and every object."""
    now = scratch.root
    clean = set(listed(scratch, before, "ls-files", "-z")) - {
        path[3:]
        for path in listed(scratch, before, "status", "--porcelain", "-z", "--no-renames", "--ignored")
    }
    for path in (path.relative_to(before) for path in before.rglob("*")):
        if path.parts[0] == ".git" or (before / path).is_dir() or str(path) in clean:
            continue
        assert (now / path).read_bytes() == (before / path).read_bytes(), path
    staged = listed(scratch, before, "diff-index", "--cached", "--name-only", "-z", "HEAD")
    if staged:
        assert listed(scratch, now, "ls-files", "-sz", "--", *staged) == listed(
            scratch, before, "ls-files", "-sz", "--", *staged
        )
    for ref, commit in refs(scratch, before).items():
        if ref != "refs/heads/main":
            assert refs(scratch, now).get(ref) == commit, ref
    mine = git(scratch, before, "rev-parse", "refs/heads/main", check=False)
    if "refs/heads/main" in refs(scratch, before):
        git(scratch, now, "merge-base", "--is-ancestor", mine, "refs/heads/main")
    for argv in (("stash", "list", "--format=%H"), ("symbolic-ref", "-q", "HEAD")):
        assert git(scratch, now, *argv, check=False) == git(scratch, before, *argv, check=False)
    for name in ("MERGE_HEAD", "CHERRY_PICK_HEAD", "rebase-merge/git-rebase-todo", "info/exclude", "config"):
        if (before / ".git" / name).exists():
            assert (now / ".git" / name).read_bytes() == (before / ".git" / name).read_bytes(), name
    git(scratch, now, "prune", "--expire=now")
    ours = [f"--exclude={pattern}" for pattern in ("refs/orchestra/*", "refs/heads/orchestra/*")]
    had = git(scratch, before, "rev-list", "--objects", *ours, "--all", "--reflog", "--indexed-objects")
    ids = "".join(f"{line.split(' ')[0]}\n" for line in had.splitlines())
    (scratch.home / "ids").write_text(ids)
    missing = sh(scratch, "git cat-file --batch-check='%(objectname)' < ../ids | grep ' missing' || true")
    assert missing == ""


def ends_well(called: Called, scratch: Scratch, ran: int) -> None:
    """The build that follows has what was made before, and what the tasks are for is on the branch."""
    assert called.status == 0, called
    assert called.finished["ran"] == ran
    assert scratch.git("show", "HEAD:first.txt") == scratch.git("show", "HEAD:second.txt") == "x"
    assert scratch.git("show", "HEAD:notes.txt").splitlines()[:4] == ["A", "b", "c", "d"]
    assert scratch.git("stash", "list") != ""
    scratch.git("fsck", "--connectivity-only")
    again = scratch.orchestra("build", "-j1", "--json")
    assert (again.status, again.finished["ran"], again.finished["fresh"]) == (0, 0, 2)


def sh(scratch: Scratch, script: str) -> str:
    """What the person types; gives what it printed."""
    return scratch.git("-c", f"alias.sh=!set -e; {script or ':'}", "sh")


def git(scratch: Scratch, folder: Path, *argv: str, check: bool = True) -> str:
    return scratch.git("-C", str(folder), *argv, check=check)


def listed(scratch: Scratch, folder: Path, *argv: str) -> list[str]:
    """What git lists with NULs."""
    return [item for item in git(scratch, folder, *argv, check=False).split("\0") if item]


def refs(scratch: Scratch, folder: Path) -> dict[str, str]:
    """The person's refs."""
    out = git(scratch, folder, "for-each-ref", "--format=%(refname) %(objectname)")
    found = dict(line.split(" ") for line in out.splitlines())
    return {
        ref: commit
        for ref, commit in found.items()
        if not ref.startswith(("refs/orchestra/", "refs/heads/orchestra/"))
    }
