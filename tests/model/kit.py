"""What the tests of the pure rules share: tasks and manifests in one line each, and strategies for them."""

from __future__ import annotations

from hypothesis import strategies as st

from orchestra.model.tasks import AgentSpec, Claims, Inferred, Integrate, Manifest, OnDrift, Prompt, Task

NAMES = "abcdefgh"


def task(
    name: str,
    index: int = 0,
    *,
    write: tuple[str, ...] | None = None,
    read: tuple[str, ...] = (),
    unread: tuple[str, ...] = (),
    needs: tuple[str, ...] = (),
    run: str | None = None,
    shared: tuple[str, ...] = (),
    inferred: tuple[Inferred, ...] = (),
    exclusive: bool = False,
    priority: int = 0,
    text: str | None = None,
    on_drift: OnDrift | None = None,
    check: str | None = None,
) -> Task:
    """A task with a prompt, or with a command where `run` is given."""
    prompt = Prompt(f"prompts/{name}.md", text or f"Do {name}.\n", f"Do {name}.") if run is None else None
    return Task(
        name,
        index,
        Claims(
            write,
            read,
            unread,
            shared,
            exclusive,
            declared=write is not None or bool(read) or exclusive,
            inferred=inferred,
        ),
        prompt=prompt,
        run=run,
        agent="scripted" if run is None else None,
        needs=needs,
        priority=priority,
        check=check,
        on_drift=on_drift,
    )


def numbered(*tasks: Task) -> tuple[Task, ...]:
    """The tasks with their place in manifest order."""
    from dataclasses import replace

    return tuple(replace(each, index=index) for index, each in enumerate(tasks))


def manifest(*tasks: Task, verify: str | None = None) -> Manifest:
    """A manifest of these tasks, in this order."""
    return Manifest(
        numbered(*tasks), {"scripted": AgentSpec("scripted", "script")}, integrate=Integrate(verify=verify)
    )


PATTERNS = ("a", "a/*", "a/b", "a/**", "b", "b/*", "b/a", "*", "**", "?/b", "c/", "**/b", "c*", "cc", "[!a]*")
"""Enough to meet in every way: alike, one within the other, crosswise, and not at all."""


@st.composite
def task_sets(draw: st.DrawFn, *, circles: bool = False, most: int = 7) -> tuple[Task, ...]:
    """Tasks of every kind; their needs go to earlier ones, or anywhere with `circles`."""
    names = NAMES[: draw(st.integers(1, most))]
    patterns = st.lists(st.sampled_from(PATTERNS), max_size=2, unique=True).map(tuple)
    tasks: list[Task] = []
    for index, name in enumerate(draw(st.permutations(names))):
        others = names if circles else [each.name for each in tasks]
        needs = draw(st.lists(st.sampled_from(others), max_size=2, unique=True)) if others else []
        kind = draw(
            st.sampled_from(["declared", "declared", "declared", "unknown", "run", "exclusive", "check"])
        )
        made = task(
            name,
            index,
            write={"declared": draw(patterns), "check": ()}.get(kind),
            read=("**",) if kind == "run" else () if kind == "exclusive" else draw(patterns),
            unread=("prompts/**",) if kind == "run" else (),
            needs=tuple(needs),
            run="make" if kind == "run" else None,
            exclusive=kind == "exclusive",
            priority=draw(st.integers(-1, 1)),
        )
        tasks.append(made)
    return tuple(tasks)
