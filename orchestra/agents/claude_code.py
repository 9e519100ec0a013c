"""The adapter to Claude Code (kind `claude-code`): its command line, its event stream, and how its ending is judged.

Facts measured with claude 2.1.197 (npm) and 2.1.330 (bundled with claude-agent-sdk 0.2.187 on PyPI) against a
scripted model server. Promises: nothing that the program prints makes it raise, and no single sign of success is
believed.
"""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Mapping

from orchestra.agents.plain import fault_of
from orchestra.agents.words import clean, one_line
from orchestra.model.agents import AgentEvent, Invocation, Judgement, Order, Session, Traits
from orchestra.model.outcomes import Exit, Fault, Outcome, Usage
from orchestra.model.tasks import AgentSpec

PROGRAM = "claude"

ENVIRONMENT = (
    # Only the model's API is called: no telemetry, error reports, surveys or look-ups for new versions.
    ("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1"),
    # An update in the middle of a build would give two attempts of one build two different programs.
    ("DISABLE_AUTOUPDATER", "1"),
)

ACCOUNT = ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "CLAUDE_CODE_OAUTH_TOKEN", "ANTHROPIC_BASE_URL")
"""The variables that tell who pays and which service is called; none of them set: a subscription."""

MEMORY = 300 * 2**20
"""Bytes that one run holds (PSS, with its node or bundled runtime); each further one beside it adds about 100 MB."""

_MOST = 2**53
"""Counts above this are nonsense (and not exact in JSON everywhere)."""


class ClaudeCodeAgent:
    """Claude Code without a person: prompt by standard input, events by standard output."""

    def __init__(self, spec: AgentSpec) -> None:
        self._spec = spec

    @property
    def traits(self) -> Traits:
        """It reads the prompt, and goes on with a session from the same folder."""
        return Traits(
            told=True,
            resumes=True,
            provider="anthropic",
            account=ACCOUNT,
            memory_bytes=MEMORY,
            version=(*self._program(), "--version"),
        )

    def missing(self) -> str | None:
        """What is not installed and how to get it."""
        program = self._program()[0]
        if shutil.which(program, path=dict(self._spec.env).get("PATH")):
            return None
        hint = "npm install -g @anthropic-ai/claude-code" if program == PROGRAM else "see its `command`"
        return f"agent {self._spec.name} needs Claude Code, but {program} is not on PATH ({hint})"

    def open(self, order: Order) -> Session:
        """A session for one attempt."""
        set_by_person = {name for name, _ in self._spec.env} | set(self._spec.passes)
        return ClaudeCodeSession(
            Invocation(
                argv=self._argv(order),
                # Not as an argument: those end at 128 KiB, and show in every list of processes.
                stdin_file=order.prompt_file,
                env=tuple(pair for pair in ENVIRONMENT if pair[0] not in set_by_person),
            )
        )

    def _program(self) -> tuple[str, ...]:
        """The program: the one on PATH, or what the manifest's `command` names (a bundled one, say)."""
        return self._spec.command if self._spec.command and self._spec.command[0] else (PROGRAM,)

    def _argv(self, order: Order) -> tuple[str, ...]:
        # stream-json needs --verbose: without it exit status 1 and a word on standard error only.
        argv = [*self._program(), "-p", "--output-format", "stream-json", "--verbose"]
        if self._spec.permissions == "full":
            # Refused for root ("cannot be used with root/sudo privileges") unless IS_SANDBOX=1 is set: that says
            # "nothing here can be harmed", which is for the person to say, in the agent's `env`.
            argv.append("--dangerously-skip-permissions")
        else:
            argv += ["--permission-mode", "acceptEdits"]
            rule = check_rule(order.check)
            if rule is not None:
                # With `=`: the option takes any number of values and would swallow what follows it.
                argv.append(f"--allowedTools={rule}")
        if self._spec.model is not None:
            argv += ["--model", self._spec.model]
        if order.usd is not None:
            argv += ["--max-budget-usd", f"{order.usd:.4f}"]
        if order.resume is not None:
            # Sessions are kept by folder: only from the same worktree does it find its own again.
            argv += ["--resume", order.resume.session]
        if self._spec.max_turns is not None:
            # Accepted, though --help of 2.1.197 does not list it.
            argv += ["--max-turns", str(self._spec.max_turns)]
        return (*argv, *self._spec.args)


def check_rule(check: str | None) -> str | None:
    """The permission rule that allows exactly the command `check`; None where no rule does.

    Measured with 2.1.330: a rule's backslashes and parentheses are escaped by backslashes; `*` is a wildcard that
    nothing escapes, so a check that holds one cannot be allowed exactly and is not (orchestra runs it all the
    same); in a pipe each command is asked for by itself, so the rule for the whole pipe has no effect.
    """
    command = (check or "").strip()
    if not command or "*" in command:
        return None
    for special in "\\()":
        command = command.replace(special, "\\" + special)
    return f"Bash({command})"


class ClaudeCodeSession:
    """One run of Claude Code: reads its stream and judges its ending."""

    def __init__(self, invocation: Invocation) -> None:
        self._invocation = invocation
        self._started = False
        self._session: str | None = None
        self._said = ""
        self._noise = ""
        self._result: Mapping[str, object] | None = None
        self._messages: dict[str, Usage] = {}
        self._denials: dict[str, str] = {}

    @property
    def invocation(self) -> Invocation:
        """The command to run."""
        return self._invocation

    def read(self, line: str) -> tuple[AgentEvent, ...]:
        """What one line of the stream means. Lines that are not JSON, unknown events and foreign shapes mean
        nothing. Keys come in any order (2.1.330 writes a result's `type` last).
        """
        event = _parse(line)
        if event is None:
            self._noise = one_line(line) or self._noise
            return ()
        self._session = _text(event.get("session_id")) or self._session
        match event.get("type"):
            case "system":
                return self._system(event)
            case "assistant":
                return self._assistant(event)
            case "result":
                return self._finish(event)
            case _:
                return ()

    def judge(self, ended: Exit) -> Judgement:
        """Success only if it ended by itself with status 0 and its last result says `success` without error.

        Each of these alone has been seen to lie: status 0 with `is_error` (SIGINT), status 0 and `success` after
        our own SIGTERM, `subtype: success` with `is_error` (401, 500), status 0 with all tools denied.
        """
        detail, fault = self._fault(ended)
        denied = one_line("denied: " + ", ".join(self._denials.values())) if self._denials else ""
        result = self._result or {}
        return Judgement(
            outcome=Outcome.FAILED if detail else Outcome.SUCCESS,
            fault=fault,
            detail=detail or denied,
            summary=one_line(_text(result.get("result")) or self._said),
            blocked=bool(self._denials),
            usage=self._usage(),
            session=one_line(self._session) if self._session else None,
            transient=bool(detail) and ended.stopped is None and self._may_pass(),
        )

    def _may_pass(self) -> bool:
        """Whether the API's last error may be over soon: too many requests, a timeout, or a fault of the service.

        The program has tried again itself, for minutes, before it says so.
        """
        status = (self._result or {}).get("api_error_status")
        return isinstance(status, int) and (status in (408, 429) or 500 <= status < 600)

    def _fault(self, ended: Exit) -> tuple[str, Fault | None]:
        """What went wrong in one line ("" where nothing did), and whose fault it is."""
        if ended.stopped is not None:
            return one_line(f"stopped: {ended.stopped}"), None
        if self._result is None:
            # No result event: cut off, killed, or never begun; not even status 0 makes that a success.
            words = self._said or self._noise
            ending = f"ended without a result, {ended.describe()}"
            return one_line(f"{ending}: {words}" if words else ending), fault_of(ended)
        subtype = _text(self._result.get("subtype"))
        if self._result.get("is_error") is not False or subtype != "success":
            errors = "; ".join(_text(each) for each in _list(self._result.get("errors")))
            words = _text(self._result.get("result")) or errors or self._said
            status = self._result.get("api_error_status")
            if subtype != "success":
                label = subtype or "result without a subtype"
            else:
                label = f"API error {status}" if isinstance(status, int) else "error"
            return one_line(f"{label}: {words}" if words else label), self._blame(subtype)
        if ended.status != 0:
            return f"{ended.describe()} after a result without error", fault_of(ended)
        return "", None

    def _blame(self, subtype: str) -> Fault:
        """`success` with `is_error` is how trouble with the API is told (401, 500, no key, a body that cannot be
        parsed): the environment's fault, unless the prompt outgrew the model. `error_max_turns` and the like are
        the agent's.
        """
        reason = (self._result or {}).get("terminal_reason")
        return Fault.ENVIRONMENT if subtype == "success" and reason != "prompt_too_long" else Fault.AGENT

    def _system(self, event: Mapping[str, object]) -> tuple[AgentEvent, ...]:
        subtype = event.get("subtype")
        if subtype == "init" and not self._started:
            # It comes again when the program takes itself another turn (a sub-agent in the background ended).
            self._started = True
            version, model = _text(event.get("claude_code_version")), _text(event.get("model"))
            return (AgentEvent("started", one_line(f"claude {version} {model}")),)
        if subtype == "api_retry":
            return (AgentEvent("waiting", _retry(event)),)
        return ()

    def _assistant(self, event: Mapping[str, object]) -> tuple[AgentEvent, ...]:
        message = _object(event.get("message"))
        identity, usage = _text(message.get("id")), _object(message.get("usage"))
        # One reply comes as several events of one message id, each with the same usage: kept once. Messages that
        # the program made up itself (API errors) used nothing.
        if identity and usage and message.get("model") != "<synthetic>":
            self._messages[identity] = Usage(
                input_tokens=_count(usage.get("input_tokens")),
                cache_read_tokens=_count(usage.get("cache_read_input_tokens")),
                cache_write_tokens=_count(usage.get("cache_creation_input_tokens")),
            )
        events: list[AgentEvent] = []
        for block in map(_object, _list(message.get("content"))):
            if block.get("type") == "text":
                text = clean(_text(block.get("text"))).strip()
                if text:
                    # A sub-agent's last word is not the agent's.
                    self._said = text if event.get("parent_tool_use_id") is None else self._said
                    events.append(AgentEvent("text", text))
            elif block.get("type") == "tool_use":
                events.append(_tool(block))
        return tuple(events)

    def _finish(self, event: Mapping[str, object]) -> tuple[AgentEvent, ...]:
        # There can be several (sub-agents in the background): the last counts, denials add up.
        self._result = event
        for number, denial in enumerate(map(_object, _list(event.get("permission_denials")))):
            tool = _tool({"name": denial.get("tool_name"), "input": denial.get("tool_input")})
            about = tool.text or ", ".join(tool.paths)
            words = f"{tool.name} ({one_line(about, 80)})" if about else tool.name or "a tool"
            self._denials[_text(denial.get("tool_use_id")) or f"{len(self._denials)}.{number}"] = words
        used = _describe(self._usage())
        finished = AgentEvent("finished", one_line(_text(event.get("result")) or _text(event.get("subtype"))))
        return (AgentEvent("usage", used), finished) if used else (finished,)

    def _usage(self) -> Usage:
        """What was used: by the result where there is one, else what is known of the replies seen.

        `modelUsage` counts the whole run with its sub-agents and is what `total_cost_usd` is made of; `usage`
        counts one turn of the main loop, and was 0 after a cut stream. A run that was killed has neither: then
        the input of each reply is known, its output is not (the stream gives 1 at its start) and stays unknown.
        """
        if self._result is None:
            seen = tuple(self._messages.values())
            return Usage(
                input_tokens=_sum(tuple(u.input_tokens for u in seen)),
                cache_read_tokens=_sum(tuple(u.cache_read_tokens for u in seen)),
                cache_write_tokens=_sum(tuple(u.cache_write_tokens for u in seen)),
            )
        usd = _amount(self._result.get("total_cost_usd"))
        models = tuple(map(_object, _object(self._result.get("modelUsage")).values()))
        if models:
            return Usage(
                input_tokens=_sum(tuple(_count(m.get("inputTokens")) for m in models)),
                output_tokens=_sum(tuple(_count(m.get("outputTokens")) for m in models)),
                cache_read_tokens=_sum(tuple(_count(m.get("cacheReadInputTokens")) for m in models)),
                cache_write_tokens=_sum(tuple(_count(m.get("cacheCreationInputTokens")) for m in models)),
                usd=usd,
            )
        usage = _object(self._result.get("usage"))
        return Usage(
            input_tokens=_count(usage.get("input_tokens")),
            output_tokens=_count(usage.get("output_tokens")),
            cache_read_tokens=_count(usage.get("cache_read_input_tokens")),
            cache_write_tokens=_count(usage.get("cache_creation_input_tokens")),
            usd=usd,
        )


def _parse(line: str) -> Mapping[str, object] | None:
    """The object that the line holds; None where it holds none."""
    if not line.lstrip().startswith("{"):
        return None
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):  # RecursionError: thousands of brackets in a row
        return None
    return _object(value)


def _object(value: object) -> Mapping[str, object]:
    return value if isinstance(value, dict) else {}


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _amount(value: object) -> float | None:
    """A number that can be an amount of money or time; None for anything else, NaN and booleans included."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return float(value) if 0 <= value < _MOST else None


def _count(value: object) -> int | None:
    amount = _amount(value)
    return None if amount is None else int(amount)


def _sum(counts: tuple[int | None, ...]) -> int | None:
    """The sum of the known counts; None where none is known."""
    known = [each for each in counts if each is not None]
    return sum(known) if known else None


def _retry(event: Mapping[str, object]) -> str:
    """`retry 2/10 in 4.9 s: authentication_failed (401)`, with what is there of it."""
    attempt, most = _count(event.get("attempt")), _count(event.get("max_retries"))
    delay, status = _amount(event.get("retry_delay_ms")), _count(event.get("error_status"))
    words = "retry" + (f" {attempt}" if attempt is not None else "")
    words += f"/{most}" if attempt is not None and most is not None else ""
    words += f" in {delay / 1000:.1f} s" if delay is not None else ""
    error = " ".join(filter(None, (_text(event.get("error")), f"({status})" if status is not None else "")))
    return one_line(f"{words}: {error}" if error else words)


def _tool(block: Mapping[str, object]) -> AgentEvent:
    """A use of a tool: its name, the paths that its input names, and what sums it up."""
    given = _object(block.get("input"))
    paths = tuple(_text(given.get(key)) for key in ("file_path", "path", "notebook_path"))
    summary = next(filter(None, (_text(given.get(key)) for key in ("command", "pattern", "description"))), "")
    return AgentEvent(
        "tool",
        one_line(summary),
        name=one_line(_text(block.get("name")), 80),
        paths=tuple(one_line(path, 4096) for path in paths if path),
    )


def _describe(usage: Usage) -> str:
    """`3928 tokens in, 28 out, 0.0503 USD`, with what is known of it."""
    cached = _sum((usage.input_tokens, usage.cache_read_tokens, usage.cache_write_tokens))
    parts = (
        f"{cached} tokens in" if cached is not None else "",
        f"{usage.output_tokens} out" if usage.output_tokens is not None else "",
        f"{usage.usd:.4f} USD" if usage.usd is not None else "",
    )
    return ", ".join(filter(None, parts))
