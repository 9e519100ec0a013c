"""One watch: the loop that waits for disk, keys, signals and the build under way, and does what the machine says."""

from __future__ import annotations

import os
import selectors
import signal
import stat
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from math import inf
from typing import Protocol

from orchestra.model.errors import ExitStatus, OrchestraError
from orchestra.model.events import (
    AttemptStarted,
    BranchAdvanced,
    BuildFinished,
    Event,
    TaskLanded,
)
from orchestra.model.ports import Clock, Listener, Pulse
from orchestra.model.tasks import Manifest
from orchestra.model.watch_events import (
    ChangeSeen,
    Trouble,
    WatchStarted,
    WatchStopped,
    WatchTrouble,
    WatchWaiting,
    Why,
)
from orchestra.watching.builder import Builder, Happened, Refused, Waits, Warned, WorkOrder, troubles
from orchestra.watching.failures import Failures
from orchestra.watching.keys import Keys
from orchestra.watching.machine import Action, Busy, Effect, Machine, OnBusy, Step, Version
from orchestra.watching.observer import Observer
from orchestra.watching.places import Places
from orchestra.watching.signals import ENDS, Signals
from orchestra.watching.versions import Difference, Numbers, Sight, difference, is_own

BACKGROUND = 1.0
"""Seconds between two looks whether the terminal is ours again."""

PAUSED = "paused: nothing more is built before you press p again"


@dataclass(frozen=True, slots=True)
class Look:
    """What a look found: where to look from now on; the sight, the last good one where there are troubles (None: there
    was none yet); or what git is in the middle of, in words. `gone`: the folder is not there.
    """

    places: Places
    sight: Sight | None = None
    errors: tuple[Trouble, ...] = ()
    busy: str | None = None
    gone: bool = False


class Looker(Protocol):
    """What looks at the disk."""

    def look(self) -> Look:
        """Look now."""
        ...

    def as_landed(self, paths: frozenset[str], tip: str) -> bool:
        """Whether the files of these paths are in the checkout what they are in the commit."""
        ...


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the command line asked for: `order` is what every build gets, but for manifest and budget.

    `budget` is what the whole watch may cost, in USD; None: no limit but those of the manifest.
    """

    order: WorkOrder
    root: str
    debounce: float
    on_busy: OnBusy
    polling: bool
    budget: float | None


class Session:
    """One watch, from its start to its end."""

    def __init__(
        self,
        wishes: Wishes,
        looker: Looker,
        builder: Builder,
        clock: Clock,
        tell: Callable[[Event], None],
        warn: Callable[[str], None],
        listeners: Callable[[Manifest], Sequence[Listener]],
        show: Callable[[], None],
        help_: Callable[[], None],
        keys: Keys | None,
        output: int | None,
        pulse: Callable[[], Pulse | None] = lambda: None,
        done: Callable[[], None] = lambda: None,
    ) -> None:
        """`tell` takes the watch's own events, `warn` what there is to say beside them; `listeners` gives those of a
        build with that manifest; `show` is for the key that asks how things stand, `help_` for
        the one that asks for the keys. `output` is the descriptor whose
        reader's departure ends the watch; `pulse` gives whoever wants to be called while the watch waits,
        and `done` is called when a build is over, however it ended.
        """
        self._wishes = wishes
        self._looker = looker
        self._builder = builder
        self._clock = clock
        self._send = tell
        self._warn = warn
        self._listeners_of = listeners
        self._show = show
        self._help = help_
        self._keys = keys
        self._output = output
        self._pulse, self._done = pulse, done
        self._machine = Machine(debounce=wishes.debounce, on_busy=wishes.on_busy, now=clock.monotonic())
        self._selector = selectors.DefaultSelector()
        self._observer = Observer(polling=wishes.polling)
        self._base: Sight | None = None
        self._last: Sight | None = None
        self._numbers = Numbers()
        self._told_errors: tuple[Trouble, ...] = ()
        self._told_waiting: WatchWaiting | None = None
        self._listeners: Sequence[Listener] = ()
        self._build = ""
        self._reading: int | None = None
        self._tips: list[str] = []
        self._landed: set[str] = set()
        self._attempted: set[str] = set()
        self._failures = Failures()
        self._concluded = False
        self._builds = 0
        self._usd: float | None = None
        self._status = ExitStatus.OK
        self._over = False

    def run(self) -> ExitStatus:
        """Watch until the person leaves; gives the exit status."""
        with Signals() as signals:
            self._signals = signals
            self._selector.register(signals.fd, selectors.EVENT_READ, self._signalled)
            self._selector.register(self._observer.bell.fd, selectors.EVENT_READ, self._rung)
            self._watch_output()
            self._take_keys()
            try:
                wishes = self._wishes
                self._tell(
                    WatchStarted(
                        self._now(), "", wishes.root, wishes.on_busy, wishes.debounce, wishes.polling
                    )
                )
                while not self._over:
                    self._turn()
                self._tell(WatchStopped(self._now(), "", self._builds, self._usd))
            finally:
                self._done()
                if self._keys is not None:
                    self._keys.give_back()
                self._builder.close()
                self._selector.close()
                self._observer.close()
        return self._status

    def _turn(self) -> None:
        self._do(self._machine.awake(self._clock.monotonic()))
        if self._over:
            return
        pulse = self._pulse()
        until = min(
            self._observer.beat_at, self._machine.wakes_at or inf, inf if pulse is None else pulse.due
        )
        wait = None if until == inf else max(0.0, until - self._clock.monotonic())
        if self._keys is not None and not self._keys.taken:
            # Nothing tells a process in the background that it has come to the front.
            self._take_keys()
            wait = BACKGROUND if wait is None else min(wait, BACKGROUND)
        for key, _ in self._selector.select(wait):
            key.data()
        if self._clock.monotonic() >= self._observer.beat_at:
            self._observer.beat()
        if pulse is not None and self._clock.monotonic() >= pulse.due:
            pulse.beat()

    def _rung(self) -> None:
        self._do(self._machine.disturbed(self._observer.heard()))

    # --- what the machine asks for ---------------------------------------------------------------------------

    def _do(self, step: Step, change: Difference | None = None) -> None:
        if step.effect is not None and change:
            # What was told as queued or held is not told again when its turn comes.
            self._tell_change(step.effect, change)
        for action in step.actions:
            match action:
                case Action.LOOK:
                    self._look()
                case Action.BUILD:
                    self._start()
                case Action.INTERRUPT:
                    self._builder.interrupt()
                case Action.LEAVE:
                    self._over = True

    def _look(self) -> None:
        before = self._observer.stamps()
        found = self._looker.look()
        self._observer.adopt(found.places, before, self._polls)
        now = self._clock.monotonic()
        if found.gone:
            self._tell_waiting("folder", f"for {self._wishes.root} to be there again")
            return
        if found.busy is not None:
            self._do(self._machine.looked(Busy(), now))
            self._tell_waiting("git", found.busy)
            return
        mended = self._tell_errors(found)
        sight = found.sight
        if sight is None:
            self._do(self._machine.looked(Version(None), now))
            self._tell_waiting("manifest", "until that is mended")
            return
        base = self._base
        if base is not None and self._machine.building and sight.branch == base.branch:
            # The build that is under way follows the branch by itself; the look after it says what is left.
            sight = replace(sight, commit=base.commit)
        own = base is not None and is_own(base, sight, self._tips, self._is_landed)
        change = difference(self._last, sight)
        if change.commit in self._tips:
            # The build's own doing is no news.
            change = replace(change, commit=None)
        if not own and (change.commit or change.branch or change.settings):
            # A check may read what no key tells of.
            self._failures.forget()
        self._last = sight
        step = self._machine.looked(Version(self._numbers.of(sight, base), own), now)
        if own or step.effect is Effect.IGNORED or Action.BUILD in step.actions:
            self._base = sight
        self._do(step, change if base is not None or change.removed else None)
        if not self._machine.building and not self._machine.leaving:
            if self._machine.paused:
                self._tell_waiting("resume", PAUSED)
            else:
                self._tell_waiting("changes", "for changes: all can be read again" if mended else "")

    def _start(self) -> None:
        assert self._base is not None
        order = self._wishes.order
        manifest = self._base.manifest
        budget = self._wishes.budget
        if budget is not None:
            # What is left for the whole watch, and never more than the manifest gives one build.
            limits = [max(0.0, budget - (self._usd or 0.0)), manifest.limits.usd]
            budget = min(limit for limit in limits if limit is not None)
        self._tips, self._landed, self._attempted = [], set(), set()
        self._concluded = False
        self._build = ""
        self._told_waiting = None
        self._listeners = self._listeners_of(manifest)
        try:
            self._reading = self._builder.start(
                replace(order, manifest=manifest, budget=budget, failed=self._failures.keys)
            )
        except OrchestraError as error:
            self._tell(WatchTrouble(self._now(), "", troubles(error)))
            self._do(self._machine.ended(self._clock.monotonic()))
            return
        self._builds += 1
        self._selector.register(self._reading, selectors.EVENT_READ, self._build_says)

    # --- the build under way ---------------------------------------------------------------------------------

    def _build_says(self) -> None:
        messages, over = self._builder.read()
        for message in messages:
            match message:
                case Happened(event):
                    self._heard(event)
                case Warned(words):
                    self._warn(words)
                case Waits(words):
                    self._tell_waiting("build", words)
                case Refused(errors):
                    self._concluded = True
                    self._tell(WatchTrouble(self._now(), self._build, errors))
        if over:
            self._build_over()

    def _heard(self, event: Event) -> None:
        self._build = event.build
        self._failures.heard(event)
        match event:
            case AttemptStarted(task=task):
                self._attempted.add(task)
            case BranchAdvanced(new=new):
                self._tips.append(new)
            case TaskLanded(paths=paths):
                self._landed |= set(paths)
            case BuildFinished(usd=usd, tip=tip):
                self._concluded = True
                self._tips.append(tip)
                if usd is not None:
                    self._usd = (self._usd or 0.0) + usd
        for listener in self._listeners:
            listener.notify(event)

    def _build_over(self) -> None:
        assert self._reading is not None
        self._selector.unregister(self._reading)
        self._reading = None
        status = self._builder.finish()
        self._done()
        if not self._concluded and not self._machine.leaving and status not in (ExitStatus.INTERRUPTED, -2):
            how = f"ended with status {status}" if status >= 0 else f"was killed by signal {-status}"
            trouble = Trouble(
                f"the process of the build {how}", hint="press b, or change something, to go on from there"
            )
            self._tell(WatchTrouble(self._now(), self._build, (trouble,)))
        self._build = ""
        self._listeners = ()
        self._do(self._machine.ended(self._clock.monotonic()))
        if not self._over:
            self._builder.warm()

    def _is_landed(self, written: frozenset[str]) -> bool:
        """Whether these files (absolute paths) are as the build landed them."""
        root = f"{self._wishes.root}/"
        paths = frozenset(path.removeprefix(root) for path in written)
        return paths <= self._landed and bool(self._tips) and self._looker.as_landed(paths, self._tips[-1])

    # --- the person ------------------------------------------------------------------------------------------

    def _signalled(self) -> None:
        for number in self._signals.read():
            if number in ENDS:
                self._status = ExitStatus.INTERRUPTED
                self._do(self._machine.leave())
            elif number == signal.SIGTSTP:
                if self._keys is not None:
                    self._keys.give_back()
                self._signals.stop_here()
                self._take_keys()
            elif number == signal.SIGCONT:
                self._take_keys()

    def _take_keys(self) -> None:
        if self._keys is None:
            return
        with suppress(KeyError):
            self._selector.unregister(self._keys.fd)
        if self._keys.take():
            self._selector.register(self._keys.fd, selectors.EVENT_READ, self._pressed)

    def _pressed(self) -> None:
        assert self._keys is not None
        pressed = self._keys.read()
        if not pressed:
            self._selector.unregister(self._keys.fd)
            if pressed is None:
                # The terminal is gone.
                self._keys = None
            else:
                self._keys.give_back()
            return
        now = self._clock.monotonic()
        for key in pressed.lower():
            match key:
                case "b":
                    self._failures.forget()
                    self._told_waiting = None  # what keeps it waiting all the same is the answer
                    self._do(self._machine.build_now(now))
                case "p":
                    self._do(self._machine.pause(now))
                    if self._machine.paused:
                        self._tell_waiting("resume", PAUSED)
                case "s":
                    self._show()
                case "h" | "?":
                    self._help()
                case "q":
                    self._do(self._machine.leave())
            if self._over:
                return

    def _watch_output(self) -> None:
        """Leave when nobody reads any more what is printed."""
        if self._output is None or not stat.S_ISFIFO(os.fstat(self._output).st_mode):
            return
        with suppress(OSError, ValueError):
            self._selector.register(self._output, selectors.EVENT_READ, self._unheard)

    def _unheard(self) -> None:
        assert self._output is not None
        self._selector.unregister(self._output)
        self._do(self._machine.leave())

    # --- telling ---------------------------------------------------------------------------------------------

    def _tell_change(self, effect: Effect, change: Difference) -> None:
        again = tuple(name for name in change.changed if name in self._attempted) if self._build else ()
        branch = change.branch.removeprefix("refs/heads/") if change.branch else None
        self._tell(
            ChangeSeen(
                self._now(),
                self._build,
                effect.value,
                change.added,
                change.removed,
                change.changed,
                again,
                change.settings,
                branch,
                change.commit,
            )
        )

    def _tell_errors(self, found: Look) -> bool:
        """Tell what is wrong, once; gives whether what was wrong is right again."""
        mended = bool(self._told_errors) and not found.errors
        if found.errors and found.errors != self._told_errors:
            self._tell(WatchTrouble(self._now(), self._build, found.errors, found.sight is not None))
        if found.errors != self._told_errors:
            self._told_waiting = None
        self._told_errors = found.errors
        return mended

    def _tell_waiting(self, why: Why, message: str) -> None:
        told = self._told_waiting
        if told is None or told.why != why or message not in ("", told.message):
            self._told_waiting = WatchWaiting(self._now(), "", why, message)
            self._tell(self._told_waiting)

    def _polls(self, error: OrchestraError) -> None:
        error.message += ": polling instead"
        self._tell(WatchTrouble(self._now(), self._build, troubles(error)))

    def _tell(self, event: Event) -> None:
        self._send(event)

    def _now(self) -> float:
        return self._clock.now()
