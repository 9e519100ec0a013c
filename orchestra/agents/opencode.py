"""The adapter to OpenCode (kind `opencode`): its command line, event stream, and how its ending is judged.

Facts measured with opencode-ai 1.18.33 (npm) against a scripted model server:

- The prompt goes in by standard input: as an argument it is wrapped in quotes and its own are escaped.
- `permissions: edit` allows edits and exactly the task's check (one with `*` or `?` cannot be allowed: those are its
  wildcards), and denies other commands; `full` approves all. Rules of the person's own for other tools stay.
- Its stream has no last event: it came to its end where the last step did not stop for a tool. A run that stopped
  because a tool was refused ends there too, with status 0.
- A session goes on; what was used is told step by step. A cost of 0 means that it knows no price.
- Where several start at once for the first time, one sets their database up and the others end with status 1,
  `database is locked` on standard error, before any event: that passes.
- It takes 8 s of CPU and 500 MB even for a short run.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

from orchestra.agents.foreign import added, amount, as_object, as_text, count, total
from orchestra.agents.program import Known, ProgramAgent, unless_set
from orchestra.agents.stream import StreamSession
from orchestra.agents.tools import Access, about, tool_used
from orchestra.agents.trouble import Trouble
from orchestra.agents.words import one_line
from orchestra.model.agents import AgentEvent, Invocation, Order, Session
from orchestra.model.outcomes import Exit, Fault, Usage

PROGRAM = "opencode"

ENVIRONMENT = (
    # An update in the middle of a build would give two attempts of one build two different programs.
    ("OPENCODE_DISABLE_AUTOUPDATE", "1"),
)

ACCOUNT = ("ANTHROPIC_API_KEY", "OPENAI_API_KEY", "GEMINI_API_KEY", "OPENROUTER_API_KEY", "OPENCODE_CONFIG")
"""The variables that tell who pays; it serves many providers, and keeps logins of its own."""

MEMORY = 510 * 2**20
"""Bytes that one run holds (PSS)."""

ACCESS: Mapping[str, Access] = {
    **dict.fromkeys(("read", "list", "glob", "grep"), "read"),
    **dict.fromkeys(("write", "edit", "patch", "apply_patch", "multiedit"), "write"),
}
"""What its tools do with the paths that they are given."""

_REFUSED = re.compile(r"rejected permission|rule which prevents", re.IGNORECASE)


class OpenCodeAgent(ProgramAgent):
    """OpenCode without a person: prompt by standard input, events by standard output."""

    known = Known(
        program=PROGRAM,
        title="OpenCode",
        install="npm install -g opencode-ai",
        provider="opencode",
        account=ACCOUNT,
        memory_bytes=MEMORY,
        by_model=True,
    )

    def open(self, order: Order) -> Session:
        """A session for one attempt."""
        variables: tuple[tuple[str, str], ...] = ENVIRONMENT
        rules = self._rules(order)
        if rules:
            variables = (*variables, ("OPENCODE_PERMISSION", json.dumps(rules)))
        return OpenCodeSession(
            Invocation(self._argv(order), order.prompt_file, unless_set(self._spec, variables))
        )

    def _argv(self, order: Order) -> tuple[str, ...]:
        argv = [*self._program(), "run", "--format", "json"]
        if self._spec.permissions == "full" and not order.readonly:
            argv.append("--auto")
        if self._spec.model is not None:
            argv += ["--model", self._spec.model]
        if order.resume is not None:
            argv += ["--session", order.resume.session]
        return (*argv, *self._spec.args)

    def _rules(self, order: Order) -> Mapping[str, object]:
        """What it may do, in its own words."""
        if order.readonly:
            return {"edit": "deny", "bash": "deny"}
        if self._spec.permissions == "full":
            return {}
        check = (order.check or "").strip()
        # The last rule that matches counts.
        exact = {check: "allow"} if check and not set("*?\n") & set(check) else {}
        return {"edit": "allow", "bash": {"*": "deny", **exact}}


class OpenCodeSession(StreamSession):
    """One run of OpenCode: reads its stream and judges its ending."""

    def __init__(self, invocation: Invocation) -> None:
        super().__init__(invocation)
        self._heard = self._started = False
        self._used = Usage()

    def _event(self, event: Mapping[str, object]) -> tuple[AgentEvent, ...]:
        self._heard = True
        self._session = as_text(event.get("sessionID")) or self._session
        part = as_object(event.get("part"))
        match event.get("type"):
            case "step_start":
                # What came before was no end.
                self._finished, self._failure = False, ""
                first, self._started = not self._started, True
                words = one_line(f"opencode {self._session or ''}".strip())
                return (AgentEvent("started", words),) if first else ()
            case "text":
                return self._say(as_text(part.get("text")))
            case "tool_use":
                state = as_object(part.get("state"))
                used = tool_used(part.get("tool"), state.get("input"), ACCESS)
                if state.get("status") == "error" and _REFUSED.search(as_text(state.get("error"))):
                    self._deny(about(used))
                return (used,)
            case "step_finish":
                return self._step(part)
            case "error":
                return self._finish(_error(as_object(event.get("error"))))
            case _:
                return ()

    def _wrong(self, ended: Exit) -> tuple[str, Trouble | None]:
        """See `NotedSession`; whoever could not begin may well do so later."""
        detail, told = super()._wrong(ended)
        if ended.status == 1 and ended.stopped is None and not self._heard:
            told = Trouble(Fault.ENVIRONMENT, transient=True)
        return detail, told

    def _step(self, part: Mapping[str, object]) -> tuple[AgentEvent, ...]:
        self._used = added(self._used, _usage_of(part))
        match as_text(part.get("reason")):
            case "stop":
                return self._finish()
            case "tool-calls":
                # Unless another step follows, it stopped at a tool: that is an end only where one was refused.
                self._finished = bool(self._denied)
                return ()
            case reason:
                return self._finish(f"the model's answer broke off: {reason or 'no reason'}")

    def _usage(self) -> Usage:
        return self._used


def _usage_of(part: Mapping[str, object]) -> Usage:
    tokens = as_object(part.get("tokens"))
    cache = as_object(tokens.get("cache"))
    return Usage(
        input_tokens=count(tokens.get("input")),
        output_tokens=total((count(tokens.get("output")), count(tokens.get("reasoning")))),
        cache_read_tokens=count(cache.get("read")),
        cache_write_tokens=count(cache.get("write")),
        usd=amount(part.get("cost")) or None,
    )


def _error(error: Mapping[str, object]) -> str:
    """`APIError 401: invalid key (retry after 3 s)`, with what is there of it."""
    data = as_object(error.get("data"))
    status = count(data.get("statusCode"))
    label = as_text(error.get("name")) or "error"
    label += f" {status}" if status is not None else ""
    words = as_text(data.get("message")) or as_text(error.get("message"))
    again = as_text(as_object(data.get("responseHeaders")).get("retry-after"))
    words += f" (retry after {again} s)" if again.isdecimal() else ""
    return f"{label}: {words}" if words else label
