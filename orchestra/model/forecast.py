"""How long attempts will take, and what follows for a build: its critical path and its end. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Forecast:
    """What is left of a build: the tasks of its critical path, first to last, and the seconds until its end (None:
    nothing is known of how long its tasks take).
    """

    path: tuple[str, ...] = ()
    seconds: float | None = None


def forecast(
    order: Iterable[str],
    before: Mapping[str, Sequence[str]],
    left: Mapping[str, float | None],
    usual: float | None,
    jobs: int,
) -> Forecast:
    """Look ahead. `order` are the tasks that are left, in an order that keeps all edges; `before` the tasks that each
    waits for; `left` the seconds that each will still take, None where that is not known: then it is taken to last as
    long as is `usual` (None: nothing is known at all, and each counts the same); `jobs` how many run at once.

    The end can come no sooner than the longest chain allows, nor than so many at once can do all of it.
    """
    ends: dict[str, float] = {}
    last: dict[str, str | None] = {}
    total, end = 0.0, None
    for name in order:
        own = left.get(name)
        own = (1.0 if usual is None else usual) if own is None else own
        previous = max(
            (each for each in before.get(name, ()) if each in ends), key=ends.__getitem__, default=None
        )
        ends[name] = own + (ends[previous] if previous is not None else 0.0)
        last[name] = previous
        total += own
        if end is None or ends[name] > ends[end]:
            end = name
    if end is None:
        return Forecast()
    path = [end]
    while (previous := last[path[-1]]) is not None:
        path.append(previous)
    return Forecast(
        tuple(reversed(path)), max(ends[end], total / max(jobs, 1)) if usual is not None else None
    )
