"""A whole build on disk, through the real executor, each of whose calls can be the last.

As the command line puts it together, but for what it prints and for the build's lock: what that is there for is
asked of other tests. Every git command counts as a call, also those of slots, captures and advances.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from orchestra.agents.registry import make_agent
from orchestra.agents.run import RunCommand
from orchestra.execution.engine import BuildOrder, Engine
from orchestra.execution.local import LocalExecutor
from orchestra.execution.preflight import Preflight
from orchestra.execution.workshop import Workshop
from orchestra.history.recorder import Recorder
from orchestra.integration.branch import FOLLOWED
from orchestra.integration.reconcile import take_up
from orchestra.manifest.load import load
from orchestra.model.events import BuildFinished
from orchestra.model.graph import build_graph
from orchestra.model.ports import Executor, Listener, Store
from orchestra.model.tasks import AgentSpec, Task
from orchestra.reporting.jsonl import EventsFile
from orchestra.vcs.capture import rescue
from orchestra.vcs.command import Completed, GitCommand
from orchestra.vcs.locks import remove_stale_locks
from orchestra.vcs.repository import Repository
from orchestra.vcs.slots import Slot, SlotPool, slots_folder
from tests.execution.shop import SystemClock

from .crashing import Fuse

GRACE = 0.3


class Counted(GitCommand):
    """Git, every command of which is a call through a fuse."""

    fuse: Fuse

    @classmethod
    def of(cls, command: GitCommand, fuse: Fuse) -> Counted:
        """The same command with a fuse."""
        made = cls.__new__(cls)
        made.__dict__.update(command.__dict__)
        made.fuse = fuse
        return made

    def at(
        self, directory: Path, *, flags: tuple[str, ...] = (), env: Mapping[str, str] | None = None
    ) -> GitCommand:
        """See `GitCommand`."""
        return Counted.of(super().at(directory, flags=flags, env=env), self.fuse)

    def run(self, *argv: str, **options: Any) -> Completed:
        """See `GitCommand`."""
        return cast(Completed, self.fuse.call(super().run, *argv, **options))


@dataclass
class Workplace:
    """A person's repository on disk in which builds are made. `warnings` is what they said of the history."""

    root: Path
    env: Mapping[str, str]
    builds: int = 0
    warnings: list[str] = field(default_factory=list)

    @property
    def state(self) -> Path:
        """The state folder."""
        return self.root / ".git" / "orchestra"

    def build(self, fuse: Fuse, *, jobs: int) -> BuildFinished:
        """One build of everything; raises Crash where the fuse blows."""
        self.builds += 1
        name = f"20261122-10000{self.builds}-0000"
        command = Counted.of(GitCommand(self.root, self.env), fuse)
        git_dir = self.root / ".git"
        repository = Repository(command, self.root, git_dir, git_dir)
        slots = slots_folder(git_dir, self.root, None, self.env)
        remove_stale_locks(self.root, git_dir, slots)
        manifest = load(self.root)
        head = repository.head()
        begin = take_up(repository, repository.refs_below(*FOLLOWED), head.branch, head.commit, advance=True)
        repository.update_refs(begin.obsolete)
        graph = build_graph(manifest.tasks)
        order = BuildOrder(name, manifest, graph, frozenset(graph.tasks), begin.target, begin.tip, jobs)
        clock = SystemClock()

        def rescued(slot: Slot, attempt: str) -> None:
            rescue(repository, slot, attempt, pool.spared(slot))

        pool = SlotPool(command, self.root, git_dir, slots, manifest.worktrees, rescued)
        shop = Workshop(
            repository,
            pool,
            name,
            clock,
            self.env,
            "",
            lambda task: None if task.run is not None else AgentSpec("script", "script"),
            adapter_of,
        )
        flight = Preflight(shop, head.branch, slots, manifest.prompts, lambda message, hint: None)
        logs = self.state / "builds" / name
        recorder = Recorder.open(self.state / "history.db", on_error=self.warnings.append)
        record = EventsFile(logs / "events.jsonl", lambda error: self.warnings.append(str(error)))
        with (
            contextlib.closing(recorder),
            contextlib.closing(record),
            LocalExecutor(shop, logs, grace=GRACE) as executor,
        ):
            engine = Engine(
                order,
                cast(Store, repository),
                cast(Executor, fuse.guard(executor)),
                clock,
                [cast(Listener, fuse.guard(each)) for each in (recorder, record)],
                lambda stale: flight.check(graph.task(each) for each in stale),
            )
            return engine.run()

    def damage(self, how: str) -> None:
        """Do something to the history: `delete`, `truncate`, `garbage`, or nothing."""
        history = self.state / "history.db"
        if how == "nothing" or not history.exists():
            return
        if how == "truncate":
            size = history.stat().st_size
            with history.open("r+b") as file:
                file.truncate(size // 2)
            return
        for file_ in self.state.glob("history.db*"):
            file_.unlink()
        if how == "garbage":
            history.write_bytes(b"SQLite format 3\0" + b"\xff" * 4096)

    def recorded(self) -> int:
        """How many builds the history knows."""
        with contextlib.closing(sqlite3.connect(self.state / "history.db")) as connection:
            return int(connection.execute("SELECT count(*) FROM builds").fetchone()[0])


def adapter_of(task: Task, spec: AgentSpec | None) -> Any:
    """The `script` agent, or the task's own command."""
    return make_agent(spec) if spec is not None else RunCommand(task.run or "")
