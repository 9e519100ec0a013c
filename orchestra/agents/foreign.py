"""What adapters read of the JSON that agent programs print: whatever has another shape than expected reads as nothing.

Promises: nothing here raises, however odd the text; no number that cannot be a count or an amount is taken for one.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import fields

from orchestra.model.outcomes import Usage

_MOST = 2**53
"""Counts above this are nonsense (and not exact in JSON everywhere)."""


def parse(line: str) -> Mapping[str, object] | None:
    """The object that the line holds; None where it holds none."""
    if not line.lstrip().startswith("{"):
        return None
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):  # RecursionError: thousands of brackets in a row
        return None
    return as_object(value)


def as_object(value: object) -> Mapping[str, object]:
    """The value if it is an object, else an empty one."""
    return value if isinstance(value, dict) else {}


def as_list(value: object) -> list[object]:
    """The value if it is a list, else an empty one."""
    return value if isinstance(value, list) else []


def as_text(value: object) -> str:
    """The value if it is a text, else an empty one."""
    return value if isinstance(value, str) else ""


def amount(value: object) -> float | None:
    """A number that can be an amount of money or time; None for anything else, NaN and booleans included."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return float(value) if 0 <= value < _MOST else None


def count(value: object) -> int | None:
    """A number that can be a count; None for anything else."""
    found = amount(value)
    return None if found is None else int(found)


def total(counts: tuple[int | None, ...]) -> int | None:
    """The sum of the known counts; None where none is known."""
    known = [each for each in counts if each is not None]
    return sum(known) if known else None


def less(whole: Usage, before: Usage) -> Usage:
    """What was used after `before`, from a count that goes on from there; what is not known of that is nothing.

    A count that is below it in anything did not go on: it is of this run alone.
    """
    pairs = [(getattr(whole, each.name), getattr(before, each.name)) for each in fields(Usage)]
    if any(now is not None and then is not None and now < then for now, then in pairs):
        return whole
    return Usage(*(now if now is None or then is None else now - then for now, then in pairs))


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


def describe(usage: Usage) -> str:
    """`3928 tokens in, 28 out, 0.0503 USD`, with what is known of it."""
    taken = total((usage.input_tokens, usage.cache_read_tokens, usage.cache_write_tokens))
    parts = (
        f"{taken} tokens in" if taken is not None else "",
        f"{usage.output_tokens} out" if usage.output_tokens is not None else "",
        f"{usage.usd:.4f} USD" if usage.usd is not None else "",
    )
    return ", ".join(filter(None, parts))
