"""What every command of an attempt gets and gives: no open input, no outer agent's marks, errors apart."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from orchestra.execution.local import LocalExecutor
from orchestra.model.outcomes import Outcome
from orchestra.model.ports import AgentSaid, AttemptEnded
from orchestra.model.tasks import AgentSpec
from tests.execution.shop import Shop, prompted, run
from tests.vcs.kit import Person

# What a command sees of its input and of an agent in which orchestra itself was started.
LOOK = 'echo "$(wc -c) bytes, in ${CLAUDECODE-nothing} ${CLAUDE_CODE_ENTRYPOINT-at all}"'
NOTHING = "0 bytes, in nothing at all"


@pytest.fixture
def shop(person: Person) -> Shop:
    """A workshop of a person who works inside an agent themselves."""
    person.env |= {"CLAUDECODE": "1", "CLAUDE_CODE_ENTRYPOINT": "cli"}
    return Shop(
        person,
        worktrees={"setup": LOOK},
        agents={"any": AgentSpec("any", "command", command=("sh", "-c", LOOK))},
    )


def test_every_command_has_an_ended_input_and_no_outer_agent(shop: Shop) -> None:
    """An open input would make Codex wait for ever."""
    log = Path(shop.attempt(run(LOOK, check=LOOK)).log).read_text()
    assert log.count(NOTHING) == 3, log  # setup, command, check
    assert shop.attempt(prompted("x", "any")).tail == (NOTHING,)
    verified = shop.verify(LOOK)
    assert NOTHING in Path(verified.log).read_text() and verified.tail == (NOTHING,)


def test_a_prompt_on_standard_input_ends(person: Person, tmp_path: Path) -> None:
    program = tmp_path / "claude"
    program.write_text(f"#!/bin/sh\nexec {sys.executable} -c 'import sys; print(len(sys.stdin.read()))'\n")
    program.chmod(0o755)
    shop = Shop(person, agents={"any": AgentSpec("any", "claude-code", command=(str(program),))})
    ended = shop.attempt(prompted("x" * 70_000, "any"))
    assert "70000" in ended.detail  # all that it said, and no result


def test_what_stands_on_standard_error_is_no_event(person: Person, tmp_path: Path) -> None:
    good = {"type": "result", "subtype": "success", "is_error": False, "result": "Done."}
    program = tmp_path / "claude"
    program.write_text(f"#!/bin/sh\ncat > /dev/null\necho '{json.dumps(good)}' >&2\n")
    program.chmod(0o755)
    shop = Shop(person, agents={"any": AgentSpec("any", "claude-code", command=(str(program),))})
    with LocalExecutor(shop.workshop, shop.logs) as executor:
        executor.start(shop.order(prompted("x", "any")))
        told = shop.drain(executor)
    (ended,) = [happening for happening in told if isinstance(happening, AttemptEnded)]
    assert ended.outcome is Outcome.FAILED
    assert ended.detail == "ended without a result, exit status 0"
    assert ended.tail == (json.dumps(good),)
    assert not [happening for happening in told if isinstance(happening, AgentSaid)]
