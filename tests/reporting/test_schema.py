"""The schemas say what the code does: every event and every field, no more and no less."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import pytest
from hypothesis import given
from jsonschema import Draft202012Validator

from orchestra.model.agents import AgentEvent
from orchestra.model.events import Event, Notice, to_json
from orchestra.model.freshness import Note, Reason, ReasonKind, State
from orchestra.model.graph import EdgeKind
from orchestra.model.outcomes import Fault, Final, Outcome, Phase, Usage, Wait
from orchestra.reporting.outlook import Action

from .samples import events, kinds, open_objects, schema, undescribed, unhurried, validator

EVENTS = schema("events")
VALIDATOR = validator("events")
KINDS = kinds()


@pytest.mark.parametrize("name", ["events", "status", "explain", "plan", "doctor", "scan"])
def test_a_schema_is_one_and_describes_and_closes_every_object(name: str) -> None:
    content = schema(name)
    Draft202012Validator.check_schema(content)
    assert content["description"]
    assert undescribed(content) == []
    assert open_objects(content) == []


@unhurried
@given(events())
def test_every_event_is_valid(event: Event) -> None:
    assert VALIDATOR.is_valid(to_json(event))


def test_the_schema_has_the_kinds_of_the_code_and_no_others() -> None:
    names = {kind.name for kind in KINDS}
    assert len(names) == len(KINDS) > 15
    assert {item["$ref"].removeprefix("#/$defs/") for item in EVENTS["oneOf"]} == names
    consts = {
        name: definition["properties"]["event"]["const"]
        for name, definition in EVENTS["$defs"].items()
        if "event" in definition.get("properties", {})
    }
    assert consts == {name: name for name in names}


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_every_field_of_an_event_is_required_and_no_other_is_known(kind: type[Event]) -> None:
    expected = ["event", "version", *(item.name for item in fields(kind))]
    assert list(EVENTS["$defs"][kind.name]["properties"]) == expected
    assert EVENTS["$defs"][kind.name]["required"] == expected


@pytest.mark.parametrize(
    ("name", "of"),
    [
        ("reason", Reason),
        ("note", Note),
        ("wait", Wait),
        ("phase", Phase),
        ("usage", Usage),
        ("agent_event_data", AgentEvent),
    ],
)
def test_the_pieces_of_events_have_the_fields_of_the_code(name: str, of: type[Any]) -> None:
    expected = [item.name for item in fields(of)]
    assert list(EVENTS["$defs"][name]["properties"]) == expected
    assert EVENTS["$defs"][name]["required"] == expected


@pytest.mark.parametrize(
    ("name", "of"),
    [("state", State), ("reason_kind", ReasonKind), ("outcome", Outcome), ("fault", Fault), ("final", Final)],
)
def test_the_words_are_those_of_the_code(name: str, of: Any) -> None:
    assert EVENTS["$defs"][name]["enum"] == [item.value for item in of]


def test_the_pages_share_their_words_with_the_events() -> None:
    for page in ("status", "explain"):
        for name in ("state", "reason_kind", "reason"):
            assert schema(page)["$defs"][name] == EVENTS["$defs"][name]
    for name in ("reason_kind", "reason"):
        assert schema("plan")["$defs"][name] == EVENTS["$defs"][name]
    for name in ("edge_kind", "meeting"):
        assert schema("plan")["$defs"][name] == schema("explain")["$defs"][name]
    assert schema("status")["$defs"]["inferred"] == schema("explain")["$defs"]["inferred"]
    assert schema("plan")["$defs"]["edge_kind"]["enum"] == [kind.value for kind in EdgeKind]
    assert schema("plan")["$defs"]["action"]["enum"] == [action.value for action in Action]


@pytest.mark.parametrize(
    "wrong",
    [{"extra": 1}, {"version": 2}, {"event": "notices"}, {"message": None}, {"time": "now"}, {"hint": 3}],
    ids=str,
)
def test_what_is_no_event_is_refused(wrong: Mapping[str, Any]) -> None:
    right = to_json(Notice(1.0, "b", "m"))
    assert VALIDATOR.is_valid(right)
    assert not VALIDATOR.is_valid({**right, **wrong})


def test_a_missing_field_is_refused() -> None:
    right = to_json(Notice(1.0, "b", "m"))
    for name in right:
        assert not VALIDATOR.is_valid({key: value for key, value in right.items() if key != name})
