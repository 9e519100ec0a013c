"""Diffs of many pairs of commits, on real git: bounded, hostile, and of a repository that lost some of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestra.vcs import diffs
from orchestra.vcs.diffs import Compared, Pair, compared
from tests.vcs.kit import Person

GONE = "its commits are no longer in the repository"


def save(person: Person, files: dict[str, str]) -> str:
    """Write files and commit them; gives the commit."""
    for path, text in files.items():
        person.write(path, text)
    return person.commit()


@pytest.fixture
def person(tmp_path: Path) -> Person:
    """Somebody with a repository of one commit."""
    person = Person(tmp_path)
    save(person, {"a.txt": "one\n"})
    return person


def test_a_result_beside_its_parent_or_its_base_without_what_is_left_out(person: Person) -> None:
    base = person.head()
    save(person, {"a.txt": "two\n", ".orchestra/lock/t.json": "{}\n"})
    landed = person.head()
    save(person, {"b b.txt": "new\n"})
    both = person.head()
    found = compared(person.repository(), [Pair("t", landed), Pair("both", both, base)], (".orchestra/",))
    assert found["t"].text.startswith("diff --git a/a.txt b/a.txt\n") and not found["t"].cut
    assert found["t"].text.endswith("@@ -1 +1 @@\n-one\n+two") and ".orchestra" not in found["t"].text
    assert "b/b b.txt" in found["both"].text and "+two" in found["both"].text


def test_many_pairs_come_out_under_their_names_also_where_nothing_differs(person: Person) -> None:
    commits = []
    for number in range(diffs.TOGETHER * 2 + 3):
        save(person, {"a.txt": f"{number // 2}\n", f"{number}.txt": "x\n"})
        commits.append(person.head())
    pairs = [Pair(str(number), commit) for number, commit in enumerate(commits)]
    pairs.append(Pair("nothing", commits[0], commits[0]))
    found = compared(person.repository(), pairs)
    assert set(found) == {pair.name for pair in pairs}
    for number in range(len(commits)):
        assert f"b/{number}.txt" in found[str(number)].text
    assert found["nothing"] == Compared()


def test_a_file_cannot_pass_for_what_git_says_between_two_diffs(person: Person) -> None:
    first = person.head()
    trees = [person.git("rev-parse", f"{first}^{{tree}}")] * 2
    save(person, {"a.txt": " ".join(trees) + "\n"})
    second = person.head()
    pair = [person.git("rev-parse", f"{commit}^{{tree}}") for commit in (first, second)]
    save(person, {"a.txt": " ".join(pair) + "\n" + " ".join(reversed(pair)) + "\n"})
    found = compared(
        person.repository(), [Pair("one", second), Pair("two", person.head()), Pair("back", first, second)]
    )
    assert found["one"].text.count("\n+") == 2 and found["two"].text.endswith(f"+{pair[1]} {pair[0]}")
    assert found["back"].text.endswith("+one")


def test_large_diffs_are_cut_large_files_only_named_and_a_full_report_says_so(
    person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(person, {"long.txt": "line\n" * (diffs.LINES + 100)})
    long = person.head()
    save(person, {"big.txt": "x" * 79 + "\n" + ("y" * 79 + "\n") * 4000})
    big = person.head()
    found = compared(person.repository(), [Pair("long", long), Pair("big", big)])
    assert found["long"].cut and found["long"].text.count("\n") == diffs.LINES - 1
    assert "Binary files /dev/null and b/big.txt differ" in found["big"].text
    monkeypatch.setattr(diffs, "TOTAL", 50)
    monkeypatch.setattr(diffs, "TOGETHER", 1)
    found = compared(person.repository(), [Pair("long", long), Pair("big", big)])
    assert len(found["long"].text) == 50 and found["long"].cut
    assert found["big"] == Compared(problem="the report is full")


def test_what_is_lost_spoils_only_its_own_diff(person: Person) -> None:
    save(person, {"a.txt": "lost\n"})
    broken, blob = person.head(), person.git("rev-parse", "HEAD:a.txt")
    # Git takes what stands in the checkout for the blob of the same content.
    save(person, {"a.txt": "other\n"})
    save(person, {"b.txt": "fine\n"})
    fine = person.head()
    (person.root / ".git" / "objects" / blob[:2] / blob[2:]).unlink()
    pairs = [
        Pair("broken", broken),
        Pair("fine", fine),
        Pair("gone", "0" * 40),
        Pair("odd", "HEAD"),
        Pair("--x", "--x"),
    ]
    found = compared(person.repository(), pairs)
    assert found["fine"].text.endswith("+fine")
    assert found["broken"] == Compared(problem="some of its files are no longer in the repository")
    assert found["gone"].problem == found["odd"].problem == found["--x"].problem == GONE


def test_a_first_commit_has_no_parent_to_be_compared_with(person: Person) -> None:
    assert compared(person.repository(), [Pair("first", person.head())])["first"].problem == GONE
    assert compared(person.repository(), []) == {}


def test_drivers_and_hooks_of_the_person_do_not_run(person: Person, tmp_path: Path) -> None:
    witness = tmp_path / "witness"
    person.git("config", "diff.external", f"touch {witness}")
    person.git("config", "diff.evil.textconv", f"touch {witness}; cat")
    save(person, {".gitattributes": "*.txt diff=evil\n", "a.txt": "two\n"})
    assert "+two" in compared(person.repository(), [Pair("t", person.head())])["t"].text
    assert not witness.exists()
