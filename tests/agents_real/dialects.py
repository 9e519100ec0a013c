"""The two protocols that the scripted model speaks: Anthropic's Messages and OpenAI's Responses. Pure.

Each turns a request's body into what the script needs to know of it, and a reply into the body of an answer: as
server-sent events, or as one object where the program did not ask for a stream. The shapes are those of the
public descriptions of both interfaces, as far as Claude Code and Codex look at them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Protocol

from tests.agents_real.script import Edit, Fail, Read, Shell, Tool, Turn, Write

Json = dict[str, Any]
Frames = Iterator[tuple[str, Json]]
"""Server-sent events: name and data."""


class Dialect(Protocol):
    """One protocol."""

    def prompts(self, body: Json) -> Iterator[str]:
        """What the user's side said, in order."""
        ...

    def tools(self, body: Json) -> Mapping[str, Json]:
        """The tools that the program offers, by name."""
        ...

    def frames(self, turn: Turn, body: Json, number: int) -> Frames:
        """A reply as a stream; `number` makes its identifiers unique."""
        ...

    def whole(self, turn: Turn, body: Json, number: int) -> Json:
        """A reply in one piece."""
        ...

    def error(self, fail: Fail) -> Json:
        """The body of an error."""
        ...


def texts(content: object) -> Iterator[str]:
    """All texts in the content of a message, whichever of its shapes it has."""
    if isinstance(content, str):
        yield content
    elif isinstance(content, list):
        for part in content:
            yield from texts(part)
    elif isinstance(content, dict):
        yield from texts(content.get("text"))


class Messages:
    """Anthropic's Messages, as Claude Code speaks it."""

    def prompts(self, body: Json) -> Iterator[str]:
        """See `Dialect`."""
        for message in body.get("messages", []):
            if message.get("role") == "user":
                yield from texts(message.get("content"))

    def tools(self, body: Json) -> Mapping[str, Json]:
        """See `Dialect`."""
        return {tool["name"]: tool for tool in body.get("tools") or []}

    def frames(self, turn: Turn, body: Json, number: int) -> Frames:
        """See `Dialect`."""
        whole = self.whole(turn, body, number)
        begun = {**whole, "content": [], "stop_reason": None, "usage": {**whole["usage"], "output_tokens": 1}}
        yield "message_start", {"message": begun}
        for index, block in enumerate(whole["content"]):
            if block["type"] == "text":
                empty, delta = {**block, "text": ""}, {"type": "text_delta", "text": block["text"]}
            else:
                given = json.dumps(block["input"])
                empty, delta = {**block, "input": {}}, {"type": "input_json_delta", "partial_json": given}
            yield "content_block_start", {"index": index, "content_block": empty}
            yield "content_block_delta", {"index": index, "delta": delta}
            yield "content_block_stop", {"index": index}
        ended = {"stop_reason": whole["stop_reason"], "stop_sequence": None}
        yield "message_delta", {"delta": ended, "usage": whole["usage"]}
        yield "message_stop", {}

    def whole(self, turn: Turn, body: Json, number: int) -> Json:
        """See `Dialect`."""
        said: list[Json] = [{"type": "text", "text": turn.text}] if turn.text else []
        for index, tool in enumerate(turn.tools):
            name, given = self._call(tool)
            said.append({"type": "tool_use", "id": f"toolu_{number}_{index}", "name": name, "input": given})
        return {
            "id": f"msg_{number}",
            "type": "message",
            "role": "assistant",
            "model": body.get("model"),
            "content": said,
            "stop_reason": "tool_use" if turn.tools else "end_turn",
            "stop_sequence": None,
            "usage": {
                "input_tokens": turn.input_tokens,
                "output_tokens": turn.output_tokens,
                "cache_creation_input_tokens": 0,
                "cache_read_input_tokens": 0,
            },
        }

    def error(self, fail: Fail) -> Json:
        """See `Dialect`."""
        kinds = {
            400: "invalid_request_error",
            401: "authentication_error",
            429: "rate_limit_error",
            529: "overloaded_error",
        }
        return {
            "type": "error",
            "error": {"type": kinds.get(fail.status, "api_error"), "message": fail.message},
        }

    def _call(self, tool: Tool) -> tuple[str, Json]:
        match tool:
            case Write(path, content):
                return "Write", {"file_path": path, "content": content}
            case Edit(path, old, new):
                return "Edit", {"file_path": path, "old_string": old, "new_string": new}
            case Read(path):
                return "Read", {"file_path": path}
            case Shell(command):
                return "Bash", {"command": command, "description": "Run it"}


class Responses:
    """OpenAI's Responses, as Codex speaks it: files are changed by patches, and read by commands."""

    def prompts(self, body: Json) -> Iterator[str]:
        """See `Dialect`."""
        given = body.get("input", [])
        for item in [{"role": "user", "content": given}] if isinstance(given, str) else given:
            if item.get("type", "message") == "message" and item.get("role") == "user":
                yield from texts(item.get("content"))

    def tools(self, body: Json) -> Mapping[str, Json]:
        """See `Dialect`."""
        return {tool["name"]: tool for tool in body.get("tools") or [] if "name" in tool}

    def frames(self, turn: Turn, body: Json, number: int) -> Frames:
        """See `Dialect`."""
        whole = self.whole(turn, body, number)
        begun = {**whole, "status": "in_progress", "output": [], "usage": None}
        yield "response.created", {"response": begun}
        for index, item in enumerate(whole["output"]):
            place = {"output_index": index, "item_id": item["id"]}
            yield "response.output_item.added", {**place, "item": {**item, "status": "in_progress"}}
            if item["type"] == "message":
                delta = {**place, "content_index": 0, "delta": turn.text}
                yield "response.output_text.delta", delta
            yield "response.output_item.done", {**place, "item": item}
        yield "response.completed", {"response": whole}

    def whole(self, turn: Turn, body: Json, number: int) -> Json:
        """See `Dialect`."""
        output: list[Json] = []
        if turn.text:
            content = [{"type": "output_text", "text": turn.text, "annotations": []}]
            output.append({"type": "message", "role": "assistant", "content": content})
        output += (self._call(tool, self.tools(body)) for tool in turn.tools)
        for index, item in enumerate(output):
            item |= {"id": f"item_{number}_{index}", "status": "completed"}
            if item["type"] != "message":
                item["call_id"] = f"call_{number}_{index}"
        return {
            "id": f"resp_{number}",
            "object": "response",
            "status": "completed",
            "model": body.get("model"),
            "output": output,
            "error": None,
            "usage": {
                "input_tokens": turn.input_tokens,
                "input_tokens_details": {"cached_tokens": 0},
                "output_tokens": turn.output_tokens,
                "output_tokens_details": {"reasoning_tokens": 0},
                "total_tokens": turn.input_tokens + turn.output_tokens,
            },
        }

    def error(self, fail: Fail) -> Json:
        """See `Dialect`."""
        return {"error": {"message": fail.message, "type": "error", "code": str(fail.status)}}

    def _call(self, tool: Tool, offered: Mapping[str, Json]) -> Json:
        match tool:
            case Write(path, content):
                patch = f"*** Add File: {path}\n" + _lines("+", content)
            case Edit(path, old, new):
                patch = f"*** Update File: {path}\n@@\n" + _lines("-", old) + _lines("+", new)
            case Read(path):
                return self._call(Shell(f"cat {path}"), offered)
            case Shell(command):
                return {
                    "type": "function_call",
                    "name": "exec_command",
                    "arguments": json.dumps({"cmd": command}),
                }
        whole = f"*** Begin Patch\n{patch}*** End Patch\n"
        if offered.get("apply_patch", {}).get("type") == "custom":
            return {"type": "custom_tool_call", "name": "apply_patch", "input": whole}
        arguments = json.dumps({"input": whole})
        return {"type": "function_call", "name": "apply_patch", "arguments": arguments}


def _lines(sign: str, text: str) -> str:
    return "".join(f"{sign}{line}\n" for line in text.splitlines())
