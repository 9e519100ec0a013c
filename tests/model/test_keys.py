"""A key changes with whatever determines a result, and with nothing else."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestra.model.errors import Place
from orchestra.model.keys import Parts, definition_of, digest, key_in_ref
from orchestra.model.tasks import AgentSpec, Claims, Prompt, Task

AGENT = AgentSpec(
    "local", "command", "m1", ("agent", "{prompt_file}"), ("--fast",), (("A", "1"),), ("TOKEN",), "edit", 5
)
TASK = Task(
    "fix",
    3,
    Claims(("src/**",), ("docs/**",), declared=True),
    prompt=Prompt("prompts/fix.md", "Fix it.\n", "Fix it."),
    agent="local",
    needs=("other",),
    check="pytest -q",
    env=(("MODE", "fast"),),
    passes=("PATH",),
)
COMMAND = replace(TASK, prompt=None, run="make", agent=None)


def changed(task: Task, agent: AgentSpec | None) -> set[str]:
    """The parts of the definition that differ from those of the task as it was."""
    before: Mapping[str, str] = definition_of(TASK, AGENT)
    after = definition_of(task, agent)
    return {part for part in {*before, *after} if before.get(part) != after.get(part)}


UNSEEN: list[Callable[[Task], Task]] = [
    lambda task: replace(task, name="renamed"),
    lambda task: replace(task, index=7),
    lambda task: replace(task, claims=Claims(("lib/**",), ("**",), ("x",))),
    lambda task: replace(task, claims=Claims(exclusive=True)),
    lambda task: replace(task, prompt=Prompt("prompts/moved.md", "Fix it.\n", "Another title")),
    lambda task: replace(task, priority=9),
    lambda task: replace(task, timeout=1.0),
    lambda task: replace(task, passes=("OTHER", "NAMES")),
    lambda task: replace(task, on_drift="rerun"),
    lambda task: replace(task, place=Place("orchestra.yaml", 9, 9)),
    lambda task: replace(task, needs=()),
]
SEEN: list[tuple[str, Callable[[Task], Task]]] = [
    ("prompt", lambda task: replace(task, prompt=Prompt("prompts/fix.md", "Fix it now.\n", "Fix it."))),
    ("check", lambda task: replace(task, check="pytest")),
    ("check", lambda task: replace(task, check=None)),
    ("env", lambda task: replace(task, env=(("MODE", "slow"),))),
    ("env", lambda task: replace(task, env=(("OTHER", "fast"),))),
    ("env", lambda task: replace(task, env=())),
]
SHAPING: list[tuple[str, Callable[[AgentSpec], AgentSpec]]] = [
    ("agent", lambda agent: replace(agent, name="other")),
    ("agent", lambda agent: replace(agent, kind="claude-code")),
    ("agent", lambda agent: replace(agent, model="m2")),
    ("agent", lambda agent: replace(agent, model=None)),
    ("agent", lambda agent: replace(agent, command=("agent", "-p"))),
    ("agent", lambda agent: replace(agent, args=())),
    ("agent", lambda agent: replace(agent, permissions="full")),
    ("agent", lambda agent: replace(agent, max_turns=6)),
    ("env", lambda agent: replace(agent, env=(("A", "2"),))),
]


@pytest.mark.parametrize("number", range(len(UNSEEN)))
def test_a_definition_does_not_depend_on(number: int) -> None:
    assert changed(UNSEEN[number](TASK), AGENT) == set()


@pytest.mark.parametrize("number", range(len(SEEN)))
def test_a_definition_depends_on(number: int) -> None:
    part, change = SEEN[number]
    assert changed(change(TASK), AGENT) == {part}


@pytest.mark.parametrize("number", range(len(SHAPING)))
def test_a_definition_depends_on_what_of_an_agent_shapes_results(number: int) -> None:
    part, change = SHAPING[number]
    assert changed(TASK, change(AGENT)) == {part}


def test_a_definition_does_not_depend_on_the_variables_that_an_agent_is_passed() -> None:
    assert changed(TASK, replace(AGENT, passes=("ANTHROPIC_API_KEY",))) == set()


def test_the_task_s_own_value_of_a_variable_is_the_one_that_counts() -> None:
    task = replace(TASK, env=(("A", "9"),))
    assert definition_of(task, AGENT)["env"] == definition_of(task, replace(AGENT, env=(("A", "7"),)))["env"]


def test_where_no_agent_is_named_the_key_is_the_same_on_every_machine() -> None:
    assert definition_of(replace(TASK, agent=None), None)["agent"] == "auto"


def test_a_command_counts_and_has_neither_prompt_nor_agent() -> None:
    assert set(definition_of(COMMAND, None)) == {"command", "check", "env"}
    assert definition_of(COMMAND, None) != definition_of(replace(COMMAND, run="make all"), None)


@given(st.permutations([("A", "1"), ("B", "2"), ("C", "3")]), st.permutations([("D", "4"), ("E", "5")]))
def test_a_key_does_not_depend_on_the_order_of_mappings(
    own: list[tuple[str, str]], agents: list[tuple[str, str]]
) -> None:
    first = definition_of(replace(TASK, env=tuple(sorted(own))), replace(AGENT, env=tuple(sorted(agents))))
    again = definition_of(replace(TASK, env=tuple(own)), replace(AGENT, env=tuple(agents)))
    assert (
        Parts(first, dict(own), dict(agents)).key
        == Parts(again, dict(reversed(own)), dict(reversed(agents))).key
    )


PARTS = Parts({"prompt": "1"}, {"src/a": "100644 x"}, {"u": "2"})


def test_a_key_depends_on_every_part() -> None:
    others = [
        replace(PARTS, definition={"prompt": "2"}),
        replace(PARTS, inputs={"src/a": "100755 x"}),
        replace(PARTS, inputs={"src/b": "100644 x"}),
        replace(PARTS, inputs={**PARTS.inputs, "src/b": "100644 x"}),
        replace(PARTS, inputs={}),
        replace(PARTS, needs={"u": "3"}),
        replace(PARTS, needs={}),
        replace(PARTS, definition={}, needs={"u": "2", "prompt": "1"}),
    ]
    keys = {each.key for each in (PARTS, *others)}
    assert len(keys) == len(others) + 1


def test_keys_stay_what_they_were(monkeypatch: pytest.MonkeyPatch) -> None:
    """Written down once: who makes this red makes every task of every user stale (I10)."""
    monkeypatch.setattr("orchestra.__version__", "99.0")
    parts = Parts(definition_of(TASK, AGENT), {"src/\udcff": "100644 " + "a" * 40}, {"other": "none"})
    assert parts.key == "k1:7108d6e15ce58a9d69d88e00266b219392e6362ce4f66ae62bd3b32a0beaa37d"
    assert key_in_ref(parts.key).startswith("k1-") and ":" not in key_in_ref(parts.key)


def test_a_digest_is_of_the_value_not_of_its_writing() -> None:
    assert digest({"a": 1, "b": [None, "é"]}) == digest({"b": [None, "é"], "a": 1})
    assert len({digest(value) for value in ([], {}, None, "", "a", ["a"], [["a"]], {"a": None})}) == 8
    assert digest("\udcff") != digest("ÿ")
