"""What a person sees of several builds in a row."""

from __future__ import annotations

from orchestra.cli.display import Display
from orchestra.model.events import Event, TaskLanded
from orchestra.model.outcomes import Final
from orchestra.model.tasks import Manifest
from tests.reporting.stories import C1, START, B, T, finish


def test_a_watch_gives_advice_that_goes_for_every_build_once() -> None:
    display = Display(as_json=False, silent=True, verbosity=0)

    def told(*events: Event) -> str:
        (listener,), summary = display.listeners(Manifest((), {}))
        for event in (START, *events):
            listener.notify(event)
        return summary()

    landed = TaskLanded(T, B, "a", "a-1", C1, ("f",), False), finish({"a": Final.LANDED}, ran=1)
    assert "hint:" not in told(finish({"a": Final.FRESH}))
    assert "hint:" in told(*landed)
    again = told(*landed)
    assert "merged, not verified  a" in again and "hint:" not in again
