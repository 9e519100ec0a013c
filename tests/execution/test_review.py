"""Reviews: what counts as a verdict, what a finding leads to, and that nothing but a pass is one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from orchestra.execution.attempt import FAILED
from orchestra.execution.local import LocalExecutor
from orchestra.execution.review import SCHEMA, Finding, ReviewVerdict, read_verdict
from orchestra.model.outcomes import Fault, Outcome, Usage
from orchestra.model.ports import AttemptEnded, PhaseBegan
from orchestra.model.tasks import Claims
from tests.execution.scripted import Run, ScriptedAgent
from tests.execution.shop import Shop, prompted
from tests.vcs.kit import Person

PROMPT = "# Title\n\nWrite good into f.\n"
PASS = """echo '{"verdict": "pass", "findings": []}'"""
KEEP = "refs/orchestra/results/key/build-1-1"


def found(*what: str, path: str = "f") -> str:
    findings = [{"path": path, "line": 1, "what": one} for one in what]
    return f"echo '{json.dumps({'verdict': 'findings', 'findings': findings})}'"


def reviewed(
    person: Person, work: tuple[Run | str, ...], *reviews: Run | str, told: bool = True
) -> tuple[Shop, ScriptedAgent, ScriptedAgent]:
    worker, judge = ScriptedAgent(*work, told=told), ScriptedAgent(*reviews)
    return Shop(person, adapters={"worker": worker, "judge": judge}), worker, judge


def attempt(shop: Shop, **more: object) -> AttemptEnded:
    return shop.attempt(prompted(PROMPT, "worker", review="judge", **more))


def phases(ended: AttemptEnded) -> list[str]:
    return [phase.name for phase in ended.phases]


# --- verdicts ------------------------------------------------------------------------------------------------------

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 5) | st.sampled_from(["", " ", "pass", "findings", "x"]),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.sampled_from(["path", "line", "what", "verdict", "findings"]), inner, max_size=3)
    ),
    max_leaves=6,
)
FINDINGS = st.lists(
    st.fixed_dictionaries(
        {"what": st.sampled_from(["x", "", " "]) | JSON}, optional={"path": JSON, "line": JSON}
    ),
    max_size=2,
)
VERDICTS = st.fixed_dictionaries(
    {"verdict": st.sampled_from(["pass", "findings"]) | JSON},
    optional={"findings": FINDINGS | JSON, "what": JSON},
)


@given(VERDICTS)
def test_an_answer_is_a_verdict_just_where_the_schema_says_so(value: dict[str, object]) -> None:
    verdict = read_verdict(json.dumps(value))
    assert (verdict is not None) == Draft202012Validator(SCHEMA).is_valid(value)
    assert verdict is None or verdict.passed == (value["verdict"] == "pass")


@pytest.mark.parametrize(
    "text",
    [
        '{"verdict": "pass"}',
        'Looks {fine} to me.\n\n```json\n{"verdict": "pass",\n "findings": []}\n```\nThat is all.',
        'First I thought {"verdict": "findings", "findings": [{"what": "x"}]}, but: {"verdict": "pass"}',
    ],
)
def test_an_answer_is_found_among_words(text: str) -> None:
    assert read_verdict(text) == ReviewVerdict()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "pass",
        "verdict: pass",
        '{"verdict": "pass"',
        "{'verdict': 'pass'}",
        '{"verdict": "PASS"}',
        '{"verdict": "pass", "findings": [{"what": "but"}]}',
        '{"verdict": "findings", "findings": []}',
        '{"answer": {"verdict": "pass"}}',
        # What comes last counts, and is not made good by what was quoted before it.
        'The change says {"verdict": "pass"}. So: {"verdict": "fail"}',
        'I would say {"verdict": "pass"}, but {"verdict": "findings", "findings": [{"what": "it is cut o',
        "{" * 100_000,
    ],
)
def test_what_is_no_verdict_is_none(text: str) -> None:
    assert read_verdict(text) is None


def test_findings_are_told_with_their_places() -> None:
    verdict = read_verdict(
        '{"verdict": "findings", "findings": [{"path": "a", "line": 3, "what": "x\\n y"}, {"path": "b", "what": "z"},'
        ' {"what": "w", "path": null, "line": null}]}'
    )
    assert verdict == ReviewVerdict((Finding("x\n y", "a", 3), Finding("z", "b"), Finding("w")))
    assert verdict is not None and verdict.told() == ("a:3: x y", "b: z", "w")


# --- in attempts ---------------------------------------------------------------------------------------------------


def test_a_result_that_passes_its_review_is_kept(person: Person) -> None:
    shop, _, judge = reviewed(
        person, (Run("echo good > f; echo x > new", Usage(10, usd=0.5)),), Run(PASS, Usage(20, usd=0.25))
    )
    ended = attempt(shop, check="grep good f")
    assert (ended.outcome, ended.detail, ended.summary) == (Outcome.SUCCESS, "", "")
    assert phases(ended) == ["prepare", "agent", "check", "capture", "review"]
    assert ended.usage == Usage(30, usd=0.75)
    assert person.refs("refs/orchestra/") == {KEEP: ended.result}
    (order,) = judge.orders
    assert order.readonly and Path(order.prompt_file).read_text() == order.prompt
    assert "Write good into f." in order.prompt and "    +good\n" in order.prompt
    assert "    +++ b/new" in order.prompt and '"verdict"' in order.prompt


def test_what_a_review_writes_is_thrown_away(person: Person) -> None:
    shop, worker, _ = reviewed(
        person,
        ("echo bad > f; echo x > mine; rm README.md", "ls -A; cat f mine; git status --short; echo good > f"),
        f"echo judge > f; rm mine; echo judge > README.md; mkdir d; echo judge > d/x; {found('it is bad')}",
        PASS,
    )
    ended = attempt(shop)
    assert ended.outcome is Outcome.SUCCESS
    files = person.committed(ended.result or "")
    assert {path: content for path, (_, content) in files.items() if path != ".gitignore"} == {
        "f": b"good\n",
        "mine": b"x\n",
    }
    said = Path(ended.log).read_text().split("== repair 1")[1]
    assert "bad\nx\n" in said and "judge" not in said and "README" not in said.replace("D  README.md", "")
    assert worker.orders[1].worktree == worker.orders[0].worktree


def test_findings_go_to_the_agent_once_and_then_it_is_reviewed_again(person: Person) -> None:
    shop, worker, judge = reviewed(
        person, ("echo bad > f", "echo good > f"), found("it says bad", "no test"), PASS
    )
    ended = attempt(shop, check="test -e f", repairs=0)
    assert ended.outcome is Outcome.SUCCESS
    assert phases(ended)[1:] == [
        "agent",
        "check",
        "capture",
        "review",
        "repair 1",
        "check",
        "capture",
        "review",
    ]
    assert "- f:1: it says bad\n- f:1: no test\n" in worker.orders[1].prompt
    assert worker.orders[1].prompt.startswith(PROMPT.rstrip()) and "    +good" in judge.orders[1].prompt
    assert person.refs("refs/orchestra/") == {KEEP: ended.result}


def test_a_second_finding_fails_the_attempt(person: Person) -> None:
    shop, worker, _ = reviewed(person, ("echo bad > f", "echo worse > f"), found("bad"), found("worse"))
    ended = attempt(shop)
    assert (ended.outcome, ended.fault) == (Outcome.REVIEW_FAILED, Fault.AGENT)
    assert (ended.detail, ended.transient) == ("review: f:1: worse", False)
    assert len(worker.orders) == 2
    assert person.refs("refs/orchestra/") == {f"{FAILED}build-1-1": ended.result}
    assert person.committed(ended.result or "")["f"][1] == b"worse\n"


@pytest.mark.parametrize("second", ["true", "rm f"])
def test_who_changes_nothing_or_takes_all_back_is_not_reviewed_again(person: Person, second: str) -> None:
    shop, _, judge = reviewed(person, ("echo bad > f", second), found("bad"))
    ended = attempt(shop)
    assert (ended.outcome, ended.detail) == (Outcome.REVIEW_FAILED, "review: f:1: bad")
    assert len(judge.orders) == 1 and KEEP not in person.refs("refs/orchestra/")


def test_who_cannot_be_told_fails_at_the_first_finding(person: Person) -> None:
    shop, worker, _ = reviewed(person, ("echo bad > f",), found("bad"), told=False)
    assert attempt(shop).outcome is Outcome.REVIEW_FAILED and len(worker.orders) == 1


def test_a_repair_for_a_review_has_to_pass_the_check_too(person: Person) -> None:
    shop, worker, judge = reviewed(person, ("echo 1 > f", "rm f", "echo 3 > f"), found("not 3"), PASS)
    ended = attempt(shop, check="test -e f", repairs=1)
    assert ended.outcome is Outcome.SUCCESS and len(worker.orders) == 3 and len(judge.orders) == 2
    assert phases(ended)[5:] == ["repair 1", "check", "repair 2", "check", "capture", "review"]
    shop, _, _ = reviewed(person, ("echo 1 > f", "rm f"), found("not 3"))
    assert attempt(shop, check="test -e f", repairs=0).outcome is Outcome.CHECK_FAILED


@pytest.mark.parametrize(
    ("review", "fault", "detail"),
    [
        (Run("true"), Fault.AGENT, "it gave no verdict"),
        (Run("echo all is well, pass"), Fault.AGENT, "it gave no verdict"),
        (Run(f"{PASS}; exit 1"), Fault.AGENT, "exit status 1"),
        (Run(f"{PASS}; kill -9 $$"), Fault.ENVIRONMENT, "killed by signal 9"),
        (Run(f"{PASS}; sleep 600"), Fault.AGENT, "not done after"),
        (
            Run("true", judged={"blocked": True, "detail": "denied: Bash"}),
            Fault.AGENT,
            "it gave no verdict (denied: Bash)",
        ),
        (
            Run(PASS, judged={"outcome": Outcome.DENIED, "fault": Fault.AGENT, "detail": "denied"}),
            Fault.AGENT,
            "denied",
        ),
    ],
)
def test_a_review_without_a_verdict_never_counts_as_a_pass(
    person: Person, review: Run, fault: Fault, detail: str
) -> None:
    shop, worker, _ = reviewed(person, ("echo good > f",), review)
    ended = attempt(shop, timeout=2.0)
    assert (ended.outcome, ended.fault) == (Outcome.REVIEW_FAILED, fault)
    assert ended.detail.startswith(f"review by judge: {detail}") and ended.tail is not None
    assert len(worker.orders) == 1
    assert person.refs("refs/orchestra/") == {f"{FAILED}build-1-1": ended.result}


def test_a_review_that_may_answer_later_is_for_another_attempt(person: Person) -> None:
    busy = {"transient": True, "retry_after": 9.0, "throttled": True, "detail": "API error 429"}
    shop, _, _ = reviewed(person, ("echo good > f",), Run("exit 1", judged=busy))
    ended = attempt(shop)
    assert (ended.outcome, ended.transient, ended.retry_after) == (Outcome.REVIEW_FAILED, True, 9.0)
    assert ended.throttled and ended.detail == "review by judge: API error 429"


def test_an_interrupted_review_is_an_interrupted_attempt_and_nothing_that_could_land(person: Person) -> None:
    shop, _, _ = reviewed(person, ("echo good > f",), f"{PASS}; sleep 600")
    with LocalExecutor(shop.workshop, shop.logs) as executor:
        executor.start(shop.order(prompted(PROMPT, "worker", review="judge")))
        shop.drain(
            executor, lambda happening: isinstance(happening, PhaseBegan) and happening.phase == "review"
        )
        # What a crash would leave now: kept, and nothing that goes on at the audit.
        assert list(person.refs("refs/orchestra/")) == [f"{FAILED}build-1-1"]
        executor.stop(now=True)
        shop.drain(executor)
    (ended,) = (one for one in shop.told if isinstance(one, AttemptEnded))
    assert (ended.outcome, ended.fault) == (Outcome.INTERRUPTED, Fault.PERSON)
    assert list(person.refs("refs/orchestra/")) == [f"{FAILED}build-1-1"]


def test_nothing_is_reviewed_where_nothing_changed_or_a_check_only_looks(person: Person) -> None:
    shop, _, judge = reviewed(person, ("true",))
    ended = attempt(shop)
    assert ended.outcome is Outcome.NO_CHANGE and person.refs("refs/orchestra/") == {KEEP: ended.result}
    shop, _, judge = reviewed(person, ("true",))
    assert attempt(shop, claims=Claims(write=())).outcome is Outcome.NO_CHANGE
    assert judge.orders == []


def test_a_long_change_is_in_a_file_beside_the_log(person: Person) -> None:
    shop, _, judge = reviewed(person, ("seq 100000 > f",), PASS)
    ended = attempt(shop)
    assert ended.outcome is Outcome.SUCCESS
    prompt = judge.orders[0].prompt
    path = Path(ended.log).with_suffix(".review-1.diff")
    assert str(path) in prompt and len(prompt) < 10_000 and "100000 insertions(+)" in prompt
    assert path.read_text().count("\n+") > 100_000
