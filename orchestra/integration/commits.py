"""What the commit of a result looks like: its message, its author, and the agent's own commits that lead to it.

What an agent committed is kept as history only where that is one line from the base on which it touches nothing that
the result does not change too: what it made and took away again, a secret perhaps, comes into no history.
"""

from __future__ import annotations

from dataclasses import dataclass

from orchestra.model.authors import Author, author_of
from orchestra.model.ports import Store
from orchestra.model.rescued import commits_message, commits_ref
from orchestra.model.tasks import Manifest, Task
from orchestra.model.trees import differences

MOST = 50
"""How many commits of an agent are looked at, and kept as history."""


@dataclass(frozen=True, slots=True)
class Style:
    """How the commits of a result are to look.

    `message` is the template of the manifest (None: title and last word), `agent` the name of who did it, `author`
    whom to name as the author, None for the person.
    """

    message: str | None = None
    agent: str = ""
    author: Author | None = None


PLAIN = Style()
"""Where the manifest says nothing."""


def style_of(git: Store, manifest: Manifest, task: Task, agent: str, own: str | None) -> Style:
    """How the manifest wants the commits of a task's result. `agent` is the name of who did it, `own` the last commit
    that it made itself.
    """
    wanted = manifest.integrate
    author = None
    # What is none of the manifest's agents is a command, or the person who resolved something by hand.
    spec = manifest.agents.get(agent) if task.run is None else None
    if wanted.author == "agent" and spec is not None:
        # Who it said it was when it committed; not so where git took it for the person.
        said = git.author(own) if own is not None else None
        author = said or author_of(agent, spec.kind)
    return Style(wanted.message, agent, author)


def own_commits(git: Store, base: str, result: str, attempt: str) -> str | None:
    """The commit at which the agent of an attempt left its HEAD, where what leads to it from the base can be kept as
    history; None where it committed nothing, or where it cannot.
    """
    head = git.resolve(commits_ref(attempt))
    if head is None:
        return None
    if git.message(head) == commits_message(attempt):
        head = git.parents(head)[0]
    changed = {change.path for change in differences(git.tree(base), git.tree(result))}
    at = head
    for _ in range(MOST):
        parents = git.parents(at)
        if at == base or len(parents) != 1:
            break
        touched = differences(git.tree(parents[0]), git.tree(at))
        if any(change.path not in changed for change in touched):
            break
        at = parents[0]
    return head if at == base and head != base else None
