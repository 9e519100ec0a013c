"""The builds of which something can be told: their events as they were written, or as the history kept them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from orchestra.model.errors import environment_error, usage_error
from orchestra.reporting.story import Story
from orchestra.reporting.telling import story_of

EVENTS = "events.jsonl"

_SAID = b'{"event":"agent_event"'
"""How the lines begin that say what agents did: nothing is told of them, and they are most of a file."""

_NAMED = 5


class ToldBuilds:
    """The builds of one state folder."""

    def __init__(self, state: Path, *, at_work: bool, now: float) -> None:
        """`at_work`: a build is at work in the repository just now."""
        self._state = state
        self._at_work = at_work
        self._now = now

    def folder(self, build: str) -> Path:
        """Where what a build wrote lies."""
        return self._state / "builds" / build

    def names(self) -> tuple[str, ...]:
        """The builds that left their events, oldest first: those that did something."""
        try:
            found = [item.name for item in (self._state / "builds").iterdir() if (item / EVENTS).is_file()]
        except OSError:
            return ()
        return tuple(sorted(found))

    def find(self, which: str | None) -> Story:
        """The story of a build: by its name, the beginning of just one, or `last` (also None).

        Raises OrchestraError (exit status 2) where there is none.
        """
        names = self.names()
        if which in (None, "last"):
            story = self.read(names[-1]) if names else None
        else:
            assert which is not None
            fitting = [name for name in names if name == which] or [
                name for name in names if name.startswith(which)
            ]
            if which and len(fitting) > 1:
                raise usage_error(
                    f'several builds begin with "{which}"', hint=f"say more: {', '.join(fitting[:_NAMED])}"
                )
            story = self.read(fitting[0]) if which and fitting else None
        return story or self._remembered(which)

    def before(self, story: Story) -> Story | None:
        """The build before one, of those that left their events."""
        earlier = [name for name in self.names() if name < story.build]
        return self.read(earlier[-1]) if earlier else None

    def read(self, name: str) -> Story | None:
        """What the events of a build tell; None where that is nothing. Raises OrchestraError where nobody may read."""
        path = self.folder(name) / EVENTS
        # Another one is at work only on what is newest.
        running = self._at_work and name == self.names()[-1]
        try:
            return story_of(_lines(path), running=running, now=self._now)
        except OSError as error:
            raise environment_error(f"cannot read {path}", causes=(str(error),)) from error

    def _remembered(self, which: str | None) -> Story:
        """The story that the history remembers, where the events are gone."""
        from orchestra.cli.told_records import events_of
        from orchestra.history.database import open_for_reading
        from orchestra.history.queries import read_build

        history = open_for_reading(self._state / "history.db")
        if history is None:
            raise usage_error("nothing was built here yet", hint="orchestra build")
        with history:
            detail = read_build(history, which or "last")
        story = story_of(events_of(detail))
        assert story is not None
        return story


def _lines(path: Path) -> Iterator[Any]:
    """The events of a file; a line that is none, as the last one of a build that was killed, is None."""
    with path.open("rb") as file:
        for line in file:
            if line.startswith(_SAID):
                continue
            try:
                yield json.loads(line)
            except (ValueError, RecursionError):
                yield None
