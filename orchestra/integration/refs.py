"""The refs below which a build keeps what it made, so that nothing that an agent did can be dropped by git. Pure.

A result is `captured` until it has landed or was rejected: what a crash leaves there goes on at the audit. Then it
is one of the `results` that can be replayed, or `rejected` and only kept.
"""

from __future__ import annotations

from orchestra.model.keys import key_in_ref
from orchestra.model.ports import RefUpdate

CHECKS = "refs/orchestra/checks/"
CAPTURED = "refs/orchestra/captured/"
RESULTS = "refs/orchestra/results/"
REJECTED = "refs/orchestra/rejected/"
PUT = "refs/orchestra/branches/put/"
"""By the name of a branch that keeps a result (`integrate.branch`): where it was last put. Only there it is ours."""

KEPT = "refs/orchestra/branches/kept/"
"""By the name of such a branch: a result that is yet to be put there, or cannot be."""


def check_ref(key: str) -> str:
    """The ref that remembers a check task's green verdict."""
    return CHECKS + key_in_ref(key)


def captured_ref(key: str, attempt: str) -> str:
    """The ref that keeps what an attempt did from its end until it is settled, by action key."""
    return f"{CAPTURED}{key_in_ref(key)}/{attempt}"


def result_ref(key: str, attempt: str) -> str:
    """The ref that keeps what an attempt did and landed, by action key."""
    return f"{RESULTS}{key_in_ref(key)}/{attempt}"


def settled_well(key: str, attempt: str, result: str) -> tuple[RefUpdate, ...]:
    """The updates by which a captured result becomes one that can be replayed."""
    return (
        RefUpdate(result_ref(key, attempt), result, force=True),
        RefUpdate(captured_ref(key, attempt), None, force=True),
    )


def rejected(key: str, attempt: str, result: str) -> tuple[RefUpdate, ...]:
    """The updates by which a result is kept, but never replayed; the first names the ref that keeps it."""
    return (
        RefUpdate(REJECTED + attempt, result, force=True),
        RefUpdate(captured_ref(key, attempt), None, force=True),
        RefUpdate(result_ref(key, attempt), None, force=True),
    )
