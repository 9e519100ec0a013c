"""The sessions of programs that tell what they do: what all of them have in common, above all the judging.

Promises: nothing that the program prints makes it raise; and it is a success only where the program ended by itself
with status 0, after a last word of its stream that told no error.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import replace

from orchestra.agents.foreign import describe, parse
from orchestra.agents.plain import fault_of
from orchestra.agents.trouble import Trouble, trouble
from orchestra.agents.words import clean, one_line
from orchestra.model.agents import AgentEvent, Invocation, Judgement
from orchestra.model.outcomes import Exit, Outcome, Usage


class NotedSession(ABC):
    """One run of such a program. What it says is noted by the adapter, and judged here."""

    def __init__(self, invocation: Invocation) -> None:
        self._invocation = invocation
        self._session: str | None = None
        self._model: str | None = None
        self._finished = False
        """Whether the stream came to its end, well or not."""
        self._failure = ""
        """What the stream says went wrong, at its end."""
        self._worry = ""
        """The last error on the way: it tells something only if the end is missing."""
        self._said = ""
        self._noise = ""
        self._denied: list[str] = []

    @property
    def invocation(self) -> Invocation:
        """The command to run."""
        return self._invocation

    @abstractmethod
    def read(self, line: str) -> tuple[AgentEvent, ...]:
        """What one line of the stream means; foreign lines mean nothing."""

    @abstractmethod
    def _usage(self) -> Usage:
        """What the run has used so far."""

    def judge(self, ended: Exit) -> Judgement:
        """Success only if it ended by itself with status 0 and its stream came to an end without error."""
        detail, found = self._wrong(ended)
        denied = one_line(f"denied: {', '.join(self._denied)}") if self._denied else ""
        return Judgement(
            outcome=Outcome.FAILED if detail else Outcome.SUCCESS,
            fault=found.fault if found else None,
            detail=one_line(detail) or denied,
            summary=one_line(self._said),
            blocked=bool(self._denied),
            usage=self._usage(),
            session=one_line(self._session) if self._session else None,
            transient=found is not None and found.transient,
            throttled=found is not None and found.throttled,
            retry_after=found.wait_s if found else None,
            model=one_line(self._model, 200) if self._model else None,
        )

    def _wrong(self, ended: Exit) -> tuple[str, Trouble | None]:
        """What went wrong in one line ("" where nothing did), and what that tells."""
        if ended.stopped is not None:
            return f"stopped: {ended.stopped}", None
        if self._failure:
            return self._failure, trouble(self._failure)
        if not self._finished:
            # Cut off, killed, or never begun; not even status 0 makes that a success.
            ending = f"ended before its work was done, {ended.describe()}"
            words = self._worry or self._noise
            killed = ended.status is None or ended.status in (126, 127)
            told = Trouble(fault_of(ended)) if killed else trouble(words)
            return f"{ending}: {words}" if words else ending, told
        if ended.status != 0:
            return f"{ended.describe()} after an end without error", Trouble(fault_of(ended))
        return "", None

    # --- what adapters note -----------------------------------------------------------------------------------

    def _say(self, words: str) -> tuple[AgentEvent, ...]:
        """The agent said something."""
        words = clean(words).strip()
        if not words:
            return ()
        self._said = words
        return (AgentEvent("text", words),)

    def _wait(self, words: str) -> tuple[AgentEvent, ...]:
        """It waits for its service, which was in trouble."""
        self._worry = one_line(words)
        told = trouble(words)
        return (AgentEvent("waiting", one_line(words), throttled=told.throttled, wait_s=told.wait_s),)

    def _deny(self, what: str) -> None:
        """A tool was refused to it."""
        if what not in self._denied:
            self._denied.append(one_line(what, 80))

    def _finish(self, failure: str = "") -> tuple[AgentEvent, ...]:
        """The stream came to its end; `failure` says what went wrong."""
        self._finished = True
        self._failure = one_line(failure)
        used = describe(self._usage())
        finished = AgentEvent("finished", self._failure or one_line(self._said))
        return (AgentEvent("usage", used), finished) if used else (finished,)


class StreamSession(NotedSession):
    """One run of a program that prints a JSON object a line."""

    def read(self, line: str) -> tuple[AgentEvent, ...]:
        """What one line of the stream means; lines that are no JSON object and unknown events mean nothing."""
        event = parse(line)
        if event is None:
            self._noise = one_line(line) or self._noise
            return ()
        return with_usage(self._event(event), self._usage)

    @abstractmethod
    def _event(self, event: Mapping[str, object]) -> tuple[AgentEvent, ...]:
        """What one event of the stream means."""


def with_usage(events: tuple[AgentEvent, ...], usage: Callable[[], Usage]) -> tuple[AgentEvent, ...]:
    """What was done, the last of it with what the run has used so far, as far as that is known."""
    if not events:
        return ()
    used = usage()
    known = used.tokens is not None or used.usd is not None
    return (*events[:-1], replace(events[-1], used=used)) if known else events
