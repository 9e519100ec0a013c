"""The adapter to Aider (kind `aider`): its command line, its text, and how its ending is judged.

Facts measured with aider-chat 0.86.2 (PyPI) against a scripted model server:

- The prompt goes in as a file.
- It has no tools: it edits files and runs nothing, whatever its permissions are. orchestra runs the check.
- It prints no events, and ends with status 0 also where no answer came: a reply is known by its line of tokens, a
  change by `Applied edit to …`. The tokens are rounded as it prints them, and so counted.
- Trouble with the service is told as `litellm.…Error: …` and repeated by itself.
- It leaves `.aider.chat.history.md` and the like in the worktree, and cannot go on with a session but through them.
"""

from __future__ import annotations

import re

from orchestra.agents.foreign import added, describe
from orchestra.agents.program import CACHES, Known, ProgramAgent, unless_set
from orchestra.agents.stream import NotedSession
from orchestra.agents.words import clean, one_line
from orchestra.model.agents import AgentEvent, Invocation, Order, Session
from orchestra.model.outcomes import Usage

PROGRAM = "aider"

OPTIONS = (
    "--yes-always", "--no-pretty", "--no-stream", "--no-auto-commits", "--no-gitignore",
    # It runs nothing and fetches nothing that the prompt only mentions.
    "--no-suggest-shell-commands", "--no-detect-urls",
    # Only the model's service is called.
    "--no-check-update", "--no-show-release-notes", "--no-analytics", "--no-show-model-warnings",
)  # fmt: skip

ENVIRONMENT = (
    # The prices that its library knows are those that it was installed with.
    ("LITELLM_LOCAL_MODEL_COST_MAP", "True"),
)

ACCOUNT = ("OPENAI_API_KEY", "OPENAI_API_BASE", "ANTHROPIC_API_KEY", "GEMINI_API_KEY", "OPENROUTER_API_KEY")
"""The variables that tell who pays; it serves many providers."""

MEMORY = 225 * 2**20
"""Bytes that one run holds (PSS)."""

_TOKENS = re.compile(r"Tokens: (.+? received)\.(?: Cost: \$([\d.]+) message)?")
_COUNT = re.compile(r"([\d.,]+)([kM]?) (sent|cache write|cache hit|received)")
_APPLIED = re.compile(r"Applied edit to (.+)")
_TROUBLE = re.compile(r"litellm\.\w*(?:Error|Exception)\b.*")
_GAVE_UP = re.compile(r"The LLM did not conform to the edit format|Only \d+ reflections allowed, stopping")
_MANY = {"": 1, "k": 1_000, "M": 1_000_000}


class AiderAgent(ProgramAgent):
    """Aider without a person: prompt from a file, text by standard output."""

    known = Known(
        program=PROGRAM,
        title="Aider",
        install="pipx install aider-chat",
        provider="aider",
        account=ACCOUNT,
        memory_bytes=MEMORY,
        resumes=False,
        by_model=True,
        leftovers=(*CACHES, ".aider*"),
    )

    def open(self, order: Order) -> Session:
        """A session for one attempt."""
        return AiderSession(Invocation(self._argv(order), env=unless_set(self._spec, ENVIRONMENT)))

    def _argv(self, order: Order) -> tuple[str, ...]:
        argv = [*self._program(), *OPTIONS, "--message-file", order.prompt_file]
        if order.readonly:
            argv.append("--dry-run")
        if self._spec.model is not None:
            argv += ["--model", self._spec.model]
        return (*argv, *self._spec.args)


class AiderSession(NotedSession):
    """One run of Aider: reads its text and judges its ending."""

    def __init__(self, invocation: Invocation) -> None:
        super().__init__(invocation)
        self._used = Usage()

    def read(self, line: str) -> tuple[AgentEvent, ...]:
        """What one line of its text means; what is no sign of anything is something that it says."""
        line = clean(line).strip()
        if found := _TOKENS.match(line):
            return self._reply(found)
        if found := _APPLIED.match(line):
            return (AgentEvent("tool", name="edit", paths=(one_line(found[1], 4096),), access="write"),)
        if found := _TROUBLE.search(line):
            self._finished = False
            return self._wait(found[0])
        if _GAVE_UP.search(line):
            return self._finish(line)
        if line.startswith("Aider v"):
            return (AgentEvent("started", one_line(line.lower().replace(" v", " ", 1))),)
        return self._say(line)

    def _reply(self, found: re.Match[str]) -> tuple[AgentEvent, ...]:
        """A reply came: whether it is the last one is known only at the end."""
        counts = {what: _number(number, unit) for number, unit, what in _COUNT.findall(found[1])}
        reply = Usage(
            counts.get("sent"), counts.get("received"), counts.get("cache hit"), counts.get("cache write"),
            None if found[2] is None else float(found[2].rstrip(".") or 0),
        )  # fmt: skip
        self._used = added(self._used, reply)
        self._finished, self._failure, self._worry = True, "", ""
        return (AgentEvent("usage", describe(self._used), used=self._used),)

    def _usage(self) -> Usage:
        return self._used


def _number(number: str, unit: str) -> int | None:
    try:
        return int(float(number.replace(",", "")) * _MANY[unit])
    except (ValueError, OverflowError):
        return None
