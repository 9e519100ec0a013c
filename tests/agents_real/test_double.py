"""The scripted model itself: what the tests with real programs lean on."""

from __future__ import annotations

import http.client
import json
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.agents_real.script import (
    Cut,
    Edit,
    Fail,
    Garbage,
    Hang,
    Read,
    Reply,
    Shell,
    Turn,
    Write,
    mark,
    marked,
    say,
    use,
)
from tests.agents_real.server import ASIDE, ScriptedModel

TOOLS: tuple[Write | Edit | Read | Shell, ...] = (
    Write("a/b.txt", "one\ntwo\n"),
    Edit("c.txt", "old", "new"),
    Read("c.txt"),
    Shell("ls -l"),
)
EVERY: dict[str, tuple[Reply, ...]] = {
    "work": (use(*TOOLS, text="I begin."), Fail(429, "Slowly.", (("retry-after", "7"),)), say("Done.")),
    "bad": (Cut("Once upon"), Garbage(), Hang()),
    "left": (Turn("L", together=2), say("left")),
    "right": (Turn("R", together=2), say("right")),
}


@pytest.fixture
def model() -> Iterator[ScriptedModel]:
    with ScriptedModel(EVERY) as found:
        yield found


def request(model: ScriptedModel, api: str, script: str, **more: Any) -> tuple[int, Any, bytes]:
    """Ask as a program does; gives status, headers and body."""
    prompt = f"Please do it. {mark(script)}"
    tools: list[dict[str, Any]] = [{"name": "Bash"}]
    if api == "messages":
        messages = [{"role": "system", "content": mark("wrong")}, {"role": "user", "content": prompt}]
        body: dict[str, Any] = {"messages": messages, "tools": tools}
    else:
        content = [{"type": "input_text", "text": prompt}]
        body = {"input": [{"type": "message", "role": "user", "content": content}]}
        body["tools"] = [{"type": "web_search"}, {"type": "custom", "name": "apply_patch"}]
    connection = http.client.HTTPConnection(model.url.removeprefix("http://"), timeout=20)
    try:
        data = json.dumps({"model": "m", "stream": True, **body, **more})
        connection.request("POST", f"/v1/{api}?beta=true", data, {"x-api-key": "k-1"})
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()
    finally:
        connection.close()


def frames(stream: bytes) -> list[dict[str, Any]]:
    """The events of a stream: each has its name in its data too."""
    found = []
    for frame in stream.decode().strip().split("\n\n"):
        name, data = frame.split("\n")
        found.append(json.loads(data.removeprefix("data: ")))
        assert name == f"event: {found[-1]['type']}"
    return found


def assembled(events: list[dict[str, Any]]) -> dict[str, Any]:
    """The message that a stream of Messages adds up to."""
    message: dict[str, Any] = events[0]["message"]
    assert (message["content"], message["stop_reason"]) == ([], None)
    for event in events:
        match event["type"]:
            case "content_block_start":
                message["content"].append(event["content_block"])
            case "content_block_delta":
                block, delta = message["content"][event["index"]], event["delta"]
                if delta["type"] == "text_delta":
                    block["text"] += delta["text"]
                else:
                    block["input"] = json.loads(delta["partial_json"])
            case "message_delta":
                message |= {**event["delta"], "usage": event["usage"]}
    assert events[-1]["type"] == "message_stop"
    return message


def test_a_mark_is_found_again() -> None:
    assert marked(f"a {mark('x-1.y')} {mark('z')}") == "x-1.y"
    assert marked("(script)") is None


def test_replies_come_in_order_and_the_last_again(model: ScriptedModel) -> None:
    assert request(model, "messages", "work")[0] == 200
    status, headers, body = request(model, "messages", "work")
    assert (status, headers["retry-after"]) == (429, "7")
    assert json.loads(body)["error"] == {"type": "rate_limit_error", "message": "Slowly."}
    for _ in range(2):
        assert assembled(frames(request(model, "messages", "work")[2]))["content"][0]["text"] == "Done."
    status, _, body = request(model, "messages", "unknown")
    assert status == 404 and b"no script unknown" in body


def test_messages(model: ScriptedModel) -> None:
    message = assembled(frames(request(model, "messages", "work")[2]))
    text, *tools = message["content"]
    assert text == {"type": "text", "text": "I begin."}
    assert [(tool["type"], tool["name"], tool["input"]) for tool in tools] == [
        ("tool_use", "Write", {"file_path": "a/b.txt", "content": "one\ntwo\n"}),
        ("tool_use", "Edit", {"file_path": "c.txt", "old_string": "old", "new_string": "new"}),
        ("tool_use", "Read", {"file_path": "c.txt"}),
        ("tool_use", "Bash", {"command": "ls -l", "description": "Run it"}),
    ]
    assert len({tool["id"] for tool in tools}) == 4
    assert message["stop_reason"] == "tool_use"
    assert (message["usage"]["input_tokens"], message["usage"]["output_tokens"]) == (100, 10)
    request(model, "messages", "work")
    whole = json.loads(request(model, "messages", "work", stream=False)[2])
    assert (whole["content"], whole["stop_reason"]) == ([{"type": "text", "text": "Done."}], "end_turn")


def test_responses(model: ScriptedModel) -> None:
    first, *between, last = frames(request(model, "responses", "work")[2])
    assert (first["type"], first["response"]["output"]) == ("response.created", [])
    assert last["type"] == "response.completed"
    items = [event["item"] for event in between if event["type"] == "response.output_item.done"]
    assert last["response"]["output"] == items
    assert items[0]["content"][0]["text"] == "I begin."
    assert [item["type"] for item in items[1:]] == ["custom_tool_call"] * 2 + ["function_call"] * 2
    assert items[1]["input"] == ("*** Begin Patch\n*** Add File: a/b.txt\n+one\n+two\n*** End Patch\n")
    assert items[2]["input"] == ("*** Begin Patch\n*** Update File: c.txt\n@@\n-old\n+new\n*** End Patch\n")
    assert [json.loads(item["arguments"]) for item in items[3:]] == [{"cmd": "cat c.txt"}, {"cmd": "ls -l"}]
    assert len({item["call_id"] for item in items[1:]}) == 4
    assert last["response"]["usage"]["total_tokens"] == 110
    assert request(model, "responses", "work")[0] == 429
    whole = json.loads(request(model, "responses", "work", stream=False)[2])
    assert whole["output"][0]["content"][0]["text"] == "Done."


@pytest.mark.parametrize("api", ["messages", "responses"])
def test_a_cut_stream_has_begun_and_does_not_end(model: ScriptedModel, api: str) -> None:
    with pytest.raises(http.client.IncompleteRead) as cut:
        request(model, api, "bad")
    assert b"Once upon" in cut.value.partial
    status, _, body = request(model, api, "bad")
    assert status == 200 and body.startswith(b"<html>")


def test_who_is_left_hanging_is_let_go_at_the_end() -> None:
    before = threading.active_count()
    with ScriptedModel({"hang": (Hang(),)}) as model:
        host, _, port = model.url.removeprefix("http://").partition(":")
        body = json.dumps({"messages": [{"role": "user", "content": mark("hang")}], "tools": [{"name": "x"}]})
        with socket.create_connection((host, int(port)), 20) as client:
            client.sendall(
                f"POST /v1/messages HTTP/1.1\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()
            )
            while not model.asked("hang"):
                assert threading.active_count() > before
            model.close()
            assert client.recv(1) == b""
    assert threading.active_count() == before


def test_those_who_belong_together_wait_for_each_other(model: ScriptedModel) -> None:
    with ThreadPoolExecutor(2) as pool:
        sides = list(pool.map(lambda side: request(model, "messages", side)[2], ("left", "right")))
    assert [assembled(frames(side))["content"][0]["text"] for side in sides] == ["L", "R"]


def test_many_at_once_get_each_its_own(model: ScriptedModel) -> None:
    scripts = {f"s{number}": tuple(say(f"{number}.{turn}") for turn in range(5)) for number in range(8)}
    with ScriptedModel(scripts) as many, ThreadPoolExecutor(8) as pool:

        def all_turns(name: str) -> list[str]:
            answers = [assembled(frames(request(many, "messages", name)[2])) for _ in range(5)]
            return [answer["content"][0]["text"] for answer in answers]

        found = dict(zip(scripts, pool.map(all_turns, scripts), strict=True))
    assert found == {name: [turn.text for turn in turns] for name, turns in scripts.items()}


def test_every_request_is_on_record(model: ScriptedModel) -> None:
    request(model, "messages", "work")
    request(model, "responses", "work")
    # A title is asked for without tools, and takes no reply of the script's.
    request(model, "messages", "work", tools=[])
    assert [(asked.path, asked.script, asked.key) for asked in model.asked()] == [
        ("/v1/messages", "work", "k-1"),
        ("/v1/responses", "work", "k-1"),
        ("/v1/messages", "work", "k-1"),
    ]
    assert [asked.reply for asked in model.asked("work")] == [*EVERY["work"][:2], ASIDE]
    assert model.asked("left") == []
    assert "Please do it." in model.asked()[0].text
