"""The adapter to Google's Gemini CLI (kind `gemini`): its command line, event stream, and how its ending is judged.

Facts measured with @google/gemini-cli 0.61.0 (npm) against a scripted model server:

- The prompt goes in by standard input, then end of file.
- `permissions: edit` is its mode `auto_edit`, and the task's check beside that: its rule allows the check with more
  arguments, too, but no other command joined to it. A check with a comma or of several lines cannot be allowed.
  `full` is `yolo`.
- Stopped by a signal to its group it ends with status 0 and without a last event. The program that is started passes
  no signals on, and commands that it runs survive it: the supervisor is for both.
- Trouble with the service is told on standard error alone until it gives up (status 145 on a 401); it does not heed
  Retry-After. Its limit of turns is a setting, not an option.
- A session goes on from the same folder; what it then says to have used is for that run alone.
"""

from __future__ import annotations

from collections.abc import Mapping

from orchestra.agents.foreign import as_object, as_text, count, total, uncached
from orchestra.agents.program import Known, ProgramAgent, unless_set
from orchestra.agents.stream import StreamSession
from orchestra.agents.tools import Access, about, tool_used
from orchestra.agents.words import one_line
from orchestra.model.agents import AgentEvent, Invocation, Judgement, Order, Session
from orchestra.model.outcomes import Exit, Usage

PROGRAM = "gemini"

ENVIRONMENT = (
    # In a folder that it was not told to trust it allows nothing; a worktree is a copy of the person's checkout.
    ("GEMINI_CLI_TRUST_WORKSPACE", "true"),
)

ACCOUNT = ("GEMINI_API_KEY", "GOOGLE_API_KEY", "GOOGLE_CLOUD_PROJECT", "GOOGLE_GEMINI_BASE_URL")
"""The variables that tell who pays and which service is called; none of them set: a login."""

MEMORY = 320 * 2**20
"""Bytes that one run holds (PSS, two processes of node)."""

ACCESS: Mapping[str, Access] = {
    **dict.fromkeys(("read_file", "read_many_files", "list_directory", "glob"), "read"),
    **dict.fromkeys(("grep_search", "search_file_content"), "read"),
    **dict.fromkeys(("write_file", "replace"), "write"),
}
"""What its tools do with the paths that they are given."""

MOST_SAID = 16_000
"""Characters that are gathered of what comes in pieces."""


class GeminiAgent(ProgramAgent):
    """Gemini CLI without a person: prompt by standard input, events by standard output."""

    known = Known(
        program=PROGRAM,
        title="Gemini CLI",
        install="npm install -g @google/gemini-cli",
        provider="google",
        account=ACCOUNT,
        memory_bytes=MEMORY,
    )

    def open(self, order: Order) -> Session:
        """A session for one attempt."""
        return GeminiSession(
            Invocation(self._argv(order), order.prompt_file, unless_set(self._spec, ENVIRONMENT))
        )

    def _argv(self, order: Order) -> tuple[str, ...]:
        argv = [*self._program(), "--output-format", "stream-json"]
        if order.readonly:
            argv += ["--approval-mode", "plan"]
        elif self._spec.permissions == "full":
            argv += ["--approval-mode", "yolo"]
        else:
            argv += ["--approval-mode", "auto_edit"]
            rule = check_rule(order.check)
            if rule is not None:
                # With `=`: the option takes any number of values and would swallow what follows it.
                argv.append(f"--allowed-tools={rule}")
        if self._spec.model is not None:
            argv += ["--model", self._spec.model]
        if order.resume is not None:
            argv += ["--resume", order.resume.session]
        return (*argv, *self._spec.args)


def check_rule(check: str | None) -> str | None:
    """The rule that allows the command `check`, for this program and its kin; None where no rule does."""
    command = (check or "").strip()
    # The option's value is split at commas.
    if not command or "," in command or "\n" in command:
        return None
    return f"run_shell_command({command})"


class GeminiSession(StreamSession):
    """One run of Gemini CLI: reads its stream and judges its ending."""

    def __init__(self, invocation: Invocation) -> None:
        super().__init__(invocation)
        self._used = Usage()
        self._saying = ""
        self._tools: dict[str, AgentEvent] = {}

    def judge(self, ended: Exit) -> Judgement:
        """See `StreamSession`; what it was just saying counts as said."""
        self._said_so_far()
        return super().judge(ended)

    def _event(self, event: Mapping[str, object]) -> tuple[AgentEvent, ...]:
        kind = event.get("type")
        if kind == "message" and event.get("role") == "assistant":
            # An answer comes in pieces.
            self._saying = (self._saying + as_text(event.get("content")))[:MOST_SAID]
            return () if event.get("delta") is True else self._said_so_far()
        said = self._said_so_far()
        match kind:
            case "init":
                self._session = as_text(event.get("session_id")) or self._session
                self._model = as_text(event.get("model")) or self._model
                return (*said, AgentEvent("started", one_line(f"gemini {self._model or ''}".strip())))
            case "tool_use":
                used = tool_used(event.get("tool_name"), event.get("parameters"), ACCESS)
                self._tools[as_text(event.get("tool_id"))] = used
                return (*said, used)
            case "tool_result":
                if as_object(event.get("error")).get("type") == "policy_violation":
                    denied = self._tools.get(as_text(event.get("tool_id")))
                    self._deny(about(denied) if denied else "a tool")
                return said
            case "result":
                self._used = _usage_of(as_object(event.get("stats")))
                if event.get("status") == "success":
                    return (*said, *self._finish())
                error = as_text(as_object(event.get("error")).get("message"))
                return (
                    *said,
                    *self._finish(error or f"ended with {as_text(event.get('status')) or 'no status'}"),
                )
            case _:
                return said

    def _said_so_far(self) -> tuple[AgentEvent, ...]:
        words, self._saying = self._saying, ""
        return self._say(words)

    def _usage(self) -> Usage:
        return self._used


def _usage_of(stats: Mapping[str, object]) -> Usage:
    """Its input tokens hold the cached ones; what it thought counts as output."""
    read = stats.get("cached")
    output = count(stats.get("output_tokens"))
    whole, taken = count(stats.get("total_tokens")), count(stats.get("input_tokens"))
    if whole is not None and taken is not None:
        output = total((output, max(0, whole - taken - (output or 0))))
    return Usage(uncached(stats.get("input_tokens"), read), output, count(read))
