"""Tasks with claims of every kind for the tests of the order: those of the kit, some of which share what they
write, or have claims that were inferred.
"""

from __future__ import annotations

from dataclasses import replace

from hypothesis import strategies as st

from orchestra.model.tasks import Access, Inferred, Task

from .kit import PATTERNS, task_sets

PATTERN_LISTS = st.lists(st.sampled_from(PATTERNS), min_size=1, max_size=2, unique=True).map(tuple)
ACCESSES: st.SearchStrategy[Access] = st.sampled_from(("write", "read"))


@st.composite
def claim_sets(draw: st.DrawFn, *, circles: bool = False) -> tuple[Task, ...]:
    """Tasks of the kit; who declares what it writes may share some, who declares nothing may have it inferred."""
    return tuple(draw(with_more(task)) for task in draw(task_sets(circles=circles)))


@st.composite
def with_more(draw: st.DrawFn, task: Task) -> Task:
    """The task with shared patterns or inferred claims, where it can have them."""
    claims = task.claims
    if claims.exclusive or draw(st.integers(0, 2)) == 0:
        return task
    if claims.write is not None:
        return replace(task, claims=replace(claims, shared=draw(PATTERN_LISTS)))
    inferred = tuple(Inferred(text, draw(ACCESSES), 1, "found") for text in draw(PATTERN_LISTS))
    return replace(task, claims=replace(claims, inferred=inferred))
