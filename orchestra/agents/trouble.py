"""What a program's words about a failure tell: whose fault it is, whether it may be over soon, and when.

For programs that hand on what their model's service said, as text. Only words of the program are to be judged here,
never those of its model.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from orchestra.model.outcomes import Fault

LONGEST = 16_000
"""Characters of a message that are looked at: whole pages of HTML come as errors."""

_STATUS = re.compile(r"(?:status[ _]?code|status|error|http|code)[^0-9a-z]{0,4}([45]\d\d)(?!\d)", re.I)
_NAMED = re.compile(r"(?<!\d)([45]\d\d) (?:bad|unauthor|payment|forbidden|not found|request|too many|internal|service|gateway)", re.I)  # fmt: skip  # noqa: E501

_WAIT = re.compile(r"(?:try again|retry|retrying|retry.?after|retry.?delay|reset|resets)\W{0,4}(?:in|after)?\W{0,4}((?:\d+(?:\.\d+)?\s*(?:milliseconds?|ms|seconds?|sec|s|minutes?|min|m|hours?|h|days?|d)\b[ ,and]*)+)", re.I)  # fmt: skip  # noqa: E501
_PART = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|milli|s|m|h|d)", re.I)
_SECONDS = {"ms": 0.001, "milli": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}

_TOO_LONG = re.compile(
    r"context.?length|context.?window|maximum context|prompt.{0,12}too long|input.{0,12}too long"
    r"|prompt_too_long|exceeds the maximum number of tokens",
    re.I,
)
_NO_ACCESS = re.compile(
    r"unauthori[sz]ed|invalid.{0,12}api.?key|api.?key.{0,12}(?:not valid|invalid|missing|required)"
    r"|incorrect api key|not logged in|please log ?in|authenticat|forbidden|no api key",
    re.I,
)
_PAID_UP = re.compile(
    r"insufficient.?quota|current quota|billing|credit balance|out of credits|payment required", re.I
)
_THROTTLED = re.compile(r"too many requests|rate.?limit|overloaded|resource.?exhausted|usage limit", re.I)
_PASSING = re.compile(
    r"tim(?:ed|e) ?out|timeout|connection (?:error|refused|reset|closed|failed|lost)|cannot connect|network"
    r"|stream (?:disconnected|closed|ended)|econn|enotfound|eai_again|etimedout|socket hang up|fetch failed"
    r"|temporar|high demand|unavailable|internal server error|bad gateway|server error",
    re.I,
)


@dataclass(frozen=True, slots=True)
class Trouble:
    """Whose fault a failure is; `transient`: it may be over soon; `throttled`: because too much was asked;
    `wait_s`: after so many seconds it may be asked again, where that was said.
    """

    fault: Fault
    transient: bool = False
    throttled: bool = False
    wait_s: float | None = None


def trouble(message: str) -> Trouble:
    """What an error message of a service or a program tells; what nothing is known of is the agent's fault."""
    message = message[:LONGEST]
    wait = _wait(message)
    if _TOO_LONG.search(message):
        return Trouble(Fault.AGENT)
    status = _status(message)
    if status in (400, 401, 402, 403, 404, 405, 422):
        return Trouble(Fault.ENVIRONMENT)
    # "Check your plan" is also said where the minute's share is used up: then it says when to come again.
    used_up = _PAID_UP.search(message) is not None
    if used_up and wait is None:
        return Trouble(Fault.ENVIRONMENT)
    if used_up or status in (429, 529) or _THROTTLED.search(message):
        return Trouble(Fault.ENVIRONMENT, transient=True, throttled=True, wait_s=wait)
    if status is None and _NO_ACCESS.search(message):
        return Trouble(Fault.ENVIRONMENT)
    if status == 408 or (status or 0) >= 500 or _PASSING.search(message):
        return Trouble(Fault.ENVIRONMENT, transient=True, wait_s=wait)
    return Trouble(Fault.AGENT)


def _status(message: str) -> int | None:
    found = _STATUS.search(message) or _NAMED.search(message)
    return int(found[1]) if found else None


def _wait(message: str) -> float | None:
    """Seconds until the service may be asked again, as in `try again in 1m 2.5s`."""
    found = _WAIT.search(message)
    if found is None:
        return None
    return sum(float(number) * _SECONDS[unit.lower()] for number, unit in _PART.findall(found[1]))
