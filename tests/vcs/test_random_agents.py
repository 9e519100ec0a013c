"""Whatever an agent does, in whatever order: its files are captured or rescued, and the reset leaves nothing of it."""

from __future__ import annotations

import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestra.model.errors import OrchestraError
from tests.vcs.kit import Bench, Files, Person, on_disk

PATHS = ("a", "d/a", "d/e/b", "d", "d/e", "run", "x.ign", "d/y.ign", "ign/z", "ign", "kept.ign", "-x", "l [1]*",
         "keep/k", "keep", "made/m", "made/n", "made", "new", "n/e/w")  # fmt: skip
KEPT, MADE = "keep", "made/m"
"""What `worktrees.keep` names, and what `setup` makes."""

paths = st.sampled_from(PATHS)
commits = st.sampled_from(("HEAD", "HEAD~", "one", "two", "side"))


def quoted(template: str, *parts: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """A line of shell with words in it that are meant to the letter."""
    return st.tuples(*parts).map(lambda words: template.format(*(shlex.quote(f"./{w}") for w in words)))


files = st.one_of(
    quoted("mkdir -p $(dirname {0}); echo $RANDOM$$ > {0}", paths),
    quoted("echo more >> {0}", paths),
    quoted("rm -rf {0}", paths),
    quoted("mv {0} {1}", paths, paths),
    quoted("cp -r {0} {1}", paths, paths),
    quoted("rm -rf {0}; mkdir -p {0}", paths),
    quoted("rm -rf {0}; ln -s {1} {0}", paths, paths),
    quoted("chmod +x {0}", paths),
    quoted("chmod -x {0}", paths),
    quoted("touch -r .git {0}", paths),
    quoted("ln -f {0} {1}", paths, paths),
    st.just("rm -rf ./*"),
)
tricks = st.one_of(
    quoted("git add -f {0}", paths),
    quoted("git rm -rqf --cached {0}", paths),
    quoted("git update-index --skip-worktree {0}; echo sneaky > {0}", paths),
    quoted("git update-index --assume-unchanged {0}; echo sneaky > {0}", paths),
    quoted("git checkout -q one -- {0}", paths),
    quoted("git sparse-checkout set --no-cone {0}", paths),
    st.builds("git reset -q --{} {}".format, st.sampled_from(("hard", "mixed", "soft", "keep")), commits),
    st.builds("git checkout -q -f {}".format, commits),
    st.builds("git merge -q {}".format, commits),
    st.builds("git rebase -q {}".format, commits),
    st.builds("git cherry-pick {}".format, commits),
    st.builds("git revert --no-edit {}".format, commits),
    st.sampled_from(
        (
            "git add -A", "git commit -qam own", "git commit -q --amend --no-edit --allow-empty", "git stash -qu",
            "git stash pop -q", "git checkout -q -B mine", "git checkout -q --orphan void", "git clean -fdxq",
            "git bisect start HEAD HEAD~", "git rm -rqf .", "git read-tree --empty", "rm -f .git",
            "git update-ref -d HEAD", 'echo nonsense > "$(git rev-parse --git-path index)"',
            'touch "$(git rev-parse --git-path index.lock)"', "git config --worktree core.ignoreStat true",
        )
    ),
)  # fmt: skip
nested = st.sampled_from(("git init -q n/inner", "cd d && git init -q", "git init -q ign/inner"))
behaviour = st.lists(st.one_of(files, files, tricks, tricks, nested), min_size=1, max_size=12)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    person = Person(tmp_path_factory.mktemp("random"))
    person.write(".gitignore", "*.ign\nign/\n")
    person.write("a", "1\n")
    person.write("d/a", "1\n")
    person.write("kept.ign", "tracked\n")
    person.git("add", "--force", "kept.ign")
    person.commit()
    person.git("branch", "one")
    person.write("a", "2\n")
    person.write("d/e/b", "2\n")
    person.write("run", "#!/bin/sh\n").chmod(0o755)
    person.commit()
    person.git("branch", "two")
    person.sh(
        "git switch -qc side one; echo side > a; rm -r d; echo side > d; git add -A; git commit -qm side"
    )
    person.git("switch", "--quiet", "main")
    for name in ("one", "two", "side"):
        person.git("tag", name, f"refs/heads/{name}")
    bench = Bench(person, keep=(KEPT,), setup=f"mkdir -p made; echo 1 > {MADE}")
    bench.set_up(bench.prepare())
    yield bench


def is_spared(path: str) -> bool:
    return any(path == name or path.startswith(name + "/") for name in (KEPT, MADE))


def is_ignored(path: str) -> bool:
    *folders, name = path.split("/")
    return "ign" in folders or any(part.endswith(".ign") for part in (*folders, name))


def worth_capturing(slot: Path, base: Files) -> Files:
    """The worktree's files that git does not ignore, found without git."""
    lies = on_disk(slot)
    ignores = ".gitignore" in lies
    return {
        path: file
        for path, file in lies.items()
        if not is_spared(path) and (path in base or not ignores or not is_ignored(path))
    }


def has_inner_repository(slot: Path) -> bool:
    return any(path.parent != slot for path in slot.rglob(".git"))


@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    lines=behaviour,
    start=st.sampled_from(("one", "two")),
    killed=st.booleans(),
    then=st.sampled_from(("one", "two")),
)
def test_work_is_kept_and_the_slot_is_as_new(
    place: Bench, lines: list[str], start: str, killed: bool, then: str
) -> None:
    person, bench = place.person, place
    for name in ("one", "two", "side"):
        # The agent before may have moved or deleted it.
        person.git("update-ref", f"refs/heads/{name}", f"refs/tags/{name}")
    slot = bench.prepare(person.head(f"refs/tags/{start}"))
    bench.set_up(slot)
    base = person.committed(f"refs/tags/{start}")
    script = "\n".join(f"( {line} )" for line in lines)
    subprocess.run(["sh", "-c", script], cwd=slot.path, env=person.env, capture_output=True, check=False)
    expected = worth_capturing(slot.path, base)
    inner = has_inner_repository(slot.path)

    ref = "refs/orchestra/rescued/b-1"
    person.git("update-ref", "-d", ref)
    bench.rescued.clear()
    if killed:
        bench.pool.mark_in_use(slot, "b-1")
    else:
        try:
            assert bench.captured(slot) == expected
        except OrchestraError as error:
            assert inner, (error, error.causes)
    again = bench.prepare(person.head(f"refs/tags/{then}"))
    if killed:
        (kept,) = bench.rescued
        if kept == ref:
            assert person.committed(ref) == expected
        elif kept is None:
            assert expected == base
        else:
            assert inner
            assert {p: f for p, f in on_disk(Path(kept)).items() if p in expected} == expected
            shutil.rmtree(kept)

    lies = on_disk(again.path)
    assert {path: file for path, file in lies.items() if not is_spared(path)} == person.committed(
        f"refs/tags/{then}"
    )
    # Of the folder that setup made an agent may have left nothing but ignored files.
    beside = [line for line in bench.status(again) if not is_spared(line[3:].rstrip("/"))]
    assert beside in ([], ["?? made/"], ["!! made/"])
    assert person.git("rev-parse", "HEAD", cwd=again.path) == person.head(f"refs/tags/{then}")
    assert person.git("status", "--porcelain") == ""
