"""The patches of `tests/mutations` fit the code as it is, and what runs them can tell red from green."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from tests.mutations.patches import Mutation, applies, missing_tests, read, read_all
from tests.mutations.runner import Verdict, copy_project, judge_all, objects_of, renew, tracked

MUTATIONS = read_all()
RULES = 100
"""How many rules of sections 5 and 6 there are at least."""


def test_every_patch_applies_to_the_code_as_it_is() -> None:
    stuck = [mutation.name for mutation in MUTATIONS if applies(mutation)]
    assert stuck == [], f"renew: python -m tests.mutations --renew {' '.join(stuck)}"


def test_every_patch_names_tests_that_are_there_and_changes_the_product_only() -> None:
    assert missing_tests(MUTATIONS) == {}
    assert [m.name for m in MUTATIONS if not all(path.startswith("orchestra/") for path in m.paths)] == []


def test_each_rule_has_its_patch_and_no_two_are_the_same() -> None:
    assert len(MUTATIONS) >= RULES
    assert {name.name[:2] for name in MUTATIONS} == {"5-", "6-"}
    assert len({mutation.diff for mutation in MUTATIONS}) == len(MUTATIONS)


# --- what runs them ------------------------------------------------------------------------------------------

PRODUCT = """\
ONE = 1


def double(number):
    # By hand.
    return number * 2
"""
TESTS = """\
import pytest

from product import double


@pytest.fixture
def four():
    return double(2)


def test_double():
    assert double(3) == 6


def test_nothing():
    assert double


def test_by_fixture(four):
    pass


def test_always_red():
    assert double(3) == 7
"""
DIFF = """\
diff --git a/product.py b/product.py
--- a/product.py
+++ b/product.py
@@ -4,3 +4,3 @@
 def double(number):
     # By hand.
-    return number * 2
+    return {now}
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    root = tmp_path / "project"
    (root / "tests").mkdir(parents=True)
    (root / "product.py").write_text(PRODUCT)
    (root / "tests" / "test_it.py").write_text(TESTS)
    return copy_project(root, (), root)


def mutation(name: str, now: str, test: str) -> Mutation:
    return Mutation(name, "section 5, x", (f"tests/test_it.py::{test}",), "", DIFF.format(now=now))


def judged(project: Path, *mutations: Mutation) -> tuple[dict[str, tuple[bool, str]], str]:
    told: list[Verdict] = []
    verdicts, wrong = judge_all(mutations, project, project.parent / "work", told.append)
    assert sorted(told, key=lambda verdict: verdict.name) == sorted(
        verdicts, key=lambda verdict: verdict.name
    )
    return {verdict.name: (verdict.killed, verdict.by) for verdict in verdicts}, wrong


def test_a_patch_is_killed_by_a_test_that_fails_and_by_nothing_else(project: Path) -> None:
    verdicts, wrong = judged(
        project,
        mutation("killed", "number * 3", "test_double"),
        # The same number of characters, in the same second, in the same copy.
        mutation("killed-again", "number * 4", "test_double"),
        mutation("raises", "number / 0", "test_double"),
        mutation("alive", "number * 5", "test_nothing"),
        mutation("not-set-up", "1 // 0", "test_by_fixture"),
        mutation("not-collected", "number *", "test_double"),
    )
    assert wrong == ""
    by = "tests/test_it.py::test_double"
    assert {name: verdict for name, verdict in verdicts.items() if verdict[0]} == dict.fromkeys(
        ("killed", "killed-again", "raises"), (True, by)
    )
    assert verdicts["alive"] == (False, "its tests stay green")
    assert verdicts["not-set-up"][1].startswith("a test could not be set up")
    assert verdicts["not-collected"][1].startswith("pytest ended with")
    assert (project / "product.py").read_text() == PRODUCT


def test_a_patch_that_does_not_apply_any_more_is_not_killed(project: Path) -> None:
    one = mutation("one", "number * 3", "test_double")
    (project / "product.py").write_text(f"ZERO = 0\n{PRODUCT}")
    assert judged(project, one)[0]["one"][0], "lines further up are no matter"
    (project / "product.py").write_text(PRODUCT.replace("(number):", "(number: int) -> int:"))
    verdicts, wrong = judged(project, one)
    assert verdicts["one"][0] is False and "does not apply" in verdicts["one"][1] and wrong == ""


def test_red_means_nothing_where_the_tests_are_red_without_any_patch(project: Path) -> None:
    verdicts, wrong = judged(project, mutation("one", "number * 3", "test_always_red"))
    assert verdicts == {} and wrong == "tests/test_it.py::test_always_red"


def test_a_patch_is_renewed_on_newer_code_where_git_can_merge_it(project: Path) -> None:
    def git(*words: str) -> str:
        return subprocess.run(["git", *words], cwd=project, capture_output=True, text=True, check=True).stdout

    product = project / "product.py"
    git("add", "--all")
    product.write_text(PRODUCT.replace("* 2", "* 3"))
    diff = git("diff", "--full-index")
    one = Mutation("one", "section 5, x", ("tests/test_it.py::test_double",), "Rule: ...", diff)
    newer = PRODUCT.replace("(number):", "(number: int) -> int:")
    for there, renewed in ((newer, True), (PRODUCT.replace("* 2", "+ number"), False)):
        product.write_text(there)
        copy = copy_project(project, tracked(project), project.parent / str(renewed))
        assert applies(one, copy) != ""
        found = renew(one, copy, objects_of(project))
        assert (found is not None) is renewed
        assert (copy / "product.py").read_text() == there
        if found is not None:
            again = replace(one, diff=found)
            assert applies(again, copy) == "" and "+    return number * 3" in found


@pytest.mark.parametrize(
    "text",
    [
        "",
        DIFF,
        f"Rule: section 5, x\n\n{DIFF}",
        f"Rule: x\nRed: tests/a.py::test_b\n\n{DIFF}",
        f"Red: tests/a.py::test_b\n\n{DIFF}",
        "Rule: section 5, x\nRed: tests/a.py::test_b\n",
        f"Rule: section 5, x\nRed: tests/a.py::test_b\nReason: y\n{DIFF}",
    ],
)
def test_a_patch_without_its_header_is_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "one.patch"
    path.write_text(text)
    with pytest.raises(ValueError, match=r"^one\.patch: "):
        read(path)


def test_a_header_says_the_rule_and_the_tests(tmp_path: Path) -> None:
    path = tmp_path / "one.patch"
    path.write_text(f"Rule: section 6, x\nRed: tests/a.py::test_b\nRed: tests/c.py::test_d[e] z\n\n{DIFF}")
    one = read(path)
    assert (one.name, one.rule, one.paths) == ("one", "section 6, x", ("product.py",))
    assert one.red == ("tests/a.py::test_b", "tests/c.py::test_d[e]", "z")
    assert missing_tests([one], tmp_path) == {"one": one.red}
