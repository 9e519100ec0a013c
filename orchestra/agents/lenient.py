"""What programs print as JSON, read without trust: each function gives what is there in the shape that is wanted.

Promises: none of them raises, whatever the program printed, and none makes up what is not there.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping

from orchestra.model.outcomes import Usage

MOST = 2**53
"""Counts above this are nonsense (and not exact in JSON everywhere)."""


def parse(line: str) -> Mapping[str, object] | None:
    """The object that the line holds; None where it holds none."""
    if not line.lstrip().startswith("{"):
        return None
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):  # RecursionError: thousands of brackets in a row
        return None
    return fields(value)


def fields(value: object) -> Mapping[str, object]:
    """The object that the value is, else an empty one."""
    return value if isinstance(value, dict) else {}


def items(value: object) -> list[object]:
    """The list that the value is, else an empty one."""
    return value if isinstance(value, list) else []


def text(value: object) -> str:
    """The text that the value is, else an empty one."""
    return value if isinstance(value, str) else ""


def amount(value: object) -> float | None:
    """A number that can be an amount of money or time; None for anything else, NaN and booleans included."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return float(value) if 0 <= value < MOST else None


def count(value: object) -> int | None:
    """A number that can be a count; None for anything else."""
    found = amount(value)
    return None if found is None else int(found)


def total(counts: tuple[int | None, ...]) -> int | None:
    """The sum of the known counts; None where none is known."""
    known = [each for each in counts if each is not None]
    return sum(known) if known else None


def added(one: Usage, other: Usage) -> Usage:
    """Two usages together: what is known of either."""
    usd = [each for each in (one.usd, other.usd) if each is not None]
    return Usage(
        total((one.input_tokens, other.input_tokens)),
        total((one.output_tokens, other.output_tokens)),
        total((one.cache_read_tokens, other.cache_read_tokens)),
        total((one.cache_write_tokens, other.cache_write_tokens)),
        sum(usd) if usd else None,
    )


def uncached(whole: object, read: object, written: object = None) -> int | None:
    """Input tokens without those that came from the cache or went into it, where a service counts them in."""
    known = count(whole)
    return None if known is None else max(0, known - (count(read) or 0) - (count(written) or 0))


def since(whole: Usage, before: Usage) -> Usage:
    """What of a session's whole usage came after what it had used `before`. Where the whole is less than that, it
    is no session's: then it is the run's own.
    """
    if whole.tokens is None or before.tokens is None or whole.tokens < before.tokens:
        return whole
    return Usage(
        _less(whole.input_tokens, before.input_tokens),
        _less(whole.output_tokens, before.output_tokens),
        _less(whole.cache_read_tokens, before.cache_read_tokens),
        _less(whole.cache_write_tokens, before.cache_write_tokens),
        spent_since(whole.usd, before.usd),
    )


def spent_since(usd: float | None, before: float | None) -> float | None:
    """The like for money alone."""
    return usd if usd is None or before is None or usd < before else usd - before


def _less(whole: int | None, part: int | None) -> int | None:
    return None if whole is None else max(0, whole - (part or 0))


def describe(usage: Usage) -> str:
    """`3928 tokens in, 28 out, 0.0503 USD`, with what is known of it."""
    taken = total((usage.input_tokens, usage.cache_read_tokens, usage.cache_write_tokens))
    parts = (
        f"{taken} tokens in" if taken is not None else "",
        f"{usage.output_tokens} out" if usage.output_tokens is not None else "",
        f"{usage.usd:.4f} USD" if usage.usd is not None else "",
    )
    return ", ".join(filter(None, parts))
