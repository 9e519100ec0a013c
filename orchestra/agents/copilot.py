"""The adapter to GitHub Copilot CLI (kind `copilot`): its command line, event stream, and how its ending is judged.

Facts measured with @github/copilot 1.0.102 (npm) against a scripted model server, without a login at GitHub:

- The prompt goes in by standard input, then end of file.
- `permissions: edit` allows edits. Its rules for commands know only a command's name (`shell(python3)`), which is far
  more than one check, so none is given: orchestra runs the check. `full` allows all.
- Stopped by a signal, only the program that is started ends unless the signal goes to the group.
- Its last event repeats its exit status. It tells neither tokens nor cost.
- A session goes on from any folder.
"""

from __future__ import annotations

from collections.abc import Mapping

from orchestra.agents.foreign import as_object, as_text, count
from orchestra.agents.program import Known, ProgramAgent, unless_set
from orchestra.agents.stream import StreamSession
from orchestra.agents.tools import Access, about, tool_used
from orchestra.agents.words import one_line
from orchestra.model.agents import AgentEvent, Invocation, Order, Session
from orchestra.model.outcomes import Usage

PROGRAM = "copilot"

ENVIRONMENT = (
    # An update in the middle of a build would give two attempts of one build two different programs.
    ("COPILOT_AUTO_UPDATE", "false"),
)

ACCOUNT = ("COPILOT_GITHUB_TOKEN", "GH_TOKEN", "GITHUB_TOKEN", "COPILOT_PROVIDER_BASE_URL", "COPILOT_HOME")
"""The variables that tell who pays and which service is called; none of them set: a login."""

MEMORY = 350 * 2**20
"""Bytes that one run holds (PSS)."""

ACCESS: Mapping[str, Access] = {
    **dict.fromkeys(("view", "grep", "rg", "glob"), "read"),
    **dict.fromkeys(("create", "edit", "str_replace", "insert", "apply_patch"), "write"),
}
"""What its tools do with the paths that they are given."""


class CopilotAgent(ProgramAgent):
    """Copilot CLI without a person: prompt by standard input, events by standard output."""

    known = Known(
        program=PROGRAM,
        title="Copilot CLI",
        install="npm install -g @github/copilot",
        provider="github",
        account=ACCOUNT,
        memory_bytes=MEMORY,
    )

    def open(self, order: Order) -> Session:
        """A session for one attempt."""
        return CopilotSession(
            Invocation(self._argv(order), order.prompt_file, unless_set(self._spec, ENVIRONMENT))
        )

    def _argv(self, order: Order) -> tuple[str, ...]:
        argv = [*self._program(), "--output-format", "json", "--no-color"]
        if order.readonly:
            argv += ["--deny-tool=write", "--deny-tool=shell"]
        elif self._spec.permissions == "full":
            argv.append("--allow-all")
        else:
            argv.append("--allow-tool=write")
        if self._spec.model is not None:
            argv += ["--model", self._spec.model]
        if order.resume is not None:
            argv.append(f"--resume={order.resume.session}")
        return (*argv, *self._spec.args)


class CopilotSession(StreamSession):
    """One run of Copilot CLI: reads its stream and judges its ending."""

    def __init__(self, invocation: Invocation) -> None:
        super().__init__(invocation)
        self._error = ""
        self._tools: dict[str, AgentEvent] = {}

    def _event(self, event: Mapping[str, object]) -> tuple[AgentEvent, ...]:
        data = as_object(event.get("data"))
        match event.get("type"):
            case "session.tools_updated":
                self._model = as_text(data.get("model")) or self._model
                return (AgentEvent("started", one_line(f"copilot {self._model or ''}".strip())),)
            case "assistant.message":
                self._error = ""
                return self._say(as_text(data.get("content")))
            case "tool.execution_start":
                used = tool_used(data.get("toolName"), data.get("arguments"), ACCESS)
                self._tools[as_text(data.get("toolCallId"))] = used
                return (used,)
            case "tool.execution_complete":
                if as_object(data.get("error")).get("code") == "denied":
                    denied = self._tools.get(as_text(data.get("toolCallId")))
                    self._deny(about(denied) if denied else "a tool")
                return ()
            case "model.call_failure":
                self._worry = _failure(data)
                return ()
            case "assistant.turn_retry":
                return self._wait(f"retry: {self._worry or as_text(data.get('reason'))}")
            case "session.error":
                self._error = as_text(data.get("message")) or as_text(data.get("errorType")) or "an error"
                return ()
            case "result":
                return self._result(event)
            case _:
                return ()

    def _result(self, event: Mapping[str, object]) -> tuple[AgentEvent, ...]:
        self._session = as_text(event.get("sessionId")) or self._session
        status = count(event.get("exitCode"))
        if status == 0 and not self._error:
            return self._finish()
        return self._finish(
            self._error or f"ended with {'no status' if status is None else f'status {status}'}"
        )

    def _usage(self) -> Usage:
        return Usage()


def _failure(data: Mapping[str, object]) -> str:
    status, message = count(data.get("statusCode")), as_text(data.get("errorMessage"))
    label = f"API error {status}" if status is not None else "API error"
    return one_line(f"{label}: {message}" if message else label)
