"""Masking: no value of a secret is left in what agents and commands print, and nothing else changes."""

from __future__ import annotations

import base64
import json
from dataclasses import fields, replace

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from orchestra.model.agents import AgentEvent, Invocation, Judgement, Order, Session, Traits
from orchestra.model.masking import ELLIPSIS, MASK, SHORTEST, SHORTEST_GUESSED, Mask, secrets_of
from orchestra.model.outcomes import Exit, Outcome

KEY = "sk-live-0123456789abcdef"

# Few letters, so that secrets overlap, hold each other, and stand in the text by chance.
LETTERS = st.text('ab*" \\', min_size=SHORTEST, max_size=9)
PIECES = st.lists(st.text('ab*" \\', max_size=6), max_size=6)


@given(st.lists(LETTERS, min_size=1, max_size=3), PIECES, st.data())
@example(["a*****"], ["a********", "*"], None)
@example(["aaaaaa", "aaaabbbb"], ["aaaaaabbbb"], None)
@example([" \\\\  \\"], [" \\\\  \\"], None)
def test_no_secret_is_left(secrets: list[str], pieces: list[str], data: st.DataObject | None) -> None:
    for piece in range(len(pieces) if data else 0):
        if data is not None and data.draw(st.booleans()):
            pieces[piece] += data.draw(st.sampled_from(secrets))
    text = "".join(pieces)
    masked = Mask(secrets)(text)
    assert not [secret for secret in secrets if secret in masked]
    if not [secret for secret in secrets if len(secret.strip()) >= SHORTEST and secret.strip() in text]:
        # White space around it counts, where it is long enough with that.
        assume(not [secret for secret in secrets if secret in text])
        assume(not [secret for secret in secrets if json.dumps(secret)[1:-1] in text])
        assume(not [secret for secret in secrets if " ".join(secret.split()) in text])
        assert masked == text


@given(st.text(max_size=30), st.text(max_size=30))
def test_what_stands_around_a_secret_stays(before: str, after: str) -> None:
    assume(KEY not in before + after and not after.endswith(ELLIPSIS))
    assert Mask([KEY])(before + KEY + after) == before + MASK + after


@pytest.mark.parametrize(
    ("secret", "text", "masked"),
    [
        ('pass"word\\1', json.dumps({"text": 'is pass"word\\1!'}), '{"text": "is ***!"}'),
        ("pässwörd", json.dumps("is pässwörd"), '"is ***"'),
        ("pässwörd", json.dumps("is pässwörd", ensure_ascii=False), '"is ***"'),
        ("-----BEGIN\n0123456789\n-----END--\n", "| 0123456789 |", "| *** |"),
        ("-----BEGIN\n0123456789\n", json.dumps("-----BEGIN\n0123456789"), '"***"'),
        ("two  words", "these are two words.", "these are ***."),
        ("  padded-value\n", "(padded-value)", "(***)"),
        ("abcdef", "abcdefabcdef abcde", "****** abcde"),
        (KEY, f"it is {KEY[:9]}{ELLIPSIS}", f"it is ***{ELLIPSIS}"),
        (KEY, f"it is {KEY[:3]}{ELLIPSIS}", f"it is {KEY[:3]}{ELLIPSIS}"),
        (KEY, KEY[:9], KEY[:9]),  # not cut off: it may be anything
        (KEY, base64.b64encode(KEY.encode()).decode(), base64.b64encode(KEY.encode()).decode()),
    ],
)
def test_the_forms_of_a_secret(secret: str, text: str, masked: str) -> None:
    assert Mask([secret])(text) == masked


PERSON = {
    "PATH": "/usr/bin:/bin",
    "HOME": "/home/person",
    "MY_SETTING": "something-long-enough",
    "DEPLOY": "hunter2",
    "SHORT": "12345",
    "FLAG": "true",
    "EMPTY": "",
    "BLANK": "          ",
    "ANTHROPIC_API_KEY": KEY,
    "github_token": "ghp_0123456789",
    "DB_PASSWORD": "correct horse battery",
    "PARTITION_KEY": "primary",
    "MONKEY": "a-long-name-of-one",
    "SSH_AUTH_SOCK": "/tmp/ssh-long/agent.1",
}
GUESSED = {KEY, "ghp_0123456789", "correct horse battery"}


@pytest.mark.parametrize(
    ("passed", "more"),
    [
        ((), set[str]()),
        (("DEPLOY",), {"hunter2"}),
        (("MY_SETTING", "NOT_SET", "EMPTY", "BLANK"), {"something-long-enough"}),
        (("SHORT", "FLAG"), set[str]()),
        (("PATH", "HOME"), set[str]()),
        (("PARTITION_KEY",), {"primary"}),
    ],
)
def test_what_is_a_secret(passed: tuple[str, ...], more: set[str]) -> None:
    assert set(secrets_of(PERSON, passed)) == GUESSED | more


def test_how_long_a_secret_is() -> None:
    for length in range(20):
        value = "x" * length
        assert (value in secrets_of({"A": value}, ["A"])) == (length >= SHORTEST)
        assert (value in secrets_of({"A_TOKEN": value}, [])) == (length >= SHORTEST_GUESSED)


class Talkative:
    """An agent that says its key in everything that it says."""

    traits = Traits(told=True)

    def missing(self) -> str | None:
        return None

    def open(self, order: Order) -> Session:
        return self

    @property
    def invocation(self) -> Invocation:
        return Invocation(("say", KEY))

    def read(self, line: str) -> tuple[AgentEvent, ...]:
        return (AgentEvent("tool", f"text {line}", f"name {line}", (f"path/{line}", "other")),)

    def judge(self, ended: Exit) -> Judgement:
        judged = Judgement(Outcome.FAILED)
        texts = {
            each.name: f"{each.name} {KEY}" for each in fields(judged) if each.type in ("str", "str | None")
        }
        assert {"detail", "summary", "session", "model"} <= texts.keys()
        return replace(judged, **texts)  # type: ignore[arg-type]


def test_all_that_an_agent_says_is_masked() -> None:
    agent = Mask([KEY]).agent(Talkative())
    session = agent.open(Order("t", "", "", ""))
    assert session.invocation.argv == ("say", KEY)  # what runs has to work
    assert session.read(KEY) == (AgentEvent("tool", "text ***", "name ***", ("path/***", "other")),)
    judged = session.judge(Exit(1))
    kept = {"session", "model"}
    for each in fields(judged):
        found = getattr(judged, each.name)
        if isinstance(found, str) and not isinstance(found, Outcome):
            assert found == f"{each.name} {KEY if each.name in kept else MASK}"
    assert judged.outcome is Outcome.FAILED


def test_without_secrets_nothing_stands_between() -> None:
    agent = Talkative()
    assert Mask().agent(agent) is agent
    assert Mask()(KEY) == KEY
