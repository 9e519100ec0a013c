"""The adapter to Claude Code (kind `claude-code`): its command line, its event stream, and how its ending is judged.

Facts measured with claude 2.1.197 (npm) and 2.1.330 (bundled with claude-agent-sdk 0.2.187 on PyPI) against a
scripted model server. Promises: nothing that the program prints makes it raise, and no single sign of success is
believed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from orchestra.agents.foreign import (
    amount,
    as_list,
    as_object,
    as_text,
    count,
    describe,
    less,
    parse,
    total,
)
from orchestra.agents.plain import fault_of
from orchestra.agents.program import Known, ProgramAgent, unless_set
from orchestra.agents.stream import with_usage
from orchestra.agents.tools import Access, about, tool_used
from orchestra.agents.words import clean, one_line
from orchestra.model.agents import AgentEvent, Invocation, Judgement, Order, Session
from orchestra.model.outcomes import Exit, Fault, Outcome, Usage
from orchestra.model.tasks import AgentSpec

PROGRAM = "claude"

ENVIRONMENT = (
    # Only the model's API is called: no telemetry, error reports, surveys or look-ups for new versions.
    ("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1"),
    # An update in the middle of a build would give two attempts of one build two different programs.
    ("DISABLE_AUTOUPDATER", "1"),
    # It repeats every failed call, also one with a wrong key: 10 times by itself, which takes 178 s (measured). 6
    # times take 35 s: as long as a short overload, and no longer than a person waits to hear that a key is wrong.
    # What lasts longer is told as a failure that may pass, and the attempt is repeated.
    ("CLAUDE_CODE_MAX_RETRIES", "6"),
)

ACCOUNT = ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "CLAUDE_CODE_OAUTH_TOKEN", "ANTHROPIC_BASE_URL")
"""The variables that tell who pays and which service is called; none of them set: a subscription."""

MEMORY = 300 * 2**20
"""Bytes that one run holds (PSS, with its node or bundled runtime); each further one beside it adds about 100 MB."""

THROTTLED = (429, 529)
"""The statuses by which the API says that it was asked too much: by this account (429), or by all (529)."""

ACCESS: Mapping[str, Access] = {
    **dict.fromkeys(("Read", "Grep", "Glob", "LS", "NotebookRead"), "read"),
    **dict.fromkeys(("Write", "Edit", "MultiEdit", "NotebookEdit"), "write"),
}
"""What the tools that name a path do with it."""


class ClaudeCodeAgent(ProgramAgent):
    """Claude Code without a person: prompt by standard input, events by standard output."""

    known = Known(
        program=PROGRAM,
        title="Claude Code",
        install="npm install -g @anthropic-ai/claude-code",
        provider="anthropic",
        account=ACCOUNT,
        memory_bytes=MEMORY,
    )

    def __init__(self, spec: AgentSpec, now: Callable[[], float] = time.time) -> None:
        """`now`: seconds since the epoch, by which the API says when a limit ends."""
        super().__init__(spec)
        self._now = now

    def open(self, order: Order) -> Session:
        """A session for one attempt."""
        return ClaudeCodeSession(
            Invocation(
                argv=self._argv(order),
                # Not as an argument: those end at 128 KiB, and show in every list of processes.
                stdin_file=order.prompt_file,
                env=unless_set(self._spec, ENVIRONMENT),
            ),
            order.resume.used if order.resume is not None else Usage(),
            self._now,
        )

    def _argv(self, order: Order) -> tuple[str, ...]:
        # stream-json needs --verbose: without it exit status 1 and a word on standard error only.
        argv = [*self._program(), "-p", "--output-format", "stream-json", "--verbose"]
        if order.readonly:
            # Who judges may look at everything and run what only looks (measured: `git status` runs, `echo > file`
            # does not). Without the tools that edit it does not try to, and a person's own rules cannot allow them.
            argv += ["--permission-mode", "dontAsk", "--disallowedTools=Edit,Write,NotebookEdit"]
        elif self._spec.permissions == "full":
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
            # Of this run alone, also where it resumes (measured).
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

    def __init__(self, invocation: Invocation, before: Usage, now: Callable[[], float]) -> None:
        """`before` is what the session that is resumed had used already."""
        self._invocation = invocation
        self._before = before
        self._now = now
        self._started = False
        self._model: str | None = None
        self._trouble = ""
        self._until: float | None = None
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
        event = parse(line)
        if event is None:
            self._noise = one_line(line) or self._noise
            return ()
        self._session = as_text(event.get("session_id")) or self._session
        match event.get("type"):
            case "system":
                return self._system(event)
            case "rate_limit_event":
                return self._limited(as_object(event.get("rate_limit_info")))
            case "assistant":
                return with_usage(self._assistant(event), self._usage)
            case "result":
                return with_usage(self._finish(event), self._usage)
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
        failed = bool(detail) and ended.stopped is None
        throttled = failed and (self._status in THROTTLED or self._trouble == "rate_limit")
        return Judgement(
            outcome=Outcome.FAILED if detail else Outcome.SUCCESS,
            fault=fault,
            detail=detail or denied,
            summary=one_line(as_text(result.get("result")) or self._said),
            blocked=bool(self._denials),
            usage=self._usage(),
            session=one_line(self._session) if self._session else None,
            transient=throttled or (failed and self._may_pass()),
            throttled=throttled,
            retry_after=max(0.0, self._until - self._now())
            if throttled and self._until is not None
            else None,
            model=self._model,
        )

    @property
    def _status(self) -> int | None:
        """The status by which the API's last error was told."""
        status = (self._result or {}).get("api_error_status")
        return status if isinstance(status, int) else None

    def _may_pass(self) -> bool:
        """Whether the API's last error may be over soon: too many requests, a timeout, a fault of the service or of
        the network (`server_error` without a status: nothing answered). The program has tried again itself by then.
        """
        status = self._status
        if status is None:
            return bool((self._result or {}).get("is_error")) and self._trouble == "server_error"
        return status in (408, 429) or 500 <= status < 600

    def _fault(self, ended: Exit) -> tuple[str, Fault | None]:
        """What went wrong in one line ("" where nothing did), and whose fault it is."""
        if ended.stopped is not None:
            return one_line(f"stopped: {ended.stopped}"), None
        if self._result is None:
            # No result event: cut off, killed, or never begun; not even status 0 makes that a success.
            words = self._said or self._noise
            ending = f"ended without a result, {ended.describe()}"
            return one_line(f"{ending}: {words}" if words else ending), fault_of(ended)
        subtype = as_text(self._result.get("subtype"))
        if self._result.get("is_error") is not False or subtype != "success":
            errors = "; ".join(as_text(each) for each in as_list(self._result.get("errors")))
            words = as_text(self._result.get("result")) or errors or self._said
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
            version, model = as_text(event.get("claude_code_version")), as_text(event.get("model"))
            self._model = one_line(model) or None
            return (AgentEvent("started", one_line(f"claude {version} {model}")),)
        if subtype == "api_retry":
            delay, throttled = amount(event.get("retry_delay_ms")), event.get("error_status") in THROTTLED
            wait_s = None if delay is None else delay / 1000
            return (AgentEvent("waiting", _retry(event), throttled=throttled, wait_s=wait_s),)
        return ()

    def _limited(self, info: Mapping[str, object]) -> tuple[AgentEvent, ...]:
        """A subscription's limit is used up: it says until when, and gives up at once (measured)."""
        if info.get("status") != "rejected":
            return ()
        self._until = amount(info.get("resetsAt"))
        kind = as_text(info.get("rateLimitType")).replace("_", "-") or "usage"
        wait_s = None if self._until is None else max(0.0, self._until - self._now())
        return (AgentEvent("waiting", one_line(f"{kind} limit reached"), throttled=True, wait_s=wait_s),)

    def _assistant(self, event: Mapping[str, object]) -> tuple[AgentEvent, ...]:
        message = as_object(event.get("message"))
        identity, usage = as_text(message.get("id")), as_object(message.get("usage"))
        # One reply comes as several events of one message id, each with the same usage: kept once. Messages that
        # the program made up itself (API errors) used nothing.
        made_up = message.get("model") == "<synthetic>"
        self._trouble = as_text(event.get("error")) if made_up else ""
        if not made_up and event.get("parent_tool_use_id") is None:
            self._model = one_line(as_text(message.get("model"))) or self._model
        if identity and usage and not made_up:
            self._messages[identity] = Usage(
                input_tokens=count(usage.get("input_tokens")),
                cache_read_tokens=count(usage.get("cache_read_input_tokens")),
                cache_write_tokens=count(usage.get("cache_creation_input_tokens")),
            )
        events: list[AgentEvent] = []
        for block in map(as_object, as_list(message.get("content"))):
            if block.get("type") == "text":
                words = clean(as_text(block.get("text"))).strip()
                if words:
                    # A sub-agent's last word is not the agent's.
                    self._said = words if event.get("parent_tool_use_id") is None else self._said
                    events.append(AgentEvent("text", words))
            elif block.get("type") == "tool_use":
                events.append(tool_used(block.get("name"), block.get("input"), ACCESS))
        return tuple(events)

    def _finish(self, event: Mapping[str, object]) -> tuple[AgentEvent, ...]:
        # There can be several (sub-agents in the background): the last counts, denials add up.
        self._result = event
        for number, denial in enumerate(map(as_object, as_list(event.get("permission_denials")))):
            words = about(tool_used(denial.get("tool_name"), denial.get("tool_input"), ACCESS))
            self._denials[as_text(denial.get("tool_use_id")) or f"{len(self._denials)}.{number}"] = words
        used = describe(self._usage())
        finished = AgentEvent(
            "finished", one_line(as_text(event.get("result")) or as_text(event.get("subtype")))
        )
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
                input_tokens=total(tuple(u.input_tokens for u in seen)),
                cache_read_tokens=total(tuple(u.cache_read_tokens for u in seen)),
                cache_write_tokens=total(tuple(u.cache_write_tokens for u in seen)),
            )
        usd = amount(self._result.get("total_cost_usd"))
        models = tuple(map(as_object, as_object(self._result.get("modelUsage")).values()))
        if models:
            # Both count the whole session, also what was used before it was resumed (measured).
            whole = Usage(
                input_tokens=total(tuple(count(m.get("inputTokens")) for m in models)),
                output_tokens=total(tuple(count(m.get("outputTokens")) for m in models)),
                cache_read_tokens=total(tuple(count(m.get("cacheReadInputTokens")) for m in models)),
                cache_write_tokens=total(tuple(count(m.get("cacheCreationInputTokens")) for m in models)),
                usd=usd,
            )
            return less(whole, self._before)
        usage = as_object(self._result.get("usage"))
        return Usage(
            input_tokens=count(usage.get("input_tokens")),
            output_tokens=count(usage.get("output_tokens")),
            cache_read_tokens=count(usage.get("cache_read_input_tokens")),
            cache_write_tokens=count(usage.get("cache_creation_input_tokens")),
            usd=less(Usage(usd=usd), Usage(usd=self._before.usd)).usd,
        )


def _retry(event: Mapping[str, object]) -> str:
    """`retry 2/10 in 4.9 s: authentication_failed (401)`, with what is there of it."""
    attempt, most = count(event.get("attempt")), count(event.get("max_retries"))
    delay, status = amount(event.get("retry_delay_ms")), count(event.get("error_status"))
    words = "retry" + (f" {attempt}" if attempt is not None else "")
    words += f"/{most}" if attempt is not None and most is not None else ""
    words += f" in {delay / 1000:.1f} s" if delay is not None else ""
    error = " ".join(filter(None, (as_text(event.get("error")), f"({status})" if status is not None else "")))
    return one_line(f"{words}: {error}" if error else words)
