"""The adapter to Qwen Code (kind `qwen`): its command line, event stream, and how its ending is judged.

Facts measured with @qwen-code/qwen-code 0.15.10 (npm) against a scripted model server:

- The prompt goes in by standard input, then end of file. Its stream is a dialect of Claude Code's.
- `permissions: edit` is its mode `auto-edit`, and the task's check beside that: its rule allows the check with more
  arguments, too, but no other command joined to it. A check with a comma or of several lines cannot be allowed.
  `full` is `yolo`.
- A refused key is told as a success: status 0, `subtype: success`, no `is_error`; only the answer reads
  `[API Error: 401 …]`.
- SIGTERM to the program that is started ends only that: the real one goes on. Signals go to the group.
- A session goes on from the same folder; what it then says to have used is for the whole session. It tells no cost.
"""

from __future__ import annotations

from collections.abc import Mapping

from orchestra.agents.foreign import as_list, as_object, as_text, count, less, uncached
from orchestra.agents.gemini import check_rule
from orchestra.agents.program import Known, ProgramAgent
from orchestra.agents.stream import StreamSession
from orchestra.agents.tools import Access, about, tool_used
from orchestra.agents.words import one_line
from orchestra.model.agents import AgentEvent, Invocation, Order, Resume, Session
from orchestra.model.outcomes import Usage

PROGRAM = "qwen"

ACCOUNT = ("OPENAI_API_KEY", "OPENAI_BASE_URL", "DASHSCOPE_API_KEY")
"""The variables that tell who pays and which service is called; none of them set: a login."""

MEMORY = 415 * 2**20
"""Bytes that one run holds (PSS, two processes of node)."""

ACCESS: Mapping[str, Access] = {
    **dict.fromkeys(("read_file", "read_many_files", "list_directory", "glob", "grep_search"), "read"),
    **dict.fromkeys(("write_file", "edit"), "write"),
}
"""What its tools do with the paths that they are given."""

FALSE_ANSWER = "[API Error"
"""How an answer begins that is none."""


class QwenAgent(ProgramAgent):
    """Qwen Code without a person: prompt by standard input, events by standard output."""

    known = Known(
        program=PROGRAM,
        title="Qwen Code",
        install="npm install -g @qwen-code/qwen-code",
        provider="qwen",
        account=ACCOUNT,
        memory_bytes=MEMORY,
    )

    def open(self, order: Order) -> Session:
        """A session for one attempt."""
        return QwenSession(Invocation(self._argv(order), order.prompt_file), order.resume)

    def _argv(self, order: Order) -> tuple[str, ...]:
        argv = [*self._program(), "--output-format", "stream-json"]
        if order.readonly:
            argv += ["--approval-mode", "plan"]
        elif self._spec.permissions == "full":
            argv += ["--approval-mode", "yolo"]
        else:
            argv += ["--approval-mode", "auto-edit"]
            rule = check_rule(order.check)
            if rule is not None:
                # With `=`: the option takes any number of values and would swallow what follows it.
                argv.append(f"--allowed-tools={rule}")
        if self._spec.model is not None:
            argv += ["--model", self._spec.model]
        if order.resume is not None:
            argv += ["--resume", order.resume.session]
        if self._spec.max_turns is not None:
            argv += ["--max-session-turns", str(self._spec.max_turns)]
        return (*argv, *self._spec.args)


class QwenSession(StreamSession):
    """One run of Qwen Code: reads its stream and judges its ending."""

    def __init__(self, invocation: Invocation, resume: Resume | None) -> None:
        super().__init__(invocation)
        self._before = resume.used if resume is not None else Usage()
        self._used = Usage()

    def _event(self, event: Mapping[str, object]) -> tuple[AgentEvent, ...]:
        self._session = as_text(event.get("session_id")) or self._session
        match event.get("type"):
            case "system" if event.get("subtype") == "init":
                self._model = as_text(event.get("model")) or self._model
                version = as_text(event.get("qwen_code_version"))
                return (AgentEvent("started", one_line(f"qwen {version} {self._model or ''}".strip())),)
            case "assistant":
                return self._answer(as_list(as_object(event.get("message")).get("content")))
            case "result":
                return self._result(event)
            case _:
                return ()

    def _answer(self, content: list[object]) -> tuple[AgentEvent, ...]:
        events: list[AgentEvent] = []
        for block in map(as_object, content):
            if block.get("type") == "text":
                events += self._say(as_text(block.get("text")))
            elif block.get("type") == "tool_use":
                events.append(tool_used(block.get("name"), block.get("input"), ACCESS))
        return tuple(events)

    def _result(self, event: Mapping[str, object]) -> tuple[AgentEvent, ...]:
        usage = as_object(event.get("usage"))
        read = usage.get("cache_read_input_tokens")
        self._used = Usage(
            uncached(usage.get("input_tokens"), read), count(usage.get("output_tokens")), count(read)
        )
        for denial in map(as_object, as_list(event.get("permission_denials"))):
            self._deny(about(tool_used(denial.get("tool_name"), denial.get("tool_input"), ACCESS)))
        subtype, answer = as_text(event.get("subtype")), as_text(event.get("result"))
        error = as_text(as_object(event.get("error")).get("message"))
        if subtype != "success" or event.get("is_error") is not False:
            words = error or answer
            label = subtype if subtype != "success" else "error"
            return self._finish(
                f"{label or 'result without a subtype'}: {words}" if words else label or "error"
            )
        if answer.lstrip().startswith(FALSE_ANSWER):
            return self._finish(answer)
        return self._finish()

    def _usage(self) -> Usage:
        """What this run used: after a resume the stream counts from the session's beginning."""
        return less(self._used, self._before)
