"""How results become commits, by the command line on real repositories: merges, branches, authors and signatures."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from .scratch import Scratch

pytestmark = pytest.mark.slow

HOW = (
    'integrate: {strategy: merge, branch: "feature/{task}", author: agent, message: "feat({task}): {title}"}'
)


def sh(scratch: Scratch, script: str) -> None:
    """Type something."""
    subprocess.run(["sh", "-ec", script], cwd=scratch.root, env=scratch.env, check=True, capture_output=True)


def story(scratch: Scratch, how: str = HOW) -> None:
    """Two tasks, of which the first commits itself."""
    scratch.write("orchestra.yaml", f"version: 1\n{how}\n")
    commits = "echo 1 > a.txt; git add a.txt; git -c user.name=Bot commit -qm 'Begin a'; echo 2 >> a.txt"
    scratch.prompt("a", commits, claims={"write": ["a.txt"]})
    scratch.prompt("b", "echo b > b.txt", claims={"write": ["b.txt"]})
    scratch.commit()


def test_a_merge_keeps_what_the_agent_committed_and_a_branch_what_it_made(scratch: Scratch) -> None:
    story(scratch)
    base = scratch.git("rev-parse", "HEAD")
    assert scratch.orchestra("build", "-j1").status == 0
    assert scratch.git("log", "--first-parent", "--format=%s", f"{base}..") == "feat(b): b\nfeat(a): a"
    assert scratch.git("log", "--format=%s %an %cn", f"{base}..feature/a") == (
        "feat(a): a Bot A Person\nBegin a Bot Bot"
    )
    assert scratch.git("log", "-1", "--format=%an <%ae>") == "script <script@agents.invalid>"
    assert scratch.git("branch", "--merged", "main", "--format=%(refname:short)").split() == [
        "feature/a",
        "feature/b",
        "main",
    ]
    before = scratch.git("for-each-ref")
    assert scratch.orchestra("build", "--json").finished["ran"] == 0
    assert scratch.git("for-each-ref") == before
    landed = scratch.git("log", "--first-parent", "--format=%H", "--grep=^Orchestra-Task: a$", "main")
    scratch.git("revert", "--no-edit", "-m", "1", landed)
    assert not (scratch.root / "a.txt").exists()
    built = scratch.orchestra("build", "--json")
    assert built.finished["tasks"] == {"a": "reverted", "b": "fresh"}


def test_a_branch_that_is_checked_out_stays_and_the_hint_can_be_typed(scratch: Scratch) -> None:
    story(scratch, 'integrate: {branch: "feature/{task}"}')
    assert scratch.orchestra("build").status == 0
    other = scratch.home / "with a space"
    scratch.git("worktree", "add", "-q", str(other), "feature/b")
    scratch.prompt("b", "echo more > b.txt", claims={"write": ["b.txt"]})
    scratch.commit()
    before = scratch.git("rev-parse", "feature/b")
    built = scratch.orchestra("build", "--json")
    assert built.status == 0 and scratch.git("rev-parse", "feature/b") == before
    (notice,) = built.named("notice")
    assert (
        notice["message"] == f"the result of `b` is not on the branch feature/b: it is checked out in {other}"
    )
    assert (other / "b.txt").read_text() == "b\n"
    sh(scratch, notice["hint"])
    assert (other / "b.txt").read_text() == "more\n"
    assert scratch.git("-C", str(other), "status", "--porcelain") == ""
    assert scratch.orchestra("build", "--json").finished["ran"] == 0
    assert scratch.git("for-each-ref", "refs/orchestra/branches/kept/") == ""


def test_what_is_uncommitted_comes_on_no_branch_of_a_result(scratch: Scratch) -> None:
    story(scratch)
    scratch.write("mine", "secret\n")
    before = scratch.lineage()
    built = scratch.orchestra("build", "--include-dirty", "--json")
    assert built.finished["landed"] == 2
    assert all(name.startswith("refs/heads/orchestra/build-") for name in scratch.lineage() - before)
    # What is only looked at makes none either.
    assert scratch.orchestra("build", "-n").status == 0
    assert scratch.git("for-each-ref", "refs/orchestra/branches/", "refs/heads/feature/") == ""


@pytest.fixture
def signing(scratch: Scratch) -> Scratch:
    """A person who signs with an SSH key."""
    if shutil.which("ssh-keygen") is None:
        pytest.skip("ssh-keygen is not installed")
    sh(
        scratch,
        "ssh-keygen -q -t ed25519 -N '' -f ../key; printf 'person@example.org ' | cat - ../key.pub > ../known",
    )
    key = scratch.home / "key"
    for name, value in (
        ("gpg.format", "ssh"),
        ("user.signingKey", str(key)),
        ("commit.gpgSign", "true"),
        ("gpg.ssh.allowedSignersFile", str(scratch.home / "known")),
    ):
        scratch.git("config", name, value)
    return scratch


def unsigned(scratch: Scratch, *names: str) -> list[str]:
    """The titles of the commits that have no good signature."""
    lines = scratch.git("log", "--format=%G? %s", *names).splitlines()
    return [line for line in lines if not line.startswith("G ")]


def test_every_commit_of_a_build_is_signed_with_the_person_s_key(signing: Scratch) -> None:
    first = signing.head()
    # A commit of the person's while a result is verified: what lands is merged with it.
    mark = signing.home / "mark"
    # By plumbing: orchestra may be looking at the index in that moment.
    made = "git commit-tree -S -p main -m mine 'main^{tree}'"
    meanwhile = f'cd {signing.root} && git update-ref refs/heads/main "$({made})"'
    script = f"echo >> {mark}; test $(wc -l < {mark}) -ne 2 || ({meanwhile})\n"
    (signing.home / "verify").write_text(script, "utf-8")
    story(signing, HOW.replace("{strategy", f"{{verify: 'sh {signing.home}/verify', strategy"))
    signing.prompt("idle", "true", claims={"write": ["idle.txt"]})
    signing.commit()
    for words in (("build", "-j1"), ("rollback", "b")):
        called = signing.orchestra(*words)
        assert called.status == 0, called
    titles = signing.git("log", "--format=%s").splitlines()
    assert {
        "Merge what orchestra landed",
        "Take back b",
        "Record 1 task that changed nothing",
        "feat(a): a",
    } <= set(titles)
    assert unsigned(signing, f"^{first}", "main", "feature/a", "feature/b") == []


@pytest.mark.parametrize(
    ("setting", "value", "cause"),
    [
        ("user.signingKey", "/nowhere/key", "/nowhere/key"),
        ("gpg.ssh.program", "false", "sign"),
        ("gpg.format", "openpgp", "gpg"),
    ],
)
def test_a_key_that_cannot_sign_costs_nothing(signing: Scratch, setting: str, value: str, cause: str) -> None:
    story(signing)
    signing.git("config", setting, value)
    signing.git("config", "gpg.program", "false")
    before = signing.git("for-each-ref")
    called = signing.orchestra("build")
    assert called.status == 3
    assert "error: git cannot sign commits" in called.stderr and cause in called.stderr
    assert "hint: unlock the key, or build without: git config commit.gpgSign false" in called.stderr
    assert signing.git("for-each-ref") == before
    # Where nothing is to be committed, nobody asks for the key.
    signing.git("config", "commit.gpgSign", "false")
    assert signing.orchestra("build").status == 0
    signing.git("config", "commit.gpgSign", "true")
    assert signing.orchestra("build").status == 0


def test_a_program_of_the_person_s_signs_in_every_format(scratch: Scratch) -> None:
    program = scratch.home / "sign"
    program.write_text(
        "#!/bin/sh\ncat > /dev/null; echo '[GNUPG:] SIG_CREATED ' >&2; echo \"SIGNED WITH $*\"\n", "utf-8"
    )
    Path(program).chmod(0o755)
    scratch.git("config", "user.signingKey", "MYKEY")
    for number, (kind, setting) in enumerate((("openpgp", "gpg.program"), ("x509", "gpg.x509.program"))):
        scratch.git("config", "commit.gpgSign", "false")
        story(scratch, f"integrate: {{message: '{number} {{title}}'}}")
        scratch.prompt("b", f"echo {number} > b.txt", claims={"write": ["b.txt"]})
        scratch.commit()
        scratch.git("config", "gpg.format", kind)
        scratch.git("config", setting, str(program))
        scratch.git("config", "commit.gpgSign", "true")
        assert scratch.orchestra("build").status == 0
        signed = scratch.git("log", "--format=%H", f"--grep=^{number} b")
        assert "SIGNED WITH" in scratch.git("cat-file", "commit", signed)
        assert "MYKEY" in scratch.git("cat-file", "commit", signed)
