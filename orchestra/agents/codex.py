"""The adapter to OpenAI's Codex (kind `codex`): `codex exec`, its event stream, and how its ending is judged.

Facts measured with @openai/codex 0.169.0 (npm) against a scripted model server:

- The prompt goes in by standard input, then end of file: on an open pipe it waits for ever.
- `permissions: edit` is its sandbox `workspace-write`: any command may run, the task's check too, and write only
  below the worktree and in the temporary folders, without network; `.git` is read-only in there, which is no
  trouble, since results are captured from outside. `full` is without sandbox.
- It has no limit of turns, tells no cost, and hangs for ever on a server that never answers: the stall limit is for
  that. CODEX_HOME must not lie below the temporary folder, or its sandbox does not start.
- A session goes on from any folder; what it then says to have used is for the whole session.
- Commands that end at once now and then have no event.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from orchestra.agents.foreign import as_list, as_object, as_text, count, less, uncached
from orchestra.agents.program import Known, ProgramAgent
from orchestra.agents.stream import StreamSession
from orchestra.agents.tools import command_run
from orchestra.agents.words import one_line
from orchestra.model.agents import AgentEvent, Invocation, Order, Resume, Session
from orchestra.model.outcomes import Usage

PROGRAM = "codex"

SETTINGS = (
    # Only the model's service is called.
    "-c", "check_for_update_on_startup=false",
    "-c", "analytics.enabled=false",
)  # fmt: skip

ACCOUNT = ("CODEX_API_KEY", "OPENAI_API_KEY", "OPENAI_BASE_URL", "CODEX_HOME")
"""The variables that tell who pays and which service is called; none of them set: a subscription."""

MEMORY = 165 * 2**20
"""Bytes that one run holds (PSS: the program 140 MB, the node that starts it 38)."""

_REFUSED = re.compile(r"Read-only file system|Operation not permitted|rejected by user approval settings")
_GIT = re.compile(r"[/'\" ]\.git[/'\": ]")


class CodexAgent(ProgramAgent):
    """Codex without a person: prompt by standard input, events by standard output."""

    known = Known(
        program=PROGRAM,
        title="Codex",
        install="npm install -g @openai/codex",
        provider="openai",
        account=ACCOUNT,
        memory_bytes=MEMORY,
    )

    def open(self, order: Order) -> Session:
        """A session for one attempt."""
        return CodexSession(Invocation(self._argv(order), stdin_file=order.prompt_file), order.resume)

    def _argv(self, order: Order) -> tuple[str, ...]:
        argv = [*self._program(), "exec", "--json", "--skip-git-repo-check", *SETTINGS]
        if order.readonly:
            argv += ["--sandbox", "read-only"]
        elif self._spec.permissions == "full":
            argv.append("--dangerously-bypass-approvals-and-sandbox")
        else:
            argv += ["--sandbox", "workspace-write"]
        if self._spec.model is not None:
            argv += ["--model", self._spec.model]
        argv += self._spec.args
        if order.resume is not None:
            # Options go before it: `resume` itself knows no --sandbox, but heeds the one of `exec`.
            argv += ["resume", order.resume.session]
        return (*argv, "-")


class CodexSession(StreamSession):
    """One run of Codex: reads its stream and judges its ending."""

    def __init__(self, invocation: Invocation, resume: Resume | None) -> None:
        super().__init__(invocation)
        self._before = resume.used if resume is not None else Usage()
        self._used = Usage()
        self._shown: set[str] = set()

    def _event(self, event: Mapping[str, object]) -> tuple[AgentEvent, ...]:
        match event.get("type"):
            case "thread.started":
                self._session = as_text(event.get("thread_id")) or self._session
                return (AgentEvent("started", one_line(f"codex {self._session or ''}".strip())),)
            case "item.started" | "item.updated" | "item.completed":
                return self._item(as_object(event.get("item")), done=event.get("type") == "item.completed")
            case "error":
                return self._error(as_text(event.get("message")))
            case "turn.completed":
                self._used = _usage_of(as_object(event.get("usage")))
                return self._finish()
            case "turn.failed":
                error = as_text(as_object(event.get("error")).get("message"))
                return self._finish(error or self._worry or "the turn failed")
            case _:
                return ()

    def _item(self, item: Mapping[str, object], *, done: bool) -> tuple[AgentEvent, ...]:
        kind, identity = as_text(item.get("type")), as_text(item.get("id"))
        if kind == "agent_message":
            return self._say(as_text(item.get("text"))) if done else ()
        if kind == "command_execution" and done:
            self._look_for_refusal(item)
        # Shown when it begins, once; what is over at once comes only as completed.
        if identity in self._shown:
            return ()
        self._shown |= {identity} if identity else set()
        match kind:
            case "command_execution":
                return (command_run(as_text(item.get("command")), "shell"),)
            case "file_change":
                changes = tuple(map(as_object, as_list(item.get("changes"))))
                paths = tuple(one_line(as_text(change.get("path")), 4096) for change in changes)
                kinds = dict.fromkeys(as_text(change.get("kind")) for change in changes)
                return (
                    AgentEvent(
                        "tool",
                        one_line(", ".join(filter(None, kinds))),
                        name="apply_patch",
                        paths=tuple(filter(None, paths)),
                        access="write",
                    ),
                )
            case "mcp_tool_call":
                return (AgentEvent("tool", name=one_line(as_text(item.get("tool")) or "mcp", 80)),)
            case "web_search":
                return (AgentEvent("tool", one_line(as_text(item.get("query"))), name="web_search"),)
            case _:
                # `error` among the items is only a warning: of a model that it does not know, say.
                return ()

    def _error(self, message: str) -> tuple[AgentEvent, ...]:
        if message.startswith("Reconnecting"):
            return self._wait(message)
        self._worry = one_line(message) or self._worry
        return ()

    def _look_for_refusal(self, item: Mapping[str, object]) -> None:
        """The sandbox refuses only in the words of the commands that run in it; a refused patch is told on
        standard error alone. That git cannot write is how it is meant to be.
        """
        for line in as_text(item.get("aggregated_output")).split("\n"):
            if _REFUSED.search(line) and not _GIT.search(line):
                self._deny(as_text(item.get("command")))
                return

    def _usage(self) -> Usage:
        """What this run used: after a resume the stream counts from the session's beginning."""
        return less(self._used, self._before)


def _usage_of(usage: Mapping[str, object]) -> Usage:
    """Its input tokens hold the cached ones."""
    read, written = usage.get("cached_input_tokens"), usage.get("cache_write_input_tokens")
    return Usage(
        input_tokens=uncached(usage.get("input_tokens"), read, written),
        output_tokens=count(usage.get("output_tokens")),
        cache_read_tokens=count(read),
        cache_write_tokens=count(written),
    )
