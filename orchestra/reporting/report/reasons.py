"""The recorded reasons of a task in words, also those of a kind that this version does not know. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from orchestra.model.freshness import Reason, ReasonKind
from orchestra.reporting.words import one_line, reason_words

_KNOWN = frozenset(kind.value for kind in ReasonKind)


def reasons_of(told: Sequence[Mapping[str, Any]], limit: int = 6) -> str:
    """Reasons, as an event tells them, on one line."""
    words = [_words(reason) for reason in told[:limit]]
    more = len(told) - len(words)
    return ", ".join(words) + (f" and {more:,} more" if more else "")


def _words(reason: Mapping[str, Any]) -> str:
    kind = reason.get("kind")
    if kind not in _KNOWN:
        return one_line(str(kind), 60)
    return reason_words(
        Reason(ReasonKind(kind), *(_text(reason.get(name)) for name in ("subject", "old", "new")))
    )


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
