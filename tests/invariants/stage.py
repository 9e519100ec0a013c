"""Where the machines play: what they need to begin, and to have everything twice. Here all is in memory."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

from hypothesis import note
from hypothesis import strategies as st

from orchestra.planning.simulate import ManualClock
from orchestra.vcs.memory import MemoryGit
from tests.engine.doings import PATHS, act, doings, tasks
from tests.engine.world import World

from .person import Person


class Stage:
    """A stage on which every repository is in memory."""

    def repository(self) -> MemoryGit:
        """A new repository."""
        return MemoryGit()

    def copy(self, git: MemoryGit) -> MemoryGit:
        """Another repository in which all is the same."""
        # Objects only ever come to be: two may share them. Where branches stand is their own.
        known = {each.name: getattr(git, each.name) for each in fields(git) if each.init}
        return type(git)(**{**known, "refs": dict(git.refs)})

    def behind(self, git: Any) -> Any:
        """What the engine is given for a repository."""
        return git

    def make(
        self, data: st.DataObject, kinds: tuple[str, ...], *, failures: bool, claims: tuple[str, ...]
    ) -> tuple[World, Person]:
        """A world with some files and tasks, of which some are not in the manifest yet, and its person."""
        files = data.draw(st.dictionaries(st.sampled_from(PATHS), st.sampled_from(["1", "2"])))
        chosen = data.draw(tasks(kinds=kinds, claims=claims))
        verify = "make check" if failures or data.draw(st.booleans()) else None
        files = {"README": "hello", **files}
        world = World.of(*chosen, files=files, verify=verify, git=self.repository())
        world.behind = self.behind
        self.land(data, world)
        doing = {one.name: data.draw(doings(one, failures=failures)) for one in chosen}
        act(world, doing)
        note(f"{world}\n{doing}")
        person = Person(world, doing)
        for _ in range(data.draw(st.integers(0, len(chosen) - 1))):
            person.remove(len(person.tasks) - 1)
        return world, person

    def land(self, data: st.DataObject, world: World) -> None:
        """Let results land in any way."""
        world.integrate(
            strategy=data.draw(st.sampled_from(["squash", "merge"])),
            branch=data.draw(st.sampled_from([None, "feature/{task}", "feature/{build}-{task}"])),
            author=data.draw(st.sampled_from(["user", "agent"])),
        )

    def twin(self, person: Person) -> Person:
        """Another person with a repository of their own in which all is the same."""
        world = person.world
        other = replace(
            world,
            git=self.copy(world.git),
            clock=ManualClock(world.clock.seconds),
            theirs=list(world.theirs),
            read_entries=dict(world.read_entries),
            last_engine=None,
        )
        doing = dict(person.doing)
        act(other, doing)
        return Person(other, doing, list(person.bin))
