"""In whose name an agent commits, where it is to be named as the author of what it made. Pure.

Agents of which nothing is known here get an address below `.invalid`, which belongs to nobody (RFC 2606).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_NOT_IN_A_NAME = re.compile(r"[\x00-\x1f\x7f<>\ud800-\udfff]+")
_NOT_IN_AN_ADDRESS = re.compile(r"[^A-Za-z0-9._+-]+")


@dataclass(frozen=True, slots=True)
class Author:
    """Who wrote a commit, as git records it."""

    name: str
    email: str


_BY_KIND = {
    "claude-code": Author("Claude", "noreply@anthropic.com"),
    "codex": Author("Codex", "noreply@openai.com"),
    "copilot": Author("Copilot", "198982749+Copilot@users.noreply.github.com"),
    "qwen": Author("Qwen-Coder", "qwen-coder@alibabacloud.com"),
    "aider": Author("aider", "noreply@aider.chat"),
    "opencode": Author("opencode", "noreply@opencode.ai"),
}
"""What these programs themselves write into a commit as its author or co-author."""


def author_of(agent: str, kind: str) -> Author:
    """Whom to name as the author of what an agent made: by its kind, else by its name."""
    known = _BY_KIND.get(kind)
    if known is not None:
        return known
    name = " ".join(_NOT_IN_A_NAME.sub(" ", agent).split()) or "agent"
    address = _NOT_IN_AN_ADDRESS.sub("-", name).strip("-.") or "agent"
    return Author(name, f"{address}@agents.invalid")
