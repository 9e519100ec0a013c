"""Values of secrets taken out of what agents and commands print, before it goes anywhere. Pure.

What is a secret: the variables that the manifest passes through by name (`env: [NAME]`), and those whose name says
so (`..._KEY`, `..._TOKEN`, `..._PASSWORD` and the like), since an agent sees the person's whole environment. Of the
former every value from 6 characters on is masked, of the latter from 12 on: shorter ones (`true`, `1`, `debug`,
`primary`) are words that stand everywhere, and a log in which they were masked would tell nothing any more and protect
nothing. What everyone may know (`PATH`, `HOME`...) is no secret even where it is passed by name.

Promises: after masking no such value is left in the text, neither as it is, nor as JSON writes it, nor line by line,
nor cut off at the end; a text without one is unchanged. A value that was encoded (base64, a digest) is not known again.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import fields, replace
from typing import TypeVar

from orchestra.model.agents import Agent, AgentEvent, Invocation, Judgement, Order, Session, Traits
from orchestra.model.outcomes import Exit

MASK = "***"
"""What stands where a secret was."""

SHORTEST = 6
"""Characters of a value that somebody called a secret from which on it is masked."""

SHORTEST_GUESSED = 12
"""Characters of a value from which on it is masked where only its name makes it a secret: keys are longer."""

SHORTEST_CUT = 4
"""Characters of the beginning of a secret that are masked where a text ends with them, cut off."""

ELLIPSIS = "…"
"""How a text ends that was cut off."""

NO_SECRETS = frozenset(
    ("PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LANGUAGE", "TERM", "TMPDIR", "TZ", "PWD", "EDITOR")
)
"""What everyone may know."""

_SECRET_NAME = re.compile(
    r"(?:^|_)(?:API_?KEY|KEY|SECRET|TOKEN|PASSWORD|PASSWD|PASSPHRASE|PAT|CREDENTIALS?)$", re.IGNORECASE
)


def secrets_of(environ: Mapping[str, str], passed: Iterable[str]) -> tuple[str, ...]:
    """The values of an environment that are to be masked; `passed` are the names that the manifest passes through."""
    named = {environ.get(name, "") for name in passed if name not in NO_SECRETS}
    guessed = {value for name, value in environ.items() if _SECRET_NAME.search(name)}
    return tuple(
        sorted(
            {value for value in named if len(value.strip()) >= SHORTEST}
            | {value for value in guessed if len(value.strip()) >= SHORTEST_GUESSED}
        )
    )


class Mask:
    """Takes the values of secrets out of texts."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        """`secrets` are the values, see `secrets_of`."""
        forms: set[str] = set()
        for secret in secrets:
            # Output comes line by line, and summaries with their white space made even.
            for part in {
                secret,
                secret.strip(),
                " ".join(secret.split()),
                *map(str.strip, secret.splitlines()),
            }:
                forms |= {part, json.dumps(part)[1:-1], json.dumps(part, ensure_ascii=False)[1:-1]}
        self._forms = tuple(sorted((form for form in forms if len(form) >= SHORTEST), key=len, reverse=True))

    def __call__(self, text: str) -> str:
        """The text without them."""
        while spans := [span for form in self._forms if form in text for span in _found(form, text)]:
            text = _without(text, spans)
        return self._without_cut(text)

    def event(self, event: AgentEvent) -> AgentEvent:
        """What an agent did, without them."""
        return _masked(event, self, keep=("kind", "access"))

    def judgement(self, judged: Judgement) -> Judgement:
        """How it went, without them. By its session a program knows where to go on, by its model its price is found."""
        return _masked(judged, self, keep=("outcome", "fault", "session", "model"))

    def agent(self, agent: Agent) -> Agent:
        """The same agent, of whose sessions nothing is heard that holds one of them."""
        return _MaskedAgent(agent, self) if self._forms else agent

    def _without_cut(self, text: str) -> str:
        """The text without the beginning of a secret where it was cut off."""
        if not text.endswith(ELLIPSIS):
            return text
        rest = text[: -len(ELLIPSIS)]
        for form in self._forms:
            for length in range(len(form) - 1, SHORTEST_CUT - 1, -1):
                if rest.endswith(form[:length]):
                    return rest[:-length] + MASK + ELLIPSIS
        return text


class _MaskedAgent:
    """An agent whose sessions are masked."""

    def __init__(self, agent: Agent, mask: Mask) -> None:
        self._agent = agent
        self._mask = mask

    @property
    def traits(self) -> Traits:
        """What is known of it beforehand."""
        return self._agent.traits

    def missing(self) -> str | None:
        """What is not installed."""
        return self._agent.missing()

    def open(self, order: Order) -> Session:
        """A session for one attempt."""
        return _MaskedSession(self._agent.open(order), self._mask)


class _MaskedSession:
    """A session whose every word goes through a mask. The lines themselves do not: they are a protocol."""

    def __init__(self, session: Session, mask: Mask) -> None:
        self._session = session
        self._mask = mask

    @property
    def invocation(self) -> Invocation:
        """The command to run."""
        return self._session.invocation

    def read(self, line: str) -> tuple[AgentEvent, ...]:
        """What one line means."""
        return tuple(map(self._mask.event, self._session.read(line)))

    def judge(self, ended: Exit) -> Judgement:
        """How it went."""
        return self._mask.judgement(self._session.judge(ended))


_Masked = TypeVar("_Masked", AgentEvent, Judgement)


def _masked(value: _Masked, mask: Mask, keep: tuple[str, ...]) -> _Masked:
    """The value with all its texts masked, so that none can be forgotten that is added one day."""
    changed: dict[str, object] = {}
    for each in fields(value):
        found = getattr(value, each.name)
        if each.name in keep:
            continue
        if isinstance(found, str):
            changed[each.name] = mask(found)
        elif isinstance(found, tuple):
            changed[each.name] = tuple(mask(item) if isinstance(item, str) else item for item in found)
    return replace(value, **changed)  # type: ignore[arg-type]


def _found(form: str, text: str) -> Iterable[tuple[int, int]]:
    """Where it stands, also where it overlaps itself."""
    start = text.find(form)
    while start >= 0:
        yield start, start + len(form)
        start = text.find(form, start + 1)


def _without(text: str, spans: Iterable[tuple[int, int]]) -> str:
    """The text with a mask instead of each stretch that the spans cover together."""
    parts: list[str] = []
    done = 0
    for start, end in sorted(spans):
        if start >= done:
            parts += (text[done:start], MASK)
        done = max(done, end)
    return "".join((*parts, text[done:]))
