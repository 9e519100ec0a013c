"""What an attempt tells of the checks and reviews of its work, for the record: each of them, in order, as it was."""

from __future__ import annotations

import json

from orchestra.model.outcomes import Asked
from orchestra.model.ports import AttemptEnded
from orchestra.model.tasks import Claims
from tests.execution.scripted import Run, ScriptedAgent
from tests.execution.shop import Shop, prompted
from tests.vcs.kit import Person

PROMPT = "# Title\n\nMake it good.\n"
CHECK = "cat f; grep -q good f"
PASS = """echo '{"verdict": "pass", "findings": []}'"""


def told(ended: AttemptEnded) -> list[tuple[object, ...]]:
    return [(each.kind, each.by, each.passed, each.status, each.tail) for each in ended.judged]


def test_each_check_is_told_with_its_output(person: Person) -> None:
    agent = ScriptedAgent(Run("echo bad > f"), Run("echo good > f"))
    ended = Shop(person, adapters={"worker": agent}).attempt(prompted(PROMPT, "worker", check=CHECK))
    assert told(ended) == [
        ("check", CHECK, False, 1, ("bad",)),
        ("check", CHECK, True, 0, ("good",)),
    ]
    checks = [phase.ended - phase.started for phase in ended.phases if phase.name == "check"]
    assert all(0 <= each.seconds <= length + 0.1 for each, length in zip(ended.judged, checks, strict=True))


def test_a_review_is_told_with_what_it_found_and_who_gave_it(person: Person) -> None:
    finding = json.dumps({"verdict": "findings", "findings": [{"path": "f", "line": 1, "what": "too bad"}]})
    adapters = {
        "worker": ScriptedAgent(Run("echo bad > f"), Run("echo good > f")),
        "judge": ScriptedAgent(Run(f"echo '{finding}'"), Run(PASS)),
    }
    ended = Shop(person, adapters=adapters).attempt(prompted(PROMPT, "worker", review="judge"))
    assert told(ended) == [
        ("review", "judge", False, 0, ("f:1: too bad",)),
        ("review", "judge", True, 0, ()),
    ]


def test_a_review_without_a_verdict_has_none_and_says_why(person: Person) -> None:
    adapters = {"worker": ScriptedAgent(Run("echo x > f")), "judge": ScriptedAgent(Run("echo well; exit 3"))}
    ended = Shop(person, adapters=adapters).attempt(prompted(PROMPT, "worker", review="judge"))
    ((kind, by, passed, status, tail),) = told(ended)
    assert (kind, by, passed, status) == ("review", "judge", None, 3)
    assert isinstance(tail, tuple) and tail[0].startswith("review by judge: ")


def test_a_task_says_what_it_asks_for() -> None:
    task = prompted(PROMPT, "worker", check=CHECK, review="judge")
    assert task.asked == Asked(PROMPT, task.prompt.path if task.prompt else "", None, CHECK, "judge")
    # Nobody reviews what writes nothing.
    checks = prompted(PROMPT, "worker", review="judge", claims=Claims(write=()))
    assert checks.claims.is_check and checks.asked.reviewer is None
