"""What a build is asked to do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from orchestra.integration.branch import Target
from orchestra.model.graph import Graph
from orchestra.model.tasks import Manifest


@dataclass(frozen=True, slots=True)
class BuildOrder:
    """What a build is asked to do.

    `tip` is the commit that it begins with: the target's head, or the tip that an earlier build left.
    `forced` tasks run though they may be fresh, `named` ones (targets) also where they were reverted; with
    `adopt` stale ones are recorded as fresh and nothing runs. `environment` stands for what beside the tree
    decides a verdict. `agents` names the agent of each task.
    """

    build: str
    manifest: Manifest
    graph: Graph
    selected: frozenset[str]
    target: Target
    tip: str
    jobs: int
    forced: frozenset[str] = frozenset()
    named: frozenset[str] = frozenset()
    adopt: bool = False
    fail_fast: bool = False
    dry_run: bool = False
    environment: str = ""
    agents: Callable[[str], str] = field(default=lambda task: "")
