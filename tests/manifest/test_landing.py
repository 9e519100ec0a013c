"""The templates of `integrate`: which fields they may hold, and that git takes every branch that they name."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from orchestra.manifest.landing import MOST_BYTES, OURS, branch_fault, check_branches
from orchestra.model.tasks import Integrate
from orchestra.model.template import fields_of, fill

from .kit import manifest, refusal

REFUSED = [
    ("message: '{titel}'", "2:22: unknown field `{titel}`", "did you mean `{title}`?"),
    ("message: '{ title }'", "2:22: unknown field `{ title }`", "did you mean `{title}`?"),
    ("message: '{key}'", "2:22: unknown field `{key}`", "what is filled in: `{task}`, `{title}`, `{body}`"),
    ("message: '{}'", "2:22: unknown field `{}`", "what is filled in"),
    ("message: 'a {title'", "2:22: a `{` stands alone in `a {title`", "write `{{` for a brace"),
    ("message: 'a} {title}'", "2:22: a `}` stands alone", "write `}}` for a brace"),
    ("message: ' '", "2:22: `message` must not be empty", "message:"),
    ("message: 5", "2:22: `message` must be", 'put it in quotes: "5"'),
    ("branch: '{tasks}'", "2:21: unknown field `{tasks}`", "did you mean `{task}`?"),
    ("branch: '{task}/{title}'", "2:21: unknown field `{title}`", "what is filled in: `{task}`, `{build}`"),
    ("branch: feature/x", "2:21: `feature/x` would be one branch for all tasks", "`branch: feature/{task}`"),
    ("branch: 'x/{build}'", "2:21: `x/{build}` would be one branch for all tasks", "write {task} into it"),
    ("branch: 'a b/{task}'", "2:21: `a b/{task}` makes no name of a branch: it holds ` `", "feature/{task}"),
    (
        "branch: '{task}.lock'",
        "2:21: `{task}.lock` makes no name of a branch: it has a part that ends",
        "for",
    ),
    ("branch: '-{task}'", "2:21: `-{task}` makes no name of a branch: it begins with `-`", "for example"),
    ("branch: 'x//{task}'", "2:21: `x//{task}` makes no name of a branch: it has an empty part", "for"),
    ("branch: '/{task}'", "2:21: `/{task}` makes no name of a branch: it has an empty part", "for"),
    ("branch: '{task}@{{1}}'", "2:21: `{task}@{{1}}` makes no name of a branch: it holds `@{`", "for"),
    ("branch: 'refs/heads/{task}'", "2:21: `refs/heads/{task}` makes no name of a branch: it begins", "for"),
    ("branch: 'orchestra/build-{task}'", "2:21: `orchestra/build-{task}` makes no name of a branch", "for"),
]


@pytest.mark.parametrize(("text", "message", "hint"), REFUSED, ids=[case[0] for case in REFUSED])
def test_what_is_wrong_is_told_at_its_place(text: str, message: str, hint: str, tmp_path: Path) -> None:
    error = refusal(tmp_path, f"integrate: {{{text}}}")
    assert str(error).startswith(f"orchestra.yaml:{message}")
    assert hint in (error.hint or "")


@pytest.mark.parametrize(
    ("names", "integrate", "message"),
    [
        (
            "api: {run: x}, api/login: {run: y}",
            "branch: 'feature/{task}'",
            "2:21: `api` and `api/login` would have the branches `feature/api` and `feature/api/login`",
        ),
        (
            "HEAD: {run: x}",
            "branch: '{task}'",
            "2:21: `HEAD` would have the branch `HEAD`, which is git's own",
        ),
        ("a.loc: {run: x}", "branch: '{task}k'", "2:21: `a.loc` would have the branch `a.lock`, which has a"),
        (
            "main: {run: x}",
            "branch: '{task}', into: main",
            "2:21: `main` would have the branch `main`, on which results land",
        ),
    ],
)
def test_tasks_whose_branches_cannot_be_are_refused_at_the_template(
    names: str, integrate: str, message: str, tmp_path: Path
) -> None:
    error = refusal(tmp_path, f"integrate: {{{integrate}}}\ntasks: {{{names}}}")
    assert str(error).startswith(f"orchestra.yaml:{message}")


def test_a_prompt_counts_for_the_names_too(tmp_path: Path) -> None:
    names = ("api", "api/login", "web/login")
    files: dict[str, str | bytes] = {f"prompts/{name}.md": "Do it." for name in names}
    error = refusal(tmp_path, "integrate: {branch: '{task}'}", files)
    assert "and git cannot have both" in str(error)
    assert manifest(tmp_path, "integrate: {branch: '{task}/result'}", files).integrate.branch


@given(st.lists(st.text("ab/", min_size=1, max_size=5), unique=True, max_size=6))
def test_branches_go_together_exactly_if_none_is_a_folder_of_another(names: list[str]) -> None:
    names = [name for name in names if all(name.split("/"))]
    found = check_branches(names, Integrate(branch="x/{task}"))
    beside = any(other.startswith(f"{name}/") for name in names for other in names)
    assert bool(found) == beside


WORDS = st.lists(
    st.sampled_from(
        ["a", "é", "/", ".", "..", ".lock", "@", "{", "@{", "-", "~", " ", "\\", "[", "*", "HEAD"]
    ),
    min_size=1,
    max_size=5,
).map("".join)


@settings(max_examples=80, deadline=None)
@given(WORDS)
@example("HEAD")
@example("@")
@example("a.lock/b")
@example("\x7f")
def test_a_name_is_faulty_exactly_if_git_says_so(name: str) -> None:
    asked = ["git", "check-ref-format", "--branch", name]
    done = subprocess.run(asked, capture_output=True, cwd="/", check=False)
    if name in ("@", "-") or name.startswith("@{-"):
        return  # git takes these for other names
    assert (branch_fault(name) is None) == (done.returncode == 0)


def test_what_git_would_take_is_refused_where_it_is_ours_or_a_trap() -> None:
    for name in (f"{OURS}x", "refs/heads/x", "x" * (MOST_BYTES + 1)):
        assert branch_fault(name) is not None
    assert branch_fault("x" * MOST_BYTES) is None


@given(st.dictionaries(st.sampled_from(["task", "build"]), st.text("a{}b"), min_size=2))
def test_what_is_filled_in_stays_as_it_is(values: dict[str, str]) -> None:
    assert fill("{task}{{x}}{build}", values) == f"{values['task']}{{x}}{values['build']}"


@given(st.text("{}a", max_size=8))
def test_a_template_is_read_like_a_format_string(text: str) -> None:
    """Against Python's own: as far as that takes it."""
    try:
        theirs = text.format(a="1", aa="2", aaa="3", aaaa="4", aaaaa="5", aaaaaa="6")
    except (ValueError, KeyError, IndexError):
        return
    names = {"a" * n: str(n) for n in range(1, 7)}
    assert set(fields_of(text)) <= names.keys()
    assert fill(text, names) == theirs
