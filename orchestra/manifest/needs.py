"""What tasks need of each other: every name exists, and no task waits for itself, however far around."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from orchestra.manifest.problems import DataPath, Problem, nearest, show


@dataclass(frozen=True, slots=True)
class Waiting:
    """A task with the names that it needs, and where they are written: `path` in `file` (None: manifest)."""

    name: str
    needs: tuple[str, ...]
    path: DataPath
    file: str | None
    prompt: str | None = None

    def problem(self, number: int, message: str, hint: str | None, *because: Problem) -> Problem:
        """A problem with one of the names."""
        return Problem(message, (*self.path, number), False, hint, self.file, because=because)


def check_needs(tasks: Sequence[Waiting]) -> list[Problem]:
    """What is wrong with what the tasks need: unknown names, or else the first circle in their order."""
    by_name = {task.name: task for task in tasks}
    problems = [
        _unknown(task, number, by_name)
        for task in tasks
        for number, need in enumerate(task.needs)
        if need not in by_name
    ]
    if problems:
        return problems
    circle = _circle(by_name)
    return [_round(circle, by_name)] if circle else []


def _unknown(task: Waiting, number: int, by_name: Mapping[str, Waiting]) -> Problem:
    need = task.needs[number]
    message = f"`{show(task.name)}` needs `{show(need)}`, but there is no such task"
    by_prompt = [other.name for other in by_name.values() if other.prompt == need]
    meant = by_prompt[0] if by_prompt else nearest(need, (name for name in by_name if name != task.name))
    hint = f"did you mean `{show(meant)}`?" if meant else "name a task of the manifest, or remove it"
    return task.problem(number, message, hint)


def _circle(by_name: Mapping[str, Waiting]) -> list[str]:
    """Names that need each other in a circle, each the next and the last one the first; empty: there is none.

    A depth-first walk without recursion: chains may be as long as there are tasks.
    """
    done: set[str] = set()
    for start in by_name:
        path: list[str] = []
        on_path: set[str] = set()
        todo = [(start, False)]
        while todo:
            name, leaving = todo.pop()
            if leaving:
                path.pop()
                on_path.discard(name)
                done.add(name)
            elif name in on_path:
                return path[path.index(name) :]
            elif name not in done:
                path.append(name)
                on_path.add(name)
                todo.append((name, True))
                todo += [(need, False) for need in reversed(by_name[name].needs)]
    return []


def _round(circle: list[str], by_name: Mapping[str, Waiting]) -> Problem:
    """The problem that shows one circle, with the place of each need in it."""
    links = []
    for name, need in zip(circle, [*circle[1:], circle[0]], strict=True):
        task = by_name[name]
        links.append(task.problem(task.needs.index(need), f"`{show(name)}` needs `{show(need)}`", None))
    first = by_name[circle[0]]
    if len(circle) == 1:
        return first.problem(
            first.needs.index(first.name), f"`{show(first.name)}` needs itself", "remove it from its `needs`"
        )
    shown = " → ".join(show(name) for name in (*circle, circle[0]))
    number = first.needs.index(circle[1])
    message = f"tasks need each other in a circle: {shown}"
    return first.problem(number, message, "take one of these names out of its `needs`", *links)
