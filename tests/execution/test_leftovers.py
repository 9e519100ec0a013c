"""What an agent leaves beside its work is no part of the result; what was tracked before stays an ordinary change."""

from __future__ import annotations

from dataclasses import replace

from orchestra.model.outcomes import Outcome
from orchestra.model.tasks import AgentSpec
from tests.execution.shop import Shop, prompted
from tests.vcs.kit import Person

LEAVES = """
echo 'what was said' > .aider.chat.history.md
mkdir -p .aider.tags.cache.v4 pkg/__pycache__ .pytest_cache/v
touch .aider.tags.cache.v4/cache.db pkg/__pycache__/a.pyc .pytest_cache/v/x
"""
SAYS = "echo 'Tokens: 2.1k sent, 22 received.'"


def attempt(shop: Shop, script: str, kind: str = "aider") -> tuple[Outcome, str | None]:
    """One attempt by an agent of that kind whose program is this script."""
    shop.agents = {"it": AgentSpec("it", kind, command=("sh", "-e", "-c", script, "it"))}
    ended = shop.attempt(replace(prompted("Do."), agent="it"))
    return ended.outcome, ended.result


def test_what_it_leaves_is_no_part_of_the_result(shop: Shop, person: Person) -> None:
    outcome, result = attempt(shop, f"{LEAVES}\n{SAYS}\necho x > pkg/a.py; git add -A; git commit -qm all")
    assert outcome is Outcome.SUCCESS and result is not None
    assert set(person.committed(result)) - set(person.committed("HEAD")) == {"pkg/a.py"}


def test_leftovers_alone_are_no_change(shop: Shop) -> None:
    assert attempt(shop, f"{LEAVES}\n{SAYS}")[0] is Outcome.NO_CHANGE


def test_what_was_tracked_is_an_ordinary_change(shop: Shop, person: Person) -> None:
    person.write(".aider.conf.yml", "a: 1\n")
    person.write("pkg/__pycache__/kept", "1\n")
    person.git("add", "--force", ".aider.conf.yml", "pkg")
    person.commit()
    script = f"{LEAVES}\n{SAYS}\necho 'a: 2' > .aider.conf.yml; rm pkg/__pycache__/kept"
    outcome, result = attempt(shop, script)
    assert outcome is Outcome.SUCCESS and result is not None
    files = person.committed(result)
    assert files[".aider.conf.yml"] == ("100644", b"a: 2\n")
    assert set(files) == set(person.committed("HEAD")) - {"pkg/__pycache__/kept"}


def test_another_kind_leaves_other_things(shop: Shop, person: Person) -> None:
    outcome, result = attempt(shop, LEAVES, kind="command")
    assert outcome is Outcome.SUCCESS and result is not None
    new = set(person.committed(result)) - set(person.committed("HEAD"))
    assert new == {".aider.chat.history.md", ".aider.tags.cache.v4/cache.db"}


def test_the_next_attempt_does_not_find_them(shop: Shop) -> None:
    attempt(shop, f"{LEAVES}\n{SAYS}")
    assert attempt(shop, f"test ! -e .aider.chat.history.md\n{SAYS}\necho x > y")[0] is Outcome.SUCCESS
